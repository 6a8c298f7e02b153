"""Windows that slide: convolution, pooling and padding, in one and two dimensions.

Letters in the comments: N examples, C channels in, F filters (channels out), G groups, c = C/G, f = F/G; H, W and
kh, kw the sizes of image and kernel; oh, ow how many windows fit along each axis.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from . import kernels
from .core import Array, Tensor, _check_integer, _check_one_of, op
from .device import get_array_module, once

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "conv1d", "conv1d_matrix", "conv2d",
    "max_pool1d", "max_pool2d", "pad",
]  # fmt: skip

# ---------------------------------------------------------------------------------------------- convolution


@op(same_dtype=True)
def conv2d(
    input: Array, weight: Array, bias: Array = None,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
):  # fmt: skip
    """Slide filters over images: (N, C, H, W) * (F, C/groups, kh, kw) -> (N, F, oh, ow).  PyTorch: ``F.conv2d``.

    out[n, f, y, x] = b[f] + Σ_{c,i,j} w[f, c, i, j]·x[n, c, y·s + i·d − p, x·s + j·d − p], a cross-correlation: the
    kernel is not flipped. ``padding`` is a number (or one per axis), "valid" (none) or "same" (as many outputs as
    inputs, stride 1). oh = ⌊(H + 2p − d(kh − 1) − 1)/s⌋ + 1. ``groups`` cuts the channels into parts that do
    not see each other. (C, H, W) without the batch axis works too. Source: Dumoulin & Visin 2016.

    ∂w = g · columnsᵀ and ∂columns = wᵀ · g, as for any matrix product; a pixel gets the sum over the windows it is in.

    >>> x = nn.arange(9, dtype=nn.float32).reshape(1, 1, 3, 3)
    >>> F.conv2d(x, nn.ones(1, 1, 2, 2)).tolist()
    [[[[8.0, 12.0], [20.0, 24.0]]]]
    """
    return _convolve("conv2d", input, weight, bias, stride, padding, dilation, groups)


@op(same_dtype=True)
def conv1d(
    input: Array, weight: Array, bias: Array = None,
    stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1,
):  # fmt: skip
    """Slide filters along signals, (N, C, L) * (F, C/groups, k) -> (N, F, ol).  PyTorch: ``F.conv1d``.

    A signal is an image of height 1: see :func:`conv2d` for the formula, the settings and the gradients.

    >>> x, w = nn.tensor([[[1.0, 2.0, 3.0, 4.0]]]), nn.tensor([[[1.0, 0.0, -1.0]]])
    >>> F.conv1d(x, w).tolist(), F.conv1d(x, w, padding=1).tolist()
    ([[[-2.0, -2.0]]], [[[-2.0, -2.0, -2.0, 3.0]]])
    """
    return _convolve("conv1d", input, weight, bias, stride, padding, dilation, groups)


def _convolve(name, input, weight, b, stride, padding, dilation, groups):
    """The convolution of images (N, C, H, W), or of signals (N, C, L) as images of height 1."""
    s, p, d = _settings(name, input, weight, b, stride, padding, dilation, groups)
    n, x, w, xp = len(s), input, weight, get_array_module(input)
    if n == 1:
        x, w, s, p, d = x[..., None, :], w[:, :, None], (1, *s), [(0, 0), *p], (1, *d)
    x = x if x.ndim == 4 else x[None]  # (N, C, H, W)
    form = _by_runs if xp is np and _runs_fit(x, w, s, p, d, groups) else _by_windows
    out, grad_x, grad_weight = form(x, w, s, p, d, groups)  # (F, N, oh, ow): channels first in memory
    if b is not None:
        out += b.reshape(-1, 1, 1, 1)
    F, N, oh, ow = out.shape

    @once  # one view for all: the gradients share what they compute from it
    def upstream(g):
        return xp.ascontiguousarray(g.reshape(N, F, oh, ow).swapaxes(0, 1))  # (F, N, oh, ow)

    return (
        out.swapaxes(0, 1).reshape(*input.shape[: -n - 1], F, *(oh, ow)[-n:]),
        lambda g: grad_x(upstream(g)).swapaxes(0, 1).reshape(input.shape),
        lambda g: grad_weight(upstream(g)).reshape(weight.shape),
        lambda g: kernels.sums(upstream(g).reshape(F, N * oh * ow), 1),
    )


def _by_windows(x, w, s, p, d, G):
    """The convolution as it is usually written: the windows as columns, and one product per group."""
    (F, c, kh, kw), (N, C), on_gpu, xp = w.shape, x.shape[:2], kernels.fit(x, w), get_array_module(x)
    f, window = F // G, c * kh * kw
    oh, ow = ((n + sum(q) - e * (k - 1) - 1) // t + 1 for n, q, e, k, t in zip(x.shape[2:], p, d, (kh, kw), s))
    if on_gpu:
        cols = kernels.im2col(x, (kh, kw), s, p, d, (oh, ow))
    else:
        padded = _pad_zeros(x, p)
        cols = _windows(padded, (kh, kw), s, d)  # (N, C, oh, ow, kh, kw)
        cols = cols.transpose(1, 4, 5, 0, 2, 3)  # (C, kh, kw, N, oh, ow)
    cols = cols.reshape(G, window, N * oh * ow)  # (G, c·kh·kw, N·oh·ow): a column is what one window sees
    rows = w.reshape(G, f, window)  # (G, f, c·kh·kw): a row is a filter
    # A few filters on many pixels: a product per image reads and writes in the cache (a third of the time in a first
    # layer). Many on few: one for all.
    n = N if xp is np and N and 4 * F <= oh * ow else 1

    def apart(a):  # (G, r, N·oh·ow) -> (n, G, r, pixels), a view
        return a.reshape(*a.shape[:2], n, N // n * oh * ow).transpose(2, 0, 1, 3)

    def product(left, right):  # (G, r, k), (G, k, N·oh·ow) -> (G, r, N·oh·ow)
        if n == 1:
            return kernels.product(left, right) if on_gpu else left @ right
        out = np.empty((G, left.shape[1], N * oh * ow), x.dtype)
        np.matmul(left, apart(right), out=apart(out))
        return out

    out = product(rows, cols)

    def grad_x(g):
        dcols = product(rows.swapaxes(1, 2), g.reshape(G, f, N * oh * ow))  # (G, c·kh·kw, N·oh·ow)
        if on_gpu:
            return kernels.col2im(dcols.reshape(C * kh * kw, N * oh * ow), x.shape, (kh, kw), s, p, d, (oh, ow))
        dcols = dcols.reshape(C, kh, kw, N, oh, ow)
        dx = xp.zeros((C, N, *padded.shape[2:]), x.dtype)
        for (i, j), seen in _offsets((kh, kw), s, d, (oh, ow)):  # the pixels that kernel element (i, j) has seen
            dx[seen] += dcols[:, i, j]  # (C, N, oh, ow)
        return _crop(dx, p)

    def grad_weight(g):
        if on_gpu:
            return kernels.product(g.reshape(G, f, N * oh * ow), cols.swapaxes(1, 2)).reshape(w.shape)
        dw = apart(cols) @ apart(g.reshape(G, f, N * oh * ow)).swapaxes(2, 3)  # (n, G, c·kh·kw, f): faster than dwᵀ
        return dw.sum(0).swapaxes(1, 2).reshape(w.shape)  # (G, f, c·kh·kw) -> (F, c, kh, kw)

    return out.reshape(F, N, oh, ow), grad_x, grad_weight


def _by_runs(x, w, s, p, d, G):
    """The same for stride 1, about twice as fast: columns made of long runs, a few images at a time, none kept.

    The gradient of x is a convolution too: of g with the filters flipped (in both axes) and their channels swapped,
    because x[y] reaches out[y − i + p] through w[i]. The columns of g that it needs also give the gradient of w.
    """
    (F, C, kh, kw), (N, _, H, W), xp = w.shape, x.shape, get_array_module(x)
    oh, ow = (n + sum(pad) - e * (k - 1) for n, pad, e, k in zip((H, W), p, d, (kh, kw)))
    rows = w.reshape(F, C * kh * kw)
    out = xp.empty((F, N, oh, ow), x.dtype)
    for images, cols, grid in _runs(x.swapaxes(0, 1), (kh, kw), p, d):
        out[:, images] = (rows @ cols).reshape(F, *grid)[:, :, :oh, :ow]  # (F, n, oh, ow)

    @once
    def backward(g):
        swapped = w[:, :, ::-1, ::-1].swapaxes(0, 1).reshape(C, F * kh * kw)  # (C, F·kh·kw)
        rest = [(e * (k - 1) - before, e * (k - 1) - after) for (before, after), e, k in zip(p, d, (kh, kw))]
        dx, dw = xp.empty((C, N, H, W), x.dtype), xp.zeros((F * kh * kw, C), x.dtype)
        for images, cols, grid in _runs(g, (kh, kw), rest, d):
            dx[:, images] = (swapped @ cols).reshape(C, *grid)[:, :, :H, :W]  # (C, n, H, W)
            met = xp.zeros((C, *grid), x.dtype)
            met[:, :, :H, :W] = x[images].swapaxes(0, 1)
            dw += cols @ met.reshape(C, -1).T  # (F·kh·kw, length) @ (length, C)
        return dx, dw.reshape(F, kh, kw, C)[:, ::-1, ::-1].transpose(0, 3, 1, 2)  # (F, C, kh, kw)

    return out, lambda g: backward(g)[0], lambda g: backward(g)[1].copy()


def _runs_fit(x, w, s, p, d, groups):
    """Whether :func:`_by_runs` can do it, and is worth it."""
    (F, C, kh, kw), (N, _, H, W) = w.shape, x.shape
    oh, ow = (n + sum(pad) - e * (k - 1) for n, pad, e, k in zip((H, W), p, d, (kh, kw)))
    possible = s == (1, 1) and groups == 1 and all(max(pad) <= e * (k - 1) for pad, e, k in zip(p, d, (kh, kw)))
    # 1×1 has no columns to make. Forward and back, the runs copy (C + F)·Hp·Wp elements for each kernel element, the
    # windows C·oh·ow three times, and slower: the measured limit sends a first layer, with its few channels, to the
    # windows. Of heavy filters on few pixels (a ResNet's last layers) the flipped copies cost more than the columns.
    worth = (C + F) * (H + max(p[0])) * (W + max(p[1])) <= 3.5 * C * oh * ow and 100 * N * H * W >= F * C
    return possible and kh * kw > 1 and worth


def _runs(x, kernel, p, d):
    """A few images at a time: which, their columns for stride 1 (C·kh·kw, length), the grid (n, Hp, Wp) of the columns.

    Per channel all images lie in one long row, with zeros between neighbours, of lines and of images, that both use
    as padding. What kernel element (i, j) sees is then this row, shifted: one run to copy for all windows. Windows that
    would begin on padding come out as well, meaningless; the caller crops them.
    """
    (C, N, H, W), (kh, kw), ((top, _), (left, _)), (dh, dw) = x.shape, kernel, p, d
    xp, size = get_array_module(x), x.itemsize
    Hp, Wp = H + max(p[0]), W + max(p[1])
    n = max(1, min(N, _SCRATCH // (C * kh * kw * Hp * Wp * size)))  # images at a time
    row = xp.zeros((C, n * Hp * Wp + dh * (kh - 1) * Wp + dw * (kw - 1)), x.dtype)
    scratch = xp.empty(C * kh * kw * n * Hp * Wp, x.dtype)
    for start in range(0, N, n):
        images = slice(start, min(start + n, N))
        grid = (images.stop - start, Hp, Wp)
        length = math.prod(grid)
        row[:, length:] = 0  # what a full round before the last one left there
        row[:, :length].reshape(C, *grid)[:, :, top : top + H, left : left + W] = x[:, images]
        strides = (row.strides[0], dh * Wp * size, dw * size, size)
        shifted = xp.lib.stride_tricks.as_strided(row, (C, kh, kw, length), strides)
        cols = scratch[: C * kh * kw * length].reshape(C, kh, kw, length)
        cols[...] = shifted
        yield images, cols.reshape(C * kh * kw, length), grid


_SCRATCH = 3_000_000  # bytes of columns at a time: they should still be in the cache when the product reads them


def conv1d_matrix(weight: Tensor, length: int, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Tensor:
    """The matrix Q (ol, length) for which a convolution of one channel is z -> Q z.  No PyTorch counterpart.

    Row i holds the kernel (k,), moved to window i; with stride 1 every diagonal is constant (a Toeplitz matrix). What
    the kernel sees of the padding multiplies zeros and has no column. Its gradient goes to ``weight``.

    >>> F.conv1d_matrix(nn.tensor([1, 0, -1]), 4, padding=1).tolist()
    [[0, -1, 0, 0], [1, 0, -1, 0], [0, 1, 0, -1], [0, 0, 1, 0]]
    """
    if getattr(weight, "ndim", 0) != 1:
        raise ValueError(f"conv1d_matrix: weight must be one kernel (k,), got {np.shape(weight)}. Use weight[0, 0].")
    _check_integer("conv1d_matrix", length=length)
    k, kernel = weight.shape[0], weight.data[None, None]
    signal = np.broadcast_to(np.float32(0), (1, 1, length))
    (s,), ((left, right),), (d,) = _settings("conv1d_matrix", signal, kernel, None, stride, padding, dilation, 1)
    outputs = (length + left + right - d * (k - 1) - 1) // s + 1
    place = s * np.arange(outputs)[:, None, None] + d * np.arange(k)[:, None] - left  # (ol, k, 1)
    hits = place == np.arange(length)  # (ol, k, length): does output i meet input t through kernel element j?
    hits = get_array_module(kernel).asarray(hits.swapaxes(1, 2), dtype=weight.dtype)  # (ol, length, k)
    return Tensor(hits) @ weight


# ---------------------------------------------------------------------------------------------- pooling


@op
def max_pool2d(
    input: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
):  # fmt: skip
    """The largest element of each window, (N, C, H, W) -> (N, C, oh, ow).  PyTorch: ``F.max_pool2d``.

    ``stride`` is the kernel size unless given; padding is −∞ and at most half the kernel; ``ceil_mode`` keeps a last
    window that is only partly inside. ``return_indices`` adds the places y·W + x of the maxima. The gradient goes
    to the first maximum of each window, all of it.

    >>> F.max_pool2d(nn.tensor([[[[1.0, 2.0], [5.0, 3.0]]]]), 2).tolist()
    [[[[5.0]]]]
    """
    return _max_pool("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


@op
def max_pool1d(
    input: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
):  # fmt: skip
    """The largest element of each window, (N, C, L) -> (N, C, ol); see :func:`max_pool2d`.  PyTorch: ``F.max_pool1d``.

    >>> F.max_pool1d(nn.tensor([[[1.0, 4.0, 2.0, 3.0]]]), 2).tolist()
    [[[4.0, 3.0]]]
    """
    return _max_pool("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _max_pool(name, n, x, kernel, stride, padding, dilation, ceil_mode, return_indices):
    k, s, p, d, size = _pool_settings(name, n, x, kernel, stride, padding, dilation, ceil_mode)
    xp = get_array_module(x)
    if kernels.fit(x):
        out, winner, grad_x = kernels.pool("max_pool", x, n, k, s, p, d, size)
        return _with_places(out, grad_x, winner, k, s, p, d, x) if return_indices else (out, grad_x)
    padded = _pad_zeros(x, p, -math.inf)
    out = padded
    for axis, (kernel_, step, dil, count) in enumerate(zip(k, s, d, size), 1 - n):  # columns last: rows are faster
        seen = [out[index + (slice(None),) * -axis] for _, index in _offsets([kernel_], [step], [dil], [count])]
        out = functools.reduce(xp.maximum, seen[1:], +seen[0] if kernel_ == 1 else seen[0])

    @functools.cache
    def winners():  # which kernel offset holds the first maximum of each window, found when somebody asks
        none = np.min_scalar_type(2 * math.prod(k)).type(math.prod(k))
        winner = xp.full_like(out, none, none.dtype)  # every offset shows all windows one element each
        elements = [(none.dtype.type(turn), padded[seen]) for turn, (_, seen) in enumerate(_offsets(k, s, d, size))]
        for turn, element in elements:
            winner = xp.minimum(winner, (element != out) * none + turn)  # turn, or more than any turn
        if (nan := out != out).any():  # of several NaN the last, as in PyTorch
            winner = xp.where(nan, functools.reduce(xp.maximum, [(e != e) * turn for turn, e in elements]), winner)
        return xp.maximum(winner, _first_inside(k, s, p, d, size, xp).astype(none.dtype))

    def grad(g):
        dx, winner = xp.zeros_like(padded), winners()
        if g.strides != out.strides:
            g = xp.add(g, 0, out=xp.empty_like(out))  # in the same order in memory: mixed orders are slow
        apart = all(step > dil * (kernel_ - 1) for kernel_, step, dil in zip(k, s, d))  # no element in two windows
        for turn, (_, seen) in enumerate(_offsets(k, s, d, size)):
            if apart:
                xp.multiply(g, winner == turn, out=dx[seen])
            else:
                dx[seen] += g * (winner == turn)
        return _crop(dx, p)

    return _with_places(out, grad, winners(), k, s, p, d, x) if return_indices else (out, grad)


def _with_places(out, grad, winner, k, s, p, d, x):
    """A pooling with the place of each maximum in the unpadded x, flattened."""
    places = get_array_module(x).zeros((), np.int64)
    for length, (before, after) in zip(x.shape[-len(k) :], p):
        places = places[..., None] * length + get_array_module(x).arange(-before, length + after)
    offsets = enumerate(_offsets(k, s, d, out.shape[-len(k) :]))
    return (out, sum((winner == turn) * places[seen] for turn, (_, seen) in offsets)), grad


def _first_inside(k, s, p, d, size, xp):
    """For each window, the number of the first kernel offset that does not fall on the padding."""
    first = xp.zeros((), int)
    for kernel, step, (left, _), dil, count in zip(k, s, p, d, size):
        start = xp.arange(count) * step - left
        first = first[..., None] * kernel + xp.maximum(-(start // dil), 0)  # the first i with start + i·d >= 0
    return first


@op
def avg_pool2d(
    input: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
):  # fmt: skip
    """The mean of each window, (N, C, H, W) -> (N, C, oh, ow).  PyTorch: ``F.avg_pool2d``.

    Padding zeros count as elements unless ``count_include_pad=False``; ``divisor_override`` replaces the count. The
    gradient is spread equally over the window.

    >>> F.avg_pool2d(nn.tensor([[[[1.0, 2.0], [5.0, 4.0]]]]), 2).tolist()
    [[[[3.0]]]]
    """
    settings = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    return _avg_pool("avg_pool2d", 2, input, *settings)


@op
def avg_pool1d(
    input: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
):  # fmt: skip
    """The mean of each window, (N, C, L) -> (N, C, ol); see :func:`avg_pool2d`.  PyTorch: ``F.avg_pool1d``.

    >>> F.avg_pool1d(nn.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2).tolist()
    [[[2.0, 3.0]]]
    """
    return _avg_pool("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def _avg_pool(name, n, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    k, s, p, d, size = _pool_settings(name, n, x, kernel, stride, padding, 1, ceil_mode)
    if divisor is not None and (isinstance(divisor, bool) or not isinstance(divisor, int) or not divisor):
        raise ValueError(f"{name}: divisor_override must be an integer other than 0, got {divisor!r}. Use None.")
    xp = get_array_module(x)
    if kernels.fit(x):
        return kernels.pool("avg_pool", x, n, k, s, p, d, size, int(count_include_pad), float(divisor or 0))[::2]
    padded = _pad_zeros(x, p)
    count = xp.ones((), x.dtype)  # how many elements each window divides by
    for length, kernel_, step, (pad, _), windows in zip(x.shape[-n:], k, s, p, size):
        start = np.arange(windows) * step - pad
        low, high = (-pad, length + pad) if count_include_pad else (0, length)
        inside = np.minimum(start + kernel_, high) - np.maximum(start, low)
        count = count[..., None] * xp.asarray(inside, dtype=x.dtype)
    share = 1 / (count if divisor is None else x.dtype.type(divisor))
    out = sum(padded[seen] for _, seen in _offsets(k, s, d, size))  # (N, C, oh, ow)

    def grad(g):
        g = g * share
        dx = xp.zeros_like(padded)
        for _, seen in _offsets(k, s, d, size):
            dx[seen] += g
        return _crop(dx, p)

    return out * share, grad


@op
def adaptive_avg_pool2d(input: Array, output_size: Any):
    """Means over an oh × ow grid of nearly equal cells, (N, C, H, W) -> (N, C, oh, ow).  PyTorch: the same name.

    Cell i covers rows ⌊iH/oh⌋ … ⌈(i+1)H/oh⌉ − 1, so neighbours may overlap; 1 is the global average, None keeps a
    length. Averaging is linear, A x Bᵀ, so the gradient is Aᵀ g B.

    >>> F.adaptive_avg_pool2d(nn.tensor([[[[1.0, 2.0], [5.0, 4.0]]]]), 1).tolist()
    [[[[3.0]]]]
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, input, output_size)


@op
def adaptive_avg_pool1d(input: Array, output_size: Any):
    """Means over ``output_size`` nearly equal cells, (N, C, L) -> (N, C, ol).  PyTorch: the same name.

    >>> F.adaptive_avg_pool1d(nn.tensor([[[1.0, 3.0, 2.0, 4.0]]]), 2).tolist()
    [[[2.0, 3.0]]]
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, input, output_size)


def _adaptive_avg_pool(name, n, x, output_size):
    _check_input(name, n, x)
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    size = _pair(name, "output_size", [x.shape[i - n] if o is None else o for i, o in enumerate(given)], n, 0)
    if get_array_module(x) is not np and set(size) == {1} and x.size:  # the global mean: one reduction
        axes, share = tuple(range(x.ndim - n, x.ndim)), 1 / math.prod(x.shape[-n:])
        return x.mean(axes, keepdims=True), lambda g: get_array_module(x).broadcast_to(g * share, x.shape)
    A, *B = (_cells(length, cells, x) for length, cells in zip(x.shape[-n:], size))  # (oh, H), (ow, W)
    if n == 1:
        return x @ A.T, lambda g: g @ A
    return A @ x @ B[0].T, lambda g: A.T @ g @ B[0]


def _cells(length: int, cells: int, x: Array) -> Array:
    """The matrix (cells, length) that averages over each cell."""
    i, t = np.arange(cells)[:, None], np.arange(length)
    inside = (t >= i * length // max(cells, 1)) & (t < -(-(i + 1) * length // max(cells, 1)))
    return get_array_module(x).asarray(inside / np.maximum(inside.sum(1, keepdims=True), 1), dtype=x.dtype)


# ---------------------------------------------------------------------------------------------- padding


@op
def pad(input: Array, pad: Any, mode: str = "constant", value: float | None = None):
    """Add elements around the last axes: ``pad`` is (left, right, top, bottom, …), the last axis first.

    ``mode`` "constant" adds ``value`` (0) and crops where a number is negative; "reflect" mirrors without
    repeating the edge, "replicate" repeats it, "circular" goes round. An element gets the gradients of all its
    copies.  PyTorch: ``F.pad``.

    >>> F.pad(nn.tensor([1, 2, 3]), (2, 1)).tolist(), F.pad(nn.tensor([[1, 2, 3]]), (2, 1), mode="reflect").tolist()
    ([0, 0, 1, 2, 3, 0], [[3, 2, 1, 2, 3, 2]])
    """
    x, xp = input, get_array_module(input)
    amounts = list(pad) if isinstance(pad, (tuple, list)) else [pad]
    if len(amounts) % 2 or not all(isinstance(a, (int, np.integer)) for a in amounts) or len(amounts) > 2 * x.ndim:
        wanted = f"two integers (before, after) for at most each axis of {x.shape}"
        raise ValueError(f"pad: pad must hold {wanted}, got {pad!r}. Use (left, right) for the last axis.")
    p = list(zip(amounts[::2], amounts[1::2]))[::-1]  # first axis first
    for (before, after), axis in zip(p, range(x.ndim - len(p), x.ndim)):
        if before + after + x.shape[axis] < 0 or before < -x.shape[axis] or after < -x.shape[axis]:
            raise ValueError(f"pad: {(before, after)} crops more than axis {axis} of {x.shape} has. Crop less.")
    if mode == "constant":
        grown = [(max(a, 0), max(b, 0)) for a, b in p]
        cut = [(max(-a, 0), max(-b, 0)) for a, b in p]
        out = _crop(_pad_zeros(x, grown, 0 if value is None else value), cut)
        return out, lambda g: _crop(_pad_zeros(g, cut), grown)
    modes: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    _check_one_of("pad", ("constant", *modes), mode=mode)
    if value is not None:
        raise ValueError(f"pad: mode {mode!r} takes no value, got {value}. Use mode='constant'.")
    if x.ndim - len(p) not in (1, 2) or len(p) > 3:
        fix = f"Use {2 * max(x.ndim - 2, 1)} numbers, or unsqueeze."
        raise ValueError(f"pad: mode {mode!r} pads all axes of {x.shape} after (N, C) or (C,), got {pad!r}. {fix}")
    out, index = x, []
    for (before, after), axis in zip(p, range(x.ndim - len(p), x.ndim)):
        length = x.shape[axis]
        most = {"reflect": length - 1, "replicate": max(before, after), "circular": length}[mode]
        if not 0 <= min(before, after) <= max(before, after) <= most or not length:
            raise ValueError(f"pad: {mode!r} adds 0…{most} per end of axis {axis} of {x.shape}, got {(before, after)}.")
        index.append((axis, xp.asarray(np.pad(np.arange(length), (before, after), modes[mode]))))  # whose copy is it?
        out = out.take(index[-1][1], axis)

    def grad(g):
        for axis, source in reversed(index):
            share = xp.zeros((*g.shape[:axis], x.shape[axis], *g.shape[axis + 1 :]), g.dtype)
            xp.add.at(share, (slice(None),) * axis + (source,), g)
            g = share
        return g

    return out, grad


# ---------------------------------------------------------------------------------------------- windows and checks


def _windows(x: Array, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Array:
    """Every window of x (N, C, H, W) as a view (N, C, oh, ow, kh, kw): the same memory, nothing copied."""
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    axes = tuple(range(2, x.ndim))
    view = get_array_module(x).lib.stride_tricks.sliding_window_view(x, extent, axes)  # (N, C, …, …, extents)
    return view[(..., *(slice(None, None, step) for step in (*stride, *dilation)))]


def _offsets(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], size: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Any]]:
    """For each kernel element, the index of what it sees: one element of each of the oh·ow windows."""
    for offset in itertools.product(*map(range, kernel)):
        starts = [i * d for i, d in zip(offset, dilation)]
        yield offset, (..., *(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(starts, size, stride)))


def _pad_zeros(x: Array, p: Sequence[tuple[int, int]], value: float = 0) -> Array:
    """Surround the last axes by p = [(before, after), …] elements; ``x`` itself if there are none."""
    if not any(before or after for before, after in p):
        return x
    lead = x.shape[: x.ndim - len(p)]
    shape = (*lead, *(n + a + b for n, (a, b) in zip(x.shape[x.ndim - len(p) :], p)))
    xp = get_array_module(x)
    out = xp.full(shape, value, x.dtype) if value else xp.zeros(shape, x.dtype)
    out[(..., *(slice(a, n - b) for n, (a, b) in zip(shape[len(lead) :], p)))] = x
    return out


def _crop(x: Array, p: Sequence[tuple[int, int]]) -> Array:
    """Undo :func:`_pad_zeros`."""
    return x[(..., *(slice(a, n - b) for n, (a, b) in zip(x.shape[x.ndim - len(p) :], p)))]


def _pair(name: str, argument: str, value: Any, n: int, least: int) -> tuple[int, ...]:
    """A setting as n integers; one number stands for all."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    values = values * n if len(values) == 1 else values
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values)
    if len(values) != n or not whole or min(values) < least:
        kind = f"integer >= {least}" + (f" or a tuple of {n}" if n > 1 else "")
        raise ValueError(f"{name}: {argument} must be an {kind}, got {value!r}. Use {argument}={max(least, 1)}.")
    return tuple(map(int, values))


def _check_input(name: str, n: int, x: Array) -> None:
    if x.ndim not in (n + 1, n + 2):
        missing = n + 2 - x.ndim
        fix = f"x.reshape({', '.join(['1'] * missing + [str(m) for m in x.shape])})" if missing > 0 else "fewer axes"
        raise ValueError(f"{name}: expects input (N, C, {'L' if n == 1 else 'H, W'}), got {x.shape}. Use {fix}.")


def _settings(name, x, w, b, stride, padding, dilation, groups):
    """Check a convolution; return stride, padding [(before, after), …] and dilation per axis."""
    n = 2 if name.endswith("2d") else 1
    axes, kernel_axes = ("L", "k") if n == 1 else ("H, W", "kh, kw")
    if w.ndim != n + 2:
        raise ValueError(f"{name}: weight must have shape (F, C/groups, {kernel_axes}), got {w.shape}. Reshape it.")
    (groups,) = _pair(name, "groups", groups, 1, 1)
    kernel, C = w.shape[2:], w.shape[1] * groups
    if x.ndim not in (n + 1, n + 2) or x.shape[-n - 1] != C:
        by = "" if groups == 1 else f" with groups={groups}"
        fix = f"Give it a weight (F, {x.shape[-n - 1]}, …)." if x.ndim > n else "Add the missing axes with reshape."
        if C == 1 and x.ndim == n + 1:
            new = ", ".join(map(str, (x.shape[0], 1, *x.shape[1:])))
            fix = f"Add the channel axis: x.reshape({new})."
        elif x.ndim == n + 2 and x.shape[-1] == C:
            fix = f"Put the channels second: x.permute({', '.join(map(str, (0, n + 1, *range(1, n + 1))))})."
        raise ValueError(f"{name}: weight of shape {w.shape}{by} expects input (N, {C}, {axes}), got {x.shape}. {fix}")
    if w.shape[0] % groups:
        raise ValueError(f"{name}: groups={groups} must divide the {len(w)} filters of weight {w.shape}. Use groups=1.")
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"{name}: weight {w.shape} needs a bias of shape {w.shape[:1]}, got {b.shape}.")
    s, d = _pair(name, "stride", stride, n, 1), _pair(name, "dilation", dilation, n, 1)
    if padding == "valid":
        padding = 0
    if padding == "same":
        if max(s) > 1:
            raise ValueError(f"{name}: padding='same' needs stride 1, got {stride}. Use padding={kernel[0] // 2}.")
        total = [e * (k - 1) for k, e in zip(kernel, d)]
        p = [(t // 2, t - t // 2) for t in total]
    elif isinstance(padding, str):
        raise ValueError(f"{name}: padding must be an integer, 'same' or 'valid', got {padding!r}.")
    else:
        p = [(q, q) for q in _pair(name, "padding", padding, n, 0)]
    room = tuple(m + before + after for m, (before, after) in zip(x.shape[-n:], p))
    extent = tuple(e * (k - 1) + 1 for k, e in zip(kernel, d))
    if min(kernel) < 1 or any(e > m for e, m in zip(extent, room)):
        raise ValueError(
            f"{name}: kernel {kernel} with dilation {d} spans {extent}, more than the padded input {room} "
            f"({x.shape} with padding {p}). Use a smaller kernel or padding={max(extent) // 2}."
        )
    return s, p, d


def _pool_settings(name, n, x, kernel, stride, padding, dilation, ceil_mode):
    """Check a pooling; return kernel, stride, padding [(before, after), …], dilation and output size per axis."""
    _check_input(name, n, x)
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: needs a floating-point tensor, got {x.dtype}. Use x.float().")
    k = _pair(name, "kernel_size", kernel, n, 1)
    s = k if stride is None else _pair(name, "stride", stride, n, 1)
    d, pads = _pair(name, "dilation", dilation, n, 1), _pair(name, "padding", padding, n, 0)
    p, size = [], []
    for length, kernel_, step, before, dil in zip(x.shape[-n:], k, s, pads, d):
        if before > kernel_ // 2:
            raise ValueError(f"{name}: {padding=} exceeds half of kernel_size={kernel}. Use padding={kernel_ // 2}.")
        extent = dil * (kernel_ - 1) + 1
        count = (length + 2 * before - extent + (step - 1 if ceil_mode else 0)) // step + 1
        if ceil_mode and (count - 1) * step >= length + before:
            count -= 1  # a window must begin inside the input or its left padding
        if count < 1 or not length:
            raise ValueError(
                f"{name}: kernel_size={kernel} with dilation={dilation} spans {extent}, more than the padded input "
                f"({x.shape} with padding={padding}). Use kernel_size={max(length // dil, 1)}."
            )
        after = max((count - 1) * step + extent - length - before, before)
        p.append((before, after))
        size.append(count)
    return k, s, p, d, size
