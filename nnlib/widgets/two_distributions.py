"""Two distributions: what a wrong belief costs, each way round.

The truth says how often three kinds of day come, q; a belief p says what code they get. The mean code length splits
into the entropy of the truth and the price of the belief: H(q, p) = H(q) + KL(q‖p). Turn the two round and everything
changes. Surprise: for q = (0.7, 0.2, 0.1) and p uniform both divergences are near 0.3 nats (0.296794, 0.324287), but
let p forget the rain and KL(q‖p) grows for ever, by q(rain) · ln 10 for each factor of ten, and is infinite at p = 0,
while KL(p‖q) settles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Experiment, Prediction, Slider
from .scene import Scene, number, plot_area

__all__ = ["TwoDistributions", "compute", "draw", "say"]

DAYS = ("sun", "cloud", "rain")
FADES = 12  # powers of ten that p's rain can lose


@dataclass
class Way:
    """One direction: days drawn from one distribution, code lengths from the other; all in one unit."""

    entropy: float
    cross: float
    kl: float
    terms: list[float]  # one for each day; their sum is kl


@dataclass
class Numbers:
    q: np.ndarray
    p: np.ndarray
    fade: int
    unit: str
    forward: Way  # KL(q‖p)
    reverse: Way  # KL(p‖q)
    fades: np.ndarray  # powers of ten taken from p's rain
    curves: tuple[np.ndarray, np.ndarray]  # both divergences over them


def categorical(weights: Any) -> nn.distributions.Categorical:
    """The distribution in proportion to the weights.  Raises ValueError where all are 0."""
    weights = np.asarray(weights, dtype=float)
    if not weights.sum() > 0:
        raise ValueError(
            "TwoDistributions: all three weights are 0, expected one above 0. Raise a slider."
        )
    return nn.distributions.Categorical(probs=nn.tensor(weights / weights.sum(), dtype=nn.float64))


def way(truth: Any, belief: Any, scale: float) -> Way:
    """Entropy, cross-entropy and divergence, each by its own route."""
    q, here = truth.probs.data, truth.probs.data > 0  # an impossible day costs nothing
    own, other = truth.log_probs.data[here], belief.log_probs.data[here]
    terms = np.zeros(len(q))
    terms[here] = scale * q[here] * (own - other)
    return Way(
        scale * truth.entropy().item(),
        scale * float(-(q[here] * other).sum()),
        scale * nn.distributions.kl_divergence(truth, belief).item(),
        terms.tolist(),
    )


def compute(settings: dict[str, Any]) -> Numbers:
    """Both directions, and both divergences as p's rain fades."""
    scale = 1.0 if settings["unit"] == "nats" else 1 / math.log(2)
    weights = np.array([settings[f"p_{day}"] for day in DAYS], dtype=float)
    q = categorical([settings[f"q_{day}"] for day in DAYS])

    def belief(fade: int) -> Any:
        return categorical(weights * np.array([1, 1, 10.0**-fade]))

    p = belief(settings["fade"])
    fades, kl = np.arange(FADES + 1), nn.distributions.kl_divergence
    curves = (
        np.array([scale * kl(q, belief(int(k))).item() for k in fades]),
        np.array([scale * kl(belief(int(k)), q).item() for k in fades]),
    )
    return Numbers(q.probs.data, p.probs.data, settings["fade"], settings["unit"],
                   way(q, p, scale), way(p, q, scale), fades, curves)  # fmt: skip


WIDTH, HEIGHT = 760, 430
BARS = (44, 44, 290, 156)  # left, top, width, height
LEDGER = (400, 44, 330)  # left, top, width
CURVES = (44, 272, 560, 112)


def draw(numbers: Numbers) -> Scene:
    """Both distributions, the two sums, and both divergences against the fading rain."""
    scene = Scene(WIDTH, HEIGHT)
    _bars(scene, numbers)
    _ledger(scene, numbers)
    _curves(scene, numbers)
    return scene


def _bars(scene: Scene, numbers: Numbers) -> None:
    left, top, width, height = BARS
    scene.text(left, 18, "probability of each day", anchor="start", bold=True)
    for level in (0.0, 0.5, 1.0):
        y = top + height * (1 - level)
        scene.line((left, y), (left + width, y), color="grid", width=1)
        scene.text(left - 8, y, number(level), anchor="end", color="faint", size=12)
    for k, day in enumerate(DAYS):
        middle = left + width * (k + 0.5) / 3
        scene.text(middle, top + height + 17, day, size=13)
        for share, name, color, x in (
            (numbers.q[k], "q", "blue", middle - 40),
            (numbers.p[k], "p", "red", middle + 2),
        ):
            tall = height * float(share)
            scene.box(x, top + height - tall, 38, tall, color=color, fill=f"{color}-tint",
                      dash=name == "p", id=f"{name} {day}")  # fmt: skip
            y, look = top + height - tall - 10, {"color": color, "size": 11.5, "bold": True}
            if share >= 1e-3 or share == 0:
                scene.text(x + 19, y, f"{name} {number(share, 2)}", **look)
            else:  # too long for the middle of a bar
                scene.text(x + 3, y, f"{name} {number(f'{share:.0e}', 1)}", anchor="start", **look)


def _ledger(scene: Scene, numbers: Numbers) -> None:
    """Each cross-entropy as a bar of two parts; an infinite part ends in an arrow."""
    left, top, width = LEDGER
    scene.text(left, 18, f"mean code length = entropy + price, in {numbers.unit}", anchor="start",
               bold=True)  # fmt: skip
    finite = [w.cross for w in (numbers.forward, numbers.reverse) if math.isfinite(w.cross)]
    most = max([*finite, numbers.forward.entropy, numbers.reverse.entropy, 0.5]) * 1.15
    for row, (a, b, part, color) in enumerate(
        (("q", "p", numbers.forward, "blue"), ("p", "q", numbers.reverse, "red"))
    ):
        y = top + 4 + 90 * row
        scene.text(left, y + 4, f"days from {a}, code made for {b}", anchor="start", color=color)
        whole = math.isfinite(part.cross)
        h = width * part.entropy / most
        end = width * part.cross / most if whole else width
        scene.box(left, y + 18, h, 26, color=color, fill=f"{color}-tint", id=f"H {a}")
        if whole:
            scene.box(left + h, y + 18, max(end - h, 0), 26, color=color, fill="glow", dash=True,
                      id=f"price {a}")  # fmt: skip
        else:
            scene.line((left + h, y + 31), (left + width, y + 31), color=color, width=3, dash=True, arrow=True,
                       id=f"price {a}")  # fmt: skip
        said = f"H({a}) {number(part.entropy)}  +  KL({a}‖{b}) {_told(part.kl)}  =  {_told(part.cross)}"
        scene.text(left, y + 58, said, anchor="start", size=13)


def _curves(scene: Scene, numbers: Numbers) -> None:
    left, top, width, height = CURVES
    scene.text(
        left, top - 22, "both divergences while p forgets the rain", anchor="start", bold=True
    )
    known = np.concatenate([c[np.isfinite(c)] for c in numbers.curves] + [np.array([0.5])])
    high = 1.08 * float(known.max())
    at = plot_area((0, FADES), (0, high), CURVES)
    for level in (0, 0.5, 1):
        scene.line(at(0, level * high), at(FADES, level * high), color="grid", width=1)
        scene.text(
            left - 6, at(0, level * high)[1], number(level * high, 2), anchor="end", color="faint", size=12
        )  # fmt: skip
    for k in range(0, FADES + 1, 3):
        text = "p(rain) as set" if k == 0 else f"÷ 1e{k}"
        scene.text(at(k, 0)[0], top + height + 17, text, color="faint", size=12,
                   anchor="start" if k == 0 else "middle")  # fmt: skip
    x = at(numbers.fade, 0)[0]
    scene.line((x, top - 6), (x, top + height), color="ink", width=1, dash=True, id="now")
    names: list[tuple[float, str, str]] = []
    for curve, name, color in zip(
        numbers.curves, ("KL(q‖p)", "KL(p‖q)"), ("blue", "red"), strict=True
    ):
        gone = zip(
            numbers.fades[: numbers.fade + 1], curve, strict=False
        )  # as far as the slider has come
        points = [at(k, v) for k, v in gone if math.isfinite(v)]
        scene.line(*points, color=color, width=2.5, dash=color == "red", id=name)
        here = curve[numbers.fade]
        if math.isfinite(here):
            px, py = at(numbers.fade, here)
            scene.circle(px, py, 5, color=color, fill="paper", id=f"dot {name}")
        y = at(0, here)[1] if math.isfinite(here) else top
        names.append((y, f"{name} {_told(here)}" if math.isfinite(here) else f"{name} ∞", color))
    names.sort()
    if names[1][0] - names[0][0] < 18:  # two labels never on one another
        names[1] = (names[0][0] + 18, *names[1][1:])
    up = max(names[1][0] - (top + height), 0)
    for y, text, color in names:
        scene.text(left + width + 12, y - up, text, color=color, anchor="start", bold=True)


def _told(value: float) -> str:
    return number(value) if math.isfinite(value) else "∞"


def say(numbers: Numbers) -> str:
    """The shares, both divergences, and which day costs most."""
    q, p = (", ".join(number(v, 3) for v in shares) for shares in (numbers.q, numbers.p))
    said = f"Truth q = ({q}), belief p = ({p}) for sun, cloud, rain."
    forward, reverse = (_words(w.kl, numbers.unit) for w in (numbers.forward, numbers.reverse))
    said += f" KL(q‖p) is {forward}, KL(p‖q) is {reverse}."
    for name, belief, part in (("q", "p", numbers.forward), ("p", "q", numbers.reverse)):
        if math.isinf(part.kl):
            day = DAYS[int(np.argmax(part.terms))]
            said += f" {day.capitalize()} happens under {name} and is impossible under {belief}:"
            said += " no code word is long enough."
    if math.isfinite(numbers.forward.kl) and max(map(abs, numbers.forward.terms)) > 1e-9:
        k = int(np.argmax(numbers.forward.terms))
        said += f" In KL(q‖p) {DAYS[k]} costs most, {number(numbers.forward.terms[k], 3)}."
    return said


def _words(value: float, unit: str) -> str:
    return f"{value:.6f} {unit}" if math.isfinite(value) else "infinite"


class TwoDistributions(Experiment):
    """Entropy, cross-entropy and both divergences of two distributions.  Lesson 08.

    >>> way = TwoDistributions.measure()
    >>> f"{way.forward.kl:.6f} {way.reverse.kl:.6f}"
    '0.296794 0.324287'
    """

    title = "Two distributions"
    controls = {
        "q_sun": Slider("q: sun", 70, 0, 100),
        "q_cloud": Slider("q: cloud", 20, 0, 100),
        "q_rain": Slider("q: rain", 10, 0, 100),
        "p_sun": Slider("p: sun", 50, 0, 100),
        "p_cloud": Slider("p: cloud", 50, 0, 100),
        "p_rain": Slider("p: rain", 50, 0, 100),
        "fade": Slider("p: rain ÷ 10 to the", 0, 0, FADES),
        "unit": Choice("unit", "nats", ("nats", "bits")),
    }
    rows = (("q_sun", "q_cloud", "q_rain"), ("p_sun", "p_cloud", "p_rain"), ("fade", "unit"))
    least = 480
    prediction = Prediction(
        "Days come from q = (0.7, 0.2, 0.1). A belief p says a third each: KL(q‖p) = 0.297 and KL(p‖q) = 0.324 nats, "
        "about the same. Now p forgets the rain: its share is divided by 10, again and again. Which one grows without "
        "end?",
        ("KL(q‖p)", "KL(p‖q)", "both", "neither"),
        "KL(q‖p)",
        "It averages over what really happens. One day in ten it rains, and p has a longer and longer word for that. "
        "KL(p‖q) averages over what p proposes, and p hardly proposes rain any more.",
        before={"fade": 0},
        after={"fade": 6, "q_sun": 70, "q_cloud": 20, "q_rain": 10, "p_sun": 50, "p_cloud": 50, "p_rain": 50},
    )  # fmt: skip
    challenge = Challenge(
        "Let KL(p‖q) be infinite while KL(q‖p) stays finite.",
        lambda numbers: math.isinf(numbers.reverse.kl) and math.isfinite(numbers.forward.kl),
        "p proposes a day that q never has. Under q nobody notices: q never asks for that day's word.",
    )
    compute, draw, say = staticmethod(compute), staticmethod(draw), staticmethod(say)
