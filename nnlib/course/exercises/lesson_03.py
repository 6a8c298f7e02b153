"""Lesson 03, activations: a sigmoid that survives, tanh from it, a bank of eight, GELU's turn, which of them increase."""

from __future__ import annotations

import math

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import calls, draw
from ..verdict import kind_of
from . import Exercise, Mistake


def sigmoid(z):
    return np.exp(-np.logaddexp(0, -np.asarray(z)))


def scores(rng):
    return [(np.array([-1000.0, -700.0, -40.0, -20.5, 0.0, 20.5, 40.0, 1000.0]),), (rng.normal(size=(3, 4)) * 4,)]


X06 = Exercise(
    "X06", "A sigmoid that survives", lesson="03", cell="stable-text",
    probe=calls("sigmoid"),
    cases=scores,
    reference={"sigmoid": sigmoid},
    rtol=1e-9, atol=0.0, quiet=True,
    mistakes=[
        Mistake("naive", "The values are right, but e was raised to a large positive power on the way, perhaps in a branch of np.where that is thrown away.",
                {"sigmoid": lambda z: 1 / (1 + np.exp(-z))}),
        Mistake("clipped", "Clipping the input avoids the overflow and falsifies every score beyond the clip: σ(−40) is far smaller than σ(−20).",
                {"sigmoid": lambda z: sigmoid(np.clip(z, -20, 20))}),
        Mistake("tanh-only", "tanh(z/2) runs from −1 to 1. It still has to be squeezed into 0 … 1.",
                {"sigmoid": lambda z: np.tanh(z / 2)}, cell="tanh-relation"),
        Mistake("tanh-form", "Nothing overflows, but 1 + tanh(−20) is rounded: the tiny results on the left lose all their digits.",
                {"sigmoid": lambda z: (1 + np.tanh(z / 2)) / 2}, cell="sure-run"),
    ],
    hints=[
        "u = e^−|z| is never above 1. For z ≥ 0 the sigmoid is 1/(1 + u). What is it for z < 0, in terms of u?",
        "Above and below multiplied with e^z: for z < 0 it is u/(1 + u).",
        "np.where(z >= 0, 1.0, u) picks the numerator; the denominator is the same on both sides.",
    ],
    after="Both branches share one exponential that can only underflow, and an underflow to 0 is harmless here.",
)  # fmt: skip


def from_each_other(my, z):
    def curve(t):  # another S: curve(−t) = 1 − curve(t), and it is not the sigmoid
        return 0.5 + t / (2 + 2 * abs(t))

    def real(t):
        return 1 / (1 + np.exp(-t))

    def bend(t):  # another odd curve from −1 to 1
        return t / (1 + abs(t))

    return {
        "tanh_from": lambda: [my.tanh_from(real, z), my.tanh_from(curve, z)],
        "sigma_from": lambda: [my.sigma_from(np.tanh, z), my.sigma_from(bend, z)],
    }


def tanh_from(sigma, z):
    return sigma(2 * z) - sigma(-2 * z)


X07 = Exercise(
    "X07", "tanh from the sigmoid, and back", lesson="03", cell="tanh-text",
    probe=from_each_other,
    cases=lambda rng: [(np.array([-2.0, -0.5, 0.0, 0.25, 3.0]),), (rng.normal(size=6).round(3),)],
    reference={"tanh_from": tanh_from, "sigma_from": lambda tanh, z: 0.5 - tanh(-z / 2) / 2},
    mistakes=[
        Mistake("no-inner", "The heights are right and the slope is not: tanh is steeper, so the input must be scaled as well.",
                {"tanh_from": lambda s, z: 2 * s(z) - 1, "sigma_from": lambda t, z: (1 + t(z)) / 2}),
        Mistake("no-outer", "This still runs from 0 to 1. tanh runs from −1 to 1.", {"tanh_from": lambda s, z: s(2 * z)}),
        Mistake("shift-up", "This runs from 1 to 3: the shift goes the other way.", {"tanh_from": lambda s, z: 2 * s(2 * z) + 1}),
        Mistake("not-used", "This computes the curve without the function that was given. Try it with another one in its place.",
                {"tanh_from": lambda s, z: np.tanh(z), "sigma_from": lambda t, z: sigmoid(z)}),
        Mistake("not-squeezed", "This runs from −1 to 1, and the sigmoid from 0 to 1.", {"sigma_from": lambda t, z: t(z / 2)}),
    ],
    hints=[
        "Multiply numerator and denominator of tanh by e^−z. Where have you seen 1/(1 + e^−2z)?",
        "(1 − q)/(1 + q) = 2/(1 + q) − 1, with q = e^−2z.",
        "For the way back solve your equation for σ, then write z/2 in place of z.",
    ],
)  # fmt: skip


ALPHA = 2.0
ENGINE = {
    "sigmoid": F.sigmoid, "tanh": F.tanh, "relu": F.relu, "leaky_relu": lambda t: F.leaky_relu(t, 0.1),
    "elu": lambda t: F.elu(t, ALPHA), "softplus": F.softplus, "gelu": F.gelu, "silu": F.silu,
}  # fmt: skip


def by_engine(phi, z):
    t = nn.tensor(np.asarray(z, float), requires_grad=True)
    h = phi(t)
    return h.detach().numpy(), nn.grad(h.sum(), t)[0]


def bank(name, z):
    return by_engine(ENGINE[name], z)


def bank_but(name, value=None, slope=None):
    """The bank with one activation's value or slope replaced."""

    def spoiled(asked, z):
        right = bank(asked, z)
        if asked != name:
            return right
        return (value(z) if value else right[0]), (slope(z) if slope else right[1])

    return {"bank": spoiled}


def gelu_tanh(t):
    return F.gelu(t, approximate="tanh")


def the_bank(my, z):
    names = "sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "silu"
    return {name: lambda name=name: my.bank(name, z) for name in names}


X08 = Exercise(
    "X08", "A bank of activations", lesson="03", cell="gallery-text", points=4,
    probe=the_bank,
    cases=lambda rng: [(np.sort([-3.0, -1.0, 0.0, 1.0, 3.0, *(rng.normal(size=6) * 2).round(2)]),)],
    reference={"bank": bank},
    mistakes=[
        Mistake("leaky-side", "The small slope belongs to the left side, z ≤ 0; the right side passes unchanged.",
                bank_but("leaky_relu", lambda z: np.where(z > 0, 0.1 * z, z), lambda z: np.where(z > 0, 0.1, 1.0)), cell="leaky-text"),
        Mistake("elu-slope", "On the left ELU flattens out, so its slope falls with e^z. It is α only at 0 itself.",
                bank_but("elu", slope=lambda z: np.where(z > 0, 1.0, ALPHA)), cell="elu-text"),
        Mistake("gelu-tanh", "This is the tanh form of GELU, off in the fourth decimal. Asked for is the form with erf.",
                {"bank": lambda name, z: by_engine(gelu_tanh, z) if name == "gelu" else bank(name, z)}, cell="gelu-text"),
        Mistake("kink", "At exactly 0 the slope of ReLU is taken from the left in this course.",
                bank_but("relu", slope=lambda z: (z >= 0) * 1.0), cell="kink-after"),
        Mistake("gelu-slope", "GELU is a product of z and a probability, and both depend on z: the slope has two terms.",
                bank_but("gelu", slope=lambda z: 0.5 + 0.5 * np.array([math.erf(v / 2**0.5) for v in z])), cell="gelu-text"),
        Mistake("silu-slope", "SiLU is a product of z and σ(z), and both depend on z: the slope has two terms.",
                bank_but("silu", slope=sigmoid)),
    ],
    hints=[
        "Write values first and slopes second. Central differences, (φ(z + 1e-6) − φ(z − 1e-6))/2e-6, tell you whether a slope is right.",
        "For products use the product rule: (z·g(z))′ = g(z) + z·g′(z). GELU has g = Φ, the normal distribution function, with g′(z) = e^(−z²/2)/√(2π).",
        "softplus′ = σ; tanh′ = 1 − tanh²; ELU′ = α e^z on the left; σ′ = σ(1 − σ).",
    ],
)  # fmt: skip


def bisect(phi, low, high, level):
    """Where the slope of phi passes level, rising from low to high (or falling, low > high)."""
    for _ in range(60):
        middle = (low + high) / 2
        if by_engine(phi, [middle])[1][0] < level:
            low = middle
        else:
            high = middle
    return low


def bend(phi, low, high):
    """Where the slope of phi is largest: golden enough for four digits."""
    for _ in range(6):
        grid = np.linspace(low, high, 101)
        best = int(np.argmax(by_engine(phi, grid)[1]))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 100)]
    return (low + high) / 2


TURN, TURN_TANH = bisect(F.gelu, -2, 0, 0), bisect(gelu_tanh, -2, 0, 0)


def gelu_picture(my):
    return {"turn": lambda: my.turn, "steepest": lambda: my.steepest, "draw": lambda: draw(my.draw)}


def slope_judge(answer):
    if not answer["axes"] or not answer["axes"][0]["lines"]:
        return "the figure has no line. Plot the slope of GELU against z."
    line = answer["axes"][0]["lines"][0]
    x, y = line["x"], line["y"]
    if len(x) < 100 or x.min() > -3.99 or x.max() < 3.99:
        return f"the line should run from −4 to 4 in at least 100 points; yours has {len(x)}, from {min(x):g} to {max(x):g}"
    value, slope = by_engine(F.gelu, x)
    if np.allclose(y, slope, atol=3e-3):
        return None
    if np.allclose(y, value, atol=3e-3):
        return "not-slope"
    place = int(np.argmax(abs(y - slope)))
    return f"at z = {x[place]:.2f} your curve says {y[place]:.4f}, and that is not the slope there"


X09 = Exercise(
    "X09", "Where GELU turns", lesson="03", cell="gelu-dip", points=3,
    probe=gelu_picture,
    reference={"turn": TURN, "steepest": math.sqrt(2)},
    judge={"draw": slope_judge},
    rtol=1e-4,
    mistakes=[
        Mistake("minus-one", "Close, and not there: at −1 the slope is −0.083.", {"turn": -1.0}),
        Mistake("tanh-form", "This is the place for the tanh form. Asked for is the form with erf, the library's default.",
                {"turn": TURN_TANH, "steepest": bend(gelu_tanh, 1, 2)}),
        Mistake("value", "This is what the function or its slope is worth there. The question is where: a z.",
                {"turn": by_engine(F.gelu, [TURN])[0][0], "steepest": by_engine(F.gelu, [2**0.5])[1][0]}),
        Mistake("not-slope", "This is GELU itself. Draw its slope."),
    ],
    hints=[
        "The slope is negative left of the turn and positive right of it: halve an interval again and again.",
        "Where the slope is largest, its own slope is 0. Read the rough place off your picture and refine.",
        "GELU″(z) = (2 − z²)·e^(−z²/2)/√(2π). For which positive z is it 0?",
    ],
    after="Right of √2 GELU is still steeper than 1: it must catch up with z.",
)  # fmt: skip


PAPER = {
    "step": F.step, "sigmoid": F.sigmoid, "tanh": F.tanh, "ReLU": F.relu, "leaky ReLU": F.leaky_relu, "ELU": F.elu,
    "softplus": F.softplus, "GELU": F.gelu,
}  # fmt: skip
FALLS = {"step", "ReLU", "GELU"}


def witness_judge(answer):
    if not isinstance(answer, dict):
        return f"witness is a dictionary with one entry for each function, got {kind_of(answer)}"
    if set(answer) != set(PAPER):
        return f"witness has the keys {', '.join(answer)}; wanted are {', '.join(PAPER)}"
    for name, pair in answer.items():
        if pair is None:
            if name in FALLS:
                return {"ReLU": "relu-strict", "GELU": "gelu-strict"}.get(name, f"{name}: there is a pair, look again")
            continue
        low, high = map(float, pair)
        if not -math.inf < low < high < math.inf:
            return f"{name}: the pair is (smaller z, larger z), got ({low:g}, {high:g})"
        at = PAPER[name](nn.tensor(np.array([low, high]))).numpy()
        if name not in FALLS:
            if at[0] >= at[1]:
                return "rounding"
            return "leaky" if name == "leaky ReLU" else f"{name}: φ({low:g}) = {at[0]:.4g} is smaller than φ({high:g}) = {at[1]:.4g}"
        if at[0] < at[1]:
            return f"{name}: φ({low:g}) = {at[0]:.4g} is smaller than φ({high:g}) = {at[1]:.4g}, so this pair proves nothing"
    return None


def witnesses(my):
    return {"witness": lambda: my.witness}


X10 = Exercise(
    "X10", "Strictly increasing?", lesson="03", cell="slip-strict",
    probe=witnesses,
    judge=witness_judge,
    mistakes=[
        Mistake("relu-strict", "ReLU is said to be strictly increasing, as on the slide. Compare two negative inputs."),
        Mistake("gelu-strict", "GELU is said to be strictly increasing. Walk along it from far left to 0 and watch the sign of its slope.", cell="gelu-dip"),
        Mistake("leaky", "Leaky ReLU climbs on the left as well, slowly: a larger z gives a larger value there too.", cell="leaky-text"),
        Mistake("rounding", "The computer rounds both values to the same number. On paper they differ, so this is no witness.", cell="sure-run"),
    ],
    hints=[
        "A function is strictly increasing if a larger z always gives a larger value. One pair z₁ < z₂ with φ(z₁) ≥ φ(z₂) refutes it.",
        "Three of the eight have such a pair. One of them is flat on a whole side, one dips, one jumps.",
    ],
)  # fmt: skip
