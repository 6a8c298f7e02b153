"""A small layered layout for graphs drawn left to right (after Sugiyama, Tagawa and Toda, 1981); no Graphviz.

Numbers in, numbers out: the stored pictures of :mod:`nnlib.plot` and the moving ones of :mod:`nnlib.widgets` use it.

Layers by longest path, order within a layer by barycentres, heights by least squares with a minimal distance. An edge
becomes a chain of invisible vertices: the first holds its label, the others keep a long edge off the nodes between.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Box", "Layout", "Link", "bends", "layered", "rim"]


@dataclass
class Box:
    """A vertex of ``width`` × ``height`` inches; ``layered`` sets its centre (x, y) and its layer."""

    width: float
    height: float
    late: bool = False  # stands just before its first use, not at the far left
    x: float = 0.0
    y: float = 0.0
    layer: int = 0


@dataclass
class Link:
    """An edge between two vertices with room for a label of ``width`` × ``height`` inches.

    ``layered`` sets ``label`` (the centre of that room) and ``path``: points from the right side of the source's
    box to the left side of the target's, level where the label is.
    """

    source: int
    target: int
    width: float = 0.0
    height: float = 0.0
    pull: float = 1.0  # how strongly its ends want to be level
    label: tuple[float, float] = (0.0, 0.0)
    path: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Layout:
    """The size of the drawing in inches; its origin is the lower left corner."""

    width: float
    height: float


def _layers(boxes: Sequence[Box], links: Sequence[Link]) -> None:
    """Longest path from the left; ``late`` vertices move right, to their first use."""
    incoming: dict[int, list[int]] = {v: [] for v in range(len(boxes))}
    outgoing: dict[int, list[int]] = {v: [] for v in range(len(boxes))}
    for link in links:
        incoming[link.target].append(link.source)
        outgoing[link.source].append(link.target)
    waiting = {v: len(sources) for v, sources in incoming.items()}
    ready = [v for v, n in waiting.items() if n == 0]
    done = 0
    while ready:
        v = ready.pop()
        done += 1
        boxes[v].layer = max((boxes[s].layer + 1 for s in incoming[v]), default=0)
        for t in outgoing[v]:
            waiting[t] -= 1
            if not waiting[t]:
                ready.append(t)
    if done < len(boxes):
        raise ValueError("layered: the graph has a cycle; take out the edges that lead back.")
    for v, box in enumerate(boxes):
        if box.late and outgoing[v]:
            box.layer = min(boxes[t].layer for t in outgoing[v]) - 1


def _order(columns: list[list[int]], before: list[list[int]], after: list[list[int]]) -> None:
    """Sort columns by the mean position of neighbours, sweeping to and fro; keep what crosses least.

    What still crosses then may come of neighbours whose means are equal: each such pair is tried the other way round.
    """

    def crossings(columns: list[list[int]]) -> int:
        place, total = {v: i for column in columns for i, v in enumerate(column)}, 0
        for column in columns:
            ends = [(place[v], place[t]) for v in column for t in after[v]]
            for i, (a, b) in enumerate(ends):
                total += sum((a - c) * (b - d) < 0 for c, d in ends[i + 1 :])
        return total

    def swept(columns: list[list[int]]) -> tuple[int, list[list[int]]]:
        columns = [list(column) for column in columns]
        best, least = columns, crossings(columns)
        for sweep in range(8):
            if least == 0:
                break
            neighbours = before if sweep % 2 == 0 else after
            columns = [list(column) for column in columns]
            for column in columns if sweep % 2 == 0 else reversed(columns):
                place = {v: i for each in columns for i, v in enumerate(each)}
                mean = {v: np.mean([place[n] for n in neighbours[v]]) if neighbours[v] else place[v] for v in column}
                column.sort(key=lambda v: mean[v])
            if (now := crossings(columns)) < least:
                best, least = columns, now
        return least, best

    least, best = swept(columns)
    pairs = [(c, i) for c, column in enumerate(columns) for i in range(len(column) - 1)]
    for c, i in pairs if len(pairs) < 40 else ():
        if least == 0:
            break
        other = [list(column) for column in best]
        other[c][i : i + 2] = other[c][i + 1], other[c][i]
        least, best = min((least, best), swept(other), key=lambda found: found[0])
    columns[:] = best


def _separated(wanted: np.ndarray, heaviness: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The y (descending) closest to ``wanted`` in weighted squares with y[i] - y[i+1] >= distances[i].

    Shifted by the distances this is isotonic regression, which pooling adjacent violators solves exactly.
    """
    shift = np.concatenate([[0.0], np.cumsum(distances)])
    blocks: list[list[float]] = []  # [mean, weight, length]
    for target, weight in zip(-wanted - shift, heaviness):
        blocks.append([target, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, weight_, length = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * weight_) / (last[1] + weight_)
            last[1] += weight_
            last[2] += length
    return -(np.repeat([b[0] for b in blocks], [int(b[2]) for b in blocks]) + shift)


def bends(
    points: Sequence[tuple[float, float]], arrival: tuple[float, float] | None = None
) -> list[list[tuple[float, float]]]:
    """A smooth way through ``points``, level at each of them; ``arrival`` is the direction at the last.

    Each piece is what it adds to the points before it: one point for a straight line, three (two handles and an end)
    for a cubic curve. The first is the beginning.

    >>> bends([(0, 0), (1, 0), (3, 2)])
    [[(0, 0)], [(1, 0)], [(2.0, 0), (2.0, 2.0), (3, 2)]]
    """
    points = [p for n, p in enumerate(points) if n == 0 or math.dist(p, points[n - 1]) > 1e-6]
    pieces = [[points[0]]]
    for n, ((x0, y0), (x1, y1)) in enumerate(zip(points, points[1:]), 2):
        if abs(y1 - y0) < 1e-6:
            pieces.append([(x1, y1)])
            continue
        reach = 0.5 * abs(x1 - x0)
        dx, dy = arrival if arrival and n == len(points) else (1.0, 0.0)
        pieces.append([(x0 + reach, y0), (x1 - reach * dx, y1 - reach * dy), (x1, y1)])
    return pieces


def rim(point: tuple[float, float], x: float, y: float, radius: float) -> tuple[float, float]:
    """Where the way from ``point`` to the centre (x, y) meets the circle."""
    share = radius / max(math.dist(point, (x, y)), 1e-9)
    return x + share * (point[0] - x), y + share * (point[1] - y)


def layered(
    boxes: list[Box], links: list[Link], gap: float = 0.13, space: float = 0.14, straight_skips: bool = False
) -> Layout:
    """Place ``boxes`` and route ``links``, left to right; both are changed in place.

    ``gap`` inches stay free left and right of a label, ``space`` between neighbours of a column. ``straight_skips``
    lets a long edge bend around a chain that stays straight. Raises ValueError for a graph with a cycle.
    """
    _layers(boxes, links)
    size = [(b.width, b.height) for b in boxes]
    column_of = [2 * b.layer for b in boxes]
    chains: list[list[int]] = []
    pairs: list[tuple[int, int, float]] = []  # neighbours in adjacent columns and how strongly they pull
    for link in links:
        first, last = column_of[link.source], column_of[link.target]
        chain = [link.source]
        for at in range(first + 1, last):
            size.append((link.width, link.height) if at == first + 1 else (0.0, min(0.1, link.height)))
            column_of.append(at)
            chain.append(len(size) - 1)
        chain.append(link.target)
        chains.append(chain)
        long = last - first > 2
        for a, b in zip(chain, chain[1:]):
            between = a >= len(boxes) and b >= len(boxes)
            bends = long and straight_skips
            pairs.append((a, b, (0.02 if bends else 8.0) if between else 1e-3 if bends else link.pull))

    before: list[list[int]] = [[] for _ in size]
    after: list[list[int]] = [[] for _ in size]
    for a, b, _ in pairs:
        after[a].append(b)
        before[b].append(a)
    columns: list[list[int]] = [[] for _ in range(max(column_of) + 1)]
    seen: set[int] = set()
    stack = [v for v in reversed(range(len(boxes))) if not after[v]]
    while stack:  # depth first from the outputs, arguments in order: a tree comes out without crossings
        v = stack.pop()
        if v not in seen:
            seen.add(v)
            columns[column_of[v]].append(v)
            stack += reversed(before[v])
    _order(columns, before, after)

    pull: list[list[tuple[int, float]]] = [[] for _ in size]
    for a, b, weight in pairs:
        pull[a].append((b, weight))
        pull[b].append((a, weight))
    y = np.zeros(len(size))
    gaps: list[np.ndarray] = []
    for column in columns:
        heights = np.array([size[v][1] for v in column])
        gaps.append((heights[:-1] + heights[1:]) / 2 + space)
        y[column] = _separated(np.zeros(len(column)), np.ones(len(column)), gaps[-1])
        y[column] -= y[column].mean()
    heavy = [np.array([max(sum(w for _, w in pull[v]), 1e-6) for v in column]) for column in columns]
    for sweep in range(300):
        before_sweep = y.copy()
        for c in range(len(columns)) if sweep % 2 else reversed(range(len(columns))):
            wanted = np.array([sum(w * y[n] for n, w in pull[v]) for v in columns[c]]) / heavy[c]
            y[columns[c]] = _separated(wanted, heavy[c], gaps[c])
        if np.abs(y - before_sweep).max() < 1e-5:
            break

    for chain in chains:  # a long edge runs level where its neighbours leave the room
        inner = chain[1:-1]
        bent = y[inner].copy()
        for height in (bent.mean(), bent.max(), bent.min()):
            y[inner] = height
            if all((y[vs][:-1] - y[vs][1:] >= room - 1e-6).all() for vs, room in zip(columns, gaps)):
                break
            y[inner] = bent

    x = np.zeros(len(size))
    edge = 0.0
    for c, column in enumerate(columns):
        width = max(size[v][0] for v in column)
        x[column] = edge + width / 2
        edge += width
        if c + 1 < len(columns):
            steep = max((abs(y[a] - y[b]) for a in column for b in after[a]), default=0.0)
            edge += max(gap, min(0.5 * steep, 0.25 + 0.2 * steep))
    heights = np.array([h for _, h in size])
    bottom, top = (y - heights / 2).min(), (y + heights / 2).max()
    y -= bottom
    for v, box in enumerate(boxes):
        box.x, box.y = float(x[v]), float(y[v])
    for link, chain in zip(links, chains):
        widest = {c: max(size[v][0] for v in columns[c]) for c in {column_of[v] for v in chain}}
        link.label = (float(x[chain[1]]), float(y[chain[1]]))
        link.path = [(boxes[link.source].x + boxes[link.source].width / 2, boxes[link.source].y)]
        for v in chain[1:-1]:
            half = widest[column_of[v]] / 2
            link.path += [(float(x[v] - half), float(y[v])), (float(x[v] + half), float(y[v]))]
        link.path.append((boxes[link.target].x - boxes[link.target].width / 2, boxes[link.target].y))
    return Layout(edge, float(top - bottom))
