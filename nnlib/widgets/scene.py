"""A drawing as plain data, shown two ways: SVG for a picture that moves, matplotlib for one that is stored.

An experiment draws once, into a :class:`Scene`: marks with coordinates in pixels (y down), colours by role. ``svg()``
gives a string whose colours are CSS variables, so that JupyterLab's theme chooses them; ``picture(text)`` gives the
course's :class:`~nnlib.plot.style.Picture` of the same marks. Tests read the marks, not pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Mark", "Scene", "number", "signed"]

# role -> (light theme and paper, dark theme); contrast with the ground is at least 4.5 for those that colour text.
COLORS = {
    "ink": ("#1A1A1A", "#F0F0F0"),
    "faint": ("#5F5F5F", "#B4B4B4"),
    "grid": ("#D5D2CA", "#4A4A4A"),
    "paper": ("#FCFBF8", "#1B1B1B"),
    "blue": ("#00629B", "#6CC3F5"),  # values, forward
    "red": ("#A84300", "#FFA45C"),  # gradients, backward; what is wrong
    "green": ("#00704F", "#4FD3A8"),
    "purple": ("#8E3A7D", "#E79BD3"),
    "blue-tint": ("#D6E8F4", "#143E57"),
    "red-tint": ("#FBE0CC", "#5A2C0C"),
    "green-tint": ("#CDEBE1", "#0E4535"),
    "glow": ("#FFE9A8", "#4F3F00"),  # the place to look at
    "none": ("none", "none"),
}
DASH = (6, 4)


class Mark(NamedTuple):
    """One thing drawn: its kind (line, shape, box, circle, text, image), points (x, y), and how it looks."""

    kind: str
    points: tuple[tuple[float, float], ...]
    color: str = "ink"
    fill: str = "none"
    width: float = 1.5
    dash: bool = False
    arrow: bool = False
    text: str = ""
    size: float = 13
    anchor: str = "middle"
    bold: bool = False
    radius: float = 0
    id: str = ""
    pixels: bytes = b""  # RGBA of an image, row by row from the top
    grid: tuple[int, int] = (0, 0)  # its width and height in those pixels


class Scene:
    """Marks on a sheet of ``width`` × ``height`` pixels.

    >>> scene = Scene(100, 50)
    >>> scene.line((0, 0), (100, 50), color="blue")
    >>> scene.text(50, 20, "a < b")
    >>> scene.texts()
    ['a < b']
    >>> "a &lt; b" in scene.svg()
    True
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.marks: list[Mark] = []

    def line(self, *points: tuple[float, float], **look: Any) -> None:
        """An open line through the points (those not finite are left out); ``arrow=True`` ends it in a head."""
        points = tuple(
            (float(x), float(y)) for x, y in points if math.isfinite(x) and math.isfinite(y)
        )
        if len(points) > 1:
            self._add(Mark("line", points, **look))

    def shape(self, *points: tuple[float, float], **look: Any) -> None:
        """A closed polygon."""
        self._add(Mark("shape", tuple(points), **look))

    def box(self, x: float, y: float, w: float, h: float, **look: Any) -> None:
        """A rectangle with its top left corner at (x, y)."""
        self._add(Mark("box", ((x, y), (x + w, y + h)), **look))

    def circle(self, x: float, y: float, radius: float, **look: Any) -> None:
        self._add(Mark("circle", ((x, y),), radius=radius, **look))

    def image(self, x: float, y: float, w: float, h: float, rgba: Any, id: str = "") -> None:
        """Pixels rgba (rows, columns, 4) of bytes, stretched over a rectangle; all other marks lie above images."""
        rows, columns, _ = rgba.shape
        self._add(
            Mark(
                "image",
                ((x, y), (x + w, y + h)),
                "none",
                pixels=rgba.tobytes(),
                grid=(columns, rows),
                id=id,
            )
        )

    def images(self) -> list[Mark]:
        """Every image, in order: SVG leaves them to a canvas."""
        return [mark for mark in self.marks if mark.kind == "image"]

    def text(self, x: float, y: float, text: str, **look: Any) -> None:
        """Text whose middle height is at y; ``anchor`` start, middle or end."""
        self._add(Mark("text", ((x, y),), text=str(text), **look))

    def _add(self, mark: Mark) -> None:
        for role in (mark.color, mark.fill):
            if role not in COLORS:
                raise ValueError(f"Scene: no colour role {role!r}; there are {', '.join(COLORS)}.")
        self.marks.append(mark)

    def texts(self) -> list[str]:
        """Every text of the drawing, in order."""
        return [mark.text for mark in self.marks if mark.kind == "text"]

    def find(self, id: str) -> Mark:
        """The mark with that id.  Raises KeyError."""
        for mark in self.marks:
            if mark.id == id:
                return mark
        raise KeyError(f"Scene: no mark has the id {id!r}.")

    def svg(self) -> str:
        """The drawing as an SVG element; as wide as the page gives, at most its own width."""
        w, h = _px(self.width), _px(self.height)
        body = "".join(_svg(mark) for mark in self.marks if mark.kind != "image")
        return f'<svg viewBox="0 0 {w} {h}" width="{w}" xmlns="http://www.w3.org/2000/svg">{body}</svg>'

    def picture(self, text: str) -> Any:
        """The drawing as a :class:`~nnlib.plot.style.Picture` whose sentence is ``text`` (needs matplotlib)."""
        from ..plot.style import Picture

        scale = (
            min(1.0, 1000 / self.width) / 100
        )  # inches per pixel; a notebook's output is 1000 pixels wide
        return Picture(
            lambda figure: self._paint(figure, scale),
            (self.width * scale, self.height * scale),
            text,
        )

    def _paint(self, figure: Any, scale: float) -> None:
        figure.set_layout_engine("none") if hasattr(figure, "set_layout_engine") else None
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_xlim(0, self.width)
        ax.set_ylim(self.height, 0)
        ax.axis("off")
        for mark in self.marks:
            _paint(ax, mark, 72 * scale)


def _px(value: float) -> str:
    return f"{value + 0.0:.1f}".removesuffix(".0")


def _css(role: str) -> str:
    return "none" if role == "none" else f"var(--nn-{role})"


@lru_cache(maxsize=4096)  # most of a picture that moves stays: axes, ticks, contours
def _svg(mark: Mark) -> str:
    (x, y), data = mark.points[0], f' data-id="{escape(mark.id)}"' if mark.id else ""
    if mark.kind == "text":
        weight = ' font-weight="700"' if mark.bold else ""
        return (
            f'<text x="{_px(x)}" y="{_px(y)}" fill="{_css(mark.color)}" font-size="{_px(mark.size)}" '
            f'text-anchor="{mark.anchor}" dominant-baseline="central"{weight}{data}>{escape(mark.text)}</text>'
        )
    look = f' fill="{_css(mark.fill)}" stroke="{_css(mark.color)}" stroke-width="{_px(mark.width)}"{data}'
    if mark.dash:
        look += ' stroke-dasharray="{} {}"'.format(*DASH)
    if mark.kind == "circle":
        return f'<circle cx="{_px(x)}" cy="{_px(y)}" r="{_px(mark.radius)}"{look}/>'
    if mark.kind == "box":
        x2, y2 = mark.points[1]
        return (
            f'<rect x="{_px(x)}" y="{_px(y)}" width="{_px(x2 - x)}" height="{_px(y2 - y)}" '
            f'rx="{_px(mark.radius)}"{look}/>'
        )
    points = " ".join(f"{_px(px)},{_px(py)}" for px, py in mark.points)
    result = f'<{"polyline" if mark.kind == "line" else "polygon"} points="{points}"{look}/>'
    if mark.arrow:
        head = " ".join(f"{_px(px)},{_px(py)}" for px, py in _head(mark))
        result += f'<polygon points="{head}" fill="{_css(mark.color)}"/>'
    return result


def _head(mark: Mark) -> list[tuple[float, float]]:
    """The three corners of an arrow's head."""
    (x0, y0), (x1, y1) = mark.points[-2:]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy, size = (x1 - x0) / length, (y1 - y0) / length, 5 + 2 * mark.width
    bx, by = x1 - size * ux, y1 - size * uy
    return [
        (x1, y1),
        (bx - size * uy / 2, by + size * ux / 2),
        (bx + size * uy / 2, by - size * ux / 2),
    ]


def _paint(ax: Any, mark: Mark, points: float) -> None:
    """One mark on matplotlib axes; ``points`` is the size of a pixel in points."""
    from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle

    color, fill = COLORS[mark.color][0], COLORS[mark.fill][0]
    (x, y), width = mark.points[0], mark.width * points
    style = (0, tuple(d / mark.width for d in DASH)) if mark.dash else "-"
    if mark.kind == "text":
        align = {"start": "left", "middle": "center", "end": "right"}[mark.anchor]
        ax.text(x, y, mark.text, color=color, fontsize=0.92 * mark.size * points, ha=align, va="center_baseline",
                weight="bold" if mark.bold else "normal", gid=mark.id or None, parse_math=False)  # fmt: skip
        return
    if mark.kind == "image":
        rgba = np.frombuffer(mark.pixels, np.uint8).reshape(*mark.grid[::-1], 4)
        (x2, y2) = mark.points[1]
        ax.imshow(
            rgba,
            extent=(x, x2, y2, y),
            interpolation="nearest",
            aspect="auto",
            zorder=0.5,
            gid=mark.id or None,
        )
        return
    if mark.kind == "line":
        ax.plot(
            *zip(*mark.points), color=color, linewidth=width, linestyle=style, gid=mark.id or None
        )
        if mark.arrow:
            ax.add_patch(
                Polygon(_head(mark), closed=True, facecolor=color, edgecolor="none", zorder=2)
            )
        return
    look = {
        "facecolor": fill,
        "edgecolor": color,
        "linewidth": width,
        "linestyle": style,
        "zorder": 2,
    }
    if mark.kind == "circle":
        patch: Any = Circle((x, y), mark.radius, **look)
    elif mark.kind == "shape":
        patch = Polygon(mark.points, closed=True, **look)
    else:
        (x2, y2), r = mark.points[1], mark.radius
        patch = Rectangle((x, y), x2 - x, y2 - y, **look)
        if r:
            patch = FancyBboxPatch(
                (x + r, y + r), x2 - x - 2 * r, y2 - y - 2 * r, f"round,pad={r}", **look
            )
    patch.set_gid(mark.id or None)
    ax.add_patch(patch)


def number(value: Any, digits: int = 4) -> str:
    """A number for a label or a sentence: significant digits, typographic minus, no trailing zeros.

    >>> number(-0.53444665), number(3.0), number(1e-17), number(float("inf")), number(1234567.0)
    ('−0.5344', '3', '1e−17', 'inf', '1.235e6')
    """
    value = float(value)
    if not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "−inf"}.get(value, "nan")
    if value == 0:
        return "0"
    text = f"{value:.{digits - 1}e}"
    mantissa, exponent = text.split("e")
    power = int(exponent)
    if -4 <= power <= 5:
        text = f"{float(text):.{max(digits - 1 - power, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{mantissa.rstrip('0').rstrip('.')}e{power}"
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: Any, digits: int = 4) -> str:
    """A number for the inside of a sum or product: negative ones in brackets.

    >>> signed(-2), signed(2)
    ('(−2)', '2')
    """
    text = number(value, digits)
    return f"({text})" if text.startswith("\N{MINUS SIGN}") else text


def plot_area(
    x: tuple[float, float], y: tuple[float, float], area: tuple[float, float, float, float]
) -> Any:
    """A function from data (x, y) to pixels of the area (left, top, width, height)."""
    left, top, width, height = area

    def at(px: float, py: float) -> tuple[float, float]:
        return (
            left + width * (px - x[0]) / (x[1] - x[0]),
            top + height * (y[1] - py) / (y[1] - y[0]),
        )

    return at


Axis = tuple[float, float, int, int]  # the pixel of place 0, pixels from a place to the next, first and last place
STILL: Axis = (0.0, 1.0, 0, 0)  # of a mark that moves along the other axis only


def axis(pixels: tuple[float, float], ends: tuple[float, float], step: float, reach: Any = None) -> Axis:
    """Where the multiples of ``step`` lie on an axis from ``ends[0]`` at ``pixels[0]`` to ``ends[1]`` at ``pixels[1]``.

    Place k is k · step. ``reach`` limits it to an interval other than the axis itself.

    >>> axis((100, 300), (-1.0, 1.0), 0.5), axis((100, 300), (-1.0, 1.0), 0.5, (0.3, 9))
    ((200.0, 50.0, -2, 2), (200.0, 50.0, 1, 18))
    """
    scale = (pixels[1] - pixels[0]) / (ends[1] - ends[0])
    low, high = reach or ends
    return (
        float(pixels[0] - ends[0] * scale), float(step * scale),
        math.ceil(round(low / step, 9)), math.floor(round(high / step, 9)),
    )  # fmt: skip


def clip(corners: Sequence[Any], heights: Sequence[float]) -> list[tuple[float, float]]:
    """The part of a convex polygon where a linear function, given at its corners, is positive.

    >>> clip([(0, 0), (2, 0), (2, 2), (0, 2)], [-1, 1, 1, -1])  # x > 1
    [(1.0, 0.0), (2.0, 0.0), (2.0, 2.0), (1.0, 2.0)]
    """
    kept = []
    for i, ((x, y), height) in enumerate(zip(corners, heights)):
        (x2, y2), following = corners[(i + 1) % len(corners)], heights[(i + 1) % len(corners)]
        if height > 0:
            kept.append((float(x), float(y)))
        if (height > 0) != (following > 0):
            t = height / (height - following)
            kept.append((float(x + t * (x2 - x)), float(y + t * (y2 - y))))
    return kept


def ticks(low: float, high: float, most: int = 6) -> Sequence[float]:
    """Round numbers between low and high, at most ``most``.

    >>> ticks(0, 10), ticks(0, 0.9, 4)
    ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [0.0, 0.5])
    """
    span = (high - low) or 1.0
    raw = span / most
    base = 10 ** math.floor(math.log10(raw))
    step = next(
        (base * k for k in (1, 2, 5, 10) if base * k * (most - 1) >= span * 0.999), base * 10
    )
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]
