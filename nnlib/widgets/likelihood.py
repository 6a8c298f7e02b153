"""Likelihood to loss: choose how the data are noisy, and see the loss that follows.

Two tasks. Five numbers, −0.2, −0.1, 0.1, 0.2 and one to move, are explained by one centre m under Gaussian or Laplace
noise; one label is predicted from a logit z, yes or no (Bernoulli) or one of three (categorical). For every m or z: the
likelihood, the mean negative log, its slope; dashed the squared error. Surprises: with σ = 1 the Gaussian's negative
log *is* half the squared error and a constant, and no other model's is; a learned σ makes the loss negative once the
five numbers agree; and where a classifier is confidently wrong, squared error hardly pulls at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F
from nnlib.distributions import Bernoulli, Categorical, Laplace, Normal

from .experiment import Challenge, Choice, Experiment, Flag, Prediction, Slider
from .scene import Scene, number, plot_area, ticks

__all__ = ["Likelihood", "compute", "draw", "say"]

NOISES = ("Gaussian", "Laplace", "Bernoulli", "categorical")
FOUR = (-0.2, -0.1, 0.1, 0.2)
OTHERS = (1.0, 0.0)  # logits of the two wrong classes
CENTRES = np.arange(-40, 221) / 20
LOGITS = np.arange(-160, 161) / 20


@dataclass
class Numbers:
    noise: str
    here: float  # the chosen m or z
    data: list[float]  # the five numbers; empty for a label
    spread: float  # σ or b at ``here``; nan for a label
    learned: bool
    grid: np.ndarray  # all m or z
    loss: np.ndarray  # mean negative log-likelihood
    slope: np.ndarray
    squared: np.ndarray  # half the mean squared error of m; the squared error of the probabilities
    squared_slope: np.ndarray

    @property
    def at(self) -> int:
        """Where ``here`` stands in the grid."""
        return int(np.argmin(np.abs(self.grid - self.here)))

    @property
    def likelihood(self) -> np.ndarray:
        """Of all data together."""
        return np.exp(-max(len(self.data), 1) * self.loss)

    @property
    def best(self) -> float:
        """The m or z of the grid with the largest likelihood."""
        return float(self.grid[np.argmin(self.loss)])

    @property
    def disguise(self) -> float:
        """The constant by which loss and squared error differ; nan if it is none."""
        gap = self.loss - self.squared
        return float(gap.mean()) if np.ptp(gap) < 1e-9 * (1 + np.ptp(self.loss)) else math.nan

    @property
    def pull(self) -> float:
        """The slope of the squared error against that of the loss, at ``here``."""
        return float(abs(self.squared_slope[self.at]) / max(abs(self.slope[self.at]), 1e-300))


def compute(settings: dict[str, Any]) -> Numbers:
    """Loss, squared error and both slopes over the whole grid, by nnlib."""
    noise, learned = settings["noise"], settings["learned"]
    label = noise in NOISES[2:]
    grid = nn.tensor(LOGITS if label else CENTRES, dtype=nn.float64, requires_grad=True)
    data: list[float] = []
    spread = None
    if noise == "Bernoulli":
        loss = -Bernoulli(logits=grid).log_prob(1.0)
        squared = (nn.sigmoid(grid) - 1) ** 2
    elif noise == "categorical":
        others = [nn.full((len(LOGITS),), z, dtype=nn.float64) for z in OTHERS]
        logits = nn.stack([grid, *others], dim=1)  # (n, 3), the first class is the true one
        loss = -Categorical(logits=logits).log_prob(nn.zeros(len(LOGITS), dtype=nn.int64))
        squared = ((F.softmax(logits, 1) - nn.tensor([1.0, 0.0, 0.0], dtype=nn.float64)) ** 2).sum(
            1
        )
    else:
        data = [*FOUR, settings["outlier"]]
        y, m = nn.tensor(data, dtype=nn.float64), grid.reshape(-1, 1)
        squared = ((y - m) ** 2).mean(1) / 2
        if noise == "Gaussian":
            best = (2 * squared).sqrt()
        else:
            best = (y - m).abs().mean(1)
        spread = best if learned else nn.full((len(CENTRES),), settings["spread"], dtype=nn.float64)
        model = (Normal if noise == "Gaussian" else Laplace)(m, spread.reshape(-1, 1))
        loss = -model.log_prob(y).mean(1)
    slope = nn.grad(loss.sum(), grid, retain_graph=True)[0]
    squared_slope = nn.grad(squared.sum(), grid)[0]
    here = settings["logit" if label else "centre"]
    numbers = Numbers(noise, here, data, math.nan, learned and not label, grid.detach().numpy(),
                      loss.detach().numpy(), np.asarray(slope), squared.detach().numpy(),
                      np.asarray(squared_slope))  # fmt: skip
    if spread is not None:
        numbers.spread = float(spread.detach().numpy()[numbers.at])
    return numbers


WIDTH, HEIGHT = 780, 330
TOP, TALL, WIDE = 46, 206, 194
LEFTS = (54, 312, 572)


def draw(numbers: Numbers) -> Scene:
    """Likelihood, mean negative log and slope side by side over the same m or z."""
    scene = Scene(WIDTH, HEIGHT)
    like = numbers.likelihood
    shifted = numbers.squared - numbers.squared.min() + numbers.loss.min()
    panels = (
        ("likelihood", "green", like, None),
        ("mean negative log", "blue", numbers.loss, shifted if numbers.data else numbers.squared),
        ("its slope", "red", numbers.slope, numbers.squared_slope),
    )
    for left, (name, color, values, dashed) in zip(LEFTS, panels, strict=True):
        _panel(scene, numbers, left, name, color, values, dashed)
    y = TOP + TALL + 58
    scene.line((LEFTS[1], y), (LEFTS[1] + 28, y), color="ink", width=1.5, dash=True)
    same = "half the squared error, moved to the same floor, and its slope"
    text = same if numbers.data else "squared error of the probabilities, and its slope"
    scene.text(LEFTS[1] + 36, y, text, size=12, anchor="start", color="faint")
    return scene


def _panel(
    scene: Scene, numbers: Numbers, left: float, name: str, color: str, values: np.ndarray, dashed: np.ndarray | None
) -> None:  # fmt: skip
    low, high = float(values.min()), float(values.max())
    if name != "mean negative log" or low > 0:
        low, high = min(low, 0.0), max(high, 0.0)
    pad = 0.07 * ((high - low) or 1.0)
    low, high = low - pad, high + pad
    ends = (float(numbers.grid[0]), float(numbers.grid[-1]))
    at = plot_area(ends, (low, high), (left, TOP, WIDE, TALL))
    scene.text(left, 20, name, anchor="start", color=color, bold=True)
    unit = 10.0 ** math.floor(math.log10(high - low))  # a likelihood may be 1e−20
    for tick in (unit * t for t in ticks(low / unit, high / unit, 5)):
        y = at(0, tick)[1]
        scene.line((left, y), (left + WIDE, y), color="faint" if tick == 0 else "grid", width=1)
        scene.text(left - 6, y, number(tick, 2), size=11, anchor="end", color="faint")
    for tick in ticks(*ends, 6):
        scene.text(at(tick, 0)[0], TOP + TALL + 14, number(tick), size=12, color="faint")
    variable = "centre m" if numbers.data else "logit z"
    scene.text(left + WIDE, TOP + TALL + 32, variable, size=12, anchor="end", color="faint")
    scene.line(*[at(x, v) for x, v in zip(numbers.grid, values)], color=color, width=2.5, id=name)
    if dashed is not None:
        keep = (dashed >= low) & (dashed <= high)
        for run in np.split(np.arange(len(keep)), np.flatnonzero(np.diff(keep)) + 1):
            if keep[run[0]]:
                scene.line(*[at(numbers.grid[i], dashed[i]) for i in run], color="ink", width=1.5, dash=True,
                           id=f"{name} squared")  # fmt: skip
    x, y = at(numbers.grid[numbers.at], values[numbers.at])
    scene.line((x, TOP), (x, TOP + TALL), color="faint", width=1)
    scene.circle(x, y, 5, color=color, fill="glow", width=2, id=f"{name} here")
    for k, value in enumerate(numbers.data if name == "likelihood" else ()):
        px = at(value, 0)[0]
        scene.circle(px, TOP + TALL - 4, 5 if k == 4 else 3.5, color="ink", fill="glow" if k == 4 else "paper",
                     width=1.5, id="outlier" if k == 4 else "")  # fmt: skip


def say(numbers: Numbers) -> str:
    """The model, its three numbers at the chosen place, and how squared error stands to it."""
    i = numbers.at
    like, loss, slope = numbers.likelihood[i], numbers.loss[i], round(float(numbers.slope[i]), 12)
    three = f"likelihood {number(like, 3)}, mean negative log {number(loss)}, slope {number(slope)}"
    if numbers.data:
        letter = "σ" if numbers.noise == "Gaussian" else "b"
        how = ", the best for this m" if numbers.learned else ""
        said = (
            f"{numbers.noise} noise, {letter} = {number(numbers.spread, 3)}{how}; four numbers near 0 and one at "
            f"{number(numbers.data[4])}. At m = {number(numbers.here)}: {three}. The likelihood is largest at "
            f"m = {number(numbers.best)}."
        )
        if not math.isnan(numbers.disguise):
            said += (
                f" The loss is half the squared error plus {number(numbers.disguise)}, for every m."
            )
        return said + (" The loss is negative: a density may exceed 1." if loss < 0 else "")
    what = (
        "yes or no, the answer is yes"
        if numbers.noise == "Bernoulli"
        else "one of three, the first is right"
    )
    squared = abs(numbers.squared_slope[i])
    return (
        f"{numbers.noise.capitalize()} model ({what}). At z = {number(numbers.here)}: {three}. The squared error of "
        f"the probabilities has a slope of size {number(squared, 3)} there, {number(numbers.pull, 2)} times as large."
    )


def _deaf(numbers: Numbers) -> bool:
    return not numbers.data and float(numbers.likelihood[numbers.at]) < 0.5 and numbers.pull < 1e-3


class Likelihood(Experiment):
    """From a noise model to its loss and its slope.  Lesson 07.

    >>> [Likelihood.measure(noise=noise).best for noise in ("Gaussian", "Laplace")]
    [2.0, 0.1]
    """

    title = "Likelihood to loss"
    controls = {
        "noise": Choice("noise", NOISES[0], NOISES),
        "centre": Slider("centre m", 1.0, -2.0, 11.0, 0.05),
        "outlier": Slider("fifth number", 10.0, -2.0, 11.0, 0.1),
        "spread": Slider("spread σ or b", 1.0, 0.1, 5.0, 0.1),
        "learned": Flag("best spread for each m", False),
        "logit": Slider("logit z", -6.0, -8.0, 8.0, 0.05),
    }
    rows = (("noise", "centre", "logit"), ("outlier", "spread", "learned"))
    least = 560
    prediction = Prediction(
        "Gaussian noise, σ = 1; four numbers near 0 and one at 10. At m = 1 the slope is −1, so descent moves m to the "
        "right, towards the mean 2. Same numbers, same m, but Laplace noise: where does descent go?",
        ("right, more slowly", "nowhere", "left, away from the fifth number"),
        "left, away from the fifth number",
        "Under Laplace noise every number pulls with the same strength, near or far: four pull left, one pulls right, "
        "and the slope is (4 − 1)/5 = 0.6.",
        before={
            "noise": "Gaussian",
            "centre": 1.0,
            "outlier": 10.0,
            "spread": 1.0,
            "learned": False,
        },
        after={"noise": "Laplace", "centre": 1.0, "outlier": 10.0, "spread": 1.0, "learned": False},
    )
    challenge = Challenge(
        "Make squared error deaf: find a classifier that is wrong, and whose squared error has a slope below a "
        "thousandth of the negative log's.",
        _deaf,
        "Sure and wrong: the probability's own slope p(1 − p) is nearly 0 there and silences the squared error. The "
        "logarithm cancels it.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)

    def tune(self, numbers: Numbers) -> None:
        """Show the controls of this task alone."""
        label = not numbers.data
        for name in ("centre", "outlier", "spread", "learned", "logit"):
            self.widgets[name].layout.display = None if label == (name == "logit") else "none"
