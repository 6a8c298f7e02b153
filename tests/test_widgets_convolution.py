"""The experiments of lessons 14 and 15: each surprise as a contrast, and the setting at which it vanishes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nnlib.widgets import convolution_bench, shift_test
from tests.experiments import pointer

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
        pointer(experiment, "press", id, x, y)
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


# ------------------------------------------------------------ shift test

Shift = shift_test.ShiftTest
digits = pytest.mark.parametrize("digit", [0, 3, 8])


@digits
def test_on_a_ring_a_convolution_moves_along_and_the_end_stays_the_same(digit):
    for right, down, end in itertools.product((-5, 1, 6), (0, 3), shift_test.ENDS):
        n = Shift.measure(digit=digit, right=right, down=down, pool="none", end=end)
        assert n.stage("convolution").equivariance == 0
        assert n.stage("convolution").invariance > 0.3  # it moved
        assert n.stages[-1].invariance == 0


@digits
def test_zero_padding_breaks_both_where_the_digit_meets_an_edge_and_only_there(digit):
    for right in (3, 5):
        zeros, ring = (
            Shift.measure(digit=digit, right=right, pool="none", padding=p)
            for p in ("zeros", "ring")
        )
        assert zeros.stage("convolution").equivariance > 0.03
        assert zeros.stages[-1].invariance > 0.01
        assert ring.stage("convolution").equivariance == ring.stages[-1].invariance == 0
    clear = Shift.measure(**shift_test.CLEAR)
    assert clear.padding == "zeros"
    assert clear.stage("convolution").equivariance == clear.stages[-1].invariance == 0


@digits
@pytest.mark.parametrize(
    "settings", [{"stride": "2", "pool": "none"}, {"pool": "max 2 × 2"}, {"pool": "mean 2 × 2"}]
)
def test_steps_of_two_break_equivariance_at_odd_shifts_and_not_at_even_ones(digit, settings):
    for right, down in ((1, 0), (0, 1), (3, 2), (-5, 0)):
        odd = Shift.measure(digit=digit, right=right, down=down, **settings).stages[-2]
        even = Shift.measure(digit=digit, right=2 * right % 6, down=2 * down, **settings).stages[-2]
        assert odd.step == even.step == 2
        assert odd.equivariance > 0.1
        assert even.equivariance == 0


@digits
def test_with_stride_2_the_mean_survives_even_shifts_alone(digit):
    same = [
        r
        for r in range(-6, 7)
        if Shift.measure(digit=digit, right=r, stride="2", pool="none").stages[-1].invariance == 0
    ]
    assert same == [-6, -4, -2, 0, 2, 4, 6]


@digits
def test_the_invariance_of_pooling_is_partial(digit):
    n = Shift.measure(digit=digit)
    convolution, pooling, end = (s.invariance for s in n.stages[1:])
    assert 0.2 < pooling < 0.95 * convolution
    assert Shift.measure(digit=digit, right=2).stage("pooling").invariance > pooling
    still = Shift.measure(digit=digit, right=0)  # the contrast's end
    assert (
        [s.invariance for s in still.stages]
        == [s.equivariance for s in still.stages]
        == [0, 0, 0, 0]
    )
    whole = Shift.measure(digit=digit, pool="none", end="maximum of the map")
    assert whole.stages[-1].invariance == 0


def test_the_maps_are_those_of_a_plain_double_loop():
    image = shift_test.sheet(3)
    assert image.shape == (12, 12)
    kernel = np.array(shift_test.FILTERS["spots"]) / 8
    wrapped = np.pad(image, 1, mode="wrap")
    want = np.array(
        [[(wrapped[i : i + 3, j : j + 3] * kernel).sum() for j in range(12)] for i in range(12)]
    )
    got = Shift.measure(digit=3).stage("convolution").plain[2]
    np.testing.assert_allclose(got, np.maximum(want, 0), atol=1e-12)


def test_one_pixel_can_change_half_of_a_pooled_map():
    experiment = Shift()
    experiment.set(right=2)
    assert not experiment.met  # two pixels are no small shift
    experiment.set(right=1, pool="none")
    assert not experiment.met  # and no pooling no test of it
    experiment.set(right=1, pool="mean 2 × 2")
    assert experiment.met
