"""Functions of two variables: decision surfaces, contours with paths, regions; the flow of a small network."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from . import style
from .basic import _checked, _counted, _points
from .style import (
    COLORS,
    DASHES,
    FAINT,
    HATCHES,
    INK,
    MARKERS,
    SEQUENTIAL,
    TINTS,
    Picture,
    array,
    count,
    number,
)  # fmt: skip

__all__ = ["contour_path", "decision_surface", "evaluate", "flow", "regions", "surface"]


@contextlib.contextmanager
def _resting(model: Any) -> Iterator[None]:
    """The model in evaluation mode inside, each of its modules as before outside."""
    modules = list(model.modules())
    modes = [m.training for m in modules]
    model.eval()
    try:
        yield
    finally:
        for module, mode in zip(modules, modes):
            object.__setattr__(module, "training", mode)


def evaluate(model: Callable[..., Any], points: np.ndarray) -> np.ndarray:
    """``model`` at points (N, d): called with arrays, or, an ``nn.Module``, with tensors and without a graph."""
    from .. import core, no_grad
    from ..module import Module

    if not isinstance(model, Module):
        return array(model(points))
    parameter = next(iter(model.parameters()), None)
    with no_grad(), _resting(model):
        inputs = core.tensor(points, dtype=points.dtype if parameter is None else parameter.dtype)
        return array(model(inputs if parameter is None else inputs.to(parameter.device)))


def _grid(
    xlim: tuple[float, float], ylim: tuple[float, float], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """xs (n,), ys (n,) and the points (n·n, 2), row by row."""
    xs, ys = np.linspace(*xlim, n), np.linspace(*ylim, n)
    return xs, ys, np.stack(np.meshgrid(xs, ys), -1).reshape(-1, 2)


def _frame(points: np.ndarray | None, limits: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    if limits is not None:
        (a, b), (c, d) = limits
        return (float(a), float(b)), (float(c), float(d))
    if points is None or not len(points):
        raise ValueError("limits=((x low, x high), (y low, y high)) is needed where there are no points.")
    low, high = points.min(0), points.max(0)
    pad = 0.12 * np.maximum(high - low, 1e-3)
    return (low[0] - pad[0], high[0] + pad[0]), (low[1] - pad[1], high[1] + pad[1])


def decision_surface(
    model: Any,
    points: Any = None,
    labels: Any = None,
    output: str = "logit",
    limits: Any = None,
    resolution: int = 120,
    names: Sequence[str] | None = None,
    margin: bool = False,
    title: str = "",
    axis_names: tuple[str, str] = ("x₁", "x₂"),
) -> Picture:
    """What a classifier says at every point of the plane, its boundary as a black line, and the points it is about.

    ``model`` maps points (M, 2) to one column or K columns; an ``nn.Module`` is called in evaluation mode. One
    column is a ``"logit"`` (boundary at 0), a ``"probability"`` (boundary at 0.5) or a ``"value"`` (drawn as it is,
    boundary at 0); of K columns the largest wins. Instead of a model, an array (n, n) or (n, n, K) over ``limits``,
    lowest x₂ first. ``margin`` adds the lines of logit -1 and 1. The sentence counts the points on the right side.

    >>> half_plane = lambda p: p[:, 0] - p[:, 1]
    >>> plot.decision_surface(half_plane, [[2.0, 1.0], [0.0, 1.0], [1.0, 2.0]], [1, 0, 1]).show()
    Decision surface. 3 points: 1 of class 0, 2 of class 1; 2 of 3 on their side of the boundary.
    """
    if output not in ("logit", "probability", "value"):
        raise ValueError(f"decision_surface: output must be 'logit', 'probability' or 'value', got {output!r}.")
    given = None if points is None else _checked(points, labels, "decision_surface")
    xlim, ylim = _frame(given, limits)
    if callable(model):
        xs, ys, grid = _grid(xlim, ylim, resolution)
        field = evaluate(model, grid)
        field = field.reshape(resolution, resolution, -1)
    else:
        field = array(model)
        field = field.reshape(*field.shape[:2], -1)
        xs, ys = np.linspace(*xlim, field.shape[1]), np.linspace(*ylim, field.shape[0])
    classes = field.shape[-1]
    cut = 0.5 if output == "probability" else 0.0
    right = None
    if given is not None and labels is not None and output != "value":
        answer = (
            evaluate(model, given).reshape(len(given), -1) if callable(model) else _nearest(field, xs, ys, given)
        )
        chosen = answer.argmax(1) if classes > 1 else (answer[:, 0] > cut).astype(int)
        right = int((chosen == (_binary(labels) if classes == 1 else array(labels, np.int64).ravel())).sum())

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        ax.grid(False)
        if classes > 2:
            for k in range(classes):  # ahead of every other class
                ahead = field[..., k] - np.delete(field, k, -1).max(-1)
                if ahead.max() > 0:
                    ax.contourf(xs, ys, ahead, [0.0, np.inf], colors=[TINTS[k % len(TINTS)]])
                if ahead.min() < 0 < ahead.max():
                    ax.contour(xs, ys, ahead, [0.0], colors=INK, linewidths=1.8)
        else:
            z = field[..., 0] if classes == 1 else field[..., 1] - field[..., 0]
            soft = output == "value" or (output == "probability" and classes == 1)
            shade = z if soft else 1 / (1 + np.exp(-np.clip(z, -30, 30)))
            middle = cut if soft else 0.5
            reach = max(float(np.abs(shade - middle).max()), 1e-9) if output == "value" else 0.5
            bands = np.linspace(middle - reach, middle + reach, 13)
            fill = ax.contourf(
                xs, ys, shade, bands, cmap=_pale(), extend="both" if output == "value" else "neither"
            )
            bar = ax.figure.colorbar(
                fill, ax=ax, ticks=np.linspace(bands[0], bands[-1], 5), format=_tick, shrink=0.9
            )
            bar.set_label("value" if output == "value" else "probability of class 1")
            edge = cut if classes == 1 else 0.0
            if z.min() < edge < z.max():
                ax.contour(xs, ys, z, [edge], colors=INK, linewidths=2.4)
                if margin:
                    ax.contour(xs, ys, z, [-1, 1], colors=INK, linewidths=1.5, linestyles="dashed")
        if given is not None:
            _points(ax, given, labels, names)
        ax.set_xlim(*xlim)
        ax.set_ylim(*ylim)
        style.finish(ax, title, *axis_names, legend=labels is not None, below=figure)

    text = f"{title or 'Decision surface'}."
    if given is not None:
        text += f" {count(len(given), 'point')}" if labels is None else f" {_counted(labels, names)}"
        text += f"; {right} of {len(given)} on their side of the boundary." if right is not None else "."
    else:
        share = float((field.argmax(-1) == 1).mean() if classes > 1 else (field[..., 0] > cut).mean())
        text += f" Above the boundary: {number(100 * share, 2)} % of the square."
    return Picture(draw, (6.2, 4.6), text)


def _binary(labels: Any) -> np.ndarray:
    """0 or 1 for each label: labels 0/1, -1/1 and booleans mean what they say, of others the larger is 1."""
    labels = array(labels, None).ravel()
    kinds = np.unique(labels)
    if np.isin(kinds, (-1, 0, 1)).all():
        return (labels > 0).astype(int)
    return np.searchsorted(kinds, labels)


def _tick(value: float, position: Any = None) -> str:
    return style.minus(number(value, 3))


def _pale() -> Any:
    """Blue to orange through white: dark points stay visible on it."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("pale", ["#8FBFE0", "#E8F1F7", "#FFFFFF", "#FCEBDD", "#F0A875"])


def _nearest(field: np.ndarray, xs: np.ndarray, ys: np.ndarray, points: np.ndarray) -> np.ndarray:
    i = np.abs(ys[None] - points[:, 1:]).argmin(1)
    j = np.abs(xs[None] - points[:, :1]).argmin(1)
    return field[i, j]


def contour_path(
    function: Callable[[np.ndarray], Any],
    limits: Any,
    paths: Mapping[str, Any] | None = None,
    arrows: Mapping[str, Any] | None = None,
    minimum: Sequence[float] | None = None,
    levels: int | Sequence[float] = 12,
    spacing: str = "even",
    equal: bool = False,
    title: str = "",
    axis_names: tuple[str, str] = ("Φ₀", "Φ₁"),
) -> Picture:
    """Level lines of a function of the plane, with named paths on them (a start, then one point a step).

    ``function`` maps points (M, 2) to (M,). ``paths`` maps names to (T, 2); ``arrows`` maps names to ((x, y), (dx,
    dy)), a gradient for example; ``minimum`` marks a point. ``spacing`` of the levels: "even" (dense lines mean
    steep), "square" (the rings of a bowl are evenly far apart) or "log" (shows a narrow valley). ``equal`` gives
    both axes one scale, so that right angles look right.

    >>> bowl = lambda p: (p**2).sum(1)
    >>> plot.contour_path(bowl, ((-2, 2), (-2, 2)), {"descent": [(2, 0), (1, 0), (0.5, 0)]}).show()
    Level lines from 0 to 8. Descent: 2 steps from (2, 0) at 4 to (0.5, 0) at 0.25.
    """
    n = levels + 2 if isinstance(levels, int) else 2
    spread = {
        "even": np.linspace(0, 1, n),
        "square": np.linspace(0, 1, n) ** 2,
        "log": np.r_[0.0, np.geomspace(1e-3, 1, n - 1)],
    }
    if spacing not in spread:
        raise ValueError(f"contour_path: spacing must be 'even', 'square' or 'log', got {spacing!r}.")
    xlim, ylim = _frame(None, limits)
    xs, ys, grid = _grid(xlim, ylim, 161)
    values = array(function(grid)).reshape(161, 161)
    tracks = {name: _checked(track, None, "contour_path") for name, track in (paths or {}).items()}
    heights = {name: array(function(track)).ravel() for name, track in tracks.items()}

    def draw(figure: Any) -> None:
        ax = style.axes(figure)
        ax.grid(False)
        low, high = np.nanmin(values), np.nanmax(values)
        steps = levels
        if isinstance(levels, int):
            steps = low + spread[spacing] * (high - low)
        ax.contourf(xs, ys, values, steps, cmap="Greys", alpha=0.35, extend="both")
        lines = ax.contour(xs, ys, values, steps, colors=FAINT, linewidths=0.9)
        ax.clabel(lines, lines.levels[1::3], fmt=lambda v: style.minus(number(v, 2)), fontsize=style.TEXT)
        for i, (name, track) in enumerate(tracks.items()):
            look = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]}
            every = max(1, len(track) // 40)
            marker = MARKERS[i % len(MARKERS)]
            ax.plot(track[:, 0], track[:, 1], marker=marker, markevery=every, markersize=5, label=name, **look)
            ax.plot(
                *track[0],
                marker="s",
                markersize=9,
                markerfacecolor="white",
                markeredgecolor=COLORS[i % len(COLORS)],
            )
        for i, (name, (start, step)) in enumerate((arrows or {}).items()):
            end = np.add(start, step)
            ax.annotate(
                "", end, start,
                arrowprops={"arrowstyle": "-|>", "color": COLORS[(i + 1) % len(COLORS)], "linewidth": 2.4},
            )  # fmt: skip
            ax.plot([], [], color=COLORS[(i + 1) % len(COLORS)], marker=">", label=name)
        if minimum is not None:
            ax.plot(*minimum, "*", color=INK, markersize=15, linestyle="none", label="minimum")
        if equal:
            ax.set_aspect("equal")
        ax.set_xlim(*xlim)
        ax.set_ylim(*ylim)
        style.finish(ax, title, *axis_names, legend=bool(tracks or arrows or minimum is not None), below=figure)

    text = f"{title + '. ' if title else ''}Level lines from {number(values.min())} to {number(values.max())}."
    for name, track in tracks.items():
        ends = [
            f"({number(p[0])}, {number(p[1])}) at {number(h)}"
            for p, h in ((track[0], heights[name][0]), (track[-1], heights[name][-1]))
        ]
        text += f" {style.opening(name)}: {count(len(track) - 1, 'step')} from {ends[0]} to {ends[1]}."
    for name, (start, step) in (arrows or {}).items():
        away, at = (f"({number(v[0])}, {number(v[1])})" for v in (step, start))
        text += f" {style.opening(name)} {away} at {at}."
    if minimum is not None:
        text += f" Minimum at ({number(minimum[0])}, {number(minimum[1])})."
    return Picture(draw, (5.8, 4.5), text)


def surface(
    functions: Mapping[str, Callable[[np.ndarray], Any]],
    limits: Any,
    title: str = "",
    axis_names: tuple[str, str, str] = ("x₁", "x₂", "y"),
    view: tuple[float, float] = (25.0, -125.0),
    points: Mapping[str, Any] | None = None,
) -> Picture:
    """Surfaces over a rectangle of the plane: one solid, further ones as wire frames; ``points`` maps names to (N, 3).

    >>> plot.surface({"plane": lambda p: p[:, 0] + 2 * p[:, 1]}, ((-1, 1), (-1, 1))).show()
    Surface over x₁ -1 to 1, x₂ -1 to 1: plane from -3 to 3.
    """
    xlim, ylim = _frame(None, limits)
    xs, ys, grid = _grid(xlim, ylim, 49)
    heights = {name: array(f(grid)).reshape(49, 49) for name, f in functions.items()}

    def draw(figure: Any) -> None:
        ax = figure.add_subplot(projection="3d", computed_zorder=False)
        mesh = np.meshgrid(xs, ys)
        handles = []
        for i, (name, z) in enumerate(heights.items()):
            if i == 0:
                ax.plot_surface(
                    *mesh,
                    z,
                    cmap=SEQUENTIAL,
                    rstride=1,
                    cstride=1,
                    linewidth=0,
                    alpha=0.95,
                    antialiased=False,
                    zorder=1,
                )
                ax.contour(*mesh, z, 8, colors=INK, linewidths=0.6, zorder=2)
                handles.append((name, {"color": "#7C7B78", "linewidth": 8}))
            else:
                look = {"color": COLORS[i % len(COLORS)], "linewidth": 1.1}
                ax.plot_wireframe(*mesh, z, rstride=8, cstride=8, zorder=3, **look)
                handles.append((name, look))
        for i, (name, at) in enumerate((points or {}).items()):
            look = {
                "color": COLORS[(i + 1) % len(COLORS)],
                "marker": MARKERS[i % len(MARKERS)],
                "linestyle": "none",
            }
            ax.plot(*array(at).reshape(-1, 3).T, zorder=4, **look)
            handles.append((name, look))
        ax.view_init(*view)
        ax.set_xlabel(axis_names[0], labelpad=6)
        ax.set_ylabel(axis_names[1], labelpad=6)
        ax.set_zlabel(axis_names[2], labelpad=4)
        ax.locator_params(nbins=5)
        for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
            axis.pane.set_facecolor("#F3F1EC")
        ax.set_box_aspect(None, zoom=0.94)
        if title:
            ax.set_title(title)
        if len(handles) > 1:
            from matplotlib.lines import Line2D

            lines = [Line2D([], [], label=name, **look) for name, look in handles]
            ax.legend(handles=lines, loc="upper left", handlelength=1.5)

    told = "; ".join(f"{name} from {number(z.min())} to {number(z.max())}" for name, z in heights.items())
    (a, b), (c, d) = xlim, ylim
    over = f"{axis_names[0]} {number(a)} to {number(b)}, {axis_names[1]} {number(c)} to {number(d)}"
    text = f"Surface over {over}: {told}."
    return Picture(draw, (5.6, 4.4), f"{title}. {text}" if title else text)


def regions(
    weight: Any,
    bias: Any,
    limits: Any = ((-2, 2), (-2, 2)),
    title: str = "",
    axis_names: tuple[str, str] = ("x₁", "x₂"),
) -> Picture:
    """The linear regions of a layer of ReLU units with two inputs: weight (D, 2), bias (D,).

    Each unit's joint is a line w·x + b = 0; a region carries its pattern, 1 for each unit that is on. The sentence
    counts the patterns that occur inside ``limits`` (exactly: by the corners that the lines cut).

    >>> plot.regions([[1, 0], [0, 1], [1, 1]], [0, 0, -0.5]).show()
    3 units cut the square into 7 regions: 000, 010, 011, 100, 101, 110, 111.
    """
    weight, bias = array(weight), array(bias).ravel()
    if weight.ndim != 2 or weight.shape[1] != 2 or bias.shape != weight.shape[:1]:
        raise ValueError(f"regions: weight (D, 2) and bias (D,) expected, got {weight.shape} and {bias.shape}.")
    xlim, ylim = _frame(None, limits)
    found = _polygons(weight, bias, xlim, ylim)

    def draw(figure: Any) -> None:
        from matplotlib.patches import Polygon

        ax = style.axes(figure)
        ax.grid(False)
        for i, (pattern, corners) in enumerate(sorted(found.items())):
            fill = TINTS[i % len(TINTS)]
            hatch = HATCHES[i // len(TINTS) % len(HATCHES)]
            ax.add_patch(
                Polygon(
                    corners, facecolor=fill, edgecolor="none", hatch=hatch, linewidth=0, gid=f"region-{pattern}"
                )
            )
            area, center = _center(corners)
            if area > 0.02 * (xlim[1] - xlim[0]) * (ylim[1] - ylim[0]) and len(found) <= 30 and len(bias) <= 6:
                ax.text(
                    *center, pattern, ha="center", va="center", family="DejaVu Sans Mono", gid=f"pattern-{pattern}"
                )
        for i, ((w1, w2), b) in enumerate(zip(weight, bias)):
            if w1 or w2:
                foot = -b * np.array([w1, w2]) / (w1**2 + w2**2)
                look = {"color": COLORS[i % len(COLORS)], "linestyle": DASHES[i % len(DASHES)]}
                ax.axline(foot, foot + np.array([-w2, w1]), label=f"unit {i + 1}", **look)
        ax.set_xlim(*xlim)
        ax.set_ylim(*ylim)
        ax.set_aspect("equal")
        style.finish(ax, title, *axis_names, legend=len(bias) <= 6, below=figure)

    told = ": " + ", ".join(sorted(found)) if len(found) <= 16 and len(bias) <= 6 else ""
    text = f"{count(len(bias), 'unit')} {'cuts' if len(bias) == 1 else 'cut'} the square into "
    text += f"{count(len(found), 'region')}{told}."
    return Picture(draw, (4.6, 5.0), f"{title}. {text}" if title else text)


def _polygons(weight: np.ndarray, bias: np.ndarray, xlim: Any, ylim: Any) -> dict[str, np.ndarray]:
    """Cut the rectangle by each line in turn: patterns and the convex polygons they hold on."""
    (a, b), (c, d) = xlim, ylim
    pieces = {"": np.array([(a, c), (b, c), (b, d), (a, d)], dtype=float)}
    for w, shift in zip(weight, bias):
        cut = {}
        for pattern, corners in pieces.items():
            for bit, sign in (("0", -1.0), ("1", 1.0)):
                part = _half(corners, sign * w, sign * shift)
                if len(part) >= 3 and _center(part)[0] > 1e-9:
                    cut[pattern + bit] = part
        pieces = cut
    return pieces


def _half(corners: np.ndarray, w: np.ndarray, b: float) -> np.ndarray:
    """The part of a convex polygon with w·x + b >= 0 (Sutherland and Hodgman)."""
    height = corners @ w + b
    kept: list[np.ndarray] = []
    for i in range(len(corners)):
        j = (i + 1) % len(corners)
        if height[i] >= 0:
            kept.append(corners[i])
        if (height[i] > 0) != (height[j] > 0) and height[i] != height[j] and height[i] * height[j] < 0:
            share = height[i] / (height[i] - height[j])
            kept.append(corners[i] + share * (corners[j] - corners[i]))
    return np.array(kept)


def _center(corners: np.ndarray) -> tuple[float, np.ndarray]:
    """Area and centroid of a polygon."""
    x, y = corners.T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    area = cross.sum() / 2
    if abs(area) < 1e-12:
        return 0.0, corners.mean(0)
    middle = ((corners + np.roll(corners, -1, 0)) * cross[:, None]).sum(0) / (6 * area)
    return abs(float(area)), middle


def flow(
    x: Any, pre: Any, post: Any, scaled: Any, output: Any, shade: tuple[float, float] | None = None
) -> Picture:
    """How three hidden units make a curve: 3 × 3 panels, a column a unit, and the sum below.

    ``x`` (N,); ``pre``, ``post``, ``scaled`` (3, N): θ_j0 + θ_j1·x, its ReLU, and that times φ_j; ``output`` (N,)
    their sum and φ₀. ``shade`` marks an interval of x, such as where a unit is off.

    >>> x = np.linspace(0, 2, 5)
    >>> z = np.stack([x - 1, 1 - x, x])
    >>> plot.flow(x, z, np.maximum(z, 0), 2 * np.maximum(z, 0), 2 * np.maximum(z, 0).sum(0)).show()
    Three hidden units over x 0 to 2. Joints: unit 1 at 1, unit 2 at 1, unit 3 at 0. Output from 2 to 6.
    """
    x, output = array(x).ravel(), array(output).ravel()
    stages = [array(s) for s in (pre, post, scaled)]
    for name, stage in zip(("pre", "post", "scaled"), stages):
        if stage.shape != (3, x.size):
            raise ValueError(f"flow: {name} must be (3, {x.size}), a row a unit, got {stage.shape}.")
    if output.shape != x.shape:
        raise ValueError(f"flow: output must be ({x.size},), got {output.shape}.")

    def draw(figure: Any) -> None:
        grid = figure.add_gridspec(4, 3, height_ratios=(1, 1, 1, 1.35))
        for r, (stage, name) in enumerate(zip(stages, ("θ₀ + θ₁x", "ReLU", "times φ"))):
            low, high = stage.min(), stage.max()
            pad = 0.12 * max(high - low, 1e-6)
            for unit in range(3):
                ax = figure.add_subplot(grid[r, unit])
                ax.axhline(0, color=FAINT, linewidth=0.8)
                ax.plot(x, stage[unit], color=COLORS[unit], linestyle=DASHES[unit])
                ax.set_ylim(low - pad, high + pad)
                ax.locator_params(nbins=4)
                ax.tick_params(labelbottom=False)
                if r == 0:
                    ax.set_title(f"unit {unit + 1}")
                if unit == 0:
                    ax.set_ylabel(name)
                else:
                    ax.tick_params(labelleft=False)
                if shade:
                    ax.axvspan(*shade, color=style.HIGHLIGHT, zorder=0)
        ax = figure.add_subplot(grid[3, :])
        ax.plot(x, output, color=INK)
        if shade:
            ax.axvspan(*shade, color=style.HIGHLIGHT, zorder=0)
        style.finish(ax, "", "x", "sum + φ₀")

    joints = []
    for unit, z in enumerate(stages[0], 1):
        at = np.flatnonzero(np.diff(z > 0))
        if at.size:
            i = at[0]
            place = x[i] - z[i] * (x[i + 1] - x[i]) / (z[i + 1] - z[i])
            joints.append(f"unit {unit} at {number(place)}")
        else:
            joints.append(f"unit {unit} none inside")
    from .basic import _course

    text = f"Three hidden units over x {number(x.min())} to {number(x.max())}. Joints: {', '.join(joints)}. "
    text += f"Output {_course(output)}."
    if shade:
        text += f" Shaded: {number(shade[0])} to {number(shade[1])}."
    return Picture(draw, (8.6, 7.2), text)
