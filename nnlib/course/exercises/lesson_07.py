"""Lesson 07, losses from likelihood: softmax and its slips, binary and K-class losses in logits, centres, a factory, surrogates."""

from __future__ import annotations

import math

import numpy as np

import nnlib as nn
import nnlib.functional as F
from nnlib.distributions import Normal, Poisson

from ..probe import calls, draw, values
from . import Exercise, Mistake

SCORES = np.array([0.5, -1.0, 2.0])
TOTAL = math.fsum(np.exp(SCORES)) / (1 + math.e + math.e**2)

X48 = Exercise(
    "X48", "A softmax as printed", lesson="07", cell="slip-softmax", points=1,
    probe=values("total", "shift"),
    reference={"total": TOTAL, "shift": -math.log(TOTAL)},
    rtol=1e-4,
    mistakes=[
        Mistake("one", "1 is what a softmax adds up to. Compute what the printed line adds up to.", {"total": 1.0, "shift": 0.0}),
        Mistake("from-one", "Here i ran over 1, 2, 3. The exercise says 0, 1, 2.",
                {"total": TOTAL / math.e, "shift": 1 - math.log(TOTAL)}),
        Mistake("own-index", "Each score was divided by e to its own index. The printed denominator is a sum, the same for all three.",
                {"total": math.fsum(np.exp(SCORES - np.arange(3))), "shift": -math.log(math.fsum(np.exp(SCORES - np.arange(3))))}),
        Mistake("factor", "This is the factor by which the total must grow. What must be added to the scores to get it?",
                {"shift": 1 / TOTAL}),
        Mistake("difference", "Adding c to the scores does not add c to the total; what does it do to each exponential?",
                {"shift": 1 - TOTAL}),
    ],
    hints=[
        "The denominator does not depend on z at all: it is e⁰ + e¹ + e².",
        "If every score rises by c, every numerator is multiplied by eᶜ, and the total as well.",
        "e^c · total = 1, so c = −log(total).",
    ],
    after="A true softmax does not move when all scores rise together. This one does, which is one more way to see that it is wrong.",
)  # fmt: skip


def bce(y, t):
    return F.binary_cross_entropy(nn.tensor(y), nn.tensor(t), reduction="none").numpy()


def bce_slope(y, t):
    y = nn.tensor(y, requires_grad=True)
    F.binary_cross_entropy(y, nn.tensor(t), reduction="sum").backward()
    return y.grad


def loss_table(my, y, t):
    return {
        "J": lambda: my.J(y.copy(), t.copy()),
        "dJ": lambda: my.dJ(y.copy(), t.copy()),
        "least": lambda: [my.least(float(v)) for v in t if 0 < v < 1],
    }


X49 = Exercise(
    "X49", "Find the signs", lesson="07", cell="table-text",
    probe=loss_table,
    cases=lambda rng: [(rng.uniform(0.05, 0.95, 5).round(2), np.append(rng.uniform(0.1, 0.45, 3).round(2), [0.0, 1.0])) for _ in range(2)],
    reference={"J": bce, "dJ": bce_slope, "least": lambda t: -t * math.log(t) - (1 - t) * math.log(1 - t)},
    mistakes=[
        Mistake("no-minus", "J is still negative: log y is at most 0, so a loss needs the minus in front, before both terms.",
                {"J": lambda y, t: -bce(y, t)}),
        Mistake("one-minus", "The minus reaches the first term only. Put brackets round the sum, or a minus before the second term.",
                {"J": lambda y, t: -t * np.log(y) + (1 - t) * np.log(1 - y)}, cell="slip-brackets"),
        Mistake("slopes-plus", "Both terms of the slope are still positive, so J would rise for every y. One of them has to be negative: differentiate −log y.",
                {"dJ": lambda y, t: t / y + (1 - t) / (1 - y)}),
        Mistake("slope-turned", "This is the slope of the printed J, or both signs were turned. −log(1 − y) rises with y.",
                {"dJ": lambda y, t: -bce_slope(y, t)}),
        Mistake("both-minus", "The inner derivative of log(1 − y) is −1: together with the minus in front the second term is positive.",
                {"dJ": lambda y, t: -t / y - (1 - t) / (1 - y)}),
        Mistake("by-logit", "This is the slope by the logit, after the sigmoid. Here y itself is nudged, and no sigmoid stands in front.",
                {"dJ": lambda y, t: y - t}, cell="logistic-text"),
        Mistake("y-for-target", "The second factor is one minus the target, not one minus the prediction.",
                {"J": lambda y, t: -(t * np.log(y) + (1 - y) * np.log(1 - y)), "dJ": lambda y, t: -t / y + 1}),
        Mistake("zero", "0 can be reached for the targets 0 and 1 only. For a target in between put y = y* into J.",
                {"least": lambda t: 0.0}),
        Mistake("at-half", "This is J at y = ½. The slope is 0 somewhere else.", {"least": lambda t: math.log(2)}),
    ],
    hints=[
        "Try y = 0.8 with target 1. A right answer should cost little, log 0.8 is −0.22. Which sign must J have?",
        "d/dy log y = 1/y, and d/dy log(1 − y) = −1/(1 − y), by the chain rule. Then the minus in front turns both.",
        "dJ = 0 where y = y*. There J is −[y* log y* + (1 − y*) log(1 − y*)].",
    ],
    after="The least J is the entropy of the target: what no prediction can take away. Lesson 08 is about that number.",
)  # fmt: skip


def logit_loss(z, t):
    return F.binary_cross_entropy_with_logits(nn.tensor(z), nn.tensor(t), reduction="none").numpy()


def logit_slope(z, t):
    z = nn.tensor(z, requires_grad=True)
    F.binary_cross_entropy_with_logits(z, nn.tensor(t), reduction="sum").backward()
    return z.grad


def naive_sigmoid(z):
    return 1 / (1 + np.exp(-z))


X50 = Exercise(
    "X50", "From the logit", lesson="07", cell="logistic-text", quiet=True,
    probe=calls("bce_logits", "bce_slope"),
    cases=lambda rng: [(rng.normal(size=6).round(2) * 3, rng.integers(0, 2, 6).astype(float)),
                       (np.array([0.0, 2.0, -2.0, 1.5]), np.array([1.0, 0.3, 1.0, 0.0])),
                       (np.array([-800.0, 800.0, -800.0, 800.0]), np.array([0.0, 1.0, 1.0, 0.0]))],
    reference={"bce_logits": logit_loss, "bce_slope": logit_slope},
    mistakes=[
        Mistake("plus-minus", "This is log(1 + e^(−y·z)), which wants labels −1 and +1. With the label 0 it costs log 2 whatever z is.",
                {"bce_logits": lambda z, t: np.logaddexp(0, -t * z), "bce_slope": lambda z, t: -t / (1 + np.exp(np.minimum(t * z, 700)))}),
        Mistake("twice", "The sigmoid was applied twice: once to z, and then to the probability.",
                {"bce_logits": lambda z, t: logit_loss(nn.sigmoid(nn.tensor(z)).numpy(), t),
                 "bce_slope": lambda z, t: logit_slope(nn.sigmoid(nn.tensor(z)).numpy(), t)}, cell="twice-text"),
        Mistake("overflow", "Right for small logits. At z = ±800 an exponential overflows or a logarithm meets 0: write it so that no exponent is positive.",
                {"bce_logits": lambda z, t: -(t * np.log(naive_sigmoid(z)) + (1 - t) * np.log(1 - naive_sigmoid(z))),
                 "bce_slope": lambda z, t: naive_sigmoid(z) - t}, cell="stable-text"),
        Mistake("sign", "The sign is turned. Read it as: what you said minus what was true.",
                {"bce_slope": lambda z, t: -logit_slope(z, t)}),
        Mistake("through-sigmoid", "This is σ(z) − y times the slope of the sigmoid once more: the pull of half the squared error. The 1/(p(1 − p)) of the logarithm cancels it.",
                {"bce_slope": lambda z, t: logit_slope(z, t) * logit_slope(z, 0 * t) * (1 - logit_slope(z, 0 * t))}),
    ],
    hints=[
        "For y = 1 the loss is log(1 + e⁻ᶻ). For z ≥ 0 that is safe as it stands; for z < 0 take e⁻ᶻ out of the logarithm.",
        "max(z, 0) − z·y + log(1 + e^(−|z|)) is the same number, and its exponent is never positive. np.log1p helps.",
        "The slope is σ(z) − y. A σ without overflow: with e = exp(−|z|) it is 1/(1 + e) where z ≥ 0 and e/(1 + e) elsewhere.",
    ],
)  # fmt: skip


def batch(function):
    """(z, y) -> function of the mean cross-entropy's value and gradient."""

    def evaluate(z, y):
        z = nn.tensor(z, requires_grad=True)
        loss = F.cross_entropy(z, nn.tensor(y))
        loss.backward()
        return function(float(loss.detach().numpy()), z.grad, z.data)

    return evaluate


def unshifted(z):
    return np.exp(z) / np.exp(z).sum(1, keepdims=True)


def shifted(z):
    return unshifted(z - z.max(1, keepdims=True))


def down(z):
    """Softmax down the columns."""
    e = np.exp(z - z.max(0))
    return e / e.sum(0)


def onehot(z, y):
    return np.eye(z.shape[1])[y]


def batch_columns(z, y):
    """1 taken off the columns y of every row, once however often a class occurs."""
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    p[:, y] -= 1
    return p / len(y)


X47 = Exercise(
    "X47", "The most used formula", lesson="07", cell="gradient-text", points=3, quiet=True,
    probe=calls("loss", "gradient"),
    cases=lambda rng: [(np.array([[1.0, 2.0, 3.0]]), np.array([0])),
                       (rng.normal(size=(4, 3)).round(2), rng.integers(0, 3, 4)),
                       (np.array([[1000.0, 0.0, -1000.0], [0.0, 1000.0, 999.0], [1000.0, 0.0, -1000.0]]), np.array([0, 2, 2]))],
    reference={"loss": batch(lambda loss, grad, z: loss), "gradient": batch(lambda loss, grad, z: grad)},
    mistakes=[
        Mistake("overflow", "Right for small logits. At 1000 the exponential overflows: subtract each row's largest score first.",
                {"loss": lambda z, y: -np.log(unshifted(z)[np.arange(len(y)), y]).mean(),
                 "gradient": lambda z, y: (unshifted(z) - onehot(z, y)) / len(y)}, cell="stable-text"),
        Mistake("unfused", "The softmax is safe and its logarithm is not: a probability that rounds to 0 has no log. Take the two in one step.",
                {"loss": lambda z, y: -np.log(shifted(z)[np.arange(len(y)), y]).mean()}, cell="stable-text"),
        Mistake("turned", "The sign is turned: softmax minus one-hot, what you said minus what was true.",
                {"gradient": batch(lambda loss, grad, z: -grad)}),
        Mistake("no-mean", "This belongs to the sum over the batch. The loss is the mean, so divide by N.",
                {"loss": lambda z, y: batch(lambda loss, *_: loss)(z, y) * len(y),
                 "gradient": lambda z, y: batch(lambda loss, grad, _: grad)(z, y) * len(y)}),
        Mistake("axis", "Softmax was taken down the columns, over the examples. Each row is one example: sum over axis 1.",
                {"loss": lambda z, y: -np.log(down(z)[np.arange(len(y)), y]).mean(),
                 "gradient": lambda z, y: (down(z) - onehot(z, y)) / len(y)}),
        Mistake("every-row", "p[:, y] names the columns y of all rows. p[np.arange(N), y] is one place in each row.",
                {"gradient": batch_columns}),
        Mistake("softmax-only", "The softmax is there, the true class is not yet taken off: subtract 1 at place y of each row.",
                {"gradient": lambda z, y: batch(lambda loss, grad, _: grad)(z, y) + onehot(z, y) / len(y)}),
    ],
    hints=[
        "One row first: log Σ exp z − z_y. For (1, 2, 3) and class 0 it is 2.4076.",
        "z[np.arange(N), y] picks one score per row; z.max(axis=1, keepdims=True) is what to subtract before np.exp.",
        "Gradient: softmax of each row, minus 1 at the true class, divided by N.",
    ],
    after="Each row of the gradient adds up to 0: what the true class gains, the others lose.",
)  # fmt: skip


def centres(my, y, v):
    return {
        "gaussian": lambda: my.gaussian(y.copy()),
        "laplace": lambda: my.laplace(y.copy()),
        "weighted": lambda: my.weighted(y.copy(), v.copy()),
    }


X51 = Exercise(
    "X51", "The likeliest centre", lesson="07", cell="slip-equivalent",
    probe=centres,
    cases=lambda rng: [(np.array([0.0, 0.0, 0.0, 0.0, 10.0]), np.ones(5)), (np.array([0.0, 4.0, 1.0]), np.array([1.0, 3.0, 1e9]))]
    + [(rng.normal(size=n).round(2), rng.uniform(0.5, 4, n).round(2)) for n in (5, 7)],
    reference={"gaussian": lambda y: math.fsum(y) / len(y), "laplace": np.median, "weighted": lambda y, v: np.average(y, weights=1 / v)},
    mistakes=[
        Mistake("mean", "This is the mean. Under Laplace noise the loss is the sum of |yᵢ − m|: where do as many points pull up as down?",
                {"laplace": np.mean}),
        Mistake("unweighted", "All values count alike here. One that scatters more should count less.",
                {"weighted": lambda y, v: np.mean(y)}),
        Mistake("midrange", "This is the middle between the smallest and the largest value. It makes the largest error small, not the sum of the errors.",
                {"laplace": lambda y: (y.min() + y.max()) / 2}),
        Mistake("variances-up", "The weights are the variances themselves, so the most uncertain value counts most. Turn them round.",
                {"weighted": lambda y, v: np.average(y, weights=v)}),
        Mistake("deviations", "The weights are one over the standard deviations. The exponent of a Gaussian has the variance below.",
                {"weighted": lambda y, v: np.average(y, weights=v**-0.5)}),
        Mistake("median-all", "The median belongs to absolute errors; Gaussian noise squares them.", {"gaussian": np.median}),
    ],
    hints=[
        "Write −log Pr for each noise and throw away what does not contain m. What is left to minimise?",
        "Σ|yᵢ − m| has slope (number of values below m) − (number above). An odd number of values makes the place unique.",
        "Σ(yᵢ − m)²/2vᵢ has its minimum where Σ(yᵢ − m)/vᵢ = 0.",
    ],
)  # fmt: skip


def factory(my, z, y, counts):
    return {
        "gaussian_nll": lambda: my.gaussian_nll(z.copy(), y.copy()),
        "poisson_nll": lambda: my.poisson_nll(z[:, 0].copy(), counts.copy()),
        "losses": lambda: my.losses,
    }


def gaussian_nll(z, y):
    return float(-Normal(nn.tensor(z[:, 0]), nn.tensor(z[:, 1]).exp()).log_prob(nn.tensor(y)).mean().numpy())


def poisson_nll(z, y):
    return float(-Poisson(nn.tensor(z).exp()).log_prob(nn.tensor(y)).mean().numpy())


LOSSES = ["mse_loss", "cross_entropy", "poisson_nll", "binary_cross_entropy_with_logits", "l1_loss", "binary_cross_entropy_with_logits"]


X52 = Exercise(
    "X52", "A loss factory", lesson="07", cell="task-text", points=3,
    probe=factory,
    cases=lambda rng: [(rng.uniform(0.2, 1.5, (n, 2)).round(2), rng.normal(size=n).round(2), rng.integers(2, 9, n).astype(float)) for n in (3, 6)],
    reference={"gaussian_nll": gaussian_nll, "poisson_nll": poisson_nll, "losses": LOSSES},
    mistakes=[
        Mistake("no-log-sigma", "The term log σ is missing. Without it a huge σ would make every error cheap.",
                {"gaussian_nll": lambda z, y: gaussian_nll(z, y) - z[:, 1].mean()}, cell="gaussian-text"),
        Mistake("no-constant", "½ log 2π is missing. The exercise asks for all constants, so that losses of different models can be compared.",
                {"gaussian_nll": lambda z, y: gaussian_nll(z, y) - 0.5 * math.log(2 * math.pi)}, cell="gaussian-text"),
        Mistake("sigma-raw", "The second column is log σ, not σ: take its exponential first.",
                {"gaussian_nll": lambda z, y: gaussian_nll(np.column_stack([z[:, 0], np.log(z[:, 1])]), y)}, cell="sigma-text"),
        Mistake("variance", "e to the second column is σ. The square below (y − m)² is σ², so the exponent doubles.",
                {"gaussian_nll": lambda z, y: gaussian_nll(np.column_stack([z[:, 0], z[:, 1] / 2]), y) + z[:, 1].mean() / 2}, cell="gaussian-text"),
        Mistake("rate", "z was taken for the rate. It is the log of the rate: r = eᶻ, and log r = z.",
                {"poisson_nll": lambda z, y: poisson_nll(np.log(z), y)}, cell="poisson-text"),
        Mistake("no-factorial", "log y! is missing. It does not move the best z, but it belongs to the likelihood.",
                {"poisson_nll": lambda z, y: float(np.mean(np.exp(z) - y * z))}, cell="poisson-text"),
        Mistake("factorial-turned", "The sign of log y! is turned: y! stands below in the probability.",
                {"poisson_nll": lambda z, y: 2 * float(np.mean(np.exp(z) - y * z)) - poisson_nll(z, y)}, cell="poisson-text"),
        Mistake("sum", "This is the sum over the examples. The loss is their mean.",
                {"gaussian_nll": lambda z, y: gaussian_nll(z, y) * len(y), "poisson_nll": lambda z, y: poisson_nll(z, y) * len(y)}, cell="mean-text"),
        Mistake("tags", "All right but the last. A softmax lets one class win; of the tags, any number may hold at once.",
                {"losses": [*LOSSES[:5], "cross_entropy"]}),
    ],
    hints=[
        "−log N(y; m, σ²) = (y − m)²/2σ² + log σ + ½ log 2π, with m = z[:, 0] and log σ = z[:, 1].",
        "−log Poisson(y; r) = r − y log r + log y!, with log r = z. Both functions return the mean over the examples.",
        "For the list ask what y can be: any number, one of K, a count, yes or no. Twenty tags are twenty yes-or-no questions.",
    ],
)  # fmt: skip


def surrogates(my, s, y, margins):  # the picture is asked for once, where there are margins
    return {
        "hinge": lambda: my.hinge(s.copy(), y.copy()),
        "logistic": lambda: my.logistic(s.copy(), y.copy()),
        "gaps": lambda: {"hinge": my.hinge_gap, "logistic": my.logistic_gap, "logistic, log2": my.log2_gap},
        "draw": lambda: draw(my.draw, margins) if len(margins) else my.draw and None,
    }


def surrogates_judge(answer, s, y, m):
    if not len(m):
        return None
    wanted = {"0-1": m <= 0, "hinge": np.maximum(0, 1 - m), "logistic": np.logaddexp(0, -m), "log₂": np.logaddexp(0, -m) / np.log(2)}
    if not answer["axes"] or len(lines := answer["axes"][0]["lines"]) < 4:
        return "the figure should have four lines: 0-1 loss, hinge, logistic loss, and the logistic loss with log₂"
    found = [line["y"] for line in lines if len(line["y"]) == len(m) and np.allclose(line["x"], m)]
    if len(found) < 4:
        return "each of the four lines should have one point for each margin"

    def has(curve):
        return any(np.allclose(y, curve, atol=1e-6) for y in found)

    for name, curve in wanted.items():
        if not has(curve):
            if name == "0-1" and has(m < 0):
                return "tie"
            return "turned" if has(curve[::-1]) else f"no line is the {name} loss over the margins"
    return None


GAP = -math.log(math.e - 1)


def signs(y):
    return 2 * y - 1


X53 = Exercise(
    "X53", "What stands in for an error", lesson="07", cell="surrogate-text", points=3,
    probe=surrogates,
    cases=lambda rng: [(rng.normal(size=6).round(2) * 2 + 0.01, rng.permutation([0.0, 0, 0, 1, 1, 1]), margins)
                       for margins in (np.arange(-30, 31) / 10, np.zeros(0))],
    reference={
        "hinge": lambda s, y: F.hinge_loss(nn.tensor(s), nn.tensor(signs(y)), reduction="none").numpy(),
        "logistic": lambda s, y: logit_loss(s, y),
        "hinge_gap": [0.0, 0.0], "logistic_gap": [GAP, 0.0], "log2_gap": [0.0, 0.0],
    },
    rtol=1e-4, atol=1e-6,
    judge={"draw": surrogates_judge},
    mistakes=[
        Mistake("labels", "The labels 0 and 1 were multiplied with the score as they are, so class 0 costs the same whatever its score. Make them −1 and +1 first.",
                {"hinge": lambda s, y: np.maximum(0, 1 - y * s), "logistic": lambda s, y: np.logaddexp(0, -y * s)}, cell="slip-hinge"),
        Mistake("turned", "The margin's sign is turned: the loss should fall where the score gets the sign of the label.",
                {"hinge": lambda s, y: np.maximum(0, 1 + signs(y) * s), "logistic": lambda s, y: np.logaddexp(0, signs(y) * s)}),
        Mistake("bound", "Is the natural logistic loss nowhere below the 0-1 loss? Look at your picture at margin 0, where the example counts as an error.",
                {"logistic_gap": [0.0, 0.0]}),
        Mistake("from-to", "Right numbers in the wrong order: a pair runs from the smaller margin to the larger.", {"logistic_gap": [0.0, GAP]}),
        Mistake("perceptron", "This is max(0, −margin), which forgets the 1: the hinge also asks for some distance.",
                {"hinge": lambda s, y: np.maximum(0, -signs(y) * s)}),
        Mistake("tie", "A margin of 0 counts as an error here: the 0-1 loss is 1 there."),
    ],
    hints=[
        "t = 2y − 1 turns 0 and 1 into −1 and +1. The margin is t·s.",
        "Where the 0-1 loss is 0 nothing can be below it. Where it is 1, ask when log(1 + e^(−m)) < 1.",
        "log(1 + e^(−m)) = 1 at e^(−m) = e − 1. With log₂ the curve reaches 1 exactly at margin 0.",
    ],
    after="A loss that bounds the 0-1 loss from above bounds the number of errors as well; the natural logistic loss is short by the factor log 2.",
)  # fmt: skip
