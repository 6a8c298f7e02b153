"""Helpers around parameters: clip their gradients, see them as one vector."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .core import Tensor, _check_number
from .ops import cat

__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "vector_to_parameters"]


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale all gradients so that their common Euclidean length is at most ``max_norm``; return the length before.

    PyTorch: ``nn.utils.clip_grad_norm_``.  Source: Pascanu et al. 2013.

    >>> w = nn.Parameter(nn.tensor([3.0, 4.0])); (w * w).sum().backward()
    >>> nn.utils.clip_grad_norm_([w], 1.0), w.grad.round(4).tolist()
    (10.0, [0.6000000238418579, 0.800000011920929])
    """
    _check_number("clip_grad_norm_", 1.0, most=math.inf, max_norm=max_norm)  # inf: only measure
    graded = [p for p in _listed(parameters) if p.grad is not None]
    total = math.sqrt(sum(float((p.grad * p.grad).sum()) for p in graded))
    scale = min(1.0, max_norm / (total + 1e-6))
    if scale < 1:
        for p in graded:
            p.grad = p.grad * p.dtype.type(scale)
    return total


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Limit every element of the gradients to ±clip_value.  PyTorch: ``nn.utils.clip_grad_value_``.

    >>> w = nn.Parameter(nn.tensor([3.0])); (w * w).sum().backward()
    >>> nn.utils.clip_grad_value_([w], 1.0); w.grad.tolist()
    [1.0]
    """
    _check_number("clip_grad_value_", 1.0, most=math.inf, clip_value=clip_value)
    for p in _listed(parameters):
        if p.grad is not None:
            p.grad = p.grad.clip(-clip_value, clip_value)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters in one vector, in order.  PyTorch: ``nn.utils.parameters_to_vector``.

    >>> nn.utils.parameters_to_vector(nn.Linear(2, 3).parameters()).shape
    (9,)
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Cut a vector into the parameters' shapes and put it in their place.  PyTorch: ``vector_to_parameters``.

    >>> layer = nn.Linear(1, 1); nn.utils.vector_to_parameters(nn.tensor([2.0, 3.0]), layer.parameters())
    >>> layer(nn.tensor([[10.0]])).item()
    23.0
    """
    listed = list(parameters)
    needed = sum(p.numel() for p in listed)
    if vec.shape != (needed,):
        raise ValueError(f"vector_to_parameters: vec must have shape ({needed},), got {vec.shape}.")
    start: Any = 0
    for p in listed:
        p.data = vec.data[start : start + p.numel()].reshape(p.shape).astype(p.dtype, copy=True)
        start += p.numel()


def _listed(parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)
