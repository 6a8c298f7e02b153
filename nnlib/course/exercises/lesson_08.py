"""Lesson 08, information and regularisation: bits, KL and likelihood, the strength of a penalty, exact zeros, two paths."""

from __future__ import annotations

import math

import numpy as np

import nnlib as nn
from nnlib.distributions import Categorical, Poisson, kl_divergence

from ..probe import draw
from . import Exercise, Mistake


def given(q):
    return Categorical(probs=nn.tensor(q))


def entropy(q):
    return float(given(q).entropy().numpy()) / math.log(2)


def divergence(q, p):
    return float(kl_divergence(given(q), given(p)).numpy()) / math.log(2)


def coding(my, q, p):
    return {
        "entropy": lambda: my.entropy(q.copy()),
        "cross_entropy": lambda: my.cross_entropy(q.copy(), p.copy()),
        "divergence": lambda: my.divergence(q.copy(), p.copy()),
    }


X54 = Exercise(
    "X54", "Bits", lesson="08", cell="kl-text",
    probe=coding,
    cases=lambda rng: [(np.array([0.7, 0.2, 0.1]), np.full(3, 1 / 3)), (np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5]))]
    + [tuple(rng.dirichlet(np.ones(4), 2)) for _ in range(2)],
    reference={"entropy": entropy, "cross_entropy": lambda q, p: entropy(q) + divergence(q, p), "divergence": divergence},
    mistakes=[
        Mistake("nats", "These are nats. One nat is 1/ln 2 bits: take log₂.",
                {"entropy": lambda q: entropy(q) * math.log(2), "divergence": lambda q, p: divergence(q, p) * math.log(2),
                 "cross_entropy": lambda q, p: (entropy(q) + divergence(q, p)) * math.log(2)}, cell="surprise-text"),
        Mistake("symmetric", "This is the mean of the two directions. The days come from q, so only q weighs the price.",
                {"divergence": lambda q, p: (divergence(q, p) + (divergence(p, q) if q.all() else math.inf)) / 2}),
        Mistake("turned", "This is KL(p‖q), the price of believing q where p is true. It was the other way round.",
                {"divergence": lambda q, p: divergence(p, q)}),
        Mistake("negative", "H(q) − H(q, p) is minus the divergence. A wrong code costs more bits, never fewer.",
                {"divergence": lambda q, p: -divergence(q, p)}),
        Mistake("self-coded", "This averages over p. A cross-entropy averages the code lengths of p over the days of q.",
                {"cross_entropy": lambda q, p: entropy(p) + divergence(p, q)}, cell="wrong-code-text"),
        Mistake("zero", "Something is not a number: 0 · log 0 was computed for a day that never comes. It costs nothing; leave it out.",
                {"entropy": lambda q: entropy(q) if q.all() else math.nan, "cross_entropy": lambda q, p: math.nan,
                 "divergence": lambda q, p: divergence(q, p) if q.all() else math.nan}),
    ],
    hints=[
        "Entropy: the code length log₂(1/qₖ) averaged over q. Cross-entropy: the code length log₂(1/pₖ) averaged over q.",
        "Sum over the k with q[k] > 0 only.",
        "For q = (0.7, 0.2, 0.1) and equal thirds: 1.156780, 1.584963 and their difference 0.428183 bits.",
    ],
)  # fmt: skip


def poisson(rate):
    return Poisson(nn.tensor(float(rate), dtype=nn.float64))


def mean_nll(counts, rate):
    return float(-poisson(rate).log_prob(nn.tensor(counts.astype(float))).mean().numpy())


def shares_of(counts):
    values, times = np.unique(counts, return_counts=True)
    return values, times / len(counts)


def kl_from_data(counts, rate):
    values, q = shares_of(counts)
    return float((q * np.log(q)).sum()) + mean_nll(counts, rate)


def kl_from_model(counts, rate):
    values, q = shares_of(counts)
    model = np.exp(poisson(rate).log_prob(nn.tensor(values.astype(float))).numpy())
    return float((model * np.log(model / q)).sum())


def likelihoods(my, counts, rate, rates):  # the picture is asked for once, where there are rates
    return {
        "mean_nll": lambda: my.mean_nll(counts.copy(), rate),
        "kl_from_data": lambda: my.kl_from_data(counts.copy(), rate),
        "draw": lambda: draw(my.draw, counts, rates) if len(rates) else my.draw and None,
    }


def curves_judge(answer, counts, rate, rates):
    if not len(rates):
        return None
    if not answer["axes"] or len(answer["axes"][0]["lines"]) < 2:
        return "the figure should have two lines: the mean NLL first, then the divergence"
    lines = answer["axes"][0]["lines"][:2]
    for line in lines:
        if len(line["y"]) != len(rates) or not np.allclose(line["x"], rates):
            return "each line should have one point for each of the rates"
    nll = rates - counts.mean() * np.log(rates) + mean_nll(counts, 1.0) - 1.0
    for line, right, name in zip(lines, (nll, nll + kl_from_data(counts, 1.0) - mean_nll(counts, 1.0)), ("first", "second")):
        if not np.allclose(line["y"], right, rtol=1e-6, atol=2e-6):
            least = rates[int(np.argmin(line["y"]))]
            return f"the {name} line is not what was asked for; its minimum lies at the rate {least:g}, the mean of the counts is {counts.mean():.4g}"
    return None


def some_counts(rng):
    counts = rng.poisson(2.5, 40)
    return np.append(counts, [0, counts.max() + 2])  # a count between them does not occur


X55 = Exercise(
    "X55", "Likelihood measures a divergence", lesson="08", cell="mle-text", points=3,
    probe=likelihoods,
    cases=lambda rng: [(np.array([0, 0, 0, 1, 2]), 0.6, np.zeros(0)), (some_counts(rng), float(rng.uniform(1, 5)), np.arange(5, 61) / 10)],
    reference={"mean_nll": mean_nll, "kl_from_data": kl_from_data},
    judge={"draw": curves_judge},
    atol=2e-6,
    mistakes=[
        Mistake("from-model", "This is KL(model‖data): it averages over what the model proposes. Maximum likelihood averages over the data.",
                {"kl_from_data": kl_from_model}),
        Mistake("sum", "This is the sum over the observations. A divergence is a mean, so compare it with the mean NLL.",
                {"mean_nll": lambda counts, rate: mean_nll(counts, rate) * len(counts)}),
        Mistake("no-entropy", "This is the cross-entropy, equal to the mean NLL. The divergence takes off what no code can save, H(data).",
                {"kl_from_data": mean_nll}),
        Mistake("entropy-added", "The entropy of the data was added. The extra bits are what is left when it is taken off.",
                {"kl_from_data": lambda counts, rate: 2 * mean_nll(counts, rate) - kl_from_data(counts, rate)}),
        Mistake("zero-log", "Where a count does not occur, its frequency is 0, and NumPy makes 0 · log 0 nan. Sum over the values that occur.",
                {"kl_from_data": lambda counts, rate: kl_from_data(counts, rate) if np.bincount(counts).all() else math.nan}),
        Mistake("no-factorial", "The term log x! is missing. It does not move the best rate, but the value is off, and so is a divergence made from it.",
                {"mean_nll": lambda counts, rate: float(rate - counts.mean() * math.log(rate)),
                 "kl_from_data": lambda counts, rate: float((shares_of(counts)[1] * np.log(shares_of(counts)[1])).sum() + rate - counts.mean() * math.log(rate))}),
    ],
    hints=[
        "−log Pr(x) = rate − x log rate + log x!, averaged over the observations.",
        "np.unique(counts, return_counts=True) gives the values that occur and how often: their shares are the data's distribution.",
        "KL(data‖model) = Σ qₖ log(qₖ / model(k)) over the values that occur. It is the mean NLL minus the entropy of the shares.",
    ],
    after="One curve is the other, shifted. Whoever maximises a likelihood brings the model as near to the data as KL can see.",
)  # fmt: skip


def factors(lr, lam):
    """What one step of SGD on the penalty alone makes of w = 1: measured, not derived."""
    after = []
    for half in (1.0, 0.5):
        w = nn.tensor([1.0], dtype=nn.float64, requires_grad=True)
        (half * lam * (w * w).sum()).backward()
        after.append(float(1.0 - lr * w.grad[0]))
    return after


def decayed(my, lr, lam, s, N):
    def groups():
        net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2)).double()
        for p in net.parameters():
            p.data = np.ones(p.shape)
            p.grad = np.zeros(p.shape)
        nn.optim.SGD(my.groups(net, lam), lr=lr).step()
        return {name: float(p.data.mean()) for name, p in net.named_parameters()}

    return {
        "factors": lambda: my.factors(lr, lam),
        "strengths": lambda: my.strengths(s, N),
        "groups": groups,
    }


def grouped(choose):
    def groups(net, decay):
        named = list(net.named_parameters())
        return [{"params": [p for name, p in named if choose(name, p)], "weight_decay": decay},
                {"params": [p for name, p in named if not choose(name, p)], "weight_decay": 0.0}]  # fmt: skip

    return groups


X56 = Exercise(
    "X56", "How strong is a penalty", lesson="08", cell="decay-text", points=3,
    probe=decayed,
    cases=lambda rng: [(0.1, 0.01, 0.5, 60), (float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.1, 2)), int(rng.integers(20, 900)))],
    reference={"factors": factors, "strengths": lambda s, N: [0.5 * s**-2, 0.5 * s**-2 / N, s**-2 / N], "groups": grouped(lambda name, p: p.ndim > 1)},
    mistakes=[
        Mistake("no-rate", "The learning rate is missing: a step is η times the slope of the penalty.",
                {"factors": lambda lr, lam: [1 - 2 * lam, 1 - lam]}),
        Mistake("grows", "These factors are above 1, so the penalty would make the weights grow. The step goes against the slope.",
                {"factors": lambda lr, lam: [1 + 2 * lr * lam, 1 + lr * lam]}),
        Mistake("same", "Both got the same factor. The slope of λ‖w‖² is 2λw, that of λ/2 ‖w‖² is λw.",
                {"factors": lambda lr, lam: [1 - lr * lam, 1 - lr * lam]}),
        Mistake("swapped", "The two factors changed places: the form without the ½ shrinks twice as fast.",
                {"factors": lambda lr, lam: factors(lr, lam)[::-1]}),
        Mistake("no-half", "The ½ of the Gaussian's exponent w²/2s² is missing.",
                {"strengths": lambda s, N: [s**-2, s**-2 / N, 2 * s**-2 / N]}, cell="prior-text"),
        Mistake("times-n", "For the mean loss everything is divided by N, the penalty too: more data make it weaker.",
                {"strengths": lambda s, N: [0.5 * s**-2, 0.5 * s**-2 * N, s**-2 * N]}, cell="scale-text"),
        Mistake("decay-is-lambda", "weight_decay adds its number times w to the gradient, and the gradient of λ‖w‖² is 2λw: it is twice λ.",
                {"strengths": lambda s, N: [0.5 * s**-2, 0.5 * s**-2 / N, 0.5 * s**-2 / N]}),
        Mistake("everything", "The biases shrink too. Put them, and whatever normalisation has, into a group without decay.",
                {"groups": grouped(lambda name, p: True)}, cell="groups-text"),
        Mistake("norm-too", "The scale of the LayerNorm shrinks: it is called weight and is none. Matrices decay; what has one axis does not.",
                {"groups": grouped(lambda name, p: name.endswith("weight"))}, cell="groups-text"),
        Mistake("nothing", "Nothing decays: the group of the weights needs its weight_decay.",
                {"groups": grouped(lambda name, p: False)}, cell="groups-text"),
    ],
    hints=[
        "One step: w ← w − η · (slope of the penalty). Take w out of the bracket.",
        "−log N(w; 0, s²) = w²/2s² + constant. That is λ w² for the summed loss; divide by N for the mean.",
        "A list of two mappings, {'params': [...], 'weight_decay': decay} and {'params': [...], 'weight_decay': 0.0}. p.ndim counts axes.",
    ],
)  # fmt: skip


def soft(v, t):
    return v - np.clip(v, -t, t)


def l1_run(step):
    def run(w, targets, lr, lam, steps):
        for _ in range(steps):
            w = step(w, targets, lr, lam)
        return w

    return run


def smooth(w, targets, lr):
    return w - 2 * lr * (w - targets)


THREE = (np.ones(3), np.array([0.05, 1.0, -1.0]), 0.05, 0.2)


def leaves_at():
    w, targets, lr, lam = THREE
    step = 0
    while w[0]:
        step, w = step + 1, soft(smooth(w, targets, lr), lr * lam)
    return step


def zeros(my, w, targets, lr, lam, steps):
    def final(run):
        end = np.asarray(run(w.copy(), targets.copy(), lr, lam, steps), dtype=float)
        return {"weights": end, "exactly 0": end == 0}

    return {
        "subgradient": lambda: final(my.subgradient),
        "proximal": lambda: final(my.proximal),
        "first_zero": lambda: my.first_zero,
    }


def with_zeros(run):
    """A reference must not depend on a last digit: what is nearly 0 is 0."""
    return lambda *a: np.where(np.abs(end := run(*a)) < 1e-12, 0.0, end)


X57 = Exercise(
    "X57", "Exactly zero", lesson="08", cell="soft-text", points=3,
    probe=zeros,
    cases=lambda rng: [(*THREE, 200), (*THREE, 12), (np.array([0.9, -1.1, 0.7, -0.6]), np.array([0.03, -0.02, 1.3, -0.9]) + rng.uniform(0, 0.01, 4), 0.07, 0.3, 60)],
    reference={
        "subgradient": l1_run(lambda w, targets, lr, lam: smooth(w, targets, lr) - lr * lam * np.sign(w)),
        "proximal": with_zeros(l1_run(lambda w, targets, lr, lam: soft(smooth(w, targets, lr), lr * lam))),
        "first_zero": leaves_at(),
    },
    mistakes=[
        Mistake("threshold", "The threshold is λ itself. A step of rate η moves by ηλ.",
                {"proximal": l1_run(lambda w, targets, lr, lam: soft(smooth(w, targets, lr), lam))}),
        Mistake("sign-lost", "Negative weights came out positive: the size shrinks, and the sign stays.",
                {"proximal": l1_run(lambda w, targets, lr, lam: np.maximum(np.abs(smooth(w, targets, lr)) - lr * lam, 0))}),
        Mistake("clipped", "The weights were clipped to ±ηλ. That is the part to take off, not what is left.",
                {"proximal": l1_run(lambda w, targets, lr, lam: np.clip(smooth(w, targets, lr), -lr * lam, lr * lam))}),
        Mistake("through-zero", "Every weight was moved by ηλ towards 0 and some went beyond it. It stops at 0.",
                {"proximal": l1_run(lambda w, targets, lr, lam: (v := smooth(w, targets, lr)) - lr * lam * np.sign(v))}),
        Mistake("penalty-free", "The penalty has no effect here: these are steps on the squares alone.",
                dict.fromkeys(["subgradient", "proximal"], l1_run(lambda w, targets, lr, lam: smooth(w, targets, lr)))),
        Mistake("off-by-one", "One off: the weight after k steps counts as step k, and the start as step 0.", {"first_zero": leaves_at() - 1}),
    ],
    hints=[
        "The smooth part has the slope 2(w − target). np.sign(w) is the slope of |w|, and 0 at 0.",
        "Soft-thresholding: v minus v clipped to ±ηλ. Small values become exactly 0, the others move by ηλ.",
        "After 200 steps: 0.005989, 0.9, −0.9 along the slope, and 0, 0.9, −0.9 by proximal steps.",
    ],
    after="The minimum has the zero; only steps that solve the kink exactly arrive there.",
)  # fmt: skip


def l2_path(c, lams):
    return np.array([np.linalg.solve((1 + lam) * np.eye(len(c)), c) for lam in lams])


def l1_path(c, lams):
    return soft(np.tile(c, (len(lams), 1)), np.asarray(lams)[:, None] / 2)


def paths(my, c, lams):
    return {
        "l2_path": lambda: my.l2_path(c.copy(), lams.copy()),
        "l1_path": lambda: my.l1_path(c.copy(), lams.copy()),
        "all_gone": lambda: my.all_gone(c.copy()),
        "draw_paths": lambda: draw(my.draw_paths, c, lams),
    }


def paths_judge(answer, c, lams):
    axes = [ax for ax in answer["axes"] if ax["lines"]]
    if len(axes) != 2:
        return f"the figure should have two panels with lines, L2 on the left and L1 on the right; it has {len(axes)}"
    got = []
    for ax, name in zip(axes, ("left", "right")):
        lines = [line for line in ax["lines"] if len(line["y"]) == len(lams) and np.allclose(line["x"], lams)]
        if len(lines) != len(c):
            return f"the {name} panel should have {len(c)} lines, one for each weight, with a point for each λ; it has {len(lines)} of that kind"
        got.append(np.stack([line["y"] for line in lines], axis=1))
    if np.allclose(got[0], l1_path(c, lams)) and np.allclose(got[1], l2_path(c, lams)):
        return "panels-swapped"
    for values, right, name in zip(got, (l2_path(c, lams), l1_path(c, lams)), ("left", "right")):
        if not np.allclose(values, right, atol=1e-9):
            return f"the lines of the {name} panel are not the minimisers; at the largest λ they stand at {np.round(values[-1], 3).tolist()}"
    return None


X97 = Exercise(
    "X97", "Two ways to leave", lesson="08", cell="paths-text", points=3,
    probe=paths,
    cases=lambda rng: [(rng.permutation([1.4, -0.9, 0.5, -0.2]) * rng.uniform(0.8, 1.2), np.linspace(0, 2.5, 26))],
    reference={"l2_path": l2_path, "l1_path": l1_path, "all_gone": lambda c: 2 * np.abs(c).max()},
    judge={"draw_paths": paths_judge},
    mistakes=[
        Mistake("half-lambda", "The derivative of λw² is 2λw, and that of (w − c)² is 2(w − c): the twos cancel.",
                {"l2_path": lambda c, lams: c / (1 + lams[:, None] / 2)}),
        Mistake("subtracted", "L2 took a fixed amount off every weight. Its pull is in proportion to the weight, so all shrink by the same factor.",
                {"l2_path": l1_path}),
        Mistake("whole-lambda", "The threshold is λ. Set the slopes against each other: 2|w − c| = λ.",
                {"l1_path": lambda c, lams: l1_path(c, 2 * np.asarray(lams)), "all_gone": lambda c: np.abs(c).max()}),
        Mistake("beyond-zero", "Some weights changed sign as λ grew. A weight that has reached 0 stays there.",
                {"l1_path": lambda c, lams: c - np.sign(c) * np.asarray(lams)[:, None] / 2}),
        Mistake("sign-lost", "The negative weights came out positive.",
                {"l1_path": lambda c, lams: np.abs(l1_path(c, lams))}),
        Mistake("first-gone", "Here the first weight leaves. The last one is the one with the largest |c|.",
                {"all_gone": lambda c: 2 * np.abs(c).min()}),
        Mistake("panels-swapped", "The panels changed places: L2 on the left, L1 on the right."),
    ],
    hints=[
        "Each weight by itself: minimise (w − c)² + λw², and (w − c)² + λ|w|. Set the derivative to 0.",
        "For L1 and c > 0: while w > 0 the derivative is 2(w − c) + λ. When does its zero reach w = 0?",
        "L2: c/(1 + λ). L1: sign(c) · max(|c| − λ/2, 0), which is 0 from λ = 2|c| on.",
    ],
    after="Straight lines into zero on the right, curves that only bend towards it on the left. With correlated inputs the lines have kinks as well.",
)  # fmt: skip
