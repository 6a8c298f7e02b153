"""Lesson 09, computational graphs: two graphs by hand, gates, nudges, kinks, the swell, and graphs that find a bug."""

from __future__ import annotations

import math

import numpy as np

import nnlib as nn

from ..probe import calls, draw, values
from . import Exercise, Mistake


def leaves(*numbers):
    return [nn.tensor(float(v), dtype=nn.float64, requires_grad=True) for v in numbers]


def xyz(x, y, z):
    x, y, z = leaves(x, y, z)
    q = x + y
    f = q * z
    named = {"dq": q, "dz": z, "dx": x, "dy": y}
    return {name: float(d) for name, d in zip(named, nn.grad(f, list(named.values())))}


X41 = Exercise(
    "X41", "A sum and a product, backwards", lesson="09", cell="hand-text",
    probe=calls("xyz"),
    cases=lambda rng: [(-2.0, 5.0, -4.0), *(tuple(rng.normal(size=3).round(2) + 4) for _ in range(2))],
    reference={"xyz": xyz},
    mistakes=[
        Mistake("dz-z", "dz came out as z itself. A mul swaps: each factor gets the upstream gradient times the other factor.",
                {"xyz": lambda x, y, z: xyz(x, y, z) | {"dz": z}}),
        Mistake("dq-q", "dq came out as q itself. A mul swaps: each factor gets the upstream gradient times the other factor.",
                {"xyz": lambda x, y, z: dict.fromkeys(["dq", "dx", "dy"], x + y) | {"dz": x + y}}),
        Mistake("no-swap", "Both factors of the mul got the gradient that belongs to the other one. If q rises by 1, by how much does q · z?",
                {"xyz": lambda x, y, z: dict.fromkeys(["dq", "dx", "dy"], x + y) | {"dz": z}}),
        Mistake("ones", "1 is the local slope of the add. What goes on to x and y is local times upstream.",
                {"xyz": lambda x, y, z: xyz(x, y, z) | {"dx": 1.0, "dy": 1.0}}),
    ],
    hints=[
        "Go from the last operation to the first: f = q · z comes before q = x + y.",
        "Each line has the form: upstream gradient times local slope. Towards z, the slope of q · z is q.",
        "At (−2, 5, −4) the four numbers are dq = −4, dz = 3, dx = −4, dy = −4.",
    ],
)  # fmt: skip


NODES = "w0 x0 w1 x1 w2 a b c s n e d f".split()


def gradients(w, x):
    w0, x0, w1, x1, w2 = leaves(w[0], x[0], w[1], x[1], w[2])
    a, b = w0 * x0, w1 * x1
    c = a + b
    s = c + w2
    n = s * -1
    e = n.exp()
    d = e + 1
    nodes = [w0, x0, w1, x1, w2, a, b, c, s, n, e, d, f := d.reciprocal()]
    return dict(zip(NODES, map(float, nn.grad(f, nodes))))


def sent_back(w, x, one_over=lambda d: -1 / d**2, times=-1):
    """The same by hand, with a slope to be chosen wrongly."""
    s = w[0] * x[0] + w[1] * x[1] + w[2]
    e = math.exp(-s)
    d = e + 1
    dd = one_over(d)
    dn = dd * e
    ds = dn * times
    shares = [ds * x[0], ds * w[0], ds * x[1], ds * w[1], ds, ds, ds, ds, ds, dn, dd, dd, 1.0]
    return dict(zip(NODES, shares))


def swapped(w, x):
    g = gradients(w, x)
    return g | {"w0": g["x0"], "x0": g["w0"], "w1": g["x1"], "x1": g["w1"]}


def fused(s):
    (t,) = leaves(s)
    p = nn.sigmoid(t)
    p.backward()
    return [float(p.detach().numpy()), float(t.grad)]


def sigmoid_graph(my, w, x):
    s = float(w[0] * x[0] + w[1] * x[1] + w[2])
    return {"gradients": lambda: my.gradients(w, x), "fused": lambda: my.fused(s)}


X42 = Exercise(
    "X42", "Thirteen nodes", lesson="09", cell="sigmoid-text", points=3,
    probe=sigmoid_graph,
    cases=lambda rng: [([2.0, -3.0, -3.0], [-1.0, -2.0])]
    + [(rng.normal(size=3).round(1).tolist(), (rng.normal(size=2) + 0.05).round(2).tolist()) for _ in range(2)],
    reference={"gradients": gradients, "fused": fused},
    mistakes=[
        Mistake("sigma-minus", "The first number is σ(−s), not σ(s). The slope does not notice, since σ(−s) = 1 − σ(s); you should.",
                {"fused": lambda s: [fused(-s)[0], fused(s)[1]]}, cell="slip-sign"),
        Mistake("one-over", "At the one-over gate −1/d arrived. The slope of 1/d is −1/d².",
                {"gradients": lambda w, x: sent_back(w, x, one_over=lambda d: -1 / d)}),
        Mistake("lost-sign", "The gate “times −1” was passed without its −1, so everything from s back to the inputs has the wrong sign.",
                {"gradients": lambda w, x: sent_back(w, x, times=1)}),
        Mistake("wx-swapped", "The gradients of w and of x changed places. If w₀ rises by 1, by how much does w₀x₀?",
                {"gradients": swapped}),
    ],
    hints=[
        "Write the thirteen lines from the last to the first; begin with df = 1 and dd = df · (−1/d²).",
        "The slope of exp is its own output e. An add and “plus 1” hand on what arrives, unchanged.",
        "For the weights of the lesson: ds = 0.1966, dw0 = −0.1966, dx0 = 0.3932. For the fused gate: σ = 1/(1 + e⁻ˢ), slope (1 − σ)σ.",
    ],
    after="Between s and f the four gates multiply to (1 − σ)σ: that is what the fused gate does in one step.",
)  # fmt: skip


def four_gates(my, a, b, g, g2):
    return {
        "add": lambda: my.add(a.copy(), b.copy(), g.copy()),
        "mul": lambda: my.mul(a.copy(), b.copy(), g.copy()),
        "copy": lambda: my.copy(a.copy(), g.copy(), g2.copy()),
        "largest": lambda: my.largest(a.copy(), b.copy(), g.copy()),
    }


def through(op):
    """(a, b, g) -> the two gradients that nnlib sends back through ``op``."""

    def backward(a, b, g):
        inputs = [nn.tensor(v, requires_grad=True) for v in (a, b)]
        op(*inputs).backward(gradient=g)
        return [t.grad for t in inputs]

    return backward


X43 = Exercise(
    "X43", "Four gates", lesson="09", cell="gates-text",
    probe=four_gates,
    cases=lambda rng: [tuple(np.array([float(v)]) for v in row) for row in [(3, 4, 2, 1), (2, 3, 5, 7), (4, 5, 9, 1), (5, 5, 9, 2)]]
    + [(np.append(rng.normal(size=5).round(2), 1.5), np.append(rng.normal(size=5).round(2), 1.5), rng.normal(size=6), rng.normal(size=6))],
    reference={
        "add": through(lambda a, b: a + b), "mul": through(lambda a, b: a * b),
        "copy": lambda a, g, g2: np.add(g, g2), "largest": through(nn.maximum),
    },
    mistakes=[
        Mistake("copy-overwrites", "Only the second share is left. Where a value is used twice, both shares count: they add up.",
                {"copy": lambda a, g, g2: g2}),
        Mistake("mul-keeps", "Each factor was multiplied into its own gradient. The slope of a·b towards a is b.",
                {"mul": lambda a, b, g: [g * a, g * b]}),
        Mistake("max-both", "Both inputs got everything. The smaller one could move a little and the maximum would not notice.",
                {"largest": lambda a, b, g: [g, g]}),
        Mistake("tie", "Right wherever one input is larger. On a tie each input gets half of g here.",
                {"largest": lambda a, b, g: [g * (a >= b), g * (a < b)]}, cell="ties-text"),
        Mistake("tie-double", "On a tie both inputs got all of g, which is twice what arrived. Here each gets half.",
                {"largest": lambda a, b, g: [g * (a >= b), g * (b >= a)]}, cell="ties-text"),
        Mistake("add-halves", "An add does not share out: raising either input by 1 raises the sum by 1, so both get all of g.",
                {"add": lambda a, b, g: [g / 2, g / 2]}),
    ],
    hints=[
        "Ask of each gate: if this input goes up by a little, by how much does the output go up? That times g is the answer.",
        "add distributes, mul swaps, copy adds, max routes.",
        "For the maximum: (a > b) + (a == b)/2 is the part of g that goes to a.",
    ],
)  # fmt: skip


def nudges(my, x, matrix, v, h):  # the picture is asked for once
    def f(t):  # a cubic: the quotient with a finite step shows exactly how it was formed
        return float(np.sum(np.sin(np.arange(t.size)).reshape(t.shape) * t + 0.5 * t**2) + np.sum(t) ** 3)

    def along():
        evaluations = []

        def vector(t):
            evaluations.append(t)
            return np.tanh(matrix @ t) + t[0] ** 2

        return {"quotient": my.along(vector, v[0].copy(), v[1].copy(), h), "evaluations": len(evaluations)}

    return {
        "numeric_grad": lambda: my.numeric_grad(f, x.copy(), h),
        "along": along,
        "draw": lambda: draw(my.draw, 10.0 ** -np.arange(1, 13)) if x.ndim == 1 else my.draw and None,
        "best_step": lambda: my.best_step,
    }


def numeric_grad(f, x, h, back=1, width=2):
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        nudge = np.zeros(x.shape)
        nudge[i] = h
        out[i] = (f(x + nudge) - f(x - back * nudge)) / (width * h)
    return out


def numeric_grad_shared(f, x, h):
    out, moved = np.zeros(x.shape), x.copy()
    for i in np.ndindex(x.shape):
        moved[i] += h
        above = f(moved)
        moved[i] -= 2 * h
        out[i] = (above - f(moved)) / (2 * h)
    return out


def errors_judge(answer, x, *case):
    if x.ndim != 1:
        return None
    if not answer["axes"] or len(answer["axes"][0]["lines"]) != 2:
        return "the figure should have two lines: first the forward quotient's error, then the centred one's"
    ax = answer["axes"][0]
    if (ax["xscale"], ax["yscale"]) != ("log", "log"):
        return "linear-axes"
    steps = 10.0 ** -np.arange(1, 13)
    falls = [0.04543 * steps, 0.00589 * steps**2]  # a half and a sixth of the second and third derivative at 1
    for line, name, fall, other in zip(ax["lines"], ("forward", "centred"), falls, falls[::-1]):
        if len(line["x"]) != 12 or not np.allclose(np.sort(line["x"])[::-1], steps):
            return f"the {name} line should have one point for each of the twelve steps"
        error = line["y"][np.argsort(line["x"])[::-1]]
        if not np.all(error >= 0):
            return "signed"
        if np.allclose(error[:4], other[:4], rtol=0.15, atol=0):
            return "order-swapped"
        if not np.allclose(error[:4], fall[:4], rtol=0.15, atol=0):
            return f"from h = 0.1 to 0.0001 the {name} line is not the error |quotient − σ'(1)|"
        if error[-1] < 1e-9 or np.any(error > 2 * fall + 1e-15 / steps):
            return f"at the smallest steps the {name} line does not show what rounding does; use the steps as they are"
    return None


X45 = Exercise(
    "X45", "Nudge and divide", lesson="09", cell="centred-text", points=4,
    probe=nudges,
    cases=lambda rng: [
        (rng.normal(size=shape).round(2), rng.normal(size=(3, 4)), rng.normal(size=(2, 4)), h)
        for shape, h in [((3,), 0.1), ((2, 3), 0.05)]
    ],
    reference={
        "numeric_grad": numeric_grad,
        "along": lambda f, x, v, h: (f(x + h * v) - f(x - h * v)) / (2 * h),
    },
    judge={
        "draw": errors_judge,
        "best_step": lambda answer, *case: None if math.isclose(answer, 1e-5) else (
            "tiny" if answer < 5e-9 else "forward-best" if answer < 1e-7 else "near" if 5e-7 < answer < 2e-4 else
            "this step is too long: the error of cutting the curve still rules"),
    },
    mistakes=[
        Mistake("forward", "This is the forward quotient. The centred one looks the same distance to both sides.",
                {"numeric_grad": lambda f, x, h: numeric_grad(f, x, h, back=0, width=1),
                 "along": lambda f, x, v, h: (f(x + h * v) - f(x)) / h}),
        Mistake("shared", "The first entry is right and the later ones are off: every nudge stayed in place while the next was made.",
                {"numeric_grad": numeric_grad_shared}),
        Mistake("no-half", "Everything is twice too large: from x − h to x + h the distance is 2h.",
                {"numeric_grad": lambda f, x, h: numeric_grad(f, x, h, width=1),
                 "along": lambda f, x, v, h: (f(x + h * v) - f(x - h * v)) / h}),
        Mistake("unit", "The direction was made a unit vector first. J v keeps the length of v.",
                {"along": lambda f, x, v, h: (f(x + h * v / np.linalg.norm(v)) - f(x - h * v / np.linalg.norm(v))) / (2 * h)}),
        Mistake("columns", "This built the Jacobian column by column and multiplied it by v: two evaluations for every input. Two in all are enough.",
                {"along": lambda f, x, v, h: sum(v[i] * (f(x + h * e) - f(x - h * e)) / (2 * h) for i, e in enumerate(np.eye(len(x))))}),
        Mistake("tiny", "Smaller is not better: so close together the two values agree in nearly all their digits, and rounding rules.",
                cell="numeric-after"),
        Mistake("forward-best", "That is about the best step of the forward quotient. Read the other line of your picture.",
                cell="numeric-after"),
        Mistake("near", "Near the bottom, and not the power of ten that is best over many points; look at your picture again.",
                cell="numeric-after"),
        Mistake("linear-axes", "Errors between 10⁻² and 10⁻¹² show only on two logarithmic axes: ax.loglog, or set both scales to log."),
        Mistake("signed", "A logarithmic axis needs positive numbers: plot the absolute value of the error."),
        Mistake("order-swapped", "The two lines changed places: forward first, then centred."),
    ],
    hints=[
        "np.ndindex(x.shape) gives every place in an array of any shape; np.zeros_like(x) with h at one place is a nudge.",
        "Add the nudge to x and subtract it from x; never write into x itself.",
        "The directional quotient needs no loop: (f(x + h v) − f(x − h v)) / 2h, however many inputs there are.",
        "In the picture the centred line falls by two decades a step until about 10⁻⁵, and then rises.",
    ],
    after="A whole product J v for two evaluations: this is how one checks a gradient with a million entries.",
)  # fmt: skip


CENTRED, EXISTS = [0.0, 0.5, 0.0, 0.6, 0.0, 0.5], [False, False, True, False, True, True]

X46 = Exercise(
    "X46", "Slopes that are none", lesson="09", cell="kinks-text",
    probe=values("centred", "exists"),
    reference={"centred": CENTRED, "exists": EXISTS},
    mistakes=[
        Mistake("abs-one", "1 is the slope of |x| to the right of 0. The quotient looks to both sides, and there the values are equal.",
                {"centred": [1.0, *CENTRED[1:]]}),
        Mistake("relu-rule", "0 is the rule that libraries choose for ReLU at 0. The centred quotient does not know that rule.",
                {"centred": [0.0, 0.0, *CENTRED[2:]]}),
        Mistake("yes", "All six quotients settle, but a derivative asks for the same slope from the left and from the right.",
                {"exists": [True] * 6}),
        Mistake("bars", "|x| alone has a kink. Multiplied by x it is −x² on one side and x² on the other, and those meet smoothly.",
                {"exists": [False, False, False, False, True, True]}),
        Mistake("wiggle", "x² sin(1/x) wiggles for ever near 0, and yet it lies between −x² and x². How steep can the chord from 0 be?",
                {"exists": [False, False, True, False, False, True]}),
    ],
    hints=[
        "Put x = h and x = −h into each function, by hand, and divide the difference by 2h.",
        "A derivative at 0 exists where (f(h) − f(0))/h has the same limit from the right and from the left.",
        "Softplus is smooth: its slope is the sigmoid, and σ(0) = ½.",
    ],
    after="At a kink the centred quotient lies between the two slopes and no library's rule has to agree with it: keep gradient checks away from kinks.",
)  # fmt: skip


def swell(my, e, d):
    def freeze(part):
        return tuple(map(freeze, part)) if isinstance(part, list) else part

    return {
        "operations": lambda: my.operations(freeze(e)),
        "distinct": lambda: my.distinct(freeze(e)),
        "sigmoids": lambda: my.sigmoids(d),
        "products": lambda: my.products(d),
    }


def operations(e):
    return 1 + sum(operations(part) for part in e[1:]) if isinstance(e, tuple) else 0


def nodes_of(e):
    return 1 + sum(nodes_of(part) for part in e[1:]) if isinstance(e, tuple) else 1


def parts_of(e):
    return {e}.union(*map(parts_of, e[1:])) if isinstance(e, tuple) else set()


def expression(rng, depth):
    """A random expression with parts that occur twice."""
    if depth == 0:
        return ["x", 2, 3][rng.integers(3)]
    part = expression(rng, depth - 1)
    if rng.random() < 0.4:
        return [["exp", "neg"][rng.integers(2)], part]
    return [["+", "*"][rng.integers(2)], part, part if rng.random() < 0.5 else expression(rng, depth - 1)]


TWICE = ["*", ["+", ["exp", "x"], 1], ["+", ["exp", "x"], 1]]

X84 = Exercise(
    "X84", "The swell", lesson="09", cell="swell-text", points=3,
    probe=swell,
    cases=lambda rng: [(TWICE, 1), *((expression(rng, depth), d) for depth, d in zip((2, 3, 4, 5, 3, 4), (2, 3, 4, 5, 6, 12)))],
    reference={
        "operations": operations, "distinct": lambda e: len(parts_of(e)),
        "sigmoids": lambda d: [sum(6 + 2 * 4 * k for k in range(d)) + d, 5 * d + 2 * (d - 1)],
        "products": lambda d: [sum(2 ** (k + 1) for k in range(d)), 2 * d],
    },
    mistakes=[
        Mistake("characters", "This is the length of the text. Count operations: one for each tuple, however it is spelled.",
                {"operations": lambda e: len(str(e))}),
        Mistake("leaves", "The numbers and the x were counted too. Only the operations cost anything.", {"operations": nodes_of}),
        Mistake("tree-twice", "Equal parts were counted every time they occur. In a shared graph each distinct part is computed once.",
                {"distinct": operations}),
        Mistake("simplified", "The fraction was simplified first: each factor is taken as e⁻ᵘ/(1 + e⁻ᵘ)². Count the form that is asked for, one ÷ in all.",
                {"sigmoids": lambda d: [4 * d * d + 4 * d - 1, 7 * d - 2]}),
        Mistake("outermost", "Only the derivative of the outermost sigmoid was counted. The chain rule has a factor for each of the d stages.",
                {"sigmoids": lambda d: [8 * d - 1, 5 * d + d - 1]}),
        Mistake("half-tree", "uₖ stands in uₖ₊₁ twice, so written out its own operations count twice as well.",
                {"products": lambda d: [2 * d, 2 * d]}),
    ],
    hints=[
        "An expression is a tuple (op, part, …), or a leaf. One for this operation, plus those of its parts.",
        "For the distinct ones collect the tuples in a set: equal tuples are one element.",
        "uₖ written out has 4k operations, so the factor Fₖ has 6 + 8(k − 1). Add d − 1 products and one division.",
        "For u·exp(u): the tree obeys t(d) = 2t(d − 1) + 2, the graph gains two nodes a stage.",
    ],
    after="Quadratic for the sigmoids, exponential for the products; and the graph is linear both times.",
)  # fmt: skip


OVERWRITING = {"bug": "a reused value keeps the last share"}
TOO_EARLY = {"order": "as soon as a share arrives"}


def finds(overwriting, too_early):
    """A judge: which of the two broken engines should the graph find?"""

    def judge(graph):
        from nnlib.widgets import GraphStepper

        expression, values = graph
        found = []
        for engine in (OVERWRITING, TOO_EARLY):
            try:
                numbers = GraphStepper.measure(expression=expression, values=values, **engine)
            except ValueError as error:
                return f"the stepper cannot read this graph: {error}"
            if not all(np.isfinite(value).all() for value in (*numbers.values, *numbers.engine.values())):
                return "a value or a true gradient in this graph is no ordinary number"
            found.append(bool(numbers.wrong))
        if found == [overwriting, too_early]:
            return None
        if not any(found):
            shared = any(numbers.uses(i) > 1 for i in range(len(numbers.values)))
            return "lucky" if shared else "tree"
        return "both" if all(found) else "other-way"

    return judge


X98 = Exercise(
    "X98", "Graphs that find a bug", lesson="09", cell="break-after", points=3,
    probe=values("both_found", "overwriting_only", "early_only"),
    judge={"both_found": finds(True, True), "overwriting_only": finds(True, False), "early_only": finds(False, True)},
    mistakes=[
        Mistake("tree", "Every value in this graph has one user. Where no two shares meet, neither engine can go wrong.", cell="stepper-answer"),
        Mistake("lucky", "A value has two users here, and both engines are right all the same: look at the shares that meet."),
        Mistake("both", "Both engines go wrong on this graph; it should find only one of them."),
        Mistake("other-way", "This graph finds one of the two engines, the other one."),
    ],
    hints=[
        "An input has nothing to pass on, so nobody can pass it on too early. What if only an input is used twice?",
        "A result with two users, both sending something back, finds both engines.",
        "For early_only one share must be 0, so that losing the other loses everything, or nothing. Which must be kept last, and which must arrive first?",
        "Overwriting keeps the share of the user that was made first. Too early goes into the arguments of an operation from left to right. "
        "Give names to two users, a = …; b = …; and end with b + a.",
    ],
    after="The third graph has a value that is used twice and still passes one broken engine: one example is no proof, however tricky.",
)  # fmt: skip
