"""Diagrams: networks of circles, modules as boxes, convolutions as connections, products of blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..layout import Box, Link, layered, rim
from . import style
from .style import (
    BLUE,
    COLORS,
    DASHES,
    FAINT,
    GRADIENT,
    HIGHLIGHT,
    INK,
    PAPER,
    TINTS,
    VERMILLION,
    Picture,
    array,
    brief,
    count,
    curve,
    minus,
    text_width,
)

__all__ = ["blocks", "connections", "modules", "network"]

RADIUS = 0.27


def network(
    sizes: Sequence[int],
    labels: Sequence[Sequence[Any] | None] | None = None,
    weights: Sequence[Any] | None = None,
    biases: Sequence[Any] | None = None,
    names: Sequence[str] | None = None,
    numbers: bool = True,
    most: int = 6,
    title: str = "",
    digits: int = 2,
) -> Picture:
    """A layered network: a column of circles for each layer, lines between neighbours.

    ``labels``: texts or numbers inside the circles, a list for each layer (or None). ``weights``: for each pair of
    layers an array (out, in), as nnlib stores it; a line is blue and solid for a positive weight, red and dashed
    for a negative one, its thickness tells the size, ``numbers`` writes the value on it, and NaN means no line.
    ``weights`` may also hold texts (θ₁ …; an empty text means no line). ``biases``: (out,) for each layer after the
    first, written under its circles. Layers of more than ``most`` units are cut by dots. ``names`` stand under the
    columns.

    >>> plot.network([3, 2, 1], weights=[[[1, 0.2, 1.2], [0.5, 1.2, 0.1]], [[0.3, 0.9]]]).show()
    Network 3-2-1. Weights into layer 1: 1, 0.2, 1.2; 0.5, 1.2, 0.1. Weights into layer 2: 0.3, 0.9.
    """
    sizes = list(sizes)
    labels = labels or [None] * len(sizes)
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"network: at least two layers of at least one unit expected, got sizes {sizes}.")
    for what, given, expected in (("labels", labels, len(sizes)), ("names", names, len(sizes)),
                                  ("weights", weights, len(sizes) - 1),
                                  ("biases", biases, len(sizes) - 1)):  # fmt: skip
        if given is not None and len(given) != expected:
            raise ValueError(f"network: {len(sizes)} layers need {expected} {what}, got {len(given)}.")
    tables: list[np.ndarray] = []
    for layer, table in enumerate(weights or []):
        table = np.asarray(table) if np.asarray(table).dtype.kind in "US" else array(table)
        expected_shape = (sizes[layer + 1], sizes[layer])
        if table.shape != expected_shape:
            raise ValueError(
                f"network: weights into layer {layer + 1} must be (out, in) = {expected_shape}, got {table.shape}."
                + (" Transpose them." if table.shape == expected_shape[::-1] else "")
            )
        tables.append(table)
    shown = [_visible(size, most) for size in sizes]
    told = [[str(t) if isinstance(t, str) else brief(t, digits) for t in (ls or [])] for ls in labels]
    widest = max((text_width(minus(t), 12) for ts in told for t in ts), default=0.0)
    radius = max(RADIUS, widest / 2 + 0.09)
    written = bool(tables) and (numbers or any(t.dtype.kind in "US" for t in tables)) and max(sizes) <= most
    pitch, shares = _spacing(
        [len(s) for s in shown], tables if written else [], radius, 0.24 if biases is not None else 0.0
    )
    across = 2.3 if written else 1.2 if max(len(s) for s in shown) <= 4 else 1.5
    tall = max(len(s) for s in shown) * pitch
    margin = radius + 0.2
    width = across * (len(sizes) - 1) + 2 * margin
    if names:
        side = max(text_width(names[0], 12), text_width(names[-1], 12)) / 2 + 0.1
        margin, width = max(margin, side), across * (len(sizes) - 1) + 2 * max(margin, side)
    foot = 0.2 + 0.22 * max(n.count("\n") + 1 for n in names) if names else 0.15
    size = (max(width, 2.5), tall + foot + 0.15 + (0.35 if title else 0.0))

    def spot(layer: int, place: int) -> tuple[float, float]:
        return margin + across * layer, tall / 2 + ((len(shown[layer]) - 1) / 2 - place) * pitch

    def draw(figure: Any) -> None:
        from matplotlib.patches import Circle

        ax = style.sheet(figure, size, (0.0, -foot))
        for layer in range(len(sizes) - 1):
            table = tables[layer] if tables else None
            largest = 1.0
            if table is not None and table.dtype.kind == "f":
                largest = max(float(np.nanmax(np.abs(table), initial=0.0)), 1e-12)
            for p, i in enumerate(shown[layer]):
                for q, j in enumerate(shown[layer + 1]):
                    if i is None or j is None:
                        continue
                    w = None if table is None else table[j, i]
                    if w is not None and (w == "" if isinstance(w, str) else not np.isfinite(w)):
                        continue
                    (x0, y0), (x1, y1) = spot(layer, p), spot(layer + 1, q)
                    look: dict[str, Any] = {"color": FAINT, "linewidth": 1.1}
                    if w is not None and not isinstance(w, str):
                        negative = w < 0
                        look = {
                            "color": VERMILLION if negative else BLUE,
                            "linestyle": DASHES[1] if negative else "-",
                        }
                        look["linewidth"] = 0.8 + 2.2 * abs(float(w)) / largest
                    ax.plot([x0, x1], [y0, y1], zorder=1, gid=f"weight-{layer}-{j}-{i}", **look)
                    if written:
                        share = shares[layer]
                        text = w if isinstance(w, str) else minus(brief(w, digits))
                        ax.text(
                            x0 + share * (x1 - x0), y0 + share * (y1 - y0), text, fontsize=11, ha="center", va="center",
                            zorder=2, gid=f"number-{layer}-{j}-{i}",
                            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
                        )  # fmt: skip
        for layer in range(len(sizes)):
            for p, i in enumerate(shown[layer]):
                x, y = spot(layer, p)
                if i is None:
                    ax.text(x, y, "⋮", fontsize=20, ha="center", va="center")
                    continue
                fill = TINTS[0] if layer == 0 else TINTS[2] if layer == len(sizes) - 1 else TINTS[1]
                ax.add_patch(Circle((x, y), radius, facecolor=fill, edgecolor=INK, linewidth=1.4, zorder=3))
                if told[layer]:
                    ax.text(x, y, minus(told[layer][i]), fontsize=12, ha="center", va="center_baseline", zorder=4,
                            gid=f"unit-{layer}-{i}")  # fmt: skip
                if biases is not None and layer > 0 and biases[layer - 1] is not None:
                    b = np.asarray(biases[layer - 1]).ravel()[i]
                    text = str(b) if isinstance(b, str) else "b = " + minus(brief(b, digits))
                    ax.text(x, y - radius - 0.04, text, fontsize=11, ha="center", va="top", zorder=4, color=INK,
                            gid=f"bias-{layer}-{i}",
                            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.5})  # fmt: skip
            if names:
                ax.text(
                    margin + across * layer, -0.05, names[layer], fontsize=12, ha="center", va="top", gid="name"
                )
        if title:
            ax.text(size[0] / 2, tall + 0.1, title, fontsize=13, ha="center", va="bottom")

    text = f"{title + '. ' if title else ''}Network {'-'.join(map(str, sizes))}."
    if names:
        text += f" Layers: {', '.join(' '.join(n.split()) for n in names)}."
    for layer, table in enumerate(tables):
        if table.size <= 24:
            told_rows = "; ".join(
                ", ".join(str(w) or "none" if isinstance(w, str) else style.number(w) for w in row) for row in table
            )
            text += f" Weights into layer {layer + 1}: {told_rows}."
        if biases is not None and np.asarray(biases[layer]).size <= 12 and biases[layer] is not None:
            bs = np.asarray(biases[layer]).ravel()
            text += f" Biases: {', '.join(str(b) if isinstance(b, str) else style.number(b) for b in bs)}."
    for layer, ts in enumerate(told):
        if ts:
            text += f" Units of layer {layer}: {', '.join(ts)}."
    return Picture(draw, size, text)


def _visible(size: int, most: int) -> list[int | None]:
    """The units drawn: all, or the first ones, dots (None), and the last."""
    return list(range(size)) if size <= most else [*range(most - 2), None, size - 1]


def _spacing(counts: list[int], tables: list[Any], radius: float, below: float) -> tuple[float, list[float]]:
    """Inches between circles, and where along the lines their numbers stand so that none covers another."""
    pitch = 2 * radius + 0.22 + below
    shares = []
    for layer in range(len(tables)):
        a, b = counts[layer], counts[layer + 1]
        best = (0.0, 0.3)
        for share in np.linspace(0.3, 0.7, 17):
            start = (a - 1) / 2 - np.arange(a)
            stop = (b - 1) / 2 - np.arange(b)
            ys = np.sort((start[:, None] * (1 - share) + stop[None] * share).ravel())
            room = float(np.diff(ys).min()) if ys.size > 1 else 1.0
            best = max(best, (round(room, 6), float(share)))
        shares.append(best[1])
        pitch = max(pitch, min(0.235 / max(best[0], 1e-9), 1.8))
    return pitch, shares


def modules(
    nodes: Mapping[str, str] | Sequence[str],
    edges: Sequence[tuple[str, str] | tuple[str, str, str]] | None = None,
    title: str = "",
    highlight: Sequence[str] = (),
) -> Picture:
    """Modules as boxes, left to right, joined by arrows: chains, skips, branches, loops.

    ``nodes`` maps keys to labels (or lists labels that are their own keys); a label of one character (``+``) is a
    circle. ``edges`` are (from, to) or (from, to, label); without them the nodes form a chain. An edge that leads
    back (a loop) is drawn as an arc below. ``highlight`` fills nodes.

    >>> plot.modules(["x", "Linear", "ReLU", "Linear 2", "y"]).show()
    Modules: x → Linear → ReLU → Linear 2 → y.
    >>> plot.modules({"x": "x", "f": "F", "+": "+"}, [("x", "f"), ("f", "+"), ("x", "+")]).show()
    Modules: x → F, F → +, x → +.
    """
    called = dict(nodes) if isinstance(nodes, Mapping) else {n: n for n in nodes}
    keys = list(called)
    joined = [(e[0], e[1], e[2] if len(e) > 2 else "") for e in (zip(keys, keys[1:]) if edges is None else edges)]
    for a, b, _ in joined:
        for key in (a, b):
            if key not in called:
                raise ValueError(
                    f"modules: edge ({a!r}, {b!r}) names {key!r}, which is not among the nodes {keys}."
                )
    place = {key: i for i, key in enumerate(keys)}
    onward, back = _split(keys, joined)
    boxes = []
    for key in keys:
        label = called[key]
        lines = label.count("\n") + 1
        round_ = len(label) == 1 and not label.isalnum()
        wide, tall = (0.42, 0.42) if round_ else (max(0.5, text_width(label, 12) + 0.3), 0.22 * lines + 0.24)
        boxes.append(Box(wide, tall, late=all(b != key for _, b, _ in onward)))
    links = [
        Link(place[a], place[b], text_width(t, 11) + (0.1 if t else 0.0), 0.44 if t else 0.1) for a, b, t in onward
    ]
    for link in links:  # the first node's way stays straight; other inputs come in from the side
        link.pull = 0.01 if boxes[link.source].late and link.source else 1.0
    layout = layered(boxes, links, gap=0.17, space=0.3, straight_skips=True)
    loops = 0.55 * bool(back) + (0.2 if any(t for *_, t in back) else 0.0)
    margin = 0.18
    lift = margin + loops
    heading = 0.35 if title else 0.0
    size = (max(layout.width + 2 * margin, 2.5), layout.height + lift + margin + heading)

    def draw(figure: Any) -> None:
        from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

        extra = (size[0] - layout.width) / 2
        ax = style.sheet(figure, size, (-extra, -lift))
        arrow = "-|>,head_length=5,head_width=2.6"
        for link, (_, _, label) in zip(links, onward):
            target = boxes[link.target]
            path = (
                link.path
                if target.width != 0.42
                else [*link.path[:-1], rim(link.path[-2], target.x, target.y, 0.21)]
            )
            arrival = (
                None if path is link.path else ((target.x - path[-1][0]) / 0.21, (target.y - path[-1][1]) / 0.21)
            )
            ax.add_patch(
                FancyArrowPatch(path=curve(path, arrival), arrowstyle=arrow, color=FAINT, linewidth=1.6, zorder=1)
            )
            if label:
                x, y = link.label
                ax.text(x, y + 0.04, label, fontsize=11, ha="center", va="bottom")
        for a, b, label in back:
            first, last = boxes[place[a]], boxes[place[b]]
            low = min(x.y - x.height / 2 for x in boxes) - 0.42
            right, left = first.x + min(0.12, first.width / 4), last.x - min(0.12, last.width / 4)
            start, end = (right, first.y - first.height / 2), (left, last.y - last.height / 2)
            from matplotlib.path import Path

            bend = Path([start, (start[0], low - 0.1), (end[0], low - 0.1), end], [1, 4, 4, 4])
            ax.add_patch(
                FancyArrowPatch(
                    path=bend, arrowstyle=arrow, color=GRADIENT, linestyle=(0, (5, 2)), linewidth=1.8, zorder=1
                )
            )
            if label:
                ax.text(
                    (start[0] + end[0]) / 2, low + 0.02, label, fontsize=11, ha="center", va="top", color=GRADIENT
                )
        for key, box in zip(keys, boxes):
            fill = HIGHLIGHT if key in highlight else TINTS[0]
            label = called[key]
            if box.width == box.height == 0.42:
                ax.add_patch(Circle((box.x, box.y), 0.21, facecolor=PAPER, edgecolor=INK, linewidth=1.4, zorder=2))
            else:
                corner = (box.x - box.width / 2, box.y - box.height / 2)
                form = "round,pad=0,rounding_size=0.07"
                ax.add_patch(
                    FancyBboxPatch(
                        corner,
                        box.width,
                        box.height,
                        boxstyle=form,
                        facecolor=fill,
                        edgecolor=INK,
                        linewidth=1.4,
                        zorder=2,
                    )
                )
            ax.text(box.x, box.y, label, fontsize=16 if box.width == 0.42 else 12, ha="center",
                    va="center_baseline" if len(label) == 1 else "center", zorder=3, gid=f"module-{key}")  # fmt: skip
        if title:
            ax.text(layout.width / 2, layout.height + margin, title, fontsize=13, ha="center", va="bottom")

    def word(key: str) -> str:
        return " ".join(called[key].split())

    if edges is None:
        told = " → ".join(word(k) for k in keys)
    else:
        told = ", ".join(f"{word(a)} → {word(b)}" + (f" ({t})" if t else "") for a, b, t in onward)
    text = f"{title or 'Modules'}: {told}."
    if back:
        text += (
            " Leading back: "
            + ", ".join(f"{word(a)} → {word(b)}" + (f" ({t})" if t else "") for a, b, t in back)
            + "."
        )
    return Picture(draw, size, text)


def _split(keys: list[str], edges: list[tuple[str, str, str]]) -> tuple[list[Any], list[Any]]:
    """Edges that go on, and those that close a cycle (found depth first, in the order of ``keys``)."""
    after: dict[str, list[tuple[str, str, str]]] = {key: [] for key in keys}
    for edge in edges:
        after[edge[0]].append(edge)
    state: dict[str, int] = {}
    back = set()
    for root in keys:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(after[root]))]
        while stack:
            key, rest = stack[-1]
            for edge in rest:
                if state.get(edge[1]) == 1:
                    back.add(edge)
                elif edge[1] not in state:
                    state[edge[1]] = 1
                    stack.append((edge[1], iter(after[edge[1]])))
                    break
            else:
                state[key] = 2
                stack.pop()
    return [e for e in edges if e not in back], [e for e in edges if e in back]


def connections(
    length: int,
    layers: Sequence[Mapping[str, int]],
    unit: int | Sequence[int] | None = None,
    values: Sequence[Sequence[float] | None] | None = None,
    names: Sequence[str] | None = None,
    title: str = "",
    digits: int = 2,
) -> Picture:
    """One-dimensional convolutions as connections: the input below, each layer's outputs above what they read.

    ``layers``: for each a mapping with ``kernel`` and, if not as in PyTorch's default, ``stride``, ``padding``,
    ``dilation``, ``channels`` (rows of that many units side by side). ``unit`` marks an output of the last layer
    (or several) and all that it depends on: its receptive field, a cone over several layers. ``values``: numbers in
    the cells, a row for each level.

    >>> plot.connections(6, [{"kernel": 3, "padding": 1}, {"kernel": 3, "padding": 1}], unit=2).show()
    Connections: 6 inputs; layer 1 (kernel 3, padding 1): 6 outputs; layer 2 (kernel 3, padding 1): 6
    outputs. \
Output 3 of the last layer reads inputs 1 to 5 (5 of 6).
    """
    settings = [{"kernel": 3, "stride": 1, "padding": 0, "dilation": 1, "channels": 1, **layer} for layer in layers]
    for given in layers:
        unknown = set(given) - {"kernel", "stride", "padding", "dilation", "channels"}
        if unknown or "kernel" not in given:
            raise ValueError(
                f"connections: a layer has kernel, stride, padding, dilation, channels; got {dict(given)}."
            )
    lengths, channels = [length], [1]
    for layer in settings:
        out = (lengths[-1] + 2 * layer["padding"] - layer["dilation"] * (layer["kernel"] - 1) - 1) // layer[
            "stride"
        ] + 1
        if out < 1:
            raise ValueError(
                f"connections: kernel {layer['kernel']} with dilation {layer['dilation']} "
                f"is longer than {lengths[-1]} inputs."
            )
        lengths.append(out)
        channels.append(layer["channels"])

    def reads(level: int, i: int) -> list[int]:
        layer = settings[level - 1]
        return [i * layer["stride"] - layer["padding"] + j * layer["dilation"] for j in range(layer["kernel"])]

    marked: list[set[int]] = [set() for _ in lengths]
    units = [] if unit is None else [unit] if isinstance(unit, int) else list(unit)
    for u in units:
        if not 0 <= u < lengths[-1]:
            raise ValueError(f"connections: unit must be 0…{lengths[-1] - 1}, got {u}.")
    marked[-1] = set(units)
    for level in range(len(lengths) - 1, 0, -1):
        marked[level - 1] = {k for i in marked[level] for k in reads(level, i) if 0 <= k < lengths[level - 1]}

    cell, rise = 0.46, 1.05
    spacing = 0.55
    padding = [*(layer["padding"] for layer in settings), 0]
    spans = [c * n * cell + (c - 1) * spacing + 2 * p * cell for c, n, p in zip(channels, lengths, padding)]
    stretch = []
    scale = 1
    for level in range(len(lengths)):  # strided outputs stand over the middle of what they read
        stretch.append(scale)
        if level < len(settings):
            scale *= settings[level]["stride"] if channels[level + 1] == 1 else 1
    left = max((text_width(n, 11) for n in names), default=0.0) + 0.25 if names else 0.15
    middle = left + max(spans) / 2

    def spot(level: int, channel: int, i: int) -> tuple[float, float]:
        if channels[level] > 1 or level == 0:
            group = lengths[level] * cell + spacing
            start = middle - (channels[level] * group - spacing) / 2
            return start + channel * group + (i + 0.5) * cell, rise * level
        below = [spot(level - 1, c, k)[0] for c in range(channels[level - 1]) for k in reads(level, i)]
        return (min(below) + max(below)) / 2, rise * level

    size = (left + max(spans) + 0.15, rise * (len(lengths) - 1) + 0.75 + (0.35 if title else 0.0))

    def draw(figure: Any) -> None:
        from matplotlib.patches import Rectangle

        ax = style.sheet(figure, size, (0.0, -0.37))
        for level in range(1, len(lengths)):
            for c in range(channels[level]):
                for i in range(lengths[level]):
                    strong = not units or i in marked[level]
                    for j, k in enumerate(reads(level, i)):
                        if not -padding[level - 1] <= k < lengths[level - 1] + padding[level - 1]:
                            continue
                        for b in range(channels[level - 1]):
                            (x0, y0), (x1, y1) = spot(level - 1, b, k), spot(level, c, i)
                            tap = j if channels[level] == 1 else c
                            look = {"color": COLORS[tap % len(COLORS)], "linestyle": DASHES[tap % len(DASHES)]}
                            ax.plot([x0, x1], [y0 + 0.18, y1 - 0.18], linewidth=2.0 if strong and units else 1.3,
                                    alpha=1.0 if strong else 0.18, zorder=1, gid=f"tap-{level}-{c}-{i}-{k}",
                                    **look)  # fmt: skip
        for level, n in enumerate(lengths):
            for c in range(channels[level]):
                for i in range(-padding[level], n + padding[level]):
                    x, y = spot(level, c, i)
                    inside = 0 <= i < n
                    fill = (
                        PAPER if not inside else HIGHLIGHT if i in marked[level] else TINTS[0 if level == 0 else 2]
                    )
                    ax.add_patch(
                        Rectangle((x - 0.19, y - 0.18), 0.38, 0.36, facecolor=fill, edgecolor=INK if inside else FAINT,
                                  linestyle="-" if inside else (0, (2, 2)),
                                  linewidth=2.4 if i in marked[level] else 1.2, zorder=2)
                    )  # fmt: skip
                    row = None if values is None else values[level]
                    text = (
                        "0"
                        if not inside
                        else ""
                        if row is None
                        else minus(brief(array(row).ravel()[c * n + i], digits))
                    )
                    ax.text(
                        x,
                        y,
                        text,
                        fontsize=11,
                        ha="center",
                        va="center_baseline",
                        zorder=3,
                        color=INK if inside else FAINT,
                    )
            if names:
                ax.text(0.1, rise * level, names[level], fontsize=11, ha="left", va="center_baseline")
        if title:
            ax.text(size[0] / 2, rise * (len(lengths) - 1) + 0.3, title, fontsize=13, ha="center", va="bottom")

    told = []
    for level, layer in enumerate(settings, 1):
        extra = [
            f"{k} {layer[k]}"
            for k, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("channels", 1))
            if layer[k] != usual
        ]
        kernel = layer["kernel"]
        outs = count(lengths[level] * channels[level], "output")
        told.append(f"layer {level} ({', '.join([f'kernel {kernel}', *extra])}): {outs}")
    text = f"{title or 'Connections'}: {count(length, 'input')}; {'; '.join(told)}."
    for u in units:
        field = set()
        reach = {u}
        for level in range(len(lengths) - 1, 0, -1):
            reach = {k for i in reach for k in reads(level, i) if 0 <= k < lengths[level - 1]}
        field = reach
        whole = len(field) == max(field) - min(field) + 1
        which = f"{min(field) + 1} to {max(field) + 1}" if whole else ", ".join(str(k + 1) for k in sorted(field))
        text += f" Output {u + 1} of the last layer reads inputs {which} ({len(field)} of {length})."
    return Picture(draw, size, text)


def blocks(factors: Sequence[tuple[str, tuple[int, int]]], result: tuple[str, tuple[int, int]] | None = None,
           order: str = "", title: str = "") -> Picture:  # fmt: skip
    """A product of matrices as blocks whose sides show their sizes, factors from left to right.

    ``factors`` are (name, (rows, columns)); ``result`` the same after an equals sign. ``order`` is a remark below,
    such as "right to left: n² each". Sides grow with the square root of the size.

    >>> plot.blocks([("J₁", (4, 3)), ("J₂", (3, 3)), ("g", (3, 1))], ("result", (4, 1))).show()
    Product: J₁ (4×3) · J₂ (3×3) · g (3×1) = result (4×1).
    """
    for (name, a), (name_b, b) in zip(factors, factors[1:]):
        if a[1] != b[0]:
            raise ValueError(
                f"blocks: {name} {a[0]}×{a[1]} and {name_b} {b[0]}×{b[1]} do not fit: {a[1]} ≠ {b[0]}."
            )
    whole = [*factors, *([result] if result else [])]
    largest = max(max(shape) for _, shape in whole)

    def side(n: int) -> float:
        return 0.3 + 1.2 * (n / largest) ** 0.5

    widths = [side(s[1]) for _, s in whole]
    rooms = [
        max(w, text_width(n, 12) + 0.1, text_width(f"{s[0]}×{s[1]}", 11) + 0.1) for w, (n, s) in zip(widths, whole)
    ]  # fmt: skip
    heights = [side(s[0]) for _, s in whole]
    gap = 0.36
    size = (
        sum(rooms) + gap * (len(whole) - 1) + 0.4,
        max(heights) + 0.85 + (0.3 if order else 0) + (0.35 if title else 0),
    )

    def draw(figure: Any) -> None:
        from matplotlib.patches import Rectangle

        middle = max(heights) / 2
        ax = style.sheet(figure, size, (-0.2, -(0.45 + (0.3 if order else 0))))
        x = 0.0
        for i, (width, room, height, (name, shape)) in enumerate(zip(widths, rooms, heights, whole)):
            fill = TINTS[2] if result and i == len(whole) - 1 else TINTS[0]
            center = x + room / 2
            ax.add_patch(
                Rectangle(
                    (center - width / 2, middle - height / 2),
                    width,
                    height,
                    facecolor=fill,
                    edgecolor=INK,
                    linewidth=1.4,
                )
            )
            ax.text(center, max(heights) + 0.08, name, fontsize=12, ha="center", va="bottom")
            ax.text(center, -0.08, f"{shape[0]}×{shape[1]}", fontsize=11, ha="center", va="top")
            x += room
            if i + 1 < len(whole):
                sign = "=" if result and i + 2 == len(whole) else "·"
                ax.text(x + gap / 2, middle, sign, fontsize=18, ha="center", va="center")
            x += gap
        if order:
            ax.text((size[0] - 0.4) / 2, -0.38, order, fontsize=11, ha="center", va="top")
        if title:
            ax.text((size[0] - 0.4) / 2, max(heights) + 0.4, title, fontsize=13, ha="center", va="bottom")

    told = " · ".join(f"{n} ({s[0]}×{s[1]})" for n, s in factors)
    if result:
        told += f" = {result[0]} ({result[1][0]}×{result[1][1]})"
    return Picture(
        draw, size, f"{title or 'Product'}: {told}." + (f" {order[:1].upper()}{order[1:]}." if order else "")
    )
