"""The regions that three hidden units cut the plane into: the second half of the ten knobs, with two inputs.

Unit j is on where (cos αⱼ, sin αⱼ)·x > dⱼ, a half plane. The three lines cut the square into regions, each with a
pattern of units that are on, and on each the output is one flat facet. Three lines make at most seven regions, so one
of the eight patterns never occurs; parallel they make four. Without an activation there is a single facet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from .scene import Scene, clip, number, plot_area

__all__ = ["LINES", "Regions", "compute", "draw", "say"]

LINES = {"turn1": 0, "far1": 0.0, "turn2": 90, "far2": 0.0, "turn3": 45, "far3": 0.7}
LOW, HIGH = -2.0, 2.0
COLORS = ("blue", "red", "green")
TINTS = ("paper", "blue-tint", "green-tint", "red-tint")  # by how many units are on


@dataclass
class Regions:
    weight: np.ndarray  # (3, 2) of unit length
    bias: np.ndarray  # (3,)
    activation: str
    identity: bool
    sheets: list[list[tuple[float, float]]]  # corners of each region
    patterns: list[str]  # which units are on there, as 0 and 1
    slopes: np.ndarray  # (regions, 2) dy/dx at the middle of each, by nnlib
    heights: list[np.ndarray]  # y at the corners of each, as its facet goes on to them

    @property
    def facets(self) -> int:
        """How many different slopes the surface has on its regions."""
        return len(np.unique(np.round(self.slopes, 9), axis=0))

    @property
    def missing(self) -> list[str]:
        return sorted({f"{k:03b}" for k in range(8)} - set(self.patterns))


def compute(settings: dict[str, Any], bend: nn.Module) -> Regions:
    """Cut the square along the lines; ask nnlib for the slope on each piece."""
    angles = np.radians([settings[f"turn{j}"] for j in (1, 2, 3)])
    weight = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    bias = -np.array([float(settings[f"far{j}"]) for j in (1, 2, 3)])
    sheets = [[(LOW, LOW), (HIGH, LOW), (HIGH, HIGH), (LOW, HIGH)]]
    for w, b in zip(weight, bias):
        halves = [clip(s, [side * float(w @ c + b) for c in s]) for s in sheets for side in (1, -1)]
        sheets = [half for half in halves if _area(half) > 1e-6]
    middles = np.array([np.mean(sheet, axis=0) for sheet in sheets])
    net = nn.Sequential(nn.Linear(2, 3), bend, nn.Linear(3, 1))
    net.double()
    outer = np.array([[settings[f"phi{j}"] for j in (1, 2, 3)]])
    net.load_state_dict(
        {"0.weight": weight, "0.bias": bias, "2.weight": outer, "2.bias": np.array([settings["phi0"]])}
    )
    x = nn.tensor(middles, requires_grad=True)
    y = net(x)
    y.sum().backward()
    assert x.grad is not None
    z = middles @ weight.T + bias
    heights = [y.data[i, 0] + (np.array(s) - middles[i]) @ x.grad[i] for i, s in enumerate(sheets)]
    patterns = ["".join("1" if v > 0 else "0" for v in row) for row in z]
    slopes, activation = np.array(x.grad), settings["activation"]
    return Regions(weight, bias, activation, settings["identity"], sheets, patterns, slopes, heights)


def _area(sheet: list[tuple[float, float]]) -> float:
    if len(sheet) < 3:
        return 0.0
    x, y = np.array(sheet).T
    return abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1))) / 2


WIDTH, HEIGHT = 900, 400
MAP, SURFACE = (60, 40, 320, 320), (520, 40, 320, 320)


def draw(numbers: Regions) -> Scene:
    """Left: regions with their patterns. Right: level lines of y, and the way up on each facet."""
    n, scene = numbers, Scene(WIDTH, HEIGHT)
    at, to = (plot_area((LOW, HIGH), (LOW, HIGH), area) for area in (MAP, SURFACE))
    scene.text(MAP[0], 18, f"{len(n.sheets)} regions", size=15, bold=True, anchor="start")
    scene.text(SURFACE[0], 18, "y from above: level lines, and the way up", size=15, bold=True, anchor="start")
    for sheet, pattern in zip(n.sheets, n.patterns):
        tint = TINTS[pattern.count("1")]
        scene.shape(*[at(*c) for c in sheet], fill=tint, color="none", id=f"region {pattern}")
    for area, place in ((MAP, at), (SURFACE, to)):
        for tick in (-2, 0, 2):
            scene.text(place(tick, 0)[0], area[1] + area[3] + 14, number(tick), size=12, color="faint")
            scene.text(area[0] - 8, place(0, tick)[1], number(tick), size=12, color="faint", anchor="end")
        scene.text(area[0] + area[2] - 24, area[1] + area[3] + 14, "x₁", size=12, color="faint", anchor="end")
        scene.text(area[0] - 8, area[1] + 20, "x₂", size=12, color="faint", anchor="end")
    low, high = min(h.min() for h in n.heights), max(h.max() for h in n.heights)
    for level in np.linspace(low, high, 16)[1:-1]:
        for sheet, heights in zip(n.sheets, n.heights):
            ends = [
                (a + (level - p) / (q - p) * (b - a))
                for a, b, p, q in zip(np.array(sheet), np.roll(sheet, -1, 0), heights, np.roll(heights, -1))
                if (p > level) != (q > level)
            ]
            if len(ends) == 2:
                scene.line(*[to(*e) for e in ends], color="faint", width=1)
    square = [(LOW, LOW), (HIGH, LOW), (HIGH, HIGH), (LOW, HIGH)]
    for j, (w, b) in enumerate(zip(n.weight, n.bias)):
        on = clip(square, [float(w @ c + b) for c in square])
        line = [c for c in on if abs(w @ c + b) < 1e-9]
        if len(line) > 1:
            for place in (at, to):
                scene.line(*[place(*c) for c in line], color=COLORS[j], width=2.5, dash=j == 1, id=f"line {j + 1}")
            foot = np.array(line[0]) + 0.14 * np.subtract(line[1], line[0])  # clear of the patterns
            scene.line(at(*foot), at(*(foot + 0.3 * w)), color=COLORS[j], width=2, arrow=True)
            px, py = at(*(foot + 0.42 * w))
            scene.text(px, py, str(j + 1), size=13, color=COLORS[j], bold=True)
    steepest = np.linalg.norm(n.slopes, axis=1).max()
    for sheet, pattern, slope in zip(n.sheets, n.patterns, n.slopes):
        middle, room = np.mean(sheet, axis=0), _area(sheet)
        if room > 0.06:
            px, py = at(*middle)
            scene.text(px, py, pattern, size=14, bold=True, id="pattern")
        if steepest > 1e-9 and np.linalg.norm(slope) > 1e-3 * steepest and room > 0.06:
            tip = middle + 0.45 * slope / steepest
            scene.line(to(*middle), to(*np.clip(tip, LOW, HIGH)), color="purple", width=2, arrow=True, id="uphill")
    for area in (MAP, SURFACE):
        scene.box(*area, color="grid", width=1)
    return scene


def say(numbers: Regions) -> str:
    """How many regions, which patterns, how many facets."""
    n = numbers
    angles = np.degrees(np.arctan2(n.weight[:, 1], n.weight[:, 0]))
    lines = ", ".join(f"{number(0.0 - b, 3)} along {round(float(a))}°" for a, b in zip(angles, n.bias))
    there = f"Three units, on from {lines}, cut the square into {len(n.sheets)} regions, {', '.join(n.patterns)}"
    gone = f"; never {', '.join(n.missing)}" if n.missing else ""
    if n.identity:
        slope = ", ".join(number(v + 0.0, 3) for v in n.slopes[0])
        return f"{there}{gone}. But without an activation the surface is one plane of slope ({slope}), regions or not."
    if n.activation not in ("ReLU", "leaky ReLU (0.1)"):
        return f"{there}{gone}. {n.activation} is smooth: the surface bends near the lines and has no flat facets."
    return (
        f"{there}{gone}. The surface has {n.facets} different slopes on them, from {number(_steep(n.slopes).min(), 3)} "
        f"to {number(_steep(n.slopes).max(), 3)}. Seven is the most that three lines can do."
    )


def _steep(slopes: np.ndarray) -> np.ndarray:
    return np.linalg.norm(slopes, axis=1)
