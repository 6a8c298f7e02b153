"""Live training curves: one object that shows a bar and curves in a notebook, a line in a terminal.

A notebook shows a single widget and updates it in place; its stored output is one fixed line of text. In a terminal
one line on stderr is rewritten; where stderr is a file or a pipe, nothing is written.
"""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

from .scene import Scene, number, plot_area, ticks

__all__ = ["TrainingCurves", "draw", "say"]

HELD_OUT = ("validation ", "held-out ", "val_", "test ")
MOST_POINTS = 300  # drawn per curve; a long run is thinned


def split(name: str) -> tuple[str, str]:
    """A column's family and whose it is: ``"validation loss"`` is ("loss", "held-out").

    >>> split("loss"), split("validation loss")
    (('loss', 'train'), ('loss', 'held-out'))
    """
    for prefix in HELD_OUT:
        if name.startswith(prefix):
            return name.removeprefix(prefix), "held-out"
    return name, "train"


def draw(done: float, total: float, series: dict[str, list[tuple[float, float]]]) -> Scene:
    """A progress bar, and a panel for each family of columns (train solid, held-out dashed)."""
    families: dict[str, list[tuple[str, list[tuple[float, float]]]]] = {}
    for name, points in series.items():
        family, whose = split(name)
        families.setdefault(family, []).append((whose, points))
    panels = list(families.items())[:3]
    width = 400 * max(len(panels), 1) if len(panels) > 1 else 560
    scene = Scene(width, 36 + (250 if panels else 0))
    share = min(max(done / total, 0.0), 1.0) if total else 0.0
    scene.box(10, 10, width - 20, 12, color="faint", radius=6, width=1)
    if share > 0.02:
        scene.box(10, 10, (width - 20) * share, 12, color="none", fill="blue", radius=6, id="bar")
    for k, (family, curves) in enumerate(panels):
        _panel(
            scene,
            family,
            curves,
            (width / len(panels) * k, 40, width / len(panels), 240),
            max(total, 1e-9),
        )
    return scene


def _panel(
    scene: Scene, family: str, curves: Any, area: tuple[float, float, float, float], total: float
) -> None:
    left, top, width, height = area
    finite = [v for _, points in curves for _, v in points if abs(v) < float("inf")]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    low = 0.0 if 0 <= low < 0.5 * high else low
    if family == "accuracy":
        high = 1.0
    if high - low < 1e-12:
        low, high = low - 0.5, high + 0.5
    inner = (left + 62, top + 44, width - 82, height - 78)
    at = plot_area((0, total), (low, high), inner)
    scene.text(left + 62, top + 6, family, anchor="start", bold=True, size=14)
    for tick in ticks(low, high, 5):
        y = at(0, tick)[1]
        scene.line((inner[0], y), (inner[0] + inner[2], y), color="grid", width=1)
        scene.text(inner[0] - 6, y, number(tick, 3), anchor="end", size=12, color="faint")
    for tick in ticks(0, total, 6):
        x, y = at(tick, low)
        scene.text(x, y + 14, number(tick), size=12, color="faint")
    ends = []
    for whose, points in curves:
        thin = points[:: max(1, len(points) // MOST_POINTS)] + points[-1:]
        color, dash = ("blue", False) if whose == "train" else ("red", True)
        scene.line(*[at(x, v) for x, v in thin if abs(v) < float("inf")], color=color, dash=dash, width=2.5,
                   id=f"{whose} {family}")  # fmt: skip
        if abs(thin[-1][1]) < float("inf"):
            ends.append((at(*thin[-1])[1], whose, color, thin[-1]))
    for shift, (y, whose, color, last) in enumerate(sorted(ends)):
        x, _ = at(*last)
        scene.circle(x, y, 4, color=color, fill=color)
        text = f"{'●' if whose == 'train' else '┄●'} {whose} {number(last[1], 3)}"
        scene.text(
            inner[0] + inner[2], top + 6 + 16 * shift, text, anchor="end", size=13, color=color
        )


def say(done: float, total: float, series: dict[str, list[tuple[float, float]]]) -> str:
    """Where the training is and the newest numbers."""
    state = "finished" if done >= total else "running"
    newest = ", ".join(
        f"{name} {number(points[-1][1], 3)}" for name, points in series.items() if points
    )
    return f"{number(done, 3)} of {number(total)} epochs, {state}" + (
        f": {newest}." if newest else "."
    )


class TrainingCurves:
    """Progress of a training run, live.  ``update`` is cheap: it draws at most about ten times a second.

    ``quiet=True`` shows nothing anywhere. The object shows itself in the cell that makes it; ``.rows`` keeps every row.
    No PyTorch counterpart (tensorboard is a program of its own).

    >>> curves = TrainingCurves("moons", quiet=True)
    >>> curves.update(1, 2, loss=0.5); curves.update(2, 2, loss=0.25)
    >>> curves.status
    '2 of 2 epochs, finished: loss 0.25.'
    >>> curves
    Run this cell to watch the training: moons
    """

    interval = 0.1  # seconds between drawings

    def __init__(self, title: str = "training", quiet: bool = False) -> None:
        self.title = title
        self.series: dict[str, list[tuple[float, float]]] = {}
        self.done, self.total = 0.0, 0.0
        self._drawn = -float("inf")
        self._line = 0  # characters written in a terminal
        self.view: Any = None
        self.box: Any = None
        if quiet:
            self._show = lambda: None
        elif _in_notebook():
            self._open()
            self._show = self._paint
        else:
            self._show = (
                self._print if sys.stderr is not None and sys.stderr.isatty() else lambda: None
            )

    @property
    def status(self) -> str:
        """The newest state in words."""
        return say(self.done, self.total, self.series)

    def update(self, done: float, total: float, **metrics: float) -> None:
        """``done`` of ``total`` epochs; ``metrics`` are this moment's numbers, e.g. ``loss=0.3``.

        Keys that begin with "validation " (or "test ") belong to the held-out curve of the same name.
        """
        self.done, self.total = float(done), float(total)
        for name, value in metrics.items():
            self.series.setdefault(name, []).append((self.done, float(value)))
        now = time.monotonic()
        if done >= total or now - self._drawn >= self.interval:
            self._drawn = now
            self._show()

    def finish(self) -> None:
        """Draw the last state even if the training ended early."""
        self._show()
        if self._line:
            print(file=sys.stderr)
            self._line = 0

    def _open(self) -> None:
        import ipywidgets
        from IPython.display import display

        from .view import View

        self.view = View(least=560)
        self.box = ipywidgets.VBox(
            [ipywidgets.HTML(f'<h3 class="nn-title">{escape(self.title)}</h3>'), self.view]
        )
        self.box.add_class("nn-exp")
        display(self)

    def _paint(self) -> None:
        with self.view.hold_sync():
            self.view.picture = draw(self.done, self.total, self.series).svg()
            self.view.status = self.view.alt = self.status
            self.view.count += 1

    def _print(self) -> None:
        share = min(self.done / self.total, 1.0) if self.total else 0.0
        newest = "  ".join(f"{name} {points[-1][1]:.3g}" for name, points in self.series.items())
        text = (
            f"{self.title} [{'#' * round(20 * share):<20}] {self.done:.3g}/{self.total:g}  {newest}"
        )
        end = "\n" if self.done >= self.total else ""
        sys.stderr.write("\r" + text.ljust(self._line) + end)
        sys.stderr.flush()
        self._line = 0 if end else len(text)

    def __repr__(self) -> str:
        return f"Run this cell to watch the training: {self.title}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        data = {} if self.box is None else self.box._repr_mimebundle_()
        return {**(data[0] if isinstance(data, tuple) else data), "text/plain": repr(self)}


def _in_notebook() -> bool:
    """Whether this process is a Jupyter kernel with ipywidgets at hand."""
    if "IPython" not in sys.modules:
        return False
    from importlib.util import find_spec

    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel") and all(map(find_spec, ("ipywidgets", "anywidget")))
