"""Lesson 04, one hidden layer: 3-2-1 by hand, somebody else's page, columns and rows, counts, a wired network."""

from __future__ import annotations

import math

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import draw
from . import Exercise, Mistake


def sigma(z):
    return 1 / (1 + np.exp(-np.asarray(z, float)))


def ledger(x, leaving, b1, v, c, *, squash=sigma):
    """z₁ h₁ z₂ h₂ z_out y: products and sums one by one."""
    z = [sum(x[i] * leaving[i][j] for i in range(len(x))) + b1[j] for j in range(len(b1))]
    h = [float(squash(one)) for one in z]
    out = sum(a * b for a, b in zip(v, h)) + c
    return np.array([z[0], h[0], z[1], h[1], out, float(squash(out))])


SLIDE = (np.array([0.4, 0.2, 0.2]), np.array([[1.0, 0.5], [0.2, 1.2], [1.2, 0.1]]), np.array([0.1, 0.2]),
         np.array([0.3, 0.9]), 0.3)  # fmt: skip


def dealt_again(x, leaving, b1, v, c):
    return ledger(x, leaving.reshape(2, 3).T, b1, v, c)


def no_bias(x, leaving, b1, v, c):
    return ledger(x, leaving, 0 * b1, v, c)


def sign_lost(x, leaving, b1, v, c):
    return ledger(x, leaving, b1, v, c, squash=lambda z: sigma(-z))


def ledger_parts(my, x, leaving, b1, v, c):
    return {"by_hand": lambda: my.by_hand, "six": lambda: my.six(x, leaving, b1, v, c)}


X11 = Exercise(
    "X11", "3-2-1, by hand and as a function", lesson="04", cell="unit-text", points=3,
    probe=ledger_parts,
    cases=lambda rng: [SLIDE, (rng.normal(size=3), rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=2), 0.5)],
    reference={"by_hand": ledger(*SLIDE), "six": ledger},
    rtol=1e-5,
    mistakes=[
        Mistake("slide", "These are the slide's numbers, from 0.68 and 0.49 to 0.74. It slips on the way; use its weights, not its results.",
                {"by_hand": np.array([0.78, 0.68, 0.49, 0.62, 1.062, 0.74])}, cell="slip-sum"),
        Mistake("sign", "The sign in the exponent is lost: σ(z) = 1/(1 + e^−z). A positive z must give more than ½.",
                {"by_hand": sign_lost(*SLIDE), "six": sign_lost}, cell="slip-sign"),
        Mistake("dealt-again", "The table was dealt out again in reading order (reshape), so most weights change their ends. It has to be turned.",
                {"by_hand": dealt_again(*SLIDE), "six": dealt_again}, cell="layout-answer"),
        Mistake("no-bias", "The biases of the hidden units are missing.",
                {"by_hand": no_bias(*SLIDE), "six": no_bias}),
        Mistake("no-squash", "The sums are handed on as they are; each of the three units puts its sum through the sigmoid.",
                {"by_hand": ledger(*SLIDE, squash=lambda z: z), "six": lambda *case: ledger(*case, squash=lambda z: z)}),
    ],
    hints=[
        "Unit 1: what arrives from input i is x_i times the first entry of row i of the table. Three products and a bias.",
        "leaving.T has a row for each unit; leaving.T @ x + b1 gives both sums at once.",
        "z₁ = 0.78 and z₂ = 0.66 for the slide's numbers; then the same again with h₁, h₂ as inputs.",
    ],
)  # fmt: skip


def page(z2, sign=-1.0):
    """z₂ h₂ z_out y of the page, from this z₂ on."""
    h2 = 1 / (1 + math.exp(-z2))
    out = 1.5 * 0.5 - h2 + 0.3
    return [z2, h2, out, 1 / (1 + math.exp(sign * out))]


def page_parts(my):
    return {"slips": lambda: my.slips, "repaired": lambda: my.repaired}


def slips_judge(answer):
    if not isinstance(answer, dict):
        return "slips is a dictionary: the number of a line, and how many slips it adds itself"
    found = {int(line): count for line, count in answer.items() if count}
    if found == {3: 2, 6: 1}:
        return None
    if set(found) & {4, 5}:
        return "inherited"
    if set(found) == {3, 6} and found[3] == 1:
        return "one-of-two"
    if set(found) & {1, 2}:
        return f"line {min(found)} is right: do it once more"
    return "not all slips are found" if sum(found.values()) < 3 else "there are fewer slips than that"


X12 = Exercise(
    "X12", "Somebody else's page", lesson="04", cell="slip-inherited",
    probe=page_parts,
    reference={"repaired": page(-0.2)},
    judge={"slips": slips_judge},
    rtol=1e-4,
    mistakes=[
        Mistake("inherited", "Lines 4 and 5 compute correctly with the numbers they are given. They inherit a mistake and add none."),
        Mistake("one-of-two", "Repair the slip that you found in line 3. Does its sum then agree with the weights? There is another one."),
        Mistake("bias-left", "The product in line 3 is repaired, its bias is not.", {"repaired": page(-0.38)}, cell="slip-sum"),
        Mistake("product-left", "The bias in line 3 is repaired, the wrong product is still there.", {"repaired": page(0.6)}, cell="slip-sum"),
        Mistake("no-bias", "Line 3 has no bias any more.", {"repaired": page(-0.4)}, cell="slip-sum"),
        Mistake("sign-left", "The first three are right. The last still has the lost minus of line 6.", {"repaired": page(-0.2, 1.0)}, cell="slip-sign"),
        Mistake("as-printed", "Line 3 is as it was printed; only the last line was repaired.", {"repaired": page(0.42)}),
    ],
    hints=[
        "Check each line with the numbers it claims to use. Is the arithmetic of the line itself wrong, or only what it was given?",
        "Write out the three products and the bias of unit 2 from the table of weights and compare term by term.",
        "Line 6: on which side of ½ must the sigmoid of a positive number lie?",
    ],
)  # fmt: skip


def net_of(layers):
    modules = []
    for W, b in layers:
        linear = nn.Linear(W.shape[1], W.shape[0]).double()
        linear.load_state_dict({"weight": W, "bias": b})
        modules += [linear, nn.Sigmoid()]
    net = nn.Sequential(*modules[:-1])
    return lambda X: net(nn.tensor(np.asarray(X, float))).detach().numpy()


def forward_rows(X, layers):
    return net_of(layers)(X)


def forward_columns(X, layers):
    return net_of(layers)(X.T).T


def squashed(X, layers):
    return sigma(forward_rows(X, layers))


def stretched(X, layers):
    for W, b in layers[:-1]:
        X = sigma(W @ X + b)
    return layers[-1][0] @ X + layers[-1][1]


def snippet_parts(my, X, W1, b1, W2, b2, W3, b3):
    layers = [(W1, b1), (W2, b2), (W3, b3)]
    return {
        "forward_columns": lambda: my.forward_columns(X.T.copy(), layers),
        "forward_rows": lambda: my.forward_rows(X.copy(), layers),
    }


def snippets(rng):
    for n in (1, 4, 7):
        layers = [(rng.normal(size=(o, i)), rng.normal(size=o)) for i, o in [(3, 4), (4, 4), (4, 1)]]
        yield rng.normal(size=(n, 3)), *(array for layer in layers for array in layer)


X14 = Exercise(
    "X14", "Columns and rows", lesson="04", cell="column-text", points=3,
    probe=snippet_parts,
    cases=snippets,
    reference={"forward_columns": forward_columns, "forward_rows": forward_rows},
    mistakes=[
        Mistake("stretched", "A bias of shape (4,) added to columns acts as a row: every unit gets the biases of all. It needs a second axis.",
                {"forward_columns": stretched}),
        Mistake("squashed", "The last layer stays linear; there is an activation on the output here.",
                {"forward_columns": lambda X, layers: squashed(X.T, layers).T, "forward_rows": squashed}, cell="recursion-text"),
        Mistake("stretched-squashed", "This is the function as printed. Look at the shape of W @ x + b for one column, and at what stands on the output.",
                {"forward_columns": lambda X, layers: sigma(stretched(X, layers))}),
        Mistake("reshaped", "Rows were made into columns by reshape, which deals the numbers out again: examples and features get mixed.",
                {"forward_rows": lambda X, layers: forward_columns(X.reshape(3, -1), layers).T}, cell="layout-answer"),
        Mistake("one-shape", "The values are right and lie as (1, N). One example is one row, so the result is (N, 1).",
                {"forward_rows": lambda X, layers: forward_rows(X, layers).T}),
        Mistake("linear", "There is no activation between the layers any more, only on the way out none is wanted.",
                {"forward_columns": lambda X, layers: affine(X.T, layers).T, "forward_rows": lambda X, layers: affine(X, layers)}),
    ],
    hints=[
        "Print the shape after every line for a single column. Which line makes (4, 4) out of (4, 1)?",
        "b[:, None] has shape (4, 1). The last pair of `layers` gets no sigmoid.",
        "For rows: h @ W.T + b, and no second axis is needed.",
    ],
    after="With four columns NumPy had nothing to complain about: (4, 4) plus (4,) fits, and is wrong.",
)  # fmt: skip


def affine(X, layers):
    for W, b in layers:
        X = X @ W.T + b
    return X


def count(sizes):
    net = [nn.Linear(i, o) for i, o in zip(sizes, sizes[1:])]
    return sum(p.numel() for layer in net for p in layer.parameters())


def widest(D_i, D_o, budget):
    D = 1
    while (D_i + 1) * (D + 1) + (D + 2) * D_o <= budget:
        D += 1
    return D


def budgets(rng):
    yield [2, 3, 1], 2, 1, 13
    yield [3, 4, 4, 1], 64, 10, 9609  # one less than 64-128-10 takes
    yield [784, 10], 784, 10, 203529
    yield rng.integers(2, 30, 5).tolist(), int(rng.integers(2, 50)), int(rng.integers(2, 20)), int(rng.integers(2000, 4000))


def count_parts(my, sizes, D_i, D_o, budget):
    return {"count": lambda: my.count(sizes), "widest": lambda: my.widest(D_i, D_o, budget)}


def weights(sizes):
    return sum(a * b for a, b in zip(sizes, sizes[1:]))


X15 = Exercise(
    "X15", "Count, and spend a budget", lesson="04", cell="count-text",
    probe=count_parts,
    cases=budgets,
    reference={"count": count, "widest": widest},
    rtol=1e-9,
    mistakes=[
        Mistake("no-bias", "These are the weights alone; every unit has a bias as well.",
                {"count": weights, "widest": lambda D_i, D_o, budget: budget // (D_i + D_o)}),
        Mistake("input-bias", "The inputs got biases too. They are numbers from outside and have no parameters.",
                {"count": lambda sizes: count(sizes) + sizes[0]}, cell="slip-formula"),
        Mistake("input-added", "Weights plus one for each input: the biases belong to the units that receive, layer after layer.",
                {"count": lambda sizes: weights(sizes) + sizes[0]}),
        Mistake("one-too-many", "One unit more than the budget pays for: the count must not exceed it.",
                {"widest": lambda D_i, D_o, budget: widest(D_i, D_o, budget) + 1}),
        Mistake("output-bias", "The biases of the outputs were forgotten; they are paid once, whatever the width.",
                {"widest": lambda D_i, D_o, budget: budget // (D_i + 1 + D_o)}),
    ],
    hints=[
        "A unit has one weight for each number that it receives, and one bias.",
        "Each hidden unit costs D_i + 1 for itself and one more at each output. What is left to pay that does not depend on D?",
    ],
)  # fmt: skip


def house(theta, x):
    """The same wiring as a 4-3-1 network with seven zeros."""
    W = np.zeros((3, 4))
    W[0, 0], W[0, 1], W[1, 2], W[2, 2], W[2, 3] = theta[0], theta[1], theta[3], theta[5], theta[6]
    hidden = F.relu(F.linear(nn.tensor(np.asarray(x, float)), nn.tensor(W), nn.tensor(np.asarray(theta)[[2, 4, 7]])))
    return hidden.numpy() @ theta[8:11] + theta[11]


def wired(theta):
    W = np.zeros((3, 4))
    W[[0, 0, 1, 2, 2], [0, 1, 2, 2, 3]] = np.asarray(theta)[[0, 1, 3, 5, 6]]
    return W


def theta5_weighs(theta, x):
    a = [np.maximum(theta[0] * x[:, 0] + theta[1] * x[:, 1] + theta[2], 0), np.maximum((theta[3] + theta[4]) * x[:, 2], 0),
         np.maximum(theta[5] * x[:, 2] + theta[6] * x[:, 3] + theta[7], 0)]  # fmt: skip
    return np.array(a).T @ theta[8:11] + theta[11]


def no_relu(theta, x):
    return (x @ wired(theta).T + theta[[2, 4, 7]]) @ theta[8:11] + theta[11]


def relu_out(theta, x):
    return np.maximum(house(theta, x), 0)


def homes(rng):
    theta = np.array([0.5, 0.3, -0.2, 0.4, 0.1, 0.2, 0.6, -0.1, 1, 2, 1.5, 0.3])
    low = np.append(theta[:-1], -2.0)
    sizes = np.linspace(0, 4, 41)
    yield theta, np.array([[2.0, 3.0, 0.5, 1.0], [1.0, 1.0, -3.0, 0.2]]), sizes
    yield low, np.array([[1.0, 1.0, 0.2, 0.0], [0.5, -2.0, 0.1, 0.4]]), sizes
    theta = rng.uniform(0.2, 1, 12).round(2) * [1, -1, 1, 1, -1, 1, 1, -1, 1, 1, 1, -1]
    yield theta, rng.uniform(0, 2, (6, 4)).round(2) * [1, 2, 1, 1], sizes


def home_parts(my, theta, x, sizes):
    return {
        "house": lambda: my.house(theta.copy(), x.copy()),
        "wired": lambda: my.wired(theta.copy()),
        "draw_price": lambda: draw(my.draw_price, theta, x[-1], sizes),
    }


def price_judge(answer, theta, x, sizes):
    if not answer["axes"] or not answer["axes"][0]["lines"]:
        return "the figure has no line. Plot the price against the size."
    line = answer["axes"][0]["lines"][0]
    if len(line["x"]) != len(sizes) or not np.allclose(line["x"], sizes):
        return "along x should stand the sizes, as they were given"
    homes = np.tile(x[-1], (len(sizes), 1))
    homes[:, 0] = sizes
    for key, right in (None, house), ("relu-out", relu_out), ("theta5", theta5_weighs), ("no-relu", no_relu):
        if np.allclose(line["y"], right(theta, homes)):
            return key
    place = int(np.argmax(abs(line["y"] - house(theta, homes))))
    return f"a house of size {sizes[place]:g} costs {line['y'][place]:.4g} in your picture; the network says otherwise"


X16 = Exercise(
    "X16", "A wired network", lesson="04", cell="housing-text", points=3,
    probe=home_parts,
    cases=homes,
    reference={"house": house, "wired": wired},
    judge={"draw_price": price_judge},
    mistakes=[
        Mistake("relu-out", "There is a ReLU on the output. The last layer has no activation: this network may promise less than nothing.",
                {"house": relu_out}, cell="housing-answer"),
        Mistake("theta5", "θ₅ is the bias of unit 2, and multiplies nothing.", {"house": theta5_weighs}),
        Mistake("no-relu", "The hidden units are linear here; each puts its sum through a ReLU.", {"house": no_relu}),
        Mistake("full", "Every unit is connected to every input. Twelve parameters leave seven of the twelve weights at 0.",
                {"wired": lambda theta: np.asarray(theta).reshape(3, 4)}, cell="full-text"),
        Mistake("turned", "The table lies on its side: a row for each hidden unit, a column for each input.", {"wired": lambda theta: wired(theta).T}),
    ],
    hints=[
        "θ₁ is theta[0], and so on: the formulas count from 1, Python from 0.",
        "x[:, 0] is the size of every house, x[:, 2] its zip code. Three lines for three units, one for the output.",
        "For the picture: copy the house once for each size and exchange the first entry.",
    ],
    after="One bend: size reaches a single hidden unit. Full connection would allow three.",
)  # fmt: skip
