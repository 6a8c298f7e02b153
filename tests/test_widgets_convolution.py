"""The experiments of lessons 14 and 15: each surprise as a contrast, and the setting at which it vanishes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nnlib.widgets import convolution_bench

# ------------------------------------------------------------ convolution bench

Bench = convolution_bench.ConvolutionBench
GRID = list(itertools.product((3, 8, 12), (1, 2, 3, 5), (1, 2, 3), (0, 1, 4), (1, 3)))
NAMES = ("n", "k", "stride", "padding", "dilation")


def test_a_stride_that_does_not_divide_drops_the_border():
    dropped, divides, slow = (Bench.measure(n=n, stride=s) for n, s in ((8, 2), (9, 2), (8, 1)))
    assert dropped.unread == [7]
    assert dropped.grad[7] == 0
    assert dropped.left_over == 1
    assert divides.unread == slow.unread == []  # a stride that divides, or none
    assert divides.left_over == slow.left_over == 0
    assert (divides.grad != 0).all()
    assert "Never read: x8" in convolution_bench.say(dropped)
    assert "Never" not in convolution_bench.say(divides)


@pytest.mark.parametrize("upstream", convolution_bench.UPSTREAM)
def test_the_gradient_is_a_convolution_with_the_flipped_kernel_and_not_with_the_unflipped(upstream):
    n = Bench.measure(upstream=upstream, stride=1, padding=1)
    np.testing.assert_allclose(n.flipped, n.grad)
    assert not np.allclose(n.forgot, n.grad)
    assert not n.unnoticed


def test_a_kernel_that_reads_the_same_both_ways_hides_the_missing_flip():
    same = Bench.measure(kernel="1, 2, 1", stride=1, padding=1)
    np.testing.assert_allclose(same.forgot, same.grad)
    assert same.unnoticed


@pytest.mark.parametrize("settings", GRID)
def test_three_ways_to_the_gradient_agree_at_all_settings(settings):
    n = Bench.measure(**dict(zip(NAMES, settings)))
    if n.error:
        assert "conv1d" in n.error
        assert n.dilation * (len(n.w) - 1) + 1 > len(n.x) + 2 * n.padding
        return
    np.testing.assert_allclose(n.q @ n.x, n.y)
    np.testing.assert_allclose(n.q.T @ n.upstream, n.grad)
    np.testing.assert_allclose(n.flipped, n.grad)
    assert n.grad[n.input] == pytest.approx(sum(n.w[j] * n.upstream[i] for i, j in n.paths))
    assert n.unread == [t for t in range(len(n.x)) if not n.q[:, t].any()]
    assert n.unread == [] or n.stride > 1 or n.dilation > 1
    k, s, d = len(n.w), n.stride, n.dilation
    assert n.fields == [
        1 + d * (k - 1) * sum(s**layer for layer in range(deep)) for deep in (1, 2, 3)
    ]


def test_a_window_that_fits_nowhere_is_refused_in_nnlibs_words():
    n = Bench.measure(n=3, k=5)
    assert n.error
    assert "no window fits" in " ".join(convolution_bench.draw(n).texts())
    assert n.error in convolution_bench.say(n)
    experiment = Bench()
    experiment.set(n=3, k=5)
    assert experiment.error is None
    assert not experiment.met
    experiment.set(padding=1)
    assert experiment.numbers.error == ""


def test_only_a_crooked_kernel_finds_the_missing_flip():
    experiment = Bench()
    experiment.set(kernel="1, 1, 1")
    assert not experiment.met  # too easy
    experiment.set(kernel="1, 2, 3")
    assert not experiment.met
    experiment.widgets["kernel"].value = "2, -1, 2"
    assert experiment.met


def test_cells_are_pressed_to_be_looked_at():
    experiment = Bench()
    experiment.set(padding=1, stride=1)
    scene = convolution_bench.draw(experiment.numbers)
    for id, setting, value in (("x 5", "input", 6), ("dL/dx 0", "input", 1), ("y 3", "output", 4)):
        x, y = (sum(p[i] for p in scene.find(id).points) / 2 for i in (0, 1))
        experiment._message(None, {"type": "press", "id": id, "at": [x, y]}, [])
        assert experiment.error is None
        assert experiment.settings[setting] == value


def test_values_that_are_no_numbers_are_refused():
    experiment = Bench()
    experiment.set()
    experiment.widgets["kernel"].value = "1, two"
    assert "'two' is no number" in experiment.status
    experiment.widgets["kernel"].value = "1, 2e9"
    assert "too large" in experiment.status
    experiment.widgets["kernel"].value = "1 0 −1"
    assert experiment.error is None
    assert experiment.numbers.w.tolist() == [1, 0, -1]
