"""The playground: its runs against loops by hand, its surprises, its texts, and the widget without a browser."""

from __future__ import annotations

import itertools
import math
import re
import time

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

import nnlib as nn
from nnlib.widgets import playground, replay
from nnlib.widgets.playground import Playground

SURE = {"data": "XOR", "start": "sure of ●", "step": 300}


# ------------------------------------------------------------ surprises


@pytest.mark.parametrize("draw", range(4))
def test_squared_error_after_sigma_stands_still_where_it_is_sure_and_wrong(draw):
    cross = Playground.measure(**SURE, draw=draw).main
    squared = Playground.measure(**SURE, draw=draw, loss=replay.SQUASHED).main
    assert cross.right >= 0.98
    assert squared.right < 0.55
    assert squared.train[-1] > 0.98 * squared.train[0]
    assert cross.gradients[0, -1] > 100 * squared.gradients[0, -1]


@pytest.mark.parametrize("draw", range(4))
def test_from_a_start_that_is_sure_of_nothing_both_learn(draw):
    for loss in (replay.CROSS, replay.SQUASHED):
        assert Playground.measure(data="XOR", step=300, draw=draw, loss=loss).main.right >= 0.97


@pytest.mark.parametrize("draw", range(4))
def test_three_layers_of_sigmoid_leave_the_first_hardly_a_gradient_and_tanh_does_not(draw):
    def share(activation, depth):
        sizes = Playground.measure(activation=activation, depth=depth, draw=draw).main.gradients[0]
        return sizes[0] / sizes[-1]

    assert share("sigmoid", 3) < 0.01
    assert share("tanh", 3) > 0.1
    assert share("sigmoid", 1) > 0.1  # nothing to pass through: the surprise vanishes


def test_equal_weights_stay_equal():
    part = Playground.measure(start="all zero", activation="sigmoid", rate=3.0, step=100).main
    assert np.ptp(part.weights[0], axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert np.ptp(part.weights[2]) == pytest.approx(0, abs=1e-12)
    assert abs(part.weights[2]).max() > 0.1  # they did move


# ------------------------------------------------------------ runs


def test_a_run_is_that_of_a_loop_by_hand():
    settings = Playground.complete(
        {"step": 25, "batch": 100, "rate": 0.3, "l2": "0.01", "l1": "0.001"}
    )
    X, y = replay.examples("moons", 0.2, 0)
    X, t = X[:100], y[:100, None]
    w1, b1, w2, b2 = (
        p.data.copy() for p in replay.network([2, 4, 1], "tanh", "random", 0).parameters()
    )
    for _ in range(25):
        h = np.tanh(X @ w1.T + b1)
        z = h @ w2.T + b2
        dz = (1 / (1 + np.exp(-z)) - t) / 100
        dh = dz @ w2 * (1 - h * h)
        steps = [dh.T @ X, dh.sum(0), dz.T @ h, dz.sum(0)]
        penalties = [0.01 * w + 0.001 * np.sign(w) for w in (w1, w2)]
        w1, b1 = w1 - 0.3 * (steps[0] + penalties[0]), b1 - 0.3 * steps[1]
        w2, b2 = w2 - 0.3 * (steps[2] + penalties[1]), b2 - 0.3 * steps[3]
    part = playground.look(settings)
    for mine, theirs in zip((w1, b1, w2, b2), part.weights):
        assert theirs == pytest.approx(mine, abs=1e-12)


def test_batches_walk_through_every_example_once_an_epoch():
    run = replay.trained(Playground.complete({"batch": 30}))
    for epoch in range(3):
        seen = [run.order(4 * epoch + k, 30, 100) for k in range(4)]
        assert [e for _, e in seen] == [epoch] * 4
        assert sorted(np.concatenate([i for i, _ in seen])) == list(range(100))
    assert list(run.order(0, 100, 100)[0]) != list(run.order(1, 100, 100)[0])  # shuffled anew


@pytest.mark.parametrize("optimizer", replay.OPTIMIZERS)
def test_a_run_goes_on_where_another_branched_off(optimizer):
    base = {"optimizer": optimizer, "rate": 0.03}
    replay.trained(Playground.complete(base)).at(60)
    branch = {**base, "rate": 0.3, "history": "rate=0.03<40 w1[2,1]=1.5@50 one=7@55"}
    run = replay.trained(Playground.complete(branch))
    assert len(run.weights) == 41  # taken over, not trained again
    run.at(70)
    replay._KEPT.clear()
    fresh = replay.trained(Playground.complete(branch))
    fresh.at(70)
    for mine, theirs in zip(run.weights[70], fresh.weights[70]):
        assert np.array_equal(mine, theirs)
    assert [m.train for m in run.moments] == [m.train for m in fresh.moments]
    assert list(fresh.moments[55].indices) == [7]
    assert fresh.edited(50)[0][1, 0] == 1.5
    assert fresh.edited(49)[0][1, 0] == fresh.weights[49][0][1, 0]


def test_another_optimiser_on_the_way_begins_with_an_empty_memory():
    run = replay.trained(
        Playground.complete({"history": "optimizer=momentum<10", "optimizer": "Adam", "rate": 0.01})
    )
    run.at(12)
    assert {"momentum_buffer"} == set(run.states[10][0])
    assert run.states[11][0]["step"] == 1


def test_drawing_a_network_leaves_the_lessons_random_numbers_alone():
    nn.manual_seed(3)
    expected = nn.rand(4).tolist()
    nn.manual_seed(3)
    replay._KEPT.clear()
    Playground.measure(step=3)
    assert nn.rand(4).tolist() == expected


def test_one_example_is_a_step_along_its_gradient_alone():
    before = Playground.measure(step=5).main
    after = Playground.measure(step=6, history="one=17@5").main
    x, t = before.X[17], before.y[17]
    w1, b1, w2, b2 = before.weights
    h = np.tanh(w1 @ x + b1)
    dz = 1 / (1 + np.exp(-(w2 @ h + b2))) - t
    assert after.weights[2] == pytest.approx(w2 - 0.3 * dz * h)
    assert after.single == 17
    assert "one example, no. 17" in playground.say(playground.Numbers(after, None, False))


@pytest.mark.parametrize("data", replay.SETS)
def test_data_fits_the_window_and_is_held_out_in_half(data):
    X, y = replay.examples(data, 0.2, 1)
    assert set(np.unique(y)) == {0, 1}
    assert (np.abs(X) <= replay.REACH).mean() > 0.98
    numbers = Playground.measure(data=data, draw=1)
    part = numbers.main
    assert ("malignant" in playground.say(numbers)) == data.startswith("tumours")
    if data == "own points":
        assert (len(part.X), len(part.held_x), math.isnan(part.held[-1])) == (2, 0, True)
    else:
        assert (len(part.X), len(part.held_x)) == (100, 100)


def test_trained_states_over_a_grid_are_finite_or_say_why_not():
    grid = itertools.product(
        ("XOR", "own points"),
        (0, 2),
        replay.ACTIVATIONS,
        replay.LOSSES,
        replay.OPTIMIZERS,
        (0.1, 10.0),
    )
    broken = 0
    for data, depth, activation, loss, optimizer, rate in grid:
        part = Playground.measure(data=data, depth=depth, activation=activation, loss=loss, optimizer=optimizer,
                                  rate=rate, step=12).main  # fmt: skip
        broken += bool(part.broken)
        assert (part.step == 12 and np.isfinite(part.train).all()) or part.broken
        assert len(part.train) == len(part.held) == len(part.gradients) == part.step + 1
        assert part.gradients.shape[1] == depth + 1
        assert 0 <= part.right <= 1
        assert all(np.abs(maps).max() <= 1 + 1e-9 for maps in part.units)
    assert broken < 20


# ------------------------------------------------------------ what is no number any more


def test_a_run_that_breaks_says_where_and_when_and_goes_back():
    broken = Playground.measure(loss="squared error", rate=10.0, step=500).main
    assert broken.step < 200
    assert broken.step == broken.train.size - 1
    assert not math.isfinite(broken.train[-1])
    assert np.isfinite(broken.train[:-1]).all()
    assert broken.train[broken.best] == broken.train[:-1].min()
    assert f"Broken at step {broken.step}" in playground.say(
        playground.Numbers(broken, None, False)
    )
    assert Playground.measure(loss="cross entropy", rate=10.0, step=500).main.broken == ""


def test_the_place_that_is_named_is_the_first_that_is_no_number():
    weights = Playground.measure(history="w2[1,2]=999999@0", depth=4, activation="none", loss="squared error",
                                 rate=10.0, step=60).main  # fmt: skip
    assert re.fullmatch(
        r"the (weights|output|gradient) of (layer \d|the output layer)|the loss", weights.broken
    )
    run = replay.Run(replay.trained(Playground.complete()).plan)  # one that nobody keeps
    run.at(0)
    run.parameters[2].data[:] = math.inf
    assert run._where(run.training_set(0)[0]) == "the weights of the output layer"
    run._put(0)
    run.parameters[0].grad[:] = math.nan
    assert run._where(run.training_set(0)[0]) == "the gradient of layer 1"


def test_break_and_rescue_in_the_widget():
    experiment = Playground()
    experiment.predict("neither has")
    assert not experiment.met
    experiment.set(**Playground.complete({"loss": "squared error", "rate": 10.0}))
    experiment.forward(300)
    assert not experiment.met  # broken is half of it
    assert experiment._extra["play"].disabled
    assert experiment._extra["back"].layout.display is None
    best = experiment.numbers.main.best
    assert experiment._extra["back"].description == f"Back to step {best}"
    experiment._extra["back"].click()
    assert experiment.settings["step"] == best
    experiment.widgets["rate"].value = 0.1
    assert not experiment.met
    experiment.forward(200)
    assert experiment.met
    assert experiment.numbers.main.broken == ""
    assert experiment.numbers.main.right > 0.8
    assert experiment._extra["back"].layout.display == "none"


# ------------------------------------------------------------ what was done on the way


def test_a_control_acts_from_here_and_set_on_the_whole_run():
    experiment = Playground()
    experiment.set(step=40)
    before = experiment.numbers.main.train
    experiment.widgets["rate"].value = 1.0
    assert experiment.numbers.main.train == pytest.approx(before)
    assert experiment.settings["history"] == "rate=0.3<40"
    experiment.forward(20)
    experiment.widgets["rate"].value = 0.1
    assert experiment.settings["history"] == "rate=0.3<40 rate=1<60"
    experiment.set(step=50)  # back in time, and another way from there
    experiment.widgets["batch"].value = 50
    assert (experiment.settings["rate"], experiment.settings["history"]) == (
        1.0,
        "rate=0.3<40 batch=10<50",
    )
    experiment.widgets["depth"].value = 2
    assert (experiment.settings["step"], experiment.settings["history"]) == (0, "")
    whole = Playground()
    whole.set(step=40, rate=1.0)
    assert whole.numbers.main.train[1] != pytest.approx(before[1])


def test_moved_there_and_back_leaves_no_trace():
    experiment = Playground()
    experiment.set(step=10)
    for value in (3.0, 0.3):
        experiment.widgets["rate"].value = value
    assert experiment.settings["history"] == ""


def test_a_weight_by_hand():
    experiment = Playground()
    experiment.set(step=10)
    experiment._extra["weight"].value = (2, 1, 3)
    assert experiment.view.picture.count('data-id="chosen"') == 1
    shown = experiment._extra["value"].value
    assert shown == round(float(experiment.numbers.main.weights[2][0, 2]), 1)
    for value in (4.0, -2.5):
        experiment._extra["value"].value = value
    assert experiment.settings["history"] == "w2[1,3]=-2.5@10"
    assert experiment.numbers.main.weights[2][0, 2] == -2.5
    assert "Edited: layer 2, unit 1, from unit 3 is −2.5." in experiment.status
    experiment.widgets["width"].value = 2  # unit 3 is gone
    assert experiment._extra["weight"].value == (1, 1, 1)
    assert len(experiment._extra["weight"].options) == 2 * 3 + 3


def test_what_the_weight_slider_foresees_is_what_comes():
    experiment = Playground()
    experiment.set(step=5)
    shown = experiment._extra["value"].value
    experiment._foresee(*next(experiment._next_weights(0.1)))
    id, value, _, *frame = experiment.view.ahead
    assert (id, value) == (experiment._extra["value"].model_id, pytest.approx(shown + 0.1))
    experiment._extra["value"].value = value
    view = experiment.view
    assert frame == [view.picture, view.status, view.below, view.tiles, view.pixels, view.lattice]


def test_points_by_click_and_by_key():
    experiment = Playground()
    experiment.set(data="own points")
    left, top, width, height = playground.WIDE.plane
    experiment._message(
        None, {"type": "tap", "id": "plane", "at": [left + width / 2, top + height / 2]}, []
    )
    assert experiment.settings["history"] == "point(0,0,0)@0"
    experiment._message(
        None, {"type": "keys", "keys": ["c", "ArrowUp", "ArrowUp", "ArrowRight", "Enter"]}, []
    )
    assert experiment.settings["history"] == "point(0,0,0)@0 point(0.25,0.25,1)@0"
    assert "Cross at (0.25, 0.25)." in experiment.status
    assert (experiment.numbers.main.own, len(experiment.numbers.main.X)) == (2, 4)
    experiment._message(None, {"type": "keys", "keys": ["Backspace"]}, [])
    assert experiment.settings["history"] == "point(0,0,0)@0"
    experiment._message(None, {"type": "keys", "keys": ["."]}, [])
    assert experiment.settings["step"] == 1
    experiment._message(None, {"type": "keys", "keys": [","]}, [])  # the nearest to the cross
    assert experiment.settings["history"] == "point(0,0,0)@0 one=2@1"
    experiment._message(None, {"type": "keys", "keys": ["Home"]}, [])
    assert (experiment.settings["step"], experiment.settings["history"]) == (0, "point(0,0,0)@0")
    count = experiment.view.count
    experiment._message(None, {"type": "keys", "keys": ["z"]}, [])
    assert experiment.view.count == count + 1  # nothing happened, and the page hears so


def test_a_click_on_the_network_chooses_the_nearest_weight_in_both_layouts():
    experiment = Playground()
    experiment.set()
    for room, place in ((1000, playground.WIDE), (390, playground.NARROW)):
        experiment.view.room = room
        centres, side = playground.columns([2, 4, 1], place.net)
        (x1, y1), (x2, y2) = centres[0][1], centres[1][2]
        middle = [(x1 + x2) / 2, (y1 + y2) / 2]
        experiment._message(None, {"type": "tap", "id": "net", "at": middle}, [])
        assert experiment._extra["weight"].value == (1, 3, 2)
        assert f'viewBox="0 0 {place.width} ' in experiment.view.picture
        experiment._extra["weight"].value = (1, 1, 1)


@pytest.mark.parametrize("room", [0, 390, 780, 1000])
def test_every_picture_lies_inside_its_sheet_in_every_layout(room):
    for settings in (
        {},
        {"depth": 4, "width": 8, "held_out": True},
        {"depth": 0, "step": 30},
        Playground.prediction.after,
        {"data": "tumours (real)", "step": 30, "compare": "data=spirals; depth=4; width=8; optimizer=momentum"},
    ):
        numbers = Playground.measure(**settings)
        numbers.room, numbers.cross, numbers.chosen = room, (3.0, -3.0), (1, 1, 1)
        scene = playground.draw(numbers)
        for mark in scene.marks:
            for x, y in mark.points:
                assert -1 <= x <= scene.width + 1, mark
                assert -1 <= y <= scene.height + 1, mark
            if mark.kind == "text" and mark.anchor == "start":
                assert mark.points[0][0] + 0.5 * mark.size * len(mark.text) <= scene.width, mark


def test_two_runs_stand_on_one_scale_and_a_click_meets_the_one_that_runs():
    experiment = Playground()
    experiment.set(data="own points", compare="data=rings; loss=hinge; rate=3", step=70)
    for room, place, corner in (
        (1000, playground.HALF, (playground.HALF.width, 0)),
        (780, playground.NARROW, (playground.NARROW.width, 0)),
        (390, playground.NARROW, (0, 0)),
    ):
        experiment.view.room = room
        scene = playground.draw(experiment.numbers)
        (x0, y0), _ = scene.find("plane").points
        (u0, v0), _ = scene.find("plane A").points
        assert (x0 - corner[0], y0) == place.plane[:2]
        assert (x0 > u0 and y0 == v0) if room >= 700 else (x0 == u0 and y0 < v0)
        assert scene.texts().count("step 70") == 4  # both losses and both gradients end at one step
        ticks = [[(m.text, m.points[0][0] - x, m.points[0][1] - y) for m in scene.marks
                  if m.kind == "text" and re.fullmatch(r"1(e.?\d)?", m.text) and m.anchor == "end"
                  and x - 40 < m.points[0][0] < x + place.width - 40 and abs(m.points[0][1] - y) < 600]
                 for x, y in ((x0, y0), (u0, v0))]  # fmt: skip
        if room >= 700:
            assert len(ticks[0]) >= 6 and ticks[0] == ticks[1]
        experiment.set(history="")
        left, top, width, height = place.plane
        at = [corner[0] + left + 0.75 * width, corner[1] + top + 0.25 * height]
        experiment._message(None, {"type": "tap", "id": "plane", "at": at}, [])
        assert experiment.settings["history"] == "point(1.5,1.5,0)@70"
    said = experiment.status
    assert said.startswith("Run B. Step 70") and "Run A (" in said
    assert said.count("Gradients from the first layer to the last:") == 2


# ------------------------------------------------------------ states


def test_a_state_goes_through_its_text():
    experiment = Playground()
    experiment.set(
        data="spirals",
        depth=3,
        activation="ReLU",
        loss="hinge",
        rate=0.03,
        held_out=True,
        l2="0.01",
    )
    experiment.forward(30)
    experiment.widgets["optimizer"].value = "Adam"
    experiment._extra["value"].value = 2.0
    experiment.one()
    experiment._act(0.5, -0.25)
    text = experiment.share
    assert text.startswith("step=31; data=spirals; ")
    assert len(text) < 250
    assert experiment._extra["state"].value == text
    other = Playground()
    other.set()
    other._extra["state"].value = text
    assert other.settings == experiment.settings
    assert other.view.picture == experiment.view.picture
    assert playground.read(playground.share(Playground.complete())) == {
        "compare": "",
        "data": "moons",
    }


def test_two_runs_are_one_text_and_stand_at_the_same_step():
    experiment = Playground()
    experiment.set(data="rings", step=25)
    experiment.keep()
    assert experiment.numbers.other is not None
    experiment.widgets["optimizer"].value = "Adam"
    experiment.widgets["width"].value = 8
    assert experiment.settings["step"] == 0
    experiment.forward(40)
    assert (experiment.numbers.main.step, experiment.numbers.other.step) == (40, 40)
    assert "Run A (width 4, optimizer SGD): Loss" in experiment.status
    assert {m.id for m in playground.draw(experiment.numbers).marks} >= {
        "surface",
        "surface A",
        "loss A train",
    }
    text = experiment.share
    other = Playground()
    other.set(**playground.read(text))
    assert other.settings == experiment.settings
    experiment.drop()
    assert experiment.numbers.other is None
    assert "versus" not in experiment.share


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth", "state: cannot read 'depth'; it takes name=value"),
        ("colour=red", "state: cannot read 'colour=red'"),
        ("depth=two", "state: depth expects a int, got 'two'"),
        ("depth=9", "Playground: depth expects a number from 0 to 4, got 9"),
        ("rate=0.2", "Playground: rate expects one of"),
        ("history=w1[1=3", "history: cannot read"),
        ("history=point(9,9,1)@0", "a point lies between"),
        ("history=depth=1<4", "only loss, optimizer, rate, batch, l1, l2 change on the way"),
        ("history=loss=love<4", "loss is one of cross entropy"),
        ("history=rate=-1<4", "rate -1 is out of reach"),
        ("data=XOR versus depth=9", "depth expects a number"),
    ],
)
def test_a_text_that_cannot_be_read_is_said_and_changes_nothing(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        playground.read(text)
    experiment = Playground()
    experiment.set(step=3)
    before = experiment.settings
    experiment._extra["state"].value = text
    assert isinstance(experiment.error, ValueError)
    assert message in experiment._trouble.value.replace("&#x27;", "'")
    assert experiment.settings == before


# ------------------------------------------------------------ playing


def until(what):
    for _ in range(400):
        if what():
            return
        time.sleep(0.01)
    raise AssertionError("not within four seconds")


def test_play_makes_a_picture_for_each_that_was_seen_and_pauses():
    experiment = Playground()
    experiment.set()
    experiment._extra["pace"].value = 5
    experiment.play()
    try:
        assert experiment.playing
        assert experiment.view.live
        until(lambda: experiment.settings["step"] == 5)
        time.sleep(0.15)
        assert experiment.settings["step"] == 5  # nobody has seen it: none is queued
        for k in (10, 15, 20):
            experiment._message(None, {"type": "seen"}, [])
            until(lambda k=k: experiment.settings["step"] == k)
    finally:
        experiment.toggle()
    assert not experiment.playing
    assert not experiment.view.live
    assert experiment.view.status.startswith("Step 20,")
    step = experiment.settings["step"]
    experiment._message(None, {"type": "seen"}, [])
    time.sleep(0.15)
    assert experiment.settings["step"] == step
    assert experiment.numbers.main.step == step


def test_play_goes_on_through_moves_and_stops_where_it_breaks():
    experiment = Playground()
    experiment.set(loss="squared error")
    experiment._extra["pace"].value = 100
    experiment.play()
    try:
        until(lambda: experiment.settings["step"] >= 100)
        experiment.widgets["rate"].value = 10.0
        assert experiment.playing
        until(lambda: experiment.seen() or not experiment.playing)
    finally:
        experiment.pause()
    assert experiment.numbers.main.broken
    assert experiment.error is None
    assert "rate=0.3<" in experiment.settings["history"]


def test_moving_the_step_pauses():
    experiment = Playground()
    experiment.set()
    experiment.play()
    experiment.widgets["step"].value = 3
    assert not experiment.playing
    assert experiment.settings["step"] == 3


def test_a_gesture_counts_while_another_thread_draws():
    import threading

    experiment = Playground()
    experiment.set()
    inside, done = threading.Event(), threading.Event()

    def draws():
        with experiment.silent():
            inside.set()
            done.wait(0.2)

    thread = threading.Thread(target=draws)
    thread.start()
    inside.wait(4)
    experiment.widgets["rate"].value = 1.0  # waits for the drawing, and is not lost
    done.set()
    thread.join()
    assert experiment.settings["rate"] == 1.0
    assert experiment.numbers.main.settings["rate"] == 1.0
