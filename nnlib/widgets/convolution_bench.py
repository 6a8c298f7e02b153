"""The convolution bench: one signal, one kernel, and every path from an input to an output and back.

y = F.conv1d(x, w) with stride, padding and dilation of your choice; beside it the matrix Q of the same map, below
it the gradient. Two surprises. A stride that does not divide drops a border: with n = 8, k = 3, stride 2 the last
input never reaches the output (n = 9 loses none). And dL/dx is itself a convolution, of the upstream gradient with
the *flipped* kernel; unflipped it is wrong, unless the kernel reads the same both ways (``"1, 2, 1"``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from .experiment import Challenge, Choice, Entry, Experiment, Prediction, Slider
from .scene import STILL, Axis, Scene, number

__all__ = ["ConvolutionBench", "backward_by_convolution", "compute", "draw", "say"]

SIGNAL, KERNEL = "3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8", "1, 2, 3, 4, 5"
UPSTREAM = ("1, 2, 3, …", "1 everywhere", "1 at the output looked at")


@dataclass
class Numbers:
    x: np.ndarray
    w: np.ndarray
    stride: int
    padding: int
    dilation: int
    error: str  # nnlib's message where no window fits; then all that follows is empty
    y: np.ndarray
    q: np.ndarray  # (outputs, inputs)
    upstream: np.ndarray  # dL/dy
    grad: np.ndarray  # dL/dx, by nnlib's backward
    flipped: np.ndarray  # dL/dx, as a convolution with the flipped kernel
    forgot: np.ndarray  # the same without flipping
    unnoticed: bool  # forgetting the flip changes nothing, for any upstream gradient
    fields: list[int]  # inputs spanned by a unit of 1, 2, 3 such layers
    output: int  # the output looked at
    input: int  # the input looked at

    @property
    def window(self) -> list[int]:
        """The inputs that the output looked at reads; outside 0 … n − 1 lies padding."""
        first = self.output * self.stride - self.padding
        return [first + self.dilation * j for j in range(len(self.w))]

    @property
    def paths(self) -> list[tuple[int, int]]:
        """(output, kernel element) of every path from the input looked at, zero weights included."""
        found = []
        for i in range(len(self.y)):
            for j in range(len(self.w)):
                if i * self.stride + self.dilation * j - self.padding == self.input:
                    found.append((i, j))
        return found

    @property
    def unread(self) -> list[int]:
        """Inputs that no window touches."""
        starts = range(-self.padding, self.stride * len(self.y) - self.padding, self.stride)
        places = {first + self.dilation * j for first in starts for j in range(len(self.w))}
        return [t for t in range(len(self.x)) if t not in places]

    @property
    def left_over(self) -> int:
        """Places at the right end of the padded signal where the stride does not fit another step."""
        return (
            len(self.x) + 2 * self.padding - self.dilation * (len(self.w) - 1) - 1
        ) % self.stride


def read(text: str, count: int) -> np.ndarray:
    """The first ``count`` numbers of a text, zeros after its end.  Raises ValueError for what is no number."""
    values = []
    for part in re.split(r"[,;\s]+", text.strip().replace("\N{MINUS SIGN}", "-")):
        try:
            value = float(part)
        except ValueError:
            raise ValueError(
                f"{part!r} is no number. Write numbers with commas between them: 1, 0, -1."
            ) from None
        if not abs(value) <= 99:
            raise ValueError(f"{part} is too large for a cell of this bench: at most 99.")
        values.append(value)
    return np.array((values + [0.0] * count)[:count])


def _row(values: Any) -> nn.Tensor:
    return nn.tensor(np.asarray(values, dtype=np.float64).reshape(1, 1, -1))


def backward_by_convolution(
    g: np.ndarray, w: np.ndarray, n: int, stride: int, padding: int, dilation: int
) -> np.ndarray:
    """dL/dx of a convolution with kernel ``w`` if ``w`` comes flipped: zeros between the g, a frame, F.conv1d."""
    spread = np.zeros((len(g) - 1) * stride + 1)
    spread[::stride] = g
    reach = dilation * (len(w) - 1)
    left = reach - padding
    framed = F.pad(_row(spread), (left, n + reach - len(spread) - left))
    return F.conv1d(framed, _row(w), dilation=dilation).data[0, 0]


def compute(settings: dict[str, Any]) -> Numbers:
    """Convolve, ask nnlib for the matrix and for the gradient, and do the gradient again by hand."""
    x, w = read(settings["signal"], settings["n"]), read(settings["kernel"], settings["k"])
    geometry = (settings["stride"], settings["padding"], settings["dilation"])
    signal = nn.tensor(x.reshape(1, 1, -1), requires_grad=True)
    none = np.zeros(0)
    try:
        out = F.conv1d(signal, _row(w), None, *geometry)
    except ValueError as caught:
        nothing = np.zeros((0, len(x)))
        last = min(settings["input"], len(x)) - 1
        return Numbers(
            x, w, *geometry, str(caught), none, nothing, none, none, none, none, False, [], 0, last
        )
    y = out.data[0, 0]
    output, input = min(settings["output"], len(y)) - 1, min(settings["input"], len(x)) - 1
    steps = np.arange(1.0, len(y) + 1)
    choices = (steps, np.ones(len(y)), (steps - 1 == output) * 1.0)
    upstream = choices[UPSTREAM.index(settings["upstream"])]
    (out * _row(upstream)).sum().backward()
    assert signal.grad is not None
    probe = np.random.default_rng(0).normal(size=len(y))

    def by_hand(g: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        return backward_by_convolution(g, kernel, len(x), *geometry)

    return Numbers(
        x, w, *geometry, "", y, F.conv1d_matrix(_row(w)[0, 0], len(x), *geometry).data, upstream, signal.grad[0, 0],
        by_hand(upstream, w[::-1]), by_hand(upstream, w),
        bool(np.allclose(by_hand(probe, w[::-1]), by_hand(probe, w))),
        [reach_back(len(w), geometry[0], geometry[2], deep) for deep in (1, 2, 3)], output, input,
    )  # fmt: skip


@cache
def reach_back(k: int, stride: int, dilation: int, layers: int) -> int:
    """How far apart the outermost inputs are that one unit of the last of these layers sees: gradients tell."""
    length = 1
    for _ in range(layers):
        length = (length - 1) * stride + dilation * (k - 1) + 1
    line = nn.ones(1, 1, length + 2, requires_grad=True)
    h = line
    for _ in range(layers):
        h = F.conv1d(h, nn.ones(1, 1, k), stride=stride, dilation=dilation)
    h[0, 0, 0].backward()
    assert line.grad is not None
    seen = np.flatnonzero(line.grad[0, 0])
    return int(seen[-1] - seen[0] + 1)


WIDTH, HEIGHT, LEFT, ROOM = 1000, 446, 96, 500
ROW_Y, ROW_X, ROW_GRAD, ROW_FORGOT = 56, 212, 292, 352
MATRIX = (650, 74, 330, 280)


def _cell(n: Numbers) -> float:
    return min(40.0, ROOM / (len(n.x) + 2 * n.padding))


def _middle(n: Numbers, place: float) -> float:
    """Pixels of the middle of input ``place``; padding lies left of 0."""
    return LEFT + _cell(n) * (place + n.padding + 0.5)


def draw(numbers: Numbers) -> Scene:
    """Left: output above input with the window (blue) and the gradient's paths (red, dashed). Right: Q."""
    n, scene, cell = numbers, Scene(WIDTH, HEIGHT), _cell(numbers)
    size, unread = (
        (15 if cell >= 34 else 13 if cell > 26 else 11),
        set(n.unread) if not n.error else set(),
    )
    window = set(n.window) if not n.error else set()

    def value(x: float, y: float, v: float, **look: Any) -> None:
        scene.text(x, y, number(v, 3), size=size, **look)

    scene.text(LEFT - 12, ROW_X + cell / 2, "x", size=17, bold=True, anchor="end")
    for t in range(-n.padding, len(n.x) + n.padding):
        real, left = 0 <= t < len(n.x), _middle(n, t) - cell / 2
        lost = t in unread
        fill = "red-tint" if lost else "blue-tint" if t in window else "paper"
        scene.box(left, ROW_X, cell, cell, fill=fill, color="red" if t == n.input else "faint", dash=not real,
                  width=3 if t == n.input else 1, id=f"x {t}" if real else "padding")  # fmt: skip
        value(
            left + cell / 2,
            ROW_X + cell / 2,
            n.x[t] if real else 0.0,
            color="ink" if real else "faint",
        )
        if lost:
            scene.text(
                left + cell / 2, ROW_X - 10, "✗", size=14, color="red", bold=True, id="unread"
            )
    if n.error:
        scene.text(LEFT, ROW_Y + cell / 2, "✗ no window fits; nnlib says why below", size=15, color="red", bold=True,
                   anchor="start")  # fmt: skip
        scene.text(
            LEFT,
            ROW_Y + cell / 2 + 30,
            "kernel  " + "  ".join(number(v) for v in n.w),
            size=15,
            anchor="start",
        )
        return scene
    outputs = [
        _middle(n, i * n.stride - n.padding + n.dilation * (len(n.w) - 1) / 2)
        for i in range(len(n.y))
    ]
    lit = {i for i, _ in n.paths}
    scene.text(LEFT - 12, ROW_Y + cell / 2, "y", size=17, bold=True, anchor="end")
    scene.text(LEFT - 12, ROW_Y - 14, "dL/dy", size=13, color="red", anchor="end")
    for i, px in enumerate(outputs):
        lit_now = i == n.output
        scene.box(px - cell / 2, ROW_Y, cell, cell, id=f"y {i}", color="blue" if lit_now else "faint",
                  fill="glow" if lit_now else "paper", width=3 if lit_now else 1)  # fmt: skip
        value(px, ROW_Y + cell / 2, n.y[i], bold=i == n.output)
        scene.text(
            px,
            ROW_Y - 14,
            number(n.upstream[i], 3),
            size=min(size, 13),
            color="red" if i in lit else "faint",
        )
    for j, t in enumerate(n.window):
        a, b = (outputs[n.output], ROW_Y + cell), (_middle(n, t), ROW_X)
        if (n.output, j) in n.paths:
            continue  # the gradient's path below takes the same way
        scene.line(b, a, color="blue", width=2, id=f"window {j}")
        place = 0.30
        px, py = b[0] + place * (a[0] - b[0]), b[1] + place * (a[1] - b[1])
        scene.box(px - 8, py - 9, 16, 18, fill="paper", color="none")
        scene.text(px, py, number(n.w[j], 3), size=13, color="blue", bold=True, id=f"weight {j}")
    for i, j in n.paths:
        a, b = (outputs[i], ROW_Y + cell), (_middle(n, n.input), ROW_X)
        scene.line(a, b, color="red", width=2, dash=True, arrow=True, id=f"path {i}")
        px, py = a[0] + 0.42 * (b[0] - a[0]), a[1] + 0.42 * (b[1] - a[1])
        scene.box(px - 8, py - 9, 16, 18, fill="paper", color="none")
        scene.text(px, py, number(n.w[j], 3), size=13, color="red", bold=True)
    for top, name, row in ((ROW_GRAD, "dL/dx", n.grad), (ROW_FORGOT, "not flipped", n.forgot)):
        scene.text(LEFT - 12, top + cell / 2, name, size=13, color="red" if top == ROW_GRAD else "faint", anchor="end",
                   bold=top == ROW_GRAD)  # fmt: skip
        for t, v in enumerate(row):
            px, off = _middle(n, t), not np.isclose(v, n.grad[t])
            scene.box(px - cell / 2, top, cell, cell, color="red" if t == n.input and top == ROW_GRAD else "faint",
                      fill="red-tint" if off else "paper", width=3 if t == n.input and top == ROW_GRAD else 1,
                      id=f"{name} {t}")  # fmt: skip
            value(
                px,
                top + cell / 2,
                v,
                bold=t == n.input and top == ROW_GRAD,
                color="red" if off else "ink",
            )
    wrong = int((~np.isclose(n.forgot, n.grad)).sum())
    mirror = "  ".join(number(v, 3) for v in n.w[::-1])
    same = "gives dL/dx exactly" if np.allclose(n.flipped, n.grad) else "✗ does not give dL/dx"
    scene.text(LEFT, ROW_FORGOT + cell + 16, f"dL/dy slid under the flipped kernel ({mirror}) {same}.", size=13,
               anchor="start")  # fmt: skip
    said = (
        f"✗ unflipped, {wrong} of {len(n.x)} are wrong"
        if wrong
        else "unflipped, the same numbers here"
    )
    scene.text(
        LEFT,
        ROW_FORGOT + cell + 35,
        said,
        size=13,
        anchor="start",
        color="red" if wrong else "faint",
    )
    _matrix(scene, n, unread)
    return scene


def _matrix(scene: Scene, n: Numbers, unread: set[int]) -> None:
    """Q: a row per output, a column per input; kernel elements tinted, the row and the column looked at framed."""
    left, top, width, height = MATRIX
    rows, columns = n.q.shape
    side = min(width / columns, height / rows, 38.0)
    scene.text(
        left + side * columns / 2,
        22,
        f"Q, {rows} × {columns}:  y = Q x,  dL/dx = Qᵀ dL/dy",
        size=14,
        bold=True,
    )
    places = {
        (i, i * n.stride + n.dilation * j - n.padding) for i in range(rows) for j in range(len(n.w))
    }
    for i in range(rows):
        for t in range(columns):
            hit = (i, t) in places
            fill = "red-tint" if t in unread else "green-tint" if hit else "paper"
            scene.box(
                left + side * t,
                top + side * i,
                side,
                side,
                color="grid",
                width=1,
                fill=fill,
                id=f"Q {i} {t}",
            )
            if hit:
                scene.text(left + side * (t + 0.5), top + side * (i + 0.5), number(n.q[i, t], 3),
                           size=14 if side > 30 else 12 if side > 22 else 10)  # fmt: skip
    scene.box(left, top + side * n.output, side * columns, side, color="blue", width=3, id="row")
    scene.box(
        left + side * n.input, top, side, side * rows, color="red", width=3, dash=True, id="column"
    )
    scene.text(
        left - 8,
        top + side * (n.output + 0.5),
        f"y{n.output + 1}",
        size=13,
        color="blue",
        anchor="end",
        bold=True,
    )
    scene.text(
        left + side * (n.input + 0.5), top - 12, f"x{n.input + 1}", size=13, color="red", bold=True
    )


def say(numbers: Numbers) -> str:
    """Lengths, the output and the input looked at, what is dropped."""
    n = numbers
    if n.error:
        return f"nnlib says: “{n.error}”"
    taps = [(w, n.x[t] if 0 <= t < len(n.x) else 0.0) for w, t in zip(n.w, n.window)]
    terms = " + ".join(f"{number(w, 3)}·{number(v, 3)}" for w, v in taps).replace("+ −", "− ")
    parts = [
        f"{len(n.x)} inputs give {len(n.y)} outputs. y{n.output + 1} = {terms} = {number(n.y[n.output])}."
    ]
    if n.paths:
        back = " + ".join(
            f"{number(n.w[j], 3)}·{number(n.upstream[i], 3)}" for i, j in n.paths
        ).replace("+ −", "− ")
        many = f"{len(n.paths)} path{'s' if len(n.paths) > 1 else ''}"
        parts.append(
            f"x{n.input + 1} has {many}, so dL/dx{n.input + 1} = {back} = {number(n.grad[n.input])}."
        )
    else:
        parts.append(f"x{n.input + 1} has no path to any output: its gradient is 0.")
    if n.unread:
        which = ", ".join(f"x{t + 1}" for t in n.unread)
        parts.append(f"Never read: {which}.")
    elif n.left_over:
        parts.append("The stride leaves out some padding at the right end, and no input.")
    parts.append(
        f"One, two and three such layers see {n.fields[0]}, {n.fields[1]} and {n.fields[2]} inputs wide."
    )
    return " ".join(parts)


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """The cells of x, y and dL/dx."""
    n, cell = numbers, _cell(numbers)
    if n.error:
        return {}
    inputs = (_middle(n, 0), cell, 0, len(n.x) - 1), STILL
    first = _middle(n, n.dilation * (len(n.w) - 1) / 2 - n.padding)
    return {"x": inputs, "dL/dx": inputs, "y": ((first, n.stride * cell, 0, len(n.y) - 1), STILL)}


class ConvolutionBench(Experiment):
    """A convolution in one dimension, forward and backward.  Lesson 14.

    >>> [ConvolutionBench.measure(n=n).unread for n in (8, 9)]
    [[7], []]
    """

    title = "Convolution bench"
    controls = {
        "n": Slider("inputs n", 8, 3, 12),
        "k": Slider("kernel size k", 3, 1, 5),
        "stride": Slider("stride", 2, 1, 4),
        "padding": Slider("padding", 0, 0, 4),
        "dilation": Slider("dilation", 1, 1, 3),
        "output": Slider("look at output", 1, 1, 20),
        "input": Slider("look at input", 3, 1, 12),
        "upstream": Choice("dL/dy", UPSTREAM[0], UPSTREAM),
        "kernel": Entry("kernel", KERNEL, 220),
        "signal": Entry("signal", SIGNAL, 360),
    }
    rows = (
        ("n", "k", "stride"),
        ("padding", "dilation"),
        ("output", "input"),
        ("upstream", "kernel", "signal"),
    )
    still = {"stride": 1}
    grips = tuple(f"{name} {i}" for name in ("x", "y", "dL/dx") for i in range(20))
    least = 640
    prediction = Prediction(
        "Eight inputs, a kernel of size 3, no padding. With stride 1 every input reaches the output. Now stride 2. How "
        "many of the eight inputs still reach the output?",
        ("all 8", "7", "6", "4"),
        "7",
        "The windows are 1 to 3, 3 to 5 and 5 to 7. A fourth would need input 9, so input 8 is dropped without a word, "
        "and its gradient is 0.",
        before={"n": 8, "k": 3, "stride": 1, "padding": 0, "dilation": 1},
        after={"n": 8, "k": 3, "stride": 2, "padding": 0, "dilation": 1, "input": 8},
    )
    challenge = Challenge(
        "Somebody forgets to flip the kernel in the backward pass. Type a kernel of size 3 or more, not all weights "
        "the same, for which no test would notice.",
        lambda n: not n.error and len(n.w) >= 3 and np.ptp(n.w) > 0 and n.unnoticed,
        "A kernel that reads the same both ways hides the mistake. Test a backward pass with a crooked one.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)

    def tune(self, numbers: Numbers) -> None:
        """One can only look at what is there."""
        for name, most in (("output", len(numbers.y)), ("input", len(numbers.x))):
            if most:
                self._settings[name] = min(self._settings[name], most)
                self.widgets[name].max = most

    def drag(self, id: str, i: int, j: int) -> None:
        """A cell of x or dL/dx pressed is the input to look at, a cell of y the output; a drag moves on."""
        self.set(**{"output" if id == "y" else "input": i + 1})
