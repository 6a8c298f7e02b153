"""The perceptron referee: Rosenblatt's rule one update at a time, and the bound that stops it.

Points of two classes, by number, by sample, or dragged. The rule walks round the points; at each mistake it adds the
point (x₁, x₂, 1) to the weights or subtracts it. The referee draws the two lines of the proof: after k mistakes the
weights, seen along the best separating direction, are at least kγ long, and altogether at most √k R. Where the lines
meet, at k = (R/γ)², the rule must have ended. Surprises: of classes that nearly touch, γ is small and the count
explodes (294 mistakes at a gap of 0.05, 20 at 1.5); and for XOR there is no γ, and the weights go round in a circle for
ever.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Entry, Experiment, Prediction, Slider
from .scene import Axis, Scene, axis, clip, number, plot_area

__all__ = ["PerceptronReferee", "compute", "draw", "say"]

CORNERS = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
DATA = ("two clouds", "AND", "XOR", "your own")
TRUTH = {"AND": (0, 0, 0, 1), "XOR": (0, 1, 1, 0)}
NORMAL = np.array([0.8, 0.6])  # of the line that the clouds lie on both sides of
MIDDLE = np.array([2.2, 2.0])  # of the clouds; off the origin, so that the bias has work to do
LOW, NEAR, HIGH = -1.0, 2.0, 5.0  # ends of the plane, both ways
MOST_POINTS, MOST_UPDATES = 16, 1000

Points = tuple[tuple[float, float, int], ...]


@dataclass
class Numbers:
    data: str
    points: Points
    radius: float  # R, of the (x₁, x₂, 1)
    margin: float  # γ, the widest possible; 0 if no line separates
    best: np.ndarray  # (3,) the unit weights of that margin; zeros if there are none
    weights: np.ndarray  # (updates + 1, 3): w₁, w₂, b after each update, starting at 0
    used: list[int]  # the point of each update
    ended: bool  # every point is right in the end
    loop: tuple[int, int] | None  # the updates after which the same weights meet the same point
    step: int

    @property
    def updates(self) -> int:
        """All that were made, until the end, the loop or MOST_UPDATES."""
        return len(self.used)

    @property
    def bound(self) -> float:
        """(R/γ)²: more mistakes than that cannot happen."""
        return (self.radius / self.margin) ** 2 if self.margin else math.inf

    @property
    def view(self) -> tuple[float, float]:
        """What the plane shows, both ways: less where all points are near the corners of a unit square."""
        near = max(max(p[:2]) for p in self.points) <= NEAR
        return LOW, NEAR if near else HIGH

    def wrong(self, step: int) -> list[int]:
        """The points that the weights after ``step`` updates get wrong."""
        x, y = arrays(self.points)
        return [i for i, said in enumerate(says(x, self.weights[step])) if said != y[i]]


def arrays(points: Points) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p[:2] for p in points], dtype=np.float64), np.array([p[2] for p in points])


def says(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) True where the perceptron says 1: w · x + b > 0, so a tie is class 0."""
    w, b = nn.from_numpy(weights[None, :2]), nn.from_numpy(weights[2:])
    return nn.functional.linear(nn.from_numpy(x), w, b).data[:, 0] > 0


def clouds(gap: float, sample: int) -> Points:
    """Six points of either class, the nearest of each at half the gap from the line between them."""
    rng = np.random.default_rng(sample)
    points = []
    for label in (0, 1):
        along, away = rng.uniform(-1.4, 1.4, 6), rng.uniform(0.0, 1.1, 6)
        away -= away.min()
        side = (2 * label - 1) * (gap / 2 + away)
        for s, t in zip(side, along):
            x = MIDDLE + s * NORMAL + t * np.array([-NORMAL[1], NORMAL[0]])
            points.append((round(float(x[0]), 3), round(float(x[1]), 3), label))
    return tuple(points[i] for i in rng.permutation(12))


def read(text: str) -> Points:
    """Points from a text like ``0 1 0; 1 1 1``: x₁, x₂ and the class.  Raises ValueError that says what is wrong."""
    points: list[tuple[float, float, int]] = []
    for part in filter(None, (p.strip() for p in text.replace("\N{MINUS SIGN}", "-").split(";"))):
        values = re.split(r"[\s,]+", part)
        try:
            x1, x2, label = (float(v) for v in values)
        except ValueError:
            raise ValueError(f"points: “{part}” is not x₁ x₂ class. Write three numbers: 0.5 -1 1; 2 0 0.") from None
        if label not in (0, 1):
            raise ValueError(f"points: the class of “{part}” must be 0 or 1, got {number(label)}.")
        if not (LOW <= x1 <= HIGH and LOW <= x2 <= HIGH):
            raise ValueError(f"points: “{part}” is off the plane, which shows {number(LOW)} to {number(HIGH)}.")
        points.append((round(x1, 3), round(x2, 3), int(label)))
    if not 2 <= len(points) <= MOST_POINTS:
        raise ValueError(f"points: expects 2 to {MOST_POINTS} points with semicolons between them, got {len(points)}.")
    return tuple(points)


def write(points: Points) -> str:
    return "; ".join(f"{x1:g} {x2:g} {label}" for x1, x2, label in points)


def widest(points: Points) -> tuple[np.ndarray, float]:
    """The unit weights of the widest margin and that margin; zeros if no line separates.

    With each (x₁, x₂, 1) turned over where the class is 0, the margin of unit weights u is the least u · p. The best u
    points at the place of the points' convex hull that is nearest to 0, and three points at most span it.
    """
    x, y = arrays(points)
    p = np.column_stack([x, np.ones(len(x))]) * (2 * y[:, None] - 1)
    best, nearest = np.zeros(3), math.inf
    for size in (1, 2, 3):
        rows = np.array(list(itertools.combinations(range(len(p)), size)))
        if not len(rows):
            continue
        corner, edges = p[rows[:, 0]], p[rows[:, 1:]] - p[rows[:, :1]]  # (m, 3), (m, size − 1, 3)
        gram = edges @ edges.transpose(0, 2, 1)
        solvable = np.linalg.det(gram) > 1e-12 if size > 1 else np.ones(len(rows), dtype=bool)
        corner, edges, gram = corner[solvable], edges[solvable], gram[solvable]
        share = np.linalg.solve(gram, -(edges @ corner[:, :, None]))[:, :, 0]
        inside = (share >= -1e-12).all(1) & (share.sum(1) <= 1 + 1e-12)
        foot = (corner + (share[:, :, None] * edges).sum(1))[inside]
        lengths = np.linalg.norm(foot, axis=1)
        if len(lengths) and lengths.min() < nearest:
            nearest, best = float(lengths.min()), foot[lengths.argmin()]
    if nearest < 1e-9 or (p @ best).min() < nearest**2 - 1e-9:  # 0 is in the hull, or would be
        return np.zeros(3), 0.0
    return best / nearest, nearest


@lru_cache(maxsize=64)
def referee(points: Points) -> tuple[np.ndarray, list[int], bool, tuple[int, int] | None]:
    """Weights, points used, whether it ended, and where it loops."""
    x, y = arrays(points)
    rows = np.column_stack([x, np.ones(len(x))])
    weights, at = [np.zeros(3)], 0
    used: list[int] = []
    seen: dict[tuple[int, ...], int] = {}
    while len(used) < MOST_UPDATES:
        wrong = np.flatnonzero(says(x, weights[-1]) != y)
        if not len(wrong):
            return np.array(weights), used, True, None
        at = int(min(wrong, key=lambda i: (i - at) % len(x)))  # the next one on the way round
        state = (at, *(round(float(v) * 1000) for v in weights[-1]))
        if state in seen:
            return np.array(weights), used, False, (seen[state], len(used))
        seen[state] = len(used)
        # Points have three decimals, and so have their sums: rounding keeps a circle a circle.
        weights.append(np.round(weights[-1] + (2 * y[at] - 1) * rows[at], 3))
        used.append(at)
        at += 1
    return np.array(weights), used, False, None


def compute(settings: dict[str, Any]) -> Numbers:
    """Run the rule to its end, its loop or MOST_UPDATES, and find the widest margin there is."""
    data = settings["data"]
    if data == DATA[0]:
        points = clouds(settings["gap"], settings["sample"])
    elif data in TRUTH:
        points = tuple((*corner, label) for corner, label in zip(CORNERS, TRUTH[data]))
    else:
        points = read(settings["points"])
    weights, used, ended, loop = referee(points)
    best, margin = widest(points)
    radius = max(math.hypot(x1, x2, 1) for x1, x2, _ in points)
    step = min(settings["step"], len(used))
    return Numbers(data, points, radius, margin, best, weights, used, ended, loop, step)


WIDTH, HEIGHT = 860, 446
PLANE, PROOF = (36, 34, 360, 360), (500, 34, 340, 290)


def draw(numbers: Numbers) -> Scene:
    """Left: points, the boundary and the one before it. Right: the two lines of the proof and the weights between."""
    scene = Scene(WIDTH, HEIGHT)
    _plane(scene, numbers)
    _proof(scene, numbers)
    return scene


def _sides(weights: np.ndarray, low: float, high: float) -> tuple[list[Any], list[Any]]:
    """That part of the plane where the perceptron says 1, and the boundary: none, or two points."""
    height = lambda c: float(weights[:2] @ c + weights[2])
    square = [(low, low), (high, low), (high, high), (low, high)]
    says_one = clip(square, [height(c) for c in square])
    line = [c for c in says_one if abs(height(c)) < 1e-9]
    return says_one if len(says_one) > 2 else [], line


def _plane(scene: Scene, numbers: Numbers) -> None:
    n, step = numbers, numbers.step
    left, top, wide, tall = PLANE
    at = plot_area(n.view, n.view, PLANE)
    scene.text(left, 16, "points and boundary", anchor="start", bold=True)
    says_one, boundary = _sides(n.weights[step], *n.view)
    if says_one:
        scene.shape(*[at(*c) for c in says_one], fill="green-tint", color="none", id="says 1")
    scene.box(left, top, wide, tall, color="grid", width=1)
    for tick in (0.0, 1.0) if n.view[1] == NEAR else (0.0, 2.0, 4.0):
        scene.text(at(tick, 0)[0], top + tall + 14, number(tick), size=12, color="faint")
        scene.text(left - 6, at(0, tick)[1], number(tick), size=12, anchor="end", color="faint")
    scene.text(left + wide, top + tall + 14, "x₁", size=12, anchor="end", color="faint")
    scene.text(left - 6, top + 8, "x₂", size=12, anchor="end", color="faint")
    for x, name, look in (
        (left, "boundary", {"color": "blue", "width": 2.5}),
        (left + 100, "before the update", {"color": "faint", "width": 1.5, "dash": True}),
        (left + 246, "widest margin", {"color": "green", "width": 1.2, "dash": True}),
    ):
        scene.line((x, top + tall + 34), (x + 26, top + tall + 34), **look)
        scene.text(x + 32, top + tall + 34, name, size=12, anchor="start", color="faint")
    if n.margin:
        line = _sides(n.best, *n.view)[1]
        scene.line(*[at(*p) for p in line], color="green", width=1.2, dash=True, id="widest")
    if step:
        line = _sides(n.weights[step - 1], *n.view)[1]
        scene.line(*[at(*p) for p in line], color="faint", width=1.5, dash=True, id="before")
    scene.line(*[at(*p) for p in boundary], color="blue", width=2.5, id="boundary")
    wrong, used = n.wrong(step), n.used[step - 1] if step else -1
    for i, (x1, x2, label) in enumerate(n.points):
        px, py = at(x1, x2)
        if i in wrong:
            scene.circle(px, py, 13, color="red", width=2, id=f"wrong {i}")
        fill = "glow" if i == used else "green-tint" if label else "blue-tint"
        if label:
            scene.box(px - 6, py - 6, 12, 12, fill=fill, id=f"point {i}")
        else:
            scene.circle(px, py, 6.5, fill=fill, id=f"point {i}")


def _proof(scene: Scene, numbers: Numbers) -> None:
    """Both lines of the proof and the weights between them; both axes in powers of ten."""
    n, step = numbers, numbers.step
    left, top, wide, tall = PROOF
    lengths = np.linalg.norm(n.weights, axis=1)
    last = 2 * n.bound if n.margin else 2.0 * max(n.updates, 10)
    ends = (0.0, math.log10(last))
    low = math.log10(n.margin if n.margin else min(1.0, *lengths[lengths > 0]) / 3)
    high = math.log10(max(math.sqrt(last) * n.radius, last * n.margin))
    area = plot_area(ends, (low, high), PROOF)

    def at(k: float, length: float) -> tuple[float, float]:
        """Nothing is drawn of k = 0 and of weights that are 0."""
        return area(math.log10(k), math.log10(length)) if k > 0 and length > 0 else (math.nan, 0.0)

    scene.text(left - 40, 16, "length of the weights after k updates", anchor="start", bold=True)
    for power in range(math.ceil(low), math.floor(high) + 1):
        y = area(0, power)[1]
        scene.line((left, y), (left + wide, y), color="grid", width=1)
        scene.text(left - 6, y, number(10.0**power), size=12, anchor="end", color="faint")
    for power in range(math.floor(ends[1]) + 1):
        scene.text(area(power, 0)[0], top + tall + 14, number(10**power), size=12, color="faint")
    scene.text(left + wide, top + tall + 30, "updates k", size=12, anchor="end", color="faint")
    scene.line(at(1, n.radius), at(last, math.sqrt(last) * n.radius), color="red", width=2, dash=True, id="at most")
    px, py = at(last**0.55, last**0.275 * n.radius)
    scene.text(px - 10, py - 12, "at most √k R", size=13, color="red", anchor="end")
    if n.margin:
        scene.line(at(1, n.margin), at(last, last * n.margin), color="green", width=2, id="at least")
        px, py = at(last**0.45, last**0.45 * n.margin)
        scene.text(px + 10, py + 12, "at least kγ", size=13, color="green", anchor="start")
        bx, by = at(n.bound, math.sqrt(n.bound) * n.radius)
        scene.line((bx, by), (bx, top + tall), color="red", width=1, dash=True, id="bound")
        scene.circle(bx, by, 5, color="red", fill="paper", width=2)
    drawn = np.unique(np.geomspace(1, max(n.updates, 1), 300).astype(int))
    scene.line(*[at(k, lengths[k]) for k in drawn if k <= n.updates], color="blue", width=2, id="weights")
    if n.loop:
        px, _ = at(max(n.loop[0], 1), 1)
        scene.line((px, top), (px, top + tall), color="faint", width=1, dash=True, id="loop")
        text = f"from here in a circle of {n.loop[1] - n.loop[0]}"
        scene.text(px + 6, top + tall - 12, text, size=12, anchor="start", color="faint")
    if step and lengths[step] > 0:
        px, py = at(step, lengths[step])
        scene.circle(px, py, 6, color="blue", fill="glow", width=2, id="now")
    most = f"bound (R/γ)² = {number(n.bound, 3)}" if n.margin else "no bound: no line separates"
    look = {"anchor": "start", "size": 15, "bold": True}
    scene.text(left - 40, top + tall + 54, f"● mistakes so far: {step}", color="blue", **look)
    scene.text(left - 40, top + tall + 76, f"○ {most}", color="red", **look)


def say(numbers: Numbers) -> str:
    """The step taken, what is still wrong, how it ends, and the bound."""
    n, step = numbers, numbers.step
    parts = []
    if step:
        i = n.used[step - 1]
        x1, x2, label = n.points[i]
        sign = "added to" if label else "subtracted from"
        w1, w2, b = n.weights[step]
        parts.append(
            f"Update {step}: point {i + 1}, ({number(x1)}, {number(x2)}) of class {label}, was wrong, so (x₁, x₂, 1) "
            f"was {sign} the weights: w = ({number(w1)}, {number(w2)}), b = {number(b)}."
        )
    else:
        parts.append("Before the first update all weights are 0 and everything counts as class 0.")
    wrong = len(n.wrong(step))
    parts.append(f"{wrong} of {len(n.points)} points are wrong now.")
    if n.ended:
        parts.append(f"It ends after {n.updates} update{'s' * (n.updates != 1)}.")
    elif n.loop:
        a, b = n.loop
        parts.append(f"It never ends: after update {b} the weights are those after update {a}, and so on for ever.")
    else:
        parts.append(f"After {n.updates} updates it has not ended.")
    if n.margin:
        parts.append(
            f"R = {number(n.radius, 3)}, γ = {number(n.margin, 3)}: at most (R/γ)² = {number(n.bound, 3)} mistakes."
        )
    else:
        parts.append("No line separates these points, so there is no γ and no bound.")
    return " ".join(parts)


def _step(view: tuple[float, float]) -> float:
    """What a point moves by when it is dragged: six pixels."""
    return 0.05 if view[1] == NEAR else 0.1


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """Each point moves over the plane."""
    (left, top, wide, tall), view = PLANE, numbers.view
    across, up = (axis(pixels, view, _step(view)) for pixels in ((left, left + wide), (top + tall, top)))
    return {f"point {k}": (across, up) for k in range(len(numbers.points))}


class PerceptronReferee(Experiment):
    """The perceptron's rule, one update per step, against its bound.  Lesson 01.

    >>> [PerceptronReferee.measure(gap=gap).updates for gap in (1.5, 0.05)]
    [20, 294]
    """

    title = "Perceptron referee"
    controls = {
        "data": Choice("points", DATA[0], DATA),
        "gap": Slider("gap between the classes", 1.5, 0.05, 2.0, 0.05),
        "sample": Slider("sample", 3, 0, 9),
        "step": Slider("updates", 0, 0, MOST_UPDATES),
        "points": Entry("x₁ x₂ class;", write(clouds(1.5, 3)), 700),
    }
    rows = (("data", "gap", "sample"), ("next", "end", "again", "step"), ("points",))
    still = {"step": 8}
    grips = tuple(f"point {i}" for i in range(MOST_POINTS))
    least = 560
    prediction = Prediction(
        "Twelve points, the classes 1.5 apart: the rule makes 20 updates, and all are right. Now both classes move "
        "together until 0.05 is left between them; a line still separates them. How many updates?",
        ("about 20", "about 40", "more than 200"),
        "more than 200",
        "It takes 294. Each update turns the line a little, and few lines fit through a narrow gap. The bound grew "
        "from 444 to about 33,000: it goes with 1/γ².",
        before={"data": DATA[0], "gap": 1.5, "sample": 3, "step": 0},
        after={"data": DATA[0], "gap": 0.05, "sample": 3, "step": MOST_UPDATES},
    )
    challenge = Challenge(
        "Do it without XOR: move one point, or change its class, so that the rule never ends.",
        lambda n: n.data == DATA[3] and not n.margin and not n.ended,
        "One point on the wrong side is enough: no line is right about all, and the rule cannot settle for nearly all.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)

    def __init__(self, **settings: Any) -> None:
        import ipywidgets as w

        self._buttons = {
            "next": w.Button(description="One update", button_style="primary", layout={"width": "110px"}),
            "end": w.Button(description="To the end", layout={"width": "100px"}),
            "again": w.Button(description="From the start", layout={"width": "120px"}),
        }
        self._buttons["next"].on_click(lambda _: self.set(step=min(self._settings["step"] + 1, MOST_UPDATES)))
        self._buttons["end"].on_click(lambda _: self.set(step=MOST_UPDATES))
        self._buttons["again"].on_click(lambda _: self.set(step=0))
        super().__init__(**settings)

    def _part(self, name: str) -> Any:
        return self._buttons[name] if name in self._buttons else super()._part(name)

    def set(self, **settings: Any) -> None:
        """Change settings; points of your own choose the data “your own”."""
        if "points" in settings:
            settings.setdefault("data", DATA[3])
        super().set(**settings)

    def moved(self, name: str) -> None:
        """Typed points are your own; other points start from the beginning."""
        if name == "points":
            self._settings["data"] = DATA[3]
        if name in ("data", "gap", "sample", "points") and self._settings["step"] < MOST_UPDATES:
            self._settings["step"] = 0

    def tune(self, numbers: Numbers) -> None:
        """The slider ends where the rule ends; the field shows the points; gap and sample where they count."""
        self._settings["points"] = write(numbers.points)
        self.widgets["step"].max = max(numbers.updates, 1)
        self._settings["step"] = numbers.step
        for name in ("gap", "sample"):
            self.widgets[name].layout.display = None if numbers.data == DATA[0] else "none"
        self._buttons["next"].disabled = self._buttons["end"].disabled = numbers.step == numbers.updates
        self._buttons["again"].disabled = numbers.step == 0

    def drag(self, id: str, i: int, j: int) -> None:
        """Move a point; the points are then your own."""
        points, step = list(self.numbers.points), _step(self.numbers.view)
        index = int(id.removeprefix("point "))
        points[index] = (round(i * step, 2), round(j * step, 2), points[index][2])
        self.set(points=write(tuple(points)))
