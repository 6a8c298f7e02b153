"""The ops behind operators, reductions, shapes and indexing; each becomes a method of Tensor at the end.

How an op is written stands in :mod:`nnlib.core`. Several have the name of one of Python's own functions, as in NumPy.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from . import cuda, kernels
from .core import Array, Arrays, Tensor, get_default_dtype, op, unbroadcast

# isort: split
from .core import _as_float, _check_integer, _check_one_of, _check_tensor, _guarded, _in_words

# isort: split
from .core import _plain_index, _shape, _size, bool_, float32, float64, int32, int64
from .device import accelerators, get_array_module, special

__all__ = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "argsort", "broadcast_to", "cat",
    "ceil", "chunk", "clamp", "clone", "cos", "cumprod", "cumsum", "diagonal", "div", "einsum", "eq", "erf", "exp",
    "expand", "expm1", "flatten", "flip", "floor", "floor_divide", "gather", "ge", "getitem", "gt", "isfinite", "isinf",
    "isnan", "le", "log", "log1p", "logsumexp", "lt", "masked_fill", "masked_select", "matmul", "max", "maximum",
    "mean", "meshgrid", "min", "minimum", "mul", "ne", "neg", "norm", "outer", "permute", "pow", "prod", "reciprocal",
    "remainder", "repeat", "reshape", "roll", "round", "rsqrt", "sigmoid", "sign", "sin", "sort", "split", "sqrt",
    "square", "squeeze", "stack", "std", "sub", "sum", "tanh", "topk", "transpose", "tril", "triu", "unbind",
    "unsqueeze", "var", "where",
]  # fmt: skip

Dim: TypeAlias = Any  # None (all), an int, or a tuple of ints


# ---------------------------------------------------------------------------------------------- arithmetic


@op
def add(input: Array, other: Array):
    """x + y, broadcast.  ∂x = ∂y = g: addition distributes.  PyTorch: ``torch.add``.

    >>> nn.add(nn.tensor([1.0, 2.0]), 1.0).tolist()
    [2.0, 3.0]
    """
    x, y = input, other
    out = kernels.add(x, y) if accelerators else x + y
    return out, lambda g: unbroadcast(g, x), lambda g: unbroadcast(g, y)


@op
def sub(input: Array, other: Array):
    """x − y, broadcast.  ∂x = g, ∂y = −g.  PyTorch: ``torch.sub``.

    >>> nn.sub(nn.tensor(3.0), nn.tensor(1.0)).item()
    2.0
    """
    x, y = input, other
    return x - y, lambda g: unbroadcast(g, x), lambda g: unbroadcast(-g, y)


@op
def mul(input: Array, other: Array):
    """x · y element by element.  ∂x = g·y, ∂y = g·x: multiplication swaps and scales.  PyTorch: ``torch.mul``.

    >>> nn.mul(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])).tolist()
    [3.0, 8.0]
    """
    x, y = input, other
    return x * y, lambda g: unbroadcast(g * y, x), lambda g: unbroadcast(g * x, y)


@op
def div(input: Array, other: Array):
    """x / y; integers give floats.  ∂x = g/y, ∂y = −g·x/y².  PyTorch: ``torch.div``.

    >>> nn.div(nn.tensor([1, 2]), 2).tolist()
    [0.5, 1.0]
    """
    x, y = _as_float(input), _as_float(other)
    out = x / y
    return out, lambda g: unbroadcast(g / y, x), lambda g: unbroadcast(g * (-out / y), y)  # y² could overflow


@op
def remainder(input: Array, other: Array):
    """x mod y, with the sign of y.  ∂x = g, ∂y = −g·⌊x/y⌋.  PyTorch: ``torch.remainder``, ``x % y``.

    >>> nn.remainder(nn.tensor([5, -1]), 3).tolist()
    [2, 2]
    """
    return input % other, lambda g: unbroadcast(g, input), lambda g: unbroadcast(-g * (input // other), other)


@op
def floor_divide(input: Array, other: Array):
    """⌊x/y⌋; its gradient is 0.  PyTorch: ``torch.floor_divide``, ``x // y``.

    >>> nn.floor_divide(nn.tensor([5, -1]), 3).tolist()
    [1, -1]
    """
    return input // other, lambda g: _flat(unbroadcast(g, input)), lambda g: _flat(unbroadcast(g, other))


@op
def pow(input: Array, exponent: Array):
    """x^p.  ∂x = g·p·x^(p−1), ∂p = g·x^p·ln x (0 where x = 0 ≤ p).  PyTorch: ``torch.pow``.

    >>> nn.pow(nn.tensor([2.0, 3.0]), 2).tolist()
    [4.0, 9.0]
    """
    x, p = input, exponent
    xp = get_array_module(x, p)
    if isinstance(p, int) and p < 0 and x.dtype.kind in "iu":
        raise ValueError("pow: integers to a negative power are not integers. Use x.float() ** p.")
    out = x * x if isinstance(p, (int, float)) and p == 2 else x**p

    def grad_x(g):
        if isinstance(p, (int, float)):
            return g * (2 * x if p == 2 else 0 * x if p == 0 else p * x ** (p - 1))
        return unbroadcast(g * xp.where(p == 0, 0, p * x ** (p - 1)), x)

    def grad_p(g):
        flat = xp.equal(x, 0) & xp.greater_equal(p, 0)
        return unbroadcast(g * xp.where(flat, xp.zeros_like(out), out * xp.log(x)), p)

    return out, grad_x, grad_p


@op
def maximum(input: Array, other: Array):
    """The larger of x and y; the gradient goes to it, half to each on a tie.  PyTorch: ``torch.maximum``.

    >>> nn.maximum(nn.tensor([1.0, 5.0]), 2.0).tolist()
    [2.0, 5.0]
    """
    return _route(input, other, "maximum", "less")


@op
def minimum(input: Array, other: Array):
    """The smaller of x and y; the gradient goes to it, half to each on a tie.  PyTorch: ``torch.minimum``.

    >>> nn.minimum(nn.tensor([1.0, 5.0]), 2.0).tolist()
    [1.0, 2.0]
    """
    return _route(input, other, "minimum", "greater")


def _route(x: Array, y: Array, choose: str, lose: str) -> Any:
    xp = get_array_module(x, y)

    def share(g, mine, theirs):  # NaN loses to nobody
        part = 1 - getattr(xp, lose)(mine, theirs) - 0.5 * xp.equal(mine, theirs)
        return unbroadcast(g * part.astype(g.dtype), mine)

    return getattr(xp, choose)(x, y), lambda g: share(g, x, y), lambda g: share(g, y, x)


@op
def neg(input: Array):
    """−x.  ∂x = −g.  PyTorch: ``torch.neg``.

    >>> nn.neg(nn.tensor(2.0)).item()
    -2.0
    """
    return -input, lambda g: -g


@op
def abs(input: Array):
    """|x|.  ∂x = g·sign x, and 0 at the kink.  PyTorch: ``torch.abs``.

    >>> nn.abs(nn.tensor(-2.0)).item()
    2.0
    """
    x, xp = input, get_array_module(input)
    return xp.abs(x), lambda g: g * _sign(x)


def _sign(x: Array) -> Array:
    """−1, 0 or 1; 0 for NaN, as in PyTorch."""
    xp = get_array_module(x)
    return xp.greater(x, 0).astype(x.dtype) - xp.less(x, 0).astype(x.dtype)


@op
def exp(input: Array):
    """e^x.  ∂x = g·e^x.  PyTorch: ``torch.exp``.

    >>> nn.exp(nn.tensor(0.0)).item()
    1.0
    """
    out = get_array_module(input).exp(_as_float(input))
    return out, lambda g: g * out


@op
def log(input: Array):
    """ln x (−inf at 0, NaN below).  ∂x = g/x.  PyTorch: ``torch.log``.

    >>> nn.log(nn.tensor(1.0)).item()
    0.0
    """
    x = _as_float(input)
    return get_array_module(x).log(x), lambda g: g / x


@op
def log1p(input: Array):
    """ln(1 + x), exact for small x.  ∂x = g/(1 + x).  PyTorch: ``torch.log1p``.

    >>> nn.log1p(nn.tensor(0.0)).item()
    0.0
    """
    x = _as_float(input)
    return get_array_module(x).log1p(x), lambda g: g / (1 + x)


@op
def expm1(input: Array):
    """e^x − 1, exact for small x.  ∂x = g·e^x.  PyTorch: ``torch.expm1``.

    >>> nn.expm1(nn.tensor(0.0)).item()
    0.0
    """
    out = get_array_module(input).expm1(_as_float(input))
    return out, lambda g: g * (out + 1)


@op
def sqrt(input: Array):
    """√x.  ∂x = g/(2√x).  PyTorch: ``torch.sqrt``.

    >>> nn.sqrt(nn.tensor(9.0)).item()
    3.0
    """
    out = get_array_module(input).sqrt(_as_float(input))
    return out, lambda g: g / (2 * out)


@op
def rsqrt(input: Array):
    """1/√x.  ∂x = −g/(2√x³).  PyTorch: ``torch.rsqrt``.

    >>> nn.rsqrt(nn.tensor(4.0)).item()
    0.5
    """
    x = _as_float(input)
    out = 1 / get_array_module(x).sqrt(x)
    return out, lambda g: g * (-0.5 * out * out * out)


@op
def square(input: Array):
    """x².  ∂x = 2gx.  PyTorch: ``torch.square``.

    >>> nn.square(nn.tensor(3.0)).item()
    9.0
    """
    x = input
    return x * x, lambda g: g * (2 * x)


@op
def reciprocal(input: Array):
    """1/x.  ∂x = −g/x².  PyTorch: ``torch.reciprocal``.

    >>> nn.reciprocal(nn.tensor(4.0)).item()
    0.25
    """
    out = 1 / _as_float(input)
    return out, lambda g: g * (-out * out)


@op
def sin(input: Array):
    """sin x.  ∂x = g·cos x.  PyTorch: ``torch.sin``.

    >>> nn.sin(nn.tensor(0.0)).item()
    0.0
    """
    x, xp = _as_float(input), get_array_module(input)
    return xp.sin(x), lambda g: g * xp.cos(x)


@op
def cos(input: Array):
    """cos x.  ∂x = −g·sin x.  PyTorch: ``torch.cos``.

    >>> nn.cos(nn.tensor(0.0)).item()
    1.0
    """
    x, xp = _as_float(input), get_array_module(input)
    return xp.cos(x), lambda g: g * -xp.sin(x)


@op
def tanh(input: Array):
    """tanh x = (e^x − e^−x)/(e^x + e^−x).  ∂x = g·(1 − tanh² x).  PyTorch: ``torch.tanh``.

    >>> nn.tanh(nn.tensor(0.0)).item()
    0.0
    """
    out = get_array_module(input).tanh(_as_float(input))
    if kernels.fit(out):
        return out, lambda g: kernels.elementwise("tanh_grad", out, g)
    return out, lambda g: g * (1 - out * out)


@op
def sigmoid(input: Array):
    """σ(x) = 1/(1 + e^−x), without overflow.  ∂x = g·σ·(1 − σ).  PyTorch: ``torch.sigmoid``.

    >>> nn.sigmoid(nn.tensor(0.0)).item()
    0.5
    """
    x, xp = _as_float(input), get_array_module(input)
    if kernels.fit(x):
        out = kernels.elementwise("sigmoid", x)
        return out, lambda g: kernels.elementwise("sigmoid_grad", out, g)
    out = xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))  # e^x/(1+e^x) below 0, 1/(1+e^−x) above
    return out, lambda g: g * (out * (1 - out))


@op
def erf(input: Array):
    """The error function 2/√π ∫₀ˣ e^(−t²) dt.  ∂x = g·2/√π·e^(−x²).  PyTorch: ``torch.erf``.

    >>> f"{nn.erf(nn.tensor(1.0)).item():.4f}"
    '0.8427'
    """
    x, xp = _as_float(input), get_array_module(input)
    return special("erf", math.erf, x), lambda g: g * (2 / math.sqrt(math.pi)) * xp.exp(-x * x)


@op
def clamp(input: Array, min: Array = None, max: Array = None):
    """x limited to [min, max]; the gradient passes where x lies inside, ends included.  PyTorch: ``torch.clamp``.

    >>> nn.clamp(nn.tensor([-1.0, 0.5, 2.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    x, xp = input, get_array_module(input)
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given, got neither. Use clamp(x, min=0).")
    out = x if min is None else xp.maximum(x, min)
    out = out if max is None else xp.minimum(out, max)
    inside = xp.equal(out, x)

    def grad_min(g):
        return unbroadcast(g * (xp.less(x, min) & (True if max is None else xp.less(min, max))), min)

    def grad_max(g):
        return unbroadcast(g * (xp.greater(x, max) | (False if min is None else xp.greater_equal(min, max))), max)

    return out, lambda g: unbroadcast(g * inside, x), grad_min, grad_max


# ---------------------------------------------------------------------------------------------- products


@op(same_dtype=True)
def matmul(input: Array, other: Array):
    """Matrix product (…, n, k) @ (…, k, m) -> (…, n, m); vectors as in NumPy.  PyTorch: ``torch.matmul``.

    ∂x = g @ yᵀ, ∂y = xᵀ @ g, summed over broadcast batch axes.

    >>> nn.matmul(nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    x, y = input, other
    if not (getattr(x, "ndim", 0) and getattr(y, "ndim", 0)):
        raise ValueError(f"matmul: needs an axis each, got {np.shape(x)} and {np.shape(y)}. Use x * y for numbers.")
    if x.shape[-1] != (n := y.shape[-2 if y.ndim > 1 else 0]):
        wanted = f"the last axis of the first ({x.shape[-1]}) must equal the {'second to ' * (y.ndim > 1)}last"
        raise ValueError(f"matmul: {x.shape} @ {y.shape}: {wanted} of the second ({n}). Transpose one (.T or .mT).")
    # A vector is a matrix with one row (left) or one column (right).
    left = x if x.ndim > 1 else x[None]
    right = y if y.ndim > 1 else y[:, None]
    lost = tuple(axis for axis, v in ((-2, x), (-1, y)) if v.ndim == 1)

    def restore(g):  # put back the axes that a vector lost
        return get_array_module(g).expand_dims(g, lost) if lost else g

    def grad_x(g):
        return unbroadcast(restore(g) @ right.swapaxes(-1, -2), left).reshape(x.shape)

    def grad_y(g):
        return unbroadcast(left.swapaxes(-1, -2) @ restore(g), right).reshape(y.shape)

    return x @ y, grad_x, grad_y


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum of products named by letters, such as ``"ij,jk->ik"``.  PyTorch: ``torch.einsum``.

    Every letter at most once per operand, no ellipsis. The gradient of one operand is the einsum of the output's
    gradient with the other operands.

    >>> nn.einsum("ij,ij->i", nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0, 4.0]])).tolist()
    [11.0]
    """
    return _einsum(list(operands), equation)


@op(same_dtype=True)
def _einsum(operands: Arrays, equation: str):
    xp = get_array_module(*operands)
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        result = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    if len(terms) != len(operands) or "." in left or builtins.any(len(set(t)) != len(t) for t in [*terms, result]):
        raise ValueError(
            f"einsum: {equation!r} must name {len(operands)} operand(s), each letter once per operand, without '...'. "
            "Use diagonal() or reshape() first."
        )
    sizes: dict[str, int] = {}
    for term, array in zip(terms, operands):
        if len(term) != array.ndim:
            raise ValueError(f"einsum: {term!r} names {len(term)} axes of {array.shape}. Use one letter per axis.")
        for c, n in zip(term, array.shape):
            if sizes.setdefault(c, n) != n:
                raise ValueError(f"einsum: {c!r} has length {sizes[c]} and {n} in {equation!r}. Use equal lengths.")
    if set(result) - set(sizes):
        raise ValueError(f"einsum: {result!r} names axes that no operand of {equation!r} has. Use letters of {left!r}.")

    def grad_of(i):
        def grad(g):
            others = [t for j, t in enumerate(terms) if j != i] + [result]
            arrays = [a for j, a in enumerate(operands) if j != i] + [g]
            known = "".join(c for c in terms[i] if builtins.any(c in t for t in others))
            share = xp.einsum(f"{','.join(others)}->{known}", *arrays)
            share = share.reshape([sizes[c] if c in known else 1 for c in terms[i]])  # letters only this operand had
            return xp.broadcast_to(share, [sizes[c] for c in terms[i]])

        return grad

    out = xp.einsum(f"{left}->{result}", *operands, optimize=len(operands) > 2)
    return out, [grad_of(i) for i in range(len(operands))]


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """x yᵀ of two vectors, (n,) and (m,) -> (n, m).  PyTorch: ``torch.outer``.

    >>> nn.outer(nn.tensor([1.0, 2.0]), nn.tensor([3.0])).tolist()
    [[3.0], [6.0]]
    """
    shapes = [getattr(t, "shape", t) for t in (input, vec2)]
    if not builtins.all(isinstance(shape, tuple) and len(shape) == 1 for shape in shapes):
        raise ValueError(f"outer: needs two vectors, got shapes {shapes[0]} and {shapes[1]}. Use x.flatten().")
    return unsqueeze(input, 1) * unsqueeze(vec2, 0)


# ---------------------------------------------------------------------------------------------- reductions


def _axes(name: str, x: Array, dim: Dim) -> tuple[int, ...]:
    """``dim`` as non-negative axes, checked."""
    dims = tuple(range(x.ndim)) if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    for d in dims:
        if isinstance(d, bool) or not isinstance(d, (int, np.integer)):
            raise TypeError(f"{name}: dim must be an int or a tuple of ints, got {d!r}. Use dim=0.")
        if not -x.ndim <= d < x.ndim and not (x.ndim == 0 and d in (0, -1)):
            raise ValueError(f"{name}: dim {d} is not among axes 0…{x.ndim - 1} of {x.shape}. Use dim=-1 for the last.")
    axes = tuple(d % x.ndim for d in dims) if x.ndim else ()
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}: dim {dim} names an axis twice. Use each axis once.")
    return axes


def _axis(name: str, x: Array, dim: Any) -> int:
    """``dim`` as the one non-negative axis it must name."""
    axes = _axes(name, x, dim) if dim is not None else ()
    if len(axes) != 1:
        raise ValueError(f"{name}: dim must name one axis of shape {x.shape}, got {dim}. Use dim=0, or unsqueeze(0).")
    return axes[0]


def _keep(g: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
    """A reduced array with the reduced axes back, of length 1."""
    return g if keepdim or not axes else get_array_module(g).expand_dims(g, axes)


@op
def sum(input: Array, dim: Dim = None, keepdim: bool = False, dtype: Any = None):
    """Sum over all axes or ``dim``.  ∂x = g, repeated.  PyTorch: ``torch.sum``.

    >>> nn.sum(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1).tolist()
    [3.0, 7.0]
    """
    x, axes = input, _axes("sum", input, dim)

    def grad(g):
        return get_array_module(g).broadcast_to(_keep(g, axes, keepdim), x.shape).astype(x.dtype, copy=False)

    return x.sum(axes, keepdims=keepdim, dtype=dtype or _total(x)), grad


def _total(x: Array) -> Any:
    """The dtype of sums and products of elements of ``x``: integers are added up in int64."""
    return x.dtype if x.dtype.kind == "f" else int64


@op
def mean(input: Array, dim: Dim = None, keepdim: bool = False):
    """Mean over all axes or ``dim``.  ∂x = g/n, repeated.  PyTorch: ``torch.mean``.

    >>> nn.mean(nn.tensor([1.0, 3.0])).item()
    2.0
    """
    x, axes = input, _axes("mean", input, dim)
    if x.dtype.kind != "f":
        raise TypeError(f"mean: needs a floating-point tensor, got {x.dtype}. Use x.float().mean().")
    n = math.prod(x.shape[a] for a in axes)
    out = x.sum(axes, keepdims=keepdim) / x.dtype.type(n)
    return out, lambda g: get_array_module(g).broadcast_to(_keep(g / n, axes, keepdim).astype(x.dtype), x.shape)


@op
def var(input: Array, dim: Dim = None, correction: int = 1, keepdim: bool = False):
    """Variance Σ(x − mean)²/(n − correction).  ∂x = 2g(x − mean)/(n − correction).  PyTorch: ``torch.var``.

    ``correction=1`` is the unbiased form, ``correction=0`` divides by n.

    >>> nn.var(nn.tensor([1.0, 3.0])).item(), nn.var(nn.tensor([1.0, 3.0]), correction=0).item()
    (2.0, 1.0)
    """
    x, axes = _as_float(input), _axes("var", input, dim)
    centred = x - x.mean(axes, keepdims=True)
    scale = x.dtype.type(1) / x.dtype.type(math.prod(x.shape[a] for a in axes) - correction)
    out = (centred * centred).sum(axes, keepdims=keepdim) * scale
    return out, lambda g: _keep(g, axes, keepdim) * (2 * scale) * centred


def std(input: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Standard deviation, the root of :func:`var`.  PyTorch: ``torch.std``.

    >>> nn.std(nn.tensor([1.0, 3.0]), correction=0).item()
    1.0
    """
    return sqrt(var(input, dim, correction, keepdim))


@op
def prod(input: Array, dim: int | None = None, keepdim: bool = False):
    """Product over all elements or one axis.  ∂xᵢ = g·Π_{j≠i} xⱼ, zeros included.  PyTorch: ``torch.prod``.

    >>> nn.prod(nn.tensor([2.0, 3.0])).item()
    6.0
    """
    x, axes, xp = input, _axes("prod", input, dim), get_array_module(input)
    if dim is not None and not hasattr(dim, "__index__"):
        raise TypeError(f"prod: dim must be one axis, got {dim}. Use x.prod(0) for each axis in turn.")

    def grad(g):  # the product of those before times the product of those after: right where x holds zeros
        rows = xp.moveaxis(x, axes[0], -1) if dim is not None and x.ndim else x.reshape(-1)
        one = xp.ones_like(rows[..., :1])
        before = xp.cumprod(xp.concatenate([one, rows[..., :-1]], -1), -1)
        after = xp.cumprod(xp.concatenate([one, rows[..., :0:-1]], -1), -1)[..., ::-1]
        others = before * after
        others = xp.moveaxis(others, -1, axes[0]) if dim is not None and x.ndim else others.reshape(x.shape)
        return _keep(g, axes, keepdim) * others

    return x.prod(axes, keepdims=keepdim, dtype=_total(x)), grad


def _extremum(x: Array, dim: Dim, keepdim: bool, name: str) -> Any:
    """Largest or smallest over all or several axes; ties share the gradient equally."""
    axes = _axes(name, x, dim)
    _check_choice(name, x, axes)
    out = getattr(x, name[-3:])(axes, keepdims=True)

    def grad(g):
        hit = (x == out).astype(g.dtype)
        return _keep(g, axes, keepdim) * (hit / hit.sum(axes, keepdims=True))

    return (out if keepdim else out.squeeze(axes) if axes else out), grad


def _check_choice(name: str, x: Array, axes: tuple[int, ...]) -> None:
    if builtins.any(not x.shape[a] for a in axes):
        raise ValueError(f"{name}: shape {x.shape} has no elements to choose from along dim {axes}. Check the slice.")


@op
def amax(input: Array, dim: Dim = None, keepdim: bool = False):
    """Largest element over ``dim``; ties share the gradient equally.  PyTorch: ``torch.amax``.

    >>> nn.amax(nn.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1).tolist()
    [5.0, 4.0]
    """
    return _extremum(input, dim, keepdim, "amax")


@op
def amin(input: Array, dim: Dim = None, keepdim: bool = False):
    """Smallest element over ``dim``; ties share the gradient equally.  PyTorch: ``torch.amin``.

    >>> nn.amin(nn.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1).tolist()
    [1.0, 3.0]
    """
    return _extremum(input, dim, keepdim, "amin")


class Extremum(NamedTuple):
    """What ``max(dim)`` and ``min(dim)`` return."""

    values: Tensor
    indices: Tensor


@op
def _pick(input: Array, dim: int, keepdim: bool, name: str):
    x, xp = input, get_array_module(input)
    axes = _axes(name, x, dim)
    if not x.ndim:  # the one element of a 0-d tensor
        return (+x, xp.asarray(0)), lambda g: g
    (axis,) = axes
    _check_choice(name, x, axes)
    index = xp.expand_dims(getattr(x, "arg" + name)(axis), axis)

    def grad(g):
        share = xp.zeros_like(x)
        xp.put_along_axis(share, index, g if keepdim else xp.expand_dims(g, axis), axis)
        return share

    values = xp.take_along_axis(x, index, axis)
    return (values, index) if keepdim else (values.squeeze(axis), index.squeeze(axis)), grad


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Largest element; with ``dim`` a pair (values, indices), and with a tensor as second argument ``maximum``.

    Over everything ties share the gradient; along ``dim`` it all goes to the first.  PyTorch: ``torch.max``.

    >>> nn.max(nn.tensor([[1.0, 5.0], [7.0, 4.0]]), dim=1).indices.tolist()
    [1, 0]
    """
    if isinstance(dim, Tensor):
        return maximum(input, dim)
    return amax(input) if dim is None else Extremum(*_pick(input, dim, keepdim, "max"))


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Smallest element; with ``dim`` a pair (values, indices).  PyTorch: ``torch.min``; see :func:`max`.

    >>> nn.min(nn.tensor([3.0, 1.0])).item()
    1.0
    """
    if isinstance(dim, Tensor):
        return minimum(input, dim)
    return amin(input) if dim is None else Extremum(*_pick(input, dim, keepdim, "min"))


@op
def norm(input: Array, p: Any = 2, dim: Dim = None, keepdim: bool = False):
    """Euclidean length √Σx².  ∂x = g·x/‖x‖, and 0 at 0.  PyTorch: ``torch.norm``, of which only p = 2 is here.

    >>> nn.norm(nn.tensor([3.0, 4.0])).item()
    5.0
    """
    if p not in (2, "fro"):
        raise ValueError(f"norm: p must be 2, the Euclidean length, got {p!r}. For p = 1 use x.abs().sum(dim).")
    x, axes, xp = input, _axes("norm", input, dim), get_array_module(input)
    out = xp.sqrt((x * x).sum(axes, keepdims=True))

    def grad(g):
        return _keep(g, axes, keepdim) * (x / xp.where(out == 0, xp.ones_like(out), out))

    return (out if keepdim else out.squeeze(axes) if axes else out), grad


@op
def logsumexp(input: Array, dim: Dim, keepdim: bool = False):
    """ln Σ e^x over ``dim`` without overflow.  ∂x = g·softmax(x).  PyTorch: ``torch.logsumexp``.

    The largest element is taken out of the sum first: ln Σ e^x = m + ln Σ e^(x−m).

    >>> f"{nn.logsumexp(nn.tensor([1000.0, 1000.0]), 0).item():.3f}"
    '1000.693'
    """
    x, axes, xp = _as_float(input), _axes("logsumexp", input, dim), get_array_module(input)
    top = _top(x, axes)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    out = top + xp.log(xp.exp(x - top).sum(axes, keepdims=True))
    return (out if keepdim else out.squeeze(axes) if axes else out), lambda g: _keep(g, axes, keepdim) * xp.exp(x - out)


def _top(x: Array, axes: Any) -> Array:
    """The largest along the axes, of length 1 now: what is taken out of exponentials. Of nothing it is 0."""
    return (x.max if x.size else x.sum)(axes, keepdims=True)


@op
def cumsum(input: Array, dim: int):
    """Running sum along ``dim``.  ∂x is the running sum of g from the other end.  PyTorch: ``torch.cumsum``.

    >>> nn.cumsum(nn.tensor([1.0, 2.0, 3.0]), 0).tolist()
    [1.0, 3.0, 6.0]
    """
    x, xp = input, get_array_module(input)
    if not x.ndim:
        return +x, lambda g: g
    axis = _axis("cumsum", x, dim)
    return xp.cumsum(x, axis, _total(x)), lambda g: xp.flip(xp.cumsum(xp.flip(g, axis), axis), axis)


def cumprod(input: Tensor, dim: int) -> Tensor:
    """Running product along ``dim``, one :func:`prod` for each length.  PyTorch: ``torch.cumprod``.

    >>> nn.cumprod(nn.tensor([1.0, 2.0, 3.0]), 0).tolist()
    [1.0, 2.0, 6.0]
    """
    if not input.numel() or not input.ndim:
        return cumsum(input, dim)
    before = (slice(None),) * _axis("cumprod", input, dim)
    return stack([input[(*before, slice(i))].prod(dim) for i in range(1, input.shape[dim] + 1)], dim)


# ---------------------------------------------------------------------------------------------- shapes


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one length may be −1.  PyTorch: ``torch.reshape``.

    >>> nn.reshape(nn.arange(6), 2, -1).shape
    (2, 3)
    """
    return _reshape(input, _shape(shape))


@op
def _reshape(input: Array, shape: Any):
    x, size, known = input, tuple(shape), math.prod(n for n in shape if n != -1)
    if size.count(-1) > 1 or (known != x.size if -1 not in size else not known or x.size % known):
        raise ValueError(f"reshape: the {x.size} elements of {x.shape} do not fit {size}. Use -1 for one axis.")
    return x.reshape(size), lambda g: g.reshape(x.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the axes from ``start_dim`` to ``end_dim`` into one.  PyTorch: ``torch.flatten``.

    >>> nn.flatten(nn.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    if not input.ndim:
        return input.reshape(1)
    first, last = (_axis("flatten", input, d) for d in (start_dim, end_dim))
    if first > last:
        raise ValueError(f"flatten: start_dim {start_dim} > end_dim {end_dim}. Use flatten({end_dim}, {start_dim}).")
    shape = input.shape
    return _reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def squeeze(input: Tensor, dim: Dim = None) -> Tensor:
    """Drop axes of length 1 (all of them, or ``dim`` if it has length 1).  PyTorch: ``torch.squeeze``.

    >>> nn.squeeze(nn.zeros(1, 3, 1)).shape
    (3,)
    """
    drop = {a for a in _axes("squeeze", input, dim) if input.shape[a] == 1}
    return _reshape(input, tuple(n for a, n in enumerate(input.shape) if a not in drop))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert an axis of length 1 before ``dim``.  PyTorch: ``torch.unsqueeze``.

    >>> nn.unsqueeze(nn.zeros(3), 1).shape
    (3, 1)
    """
    n = input.ndim + 1
    if not isinstance(dim, int) or not -n <= dim < n:
        raise ValueError(f"unsqueeze: dim {dim} must lie in −{n}…{n - 1} for shape {input.shape}. Use dim=-1.")
    at = dim % n
    return _reshape(input, (*input.shape[:at], 1, *input.shape[at:]))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Axes in another order.  PyTorch: ``torch.permute``.

    >>> nn.permute(nn.zeros(2, 3, 4), 2, 0, 1).shape
    (4, 2, 3)
    """
    axes = _axes("permute", input, _shape(dims))
    if len(axes) != input.ndim:
        raise ValueError(f"permute: {axes} must name each axis of {input.shape} once. Use transpose(0, 1) to swap two.")
    return _permute(input, axes)


@op
def _permute(input: Array, axes: Any):
    back = tuple(np.argsort(axes))
    return input.transpose(axes), lambda g: g.transpose(back)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two axes.  PyTorch: ``torch.transpose``.

    >>> nn.transpose(nn.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    first, second = (_axis("transpose", input, d) for d in (dim0, dim1))
    order = list(range(input.ndim))
    order[first], order[second] = second, first
    return _permute(input, tuple(order))


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """Repeat axes of length 1 without copying; −1 keeps an axis.  PyTorch: ``Tensor.expand``.

    >>> nn.expand(nn.zeros(3, 1), -1, 4).shape
    (3, 4)
    """
    size = _shape(sizes)
    before = (-1,) * (len(size) - input.ndim) + input.shape
    size = tuple(b if n == -1 else n for n, b in zip(size, before))
    _check_expands("expand", input.shape, size)
    return broadcast_to(input, size)


def _check_expands(name: str, shape: Sequence[int], size: Sequence[int]) -> None:
    if len(size) < len(shape) or builtins.any(a not in (1, b) for a, b in zip(reversed(shape), reversed(size))):
        change = f"{tuple(shape)} cannot become {tuple(size)}: only axes of length 1 repeat, new ones come first"
        raise ValueError(f"{name}: shape {change}. Use unsqueeze to add an axis, or repeat to copy.")


@op
def broadcast_to(input: Array, shape: Any):
    """``input`` repeated to ``shape`` by the broadcasting rules.  PyTorch: ``torch.broadcast_to``.

    >>> nn.broadcast_to(nn.tensor([1.0, 2.0]), (2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    x, shape = input, _size("broadcast_to", (shape,))
    _check_expands("broadcast_to", x.shape, shape)
    return get_array_module(x).broadcast_to(x, shape), lambda g: unbroadcast(g, x)


@op
def cat(tensors: Arrays, dim: int = 0):
    """Join tensors along an axis they already have.  ∂ of each is its slice of g.  PyTorch: ``torch.cat``.

    >>> nn.cat([nn.tensor([1.0]), nn.tensor([2.0, 3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    if not isinstance(tensors, list) or not tensors[0].ndim:
        came = "one Tensor" if not isinstance(tensors, list) else "0-d tensors"
        raise TypeError(f"cat: tensors must be a list of Tensors with axes, got {came}. Use stack([…]) for 0-d ones.")
    xp = get_array_module(*tensors)
    axis = _axis("cat", tensors[0], dim)
    rest = lambda t: (t.ndim, *t.shape[:axis], *t.shape[axis + 1 :])
    for i, t in enumerate(tensors):
        if rest(t) != rest(tensors[0]):
            shapes = f"tensor {i} of shape {t.shape} and tensor 0 of shape {tensors[0].shape}"
            raise ValueError(f"cat: {shapes} may differ only along dim {dim}. Use stack for a new axis.")
    ends = np.cumsum([t.shape[axis] for t in tensors])
    parts = [(slice(None),) * axis + (slice(end - t.shape[axis], end),) for t, end in zip(tensors, ends)]
    return xp.concatenate(tensors, axis), [lambda g, part=part: g[part] for part in parts]


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis.  PyTorch: ``torch.stack``.

    >>> nn.stack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    if not hasattr(tensors, "__len__") or not len(tensors):
        raise ValueError(f"stack: tensors must hold at least one Tensor, got {tensors}. Check the list.")
    for i, t in enumerate(tensors):
        _check_tensor("stack", f"tensors[{i}]", t)
        if t.shape != (first := tensors[0].shape):
            raise ValueError(f"stack: tensor {i} has shape {t.shape}, tensor 0 {first}; they must be equal. Use cat.")
    return cat([unsqueeze(t, dim) for t in tensors], dim)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, from one vector per axis; ``indexing="xy"`` swaps the first two axes of the results.

    PyTorch: ``torch.meshgrid``.

    >>> [t.tolist() for t in nn.meshgrid(nn.arange(2), nn.arange(3))]
    [[[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]]]
    """
    _check_one_of("meshgrid", ("ij", "xy"), indexing=indexing)
    axes: Any = _shape(tensors)
    for t in axes:
        _check_tensor("meshgrid", "each of tensors", t)
    grids = [t.reshape([-1] + [1] * (len(axes) - k - 1)).expand([u.numel() for u in axes]) for k, t in enumerate(axes)]
    return tuple(g.transpose(0, 1) if indexing == "xy" and len(axes) > 1 else g for g in grids)


def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut an axis into pieces of a given size, or of given sizes.  PyTorch: ``torch.split``.

    >>> [t.tolist() for t in nn.split(nn.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    axis = _axis("split", input, dim)
    n, sizes = input.shape[axis], split_size_or_sections
    if isinstance(sizes, int):
        _check_integer("split", split_size_or_sections=sizes)
        sizes = [builtins.min(sizes, n - i) for i in range(0, n, sizes)]
    if not isinstance(sizes, (tuple, list)) or math.fsum(sizes) != n:
        raise ValueError(f"split: {sizes} must add up to length {n} of dim {dim}. Use split(t, size) for equal ones.")
    ends = np.cumsum(sizes)
    return tuple(input[(slice(None),) * axis + (slice(int(e - s), int(e)),)] for s, e in zip(sizes, ends))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut an axis into at most ``chunks`` equal pieces (the last may be shorter).  PyTorch: ``torch.chunk``.

    >>> [len(t) for t in nn.chunk(nn.arange(5), 2)]
    [3, 2]
    """
    _check_integer("chunk", fix=2, chunks=chunks)
    return split(input, -(-input.shape[dim] // chunks) or 1, dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, which disappears.  PyTorch: ``torch.unbind``.

    >>> [t.item() for t in nn.unbind(nn.tensor([1.0, 2.0]))]
    [1.0, 2.0]
    """
    axis = _axis("unbind", input, dim)
    return tuple(input[(slice(None),) * axis + (i,)] for i in range(input.shape[axis]))


@op
def flip(input: Array, dims: Dim):
    """Reverse the order along axes; ∂x is g reversed.  PyTorch: ``torch.flip``.

    >>> nn.flip(nn.tensor([1.0, 2.0]), 0).tolist()
    [2.0, 1.0]
    """
    axes, xp = _axes("flip", input, dims), get_array_module(input)
    return xp.flip(input, axes), lambda g: xp.flip(g, axes)


@op
def roll(input: Array, shifts: Any, dims: Dim = None):
    """Shift cyclically along axes; ∂x is g shifted back.  PyTorch: ``torch.roll``.

    >>> nn.roll(nn.tensor([1.0, 2.0, 3.0]), 1).tolist()
    [3.0, 1.0, 2.0]
    """
    xp = get_array_module(input)
    back = tuple(-s for s in shifts) if isinstance(shifts, (tuple, list)) else -shifts
    if dims is not None and np.size(shifts) != len(_axes("roll", input, dims)):
        raise ValueError(f"roll: shifts {shifts} and dims {dims} must have equal lengths. Use one shift per axis.")
    return xp.roll(input, shifts, dims), lambda g: xp.roll(g, back, dims)


def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """Copies side by side, ``sizes`` times along each axis (NumPy: ``tile``).  PyTorch: ``Tensor.repeat``.

    >>> nn.repeat(nn.tensor([1.0, 2.0]), 2).tolist()
    [1.0, 2.0, 1.0, 2.0]
    """
    counts = _shape(sizes)
    if len(counts) < input.ndim:
        fixed = (1,) * (input.ndim - len(counts)) + counts
        raise ValueError(f"repeat: needs a count for each axis of {input.shape}, got {counts}. Use repeat{fixed}.")
    _size("repeat", counts)
    shape = (1,) * (len(counts) - input.ndim) + tuple(input.shape)
    doubled = _reshape(input, tuple(n for s in shape for n in (1, s)))  # (1, s₀, 1, s₁, …)
    wide = broadcast_to(doubled, tuple(n for c, s in zip(counts, shape) for n in (c, s)))
    return _reshape(wide, tuple(c * s for c, s in zip(counts, shape)))


@op
def diagonal(input: Array, offset: int = 0):
    """The diagonal of a matrix (n, m).  PyTorch: ``torch.diagonal``.

    >>> nn.diagonal(nn.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [1.0, 4.0]
    """
    x = input
    if x.ndim != 2:
        raise ValueError(f"diagonal: needs a matrix, got shape {x.shape}. Use x[0] of a batch, x[None] of a row.")
    out = x.diagonal(offset)
    rows = get_array_module(x).arange(len(out)) + builtins.max(0, -offset)
    return out, lambda g: _scattered(g, x, (rows, rows + offset), once=True)


def _triangle(name: str, x: Array, diagonal: int) -> Any:
    if x.ndim < 2:
        raise ValueError(f"{name}: needs a matrix, or a batch of them, got shape {x.shape}. Use x.reshape(1, -1).")
    cut = getattr(get_array_module(x), name)
    return cut(x, diagonal), lambda g: cut(g, diagonal)


@op
def tril(input: Array, diagonal: int = 0):
    """The lower triangle, zeros above.  PyTorch: ``torch.tril``.

    >>> nn.tril(nn.ones(2, 2)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return _triangle("tril", input, diagonal)


@op
def triu(input: Array, diagonal: int = 0):
    """The upper triangle, zeros below.  PyTorch: ``torch.triu``.

    >>> nn.triu(nn.ones(2, 2)).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return _triangle("triu", input, diagonal)


# ---------------------------------------------------------------------------------------------- choosing


@op
def getitem(input: Array, index: Any):
    """x[index] with integers, slices, arrays and masks as in NumPy.  ∂x is zero but for g at ``index``.

    An element chosen twice gets both gradients.  PyTorch: ``Tensor.__getitem__``.

    >>> nn.getitem(nn.tensor([1.0, 2.0, 3.0]), [0, 0]).tolist()
    [1.0, 1.0]
    """
    x, index = input, _plain_index(index, get_array_module(input))
    parts = index if isinstance(index, tuple) else (index,)
    basic = builtins.all(part is None or part is ... or isinstance(part, (int, slice, np.integer)) for part in parts)
    try:
        if accelerators and not basic:
            cuda.check_index(x, parts)
        out = x[index]
    except IndexError as error:
        hint = "Use .long() or a comparison." if getattr(index, "dtype", bool_).kind == "f" else "Check the index."
        raise IndexError(f"getitem: {error}; the tensor has shape {x.shape}. {hint}") from None

    return out, lambda g: _scattered(g, x, index, once=basic)


def _scattered(g: Array, x: Array, index: Any, once: bool = False) -> Array:
    """Zeros like ``x`` with ``g`` at ``index``; an element that is named more than ``once`` gets the sum."""
    share = get_array_module(x).zeros_like(x)
    if once:
        share[index] = g
    else:
        get_array_module(x).add.at(share, index, g)
    return share


@op
def where(condition: Any, input: Array, other: Array):
    """x where the condition holds, y elsewhere; the gradient follows the choice.  PyTorch: ``torch.where``.

    >>> nn.where(nn.tensor([True, False]), nn.tensor([1.0, 2.0]), 0.0).tolist()
    [1.0, 0.0]
    """
    x, y, xp = input, other, get_array_module(condition, input, other)
    _check_mask("where", condition, "condition")
    x = get_default_dtype().type(x) if {float} <= {type(x), type(y)} <= {float, int, bool} else x  # of two numbers
    return xp.where(condition, x, y), lambda g: unbroadcast(g * condition, x), lambda g: unbroadcast(g * ~condition, y)


def masked_fill(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """``value`` where ``mask`` is True, x elsewhere.  PyTorch: ``torch.masked_fill``.

    >>> nn.masked_fill(nn.tensor([1.0, 2.0]), nn.tensor([False, True]), 0).tolist()
    [1.0, 0.0]
    """
    _check_mask("masked_fill", mask)
    return where(~mask, input, value)


def _check_mask(name: str, mask: Any, what: str = "mask") -> None:
    if getattr(mask, "dtype", None) != bool_:
        came = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"{name}: {what} must be a bool tensor, got {came}. Use a comparison such as x > 0.")


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` is True, in a row.  PyTorch: ``torch.masked_select``.

    >>> nn.masked_select(nn.tensor([1.0, 2.0]), nn.tensor([False, True])).tolist()
    [2.0]
    """
    _check_mask("masked_select", mask)
    return input[mask]


@op
def gather(input: Array, dim: int, index: Any):
    """out[i][j] = x[index[i][j]][j] for dim = 0, and likewise along others.  PyTorch: ``torch.gather``.

    >>> nn.gather(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, nn.tensor([[1], [0]])).tolist()
    [[2.0], [3.0]]
    """
    x, xp = input, get_array_module(input)
    axis = _axis("gather", x, dim)
    if index.ndim != x.ndim or index.dtype.kind not in "iu":
        came = f"{index.dtype} of shape {index.shape}"
        raise ValueError(f"gather: index must be integers in {x.ndim} axes, got {came}. Use index.long() and reshape.")
    if index.size and not 0 <= index.min() <= index.max() < x.shape[axis]:
        wanted, came = f"0…{x.shape[axis] - 1} along dim {dim}", f"{index.min()}…{index.max()}"
        raise IndexError(f"gather: index must lie in {wanted}, got {came}. Use index.clamp(min, max).")
    place = [xp.arange(n).reshape([-1 if i == a else 1 for i in range(x.ndim)]) for a, n in enumerate(index.shape)]
    place[axis] = index
    return x[tuple(place)], lambda g: _scattered(g, x, tuple(place))


# ---------------------------------------------------------------------------------------------- no gradient


def _compare(name: str, symbol: str) -> Any:
    """A comparison or a test: its result has no gradient, so nothing is recorded."""

    def compare(input: Array, other: Array) -> Tensor:
        x, y = (t._data if isinstance(t, Tensor) else t for t in (input, other))
        if accelerators:
            cuda.same_device(name, ("input", "other"), [x, y])
        try:
            result = getattr(operator, name)(x, y)
            return Tensor(np.asarray(result) if np.isscalar(x) else result)
        except (TypeError, ValueError) as error:
            raise _in_words(compare, {"input": x, "other": y}, error) from None

    compare.__name__ = compare.__qualname__ = name
    example = f">>> {name}(nn.tensor([1, 2]), 2).tolist()\n{[getattr(operator, name)(i, 2) for i in (1, 2)]}"
    compare.__doc__ = f"Element by element, x {symbol} y, as a bool tensor.  PyTorch: ``torch.{name}``.\n\n{example}"
    return compare


eq, ne, lt, le, gt, ge = (
    _compare(*pair) for pair in (("eq", "="), ("ne", "≠"), ("lt", "<"), ("le", "≤"), ("gt", ">"), ("ge", "≥"))
)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the largest element (the first of equals).  PyTorch: ``torch.argmax``.

    >>> nn.argmax(nn.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1).tolist()
    [1, 0]
    """
    return _place("argmax", input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the smallest element (the first of equals).  PyTorch: ``torch.argmin``.

    >>> nn.argmin(nn.tensor([3.0, 1.0])).item()
    1
    """
    return _place("argmin", input, dim, keepdim)


def _place(name: str, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    _check_choice(name, input, _axes(name, input, dim))
    return Tensor(getattr(input.data, name)(dim, keepdims=keepdim))


def argsort(input: Tensor, dim: int = -1, descending: bool = False) -> Tensor:
    """Indices that sort an axis (stable).  PyTorch: ``torch.argsort``.

    >>> nn.argsort(nn.tensor([3.0, 1.0, 2.0])).tolist()
    [1, 2, 0]
    """
    _axes("argsort", input, dim)
    x, xp = input.data, get_array_module(input._data)
    if not descending or not x.ndim:
        return Tensor(x.argsort(dim, kind="stable"))
    return Tensor(x.shape[dim] - 1 - xp.flip(xp.flip(x, dim).argsort(dim, kind="stable"), dim))  # equals keep order


def sort(input: Tensor, dim: int = -1, descending: bool = False) -> Extremum:
    """Sorted values and the indices they came from; gradients go back to where they stood.  PyTorch: ``torch.sort``.

    >>> nn.sort(nn.tensor([3.0, 1.0])).values.tolist()
    [1.0, 3.0]
    """
    indices = argsort(input, dim, descending)
    return Extremum(gather(input, dim, indices), indices)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True) -> Extremum:
    """The ``k`` largest (or smallest) values of an axis, sorted, and their indices.  PyTorch: ``torch.topk``.

    >>> nn.topk(nn.tensor([3.0, 1.0, 2.0]), 2).indices.tolist()
    [0, 2]
    """
    axis = _axis("topk", input, dim)
    if not isinstance(k, (int, np.integer)) or not 0 <= k <= input.shape[axis]:
        raise ValueError(f"topk: k must be an integer in 0…{input.shape[axis]} along dim {dim}, got {k!r}. Use k=1.")
    return Extremum(*(t[(slice(None),) * axis + (slice(k),)] for t in sort(input, dim, largest)))


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true.  PyTorch: ``torch.all``.

    >>> nn.all(nn.tensor([True, False])).item()
    False
    """
    return Tensor(input.data.all(dim, keepdims=keepdim))


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether some element is true.  PyTorch: ``torch.any``.

    >>> nn.any(nn.tensor([True, False])).item()
    True
    """
    return Tensor(input.data.any(dim, keepdims=keepdim))


def isnan(input: Tensor) -> Tensor:
    """Which elements are NaN.  PyTorch: ``torch.isnan``.

    >>> nn.isnan(nn.tensor([0.0, float("nan")])).tolist()
    [False, True]
    """
    return Tensor(get_array_module(input._data).isnan(input._data))


def isfinite(input: Tensor) -> Tensor:
    """Which elements are neither NaN nor infinite.  PyTorch: ``torch.isfinite``.

    >>> nn.isfinite(nn.tensor([0.0, float("nan")])).tolist()
    [True, False]
    """
    return Tensor(get_array_module(input._data).isfinite(input._data))


def isinf(input: Tensor) -> Tensor:
    """Which elements are infinite.  PyTorch: ``torch.isinf``.

    >>> nn.isinf(nn.tensor([0.0, float("-inf")])).tolist()
    [False, True]
    """
    return Tensor(get_array_module(input._data).isinf(input._data))


@op
def sign(input: Array):
    """−1, 0 or 1; its gradient is 0.  PyTorch: ``torch.sign``.

    >>> nn.sign(nn.tensor([-3.0, 0.0])).tolist()
    [-1.0, 0.0]
    """
    return _sign(input), _flat


@op
def floor(input: Array):
    """The next integer below; its gradient is 0.  PyTorch: ``torch.floor``.

    >>> nn.floor(nn.tensor(1.5)).item()
    1.0
    """
    return get_array_module(input).floor(input), _flat


@op
def ceil(input: Array):
    """The next integer above; its gradient is 0.  PyTorch: ``torch.ceil``.

    >>> nn.ceil(nn.tensor(1.5)).item()
    2.0
    """
    return get_array_module(input).ceil(input), _flat


@op
def round(input: Array):
    """The nearest integer, halves to even; its gradient is 0.  PyTorch: ``torch.round``.

    >>> nn.round(nn.tensor(2.5)).item()
    2.0
    """
    return get_array_module(input).round(input), _flat


def _flat(g: Array) -> Array:
    """What comes back through steps: nothing."""
    return get_array_module(g).zeros_like(g)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether all elements agree within atol + rtol·|other|.  PyTorch: ``torch.allclose``.

    >>> nn.allclose(nn.tensor([1.0]), nn.tensor([1.0 + 1e-7]))
    True
    """
    _check_tensor("allclose", "other", other)
    return bool(get_array_module(input._data).allclose(input._data, other._data, rtol, atol))


@op
def clone(input: Array):
    """A copy inside the graph.  PyTorch: ``torch.clone``.

    >>> a = nn.tensor([1.0]); b = nn.clone(a); b.data[0] = 5; a.item()
    1.0
    """
    return +input if input.dtype.kind != "b" else input.copy(), lambda g: g


# ---------------------------------------------------------------------------------------------- methods and operators


def _in_place(name: str, symbol: str) -> Any:
    write, fix = getattr(operator, f"i{name}"), f"x = x {symbol} y (a running sum adds loss.item())"

    def change(self: Tensor, other: Any) -> Tensor:
        return self._change(f"x {symbol}= y", other, write, fix)

    change.__doc__ = f"x {symbol}= y, in place."
    return change


def _logical(name: str) -> Any:
    def combine(input: Tensor, other: Any) -> Tensor:
        return Tensor(getattr(operator, name)(input.data, other.data if isinstance(other, Tensor) else other))

    combine.__name__ = f"bitwise_{name.strip('_')}"
    return _guarded(combine)


def _as_dtype(dtype: Any) -> Any:
    def convert(self: Tensor) -> Tensor:
        return self.to(dtype)

    convert.__doc__ = f"The same tensor as {dtype}."
    return convert


_METHODS = (
    add, sub, mul, div, pow, maximum, minimum, neg, abs, exp, log, log1p, expm1, sqrt, rsqrt, square, reciprocal, sin,
    cos, tanh, sigmoid, erf, clamp, matmul, outer, sum, mean, var, std, prod, amax, amin, max, min, norm, logsumexp,
    cumsum, cumprod, reshape, flatten, squeeze, unsqueeze, permute, transpose, expand, broadcast_to, split, chunk,
    unbind, flip, roll, repeat, diagonal, tril, triu, masked_fill, masked_select, gather, eq, ne, lt, le, gt, ge,
    argmax, argmin, argsort, sort, topk, all, any, isnan, isfinite, isinf, sign, floor, ceil, round, remainder,
    floor_divide, allclose, clone,
)  # fmt: skip
for _function in _METHODS:
    if not hasattr(_function, "is_op"):
        globals()[_function.__name__] = _guarded(_function)
    setattr(Tensor, _function.__name__, globals()[_function.__name__])
for _name, _function in {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "mod": remainder, "floordiv": floor_divide, "pow": pow,
    "matmul": matmul, "neg": neg, "pos": clone, "abs": abs, "getitem": getitem,
    "eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", lambda self, other, f=_function: f(other, self))  # asked for in arithmetic only
for _name, _symbol in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")):
    _function = _in_place(_name, _symbol)
    setattr(Tensor, f"__i{_name}__", _function)
    setattr(Tensor, _name.removeprefix("true") + "_", _function)
for _name in ("and_", "or_", "xor"):
    for _side in ("", "r"):
        setattr(Tensor, f"__{_side}{_name.strip('_')}__", _logical(_name))
for _name, _dtype in (("float", float32), ("double", float64), ("long", int64), ("int", int32), ("bool", bool_)):
    setattr(Tensor, _name, _as_dtype(_dtype))
Tensor.__invert__ = lambda self: Tensor(~self._data)  # type: ignore[attr-defined]
Tensor.view = Tensor.reshape  # type: ignore[attr-defined]
Tensor.T = property(lambda self: permute(self, *reversed(range(self.ndim))), doc="All axes in reverse order.")  # type: ignore[attr-defined]
Tensor.mT = property(lambda self: transpose(self, -2, -1), doc="The last two axes swapped.")  # type: ignore[attr-defined]
