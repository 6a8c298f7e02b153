"""nnlib: a neural-network library in NumPy, small enough to read in an afternoon.

``import nnlib as nn`` reads as PyTorch code. Start with :mod:`nnlib.autograd` (how gradients travel), then
:mod:`nnlib.core` (tensors) and :mod:`nnlib.ops`; every other file imports only those above it in the list below.
"""

from math import e, inf, nan, pi
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from . import autograd, core, cuda, data, device, functional, init, kernels, ops, optim, utils
from .autograd import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from .core import *  # noqa: F403
from .core import Tensor
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
from .ops import *  # noqa: F403
from .serialization import load, save
from .training import History, accuracy, evaluate, fit

__version__ = "0.1.0"


class _Device(ModuleType):
    """The module is PyTorch's ``torch.device`` too: ``nn.device("cuda" if nn.cuda.is_available() else "cpu")``."""

    def __call__(self, device: Any) -> str:
        """A device by name, as tensors say it.  Raises RuntimeError where there is none."""
        return cuda.canonical(device, "device")


device.__class__ = _Device

_SAID_OTHERWISE = {  # what PyTorch has a name for and nnlib says in its own words, of tensors x and y
    "addmm": "b + x @ y", "bernoulli": "(nn.rand(x.shape) < x).float()", "bmm": "x @ y",
    "clip": "x.clamp(low, high)", "concat": "nn.cat([x, y])", "concatenate": "nn.cat([x, y])", "contiguous": "x",
    "count_nonzero": "(x != 0).sum()", "dot": "x @ y", "empty": "nn.zeros(2, 3)", "empty_like": "nn.zeros_like(x)",
    "equal": "bool((x == y).all())", "expand_as": "x.expand(y.shape)", "fliplr": "x.flip(1)", "flipud": "x.flip(0)",
    "frac": "x - x.floor()", "grad_fn": "x.node", "half": "x.to(nn.float16)", "hstack": "nn.cat([x, y], 1)",
    "index_select": "x[index]", "inner": "x @ y", "is_floating_point": "x.dtype.kind == 'f'",
    "is_tensor": "isinstance(x, nn.Tensor)", "log10": "x.log() / math.log(10)", "log2": "x.log() / math.log(2)",
    "logical_and": "x & y", "logical_not": "~x", "logical_or": "x | y", "logical_xor": "x ^ y", "mm": "x @ y",
    "multinomial": "nn.distributions.Categorical(x).sample((n,))", "multiply": "x * y", "mv": "x @ y",
    "ndimension": "x.ndim", "nelement": "x.numel()", "normal": "mean + std * nn.randn(2, 3)", "numel": "x.numel()",
    "rand_like": "nn.rand(x.shape)", "randn_like": "nn.randn(x.shape)", "ravel": "x.flatten()",
    "subtract": "x - y", "swapaxes": "x.transpose(0, 1)", "t": "x.T", "tan": "x.sin() / x.cos()",
    "tile": "x.repeat(2, 3)", "true_divide": "x / y", "divide": "x / y", "type": "x.to(nn.float64)",
    "type_as": "x.to(y.dtype)", "view_as": "x.view(y.shape)", "vstack": "nn.cat([x, y])",
}  # fmt: skip


def _instead(name: str) -> str:
    """The fix to a name that is not there, as the end of a message."""
    if name in _SAID_OTHERWISE:
        return f". Use {_SAID_OTHERWISE[name]}"
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name[:-1]):
        return f". Use x = x.{name[:-1]}(...)"
    return f". NumPy has it, without a gradient: nn.tensor(np.{name}(x.numpy()))" if hasattr(np, name) else ""


class _Elsewhere(str):
    """The name of a method that Tensor lacks: asking for it says what does the same.

    (``Tensor.__getattr__`` would say it too, and slow every attribute down.)
    """

    def __get__(self, tensor: Any, owner: Any) -> Any:
        raise AttributeError(f"'Tensor' object has no attribute '{self}'{_instead(self)}")


_numpys = [n for n, f in vars(np).items() if n[0] != "_" and callable(f) and not isinstance(f, type)]
for _name in {*_SAID_OTHERWISE, *(f"{name}_" for name in dir(Tensor) if name[-1] != "_"), *_numpys} - {*dir(Tensor)}:
    setattr(Tensor, _name, _Elsewhere(_name))
Tensor.__dir__ = lambda self: [n for n in object.__dir__(self) if not isinstance(vars(Tensor).get(n), _Elsewhere)]  # type: ignore[method-assign]

_WHEN_ASKED = ("distributions", "inspection", "models", "testing")  # together half the time of the import

if TYPE_CHECKING:
    from . import distributions, inspection, models, testing
else:

    def __getattr__(name):
        if name not in _WHEN_ASKED:
            raise AttributeError(f"module 'nnlib' has no attribute {name!r}{_instead(name)}")
        from importlib import import_module

        return import_module(f".{name}", __name__)

    def __dir__():
        return sorted({*globals(), *_WHEN_ASKED})
