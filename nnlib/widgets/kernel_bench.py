"""The kernel bench: a convolution in two dimensions, painted by hand, followed from pixel to output and back.

Image and kernel are cells to paint; y = F.conv2d(x, w) with kernel size, stride, padding, dilation and channels of your
choice. Red paths lead from the outputs back to the pixel looked at, each with the weight that the gradient takes on its
way; the cone shows what one unit sees through several such layers. Surprise: a stride that does not divide drops a
border. 3 × 3 with stride 2 over 8 × 8 pixels never reads the last row and column, 15 pixels with gradient 0, without a
word of warning; over 7 × 7 it reads all, and so does stride 1.
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
from .scene import Axis, Scene, number, plot_area

__all__ = ["KernelBench", "compute", "draw", "say"]

OWN = "your own"
IMAGES = ("a digit", "ring", "edge", "checks", OWN)
KERNELS = ("edge", "blur", "point", "counting", OWN)
UPSTREAM = ("1 everywhere", "1 at the output looked at")
MOST, MOST_K, MOST_CHANNELS = 8, 4, 3


@dataclass
class Numbers:
    x: np.ndarray  # (C, n, n)
    w: np.ndarray  # (C, k, k)
    stride: int
    padding: int
    dilation: int
    error: str  # nnlib's message where no window fits; then all that follows is empty
    y: np.ndarray  # (o, o)
    upstream: np.ndarray  # (o, o) dL/dy
    grad: np.ndarray  # (C, n, n) dL/dx, by nnlib's backward
    read: np.ndarray  # (n, n) whether any window touches the pixel
    output: tuple[int, int]  # looked at
    pixel: tuple[int, int, int]  # looked at: channel, row, column
    fields: list[int]  # pixels a side that a unit of 1, 2, … such layers sees
    brush: float

    @property
    def out(self) -> int:
        return len(self.y)

    @property
    def paths(self) -> list[tuple[int, int, int, int]]:
        """(output row, column, kernel row, column) of every path from the pixel looked at."""
        _, row, column = self.pixel
        ways = [self._ways(place) for place in (row, column)]
        return [(r, c, i, j) for r, i in ways[0] for c, j in ways[1]]

    def _ways(self, place: int) -> list[tuple[int, int]]:
        """Along one axis: outputs that read this place, and with which kernel element."""
        k = self.w.shape[1]
        found = [divmod(place + self.padding - self.dilation * i, self.stride) for i in range(k)]
        return sorted((o, i) for i, (o, rest) in enumerate(found) if rest == 0 and 0 <= o < self.out)

    def window(self, axis: int) -> list[int]:
        """Rows (0) or columns (1) that the output looked at reads; outside 0 … n − 1 lies padding."""
        first = self.output[axis] * self.stride - self.padding
        return [first + self.dilation * i for i in range(self.w.shape[1])]

    @property
    def unread(self) -> int:
        """Pixels of a channel that no window touches."""
        return int((~self.read).sum())


@cache
def three() -> np.ndarray:
    """(8, 8) a handwritten digit, grey levels 0 … 9."""
    digit = nn.data.digits()[0].data[3].reshape(8, 8).astype(np.float64)
    return np.round(digit / digit.max() * 9)


def picture(name: str, n: int, channels: int) -> np.ndarray:
    """(channels, n, n): the first channel as named, the second transposed, the third upside down."""
    rows, columns = np.indices((n, n))
    first: Any = np.zeros((n, n))
    if name == "a digit":
        first = three()[:n, :n]
    elif name == "ring":
        from_edge = np.minimum(np.minimum(rows, columns), n - 1 - np.maximum(rows, columns))
        first = (from_edge == (1 if n > 3 else 0)) * 1.0
    elif name == "edge":
        first = (columns >= n // 2) * 1.0
    else:
        first = ((rows + columns) % 2) * 1.0
    return np.stack([first, first.T, first[::-1]])[:channels]


def kernel(name: str, k: int, channels: int) -> np.ndarray:
    """(channels, k, k): the second channel with the opposite sign."""
    if name == "edge":
        first = np.tile(np.sign(np.arange(k) - (k - 1) / 2), (k, 1))
    elif name == "blur":
        first = np.ones((k, k))
    elif name == "point":
        first = np.zeros((k, k))
        first[k // 2, k // 2] = 1
    else:
        first = np.arange(1.0, k * k + 1).reshape(k, k)
    return np.stack([first, -first, first])[:channels]


def read(text: str, size: int, channels: int) -> np.ndarray:
    """Cells (channels, size, size) from a text like ``0 1/1 0 | 2 2/2 2``: rows end at /, channels at |.

    What is missing is 0, what is too much is left out.  Raises ValueError for what is no number.
    """
    cells = np.zeros((channels, size, size))
    for c, channel in enumerate(text.replace("\N{MINUS SIGN}", "-").split("|")[:channels]):
        for i, row in enumerate(channel.split("/")[:size]):
            for j, part in enumerate(re.split(r"[\s,]+", row.strip())[:size] if row.strip() else ()):
                try:
                    cells[c, i, j] = float(part)
                except ValueError:
                    raise ValueError(f"{part!r} is no number. Write rows with / between them: 0 1 0/1 1 1") from None
                if not abs(cells[c, i, j]) <= 99:
                    raise ValueError(f"{part} is too large for a cell of this bench: at most 99.")
    return cells


def write(cells: np.ndarray) -> str:
    return " | ".join("/".join(" ".join(f"{v:g}" for v in row) for row in channel) for channel in cells)


def compute(settings: dict[str, Any]) -> Numbers:
    """Convolve with nnlib, walk back, and ask by gradients which pixels are read and how far a unit sees."""
    n, k, channels = settings["n"], settings["k"], settings["channels"]
    own = settings["image"] == OWN, settings["kernel"] == OWN
    x = read(settings["pixels"], n, channels) if own[0] else picture(settings["image"], n, channels)
    w = read(settings["weights"], k, channels) if own[1] else kernel(settings["kernel"], k, channels)
    geometry = (settings["stride"], settings["padding"], settings["dilation"])
    pixel = (min(settings["channel"], channels) - 1, min(settings["row"], n) - 1, min(settings["column"], n) - 1)
    image, none = nn.tensor(x[None], requires_grad=True), np.zeros((0, 0))
    try:
        out = F.conv2d(image, nn.tensor(w[None]), None, *geometry)
    except ValueError as caught:
        return Numbers(
            x, w, *geometry, str(caught), none, none, 0 * x, none, (0, 0), pixel, [], settings["brush"]
        )
    y = out.data[0, 0]
    output = (min(settings["out_row"], len(y)) - 1, min(settings["out_column"], len(y)) - 1)
    upstream = np.ones(y.shape)
    if settings["upstream"] == UPSTREAM[1]:
        upstream[:] = 0
        upstream[output] = 1
    (out * nn.tensor(upstream)).sum().backward()
    touched = nn.zeros(1, 1, n, n, dtype=nn.float64, requires_grad=True)
    F.conv2d(touched, nn.ones(1, 1, k, k, dtype=nn.float64), None, *geometry).sum().backward()
    assert image.grad is not None and touched.grad is not None
    layer = (k, settings["stride"], settings["dilation"])
    fields = [nn.inspection.receptive_field([layer] * deep) for deep in range(1, settings["layers"] + 1)]
    return Numbers(
        x, w, *geometry, "", y, upstream, image.grad[0], touched.grad[0, 0] > 0, output, pixel, fields,
        settings["brush"],
    )  # fmt: skip


WIDTH, HEIGHT = 1000, 484
IMAGE, OUTPUT, KERNEL, GRAD = (28, 40, 330, 420), (424, 40, 190, 190), (640, 40, 124, 190), (792, 40, 200, 200)
CONE = (440, 300, 540, 140)


@dataclass
class Grid:
    """Where square cells stand: ``cell`` pixels a side, channels below each other."""

    left: float
    top: float
    cell: float
    rows: int
    gap: float = 0.5  # of a cell, between channels

    @classmethod
    def fit(cls, area: tuple[float, float, float, float], rows: int, channels: int, most: float) -> Grid:
        left, top, wide, tall = area
        return cls(left, top, min(most, wide / rows, tall / (channels * (rows + 0.5) - 0.5)), rows)

    def corner(self, channel: int, row: int, column: int) -> tuple[float, float]:
        down = row + channel * (self.rows + self.gap)
        return self.left + self.cell * column, self.top + self.cell * down

    def middle(self, channel: int, row: int, column: int) -> tuple[float, float]:
        x, y = self.corner(channel, row, column)
        return x + self.cell / 2, y + self.cell / 2

    def axes(self, channel: int, border: int) -> tuple[Axis, Axis]:
        """The columns and rows of a channel, and one place beyond on each side; the border does not count."""
        x, y = self.middle(channel, border, border)
        last = self.rows - 2 * border
        return (x, self.cell, -1, last), (y, self.cell, -1, last)


def grids(n: Numbers) -> tuple[Grid, Grid, Grid, Grid]:
    """Of image with padding, output, kernel, gradient."""
    channels, size, _ = n.x.shape
    return (
        Grid.fit(IMAGE, size + 2 * n.padding, channels, 40),
        Grid.fit(OUTPUT, max(n.out, 1), 1, 34),
        Grid.fit(KERNEL, n.w.shape[1], channels, 34),
        Grid.fit(GRAD, size, 1, 30),
    )


def draw(numbers: Numbers) -> Scene:
    """Image, output, kernel, gradient as cells; the paths of the pixel between the first two; below, the cone."""
    n, scene = numbers, Scene(WIDTH, HEIGHT)
    image, output, weights, grad = grids(n)
    channels, size, _ = n.x.shape
    look, p = n.pixel, n.padding

    def cell(grid: Grid, at: tuple[int, int, int], value: float, id: str, **looks: Any) -> None:
        x, y = grid.corner(*at)
        fill = looks.pop("fill", "none")
        scene.box(x, y, grid.cell, grid.cell, fill=fill, **{"color": "grid", "width": 1, **looks}, id=id)
        if grid.cell >= 18:
            text = number(value, 3)
            size = min(14.0, grid.cell * (0.5 if len(text) < 3 else 0.4))
            scene.text(*grid.middle(*at), text, size=size, color="ink" if value else "faint")
        elif value:  # too small for numbers: a square as large as the value, filled if it is positive
            side = grid.cell * (0.3 + 0.4 * min(abs(value) / 9, 1))
            mx, my = grid.middle(*at)
            scene.box(mx - side / 2, my - side / 2, side, side, width=1, fill="ink" if value > 0 else "none")

    windows = [(r, c) for r in n.window(0) for c in n.window(1)] if not n.error else []
    for channel in range(channels):
        for r in range(-p, size + p):
            for c in range(-p, size + p):
                at = (channel, r + p, c + p)
                real = 0 <= r < size and 0 <= c < size
                lost = real and not n.error and not n.read[r, c]
                tint = "red-tint" if lost else "blue-tint" if (r, c) in windows else "paper"
                id = f"x {channel} {r} {c}" if real else "padding"
                cell(image, at, n.x[channel, r, c] if real else 0.0, id, fill=tint, dash=not real)
                if lost:
                    x, y = image.corner(*at)
                    scene.text(x + 0.8 * image.cell, y + 0.2 * image.cell, "✗", size=9, color="red", id="unread")
    name = f"image, {channels} × {size} × {size}" if channels > 1 else f"image, {size} × {size}"
    scene.text(IMAGE[0], 22, name, anchor="start", bold=True)
    scene.text(KERNEL[0], 22, "kernel", anchor="start", bold=True)
    scene.text(KERNEL[0], HEIGHT - 226, f"a press paints {number(n.brush)}", anchor="start", size=13, color="faint")
    used = {(i, j) for r, c, i, j in n.paths}
    for channel in range(channels):
        for i, j in np.ndindex(n.w.shape[1:]):
            lit = channel == look[0] and (i, j) in used
            cell(weights, (channel, i, j), n.w[channel, i, j], f"w {channel} {i} {j}",
                 fill="red-tint" if lit else "green-tint")  # fmt: skip
    x, y = image.corner(look[0], look[1] + p, look[2] + p)
    if n.error:
        scene.text(OUTPUT[0], OUTPUT[1] + 20, "✗ no window fits;", size=15, color="red", bold=True, anchor="start")
        scene.text(OUTPUT[0], OUTPUT[1] + 42, "nnlib says why below", size=15, color="red", bold=True, anchor="start")
        scene.box(x, y, image.cell, image.cell, color="red", width=3, id="pixel")
        return scene
    scene.text(OUTPUT[0], 22, f"output, {n.out} × {n.out}", anchor="start", bold=True)
    scene.text(GRAD[0], 22, f"dL/dx{f', channel {look[0] + 1}' if channels > 1 else ''}", anchor="start", bold=True,
               color="red")  # fmt: skip
    paths = {(r, c): (i, j) for r, c, i, j in n.paths}
    for r, c in np.ndindex(n.y.shape):
        here = (r, c) == n.output
        tint, edge = ("red-tint", "red") if (r, c) in paths else ("paper", "grid")
        cell(output, (0, r, c), float(n.y[r, c]), f"y {r} {c}", fill="glow" if here else tint, color=edge)
    scene.box(*output.corner(0, *n.output), output.cell, output.cell, color="blue", width=3, id="output")
    for r, c in np.ndindex(n.x.shape[1:]):
        cell(grad, (0, r, c), n.grad[look[0], r, c], f"g {r} {c}", fill="paper" if n.read[r, c] else "red-tint")
    gx, gy = grad.corner(0, look[1], look[2])
    scene.box(gx, gy, grad.cell, grad.cell, color="red", width=3, id="gradient")
    edges = [image.corner(look[0], row + p, column + p) for row, column in (windows[0], windows[-1])]
    scene.box(*edges[0], edges[1][0] - edges[0][0] + image.cell, edges[1][1] - edges[0][1] + image.cell,
              color="blue", width=2.5, id="window")  # fmt: skip
    for (r, c), (i, j) in paths.items():
        if n.upstream[r, c]:
            a, b = output.middle(0, r, c), image.middle(look[0], look[1] + p, look[2] + p)
            scene.line(a, b, color="red", width=1.3, dash=True, id=f"path {r} {c}")
            t = 0.32 + 0.04 * (i + j)
            px, py = a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])
            scene.box(px - 8, py - 8, 16, 16, fill="paper", color="none")
            scene.text(px, py, number(n.w[look[0], i, j], 3), size=12, color="red", bold=True)
    scene.box(x, y, image.cell, image.cell, color="red", width=3, id="pixel")
    _cone(scene, n)
    return scene


def _cone(scene: Scene, n: Numbers) -> None:
    """From the side: one unit at the top and what it sees, layer by layer down to the image."""
    left, top, wide, tall = CONE
    deep = len(n.fields)
    sides = [1, *n.fields]  # of the square seen in the layer 0, 1, … below the unit
    at = plot_area((-sides[-1] / 2, sides[-1] / 2), (0, deep), (left, top + 8, wide - 150, tall))
    scene.text(left - 20, top - 14, f"what one unit sees through {deep} such layer{'s' * (deep > 1)}", anchor="start",
               bold=True)  # fmt: skip
    for below, side in enumerate(sides):
        y = at(0, deep - below)[1]
        x0, x1 = at(-side / 2, 0)[0], at(side / 2, 0)[0]
        x0, x1 = min(x0, x1 - 8), max(x1, x0 + 8)
        scene.line((x0, y), (x1, y), color="blue", width=5, id=f"sees {below}")
        if below:
            upper = at(0, deep - below + 1)[1]
            for edge, sign in ((-1, -1), (1, 1)):
                start = at(edge * sides[below - 1] / 2, 0)[0]
                scene.line((start, upper), (x0 if sign < 0 else x1, y), color="blue", width=1, dash=True)
        text = "one unit" if not below else f"{side} × {side} pixels" if below == deep else f"{side} × {side}"
        scene.text(left + wide - 130, y, text, size=13, anchor="start", color="ink" if below in (0, deep) else "faint")


def say(numbers: Numbers) -> str:
    """Sizes, one output as a sum, one pixel's gradient as a sum, what is never read, the cone."""
    n = numbers
    if n.error:
        return f"nnlib says: “{n.error}”"
    channels, size, _ = n.x.shape
    terms = []
    for channel in range(channels):
        for i, row in enumerate(n.window(0)):
            for j, column in enumerate(n.window(1)):
                value = n.x[channel, row, column] if 0 <= row < size and 0 <= column < size else 0.0
                if value and n.w[channel, i, j]:
                    terms.append(f"{number(n.w[channel, i, j], 3)}·{number(value, 3)}")
    r, c = n.output
    products = " + ".join(terms[:9]).replace("+ −", "− ") + (" + …" if len(terms) > 9 else "")
    parts = [
        f"{size} × {size} pixels give {n.out} × {n.out} outputs. Output ({r + 1}, {c + 1}) = "
        f"{products or 'nothing but zeros'} = {number(n.y[r, c])}."
    ]
    channel, row, column = n.pixel
    where = f"({row + 1}, {column + 1})" + (f" of channel {channel + 1}" if channels > 1 else "")
    value = number(n.x[channel, row, column], 3)
    ways = [(r, c, i, j) for r, c, i, j in n.paths if n.upstream[r, c]]
    if not n.paths:
        parts.append(f"Pixel {where} = {value} has no path to any output: its gradient is 0.")
    else:
        total = " + ".join(f"{number(n.w[channel, i, j], 3)}·{number(n.upstream[r, c])}" for r, c, i, j in ways)
        many = f"{len(ways)} path{'s' * (len(ways) != 1)}"
        parts.append(
            f"Pixel {where} = {value} has {many}, so its gradient is {total.replace('+ −', '− ') or '0'}"
            f"{f' = {number(n.grad[n.pixel])}' if total else ''}."
        )
    if n.unread:
        parts.append(f"✗ {n.unread} of {size * size} pixels are never read.")
    weights = len(n.fields) * n.w.shape[1] ** 2
    parts.append(
        f"Through {len(n.fields)} such layer{'s' * (len(n.fields) > 1)} a unit sees {n.fields[-1]} × {n.fields[-1]} "
        f"pixels with {weights} weights a channel; one kernel that size would have {n.fields[-1] ** 2}."
    )
    return " ".join(parts)


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """The cells of image and kernel, channel by channel, and of the output; place (i, j) is column i, row j."""
    n = numbers
    image, output, weights, _ = grids(n)
    cells = {f"x {c}": image.axes(c, n.padding) for c in range(n.x.shape[0])}
    cells |= {f"w {c}": weights.axes(c, 0) for c in range(n.x.shape[0])}
    return cells | ({} if n.error else {"y": output.axes(0, 0)})


class KernelBench(Experiment):
    """A convolution in two dimensions, forward and backward.  Lesson 15.

    >>> [KernelBench.measure(n=n, stride=2).unread for n in (7, 8)]
    [0, 15]
    """

    title = "Kernel bench"
    controls = {
        "n": Slider("image n × n", MOST, 2, MOST),
        "k": Slider("kernel k × k", 3, 1, MOST_K),
        "channels": Slider("channels", 1, 1, MOST_CHANNELS),
        "stride": Slider("stride", 1, 1, 4),
        "padding": Slider("padding", 0, 0, 2),
        "dilation": Slider("dilation", 1, 1, 3),
        "image": Choice("image", IMAGES[0], IMAGES),
        "kernel": Choice("kernel", KERNELS[0], KERNELS),
        "brush": Slider("brush", 1, -9, 9),
        "pixels": Entry("pixels", write(picture(IMAGES[1], MOST, 1)), 620),
        "weights": Entry("weights", write(kernel(KERNELS[0], 3, 1)), 300),
        "out_row": Slider("output: row", 1, 1, MOST + 4),
        "out_column": Slider("column", 1, 1, MOST + 4),
        "channel": Slider("pixel: channel", 1, 1, MOST_CHANNELS),
        "row": Slider("row", 3, 1, MOST),
        "column": Slider("column", 3, 1, MOST),
        "upstream": Choice("dL/dy", UPSTREAM[0], UPSTREAM),
        "layers": Slider("layers", 2, 1, 4),
    }
    rows = (
        ("n", "k", "channels"), ("stride", "padding", "dilation"), ("image", "kernel", "brush"), ("pixels", "weights"),
        ("out_row", "out_column"), ("channel", "row", "column"), ("upstream", "layers"),
    )  # fmt: skip
    still = {"image": "ring", "stride": 2}
    least = 720
    grips = (
        *(f"x {c} {i} {j}" for c in range(MOST_CHANNELS) for i in range(MOST) for j in range(MOST)),
        *(f"w {c} {i} {j}" for c in range(MOST_CHANNELS) for i in range(MOST_K) for j in range(MOST_K)),
        *(f"y {i} {j}" for i in range(MOST + 4) for j in range(MOST + 4)),
    )
    keys = foreseen = ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp", " ", "Enter")
    hint = "In the picture arrow keys move the pixel looked at, space or Enter paints it with the brush."
    prediction = Prediction(
        "8 × 8 pixels, a 3 × 3 kernel, no padding. With stride 1 all 64 pixels reach the output. Now stride 2. How "
        "many pixels never reach it?",
        ("none", "8", "15", "28"),
        "15",
        "The windows start at rows 1, 3 and 5, and the last ends at row 7. Row 8 and column 8 are dropped, 15 pixels, "
        "and their gradient is 0.",
        before={"n": 8, "k": 3, "stride": 1, "padding": 0, "dilation": 1, "image": "ring"},
        after={"n": 8, "k": 3, "stride": 2, "padding": 0, "dilation": 1, "image": "ring", "row": 8, "column": 8},
    )
    challenge = Challenge(
        "Make the layer blind: find settings in which it never reads more than half of the pixels.",
        lambda n: not n.error and 2 * n.unread > n.read.size,
        "A stride wider than the window jumps over pixels. Subsampling is meant to lose detail, and this is how "
        "detail is lost without anything having looked at it.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)
    lasting = False  # a stroke paints on its way

    def set(self, **settings: Any) -> None:
        """Change settings; pixels or weights of your own choose “your own”."""
        for text, choice in (("pixels", "image"), ("weights", "kernel")):
            if text in settings:
                settings.setdefault(choice, OWN)
        super().set(**settings)

    def moved(self, name: str) -> None:
        """Typed cells are your own."""
        if name in ("pixels", "weights"):
            self._settings["image" if name == "pixels" else "kernel"] = OWN

    def tune(self, numbers: Numbers) -> None:
        """One can only look at what is there; the fields show the cells."""
        n = numbers
        most = {"row": n.x.shape[1], "column": n.x.shape[1], "channel": n.x.shape[0]}
        if n.out:
            most |= {"out_row": n.out, "out_column": n.out}
        for name, end in most.items():
            self._settings[name] = min(self._settings[name], end)
            self.widgets[name].max = end
        self.widgets["channel"].layout.display = None if n.x.shape[0] > 1 else "none"
        for text, choice, cells in (("pixels", "image", n.x), ("weights", "kernel", n.w)):
            if self._settings[choice] != OWN:
                self._settings[text] = write(cells)

    def paint(self, which: str, channel: int, row: int, column: int, value: float | None = None) -> dict[str, Any]:
        """Settings in which this cell has the brush's value; a cell that has it already becomes 0."""
        n = self.numbers
        cells = (n.x if which == "x" else n.w).copy()
        if value is None:
            brush = float(self._settings["brush"])
            value = 0.0 if cells[channel, row, column] == brush else brush
        cells[channel, row, column] = self._stroke = value
        text, choice = ("pixels", "image") if which == "x" else ("weights", "kernel")
        return {text: write(cells), choice: OWN}

    _stroke = 0.0  # what the stroke being drawn paints

    def drag(self, id: str, i: int, j: int) -> None:
        """A cell of image or kernel is painted, and the pixel looked at; a cell of the output is looked at."""
        n, (which, *channel) = self.numbers, id.split()
        if which == "y":
            self.set(out_row=min(max(j, 0), n.out - 1) + 1, out_column=min(max(i, 0), n.out - 1) + 1)
            return
        at, cells = (int(channel[0]), j, i), n.x if which == "x" else n.w
        if not all(0 <= k < end for k, end in zip(at, cells.shape)):
            return  # beside it
        painted = self.paint(which, *at, None if self.pressed else self._stroke)
        seen = dict(zip(("channel", "row", "column"), (k + 1 for k in at))) if which == "x" else {}
        self.set(**painted, **seen)

    def press(self, keys: list[str]) -> None:
        """Arrows move the pixel looked at, space and Enter paint it."""
        for key in keys:
            channel, row, column = (self._settings[name] for name in ("channel", "row", "column"))
            n = self.numbers.x.shape[1]
            down = {"ArrowUp": -1, "ArrowDown": 1}.get(key, 0)
            right = {"ArrowLeft": -1, "ArrowRight": 1}.get(key, 0)
            if down or right:
                self.set(row=min(max(row + down, 1), n), column=min(max(column + right, 1), n))
            else:
                self.set(**self.paint("x", channel - 1, row - 1, column - 1))
