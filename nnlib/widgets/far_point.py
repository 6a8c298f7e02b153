"""The far point: one correct example, far from the boundary, ruins a least-squares cut and not a logistic one.

Six points on a line, x = 0, 0.2, 0.4 of class 0 and 0.6, 0.8, 1 of class 1, and a seventh to drag. Both models are
z = w x + b cut where they say ½. Least squares fits z to the labels, so a point with z far above 1 is an error to it,
however right it is. The logistic loss has nothing left to gain there. Surprise: at x = 10 the least-squares
cut moves from 0.5 to 0.7356 and gives one of the six away; the logistic cut stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Flag, Prediction, Slider
from .scene import STILL, Axis, Scene, axis, number, plot_area, ticks

__all__ = ["FarPoint", "compute", "draw", "say"]

X = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LABELS = (0, 0, 0, 1, 1, 1)
DECAY = 1e-3  # on the slope: separable points would otherwise drive it to infinity
LEFT = -0.5


@dataclass
class Cut:
    """A fitted z = w x + b and where it cuts."""

    weight: float
    bias: float
    threshold: float  # where class 1 begins; nan for a flat line
    errors: int  # among the points shown


@dataclass
class Numbers:
    x: list[float]
    labels: list[int]
    far: bool
    squares: Cut
    logistic: Cut
    output: str
    show: str


def least_squares(x: nn.Tensor, y: nn.Tensor) -> tuple[float, float]:
    """The w, b of least Σ (w x + b − y)²: two Newton steps from 0 reach it, and one would do."""
    return _newton(
        x, y, lambda z: nn.functional.mse_loss(z, y), lambda z: np.full(z.shape, 2.0), 0.0
    )


def logistic(x: nn.Tensor, y: nn.Tensor) -> tuple[float, float]:
    """The w, b of least logistic loss + DECAY/2 · w²."""

    def curvature(z: np.ndarray) -> np.ndarray:
        p = nn.functional.sigmoid(nn.from_numpy(z)).data
        return p * (1 - p)

    def loss(z: nn.Tensor) -> nn.Tensor:
        return nn.functional.binary_cross_entropy_with_logits(z, y)

    return _newton(x, y, loss, curvature, DECAY)


def _newton(
    x: nn.Tensor, y: nn.Tensor, loss: Any, curvature: Any, decay: float
) -> tuple[float, float]:
    """Minimise loss(w x + b) + decay/2 · w²: gradients by nnlib, curvature of the loss in z given.

    A step that does not lower the objective is halved, so the method cannot run away.
    """
    w = nn.tensor(0.0, dtype=nn.float64, requires_grad=True)
    b = nn.tensor(0.0, dtype=nn.float64, requires_grad=True)

    def objective() -> nn.Tensor:
        return loss(w * x + b) + 0.5 * decay * w * w

    now = objective()
    for _ in range(40):
        w.grad = b.grad = None
        now.backward()
        gradient = np.array([float(w.grad), float(b.grad)])
        c = curvature((w * x + b).data) / len(x)
        rows = np.stack([x.data, np.ones(len(x))])
        hessian = (rows * c) @ rows.T + np.diag([decay, 1e-12])
        step = np.linalg.solve(hessian, gradient)
        start, size = (w.item(), b.item()), 1.0
        while True:
            w.data, b.data = (
                np.array(start[0] - size * step[0]),
                np.array(start[1] - size * step[1]),
            )
            after = objective()
            if after.item() <= now.item() or size < 1e-6:
                break
            size /= 2
        if abs(gradient @ step) < 1e-18:
            break
        now = after
    return w.item(), b.item()


def compute(settings: dict[str, Any]) -> Numbers:
    """Fit both models to the six points and, if present, the far one."""
    x, labels = list(X), list(LABELS)
    if settings["present"]:
        x.append(settings["far"])
        labels.append(1 if settings["label"] == "class 1" else 0)
    xs, ys = nn.tensor(x, dtype=nn.float64), nn.tensor(labels, dtype=nn.float64)

    def cut(weight: float, bias: float, level: float) -> Cut:
        threshold = (level - bias) / weight if abs(weight) > 1e-9 else float("nan")
        says = [weight * value + bias > level for value in x]
        return Cut(weight, bias, threshold, sum(s != bool(t) for s, t in zip(says, labels)))

    return Numbers(x, labels, settings["present"], cut(*least_squares(xs, ys), 0.5), cut(*logistic(xs, ys), 0.0),
                   settings["output"], settings["show"])  # fmt: skip


WIDTH, HEIGHT = 760, 330
AREA = (56, 20, 684, 262)


def right_end(numbers: Numbers) -> float:
    return max(2.0, 1.08 * max(numbers.x))


def draw(numbers: Numbers) -> Scene:
    """Points at their labels, each model's output over x, and where each cuts."""
    scene = Scene(WIDTH, HEIGHT)
    high = right_end(numbers)
    at = plot_area((LEFT, high), (-0.35, 1.6), AREA)
    for level in (0.0, 0.5, 1.0):
        scene.line(at(LEFT, level), at(high, level), color="grid", width=1, dash=level == 0.5)
        scene.text(
            AREA[0] - 8, at(0, level)[1], number(level), size=13, anchor="end", color="faint"
        )
    for tick in ticks(0, high, 8):
        px, py = at(tick, -0.35)
        scene.line((px, py), (px, py + 5), color="faint", width=1)
        scene.text(px, py + 16, number(tick), size=13, color="faint")
    scene.text(at(high, 0)[0], at(0, -0.35)[1] + 34, "x", anchor="end", color="faint")
    xs = np.linspace(LEFT, high, 400)
    line, curve = numbers.squares, numbers.logistic
    if numbers.show != "logistic":
        z = line.weight * xs + line.bias
        keep = (z > -0.35) & (z < 1.6)
        ys = np.clip(z, -0.35, 1.6) if numbers.output != "step" else (z > 0.5) * 1.0
        mask = np.ones_like(keep) if numbers.output == "step" else keep
        scene.line(
            *[at(a, b) for a, b in zip(xs[mask], ys[mask])],
            color="red",
            width=2.5,
            dash=True,
            id="squares",
        )
    if numbers.show != "least squares":
        z = curve.weight * xs + curve.bias
        ys = (
            nn.functional.sigmoid(nn.from_numpy(z)).data
            if numbers.output != "step"
            else (z > 0) * 1.0
        )
        scene.line(*[at(a, b) for a, b in zip(xs, ys)], color="blue", width=2.5, id="logistic")
    cuts = [
        c.threshold for c in (line, curve) if np.isfinite(c.threshold) and LEFT < c.threshold < high
    ]
    label_at = at(max(cuts, default=LEFT), 0)[0] + 10
    for cut, name, color, row in (
        (line, "least squares", "red", 0),
        (curve, "logistic", "blue", 1),
    ):
        if (
            numbers.show in (name, "both")
            and np.isfinite(cut.threshold)
            and LEFT < cut.threshold < high
        ):
            px, _ = at(cut.threshold, 0)
            top = AREA[1] + 4 + 22 * row
            scene.line(
                (px, top),
                (px, at(0, -0.35)[1]),
                color=color,
                width=1.5,
                dash=row == 0,
                id=f"cut {name}",
            )
            scene.text(label_at, top + 6, f"{name} cuts at {number(cut.threshold, 3)}", color=color, anchor="start",
                       bold=True, size=14)  # fmt: skip
    for i, (x, label) in enumerate(zip(numbers.x, numbers.labels)):
        px, py = at(x, label)
        far = numbers.far and i == len(X)
        wrong = line.weight * x + line.bias > 0.5
        if bool(label) != wrong and numbers.show != "logistic":
            scene.circle(
                px, py, 14, color="red", width=2
            )  # what least squares gets wrong is ringed
        id = "far" if far else ""
        if label:
            scene.box(px - 6, py - 6, 12, 12, fill="glow" if far else "green-tint", id=id)
        else:
            scene.circle(px, py, 6.5, fill="glow" if far else "blue-tint", id=id)
    return scene


def say(numbers: Numbers) -> str:
    """The cuts and what they get wrong."""
    count = len(numbers.x)
    where = f"Seven points, the far one at x = {number(numbers.x[-1])} with class {numbers.labels[-1]}." \
        if numbers.far else "Six points, no far one."  # fmt: skip
    parts = [where]
    for cut, name in ((numbers.squares, "Least squares"), (numbers.logistic, "Logistic")):
        if numbers.show in (name.lower(), "both"):
            wrong = "none" if not cut.errors else str(cut.errors)
            side = "" if cut.weight > 0 else ", with class 1 on the left,"
            parts.append(
                f"{name} cuts at {number(cut.threshold)}{side} and gets {wrong} of {count} wrong."
            )
    return " ".join(parts)


STEP, REACH = 0.2, (1.2, 20.0)  # of the far point


def lattice(numbers: Numbers) -> dict[str, tuple[Axis, Axis]]:
    """The far point moves along its axis, which grows with it."""
    return {"far": (axis((AREA[0], AREA[0] + AREA[2]), (LEFT, right_end(numbers)), STEP, REACH), STILL)}


class FarPoint(Experiment):
    """One far point; least squares against logistic.  Lesson 01.

    >>> [round(FarPoint.measure(present=p).squares.threshold, 4) for p in (True, False)]
    [0.7356, 0.5]
    """

    title = "The far point"
    controls = {
        "far": Slider("far point x", 10.0, *REACH, STEP),
        "present": Flag("far point there", True),
        "label": Choice("its class", "class 1", ("class 1", "class 0")),
        "output": Choice("output drawn as", "line and sigmoid", ("line and sigmoid", "step")),
        "show": Choice("show", "both", ("both", "least squares", "logistic")),
    }
    grips = ("far",)
    least = 420
    prediction = Prediction(
        "Both models cut these six points at 0.5, without a mistake. A seventh point of class 1 joins at x = 10, far "
        "on the correct side of both cuts. Which cut moves?",
        ("neither", "least squares", "logistic", "both"),
        "least squares",
        "Its line would say about 10 there and the label says 1, so it tilts to make that “error” smaller. The sigmoid "
        "says 1 already.",
        before={"present": False},
        after={"present": True, "far": 10.0, "label": "class 1", "show": "both"},
    )
    challenge = Challenge(
        "The logistic cut looks unshakeable. Find a far point that makes it give up the six.",
        lambda numbers: numbers.logistic.errors > 1,
        "A point with the wrong label is an error to every loss, and the logistic loss grows with its distance too. It "
        "forgives what is far and right, not what is far and wrong.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    lattice = staticmethod(lattice)

    def drag(self, id: str, i: int, j: int) -> None:
        """Move the far point."""
        self.set(far=round(i * STEP, 6))
