"""Depth and scale: what the first weights of a deep network do to activations going up and gradients coming back.

Up to 50 layers of 100 units, a batch of 64 random inputs, weights N(0, scale²/100), no biases; from the top a random
gradient of standard deviation 1 is sent back. Surprise: ReLU and tanh want different scales. Over 30 layers ReLU keeps
both sizes at √2 and loses four decades at 1; tanh is content near 1.2, and at 2 its activations look healthy while its
gradients grow about a hundredfold. With layer norm the scale does not matter at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .lesion_bench import learners_random_numbers_kept
from .scene import Scene, number, plot_area

__all__ = ["DepthAndScale", "compute", "draw", "say"]

WIDTH_OF_NET, BATCH, MOST_LAYERS = 100, 64, 50
BINS = 25
ACTIVATIONS = {"ReLU": nn.ReLU, "tanh": nn.Tanh}


@dataclass
class Histogram:
    """Shares of equal bins over −reach … reach, which holds all but half a per cent."""

    layer: int  # from 1
    shares: np.ndarray
    reach: float


@dataclass
class Numbers:
    depth: int
    scale: float
    activation: str
    norm: str
    forward: np.ndarray  # (depth,) standard deviation of each layer's activations
    backward: np.ndarray  # (depth,) of the gradient with respect to them
    flat: float  # share of the last layer's units whose slope is below 0.01
    activations: list[Histogram]
    gradients: list[Histogram]

    @property
    def change(self) -> float:
        """The most that either size changes from the end where it enters, in powers of ten."""
        sizes = [*self.forward / self.forward[0], *self.backward / self.backward[-1]]
        return float(np.abs(np.log10(sizes)).max())

    @property
    def growth(self) -> float:
        """The gradient at the first layer against that at the last."""
        return float(self.backward[0] / self.backward[-1])


@lru_cache(maxsize=2)
def drawn(draw: int) -> list[np.ndarray]:
    """Standard normal numbers: the batch that goes in, the gradient that comes back, the weights of each layer."""
    generator, sizes = np.random.default_rng(draw), (BATCH, BATCH, *[WIDTH_OF_NET] * MOST_LAYERS)
    return [generator.normal(size=(size, WIDTH_OF_NET)) for size in sizes]


def network(depth: int, scale: float, activation: str, norm: str, normal: list[np.ndarray]) -> list[nn.Module]:
    """Blocks of linear layer, norm (if any), activation."""
    blocks: list[nn.Module] = []
    for weight in normal[:depth]:
        linear = nn.Linear(WIDTH_OF_NET, WIDTH_OF_NET, bias=False)
        linear.weight.data = scale / math.sqrt(WIDTH_OF_NET) * weight
        between = [nn.LayerNorm(WIDTH_OF_NET).double()] if norm == "layer norm" else []
        blocks.append(nn.Sequential(linear, *between, ACTIVATIONS[activation]()))
    return blocks


def histogram(layer: int, values: np.ndarray) -> Histogram:
    reach = float(np.quantile(np.abs(values), 0.995)) or 1.0
    counts, _ = np.histogram(values / reach, BINS, (-1.0, 1.0))
    return Histogram(layer, counts / values.size, reach)


def compute(settings: dict[str, Any]) -> Numbers:
    """One pass up and one back through a freshly drawn network."""
    depth, activation = settings["depth"], settings["activation"]
    first, last, *normal = drawn(settings["draw"])
    h, back = nn.from_numpy(first), nn.from_numpy(last)
    layers: list[nn.Tensor] = []
    with learners_random_numbers_kept():
        blocks = network(depth, settings["scale"], activation, settings["norm"], normal)
    for block in blocks:
        h = block(h)
        layers.append(h)
    gradients = [np.asarray(g) for g in nn.grad((h * back).sum(), layers)]
    values = [h.data for h in layers]
    slopes = (values[-1] > 0) * 1.0 if activation == "ReLU" else 1 - values[-1] ** 2
    shown = sorted({0, (depth - 1) // 2, depth - 1})
    return Numbers(
        depth,
        settings["scale"],
        activation,
        settings["norm"],
        np.array([v.std() for v in values]),
        np.array([g.std() for g in gradients]),
        float((slopes < 0.01).mean()),
        [histogram(i + 1, values[i]) for i in shown],
        [histogram(i + 1, gradients[i]) for i in shown],
    )


WIDTH, HEIGHT = 760, 408
TOP, TALL = 44, 190
PANELS = ((58, "blue"), (438, "red"))  # left end, colour
ACROSS = 296


def draw(numbers: Numbers) -> Scene:
    """Both sizes by layer on a logarithmic axis, and histograms of three layers below."""
    scene = Scene(WIDTH, HEIGHT)
    logs = np.log10(np.array([numbers.forward, numbers.backward]))
    low, high = min(-2, math.floor(logs.min())), max(2, math.ceil(logs.max()))
    names = ("activations, on the way up →", "← gradients, on the way back")
    for (left, color), name, sizes, bars in zip(
        PANELS, names, logs, (numbers.activations, numbers.gradients), strict=True
    ):
        at = plot_area((0.5, numbers.depth + 0.5), (low, high), (left, TOP, ACROSS, TALL))
        scene.text(left, 18, name, anchor="start", color=color, bold=True)
        step = max(1, math.ceil((high - low) / 6))
        for power in range(-step * (-low // step), high + 1, step):
            y = at(1, power)[1]
            scene.line((left, y), (left + ACROSS, y), color="ink" if power == 0 else "grid", width=1,
                       dash=power == 0)  # fmt: skip
            text = "1" if power == 0 else f"1e{power}".replace("-", "−")
            scene.text(left - 7, y, text, anchor="end", color="faint", size=12)
        points = [at(k + 1, v) for k, v in enumerate(sizes)]
        scene.line(*points, color=color, width=2.5, id=f"{color} sizes")
        for x, y in points if len(points) <= 20 else (points[0], points[-1]):
            scene.circle(x, y, 3.5, color=color, fill="paper", width=2)
        for k in sorted({1, (numbers.depth + 1) // 2, numbers.depth}):
            scene.text(at(k, low)[0], TOP + TALL + 15, str(k), color="faint", size=12)
        scene.text(
            left + ACROSS / 2, TOP + TALL + 32, "layer, standard deviation", color="faint", size=12
        )
        _bars(scene, left, color, bars)
    return scene


def _bars(scene: Scene, left: float, color: str, bars: list[Histogram]) -> None:
    """Small histograms side by side, each on its own scale, which stands below."""
    wide, gap, base, tall = 88, 16, HEIGHT - 42, 62
    for k, bar in enumerate(bars):
        x0 = left + k * (wide + gap)
        scene.line((x0, base), (x0 + wide, base), color="faint", width=1)
        top = max(float(bar.shares.max()), 1e-9)
        for i, share in enumerate(bar.shares):
            height = tall * float(share) / top
            if height > 0.3:
                scene.box(x0 + i * wide / BINS, base - height, wide / BINS, height, color=color, fill=f"{color}-tint",
                          width=0.8)  # fmt: skip
        scene.text(x0 + wide / 2, base + 13, f"layer {bar.layer}", color=color, size=12)
        scene.text(x0 + wide / 2, base + 29, f"±{number(bar.reach, 2)}", color="faint", size=12)


def say(numbers: Numbers) -> str:
    """The sizes at both ends, and what became of them."""
    layers = f"{numbers.depth} layers" if numbers.depth > 1 else "1 layer"
    norm = "with layer norm" if numbers.norm == "layer norm" else "without a norm"
    deviation = number(numbers.scale / math.sqrt(WIDTH_OF_NET))
    first, last = numbers.forward[[0, -1]]
    near, far = numbers.backward[[-1, 0]]
    said = (
        f"{layers} of {WIDTH_OF_NET} {numbers.activation} units {norm}, scale {number(numbers.scale)} "
        f"(weights of standard deviation {deviation}). "
        f"Activations: {number(first, 3)} in layer 1, {number(last, 3)} in layer {numbers.depth}: "
        f"{_fate(last / first)}. "
        f"Gradients: {number(near, 3)} at layer {numbers.depth}, {number(far, 3)} at layer 1: "
        f"{_fate(numbers.growth)}."
    )
    if numbers.flat > 0.01:
        word = "silent" if numbers.activation == "ReLU" else "saturated"
        said += f" In the last layer {numbers.flat:.0%} of the outputs are {word}."
    return said


def _fate(ratio: float) -> str:
    if 0.1 <= ratio <= 10:
        return "they keep their size"
    return f"they {'grow' if ratio > 1 else 'shrink'} by a factor of {number(max(ratio, 1 / ratio), 2)}"


class DepthAndScale(Experiment):
    """Sizes of activations and gradients through a deep net, for any scale of the weights.  Lesson 13.

    >>> [f"{DepthAndScale.measure(scale=s).forward[-1]:.0e}" for s in (1.0, 1.4)]
    ['3e-05', '7e-01']
    """

    title = "Depth and scale"
    controls = {
        "depth": Slider("layers", 30, 1, MOST_LAYERS),
        "scale": Slider("scale of the weights", 1.4, 0.2, 3.0, 0.05),
        "activation": Choice("activation", "ReLU", ("ReLU", "tanh")),
        "norm": Choice("norm", "none", ("none", "layer norm")),
        "draw": Slider("draw", 0, 0, 9),
    }
    rows = (("depth", "scale"), ("activation", "norm", "draw"))
    least = 520
    prediction = Prediction(
        "30 layers of ReLU at scale 1.4: activations and gradients keep their size. Put tanh in place of ReLU and turn "
        "the scale up to 2. The activations stay healthy, with a standard deviation of about 0.7 in the last layer. "
        "And the gradients on their way back to layer 1?",
        ("they vanish", "they keep their size", "they explode"),
        "they explode",
        "Saturated units pass hardly anything on. But the others have slopes up to 1, the weights are large, and that "
        "wins in every layer. Looking at activations alone would not have told you.",
        before={"activation": "ReLU", "scale": 1.4, "norm": "none", "depth": 30},
        after={"activation": "tanh", "scale": 2.0, "norm": "none", "depth": 30},
    )  # fmt: skip
    challenge = Challenge(
        "With layer norm the scale is nearly powerless. Yet it does not keep every gradient in check: find a net with "
        "layer norm whose gradient grows more than tenfold on its way back.",
        lambda numbers: numbers.norm == "layer norm" and numbers.growth > 10,
        "Layer norm fixes the size going up. tanh then makes it smaller, the next norm larger again, and on the way "
        "back those corrections multiply: by about 1.09 a layer, at any scale.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
