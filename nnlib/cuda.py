"""The GPU, through CuPy, where there is one.  PyTorch: ``torch.cuda``.

CuPy imports without a GPU and fails at its first array, so everything here asks :func:`is_available` first. Install it
with ``pip install 'nnlib[cuda12]'`` or ``'nnlib[cuda13]'``, whichever the driver supports.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .device import get_array_module, register

__all__ = ["device_count", "is_available", "synchronize"]

_cupy: Any = None


def _load() -> Any:
    """CuPy, if it is installed and finds a GPU; else None."""
    global _cupy
    if _cupy is None:
        try:
            import cupy

            found = cupy.cuda.runtime.getDeviceCount()
        except Exception:  # no CuPy, no driver, a driver too old for it: CuPy has a type of error for each
            return None
        if found:
            register(cupy.ndarray, cupy)
            _cupy = cupy
    return _cupy


def is_available() -> bool:
    """Whether tensors can go to ``"cuda"`` here.  PyTorch: ``torch.cuda.is_available``.

    >>> nn.cuda.is_available() in (True, False)
    True
    """
    return _load() is not None


def device_count() -> int:
    """How many GPUs there are.  PyTorch: ``torch.cuda.device_count``.

    >>> nn.cuda.device_count() >= nn.cuda.is_available()
    True
    """
    cupy = _load()
    return cupy.cuda.runtime.getDeviceCount() if cupy else 0


def synchronize() -> None:
    """Wait until the GPU has done all it was given; without a GPU there is nothing to wait for.

    PyTorch: ``torch.cuda.synchronize`` (which raises without a GPU).

    >>> nn.cuda.synchronize()
    """
    cupy = _load()
    if cupy:
        cupy.cuda.get_current_stream().synchronize()


def move(array: Any, device: str) -> Any:
    """``array`` on ``device`` ("cpu", "cuda" or "cuda:1"), copied if it lives elsewhere.

    Raises RuntimeError where there is no such device.
    """
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return array if get_array_module(array) is np else get_array_module(array).asnumpy(array)
    cupy = _load()
    if cupy is None or int(number or 0) >= device_count():
        there = f"there are {device_count()}" if cupy else "none is available (CuPy missing, or no driver)"
        raise RuntimeError(
            f"to: {device!r} needs a GPU with CuPy, and {there}. Stay on 'cpu', or pip install 'nnlib[cuda12]'."
        )
    with cupy.cuda.Device(int(number or 0)):
        return cupy.asarray(array)
