"""Layers: thin modules over :mod:`nnlib.functional`."""

from __future__ import annotations

import inspect
import math
from typing import Any

from . import functional as F
from . import init
from .conv import _pair
from .core import Tensor, as_tensor, ones, zeros
from .ops import flatten, stack

# isort: split
from .core import _check_integer, _check_number, _check_one_of
from .module import Module, Parameter

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "BatchNorm1d", "BatchNorm2d", "Conv1d",
    "Conv2d", "Dropout", "ELU", "Flatten", "GELU", "GroupNorm", "Identity", "LayerNorm", "LeakyReLU", "Linear",
    "LogSoftmax", "MaskedLinear", "MaxPool1d", "MaxPool2d", "Maxout", "RNN", "RNNCell", "ReLU", "Residual",
    "SiLU", "Sigmoid", "Softmax", "Softplus", "Step", "Tanh",
]  # fmt: skip


class _Weighted(Module):
    """A weight (out, in, …) and perhaps a bias (out,), drawn from U(±1/√fan_in), fan_in the product of (in, …)."""

    def _make_parameters(self, *shape: int, bias: bool) -> None:
        self.weight = Parameter(zeros(*shape))
        self.register_parameter("bias", Parameter(zeros(shape[0])) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters afresh."""
        bound = 1 / math.sqrt(math.prod(self.weight.shape[1:]))
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)


class Linear(_Weighted):
    """y = x Wᵀ + b, (…, in) -> (…, out), with W and b drawn from U(±1/√in).  PyTorch: ``nn.Linear``.

    >>> nn.Linear(3, 2)(nn.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        _check_integer("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self._make_parameters(out_features, in_features, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(…, in) -> (…, out)."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Maxout(Module):
    """Each output is the largest of ``pieces`` linear functions, (…, in) -> (…, out).  No PyTorch counterpart.

    Source: Goodfellow et al. 2013.

    >>> nn.Maxout(3, 2, pieces=2)(nn.zeros(5, 3)).shape
    (5, 2)
    """

    def __init__(self, in_features: int, out_features: int, pieces: int = 2) -> None:
        super().__init__()
        _check_integer("Maxout", in_features=in_features, out_features=out_features, pieces=pieces)
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

    _shown = "p={p}"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        _check_number("Dropout", 0.5, most=1, p=p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Any shape."""
        return F.dropout(input, self.p, self.training)


def _layer(name: str, function: Any, example: str = "()(nn.zeros(2)) (2,)", last: str = "", inputs: int = 1) -> Any:
    """The module form of ``function(input, **settings)``; its settings are keywords or positions, in order.

    ``example`` is how to make and call it, and the shape that comes out; ``last`` the setting that PyTorch's module
    takes last, where its function does not. A loss has two ``inputs``.
    """
    settings = list(inspect.signature(function).parameters.values())[inputs:]
    settings.sort(key=lambda setting: setting.name == last)
    signature = inspect.Signature([setting.replace(annotation=setting.empty) for setting in settings])

    class Layer(Module):
        __signature__ = signature

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__()
            try:
                given = signature.bind(*args, **kwargs)
            except TypeError as error:
                fix = ", ".join(f"{s.name}={2 if s.default is s.empty else s.default!r}" for s in settings)
                raise TypeError(f"{name}: got settings {[*args, *kwargs]}: {error}. Use nn.{name}({fix}).") from None
            said = given.arguments
            given.apply_defaults()
            self.settings = dict(given.arguments)
            reduction = self.settings.get("reduction", "mean")
            _check_one_of(name, (*F._REDUCTIONS, *["batchmean"] * (name == "KLDivLoss")), reduction=reduction)
            if self.settings.get("stride", 0) is None:  # a pooling's windows lie side by side unless told otherwise
                self.settings["stride"] = self.settings["kernel_size"]
            shown = said if inputs == 2 else self.settings  # as in PyTorch, which does not show the defaults of losses
            self._shown = ", ".join(f"{key}={value!r}" for key, value in shown.items())

        def forward(self, *tensors: Tensor) -> Any:
            return function(*tensors, **self.settings)

    Layer.__name__ = Layer.__qualname__ = name
    call, _, shape = example.partition(") (")
    Layer.__doc__ = f"""``{name}{signature}``: :func:`nnlib.functional.{function.__name__}` as a module.

    PyTorch: {"none" if name in ("Step", "HingeLoss") else f"``nn.{name}``"}.

    >>> nn.{name}{call}).shape
    ({shape}
    """
    return Layer


ReLU = _layer("ReLU", F.relu)
LeakyReLU = _layer("LeakyReLU", F.leaky_relu)
ELU = _layer("ELU", F.elu)
GELU = _layer("GELU", F.gelu)
SiLU = _layer("SiLU", F.silu)
Softplus = _layer("Softplus", F.softplus)
Sigmoid = _layer("Sigmoid", F.sigmoid)
Tanh = _layer("Tanh", F.tanh)
Step = _layer("Step", F.step)
Softmax = _layer("Softmax", F.softmax, "(dim=-1)(nn.zeros(2, 2)) (2, 2)")
LogSoftmax = _layer("LogSoftmax", F.log_softmax, "(dim=-1)(nn.zeros(2, 2)) (2, 2)")

MaxPool1d = _layer("MaxPool1d", F.max_pool1d, "(2)(nn.zeros(5, 3, 8)) (5, 3, 4)", last="ceil_mode")
MaxPool2d = _layer("MaxPool2d", F.max_pool2d, "(2)(nn.zeros(5, 3, 8, 8)) (5, 3, 4, 4)", last="ceil_mode")
AvgPool1d = _layer("AvgPool1d", F.avg_pool1d, "(2)(nn.zeros(5, 3, 8)) (5, 3, 4)")
AvgPool2d = _layer("AvgPool2d", F.avg_pool2d, "(2)(nn.zeros(5, 3, 8, 8)) (5, 3, 4, 4)")
AdaptiveAvgPool1d = _layer("AdaptiveAvgPool1d", F.adaptive_avg_pool1d, "(1)(nn.zeros(5, 3, 8)) (5, 3, 1)")
AdaptiveAvgPool2d = _layer("AdaptiveAvgPool2d", F.adaptive_avg_pool2d, "(1)(nn.ones(5, 3, 8, 8)) (5, 3, 1, 1)")


# ---------------------------------------------------------------------------------------------- convolution


class _Conv(_Weighted):
    """What Conv1d and Conv2d share: the parameters, the settings, and the function of that name."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        name, n = type(self).__name__, self._axes
        _check_integer(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: groups={groups} must divide in_channels={in_channels} and {out_channels=}.")
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = _pair(name, "kernel_size", kernel_size, n, 1)
        self.stride, self.dilation = _pair(name, "stride", stride, n, 1), _pair(name, "dilation", dilation, n, 1)
        self.padding = padding if isinstance(padding, str) else _pair(name, "padding", padding, n, 0)
        self.groups = groups
        self._make_parameters(out_channels, in_channels // groups, *self.kernel_size, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, in_channels, …) -> (N, out_channels, …)."""
        return self._convolve(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        parts += [f"padding={self.padding!r}"] if isinstance(self.padding, str) or any(self.padding) else []
        parts += [f"dilation={self.dilation}"] if max(self.dilation) > 1 else []
        parts += [f"groups={self.groups}"] if self.groups > 1 else []
        return ", ".join(parts + ["bias=False"] * (self.bias is None))


class Conv1d(_Conv):
    """Filters along signals, (N, in_channels, L) -> (N, out_channels, ol): :func:`nnlib.functional.conv1d`.

    Weight (out_channels, in_channels/groups, k), drawn from U(±1/√fan_in).  PyTorch: ``nn.Conv1d``.

    >>> nn.Conv1d(2, 4, kernel_size=3, padding="same")(nn.zeros(5, 2, 8)).shape
    (5, 4, 8)
    """

    _axes, _convolve = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Filters over images, (N, in_channels, H, W) -> (N, out_channels, oh, ow): :func:`nnlib.functional.conv2d`.

    Weight (out_channels, in_channels/groups, kh, kw), drawn from U(±1/√fan_in).  PyTorch: ``nn.Conv2d``.

    >>> nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)(nn.zeros(5, 3, 32, 32)).shape
    (5, 8, 16, 16)
    """

    _axes, _convolve = 2, staticmethod(F.conv2d)


# ---------------------------------------------------------------------------------------------- normalisation


class BatchNorm1d(Module):
    """Each channel to mean 0 and variance 1 over the batch, then · weight + bias.  PyTorch: ``nn.BatchNorm1d``.

    (N, C) or (N, C, L). While training, statistics of the batch, and running ones that follow them; after ``eval()``
    the running ones. ``momentum=None`` averages all batches alike. See :func:`nnlib.functional.batch_norm`.

    >>> nn.BatchNorm1d(3)(nn.rand(8, 3)).shape
    (8, 3)
    """

    _shown = "{num_features}, eps={eps}, momentum={momentum}, affine={affine}"
    _ndims: tuple[int, ...] = (2, 3)
    _expects, _other = "2 or 3 axes (N, C) or (N, C, L)", "nn.BatchNorm2d for images"

    def __init__(
        self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        _check_integer(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.track_running_stats = track_running_stats
        self.register_parameter("weight", Parameter(ones(num_features)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_features)) if affine else None)
        self.register_buffer("running_mean", zeros(num_features) if track_running_stats else None)
        self.register_buffer("running_var", ones(num_features) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", as_tensor(0) if track_running_stats else None)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape in and out."""
        name = type(self).__name__
        if input.ndim not in self._ndims:
            raise ValueError(f"{name}: expects input with {self._expects}, got {input.shape}. Use {self._other}.")
        momentum, statistics = self.momentum, (self.running_mean, self.running_var)
        if self.training and self.track_running_stats:
            self.num_batches_tracked += 1
            momentum = 1 / int(self.num_batches_tracked) if momentum is None else momentum
        from_batch = self.training or self.running_mean is None
        return F.batch_norm(input, *statistics, self.weight, self.bias, from_batch, momentum, self.eps)


class BatchNorm2d(BatchNorm1d):
    """:class:`BatchNorm1d` for images (N, C, H, W): statistics over N, H and W.  PyTorch: ``nn.BatchNorm2d``.

    >>> nn.BatchNorm2d(3)(nn.rand(8, 3, 4, 4)).shape
    (8, 3, 4, 4)
    """

    _ndims = (4,)
    _expects, _other = "4 axes (N, C, H, W)", "nn.BatchNorm1d for (N, C) and (N, C, L)"


class LayerNorm(Module):
    """Each example to mean 0 and variance 1 over its last axes, then · weight + bias.  PyTorch: ``nn.LayerNorm``.

    See :func:`nnlib.functional.layer_norm`.

    >>> nn.LayerNorm(4)(nn.rand(8, 4)).shape
    (8, 4)
    """

    _shown = "{normalized_shape}, eps={eps}, elementwise_affine={elementwise_affine}"

    def __init__(
        self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
        for length in shape:
            _check_integer("LayerNorm", normalized_shape=length)
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        self.register_parameter("weight", Parameter(ones(*shape)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(zeros(*shape)) if elementwise_affine and bias else None)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape in and out."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class GroupNorm(Module):
    """Each group of channels of each example to mean 0 and variance 1.  PyTorch: ``nn.GroupNorm``.

    See :func:`nnlib.functional.group_norm`.

    >>> nn.GroupNorm(2, 4)(nn.rand(8, 4, 5, 5)).shape
    (8, 4, 5, 5)
    """

    _shown = "{num_groups}, {num_channels}, eps={eps}, affine={affine}"

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        _check_integer("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}.")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.register_parameter("weight", Parameter(ones(num_channels)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(num_channels)) if affine else None)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape in and out."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


# ---------------------------------------------------------------------------------------------- structure


class Residual(Module):
    """y = act(body(x) + shortcut(x)): the body learns what to add to its input.  Source: He et al. 2016.

    ``shortcut`` must bring x to the shape of body(x) and is the identity unless given; ``act`` comes after the sum
    and is the identity unless given (ResNets have ``nn.ReLU()``). No PyTorch counterpart.

    >>> nn.Residual(nn.Identity())(nn.tensor([1.0, -2.0])).tolist()
    [2.0, -4.0]
    """

    def __init__(self, body: Module, shortcut: Module | None = None, act: Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or Identity(), act or Identity()

    def forward(self, input: Tensor) -> Tensor:
        """x -> act(body(x) + shortcut(x))."""
        y, x = self.body(input), self.shortcut(input)
        if y.shape != x.shape:
            raise ValueError(
                f"Residual: body makes {y.shape} and shortcut {x.shape} of {input.shape}; both must have one shape. "
                "Give it a shortcut, e.g. nn.Conv2d(in, out, 1, stride) or nn.Linear(in, out)."
            )
        return self.act(y + x)


class MaskedLinear(Linear):
    """A Linear whose weights stay 0 where ``mask`` (out, in) is 0: hidden units that see only some inputs.

    The mask is part of the state. No PyTorch counterpart.

    >>> layer = nn.MaskedLinear([[1, 1, 0], [0, 0, 1]])
    >>> layer(nn.zeros(5, 3)).shape, layer.free_parameters
    ((5, 2), 5)
    """

    def __init__(self, mask: Any, bias: bool = True) -> None:
        mask = as_tensor(mask)
        if mask.ndim != 2 or not ((mask.data == 0) | (mask.data == 1)).all():
            raise ValueError(f"MaskedLinear: mask must be a matrix (out, in) of 0 and 1, got shape {mask.shape}.")
        super().__init__(mask.shape[1], mask.shape[0], bias)
        self.register_buffer("mask", mask.to(self.weight.dtype))
        self.weight.data *= self.mask

    @property
    def free_parameters(self) -> int:
        """The number of parameters that matter: weights under the mask, and biases."""
        return int(self.mask.sum()) + (0 if self.bias is None else self.bias.numel())

    def forward(self, input: Tensor) -> Tensor:
        """(…, in) -> (…, out)."""
        return F.linear(input, self.weight * Tensor(self.mask), self.bias)


# ---------------------------------------------------------------------------------------------- recurrence


class _Recurrent(Module):
    """What RNNCell and RNN share: settings, and each layer's weight_ih, weight_hh, bias_ih, bias_hh (and a suffix)."""

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int, nonlinearity: str, bias: bool, suffix: str
    ) -> None:  # fmt: skip
        super().__init__()
        name = type(self).__name__
        _check_integer(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        _check_one_of(name, ("tanh", "relu"), nonlinearity=nonlinearity)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.nonlinearity, self._act = nonlinearity, F.tanh if nonlinearity == "tanh" else F.relu
        bound = 1 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            inputs = hidden_size if layer else input_size
            weights = {"weight_ih": (hidden_size, inputs), "weight_hh": (hidden_size, hidden_size)}
            for part, shape in {**weights, "bias_ih": (hidden_size,), "bias_hh": (hidden_size,)}.items():
                wanted = bias or part in weights
                drawn = Parameter(init.uniform_(zeros(*shape), -bound, bound)) if wanted else None
                self.register_parameter(part + suffix.format(layer), drawn)


class RNNCell(_Recurrent):
    """One step h' = φ(W_ih x + b_ih + W_hh h + b_hh), x (N, in), h and h' (N, hidden).  PyTorch: ``nn.RNNCell``.

    φ is "tanh" or "relu"; h is 0 unless given; parameters from U(±1/√hidden).  Source: Elman 1990.

    >>> cell = nn.RNNCell(3, 4)
    >>> cell(nn.zeros(5, 3), cell(nn.zeros(5, 3))).shape
    (5, 4)
    """

    _shown = "{input_size}, {hidden_size}, nonlinearity={nonlinearity!r}"

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh") -> None:
        super().__init__(input_size, hidden_size, 1, nonlinearity, bias, "")

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """(N, in), (N, hidden) -> (N, hidden)."""
        w, shape = self.weight_ih, (*input.shape[:-1], self.hidden_size)
        h = zeros(shape, dtype=w.dtype, device=w.device) if hx is None else hx
        return self._act(F.linear(input, w, self.bias_ih) + F.linear(h, self.weight_hh, self.bias_hh))


class RNN(_Recurrent):
    """Each layer feeds h_t = φ(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh) back to itself.  PyTorch: ``nn.RNN``.

    x (T, N, in), or (N, T, in) with ``batch_first``, or (T, in) -> all h_t of the last layer, and the last h of each
    layer (layers, N, hidden). The loop is unrolled: the graph holds every time step, and ``backward`` walks through
    time.  Source: Elman 1990.

    >>> out, h = nn.RNN(3, 4)(nn.zeros(7, 5, 3))
    >>> out.shape, h.shape
    ((7, 5, 4), (1, 5, 4))
    """

    _shown = "{input_size}, {hidden_size}, num_layers={num_layers}, {nonlinearity}"

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
        batch_first: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, num_layers, nonlinearity, bias, "_l{}")
        self.batch_first = batch_first

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(T, N, in), (layers, N, hidden) -> (T, N, hidden), (layers, N, hidden)."""
        if input.ndim not in (2, 3) or input.shape[-1] != self.input_size:
            raise ValueError(f"RNN: expects input (T, N, {self.input_size}), got {input.shape}. Check batch_first.")
        swap = self.batch_first and input.ndim == 3
        x, last = input.transpose(0, 1) if swap else input, []
        if not len(x):
            raise ValueError(f"RNN: expects at least one time step, got {input.shape}. Drop empty sequences.")
        state = (self.num_layers, *x.shape[1:-1], self.hidden_size)
        if hx is not None and hx.shape != state:
            raise ValueError(f"RNN: hx must have shape {state}, got {hx.shape}. Use nn.zeros{state}.")
        for layer in range(self.num_layers):
            w_ih, w_hh, b_ih, b_hh = (
                getattr(self, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            h = zeros(*state[1:], dtype=w_hh.dtype, device=w_hh.device) if hx is None else hx[layer]
            steps = []
            for from_input in F.linear(x, w_ih, b_ih):  # W_ih x_t for all t at once: it does not wait for h
                h = self._act(from_input + F.linear(h, w_hh, b_hh))
                steps.append(h)
            x = stack(steps)
            last.append(h)
        return (x.transpose(0, 1) if swap else x), stack(last)
