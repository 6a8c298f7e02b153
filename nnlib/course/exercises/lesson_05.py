"""Lesson 05, shallow networks: collapse, rank, contributions, joints, regions bounded and counted, polar coordinates."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

import nnlib as nn

from ..probe import calls, draw
from ..verdict import kind_of
from . import Exercise, Mistake


def collapse(W1, b1, W2, b2, W3, b3):
    """Probe the stack at 0 and at the unit vectors: an affine map has no secrets."""

    def stack(rows):
        return ((rows @ W1.T + b1) @ W2.T + b2) @ W3.T + b3

    constant = stack(np.zeros((1, W1.shape[1])))
    return [(stack(np.eye(W1.shape[1])) - constant).T, constant[0]]


def stacks(rng):
    for sizes in (3, 3, 3, 3), (4, 2, 5, 3):
        layers = [(rng.normal(size=(n, m)).round(2), rng.normal(size=n).round(2)) for m, n in zip(sizes, sizes[1:])]
        yield tuple(array for layer in layers for array in layer)
    yield (np.array([[1.0, 0.2, 1.2], [0.5, 1.2, 0.1]]), np.array([0.1, 0.2]), np.array([[0.3, 0.9]]), np.array([0.3]),
           np.array([[1.0]]), np.array([0.0]))  # fmt: skip


X18 = Exercise(
    "X18", "Three layers in one", lesson="05", cell="collapse-text",
    probe=calls("collapse"),
    cases=stacks,
    reference={"collapse": collapse},
    mistakes=[
        Mistake("last-bias", "Only the last bias is left. The others do not vanish: they pass through the layers behind them.",
                {"collapse": lambda W1, b1, W2, b2, W3, b3: [W3 @ W2 @ W1, b3]}),
        Mistake("no-first", "The bias of the first layer is lost; it passes through two matrices on its way out.",
                {"collapse": lambda W1, b1, W2, b2, W3, b3: [W3 @ W2 @ W1, W3 @ b2 + b3]}),
        Mistake("no-third", "The bias of the third layer is lost; it is added last.",
                {"collapse": lambda W1, b1, W2, b2, W3, b3: [W3 @ W2 @ W1, W3 @ (W2 @ b1 + b2)]}),
        Mistake("order", "The product is in the wrong order. The first layer touches the input first, so it stands on the right.",
                {"collapse": lambda W1, b1, W2, b2, W3, b3: [W1 @ W2 @ W3, collapse(W1, b1, W2, b2, W3, b3)[1]]}),
        Mistake("transposed", "The numbers are right and the matrix lies on its side: a weight is stored as (out, in).",
                {"collapse": lambda W1, b1, W2, b2, W3, b3: [(W3 @ W2 @ W1).T, W3 @ (W2 @ b1 + b2) + b3]}),
    ],
    hints=[
        "Two layers in one are written. Do the same once more with the result and the third layer.",
        "W3 meets everything that comes before it: the product of the two matrices, and the constant.",
    ],
)  # fmt: skip


def rank_parts(my):
    return {
        "generic": lambda: my.generic,
        "pair": lambda: my.pair,
        "free": lambda: my.free,
        "first, second": lambda: {"first": my.first, "second": my.second},
    }


def rank_judge(answer):
    first, second = np.asarray(answer["first"], float), np.asarray(answer["second"], float)
    for name, one in ("first", first), ("second", second):
        if one.shape != (3, 3):
            return f"{name} is 3 × 3, got {kind_of(answer[name])}"
        if (rank := np.linalg.matrix_rank(one)) != 2:
            return f"{name} has rank {rank}; wanted are two matrices of rank 2"
    rank = np.linalg.matrix_rank(second @ first)
    if rank == 1:
        return None
    return "generic" if rank == 2 else f"second @ first has rank {rank}"


X19 = Exercise(
    "X19", "What a narrow layer lets through", lesson="05", cell="rank-text", points=3,
    probe=rank_parts,
    reference={"generic": 2, "pair": 0, "free": 14},
    judge={"first, second": rank_judge},
    mistakes=[
        Mistake("outer", "Input and output are wide enough, but everything has to pass the narrowest place.", {"generic": 4}),
        Mistake("sum", "Ranks do not add up, and no output of four numbers has five independent directions.", {"generic": 5}),
        Mistake("bound", "1 is the bound. What is left of (x₁, x₂) after the first matrix, and what does the second one do with it?",
                {"pair": 1}, cell="slip-rank"),
        Mistake("entries", "That is the number of entries. Rank 2 ties most of them together.", {"free": 20}),
        Mistake("both-factors", "That counts the entries of both factors, but different factors give the same product: one may be turned if the other is turned back.",
                {"free": 18}),
        Mistake("two-columns", "Two columns of four are free. The other three are mixtures of them, and how to mix is a choice, too.", {"free": 8}),
        Mistake("generic", "Both ranks are 2, and so is that of the product. The second must drop a direction that the first one keeps.",
                cell="slip-rank"),
    ],
    hints=[
        "The hidden layer has two units, so only two numbers come through, whatever goes in.",
        "Count freely chosen numbers: two whole columns of W̃; each of the other three is a mixture of these two.",
        "In three dimensions let `first` keep the axes 1 and 2, and let `second` keep 2 and 3.",
    ],
    after="Rank 0 would not have been possible: two planes through 0 in three dimensions always share a line.",
)  # fmt: skip


def contributions(theta, phi, x):
    z = theta[:, :1] + theta[:, 1:] * x
    return phi[:, None] * np.where(z > 0, z, 0.0)


def family(rng):
    x = np.linspace(0, 3, 61)
    yield np.array([[-0.5, 1.0], [-3.0, 2.0], [2.5, -1.0]]), np.array([2.0, -2.0, 1.0]), -1.0, x
    phi = rng.uniform(0.5, 2, 3).round(1) * rng.permutation([1, -1, 1])
    joints, tilts = rng.uniform(0.3, 2.7, 3), rng.uniform(0.5, 2, 3) * [1, -1, 1]
    yield np.column_stack([-joints * tilts, tilts]), phi, 0.7, x


def four_curves(my, theta, phi, phi0, x):
    return {"draw_parts": lambda: draw(my.draw_parts, theta, phi, phi0, x)}


def parts_judge(answer, theta, phi, phi0, x):
    lines = answer["axes"][0]["lines"] if answer["axes"] else []
    if len(lines) != 4:
        return f"wanted are four lines, the three contributions and then their sum with φ₀; the figure has {len(lines)}"
    if any(len(line["x"]) != len(x) or not np.allclose(line["x"], x) for line in lines):
        return "every line is drawn over the x that were given"
    got, right = np.array([line["y"] for line in lines]), contributions(theta, phi, x)
    total = phi0 + right.sum(0)
    if np.allclose(got, [*right, total]):
        return None
    scaled = phi[:, None] * (theta[:, :1] + theta[:, 1:] * x)
    turned = contributions(theta[:, ::-1], phi, x)
    for key, wrong in ("phi0-each", right + phi0), ("clip-late", np.maximum(scaled, 0)), ("swapped", turned), ("unclipped", scaled):
        if np.allclose(got[:3], wrong):
            return key
    for j in range(3):
        if not np.allclose(got[j], right[j]):
            place = int(np.argmax(abs(got[j] - right[j])))
            return f"line {j} is not what unit {j + 1} adds to the output: at x = {x[place]:g} it says {got[j][place]:.4g}"
    return "no-phi0" if np.allclose(got[3], right.sum(0)) else "the three contributions are right, their sum is not"


X20 = Exercise(
    "X20", "Contributions", lesson="05", cell="contribution-text", points=3,
    probe=four_curves,
    cases=family,
    judge=parts_judge,
    mistakes=[
        Mistake("phi0-each", "φ₀ was added to each unit. It belongs to none of them and is added once, to the sum.", cell="slip-sum"),
        Mistake("clip-late", "Clipped after scaling: a unit with a negative φ pulls down, so its contribution must be allowed below 0.", cell="flow-text"),
        Mistake("swapped", "The columns of theta changed places: the first holds θ_j0, the constant, the second θ_j1, the slope.", cell="family-text"),
        Mistake("unclipped", "These are straight lines: the ReLU is missing."),
        Mistake("no-phi0", "The fourth line is the sum of the contributions alone; the output has φ₀ on top."),
    ],
    hints=[
        "Unit j: pre-activation θ_j0 + θ_j1 x, clipped at 0, then times φ_j.",
        "All at once: theta[:, :1] + theta[:, 1:] * x has shape (3, len(x)).",
    ],
)  # fmt: skip


def active(theta):
    """Indices of the units that have a joint, from left to right."""
    found = [j for j in range(len(theta)) if theta[j, 1] != 0]
    return sorted(found, key=lambda j: -theta[j, 0] / theta[j, 1])


def joints(theta):
    return np.array([-theta[j, 0] / theta[j, 1] for j in active(theta)])


def slope_changes(theta, phi):
    places = joints(theta)

    def slopes(at):
        on = theta[:, :1] + theta[:, 1:] * at > 0
        return phi @ (on * theta[:, 1:])

    gap = np.min(np.diff(places)) / 4
    return slopes(places + gap) - slopes(places - gap)


def bent(rng):
    for n, flat in (3, 1), (5, 3), (4, None):
        places = rng.permutation(np.arange(n) + rng.uniform(0.1, 0.9, n)) - 1.5
        tilts = rng.uniform(0.5, 2, n) * rng.permutation(np.arange(n) % 2 * 2 - 1)
        theta = np.column_stack([-places * tilts, tilts])
        if flat is not None:
            theta[flat] = 0.8, 0.0
        yield theta, rng.normal(size=(2, n)).round(1)


def joint_parts(my, theta, phi):
    return {"joints": lambda: my.joints(theta), "slope_changes": lambda: my.slope_changes(theta, phi)}


def upside_down(theta):
    with np.errstate(all="ignore"):
        return np.array([-theta[j, 1] / theta[j, 0] for j in active(theta)])


def all_joints(theta):
    with np.errstate(all="ignore"):
        return np.sort(-theta[:, 0] / theta[:, 1])


X21 = Exercise(
    "X21", "Joints", lesson="05", cell="joint-text",
    probe=joint_parts,
    cases=bent,
    reference={"joints": joints, "slope_changes": slope_changes},
    mistakes=[
        Mistake("upside-down", "The fraction is upside down. Where is θ_j0 + θ_j1 x equal to 0?",
                {"joints": lambda theta: np.sort(upside_down(theta))}),
        Mistake("sign-of-place", "The sign is turned. Where is θ_j0 + θ_j1 x equal to 0?",
                {"joints": lambda theta: np.sort(-joints(theta))}),
        Mistake("no-joint", "A unit with θ_j1 = 0 never changes sides: it has no joint and does not belong in the list.",
                {"joints": all_joints}, cell="joint-answer"),
        Mistake("per-output", "Both outputs listen to the same units. There is one list of joints, not one for each output.",
                {"joints": lambda theta: np.stack([joints(theta)] * 2)}, cell="outputs-text"),
        Mistake("unsorted", "The right places in the order of the units; wanted is from left to right.",
                {"joints": lambda theta: np.array([-a / b for a, b in theta if b != 0]),
                 "slope_changes": lambda theta, phi: slope_changes(theta, phi)[:, np.argsort(np.argsort(joints(theta)))]}),
        Mistake("signed", "A unit that is on to the left of its joint loses its slope there. Losing a fall is a bend upwards too.",
                {"slope_changes": lambda theta, phi: np.array([phi[:, j] * theta[j, 1] for j in active(theta)]).T},
                cell="joint-answer"),
    ],
    hints=[
        "Unit j passes through zero where θ_j0 + θ_j1 x = 0. If θ_j1 is 0 it never does.",
        "np.argsort of the places gives an order that serves both functions.",
        "From left to right the slope of output k changes at joint j by φ_kj·|θ_j1|.",
    ],
    after="Two outputs, one list of joints: an output can ignore a bend, it cannot have one of its own.",
)  # fmt: skip


def most_regions(D_i, D):
    """A new line is cut by the others into regions of its own, one dimension lower, and each of them cuts one in two."""
    row = [1] * (D_i + 1)  # no unit: one region, in every dimension
    for _ in range(D):
        row = [1] + [row[d] + row[d - 1] for d in range(1, D_i + 1)]
    return row[D_i]


X22 = Exercise(
    "X22", "How many regions", lesson="05", cell="regions-text",
    probe=calls("most_regions"),
    cases=lambda rng: [(2, 3), (1, 6), (3, 3), (6, 4), (10, 50), (int(rng.integers(2, 6)), int(rng.integers(6, 20)))],
    reference={"most_regions": most_regions},
    rtol=1e-12,
    mistakes=[
        Mistake("last-term", "This is the last term of the sum alone; the smaller choices count as well.",
                {"most_regions": lambda D_i, D: math.comb(D, D_i)}),
        Mistake("all-patterns", "2^D counts every pattern of on and off. In few dimensions most of them cannot occur.",
                {"most_regions": lambda D_i, D: 2**D}, cell="plane-text"),
        Mistake("from-one", "One less than it should be: the sum begins at j = 0, the one region where nothing has been cut yet.",
                {"most_regions": lambda D_i, D: most_regions(D_i, D) - 1}),
        Mistake("too-short", "The last term of the sum is missing: j runs up to D_i itself.",
                {"most_regions": lambda D_i, D: most_regions(D_i - 1, D)}),
    ],
    hints=[
        "How many regions do three lines make? Draw them, and read the sum beside your drawing.",
        "math.comb(D, j) counts the ways to pick j of D, and is 0 for j > D.",
    ],
)  # fmt: skip


LINES = {
    "A": "z = theta[:, :1] + theta[:, 1:] * x  # (D, len(x))",
    "B": "return len({tuple(column) for column in (z > 0).T})",
    "C": "edges = np.sort(-theta[:, 0] / theta[:, 1])",
    "D": "x = np.concatenate([edges - 1e-6, edges + 1e-6])",
    "E": "x = np.linspace(0, 3, 31)",
    "F": "return len({tuple(column) for column in z.T})",
    "G": "return 1 + np.sum(np.diff(np.sign(np.maximum(z, 0).sum(0))) != 0)",
}


def assembled(order):
    """The function that these lines make, one below the other."""
    names = {"np": np}
    exec("def pieces(theta):\n" + "\n".join(f"    {LINES[letter]}" for letter in order), names)
    return names["pieces"]


def count_pieces(theta):
    return len({round(float(place), 12) for place in -theta[:, 0] / theta[:, 1]}) + 1


def count_cells(weight, bias):
    """Collect the four sign patterns around every crossing; parallel lines have none and make D + 1 stripes."""
    found = set()
    for i, j in combinations(range(len(bias)), 2):
        if abs(np.linalg.det(weight[[i, j]])) < 1e-12:
            continue
        signs = weight @ np.linalg.solve(weight[[i, j]], -bias[[i, j]]) + bias > 0
        for one in (False, True):
            for other in (False, True):
                signs[i], signs[j] = one, other
                found.add(tuple(signs.tolist()))
    return len(found) or len(bias) + 1


def nets(rng):
    near = np.array([[-1.0, 1.0], [-1.002, 1.0], [8.0, -2.0], [9.0, 3.0]])  # two joints close by, two far out
    joints = np.arange(5) + rng.uniform(0.1, 0.9, 5) - 2
    tilts = rng.uniform(0.5, 2, 5) * [1, -1, 1, 1, -1]
    corner = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    parallel = np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 0.0]])
    yield near, corner, np.array([0.0, 0.0, -0.001])
    yield np.column_stack([-joints * tilts, tilts]), parallel, np.array([0.0, 1.0, 2.0, 0.5, 40.0])
    yield near[:1], np.ones((3, 2)), np.array([-1.0, 0.0, 1.0])
    yield near[1:], rng.normal(size=(6, 2)), rng.normal(size=6)


def region_parts(my, theta, weight, bias):
    return {"order": lambda: my.order, "regions": lambda: my.regions(weight, bias)}


def order_judge(order, theta, weight, bias):
    if not isinstance(order, str):
        return f"order is a text of letters such as 'CAB', got {kind_of(order)}"
    if not order or len(set(order)) < len(order) or set(order) - set(LINES):
        return f"order uses the letters {''.join(LINES)}, each at most once, got {order!r}"
    try:
        found = assembled(order)(theta)
    except Exception as error:
        return f"the function {order!r} breaks: {type(error).__name__}: {error}"
    if found == count_pieces(theta):
        return None
    key = {"E": "grid", "F": "values", "G": "signs"}
    return next((key[letter] for letter in order[::-1] if letter in key), f"the function {order!r} returns {found}")


def cells_judge(found, theta, weight, bias):
    right, D = count_cells(weight, bias), len(bias)
    if found == right:
        return None
    if found == most_regions(2, D):
        return "bound"
    if found == 1 + D + 2 * (right - 1 - D):
        return "twice"
    few = f"regions says {show_number(found)} for {D} lines"
    return "sampled" if isinstance(found, int | float) and 0 < found < right else few


def show_number(found):
    return f"{found:g}" if isinstance(found, int | float) else kind_of(found)


X23 = Exercise(
    "X23", "Count them exactly", lesson="05", cell="sample-run", points=3,
    probe=region_parts,
    cases=nets,
    judge={"order": order_judge, "regions": cells_judge},
    mistakes=[
        Mistake("grid", "A grid is not exact: it steps over a piece that is narrower than its spacing, and sees nothing outside.", cell="regions-text"),
        Mistake("values", "This counts different pre-activations; every x has its own. A pattern is only which units are on.", cell="slope-text"),
        Mistake("signs", "This counts sign changes of an output. A curve can bend without crossing zero."),
        Mistake("bound", "This is the bound for lines in general position. Parallel lines do not cross, so they cut less."),
        Mistake("twice", "Every crossing belongs to two lines; it was counted for both."),
        Mistake("sampled", "Fewer than there are. A region can be tiny or far away; points thrown at random do not find it.", cell="regions-text"),
    ],
    hints=[
        "A pattern changes only at a joint, so it is enough to look just left and just right of each. First the joints, then these x.",
        "Draw the lines of the plane one after the other. The new line crosses some of the old ones: how many regions does it cut in two?",
        "Each line adds 1 and 1 for each old line that it crosses. Two lines cross unless w₁v₂ − w₂v₁ = 0.",
    ],
)  # fmt: skip


def polar(X):
    z = X[:, 0] + 1j * X[:, 1]
    return np.column_stack([np.abs(z), np.angle(z)])


def with_angle(angle):
    def spoiled(X):
        with np.errstate(all="ignore"):
            return np.column_stack([np.hypot(*X.T), angle(X)])

    return {"polar": spoiled}


X32 = Exercise(
    "X32", "Polar coordinates", lesson="05", cell="polar-text",
    probe=calls("polar"),
    cases=lambda rng: [
        (np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, -2.0], [2.0, -1.0], [0.0, 1.0], [-3.0, 0.0]]),),
        (rng.normal(size=(8, 2)),),
    ],
    reference={"polar": polar},
    mistakes=[
        Mistake("arctan", "The arc tangent of a fraction cannot tell opposite points apart: the signs of x₁ and x₂ are lost in it.",
                with_angle(lambda X: np.arctan(X[:, 1] / X[:, 0])), cell="slip-angle"),
        Mistake("swapped", "The arguments of atan2 changed places: it takes x₂ first.", with_angle(lambda X: np.arctan2(X[:, 0], X[:, 1]))),
        Mistake("degrees", "The angle is in degrees; wanted are radians, from −π to π.", with_angle(lambda X: np.degrees(np.arctan2(X[:, 1], X[:, 0])))),
        Mistake("full-turn", "Angles from 0 to 2π; wanted is −π < θ ≤ π.", with_angle(lambda X: np.arctan2(X[:, 1], X[:, 0]) % (2 * np.pi))),
        Mistake("squared", "The first column is r²; the distance has a root.",
                {"polar": lambda X: np.column_stack([(X**2).sum(1), polar(X)[:, 1]])}),
    ],
    hints=[
        "NumPy has the function with two arguments: np.arctan2. Which comes first?",
        "Check yourself: from (r, θ) you come back with (r cos θ, r sin θ).",
    ],
)  # fmt: skip


def ring_parts(my, R, seed):
    def features():
        seen, new = (nn.data.rings(200, seed=seed + i)[0].data.astype(float) for i in (0, 1))
        return {"seen": my.features(seen), "new": my.features(new), "alone": [my.features(new[i : i + 1]) for i in range(5)]}

    def memory(X, y):  # the majority of the three nearest examples that it has seen
        return lambda new: np.median(y[np.argsort(((new[:, None] - X) ** 2).sum(-1), axis=1)[:, :3]], axis=1)

    def share():
        X, y = (t.data.astype(float) for t in nn.data.rings(60, seed=seed))
        y = np.where(np.arange(60) % 4 == 0, 1 - y, y)  # some labels are wrong
        return my.held_out(memory, X, y)

    return {"features": features, "held_out": share, "best_line": lambda: my.best_line(R)}


def features_judge(answer, R, seed):
    (_, y), (X, t) = ((X.data, y.data) for X, y in (nn.data.rings(200, seed=seed + i) for i in (0, 1)))
    if len(answer["seen"]) != 200 or len(answer["new"]) != 200:
        return f"features returns a row for each of the 200 points, got {kind_of(answer['new'])}"
    seen, new = (np.asarray(answer[part], float).reshape(200, -1) for part in ("seen", "new"))
    if not np.allclose(np.asarray(answer["alone"], float).reshape(5, -1), new[:5]):
        return "alone"
    A, B = np.column_stack([seen, np.ones(200)]), np.column_stack([new, np.ones(200)])
    w = np.zeros(A.shape[1])
    for _ in range(500):  # logistic regression, plain steps of rate 1
        w -= A.T @ (0.5 + 0.5 * np.tanh(A @ w / 2) - y) / 200
    right = np.mean((B @ w > 0) == (t == 1))
    if right >= 0.98:
        return None
    flat = np.column_stack([X, np.ones(200)])
    if np.allclose(flat @ np.linalg.lstsq(flat, new, rcond=None)[0], new):
        return "still-a-line"
    return f"the trainer gets {right:.0%} of new points right with your features; wanted are 98 %"


def held_out(fit, X, y):
    model = fit(X[: len(X) // 2], y[: len(y) // 2])
    return np.mean(model(X[len(X) // 2 :]) == y[len(y) // 2 :])


X33 = Exercise(
    "X33", "Rings for a straight line", lesson="05", cell="ring-neuron-text", points=3,
    probe=ring_parts,
    cases=lambda rng: [(2.0, 0), (round(float(rng.uniform(2.5, 6)), 2), int(rng.integers(1, 1000)))],
    reference={"held_out": held_out, "best_line": lambda R: 0.5 + math.atan2(math.sqrt(R * R - 1), 1.0) / (2 * math.pi)},
    judge={"features": features_judge},
    mistakes=[
        Mistake("alone", "The features of a point depend on the other points beside it. A point that comes alone must get the same."),
        Mistake("still-a-line", "With these features the classifier still draws a line across the plane: two thirds is all that it gives.", cell="best-line"),
        Mistake("seen-all", "The model was fitted on rows that it is asked about later. It can remember instead of understand.",
                {"held_out": lambda fit, X, y: np.mean(fit(X, y)(X[len(X) // 2 :]) == y[len(y) // 2 :])}),
        Mistake("training-score", "This is the score on the rows that it was fitted on. Ask about the other half.",
                {"held_out": lambda fit, X, y: np.mean(fit(X[: len(X) // 2], y[: len(y) // 2])(X[: len(X) // 2]) == y[: len(y) // 2])}),
        Mistake("count", "This is how many are right. Asked for is their share.",
                {"held_out": lambda fit, X, y: held_out(fit, X, y) * (len(y) // 2)}),
        Mistake("cap-only", "This is the share of the outer ring that lies beyond the line. The inner ring is right as well, all of it.",
                {"best_line": lambda R: math.acos(1 / R) / math.pi}),
        Mistake("half-angle", "The cap reaches to both sides of the middle; only one side was counted.",
                {"best_line": lambda R: 0.5 + math.acos(1 / R) / (4 * math.pi)}),
    ],
    hints=[
        "What does a point of the inner ring have in common with all others of its ring?",
        "Fit on the first half of the rows, ask about the second half, compare with its labels, take the mean.",
        "A line at distance 1 from the centre meets the circle of radius R under the half-angle arccos(1/R). The rings are equally large.",
    ],
)  # fmt: skip
