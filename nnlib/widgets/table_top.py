"""The table-top: gradient descent, stochastic descent and momentum let go from one point, side by side.

Two parameters, 61 examples. Two surfaces: a line φ₀ + φ₁x, whose loss is a bowl, and Prince's Gabor model
sin(u) exp(−u²/32), u = φ₀ + 0.06 φ₁x, whose loss has several valleys. Surprises: at a fixed rate one example per step
never comes to rest on scattered points, though the full batch does, and it does rest when every point can be fitted
exactly; a schedule lowers its orbit with the rate; the same noise leaves a bad valley in which the full batch is
stuck; momentum overshoots.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Mark, Scene, number, plot_area, ticks

__all__ = ["TableTop", "compute", "draw", "level_lines", "say"]

SURFACES = ("line, scattered points", "line, exact points", "Gabor, exact points")
LINE = {"rate": 0.1, "start0": 10.0, "start1": 20.0}
GABOR = {"rate": 1.0, "start0": 5.0, "start1": 8.0}
SUITED = dict(zip(SURFACES, (LINE, LINE, GABOR), strict=True))
METHODS = ("GD", "SGD", "momentum")
COUNT, STEPS, RECENT = 61, 200, 50
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "constant": lambda optimizer: None,
    "halved every 40 steps": lambda optimizer: nn.optim.lr_scheduler.StepLR(optimizer, 40, gamma=0.5),
    "cosine to 0": lambda optimizer: nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS),
}
FAR = 200.0  # a run that gets here has diverged and is stopped
VIEW = ((-15.0, 15.0), (2.0, 24.0))  # the map, φ₀ and φ₁


@dataclass
class Numbers:
    surface: str
    batch: int
    rate: float
    schedule: str
    momentum: float
    steps: int
    paths: np.ndarray  # (3, steps + 1, 2)
    losses: np.ndarray  # (3, steps + 1), over all examples
    lowest: tuple[float, float]  # where the loss is least
    floor: float  # and how much that is
    diverged: list[bool]

    @property
    def above(self) -> np.ndarray:
        """(3, steps + 1): the loss above the least possible one."""
        return self.losses - self.floor

    @property
    def recent(self) -> np.ndarray:
        """(3,): the mean of that over the last 50 steps."""
        return self.above[:, -RECENT:].mean(1)

    @property
    def resting(self) -> list[bool]:
        """Whether each method has stayed within 0.3 of its last place for 50 steps."""
        last = self.paths[:, -RECENT:]
        away = np.linalg.norm(last - last[:, -1:], axis=2).max(1)
        long_enough = self.steps >= RECENT
        return [
            bool(a < 0.3 and long_enough and not d)
            for a, d in zip(away, self.diverged, strict=True)
        ]


def predict(surface: str, phi: nn.Tensor, x: nn.Tensor) -> nn.Tensor:
    """The model: phi (S, 2), x (61,) -> (S, 61), one row for each setting of the parameters."""
    if surface.startswith("line"):
        return phi[:, :1] + phi[:, 1:] * x
    u = phi[:, :1] + 0.06 * phi[:, 1:] * x
    return u.sin() * (-(u * u) / 32).exp()


@lru_cache
def examples(surface: str) -> tuple[nn.Tensor, nn.Tensor]:
    """The inputs and targets, each (61,)."""
    if surface.startswith("line"):
        x = nn.from_numpy(np.linspace(0.0, 2.0, COUNT))
        noise = np.random.default_rng(1).normal(size=COUNT)
        return x, nn.from_numpy(14.0 * x.data - 2.0 + 4.0 * noise * ("scattered" in surface))
    x = nn.from_numpy(np.linspace(-15.0, 15.0, COUNT))
    return x, predict(surface, nn.tensor([[0.0, 16.6]], dtype=nn.float64), x)[0]


def loss_at(surface: str, points: np.ndarray) -> np.ndarray:
    """(M, 2) -> (M,): mean squared error over all examples."""
    x, y = examples(surface)
    with nn.no_grad():
        return ((predict(surface, nn.from_numpy(points), x) - y) ** 2).mean(1).numpy()


@lru_cache
def lowest_point(surface: str) -> tuple[float, float]:
    """Where the loss is least: known for exact points, least squares for scattered ones."""
    if surface == SURFACES[2]:
        return 0.0, 16.6
    x, y = examples(surface)
    slope, intercept = np.polyfit(x.data, y.data, 1)
    return float(intercept), float(slope)


@lru_cache(maxsize=64)
def run(
    surface: str, batch: int, rate: float, schedule: str, momentum: float, start: tuple[float, float], seed: int
) -> tuple[np.ndarray, list[int]]:
    """All 200 steps of the three methods at once: paths (3, 201, 2), and the step at which each diverged or 200.

    The three share one forward and one backward pass: row k of the weights says which examples
    method k averages over.
    """
    x, y = examples(surface)
    generator = np.random.default_rng(seed)
    rows = [nn.Parameter(nn.tensor([start] * n, dtype=nn.float64)) for n in (2, 1)]
    groups = [{"params": rows[:1]}, {"params": rows[1:], "momentum": momentum}]
    optimizer = nn.optim.SGD(groups, lr=rate)
    scheduler = SCHEDULES[schedule](optimizer)
    paths, stopped = [np.array([start] * 3)], [STEPS] * 3
    for step in range(1, STEPS + 1):
        weights = np.full((3, COUNT), 1 / COUNT)
        weights[1] = 0
        weights[1, generator.permutation(COUNT)[:batch]] = 1 / batch
        optimizer.zero_grad()
        error = predict(surface, nn.cat(rows), x) - y
        (nn.from_numpy(weights) * error * error).sum().backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        here = np.concatenate([row.data for row in rows])
        away = np.abs(here).max(1) > FAR
        for k in range(3):
            if stopped[k] < step:
                here[k] = paths[-1][k]
            elif away[k]:
                stopped[k] = step
        if min(stopped) < step:
            rows[0].data, rows[1].data = here[:2].copy(), here[2:].copy()
        paths.append(here)
    return np.array(paths).transpose(1, 0, 2), stopped


def compute(settings: dict[str, Any]) -> Numbers:
    """Let all three go and keep the steps asked for."""
    surface, steps = settings["surface"], settings["steps"]
    start = (settings["start0"], settings["start1"])
    chosen = (settings[name] for name in ("batch", "rate", "schedule", "momentum"))
    paths, stopped = run(surface, *chosen, start, settings["draw"])
    paths = paths[:, : steps + 1]
    lowest = lowest_point(surface)
    losses = loss_at(surface, paths.reshape(-1, 2)).reshape(3, -1)
    floor = float(loss_at(surface, np.array([lowest]))[0])
    batch, rate, schedule, momentum = (settings[n] for n in ("batch", "rate", "schedule", "momentum"))
    return Numbers(surface, batch, rate, schedule, momentum, steps, paths, losses, lowest,
                   floor, [s < STEPS and s <= steps for s in stopped])  # fmt: skip


# ---------------------------------------------------------------- level lines


def level_lines(x: np.ndarray, y: np.ndarray, z: np.ndarray, level: float) -> list[list[Any]]:
    """Lines through z = level on a grid, z (len(y), len(x)), as lists of points (marching squares)."""
    above = z > level
    place: dict[
        tuple[int, int, int], tuple[float, float]
    ] = {}  # crossings, by the edge they lie on
    joined: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}

    def crossing(i: int, j: int, down: int) -> tuple[int, int, int]:
        edge = (i, j, down)
        if edge not in place:
            i2, j2 = i + down, j + 1 - down
            share = (level - z[i, j]) / (z[i2, j2] - z[i, j])
            place[edge] = (
                float(x[j] + share * (x[j2] - x[j])),
                float(y[i] + share * (y[i2] - y[i])),
            )
        return edge

    mixed = above[:-1, :-1] + 0 + above[1:, :-1] + above[:-1, 1:] + above[1:, 1:]
    for i, j in zip(*np.nonzero((mixed > 0) & (mixed < 4)), strict=True):
        i, j = int(i), int(j)
        around = ((i, j, 0), (i, j + 1, 1), (i + 1, j, 0), (i, j, 1))  # top, right, bottom, left
        cut = [
            crossing(*e) for e in around if above[e[0], e[1]] != above[e[0] + e[2], e[1] + 1 - e[2]]
        ]
        for a, b in zip(cut[::2], cut[1::2], strict=True):
            joined.setdefault(a, []).append(b)
            joined.setdefault(b, []).append(a)
    lines = []
    while joined:
        here = next((e for e, others in joined.items() if len(others) == 1), next(iter(joined)))
        line = [place[here]]
        while joined.get(here):
            there = joined[here].pop()
            joined[there].remove(here)
            for edge in (here, there):
                if not joined[edge]:
                    del joined[edge]
            line.append(place[there])
            here = there
        lines.append(line)
    return lines


@lru_cache
def terrain(surface: str) -> list[list[Any]]:
    """The level lines of a surface over the map."""
    x, y = np.linspace(*VIEW[0], 61), np.linspace(*VIEW[1], 45)
    points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    z = loss_at(surface, points).reshape(len(y), len(x)) - float(
        loss_at(surface, np.array([lowest_point(surface)]))[0]
    )
    line = surface.startswith("line")
    levels = 4.0 * 2.0 ** np.arange(0, 9) if line else (0.03, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.35)  # fmt: skip
    return [chain for level in levels for chain in level_lines(x, y, z, level)]


# ---------------------------------------------------------------- picture and words

WIDTH, HEIGHT = 760, 424
PANELS = (36, 284, 532)
TOP, SIDE, TALL = 30, 214, 196
CURVES = (52, 286, 500, 104)
LOOKS = dict(zip(METHODS, (("blue", False), ("red", False), ("green", True)), strict=True))


@lru_cache
def contours(surface: str, left: float) -> list[Mark]:
    """The level lines in the panel that begins at ``left``."""
    scene, at = Scene(WIDTH, HEIGHT), plot_area(*VIEW, (left, TOP, SIDE, TALL))
    for line in terrain(surface):
        scene.line(*[at(*point) for point in line], color="grid", width=1)
    return scene.marks


def titles(numbers: Numbers) -> tuple[str, str, str]:
    return (
        f"GD, all {COUNT}",
        f"SGD, {numbers.batch} of {COUNT}",
        f"momentum {number(numbers.momentum, 2)}",
    )


def draw(numbers: Numbers) -> Scene:
    """Three maps with a path each, and the three losses by step below."""
    scene = Scene(WIDTH, HEIGHT)
    for k, (left, title) in enumerate(zip(PANELS, titles(numbers), strict=True)):
        color, _ = LOOKS[METHODS[k]]
        at = plot_area(*VIEW, (left, TOP, SIDE, TALL))
        scene.text(left, 14, title, anchor="start", color=color, bold=True)
        scene.marks += contours(numbers.surface, left)
        scene.box(left, TOP, SIDE, TALL, color="faint", width=1)
        path = np.clip(numbers.paths[k], [VIEW[0][0], VIEW[1][0]], [VIEW[0][1], VIEW[1][1]])
        points = [at(*point) for point in path]
        scene.line(*points, color=color, width=1.6, id=f"path {METHODS[k]}")
        x, y = at(*numbers.lowest)
        scene.text(x, y, "✕", size=15, bold=True, id=f"lowest {METHODS[k]}")
        scene.circle(points[0][0], points[0][1], 4, fill="paper", width=1.5)
        x, y = points[-1]
        scene.box(x - 4.5, y - 4.5, 9, 9, color="ink", fill="glow", id=f"end {METHODS[k]}")
        if not np.array_equal(path[-1], numbers.paths[k][-1]):
            scene.text(left + SIDE, 14, "outside the map", anchor="end", size=12, color=color)
        for tick in (-10, 0, 10):
            scene.text(at(tick, 0)[0], TOP + TALL + 13, number(tick), size=12, color="faint")
        for tick in (5, 10, 15, 20) if k == 0 else ():
            scene.text(left - 6, at(0, tick)[1], str(tick), size=12, color="faint", anchor="end")
    _losses(scene, numbers)
    return scene


def _losses(scene: Scene, numbers: Numbers) -> None:
    left, top, width, height = CURVES
    logs = np.log10(np.clip(numbers.above, 1e-6, 1e6))
    low, high = int(np.floor(min(logs.min(), -2))), int(np.ceil(max(logs.max(), 0)))
    at = plot_area((0, STEPS), (low, high), CURVES)
    scene.text(left, top - 18, "loss above the lowest, by step", anchor="start", bold=True)
    for power in range(low, high + 1, 1 if high - low <= 5 else 2):
        y = at(0, power)[1]
        scene.line((left, y), (left + width, y), color="grid", width=1)
        text = f"1e{power}".replace("-", "−") if power else "1"
        scene.text(left - 6, y, text, anchor="end", size=12, color="faint")
    for tick in ticks(0, STEPS, 7):
        scene.text(at(tick, 0)[0], top + height + 14, number(tick), size=12, color="faint")
    labels = []
    for k, (name, title) in enumerate(zip(METHODS, titles(numbers), strict=True)):
        color, dash = LOOKS[name]
        points = [at(step, v) for step, v in enumerate(logs[k])]
        scene.line(*points, color=color, width=1.8, dash=dash, id=f"loss {name}")
        labels.append([points[-1][1], title, color])
    labels.sort(key=lambda label: label[0])
    for above, below in zip(labels, labels[1:], strict=False):  # labels never on one another
        below[0] = max(below[0], above[0] + 17)
    excess = max(labels[-1][0] - (top + height), 0)
    for y, title, color in labels:
        scene.text(left + width + 12, y - excess, title, color=color, anchor="start", bold=True)


def say(numbers: Numbers) -> str:
    """Where each method is after these steps, and whether it rests."""
    start = ", ".join(number(v, 3) for v in numbers.paths[0, 0])
    said = [
        f"{numbers.surface.capitalize()}, rate {number(numbers.rate)} ({numbers.schedule}), "
        f"{numbers.steps} steps from ({start})."
    ]
    for k, title in enumerate(titles(numbers)):
        place = ", ".join(number(v, 3) for v in numbers.paths[k, -1])
        above = number(max(numbers.above[k, -1], 0.0), 2)
        title = title[0].upper() + title[1:]
        if numbers.diverged[k]:
            said.append(f"{title}: has run away.")
            continue
        state = (
            "at rest" if numbers.resting[k] else "still moving" if numbers.steps else "at the start"
        )
        said.append(f"{title}: {state} at ({place}), loss {above} above the lowest.")
    return " ".join(said)


class TableTop(Experiment):
    """Descent, stochastic descent and momentum from one point.  Lesson 12.

    >>> TableTop.measure().resting
    [True, False, True]
    """

    title = "The table-top"
    controls = {
        "surface": Choice("surface", SURFACES[0], SURFACES),
        "batch": Slider("batch of SGD", 1, 1, COUNT),
        "rate": Slider("rate", 0.1, 0.02, 2.0, 0.02),
        "schedule": Choice("schedule", "constant", tuple(SCHEDULES)),
        "momentum": Slider("momentum", 0.9, 0.0, 0.99, 0.01),
        "start0": Slider("start φ₀", 10.0, -15.0, 15.0, 0.5),
        "start1": Slider("start φ₁", 20.0, 2.0, 24.0, 0.5),
        "steps": Slider("steps", STEPS, 0, STEPS, 5),
        "draw": Slider("draw", 0, 0, 9),
    }
    rows = (("surface", "steps"), ("batch", "rate", "schedule", "momentum"), ("start0", "start1", "draw"))
    still = {"steps": 0}
    least = 560
    prediction = Prediction(
        "A line through 61 scattered points: the loss is one bowl. The full batch walks down and stops. SGD takes one "
        "point per step, at the same fixed rate. Where is it after 200 steps?",
        ("at rest at the lowest point", "at rest somewhere else", "circling, never at rest", "far away"),
        "circling, never at rest",
        "At the lowest point the full gradient is 0, but each single point still pulls its own way.",
        before={"steps": 0},
        after={"steps": STEPS, "schedule": "constant", "surface": SURFACES[0], "batch": 1, **LINE},
    )  # fmt: skip
    challenge = Challenge(
        "Momentum is meant to be faster. Find a setting where after all 200 steps it is more than ten times as far "
        "above the lowest loss as plain GD.",
        lambda numbers: (
            numbers.steps == STEPS
            and not numbers.diverged[0]
            and numbers.recent[2] > 10 * numbers.recent[0] + 1e-3
        ),
        "A ball with hardly any friction rolls through the lowest point again and again. Its swings fade by √μ a step, "
        "however good the slope is.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)

    def moved(self, name: str) -> None:
        """A new surface comes with a rate and a start that suit it."""
        if name == "surface":
            self._settings.update(SUITED[self._settings["surface"]])
