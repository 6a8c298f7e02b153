"""nnlib: a neural-network library in NumPy, small enough to read in an afternoon.

``import nnlib as nn`` reads as PyTorch code. Start with :mod:`nnlib.autograd` (how gradients travel), then
:mod:`nnlib.core` (tensors and ops); every other file imports only those above it in the list below.
"""

from math import e, inf, nan, pi
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import autograd, core, cuda, data, device, functional, init, kernels, optim, utils
from .autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .core import *  # noqa: F403
from .core import bool_ as bool
from .core import float16 as half
from .core import float32 as float
from .core import float64 as double
from .core import int32 as int
from .device import manual_seed
from .functional import log_softmax, relu, softmax
from .layers import *  # noqa: F403
from .losses import *  # noqa: F403
from .module import Module, ModuleList, Parameter, Sequential
from .serialization import load, save
from .training import History, accuracy, evaluate, fit

__version__ = "0.1.0"


class _Device(ModuleType):
    """The module is PyTorch's ``torch.device`` too: ``nn.device("cuda" if nn.cuda.is_available() else "cpu")``."""

    def __call__(self, device: Any) -> str:
        """A device by name, as tensors say it.  Raises RuntimeError where there is none."""
        return cuda.canonical(device, "device")


device.__class__ = _Device

_WHEN_ASKED = ("distributions", "inspection", "models", "testing")  # together half the time of the import

if TYPE_CHECKING:
    from . import distributions, inspection, models, testing
else:

    def __getattr__(name):
        if name not in _WHEN_ASKED:
            raise AttributeError(f"module 'nnlib' has no attribute {name!r}")
        from importlib import import_module

        return import_module(f".{name}", __name__)

    def __dir__():
        return sorted({*globals(), *_WHEN_ASKED})
