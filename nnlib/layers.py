"""Layers: thin modules over :mod:`nnlib.functional`."""

from __future__ import annotations

import math
from typing import Any

from . import functional as F
from . import init
from .core import Tensor, flatten, zeros
from .module import Module, Parameter

__all__ = [
    "ELU", "GELU", "Dropout", "Flatten", "Identity", "LeakyReLU", "Linear", "LogSoftmax", "Maxout", "ReLU", "SiLU",
    "Sigmoid", "Softmax", "Softplus", "Step", "Tanh",
]  # fmt: skip


def _check_size(layer: str, **sizes: int) -> None:
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{layer}: {name} must be an integer >= 1, got {value!r}.")


class Linear(Module):
    """y = x Wᵀ + b, (…, in) -> (…, out), with W and b drawn from U(±1/√in).  PyTorch: ``nn.Linear``.

    >>> nn.Linear(3, 2)(nn.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        _check_size("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(zeros(out_features, in_features))
        self.register_parameter("bias", Parameter(zeros(out_features)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters afresh."""
        bound = 1 / math.sqrt(self.in_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """(…, in) -> (…, out)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Maxout(Module):
    """Each output is the largest of ``pieces`` linear functions, (…, in) -> (…, out).  Source: Goodfellow et al. 2013.

    >>> nn.Maxout(3, 2, pieces=2)(nn.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        _check_size("Maxout", in_features=in_features, out_features=out_features, pieces=pieces)
        self.pieces = pieces
        self.linear = Linear(in_features, out_features * pieces)

    def forward(self, input: Tensor) -> Tensor:
        """(…, in) -> (…, out)."""
        return F.maxout(self.linear(input), self.pieces)


class Flatten(Module):
    """Merge all axes after the batch, (N, …) -> (N, features).  PyTorch: ``nn.Flatten``.

    >>> nn.Flatten()(nn.zeros(2, 3, 4)).shape
    (2, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """(N, …) -> (N, features)."""
        return flatten(input, self.start_dim, self.end_dim)


class Identity(Module):
    """Nothing: the output is the input.  PyTorch: ``nn.Identity``.

    >>> nn.Identity()(nn.tensor(3.0)).item()
    3.0
    """

    def forward(self, input: Tensor) -> Tensor:
        """x -> x."""
        return input


class Dropout(Module):
    """Zero elements at random while training; see :func:`nnlib.functional.dropout`.  PyTorch: ``nn.Dropout``.

    >>> nn.Dropout(0.5).eval()(nn.ones(2)).tolist()
    [1.0, 1.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is a probability in 0…1, got {p}. Use p=0.5 to drop half.")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.dropout(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class _Elementwise(Module):
    """A function with fixed settings as a module."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.settings.items())


def _activation(name: str, function: Any, **defaults: Any) -> type[Module]:
    """The module form of an element-wise function; its settings are keywords or positions, in order."""

    class Activation(_Elementwise):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            unknown = [key for key in kwargs if key not in defaults]
            if unknown or len(args) > len(defaults):
                raise TypeError(f"{name}: takes {', '.join(defaults) or 'no settings'}; got {unknown or args}.")
            super().__init__(**{**defaults, **dict(zip(defaults, args)), **kwargs})

        def forward(self, input: Tensor) -> Tensor:
            return function(input, **self.settings)

    Activation.__name__ = Activation.__qualname__ = name
    settings = ", ".join(f"{key}={value!r}" for key, value in defaults.items() if value is not None)
    Activation.__doc__ = f"""``{name}({settings})``: :func:`nnlib.functional.{function.__name__}` as a module.

    PyTorch: ``nn.{name}``.

    >>> nn.{name}({"dim=-1" if "dim" in defaults else ""})(nn.zeros(2, 2)).shape
    (2, 2)
    """
    return Activation


ReLU = _activation("ReLU", F.relu)
LeakyReLU = _activation("LeakyReLU", F.leaky_relu, negative_slope=0.01)
ELU = _activation("ELU", F.elu, alpha=1.0)
GELU = _activation("GELU", F.gelu, approximate="none")
SiLU = _activation("SiLU", F.silu)
Softplus = _activation("Softplus", F.softplus, beta=1.0)
Sigmoid = _activation("Sigmoid", F.sigmoid)
Tanh = _activation("Tanh", F.tanh)
Step = _activation("Step", F.step)
Softmax = _activation("Softmax", F.softmax, dim=None)
LogSoftmax = _activation("LogSoftmax", F.log_softmax, dim=None)
