"""The surprises of the experiments on information, scale and training: each as a contrast, and where it vanishes."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from nnlib.widgets import two_distributions

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
