"""Initialisers: fill a parameter in place, from the generator of ``manual_seed``."""

from __future__ import annotations

import math
from typing import Any

from .core import Tensor, _check_number, _check_one_of
from .device import get_array_module, rng

__all__ = [
    "calculate_gain", "constant_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "uniform_",
    "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip


def _fill(tensor: Tensor, values: Any) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"init: tensor must be a Tensor, got {type(tensor).__name__}. Use nn.tensor(tensor).")
    tensor.data[...] = get_array_module(tensor.data).asarray(values, dtype=tensor.dtype)
    tensor._touch()
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0) -> Tensor:
    """U(a, b).  PyTorch: ``nn.init.uniform_``.

    >>> bool((nn.init.uniform_(nn.zeros(9), 2, 3) >= 2).all())
    True
    """
    if a > b:
        raise ValueError(f"uniform_: a must not be above b, got a={a} and b={b}. Use uniform_(tensor, {b}, {a}).")
    return _fill(tensor, rng().uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0) -> Tensor:
    """N(mean, std²).  PyTorch: ``nn.init.normal_``.

    >>> nn.init.normal_(nn.zeros(2), mean=5, std=0).tolist()
    [5.0, 5.0]
    """
    _check_number("normal_", 1.0, std=std)
    return _fill(tensor, rng().normal(mean, std, tensor.shape))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere.  PyTorch: ``nn.init.constant_``.

    >>> nn.init.constant_(nn.zeros(2), 0.5).tolist()
    [0.5, 0.5]
    """
    return _fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros.  PyTorch: ``nn.init.zeros_``.

    >>> nn.init.zeros_(nn.ones(2)).tolist()
    [0.0, 0.0]
    """
    return _fill(tensor, 0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones.  PyTorch: ``nn.init.ones_``.

    >>> nn.init.ones_(nn.zeros(2)).tolist()
    [1.0, 1.0]
    """
    return _fill(tensor, 1)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the scale of activations through a non-linearity.  PyTorch: ``nn.init.calculate_gain``.

    >>> nn.init.calculate_gain("tanh")
    1.6666666666666667
    """
    slope = 0.01 if param is None else param
    gains = {
        "relu": math.sqrt(2), "leaky_relu": math.sqrt(2 / (1 + slope**2)), "tanh": 5 / 3, "selu": 0.75,
        "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "sigmoid": 1.0,
    }  # fmt: skip
    _check_one_of("calculate_gain", list(gains), nonlinearity=nonlinearity)
    return gains[nonlinearity]


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """(inputs, outputs) that each element of a weight (out, in, …) connects."""
    if tensor.ndim < 2:
        raise ValueError(f"{name}: needs a weight (out, in, …), got shape {tensor.shape}. Use uniform_ for a bias.")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def xavier_uniform_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """U(±gain·√(6/(in + out))).  PyTorch: ``nn.init.xavier_uniform_``.  Source: Glorot & Bengio 2010.

    >>> bool((nn.init.xavier_uniform_(nn.zeros(3, 3)).abs() <= 1).all())
    True
    """
    bound = gain * math.sqrt(6 / sum(_fans("xavier_uniform_", tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Tensor, gain: float = 1.0) -> Tensor:
    """N(0, gain²·2/(in + out)).  PyTorch: ``nn.init.xavier_normal_``.  Source: Glorot & Bengio 2010.

    >>> nn.init.xavier_normal_(nn.zeros(3, 3)).shape
    (3, 3)
    """
    return normal_(tensor, 0, gain * math.sqrt(2 / sum(_fans("xavier_normal_", tensor))))


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    _check_one_of(name, ("fan_in", "fan_out"), mode=mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(_fans(name, tensor)[mode == "fan_out"])


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """U(±gain·√(3/fan)).  PyTorch: ``nn.init.kaiming_uniform_``.  Source: He et al. 2015.

    >>> nn.init.kaiming_uniform_(nn.zeros(3, 3)).shape
    (3, 3)
    """
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Tensor:
    """N(0, gain²/fan).  PyTorch: ``nn.init.kaiming_normal_``.  Source: He et al. 2015.

    >>> nn.init.kaiming_normal_(nn.zeros(3, 3)).shape
    (3, 3)
    """
    return normal_(tensor, 0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity))
