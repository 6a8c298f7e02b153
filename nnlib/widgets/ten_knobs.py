"""Ten knobs: one input, three hidden units, one output, and every parameter on a slider.

y = φ₀ + Σ φⱼ a[θⱼ₀ + θⱼ₁ x] (family F of lesson 05, a network 1-3-1). Left the three contributions, right their sum
with its joints. Surprise: take the activation away, and ten knobs draw one straight line, whatever they are set to;
with ReLU the same ten draw four pieces. The contrast vanishes where no joint lies in the window (``AWAY``).
With two inputs the three joints are lines, and the pieces are regions of the plane (``region_map``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from . import region_map
from .experiment import Challenge, Choice, Control, Experiment, Flag, Prediction, Slider
from .scene import STILL, Axis, Scene, axis, number, plot_area, ticks

__all__ = ["AWAY", "TenKnobs", "compute", "draw", "say"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "ReLU": nn.ReLU,
    "leaky ReLU (0.1)": lambda: nn.LeakyReLU(0.1),  # type: ignore[call-arg]
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
BENT = ("ReLU", "leaky ReLU (0.1)")  # straight but for one joint
LOW, HIGH = 0.0, 3.0
START = {
    "phi0": -1.0, "phi1": 2.0, "phi2": -2.0, "phi3": 1.0,
    "theta10": -0.5, "theta11": 1.0, "theta20": -3.0, "theta21": 2.0, "theta30": 2.5, "theta31": -1.0,
}  # fmt: skip
AWAY = {
    "theta10": 1.0,
    "theta20": 1.0,
    "theta30": 4.0,
}  # all units on in the whole window: no joint to see
ONE, TWO = "one: the curve", "two: the map of regions"
SUB = str.maketrans("0123", "₀₁₂₃")


@dataclass
class Numbers:
    knobs: dict[str, float]
    activation: str
    identity: bool
    x: np.ndarray
    contributions: np.ndarray  # (3, points)
    y: np.ndarray
    joints: list[
        float | None
    ]  # of each unit, where its pre-activation is zero; None where it never is
    edges: list[float]  # ends of the pieces, with both ends of the window; two for a curve
    slopes: np.ndarray  # dy/dx by nnlib, one per piece; at the points of x for a curve
    patterns: list[str]  # which units are on, per piece
    first: np.ndarray  # the curve of the shipped knobs, to compare with
    plane: region_map.Regions | None = None  # what is shown instead, if it is

    @property
    def line(self) -> bool:
        """The output is one straight line in the window."""
        return bool(np.ptp(self.slopes) < 1e-9)

    @property
    def pieces(self) -> int | None:
        """How many straight pieces; None for a smooth curve."""
        return (
            len(self.edges) - 1 if self.identity or self.activation in BENT or self.line else None
        )


def network(knobs: dict[str, float], activation: str, identity: bool) -> nn.Sequential:
    """The network 1-3-1 with these ten parameters."""
    bend = nn.Identity() if identity else ACTIVATIONS[activation]()
    net = nn.Sequential(nn.Linear(1, 3), bend, nn.Linear(3, 1))
    net.double()
    inner = np.array([[knobs[f"theta{j}{i}"] for i in (0, 1)] for j in (1, 2, 3)])
    outer = np.array([[knobs[f"phi{j}"] for j in (1, 2, 3)]])
    net.load_state_dict(
        {
            "0.weight": inner[:, 1:],
            "0.bias": inner[:, 0],
            "2.weight": outer,
            "2.bias": np.array([knobs["phi0"]]),
        }
    )
    return net


def compute(settings: dict[str, Any]) -> Numbers:
    """Run the network over the window; ask nnlib for its slope on each piece."""
    knobs = {name: settings[name] for name in START}
    activation, identity = settings["activation"], settings["identity"]
    net = network(knobs, activation, identity)

    def run(at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """z, contributions, y and dy/dx at these places."""
        x = nn.tensor(at.reshape(-1, 1), dtype=nn.float64, requires_grad=True)
        z = net[0](x)
        h = net[1](z)
        y = net[2](h)
        y.sum().backward()
        assert x.grad is not None
        return z.data.T, (h * net[2].weight).data.T, y.data[:, 0], x.grad[:, 0]

    x = np.linspace(LOW, HIGH, 151)
    _, contributions, y, slopes = run(x)
    joints: list[float | None] = []
    for j in (1, 2, 3):
        slope = knobs[f"theta{j}1"]
        joints.append(-knobs[f"theta{j}0"] / slope + 0.0 if slope else None)
    edges, patterns = [LOW, HIGH], [""]
    if identity or activation in BENT:
        inside = sorted({round(q, 12) for q in joints if q is not None and LOW < q < HIGH})
        edges = [LOW, *([] if identity else inside), HIGH]
        z, _, _, slopes = run(np.array([(a + b) / 2 for a, b in zip(edges, edges[1:])]))
        keep = [i for i in range(1, len(slopes)) if abs(slopes[i] - slopes[i - 1]) > 1e-9]
        patterns = ["".join("1" if v > 0 else "0" for v in column) for column in z.T]
        edges = [
            LOW,
            *(edges[i] for i in keep),
            HIGH,
        ]  # a joint that changes no slope ends no piece
        slopes, patterns = slopes[[0, *keep]], [patterns[i] for i in (0, *keep)]
    first = network(START, "ReLU", False)(nn.tensor(x.reshape(-1, 1), dtype=nn.float64)).data[:, 0]
    plane = None
    if settings["inputs"] == TWO:
        plane = region_map.compute(settings, nn.Identity() if identity else ACTIVATIONS[activation]())
    return Numbers(
        knobs, activation, identity, x, contributions, y, joints, edges, slopes, patterns, first, plane
    )


WIDTH, HEIGHT = 900, 372
LEFT, RIGHT = (44, 40, 360, 282), (496, 40, 384, 282)
COLORS = ("blue", "red", "green")


def limit(numbers: Numbers) -> float:
    """Half the height of the window in y: fixed steps, so that the axis does not follow every move."""
    most = max(
        np.abs(numbers.y).max(), np.abs(numbers.contributions).max(), np.abs(numbers.first).max()
    )
    return next((v for v in (3.0, 6.0, 12.0, 25.0, 50.0) if most <= v), 150.0)


def draw(numbers: Numbers) -> Scene:
    """Contributions left, with their joints below; the sum right, with pieces and patterns."""
    if numbers.plane:
        return region_map.draw(numbers.plane)
    n, scene, top = numbers, Scene(WIDTH, HEIGHT), limit(numbers)
    for area, title in ((LEFT, "contributions φⱼ · a[zⱼ]"), (RIGHT, "y = φ₀ + their sum")):
        at = plot_area((LOW, HIGH), (-top, top), area)
        scene.text(area[0] + area[2] / 2, 18, title, size=15, bold=True)
        for level in ticks(-top, top, 5):
            scene.line(
                at(LOW, level), at(HIGH, level), color="faint" if level == 0 else "grid", width=1
            )
            scene.text(
                area[0] - 8, at(LOW, level)[1], number(level), size=12, anchor="end", color="faint"
            )
        for tick in (0, 1, 2, 3):
            px, py = at(tick, -top)
            scene.line((px, py), (px, py + 4), color="faint", width=1)
            scene.text(px, py + 14, number(tick), size=12, color="faint")
        scene.text(
            area[0] + area[2], area[1] + area[3] + 34, "x", size=13, anchor="end", color="faint"
        )
    at = plot_area((LOW, HIGH), (-top, top), LEFT)
    ends = _spread(
        [at(HIGH, c[-1])[1] for c in n.contributions], LEFT[1] + 6, LEFT[1] + LEFT[3] - 6
    )
    for j, (c, color) in enumerate(zip(n.contributions, COLORS)):
        scene.line(
            *[at(a, b) for a, b in zip(n.x, c)],
            color=color,
            width=2.5,
            dash=j == 1,
            id=f"unit {j + 1}",
        )
        scene.text(
            LEFT[0] + LEFT[2] + 6,
            ends[j],
            f"unit {j + 1}",
            color=color,
            size=13,
            anchor="start",
            bold=True,
        )
    for j, joint in enumerate(n.joints):
        if joint is not None and LOW <= joint <= HIGH and not n.identity:
            px, py = at(joint, 0)
            shift = 18 * sum(q is not None and abs(q - joint) < 0.16 for q in n.joints[:j])
            scene.line((px, py), (px, LEFT[1] + LEFT[3]), color=COLORS[j], width=1, dash=True)
            low, color = LEFT[1] + LEFT[3] - 11 - shift, COLORS[j]
            scene.circle(px, low, 9, fill="paper", color=color, width=2, id=f"joint {j + 1}")
            scene.text(px, low, str(j + 1), size=13, color=color, bold=True)
    at = plot_area((LOW, HIGH), (-top, top), RIGHT)
    scene.line(
        *[at(a, b) for a, b in zip(n.x, n.first)], color="faint", width=1.2, dash=True, id="first"
    )
    scene.line(*[at(a, b) for a, b in zip(n.x, n.y)], color="ink", width=3, id="sum")
    if not np.array_equal(n.first, n.y):
        scene.text(RIGHT[0], RIGHT[1] + RIGHT[3] + 34, "dashed: the curve at the start", size=12, anchor="start",
                   color="faint")  # fmt: skip
    for edge in n.edges[1:-1]:
        px, py = at(edge, float(np.interp(edge, n.x, n.y)))
        scene.line((px, py), (px, RIGHT[1] + RIGHT[3]), color="faint", width=1, dash=True)
        scene.circle(px, py, 5.5, fill="glow", id="bend")
    if n.pieces:
        for a, b, slope, pattern in zip(n.edges, n.edges[1:], n.slopes, n.patterns):
            room = at(b, 0)[0] - at(a, 0)[0]
            middle = (at(a, 0)[0] + at(b, 0)[0]) / 2
            if room > 46:
                text = f"slope {number(slope, 3)}" if room > 84 else number(slope, 3)
                scene.text(middle, RIGHT[1] + 8, text, size=13, bold=True, id="slope")
            if not n.identity and room > 30:
                scene.text(
                    middle, RIGHT[1] + RIGHT[3] - 10, pattern, size=13, color="purple", id="pattern"
                )
    return scene


def _spread(places: list[float], low: float, high: float, gap: float = 17) -> list[float]:
    """Label heights near these, in the same order, at least ``gap`` apart."""
    order = sorted(range(len(places)), key=places.__getitem__)
    result, last = list(places), low - gap
    for i in order:
        result[i] = last = max(places[i], last + gap)
    over = last - high
    for i in reversed(order):
        if over > 0:
            result[i] = min(result[i], high)
            high = result[i] - gap
    return result


def say(numbers: Numbers) -> str:
    """What is drawn, where it bends and how steep the pieces are."""
    n = numbers
    if n.plane:
        return region_map.say(n.plane)
    if n.identity:
        return (f"No activation: ten knobs, one straight line, y = {number(n.y[0])} + {number(n.slopes[0])} · x. "
                "Every setting of the ten is some intercept and some slope.").replace("+ −", "− ")  # fmt: skip
    if n.pieces is None:
        steep = n.x[np.abs(n.slopes).argmax()]
        return (f"{n.activation}: a smooth curve without joints; its slope goes from {number(n.slopes.min(), 3)} to "
                f"{number(n.slopes.max(), 3)} and is steepest at x = {number(steep, 3)}.")  # fmt: skip
    if n.line:
        return f"{n.activation}: one straight line in this window, slope {number(n.slopes[0])}. No bend shows."
    bends = ", ".join(number(e, 3) for e in n.edges[1:-1])
    slopes = ", ".join(number(s, 3) for s in n.slopes)
    return (
        f"{n.activation}: from y = {number(n.y[0], 3)} at x = {number(LOW)} on, {n.pieces} straight pieces with slopes "
        f"{slopes}; they meet at x = {bends}."
    )


def _wasted(n: Numbers) -> bool:
    strong = all(
        abs(n.knobs[f"phi{j}"]) >= 0.5 and abs(n.knobs[f"theta{j}1"]) >= 0.5 for j in (1, 2, 3)
    )
    return strong and n.line and not n.identity and not n.plane


def _knobs() -> dict[str, Control]:
    labels = {
        name: ("φ" + name[3:] if name[0] == "p" else "θ" + name[5:]).translate(SUB)
        for name in START
    }
    reach = {"phi0": 3.0, "phi1": 3.0, "phi2": 3.0, "phi3": 3.0}
    return {name: Slider(labels[name], value, -reach.get(name, 4.0), reach.get(name, 4.0), 0.1)
            for name, value in START.items()}  # fmt: skip


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """Each joint moves along x; place k is where θⱼ₀ = k/10 puts it."""
    places = {}
    for unit in "123" if numbers.plane is None else ():
        slope = numbers.knobs[f"theta{unit}1"]
        if slope:
            ends = sorted((-slope * LOW, -slope * HIGH))
            reach = max(ends[0], -4.0), min(ends[1], 4.0)
            pixels = (LEFT[0], LEFT[0] + LEFT[2])
            places[f"joint {unit}"] = (axis(pixels, (-slope * LOW, -slope * HIGH), 0.1, reach), STILL)
    return places


class TenKnobs(Experiment):
    """A shallow network's ten parameters.  Lesson 05.

    >>> [TenKnobs.measure(identity=off).pieces for off in (False, True)]
    [4, 1]
    """

    title = "Ten knobs"
    controls = {
        **_knobs(),
        "activation": Choice("activation a", "ReLU", tuple(ACTIVATIONS)),
        "identity": Flag("take the activation away (a[z] = z)", False),
        "inputs": Choice("inputs", ONE, (ONE, TWO)),
        **{
            name: Slider(f"line {name[-1]} looks along (°)", value, -180, 180, 5)
            if name[0] == "t"
            else Slider("from", value, -2.0, 2.0, 0.1)
            for name, value in region_map.LINES.items()
        },
    }
    rows = (
        ("inputs",),
        ("phi1", "theta10", "theta11"),
        ("phi2", "theta20", "theta21"),
        ("phi3", "theta30", "theta31"),
        ("phi0", "activation", "identity"),
        ("turn1", "far1"),
        ("turn2", "far2"),
        ("turn3", "far3"),
    )
    grips = ("joint 1", "joint 2", "joint 3")
    least = 620
    prediction = Prediction(
        "These ten knobs draw four straight pieces. Now the activation goes, so that a[z] = z, and all ten knobs stay. "
        "What can they draw then?",
        ("any smooth curve", "two straight pieces", "one straight line", "only a constant"),
        "one straight line",
        "A straight line of straight lines is a straight line: its slope is the sum of φⱼθⱼ₁, and two numbers describe "
        "it. Ten knobs, two freedoms.",
        before={**START, "inputs": ONE, "activation": "ReLU", "identity": False},
        after={**START, "inputs": ONE, "activation": "ReLU", "identity": True},
    )
    challenge = Challenge(
        "Keep the activation, keep every φⱼ and every θⱼ₁ at least 0.5 in size, and still make the network draw one "
        "straight line between 0 and 3.",
        _wasted,
        "A joint outside the window bends nothing there, and hinges at one place can cancel. Four pieces are the most "
        "that three units can draw, never a promise.",
    )  # fmt: skip
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)

    def tune(self, numbers: Numbers) -> None:
        """Lines with two inputs, inner slopes and starts with one."""
        for name, widget in self.widgets.items():
            if name[:4] in ("thet", "turn") or name[:3] == "far":
                widget.layout.display = None if (name[:4] == "thet") == (numbers.plane is None) else "none"

    def drag(self, id: str, i: int, j: int) -> None:
        """Slide a unit's joint: its θⱼ₀ changes."""
        self.set(**{f"theta{id[-1]}0": round(0.1 * i, 1)})
