"""The perceptron referee: the count against the bound, the circle of XOR, points of the learner's own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

from nnlib.widgets import perceptron_referee
from nnlib.widgets.perceptron_referee import DATA, MOST_UPDATES, arrays, clouds, read, widest, write
from tests.experiments import pointer

Referee = perceptron_referee.PerceptronReferee
GRID = list(itertools.product((2.0, 1.0, 0.3, 0.05), range(10)))


def one_by_one(points, most):
    """Rosenblatt's rule as lesson 01 writes it: the weights after each mistake."""
    x, y = arrays(points)
    w, b, trail = np.zeros(2), 0.0, []
    for _ in range(10_000):
        missed = 0
        for row, target in zip(x, y):
            miss = int(target) - int(w @ row + b > 0)
            if miss:
                w, b, missed = w + miss * row, b + miss, missed + 1
                trail.append([*w, b])
                if len(trail) == most:
                    return np.array(trail)
        if not missed:
            break
    return np.array(trail)


def test_near_touching_classes_explode_the_count():
    wide, near = Referee.measure(gap=1.5), Referee.measure(gap=0.05)
    assert wide.ended
    assert near.ended
    assert near.updates > 10 * wide.updates
    assert near.bound > 50 * wide.bound
    # The surprise's end: at a gap of 2 the rule is through in a dozen, and no sample needs more than twenty.
    assert max(Referee.measure(gap=2.0, sample=s).updates for s in range(10)) <= 20


@pytest.mark.parametrize(("gap", "sample"), GRID)
def test_the_weights_stay_between_the_two_lines_of_the_proof(gap, sample):
    n = Referee.measure(gap=gap, sample=sample)
    k = np.arange(n.updates + 1)
    assert (n.weights @ n.best >= k * n.margin - 1e-9).all()
    assert (np.linalg.norm(n.weights, axis=1) <= np.sqrt(k) * n.radius + 1e-9).all()
    assert n.updates <= n.bound
    assert n.ended or n.updates == MOST_UPDATES
    assert n.ended == (not n.wrong(n.updates))


@pytest.mark.parametrize("data", ["AND", "XOR", *[(g, s) for g, s in GRID[::7]]])
def test_every_update_is_the_one_that_the_rule_makes_example_by_example(data):
    points = read("0 0 0; 0 1 1; 1 0 1; 1 1 0") if data == "XOR" else clouds(*data) if data != "AND" else None
    n = Referee.measure(data="AND") if data == "AND" else Referee.measure(data=DATA[3], points=write(points))
    assert n.weights[1:] == pytest.approx(one_by_one(n.points, n.updates), abs=1e-9)


def test_xor_goes_in_a_circle_for_ever_and_one_label_ends_it():
    xor = Referee.measure(data="XOR")
    first, again = xor.loop
    assert not xor.ended
    assert (xor.margin, xor.bound) == (0.0, np.inf)
    assert (xor.weights[first] == xor.weights[again]).all()
    far = one_by_one(xor.points, 200)
    assert far[first - 1 :: again - first] == pytest.approx(far[first - 1] + 0 * far[first - 1 :: again - first])
    assert "never ends" in Referee.say(xor)
    ending = Referee.measure(data=DATA[3], points="0 0 0; 0 1 1; 1 0 1; 1 1 1")
    assert ending.ended
    assert Referee.measure(data="AND").updates == 10  # as in the lesson


def test_the_widest_margin_is_reached_and_no_other_direction_beats_it():
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(20_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for gap, sample in GRID[::3]:
        points = clouds(gap, sample)
        best, margin = widest(points)
        x, y = arrays(points)
        rows = np.column_stack([x, np.ones(len(x))]) * (2 * y[:, None] - 1)
        assert (rows @ best).min() == pytest.approx(margin)
        assert np.linalg.norm(best) == pytest.approx(1)
        assert margin >= (directions @ rows.T).min(1).max()
    assert widest(read("0 0 0; 1 0 1"))[1] > 0
    assert widest(read("0 0 0; 1 0 1; 2 0 0"))[1] == 0


def test_a_dragged_point_makes_the_data_your_own_and_can_make_the_rule_run_for_ever():
    experiment = Referee()
    experiment.predict("about 20")
    assert experiment.numbers.updates > 200
    assert not experiment.met
    left, top, wide, tall = perceptron_referee.PLANE
    number = next(i for i, p in enumerate(experiment.numbers.points) if p[2] == 1)
    pointer(experiment, "drag", f"point {number}", left + 0.2 * wide, top + 0.9 * tall)  # among the other class
    assert experiment.settings["data"] == DATA[3]
    assert experiment.numbers.points[number][:2] == (0.2, -0.4)
    assert not experiment.numbers.ended
    assert experiment.met
    assert experiment.widgets["gap"].layout.display == "none"


def test_buttons_go_one_update_on_to_the_end_and_back():
    experiment = Referee()
    experiment.set(gap=1.5)
    for count in (1, 2, 3):
        experiment._buttons["next"].click()
        assert experiment.settings["step"] == count
    experiment._buttons["end"].click()
    assert experiment.settings["step"] == experiment.numbers.updates == 20
    assert experiment._buttons["next"].disabled
    experiment._buttons["again"].click()
    assert experiment.settings["step"] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0 0; 1 1", "“1 1” is not x₁ x₂ class"),
        ("0 0 0; 1 x 1", "“1 x 1” is not x₁ x₂ class"),
        ("0 0 0; 1 1 2", "must be 0 or 1, got 2"),
        ("0 0 0; 9 1 1", "is off the plane, which shows −1 to 5"),
        ("0 0 0; nan 1 1", "is off the plane"),
        ("0 0 0", "expects 2 to 16 points"),
        ("; ".join(["0 0 0"] * 17), "expects 2 to 16 points"),
    ],
)
def test_points_that_cannot_be_read_say_why(text, message):
    with pytest.raises(ValueError, match=message):
        Referee.measure(data=DATA[3], points=text)
    experiment = Referee()
    experiment.set()
    experiment.widgets["points"].value = text
    assert message in experiment._trouble.value
