"""Folding: small networks in a row, each fed with the output of the one before.

One zig (three ReLU units) folds the line from −1 to 1 into three layers; the next zig draws its whole curve on each of
them. Left the curve, right the line itself on its way: which inputs are laid onto each other. Surprise: nothing is
taken apart, space is folded, and 2 × 3 units draw 9 straight pieces where one layer of 6 draws at most 7. The
contrast vanishes if the first fold stays between the joints of the second: with ``reach`` 0.3 there are 3 pieces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Scene, number, plot_area

__all__ = ["Fold", "compute", "draw", "say"]

# name -> joints of the units, their outer weights; each network is −1 + Σ v a(u − joint)
KINDS = {
    "zig (3 units)": ((-1.0, -1 / 3, 1 / 3), (3.0, -6.0, 6.0)),
    "tent (2 units)": ((-1.0, 0.0), (2.0, -4.0)),
}
LOW, HIGH = -1.0, 1.0


@dataclass
class Numbers:
    kind: str
    layers: int
    reach: float
    units: int  # in all layers together
    edges: np.ndarray  # ends of the pieces on [−1, 1], both ends included
    heights: np.ndarray  # the output there
    slopes: np.ndarray  # of the pieces, by nnlib
    u: float
    path: list[float]  # u, and where each network puts it
    same: np.ndarray  # inputs with the same output as u, u among them
    sample: np.ndarray  # inputs, and …
    course: np.ndarray  # … where they are after 0, 1, … networks: (layers + 1, inputs)

    @property
    def pieces(self) -> int:
        """Straight pieces on [−1, 1]."""
        return len(self.slopes)

    @property
    def single(self) -> int:
        """The most pieces that one layer of as many units can draw."""
        return self.units + 1


def network(kind: str, reach: float) -> nn.Sequential:
    """One small network, its output multiplied by ``reach``."""
    joints, outer = KINDS[kind]
    net = nn.Sequential(nn.Linear(1, len(joints)), nn.ReLU(), nn.Linear(len(joints), 1))
    net.double()
    net.load_state_dict(
        {
            "0.weight": np.ones((len(joints), 1)),
            "0.bias": -np.array(joints),
            "2.weight": reach * np.array([outer]),
            "2.bias": np.array([-reach]),
        }
    )
    return net


def compute(settings: dict[str, Any]) -> Numbers:
    """Compose the networks, find every joint of the composition, and ask nnlib for the slopes between them."""
    kind, layers, reach = settings["kind"], settings["layers"], settings["reach"]
    nets = [network(kind, reach if i < layers - 1 else 1.0) for i in range(layers)]

    def run(at: np.ndarray, count: int) -> np.ndarray:
        """Where the first ``count`` networks put these inputs."""
        h = nn.tensor(np.asarray(at, dtype=np.float64).reshape(-1, 1))
        with nn.no_grad():
            for net in nets[:count]:
                h = net(h)
        return h.data[:, 0]

    edges = np.array([LOW, HIGH])
    for depth in range(
        layers
    ):  # what the networks so far put onto a joint of the next is a joint of all
        values, found = run(edges, depth), list(edges)
        for a, b, before, after in zip(edges, edges[1:], values, values[1:]):
            for joint in KINDS[kind][0]:
                if min(before, after) + 1e-12 < joint < max(before, after) - 1e-12:
                    found.append(a + (joint - before) / (after - before) * (b - a))
        edges = np.array(sorted(found))
    middles = nn.tensor((edges[:-1, None] + edges[1:, None]) / 2, requires_grad=True)
    out = middles
    for net in nets:
        out = net(out)
    out.sum().backward()
    assert middles.grad is not None
    slopes = middles.grad[:, 0]
    keep = [0, *(i for i in range(1, len(slopes)) if abs(slopes[i] - slopes[i - 1]) > 1e-9)]
    edges, slopes = np.array([*(edges[i] for i in keep), HIGH]), slopes[keep]
    heights, u = run(edges, layers), settings["u"]
    path = [float(run(np.array([u]), i)[0]) for i in range(layers + 1)]
    twins = [u]
    for a, b, before, after in zip(edges, edges[1:], heights, heights[1:]):
        if before != after and min(before, after) - 1e-12 <= path[-1] <= max(before, after) + 1e-12:
            twins.append(float(a + (path[-1] - before) / (after - before) * (b - a)))
    same = np.unique(np.round(twins, 9))
    sample = np.linspace(LOW, HIGH, 61)
    course = np.stack([run(sample, i) for i in range(layers + 1)])
    units = layers * len(KINDS[kind][0])
    return Numbers(
        kind, layers, reach, units, edges, heights, slopes, u, path, same, sample, course
    )


WIDTH, HEIGHT = 940, 380
CURVE, LINES = (48, 46, 380, 280), (520, 46, 390, 280)
PARTS = ("blue", "green", "purple")


def draw(numbers: Numbers) -> Scene:
    """Left: the curve, its joints, and the inputs that share u's output. Right: the line, network after network."""
    n, scene = numbers, Scene(WIDTH, HEIGHT)
    at = plot_area((LOW, HIGH), (-1.1, 1.1), CURVE)
    scene.text(CURVE[0] + CURVE[2] / 2, 18, f"the output: {n.pieces} pieces", size=15, bold=True)
    for level in (-1.0, 0.0, 1.0):
        scene.line(at(LOW, level), at(HIGH, level), color="grid", width=1)
        scene.text(
            CURVE[0] - 8, at(LOW, level)[1], number(level), size=12, anchor="end", color="faint"
        )
        px, py = at(level, -1.1)
        scene.text(px, py + 14, number(level), size=12, color="faint")
    scene.text(
        CURVE[0] + CURVE[2],
        CURVE[1] + CURVE[3] + 34,
        "input u",
        size=13,
        anchor="end",
        color="faint",
    )
    scene.line(*[at(a, b) for a, b in zip(n.edges, n.heights)], color="ink", width=2.5, id="curve")
    if n.pieces <= 30:
        for a, b in zip(n.edges[1:-1], n.heights[1:-1]):
            px, py = at(a, b)
            scene.circle(px, py, 4, fill="paper", width=1.5, id="joint")
    scene.line(at(LOW, n.path[-1]), at(HIGH, n.path[-1]), color="red", width=1, dash=True)
    for value in n.same:
        here = abs(value - n.u) < 1e-8
        px, py = at(value, n.path[-1])
        scene.circle(px, py, 7 if here else 4.5, fill="glow" if here else "red-tint", color="red",
                     width=2, id="u" if here else "same")  # fmt: skip
    left, top, width, height = LINES
    scene.text(left + width / 2, 18, "the line, folded", size=15, bold=True)
    xs = [left + width * i / n.layers for i in range(n.layers + 1)]

    def down(value: float) -> float:
        return top + height * (1.1 - value) / 2.2

    third = np.minimum((n.sample - LOW) / (HIGH - LOW) * 3, 2.999).astype(int)
    for part, course in zip(third, n.course.T):
        scene.line(
            *[(x, down(v)) for x, v in zip(xs, course)], color=PARTS[part], width=1, dash=part == 1
        )
    for i, x in enumerate(xs):
        scene.line((x, down(1)), (x, down(-1)), color="ink", width=2)
        scene.text(x, top + height + 14, "u" if not i else f"net {i}", size=13)
    for value in n.same:
        if abs(value - n.u) > 1e-8:
            scene.circle(xs[0], down(value), 4.5, fill="red-tint", color="red", width=2)
    scene.line(*[(x, down(v)) for x, v in zip(xs, n.path)], color="red", width=3, id="path")
    for x, value in zip(xs, n.path):
        scene.circle(x, down(value), 6, fill="glow", color="red", width=2)
    scene.text(left, top + height + 36, "solid, dashed, solid: lowest, middle, highest third of the inputs", size=12,
               anchor="start", color="faint")  # fmt: skip
    return scene


def say(numbers: Numbers) -> str:
    """Pieces against one layer; where u goes and who lands beside it."""
    n = numbers
    count = f"{n.layers} × {n.units // n.layers} units" if n.layers > 1 else f"{n.units} units"
    parts = [
        f"{count} draw {n.pieces} straight pieces; one layer of {n.units} draws at most {n.single}."
    ]
    way = " → ".join(number(v, 3) for v in n.path)
    others = len(n.same) - 1
    who = "no other input" if not others else f"{others} other input{'s' if others > 1 else ''}"
    parts.append(
        f"u goes {way}, and {who} between −1 and 1 {'end' if others > 1 else 'ends'} there too."
    )
    return " ".join(parts)


class Fold(Experiment):
    """Depth folds.  Lesson 06.

    >>> [Fold.measure(layers=k).pieces for k in (1, 2, 3)]
    [3, 9, 27]
    """

    title = "Fold"
    controls = {
        "layers": Slider("networks in a row", 2, 1, 4),
        "reach": Slider("reach of a fold", 1.0, 0.1, 1.0, 0.05),
        "u": Slider("input u", 0.0, -1.0, 1.0, 0.01),
        "kind": Choice("network", "zig (3 units)", tuple(KINDS)),
    }
    grips = ("u",)
    least = 620
    prediction = Prediction(
        "One zig draws 3 pieces with 3 units, two in a row draw 9 with 6. Now three zigs in a row, 9 units. How many "
        "pieces between −1 and 1? (One layer of 9 units could draw 10.)",
        ("10", "12", "27", "64"),
        "27",
        "The third zig draws its three pieces on each of the nine before. Units add up, folds multiply.",
        before={"layers": 2, "reach": 1.0, "kind": "zig (3 units)"},
        after={"layers": 3, "reach": 1.0, "kind": "zig (3 units)"},
    )
    challenge = Challenge(
        "Depth alone is no promise. Make two or more zigs in a row draw just 3 pieces.",
        lambda n: n.layers > 1 and n.kind.startswith("zig") and n.pieces <= 3,
        "A network bends only what reaches its joints. If the first fold stays between −⅓ and ⅓, the next sees a "
        "straight stretch.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)

    def drag(self, id: str, x: float, y: float) -> None:
        """Move u to the pointer."""
        value = LOW + (x - CURVE[0]) / CURVE[2] * (HIGH - LOW)
        self.set(u=round(min(max(value, LOW), HIGH), 2))
