"""Network functions: activations, softmax, linear maps, and the arithmetic of the losses.

``import nnlib.functional as F``. Rows are examples: x (N, in), y = x Wᵀ + b with W (out, in).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import kernels
from .conv import *  # noqa: F403
from .core import Array, Tensor, _as_float, op, unbroadcast
from .ops import _axes, _flat, _top, sigmoid, where
from .ops import logsumexp as logsumexp  # PyTorch has these two in F as well
from .ops import tanh as tanh

# isort: split
from .core import _check_integer, _check_number, _check_one_of, _check_tensor, _guarded
from .device import get_array_module, once, rng, special

# ---------------------------------------------------------------------------------------------- activations


@op
def relu(input: Array):
    """max(0, x).  ∂x = g where x > 0, and 0 at the kink.  PyTorch: ``F.relu``.

    >>> F.relu(nn.tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    x = input
    if kernels.fit(x):
        out = kernels.elementwise("relu", x)
        return out, lambda g: kernels.elementwise("relu_grad", out, g)
    out = get_array_module(x).maximum(x, 0)
    return out, lambda g: g * (out != 0)  # NaN counts as above 0, as in PyTorch


@op
def leaky_relu(input: Array, negative_slope: float = 0.01):
    """x where x > 0, slope·x elsewhere.  ∂x = g·(1 or slope).  PyTorch: ``F.leaky_relu``.

    >>> F.leaky_relu(nn.tensor([-1.0, 2.0]), 0.5).tolist()
    [-0.5, 2.0]
    """
    x, xp = input, get_array_module(input)
    slope = xp.where(xp.greater(x, 0), x.dtype.type(1), x.dtype.type(negative_slope))
    return x * slope, lambda g: g * slope


@op
def elu(input: Array, alpha: float = 1.0):
    """x where x > 0, α(eˣ − 1) elsewhere.  ∂x = g·(1 or αeˣ).  PyTorch: ``F.elu``.  Source: Clevert et al. 2016.

    >>> F.elu(nn.tensor([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    x, xp = _as_float(input), get_array_module(input)
    below = alpha * xp.expm1(xp.minimum(x, 0))
    low = xp.less_equal(x, 0)
    return xp.where(low, below, x), lambda g: g * xp.where(low, below + x.dtype.type(alpha), x.dtype.type(1))


@op
def gelu(input: Array, approximate: str = "none"):
    """x·Φ(x) with Φ the normal distribution function, or its tanh form.  PyTorch: ``F.gelu``.

    ∂x = g·(Φ(x) + x·φ(x)).  Source: Hendrycks & Gimpel 2016.

    >>> f"{F.gelu(nn.tensor(1.0)).item():.6f}"
    '0.841345'
    """
    x, xp = _as_float(input), get_array_module(input)
    _check_one_of("gelu", ("tanh", "none"), approximate=approximate)
    if approximate == "tanh":
        scale = math.sqrt(2 / math.pi)
        bent = xp.tanh(scale * (x + 0.044715 * x**3))
        slope = 0.5 * (1 + bent) + 0.5 * x * (1 - bent * bent) * scale * (1 + 3 * 0.044715 * x * x)
        return 0.5 * x * (1 + bent), lambda g: g * slope
    if kernels.fit(x):
        return kernels.elementwise("gelu", x), lambda g: kernels.elementwise("gelu_grad", x, g)
    below = 0.5 * (1 + special("erf", math.erf, x / math.sqrt(2)))
    density = xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return x * below, lambda g: g * (below + x * density)


@op
def softplus(input: Array, beta: float = 1.0):
    """ln(1 + e^(βx))/β, a smooth ReLU.  ∂x = g·σ(βx).  PyTorch: ``F.softplus`` (which switches to x above 20/β).

    >>> f"{F.softplus(nn.tensor(0.0)).item():.6f}"
    '0.693147'
    """
    if beta <= 0:
        raise ValueError(f"softplus: beta must be > 0, got {beta}. Use softplus(-x) to mirror the curve.")
    x, xp = _as_float(input), get_array_module(input)
    bx = beta * x
    out = xp.logaddexp(bx, xp.zeros_like(bx)) / beta
    return out, lambda g: g * (xp.exp(xp.minimum(bx, 0)) / (1 + xp.exp(-xp.abs(bx))))


def silu(input: Tensor) -> Tensor:
    """x·σ(x), also called swish.  PyTorch: ``F.silu``.

    >>> F.silu(nn.tensor(0.0)).item()
    0.0
    """
    _check_tensor("silu", "input", input)
    return input * sigmoid(input)


def logsigmoid(input: Tensor) -> Tensor:
    """ln σ(x) = −softplus(−x), without underflow.  PyTorch: ``F.logsigmoid``.

    >>> F.logsigmoid(nn.tensor(-1000.0)).item()
    -1000.0
    """
    _check_tensor("logsigmoid", "input", input)
    return -softplus(-input)


@op
def step(input: Array):
    """1 where x > 0, else 0: the perceptron's activation, whose gradient is 0 everywhere.

    PyTorch: ``torch.heaviside``.

    >>> F.step(nn.tensor([-1.0, 0.0, 2.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    return get_array_module(input).greater(input, 0).astype(input.dtype), _flat


def maxout(input: Tensor, pieces: int) -> Tensor:
    """The largest of each group of ``pieces`` neighbouring features, (…, n·pieces) -> (…, n).

    No PyTorch counterpart. Source: Goodfellow et al. 2013.

    >>> F.maxout(nn.tensor([[1.0, 5.0, 3.0, 2.0]]), 2).tolist()
    [[5.0, 3.0]]
    """
    _check_tensor("maxout", "input", input)
    _check_integer("maxout", fix=2, pieces=pieces)
    if input.shape[-1] % pieces:
        raise ValueError(f"maxout: {pieces=} must divide the last of {input.shape}. Use Linear(in, out * {pieces}).")
    return input.reshape(*input.shape[:-1], input.shape[-1] // pieces, pieces).max(-1).values


# ---------------------------------------------------------------------------------------------- softmax


@op
def softmax(input: Array, dim: int | None = None):
    """p = eˣ/Σeˣ along ``dim``.  ∂x = p·(g − Σ g·p).  PyTorch: ``F.softmax``.

    >>> F.softmax(nn.tensor([0.0, 0.0]), dim=0).tolist()
    [0.5, 0.5]
    """
    x, xp = _as_float(input), get_array_module(input)
    axes = _axes("softmax", x, _one_dim("softmax", dim))
    if kernels.fit(x) and axes == (x.ndim - 1,):
        return kernels.softmax(x, logarithm=False)
    p = xp.exp(x - _top(x, axes))
    p = p / p.sum(axes, keepdims=True)
    return p, lambda g: p * (g - (g * p).sum(axes, keepdims=True))


@op
def log_softmax(input: Array, dim: int | None = None):
    """x − ln Σeˣ along ``dim``, without overflow.  ∂x = g − softmax(x)·Σg.  PyTorch: ``F.log_softmax``.

    >>> F.log_softmax(nn.tensor([1000.0, 0.0]), dim=0).tolist()
    [0.0, -1000.0]
    """
    x, xp = _as_float(input), get_array_module(input)
    axes = _axes("log_softmax", x, _one_dim("log_softmax", dim))
    if kernels.fit(x) and axes == (x.ndim - 1,):
        return kernels.softmax(x, logarithm=True)
    out = x - _top(x, axes)
    out = out - xp.log(xp.exp(out).sum(axes, keepdims=True))
    return out, lambda g: g - xp.exp(out) * g.sum(axes, keepdims=True)


for _function in (relu, softmax, log_softmax):
    setattr(Tensor, _function.__name__, _function)  # x.relu(), x.softmax(-1)


def _one_dim(name: str, dim: Any) -> int:
    if isinstance(dim, bool) or not isinstance(dim, int):
        raise TypeError(f"{name}: dim must say along which axis the results add up to 1, got {dim!r}. Use dim=-1.")
    return dim


# ---------------------------------------------------------------------------------------------- linear maps


@op(same_dtype=True)
def linear(input: Array, weight: Array, bias: Array = None):
    """y = x Wᵀ + b: (…, in) with W (out, in), b (out,) -> (…, out).  PyTorch: ``F.linear``.

    ∂x = g W, ∂W = gᵀ x, ∂b = Σ g over all rows.

    >>> F.linear(nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0, 4.0]]), nn.tensor([5.0])).tolist()
    [[16.0]]
    """
    x, w, b = input, weight, bias
    if w.ndim != 2 or not x.ndim or x.shape[-1] != w.shape[1]:
        fix = "Use x.reshape(len(x), -1)." if x.ndim > 2 else f"Use in_features={x.shape[-1] if x.ndim else 1}."
        n = ["in", *w.shape][-1]
        raise ValueError(f"linear: weight of shape {w.shape} (out, in) expects input (…, {n}), got {x.shape}. {fix}")
    if b is not None and b.shape != w.shape[:1]:
        wanted = f"a bias of shape {w.shape[:1]}, one number per output"
        raise ValueError(f"linear: weight {w.shape} needs {wanted}, got {b.shape}. Use nn.zeros{w.shape[:1]}.")
    out = x @ w.T
    if b is not None:
        out += b
    n = math.prod(x.shape[:-1])  # rows; −1 could not tell where there are no columns

    def grad_weight(g):
        return g.reshape(n, len(w)).T @ x.reshape(n, w.shape[1])

    def grad_bias(g):
        return kernels.sums(g.reshape(n, len(w)), 0)

    return out, lambda g: g @ w, grad_weight, grad_bias


@_guarded
def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices (…) as rows of 0 and 1, (…, K), int64.  PyTorch: ``F.one_hot``.

    >>> F.one_hot(nn.tensor([0, 2])).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    index = input._data
    classes = int(index.max()) + 1 if num_classes == -1 else num_classes
    _check_classes("one_hot", index, classes)
    xp = get_array_module(index)
    return Tensor((xp.expand_dims(index, -1) == xp.arange(classes)).astype(np.int64))


@op
def _dropout(input: Array, mask: Any):
    return input * mask, lambda g: g * mask


def dropout(input: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
    """Zero each element with probability p and scale the rest by 1/(1 − p).  PyTorch: ``F.dropout``.

    Without ``training`` the input passes unchanged.  Source: Srivastava et al. 2014.

    >>> F.dropout(nn.ones(3), p=1.0).tolist(), F.dropout(nn.ones(3), training=False).tolist()
    ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    """
    _check_tensor("dropout", "input", input)
    _check_number("dropout", 0.5, most=1, p=p)
    if not training or p == 0:
        return input
    xp, scale = get_array_module(input._data), 1 / (1 - p) if p < 1 else 0.0
    if kernels.fit(input._data):
        return _dropout(input, kernels.elementwise("keep", rng(xp).random(input.shape, input.dtype), p, scale))
    keep = rng(xp).random(input.shape) >= p
    return _dropout(input, xp.asarray(keep * scale, dtype=input.dtype))


# ---------------------------------------------------------------------------------------------- normalisation


def _row_sums(a: Array) -> Array:
    """Σ over each row, (R, M) -> (R,), as a product with ones: several times as fast as ``a.sum(1)``."""
    return a @ get_array_module(a).ones(a.shape[1], a.dtype)


def _row_dots(a: Array, b: Array) -> Array:
    """Σ a·b over each row, (R, M), (R, M) -> (R,), without the array a·b."""
    return (a[:, None, :] @ b[:, :, None])[:, 0, 0]  # (R, 1, M) @ (R, M, 1)


def _norm_rows(
    x: Array, rows: int, groups: int, inner: int, weight: Any, bias: Any, eps: float
) -> tuple[Array, Any, Any, Any]:
    """Each of ``rows`` rows of x to x̂ = (x − μ)/√(σ² + eps), then x̂·weight + bias (either may be missing).

    The shape of ``weight`` and ``bias`` is that of x but for ``inner`` axes at its end. μ and σ depend on every x of
    a row, so a gradient g of x̂ loses its mean and its component along x̂: ∂x = (g − mean g − x̂·mean(g·x̂))/σ.
    """
    if kernels.fit(x, weight, bias):
        return kernels.norm_rows(x, rows, weight, bias, groups, math.prod(x.shape[x.ndim - inner :]), eps)
    xp, size = get_array_module(x), x.size // max(rows, 1)
    M = x.dtype.type(size)
    hat = x.reshape(rows, size)
    hat = hat - (_row_sums(hat) / M)[:, None]
    scale = 1 / xp.sqrt(_row_dots(hat, hat) / M + x.dtype.type(eps))
    hat *= scale[:, None]
    w, b = (None if v is None else v.reshape(*v.shape, *[1] * inner) for v in (weight, bias))
    full = hat.reshape(x.shape)
    out = full if w is None else full * w
    if b is not None:
        out = xp.add(out, b, out=None if w is None else out)

    def grad_x(g):
        g = (g if w is None else g * w).reshape(rows, size)
        share = hat * (_row_dots(g, hat) / M)[:, None]
        xp.subtract(g, share, out=share)
        share -= (_row_sums(g) / M)[:, None]
        share *= scale[:, None]
        return share.reshape(x.shape)

    def grad_weight(g):
        return unbroadcast(g * full, w).reshape(weight.shape)

    return out, grad_x, grad_weight, lambda g: unbroadcast(g, b).reshape(bias.shape)


@op(same_dtype=True)
def batch_norm(
    input: Array, running_mean: Any, running_var: Any, weight: Array = None, bias: Array = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
):  # fmt: skip
    """(x − μ)/√(σ² + eps)·weight + bias per channel of x (N, C) or (N, C, …).  PyTorch: ``F.batch_norm``.

    With ``training`` μ and σ² are those of the batch, σ² the biased variance, and the running ones (arrays (C,),
    changed in place) move ``momentum`` of the way to them, with the unbiased variance. Otherwise the running ones
    are used, as constants.  Source: Ioffe & Szegedy 2015.

    As every x moves μ and σ, ∂x = weight/σ·(g − mean g − x̂·mean(g·x̂)) with x̂ = (x − μ)/σ; constants leave weight/σ·g.

    >>> x = nn.tensor([[1.0], [3.0]])
    >>> F.batch_norm(x, None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    x = input
    if x.ndim < 2:
        raise ValueError(f"batch_norm: expects input (N, C) or (N, C, …), got {x.shape}. Use x.unsqueeze(1).")
    (N, C), xp = x.shape[:2], get_array_module(x)
    _check_statistics("batch_norm", C, running_mean, running_var, weight, bias)
    _check_number("batch_norm", 1e-5, eps=eps)
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: needs running_mean and running_var, or training=True, got None. Give it either.")
    if momentum is not None:
        _check_number("batch_norm", 0.1, most=1, momentum=momentum)
    n = N * math.prod(x.shape[2:])  # values per channel
    if training and n < 2:
        fix = "Use a larger batch, or model.eval()."
        raise ValueError(f"batch_norm: one value per channel ({x.shape}) has no variance. {fix}")
    step = C if xp is not np else max(1, 2**19 // (n * x.itemsize + 1))
    parts = [slice(c, c + step) for c in range(0, C, step)]  # channels whose rows stay in the cache for all passes

    def rows(v, part):  # (N, C, …) -> (c, n), uncopied if a convolution made v: its channels come first in memory
        v = v[:, part].swapaxes(0, 1)
        return v.reshape(len(v), n)

    if kernels.fit(x, running_mean, running_var, weight, bias) and C < 2**16:
        return kernels.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    count, w = x.dtype.type(n), xp.ones(C, x.dtype) if weight is None else weight
    mean, var = (xp.empty(C, x.dtype) if training else v.astype(x.dtype) for v in (running_mean, running_var))
    out = xp.empty((C, N, *x.shape[2:]), x.dtype).swapaxes(0, 1)  # (N, C, …), channels first in memory
    for part in parts:
        values, result = rows(x, part), rows(out, part)
        shift = xp.zeros_like(mean[part]) if bias is None else bias[part]
        if training:
            mean[part] = _row_sums(values) / count
            xp.subtract(values, mean[part, None], out=result)
            var[part] = _row_dots(result, result) / count
            values = result
        slope = w[part] / xp.sqrt(var[part] + x.dtype.type(eps))
        xp.multiply(values, slope[:, None], out=result)
        result += (shift if training else shift - mean[part] * slope)[:, None]
    if training and running_mean is not None:
        running_mean += momentum * (mean - running_mean)
        running_var += momentum * (var * (n / (n - 1)) - running_var)
    scale = 1 / xp.sqrt(var + x.dtype.type(eps))

    @once
    def backward(g):
        dx, dw, db = xp.empty_like(out), xp.empty_like(scale), xp.empty_like(scale)
        for part in parts:
            above = rows(g, part)
            share = xp.subtract(rows(x, part), mean[part, None], out=rows(dx, part))
            db[part] = _row_sums(above)
            dw[part] = _row_dots(above, share) * scale[part]
            if training:
                share *= (-dw[part] * scale[part] / count)[:, None]
                share += above
                share -= (db[part] / count)[:, None]
                share *= (scale[part] * w[part])[:, None]
            else:
                xp.multiply(above, (scale[part] * w[part])[:, None], out=share)
        return dx, dw, db

    return out, *(lambda g, i=i: backward(g)[i] for i in range(3))


def _check_statistics(name: str, channels: int, *arrays: Any) -> None:
    for what, array in zip(("running_mean", "running_var", "weight", "bias"), arrays):
        if array is not None and getattr(array, "shape", array) != (channels,):
            came = getattr(array, "shape", repr(array))
            shape = f"shape ({channels},), one number per channel"
            raise ValueError(f"{name}: {what} must have {shape}, got {came}. Use num_features={channels}.")


@op(same_dtype=True)
def layer_norm(input: Array, normalized_shape: Any, weight: Array = None, bias: Array = None, eps: float = 1e-5):
    """(x − μ)/√(σ² + eps)·weight + bias, μ and σ² over the last axes of each example.  PyTorch: ``F.layer_norm``.

    ``normalized_shape`` names the lengths of those axes; ``weight`` and ``bias`` have that shape; σ² is the biased
    variance.  Source: Ba et al. 2016.

    >>> F.layer_norm(nn.tensor([[1.0, 3.0]]), (2,), eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    x = input
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not shape or x.shape[-len(shape) :] != shape:
        fix = f"Use normalized_shape={x.shape[-1:]}."
        raise ValueError(f"layer_norm: normalized_shape {shape} must be the end of {x.shape}. {fix}")
    for what, array in (("weight", weight), ("bias", bias)):
        if array is not None and array.shape != shape:
            raise ValueError(f"layer_norm: {what} must have shape {shape}, got {array.shape}. Reshape it.")
    _check_number("layer_norm", 1e-5, eps=eps)
    return _norm_rows(x, math.prod(x.shape[: x.ndim - len(shape)]), 1, 0, weight, bias, eps)


@op(same_dtype=True)
def group_norm(input: Array, num_groups: int, weight: Array = None, bias: Array = None, eps: float = 1e-5):
    """Like :func:`layer_norm` over each of ``num_groups`` groups of channels of x (N, C, …).

    PyTorch: ``F.group_norm``.

    ``weight`` and ``bias`` (C,) act per channel.  Source: Wu & He 2018.

    >>> F.group_norm(nn.tensor([[1.0, 3.0, 5.0, 9.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0, -1.0, 1.0]]
    """
    x = input
    if x.ndim < 2:
        raise ValueError(f"group_norm: expects input (N, C) or (N, C, …), got {x.shape}. Use x.unsqueeze(0).")
    _check_integer("group_norm", num_groups=num_groups)
    _check_number("group_norm", 1e-5, eps=eps)
    if x.shape[1] % num_groups:
        raise ValueError(f"group_norm: num_groups={num_groups!r} must divide the {x.shape[1]} channels of {x.shape}.")
    _check_statistics("group_norm", x.shape[1], None, None, weight, bias)
    return _norm_rows(x, len(x) * num_groups, num_groups, x.ndim - 2, weight, bias, eps)


# ---------------------------------------------------------------------------------------------- losses


_REDUCTIONS = ("mean", "sum", "none")


def _reduce(values: Tensor, reduction: str, name: str) -> Tensor:
    _check_one_of(name, _REDUCTIONS, reduction=reduction)
    return values if reduction == "none" else values.mean() if reduction == "mean" else values.sum()


def _check_same_shape(name: str, input: Any, target: Any) -> None:
    _check_tensor(name, "input", input)
    _check_tensor(name, "target", target)
    if input.shape != target.shape:
        fix = "Check which examples they belong to."
        if input.numel() == target.numel():
            fix = f"Use target.reshape({', '.join(map(str, input.shape))}) or input.squeeze()."
        shapes = f"input {input.shape} and target {target.shape}"
        raise ValueError(f"{name}: {shapes} differ; broadcasting would compare every pair. {fix}")


def _check_classes(name: str, index: Any, classes: int, ignore_index: int | None = None) -> None:
    if index.dtype.kind not in "iu":
        raise TypeError(f"{name}: class indices must be integers, got {index.dtype}. Use target.long().")
    if not index.size or (index.min() >= 0 and index.max() < classes):
        return
    bad = (index < 0) | (index >= classes)
    if ignore_index is not None:
        bad &= index != ignore_index
    if bad.any():
        place = tuple(np.argwhere(np.asarray(bad.tolist()))[0].tolist()) if index.ndim else ()
        came = f"{int(index[place])}" + (f" at position {place[0] if len(place) == 1 else place}" if place else "")
        raise ValueError(f"{name}: target must hold class indices 0…{classes - 1}, got {came}. Labels start at 0.")


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Mean of (x − y)² over all elements.  PyTorch: ``F.mse_loss`` (which broadcasts; here shapes must be equal).

    >>> F.mse_loss(nn.tensor([1.0, 2.0]), nn.tensor([1.0, 4.0])).item()
    2.0
    """
    _check_same_shape("mse_loss", input, target)
    return _reduce((input - target).square(), reduction, "mse_loss")


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """Mean of |x − y| over all elements.  PyTorch: ``F.l1_loss``.

    >>> F.l1_loss(nn.tensor([1.0, 2.0]), nn.tensor([1.0, 4.0])).item()
    1.0
    """
    _check_same_shape("l1_loss", input, target)
    return _reduce((input - target).abs(), reduction, "l1_loss")


def cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """−ln softmax(z)_y from logits z (N, K) or (N, K, …) and classes y (N,) or (N, …).  PyTorch: ``F.cross_entropy``.

    ``target`` may also hold probabilities, in the shape of the logits. ``weight`` (K,) weights the classes and,
    for indices, the mean divides by the weights met; rows with ``ignore_index`` do not count. The gradient at
    the logits is (softmax(z) − one_hot(y))/N.

    >>> f"{F.cross_entropy(nn.tensor([[1.0, 2.0, 3.0]]), nn.tensor([0])).item():.4f}"
    '2.4076'
    """
    _check_tensor("cross_entropy", "input", input)
    _check_tensor("cross_entropy", "target", target)
    _check_one_of("cross_entropy", _REDUCTIONS, reduction=reduction)
    if input.dtype.kind != "f":
        raise TypeError(f"cross_entropy: input must hold floating-point logits, got {input.dtype}. Use input.float().")
    _check_number("cross_entropy", 0.1, most=1, label_smoothing=label_smoothing)
    _check_weight("cross_entropy", input, weight)
    if target.dtype.kind == "f":
        return _cross_entropy_shares(input, target, weight, reduction, label_smoothing)
    if label_smoothing:
        return _cross_entropy_smooth(input, target, weight, ignore_index, reduction, label_smoothing)
    if reduction == "mean" and weight is None and input.ndim == 2:
        return _cross_entropy(input, target, ignore_index)
    dim = 1 if input.ndim > 1 else 0
    return nll_loss(log_softmax(input, dim), target, weight, ignore_index, reduction)


@op
def _cross_entropy(input: Array, target: Any, ignore_index: int):
    """The common case in one op: logits (N, K), classes (N,), mean. It never makes the (N, K) log-probabilities."""
    z, y, xp = input, target, get_array_module(input)
    on_gpu = kernels.fit(z) and y.dtype == np.int64
    _check_target("cross_entropy", z, y, ignore_index, look=not on_gpu)
    if on_gpu:
        return kernels.cross_entropy(z, y, ignore_index)
    rows, counted = xp.arange(len(y)), y != ignore_index
    y = xp.where(counted, y, 0)
    n = counted.sum().astype(z.dtype)
    top = z.max(1)
    p = z - top[:, None]
    xp.exp(p, out=p)
    total = p @ xp.ones(z.shape[1], z.dtype)  # row sums as a product: several times faster than sum(1)
    loss = ((xp.log(total) - (z[rows, y] - top)) * counted).sum() / n

    def grad(g):  # (softmax(z) − one_hot(y))/n, row by row
        scale = (counted * (g / n)).astype(z.dtype)
        share = p * (scale / total)[:, None]
        share[rows, y] -= scale
        return share

    return loss, grad


def _check_weight(name: str, input: Tensor, weight: Any) -> None:
    shape = input.shape[min(1, input.ndim - 1) :][:1]
    if weight is not None and weight.shape != shape:
        raise ValueError(f"{name}: weight must be {shape}, a number per class, got {weight.shape}. Use nn.ones{shape}.")


def _check_target(name: str, z: Any, y: Any, ignore_index: int | None, look: bool = True) -> None:
    expected = z.shape[:1] + z.shape[2:] if z.ndim > 1 else ()
    if not z.ndim or y.shape != expected:
        fix = "target.argmax(1) of one-hot rows" if y.shape == z.shape else "target.reshape(-1)"
        wanted = f"input {z.shape} expects target of shape {expected} (a class index per example)"
        raise ValueError(f"{name}: {wanted}, got {y.shape}. Use {fix}.")
    if look:
        _check_classes(name, y, z.shape[1] if z.ndim > 1 else z.shape[0], ignore_index)


def _cross_entropy_shares(input: Tensor, target: Tensor, weight: Any, reduction: str, smoothing: float) -> Tensor:
    if input.shape != target.shape:
        wanted = f"probabilities in the shape of the input {input.shape}, got {target.shape}"
        raise ValueError(f"cross_entropy: a floating-point target holds {wanted}. Use target.long() for class indices.")
    dim = 1 if input.ndim > 1 else 0
    if smoothing:
        target = target * (1 - smoothing) + smoothing / input.shape[dim]
    losses = -(target * log_softmax(input, dim))
    if weight is not None:
        losses = losses * weight.reshape([-1 if a == dim else 1 for a in range(input.ndim)])
    losses = losses.sum(dim)
    return losses.sum() / max(losses.numel(), 1) if reduction == "mean" else _reduce(losses, reduction, "cross_entropy")


def _cross_entropy_smooth(
    input: Tensor, target: Tensor, weight: Any, ignore_index: int, reduction: str, smoothing: float
) -> Tensor:
    """Classes as one-hot rows, smoothed; what ``ignore_index`` names does not count, and the mean is weighted."""
    _check_target("cross_entropy", input._data, target._data, ignore_index)
    dim, xp = 1 if input.ndim > 1 else 0, get_array_module(target._data)
    counted = Tensor((target.data != ignore_index).astype(input.dtype))
    known = where(counted > 0, target, 0)
    rows = Tensor(xp.moveaxis(one_hot(known, input.shape[dim]).data, -1, dim).astype(input.dtype))
    losses = _cross_entropy_shares(input, rows, weight, "none", smoothing) * counted
    met = counted if weight is None else weight[known] * counted
    return losses.sum() / met.sum() if reduction == "mean" else _reduce(losses, reduction, "cross_entropy")


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """−logp_y from log-probabilities (N, K) or (N, K, …) and classes (N,) or (N, …).  PyTorch: ``F.nll_loss``.

    >>> F.nll_loss(nn.tensor([[-1.0, -2.0]]), nn.tensor([1])).item()
    2.0
    """
    _check_tensor("nll_loss", "input", input)
    _check_tensor("nll_loss", "target", target)
    _check_one_of("nll_loss", _REDUCTIONS, reduction=reduction)
    _check_target("nll_loss", input._data, target._data, ignore_index)
    _check_weight("nll_loss", input, weight)
    y = target.data
    counted = y != ignore_index
    safe = get_array_module(y).where(counted, y, 0)
    dim = 1 if input.ndim > 1 else 0
    picked = input.gather(dim, Tensor(safe).unsqueeze(dim)).squeeze(dim)
    weights = Tensor(counted.astype(input.dtype))
    weights = weights if weight is None else weight.detach()[Tensor(safe)] * weights
    losses = -picked * weights
    return losses.sum() / weights.sum() if reduction == "mean" else _reduce(losses, reduction, "nll_loss")


@op
def _bce_with_logits(input: Array, target: Array, weight: Any, pos_weight: Any):
    """t·softplus(−z) + (1 − t)·softplus(z), the stable form of −t ln σ(z) − (1 − t) ln(1 − σ(z))."""
    z, t, xp = input, target, get_array_module(input)
    zero = xp.zeros_like(z)
    off, on = xp.logaddexp(z, zero), xp.logaddexp(-z, zero)
    w = 1 if weight is None else weight
    pw = 1 if pos_weight is None else pos_weight
    s = xp.exp(xp.minimum(z, 0)) / (1 + xp.exp(-xp.abs(z)))

    def grad_z(g):
        return unbroadcast(g * w * ((1 - t) * s - pw * t * (1 - s)), z)

    return w * (pw * t * on + (1 - t) * off), grad_z, lambda g: unbroadcast(g * w * (pw * on - off), t)


def _check_values(name: str, what: str, values: Array, good: Array, wanted: str, fix: str) -> None:
    if not good.all():
        came = f"{float(values.min()):.4g}…{float(values.max()):.4g}"
        raise ValueError(f"{name}: {what} must hold {wanted}, got {came}. {fix}")


def _check_chances(name: str, t: Array) -> None:
    fix = "Use (target > 0).float() for labels −1 and +1."
    _check_values(name, "target", t, ~((t < 0) | (t > 1)), "labels or probabilities in 0…1", fix)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """−t ln σ(z) − (1 − t) ln(1 − σ(z)) from logits, without overflow; ∂z = (σ(z) − t)/n.

    PyTorch: ``F.binary_cross_entropy_with_logits``.

    >>> f"{F.binary_cross_entropy_with_logits(nn.tensor([0.0]), nn.tensor([1.0])).item():.4f}"
    '0.6931'
    """
    _check_same_shape("binary_cross_entropy_with_logits", input, target)
    _check_chances("binary_cross_entropy_with_logits", target._data)
    losses = _bce_with_logits(input, target.to(input.dtype), weight, pos_weight)
    return _reduce(losses, reduction, "binary_cross_entropy_with_logits")


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """−t ln p − (1 − t) ln(1 − p) from probabilities p in [0, 1]; logs are cut at −100.

    PyTorch: ``F.binary_cross_entropy``.

    >>> f"{F.binary_cross_entropy(nn.tensor([0.5]), nn.tensor([1.0])).item():.4f}"
    '0.6931'
    """
    _check_same_shape("binary_cross_entropy", input, target)
    _check_chances("binary_cross_entropy", target._data)
    p, fix = input._data, "Apply sigmoid first, or use binary_cross_entropy_with_logits."
    _check_values("binary_cross_entropy", "input", p, (p >= 0) & (p <= 1), "probabilities in 0…1", fix)
    target = target.to(input.dtype)
    losses = -(target * input.log().clamp(min=-100) + (1 - target) * (1 - input).log().clamp(min=-100))
    return _reduce(losses if weight is None else losses * weight, reduction, "binary_cross_entropy")


def hinge_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """max(0, margin − t·s) of scores s and labels t in {−1, +1}.  No direct PyTorch counterpart.

    >>> F.hinge_loss(nn.tensor([0.5, 2.0]), nn.tensor([1.0, 1.0])).item()
    0.25
    """
    _check_same_shape("hinge_loss", input, target)
    t, fix = target._data, "Use 2 * target - 1 for labels 0 and 1."
    _check_values("hinge_loss", "target", t, (t == 1) | (t == -1), "labels −1 and +1", fix)
    return _reduce(relu(margin - target.to(input.dtype) * input), reduction, "hinge_loss")


def multi_margin_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: str = "mean") -> Tensor:
    """Σ_{j≠y} max(0, margin − s_y + s_j)/K for scores (N, K), the multi-class hinge.  PyTorch: ``F.multi_margin_loss``.

    >>> F.multi_margin_loss(nn.tensor([[1.0, 0.5]]), nn.tensor([0])).item()
    0.25
    """
    _check_tensor("multi_margin_loss", "input", input)
    _check_tensor("multi_margin_loss", "target", target)
    _check_target("multi_margin_loss", input._data, target._data, None)
    index = target.unsqueeze(1)
    gaps = relu(margin - input.gather(1, index) + input)
    others = Tensor(1 - one_hot(target, input.shape[1]).data.astype(input.dtype))
    return _reduce((gaps * others).sum(1) / input.shape[1], reduction, "multi_margin_loss")


def kl_div(input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """q·(ln q − input), with ``input`` log-probabilities and q the target.  PyTorch: ``F.kl_div``.

    ``reduction="batchmean"`` divides by the rows and is the KL divergence; "mean" divides by all elements.

    >>> F.kl_div(nn.tensor([0.5]).log(), nn.tensor([0.5])).item()
    0.0
    """
    _check_same_shape("kl_div", input, target)
    if log_target:
        losses = target.exp() * (target - input)
    else:
        safe = where(target > 0, target, 1.0)
        losses = target * (safe.log() - input)
        losses = where(target > 0, losses, 0.0)
    if reduction == "batchmean":
        return losses.sum() / (input.shape[0] if input.ndim else 1)
    return _reduce(losses, reduction, "kl_div")
