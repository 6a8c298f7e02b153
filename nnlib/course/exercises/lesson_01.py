"""Lesson 01, perceptrons: a gate, the rule for a batch, images as rows, the far point, a class from a probability."""

from __future__ import annotations

import numpy as np

from ..probe import calls, draw
from ..verdict import kind_of
from . import Exercise, Mistake

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
NAND = np.array([1, 1, 1, 0])


def gate(my):
    return {"w, b": lambda: {"w": my.w, "b": my.b}, "said": lambda: my.said}


def gate_judge(answer):
    w, b = np.asarray(answer["w"], float), float(np.squeeze(answer["b"]))
    if w.shape != (2,):
        return f"w holds one weight for each of the two inputs, got {kind_of(answer['w'])}"
    z = CORNERS @ w + b
    says = (z > 0).astype(int)
    if (says == NAND).all():
        return None
    if ((z >= 0) == NAND).all():
        return "ties"
    if (says == 1 - NAND).all():
        return "and"
    if b == 0:
        return "no-bias"
    row = int(np.argmax(says != NAND))
    return f"the row ({CORNERS[row, 0]:g}, {CORNERS[row, 1]:g}) scores {z[row]:+g}, so the neuron says {says[row]}"


X01 = Exercise(
    "X01", "A gate of your own", lesson="01", cell="perceptron-rule",
    probe=gate,
    judge={"w, b": gate_judge},
    reference={"said": [1, 0, 0, 0]},
    mistakes=[
        Mistake("ties", "That takes a score of exactly 0 for class 1. In this course a tie is class 0: only z > 0 says 1.",
                {"said": [1, 1, 1, 0]}, cell="step"),
        Mistake("and", "These weights compute AND. NAND says the opposite in every row."),
        Mistake("no-bias", "With bias 0 the row (0, 0) scores 0 whatever the weights are, and a tie is class 0."),
    ],
    hints=[
        "The row (0, 0) sees the bias alone. Which sign must it have?",
        "One input at 1 may lower the score, but not to 0; both together must bring it to 0 or below.",
        "Take AND of the lesson, w = (1, 1) and b = −1.5. What happens to every score when you turn all three signs?",
    ],
    after="Every gate can be wired from NANDs alone, so networks of such neurons compute whatever a computer does.",
)  # fmt: skip


def perceptron(X, w, b):
    return np.heaviside(np.sum(X * w, axis=1) + b, 0.0)


def batches(rng):
    yield CORNERS, np.array([1.0, 1.0]), -1.0
    for n, d in [(1, 3), (6, 1), (7, 4)]:  # whole numbers, so that ties are exact
        yield rng.integers(-2, 3, (n, d)) * 1.0, rng.integers(-2, 3, d) * 1.0, float(rng.integers(-1, 2))


X02 = Exercise(
    "X02", "The rule for a whole batch", lesson="01", cell="perceptron-rule",
    probe=calls("perceptron"),
    cases=batches,
    reference={"perceptron": perceptron},
    mistakes=[
        Mistake("ties", "A row with a score of exactly 0 got class 1; a tie is class 0.",
                {"perceptron": lambda X, w, b: np.where(np.sum(X * w, axis=1) + b >= 0, 1.0, 0.0)}, cell="step"),
        Mistake("booleans", "True and False are no numbers to train with; the answers are wanted as 1.0 and 0.0.",
                {"perceptron": lambda X, w, b: perceptron(X, w, b) == 1}),
        Mistake("signs", "These are the labels +1 and −1. The perceptron of this course says 1 and 0.",
                {"perceptron": lambda X, w, b: 2 * perceptron(X, w, b) - 1}),
        Mistake("three", "A sign has three values, −1, 0 and 1. The answers are 1 and 0.", {"perceptron": lambda X, w, b: np.sign(X @ w + b)}),
        Mistake("first", "Only the first feature was weighed. The score is a sum over all d features.",
                {"perceptron": lambda X, w, b: perceptron(X[:, :1], w[:1], b)}),
    ],
    hints=[
        "X has shape (N, d) and w (d,). Which product has shape (N,)?",
        "A comparison gives True and False. The array's method astype turns them into numbers.",
    ],
)  # fmt: skip


def kangaroos(my, m, h, w):
    images = np.arange(m * h * w * 3.0).reshape(m, h, w, 3)
    return {"rows": lambda: my.rows(images), "sizes": lambda: my.sizes(m, h, w)}


def channels_first(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


X03 = Exercise(
    "X03", "Images become rows", lesson="01", cell="pixels",
    probe=kangaroos,
    cases=lambda rng: [(5, 2, 4), (2, 3, 3), (int(rng.integers(3, 9)), int(rng.integers(2, 7)), int(rng.integers(2, 7)))],
    reference={"rows": lambda images: np.stack([image.ravel() for image in images]),
               "sizes": lambda m, h, w: ((m, 3 * h * w), (1, 3 * h * w))},
    mistakes=[
        Mistake("columns", "Here each image stands as a column. In this course one example is one row: the batch axis comes first.",
                {"rows": lambda images: images.reshape(len(images), -1).T,
                 "sizes": lambda m, h, w: ((3 * h * w, m), (1, 3 * h * w))}),
        Mistake("channels", "The axes were turned before unrolling, so all reds come first. Here the colours of one pixel stay side by side.",
                {"rows": channels_first}),
        Mistake("grey", "A colour picture has three numbers for each pixel, and every one of them is a feature.",
                {"rows": lambda images: images[..., 0].reshape(len(images), -1),
                 "sizes": lambda m, h, w: ((m, h * w), (1, h * w))}, cell="slip-shape"),
        Mistake("weight-column", "The weight is stored (out, in). One neuron has one output.",
                {"sizes": lambda m, h, w: ((m, 3 * h * w), (3 * h * w, 1))}),
    ],
    hints=[
        "The batch axis survives; the three others become one.",
        "reshape(m, -1) keeps the order in which the numbers lie: row after row, pixel after pixel, colour after colour.",
        "Check yourself: pixel (i, j) of an image, colour c, is feature number (i·w + j)·3 + c.",
    ],
)  # fmt: skip


SIX = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
LABELS = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])


def cut(far):
    slope, intercept = np.polyfit(np.append(SIX, far), LABELS, 1)
    return (0.5 - intercept) / slope


def cut_at_zero(far):
    slope, intercept = np.polyfit(np.append(SIX, far), LABELS, 1)
    return -intercept / slope


def cut_no_intercept(far):
    x = np.append(SIX, far)
    return 0.5 * (x @ x) / (x @ LABELS)


def far_key(places, cuts):
    """The mistake that makes these cuts, None if they are right, "" if they are unknown."""
    for key, one in (None, cut), ("no-intercept", cut_no_intercept), ("at-zero", cut_at_zero):
        if np.allclose(cuts, [one(far) for far in places], rtol=1e-5):
            return key
    if np.allclose(cuts, 0.5, rtol=1e-12, atol=0):
        return "without"
    return "logistic" if np.all(abs(cuts - 0.5) < 0.1) else ""


def cuts_judge(answer, places):
    key = far_key(places, np.array(answer, float))
    return f"with the far point at {places[0]:g} yours cuts at {answer[0]:.6g}, where the line is not at 0.5" if key == "" else key


def far_judge(answer, places):
    if not answer["axes"] or not answer["axes"][0]["lines"]:
        return "the figure has no line. Plot the cut against the place of the far point."
    line = answer["axes"][0]["lines"][0]
    if line["x"].shape != places.shape or not np.allclose(line["x"], places):
        return f"along x should stand the {len(places)} places, as they were given"
    key = far_key(places, line["y"])
    return f"with the far point at {places[0]:g} your curve shows a cut at {line['y'][0]:.4f}" if key == "" else key


def far_point(my, places):
    return {"cut": lambda: [my.cut(place) for place in places.tolist()], "draw": lambda: draw(my.draw, places)}


X04 = Exercise(
    "X04", "The far point", lesson="01", cell="far-formula", points=3,
    probe=far_point,
    cases=lambda rng: [(np.sort([1.5, 10.0, *rng.uniform(1.5, 40, 10).round(2)]),)],
    judge={"cut": cuts_judge, "draw": far_judge},
    mistakes=[
        Mistake("no-intercept", "This line was forced through the origin. Least squares chooses the intercept too."),
        Mistake("at-zero", "This is where the line reaches 0. The labels are 0 and 1, and the cut lies where the line says 0.5."),
        Mistake("logistic", "A cut that stays near 0.5 is what logistic regression says. The question is about the straight line.", cell="far-answer"),
        Mistake("without", "This is the cut of the six points alone. The seventh, far one belongs to the fit."),
    ],
    hints=[
        "Seven points: the six of the lesson and (far, 1). The slope and the point of means give the line.",
        "Solve slope · x + intercept = 0.5 for x.",
        "np.polyfit(x, t, 1) returns slope and intercept, in this order. Repeat it for every place.",
    ],
    after="The curve comes to rest at 0.8. The point at 0.6 is lost early, and no far point costs a second one.",
)  # fmt: skip


def logit(level):
    return -np.log(1 / np.asarray(level) - 1)


def classify(X, w, b, level):
    return (X @ w + b > logit(level)).astype(int)


def probabilities(X, w, b):
    return 1 / (1 + np.exp(-(X @ w + b)))


def clouds(rng):
    yield CORNERS, np.array([1.0, 1.0]), -1.0, 0.5  # two ties
    yield np.array([[0.1], [0.3], [0.45], [0.55], [0.7], [2.0], [-1.0], [5.0]]), np.array([1.0]), 0.0, 0.5
    for level in (0.9, 0.2):
        yield rng.normal(size=(40, 2)).round(2), rng.normal(size=2).round(2) * 2, 0.3, level


def by_probability(my, X, w, b, level):
    return {"classify": lambda: my.classify(X, w, b, level), "score_at": lambda: my.score_at(level)}


X05 = Exercise(
    "X05", "A class from a probability", lesson="01", cell="sigmoid",
    probe=by_probability,
    cases=clouds,
    reference={"classify": classify, "score_at": logit},
    mistakes=[
        Mistake("score", "The score itself was compared with the level. The level is one for probabilities, σ(z).",
                {"classify": lambda X, w, b, level: (X @ w + b > level).astype(int), "score_at": lambda level: level},
                cell="slip-half"),
        Mistake("probability", "These are probabilities. The question is on which side of the level they lie: 0 or 1.",
                {"classify": lambda X, w, b, level: probabilities(X, w, b)}),
        Mistake("signs", "These are the labels +1 and −1; the classes of this course are 1 and 0.",
                {"classify": lambda X, w, b, level: 2 * classify(X, w, b, level) - 1}),
        Mistake("ties", "A probability of exactly the level got class 1. Only above it is class 1.",
                {"classify": lambda X, w, b, level: (X @ w + b >= logit(level)).astype(int)}, cell="slip-tie"),
        Mistake("half", "The level was not used: this always cuts at 0.5.",
                {"classify": lambda X, w, b, level: (X @ w + b > 0).astype(int), "score_at": lambda level: 0.0}),
        Mistake("upside-down", "This has the right size and the wrong sign: a level above 0.5 needs a positive score.",
                {"score_at": lambda level: -logit(level)}),
    ],
    hints=[
        "σ increases strictly, so σ(z) > level says the same as z > some number. Which number?",
        "Solve 1/(1 + e^−z) = level for z: first for e^−z, then take the logarithm.",
        "The number is called the logit of the level: the logarithm of level/(1 − level).",
    ],
    after="The sigmoid was never needed to decide. It is needed to say how sure, and to train.",
)  # fmt: skip
