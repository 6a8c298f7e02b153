"""Gradient-check microscope: the error of a finite difference against h, and what a check lets through.

A network 2-3-1 with five examples; its thirteen gradients, by a backward pass written by hand (into which a bug can be
planted), are compared with differences of the loss. Surprises: a smaller h gets worse, because the difference of two
nearly equal losses has few digits left; a loose tolerance passes a wrong gradient; and where the network is constant,
every gradient is 0 and everything passes, at every h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from .experiment import Challenge, Choice, Experiment, Flag, Prediction, Slider
from .scene import Scene, number, plot_area

__all__ = ["GradcheckMicroscope", "compute", "draw", "say"]

FORMULAS = ("central", "forward")
NETWORKS = ("tanh, ordinary weights", "ReLU, one z just above 0", "saturated: output bias 1000")
BUGS = (
    "none",
    "slope of the hidden layer forgotten",
    "bias gradients averaged, not summed",
    "gradients of two weights swapped",
    "one gradient 1 % too large",
)
NAMES = [f"W1[{i},{j}]" for i in range(3) for j in range(2)] + [f"b1[{i}]" for i in range(3)]
NAMES += [f"W2[{i}]" for i in range(3)] + ["b2"]
POWERS = range(1, 16)  # h = 10 to the minus these

_rng = np.random.default_rng(0)
X = _rng.normal(size=(5, 2))
T = np.array([0.0, 1.0, 1.0, 0.0, 1.0])
ORDINARY = _rng.normal(size=13) * 0.8
KINK = 1e-4  # the z of the ReLU network that is just above 0


@dataclass
class Numbers:
    network: str
    bug: str
    dtype: str
    formula: str
    power: int
    tolerance: float
    whole: bool  # the curve is shown beyond the chosen h
    ours: np.ndarray  # (13,) by the backward pass, bug included
    differences: dict[str, np.ndarray]  # formula -> (15, 13)

    def errors(self, formula: str) -> np.ndarray:
        """(15,) relative error for each h: ‖ours − difference‖ / (‖ours‖ + ‖difference‖), and 0 for 0 against 0."""
        d = self.differences[formula].astype(np.float64)
        size = np.linalg.norm(self.ours) + np.linalg.norm(d, axis=1)
        return np.linalg.norm(self.ours - d, axis=1) / np.where(size == 0, 1.0, size)

    @property
    def error(self) -> float:
        return float(self.errors(self.formula)[self.power - 1])

    @property
    def passed(self) -> bool:
        return self.error < self.tolerance

    @property
    def best(self) -> int:
        """The power whose h has the least error."""
        return int(np.argmin(self.errors(self.formula))) + 1


def weights(network: str) -> np.ndarray:
    """The thirteen parameters W1, b1, W2, b2 in a row."""
    flat = ORDINARY.copy()
    if network == NETWORKS[1]:
        flat[6] = KINK - X[0] @ flat[:2]
    if network == NETWORKS[2]:
        flat[12] = 1000.0
    return flat


def loss(parameters: nn.Tensor, network: str) -> nn.Tensor:
    """Mean squared error of the network's five outputs; ``parameters`` has shape (13,)."""
    dtype = parameters.dtype
    W1, b1 = parameters[:6].reshape(3, 2), parameters[6:9]
    z = nn.tensor(X, dtype=dtype) @ W1.T + b1
    h = F.relu(z) if network == NETWORKS[1] else nn.tanh(z)
    y = nn.sigmoid(h @ parameters[9:12] + parameters[12])
    return ((y - nn.tensor(T, dtype=dtype)) ** 2).mean()


def backward(flat: np.ndarray, network: str, bug: str) -> np.ndarray:
    """The same gradient by hand, layer by layer; ``bug`` names what is wrong with it."""
    W1, b1, W2, b2 = flat[:6].reshape(3, 2), flat[6:9], flat[9:12], flat[12]
    x = X.astype(flat.dtype)
    z = x @ W1.T + b1
    h = np.maximum(z, 0) if network == NETWORKS[1] else np.tanh(z)
    y = nn.sigmoid(nn.from_numpy(h @ W2 + b2)).numpy()
    do = 2 / 5 * (y - T.astype(flat.dtype)) * y * (1 - y)  # (5,)
    dh = np.outer(do, W2)
    slope = (z > 0) if network == NETWORKS[1] else 1 - h**2
    dz = dh if bug == BUGS[1] else dh * slope
    share = 1 / 5 if bug == BUGS[2] else 1.0
    result = np.concatenate([(dz.T @ x).ravel(), share * dz.sum(0), do @ h, [share * do.sum()]])
    if bug == BUGS[3]:
        result[[0, 1]] = result[[1, 0]]
    if bug == BUGS[4]:
        result[3] *= 1.01
    return result.astype(flat.dtype)


@cache
def differences(network: str, dtype: str) -> dict[str, np.ndarray]:
    """Both differences for every h from 1e−1 to 1e−15, shape (15, 13) each; 400 evaluations of the loss."""
    kind = np.dtype(dtype).type
    flat = weights(network).astype(kind)

    def at(values: np.ndarray) -> Any:
        return loss(nn.from_numpy(values), network).data

    here = at(flat)
    result = {formula: np.zeros((len(POWERS), len(flat)), kind) for formula in FORMULAS}
    for row, power in enumerate(POWERS):
        h = kind(10.0**-power)
        for k in range(len(flat)):
            up, down = flat.copy(), flat.copy()
            up[k] += h
            down[k] -= h
            above, below = at(up), at(down)
            result["forward"][row, k] = (above - here) / h
            result["central"][row, k] = (above - below) / (2 * h)
    return result


def compute(settings: dict[str, Any]) -> Numbers:
    """The backward pass, bug included, beside all the differences."""
    network, dtype = settings["network"], settings["dtype"]
    ours = backward(weights(network).astype(dtype), network, settings["bug"])
    return Numbers(network, settings["bug"], dtype, settings["formula"], settings["power"], 10.0 ** -settings["digits"],
                   settings["whole"], ours.astype(np.float64), differences(network, dtype))  # fmt: skip


WIDTH, HEIGHT = 760, 380
AREA = (64, 34, 676, 282)
FLOOR = -12  # of the picture, in powers of ten; an error below stands on it


def draw(numbers: Numbers) -> Scene:
    """Error against h, both logarithmic; h becomes smaller to the right."""
    scene = Scene(WIDTH, HEIGHT)
    left, top, wide, tall = AREA
    at = plot_area((0.6, 15.4), (FLOOR - 0.4, 0.6), AREA)
    tolerance = math.log10(numbers.tolerance)
    y = at(0.6, tolerance)[1]
    scene.box(left, y, wide, top + tall - y, color="none", fill="green-tint")
    for power in range(FLOOR, 1, 2):
        y = at(1, power)[1]
        scene.line((left, y), (left + wide, y), color="grid", width=1)
        text = "1" if power == 0 else f"1e{power}".replace("-", "−")
        scene.text(
            left - 7,
            y,
            text if power > FLOOR else f"≤ {text}",
            size=12,
            anchor="end",
            color="faint",
        )
    for power in range(1, 16, 2):
        scene.text(at(power, 0)[0], top + tall + 15, f"1e−{power}", size=12, color="faint")
    scene.text(left + wide / 2, top + tall + 36, "h, smaller to the right", size=12, color="faint")
    x, y = at(0.6, tolerance)
    scene.line((x, y), (left + wide, y), color="green", width=1.8, dash=True, id="tolerance")
    scene.text(
        left + wide - 8, y + 13, f"passes below {number(numbers.tolerance)}", size=12, anchor="end"
    )
    for formula in sorted(FORMULAS, key=lambda f: f == numbers.formula):
        mine = formula == numbers.formula
        logs = np.log10(np.maximum(numbers.errors(formula), 10.0**FLOOR))
        points = [at(p, min(v, 0.5)) for p, v in zip(POWERS, logs)]
        points = points if numbers.whole else points[: numbers.power]
        scene.line(
            *points,
            color="blue" if mine else "faint",
            width=2.6 if mine else 1.6,
            dash=not mine,
            id=formula,
        )
        for px, py in points if mine else ():
            scene.circle(px, py, 3.2, color="blue", fill="paper", width=1.6)
        if mine:
            px, py = points[numbers.power - 1]
            scene.line((px, top), (px, top + tall), color="red", width=1.2, id="h")
            scene.circle(px, py, 8, color="red", fill="glow", width=2, id="here")
            sign = "✓ passes" if numbers.passed else "✗ fails"
            end = numbers.power >= 8  # from there the curve rises to the right
            scene.text(px + (-13 if end else 13), max(py - 15, top + 8), f"{sign}, {number(numbers.error, 2)}",
                       anchor="end" if end else "start", bold=True)  # fmt: skip
    other = next(f for f in FORMULAS if f != numbers.formula)
    scene.text(left, 15, f"relative error: {numbers.formula} difference, {numbers.dtype}", anchor="start", bold=True,
               color="blue")  # fmt: skip
    scene.text(left + wide, 15, f"dashed: {other}", anchor="end", size=12, color="faint")
    return scene


def say(numbers: Numbers) -> str:
    """The check at this h, whether it tells the truth, and where it would be sharpest."""
    wrong = numbers.bug != BUGS[0]
    verdict = "passes" if numbers.passed else "fails"
    planted = f"with the bug “{numbers.bug}”" if wrong else "without a bug"
    judgement = {
        (True, True): "It passes a wrong gradient.",
        (True, False): "Rightly: the gradient is wrong.",
        (False, True): "Rightly: the gradient is right.",
        (False, False): "A false alarm: the gradient is right.",
    }[wrong, numbers.passed]
    ends = ""
    if numbers.whole and numbers.error > 0:
        least = number(numbers.errors(numbers.formula).min(), 2)
        ends = f" The least error on this curve is {least} at h = 1e−{numbers.best}."
    if not np.any(numbers.ours):
        ends = " All thirteen gradients are 0, so there is nothing to compare."
    return (
        f"Network: {numbers.network}; {planted}. {numbers.formula.capitalize()} difference in {numbers.dtype}, "
        f"h = 1e−{numbers.power}: relative error {number(numbers.error, 2)}, the check {verdict} at "
        f"{number(numbers.tolerance)}. {judgement}{ends}"
    )


def tell(numbers: Numbers) -> str:
    """A table of the four gradients that differ most."""
    theirs = numbers.differences[numbers.formula][numbers.power - 1]
    gap = np.abs(numbers.ours - theirs)
    rows = "".join(
        f"<tr><td>{escape(NAMES[k])}</td><td>{number(numbers.ours[k], 7)}</td><td>{number(theirs[k], 7)}</td>"
        f"<td>{number(gap[k], 2)}</td></tr>"
        for k in np.argsort(-gap, kind="stable")[:4]
    )
    head = "<tr><th>farthest apart</th><th>backward pass</th><th>difference</th><th>gap</th></tr>"
    return f"<table>{head}{rows}</table>"


class GradcheckMicroscope(Experiment):
    """The error of a gradient check against h, with bugs to plant.  Lesson 10.

    >>> [f"{GradcheckMicroscope.measure(power=p).error:.0e}" for p in (2, 5, 8, 12)]
    ['1e-05', '3e-11', '3e-08', '2e-04']
    """

    title = "Gradient-check microscope"
    controls = {
        "power": Slider("h = 10 to the minus", 5, 1, 15),
        "formula": Choice("difference", "central", FORMULAS),
        "dtype": Choice("numbers", "float64", ("float64", "float32")),
        "digits": Slider("tolerance = 10 to the minus", 7, 1, 10),
        "network": Choice("network", NETWORKS[0], NETWORKS),
        "bug": Choice("bug", BUGS[0], BUGS),
        "whole": Flag("show the curve beyond h", True),
    }
    still = {"power": 3, "whole": False}  # the rest is the question
    rows = (("power", "formula", "dtype", "whole"), ("digits", "network", "bug"))
    least = 520
    prediction = Prediction(
        "Central differences in float64. From h = 1e−1 to 1e−2 the error falls a hundredfold, and from there to 1e−3 "
        "again. What do you get at h = 1e−12?",
        ("an error near 1e−25", "an error near 1e−16", "an error above 1e−5"),
        "an error above 1e−5",
        "The two losses agree in nearly all of their 16 digits, the difference keeps what is left, about four, and "
        "dividing by h brings none back. Truncation falls with h², rounding grows with 1/h.",
        before={
            "power": 3,
            "whole": False,
            "formula": "central",
            "dtype": "float64",
            "network": NETWORKS[0],
            "bug": BUGS[0],
        },
        after={"power": 12, "whole": True, "formula": "central", "dtype": "float64"},
    )
    challenge = Challenge(
        "Make the check useless: plant a bug, leave the network unsaturated, and get the wrong gradient passed.",
        lambda numbers: numbers.bug != BUGS[0] and numbers.passed and bool(np.any(numbers.ours)),
        "A tolerance must be tight enough for the smallest mistake you want to see. In float64 with a good h a right "
        "gradient is right to 1e−7 and far beyond, so there is no reason to be generous.",
    )
    compute, draw, say, tell = (
        staticmethod(compute),
        staticmethod(draw),
        staticmethod(say),
        staticmethod(tell),
    )
