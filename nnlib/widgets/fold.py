"""Folding: small networks in a row, each fed with the output of the one before.

One zig (three ReLU units) folds the line from −1 to 1 into three layers; the next zig draws its whole curve on each of
them. Left the curve, right the line itself on its way: which inputs are laid onto each other. Surprise: nothing is
taken apart, space is folded, and 2 × 3 units draw 9 straight pieces where one layer of 6 draws at most 7. The
contrast vanishes if the first fold stays between the joints of the second: with ``reach`` 0.3 there are 3 pieces.

The plane does the same for XOR. Two units carry each input into their own plane; what lies on a unit's far side keeps
a part of its distance (``slope`` 1: all of it, and nothing is folded), none (0: ReLU, pressed flat), or is laid over
the near side (−1: |z|). Folded, the corners (0, 1) and (1, 0) lie on each other, and one straight cut is enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .perceptron_referee import widest
from .scene import STILL, Axis, Scene, axis, clip, number, plot_area

__all__ = ["Fold", "compute", "draw", "say"]

# name -> joints of the units, their outer weights; each network is −1 + Σ v a(u − joint)
KINDS = {
    "zig (3 units)": ((-1.0, -1 / 3, 1 / 3), (3.0, -6.0, 6.0)),
    "tent (2 units)": ((-1.0, 0.0), (2.0, -4.0)),
}
LOW, HIGH = -1.0, 1.0
LINE, PLANE = SHOW = ("a line, through networks in a row", "the plane, for XOR")
CORNERS = np.array([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)])
XOR = (0, 1, 1, 0)
NEAR, FAR = -0.5, 1.5  # of the input plane shown, both ways


@dataclass
class Plane:
    """Two units √2 (cos, sin)·x − shift, the far side of each multiplied by ``slope``, and where XOR lies in them."""

    slope: float
    weight: np.ndarray  # (2, 2), a row per unit
    bias: np.ndarray  # (2,)
    point: np.ndarray  # (2,) the input looked at
    image: np.ndarray  # (2,) where the units put it
    corners: np.ndarray  # (4, 2) where they put the corners
    cut: np.ndarray  # (3,) h₁, h₂, 1: the straight cut of widest margin; zeros if there is none
    margin: float

    def fold(self, x: np.ndarray) -> np.ndarray:
        """(n, 2) inputs to (n, 2) hidden values."""
        z = nn.functional.linear(nn.tensor(x), nn.tensor(self.weight), nn.tensor(self.bias))
        return np.round(nn.functional.leaky_relu(z, self.slope).data, 9)  # 0 is 0, not 1e−17

    @property
    def together(self) -> list[tuple[int, int]]:
        """Corners that lie on each other now."""
        return [
            (i, j) for i in range(4) for j in range(i) if math.dist(self.corners[i], self.corners[j]) < 1e-9
        ]


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
    plane: Plane | None = None  # what is shown instead, if it is

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
    plane = compute_plane(settings) if settings["show"] == PLANE else None
    return Numbers(
        kind, layers, reach, units, edges, heights, slopes, u, path, same, sample, course, plane
    )


def compute_plane(settings: dict[str, Any]) -> Plane:
    """Carry the corners into the hidden plane and look for a straight cut there."""
    angles = np.radians([settings["angle1"], settings["angle2"]])
    weight = math.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    bias = -np.array([settings["shift1"], settings["shift2"]])
    point = np.array([settings["x1"], settings["x2"]])
    nothing = np.zeros(2)
    plane = Plane(settings["slope"], weight, bias, point, nothing, np.zeros((4, 2)), np.zeros(3), 0.0)
    plane.image, plane.corners = plane.fold(point[None])[0], plane.fold(CORNERS)
    plane.cut, plane.margin = widest(tuple((x, y, label) for (x, y), label in zip(plane.corners.tolist(), XOR)))
    return plane


WIDTH, HEIGHT = 940, 380
CURVE, LINES = (48, 46, 380, 280), (520, 46, 390, 280)
SQUARE, SHEET = (120, 46, 290, 290), (540, 46, 290, 290)  # input plane, hidden plane
PARTS = ("blue", "green", "purple")


def draw(numbers: Numbers) -> Scene:
    """Left: the curve, its joints, and the inputs that share u's output. Right: the line, network after network."""
    n, scene = numbers, Scene(WIDTH, HEIGHT)
    if n.plane:
        _draw_plane(scene, n.plane)
        return scene
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


def _pieces(plane: Plane) -> list[list[tuple[float, float]]]:
    """The input square, cut along the units' folds."""
    pieces = [[(NEAR, NEAR), (FAR, NEAR), (FAR, FAR), (NEAR, FAR)]]
    for w, b in zip(plane.weight, plane.bias):
        halves = [clip(p, [side * (w @ c + b) for c in p]) for p in pieces for side in (1, -1)]
        pieces = [half for half in halves if len(half) > 2]
    return pieces


def _draw_plane(scene: Scene, plane: Plane) -> None:
    """Left: the inputs, the folds, and what the cut on the right means here. Right: the same sheet, folded."""
    square, area = SQUARE, SHEET
    at = plot_area((NEAR, FAR), (NEAR, FAR), square)
    scene.text(square[0], 18, "the input plane", size=15, bold=True, anchor="start")
    ends = [plane.fold(np.array(p)) for p in _pieces(plane)]
    everything = np.concatenate(ends)
    middle, reach = (everything.max(0) + everything.min(0)) / 2, 0.55 * float(np.ptp(everything, axis=0).max())
    views = [(float(m) - reach, float(m) + reach) for m in middle]
    to = plot_area(views[0], views[1], area)
    scene.text(area[0], 18, "the hidden plane: the sheet, folded", size=15, bold=True, anchor="start")
    for sheet, hidden in zip(_pieces(plane), ends):
        if plane.margin:
            side = clip(sheet, hidden @ plane.cut[:2] + plane.cut[2])
            if len(side) > 2:
                scene.shape(*[at(*c) for c in side], fill="green-tint", color="none", id="says 1")
    for box in (square, area):
        scene.box(*box, color="grid", width=1)
    for k in range(9):
        v = NEAR + k * (FAR - NEAR) / 8
        for a, b in (((v, NEAR), (v, FAR)), ((NEAR, v), (FAR, v))):
            bend = (plane.weight @ a + plane.bias), (plane.weight @ b + plane.bias)
            stops = sorted({0.0, 1.0, *(float(p / (p - q)) for p, q in zip(*bend) if (p > 0) != (q > 0))})
            along = np.array([np.add(a, t * np.subtract(b, a)) for t in stops])
            scene.line(*[at(*p) for p in along[[0, -1]]], color="grid", width=1)
            scene.line(*[to(*p) for p in plane.fold(along)], color="faint", width=0.8)
    for name, w, b in zip(("unit 1", "unit 2"), plane.weight, plane.bias):
        crossing = [c for p in _pieces(plane) for c in p if abs(w @ c + b) < 1e-9]
        if len(crossing) > 1:
            far = max(crossing, key=lambda c: math.dist(c, crossing[0]))
            dash = name == "unit 2"
            scene.line(at(*crossing[0]), at(*far), color="purple", width=2, dash=dash, id=f"fold {name}")
    if plane.margin:
        (l, r), (d, u) = views
        frame = [(l, d), (r, d), (r, u), (l, u)]
        half = clip(frame, [plane.cut[:2] @ c + plane.cut[2] for c in frame])
        line = [c for c in half if abs(plane.cut[:2] @ c + plane.cut[2]) < 1e-9]
        scene.line(*[to(*c) for c in line], color="green", width=2.5, id="cut")
    for corner, hidden, label in zip(CORNERS, plane.corners, XOR):
        stack = [k for k in range(4) if math.dist(plane.corners[k], hidden) < 1e-9]
        for place, (px, py) in enumerate((at(*corner), to(*hidden))):
            fill = "green-tint" if label else "blue-tint"
            id = f"{'corner' if place == 0 else 'image'} {corner[0]:g} {corner[1]:g}"
            if label:
                scene.box(px - 7, py - 7, 14, 14, fill=fill, id=id)
            else:
                scene.circle(px, py, 7.5, fill=fill, id=id)
            names = stack if place else [k for k in range(4) if (CORNERS[k] == corner).all()]
            text = " and ".join(f"({CORNERS[k][0]:g}, {CORNERS[k][1]:g})" for k in names)
            right = px < area[0] + area[2] - 120 if place else True
            if not place or (corner == CORNERS[stack[0]]).all():
                scene.text(px + (13 if right else -13), py - 13, text, size=12, anchor="start" if right else "end")
    for (px, py), id in ((at(*plane.point), "point"), (to(*plane.image), "")):
        scene.circle(px, py, 6, fill="glow", color="red", width=2, id=id)
    y = square[1] + square[3] + 22
    scene.line((square[0], y), (square[0] + 28, y), color="purple", width=2)
    scene.text(square[0] + 34, y, "fold of unit 1", size=12, anchor="start", color="faint")
    scene.line((square[0] + 130, y), (square[0] + 158, y), color="purple", width=2, dash=True)
    scene.text(square[0] + 164, y, "of unit 2", size=12, anchor="start", color="faint")
    word = "one straight cut" if plane.margin else "✗ no straight cut"
    scene.text(area[0], y, f"{word} between the classes", size=14, bold=True, anchor="start",
               color="green" if plane.margin else "red")  # fmt: skip


def _say_plane(plane: Plane) -> str:
    kind = {1.0: "nothing is folded", 0.0: "ReLU: the far side is pressed flat", -1.0: "|z|: folded over"}
    what = kind.get(plane.slope, "the far side is squeezed" if plane.slope > 0 else "folded over and squeezed")
    names = [f"({i:g}, {j:g})" for i, j in CORNERS]
    pairs = [f"{names[j]} and {names[i]} lie on each other" for i, j in plane.together] or ["no corners meet"]
    cut = (
        f"one straight cut separates XOR, with a margin of {number(plane.margin, 3)}"
        if plane.margin
        else "no straight cut separates XOR"
    )
    (x1, x2), (h1, h2) = plane.point, plane.image
    return (
        f"Slope {number(plane.slope, 3)} below 0 ({what}). In the hidden plane {' and '.join(pairs)}; {cut}. The point "
        f"({number(x1, 3)}, {number(x2, 3)}) goes to ({number(h1, 3)}, {number(h2, 3)})."
    )


def say(numbers: Numbers) -> str:
    """Pieces against one layer; where u goes and who lands beside it."""
    n = numbers
    if n.plane:
        return _say_plane(n.plane)
    count = f"{n.layers} × {n.units // n.layers} units" if n.layers > 1 else f"{n.units} units"
    far = f", folded to ±{number(n.reach)}," if n.layers > 1 and n.reach < 1 else ""
    parts = [
        f"{count}{far} draw {n.pieces} straight pieces; one layer of {n.units} draws at most {n.single}."
    ]
    way = " → ".join(number(v, 3) for v in n.path)
    others = len(n.same) - 1
    who = "no other input" if not others else f"{others} other input{'s' if others > 1 else ''}"
    parts.append(
        f"u goes {way}, and {who} between −1 and 1 {'end' if others > 1 else 'ends'} there too."
    )
    return " ".join(parts)


STEP_U, STEP_X = 0.02, 0.05


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """u moves along its axis, the point over its plane."""
    if not numbers.plane:
        return {"u": (axis((CURVE[0], CURVE[0] + CURVE[2]), (LOW, HIGH), STEP_U), STILL)}
    left, top, wide, tall = SQUARE
    across, up = (axis(pixels, (NEAR, FAR), STEP_X) for pixels in ((left, left + wide), (top + tall, top)))
    return {"point": (across, up)}


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
        "show": Choice("fold", LINE, SHOW),
        "slope": Slider("slope below 0", 0.0, -1.0, 1.0, 0.1),
        "angle1": Slider("unit 1 looks along (°)", 45, -180, 180, 15),
        "shift1": Slider("from", 0.0, -1.5, 2.0, 0.25),
        "angle2": Slider("unit 2 looks along (°)", 45, -180, 180, 15),
        "shift2": Slider("from", 1.0, -1.5, 2.0, 0.25),
        "x1": Slider("point x₁", 0.25, NEAR, FAR, STEP_X),
        "x2": Slider("point x₂", -0.25, NEAR, FAR, STEP_X),
    }
    rows = (
        ("show",), ("layers", "reach", "u", "kind"), ("slope", "x1", "x2"),
        ("angle1", "shift1"), ("angle2", "shift2"),
    )  # fmt: skip
    grips = ("u", "point")
    least = 620
    prediction = Prediction(
        "One zig draws 3 pieces with 3 units, two in a row draw 9 with 6. Now three zigs in a row, 9 units. How many "
        "pieces between −1 and 1? (One layer of 9 units could draw 10.)",
        ("10", "12", "27", "64"),
        "27",
        "The third zig draws its three pieces on each of the nine before. Units add up, folds multiply.",
        before={"show": LINE, "layers": 2, "reach": 1.0, "kind": "zig (3 units)"},
        after={"show": LINE, "layers": 3, "reach": 1.0, "kind": "zig (3 units)"},
    )
    challenge = Challenge(
        "Depth alone is no promise. Make two or more zigs in a row draw just 3 pieces.",
        lambda n: not n.plane and n.layers > 1 and n.kind.startswith("zig") and n.pieces <= 3,
        "A network bends only what reaches its joints. If the first fold stays between −⅓ and ⅓, the next sees a "
        "straight stretch.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)

    def tune(self, numbers: Numbers) -> None:
        """Show the controls of the line or those of the plane."""
        for name, widget in self.widgets.items():
            if name != "show":
                of_line = name in ("layers", "reach", "u", "kind")
                widget.layout.display = None if of_line == (numbers.plane is None) else "none"

    def drag(self, id: str, i: int, j: int) -> None:
        """Move u, or the point of the plane."""
        if id == "u":
            self.set(u=round(i * STEP_U, 2))
        else:
            self.set(x1=round(i * STEP_X, 2), x2=round(j * STEP_X, 2))
