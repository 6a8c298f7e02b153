"""The shape explorer: a linear layer as rows and as columns, with every size yours to choose.

x is (batch, in), one example per row; the weight is stored (out, in); y = x Wᵀ + b is (batch, out). The column form
of the notes, z = W x + b with one example per column, uses the same stored W. Put an argument in the wrong way
round and nnlib's own message appears. Surprise: with in = out a transposed weight raises nothing at all and
gives other numbers; with in ≠ out it cannot pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Flag, Prediction, Slider
from .scene import Scene, number, signed

__all__ = ["ShapeExplorer", "compute", "draw", "say"]

RIGHT = "nothing"
WRONGS = (RIGHT, "W stored as (in, out)", "x with examples as columns", "b of size batch")
FORMS = ("rows: y = x Wᵀ + b", "columns: y = W x + b")


@dataclass
class Numbers:
    batch: int
    inputs: int
    outputs: int
    columns: bool
    wrong: str
    x: np.ndarray  # as drawn
    weight: np.ndarray
    bias: np.ndarray
    y: np.ndarray | None  # None where nnlib refused
    right: np.ndarray  # what y should be
    error: str
    row: int
    unit: int
    hidden: bool  # y stays covered, to be predicted

    @property
    def silent(self) -> bool:
        """A wrong argument went through and gave other numbers."""
        return self.wrong != RIGHT and self.y is not None and not np.array_equal(self.y, self.right)


def material(batch: int, inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small whole numbers, the same each time: x (batch, in), W (out, in), b (out,)."""
    rng = np.random.default_rng(3)
    x, weight, bias = (
        rng.integers(0, 4, (6, 6)),
        rng.integers(-2, 3, (6, 6)),
        np.array([10, 20, 30, 40, 50, 60]),
    )
    return x[:batch, :inputs] * 1.0, weight[:outputs, :inputs] * 1.0, bias[:outputs] * 1.0


def compute(settings: dict[str, Any]) -> Numbers:
    """Call F.linear with what was chosen; keep the answer or nnlib's message."""
    batch, inputs, outputs = settings["batch"], settings["inputs"], settings["outputs"]
    x, weight, bias = material(batch, inputs, outputs)
    wrong = settings["wrong"]

    def linear(*arrays: np.ndarray) -> np.ndarray:
        return nn.functional.linear(*[nn.tensor(a, dtype=nn.float64) for a in arrays]).data

    right = linear(x, weight, bias)
    given = [x, weight, bias]
    if wrong == WRONGS[1]:
        given[1] = weight.T
    elif wrong == WRONGS[2]:
        given[0] = x.T
    elif wrong == WRONGS[3]:
        given[2] = 10.0 * np.arange(1, batch + 1)
    error, y = "", None
    try:
        y = linear(*given)
    except ValueError as caught:
        error = str(caught)
    row, unit = min(settings["row"], batch) - 1, min(settings["unit"], outputs) - 1
    columns, hide = settings["form"] == FORMS[1], settings["hide"]
    return Numbers(
        batch,
        inputs,
        outputs,
        columns,
        wrong,
        given[0],
        given[1],
        given[2],
        y,
        right,
        error,
        row,
        unit,
        hide,
    )


CELL, TOP, GAP = 40, 88, 44


def draw(numbers: Numbers) -> Scene:
    """x, W, b and y as grids with their shapes; the entry looked at is lit, with what it is made of."""
    n = numbers
    bias = n.bias.reshape(-1, 1) if n.columns else n.bias.reshape(1, -1)
    x, weight = (n.x.T, n.weight) if n.columns else (n.x, n.weight.T)
    y = None if n.y is None or n.hidden else n.y.T if n.columns else n.y
    blank = np.full((1, 1), np.nan)  # nothing to see, not even a size
    names = ("W", "x", "b", "y") if n.columns else ("x", "Wᵀ", "b", "y")
    grids = (
        (weight, x, bias, blank if y is None else y)
        if n.columns
        else (x, weight, bias, blank if y is None else y)
    )
    plain = n.wrong == RIGHT
    lit: tuple[Any, ...] = (None,) * 4
    if plain and not n.hidden:
        first = (n.unit, None) if n.columns else (n.row, None)
        second = (None, n.row) if n.columns else (None, n.unit)
        sum_of = (n.unit, n.row) if n.columns else (n.row, n.unit)
        lit = (first, second, (n.unit, 0) if n.columns else (0, n.unit), sum_of)
    tall = max(g.shape[0] for g in grids)
    widths = [CELL * g.shape[1] for g in grids]
    scene = Scene(max(GAP * 5 + sum(widths), 620), TOP + CELL * tall + 64)
    left: float = GAP / 2 + 10
    should = n.right.T if n.columns else n.right
    for k, (name, grid, light, width) in enumerate(zip(names, grids, lit, widths)):
        top = TOP + CELL * (tall - grid.shape[0]) / 2
        scene.text(left + width / 2, top - 46, name, size=19, bold=True)
        size = f"({n.bias.size},)" if name == "b" else f"{grid.shape}"
        scene.text(left + width / 2, top - 25, size if k < 3 or y is not None else "?", size=14, color="faint",
                   id=f"shape {name}")  # fmt: skip
        if (
            not plain
            and name in {WRONGS[1]: ("W", "Wᵀ"), WRONGS[2]: ("x",), WRONGS[3]: ("b",)}[n.wrong]
        ):
            text = "✗ wrong size" if name == "b" else "✗ wrong way round"
            scene.text(left + width / 2, top - 66, text, size=13, color="red", bold=True)
        for i in range(grid.shape[0]):
            for j in range(grid.shape[1]):
                hot = light is not None and light[0] in (None, i) and light[1] in (None, j)
                off = k == 3 and n.silent and y is not None and grid[i, j] != should[i, j]
                fill = (
                    "glow"
                    if hot
                    else "red-tint"
                    if off
                    else ("green-tint", "blue-tint", "paper", "paper")[k]
                )
                scene.box(left + CELL * j, top + CELL * i, CELL, CELL, fill=fill, color="ink" if hot else "faint",
                          width=2.4 if hot else 1, id=f"{name} {i} {j}")  # fmt: skip
                value = "?" if np.isnan(grid[i, j]) else number(grid[i, j])
                scene.text(left + CELL * (j + 0.5), top + CELL * (i + 0.5), value, size=15, bold=hot,
                           color="red" if off else "ink")  # fmt: skip
        sign = ("@", "+", "=", "")[k]
        scene.text(left + width + GAP / 2, TOP + CELL * tall / 2, sign, size=22)
        left += width + GAP
    y_bottom = TOP + CELL * tall + 32
    if n.hidden:
        scene.text(GAP / 2 + 10, y_bottom, "Which shape has y?", anchor="start", size=15, bold=True)
    elif plain:
        text = f"{_entry(n)} = {_product(n)}"
        scene.text(GAP / 2 + 10, y_bottom, text, anchor="start", size=15, color="ink")
    elif n.error:
        text = "✗ nnlib refuses; its message is below"
        scene.text(GAP / 2 + 10, y_bottom, text, anchor="start", size=15, color="red", bold=True)
    else:
        bad = (
            "✗ no error, and the red numbers are wrong"
            if n.silent
            else "goes through, and the numbers are right"
        )
        scene.text(
            GAP / 2 + 10,
            y_bottom,
            bad,
            anchor="start",
            size=15,
            color="red" if n.silent else "ink",
            bold=True,
        )
    return scene


def _entry(n: Numbers) -> str:
    """The entry looked at, indexed as code would."""
    return f"y[{n.unit}, {n.row}]" if n.columns else f"y[{n.row}, {n.unit}]"


def _product(n: Numbers) -> str:
    terms = " + ".join(f"{number(a)}·{signed(b)}" for a, b in zip(n.x[n.row], n.weight[n.unit]))
    return f"{terms} + {number(n.bias[n.unit])} = {number(n.right[n.row, n.unit])}"


def say(numbers: Numbers) -> str:
    """Shapes, and the entry looked at or what happened."""
    n = numbers
    if n.hidden:
        first, second = ("W", "x") if n.columns else ("x", "Wᵀ")
        left, right = (n.weight, n.x.T) if n.columns else (n.x, n.weight.T)
        return f"{first} is {left.shape}, {second} is {right.shape}, b is {n.bias.shape}. Which shape has y?"
    if n.wrong == RIGHT:
        x, w, y = (n.batch, n.inputs), (n.outputs, n.inputs), (n.batch, n.outputs)
        rows = f"x {x} @ Wᵀ {w[::-1]} + b {(n.outputs,)} gives y {y}, one example per row"
        columns = f"W {w} @ x {x[::-1]} + b gives y {y[::-1]}, one example per column"
        return (
            f"{columns if n.columns else rows}. {_entry(n)} = {_product(n)}: example {n.row}, "
            f"output {n.unit}. W has {n.outputs * n.inputs} weights."
        )
    if n.error:
        return f"{n.wrong}: nnlib says “{n.error}”"
    if n.silent:
        return f"{n.wrong}: no error, because the sizes happen to fit, and the numbers are wrong."
    return f"{n.wrong}: the sizes fit and so do the numbers, by chance."


class ShapeExplorer(Experiment):
    """Shapes of a linear layer.  Lesson 00.

    >>> ShapeExplorer.measure(batch=4, inputs=3, outputs=2).y.shape
    (4, 2)
    """

    title = "Shape explorer"
    controls = {
        "batch": Slider("batch (examples)", 4, 1, 6),
        "inputs": Slider("in (features)", 3, 1, 6),
        "outputs": Slider("out (units)", 2, 1, 6),
        "row": Slider("look at example no.", 1, 1, 6),
        "unit": Slider("look at output no.", 1, 1, 6),
        "form": Choice("form", FORMS[0], FORMS),
        "wrong": Choice("put in wrong", RIGHT, WRONGS),
        "hide": Flag("cover y and predict it", False),
    }
    rows = (("batch", "inputs", "outputs"), ("row", "unit"), ("form", "wrong", "hide"))
    least = 480
    prediction = Prediction(
        "x holds 4 examples of 3 features, one example per row. A layer with 2 outputs stores W as (out, in) = (2, 3). "
        "What shape has y = x Wᵀ + b?",
        ("(2, 4)", "(4, 2)", "(3, 2)", "(4, 3)"),
        "(4, 2)",
        "One row per example stays one row per example; each row now has one number per output.",
        before={"batch": 4, "inputs": 3, "outputs": 2, "wrong": RIGHT, "hide": True},
        after={"batch": 4, "inputs": 3, "outputs": 2, "wrong": RIGHT, "hide": False},
    )
    challenge = Challenge(
        "Hand over W the wrong way round so that nnlib cannot notice.",
        lambda n: n.silent and n.wrong == WRONGS[1],
        "Only a square W gets through. Shapes catch most mix-ups, never all, so check one entry by hand.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)

    def tune(self, numbers: Numbers) -> None:
        """One can only look at what is there."""
        for name, most in (("row", numbers.batch), ("unit", numbers.outputs)):
            self._settings[name] = min(self._settings[name], most)
            self.widgets[name].max = most
