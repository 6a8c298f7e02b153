"""Activation gallery: a function, its slope, and the product of slopes through a chain of layers.

One number per layer, h^l = φ(w h^(l−1)); a nudge of the input reaches layer n multiplied by every weight and every
slope on its way. Surprise: slopes below 1 look harmless one at a time. The sigmoid passes at most 0.25, and 0.25ⁿ is
below a millionth at n = 10. With ReLU (w = 1, a positive input) nothing is lost at any depth, and softplus, whose slope
*is* the sigmoid, still passes a seventh: its own output pushes the next layer to where the slope is nearly 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Scene, number, plot_area, ticks

__all__ = ["ActivationGallery", "compute", "draw", "say"]

# name -> (the function of z and its parameter, which control holds that parameter)
ACTIVATIONS: dict[str, tuple[Callable[[nn.Tensor, float], nn.Tensor], str]] = {
    "sigmoid": (lambda z, _: nn.sigmoid(z), ""),
    "tanh": (lambda z, _: nn.tanh(z), ""),
    "ReLU": (lambda z, _: F.relu(z), ""),
    "leaky ReLU": (F.leaky_relu, "gamma"),
    "ELU": (F.elu, "alpha"),
    "softplus": (F.softplus, "beta"),
    "GELU": (lambda z, _: F.gelu(z), ""),
    "SiLU": (lambda z, _: F.silu(z), ""),
}
LETTERS = {"gamma": "γ", "alpha": "α", "beta": "β"}
SPAN = 6.0
GRID = np.linspace(-SPAN, SPAN, 241)
FLOOR = 1e-40  # below it a product is drawn on the edge


@dataclass
class Numbers:
    name: str
    parameter: float | None
    weight: float
    value: np.ndarray  # φ on GRID
    slope: np.ndarray  # φ' on GRID
    z: np.ndarray  # (depth,) what enters each activation
    h: np.ndarray  # (depth,) what leaves it
    slopes: np.ndarray  # (depth,) φ'(z)
    engine: float  # dhⁿ/dh⁰ in one backward pass
    steepest: float  # the largest |φ'| anywhere, far outside GRID too

    @property
    def depth(self) -> int:
        return len(self.z)

    @property
    def products(self) -> np.ndarray:
        """dh^l/dh⁰ for l = 1 … depth: weights times slopes so far."""
        return np.cumprod(self.weight * self.slopes)

    @property
    def best(self) -> np.ndarray:
        """The same if every z stood where the slope is steepest."""
        return (self.weight * self.steepest) ** np.arange(1, self.depth + 1)


def compute(settings: dict[str, Any]) -> Numbers:
    """The curve with its slope, and a chain of ``depth`` layers with the slope in each."""
    function, control = ACTIVATIONS[settings["activation"]]
    parameter = settings[control] if control else None

    def phi(z: nn.Tensor) -> nn.Tensor:
        return function(z, parameter or 0.0)

    grid = nn.tensor(GRID, requires_grad=True)
    value = phi(grid)
    slope = nn.grad(value.sum(), grid)[0]
    start = h = nn.tensor(settings["start"], dtype=nn.float64, requires_grad=True)
    zs, hs = [], []
    for _ in range(settings["depth"]):
        zs.append((settings["weight"] * h).item())
        h = phi(settings["weight"] * h)
        hs.append(h.item())
    engine = float(nn.grad(h, start)[0])
    at = nn.tensor(zs, dtype=nn.float64, requires_grad=True)
    slopes = nn.grad(phi(at).sum(), at)[0]
    ends = nn.tensor([-400.0, 400.0], dtype=nn.float64, requires_grad=True)
    everywhere = np.abs([*slope, *slopes, *nn.grad(phi(ends).sum(), ends)[0]])
    return Numbers(settings["activation"], parameter, settings["weight"], value.data, np.asarray(slope), np.array(zs),
                   np.array(hs), np.asarray(slopes), engine, float(everywhere.max()))  # fmt: skip


WIDTH, HEIGHT = 760, 370
CURVE = (44, 40, 322, 280)
CHAIN = (456, 40, 286, 280)


def draw(numbers: Numbers) -> Scene:
    """Function and slope with the layers on them; the product by layer on a logarithmic axis."""
    scene = Scene(WIDTH, HEIGHT)
    _curve(scene, numbers)
    _chain(scene, numbers)
    return scene


def _curve(scene: Scene, numbers: Numbers) -> None:
    left, top, wide, tall = CURVE
    low = min(-0.5, float(min(numbers.value.min(), numbers.slope.min())))
    high = max(1.25, float(numbers.slope.max()), min(3.0, float(numbers.value.max())))
    low = max(low, -4.0)
    pad = 0.06 * (high - low)
    span = (low - pad, high + pad)
    at = plot_area((-SPAN, SPAN), span, CURVE)
    scene.line((left, 16), (left + 26, 16), color="blue", width=2.5)
    scene.text(
        left + 33,
        16,
        f"{numbers.name}{_parameter(numbers)}",
        anchor="start",
        bold=True,
        color="blue",
    )
    scene.line((left + 196, 16), (left + 222, 16), color="red", width=2.5, dash=True)
    scene.text(left + 229, 16, "its slope", anchor="start", bold=True, color="red")
    for tick in ticks(*span, 6):
        y = at(0, tick)[1]
        scene.line((left, y), (left + wide, y), color="faint" if tick == 0 else "grid", width=1)
        scene.text(left - 8, y, number(tick), size=12, anchor="end", color="faint")
    for tick in (-6, -4, -2, 0, 2, 4, 6):
        scene.text(at(tick, 0)[0], top + tall + 14, number(tick), size=12, color="faint")
    scene.line(at(0, span[0]), at(0, span[1]), color="grid", width=1)
    scene.text(left + wide / 2, top + tall + 34, "z; a dot for each layer", size=12, color="faint")
    for values, color in ((numbers.value, "blue"), (numbers.slope, "red")):
        keep = (values >= span[0]) & (values <= span[1])
        for run in np.split(np.arange(len(GRID)), np.flatnonzero(np.diff(keep)) + 1):
            if keep[run[0]]:
                scene.line(*[at(GRID[i], values[i]) for i in run], color=color, width=2.5, dash=color == "red",
                           id="slope" if color == "red" else "value")  # fmt: skip
    for k in range(numbers.depth - 1, -1, -1):
        for values, color in ((numbers.h, "blue"), (numbers.slopes, "red")):
            if abs(numbers.z[k]) <= SPAN and span[0] <= values[k] <= span[1]:
                x, y = at(numbers.z[k], values[k])
                scene.circle(
                    x,
                    y,
                    5 if k == 0 else 3.5,
                    color=color,
                    fill="glow" if k == 0 else "paper",
                    width=1.8,
                )


def _chain(scene: Scene, numbers: Numbers) -> None:
    left, top, wide, tall = CHAIN
    logs = [np.log10(np.maximum(np.abs(p), FLOOR)) for p in (numbers.products, numbers.best)]
    low = min(-2.0, math.floor(min(v.min() for v in logs)))
    high = max(1.0, math.ceil(max(v.max() for v in logs)))
    at = plot_area((0, numbers.depth), (low, high), CHAIN)
    scene.text(left, 16, "what is left of a nudge", anchor="start", bold=True)
    every = max(1, math.ceil((high - low) / 7))
    for power in range(-every * int(-low // every), int(high) + 1, every):
        y = at(0, power)[1]
        scene.line((left, y), (left + wide, y), color="faint" if power == 0 else "grid", width=1)
        text = "1" if power == 0 else f"1e{power}".replace("-", "−")
        scene.text(left - 7, y, text, size=12, anchor="end", color="faint")
    scene.box(left + 1, top + tall - 50, 248, 44, color="none", fill="paper")
    scene.line((left + 4, top + tall - 38), (left + 30, top + tall - 38), color="red", width=2.5)
    scene.text(
        left + 37,
        top + tall - 38,
        "product of weights and slopes",
        size=12,
        anchor="start",
        color="red",
    )
    scene.line(
        (left + 4, top + tall - 18),
        (left + 30, top + tall - 18),
        color="faint",
        width=1.8,
        dash=True,
    )
    scene.text(
        left + 37,
        top + tall - 18,
        "if each z were at the steepest place",
        size=12,
        anchor="start",
        color="faint",
    )
    for tick in sorted({0, (numbers.depth + 1) // 2, numbers.depth}):
        scene.text(at(tick, 0)[0], top + tall + 14, str(tick), size=12, color="faint")
    scene.text(left + wide / 2, top + tall + 34, "after layer", size=12, color="faint")
    for values, color, id in ((logs[1], "faint", "best"), (logs[0], "red", "product")):
        points = [at(k, v) for k, v in enumerate([0.0, *values])]
        scene.line(
            *points, color=color, width=2.5 if id == "product" else 1.8, dash=id == "best", id=id
        )
        for x, y in points[1:] if id == "product" else ():
            scene.circle(x, y, 3.2, color=color, fill="paper", width=1.6)


def _parameter(numbers: Numbers) -> str:
    control = ACTIVATIONS[numbers.name][1]
    return f", {LETTERS[control]} = {number(numbers.parameter)}" if control else ""


def say(numbers: Numbers) -> str:
    """The slopes met on the way and what their product is."""
    layers = f"{numbers.depth} layer{'s' * (numbers.depth > 1)}"
    first, last = numbers.slopes[[0, -1]]
    met = f"slope {number(first, 3)} in the first"
    met += f", {number(last, 3)} in the last" if numbers.depth > 1 else ""
    product, best = float(numbers.products[-1]), float(numbers.best[-1])
    fate = "not at all" if product == 0 else f"{number(product, 3)} times as large"
    return (
        f"{layers} of {numbers.name}{_parameter(numbers)}, weights {number(numbers.weight)}: {met}. "
        f"A nudge of the input arrives at the output {fate}. With every z at the steepest place, slope "
        f"{number(numbers.steepest, 3)}, it would be {number(best, 3)} times."
    )


class ActivationGallery(Experiment):
    """An activation, its slope, and the product of slopes through depth.  Lesson 03.

    >>> [f"{ActivationGallery.measure(activation=a).products[-1]:.1e}" for a in ("sigmoid", "softplus", "ReLU")]
    ['3.5e-07', '1.4e-01', '1.0e+00']
    """

    title = "Activation gallery"
    controls = {
        "activation": Choice("activation", "sigmoid", tuple(ACTIVATIONS)),
        "gamma": Slider("γ of leaky ReLU", 0.1, 0.0, 2.0, 0.05),
        "alpha": Slider("α of ELU", 1.0, 0.0, 8.0, 0.1),
        "beta": Slider("β of softplus", 1.0, 0.1, 8.0, 0.1),
        "depth": Slider("layers", 10, 1, 30),
        "weight": Slider("each weight", 1.0, 0.1, 4.0, 0.1),
        "start": Slider("input", 0.5, -5.0, 5.0, 0.1),
    }
    rows = (("activation", "gamma", "alpha", "beta"), ("depth", "weight", "start"))
    least = 520
    prediction = Prediction(
        "Ten sigmoids with weights 1 leave about 3.5e−7 of a nudge. Softplus rises for ever, and its slope is exactly "
        "the sigmoid curve, never above 1: 0.62 in the first layer. How much do ten softplus layers leave?",
        ("about 1e−7 as well", "about 0.62¹⁰ = 0.008", "about 0.14"),
        "about 0.14",
        "Softplus pushes its output up, and the next layer stands where the slope is nearer to 1: after n layers "
        "e^h/(n + e^h) is left, with h the input. That falls like 1/n, not like 0.25ⁿ.",
        before={"activation": "sigmoid", "depth": 10, "weight": 1.0, "start": 0.5},
        after={"activation": "softplus", "depth": 10, "weight": 1.0, "start": 0.5, "beta": 1.0},
    )
    challenge = Challenge(
        "Vanishing is half of the illness. Keep the weights at 1 and make a nudge grow more than a hundredfold.",
        lambda numbers: numbers.weight == 1 and abs(numbers.products[-1]) > 100,
        "A slope above 1 in every layer explodes as surely as one below 1 dies. Without large weights only a curve "
        "that is itself too steep can do it.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)

    def tune(self, numbers: Numbers) -> None:
        """Show the parameter that this activation has, and no other."""
        mine = ACTIVATIONS[numbers.name][1]
        for name in LETTERS:
            self.widgets[name].layout.display = None if name == mine else "none"
