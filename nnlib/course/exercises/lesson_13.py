"""Lesson 13, normalisation and scale: layer norm there and back, what scaling leaves alone, depth, a batch norm's modes."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import draw
from . import Exercise, Mistake


def wide(a: Any) -> nn.Tensor:
    return nn.tensor(a, dtype=nn.float64, requires_grad=True)


# ------------------------------------------------------------------- X66


def layer_norms(my, z, gamma, beta, d, scalars):
    back = lambda i: my.layer_norm_back(d.copy(), z.copy(), gamma.copy(), 0.01)[i]
    return {
        "by_hand": lambda: my.by_hand,
        "layer_norm": lambda: my.layer_norm(z.copy(), gamma.copy(), beta.copy(), 0.01),
        "layer_norm_back: dz": lambda: back(0),
        "layer_norm_back: dgamma": lambda: back(1),
        "layer_norm_back: dbeta": lambda: back(2),
        "mean_and_std": lambda: [my.mean_and_std(*pair) for pair in scalars],
    }


def norm(z, gamma, beta, eps):
    return F.layer_norm(wide(z), z.shape[-1], wide(gamma), wide(beta), eps=eps).detach().numpy()


def norm_back(d, z, gamma, eps):
    leaves = wide(z), wide(gamma), wide(0 * gamma)
    F.layer_norm(leaves[0], z.shape[-1], *leaves[1:], eps=eps).backward(gradient=d)
    return [leaf.grad for leaf in leaves]


def standard(z, axis=1, ddof=0, eps=0.0, square_inside=False):
    mean = z.mean(axis, keepdims=True)
    m = z.shape[axis] - ddof
    square = (z - mean**2) if square_inside else (z - mean) ** 2
    with np.errstate(invalid="ignore"):
        return (z - mean) / np.sqrt(square.sum(axis, keepdims=True) / m + eps)


def wrongly(**how):
    """The names of somebody who takes another mean or deviation."""
    def wrong(z, gamma, beta, eps):
        return beta + gamma * standard(z, eps=eps, **how)

    return {"layer_norm": wrong, "by_hand": standard(FOUR[None], ddof=how.get("ddof", 0))[0]}


def constant_back(d, z, gamma, eps):
    return [gamma * d / np.sqrt(z.var(1, keepdims=True) + eps), *norm_back(d, z, gamma, eps)[1:]]


def no_gamma_back(d, z, gamma, eps):
    return [norm_back(d, z, np.ones_like(gamma), eps)[0], *norm_back(d, z, gamma, eps)[1:]]


FOUR = np.array([1.0, 2, 3, 6])

X66 = Exercise(
    "X66", "Layer norm by hand", lesson="13", cell="lns-text", points=4,
    probe=layer_norms,
    cases=lambda rng: [
        (rng.normal(size=(n, m)).round(2) + 1, rng.normal(size=m).round(2), rng.normal(size=m).round(2),
         rng.normal(size=(n, m)).round(2), [[2.0, 5.0], [-2.0, 5.0], [float(rng.uniform(-3, -1)), float(rng.normal())]])
        for n, m in ((4, 4), (3, 6))
    ],
    rtol=1e-4,
    reference={"by_hand": norm(FOUR, np.ones(4), np.zeros(4), 0.0), "layer_norm": norm, "layer_norm_back": norm_back,
               "mean_and_std": lambda gamma, beta: [beta, abs(gamma)]},
    mistakes=[
        Mistake("unbiased", "The variance is divided by m − 1. Layer norm divides by m, so that the mean square comes out as 1.",
                wrongly(ddof=1), cell="slip-sum"),
        Mistake("square-inside", "This is the formula with the slip: the difference is squared, not the mean.",
                {"layer_norm": wrongly(square_inside=True)["layer_norm"]}, cell="slip-square"),
        Mistake("batch", "Mean and variance run over the examples. Layer norm looks at one example, and at all of its entries.",
                {"layer_norm": wrongly(axis=0)["layer_norm"]}, cell="family-text"),
        Mistake("constants", "This treats mean and deviation as constants. They depend on z, and that takes two more terms.",
                {"layer_norm_back": constant_back}, cell="backward-text"),
        Mistake("no-gamma", "γ is missing on the way back: g = γ·d first, then the rest.",
                {"layer_norm_back": no_gamma_back}, cell="backward-text"),
        Mistake("negative-std", "A standard deviation is never negative: what does a negative γ do to the values?",
                {"mean_and_std": lambda gamma, beta: [beta, gamma]}, cell="affine-text"),
    ],
    hints=[
        "Mean 3, deviations −2, −1, 0, 3, mean of their squares 3.5. Divide the deviations by its root.",
        "Means over axis 1 with keepdims=True; the parameters' gradients are sums over the examples.",
        "dz = (g − mean(g) − o·mean(g·o))/σ with g = γ·d, o the normalised values, σ with ε under the root.",
    ],
    after="Two means and no matrix: the full Jacobian would have m² entries for every example.",
)  # fmt: skip


# ------------------------------------------------------------------- X67


def invariances(my, W, b, x, alpha, z, v):
    return {
        "rescale": lambda: my.rescale(W.copy(), b.copy(), alpha),
        "holds": lambda: my.holds,
        "pre_norm": lambda: my.pre_norm(z.copy(), alpha),
        "post_norm": lambda: my.post_norm(z.copy(), v.copy(), alpha),
        "gradient_at": lambda: my.gradient_at(W.copy(), alpha),
        "rate": lambda: my.rate(0.02, alpha),
    }


def plain_norm(z):
    return norm(z, np.ones_like(z), np.zeros_like(z), 0.0)


def rescale_judge(answer, W, b, x, alpha, z, v):
    W2, b2 = (np.asarray(a, float) for a in answer)
    if (W2.shape, b2.shape) != (W.shape, b.shape):
        return f"expected arrays of shapes {W.shape} and {b.shape}, got {W2.shape} and {b2.shape}"
    if not np.isclose(np.linalg.norm(W2), alpha * np.linalg.norm(W)):
        return "the new weights should be alpha times as long as the old ones"
    if not np.allclose(plain_norm((x @ W2.T + b2)[0]), plain_norm((x @ W.T + b)[0])):
        return "weights-only" if np.allclose(b2, b) else "the output of the norm is another one with these weights and biases"
    return None


HOLDS = [True, False, False, False, False, True]
CLAIMS = {1: "weights-too", 2: "negative", 3: "epsilon", 4: "residual"}


def holds_judge(answer, *case):
    if not isinstance(answer, list) or len(answer) != 6 or not all(isinstance(one, bool) for one in answer):
        return f"holds: expected a list of six True or False, got {answer!r}"
    for place, (mine, right) in enumerate(zip(answer, HOLDS)):
        if mine != right:
            return CLAIMS.get(place, "doubt")
    return None


X67 = Exercise(
    "X67", "What the scale changes, and what not", lesson="13", cell="invariance-text", points=4,
    probe=invariances,
    cases=lambda rng: [(rng.normal(size=(5, 3)).round(2), rng.normal(size=5).round(2), rng.normal(size=(1, 3)).round(2), alpha, z, v)
                       for alpha, z, v in ((2.0, FOUR, FOUR[::-1].copy()),
                                           (float(rng.uniform(0.1, 5)), rng.normal(size=6), rng.normal(size=6)))],
    reference={
        "pre_norm": lambda z, alpha: z + alpha * plain_norm(z), "post_norm": lambda z, v, alpha: plain_norm(z + alpha * v),
        "gradient_at": lambda g, alpha: g / alpha, "rate": lambda lr, alpha: lr * alpha**2,
    },
    judge={"rescale": rescale_judge, "holds": holds_judge},
    called={"pre_norm": lambda W, b, x, alpha, z, v: (z, alpha), "post_norm": lambda W, b, x, alpha, z, v: (z, v, alpha),
            "rate": lambda W, b, x, alpha, z, v: (0.02, alpha)},
    mistakes=[
        Mistake("weights-only", "The biases were left as they are. Then their share in z is another one, and the norm sees it.",
                cell="limits-run"),
        Mistake("weights-too", "One of the statements scales W alone. Try it: the bias then counts for less.", cell="limits-run"),
        Mistake("negative", "One of the statements has a negative factor. What does LN-S do when all signs turn?", cell="euler-text"),
        Mistake("epsilon", "One of the statements has an ε and a tiny scale. Compare ε with the variance.", cell="slip-epsilon"),
        Mistake("residual", "One of the statements is about a residual net. Its identity path is not scaled.", cell="slip-whole"),
        Mistake("doubt", "A statement that does hold is denied: the factor cancels where W and b grow together and ε is 0."),
        Mistake("inside", "The input was scaled as well. α belongs to the branch only.",
                {"pre_norm": lambda z, alpha: alpha * (z + plain_norm(z)),
                 "post_norm": lambda z, v, alpha: plain_norm(alpha * (z + v))}, cell="slip-whole"),
        Mistake("longer", "At α times the weights a change of W by the same step matters less, so the gradient is shorter, not longer.",
                {"gradient_at": lambda g, alpha: g * alpha}, cell="euler-text"),
        Mistake("same-gradient", "The loss is the same at (αW, αb), its gradient is not.",
                {"gradient_at": lambda g, alpha: g}, cell="euler-text"),
        Mistake("one-factor", "Relative to the weights a step is shorter twice: by 1/α because they are longer, by 1/α since the gradient is shorter.",
                {"rate": lambda lr, alpha: lr * alpha}, cell="euler-after"),
        Mistake("smaller-rate", "This makes the steps smaller still. With large weights they are too small already.",
                {"rate": lambda lr, alpha: lr / alpha**2}, cell="euler-after"),
    ],
    hints=[
        "Multiply z = xWᵀ + b by α: mean and deviation grow by α as well. Which changes of W and b do that?",
        "Write LN-S in one line of NumPy and try the statements; 1/1000 with ε = 1e-5 and a negative factor too.",
        "f(αW) = f(W) for all α: differentiate both sides by W. For the rate, let W grow by α and ask that the step grow by α too.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X92


def depth(my, x, weights, scales):
    from nnlib.widgets import DepthAndScale

    def experiment():
        found = DepthAndScale.measure(**dict(my.thousandth))
        return {"layers": len(found.forward), "activation": str(found.activation), "norm": str(found.norm),
                "ratio": float(found.forward[-1] / found.forward[0])}  # fmt: skip

    return {
        "spread, ReLU": lambda: my.spread(x.copy(), [w.copy() for w in weights], lambda z: np.maximum(z, 0)),
        "spread, tanh": lambda: my.spread(x.copy(), [w.copy() for w in weights], np.tanh),
        "draw": lambda: draw(my.draw, x, weights, scales),
        "factor": lambda: my.factor(float(weights[0].std() * 10)),
        "thousandth": experiment,
    }


def spread(x, weights, phi, of=np.std, before=False, start=False):
    sizes, h = [float(of(x))] if start else [], x
    for w in weights:
        z = h @ w.T
        h = phi(z)
        sizes.append(float(of(z if before else h)))
    return sizes


def relu(z):
    return np.maximum(z, 0)


def draw_judge(answer, x, weights, scales):
    if len(answer["axes"]) != 1:
        return f"draw: expected one picture, got {len(answer['axes'])}"
    ax = answer["axes"][0]
    if len(ax["lines"]) != len(scales):
        return f"draw: expected one line for each of the {len(scales)} scales, got {len(ax['lines'])}"
    for line, scale in zip(ax["lines"], scales):
        scaled = [scale * w for w in weights]
        right = spread(x, scaled, relu)
        if len(line["y"]) == len(right) + 1:
            return "draw: a line has one point too many; it begins with layer 1"
        if len(line["y"]) != len(right):
            return f"draw: a line should have {len(right)} points, one for each layer; one has {len(line['y'])}"
        if not np.allclose(line["y"], right, rtol=1e-6):
            return "pre-activation" if np.allclose(line["y"], spread(x, scaled, relu, before=True)) else (
                f"draw: the line for the scale {scale:g} does not show the deviations of the ReLU net with weights times {scale:g}")
        if not np.allclose(line["x"], np.arange(1, len(right) + 1)):
            return "draw: the layers are numbered 1, 2, 3 …"
    return None if ax["yscale"] == "log" else "linear-axis"


def thousandth_judge(answer, *case):
    if (answer["layers"], answer["activation"], answer["norm"]) != (30, "ReLU", "none"):
        return (f"thousandth: asked for 30 layers, ReLU, norm none; "
                f"yours has {answer['layers']}, {answer['activation']}, {answer['norm']}")  # fmt: skip
    if 1 / 3000 <= answer["ratio"] <= 1 / 300:
        return None
    if 1 / 60 <= answer["ratio"] <= 1 / 12:
        return "variance"
    return f"thousandth: from layer 1 to layer 30 the activations change by the factor {answer['ratio']:.3g}"


def spread_names(**how):
    return {"spread": partial(spread, **how)}


X92 = Exercise(
    "X92", "How the first scale travels", lesson="13", cell="depth-text", points=4,
    probe=depth,
    cases=lambda rng: [(rng.normal(size=(40, 30)), [rng.normal(size=(30, 30)) / math.sqrt(30) for _ in range(8)], [0.5, 1.4142, 3.0])],
    reference={"spread": spread, "factor": lambda scale: scale / math.sqrt(2)},
    judge={"draw": draw_judge, "thousandth": thousandth_judge},
    mistakes=[
        Mistake("pre-activation", "These are the deviations of the pre-activations z. Asked for are the activations, after φ.",
                spread_names(before=True)),
        Mistake("input-too", "The list begins with the input. It begins with layer 1.", spread_names(start=True)),
        Mistake("squared", "These are variances, the squares of what is asked for.", spread_names(of=np.var)),
        Mistake("linear-axis", "On a linear axis everything but the largest line lies on the floor: give the deviations a logarithmic axis."),
        Mistake("no-half", "ReLU halves the mean square on average: half of the values become 0.",
                {"factor": lambda scale: scale}),
        Mistake("half", "This is the factor of the mean square. The deviation's is its root.",
                {"factor": lambda scale: scale**2 / 2}),
        Mistake("variance", "Here the *mean square* falls to about a thousandth; the size itself falls with its root."),
    ],
    hints=[
        "z = h @ w.T, h = phi(z), h.std(): three lines in a loop, h starting as x.",
        "draw: for each scale spread(x, [scale * w for w in weights], ReLU) against 1, 2, …, and ax.set_yscale('log').",
        "Weights of standard deviation s/√n make E z² = s²·E h²; ReLU keeps half of it. From layer 1 to layer 30 there are 29 steps.",
    ],
    after="√2 is the only scale at which ReLU neither dies nor explodes; a norm makes you forget all of this.",
)  # fmt: skip


# ------------------------------------------------------------------- X93


def two_modes(my, batches, single):
    def play():
        norm = my.Norm(batches[0].shape[1])
        told: dict[str, list] = {"outputs": [], "means": [], "variances": []}

        def note(out):
            told["outputs"].append(np.array(out, dtype=float))
            told["means"].append(np.array(norm.mean, dtype=float))
            told["variances"].append(np.array(norm.var, dtype=float))

        for batch in batches[:3]:
            note(norm(batch.copy()))
        norm.training = False
        note(norm(batches[3].copy()))
        note(norm(single.copy()))
        norm.training = True
        note(norm(batches[3].copy()))
        return told

    told: list = []

    def once(which):
        if not told:
            told.append(play())
        return told[0][which]

    return {
        "training: outputs": lambda: once("outputs")[:3],
        "training: running mean": lambda: once("means")[:3],
        "training: running variance": lambda: once("variances")[:3],
        "evaluation: outputs": lambda: once("outputs")[3:5],
        "evaluation: running values": lambda: [once("means")[4], once("variances")[4]],
        "training again": lambda: [once("outputs")[5], once("means")[5], once("variances")[5]],
    }


class Norm:
    """nnlib's BatchNorm1d in the exercise's clothes, with what a mistake would change."""

    def __init__(self, m, momentum=0.1, ddof=1, frozen=True, stored=True, eager=False):
        self.layer = nn.BatchNorm1d(m, momentum=momentum, affine=False).double()
        self.training, self.ddof, self.frozen, self.stored, self.eager = True, ddof, frozen, stored, eager

    mean = property(lambda self: np.asarray(self.layer.running_mean))
    var = property(lambda self: np.asarray(self.layer.running_var))

    def __call__(self, x):
        n, update = len(x), self.training or not self.frozen
        if update and n > 1:
            self.layer.train(True)
            normal = self.layer(nn.tensor(x, dtype=nn.float64)).detach().numpy()
            if self.ddof == 0:  # n/(n − 1) times the biased variance is the unbiased one
                self.layer.running_var = self.var - self.layer.momentum * x.var(0) / (n - 1)
            if self.training and not self.eager:
                return normal
        if self.training or self.stored:
            return (x - self.mean) / np.sqrt(self.var + 1e-5)
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)


X93 = Exercise(
    "X93", "The two modes of a batch norm", lesson="13", cell="batch-text", points=3,
    probe=two_modes,
    cases=lambda rng: [([rng.normal(1, 2, size=(n, 3)).round(2) for n in (8, 6, 5, 7)], rng.normal(1, 2, size=(1, 3)).round(2))],
    reference={"Norm": Norm},
    mistakes=[
        Mistake("batch-in-eval", "In evaluation the batch's own mean and variance are used. One single example has no variance at all.",
                {"Norm": partial(Norm, stored=False)}),
        Mistake("learns-in-eval", "The running values move in evaluation too: the test data leak into the network.",
                {"Norm": partial(Norm, frozen=False)}),
        Mistake("biased", "The running variance takes the batch's variance divided by n − 1: it is an estimate for data not yet seen.",
                {"Norm": partial(Norm, ddof=0)}),
        Mistake("swapped", "Momentum 0.1 is the share of the new batch; the old value keeps 0.9.", {"Norm": partial(Norm, momentum=0.9)}),
        Mistake("running-in-training", "In training the batch's own mean and variance normalise; the running ones are only updated.",
                {"Norm": partial(Norm, eager=True)}),
    ],
    hints=[
        "In training four things happen: mean and variance of the batch, the update of self.mean and self.var, and the normalised output.",
        "Two variances: x.var(0) normalises, x.var(0, ddof=1) goes into the running one.",
        "In evaluation nothing is measured and nothing changes: (x − self.mean)/√(self.var + 1e-5).",
    ],
    after="Of the three norms this is the only one with a memory, and eval() is the switch that is forgotten most.",
)  # fmt: skip
