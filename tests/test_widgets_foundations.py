"""The surprises of the experiments on descent, activations, likelihood and gradient checks, and where they vanish."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from nnlib.widgets import activation_gallery, gradcheck_microscope, likelihood, loss_bowl
from tests.experiments import pointer

# ------------------------------------------------------------ loss bowl

Bowl = loss_bowl.LossBowl


@pytest.mark.parametrize("start", [(-0.4, 3.5), (0.0, 0.0), (3.0, 4.0)])
def test_one_per_cent_past_the_limit_diverges(start):
    below, at, past = (
        Bowl.measure(percent=p, steps=500, intercept=start[0], slope=start[1])
        for p in (99, 100, 101)
    )
    assert below.excess[-1] < 1e-7
    assert past.excess[-1] > 1e8
    e = (at.path - loss_bowl.BEST) @ loss_bowl.AXES[:, 1]
    assert e[1::2] == pytest.approx(-e[0])  # at the limit itself it bounces between two walls
    assert e[::2] == pytest.approx(e[0])


def test_where_nothing_lies_across_the_valley_the_limit_means_nothing():
    """The surprise's end: a start on the long axis, here within 0.004 of it."""
    off = lambda p: abs(float((np.array(p) - loss_bowl.BEST) @ loss_bowl.AXES[:, 1]))
    grid = itertools.product(np.arange(-46, 71) / 20, np.arange(-10, 87) / 20)
    far = [p for p in grid if math.dist(p, loss_bowl.BEST) > 2]
    start = min(far, key=off)
    assert off(start) < 0.004
    on_axis = Bowl.measure(percent=101, steps=40, intercept=start[0], slope=start[1])
    assert on_axis.excess[-1] < 1e-3 * on_axis.excess[0]
    experiment = Bowl()
    experiment.predict("below 1")
    assert not experiment.met
    experiment.set(percent=99)
    assert not experiment.met
    experiment.set(percent=101, steps=40, intercept=start[0], slope=start[1])
    assert experiment.met


def test_the_path_is_the_closed_form_and_the_losses_are_those_of_the_points():
    for percent, steps in itertools.product((10, 50, 98, 103), (1, 30)):
        numbers = Bowl.measure(percent=percent, steps=steps)
        e = (numbers.path - loss_bowl.BEST) @ loss_bowl.AXES
        powers = np.array(numbers.factors) ** np.arange(steps + 1)[:, None]
        assert e == pytest.approx(e[0] * powers, abs=1e-9)
        lowest = 1 / 18
        assert numbers.losses == pytest.approx(numbers.excess + lowest)


def test_gradient_and_level_line_meet_at_right_angles_everywhere_but_at_the_bottom():
    for intercept, slope in itertools.product((-2.3, -0.4, 0.85, 2.0, 3.5), (-0.5, 0.9, 1.55, 4.3)):
        assert Bowl.measure(intercept=intercept, slope=slope, steps=0).angle == pytest.approx(
            90, abs=1e-3
        )
    numbers = Bowl.measure(steps=0)
    numbers.gradient = np.zeros(2)
    assert math.isnan(numbers.angle)
    assert "there is no gradient" in loss_bowl.say(numbers)


def test_a_small_change_of_the_loss_is_no_arrival():
    change, level = loss_bowl.RULES[1:]
    far, near = (
        Bowl.measure(percent=1, steps=500, digits=2, rule=rule) for rule in (change, level)
    )
    assert far.stopped
    assert not near.stopped
    assert far.excess[-1] > 100 * 0.01
    assert math.hypot(*far.gradient) > 1
    both = [Bowl.measure(percent=60, steps=500, digits=5, rule=rule) for rule in (change, level)]
    assert all(
        numbers.stopped and numbers.excess[-1] < 1e-4 for numbers in both
    )  # no contrast here
    assert "(the rule has not spoken yet)" in loss_bowl.say(near)
    experiment = Bowl()
    experiment.set()
    assert experiment.widgets["digits"].layout.display == "none"
    experiment.widgets["rule"].value = level
    assert experiment.widgets["digits"].layout.display is None


def test_the_start_can_be_dragged_and_stays_on_the_sheet():
    experiment = Bowl()
    experiment.set()
    start = loss_bowl.draw(experiment.numbers).find("start").points[0]
    pointer(experiment, "press", "start", start[0] + 64, start[1])
    assert experiment.settings["intercept"] == pytest.approx(0.6)
    assert experiment.settings["slope"] == pytest.approx(3.5)
    pointer(experiment, "drag", "start", -9999, 9999)
    assert (experiment.settings["intercept"], experiment.settings["slope"]) == (-2.3, -0.5)


@pytest.mark.parametrize("percent", [60, 98, 101])
def test_runs_side_by_side_are_those_alone_to_the_last_digit(percent):
    starts = [(-0.4, 3.5), (0.3, -0.2), (2.9, 1.1)]
    together = loss_bowl.Descent(percent, starts)
    together.reach(500)
    for k, start in enumerate(starts):
        alone = loss_bowl.Descent(percent, [start])
        alone.reach(500)
        for values, own in ((together.paths, alone.paths), (together.losses, alone.losses)):
            assert all((v[k] == o[0]).all() for v, o in zip(values, own, strict=True))


# ------------------------------------------------------------ activation gallery

Gallery = activation_gallery.ActivationGallery


def test_sigmoid_slopes_die_by_depth_ten():
    sigmoid = Gallery.measure(activation="sigmoid", depth=10)
    assert sigmoid.best[-1] == pytest.approx(0.25**10)
    for start in (-5.0, -1.0, 0.0, 0.5, 5.0):
        product = Gallery.measure(activation="sigmoid", depth=10, start=start).products[-1]
        assert 0 < product < 0.25**10 < 1e-6
    softplus = Gallery.measure(activation="softplus", depth=10)  # its slope is the sigmoid
    grown = math.exp(0.5)
    assert softplus.products[-1] == pytest.approx(grown / (10 + grown))


def test_nothing_is_lost_with_relu_nor_at_depth_one():
    """The surprise's end: slope exactly 1 at any depth; and one sigmoid alone passes a quarter."""
    for depth in (1, 10, 30):
        assert Gallery.measure(activation="ReLU", depth=depth).products == pytest.approx(1)
    assert Gallery.measure(activation="ReLU", start=-0.5).products[-1] == 0
    assert Gallery.measure(activation="sigmoid", depth=1, start=0.0).products[-1] == 0.25


def test_large_weights_do_not_rescue_the_sigmoid():
    plain, large = (Gallery.measure(activation="sigmoid", weight=w) for w in (1.0, 4.0))
    assert large.best[-1] == pytest.approx(1)
    assert large.products[-1] < plain.products[-1] / 10


def test_the_product_of_slopes_is_what_one_backward_pass_gives():
    for name, weight, start in itertools.product(
        activation_gallery.ACTIVATIONS, (0.5, 1.0, 4.0), (-2.0, 0.3, 5.0)
    ):
        numbers = Gallery.measure(activation=name, weight=weight, start=start, depth=7)
        assert numbers.products[-1] == pytest.approx(numbers.engine, rel=1e-9, abs=1e-300)
        assert np.isfinite(numbers.products).all()
        assert (np.abs(numbers.products) <= numbers.best * (1 + 1e-3)).all()


def test_slopes_of_the_curve_are_its_differences():
    for name in activation_gallery.ACTIVATIONS:
        numbers = Gallery.measure(activation=name)
        step = activation_gallery.GRID[1] - activation_gallery.GRID[0]
        middle = (numbers.value[2:] - numbers.value[:-2]) / (2 * step)
        smooth = np.abs(activation_gallery.GRID[1:-1]) > 1.5 * step
        assert numbers.slope[1:-1][smooth] == pytest.approx(middle[smooth], abs=1e-3)


def test_only_the_parameter_of_the_activation_is_shown():
    experiment = Gallery()
    shown = lambda: [
        name
        for name in ("gamma", "alpha", "beta")
        if experiment.widgets[name].layout.display != "none"
    ]
    experiment.set()
    assert shown() == []
    experiment.widgets["activation"].value = "ELU"
    assert shown() == ["alpha"]
    assert not experiment.met
    experiment.set(activation="leaky ReLU", gamma=2.0, start=-0.5)
    assert shown() == ["gamma"]
    assert experiment.met
    assert experiment.numbers.products[-1] == pytest.approx(2.0**10)


# ------------------------------------------------------------ gradient-check microscope

Check = gradcheck_microscope.GradcheckMicroscope
NETWORKS, BUGS = gradcheck_microscope.NETWORKS, gradcheck_microscope.BUGS


def test_a_smaller_h_gets_better_and_then_worse():
    for formula, dtype, best in (
        ("central", "float64", 5),
        ("forward", "float64", 8),
        ("central", "float32", 2),
        ("forward", "float32", 3),
    ):
        errors = Check.measure(formula=formula, dtype=dtype).errors(formula)
        assert abs(int(np.argmin(errors)) + 1 - best) <= 1
        assert errors[0] > 10 * errors.min()
        assert errors[-1] > 100 * errors.min()
    central = Check.measure().errors("central")
    assert central[:3] / central[1:4] == pytest.approx(100, rel=0.2)  # truncation: h²
    assert Check.measure().errors("forward")[:3] / Check.measure().errors("forward")[
        1:4
    ] == pytest.approx(10, rel=0.2)
    assert (
        1e3 < central[11] / central[7] < 1e5
    )  # rounding: 1/h, so four decades here, up to its noise


def test_a_loose_tolerance_passes_a_wrong_gradient_and_a_tight_one_does_not():
    loose, tight = (Check.measure(bug=BUGS[4], digits=k) for k in (4, 7))
    assert loose.passed
    assert not tight.passed
    assert "It passes a wrong gradient." in gradcheck_microscope.say(loose)
    assert Check.measure(digits=7).passed  # and the right gradient passes the tight one too
    for bug in BUGS[1:4]:
        assert not Check.measure(bug=bug, digits=3).passed


def test_a_constant_network_passes_everything_at_every_h():
    for bug, dtype in itertools.product(BUGS, ("float64", "float32")):
        numbers = Check.measure(network=NETWORKS[2], bug=bug, dtype=dtype, digits=10)
        for formula in gradcheck_microscope.FORMULAS:
            assert not numbers.errors(formula).any()  # there even the harm of a small h vanishes
        assert numbers.passed
        assert "nothing to compare" in gradcheck_microscope.say(numbers)
    assert not any(Check.measure(bug=bug, digits=7).passed for bug in BUGS[1:])


def test_a_right_gradient_fails_across_a_kink_and_not_on_one_side_of_it():
    across, beside = (Check.measure(network=NETWORKS[1], power=p) for p in (3, 5))
    assert not across.passed
    assert "false alarm" in gradcheck_microscope.say(across)
    assert beside.passed


def test_the_backward_pass_by_hand_is_the_engines_and_each_bug_changes_it():
    import nnlib as nn

    for network in NETWORKS:
        flat = gradcheck_microscope.weights(network)
        leaf = nn.tensor(flat, requires_grad=True)
        engine = nn.grad(gradcheck_microscope.loss(leaf, network), leaf)[0]
        assert Check.measure(network=network).ours == pytest.approx(engine, rel=1e-12, abs=1e-15)
        for bug in BUGS[1:]:
            same = np.allclose(Check.measure(network=network, bug=bug).ours, engine, rtol=1e-6)
            assert same == (network == NETWORKS[2])


def test_the_question_does_not_show_its_answer_and_the_challenge_needs_a_live_network():
    experiment = Check()
    shown = len(gradcheck_microscope.draw(experiment.numbers).find("central").points)
    assert shown == 3
    assert "least error" not in experiment.status
    experiment.predict("an error near 1e−16")
    assert len(gradcheck_microscope.draw(experiment.numbers).find("central").points) == 15
    assert experiment.numbers.error > 1e-5
    assert "backward pass" in experiment.view.below
    experiment.set(bug=BUGS[1], network=NETWORKS[2])
    assert experiment.numbers.passed
    assert not experiment.met
    experiment.set(bug=BUGS[4], network=NETWORKS[0], power=5, digits=3)
    assert experiment.met


# ------------------------------------------------------------ likelihood

Like = likelihood.Likelihood


def test_squared_error_is_a_gaussian_in_disguise_and_no_other_models():
    for outlier in (0.0, 3.0, 10.0):
        gaussian = Like.measure(outlier=outlier)
        assert gaussian.disguise == pytest.approx(0.5 * math.log(2 * math.pi))
        assert gaussian.slope == pytest.approx(gaussian.squared_slope)
        assert gaussian.best == pytest.approx(np.mean(gaussian.data), abs=0.026)
        laplace = Like.measure(noise="Laplace", outlier=outlier)
        assert math.isnan(laplace.disguise)
        assert laplace.best == pytest.approx(np.median(laplace.data))
    assert math.isnan(Like.measure(spread=2.0).disguise)
    assert math.isnan(Like.measure(learned=True).disguise)
    assert "half the squared error plus 0.9189" in likelihood.say(Like.measure())


def test_the_noise_model_decides_what_an_outlier_does_and_without_one_it_does_not():
    best = lambda **s: [Like.measure(noise=n, **s).best for n in ("Gaussian", "Laplace")]
    assert best(outlier=10.0) == [2.0, 0.1]
    assert best(outlier=0.0) == [0.0, 0.0]
    slopes = [
        [float(numbers.slope[numbers.at]) for numbers in (Like.measure(noise=n, outlier=o) for o in (5.0, 10.0))]
        for n in ("Gaussian", "Laplace")
    ]  # fmt: skip
    assert slopes[0] == pytest.approx([0.0, -1.0])
    assert slopes[1] == pytest.approx([0.6, 0.6])


def test_a_learned_spread_makes_the_loss_negative_where_the_numbers_agree():
    for noise in ("Gaussian", "Laplace"):
        close, far = (
            Like.measure(noise=noise, learned=True, outlier=o, centre=0.0) for o in (0.0, 10.0)
        )
        assert close.loss.min() < -0.1
        assert "The loss is negative" in likelihood.say(close)
        assert far.loss.min() > 1
        assert Like.measure(noise=noise, learned=False, outlier=0.0).loss.min() > 0.6
    known = math.log(math.sqrt(0.02)) + 0.5 + 0.5 * math.log(2 * math.pi)
    assert Like.measure(learned=True, outlier=0.0).loss.min() == pytest.approx(known)


@pytest.mark.parametrize("noise", ["Bernoulli", "categorical"])
def test_confidently_wrong_learns_slowest_under_squared_error(noise):
    wrong, undecided = (Like.measure(noise=noise, logit=z) for z in (-6.0, 0.0))
    assert abs(wrong.slope[wrong.at]) > 0.99  # where the error is largest, the pull of the loss is
    assert wrong.pull < 0.01
    assert undecided.pull > 0.3  # the contrast's end: no saturation, no difference worth the name
    p = wrong.likelihood
    assert wrong.slope == pytest.approx(p - 1)  # prediction minus target


def test_slopes_are_differences_of_the_losses():
    for noise, learned in itertools.product(likelihood.NOISES, (False, True)):
        numbers = Like.measure(noise=noise, learned=learned, outlier=3.0)
        middle = (numbers.loss[2:] - numbers.loss[:-2]) / (numbers.grid[2:] - numbers.grid[:-2])
        smooth = np.array([all(abs(g - y) > 0.3 for y in numbers.data) for g in numbers.grid[1:-1]])
        assert numbers.slope[1:-1][smooth] == pytest.approx(middle[smooth], abs=0.02)
        assert np.isfinite(numbers.loss).all()


def test_only_the_controls_of_the_task_are_shown_and_deafness_needs_a_wrong_classifier():
    experiment = Like()
    experiment.predict("nowhere")
    display = lambda name: experiment.widgets[name].layout.display
    assert display("logit") == "none"
    assert display("centre") is None
    experiment.widgets["noise"].value = "Bernoulli"
    assert display("logit") is None
    assert display("centre") == display("outlier") == display("learned") == "none"
    experiment.set(logit=8.0)
    assert not experiment.met
    experiment.set(logit=-8.0)
    assert experiment.met
