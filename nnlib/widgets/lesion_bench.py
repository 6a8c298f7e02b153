"""The lesion bench: plain against residual nets by depth, trained while you wait, and then a block is deleted.

Nets of width 24 with 2 to 16 weight layers in the middle learn 480 of the digits for ten epochs. Plain and residual
start from the same numbers and see the same batches; only the skips differ. Surprises: the deeper plain net is worse
on its own *training* pictures, and a trained residual net hardly misses one of its eight blocks, while the plain
net falls to guessing whichever is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

import nnlib as nn

from ..device import rng
from .experiment import Challenge, Experiment, Flag, Prediction, Slider
from .scene import Scene, number, plot_area

__all__ = ["LesionBench", "compute", "draw", "say"]

WIDTH, MOST, EPOCHS, PICTURES, BATCH = 24, 8, 10, 480, 48
BATCHES = EPOCHS * PICTURES // BATCH


@dataclass(frozen=True)
class Run:
    """One net: mean loss of each epoch, share of its training pictures right, whole and without each pair.

    Before the end of its training: nan, and none.
    """

    losses: tuple[float, ...]
    whole: float
    without: tuple[float, ...]


@dataclass
class Numbers:
    pairs: int
    deleted: int  # 0: none
    norm: bool
    seed: int
    plain: Run
    residual: Run
    short: Run  # the plain net with one pair

    @property
    def finished(self) -> bool:
        return all(run.without for run in (self.plain, self.residual, self.short))


@contextmanager
def learners_random_numbers_kept() -> Iterator[None]:
    """Layers draw their weights from the generator of the notebook: put it back where it was."""
    state = rng().bit_generator.state
    try:
        yield
    finally:
        rng().bit_generator.state = state


@lru_cache(maxsize=1)
def digits() -> tuple[nn.Tensor, nn.Tensor]:
    """The pictures and labels trained on."""
    X, y = nn.data.digits()
    return X[:PICTURES].to(nn.float64), y[:PICTURES]


def build(pairs: int, residual: bool, norm: bool, random: np.random.Generator) -> nn.Module:
    """First layer, pairs of layers, last layer; He's starting weights from ``random``."""

    def layer() -> list[nn.Module]:
        return [nn.Linear(WIDTH, WIDTH), *([nn.BatchNorm1d(WIDTH)] if norm else [])]

    middle: list[nn.Module] = []
    for _ in range(pairs):
        body = nn.Sequential(*layer(), nn.ReLU(), *layer())
        middle.append(
            nn.Residual(body, act=nn.ReLU()) if residual else nn.Sequential(body, nn.ReLU())
        )
    net = nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), *middle, nn.Linear(WIDTH, 10))
    net.to(nn.float64)
    for part in net.modules():
        if isinstance(part, nn.Linear):
            part.weight.data = random.standard_normal(part.weight.shape) * math.sqrt(
                2 / part.weight.shape[1]
            )
            part.bias.data = np.zeros(part.bias.shape)
    return net


def without(net: nn.Module, pair: int) -> nn.Module:
    """The same net with pair 1, 2, … taken out of its middle."""
    parts = list(net.children())
    return nn.Sequential(*parts[: 1 + pair], *parts[2 + pair :]).eval()


class Training:
    """One net on its way: SGD with momentum, batch by batch, and each pair deleted in turn at the end."""

    def __init__(self, pairs: int, residual: bool, norm: bool, seed: int) -> None:
        self.pairs, self.residual, self.norm = pairs, residual, norm
        self.random = np.random.default_rng(seed)
        self.done, self.total, self.order = 0, 0.0, np.arange(PICTURES)
        self.run = Run((), math.nan, ())

    @cached_property
    def net(self) -> nn.Module:
        with learners_random_numbers_kept():
            return build(self.pairs, self.residual, self.norm, self.random)

    @cached_property
    def optimizer(self) -> nn.optim.SGD:
        return nn.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)

    def advance(self) -> None:
        """One batch more."""
        (X, y), optimizer = digits(), self.optimizer  # the weights are drawn before the order
        start = BATCH * self.done % PICTURES
        if start == 0:
            self.order, self.total = self.random.permutation(PICTURES), 0.0
        rows = self.order[start : start + BATCH]
        with np.errstate(all="ignore"):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.net(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
        self.done, self.total = self.done + 1, self.total + loss.item() * BATCH
        if start + BATCH == PICTURES:
            self.run = Run((*self.run.losses, self.total / PICTURES), math.nan, ())
        if self.done == BATCHES:
            self.test()

    def test(self) -> None:
        X, y = digits()
        self.net.eval()
        with nn.no_grad(), np.errstate(all="ignore"):
            whole = nn.accuracy(self.net(X), y)
            left = tuple(nn.accuracy(without(self.net, i + 1)(X), y) for i in range(self.pairs))
        self.run = Run(self.run.losses, whole, left)


training = lru_cache(maxsize=128)(Training)


def trainings(settings: dict[str, Any]) -> tuple[Training, ...]:
    """Of both nets of this depth, and of the plain one of one pair; begun once, and gone on with."""
    pairs, norm, seed = settings["pairs"], settings["norm"], settings["seed"]
    return tuple(training(p, r, norm, seed) for p, r in ((pairs, False), (pairs, True), (1, False)))


def work(settings: dict[str, Any]) -> Iterator[float]:
    """Train until all three are done, all at the same pace; gives the share done before each batch."""
    every = set(trainings(settings))
    while left := [t for t in every if t.done < BATCHES]:
        yield sum(t.done for t in every) / (len(every) * BATCHES)
        min(left, key=lambda t: t.done).advance()


def glimpse(settings: dict[str, Any]) -> Numbers:
    """What the three have come to so far."""
    runs = [t.run for t in trainings(settings)]
    pairs, deleted = settings["pairs"], min(settings["deleted"], settings["pairs"])
    return Numbers(pairs, deleted, settings["norm"], settings["seed"], *runs)


def compute(settings: dict[str, Any]) -> Numbers:
    """Both nets of this depth, and the plain one of one pair, trained to the end."""
    for _ in work(settings):
        pass
    return glimpse(settings)


W, H = 1000, 352
LEFT, RIGHT = (56, 76, 400, 226), (540, 76, 444, 226)
TOP_LOSS = 2.6
FAMILIES = (("plain", "red", "red-tint", True), ("residual", "blue", "blue-tint", False))


def draw(numbers: Numbers) -> Scene:
    """Left the training loss by epoch; right what is left after a deletion."""
    scene = Scene(W, H)
    layers = 2 * numbers.pairs + 2
    scene.text(LEFT[0], 14, "training loss", anchor="start", bold=True, size=15)
    at = plot_area((1, EPOCHS), (0, TOP_LOSS), LEFT)
    for tick in (0, 0.5, 1, 1.5, 2, 2.5):
        scene.line(at(1, tick), at(EPOCHS, tick), color="grid", width=1)
        scene.text(LEFT[0] - 8, at(1, tick)[1], number(tick), anchor="end", size=13, color="faint")
    for epoch in range(1, EPOCHS + 1):
        scene.text(at(epoch, 0)[0], at(1, 0)[1] + 16, str(epoch), size=13, color="faint")
    scene.text(at(EPOCHS, 0)[0], at(1, 0)[1] + 38, "epoch", anchor="end", size=13, color="faint")
    lines = [
        ("short", numbers.short, "plain, 4 layers", "faint", True),
        ("plain", numbers.plain, f"┄ plain, {layers} layers", "red", True),
        ("residual", numbers.residual, f"─ residual, {layers} layers", "blue", False),
    ]
    for name, run, label, color, dash in lines:
        points = [at(e, min(v, TOP_LOSS)) for e, v in enumerate(run.losses, 1) if math.isfinite(v)]
        scene.line(
            *points,
            color=color,
            dash=dash,
            width=1.5 if name == "short" else 2.5,
            id=f"loss {name}",
        )
        x = {"short": 56, "plain": 176, "residual": 316}[name]
        scene.text(
            x, 40, label if name != "short" else f"┄ {label}", anchor="start", size=13, color=color
        )
    scene.text(
        RIGHT[0] - 36,
        14,
        "training pictures right, one pair deleted",
        anchor="start",
        bold=True,
        size=15,
    )
    at = plot_area((0, numbers.pairs + 1), (0, 100), RIGHT)
    for tick in (0, 25, 50, 75, 100):
        scene.line(at(0, tick), at(numbers.pairs + 1, tick), color="grid", width=1)
        scene.text(RIGHT[0] - 8, at(0, tick)[1], f"{tick} %", anchor="end", size=13, color="faint")
    if not numbers.finished:
        middle = RIGHT[0] + RIGHT[2] / 2, RIGHT[1] + RIGHT[3] / 2
        scene.text(*middle, "at the end of the training", color="faint", size=15)
    wide = RIGHT[2] / (numbers.pairs + 1)
    for place in range(numbers.pairs + 1):
        if place == numbers.deleted and numbers.finished:
            scene.box(
                at(place, 0)[0] + 2,
                RIGHT[1] - 18,
                wide - 4,
                RIGHT[3] + 18,
                fill="glow",
                color="none",
            )
        for side, (name, color, tint, dash) in enumerate(FAMILIES):
            run = getattr(numbers, name)
            if not run.without:
                continue
            share = 100 * (run.without[place - 1] if place else run.whole)
            x, bar = at(place, 0)[0] + wide * (0.1 + 0.4 * side), min(0.38 * wide, 40)
            top = at(0, share)[1]
            scene.box(
                x,
                top,
                bar,
                at(0, 0)[1] - top,
                fill=tint,
                color=color,
                dash=dash,
                id=f"bar {name} {place}",
            )
            scene.text(
                x + bar / 2,
                top - 8,
                f"{share:.0f}",
                size=12,
                color=color,
                bold=place == numbers.deleted,
            )
        scene.text(
            at(place + 0.5, 0)[0],
            at(0, 0)[1] + 16,
            f"−{place}" if place else "whole",
            size=13,
            color="faint",
        )
    scene.text(RIGHT[0] - 36, 40, "┄ plain", anchor="start", size=13, color="red")
    scene.text(RIGHT[0] + 40, 40, "─ residual", anchor="start", size=13, color="blue")
    return scene


def say(numbers: Numbers) -> str:
    """What both nets and the short one got right, and what a deletion leaves."""
    plain, residual = numbers.plain, numbers.residual
    net = f"{2 * numbers.pairs + 2} layers, {'batch norm' if numbers.norm else 'no batch norm'}, seed {numbers.seed}."
    if not numbers.finished:
        epochs = (
            f"{name} {len(run.losses)}" + (f", loss {number(run.losses[-1], 3)}" if run.losses else "")
            for name, run in (("plain", plain), ("residual", residual), ("4 layers", numbers.short))
        )
        return f"{net} Training: of {EPOCHS} epochs {'; '.join(epochs)}. What a deletion does is seen at the end."
    text = (
        f"{net} Training pictures right: plain {plain.whole:.0%}, residual {residual.whole:.0%}; "
        f"the plain net of 4 layers {numbers.short.whole:.0%}."
    )
    lost = [
        f"the {name} net's loss became NaN in epoch {next(i for i, v in enumerate(run.losses, 1) if v != v)}"
        for name, run in (("plain", plain), ("residual", residual))
        if any(v != v for v in run.losses)
    ]
    if lost:
        text += f" {lost[0][0].upper()}{lost[0][1:]}{''.join(f', {more}' for more in lost[1:])}."
    if numbers.deleted:
        i = numbers.deleted
        text += f" Without pair {i}: plain {plain.without[i - 1]:.0%}, residual {residual.without[i - 1]:.0%}."
    return text


class LesionBench(Experiment):
    """Plain against residual, by depth and under the knife.  Lesson 16.

    >>> numbers = LesionBench.measure()
    >>> numbers.short.whole > 0.95 > 0.8 > numbers.plain.whole, numbers.residual.whole > 0.9
    (True, True)
    """

    title = "Lesion bench"
    controls = {
        "pairs": Slider("pairs of layers", MOST, 1, MOST),
        "deleted": Slider("pair deleted (0: none)", 0, 0, MOST),
        "norm": Flag("batch norm", True),
        "seed": Slider("seed", 0, 0, 4),
    }
    still = {"pairs": 6, "deleted": 3}  # deeper plain nets end differently on every processor
    least = 640
    prediction = Prediction(
        "These nets of 4 layers get nearly all of their training pictures right. Seven more pairs of layers go into "
        "the plain one. On its training pictures, will it be",
        ("better", "about as good", "worse"),
        "worse",
        "It could copy the short one with identity weights, and training does not find that. Overfitting it cannot be: "
        "these are the pictures it learns from.",
        before={"pairs": 1},
        after={"pairs": MOST},
    )
    challenge = Challenge(
        "Skips seem to make any depth trainable. Bring the residual net below 50 % of its own training pictures.",
        lambda numbers: bool(numbers.finished and numbers.residual.whole < 0.5),
        "Without batch norm each block adds its share to the sum, the sum grows with every block, and the steps become "
        "too large. Skip and norm work together.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
    work, glimpse = staticmethod(work), staticmethod(glimpse)
