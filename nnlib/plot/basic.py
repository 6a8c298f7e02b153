"""Points, curves, bars: what goes on a pair of axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import style
from .style import (
    COLORS,
    DASHES,
    FAINT,
    HATCHES,
    INK,
    MARKERS,
    PAPER,
    TINTS,
    VERMILLION,
    Picture,
    array,
    count,
    number,
)

__all__ = ["bars", "curves", "error_segments", "fit", "functions", "histogram", "scatter"]

WIDE, TALL = 6.8, 3.9  # inches of a single plot


def _series(ys: Mapping[str, Any], where: str) -> dict[str, np.ndarray]:
    """Named 1-D arrays.  Raises ValueError for none, or one that is not a vector."""
    made = {name: array(y).squeeze() for name, y in ys.items()}
    if not made:
        raise ValueError(f"{where}: at least one named series expected, got none.")
    for name, y in made.items():
        if y.ndim != 1:
            raise ValueError(
                f"{where}: series {name!r} must be one row of numbers, got shape {np.shape(ys[name])}."
            )
    return made


def _steps(x: Any, ys: dict[str, np.ndarray], where: str) -> dict[str, np.ndarray]:
    """The x of each series: given once, by name, or counted from 0."""
    given = x if isinstance(x, Mapping) else dict.fromkeys(ys, x)
    xs = {}
    for name, y in ys.items():
        xs[name] = np.arange(len(y)) if given.get(name) is None else array(given[name]).squeeze()
        if xs[name].shape != y.shape:
            raise ValueError(f"{where}: x has {xs[name].size} numbers and series {name!r} has {y.size}.")
    return xs


def _finite(y: np.ndarray) -> np.ndarray:
    return y[np.isfinite(y)]


def _lines(ax: Any, xs: Mapping[str, np.ndarray], ys: Mapping[str, np.ndarray], points: bool = False) -> None:
    for i, (name, y) in enumerate(ys.items()):
        marker = MARKERS[i] if points or len(y) <= 12 else None
        ax.plot(
            xs[name], y, color=COLORS[i % len(COLORS)], linestyle=DASHES[i % len(DASHES)], marker=marker, label=name
        )  # fmt: skip


def curves(
    ys: Mapping[str, Any],
    x: Any = None,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    xlog: bool = False,
    ylog: bool = False,
    marks: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
) -> Picture:
    """Named series over ``x`` (given once, or by name, or counted 0, 1, 2 …): losses, densities, errors.

    ``marks`` are named vertical lines, ``levels`` named horizontal ones; each series has a colour and a dash of its
    own.

    >>> plot.curves({"training": [1.0, 0.5, 0.2], "test": [1.1, 0.7, 0.6]}, xlabel="epoch").show()
    Curves over epoch 0 to 2: training from 1 to 0.2; test from 1.1 to 0.6.
    """
    series = _series(ys, "curves")
    xs = _steps(x, series, "curves")

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        _lines(ax, xs, series)
        _rules(ax, marks, levels)
        ax.set_xscale("log" if xlog else "linear")
        ax.set_yscale("log" if ylog else "linear")
        named = len(series) + len(marks or ()) + len(levels or ())
        style.finish(ax, title, xlabel, ylabel, legend=named > 1, below=figure if named > 4 else None)

    told = "; ".join(f"{name} {_course(y)}" for name, y in series.items())
    every = np.concatenate(list(xs.values()))
    text = f"Curves over {xlabel or 'x'} {number(every.min())} to {number(every.max())}: {told}."
    for name, place in {**(marks or {}), **(levels or {})}.items():
        text += f" {style.opening(name)} at {number(place)}."
    return Picture(draw, (WIDE, TALL), f"{title}. {text}" if title else text)


def _course(y: np.ndarray) -> str:
    """From where to where a series goes, and its extremes where those lie inside."""
    finite = _finite(y)
    if not finite.size:
        return "without a finite value"
    first, last, low, high = (number(v) for v in (finite[0], finite[-1], finite.min(), finite.max()))
    text = f"constant at {first}" if low == high else f"from {first} to {last}"
    if low not in (first, last):
        text += f", lowest {low}"
    if high not in (first, last):
        text += f", highest {high}"
    return text + (f", {count(len(y) - len(finite), 'value')} not finite" if len(finite) < len(y) else "")


def _rules(ax: Any, marks: Mapping[str, float] | None, levels: Mapping[str, float] | None) -> None:
    for i, (name, place) in enumerate((marks or {}).items()):
        ax.axvline(place, color=INK, linestyle=DASHES[(2 + i) % len(DASHES)], linewidth=1.4, label=name)
    for i, (name, place) in enumerate((levels or {}).items()):
        ax.axhline(place, color=FAINT, linestyle=DASHES[(1 + i) % len(DASHES)], linewidth=1.4, label=name)


def functions(
    functions: Mapping[str, tuple[Callable[[np.ndarray], Any], Callable[[np.ndarray], Any] | None]],
    low: float = -4.0,
    high: float = 4.0,
    columns: int = 3,
    at: float = 1.0,
) -> Picture:
    """A panel for each named ``(function, derivative)``: the function solid, its derivative dashed.

    The callables get an array of points and return as many values (an nnlib function needs tensors: wrap it). The
    sentence gives both at x = ``at``. Without a derivative (None) only the function is drawn.

    >>> plot.functions({"square": (lambda x: x**2, lambda x: 2 * x)}).show()
    Functions (solid) and derivatives (dashed) from -4 to 4; at x = 1: square 1, slope 2.
    """
    x = np.linspace(low, high, 401)
    panels = {}
    for name, (f, slope) in functions.items():
        pair = [array(f(x))] + ([] if slope is None else [array(slope(x))])
        for y in pair:
            if y.shape != x.shape:
                raise ValueError(
                    f"functions: {name!r} must return as many values as points, {x.shape}, got {y.shape}."
                )
        point = np.array([float(at)])
        panels[name] = (pair, [number(array(g(point)).item()) for g in (f, slope) if g is not None])
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)

    def draw(figure: Any) -> None:
        grid = style.axes(figure, rows, columns, sharex=True)
        grid = grid if isinstance(grid, list) else [grid]
        for ax in grid[len(panels) :]:
            ax.set_visible(False)
        for ax, (name, (pair, _)) in zip(grid, panels.items()):
            ax.axhline(0, color=FAINT, linewidth=0.8)
            ax.axvline(0, color=FAINT, linewidth=0.8)
            for i, y in enumerate(pair):
                jumps = np.where(np.abs(np.diff(y, append=y[-1])) > 0.4 * max(np.ptp(y), 1e-9), np.nan, y)
                ax.plot(x, jumps, color=COLORS[i], linestyle=DASHES[i], label=("function", "derivative")[i])
            inside = np.concatenate(pair)
            ax.set_ylim(max(inside.min(), -4.2) - 0.25, min(inside.max(), 4.2) + 0.25)
            ax.set_title(name)
        if len(panels[next(iter(panels))][0]) > 1:
            style.legend_below(figure, grid[0])

    told = "; ".join(name + " " + ", slope ".join(values) for name, (_, values) in panels.items())
    kinds = "Functions (solid) and derivatives (dashed)" if any(s for _, s in functions.values()) else "Functions"
    text = f"{kinds} from {number(low)} to {number(high)}; at x = {number(at)}: {told}."
    return Picture(draw, (min(3.3 * columns, style.WIDEST) if columns > 1 else 4.6, 2.5 * rows + 0.3), text)


def fit(
    x: Any,
    y: Any,
    curves: Mapping[str, Any] | None = None,
    marks: Mapping[str, float] | None = None,
    levels: Mapping[str, float] | None = None,
    classes: Any = None,
    title: str = "",
    xlabel: str = "x",
    ylabel: str = "y",
) -> Picture:
    """Points (x, y) and named curves through them; ``marks`` are named cuts on the x axis, ``levels`` on the y axis.

    A curve is a callable on an array of points, or a pair (xs, ys). ``classes`` gives each point a marker.

    >>> plot.fit([0, 1, 2], [1, 2, 4], {"line": lambda x: 5 / 6 + 1.5 * x}, marks={"cut": 0.5}).show()
    3 points, x 0 to 2, y 1 to 4. Line from 0.833 to 3.83. Cut at x = 0.5.
    """
    x, y = array(x).ravel(), array(y).ravel()
    if x.shape != y.shape or not x.size:
        raise ValueError(f"fit: as many x as y expected, at least one, got {x.size} and {y.size}.")
    grid = np.linspace(x.min(), x.max(), 401)
    lines = {}
    for name, curve in (curves or {}).items():
        xs, ys = (
            (grid, array(curve(grid))) if callable(curve) else (array(curve[0]).ravel(), array(curve[1]).ravel())
        )
        lines[name] = (xs, np.broadcast_to(ys, xs.shape) if ys.size == 1 else ys.ravel())
        if lines[name][0].shape != lines[name][1].shape:
            raise ValueError(f"fit: curve {name!r} has {xs.size} points and {ys.size} values.")

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        for i, (name, (xs, ys)) in enumerate(lines.items()):
            ax.plot(xs, ys, color=COLORS[i % len(COLORS)], linestyle=DASHES[i % len(DASHES)], label=name)
        _rules(ax, marks, levels)
        _points(ax, np.column_stack([x, y]), classes, names=None, plain=INK)
        style.finish(
            ax, title, xlabel, ylabel, legend=bool(lines or marks or levels or classes is not None), below=figure
        )

    text = f"{count(x.size, 'point')}, {xlabel} {number(x.min())} to {number(x.max())}, "
    text += f"{ylabel} {number(y.min())} to {number(y.max())}."
    for name, (_, ys) in lines.items():
        text += f" {style.opening(name)} {_course(ys)}."
    text += "".join(f" {style.opening(name)} at {xlabel} = {number(place)}." for name, place in (marks or {}).items())
    text += "".join(f" {style.opening(name)} at {ylabel} = {number(place)}." for name, place in (levels or {}).items())
    return Picture(draw, (5.6, 3.7), f"{title}. {text}" if title else text)


def error_segments(x: Any, y: Any, intercept: float, slope: float, title: str = "") -> Picture:
    """Points, a line, and the vertical segment from each point to the line: what a squared error squares.

    >>> plot.error_segments([0, 1, 2], [1, 2, 4], 1.0, 1.0).show()
    3 points and the line y = 1 + 1·x; errors (line minus point) 0, 0, -1; mean square 0.333.
    """
    x, y = array(x).ravel(), array(y).ravel()
    if x.shape != y.shape or not x.size:
        raise ValueError(f"error_segments: as many x as y expected, at least one, got {x.size} and {y.size}.")
    line = intercept + slope * x
    errors = line - y

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        pad = 0.08 * (np.ptp(x) or 1.0)
        ends = np.array([x.min() - pad, x.max() + pad])
        ax.plot(ends, intercept + slope * ends, color=COLORS[0], label="line")
        ax.vlines(x, y, line, color=VERMILLION, linestyle=(0, (3, 1.5)), linewidth=2, label="error")
        ax.plot(x, y, "o", color=INK, label="point")
        style.finish(ax, title, "x", "y", legend=True)

    told = ", ".join(number(e) for e in errors[:8]) + (f" and {x.size - 8} more" if x.size > 8 else "")
    sign = "-" if slope < 0 else "+"
    text = f"{count(x.size, 'point')} and the line y = {number(intercept)} {sign} {number(abs(slope))}·x; "
    text += f"errors (line minus point) {told}; mean square {number(np.mean(errors**2))}."
    return Picture(draw, (5.6, 3.7), text)


def _points(ax: Any, points: np.ndarray, labels: Any, names: Sequence[str] | None, plain: str = COLORS[0]) -> None:
    """Points with a colour and a marker for each class."""
    if labels is None:
        ax.plot(points[:, 0], points[:, 1], "o", color=plain, markersize=6, zorder=3)
        return
    labels = array(labels, None).ravel()
    for i, label in enumerate(np.unique(labels)):
        mine = points[labels == label]
        ax.plot(
            mine[:, 0], mine[:, 1], linestyle="none", marker=MARKERS[i % len(MARKERS)], color=COLORS[i % len(COLORS)],
            markeredgecolor=PAPER, markeredgewidth=0.8, label=str(names[i]) if names else _class(label), zorder=3,
        )  # fmt: skip


def _class(label: Any) -> str:
    return f"class {label if isinstance(label, str) else number(label)}"


def _checked(points: Any, labels: Any, where: str) -> np.ndarray:
    points = array(points)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{where}: points must be (N, 2), got {points.shape}.")
    if labels is not None and array(labels, None).ravel().size != len(points):
        raise ValueError(f"{where}: {len(points)} points and {array(labels, None).ravel().size} labels.")
    return points


def _counted(labels: Any, names: Sequence[str] | None) -> str:
    """``"100 points: 50 of class 0, 50 of class 1"``."""
    labels = array(labels, None).ravel()
    kinds, numbers = np.unique(labels, return_counts=True)
    parts = [f"{n} of {names[i] if names else _class(k)}" for i, (k, n) in enumerate(zip(kinds, numbers))]
    return f"{count(labels.size, 'point')}: {', '.join(parts)}"


def scatter(
    points: Any,
    labels: Any = None,
    lines: Mapping[str, Sequence[float]] | None = None,
    margin: bool = False,
    names: Sequence[str] | None = None,
    title: str = "",
    xlabel: str = "x₁",
    ylabel: str = "x₂",
    equal: bool = False,
) -> Picture:
    """Points of the plane, a colour and a marker for each class, and straight boundaries.

    ``lines`` maps a name to (w₁, w₂, b): the line w₁x₁ + w₂x₂ + b = 0. ``margin`` draws the way from each line to the
    nearest point. ``equal`` gives both axes one scale.

    >>> plot.scatter([[0, 0], [2, 2]], [0, 1], lines={"boundary": (1, 1, -2)}, margin=True).show()
    2 points: 1 of class 0, 1 of class 1. Boundary: 1·x₁ + 1·x₂ - 2 = 0, nearest point at distance 1.41.
    """
    points = _checked(points, labels, "scatter")
    lines = lines or {}
    near = {}
    for name, (w1, w2, b) in lines.items():
        length = float(np.hypot(w1, w2))
        if length == 0:
            raise ValueError(f"scatter: line {name!r} has w₁ = w₂ = 0, which is no line.")
        away = (points @ [w1, w2] + b) / length
        i = int(np.argmin(np.abs(away)))
        near[name] = (abs(away[i]), points[i], points[i] - away[i] * np.array([w1, w2]) / length)

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        _points(ax, points, labels, names)
        low, high = points.min(0), points.max(0)
        pad = 0.12 * np.maximum(high - low, 1e-3)
        ax.set_xlim(low[0] - pad[0], high[0] + pad[0])
        ax.set_ylim(low[1] - pad[1], high[1] + pad[1])
        if equal or margin:
            ax.set_aspect("equal")
        for i, (name, (w1, w2, _b)) in enumerate(lines.items()):
            foot = near[name][2]
            ax.axline(foot, foot + np.array([-w2, w1]), color=INK, linestyle=DASHES[i % len(DASHES)], label=name)
            if margin:
                ends = np.array(near[name][1:])
                ax.plot(ends[:, 0], ends[:, 1], color=VERMILLION, linestyle=":", linewidth=2.5)
        style.finish(ax, title, xlabel, ylabel, legend=labels is not None or bool(lines), below=figure)

    text = f"{count(len(points), 'point')}." if labels is None else f"{_counted(labels, names)}."
    for name, line in lines.items():
        text += f" {style.opening(name)}: {_equation(line, xlabel, ylabel)}"
        text += f", nearest point at distance {number(near[name][0])}." if margin else "."
    return Picture(draw, (5.2, 4.4), f"{title}. {text}" if title else text)


def _equation(line: Sequence[float], xlabel: str, ylabel: str) -> str:
    parts = ""
    for value, unit in zip(line, (f"·{xlabel}", f"·{ylabel}", "")):
        sign = "-" if value < 0 else "+"
        parts += f" {sign} {number(abs(value))}{unit}" if parts else f"{number(value)}{unit}"
    return f"{parts} = 0"


def histogram(
    samples: Any,
    bins: int = 30,
    curve: Callable[[np.ndarray], Any] | None = None,
    title: str = "",
    xlabel: str = "",
) -> Picture:
    """How often values occur, as densities; named sets are drawn over each other, and a density ``curve``.

    >>> plot.histogram({"a": [0.0, 1.0, 1.0, 2.0]}, bins=2).show()
    Histogram: a, 4 values, mean 1, standard deviation 0.707.
    """
    sets = {k: array(v).ravel() for k, v in (samples if isinstance(samples, Mapping) else {"": samples}).items()}
    for name, values in sets.items():
        if not _finite(values).size:
            raise ValueError(f"histogram: set {name!r} holds no finite value.")
    every = _finite(np.concatenate(list(sets.values())))
    edges = np.histogram_bin_edges(every, bins)

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        for i, (name, values) in enumerate(sets.items()):
            height, _ = np.histogram(_finite(values), edges, density=True)
            ax.stairs(
                height, edges, fill=True, facecolor=TINTS[i % len(TINTS)], edgecolor=COLORS[i % len(COLORS)],
                hatch=HATCHES[i % len(HATCHES)], linewidth=1.6, alpha=0.8, label=name or "values",
            )  # fmt: skip
        if curve is not None:
            x = np.linspace(edges[0], edges[-1], 401)
            ax.plot(x, array(curve(x)), color=INK, linestyle=DASHES[1], label="density")
        style.finish(ax, title, xlabel, "density", legend=len(sets) > 1 or curve is not None)

    told = "; ".join(
        f"{name or 'the set'}, {count(v.size, 'value')}, mean {number(_finite(v).mean())}, "
        f"standard deviation {number(_finite(v).std())}"
        for name, v in sets.items()
    )
    return Picture(draw, (WIDE, TALL), f"{title or 'Histogram'}: {told}.")


def bars(
    values: Mapping[str, Any],
    title: str = "",
    ylabel: str = "",
    digits: int = 2,
    names: Sequence[str] | None = None,
    horizontal: bool = False,
) -> Picture:
    """A bar with its number for each name; with ``names``, each value is a group of that many bars.

    >>> plot.bars({"p": [0.2, 0.8], "q": [0.5, 0.5]}, names=["heads", "tails"]).show()
    Bars: p heads 0.2, tails 0.8; q heads 0.5, tails 0.5.
    """
    heights = {name: np.atleast_1d(array(v)) for name, v in values.items()}
    inner = len(names) if names else 1
    for name, height in heights.items():
        if height.shape != (inner,):
            raise ValueError(f"bars: {name!r} must hold {count(inner, 'number')}, got shape {height.shape}.")
    series = list(names) if names else [""]

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        wide = 0.8 / len(heights) if names else 0.7
        groups = list(heights.items()) if names else [("", np.array([h[0] for h in heights.values()]))]
        ticks = series if names else list(heights)
        for i, (name, height) in enumerate(groups):
            at = np.arange(len(ticks)) + (i - (len(groups) - 1) / 2) * wide
            options: dict[str, Any] = {
                "facecolor": TINTS[i % len(TINTS)], "edgecolor": COLORS[i % len(COLORS)], "linewidth": 1.6,
                "hatch": HATCHES[i % len(HATCHES)], "label": name,
            }  # fmt: skip
            drawn = ax.barh(at, height, wide, **options) if horizontal else ax.bar(at, height, wide, **options)
            if wide * 1.0 > 0.14:
                told = [style.minus(style.fixed(h, digits)) for h in height]
                ax.bar_label(drawn, told, padding=2, fontsize=style.TEXT)
        if horizontal:
            ax.set_yticks(range(len(ticks)), ticks)
            ax.invert_yaxis()
            ax.margins(x=0.15)
            style.finish(ax, title, ylabel, "", legend=len(groups) > 1, below=figure)
        else:
            long = max(len(t) for t in ticks) * len(ticks) > 60
            ax.set_xticks(range(len(ticks)), ticks, rotation=30 if long else 0, ha="right" if long else "center")
            ax.margins(y=0.15)
            style.finish(ax, title, "", ylabel, legend=len(groups) > 1, below=figure)
        ax.grid(False, axis="y" if horizontal else "x")

    if names:
        told = "; ".join(f"{name} {style.items(names, h)}" for name, h in heights.items())
    else:
        told = style.items(list(heights), [h[0] for h in heights.values()])
    tall = max(TALL, 0.4 * len(heights) + 1) if horizontal else TALL
    return Picture(draw, (WIDE, tall), f"{title or 'Bars'}: {told}.")
