"""The one look of the course's figures, and the object every figure function returns.

The paper is opaque and light, so that a figure reads the same in JupyterLab's light and dark theme. Colours are
Okabe and Ito's, safe for colour-blind eyes, in an order that also differs in lightness; a dash, a marker or a hatch
always says the same as the colour. Nothing here touches the user's ``rcParams``, and pyplot is not imported.
"""

from __future__ import annotations

import io
import math
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath

from ..layout import bends

__all__ = ["Picture", "array", "context", "count", "curve", "fixed", "items", "number", "row", "text_width"]

PAPER, INK, FAINT, GRID = "#FCFBF8", "#1A1A1A", "#6A6A6A", "#DDDAD2"
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#B5578F", "#B87700", "#56B4E9"
COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, INK)
GRADIENT = "#A84300"  # vermillion, dark enough for text
HIGHLIGHT = "#FFE9A8"
DASHES: tuple[Any, ...] = ("-", (0, (6, 2.5)), (0, (1.2, 1.8)), (0, (7, 2, 1.2, 2)), (0, (3, 1.5)), (0, (10, 2, 3, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
HATCHES = ("", "//", "..", "xx", "\\\\", "--")
TINTS = ("#D6E8F4", "#FBE0CC", "#CDEBE1", "#F3DDEA", "#F5E6C8", "#E2E2E2")  # fills that carry black text
DIVERGING, SEQUENTIAL = "RdBu_r", "cividis"
TEXT = 11  # points: the smallest text of a figure
WIDEST = 10.0  # inches at 100 dpi: the width of a notebook's output
DRAWING = 8192  # colours: a figure with more of them holds a photograph

RC = {
    "figure.dpi": 100,
    "figure.facecolor": PAPER,
    "figure.edgecolor": PAPER,
    "figure.constrained_layout.w_pad": 0.09,
    "figure.constrained_layout.h_pad": 0.09,
    "savefig.dpi": "figure",
    "axes.facecolor": PAPER,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 13,
    "axes.labelsize": 12,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "xtick.labelsize": TEXT,
    "ytick.labelsize": TEXT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "legend.fontsize": TEXT,
    "legend.framealpha": 0.9,
    "legend.facecolor": PAPER,
    "legend.edgecolor": GRID,
    "legend.handlelength": 3.0,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "hatch.linewidth": 0.8,
    "hatch.color": FAINT,
}


@contextmanager
def context() -> Iterator[None]:
    """Matplotlib's defaults and the course's style inside, the user's settings again outside."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


class Picture:
    """A figure and a sentence that says what it shows, with its numbers.

    ``.text`` is the sentence, ``.figure`` the matplotlib figure (drawn when first asked for), ``.show()`` displays
    the figure in a notebook and prints the sentence, ``.save(path)`` writes a file. In a terminal ``show`` only
    prints. A cell ends in ``plot.curves(...).show()``: its output is an image, which strict nbval does not compare,
    and text.
    """

    def __init__(self, draw: Callable[[Any], None], size: tuple[float, float], text: str) -> None:
        self.draw, self.size, self.text = draw, (float(size[0]), float(size[1])), text
        self._figure: Figure | None = None

    @property
    def figure(self) -> Figure:
        """The figure, drawn on first use; later uses give the same object."""
        if self._figure is None:
            with context():
                figure = Figure(figsize=self.size, layout="constrained")
                self.draw(figure)
                self._figure = figure
        return self._figure

    def png(self) -> bytes:
        """The figure as PNG: the same bytes each time, without the name of the software in it.

        A drawing has two thousand colours, nearly all of them edges; 256 chosen among them look the same (no pixel
        moves by more than 1 in 16) and take a third of the room. A photograph keeps all of its own.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from PIL import Image

        with context():
            canvas = FigureCanvasAgg(self.figure)
            canvas.draw()
        image = Image.fromarray(np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3]))
        if image.getcolors(DRAWING):
            image = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        out = io.BytesIO()
        image.save(out, "png", dpi=(self.figure.dpi, self.figure.dpi))
        return out.getvalue()

    def save(self, path: Any) -> None:
        """Write the figure to a file whose ending (.png, .svg, .pdf) says the form."""
        form = str(path).rsplit(".", 1)[-1].lower()
        metadata = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        if form not in metadata:
            raise ValueError(f"save: a path that ends in .png, .svg or .pdf expected, got {str(path)!r}.")
        with open(path, "wb") as file:
            file.write(self._written(form, metadata=metadata[form]))

    def _written(self, form: str, **options: Any) -> bytes:
        buffer, figure = io.BytesIO(), self.figure
        with context(), mpl.rc_context({"svg.hashsalt": "nnlib"}):
            figure.savefig(buffer, format=form, **options)
        return buffer.getvalue()

    def show(self) -> None:
        """Display the figure if this is a notebook, then print the sentence."""
        shell = _shell()
        if shell is not None and hasattr(shell, "kernel"):
            from IPython.display import display

            # The text stands where no picture can; it says no size, for strict nbval compares it.
            # Some viewers take an alt text from the metadata, JupyterLab does not: hence the printed sentence.
            data = {"image/png": self.png(), "text/plain": "(picture)"}
            display(data, metadata={"image/png": {"alt": self.text}}, raw=True)
        # JupyterLab cuts a longer line anywhere, inside a number too.
        told = textwrap.fill(self.text, 100, break_long_words=False, break_on_hyphens=False)
        try:
            print(told)
        except UnicodeEncodeError:  # a terminal that cannot write σ
            encoding = sys.stdout.encoding or "ascii"
            print(told.encode(encoding, "replace").decode(encoding))

    def __repr__(self) -> str:
        return f"Picture: {self.text} (.show() displays it)"


def _shell() -> Any:
    """The running IPython shell, or None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()


def row(*pictures: Picture, columns: int | None = None) -> Picture:
    """Pictures beside each other, at most ``columns`` to a line; a sentence for each, numbered.

    >>> a, b = plot.bars({"heads": 0.5, "tails": 0.5}), plot.bars({"heads": 0.9, "tails": 0.1})
    >>> plot.row(a, b).show()
    (1) Bars: heads 0.5, tails 0.5. (2) Bars: heads 0.9, tails 0.1.
    """
    if not pictures:
        raise ValueError("row: at least one picture expected, got none.")
    columns = columns or len(pictures)
    lines = [pictures[i : i + columns] for i in range(0, len(pictures), columns)]
    widths = [max(line[c].size[0] for line in lines if c < len(line)) for c in range(min(columns, len(pictures)))]
    heights = [max(p.size[1] for p in line) for line in lines]
    shrink = min(1.0, WIDEST / sum(widths))
    size = (sum(widths) * shrink, sum(heights) * max(shrink, 0.8))

    def draw(figure: Any) -> None:
        grid = figure.subfigures(len(lines), len(widths), width_ratios=widths, height_ratios=heights, squeeze=False)
        for r, line in enumerate(lines):
            for c, picture in enumerate(line):
                grid[r, c].set_facecolor(PAPER)
                picture.draw(grid[r, c])
        _share_legend(figure, list(grid.flat))

    if len(pictures) == 1:
        return pictures[0]
    return Picture(draw, size, " ".join(f"({i}) {p.text}" for i, p in enumerate(pictures, 1)))


def _share_legend(figure: Any, parts: list[Any]) -> None:
    """One legend for all where each part would repeat the same."""
    legends = [part.legends[0] for part in parts if part.legends]
    told = [[text.get_text() for text in legend.get_texts()] for legend in legends]
    if len(legends) < 2 or any(texts != told[0] for texts in told) or not isinstance(figure, Figure):
        return
    handles = legends[0].legend_handles
    for part in parts:
        for legend in list(part.legends):
            legend.remove()
    _legend(figure, handles, told[0])


# -- numbers in words


def number(value: Any, digits: int = 3) -> str:
    """A number for a sentence: ``digits`` significant digits, no negative zero, no trailing zeros.

    >>> number(-1e-17), number(0.731058), number(-4.0), number(123456), number(float("nan"))
    ('0', '0.731', '-4', '123000', 'nan')
    """
    value = float(value)
    if not math.isfinite(value):
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
    if abs(value) < 1e-12:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    if rounded == int(rounded) and abs(rounded) < 1e6:
        return str(int(rounded))
    if 1e-3 <= abs(rounded) < 1e6:
        return f"{rounded:.10f}".rstrip("0").rstrip(".")
    mantissa, exponent = f"{rounded:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


def fixed(value: Any, digits: int = 2) -> str:
    """A number for a label: an integer as it is, anything else with ``digits`` decimals.

    >>> fixed(-4.0), fixed(0.196611933), fixed(-0.5344466), fixed(-1e-15), fixed(0.0003)
    ('-4', '0.20', '-0.53', '0', '3e-4')
    """
    value = float(value)
    if not math.isfinite(value) or abs(value) >= 1e5:
        return number(value)
    if abs(value - round(value)) < 1e-12:
        return str(round(value))
    text = f"{value:.{digits}f}"
    return number(value, 1) if float(text) == 0 else text


def brief(value: Any, digits: int = 2) -> str:
    """As :func:`fixed`, without trailing zeros: ``0.4``, not ``0.40``."""
    text = fixed(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def opening(name: str) -> str:
    """A name at the start of a sentence: a word gets its capital, a symbol stays.

    >>> opening("plain"), opening("μ = 0.9"), opening("r = 1")
    ('Plain', 'μ = 0.9', 'r = 1')
    """
    return name[:1].upper() + name[1:] if re.match("[a-z]{2}", name) else name


def minus(text: str) -> str:
    """The label with a typographic minus, for figures (sentences keep the plain one, which every terminal has)."""
    return text.replace("-", "\N{MINUS SIGN}")


def items(names: Sequence[Any], values: Any, digits: int = 3, most: int = 12) -> str:
    """``"a 1, b 2"`` for a sentence; beyond ``most`` the rest is counted, not listed."""
    values = list(values)
    told = ", ".join(f"{name} {number(value, digits)}" for name, value in zip(names, values[:most]))
    return told + (f" and {len(values) - most} more" if len(values) > most else "")


def count(n: int, noun: str, plural: str | None = None) -> str:
    """``"1 point"``, ``"3 points"``."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"


def array(data: Any, dtype: Any = np.float64) -> np.ndarray:
    """A NumPy array of anything array-like: a list, an array, a Tensor with or without a graph, on any device."""
    for step in ("detach", "cpu"):
        if hasattr(data, step):
            data = getattr(data, step)()
    return np.asarray(data.get() if hasattr(data, "__cuda_array_interface__") else data, dtype=dtype)


def axes(container: Any, rows: int = 1, columns: int = 1, **options: Any) -> Any:
    """The one axes of a figure, or a list of them."""
    grid = container.subplots(rows, columns, squeeze=False, **options)
    return grid[0, 0] if rows == columns == 1 else list(grid.flat)


def sheet(container: Any, size: tuple[float, float], origin: tuple[float, float] = (0.0, 0.0)) -> Any:
    """Empty axes that fill the figure and count inches from ``origin``, for drawings of exact size."""
    if isinstance(container, Figure):
        container.set_layout_engine("none")
        ax = container.add_axes((0, 0, 1, 1))
    else:
        ax = container.add_subplot()
    bare(ax)
    ax.set_aspect("equal")
    ax.set_xlim(origin[0], origin[0] + size[0])
    ax.set_ylim(origin[1], origin[1] + size[1])
    return ax


def finish(
    ax: Any, title: str = "", xlabel: str = "", ylabel: str = "", legend: bool = False, below: Any = None
) -> None:
    """Title, labels, legend: what every plot ends with. ``below`` is the figure under whose axes the legend goes."""
    if title:
        ax.set_title(title)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    if legend and below is not None:
        legend_below(below, ax)
    elif legend:
        ax.legend()


def legend_below(container: Any, ax: Any) -> None:
    """The legend under the axes, where it covers no data, in as many columns as fit."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        _legend(container, handles, labels)


def _legend(container: Any, handles: Any, labels: list[str]) -> None:
    rooms = [0.09 * len(label) + 0.65 for label in labels]
    width = container.bbox.width / 100
    columns = len(labels) if sum(rooms) < width else max(1, int(width / max(rooms)))
    look = {"columnspacing": 1.4, "frameon": False, "handlelength": 2.4, "borderaxespad": 0.0}
    container.legend(handles, labels, loc="outside lower center", ncols=columns, **look)


def bare(ax: Any) -> None:
    """No ticks, no frame, no grid."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


@cache
def text_width(text: str, size: float, weight: str = "normal", style: str = "normal") -> float:
    """Width of a text in inches."""
    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", weight=weight, style=style)
    return max(TextPath((0, 0), line, size=size, prop=font).get_extents().width / 72 for line in text.split("\n"))


def curve(points: Sequence[tuple[float, float]], arrival: tuple[float, float] | None = None) -> Path:
    """:func:`~nnlib.layout.bends` as a path."""
    first, *onward = bends(points, arrival)
    codes = [Path.MOVETO, *(Path.LINETO if len(p) == 1 else Path.CURVE4 for p in onward for _ in p)]
    return Path([*first, *(point for p in onward for point in p)], codes)
