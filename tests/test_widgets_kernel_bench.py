"""The kernel bench: what nnlib convolves is what is painted; what a stride drops; the paths of a pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from nnlib.widgets import kernel_bench
from nnlib.widgets.kernel_bench import IMAGE, IMAGES, KERNELS, OWN, UPSTREAM, grids, read, write
from tests.experiments import pointer

Bench = kernel_bench.KernelBench
GEOMETRY = [
    (n, k, s, p, d)
    for n, k, s, p, d in itertools.product((2, 5, 8), (1, 3, 4), (1, 2, 3), (0, 2), (1, 2))
    if n + 2 * p > d * (k - 1)
]


def by_hand(n):
    """The output, element by element."""
    channels, size, _ = n.x.shape
    k, y = n.w.shape[1], np.zeros(n.y.shape)
    for (r, c), channel, i, j in itertools.product(np.ndindex(y.shape), range(channels), range(k), range(k)):
        row, column = (p * n.stride - n.padding + n.dilation * q for p, q in ((r, i), (c, j)))
        if 0 <= row < size and 0 <= column < size:
            y[r, c] += n.x[channel, row, column] * n.w[channel, i, j]
    return y


def test_a_stride_that_does_not_divide_drops_a_border_and_says_so():
    dropped, kept = Bench.measure(n=8, stride=2), Bench.measure(n=7, stride=2)
    assert dropped.unread == 15
    assert not dropped.read[7].any()
    assert not dropped.read[:, 7].any()
    assert kept.unread == Bench.measure(n=8, stride=1).unread == Bench.measure(n=8, stride=2, padding=1).unread == 0
    corner = Bench.measure(n=8, stride=2, row=8, column=8)
    assert corner.paths == []
    assert corner.grad[corner.pixel] == 0
    assert "has no path" in Bench.say(corner)
    assert "15 of 64 pixels are never read" in Bench.say(corner)
    assert "never read" not in Bench.say(kept)


@pytest.mark.parametrize(("n", "k", "stride", "padding", "dilation"), GEOMETRY)
def test_outputs_paths_and_gradients_by_hand(n, k, stride, padding, dilation):
    for channels, image, kernel in ((1, "a digit", "counting"), (3, "ring", "edge")):
        numbers = Bench.measure(n=n, k=k, stride=stride, padding=padding, dilation=dilation, channels=channels,
                                image=image, kernel=kernel, channel=channels, row=2, column=n)  # fmt: skip
        assert numbers.y == pytest.approx(by_hand(numbers))
        channel = numbers.pixel[0]
        along = sum(numbers.w[channel, i, j] * numbers.upstream[r, c] for r, c, i, j in numbers.paths)
        assert numbers.grad[numbers.pixel] == pytest.approx(along)
        assert bool(numbers.paths) == numbers.read[numbers.pixel[1:]]


def test_with_one_upstream_gradient_the_kernel_lies_in_the_image():
    n = Bench.measure(upstream=UPSTREAM[1], kernel="counting", out_row=2, out_column=3)
    assert n.grad[0, 1:4, 2:5] == pytest.approx(n.w[0])  # rows 2 to 4, columns 3 to 5
    assert np.count_nonzero(n.grad) == 9


def test_two_small_kernels_see_as_much_as_a_large_one_and_stride_widens_the_cone():
    assert Bench.measure(k=3, layers=2).fields == [3, 5]
    assert Bench.measure(k=3, layers=4, stride=2).fields == [3, 7, 15, 31]
    assert Bench.measure(k=1, layers=4).fields == [1, 1, 1, 1]


def test_an_impossible_window_is_explained_by_nnlib():
    n = Bench.measure(n=2, k=3)
    assert "conv2d" in n.error
    assert "conv2d" in Bench.say(n)
    assert any("no window fits" in text for text in Bench.draw(n).texts())


def test_cells_survive_writing_and_reading():
    for image, kernel, channels in itertools.product(IMAGES[:-1], KERNELS[:-1], (1, 3)):
        cells = kernel_bench.picture(image, 6, channels)
        assert (read(write(cells), 6, channels) == cells).all()
        weights = kernel_bench.kernel(kernel, 3, channels)
        assert (read(write(weights), 3, channels) == weights).all()
        assert cells.any()
        assert weights.any()
    assert read("1 2/3", 3, 2).sum() == 6
    with pytest.raises(ValueError, match="'x' is no number"):
        read("1 x", 2, 1)
    with pytest.raises(ValueError, match="at most 99"):
        read("100", 2, 1)


def test_a_cell_is_painted_by_mouse_and_the_stroke_goes_on():
    bench = Bench()
    bench.set(image="edge", n=8, brush=5)
    grid = grids(bench.numbers)[0]
    send = lambda kind, *at: pointer(bench, kind, "x 0 0 0", *grid.middle(0, *at))
    send("press", 1, 2)
    send("drag", 1, 3)
    assert bench.settings["image"] == OWN
    assert bench.numbers.x[0, 1, 2:4].tolist() == [5, 5]
    assert (bench.settings["row"], bench.settings["column"]) == (2, 4)
    send("press", 1, 3)  # again: back to 0
    assert bench.numbers.x[0, 1, 2:4].tolist() == [5, 0]
    send("drag", 1, 2)
    assert bench.numbers.x[0, 1, 2] == 0
    before = bench.numbers.x
    pointer(bench, "drag", "x 0 0 0", IMAGE[0] - 5, IMAGE[1])  # beside the image
    assert (bench.numbers.x == before).all()
    weights = grids(bench.numbers)[2]
    pointer(bench, "press", "w 0 0 0", *weights.middle(0, 2, 1))
    assert bench.numbers.w[0, 2, 1] == 5
    assert bench.settings["kernel"] == OWN
    output = grids(bench.numbers)[1]
    pointer(bench, "press", "y 0 0", *output.middle(0, 4, 2))
    assert bench.numbers.output == (4, 2)


def test_a_cell_is_painted_by_keyboard():
    bench = Bench()
    bench.set(image="ring", brush=-3, row=1, column=1)
    assert "space or Enter paints" in bench.view.hint
    send = lambda *keys: bench._message(None, {"type": "keys", "keys": list(keys)}, [])
    send("ArrowDown", "ArrowRight", "ArrowRight", " ")
    assert bench.numbers.pixel == (0, 1, 2)
    assert bench.numbers.x[0, 1, 2] == -3
    send("ArrowUp", "ArrowUp", "ArrowUp", "Enter")
    assert bench.numbers.x[0, 0, 2] == -3
    send("Enter")
    assert bench.numbers.x[0, 0, 2] == 0
    assert bench.error is None


def test_typed_cells_are_your_own_and_keep_their_place_when_the_image_grows():
    bench = Bench()
    bench.set(n=4)
    bench.widgets["pixels"].value = "0 7/7 0"
    assert bench.settings["image"] == OWN
    assert bench.numbers.x[0, :2, :2].tolist() == [[0, 7], [7, 0]]
    bench.widgets["n"].value = 6
    assert bench.numbers.x.sum() == 14
    assert bench.settings["pixels"] == "0 7/7 0"


def test_more_than_half_unread_meets_the_challenge():
    bench = Bench()
    bench.predict("none")
    assert not bench.met
    bench.set(stride=4, k=1)
    assert bench.numbers.unread == 60
    assert bench.met
