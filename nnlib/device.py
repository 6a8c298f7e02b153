"""Which array library holds an array, where it lives, and where random numbers come from.

Ops never import NumPy to compute: they ask ``xp = get_array_module(x)`` and use ``xp``: NumPy, or CuPy once a tensor
has gone to a GPU (:mod:`nnlib.cuda` joins it by :func:`register`).
"""

from __future__ import annotations

import contextvars
import ctypes
import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["device_of", "get_array_module", "manual_seed", "quietly", "register", "rng", "special", "unregister"]

_modules: dict[type, ModuleType] = {np.ndarray: np}
accelerators: dict[type, ModuleType] = {}  # those of a GPU: while there are none, nobody compares devices
_generators: dict[Any, Any] = {}  # array library -> its random numbers, made when first asked for
_seed: int | None = None


def register(array_type: type, module: ModuleType) -> None:
    """Say that arrays of ``array_type`` are computed with ``module`` (NumPy's function names)."""
    _modules[array_type] = accelerators[array_type] = module


def unregister(array_type: type) -> None:
    """Undo :func:`register`."""
    _modules.pop(array_type, None)
    _generators.pop(accelerators.pop(array_type, None), None)


def get_array_module(*arrays: Any) -> Any:
    """Return the array library of the first argument that is an array; NumPy for plain numbers.

    PyTorch has no counterpart: its tensors carry one library. Source: CuPy's function of that name.

    >>> get_array_module(np.zeros(3)).__name__
    'numpy'
    """
    for array in arrays:
        module = _modules.get(type(array))
        if module is not None:
            return module
    return np


def device_of(array: Any) -> str:
    """``"cpu"``, or ``"cuda:0"`` for an array of the first GPU.

    >>> device_of(np.zeros(3))
    'cpu'
    """
    return f"cuda:{array.device.id}" if type(array) in accelerators else "cpu"


def special(name: str, function: Any, x: Any) -> Any:
    """A function of the standard library's ``math`` for each element; on a GPU that of ``cupyx.scipy.special``."""
    if get_array_module(x) is not np:
        from cupyx.scipy import special as device_special

        return getattr(device_special, name)(x)
    out = np.vectorize(function, otypes=[x.dtype])(x) if x.size else np.zeros_like(x)
    return out if x.ndim else x.dtype.type(out)


_generator: Any = None  # made when first asked for: importing numpy.random takes as long as importing nnlib


def manual_seed(seed: int) -> None:
    """Restart the random numbers of initialisers, dropout, shuffling and ``randn``, on every device.

    Initialisers draw on the host, so a network begins alike everywhere; dropout draws where its input lives.
    PyTorch: ``torch.manual_seed`` (the numbers drawn differ: NumPy's PCG64 makes them).

    >>> nn.manual_seed(0); a = nn.rand(3)
    >>> nn.manual_seed(0); (nn.rand(3) == a).all().item()
    True
    """
    global _generator, _seed
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"manual_seed: seed must be an integer >= 0, got {seed!r}. Use manual_seed(0).")
    _seed = int(seed)
    _generator = np.random.default_rng(_seed)
    _generators.clear()


def rng(xp: Any = np) -> Any:
    """The generator behind every random number of nnlib (restarted by :func:`manual_seed`); a GPU has its own."""
    global _generator
    if xp is np:
        _generator = _generator or np.random.default_rng()
        return _generator
    if xp not in _generators:
        _generators[xp] = xp.random.default_rng(_seed)
    return _generators[xp]


def _keep_freed_memory() -> None:
    """Ask the C library to keep freed memory for the next array instead of giving it back to the system.

    A training step frees and allocates the same megabytes over and over; each time the system hands the pages out
    again it zeroes them, which took half the time of a softmax cross entropy. Only glibc needs (and knows) this.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, macOS, musl
        return
    mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD: arrays up to 32 MB come from the heap
    mallopt(-1, 512 << 20)  # M_TRIM_THRESHOLD: up to 512 MB stay there


_keep_freed_memory()


def _quiet_settings() -> tuple[Any, Any]:
    """The variable in which NumPy keeps its settings, and what it holds inside ``np.errstate(all="ignore")``.

    ``np.errstate`` builds a new value on every entry, which takes as long as ten additions of numbers; here it is
    built once, and what remains is ``set`` and ``reset``. The value also holds the size of the pieces in which NumPy
    runs a broadcast: 1,024 elements stay in the fastest cache, which nearly halves the time of ``matrix + column``
    and its like beside the 8,192 of the default.
    """
    before = contextvars.copy_context()
    with np.errstate(all="ignore"):
        np.setbufsize(1024)  # lives in the same place, so the end of the block takes it back
        inside = contextvars.copy_context()
    changed = [(variable, value) for variable, value in inside.items() if value is not before.get(variable)]
    return changed[0] if len(changed) == 1 else (_Errstate, None)


class _Errstate:
    """The same by ``np.errstate`` itself, for a NumPy that keeps its settings elsewhere."""

    @staticmethod
    def set(value: None) -> Any:
        token = np.errstate(all="ignore")
        token.__enter__()
        return token

    reset = staticmethod(np.errstate.__exit__)


_state, _quiet = _quiet_settings()


def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """``np.errstate(all="ignore")`` as a decorator, at a quarter of its cost."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        token = _state.set(_quiet)
        try:
            return function(*args, **kwargs)
        finally:
            _state.reset(token)

    return call


def once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Compute for a gradient once, though several arguments ask: the result for the latest one is remembered."""
    latest: list[Any] = []

    def call(g: Any) -> Any:
        if not latest or latest[0] is not g:
            latest[:] = g, function(g)
        return latest[1]

    return call
