"""The shift test: a real digit moves by a few pixels; what moves with it, and what stays the same?

A 12 × 12 sheet holds a digit of 8 × 8. It passes a convolution of four fixed 3 × 3 filters with ReLU, a pooling, and a
mean or maximum over the whole map. Two errors are measured at each stage: how far f(shift x) is from shift f(x)
(equivariance), and from f(x) itself (invariance). Surprise: with ring padding and stride 1 the first is 0 for every
shift and so is the second at the end; zero padding breaks both as soon as the digit meets an edge, stride 2 and
pooling by 2 at every odd shift, and pooling's famous invariance is partial. All of it vanishes at shift 0, and zero
padding is harmless while the digit stays clear of the edges (``CLEAR``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Scene, number

__all__ = ["CLEAR", "ShiftTest", "compute", "draw", "say"]

SHEET = 12
PADDINGS, STRIDES = ("ring", "zeros"), ("1", "2")
POOLS, ENDS = ("none", "max 2 × 2", "mean 2 × 2"), ("mean of the map", "maximum of the map")
CLEAR = {"digit": 1, "right": 1, "down": 0, "padding": "zeros", "pool": "none"}
FILTERS = {
    "upright edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "level edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "spots": [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
    "blur": [[1, 2, 1], [2, 4, 2], [1, 2, 1]],
}


@dataclass
class Stage:
    """One stage: its map of the digit, of the shifted digit, and the map that a true shift would have given."""

    name: str
    plain: np.ndarray  # (4, height, width)
    moved: np.ndarray
    wanted: np.ndarray
    step: int  # pixels of the sheet per place of this map; 0 for the last, which has no places

    @property
    def equivariance(self) -> float:
        """‖f(shift x) − shift f(x)‖ / ‖f(x)‖."""
        return _share(self.moved - self.wanted, self.plain)

    @property
    def invariance(self) -> float:
        """‖f(shift x) − f(x)‖ / ‖f(x)‖."""
        return _share(self.moved - self.plain, self.plain)


@dataclass
class Numbers:
    right: int
    down: int
    padding: str
    stride: int
    pool: str
    filter: int
    stages: list[Stage]  # sheet, convolution, pooling if there is one, end

    def stage(self, name: str) -> Stage:
        """The stage of that name.  Raises KeyError."""
        return {stage.name: stage for stage in self.stages}[name]


def _share(difference: np.ndarray, of: np.ndarray) -> float:
    size = float(np.linalg.norm(of))
    value = float(np.linalg.norm(difference)) / size if size else 0.0
    return 0.0 if value < 1e-12 else value


@cache
def sheet(digit: int) -> np.ndarray:
    """The first such digit of the data, in the middle of an empty sheet (12, 12)."""
    images, labels = nn.data.digits(images=True)
    found = images.numpy()[labels.numpy() == digit][0, 0]
    return np.pad(found.astype(np.float64), (SHEET - 8) // 2)


def maps(
    image: np.ndarray, padding: str, stride: int, pool: str, end: str
) -> list[tuple[str, np.ndarray, int]]:
    """(name, map (channels, height, width), step) of each stage, by nnlib."""
    weight = nn.tensor(np.array(list(FILTERS.values()), dtype=np.float64)[:, None] / 8)
    x = nn.tensor(image[None, None])
    framed = F.pad(x, (1, 1, 1, 1), mode="circular" if padding == PADDINGS[0] else "constant")
    h = F.relu(F.conv2d(framed, weight, stride=stride))
    result, step = [("sheet", x, 1), ("convolution", h, stride)], stride
    if pool != POOLS[0]:
        h = (F.max_pool2d if pool == POOLS[1] else F.avg_pool2d)(h, 2)
        step *= 2
        result.append(("pooling", h, step))
    last = h.mean((2, 3), keepdim=True) if end == ENDS[0] else F.max_pool2d(h, h.shape[-1])
    return [(name, t.data[0], s) for name, t, s in [*result, ("end", last, 0)]]


def shifted(values: np.ndarray, right: int, down: int) -> np.ndarray:
    """Moved round a ring: what leaves at one edge enters at the other."""
    return np.roll(values, (down, right), (-2, -1))


def compute(settings: dict[str, Any]) -> Numbers:
    """Send the sheet and the shifted sheet through the same stages."""
    right, down, stride = settings["right"], settings["down"], int(settings["stride"])
    image = sheet(settings["digit"])
    how = (settings["padding"], stride, settings["pool"], settings["end"])
    stages = []
    for (name, plain, step), (_, moved, _) in zip(
        maps(image, *how), maps(shifted(image, right, down), *how)
    ):
        # A shift that is no whole number of this map's steps cannot be made here: the nearest ones are tried.
        tries = [
            (plain if not step else shifted(plain, a, b))
            for a in _whole(right, step)
            for b in _whole(down, step)
        ]
        wanted = min(tries, key=lambda t: float(np.linalg.norm(moved - t)))
        stages.append(Stage(name, plain, moved, wanted, step))
    shown = list(FILTERS).index(settings["filter"])
    return Numbers(right, down, settings["padding"], stride, settings["pool"], shown, stages)


def _whole(shift: int, step: int) -> list[int]:
    return sorted({shift // step, -(-shift // step)}) if step else [0]


WIDTH, HEIGHT, SIDE = 980, 596, 150
ROWS, LEFT = (52, 222, 392), (116, 346, 576, 806)


def draw(numbers: Numbers) -> Scene:
    """A column per stage; rows: the digit, the shifted digit, and where the stage did not just shift."""
    n, scene = numbers, Scene(WIDTH, HEIGHT)
    move = f"{abs(n.right)} {'right' if n.right >= 0 else 'left'}" + (
        f", {abs(n.down)} {'down' if n.down > 0 else 'up'}" if n.down else ""
    )
    for top, lines in zip(ROWS, (("the digit",), ("shifted", move), ("not just", "a shift"))):
        for i, text in enumerate(lines):
            scene.text(100, top + SIDE / 2 + 18 * i, text, size=14, anchor="end", bold=i == 0,
                       color="red" if top == ROWS[2] else "ink")  # fmt: skip
    names = {"sheet": "sheet", "convolution": f"conv 3×3, {n.padding}, stride {n.stride}", "pooling": f"pool, {n.pool}",
             "end": "whole map"}  # fmt: skip
    for i, text in enumerate(("errors of", "all 4 filters")):
        scene.text(100, ROWS[2] + SIDE + 20 + 20 * i, text, size=12, anchor="end", color="faint")
    columns = [LEFT[3] if s.name == "end" else LEFT[i] for i, s in enumerate(n.stages)]
    for stage, left in zip(n.stages, columns):
        scene.text(left + SIDE / 2, 16, names[stage.name], size=14, bold=True)
        size = (
            "4 numbers"
            if stage.name == "end"
            else f"{stage.plain.shape[1]} × {stage.plain.shape[2]}"
        )
        scene.text(left + SIDE / 2, 35, size, size=12, color="faint")
        seen = slice(0, 1) if stage.name == "sheet" else slice(n.filter, n.filter + 1)
        if stage.name == "end":
            seen = slice(None)
        most = max(float(np.abs(v[seen]).max()) for v in (stage.plain, stage.moved)) or 1.0
        rows = (
            ("plain", stage.plain),
            ("moved", stage.moved),
            ("off", stage.moved - stage.wanted),
        )
        for y, (name, values) in zip(ROWS, rows):
            color, id = "red" if name == "off" else "ink", f"{stage.name} {name}"
            if stage.name == "end":
                _bars(scene, values[:, 0, 0], most, left, y, color, n.filter)
            else:
                _squares(scene, values[seen][0], most, left, y, color, id)
        for i, (word, error) in enumerate(
            (("equivariance", stage.equivariance), ("invariance", stage.invariance))
        ):
            if stage.name == "end" and not i:
                continue
            mark = "✓ " if error == 0 else "✗ "
            text = f"{mark}{word} error {number(error, 2)}"
            scene.text(left + SIDE / 2, ROWS[2] + SIDE + 20 + 20 * i, text, size=13, bold=error > 0,
                       color="red" if error else "green", id=f"{stage.name} {word}")  # fmt: skip
    return scene


def _squares(
    scene: Scene, values: np.ndarray, most: float, left: float, top: float, color: str, id: str
) -> None:
    """A map; each value is a square of that area, an open one where negative."""
    scene.box(left, top, SIDE, SIDE, color="faint", width=1)
    cell = SIDE / len(values)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            side = min(cell * float(np.sqrt(abs(value) / most)), cell)
            if side > 1:
                x, y = left + cell * (j + 0.5) - side / 2, top + cell * (i + 0.5) - side / 2
                fill = color if value > 0 else "paper"
                scene.box(x, y, side, side, color=color, fill=fill, width=1, id=id)


def _bars(
    scene: Scene, values: np.ndarray, most: float, left: float, top: float, color: str, shown: int
) -> None:
    """Four numbers as bars to the right, negative ones open."""
    for i, value in enumerate(values):
        y, length = top + 10.0 + 36 * i, 74 * float(min(abs(value) / most, 1.0))
        tiny = abs(value) < 1e-12
        if not tiny:
            scene.box(
                left,
                y,
                max(length, 1),
                20,
                color=color,
                width=1,
                fill=color if value > 0 else "paper",
            )
        scene.text(left + length + 8, y + 10, "0" if tiny else number(value, 3), size=13, color=color, anchor="start",
                   bold=i == shown)  # fmt: skip


def say(numbers: Numbers) -> str:
    """Which stages shift along, which stay the same, and by how much they fail."""
    n = numbers
    if not (n.right or n.down):
        return "No shift: nothing moves, and every error is 0."
    moves = [f"{abs(v)} to the {w}" if w in ("left", "right") else f"{abs(v)} {w}" for v, w in (
        (n.right, "right" if n.right > 0 else "left"), (n.down, "down" if n.down > 0 else "up")) if v]  # fmt: skip
    parts = [f"The digit moves {' and '.join(moves)}."]
    for stage in n.stages[1:-1]:
        name = f"The {stage.name}"
        if stage.equivariance == 0:
            parts.append(f"{name} moves along exactly (equivariance error 0).")
        else:
            fits = n.right % stage.step == 0 == n.down % stage.step
            why = "the edge shows" if fits else f"a shift must be a multiple of {stage.step} here"
            parts.append(
                f"{name} does not just move: {why} (equivariance error {number(stage.equivariance, 2)})."
            )
        parts.append(f"Left in place it differs by {number(stage.invariance, 2)}.")
    error = n.stages[-1].invariance
    parts.append("The four last numbers stay the same." if error == 0 else
                 f"The four last numbers change by {number(error, 2)}.")  # fmt: skip
    return " ".join(parts)


def _famous(n: Numbers) -> bool:
    names = [stage.name for stage in n.stages]
    return (
        "pooling" in names
        and abs(n.right) + abs(n.down) == 1
        and n.stage("pooling").invariance > 0.5
    )


class ShiftTest(Experiment):
    """Equivariance and invariance, measured.  Lesson 15.

    >>> [ShiftTest.measure(padding=p, right=4, pool="none").stages[-1].invariance > 0 for p in ("ring", "zeros")]
    [False, True]
    """

    title = "Shift test"
    controls = {
        "digit": Slider("digit", 3, 0, 9),
        "right": Slider("shift right", 1, -6, 6),
        "down": Slider("shift down", 0, -6, 6),
        "padding": Choice("padding", PADDINGS[0], PADDINGS),
        "stride": Choice("stride", STRIDES[0], STRIDES),
        "pool": Choice("pooling", POOLS[1], POOLS),
        "end": Choice("at the end", ENDS[0], ENDS),
        "filter": Choice("filter shown", next(iter(FILTERS)), tuple(FILTERS)),
    }
    rows = (("digit", "right", "down"), ("padding", "stride", "pool"), ("end", "filter"))
    still = {"right": 0}
    least = 700
    prediction = Prediction(
        "The sheet is a ring: what leaves on the right enters on the left. A convolution with stride 2, then the mean "
        "of the whole map. For which shifts to the right does that mean stay exactly the same?",
        ("all shifts", "even shifts", "only 0", "shifts of 1 at most"),
        "even shifts",
        "Stride 2 keeps every second place of the full map. After an odd shift it keeps the other half, whose mean "
        "is another number.",
        before={
            "right": 0,
            "down": 0,
            "padding": "ring",
            "stride": "2",
            "pool": "none",
            "end": ENDS[0],
        },
        after={
            "right": 1,
            "down": 0,
            "padding": "ring",
            "stride": "2",
            "pool": "none",
            "end": ENDS[0],
        },
    )
    challenge = Challenge(
        "Pooling is said to make small shifts unimportant. Find a digit, a pooling and a shift by one single pixel for "
        "which the pooled map, left in place, differs by more than 0.5.",
        _famous,
        "Pooling by 2 softens a shift by one pixel and hides almost none: its invariance is partial.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
