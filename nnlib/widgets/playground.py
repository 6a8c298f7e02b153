"""The playground: a small network learns to split the plane while you watch, stop, reach in, and take it back.

What it shows beside the surface: every hidden unit, both losses, and the size of each layer's gradient. Surprises,
which need the loss and the gradient in sight: squared error after a sigmoid learns slowest where it is confidently
wrong, because its slope carries the factor p(1 − p), while cross entropy's is p − y; the contrast vanishes at a start
that is sure of nothing (``start="random"``). And behind three layers of sigmoid the first gradient is less than a
hundredth of the last, with tanh more than a tenth; with one hidden layer (``depth=1``) there is not enough to pass
through.

A state is a text: ``experiment.share`` gives it, the field under the controls takes it, and ``read`` makes settings of
it. ``set`` describes a state, so that ``set(rate=1.0)`` shows the whole run at that rate; a control that a learner
moves acts from the step shown on, and :mod:`~nnlib.widgets.replay` notes it in the setting ``history``.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, ClassVar

import numpy as np

from . import replay
from .experiment import (
    PAUSE,
    Challenge,
    Choice,
    Clock,
    Control,
    Entry,
    Experiment,
    Flag,
    Ladder,
    Move,
    Prediction,
    Slider,
)
from .replay import Edit, Point, Single
from .scene import Scene, number, plot_area
from .table_top import level_lines
from .ten_knobs import _spread

__all__ = ["Playground", "compute", "draw", "read", "say", "share"]

LAST = 5000  # steps of a run
LOOKS = (("blue", False), ("red", True), ("green", False), ("purple", True), ("ink", False))  # of layers: colour, dash
SIDE = 49  # places of the surface each way; a unit's picture shows every third
REACH = replay.REACH
VERSUS = " versus "
CLASSES = ("●", "■")  # blue and orange
CLASS_COLORS = ("blue", "red")
INK = np.array([(0, 114, 178), (213, 94, 0)], np.uint8)


@dataclass(eq=False)  # one is what it is: pictures are kept by it
class Part:
    """One run at one step."""

    settings: dict[str, Any]  # those in force at the step
    step: int
    epoch: int
    sizes: list[int]
    score: np.ndarray  # (SIDE, SIDE) output z over the window, top row first
    units: list[np.ndarray]  # of each hidden layer (units, 17, 17), scaled to −1 … 1
    weights: list[np.ndarray]  # W1, b1, W2, b2, …
    train: np.ndarray  # (step + 1,) loss so far
    held: np.ndarray
    gradients: np.ndarray  # (step + 1, layers)
    X: np.ndarray  # to learn from, own points last
    y: np.ndarray
    own: int
    held_x: np.ndarray
    held_y: np.ndarray
    right: float  # share of the examples
    held_right: float  # nan where none are held out
    single: int | None  # the example of the last step, if it was one alone
    edits: list[Edit]  # made at this step
    broken: str = ""  # where the first value that is no number stands
    best: int = 0  # the step of the lowest loss


@dataclass
class Numbers:
    """What the picture shows: the run, and run A beside it if one is kept."""

    main: Part
    other: Part | None
    held_out: bool  # draw those points too
    cross: tuple[float, float] | None = None  # of the keyboard
    chosen: tuple[int, int, int] | None = None  # layer, unit, source of the weight to edit
    room: int = 0  # pixels of the page, 0 where no page is
    rescued: bool = False  # a run that broke has since come to a lower loss than before


AXIS = np.linspace(-REACH, REACH, SIDE)
PLANE = np.stack(np.meshgrid(AXIS, AXIS[::-1]), -1).reshape(-1, 2)  # (SIDE², 2), top row first


def look(settings: dict[str, Any]) -> Part:
    """Train as far as the settings ask and measure what is there."""
    return _look(tuple(settings.items()))


@lru_cache(maxsize=8)
def _look(items: tuple[tuple[str, Any], ...]) -> Part:
    settings = dict(items)
    run = replay.trained(settings)
    step = run.at(settings["step"])
    X, y = run.training_set(step)
    held_x, held_y = run.held_out()
    outputs = run.outputs(step, np.concatenate([PLANE, X, held_x]))
    z, area = outputs[-1][:, 0], len(PLANE)
    right = (z[area:] > 0) == np.concatenate([y, held_y])
    units = []
    for values in outputs[:-1]:
        maps = np.nan_to_num(values[:area], posinf=0, neginf=0).T.reshape(-1, SIDE, SIDE)[:, ::3, ::3]
        units.append(_scaled(maps, settings["activation"]))
    moments = run.moments[: step + 1]
    last, now = moments[-1], run.plan.settings(step)
    train = np.array([m.train for m in moments])
    _, epoch = run.order(step, now["batch"], len(X))
    alone = [s.example for s in run.plan.history.singles if s.step == step - 1]
    return Part(
        {**settings, **now}, step, epoch, run.sizes, z[:area].reshape(SIDE, SIDE), units, run.edited(step),
        train, np.array([m.held for m in moments]), np.array([m.gradient for m in moments]),
        X, y, len(X) - run.split, held_x, held_y, float(right[: len(X)].mean()),
        float(right[len(X) :].mean()) if len(held_x) else math.nan, alone[0] % len(X) if alone else None,
        [e for e in run.plan.history.edits if e.step == step], last.sick,
        int(np.where(np.isfinite(train), train, math.inf).argmin()),
    )  # fmt: skip


def _scaled(maps: np.ndarray, activation: str) -> np.ndarray:
    if activation == "tanh":
        return maps
    if activation == "sigmoid":
        return 2 * maps - 1
    most = np.abs(maps).max((1, 2), keepdims=True)
    return np.clip(maps / np.where(most > 0, 0.6 * most, 1), -1, 1)  # the corners of the window are far out


def compute(settings: dict[str, Any]) -> Numbers:
    """The run of these settings at their step, and run A at the same step."""
    main = look(settings)
    other = None
    if settings["compare"]:
        other = look({**Playground.complete(read(settings["compare"])), "step": main.step})
    return Numbers(main, other, settings["held_out"])


# ---------------------------------------------------------------- a state as a text


def share(settings: dict[str, Any]) -> str:
    """The text of a state: what differs from the defaults, and the data.

    >>> share(Playground.complete({"data": "XOR", "rate": 0.03, "step": 240}))
    'step=240; data=XOR; rate=0.03'
    """
    words = []
    for name, control in Playground.controls.items():
        value = settings[name]
        if name != "compare" and (name == "data" or value != control.default):
            words.append(f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}")
    text = "; ".join(words)
    return f"{text}{VERSUS}{settings['compare']}" if settings["compare"] else text


def read(text: str) -> dict[str, Any]:
    """The settings of a text that :func:`share` made.  Raises ValueError that says what cannot be read.

    >>> read("data=XOR; rate=0.03; step=240")
    {'compare': '', 'data': 'XOR', 'rate': 0.03, 'step': 240}
    """
    mine, _, other = text.partition(VERSUS)
    result: dict[str, Any] = {"compare": other.strip()}
    for part in mine.split(";"):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        if not sign or name not in Playground.controls:
            names = ", ".join(Playground.controls)
            raise ValueError(f"state: cannot read {part.strip()!r}; it takes name=value; name=value with {names}.")
        kind = type(Playground.controls[name].default)
        try:
            result[name] = {"True": True, "False": False}[value] if kind is bool else kind(value)
        except (ValueError, KeyError):
            raise ValueError(f"state: {name} expects a {kind.__name__}, got {value!r}.") from None
    if other:
        Playground.complete(read(other))  # a wrong one is said here, not while drawing
    replay.History.read(result.get("history", ""))
    Playground.complete(result)
    return result


# ---------------------------------------------------------------- picture


@dataclass(frozen=True)
class Layout:
    """Where the parts of one run stand; each area is left, top, width, height."""

    width: float
    height: float  # of one run
    net: tuple[float, float, float, float]
    plane: tuple[float, float, float, float]
    loss: tuple[float, float, float, float]
    gradient: tuple[float, float, float, float]
    titles: int  # lines


WIDE = Layout(1000, 400, (24, 50, 400, 296), (458, 50, 296, 296), (806, 66, 128, 112), (806, 234, 128, 112), 1)
HALF = Layout(510, 612, (24, 74, 462, 186), (26, 326, 260, 260), (340, 342, 98, 88), (340, 498, 98, 88), 3)
NARROW = Layout(320, 972, (24, 76, 276, 240), (26, 396, 284, 284), (44, 740, 204, 84), (44, 872, 204, 66), 3)


def arranged(numbers: Numbers) -> tuple[Layout, list[tuple[float, float]]]:
    """The layout of the page, and the corner of the run and of run A: to its left, on a narrow page below it."""
    narrow = 0 < numbers.room < 700
    if numbers.other is None:
        return NARROW if narrow else WIDE, [(0, 0)]
    place = NARROW if 0 < numbers.room < 860 else HALF
    return place, [(0, 0), (0, place.height)] if narrow else [(place.width, 0), (0, 0)]


def draw(numbers: Numbers) -> Scene:
    """Network, surface, losses and gradients of the run, and of run A beside it on the same scales."""
    base = _drawn(numbers.main, numbers.other, numbers.held_out, numbers.chosen, numbers.room)
    scene = Scene(base.width, base.height)
    scene.marks = list(base.marks)
    if numbers.cross:
        place, ((right, _), *_rest) = arranged(numbers)
        left, top, width, height = place.plane
        left += right
        x, y = plot_area((-REACH, REACH), (-REACH, REACH), (left, top, width, height))(*numbers.cross)
        scene.line((max(x - 14, left), y), (min(x + 14, left + width), y), width=3, id="cross")
        scene.line((x, max(y - 14, top)), (x, min(y + 14, top + height)), width=3)
    return scene


@lru_cache(maxsize=8)
def _drawn(main: Part, other: Part | None, held_out: bool, chosen: Any, room: int) -> Scene:
    """All but the cross, which moves while nothing else does."""
    numbers = Numbers(main, other, held_out, chosen=chosen, room=room)
    place, corners = arranged(numbers)
    parts = [main, other] if other else [main]
    scene = Scene(place.width + max(x for x, _ in corners), place.height + max(y for _, y in corners))
    losses = _decades([v for p in parts for v in (p.train, p.held)], (-2, 0), (-5, 5))
    sizes = _decades([p.gradients for p in parts], (-2, 0), (-8, 5))
    until = max(50, *(p.step for p in parts))
    for part, (right, down) in zip(parts, corners):
        mine = part is main
        net, plane, loss, gradient = (
            (x + right, y + down, w, h) for x, y, w, h in (place.net, place.plane, place.loss, place.gradient)
        )
        name = "" if other is None else "run B · " if mine else "run A · "
        for line, text in enumerate(_titles(part, place.titles)):
            scene.text(net[0] - 8, down + 16 + 20 * line, (name if line == 0 else "") + text, anchor="start",
                       bold=line == 0, size=14)  # fmt: skip
        if right or down:
            ends = ((right, 8), (right, place.height - 8)) if right else ((8, down - 8), (place.width - 8, down - 8))
            scene.line(*ends, color="faint", width=1)
        _network(scene, numbers, part, net, mine, plane if place is WIDE else None)
        _surface(scene, numbers, part, plane, mine)
        end = "" if mine else " A"
        held = "" if math.isnan(part.held[-1]) else f", held out {number(part.held[-1], 2)}"
        _panel(scene, loss, losses, f"loss {number(part.train[-1], 2)}{held}", part.step, until, [
            ("train", part.train, "blue", False), ("held out", part.held, "red", True)], "loss" + end)  # fmt: skip
        lines = [(_short(k, part.sizes), _epoch_mean(part, k - 1), *LOOKS[k - 1]) for k in range(1, len(part.sizes))]
        _panel(scene, gradient, sizes, "gradient by layer", part.step, until, lines, "gradient" + end)
    return scene


def _epoch_mean(part: Part, k: int) -> np.ndarray:
    """A layer's gradient by step, the root mean square over the epoch before it: a batch's own jumps about."""
    many = min(math.ceil(len(part.X) / min(part.settings["batch"], len(part.X))), part.step + 1)
    with np.errstate(all="ignore"):
        total = np.concatenate([np.zeros(1), np.cumsum(part.gradients[:, k] ** 2)])
        first = np.maximum(np.arange(part.step + 1) - many + 1, 0)
        return np.sqrt(np.maximum(total[1:] - total[first], 0) / (np.arange(part.step + 1) - first + 1))


def _titles(part: Part, lines: int) -> list[str]:
    s = part.settings
    what = f"{s['data']}, noise {number(s['noise'])}" if s["data"] in replay.SETS[:5] else s["data"]
    net = "-".join(map(str, part.sizes)) + (f" {s['activation']}" if s["depth"] else "")
    how = f"{s['optimizer']} {number(s['rate'], 3)} · batch {s['batch']}"
    for name in ("l1", "l2"):
        how += f" · {name.upper()} {s[name]}" if s[name] != "0" else ""
    if lines == 1:
        return [f"step {part.step} · {what} · {net} · {s['loss']} · {how}"]
    return [f"step {part.step} · {what}", f"{net} · {s['loss']}", how]


def _short(k: int, sizes: list[int]) -> str:
    return "out" if k == len(sizes) - 1 else str(k)


def shade(t: np.ndarray) -> np.ndarray:
    """−1 … 1 as RGBA bytes: blue below, orange above, the paper shining through near 0."""
    t = np.nan_to_num(t, posinf=0, neginf=0)
    rgba = np.empty((*t.shape, 4), np.uint8)
    rgba[..., :3] = INK[(t > 0).astype(int)]
    rgba[..., 3] = (165 * np.minimum(np.abs(t), 1)).astype(np.uint8)
    return rgba


def confidence(loss: str, z: np.ndarray) -> np.ndarray:
    """How sure an output is: 2σ(z) − 1 where a sigmoid follows, z itself between −1 and 1 where none does."""
    return np.clip(z, -1, 1) if loss in (replay.HINGE, replay.SQUARED) else np.tanh(z / 2)


def _surface(scene: Scene, numbers: Numbers, part: Part, area: Any, mine: bool) -> None:
    left, top, width, height = area
    at = plot_area((-REACH, REACH), (-REACH, REACH), area)
    end = "" if mine else " A"
    colours = shade(confidence(part.settings["loss"], part.score))
    scene.image(left, top, width, height, colours, id="surface" + end)
    if np.isfinite(part.score).all():
        for line in level_lines(AXIS, AXIS[::-1], part.score, 0.0):
            scene.line(*[at(*p) for p in line], width=2.5, id="boundary" + end)
    for X, y, learned in ((part.held_x, part.held_y, False), (part.X, part.y, True)):
        if not learned and not numbers.held_out:
            continue
        px, py = at(*np.clip(X, -REACH, REACH).T)
        px, py = np.clip(px, left + 4, left + width - 4), np.clip(py, top + 4, top + height - 4)
        for i, (x, v, label) in enumerate(zip(px.tolist(), py.tolist(), y.tolist())):
            color = CLASS_COLORS[label]
            edge = color if not learned else "ink" if i >= len(X) - part.own else "paper"
            if label:
                scene.box(x - 4, v - 4, 8, 8, color=edge, fill=color if learned else "paper", width=1.3)
            else:
                scene.circle(x, v, 4.5, color=edge, fill=color if learned else "paper", width=1.3)
    if part.single is not None and part.single < len(part.X):
        px, py = at(*np.clip(part.X[part.single], -REACH, REACH))
        scene.circle(px, py, 11, color="ink", width=2.5, id="single" + end)
    scene.box(left, top, width, height, color="faint", width=1, id="plane" if mine else "plane A")
    if part.broken:
        scene.box(left + width / 2 - 100, top + height / 2 - 18, 200, 36, color="red", fill="paper", radius=6)
        scene.text(left + width / 2, top + height / 2, "✗ no number any more", color="red", bold=True, size=15)
    for tick in (-2, 0, 2):
        scene.text(at(tick, 0)[0], top + height + 13, number(tick), size=12, color="faint")
        scene.text(left - 5, at(0, tick)[1], number(tick), size=12, color="faint", anchor="end")
    told = f"{number(100 * part.right, 3)} % right"
    if not math.isnan(part.held_right):
        told += f", held out {number(100 * part.held_right, 3)} %"
    scene.text(left, top - 12, told, anchor="start", bold=True, size=13)


def columns(sizes: list[int], area: tuple[float, float, float, float]) -> tuple[list[list[tuple[float, float]]], float]:
    """The centres of inputs, units and output, column by column, and the side of a unit's picture."""
    left, top, width, height = area
    gap = width / len(sizes)
    side = min(44.0, 0.55 * gap, height / max(sizes) - 5)
    places = []
    for k, count in enumerate(sizes):
        x = left + side / 2 + k * (width - side) / (len(sizes) - 1)
        pitch = min(height / count, 1.6 * side + 12)
        places.append([(x, top + height / 2 + (j - (count - 1) / 2) * pitch) for j in range(count)])
    return places, side


def _network(scene: Scene, numbers: Numbers, part: Part, area: Any, mine: bool, plane: Any) -> None:
    places, side = columns(part.sizes, area)
    half = side / 2
    for k in range(1, len(part.sizes)):
        weight = part.weights[2 * k - 2]
        for j, (x2, y2) in enumerate(places[k]):
            for i, (x1, y1) in enumerate(places[k - 1]):
                ends = (x1 + half, y1), (x2 - (half if k + 1 < len(part.sizes) else 12), y2)
                w = float(weight[j, i])
                size = min(abs(w), 4) if math.isfinite(w) else 0
                if mine and numbers.chosen == (k, j + 1, i + 1):
                    scene.line(*ends, color="glow", width=13, id="chosen")
                scene.line(*ends, color="red" if w > 0 else "blue", width=0.6 + 1.4 * size, dash=w < 0)
        x = (places[k - 1][0][0] + places[k][0][0]) / 2
        last = part.gradients[-1, k - 1]
        scene.text(
            x,
            area[1] + area[3] + 14,
            number(last, 2),
            size=13 if len(part.sizes) < 6 else 12,
            color=LOOKS[k - 1][0],
            bold=True,
            id=f"∂ {k}",
        )
    if plane is not None:
        x, y = places[-1][0]
        scene.line((x + 12, y), (plane[0] - 18, y), color="faint", arrow=True)
    scene.text(area[0] - 8, area[1] + area[3] + 32, "gradient of the weights above (root mean square)", anchor="start",
               size=12, color="faint")  # fmt: skip
    inputs = np.stack([PLANE[:, i].reshape(SIDE, SIDE)[::3, ::3] / REACH for i in (0, 1)])
    maps = [inputs, *part.units]
    for k, column in enumerate(places[:-1]):
        for j, (x, y) in enumerate(column):
            name = f"unit {k} {j + 1}" + ("" if mine else " A")
            scene.image(x - half, y - half, side, side, shade(maps[k][j]), id=name)
            picked = mine and numbers.chosen is not None and (k, j + 1) == (numbers.chosen[0], numbers.chosen[1])
            scene.box(x - half, y - half, side, side, color="ink", width=3 if picked else 1)
            if k == 0:
                scene.text(x - half - 4, y, ("x₁", "x₂")[j], anchor="end", size=13)
    x, y = places[-1][0]
    scene.circle(x, y, 12, fill="paper", width=1.5)
    scene.text(x, y, "z", size=14, bold=True)
    if mine:
        scene.box(*area, color="none", id="net")


def _decades(series: list[np.ndarray], least: tuple[int, int], most: tuple[int, int]) -> tuple[int, int]:
    """Powers of ten that hold all finite positive values, within ``most``, at least ``least``."""
    values = np.concatenate([s.ravel() for s in series])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = least
    if len(values):
        low = min(low, math.floor(math.log10(max(values.min(), 1e-300))))
        high = max(high, math.ceil(math.log10(values.max())))
    return max(low, most[0]), min(high, most[1])


def _panel(
    scene: Scene, area: Any, decades: tuple[int, int], title: str, step: int, until: int, lines: list[Any], id: str
) -> None:
    """Curves by step on a logarithmic axis; each has its name at its end."""
    left, top, width, height = area
    low, high = decades
    at = plot_area((0, until), (low, high), area)
    scene.text(left - 34, top - 14, title, anchor="start", bold=True, size=13)
    for power in range(low, high + 1, max(1, math.ceil((high - low) / 4))):
        y = at(0, power)[1]
        scene.line((left, y), (left + width, y), color="grid", width=1)
        text = f"1e{power}".replace("-", "−") if power else "1"
        scene.text(left - 5, y, text, anchor="end", size=12, color="faint")
    scene.text(left, top + height + 13, "0", size=12, color="faint")
    scene.text(left + width, top + height + 13, f"step {until}", size=12, color="faint", anchor="end")
    chosen = np.unique(np.linspace(0, step, min(step + 1, 160)).astype(int))
    ends = []
    for name, values, color, dash in lines:
        if np.isnan(values).all():
            continue
        logs = np.clip(np.log10(np.maximum(values, 1e-300)), low, high)
        points = [(int(s), float(v)) for s, v in zip(chosen, logs[chosen]) if math.isfinite(v)]
        scene.line(*[at(*p) for p in points], color=color, dash=dash, width=2, id=f"{id} {name}")
        if points:
            x, y = at(*points[-1])
            scene.circle(x, y, 3, color=color, fill=color)
            ends.append((x, y, name, color))
    for (x, _, name, color), y in zip(ends, _spread([e[1] for e in ends], top, top + height, 14)):
        scene.text(x + 7, y, name, size=12, color=color, bold=True, anchor="start")


# ---------------------------------------------------------------- words


def say(numbers: Numbers) -> str:
    """What is trained how, both losses and the gradients in words; what broke; what differs from run A."""
    n = numbers.main
    s = n.settings
    own = f" and {n.own} own point{'s' * (n.own > 1)}" if n.own else ""
    noise = f", noise {number(s['noise'])}" if s["data"] in replay.SETS[:5] else ""
    many = "all at once" if s["batch"] >= len(n.X) else f"in batches of {s['batch']}"
    text = [
        f"Step {n.step}, epoch {n.epoch}: {s['data']}{noise}, draw {s['draw']}{own}; network "
        f"{'-'.join(map(str, n.sizes))}{' with ' + s['activation'] if s['depth'] else ''}, start {s['start']}; "
        f"{s['loss']}, {s['optimizer']} at rate {number(s['rate'], 3)}, {len(n.X)} examples {many}"
        + "".join(f", {k.upper()} {s[k]}" for k in ("l1", "l2") if s[k] != "0")
        + ".",
        _result(n),
    ]
    if numbers.other:
        text.insert(0, "Run B.")
    if n.single is not None:
        text.append(f"The last step learned from one example, no. {n.single}, a {CLASSES[n.y[n.single]]}.")
    for e in n.edits:
        what = f"from {_source(e.layer, e.source)}" if e.source else "bias"
        text.append(f"Edited: layer {e.layer}, unit {e.unit}, {what} is {number(e.value)}.")
    if numbers.cross:
        text.append("Cross at ({}, {}).".format(*(number(v, 3) for v in numbers.cross)))
    if s["data"] == replay.SETS[5]:
        text.append("x₁ is the mean radius of cell nuclei, x₂ their mean texture; ● malignant, ■ benign.")
    if numbers.held_out:
        text.append("Hollow: held out.")
    if numbers.other:
        text.append(f"Run A ({_differs(numbers.other, n)}): {_result(numbers.other)}")
    return " ".join(text)


def _result(part: Part) -> str:
    """Loss, share of right answers, and gradients; or where and when the run broke."""
    if part.broken:
        where = f"no number any more in {part.broken}. Lowest loss: step {part.best}."
        return f"No loss. ✗ Broken at step {part.step}: {where}"
    held = "" if math.isnan(part.held_right) else (
        f", held out {number(part.held[-1])} ({number(100 * part.held_right, 3)} %)")  # fmt: skip
    sizes = ", ".join(number(g, 2) for g in part.gradients[-1])
    return (f"Loss {number(part.train[-1])} ({number(100 * part.right, 3)} % right){held}. "
            f"Gradients from the first layer to the last: {sizes}.")  # fmt: skip


def _differs(a: Part, b: Part) -> str:
    names = (*replay.BEGUN, *replay.GOES_ON)
    found = [f"{name} {a.settings[name]}" for name in names if a.settings[name] != b.settings[name]]
    if a.settings["history"] != b.settings["history"]:
        found.append("another history")
    return ", ".join(found) or "the same"


def _source(layer: int, source: int) -> str:
    return ("x₁", "x₂")[source - 1] if layer == 1 else f"unit {source}"


# ---------------------------------------------------------------- the thing to play with

STRENGTHS = ("0", "0.0001", "0.001", "0.01", "0.1")
ACTS = ("add a ●", "add a ■", "remove the nearest own point", "learn from the nearest example")
PACES = {f"{k} step{'s' * (k > 1)} a picture": k for k in (1, 2, 5, 20, 100)}
FRAME, CALM_FRAME = (0.05, 0.5)  # seconds between pictures; the second where little motion was asked for
STEP = 0.25  # the cross moves by


class Playground(Experiment):
    """A network in the plane, trained live: any step again, one example alone, weights by hand, two runs.  Lesson 12.

    >>> numbers = Playground.measure(data="blobs", step=100)
    >>> numbers.main.right
    1.0
    """

    title = "Playground"
    controls: ClassVar[dict[str, Control]] = {
        "step": Clock("step", 0, 0, LAST),
        "data": Choice("data", "moons", replay.SETS),
        "noise": Slider("noise", 0.2, 0.0, 1.0, 0.05),
        "draw": Slider("draw", 0, 0, 9),
        "held_out": Flag("show held-out points", False),
        "depth": Slider("hidden layers", 1, 0, 4),
        "width": Slider("units in each", 4, 1, 8),
        "activation": Choice("activation", "tanh", tuple(replay.ACTIVATIONS)),
        "start": Choice("start", "random", replay.STARTS),
        "loss": Choice("loss", replay.CROSS, replay.LOSSES),
        "optimizer": Choice("optimiser", "SGD", replay.OPTIMIZERS),
        "rate": Ladder("rate", 0.3, (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)),
        "batch": Slider("batch", 10, 1, replay.COUNT),
        "l1": Choice("L1", "0", STRENGTHS),
        "l2": Choice("L2", "0", STRENGTHS),
        "history": Entry("history", ""),
        "compare": Entry("run A", ""),
    }
    rows = (
        ("play", "next", "example", "reset", "back", "step", "pace"),
        ("data", "noise", "draw", "held_out"),
        ("depth", "width", "activation", "start"),
        ("loss", "optimizer", "rate", "batch", "l1", "l2"),
        ("act", "weight", "value"),
        ("keep", "drop", "state", "copy"),
    )
    still = {"data": "rings", "step": 500}
    least = 260
    fits = True
    taps = ("plane", "net")
    keys = ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Enter", "Backspace", "c", " ", ".", ",", "Home")
    foreseen = keys[:4]
    hint = (
        "Keys on the picture: arrows move a cross, Enter does there what a click does, c chooses what that is, "
        "Backspace removes the nearest own point; Space plays and pauses, . makes one step, a comma learns from one "
        "example, Home resets."
    )
    prediction = Prediction(
        "Two copies of one network start out sure of ●: they give it probability 0.9997 everywhere, and half of the "
        "points are ■. One learns by cross entropy, the other by squared error after the sigmoid, at the same rate. "
        "After 300 steps:",
        ("both have learned", "only cross entropy has", "only squared error has", "neither has"),
        "only cross entropy has",
        "The slope of squared error carries the factor p(1 − p), here 0.0003: next to nothing exactly where the "
        "network is wrong and sure. Cross entropy’s is p − y, in full. Compare the gradients of the two runs.",
        before={"data": "XOR", "start": "sure of ●", "step": 0},
        after={"data": "XOR", "start": "sure of ●", "step": 300, "loss": replay.CROSS,
               "compare": "data=XOR; start=sure of ●; loss=squared error after σ"},
    )  # fmt: skip
    challenge = Challenge(
        "Break it: train until the loss is no number any more. Then go back to its best step and, with one "
        "change, train on to a lower loss than it ever had.",
        lambda numbers: numbers.rescued,
        "The slope of a squared error grows with the error, so a step too long makes the next one longer. The slopes "
        "of cross entropy and hinge never exceed 1, which makes them much harder to break.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)

    def __init__(self, **settings: Any) -> None:
        import ipywidgets as w

        def button(label: str, tip: str, act: Any, width: str = "auto") -> Any:
            made = w.Button(description=label, tooltip=tip, layout={"width": width})
            made.on_click(lambda _: self._do(act))
            return made

        def menu(label: str, options: Any) -> Any:
            return w.Dropdown(options=options, description=label, style={"description_width": "initial"},
                              layout={"width": "min(19em, 98%)"})  # fmt: skip

        self._cross: tuple[float, float] | None = None
        self._player: threading.Thread | None = None
        self._painted = threading.Event()
        self._before: dict[str, Any] = {}
        self._sizes: list[int] = []
        self._to_beat = -math.inf  # the lowest loss of a run that broke
        self._shown_weight = 0.0
        self._extra = {
            "play": button("▶ Play", "train on, picture by picture", self.toggle, "88px"),
            "next": button("One step", "one step of the optimiser", self.forward),
            "example": button("One example", "a step that learns from a single example", self.one),
            "reset": button("Reset", "to step 0, and forget what was done on the way", self.reset),
            "back": button("Back", "to the step with the lowest loss", self.rescue),
            "pace": menu("speed", PACES),
            "act": menu("a click on the plane will", ACTS),
            "weight": menu("edit", [("w", (1, 1, 1))]),
            "value": w.FloatSlider(min=-8, max=8, step=0.1, description="to", style={"description_width": "initial"},
                                   layout={"width": "min(300px, 98%)"}),
            "keep": button("Keep as run A", "keep this run to compare with", self.keep),
            "drop": button("Drop run A", "show one run alone", self.drop),
            "state": w.Text(description="state", continuous_update=False, style={"description_width": "initial"},
                            layout={"width": "min(560px, 98%)"}),
            "copy": w.Button(description="Copy", tooltip="copy the state, to send or keep", layout={"width": "auto"}),
        }  # fmt: skip
        self._extra["copy"].add_class("nn-copy")  # the page does it
        self._extra["pace"].value = 2
        self._extra["act"].layout.width = self._extra["weight"].layout.width = "min(25em, 98%)"
        self._extra["play"].button_style = "primary"
        self._extra["back"].button_style = "warning"
        self._extra["weight"].observe(lambda _: self._do(self._choose), "value")
        self._extra["value"].observe(lambda change: self._do(self._edit, change["new"]), "value")
        self._extra["state"].observe(lambda change: self._do(self._pasted, change["new"]), "value")
        super().__init__(**settings)
        self.box.add_class("nn-tall")
        self._task.add_class("nn-last")
        for name in ("step", "noise", "draw", "depth", "width"):
            self.widgets[name].layout.width = "min(250px, 98%)"
        for name in ("rate", "batch"):
            self.widgets[name].layout.width = "min(215px, 98%)"
        for name in ("l1", "l2"):
            self.widgets[name].layout.width = "min(8em, 98%)"
        self.view.controls = [*self.view.controls, self._extra["value"].model_id]
        self.view.observe(lambda change: self._fit(change["new"]), "room")

    def _part(self, name: str) -> Any:
        return self._extra[name] if name in self._extra else super()._part(name)

    def _do(self, act: Any, *values: Any) -> None:
        """What a learner's gesture does, unless the widget moved because the picture did."""
        if not self.quiet:
            with self._shown():
                act(*values)

    # ------------------------------------------------------------ training

    @property
    def playing(self) -> bool:
        return self._player is not None

    def toggle(self) -> None:
        """Play, or pause."""
        self.pause() if self.playing else self.play()

    def play(self) -> None:
        """Train on until paused, broken or at the last step, in a thread: the page and the notebook stay free."""
        if not self.playing and self._settings["step"] < LAST:
            self.view.live = True
            self._player = threading.Thread(target=self._play, daemon=True)
            self._label()
            self._player.start()

    def pause(self) -> None:
        """Stop playing; the picture and its sentence stay."""
        if self._player is not None:
            self._player = None
            self.view.live = False
            self._redraw()

    def _play(self) -> None:
        """Picture after picture: each is made when the page has painted the last one, at most 20 a second."""
        while True:
            begin, calm = time.monotonic(), self.view.calm
            with self._lock:  # the steps of a picture count as one gesture
                if self._player is not threading.current_thread():
                    return
                self._painted.clear()
                self.forward(self._extra["pace"].value * (10 if calm else 1))
                if self.error or self.numbers.main.broken or self._settings["step"] >= LAST:
                    self.pause()
                    return
            self._painted.wait(1)  # where nobody looks, a picture a second
            frame = CALM_FRAME if calm else FRAME
            time.sleep(max(frame - (time.monotonic() - begin), 0.002))

    def seen(self) -> None:
        """The page has painted: the next picture may come."""
        self._painted.set()

    def forward(self, steps: int = 1) -> None:
        """Train ``steps`` steps on."""
        self.set(step=min(self._settings["step"] + steps, LAST))

    def one(self) -> None:
        """Learn from one example: the nearest to the cross, or the next in order."""
        part = self.numbers.main
        if self._cross is None:
            run = replay.trained({**self._settings, "step": part.step})
            batch, _ = run.order(part.step, 1, len(part.X))
            index = int(batch[0])
        else:
            index = self._nearest(part.X, self._cross)
        self._learn(index)

    def _learn(self, index: int) -> None:
        self._note(Single(self._settings["step"], index), steps=1)

    def reset(self) -> None:
        """To step 0; own points stay, what else was done is forgotten."""
        self.set(step=0, history=self._points())

    def rescue(self) -> None:
        """Back to the step with the lowest loss, from where another setting may go on."""
        self.pause()
        self.set(step=self.numbers.main.best)

    def _points(self) -> str:
        points = replay.History.read(self._settings["history"]).points
        return str(replay.History(points=tuple(p._replace(step=0) for p in points)))

    def _note(self, item: Any, steps: int = 0) -> None:
        settings = self.settings
        replay.done(settings, item)
        self.set(**{**settings, "step": min(settings["step"] + steps, LAST)})

    def moved(self, name: str) -> None:
        """Another network or other data begin anew; everything else goes on from the step shown."""
        if name in replay.BEGUN:
            self._settings.update(step=0, history=self._points())
        elif name in replay.GOES_ON:
            replay.changed(self._settings, self._before, name)
        elif name == "step":
            self.pause()

    # ------------------------------------------------------------ reaching in

    def tap(self, id: str, x: float, y: float) -> None:
        """A click: on the plane what the list says, on the network it chooses the nearest weight."""
        place, ((right, _), *_rest) = arranged(self.numbers)
        x -= right
        if id == "net":
            self._pick(x, y, place)
            return
        left, top, width, height = place.plane
        self._act(2 * REACH * (x - left) / width - REACH, REACH - 2 * REACH * (y - top) / height)

    def _act(self, x: float, y: float) -> None:
        act = ACTS.index(self._extra["act"].value)
        x, y = (round(min(max(v, -REACH), REACH), 2) for v in (x, y))
        if act < 2:
            self._note(Point(self._settings["step"], x, y, act))
        elif act == 2:
            self._remove((x, y))
        else:
            self._learn(self._nearest(self.numbers.main.X, (x, y)))

    @staticmethod
    def _nearest(points: np.ndarray, place: tuple[float, float]) -> int:
        return int(((points - np.array(place)) ** 2).sum(1).argmin())

    def _remove(self, place: tuple[float, float]) -> None:
        history = replay.History.read(self._settings["history"])
        if history.points:
            index = self._nearest(np.array([[p.x, p.y] for p in history.points]), place)
            kept = tuple(p for i, p in enumerate(history.points) if i != index)
            self.set(history=str(replay.replace(history, points=kept)))

    def press(self, keys: list[str]) -> None:
        """The keys of ``hint``."""
        ways = {"ArrowLeft": (-1, 0), "ArrowRight": (1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1)}
        for key in keys:
            if key in ways:
                x, y = self._cross or (0.0, 0.0)
                dx, dy = ways[key] if self._cross else (0, 0)
                self._cross = (min(max(x + STEP * dx, -REACH), REACH), min(max(y + STEP * dy, -REACH), REACH))
            elif key == "c":
                here = ACTS.index(self._extra["act"].value)
                self._extra["act"].value = ACTS[(here + 1) % len(ACTS)]
            elif key == "Enter" and self._cross:
                self._act(*self._cross)
            elif key == "Backspace" and self._cross:
                self._remove(self._cross)
            else:
                acts = {" ": self.toggle, ".": self.forward, ",": self.one, "Home": self.reset}
                acts.get(key, lambda: None)()
        if set(keys) & ways.keys():
            self.set()

    def _pick(self, x: float, y: float, place: Layout) -> None:
        """Choose the weight whose line passes nearest."""
        places, side = columns(self.numbers.main.sizes, place.net)
        best = (math.inf, (1, 1, 1))
        for k in range(1, len(places)):
            for j, end in enumerate(places[k]):
                for i, start in enumerate(places[k - 1]):
                    a, b = np.array(start) + (side / 2, 0), np.array(end) - (side / 2, 0)
                    share = float(np.clip(np.dot((x, y) - a, b - a) / np.dot(b - a, b - a), 0, 1))
                    best = min(best, (float(np.linalg.norm(a + share * (b - a) - (x, y))), (k, j + 1, i + 1)))
        self._extra["weight"].value = best[1]

    def _choose(self) -> None:
        self.set()

    def _edit(self, value: float) -> None:
        onward = round(value - self._shown_weight, 1)
        if onward:  # the slider rounds what it is given, and says so
            self._note(self._new_weight(value))
            self._plan_ahead(PAUSE, self._next_weights(math.copysign(0.1, onward)))

    def _next_weights(self, onward: float) -> Iterator[Move]:
        """The weight's slider is looked ahead of, too."""
        for step in (onward, -onward):
            value = round(self._shown_weight + step, 1)
            if abs(value) <= 8:
                yield self._extra["value"].model_id, value, partial(self._note, self._new_weight(value))

    def _new_weight(self, value: float) -> Edit:
        layer, unit, source = self._extra["weight"].value
        return Edit(self._settings["step"], layer, unit, source, round(float(value), 1))

    # ------------------------------------------------------------ states

    @property
    def share(self) -> str:
        """The state as a short text; :func:`read` makes settings of it."""
        return share(self._settings)

    def _pasted(self, text: str) -> None:
        given = read(text)
        self.pause()
        self.set(**{**self.complete(), **given})

    def keep(self) -> None:
        """Keep this run as A: changes make run B, and both are shown at the same step."""
        self.set(compare=share({**self._settings, "compare": ""}))

    def drop(self) -> None:
        """Show one run alone."""
        self.set(compare="")

    # ------------------------------------------------------------ the screen

    def _fit(self, room: int) -> None:
        if arranged(self.numbers) != arranged(replace(self.numbers, room=room)):
            self._redraw()

    def prepare(self, numbers: Numbers) -> None:
        """The cross, the weight to edit, and how wide the page is."""
        numbers.room = self.view.room
        if self.revealed:
            numbers.cross = self._cross
            numbers.chosen = self._place(numbers.main.sizes)
            numbers.rescued = numbers.main.train[-1] < self._to_beat

    def _place(self, sizes: list[int]) -> tuple[int, int, int]:
        """The weight to edit: the chosen one, or the first of a network without it."""
        layer, unit, source = self._extra["weight"].value
        there = layer < len(sizes) and unit <= sizes[layer] and source <= sizes[layer - 1]
        return (layer, unit, source) if there else (1, 1, 1)

    def tune(self, numbers: Numbers) -> None:
        """Buttons and fields show what the picture shows."""
        part, extra = numbers.main, self._extra
        if self.revealed:
            self._settings["step"] = part.step
            layer, unit, source = chosen = self._place(part.sizes)
            if part.sizes != self._sizes:
                self._sizes = part.sizes
                extra["weight"].options = _weights(part.sizes)
                extra["weight"].value = chosen
            array = part.weights[2 * layer - 2 + (source == 0)]
            value = float(array[unit - 1] if source == 0 else array[unit - 1, source - 1])
            self._shown_weight = round(min(max(value, -8.0), 8.0), 1) if math.isfinite(value) else 0.0
            extra["value"].value = self._shown_weight
        if part.broken:
            self._to_beat = part.train[part.best]
        self._before = dict(self._settings)
        extra["back"].layout.display = None if part.broken else "none"
        extra["back"].description = f"Back to step {part.best}"
        for name in ("play", "next", "example"):
            extra[name].disabled = bool(part.broken) or part.step >= LAST
        extra["drop"].disabled = not self._settings["compare"]
        self.widgets["noise"].layout.display = None if part.settings["data"] in replay.SETS[:5] else "none"
        if not self.playing:
            extra["state"].value = share(self._settings)
        self._label()

    def _label(self) -> None:
        self._extra["play"].description = "❚❚ Pause" if self.playing else "▶ Play"


def _weights(sizes: list[int]) -> list[tuple[str, tuple[int, int, int]]]:
    """Every weight and bias with its name, for a list."""
    last = len(sizes) - 1
    found = []
    for k in range(1, last + 1):
        for j in range(1, sizes[k] + 1):
            unit = "output" if k == last else f"layer {k} unit {j}"
            found += [(f"{unit} from {_source(k, i)}", (k, j, i)) for i in range(1, sizes[k - 1] + 1)]
            found.append((f"{unit} bias", (k, j, 0)))
    return found
