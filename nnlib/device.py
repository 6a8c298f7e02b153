"""Which array library holds an array, where it lives, and where random numbers come from.

Ops never import NumPy to compute: they ask ``xp = get_array_module(x)`` and use ``xp``. Today ``xp`` is
NumPy; an array type of another library joins by :func:`register`.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["get_array_module", "manual_seed", "register", "rng"]

_modules: dict[type, ModuleType] = {np.ndarray: np}


def register(array_type: type, module: ModuleType) -> None:
    """Say that arrays of ``array_type`` are computed with ``module`` (NumPy's function names)."""
    _modules[array_type] = module


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


_generator = np.random.default_rng()


def manual_seed(seed: int) -> None:
    """Restart the random numbers of initialisers, dropout, shuffling and ``randn``.

    PyTorch: ``torch.manual_seed`` (the numbers drawn differ: NumPy's PCG64 makes them).

    >>> nn.manual_seed(0); a = nn.rand(3)
    >>> nn.manual_seed(0); (nn.rand(3) == a).all().item()
    True
    """
    global _generator
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"manual_seed: seed must be an integer >= 0, got {seed!r}. Use manual_seed(0).")
    _generator = np.random.default_rng(int(seed))


def rng() -> np.random.Generator:
    """The generator behind every random number of nnlib (restarted by :func:`manual_seed`)."""
    return _generator
