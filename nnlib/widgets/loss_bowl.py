"""The loss bowl: gradient descent on a line's squared error, seen from above.

Three points (0, 1), (1, 2), (2, 4), two knobs Φ₀ and Φ₁. The loss is a bowl with curvatures 4.77 across its valley and
0.56 along it; each step multiplies the distance from the bottom by 1 − ηλ, separately along both. Surprise: one
per cent decides. At 99 % of 2/λ_max, 500 steps from (−0.4, 3.5) end within 1e−8 of the lowest loss, at 101 % above a
hundred million. Where the start has no part across the valley, the limit means nothing.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Axis, Mark, Scene, axis, number, plot_area, ticks

__all__ = ["LossBowl", "compute", "draw", "say"]

X, Y = (0.0, 1.0, 2.0), (1.0, 2.0, 4.0)
A = np.stack([np.ones(3), X], axis=1)
A_TENSOR, Y_TENSOR = nn.from_numpy(A), nn.from_numpy(np.array(Y)[:, None])
CURVATURES, AXES = np.linalg.eigh(2 / 3 * A.T @ A)  # ascending: along the valley, across it
LIMIT = float(2 / CURVATURES[1])
BEST = np.linalg.solve(A.T @ A, A.T @ np.array(Y))
RULES = ("after so many steps", "loss changes by less than ε", "gradient shorter than ε")


@dataclass
class Numbers:
    rate: float  # the learning rate itself
    percent: int  # of the limit 2/λ_max
    rule: str
    epsilon: float
    path: np.ndarray  # (steps + 1, 2)
    losses: np.ndarray  # (steps + 1,)
    gradient: np.ndarray  # (2,) at the start
    level: np.ndarray  # (2,) unit vector along the level line through the start
    stopped: bool  # by the rule, not by the count

    @property
    def steps(self) -> int:
        return len(self.path) - 1

    @property
    def excess(self) -> np.ndarray:
        """L − L_min; by the distance from the bottom, since a difference of losses would lose the small ones."""
        e = (self.path - BEST) @ AXES
        return 0.5 * (e**2 @ CURVATURES)

    @property
    def factors(self) -> tuple[float, float]:
        """What a step multiplies the distance from the bottom by: along the valley, across it."""
        along, across = 1 - self.rate * CURVATURES
        return float(along), float(across)

    @property
    def angle(self) -> float:
        """Between gradient and level line, in degrees; nan at the bottom."""
        length = math.hypot(*self.gradient)
        if length < 1e-12:
            return math.nan
        return math.degrees(math.acos(min(1.0, abs(float(self.gradient @ self.level)) / length)))


def losses(phi: nn.Tensor) -> nn.Tensor:
    """The mean squared errors (S,) of the lines with intercept and slope ``phi`` (S, 2, 1)."""
    z = A_TENSOR @ phi
    return nn.functional.mse_loss(z, Y_TENSOR.expand(*z.shape), reduction="none").mean((1, 2))


def ellipse(radius: float, angles: np.ndarray) -> np.ndarray:
    """Points (n, 2) of the level line at which L − L_min is ``radius``²/2."""
    around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return BEST + radius * (around / np.sqrt(CURVATURES)) @ AXES.T


def level_line(point: np.ndarray) -> np.ndarray:
    """The direction of the level line at a point, from two of its neighbours on the ellipse; no gradient in it."""
    e = ((point - BEST) @ AXES) * np.sqrt(CURVATURES)
    radius = math.hypot(*e)
    if radius < 1e-12:
        return np.array([1.0, 0.0])
    before, after = ellipse(radius, math.atan2(e[1], e[0]) + np.array([-1e-4, 1e-4]))
    return (after - before) / math.hypot(*(after - before))


class Descent:
    """Runs of gradient descent by nnlib from several starts side by side, as long as they were looked at.

    Moving a stop rule walks no step twice. Side by side costs little more than one, and changes no digit of it.
    """

    def __init__(self, percent: int, starts: list[tuple[float, float]]) -> None:
        self.phi = nn.from_numpy(np.array(starts)[:, :, None]).requires_grad_()
        self.optimizer = nn.optim.SGD([self.phi], lr=percent / 100 * LIMIT)
        self.paths: list[np.ndarray] = []  # (S, 2) after each step
        self.losses: list[np.ndarray] = []  # (S,)
        self.gradients: list[np.ndarray] = []  # (S, 2)

    def reach(self, step: int) -> None:
        """Walk on until places, losses and gradients after ``step`` steps are known."""
        while len(self.paths) <= step:
            if self.paths:
                self.optimizer.step()
            self.optimizer.zero_grad()
            now = losses(self.phi)
            now.sum().backward()
            assert self.phi.grad is not None
            self.paths.append(self.phi.data[:, :, 0].copy())
            self.losses.append(now.data)
            self.gradients.append(self.phi.grad[:, :, 0].copy())


_descents: dict[tuple[int, float, float], tuple[Descent, int]] = {}


def descend(percent: int, *starts: tuple[float, float]) -> tuple[Descent, int]:
    """The run from the first start, and its place in it; runs from the others will be there when they are asked for."""
    if (percent, *starts[0]) not in _descents:
        if len(_descents) > 1000:
            _descents.clear()
        run = Descent(percent, list(starts))
        _descents.update({(percent, *start): (run, k) for k, start in enumerate(starts)})
    return _descents[percent, *starts[0]]


def compute(settings: dict[str, Any]) -> Numbers:
    """Descend with nnlib until the rule or the number of steps says stop."""
    run, k = descend(settings["percent"], (settings["intercept"], settings["slope"]))
    epsilon, last, stopped = 10.0 ** -settings["digits"], 0, False
    while True:
        run.reach(last)
        if settings["rule"] == RULES[1]:
            stopped = last > 0 and abs(run.losses[last][k] - run.losses[last - 1][k]) < epsilon
        elif settings["rule"] == RULES[2]:
            stopped = math.hypot(*run.gradients[last][k]) < epsilon
        if stopped or last == settings["steps"]:
            break
        last += 1
    path = np.array([places[k] for places in run.paths[: last + 1]])
    heights = np.array([losses[k] for losses in run.losses[: last + 1]])
    return Numbers(settings["percent"] / 100 * LIMIT, settings["percent"], settings["rule"], epsilon, path, heights,
                   run.gradients[0][k], level_line(path[0]), stopped)  # fmt: skip


WIDTH, HEIGHT = 760, 400
VIEW = ((-2.4, 3.6), (-0.6, 4.4))
BOWL = (40, 34, 384, 320)  # as wide as VIEW is against its height: right angles look right
FALL = (508, 34, 232, 196)
BAR = (508, 330, 232)
MOST = 115  # per cent at the right end of the bar


def _clip(a: Any, b: Any) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The part of the segment from a to b inside VIEW."""
    (ax, ay), (bx, by) = map(float, a), map(float, b)
    dx, dy = bx - ax, by - ay
    if not max(abs(dx), abs(dy)) < 1e6:
        return None  # from beyond sight to beyond sight: no digits left to place it
    low, high = 0.0, 1.0
    for start, d, (least, most) in ((ax, dx, VIEW[0]), (ay, dy, VIEW[1])):
        if d == 0:
            if not least <= start <= most:
                return None
            continue
        ends = sorted(((least - start) / d, (most - start) / d))
        low, high = max(low, ends[0]), min(high, ends[1])
    if low >= high:
        return None
    return (ax + low * dx, ay + low * dy), (ax + high * dx, ay + high * dy)


def _runs(points: np.ndarray) -> list[list[tuple[float, float]]]:
    """What VIEW shows of the line through the points: one piece for each visit."""
    runs: list[list[tuple[float, float]]] = []
    joined, rows = False, points.tolist()
    inside = np.logical_and.reduce([(low <= c) & (c <= high) for c, (low, high) in zip(points.T, VIEW)]).tolist()
    for a, b, whole in zip(rows, rows[1:], map(all, zip(inside, inside[1:]))):
        cut = (a, b) if whole and a != b else _clip(a, b)
        if cut is not None:
            if not (joined and math.dist(runs[-1][-1], cut[0]) < 1e-6):
                runs.append([cut[0]])
            runs[-1].append(cut[1])
        joined = cut is not None
    return runs


ANGLES = np.linspace(0, 2 * math.pi, 121)


@cache
def _contours() -> list[Mark]:
    """The level lines that are there whatever the learner does."""
    scene, at = Scene(WIDTH, HEIGHT), plot_area(*VIEW, BOWL)
    for radius in np.arange(0.5, 7.0, 0.75):
        for run in _runs(ellipse(float(radius), ANGLES)):
            scene.line(*[at(*p) for p in run], color="grid", width=1)
    return scene.marks


def draw(numbers: Numbers) -> Scene:
    """The bowl from above with the path; the height of each step; where the rate stands."""
    scene = Scene(WIDTH, HEIGHT)
    _bowl(scene, numbers)
    _fall(scene, numbers)
    _bar(scene, numbers)
    return scene


def _bowl(scene: Scene, numbers: Numbers) -> None:
    left, top, wide, tall = BOWL
    at = plot_area(*VIEW, BOWL)
    scene.text(left, 16, "the loss from above", anchor="start", bold=True)
    for tick in ticks(*VIEW[0], 7):
        scene.text(at(tick, 0)[0], top + tall + 14, number(tick), size=12, color="faint")
    for tick in ticks(*VIEW[1], 7):
        scene.text(left - 8, at(0, tick)[1], number(tick), size=12, anchor="end", color="faint")
    scene.text(left + wide, top + tall + 32, "intercept Φ₀", size=12, anchor="end", color="faint")
    scene.text(left + 6, top + 12, "slope Φ₁", size=12, anchor="start", color="faint")
    scene.marks += _contours()
    for run in _runs(ellipse(math.sqrt(2 * float(numbers.excess[0])), ANGLES)):
        scene.line(*[at(*p) for p in run], color="green", width=1.8)
    for name, k, reach in (("along", 0, 4.0), ("across", 1, 2.0)):
        cut = _clip(BEST - reach * AXES[:, k], BEST + reach * AXES[:, k])
        if cut:
            scene.line(*[at(*p) for p in cut], color="faint", width=1, dash=True, id=name)
    scene.box(left, top, wide, tall, color="grid", width=1)
    for run in _runs(numbers.path):
        scene.line(*[at(*p) for p in run], color="blue", width=2)
    inside = [p for p in numbers.path[:61] if all(v[0] <= c <= v[1] for c, v in zip(p, VIEW))]
    for p in inside[1:]:
        px, py = at(*p)
        scene.circle(px, py, 2.6, color="blue", fill="paper", width=1.3)
    _angle(scene, numbers, at)
    bx, by = at(*BEST)
    scene.line((bx - 6, by), (bx + 6, by), width=2)
    scene.line((bx, by - 6), (bx, by + 6), width=2, id="bottom")
    sx, sy = at(*numbers.path[0])
    scene.circle(sx, sy, 7, color="ink", fill="glow", width=2, id="start")


def _angle(scene: Scene, numbers: Numbers, at: Any) -> None:
    """At the start: the way against the gradient, the level line, and the corner between them."""
    if math.isnan(numbers.angle):
        return
    start = numbers.path[0]
    down = -numbers.gradient / math.hypot(*numbers.gradient)
    level = numbers.level
    cut = _clip(start - 0.62 * level, start + 0.62 * level)
    if cut:
        scene.line(*[at(*p) for p in cut], color="green", width=2.5, id="level line")
    cut = _clip(start, start + 0.75 * down)
    if cut:
        scene.line(
            *[at(*p) for p in cut], color="red", width=2.5, arrow=True, id="against the gradient"
        )
    corner = [start + 0.2 * level, start + 0.2 * (level + down), start + 0.2 * down]
    if all(v[0] <= c <= v[1] for p in corner for c, v in zip(p, VIEW)):
        scene.line(*[at(*p) for p in corner], width=1.2)


def _fall(scene: Scene, numbers: Numbers) -> None:
    left, top, wide, tall = FALL
    logs = np.log10(np.maximum(numbers.excess, 1e-16))
    low, high = min(-2.0, math.floor(logs.min())), max(2.0, math.ceil(logs.max()))
    steps = max(numbers.steps, 1)
    at = plot_area((0, steps), (low, high), FALL)
    scene.text(left, 16, "height above the bottom", anchor="start", bold=True)
    every = max(1, math.ceil((high - low) / 6))
    for power in range(-every * int(-low // every), int(high) + 1, every):
        y = at(0, power)[1]
        scene.line((left, y), (left + wide, y), color="grid", width=1)
        text = "1" if power == 0 else f"1e{power}".replace("-", "−")
        scene.text(left - 7, y, text, size=12, anchor="end", color="faint")
    for tick in (0, numbers.steps):
        scene.text(at(tick, 0)[0], top + tall + 14, str(tick), size=12, color="faint")
    scene.text(left + wide / 2, top + tall + 14, "step", size=12, color="faint")
    shown = np.unique(np.linspace(0, numbers.steps, 201).astype(int))
    scene.line(*[at(k, logs[k]) for k in shown], color="blue", width=2.5, id="height")
    px, py = at(numbers.steps, logs[-1])
    scene.circle(px, py, 4, color="blue", fill="paper", width=2)


def _bar(scene: Scene, numbers: Numbers) -> None:
    left, y, wide = BAR
    at = lambda percent: left + wide * percent / MOST  # noqa: E731
    scene.text(left, y - 44, "the rate, in parts of 2/λ_max", anchor="start", bold=True)
    zones = (
        (0, 50, "blue-tint", "creeps"),
        (50, 100, "green-tint", "zigzags"),
        (100, MOST, "red-tint", ""),
    )
    for a, b, fill, name in zones:
        scene.box(at(a), y - 12, at(b) - at(a), 24, color="none", fill=fill)
        scene.text(at((a + b) / 2), y, name, size=12)
    scene.line((at(100), y - 20), (at(100), y + 20), color="red", width=2.5, id="limit")
    for percent, text in ((0, "0"), (50, "½"), (100, "1")):
        scene.text(at(percent), y + 32, text, size=12, color="red" if percent == 100 else "faint")
    scene.text(left + wide, y + 50, "past 1 explodes", size=12, anchor="end", color="red")
    px = at(numbers.percent)
    scene.shape((px, y - 12), (px - 7, y - 25), (px + 7, y - 25), fill="glow", id="rate")


def say(numbers: Numbers) -> str:
    """Rate and factors, the way, the end, the angle."""
    along, across = numbers.factors
    ends = numbers.excess[[0, -1]]
    why = ""
    if numbers.rule != RULES[0]:
        short = "the loss changed by" if numbers.rule == RULES[1] else "the gradient was"
        why = (
            f" ({short} less than {number(numbers.epsilon)})"
            if numbers.stopped
            else " (the rule has not spoken yet)"
        )
    corner = (
        "At the bottom there is no gradient."
        if math.isnan(numbers.angle)
        else f"At the start gradient and level line meet at {numbers.angle:.1f}°."
    )
    steps = f"{numbers.steps} step{'s' * (numbers.steps != 1)}"
    return (
        f"Rate {number(numbers.rate)}, {numbers.percent} % of 2/λ_max = {number(LIMIT)}: a step multiplies the "
        f"distance from the bottom by {number(along, 3)} along the valley and by {number(across, 3)} across it. From "
        f"({number(numbers.path[0, 0], 3)}, {number(numbers.path[0, 1], 3)}), {steps}{why}: L − L_min goes from "
        f"{number(ends[0], 3)} to {number(ends[1], 3)}. {corner}"
    )


def _past_and_arrived(numbers: Numbers) -> bool:
    excess = numbers.excess
    return bool(
        numbers.percent > 100
        and numbers.steps >= 20
        and excess[0] > 0.1
        and excess[-1] < 0.01 * excess[0]
    )


STEP, REACH = 0.1, ((-2.3, 3.5), (-0.5, 4.3))  # of a dragged start; the sliders go half as far


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """The start moves over the bowl."""
    left, top, wide, tall = BOWL
    pixels = (left, left + wide), (top + tall, top)
    across, up = (axis(p, view, STEP, reach) for p, view, reach in zip(pixels, VIEW, REACH))
    return {"start": (across, up)}


class LossBowl(Experiment):
    """Gradient descent on a bowl: start, rate, stop rule.  Lesson 02.

    >>> [f"{LossBowl.measure(percent=p, steps=500).excess[-1]:.0e}" for p in (99, 101)]
    ['3e-09', '8e+08']
    """

    title = "The loss bowl"
    controls = {
        "percent": Slider("rate, % of 2/λ_max", 98, 1, 110),
        "steps": Slider("steps, at most", 30, 0, 500),
        "rule": Choice("stop", RULES[0], RULES),
        "digits": Slider("ε = 10 to the minus", 3, 1, 8),
        "intercept": Slider("start Φ₀", -0.4, *REACH[0], STEP / 2),
        "slope": Slider("start Φ₁", 3.5, *REACH[1], STEP / 2),
    }
    rows = (("percent", "steps"), ("rule", "digits"), ("intercept", "slope"))
    grips = ("start",)
    least = 560
    prediction = Prediction(
        "The rate is 99 % of 2/λ_max. 500 steps from (−0.4, 3.5) cross the valley 500 times and end within a "
        "hundred-millionth of the lowest loss. With 101 % instead, how high is the loss after 500 steps?",
        ("below 1", "about as high as at the start", "above a hundred million"),
        "above a hundred million",
        "Across the valley each step multiplies the distance by −1.02. That is harmless once and 20,000 after 500 "
        "steps, and the loss has its square.",
        before={"percent": 99, "steps": 500, "rule": RULES[0], "intercept": -0.4, "slope": 3.5},
        after={"percent": 101, "steps": 500, "rule": RULES[0], "intercept": -0.4, "slope": 3.5},
    )  # fmt: skip
    challenge = Challenge(
        "Break the limit itself: find a start from which a rate past 2/λ_max takes the loss, in 20 steps or more, to a "
        "hundredth of its height above the bottom.",
        _past_and_arrived,
        "On the long axis of the ellipses nothing lies across the valley, so there is nothing to blow up. Now raise "
        "the number of steps: your start is not quite on the axis, and the speck it is off grows with every step.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)

    def tune(self, numbers: Numbers) -> None:
        """ε is asked for only where a rule uses it."""
        self.widgets["digits"].layout.display = "none" if numbers.rule == RULES[0] else None

    def moved(self, name: str) -> None:
        """The runs from the slider's next places are made along with its own."""
        if name in ("intercept", "slope"):
            ways = ((step, 0) if name == "intercept" else (0, step) for step in (0, 1, -1, 2, -2))
            here = self._settings["intercept"], self._settings["slope"]
            starts = [tuple(round(v + 0.5 * STEP * w, 9) for v, w in zip(here, way)) for way in ways]
            descend(self._settings["percent"], here, *starts[1:])

    def drag(self, id: str, i: int, j: int) -> None:
        """Move the start; the runs from the places around are made along with its own."""
        near = sorted(itertools.product(range(-2, 3), repeat=2), key=lambda way: math.hypot(*way))
        starts = [(round((i + a) * STEP, 6), round((j + b) * STEP, 6)) for a, b in near]
        descend(self._settings["percent"], *starts)
        self.set(intercept=starts[0][0], slope=starts[0][1])
