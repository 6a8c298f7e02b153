"""The base of the experiments, and each experiment driven without a browser."""

from __future__ import annotations

import doctest
import importlib
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ipywidgets")
pytest.importorskip("anywidget")

import nnlib as nn
from nnlib import widgets
from nnlib.widgets.curves import TrainingCurves
from nnlib.widgets.experiment import UNDECIDED, Choice, Entry, Experiment, Flag, Number, Slider
from nnlib.widgets.scene import COLORS, Scene, number, ticks
from tests.experiments import other, within_reach

ALL = [getattr(widgets, name) for name in widgets.EXPERIMENTS]
each = pytest.mark.parametrize("kind", ALL, ids=widgets.EXPERIMENTS)


@each
def test_every_pair_of_settings_gives_numbers_a_picture_and_a_sentence(kind):
    grid = {
        name: [c.default, other(c, c.default)]
        + ([c.low, getattr(c, "soon", c.high)] if isinstance(c, Slider) else list(getattr(c, "options", ())))
        for name, c in kind.controls.items()
        if not isinstance(c, Entry | Number)
    }
    seen = set()
    for a, b in itertools.combinations(grid, 2):
        for x, y in itertools.product(dict.fromkeys(grid[a]), dict.fromkeys(grid[b])):
            settings = kind.complete({a: x, b: y})
            if tuple(settings.values()) in seen:
                continue
            seen.add(tuple(settings.values()))
            numbers = kind.measure(**settings)
            scene, said = kind.draw(numbers), kind.say(numbers)
            assert said and said == said.strip() and scene.marks
            for mark in scene.marks:  # nothing outside the sheet or at nan
                for px, py in mark.points:
                    assert -1 <= px <= scene.width + 1, (mark, a, x, b, y)
                    assert -1 <= py <= scene.height + 1, (mark, a, x, b, y)


@each
def test_same_settings_same_picture(kind):
    assert kind.draw(kind.measure()).svg() == kind.draw(kind.measure()).svg()


@each
def test_the_repr_is_fixed_and_is_what_a_page_without_a_kernel_shows(kind):
    experiment = kind()
    assert repr(experiment) == f"Run this cell to play: {kind.title}"
    bundle = experiment._repr_mimebundle_()
    assert bundle["text/plain"] == repr(experiment)
    assert "application/vnd.jupyter.widget-view+json" in bundle


@each
def test_static_picture_says_what_the_widget_says(kind):
    picture = kind.static()
    assert picture.text == kind.say(kind.measure(**kind.still))
    assert picture.png().startswith(b"\x89PNG")
    drawn = [text.get_text() for text in picture.figure.axes[0].texts]
    assert drawn == kind.draw(kind.measure(**kind.still)).texts()


@each
def test_prediction_comes_before_the_answer(kind):
    experiment = kind()
    assert not experiment.revealed
    assert experiment._controls.layout.display == "none"
    before = experiment.view.picture
    options = [button.description for button in experiment._asked.children[1].children]
    assert options == [*kind.prediction.options, UNDECIDED]
    assert kind.prediction.answer in options
    experiment._asked.children[1].children[-1].click()
    assert experiment.revealed
    assert experiment._controls.layout.display is None
    assert experiment.view.picture != before
    assert kind.prediction.answer in experiment._asked.children[0].value


@each
def test_a_wrong_and_a_right_prediction_are_told_apart(kind):
    wrong = next(o for o in kind.prediction.options if o != kind.prediction.answer)
    assert "and so it is" in kind().predict(kind.prediction.answer)
    assert f"It is “{kind.prediction.answer}”" in kind().predict(wrong)
    with pytest.raises(ValueError, match="predict: one of"):
        kind().predict("perhaps")


@each
def test_each_control_moves_the_settings_and_the_picture(kind):
    for name, control in kind.controls.items():
        experiment, _ = within_reach(kind, name)
        start = experiment.settings[name]
        count = experiment.view.count
        experiment.widgets[name].value = value = other(control, start)
        assert experiment.error is None
        assert experiment.view.count == count + 1  # one redraw for one move
        if name not in ("answer", "values"):
            assert experiment.settings[name] == value
        assert experiment.view.status == experiment.view.alt == experiment.status


def answer(view):
    return [view.picture, view.status, view.below, view.tiles, view.pixels, view.lattice]


@each
def test_what_is_sent_ahead_of_a_slider_is_what_the_kernel_answers(kind):
    sliders = {n: c for n, c in kind.controls.items() if isinstance(c, Slider)}
    for name, slider in sliders.items():
        experiment, _ = within_reach(kind, name)
        widget = experiment.widgets[name]
        onward = 1 if widget.value + slider.step <= widget.max else -1
        experiment._foresee(*next(experiment._next_steps(name, onward)))
        id, value, given, *frame = experiment.view.ahead
        assert (id, value) == (widget.model_id, pytest.approx(widget.value + onward * slider.step))
        assert id not in given
        widget.value = value
        assert answer(experiment.view) == frame
        assert experiment.view.ahead == []  # stale now


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind.grips], ids=lambda kind: kind.__name__)
def test_what_is_sent_ahead_of_a_drag_is_what_the_kernel_answers(kind):
    modes = [{}, *({"show": option} for option in getattr(kind.controls.get("show"), "options", ()))]
    dragged = set()
    for mode in modes:
        experiment = kind()
        experiment.set(**mode)
        assert set(experiment.view.lattice) <= {" ".join(i.split()[:n]) for i in kind.grips for n in (1, 2)}
        for id, axes in experiment.view.lattice.items():
            dragged.add(id)
            start = [(first + last) // 2 for *_, first, last in axes]
            experiment._message(None, {"type": "press", "id": id, "to": start}, [])
            moves = list(experiment._next_places(id, tuple(start), None))
            assert 2 <= len(moves) <= 30
            for gesture, place, act in moves[:3]:
                settings, count = experiment.settings, experiment.view.count
                experiment._foresee(gesture, place, act)
                assert (experiment.settings, experiment.view.count) == (settings, count)  # nothing has happened
                name, to, given, *frame = experiment.view.ahead
                assert (name, to) == (f"drag {id}", place)
                message = {"type": "drag", "id": id, "to": [int(k) for k in place.split()]}
                experiment._message(None, message, [])
                assert experiment.error is None
                assert answer(experiment.view) == frame
                assert bool(experiment.view.ahead) == kind.lasting  # a mark elsewhere: other places stay true
                moved = {n for n, v in experiment.settings.items() if v != settings[n]}
                assert not given.keys() & {experiment.widgets[n].model_id for n in moved}
                if not kind.lasting:
                    break
    assert len(dragged) >= 1


def test_a_look_ahead_waits_for_a_pause_and_skips_what_is_slow_or_out_of_range():
    import asyncio

    async def learner():
        experiment = widgets.FarPoint()
        experiment.set()
        slider, seen = experiment.widgets["far"], []
        experiment.view.observe(lambda change: seen.append(change["new"]), "ahead")
        for value in (11.0, 12.0, 20.0):
            slider.value = value
        assert seen == []
        await asyncio.sleep(0.3)
        assert [frame[1] for frame in seen] == [19.8]  # 20.2 is beyond the end
        experiment._took["far"] = 10.0
        slider.value = 15.0
        await asyncio.sleep(0.2)
        assert experiment.view.ahead == []

    asyncio.run(learner())


@each
def test_settings_can_be_saved_and_restored(kind):
    first = kind()
    first.set(
        **{n: other(c, c.default) for n, c in kind.controls.items() if isinstance(c, Choice | Flag)}
    )
    saved = json.loads(json.dumps(first.settings))
    second = kind()
    second.set(**saved)
    assert second.settings == first.settings
    assert second.view.picture == first.view.picture
    assert {n: w.value for n, w in second.widgets.items()} == second.settings


@each
def test_unknown_settings_and_values_raise(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__}: no setting 'colour'; there are"):
        kind().set(colour=1)
    name = next(n for n, c in kind.controls.items() if isinstance(c, Slider))
    with pytest.raises(ValueError, match=f"{kind.__name__}: {name} expects a number from"):
        kind(**{name: 10**6})
    with pytest.raises(ValueError, match="expects a number"):
        kind.measure(**{name: "three"})


@each
def test_set_is_one_redraw_and_challenge_starts_open(kind):
    experiment = kind()
    count = experiment.view.count
    experiment.set(**{n: c.default for n, c in kind.controls.items()})
    assert experiment.view.count == count + 1
    assert not experiment.met
    assert "Make it fail" in experiment._task.value


class Fragile(Experiment):
    title = "Fragile"
    controls = {"x": Slider("x", 1, 0, 5)}

    @staticmethod
    def compute(settings):
        return 1 / settings["x"]

    @staticmethod
    def draw(numbers):
        scene = Scene(10, 10)
        scene.text(5, 5, numbers)
        return scene

    say = staticmethod(lambda numbers: f"x is {numbers}")


def test_an_exception_shows_in_the_widget_and_goes_when_mended():
    experiment = Fragile()
    picture = experiment.view.picture
    experiment.widgets["x"].value = 0
    assert isinstance(experiment.error, ZeroDivisionError)
    assert "ZeroDivisionError" in experiment._trouble.value
    assert "Traceback" in experiment._trouble.value
    assert experiment.view.status.startswith("ZeroDivisionError")
    assert experiment.view.alt == "x is 1.0"  # what the picture still shows
    assert experiment.view.picture == picture
    experiment.widgets["x"].value = 2
    assert experiment.error is None
    assert experiment._trouble.value == ""
    assert experiment.status == "x is 0.5"


def test_a_drag_is_answered_even_when_it_fails():
    experiment = widgets.FarPoint()
    experiment.set()
    count = experiment.view.count
    experiment._message(None, {"type": "drag", "id": "far", "to": ["?", 0]}, [])
    assert isinstance(experiment.error, ValueError)
    assert experiment.view.count > count  # or the page would wait for ever
    experiment._message(None, {"type": "drag", "id": "somebody", "to": [0, 0]}, [])
    assert experiment.error is None


def test_importing_the_package_loads_neither_widgets_nor_matplotlib():
    code = (
        "import sys, nnlib.widgets as w; assert not {'ipywidgets', 'anywidget', 'matplotlib'} & set(sys.modules); "
        "w.FarPoint.draw(w.FarPoint.measure()).svg(); "
        "assert not {'ipywidgets', 'anywidget', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="nnlib.widgets has no 'Nothing'"):
        _ = widgets.Nothing


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "blue-tint", "red-tint", "green-tint", "glow"])
def test_text_has_contrast_on_every_ground(theme, ground):
    for role in (
        ("ink", "faint", "blue", "red")
        if ground != "paper"
        else ("ink", "faint", "blue", "red", "green", "purple")
    ):
        a, b = sorted((luminance(COLORS[role][theme]), luminance(COLORS[ground][theme])))
        assert (b + 0.05) / (a + 0.05) >= 4.4, (role, ground)


def test_scene_rejects_colours_that_no_theme_knows():
    with pytest.raises(ValueError, match="no colour role 'pink'"):
        Scene(1, 1).text(0, 0, "a", color="pink")
    with pytest.raises(KeyError, match="no mark has the id 'b'"):
        Scene(1, 1).find("b")


def test_numbers_in_words():
    assert [number(v) for v in (0.0, -12, 0.00012, 123456, 1e7, math.nan)] == [
        "0",
        "−12",
        "0.00012",
        "123500",
        "1e7",
        "nan",
    ]
    assert ticks(0, 1, 6) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


class Terminal:
    def __init__(self, tty: bool) -> None:
        self.tty, self.text = tty, ""

    def isatty(self) -> bool:
        return self.tty

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_curves_write_one_line_in_a_terminal_and_nothing_elsewhere(monkeypatch):
    for tty, quiet in ((True, False), (False, False), (True, True)):
        terminal = Terminal(tty)
        monkeypatch.setattr(sys, "stderr", terminal)
        curves = TrainingCurves("moons", quiet=quiet)
        curves.update(1, 4, loss=0.5)
        curves.update(4, 4, loss=0.25, accuracy=1.0)
        if tty and not quiet:
            assert terminal.text.count("\r") == 2
            assert terminal.text.count("\n") == 1
            assert "moons [#####               ] 1/4  loss 0.5" in terminal.text
        else:
            assert terminal.text == ""
        assert curves.series == {"loss": [(1.0, 0.5), (4.0, 0.25)], "accuracy": [(4.0, 1.0)]}


def test_curves_draw_seldom_but_always_the_end():
    curves = TrainingCurves("many", quiet=True)
    drawn = []
    curves._show = lambda: drawn.append(curves.done)
    curves.interval = 3600
    for i in range(1, 1001):
        curves.update(i, 1000, loss=1 / i)
    assert drawn == [1, 1000]
    curves.finish()
    assert len(drawn) == 3


def test_curves_draw_train_and_held_out_in_one_panel_and_survive_nan():
    from nnlib.widgets.curves import draw

    series = {
        "loss": [(1, 1.0), (2, math.nan), (3, 0.5)],
        "validation loss": [(1, 1.0), (2, math.inf), (3, 0.7)],
    }
    scene = draw(3, 10, series)
    assert {m.id for m in scene.marks} >= {"bar", "train loss", "held-out loss"}
    assert not scene.find("train loss").dash
    assert scene.find("held-out loss").dash
    assert draw(0, 0, {}).marks
    assert draw(1, 2, {"loss": [(1, math.nan)]}).svg()


def test_curves_show_themselves_once_in_a_notebook(monkeypatch):
    shown = []
    monkeypatch.setattr("nnlib.widgets.curves._in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    curves = TrainingCurves("moons")
    assert shown == [curves]
    assert (
        repr(curves)
        == curves._repr_mimebundle_()["text/plain"]
        == "Run this cell to watch the training: moons"
    )
    for i in range(5):
        curves.update(i + 1, 5, loss=1.0 - i / 10)
    assert len(shown) == 1
    assert "finished" in curves.view.status
    assert "<svg" in curves.view.picture


def test_fit_reports_to_the_curves(monkeypatch):
    import nnlib as nn

    made = []
    monkeypatch.setattr("nnlib.widgets.curves._in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", made.append)
    x = nn.linspace(-1, 1, 20).reshape(20, 1)
    model = nn.Linear(1, 1)
    nn.fit(
        model,
        (x, 3 * x),
        nn.MSELoss(),
        nn.optim.SGD(model.parameters(), lr=0.5),
        3,
        validation=(x, 3 * x),
        progress="a line",
    )
    assert repr(made[0]).endswith("a line")
    assert {name: len(points) for name, points in made[0].series.items()} == {
        "loss": 3,
        "validation loss": 3,
    }


@pytest.mark.parametrize("path", sorted(Path(widgets.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_doctests_run(path):
    module = importlib.import_module(f"nnlib.widgets.{path.stem}" if path.stem != "__init__" else "nnlib.widgets")
    assert doctest.testmod(module, extraglobs={"nn": nn, "np": np}).failed == 0
