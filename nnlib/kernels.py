"""nnlib's own CUDA kernels, for what would take CuPy many launches: windows, rows, normalisations, optimiser steps.

The CUDA source is ``kernels.cu`` beside this file; here are the functions that size the launches. The ops call them
where :func:`fit` says so, and use NumPy's functions otherwise (in half precision, say), with the same results. PyTorch
has cuDNN for this. ``enabled = False`` turns them off, to compare.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .device import accelerators, get_array_module

__all__ = ["ELEMENTWISE", "enabled", "fit"]

enabled = True

# One expression per element, for chains that would be several launches, or that should keep the memory layout.
ELEMENTWISE = {
    "add": ("T x, T y", "T out", "out = x + y"),
    "relu": ("T x", "T out", "out = x > 0 || x != x ? x : T(0)"),
    "relu_grad": ("T out, T g", "T d", "d = out != 0 ? g : T(0)"),
    "sigmoid": ("T x", "T out", "T e = exp(x < 0 ? x : -x); out = (x < 0 ? e : T(1)) / (1 + e)"),
    "sigmoid_grad": ("T out, T g", "T d", "d = g * out * (1 - out)"),
    "tanh_grad": ("T out, T g", "T d", "d = g * (1 - out * out)"),
    "gelu": ("T x", "T out", "out = x * T(0.5) * (1 + erf(x * T(0.70710678118654752)))"),
    "gelu_grad": (
        "T x, T g", "T d",
        "d = g * (T(0.5) * (1 + erf(x * T(0.70710678118654752))) + x * exp(T(-0.5) * x * x) * T(0.3989422804014327))",
    ),
}  # fmt: skip


def fit(*arrays: Any) -> bool:
    """Whether the kernels can take these arrays (None does not count): on a GPU, all float32 or all float64.

    No PyTorch counterpart.

    >>> fit(np.zeros(3))
    False
    """
    if not accelerators or not enabled:
        return False
    given = [a for a in arrays if a is not None]
    if not all(type(a) in accelerators and a.size < 2**31 - 2**22 for a in given):  # kernels count in ints
        return False
    return len({a.dtype for a in given}) == 1 and given[0].dtype in (np.float32, np.float64)


@functools.cache
def _source() -> str:
    with open(__file__.removesuffix(".py") + ".cu", encoding="utf-8") as file:
        return file.read()


@functools.cache
def _module(xp: Any, scalar: str) -> Any:
    return xp.RawModule(code=_source(), options=(f"-DSCALAR={scalar}",))


@functools.cache
def _kernel(xp: Any, scalar: str, name: str, device: int) -> Any:
    return _module(xp, scalar).get_function(name)  # of the current device


def launch(name: str, like: Any, grid: tuple[int, ...], args: tuple[Any, ...], block: int = 256) -> None:
    """Start a kernel of ``kernels.cu`` in the dtype of ``like``: ``grid`` blocks of ``block`` threads."""
    if min(grid) > 0:
        scalar = "float" if like.dtype == np.float32 else "double"
        kernel = _kernel(get_array_module(like), scalar, name, like.device.id)
        kernel(grid, (block,), tuple(0 if a is None else a for a in args))  # 0: eight bytes, a null pointer


def _blocks(n: int, each: int = 256) -> int:
    return min(max(-(-n // each), 1), 8192)  # kernels loop, so more would not help


def _bytes(values: Any, dtype: Any) -> np.ndarray:
    """Numbers as one C struct, which a launch passes by value."""
    packed = np.ascontiguousarray(values, dtype).reshape(-1)
    return packed.view(f"V{packed.nbytes}")


@functools.cache
def _elementwise(xp: Any, name: str) -> Any:
    return xp.ElementwiseKernel(*ELEMENTWISE[name], f"nnlib_{name}")


def elementwise(name: str, *arrays: Any) -> Any:
    """One launch of :data:`ELEMENTWISE`; the result lies in memory as the first array does."""
    xp = get_array_module(arrays[0])
    return _elementwise(xp, name)(*arrays, xp.empty_like(arrays[0]))


def add(x: Any, y: Any) -> Any:
    """x + y; two images with their channels first in memory (a residual block's) stay so, which CuPy's + forgets."""
    alike = fit(x, y) and x.shape == y.shape and x.strides == y.strides and not x.flags.c_contiguous
    return elementwise("add", x, y) if alike else x + y


def product(left: Any, right: Any) -> Any:
    """left @ right of (G, n, k) and (G, k, m); a single one as matrices, which cuBLAS takes transposed, uncopied."""
    return left @ right if len(left) != 1 else (left[0] @ right[0])[None]


# ---------------------------------------------------------------------------------------------- windows


def _window(shape: Sequence[int], k: Any, s: Any, p: Any, d: Any, size: Any) -> np.ndarray:
    rows = [shape, k, size, s, [before for before, _ in p], d]
    if len(shape) == 1:  # a signal is an image of height 1, without padding above
        rows = [[0 if row is rows[4] else 1, *row] for row in rows]
    return _bytes(rows, np.int32)


def im2col(x: Any, k: Any, s: Any, p: Any, d: Any, size: Any) -> Any:
    """What every kernel element sees, (N, C, H, W) -> (C·kh·kw, N·oh·ow)."""
    (N, C, H, W), xp = x.shape, get_array_module(x)
    if tuple(k) == tuple(s) == (1, 1) and (H, W) == tuple(size):
        return x.swapaxes(0, 1).reshape(C, N * H * W)  # a view, if the channels come first in memory
    if x.strides[2:] != (W * x.itemsize, x.itemsize):
        x = xp.ascontiguousarray(x)
    rows, places = C * k[0] * k[1], N * size[0] * size[1]
    cols = xp.empty((rows, places), x.dtype)
    strides = tuple(n // x.itemsize for n in x.strides[:2])
    args = (x, cols, _window((H, W), k, s, p, d, size), N, rows, *strides)
    launch("im2col", x, (_blocks(places), min(rows, 65535)) if x.size else (0,), args)
    return cols


def col2im(cols: Any, shape: Sequence[int], k: Any, s: Any, p: Any, d: Any, size: Any) -> Any:
    """The way back, (C·kh·kw, N·oh·ow) -> (C, N, H, W): a pixel gets the sum over the windows that saw it."""
    (N, C, H, W), xp = shape, get_array_module(cols)
    if tuple(k) == tuple(s) == (1, 1) and (H, W) == tuple(size):
        return cols.reshape(C, N, H, W)
    out = xp.empty((C, N, H, W), cols.dtype)
    args = (xp.ascontiguousarray(cols), out, _window((H, W), k, s, p, d, size), N, C)
    launch("col2im", cols, (_blocks(N * H * W), min(C, 65535)) if out.size else (0,), args)
    return out


def max_pool(x: Any, n: int, k: Any, s: Any, p: Any, d: Any, size: Any) -> tuple[Any, Any, Callable[[Any], Any]]:
    """The largest element of each window, which kernel element saw it, and the gradient."""
    xp = get_array_module(x)
    first = x.ndim == 4 and not x.flags.c_contiguous and x.swapaxes(0, 1).flags.c_contiguous  # channels first?

    def planes(a: Any) -> Any:
        return xp.ascontiguousarray(a.swapaxes(0, 1) if first else a)

    source = planes(x)
    shape, lead = source.shape, source.shape[:-n]
    P, window = int(np.prod(lead)), _window(shape[-n:], k, s, p, d, size)
    out, winner = xp.empty((*lead, *size), x.dtype), xp.empty((*lead, *size), np.int32)
    grid = (_blocks(int(np.prod(size))), min(P, 65535))
    launch("max_pool", x, grid, (source, out, winner, window, P))

    def grad(g: Any) -> Any:
        dx = xp.empty(shape, x.dtype)
        grid = (_blocks(int(np.prod(shape[-n:]))), min(P, 65535))
        launch("max_pool_grad", x, grid, (planes(g), winner, dx, window, P))
        return dx.swapaxes(0, 1) if first else dx

    return *(a.swapaxes(0, 1) if first else a for a in (out, winner)), grad


# ---------------------------------------------------------------------------------------------- rows


def _threads(M: int) -> int:
    return min(256, max(32, 1 << (M - 1).bit_length()))


def softmax(x: Any, logarithm: bool) -> tuple[Any, Callable[[Any], Any]]:
    """softmax, or its logarithm, along the last axis, and its gradient: one launch each."""
    xp = get_array_module(x)
    x, M = xp.ascontiguousarray(x), x.shape[-1]
    out, rows = xp.empty(x.shape, x.dtype), x.size // max(M, 1)
    launch("softmax", x, (rows,), (x, out, M, int(logarithm)), _threads(M))

    def grad(g: Any) -> Any:
        dx = xp.empty(x.shape, x.dtype)
        launch("softmax_grad", x, (rows,), (out, xp.ascontiguousarray(g), dx, M, int(logarithm)), _threads(M))
        return dx

    return out, grad


def cross_entropy(z: Any, y: Any, ignore_index: int) -> tuple[Any, Callable[[Any], Any]]:
    """Mean of −ln softmax(z)_y over the rows of z (N, K): two launches, and one for the gradient.

    Nothing waits for the device, so a class that does not exist raises no error: the loss becomes NaN.
    """
    xp, (N, K) = get_array_module(z), z.shape
    z, y = xp.ascontiguousarray(z), xp.ascontiguousarray(y)
    p, losses, loss = xp.empty((N, K), z.dtype), xp.empty(N, z.dtype), xp.empty(2, z.dtype)
    launch("cross_entropy", z, (N,), (z, y, p, losses, K, ignore_index), _threads(K))
    launch("mean_loss", z, (1,), (losses, y, loss, N, ignore_index), 1024)

    def grad(g: Any) -> Any:
        dz = xp.empty((N, K), z.dtype)
        args = (p, y, loss, xp.ascontiguousarray(g), dz, N, K, ignore_index)
        launch("cross_entropy_grad", z, (_blocks(N * K),) if N else (0,), args)
        return dz

    return loss[0], grad


def norm_rows(x: Any, rows: int, weight: Any, bias: Any, groups: int, per: int, eps: float) -> tuple[Any, ...]:
    """Layer and group normalisation: each of ``rows`` rows of x to mean 0 and variance 1, then · weight + bias.

    Element j of row r has weight ((r mod groups)·M + j)//per. Returns the output and three gradient functions.
    """
    xp, M = get_array_module(x), x.size // max(rows, 1)
    x = xp.ascontiguousarray(x)
    hat, scale = xp.empty(x.shape, x.dtype), xp.empty(rows, x.dtype)
    out = hat if weight is None and bias is None else xp.empty(x.shape, x.dtype)
    launch("norm_rows", x, (rows,), (x, weight, bias, hat, out, scale, M, groups, per, float(eps)), _threads(M))

    def grad_x(g: Any) -> Any:
        dx, g = xp.empty(x.shape, x.dtype), xp.ascontiguousarray(g)
        launch("norm_rows_grad", x, (rows,), (hat, weight, scale, g, dx, M, groups, per), _threads(M))
        return dx

    def over_examples(a: Any) -> Any:  # (N, weights, per) -> (weights,)
        return a.reshape(rows // groups, groups * M // per, per).sum((0, 2))

    shape = getattr(weight, "shape", None) or getattr(bias, "shape", None)
    return (
        out,
        grad_x,
        lambda g: over_examples(g * hat).reshape(shape),
        lambda g: over_examples(g).reshape(shape),
    )


def _channel_rows(x: Any) -> tuple[Any, np.ndarray]:
    """x (N, C, …) with its inner axes in one run, and where they begin (the struct ``Rows``)."""
    inner = x.itemsize
    for n, stride in zip(x.shape[:1:-1], x.strides[:1:-1]):
        if n > 1 and stride != inner:
            x = get_array_module(x).ascontiguousarray(x)
            break
        inner *= n
    size = x.itemsize
    return x, _bytes([x.strides[0] // size, x.strides[1] // size, x.size // max(x.shape[0] * x.shape[1], 1)], np.int64)


def batch_norm(
    x: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, training: bool, momentum: float, eps: float
) -> tuple[Any, Callable[[Any], tuple[Any, Any, Any]]]:
    """Normalise each channel of x (N, C, …) and move the running statistics, in two launches (one in evaluation).

    Returns the output and a function that gives the gradients of x, weight and bias, in two.
    """
    xp, (N, C) = get_array_module(x), x.shape[:2]
    n = x.size // max(C, 1)
    S = min(max(n // 4096, 1), 64)  # a channel is shared out to S blocks, and their moments joined by the next launch
    x, at = _channel_rows(x)
    out = xp.empty((C, N, *x.shape[2:]), x.dtype).swapaxes(0, 1)  # channels first in memory, as a convolution's
    _, to = _channel_rows(out)
    mean, var, parts = running_mean, running_var, None
    if training:
        mean, var, parts = xp.empty(C, x.dtype), xp.empty(C, x.dtype), xp.empty((C, S, 3), x.dtype)
        launch("channel_moments", x, (S, C), (x, at, parts, n))
    moving = (running_mean, running_var) if training else (None, None)
    numbers = (n, S if training else 0, float(momentum or 0), float(eps))
    grid = (_blocks(n, 1024), C) if x.size else (0,)
    launch("batch_norm", x, grid, (x, at, parts, mean, var, weight, bias, *moving, out, to, *numbers))
    mean, var = (mean, var) if training else (mean.copy(), var.copy())  # later steps move the running ones

    def backward(g: Any) -> tuple[Any, Any, Any]:
        g, up = _channel_rows(g)
        dx, dw, db = xp.empty_like(out), xp.empty(C, x.dtype), xp.empty(C, x.dtype)
        sums = xp.empty((C, S, 2), x.dtype)
        launch("channel_sums", x, (S, C), (x, at, g, up, mean, sums, n))
        arrays = (x, at, g, up, sums, mean, var, weight, dx, to, dw, db)
        launch("batch_norm_grad", x, grid, (*arrays, n, S, float(eps), int(training)))
        return dx, dw, db

    return out, backward


# ---------------------------------------------------------------------------------------------- optimisers


def sgd(p: list[Any], g: list[Any], group: dict[str, Any], states: list[dict[str, Any]]) -> None:
    """SGD's update of all parameters of a group."""
    xp, momentum = get_array_module(p[0]), group["momentum"]
    numbers = (group["lr"], momentum, group["dampening"], group["weight_decay"])
    begun = ["momentum_buffer" in state or not momentum for state in states]
    for old in {*begun}:  # the first v is the gradient itself
        chosen = [i for i, known in enumerate(begun) if known == old]
        if not old:
            for i in chosen:
                states[i]["momentum_buffer"] = xp.empty(p[i].shape, p[i].dtype)
        m = [states[i]["momentum_buffer"] for i in chosen] if momentum else None
        columns = ([p[i] for i in chosen], [g[i] for i in chosen], m, None, None)
        _step("sgd", columns, (*map(float, numbers), int(group["nesterov"]), int(not old)))


def adam(p: list[Any], g: list[Any], group: dict[str, Any], states: list[dict[str, Any]], decoupled: bool) -> None:
    """Adam's update of all parameters of a group, and AdamW's (``decoupled``)."""
    xp = get_array_module(p[0])
    for array, state in zip(p, states):
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(array), exp_avg_sq=xp.zeros_like(array))
        if isinstance(state["step"], int):  # counted on the device from here on
            state["step"] = xp.full((), state["step"], array.dtype)
    m, v, step = ([state[key] for state in states] for key in ("exp_avg", "exp_avg_sq", "step"))
    numbers = (group["lr"], *group["betas"], group["eps"], group["weight_decay"])
    _step("adam", (p, g, m, v, step), (*map(float, numbers), int(decoupled)))


def _step(name: str, columns: Sequence[Any], numbers: tuple[Any, ...]) -> None:
    """One launch for up to 80 parameters: ``columns`` holds their arrays p, g, m, v and step (None: not used)."""
    xp = get_array_module(columns[0][0])
    columns = [columns[0], [xp.ascontiguousarray(g) for g in columns[1]], *columns[2:]]
    for start in range(0, len(columns[0]), 80):
        part = [[] if column is None else column[start : start + 80] for column in columns]
        table = np.zeros((6, 80), np.int64)
        for row, arrays in enumerate(part):
            table[row, : len(arrays)] = [a.data.ptr for a in arrays]
        sizes = [p.size for p in part[0]]
        table[5, : len(sizes)] = sizes
        packed = _bytes(table, np.int64)
        if part[4]:
            launch("tick", part[0][0], (1,), (packed, len(sizes)), 96)
        launch(name, part[0][0], (_blocks(max(sizes), 1024), len(sizes)), (packed, *numbers))
