"""Convolution, pooling and padding: any settings beside PyTorch, definitions spelled out, errors that mend."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlib as nn
import nnlib.functional as F

MANY = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def array(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


# ------------------------------------------------------------------------------------- by definition


def conv2d_by_loops(x: Any, w: Any, stride: int, padding: int, dilation: int, groups: int) -> Any:
    """The formula of the docstring, one product at a time."""
    (N, _, H, W), (filters, c, kh, kw) = x.shape, w.shape
    oh, ow = ((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in ((H, kh), (W, kw)))
    out = np.zeros((N, filters, oh, ow))
    for n, f, y, z in np.ndindex(out.shape):
        for channel, i, j in np.ndindex(c, kh, kw):
            row, column = y * stride + i * dilation - padding, z * stride + j * dilation - padding
            if 0 <= row < H and 0 <= column < W:
                out[n, f, y, z] += w[f, channel, i, j] * x[n, f // (filters // groups) * c + channel, row, column]
    return out


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (1, 1, 1, 2), (2, 1, 1, 1), (1, 2, 2, 1), (3, 2, 2, 2)]
)
def test_convolution_is_its_formula(stride: int, padding: int, dilation: int, groups: int) -> None:
    x, w = array(2, 4, 6, 5), array(4, 4 // groups, 3, 2)
    out = F.conv2d(nn.tensor(x), nn.tensor(w), None, stride, padding, dilation, groups)
    np.testing.assert_allclose(out.data, conv2d_by_loops(x, w, stride, padding, dilation, groups), atol=1e-12)


def conv2d_plain(x: Any, w: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The readable form that every faster path must agree with: windows, one product, the product transposed."""
    (sh, sw), (ph, pw), (dh, dw), G = stride, padding, dilation, groups
    (F_, c, kh, kw), (N, C) = w.shape, x.shape[:2]
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    cols = np.lib.stride_tricks.sliding_window_view(padded, (dh * (kh - 1) + 1, dw * (kw - 1) + 1), (2, 3))
    cols = cols[:, :, ::sh, ::sw, ::dh, ::dw]  # (N, C, oh, ow, kh, kw)
    oh, ow = cols.shape[2:4]
    cols = cols.transpose(1, 4, 5, 0, 2, 3).reshape(G, c * kh * kw, N * oh * ow)
    rows = w.reshape(G, F_ // G, c * kh * kw)
    out = (rows @ cols).reshape(F_, N, oh, ow).swapaxes(0, 1)  # (N, F, oh, ow)

    def backward(g: Any) -> Any:
        g = g.swapaxes(0, 1).reshape(G, F_ // G, N * oh * ow)
        dcols = (rows.swapaxes(1, 2) @ g).reshape(C, kh, kw, N, oh, ow)
        dx = np.zeros_like(padded)
        for i, j in np.ndindex(kh, kw):  # every pixel sums over the windows it was in
            dx[:, :, i * dh :, j * dw :][:, :, : sh * oh : sh, : sw * ow : sw] += dcols[:, i, j].swapaxes(0, 1)
        dx = dx[:, :, ph : dx.shape[2] - ph, pw : dx.shape[3] - pw]
        return dx, (g @ cols.swapaxes(1, 2)).reshape(w.shape), g.sum(2).reshape(F_)

    return out, backward


@MANY
@given(data=st.data())
def test_every_path_agrees_with_the_plain_form(data: Any) -> None:
    """Shapes on both sides of every branch: 1×1, one channel, stride 1 and more, chunks of the batch."""
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    k, s, d = data.draw(pair), data.draw(pair), data.draw(pair)
    p = data.draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    groups = data.draw(st.sampled_from([1, 1, 2, 3]))
    C, filters = (groups * data.draw(st.integers(1, 3)) for _ in range(2))
    least = [max(d_ * (k_ - 1) + 1 - 2 * p_, 1) for k_, d_, p_ in zip(k, d, p, strict=True)]
    size = [n + data.draw(st.integers(0, 5)) for n in least]
    N = data.draw(st.sampled_from([0, 1, 2, 5]))
    x, w, b = array(N, C, *size), array(filters, C // groups, *k, seed=1), array(filters, seed=2)
    tensors = [nn.tensor(a, requires_grad=True) for a in (x, w, b)]
    out = F.conv2d(*tensors, s, p, d, groups)
    expected, backward = conv2d_plain(x, w, s, p, d, groups)
    np.testing.assert_allclose(out.data, expected + b[:, None, None], atol=1e-12)
    g = array(*out.shape, seed=3)
    out.backward(g)
    for t, reference in zip(tensors, backward(g), strict=True):
        np.testing.assert_allclose(t.grad, reference, atol=1e-11)


@pytest.mark.parametrize("shape", [(9, 16, 40, 40), (3, 3, 64, 48), (64, 1, 28, 28), (6, 32, 9, 9), (2, 40, 20, 20)])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (5, 1, 0), (3, 2, 1), (1, 1, 0), (1, 2, 0)])
def test_sizes_that_are_cut_into_chunks(shape: Any, kernel: int, stride: int, padding: int) -> None:
    x, w = array(*shape), array(8, shape[1], kernel, kernel, seed=1)
    tensors = [nn.tensor(a, requires_grad=True) for a in (x, w)]
    out = F.conv2d(*tensors, None, stride, padding)
    expected, backward = conv2d_plain(x, w, (stride,) * 2, (padding,) * 2, (1, 1), 1)
    np.testing.assert_allclose(out.data, expected, atol=1e-10)
    g = array(*out.shape, seed=3)
    out.backward(g)
    for t, reference in zip(tensors, backward(g)[:2], strict=True):
        np.testing.assert_allclose(t.grad, reference, atol=1e-9)


# ------------------------------------------------------------------------------------- any settings beside PyTorch


def both(name: str, arrays: list[Any], **options: Any) -> None:
    """Values, gradients and refusals of F.name are PyTorch's."""
    torch = pytest.importorskip("torch")
    ours = [nn.tensor(a, requires_grad=True) for a in arrays]
    theirs = [torch.tensor(a, requires_grad=True) for a in arrays]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # even kernels with padding="same" cost PyTorch a copy
            expected = getattr(torch.nn.functional, name)(*theirs, **options)
    except RuntimeError:
        with pytest.raises(ValueError, match=f"^{name}: "):
            getattr(F, name)(*ours, **options)
        return
    out = getattr(F, name)(*ours, **options)
    index = None
    if isinstance(out, tuple):
        (out, index), (expected, theirs_index) = out, expected
        np.testing.assert_array_equal(index.data, theirs_index.numpy())
    assert out.shape == tuple(expected.shape)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), atol=1e-12)
    if not out.numel() or (np.isneginf(out.data).any() and np.isfinite(arrays[0]).all()):
        return  # a window of padding alone: PyTorch's index lies outside the input, and its backward writes there
    g = array(*out.shape, seed=9)
    out.backward(g)
    expected.backward(torch.tensor(g))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), atol=1e-11)


SETTING = st.one_of(st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)))


@MANY
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)), kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=SETTING, dilation=SETTING, groups=st.sampled_from([1, 2, 4]),
    padding=st.one_of(st.sampled_from(["same", "valid"]), st.integers(0, 4), st.tuples(st.integers(0, 3), st.just(1))),
)  # fmt: skip
def test_conv2d_follows_pytorch(size: Any, kernel: Any, stride: Any, dilation: Any, groups: int, padding: Any) -> None:
    arrays = [array(2, 4, *size), array(8, 4 // groups, *kernel, seed=1), array(8, seed=2)]
    both("conv2d", arrays, stride=stride, padding=padding, dilation=dilation, groups=groups)


@MANY
@given(
    length=st.integers(1, 12), k=st.integers(1, 5), stride=st.integers(1, 4), dilation=st.integers(1, 3),
    padding=st.one_of(st.sampled_from(["same", "valid"]), st.integers(0, 4)),
)  # fmt: skip
def test_conv1d_follows_pytorch(length: int, k: int, stride: int, dilation: int, padding: Any) -> None:
    both("conv1d", [array(2, 3, length), array(4, 3, k, seed=1), array(4, seed=2)], stride=stride, padding=padding,
         dilation=dilation)  # fmt: skip


@MANY
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)), k=SETTING, stride=st.one_of(st.none(), SETTING),
    padding=st.integers(0, 2), dilation=st.integers(1, 2), ceil=st.booleans(),
)  # fmt: skip
def test_max_pool2d_follows_pytorch(size: Any, k: Any, stride: Any, padding: int, dilation: int, ceil: bool) -> None:
    both("max_pool2d", [array(2, 3, *size)], kernel_size=k, stride=stride, padding=padding, dilation=dilation,
         ceil_mode=ceil, return_indices=True)  # fmt: skip


@MANY
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)), k=SETTING, stride=st.one_of(st.none(), SETTING),
    padding=st.integers(0, 2), ceil=st.booleans(), include=st.booleans(),
)  # fmt: skip
def test_avg_pool2d_follows_pytorch(size: Any, k: Any, stride: Any, padding: int, ceil: bool, include: bool) -> None:
    both("avg_pool2d", [array(2, 3, *size)], kernel_size=k, stride=stride, padding=padding, ceil_mode=ceil,
         count_include_pad=include)  # fmt: skip


POOLS = list(itertools.product((5, 8), (2, 3), (1, 3), (0, 1), (0, 1)))


@pytest.mark.parametrize(("length", "k", "s", "p", "ceil"), POOLS)
def test_pools_of_signals_follow_pytorch(length: int, k: int, s: int, p: int, ceil: int) -> None:
    options: Any = {"kernel_size": k, "stride": s, "padding": p, "ceil_mode": bool(ceil)}
    both("max_pool1d", [array(2, 3, length)], **options, return_indices=True)
    both("avg_pool1d", [array(2, 3, length)], **options)
    both("avg_pool1d", [array(2, 3, length)], **options, count_include_pad=False)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (9, 4), (None, 2)])
def test_adaptive_average_follows_pytorch(size: Any) -> None:
    both("adaptive_avg_pool2d", [array(2, 3, 7, 5)], output_size=size)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_special_values_pass_through_windows_as_in_pytorch(bad: float) -> None:
    x = array(1, 2, 6, 6)
    x[0, 0, 2, 3] = x[0, 0, 3, 3] = bad
    both("max_pool2d", [x], kernel_size=3, stride=2, padding=1, return_indices=True)
    both("avg_pool2d", [x], kernel_size=2)
    both("conv2d", [x, array(2, 2, 2, 2)], padding=1)


def test_a_window_of_padding_alone_sends_no_gradient() -> None:
    x = nn.tensor([[[[3.0]]]], requires_grad=True)
    out = F.max_pool2d(x, 2, stride=1, padding=1, dilation=2)  # it looks left and right of the only pixel
    assert out.tolist() == [[[[-np.inf]]]]
    out.sum().backward()
    assert x.grad.tolist() == [[[[0.0]]]]


@MANY
@given(pads=st.lists(st.integers(-3, 5), min_size=1, max_size=6), mode=st.sampled_from(
    ["constant", "constant", "reflect", "replicate", "circular"]))  # fmt: skip
def test_pad_follows_pytorch(pads: list[int], mode: str) -> None:
    torch = pytest.importorskip("torch")
    x = array(2, 2, 3, 4)
    ours, theirs = nn.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    try:
        expected = torch.nn.functional.pad(theirs, pads, mode)
    except (RuntimeError, NotImplementedError):
        with pytest.raises(ValueError, match="^pad: "):
            F.pad(ours, pads, mode)
        return
    if mode != "constant" and min(pads) < 0:
        return  # PyTorch crops and wraps at once; we refuse, and say so in the docstring
    out = F.pad(ours, pads, mode)
    np.testing.assert_array_equal(out.data, expected.detach().numpy())
    if out.numel():
        g = array(*out.shape, seed=1)
        out.backward(g)
        expected.backward(torch.tensor(g))
        np.testing.assert_allclose(ours.grad, theirs.grad.numpy(), atol=1e-12)


# ------------------------------------------------------------------------------------- the matrix of a convolution


@pytest.mark.parametrize(
    ("k", "stride", "padding", "dilation"),
    [
        (3, 1, 1, 1), (3, 1, 0, 1), (4, 1, "same", 1), (3, 2, 1, 1), (3, 3, 2, 2), (1, 1, 0, 1), (5, 1, 4, 1),
        (2, 1, "valid", 3),
    ],  # fmt: skip
)
def test_a_convolution_is_a_matrix_and_its_gradient_the_transposed_one(
    k: int, stride: int, padding: Any, dilation: int
) -> None:
    z, w = nn.tensor(array(9), requires_grad=True), nn.tensor(array(k, seed=1), requires_grad=True)
    out = F.conv1d(z.reshape(1, 1, 9), w.reshape(1, 1, k), None, stride, padding, dilation)
    Q = F.conv1d_matrix(w, 9, stride, padding, dilation)
    np.testing.assert_allclose(Q.data @ z.data, out.data[0, 0], atol=1e-13)
    g = array(Q.shape[0], seed=2)
    (dz, dw) = nn.grad(out.reshape(-1), [z, w], nn.tensor(g))
    np.testing.assert_allclose(dz, Q.data.T @ g, atol=1e-13)
    (dw_of_matrix,) = nn.grad(Q @ z.detach(), [w], nn.tensor(g))
    np.testing.assert_allclose(dw, dw_of_matrix, atol=1e-13)


def test_the_numbers_of_the_course() -> None:
    def conv(z: Any, w: Any, **options: Any) -> list[float]:
        z, w = nn.tensor(z, dtype=nn.float64), nn.tensor(w, dtype=nn.float64)
        return F.conv1d(z.reshape(1, 1, -1), w.reshape(1, 1, -1), **options).data.ravel().tolist()

    z = [1, 2, 3, 4, 5, 6]
    assert conv(z, [1, 0, -1], padding=1) == [-2, -2, -2, -2, -2, 5]
    assert conv(z, [1, 2, 3], padding=1) == [8, 14, 20, 26, 32, 17]  # cross-correlation
    assert conv(z, [3, 2, 1], padding=1) == [4, 10, 16, 22, 28, 27]  # convolution: the kernel flipped
    assert conv([0, *z[:-1]], [1, 0, -1], padding=1) == [-1, -2, -2, -2, -2, 4]  # shift, then convolve
    assert conv(z, [1, 3, 5], dilation=2) == conv(z, [1, 0, 3, 0, 5])
    assert [len(conv(range(n), [1, 1, 1], stride=2, padding=1)) for n in (6, 7)] == [3, 4]
    Q = F.conv1d_matrix(nn.tensor([1.0, 2.0, 3.0]), 6, padding=1).data
    assert (Q[1:, 1:] == Q[:-1, :-1]).all()  # Toeplitz
    assert Q[0].tolist() == [2, 3, 0, 0, 0, 0]


def test_convolution_moves_with_its_input_but_not_at_the_border() -> None:
    x, w = array(1, 2, 8, 8), nn.tensor(array(3, 2, 3, 3, seed=1))
    moved = np.roll(x, (1, 2), (2, 3))

    def conv(v: Any) -> Any:
        return F.conv2d(nn.tensor(v), w, padding=1).data

    inside = (slice(None), slice(None), slice(2, -1), slice(3, -1))
    np.testing.assert_allclose(conv(moved)[inside], np.roll(conv(x), (1, 2), (2, 3))[inside], atol=1e-13)
    assert not np.allclose(conv(moved), np.roll(conv(x), (1, 2), (2, 3)))
    wrapped = F.conv2d(F.pad(nn.tensor(x), (1, 1, 1, 1), "circular"), w).data
    wrapped_moved = F.conv2d(F.pad(nn.tensor(moved), (1, 1, 1, 1), "circular"), w).data
    np.testing.assert_allclose(wrapped_moved, np.roll(wrapped, (1, 2), (2, 3)), atol=1e-13)  # exact on a torus


def test_two_backward_walks_see_the_same_graph() -> None:
    x, w = (nn.tensor(array(2, 3, 5, 5), requires_grad=True), nn.tensor(array(4, 3, 3, 3), requires_grad=True))
    out = F.conv2d(x, w, padding=1)
    g, h = array(*out.shape, seed=1), array(*out.shape, seed=2)
    out.backward(g, retain_graph=True)
    first = [t.grad.copy() for t in (x, w)]
    out.backward(h, retain_graph=True)
    out.backward(-h)
    for t, alone in zip((x, w), first, strict=True):
        np.testing.assert_allclose(t.grad, alone, atol=1e-12)


# ------------------------------------------------------------------------------------- layers


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (nn.Conv1d(4, 6, 3, 2, 1, 2, 2), "Conv1d(4, 6, 3, 2, 1, 2, 2)", (2, 4, 9)),
        (nn.Conv2d(4, 6, (3, 2), padding="same", bias=False), "Conv2d(4, 6, (3, 2), padding='same', bias=False)",
         (2, 4, 5, 5)),
        (nn.MaxPool1d(3, 2, 1), "MaxPool1d(3, 2, 1)", (2, 4, 9)),
        (nn.MaxPool2d(2, ceil_mode=True), "MaxPool2d(2, ceil_mode=True)", (2, 4, 5, 5)),
        (nn.AvgPool1d(3, 2, 1, True, False), "AvgPool1d(3, 2, 1, True, False)", (2, 4, 8)),
        (nn.AvgPool2d(2, 1), "AvgPool2d(2, 1)", (2, 4, 5, 5)),
        (nn.AdaptiveAvgPool1d(3), "AdaptiveAvgPool1d(3)", (2, 4, 8)),
        (nn.AdaptiveAvgPool2d((2, None)), "AdaptiveAvgPool2d((2, None))", (2, 4, 5, 5)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_layers_take_pytorchs_arguments(ours: Any, theirs: str, shape: Any) -> None:
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = eval(f"torch.nn.{theirs}", {"torch": torch}).double()
        ours = ours.double()
        ours.load_state_dict({k: v.numpy() for k, v in twin.state_dict().items()})
        x = array(*shape)
        np.testing.assert_allclose(ours(nn.tensor(x)).data, twin(torch.tensor(x)).detach().numpy(), atol=1e-12)


@pytest.mark.parametrize("layer", [nn.Conv1d(8, 500, 4, groups=2), nn.Conv2d(4, 500, (2, 2))])
def test_convolutions_start_uniform_within_one_over_root_fan_in(layer: Any) -> None:
    for parameter in (layer.weight, layer.bias):
        largest = float(parameter.abs().max())
        assert 0.95 * 0.25 < largest <= 0.25  # fan_in is 16 for both
        assert abs(float(parameter.std()) - 0.25 / np.sqrt(3)) < 0.02


# ------------------------------------------------------------------------------------- errors


def z(*shape: int) -> nn.Tensor:
    return nn.zeros(*shape)


ERRORS = [  # what is called, what the message says, the fix it names
    (lambda: F.conv2d(z(64, 28, 28), z(8, 1, 5, 5)),
     "conv2d: weight of shape (8, 1, 5, 5) expects input (N, 1, H, W), got (64, 28, 28). "
     "Add the channel axis: x.reshape(64, 1, 28, 28).",
     lambda: F.conv2d(z(64, 28, 28).reshape(64, 1, 28, 28), z(8, 1, 5, 5))),
    (lambda: F.conv2d(z(2, 28, 28, 3), z(8, 3, 5, 5)),
     "expects input (N, 3, H, W), got (2, 28, 28, 3). Put the channels second: x.permute(0, 3, 1, 2).",
     lambda: F.conv2d(z(2, 28, 28, 3).permute(0, 3, 1, 2), z(8, 3, 5, 5))),
    (lambda: F.conv2d(z(2, 4, 8, 8), z(8, 3, 5, 5)),
     "expects input (N, 3, H, W), got (2, 4, 8, 8). Give it a weight (F, 4, …)",
     lambda: F.conv2d(z(2, 4, 8, 8), z(8, 4, 5, 5))),
    (lambda: F.conv1d(z(5, 9), z(2, 1, 3)),
     "conv1d: weight of shape (2, 1, 3) expects input (N, 1, L), got (5, 9). Add the channel axis: x.reshape(5, 1, 9)",
     lambda: F.conv1d(z(5, 9).reshape(5, 1, 9), z(2, 1, 3))),
    (lambda: F.conv2d(z(2, 3, 4, 4), z(8, 3, 5, 5)),
     "conv2d: kernel (5, 5) with dilation (1, 1) spans (5, 5), more than the padded input (4, 4)",
     lambda: F.conv2d(z(2, 3, 4, 4), z(8, 3, 5, 5), padding=2)),
    (lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), z(1, 8)),
     "conv2d: weight (8, 3, 5, 5) needs a bias of shape (8,), got (1, 8)",
     lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), z(8))),
    (lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), stride=0), "stride must be an integer >= 1 or a tuple of 2, got 0. "
     "Use stride=1", lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), stride=1)),
    (lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), padding=-1), "padding must be an integer >= 0",
     lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), padding=1)),
    (lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), padding="full"), "'same' or 'valid', got 'full'",
     lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), padding="same")),
    (lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), stride=2, padding="same"),
     "padding='same' needs stride 1, got 2. Use padding=2",
     lambda: F.conv2d(z(2, 3, 8, 8), z(8, 3, 5, 5), stride=2, padding=2)),
    (lambda: F.conv2d(z(2, 4, 8, 8), z(3, 2, 5, 5), groups=2),
     "groups=2 must divide the 3 filters of weight (3, 2, 5, 5)",
     lambda: F.conv2d(z(2, 4, 8, 8), z(3, 4, 5, 5), groups=1)),
    (lambda: F.conv2d(z(2, 4, 8, 8), z(3, 4, 5)), "weight must have shape (F, C/groups, kh, kw), got (3, 4, 5)",
     lambda: F.conv2d(z(2, 4, 8, 8), z(3, 4, 5, 1))),
    (lambda: F.conv1d_matrix(z(1, 1, 3), 5), "weight must be one kernel (k,), got (1, 1, 3). Use weight[0, 0]",
     lambda: F.conv1d_matrix(z(1, 1, 3)[0, 0], 5)),
    (lambda: F.conv1d_matrix(z(3), 5.0), "length must be an integer >= 1, got 5.0", lambda: F.conv1d_matrix(z(3), 5)),
    (lambda: F.max_pool2d(z(1, 1, 4, 4), 2, padding=2),
     "max_pool2d: padding=2 exceeds half of kernel_size=2. Use padding=1",
     lambda: F.max_pool2d(z(1, 1, 4, 4), 2, padding=1)),
    (lambda: F.max_pool2d(z(1, 1, 4, 4), 5), "kernel_size=5 with dilation=1 spans 5, more than the padded input "
     "((1, 1, 4, 4) with padding=0). Use kernel_size=4", lambda: F.max_pool2d(z(1, 1, 4, 4), 4)),
    (lambda: F.avg_pool2d(z(4, 4), 2), "avg_pool2d: expects input (N, C, H, W), got (4, 4). Use x.reshape(1, 1, 4, 4)",
     lambda: F.avg_pool2d(z(4, 4).reshape(1, 1, 4, 4), 2)),
    (lambda: F.avg_pool2d(z(1, 1, 4, 4), 2, divisor_override=0), "divisor_override must be an integer other than 0",
     lambda: F.avg_pool2d(z(1, 1, 4, 4), 2, divisor_override=None)),
    (lambda: F.adaptive_avg_pool2d(z(1, 1, 4, 4), (2, 2, 2)), "output_size must be an integer >= 0 or a tuple of 2",
     lambda: F.adaptive_avg_pool2d(z(1, 1, 4, 4), (2, 2))),
    (lambda: F.pad(z(3, 4), (1,)),
     "pad must hold two integers (before, after) for at most each axis of (3, 4), got (1,)",
     lambda: F.pad(z(3, 4), (1, 0))),
    (lambda: F.pad(z(3, 4), (-3, -2)), "(-3, -2) crops more than axis 1 of (3, 4) has",
     lambda: F.pad(z(3, 4), (-3, -1))),
    (lambda: F.pad(z(1, 3), (3, 0), "reflect"), "'reflect' adds 0…2 per end of axis 1 of (1, 3), got (3, 0)",
     lambda: F.pad(z(1, 3), (2, 0), "reflect")),
    (lambda: F.pad(z(1, 3), (1, 0), "mirror"), "mode must be 'constant', 'reflect', 'replicate' or 'circular'",
     lambda: F.pad(z(1, 3), (1, 0), "reflect")),
    (lambda: F.pad(z(1, 3), (1, 0), "reflect", 2.0), "mode 'reflect' takes no value, got 2.0. Use mode='constant'",
     lambda: F.pad(z(1, 3), (1, 0), "constant", 2.0)),
    (lambda: nn.Conv2d(3, 8, 0), "Conv2d: kernel_size must be an integer >= 1 or a tuple of 2, got 0",
     lambda: nn.Conv2d(3, 8, 1)),
    (lambda: nn.Conv2d(3, 8, 3, groups=2), "Conv2d: groups=2 must divide in_channels=3 and out_channels=8",
     lambda: nn.Conv2d(4, 8, 3, groups=2)),
    (lambda: nn.Conv1d(0, 8, 3), "Conv1d: in_channels must be an integer >= 1, got 0", lambda: nn.Conv1d(1, 8, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message", "fixed"), ERRORS, ids=lambda v: v[:50] if isinstance(v, str) else "")
def test_errors_name_the_shapes_and_a_fix_that_works(call: Any, message: str, fixed: Any) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
    fixed()


def test_wrong_types_are_refused() -> None:
    with pytest.raises(TypeError, match="needs a floating-point tensor, got int64. Use x.float"):
        F.max_pool2d(nn.ones(1, 1, 2, 2).long(), 2)
    with pytest.raises(TypeError, match="conv2d: got float32 and float64"):
        F.conv2d(z(1, 1, 3, 3), z(1, 1, 2, 2).double())
    with pytest.raises(TypeError, match="conv2d: weight must be a Tensor, got list"):
        F.conv2d(z(1, 1, 3, 3), [[1.0]])
