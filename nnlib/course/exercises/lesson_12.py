"""Lesson 12, training: SGD, batches, momentum, valleys, stop rules, learned features, width against depth."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import calls, draw
from . import Exercise, Mistake


def wide(a: Any, grad: bool = False) -> nn.Tensor:
    return nn.tensor(a, dtype=nn.float64, requires_grad=grad)


# ------------------------------------------------------------------- X58


def per_example(x, y, order, lr, lam, sign=-1, all_of_them=False, penalised=("w",)):
    """(w, b) after each step, by the engine."""
    w, b, path = wide(0.0, True), wide(0.0, True), []
    for n in order:
        rows = slice(None) if all_of_them else slice(n, n + 1)
        loss = F.mse_loss(w * wide(x[rows]) + b, wide(y[rows]))
        for name, p in (("w", w), ("b", b)):
            loss = loss + lam * p * p if name in penalised else loss
        grads = nn.grad(loss, [w, b])
        w, b = (wide(float(p.data + sign * lr * g), True) for p, g in zip((w, b), grads))
        path.append([w.item(), b.item()])
    return np.array(path)


X58 = Exercise(
    "X58", "One example at a time", lesson="12", cell="example-text",
    probe=calls("sgd"),
    cases=lambda rng: [
        (np.array([0.0, 1, 2]), np.array([1.0, 2, 4]), [0, 1, 2], 0.1, 0.01),
        *((rng.normal(size=n).round(2), rng.normal(size=n).round(2), rng.integers(0, n, size=7).tolist(), 0.05, 0.3) for n in (4, 6)),
    ],
    reference={"sgd": per_example},
    mistakes=[
        Mistake("uphill", "Δ already points downhill, and w moves by +ηΔ. Here the steps go uphill.",
                {"sgd": partial(per_example, sign=1)}),
        Mistake("no-penalty", "The regulariser is left out of Δ.", {"sgd": partial(per_example, penalised=())}),
        Mistake("half-penalty", "The derivative of λw² is 2λw.", {"sgd": lambda x, y, o, lr, lam: per_example(x, y, o, lr, lam / 2)}),
        Mistake("bias-too", "The bias is penalised as well. Ω is w² alone.", {"sgd": partial(per_example, penalised=("w", "b"))}),
        Mistake("full", "Each step used all points. One example at a time: that is the S in SGD.",
                {"sgd": partial(per_example, all_of_them=True)}),
    ],
    hints=[
        "r = w·x[n] + b − y[n]. The gradient of r² is 2r·x[n] by w and 2r by b.",
        "Δ_w = −2r·x[n] − λ·2w and Δ_b = −2r; both with the old w and b.",
        "The points (0, 1), (1, 2), (2, 4) in this order end at w = 1.44728, b = 1.104.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X59


def batches(my, N, B, seed, theta, grads, lr):
    def two_epochs():
        rng = np.random.default_rng(seed)
        return [[np.asarray(part).tolist() for part in my.epoch(N, B, rng)] for _ in range(2)]

    return {
        "epoch": two_epochs,
        "mean_step": lambda: my.mean_step(theta.copy(), grads.copy(), lr),
        "sum_rate": lambda: my.sum_rate(lr, B),
    }


def epoch_judge(answer, N, B, *rest):
    for parts in answer:
        if not all(isinstance(i, int) for part in parts for i in part):
            return "epoch: a batch is a list or an array of whole numbers"
        flat = sorted(i for part in parts for i in part)
        if flat and (flat[0] < 0 or flat[-1] >= N):
            return f"epoch: the places of {N} examples are 0 … {N - 1}"
        if flat != list(range(N)):
            kept = len(flat) == len(set(flat)) == N // B * B
            return "drops" if kept and N % B else "replacement" if len(flat) > len(set(flat)) else (
                f"epoch: each of the {N} examples belongs into exactly one batch")
        sizes = [len(part) for part in parts]
        if max(sizes) > B or sum(size != B for size in sizes) > 1 or (sizes[-1] != B and sizes[-1] != N % B):
            return f"epoch: all batches have {B} examples, only the last one may have fewer; yours have {sizes}"
    first, second = ([i for part in parts for i in part] for parts in answer)
    if first == list(range(N)):
        return "unshuffled"
    return "same-order" if first == second else None


X59 = Exercise(
    "X59", "Mini-batches", lesson="12", cell="draw-text",
    probe=batches,
    cases=lambda rng: [(N, B, int(rng.integers(10**6)), rng.normal(size=3), rng.normal(size=(B, 3)), 0.1) for N, B in ((23, 5), (40, 8))],
    reference={"mean_step": lambda theta, grads, lr: theta - lr * grads.mean(0), "sum_rate": lambda lr, B: lr / B},
    judge={"epoch": epoch_judge},
    mistakes=[
        Mistake("replacement", "Some examples come twice: they were drawn with replacement. Shuffle once, then cut."),
        Mistake("drops", "The last, shorter batch is missing, and with it the same number of examples in every epoch."),
        Mistake("unshuffled", "The examples come in their own order. If that is sorted by class, so are the batches."),
        Mistake("same-order", "Both epochs have the same order. Draw afresh from the given rng, not from a seed of your own."),
        Mistake("sum", "This moves by the sum of the gradients with a rate that is meant for their mean.",
                {"mean_step": lambda theta, grads, lr: theta - lr * grads.sum(0)}, cell="sum-text"),
        Mistake("uphill", "This step goes uphill.", {"mean_step": lambda theta, grads, lr: theta + lr * grads.mean(0)}),
        Mistake("times", "The sum is B times the mean, so the rate that belongs to it is smaller, not larger.",
                {"sum_rate": lambda lr, B: lr * B}, cell="sum-text"),
    ],
    hints=[
        "rng.permutation(N) is 0 … N − 1 in a random order.",
        "order[i : i + B] for i in range(0, N, B): a slice that runs over the end is just shorter.",
        "A sum over B gradients is B times their mean; the step must stay the same.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X60


def iterates(gradient, x, lr, mu, steps, **options):
    p = nn.Parameter(wide(x))
    optimizer = nn.optim.SGD([p], lr=lr, momentum=mu, **options)
    path = []
    for _ in range(steps):
        p.grad = np.asarray(gradient(p.data), float)
        optimizer.step()
        path.append(float(p.data))
    return path


def velocity(gradient, x, lr, mu, steps, gain=1.0, sign=1, late=False):
    v, path = 0.0, []
    for _ in range(steps):
        old = v
        v = mu * v + sign * gain * gradient(x)
        x = x - lr * (old if late else v)
        path.append(float(x))
    return path


def rolling(my, a, x, lr, mu):
    return {"four": lambda: my.four, "momentum": lambda: my.momentum(lambda t: 2 * a * t, x, lr, mu, 6)}


def rolled(path, **how):
    return {"four": path(lambda t: 2 * t, 1.0, 0.1, 0.9, 4, **how),
            "momentum": lambda g, x, lr, mu, steps: path(g, x, lr, mu, steps, **how)}  # fmt: skip


def dampened(g, x, lr, mu, steps):
    return velocity(g, x, lr, mu, steps, gain=1 - mu)


X60 = Exercise(
    "X60", "Momentum by hand", lesson="12", cell="momentum-text",
    probe=rolling,
    cases=lambda rng: [(1.0, 1.0, 0.1, 0.9), (float(rng.uniform(0.5, 2)), float(rng.normal() + 2), 0.05, float(rng.uniform(0.4, 0.95)))],
    reference=rolled(iterates),
    rtol=1e-4,
    mistakes=[
        Mistake("dampened", "The gradient goes into the velocity with a factor 1 − μ. In the form asked for it goes in whole.", rolled(dampened),
                cell="slip-momentum"),
        Mistake("nesterov", "This is Nesterov's form, which adds the gradient once more. Asked for is the plain one.",
                rolled(iterates, nesterov=True), cell="nesterov-text"),
        Mistake("uphill", "The sign of the velocity is turned: x runs away from the minimum.", rolled(velocity, sign=-1)),
        Mistake("late", "x moves with the old velocity. First v, then x with the new v.", rolled(velocity, late=True)),
        Mistake("no-momentum", "This is plain descent: the velocity forgets everything after each step.",
                rolled(lambda g, x, lr, mu, steps: velocity(g, x, lr, 0.0, steps))),
    ],
    hints=[
        "First step: v = 0.9·0 + 2·1 = 2, x = 1 − 0.1·2 = 0.8. The second one has v = 0.9·2 + 2·0.8.",
        "In a loop: v = mu * v + gradient(x); x = x − lr * v; append x. v starts at 0.",
    ],
    after="The fourth has another sign: the velocity still remembers the steep part.",
)  # fmt: skip


# ------------------------------------------------------------------- X61

XS = np.linspace(-15, 15, 61)


def gabor_loss(phi0, kind="right"):
    def wave(phi0):
        u = phi0 + 0.06 * 16.6 * XS
        inside = 0.06 * 16.6 * XS if kind == "fixed" else u
        return np.sin(u), np.exp(-(inside**2) / 32)

    (s, e), (s0, e0) = wave(phi0), wave(0.0)
    if kind == "outside":
        return float(np.mean((s - s0) ** 2 * e))
    return float(np.mean((s * e - s0 * e0) ** 2))


STARTS = [-8.5, -4.0, -1.0, 2.0, 5.0]


def valley_of(start):
    """Downhill in steps of 0.1, as descent with a small rate would go."""
    here = start
    while (lower := min(here - 0.1, here, here + 0.1, key=gabor_loss)) != here:
        here = lower
    return round(here, 1)


def landscape(my, phi0):
    return {
        "loss": lambda: my.loss(phi0),
        "valleys": lambda: sorted(float(v) for v in my.valleys),
        "ends": lambda: my.ends,
        "draw": lambda: draw(my.draw),
    }


def valleys_judge(answer, *case):
    if len(answer) == 1 and abs(answer[0]) < 0.06:
        return "convex"
    if any(abs(abs(v) - 10) < 0.2 for v in answer):
        return "grid-ends"
    if any(2.5 < abs(v) < 4 for v in answer):
        return "hills"
    if len(answer) != 3:
        return f"valleys: expected another number of valleys than {len(answer)}"
    return None if np.allclose(answer, [-6.1, 0, 6.1], atol=0.06) else f"valleys: one of {answer} is not the bottom of a valley"


def ends_judge(answer, *case):
    right = [valley_of(start) for start in STARTS]
    if np.shape(answer) != (5,):
        return f"ends: expected five places, got {np.shape(answer)}"
    wrong = [start for start, mine, end in zip(STARTS, answer, right) if abs(mine - end) > 0.06]
    return f"ends: descent from {wrong[0]:g} ends somewhere else" if wrong else None


def gabor_draw_judge(answer, *case):
    lines = [line for ax in answer["axes"] for line in ax["lines"]]
    curves = [line for line in lines if len(line["x"]) >= 100]
    if not curves:
        return "draw: expected a curve with at least 100 points"
    x, y = curves[0]["x"], curves[0]["y"]
    if x.min() > -9.9 or x.max() < 9.9:
        return "draw: the curve runs from φ₀ = −10 to 10"
    if not np.allclose(y, [gabor_loss(v) for v in x], atol=1e-6):
        return "draw: the curve does not show the loss"
    marks = [point for line in lines if len(line["x"]) < 100 and line["marker"] != "None" for point in zip(line["x"], line["y"])]
    marks += [tuple(point) for ax in answer["axes"] for group in ax["points"] for point in group["xy"]]
    if len(marks) != 3 or not np.allclose(sorted(m[0] for m in marks), [-6.1, 0, 6.1], atol=0.06):
        return f"draw: expected one marker at the bottom of each valley, got {len(marks)} markers"
    return None if all(abs(m[1] - gabor_loss(m[0])) < 0.01 for m in marks) else "draw: a marker does not lie on the curve"


X61 = Exercise(
    "X61", "Three valleys", lesson="12", cell="gabor-text", points=3,
    probe=landscape,
    cases=lambda rng: [(float(v),) for v in rng.uniform(-10, 10, size=3)],
    reference={"loss": gabor_loss},
    judge={"valleys": valleys_judge, "ends": ends_judge, "draw": gabor_draw_judge},
    called={"loss": lambda phi0: (phi0,)},
    mistakes=[
        Mistake("convex", "This is the only valley of a convex loss. Squared error is convex for linear models; this one is a wave."),
        Mistake("grid-ends", "The ends of the interval are no valleys: the loss falls further outside. A valley is lower than both neighbours."),
        Mistake("hills", "There are tops among them: places higher than both neighbours."),
        Mistake("outside", "The envelope belongs to the model. Here the squared difference of the waves is multiplied by it afterwards.",
                {"loss": partial(gabor_loss, kind="outside")}),
        Mistake("fixed", "The envelope does not move with the wave: φ₀ stands in its u as well.",
                {"loss": partial(gabor_loss, kind="fixed")}, cell="slip-gabor"),
        Mistake("nearest-zero", "Descent does not look for the best valley. It ends in the one in which it starts.",
                {"ends": [0.0] * 5}, cell="gabor-minima"),
        Mistake("starts", "These are the starts themselves. Let descent run: it ends where the slope is 0.",
                {"ends": STARTS}),
    ],
    hints=[
        "Evaluate the loss on a fine grid of φ₀, for instance np.linspace(−10, 10, 2001), and look for values below both neighbours.",
        "A hill separates two valleys. On which side of it does a start lie?",
        "ends: from each start go downhill on your curve until it rises again, or run descent with a small rate.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X39


def stops(my, losses, norms, held, eps_loss, eps_grad, patience):
    return {
        "loss_rule": lambda: my.loss_rule(list(losses), eps_loss),
        "gradient_rule": lambda: my.gradient_rule(list(norms), eps_grad),
        "patience_rule": lambda: my.patience_rule(list(held), patience),
        "stop": lambda: my.stop(list(losses), list(norms), list(held), eps_loss, eps_grad, patience),
    }


def first_place(flags):
    return next((t for t, flag in enumerate(flags) if flag), None)


def loss_rule(losses, eps):
    return first_place([False, *(abs(b - a) < eps for a, b in zip(losses, losses[1:]))])


def gradient_rule(norms, eps):
    return first_place(norm < eps for norm in norms)


def patience_rule(held, k):
    return first_place(t - int(np.argmin(held[: t + 1])) >= k for t in range(len(held)))


def stop_rules(loss=loss_rule, gradient=gradient_rule, patience=patience_rule, one_eps=False):
    def stop(losses, norms, held, eps_loss, eps_grad, k):
        found = {"loss": loss(losses, eps_loss), "gradient": gradient(norms, eps_loss if one_eps else eps_grad), "patience": patience(held, k)}
        fired = {reason: t for reason, t in found.items() if t is not None}
        return [min(fired.values()), min(fired, key=lambda reason: fired[reason])] if fired else None

    return {"loss_rule": loss, "gradient_rule": gradient, "patience_rule": patience, "stop": stop}


def stop_cases(rng):
    falling = [4.0, 3.0, 2.5, 2.4, 2.36, 2.355, 2.3549]
    yield falling, [3.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05], [5.0, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5], 0.02, 0.3, 3
    yield [4.0, 3.0, 3.5, 3.4, 3.0, 2.0, 1.99], [0.5, 0.9, 0.3, 0.02, 0.3, 0.3, 0.3], [5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.4], 0.05, 0.1, 2
    yield [4.0, 3.0, 2.0], [3.0, 2.0, 1.0], [3.0, 3.2, 3.1], 0.1, 0.1, 2
    yield [4.0, 3.0, 2.0, 1.99, 1.0], [3.0, 2.0, 1.0, 0.005, 1.0], [3.0, 3.5, 2.9, 2.8, 3.0], 0.05, 0.01, 2
    # held-out losses that recover just in time, and an early gradient that only the larger ε would take for small
    yield [9.0, 7.0, 5.0, 4.0, 3.0, 2.0], [0.4, 0.4, 0.4, 0.4, 0.4, 0.4], [3.0, 3.1, 2.0, 2.1, 1.0, 1.1], 0.5, float(rng.uniform(0.1, 0.3)), 2


X39 = Exercise(
    "X39", "When to stop", lesson="12", cell="stop-text", points=3,
    probe=stops, cases=stop_cases,
    reference=stop_rules(),
    called={"loss_rule": lambda losses, norms, held, e, f, k: (losses, e), "gradient_rule": lambda losses, norms, held, e, f, k: (norms, f),
            "patience_rule": lambda losses, norms, held, e, f, k: (held, k)},
    mistakes=[
        Mistake("no-abs", "A loss that rises has also changed by less than ε here. Take the size of the change.",
                stop_rules(loss=lambda losses, eps: first_place([False, *(a - b < eps for a, b in zip(losses, losses[1:]))]))),
        Mistake("step-zero", "At step 0 there is no earlier loss to compare with, so the rule cannot fire yet.",
                stop_rules(loss=lambda losses, eps: 0)),
        Mistake("shifted", "This is the step before: the rule fires at the later of the two losses it compares.",
                stop_rules(loss=lambda losses, eps: first_place(abs(b - a) < eps for a, b in zip(losses, losses[1:])))),
        Mistake("one-eps", "The loss and the gradient have thresholds of their own; here the loss's serves for both.",
                {"stop": stop_rules(one_eps=True)["stop"]}),
        Mistake("last-only", "Each loss was compared with the one before it. Patience compares with the best so far.",
                stop_rules(patience=lambda held, k: first_place(
                    t >= k and all(held[i] >= held[i - 1] for i in range(t - k + 1, t + 1)) for t in range(len(held))))),
        Mistake("in-all", "All epochs without an improvement were counted. The count starts again after each improvement.",
                stop_rules(patience=lambda held, k: first_place(
                    sum(held[i] >= min(held[:i]) for i in range(1, t + 1)) >= k for t in range(len(held))))),
    ],
    hints=[
        "loss_rule: for t = 1, 2, … compare losses[t] with losses[t − 1].",
        "patience_rule: remember the step of the best held-out loss so far; fire when t minus that step reaches the patience.",
        "stop: collect (step, reason) of the rules that fired, and take the smallest step; on a tie the order is loss, gradient, patience.",
    ],
)  # fmt: skip


# ------------------------------------------------------------------- X26


def approximation(my, W, b, x, y, x_new, y_new, n, errors):
    def learned():
        guess = my.trained(12, x.copy(), y.copy(), x_new.copy())
        guess = np.asarray(guess.data if hasattr(guess, "requires_grad") else guess, float)
        return guess.reshape(-1).tolist() if guess.size == len(x_new) else guess

    return {
        "random_error": lambda: my.random_error(W.copy(), b.copy(), x.copy(), y.copy(), x_new.copy(), y_new.copy()),
        "slope": lambda: my.slope(n.copy(), errors.copy()),
        "barron": lambda: my.barron(3.0, 2.0, 50),
        "fixed": lambda: [my.fixed(50, d) for d in (1, 2, 10)],
        "trained": learned,
    }


def random_features(W, b, x, y):
    """Weights of the linear layer behind ReLU features, by the normal equations; as a function of new inputs."""
    design = lambda x: np.hstack([np.maximum(x @ W.T + b, 0), np.ones((len(x), 1))])
    c = np.linalg.pinv(design(x)) @ y
    return lambda x: design(x) @ c


def random_error(W, b, x, y, x_new, y_new):
    return float(np.mean((random_features(W, b, x, y)(x_new) - y_new) ** 2))


def trained_judge(answer, W, b, x, y, x_new, y_new, n, errors):
    if np.shape(answer) != y_new.shape:
        return f"trained: expected {len(y_new)} predictions, got {np.shape(answer)}"
    error, random = float(np.mean((np.array(answer) - y_new) ** 2)), random_error(W, b, x, y, x_new, y_new)
    if error <= 0.15:
        return None
    if error > 0.6 * random:
        return "not-trained"
    return f"trained: the error on new points is {error:.3f}; reach 0.15 (random features: {random:.2f}). More steps, or another rate?"


def approximation_cases(rng):
    w = rng.normal(size=5)
    w *= 2 / np.linalg.norm(w)
    x, x_new = rng.normal(size=(500, 5)), rng.normal(size=(200, 5))
    n = np.array([4.0, 8, 16, 32])
    yield rng.normal(size=(12, 5)), rng.normal(size=12), x, np.cos(x @ w), x_new, np.cos(x_new @ w), n, 3 * n**-1.2 * rng.uniform(0.8, 1.2, 4)


X26 = Exercise(
    "X26", "Features drawn or learned", lesson="12", cell="grid-after", points=4,
    probe=approximation, cases=approximation_cases,
    reference={
        "random_error": random_error,
        "slope": lambda n, errors: float(np.polynomial.Polynomial.fit(np.log(n), np.log(errors), 1).convert().coef[1]),
        "barron": lambda C, r, n: (2 * r * C) ** 2 / n, "fixed": lambda n, d: n ** (-2 / d),
    },
    judge={"trained": trained_judge},
    called={"barron": lambda *case: (3.0, 2.0, 50), "slope": lambda *case: case[-2:]},
    mistakes=[
        Mistake("same-points", "This is the error on the points of the fit. What the features can do shows on new ones.",
                {"random_error": lambda W, b, x, y, x_new, y_new: random_error(W, b, x, y, x, y)}),
        Mistake("no-constant", "The constant is missing: n units *plus a constant*.",
                {"random_error": lambda W, b, x, y, x_new, y_new: float(np.mean(
                    (np.maximum(x_new @ W.T + b, 0) @ (np.linalg.pinv(np.maximum(x @ W.T + b, 0)) @ y) - y_new) ** 2))}),
        Mistake("no-radius", "The constant of Barron's bound grows with the radius of the ball: (2rC)².",
                {"barron": lambda C, r, n: (2 * C) ** 2 / n}, cell="06#barron-text"),
        Mistake("one-over-n", "1/n is Barron's rate, for features that may adapt. Fixed ones have the exponent 2/d.",
                {"fixed": lambda n, d: 1 / n}, cell="06#rate-text"),
        Mistake("half-d", "The exponent is turned over: in high dimensions fixed features must get slower, not faster.",
                {"fixed": lambda n, d: n ** (-d / 2)}, cell="06#rate-text"),
        Mistake("no-logs", "A power law is a straight line only on two logarithmic axes: take logarithms of both.",
                {"slope": lambda n, errors: float(np.polyfit(n, errors, 1)[0])}),
        Mistake("not-trained", "A dozen drawn units do about as well as this. Let the first layer move too."),
    ],
    hints=[
        "random_error: the columns relu(x Wᵀ + b) and a column of ones; np.linalg.lstsq on (x, y), then the mean square on the new points.",
        "slope: np.polyfit of log errors over log n, degree 1, the first number.",
        "trained: Linear(5, 8), ReLU, Linear(8, 1); a few hundred full steps of nn.optim.Adam at lr 0.03 on the mean squared error.",
    ],
    after="A dozen learned units beat any number of drawn ones here: they all turn into the one direction that counts.",
)  # fmt: skip


# ------------------------------------------------------------------- X81


def feature_probe(my, sizes, seed, x, y, x_new, y_new):
    def model():
        rng, layers = np.random.default_rng(seed), []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layer = nn.Linear(inputs, outputs).double()
            layer.weight.data, layer.bias.data = rng.normal(size=(outputs, inputs)), rng.normal(size=outputs)
            layers += [layer, nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def features():
        net = model()
        before = [p.data.copy() for p in net.parameters()]
        found = my.features(net, nn.tensor(x, dtype=nn.float64))
        return {"features": found, "the model stays as it was":
                all(np.array_equal(a, p.data) for a, p in zip(before, net.parameters()))}  # fmt: skip

    return {
        "features": features,
        "probe": lambda: my.probe(x.copy(), y.copy(), x_new.copy(), y_new.copy()),
    }


def last_hidden(model, x, cut=1):
    layers = list(model.children())
    return nn.Sequential(*layers[: len(layers) - cut])(x).detach().numpy()


def trained_features(model, x):
    """Somebody who trains the features once more."""
    for p in model.parameters():
        p.data = p.data * 0.9
    return last_hidden(model, x)


def linear_probe(x, y, x_new, y_new, constant=True):
    one = lambda a: np.hstack([a, np.ones((len(a), 1))]) if constant else a
    W = np.linalg.pinv(one(x)) @ np.eye(y.max() + 1)[y]
    return float((np.argmax(one(x_new) @ W, axis=1) == y_new).mean())


def probe_cases(rng):
    for sizes in ([4, 7, 5, 3], [6, 8, 4]):
        centres = 0.5 * rng.normal(size=(3, sizes[0])) + 1.5
        y, y_new = np.tile([0, 1, 2], 8), np.tile([0, 1, 2], 67)
        yield (sizes, int(rng.integers(10**6)), centres[y] + rng.normal(size=(24, sizes[0])), y,
               centres[y_new] + rng.normal(size=(201, sizes[0])), y_new)  # fmt: skip


X81 = Exercise(
    "X81", "What the last hidden layer knows", lesson="12", cell="probe-text", points=3,
    probe=feature_probe, cases=probe_cases,
    reference={"features": last_hidden, "probe": linear_probe},
    mistakes=[
        Mistake("output", "These are the network's outputs, one per class. The features are what the last linear layer reads.",
                {"features": partial(last_hidden, cut=0)}),
        Mistake("before-relu", "The last activation is missing: the last linear layer reads what comes after it.",
                {"features": partial(last_hidden, cut=2)}),
        Mistake("refit", "The features were trained along the way. They are looked at as they are, and only a linear model is fitted.",
                {"features": trained_features}),
        Mistake("leak", "The linear model was fitted on the test examples. They are for the measurement only.",
                {"probe": lambda x, y, x_new, y_new: linear_probe(x_new, y_new, x_new, y_new)}),
        Mistake("training", "This is the share right among the training examples.",
                {"probe": lambda x, y, x_new, y_new: linear_probe(x, y, x, y)}),
        Mistake("no-constant", "The constant is missing: a column of ones beside the features.",
                {"probe": partial(linear_probe, constant=False)}),
    ],
    hints=[
        "A Sequential without its last layer is model[:-1]. Its width is the number of units of the last hidden layer.",
        "probe: one-hot targets np.eye(K)[y]; np.linalg.lstsq with a column of ones; the largest of the K outputs decides.",
        "Fit on (x, y), measure on (x_new, y_new).",
    ],
    after="Learned features keep what the task asked for. For classes that nobody asked about they are no better than pixels.",
)  # fmt: skip


# ------------------------------------------------------------------- X82


def budgets(my, sizes, layers, budget, pairs):
    return {
        "count": lambda: my.count(list(sizes)),
        "width": lambda: my.width(layers, budget),
        "report": lambda: my.report([tuple(pair) for pair in pairs]),
        "table": lambda: {str(key): [float(v) for v in my.table[key]] for key in my.table},
    }


def count(sizes, bias=1):
    return sum((a + bias) * b for a, b in zip(sizes, sizes[1:]))


def width(layers, budget, bias=1):
    return max(n for n in range(1, budget) if count([2, *[n] * layers, 1], bias) <= budget)


def report(pairs, column=1, ddof=1, first=False):
    values = np.array(pairs)[:, column]
    return [values[0], 0.0] if first else [values.mean(), values.std(ddof=ddof)]


def table_judge(answer, *case):
    if set(answer) != {"1", "2", "3"} or any(len(row) != 2 for row in answer.values()):
        return f"table: expected {{1: (mean, sd), 2: (mean, sd), 3: (mean, sd)}}, got {answer}"
    means, deviations = ([answer[key][i] for key in "123"] for i in (0, 1))
    if not all(0 <= m <= 1 for m in means):
        return "table: a mean accuracy lies between 0 and 1"
    if min(deviations) == 0:
        return "one-seed-table"
    if max(deviations) > 0.2:
        return f"table: the deviations {deviations} are larger than five of our runs ever gave"
    if means[0] > 0.88 or min(means[1:]) < 0.88:
        return f"table: with equal budgets and the held-out points the means come out otherwise than {[round(m, 3) for m in means]}"
    return None


X82 = Exercise(
    "X82", "Width against depth, fairly", lesson="12", cell="playground-after", points=3,
    probe=budgets,
    cases=lambda rng: [([2, 16, 16, 1], 2, 337, rng.uniform(0.5, 1, size=(5, 2)).round(2).tolist()),
                       ([3, 5, 1], 1, int(rng.integers(100, 400)), rng.uniform(0.5, 1, size=(4, 2)).round(2).tolist()),
                       ([2, 7, 6, 5, 2], 3, int(rng.integers(100, 400)), rng.uniform(0.5, 1, size=(6, 2)).round(2).tolist())],
    reference={"count": count, "width": width, "report": report},
    judge={"table": table_judge},
    called={"count": lambda sizes, layers, budget, pairs: (sizes,), "width": lambda sizes, layers, budget, pairs: (layers, budget),
            "report": lambda sizes, layers, budget, pairs: (pairs,)},
    mistakes=[
        Mistake("no-biases", "The biases are missing, one for each unit that is not an input.",
                {"count": partial(count, bias=0), "width": partial(width, bias=0)}),
        Mistake("unequal", "All depths get the same width, and so the deep nets more parameters. Equal budgets are asked for.",
                {"width": lambda layers, budget: width(1, budget)}),
        Mistake("over", "This width needs more parameters than the budget allows; take the largest that fits.",
                {"width": lambda layers, budget: width(layers, budget) + 1}),
        Mistake("training", "These are the training accuracies. What counts was held out.", {"report": partial(report, column=0)}),
        Mistake("one-seed", "One seed is a story, not a result: take all of them.", {"report": partial(report, first=True)}),
        Mistake("population", "The deviation of a sample divides by n − 1 (ddof=1): five runs stand for all that might be.",
                {"report": partial(report, ddof=0)}),
        Mistake("one-seed-table", "A deviation of exactly 0 means one seed, or five times the same one."),
    ],
    hints=[
        "A layer from a to b units has (a + 1)·b parameters.",
        "width: try 1, 2, 3 … while count([2, n, …, n, 1]) stays within the budget.",
        "table: {layers: report([play([width(layers, 337)] * layers, seed) for seed in range(5)]) for layers in (1, 2, 3)}.",
    ],
    after="Same budget, very different results; and the deviations say that two and three layers are not told apart.",
)  # fmt: skip
