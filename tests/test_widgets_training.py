"""The surprises of the experiments on information, scale and training: each as a contrast, and where it vanishes."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

import nnlib as nn
from nnlib.widgets import depth_and_scale, table_top, two_distributions

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


def test_the_random_numbers_of_the_notebook_are_kept():
    nn.manual_seed(0)
    expected = nn.rand(3).tolist()
    nn.manual_seed(0)
    Deep.measure(depth=3)
    assert nn.rand(3).tolist() == expected


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


# ------------------------------------------------------------ table-top

Table = table_top.TableTop
GABOR = {"surface": table_top.SURFACES[2], **table_top.GABOR}


def test_one_point_per_step_never_rests_and_the_full_batch_does():
    for draw in range(3):
        numbers = Table.measure(draw=draw)
        assert numbers.resting == [True, False, True]
        assert numbers.recent[0] < 1e-3
        assert numbers.recent[1] > 0.5
    assert (
        Table.measure(rate=0.02).recent[1] < numbers.recent[1] / 3
    )  # a smaller rate, a lower orbit


def test_a_falling_rate_lowers_the_orbit_of_one_point_per_step():
    for draw in range(3):
        orbit, *falling = (Table.measure(draw=draw, schedule=name) for name in table_top.SCHEDULES)
        assert not orbit.resting[1]
        assert all(n.recent[1] < orbit.recent[1] / 5 for n in falling)
        assert all(n.recent[1] > 1e-4 for n in falling)  # lower, not gone
    x, y = (t.data for t in table_top.examples(table_top.SURFACES[0]))
    phi, path = np.array([10.0, 20.0]), []
    for step in range(60):  # the full batch by hand, at half the rate from step 40 on
        error = phi[0] + phi[1] * x - y
        phi = phi - 0.1 * 0.5 ** (step // 40) * 2 * np.array([error.mean(), (error * x).mean()])
        path.append(phi)
    halved = Table.measure(steps=60, schedule="halved every 40 steps")
    assert halved.paths[0, 1:] == pytest.approx(np.array(path))


def test_points_that_can_all_be_fitted_let_it_rest():
    for draw in range(3):
        numbers = Table.measure(surface=table_top.SURFACES[1], draw=draw)
        assert numbers.resting == [True] * 3
        assert numbers.recent.max() < 1e-2


def test_noise_leaves_a_bad_valley_where_the_full_batch_stays():
    ends = [Table.measure(**GABOR, batch=5, draw=draw).recent for draw in range(10)]
    assert all(0.24 < end[0] < 0.26 for end in ends)
    assert sum(end[1] < 0.2 for end in ends) >= 8
    quiet = [Table.measure(**GABOR, batch=55, draw=draw).recent for draw in range(10)]
    assert all(0.24 < end[1] < 0.26 for end in quiet)  # too little noise, and nothing happens


def test_momentum_overshoots_and_without_it_the_loss_only_falls():
    numbers = Table.measure()
    rises = (np.diff(numbers.above) > 1e-9).sum(1)
    assert rises[0] == 0
    assert rises[2] > 20
    assert numbers.recent[2] < numbers.recent[0]  # and yet it wins
    plain = Table.measure(momentum=0.0, batch=61)
    assert plain.paths[2] == pytest.approx(plain.paths[0], abs=1e-12)  # nothing to tell them apart
    assert plain.paths[1] == pytest.approx(plain.paths[0], abs=1e-12)


def test_the_paths_are_those_of_gradients_by_hand():
    x, y = (t.data for t in table_top.examples(table_top.SURFACES[0]))
    phi, velocity = np.array([10.0, 20.0]), np.zeros(2)
    path = [phi]
    for _ in range(40):
        error = phi[0] + phi[1] * x - y
        velocity = 0.9 * velocity + 2 * np.array([error.mean(), (error * x).mean()])
        phi = phi - 0.1 * velocity
        path.append(phi)
    assert Table.measure(steps=40).paths[2] == pytest.approx(np.array(path))
    lowest = Table.measure().lowest
    slope = np.stack([np.ones(61), x]) @ (lowest[0] + lowest[1] * x - y)
    assert slope == pytest.approx(np.zeros(2), abs=1e-9)


def test_a_rate_too_large_runs_away_and_is_said():
    numbers = Table.measure(rate=1.0)
    assert all(numbers.diverged)
    assert np.isfinite(numbers.paths).all()
    assert "run away" in table_top.say(numbers)
    assert not any(Table.measure(rate=1.0, steps=0).diverged)


def test_level_lines_of_a_bowl_are_closed_circles():
    x = np.linspace(-2, 2, 41)
    z = x[:, None] ** 2 + x**2
    (circle,) = table_top.level_lines(x, x, z, 1.0)
    assert circle[0] == circle[-1]
    assert np.hypot(*np.array(circle).T) == pytest.approx(np.ones(len(circle)), abs=5e-3)
    (arc,) = table_top.level_lines(x[20:], x[20:], z[20:, 20:], 1.0)
    assert arc[0] != arc[-1]
    assert table_top.level_lines(x, x, z, 99.0) == []


def test_a_ball_with_hardly_any_friction_loses_to_descent():
    experiment = Table()
    assert experiment.numbers.steps == 0  # nothing told before the question
    experiment.predict("far away")
    assert experiment.numbers.steps == 200
    assert not experiment.met
    experiment.set(momentum=0.99)
    assert experiment.met


def test_a_new_surface_brings_its_rate_and_start():
    experiment = Table()
    experiment.set()
    experiment.widgets["surface"].value = table_top.SURFACES[2]
    assert experiment.error is None
    assert experiment.settings["rate"] == experiment.widgets["rate"].value == 1.0
    assert experiment.settings["start0"] == experiment.widgets["start0"].value == 5.0
