"""Lesson 10, backpropagation: a layer in rows, the 3-2-1 network, masks, a deep net in columns, the order, the price."""

from __future__ import annotations

import re

import numpy as np

import nnlib as nn
import nnlib.functional as F

from ..probe import calls, draw
from . import Exercise, Mistake


def leaf(array):
    return nn.tensor(np.asarray(array, float), requires_grad=True)


def linear_backward(x, W, dy):
    x, W, b = leaf(x), leaf(W), leaf(np.zeros(len(W)))
    F.linear(x, W, b).backward(gradient=dy)
    return {"dW": W.grad, "db": b.grad, "dx": x.grad}


X63 = Exercise(
    "X63", "Rows", lesson="10", cell="last-text",
    probe=calls("linear_backward"),
    cases=lambda rng: [(rng.normal(size=(n, i)).round(2), rng.normal(size=(o, i)).round(2), rng.normal(size=(n, o)).round(2))
                       for n, i, o in [(6, 4, 3), (3, 3, 3), (1, 2, 5)]],
    reference={"linear_backward": linear_backward},
    mistakes=[
        Mistake("transposed", "dW came out as xᵀ dy, of shape (in, out). A gradient has the shape of its parameter, and W is stored (out, in).",
                {"linear_backward": lambda x, W, dy: linear_backward(x, W, dy) | {"dW": x.T @ dy}}, cell="slip-row"),
        Mistake("mean-bias", "db is a mean over the rows while dW is a sum. If there is a 1/N, it is already in dy.",
                {"linear_backward": lambda x, W, dy: linear_backward(x, W, dy) | {"db": dy.mean(0)}}),
        Mistake("means", "Both were divided by N. The 1/N of the mean sits in the start of the backward pass, so it is already in dy.",
                {"linear_backward": lambda x, W, dy: linear_backward(x, W, dy) | {"dW": dy.T @ x / len(x), "db": dy.mean(0)}}),
        Mistake("batch-axis", "db still has one row per example. The bias is used once in every row, so its shares add up.",
                {"linear_backward": lambda x, W, dy: linear_backward(x, W, dy) | {"db": dy}}),
        Mistake("keepdims", "db has shape (1, out); the bias has shape (out,).",
                {"linear_backward": lambda x, W, dy: linear_backward(x, W, dy) | {"db": dy.sum(0, keepdims=True)}}),
        Mistake("weights-transposed", "dx was computed with Wᵀ, which fits only if in and out are equal. dx has the shape of x.",
                {"linear_backward": lambda x, W, dy: linear_backward(x, W, dy) | {"dx": dy @ W.T}}),
    ],
    hints=[
        "Let the shapes lead: dW (out, in), db (out,), dx (N, in), made from dy (N, out), x (N, in) and W (out, in).",
        "A value that is used in every row gets the sum of the rows' shares.",
    ],
    after="No sum over n is written anywhere: the inner axis of dyᵀ x is the batch.",
)  # fmt: skip


# The lines of the Parsons problem; X13's statement shows them.
LINES = {
    "A": "dW1 = dz1.T @ x",
    "B": "W2 = W2 - 0.5 * dW2",
    "C": "dz1 = dh1 * h1 * (1 - h1)",
    "D": "dz2 = out * (1 - out)",
    "E": "W1 = W1 - 0.5 * dW1",
    "F": "dh1 = dz2 @ W2",
    "G": "dW2 = dz2.T @ h1",
}
EXAMPLE = {
    "x": np.array([[0.4, 0.2, 0.2]]), "W1": np.array([[1.0, 0.2, 1.2], [0.5, 1.2, 0.1]]), "b1": np.array([0.1, 0.2]),
    "W2": np.array([[0.3, 0.9]]), "b2": np.array([0.3]),
}  # fmt: skip


def assembled(order):
    """What the lines leave behind when they run in this order on the lesson's numbers."""
    names = {name: value.copy() for name, value in EXAMPLE.items()}
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    names["h1"] = sigmoid(names["x"] @ names["W1"].T + names["b1"])
    names["out"] = sigmoid(names["h1"] @ names["W2"].T + names["b2"])
    for letter in order:
        exec(LINES[letter], {}, names)  # our own lines: the answer only orders them
    return names


def order_judge(order, *case):
    if not isinstance(order, str):
        return f"order should be text such as {''.join(sorted(LINES))!r}, got {type(order).__name__}"
    order = re.sub(r"[\s,]", "", order).upper()
    if sorted(order) != sorted(LINES):
        return f"each of the seven letters A to G should occur once, got {order!r}"
    try:
        after = assembled(order)
    except NameError as error:
        missing = str(error).split("'")[1]
        return f"{missing} is used before the line that makes it"
    right = eleven(*(EXAMPLE[name] for name in ("x", "W1", "b1", "W2", "b2")))
    if not all(np.allclose(after[name], EXAMPLE[name] - 0.5 * right[name]) for name in ("W1", "W2")):
        return "moved-early"
    return None


def eleven(x, W1, b1, W2, b2):
    names = dict(zip(("W1", "b1", "W2", "b2"), map(leaf, (W1, b1, W2, b2))))
    h = nn.sigmoid(F.linear(nn.tensor(x), names["W1"], names["b1"]))
    nn.sigmoid(F.linear(h, names["W2"], names["b2"])).sum().backward()
    return {name: tensor.grad for name, tensor in names.items()}


def eleven_with(x, W1, b1, W2, b2, *, slope=lambda h: h * (1 - h), down=lambda dz2, W2: dz2 @ W2):
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    h1 = sigmoid(x @ W1.T + b1)
    dz2 = slope(sigmoid(h1 @ W2.T + b2))
    dz1 = down(dz2, W2) * slope(h1)
    return {"W1": dz1.T @ x, "b1": dz1[0], "W2": dz2.T @ h1, "b2": dz2[0]}


def slope_of_output(h):
    s = 1 / (1 + np.exp(-h))
    return s * (1 - s)


def three_two_one(my, x, W1, b1, W2, b2):
    return {"order": lambda: my.order, "eleven": lambda: my.eleven(x.copy(), W1.copy(), b1.copy(), W2.copy(), b2.copy())}


X13 = Exercise(
    "X13", "Eleven gradients", lesson="10", cell="three-two-one", points=3,
    probe=three_two_one,
    cases=lambda rng: [tuple(EXAMPLE.values()),
                       *((rng.normal(size=(1, 3)).round(2), *(rng.normal(size=s).round(2) for s in ((2, 3), 2, (1, 2), 1))) for _ in range(2))],
    reference={"eleven": eleven},
    judge={"order": order_judge},
    mistakes=[
        Mistake("moved-early", "It runs, and a weight moves before everything that needs its old value is done. Which line reads W2?", cell="steps-text"),
        Mistake("slope-at-output", "The sigmoid's slope was taken at the output, σ(h)(1 − σ(h)). In terms of the output h it is h(1 − h).",
                {"eleven": lambda *a: eleven_with(*a, slope=slope_of_output)}),
        Mistake("no-w2", "On the way from the output to the hidden units the weights W2 were left out.",
                {"eleven": lambda *a: eleven_with(*a, down=lambda dz2, W2: np.full((1, 2), dz2.item()))}),
        Mistake("transposed", "dW1 is transposed: it has shape (3, 2), W1 has (2, 3).",
                {"eleven": lambda *a: (g := eleven(*a)) | {"W1": g["W1"].T}}),
        Mistake("no-slope", "The slope of the hidden sigmoids is missing between dh1 and dz1.",
                {"eleven": lambda x, W1, b1, W2, b2: (g := eleven(x, W1, b1, W2, b2)) | {
                    "b1": g["b2"] @ W2, "W1": (g["b2"] @ W2)[:, None] * x}}),
    ],
    hints=[
        "Begin with the slope of the last sigmoid, out(1 − out): that is already the gradient of b2.",
        "A line can stand anywhere below the lines that make what it reads. Updates last.",
        "With the lesson's numbers: b2 0.187460, W2 (0.128538, 0.123585), b1 (0.012121, 0.037899).",
    ],
    after="With the lesson's numbers W1 gets the smallest gradients: two slopes of a sigmoid and a weight lie on the way.",
)  # fmt: skip


MASK = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])


def masked_forward(x, W, b, M):
    return np.einsum("ni,oi,oi->no", x, W, M) + b


def masked_backward(x, W, M, dy):
    return {"dW": np.einsum("no,ni,oi->oi", dy, x, M), "db": dy.sum(0), "dx": np.einsum("no,oi,oi->ni", dy, W, M)}


def masked(my, x, W, b, M, dy):
    return {
        "mask": lambda: np.asarray(my.mask) * 1,
        "free": lambda: my.free,
        "masked_forward": lambda: my.masked_forward(x.copy(), W.copy(), b.copy(), M.copy()),
        "masked_backward": lambda: my.masked_backward(x.copy(), W.copy(), M.copy(), dy.copy()),
    }


X17 = Exercise(
    "X17", "Connections that do not exist", lesson="10", cell="mask-text",
    probe=masked,
    cases=lambda rng: [(rng.normal(size=(5, 4)), rng.normal(size=(3, 4)), rng.normal(size=3), np.roll(MASK, k, 1), rng.normal(size=(5, 3)))
                       for k in (0, 1)],
    reference={"mask": MASK, "free": 12, "masked_forward": masked_forward, "masked_backward": masked_backward},
    mistakes=[
        Mistake("only-once", "W was used as it is. W may hold anything at the missing places: use W ⊙ M, forward and backward, every time.",
                {"masked_forward": lambda x, W, b, M: x @ W.T + b,
                 "masked_backward": lambda x, W, M, dy: masked_backward(x, W, M, dy) | {"dx": dy @ W}}),
        Mistake("gradient-free", "The weight gradient is not masked, so the next step would bring the missing connections to life.",
                {"masked_backward": lambda x, W, M, dy: masked_backward(x, W, M, dy) | {"dW": dy.T @ x}}),
        Mistake("bias-masked", "The bias was masked as well. The mask belongs to connections; every unit keeps its bias.",
                {"masked_backward": lambda x, W, M, dy: masked_backward(x, W, M, dy) | {"db": dy.sum(0) * M[:, 0]},
                 "masked_forward": lambda x, W, b, M: x @ (W * M).T + b * M[:, 0]}),
        Mistake("no-mask-at-all", "This is the gradient of a full layer: neither dW nor dx knows of the mask.",
                {"masked_backward": lambda x, W, M, dy: linear_backward(x, W, dy)}),
        Mistake("transposed", "The mask lies on its side. It has the shape of W: one row for each unit, one column for each input.", {"mask": MASK.T}),
        Mistake("full", "That is the full 4-3-1 network. A masked weight is no parameter: it cannot move.", {"free": 19}),
        Mistake("no-biases", "The biases are parameters too: one for each hidden unit and one for the output.", {"free": 8}),
    ],
    hints=[
        "Row j of the mask has a 1 for each input that hidden unit j sees: x₁ and x₂ for the first, x₃ for the second, x₃ and x₄ for the third.",
        "With V = W ⊙ M the layer is an ordinary one with weight V. Then V → W is one more element-wise gate.",
        "dW = (dyᵀ x) ⊙ M, dx = dy (W ⊙ M). Free: 5 weights and 3 biases below, 3 weights and 1 bias above.",
    ],
)  # fmt: skip


def deep_forward(x, O, B, relu=F.relu):
    z = nn.tensor(x.T)
    for k, (W, b) in enumerate(zip(O, B)):
        z = F.linear(relu(z) if k else z, W, b.reshape(-1))
    return z


def deep_loss(f, y, loss):
    if loss == "mse":
        return F.mse_loss(f, nn.tensor(y.T))
    if loss == "bernoulli":
        return F.binary_cross_entropy_with_logits(f, nn.tensor(y.T))
    return F.cross_entropy(f, nn.tensor([int(y)]))


def start(f, y, loss):
    f = leaf(f.T)
    deep_loss(f, y, loss).backward()
    return f.grad.T


def deep_gradients(x, y, O, B, loss):
    O, B = [leaf(W) for W in O], [leaf(b) for b in B]
    deep_loss(deep_forward(x, O, B), y, loss).backward()
    return [W.grad for W in O], [b.grad for b in B]


def by_rule(x, y, O, B, loss, *, off=0, transpose=False, straight=False, no_x=False, weaker=False, leaky=False):
    """The three lines with one slip."""
    h, f = [x], []
    for k, (W, b) in enumerate(zip(O, B)):
        f.append(W @ h[k] + b)
        h.append(np.maximum(f[k], 0))
    df = start(f[-1], y, loss) * (len(f[-1]) / 2 if weaker and loss == "mse" else 1)
    dO, dB = [None] * len(O), [None] * len(O)
    for k in reversed(range(len(O))):
        dB[k] = df
        dO[k] = df if no_x and k == 0 else h[k] @ df.T if transpose else df @ h[k].T
        if k:
            mask = 1 if leaky else (h[max(k - 1, 0)] > 0) if off else (f[k - 1] > 0)
            df = mask * ((O[k] if straight else O[k].T) @ df)
    return dO, dB


def deep(my, x, y, O, B, loss):
    target = int(y) if loss == "cross_entropy" else y.copy()

    def gradients():
        dO, dB = my.gradients(x.copy(), target, [W.copy() for W in O], [b.copy() for b in B], loss)
        return {"dO": list(dO), "dB": list(dB)}

    return {"start": lambda: my.start(B[-1].copy(), target, loss), "gradients": gradients}


def deep_cases(rng):
    for loss, sizes in [("mse", [3, 3, 3, 3]), ("mse", [3, 5, 4, 6, 2]), ("cross_entropy", [2, 4, 3]), ("bernoulli", [2, 3, 4, 2])]:
        O = [rng.normal(size=(m, n)).round(2) for n, m in zip(sizes, sizes[1:])]
        B = [rng.normal(size=(m, 1)).round(2) + 0.3 for m in sizes[1:]]
        y = {"mse": rng.normal(size=(sizes[-1], 1)).round(2), "bernoulli": rng.integers(0, 2, (sizes[-1], 1)).astype(float),
             "cross_entropy": np.array(rng.integers(sizes[-1]))}[loss]
        yield rng.normal(size=(sizes[0], 1)).round(2) - 0.5, y, O, B, loss


X62 = Exercise(
    "X62", "As deep as you like, in columns", lesson="10", cell="deep-backward-text", points=4,
    probe=deep,
    cases=deep_cases,
    reference={"start": start, "gradients": deep_gradients},
    mistakes=[
        Mistake("mask-off-by-one", "The mask is one layer too low. Below Ωₖ stands hₖ = a[fₖ₋₁], so the mask is I[fₖ₋₁ > 0], which is I[hₖ > 0].",
                {"gradients": lambda *a: by_rule(*a, off=1)}, cell="slip-backward"),
        Mistake("outer-turned", "The weight gradients are h δᵀ, transposed. They have the shape of Ωₖ: as many rows as fₖ.",
                {"gradients": lambda *a: by_rule(*a, transpose=True)}, cell="slip-row"),
        Mistake("not-transposed", "On the way down Ωₖ was used as it stands. It takes hₖ up; what comes down passes Ωₖᵀ.",
                {"gradients": lambda *a: by_rule(*a, straight=True)}),
        Mistake("no-x", "The gradient of Ω₀ is a column, Ω₀ is a matrix: what it was multiplied with in the forward pass is missing.",
                {"gradients": lambda *a: by_rule(*a, no_x=True)}, cell="slip-weight"),
        Mistake("start-factor", "A factor is missing at the start of the mean of squares: what becomes of the square's 2, and of the mean over D?",
                {"start": lambda f, y, loss: start(f, y, loss) * (len(f) / 2 if loss == "mse" else 1),
                 "gradients": lambda *a: by_rule(*a, weaker=True)}, cell="start-text"),
        Mistake("no-mask", "The units that are off let the gradient through. Where f is at most 0, ReLU's slope is 0.",
                {"gradients": lambda *a: by_rule(*a, leaky=True)}),
    ],
    hints=[
        "Forward first, keeping every f and h; h[0] = x. There is no ReLU after the last layer.",
        "The start: 2/D (f − y), or softmax(f) − one-hot, or (σ(f) − y)/D.",
        "For k from K down to 0: dΩ = df hₖᵀ, dβ = df; and if k ≥ 1, df ← I[fₖ₋₁ > 0] ⊙ (Ωₖᵀ df).",
    ],
)  # fmt: skip


def from_loss(n, L):
    return sum(n + n * n for _ in range(L))


def jacobians_first(n, L):
    return L * n**2 + (L - 1) * n**3 + n**2


def orders(my, n, L, widths):  # the picture is asked for once, where there are widths
    return {
        "from_loss": lambda: my.from_loss(n, L),
        "jacobians_first": lambda: my.jacobians_first(n, L),
        "draw": lambda: draw(my.draw, widths) if len(widths) else my.draw and None,
    }


def orders_judge(answer, n, L, widths):
    if not len(widths):
        return None
    if not answer["axes"] or len(answer["axes"][0]["lines"]) != 2:
        return "the figure should have two lines: Jacobians first, then from the loss"
    ax = answer["axes"][0]
    if (ax["xscale"], ax["yscale"]) != ("log", "log"):
        return "both axes should be logarithmic, so that a power of n is a straight line"
    slopes = []
    for line, count, name in zip(ax["lines"], (jacobians_first, from_loss), ("first", "second")):
        if not (len(line["x"]) == len(widths) and np.allclose(line["x"], widths)):
            return f"the {name} line should have one point for each of the widths"
        slopes.append(np.log(line["y"][-1] / line["y"][-2]) / np.log(line["x"][-1] / line["x"][-2]))
        if not np.allclose(line["y"], [count(w, 3) for w in widths]):
            return f"the {name} line is not the number of multiplications for three layers; at its right end it grows like n^{slopes[-1]:.2f}"
    return None


X64 = Exercise(
    "X64", "Which end first", lesson="10", cell="price-text", points=3,
    probe=orders,
    cases=lambda rng: [(4096, 2, int(rng.integers(2, 4)) ** np.arange(3, 9)), *((int(n), int(L), np.zeros(0, int)) for n, L in rng.integers(3, 60, (2, 2)))],
    reference={"from_loss": from_loss, "jacobians_first": jacobians_first},
    judge={"draw": orders_judge},
    mistakes=[
        Mistake("same", "Both orders got the same bill. The results agree; the sizes on the way do not: a row times a matrix is a row.",
                {"jacobians_first": from_loss, "from_loss": jacobians_first}),
        Mistake("square-product", "A product of two n × n matrices was counted as n² multiplications. It has n² entries, and each is a sum of n products.",
                {"jacobians_first": lambda n, L: L * n**2 + (L - 1) * n**2 + n**2}),
        Mistake("dense-activation", "The activation's Jacobian was multiplied as if it were full. It is diagonal: n multiplications for a row, n² for a matrix.",
                {"from_loss": lambda n, L: 2 * L * n**2, "jacobians_first": lambda n, L: (2 * L - 1) * n**3 + n**2}),
        Mistake("one-too-many", "L matrices need L − 1 products to become one.",
                {"jacobians_first": lambda n, L: L * n**2 + L * n**3 + n**2}),
        Mistake("free-activation", "The activations were left out: n multiplications each for a row.",
                {"from_loss": lambda n, L: L * n**2}),
    ],
    hints=[
        "From the loss everything is a row: 1 × n times diagonal costs n, 1 × n times n × n costs n².",
        "Jacobians first: L times n² to make D·W (each row of W times one number), L − 1 products of n³, and the row at the end, n².",
        "For n = 4096 and L = 2: 33,562,624 from the loss, 68,769,808,384 the other way.",
    ],
    after="On logarithmic axes the exponents are the slopes, 3 and 2. At a width of 4096 the lines are a factor of 2,700 apart.",
)  # fmt: skip


LOCAL = {"+": 0, "-": 0, "*": 2, "/": 2, "exp": 1, "log": 1, "sigmoid": 3, "tanh": 3}


def price(inputs, program):
    operations = len(program)
    uses = [0] * (inputs + operations)
    for _, *arguments in program:
        for argument in arguments:
            uses[argument] += 1
    shares = sum(count - 1 for count in uses if count)
    return [operations, operations + sum(LOCAL[op] for op, *_ in program) + shares, 2 * inputs * operations]


def bills(my, inputs, program):
    return {
        "local": lambda: dict(my.local),
        "price": lambda: my.price(inputs, [tuple(step) for step in program]),
    }


def total_as(formula):
    """`price` with another total: formula(inputs, program, right total)."""

    def priced(inputs, program):
        operations, total, nudging = price(inputs, program)
        return [operations, formula(inputs, program, total), nudging]

    return priced


def circuit(rng, inputs, length):
    """Every input and every result is used; some are used several times."""
    program = [["+*"[rng.integers(2)], 0, 1]]
    for i in range(2, inputs):
        program.append(["*/"[rng.integers(2)], inputs + len(program) - 1, i])
    while len(program) < length:
        last = inputs + len(program) - 1
        if rng.random() < 0.5:
            program.append([list(LOCAL)[rng.integers(4, 8)], last])
        else:
            program.append([list(LOCAL)[rng.integers(0, 4)], last, int(rng.integers(last + 1))])
    return program


X65 = Exercise(
    "X65", "The cheap gradient", lesson="10", cell="theorem-text", points=3,
    probe=bills,
    cases=lambda rng: [(2, [["+", 0, 1], ["*", 2, 2]]), (1000, [["*", 0, 1]] + [["*", 999 + i, i] for i in range(2, 1000)]),
                       *((n, circuit(rng, n, length)) for n, length in [(3, 8), (5, 20)])],
    reference={"local": LOCAL, "price": price},
    mistakes=[
        Mistake("negation", "The changes of sign were counted. They are free: the addition that follows can subtract.",
                {"local": LOCAL | {"-": 1, "/": 3}}),
        Mistake("division", "At a/b the second share, −g·a/b², can reuse the first, g/b, and the result a/b: it costs one more multiplication.",
                {"local": LOCAL | {"/": 4}}),
        Mistake("add-pays", "An add hands on what arrives. Nothing is computed for that; only where shares meet something is added, and that is counted apart.",
                {"local": LOCAL | {"+": 2, "-": 2}}),
        Mistake("p-forward", "This is one more forward pass for each input, the price of forward differences. One backward pass serves all inputs.",
                {"price": total_as(lambda inputs, program, total: (inputs + 1) * len(program))}),
        Mistake("per-input", "The backward pass was paid for each input anew. It runs once and leaves every gradient behind.",
                {"price": total_as(lambda inputs, program, total: len(program) + inputs * (total - len(program)))}),
        Mistake("multiplications", "Only the multiplications of the forward pass were counted. Every operation of the circuit counts, of whatever kind.",
                {"price": lambda inputs, program: [(N := sum(op == "*" for op, *_ in program)), price(inputs, program)[1] - len(program) + N, 2 * inputs * N]}),
        Mistake("no-meeting", "Where a value is used several times its shares must be added: one addition less than it has uses.",
                {"price": total_as(lambda inputs, program, total: len(program) + sum(LOCAL[op] for op, *_ in program))}),
        Mistake("all-added", "Every share was charged an addition. The first share that arrives at a value needs none.",
                {"price": total_as(lambda inputs, program, total: len(program) + sum(LOCAL[op] + len(rest) for op, *rest in program))}),
    ],
    hints=[
        "A product: g·b and g·a, two operations. exp: its slope is its own output, so g·e, one. σ: 1 − s, times s, times g.",
        "Uses: count how often each index occurs among the arguments, twice if an operation takes a value twice.",
        "(x + y)² as ('+', 0, 1), ('*', 2, 2): 2 forward, and 2 + 2 + 1 = 5 with the backward pass.",
    ],
    after="Add up the worst case of one operation, local cost plus one addition per argument plus itself: never more than 5.",
)  # fmt: skip
