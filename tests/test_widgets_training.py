"""The surprises of the experiments on information, scale and training: each as a contrast, and where it vanishes."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from nnlib.widgets import depth_and_scale, two_distributions

# ------------------------------------------------------------ two distributions

Two = two_distributions.TwoDistributions


def test_kl_is_not_symmetric_and_one_way_grows_without_end():
    start = Two.measure()
    assert start.forward.kl == pytest.approx(0.296794, abs=1e-6)
    assert start.reverse.kl == pytest.approx(0.324287, abs=1e-6)
    steps = [Two.measure(fade=k) for k in range(4, 13)]
    forward = np.diff([s.forward.kl for s in steps])
    reverse = np.diff([s.reverse.kl for s in steps])
    assert forward == pytest.approx(0.1 * math.log(10), rel=1e-3)  # the same for each factor of 10
    assert np.abs(reverse).max() < 2e-3
    gone = Two.measure(p_rain=0)
    assert gone.forward.kl == gone.forward.cross == math.inf
    assert gone.reverse.kl == pytest.approx(0.5 * math.log(0.25 / 0.14))


def test_where_belief_and_truth_agree_both_ways_cost_nothing():
    same = Two.measure(p_sun=70, p_cloud=20, p_rain=10)
    assert same.forward.kl == pytest.approx(0, abs=1e-12)
    assert same.reverse.kl == pytest.approx(0, abs=1e-12)
    # and a belief may forget what never happens: the surprise vanishes with q(rain)
    dry = [Two.measure(q_rain=0, fade=k).forward.kl for k in (6, 12)]
    assert dry[0] == pytest.approx(dry[1], abs=1e-5)


def test_cross_entropy_is_entropy_and_price_in_both_units():
    rng = np.random.default_rng(0)
    for unit in ("nats", "bits"):
        for weights in rng.integers(0, 5, (60, 6)):
            weights[[0, 3]] += 1
            names = ("q_sun", "q_cloud", "q_rain", "p_sun", "p_cloud", "p_rain")
            numbers = Two.measure(unit=unit, **dict(zip(names, map(int, weights), strict=True)))
            for way in (numbers.forward, numbers.reverse):
                assert way.kl >= -1e-12
                assert way.entropy + way.kl == pytest.approx(way.cross)
                assert sum(way.terms) == pytest.approx(way.kl)
    assert Two.measure(unit="bits").forward.cross == pytest.approx(math.log2(3))


def test_a_belief_in_nothing_is_refused_in_the_widget():
    experiment = Two()
    experiment.set(p_sun=0, p_cloud=0)
    assert experiment.error is None
    experiment.widgets["p_rain"].value = 0
    assert "all three weights are 0" in experiment.status
    experiment.widgets["p_rain"].value = 1
    assert experiment.error is None


def test_the_other_way_round_is_infinite_only_for_a_day_that_never_comes():
    experiment = Two()
    experiment.predict("KL(p‖q)")
    assert not experiment.met
    experiment.set(p_rain=0)
    assert not experiment.met  # the wrong way round
    experiment.set(p_rain=50, q_rain=0)
    assert experiment.met
    assert "impossible under q" in experiment.status


# ------------------------------------------------------------ depth and scale

Deep = depth_and_scale.DepthAndScale


def best_scale(**settings):
    """The scale at which both sizes change least, on a grid; median of three draws."""
    grid = [0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
    best = [
        min(grid, key=lambda s: Deep.measure(scale=s, draw=draw, **settings).change)
        for draw in range(3)
    ]
    return float(np.median(best))


def test_relu_and_tanh_want_different_scales():
    assert best_scale(activation="ReLU") == pytest.approx(1.4)  # He: the square root of 2
    assert best_scale(activation="tanh") == pytest.approx(1.2)
    for draw in range(3):
        change = {
            (activation, scale): Deep.measure(activation=activation, scale=scale, draw=draw).change
            for activation in ("ReLU", "tanh")
            for scale in (1.2, 1.4, 2.0)
        }
        assert change["ReLU", 1.4] < 0.7
        assert change["ReLU", 1.2] > 1.9
        assert change["tanh", 1.2] < 0.4
        assert change["tanh", 2.0] > 1.7


def test_healthy_activations_do_not_mean_healthy_gradients():
    for draw in range(3):
        numbers = Deep.measure(activation="tanh", scale=2.0, draw=draw)
        assert 0.6 < numbers.forward.min() <= numbers.forward.max() < 0.9
        assert numbers.growth > 50
    calm = Deep.measure(activation="tanh", scale=1.1)
    assert 0.3 < calm.growth < 3


def test_in_two_layers_no_scale_does_harm_and_depth_makes_it():
    shallow = [Deep.measure(depth=2, scale=s).change for s in (0.5, 1.0, 1.4, 3.0)]
    deep = [Deep.measure(depth=50, scale=s).change for s in (0.5, 1.0, 1.4, 3.0)]
    assert max(shallow) < 0.5
    assert sorted(deep)[1] > 7  # all but the right one


@pytest.mark.parametrize("activation", ["ReLU", "tanh"])
def test_layer_norm_makes_the_scale_not_matter(activation):
    def ends(norm, scale):
        numbers = Deep.measure(activation=activation, norm=norm, scale=scale)
        return np.array([numbers.forward[-1], numbers.backward[0]])

    assert ends("layer norm", 0.3) == pytest.approx(ends("layer norm", 3.0), rel=2e-3)
    ratio = ends("none", 3.0) / ends("none", 0.3)
    assert ratio.max() > 1e10


def test_the_two_passes_are_those_of_a_hand_written_loop():
    numbers = Deep.measure(depth=3, activation="tanh", scale=1.3, draw=4)
    generator = np.random.default_rng(4)
    h, back = generator.normal(size=(64, 100)), generator.normal(size=(64, 100))
    weights = [0.13 * generator.normal(size=(100, 100)) for _ in range(3)]
    values = []
    for w in weights:
        h = np.tanh(h @ w.T)
        values.append(h)
    gradients = [back]
    for w, h in zip(weights[:0:-1], values[:0:-1], strict=True):
        gradients.append((gradients[-1] * (1 - h**2)) @ w)
    assert numbers.forward == pytest.approx([v.std() for v in values])
    assert numbers.backward == pytest.approx([g.std() for g in reversed(gradients)])
    for bar, value in zip(numbers.activations, values, strict=True):
        inside = np.abs(value) <= bar.reach
        assert bar.shares.sum() == pytest.approx(inside.mean())


def test_even_layer_norm_lets_gradients_grow_under_tanh():
    experiment = Deep()
    experiment.predict("they vanish")
    assert experiment.numbers.growth > 50
    assert not experiment.met  # without a norm it does not count
    experiment.set(activation="ReLU", norm="layer norm", depth=50)
    assert not experiment.met
    experiment.set(activation="tanh", norm="layer norm", depth=10)
    assert not experiment.met
    experiment.set(activation="tanh", norm="layer norm", depth=50)
    assert experiment.met
