"""Lesson 06, approximation and depth: folds, bumps, rates, monomials, blocks, and the shell of a Gaussian."""

from __future__ import annotations

import math

import numpy as np

from ..probe import calls, draw
from ..verdict import kind_of
from . import Exercise, Mistake


def preimages(t, K):
    """K zigs run up and down 3^K times between −1 and 1, each time in a stretch of the same length."""
    k = np.arange(3**K)
    return -1 + 2 / 3**K * (k + np.where(k % 2 == 0, 1 + t, 1 - t) / 2)


def fold_parts(my, t, K):
    return {"zigs": lambda: my.zigs, "preimages": lambda: my.preimages(t, K), "settings": lambda: my.settings}


def settings_judge(settings, t, K):
    from nnlib.widgets import Fold

    if not isinstance(settings, dict):
        return f"settings is a dictionary such as {{'layers': 2, 'reach': 1.0}}, got {kind_of(settings)}"
    try:
        numbers = Fold.measure(**settings)
    except ValueError as error:
        return f"settings: {error}"
    if numbers.plane is not None:
        return "the experiment shows the plane; this is about the line"
    if numbers.units > 8:
        return "too-wide"
    return None if numbers.pieces >= 16 else "too-flat"


def as_found(t, K):
    """The places in the order in which level after level finds them."""
    places = [t]
    for _ in range(K):
        places = [found for place in places for found in ((place - 2) / 3, -place / 3, (place + 2) / 3)]
    return np.array(places)


X24 = Exercise(
    "X24", "Folding", lesson="06", cell="fold-text", points=3,
    probe=fold_parts,
    cases=lambda rng: [(0.0, 1), (round(float(rng.uniform(-0.9, 0.9)), 3), 2), (0.25, 3)],
    reference={"zigs": [3, 9, 27], "preimages": preimages},
    judge={"settings": settings_judge},
    mistakes=[
        Mistake("added", "Pieces were added: three from each network. The second zigzag is run through anew on each piece of the first.",
                {"zigs": [3, 6, 9]}, cell="deep-text"),
        Mistake("bound", "That is the bound (D + 1)^K for any network of this size. On [−1, 1] a zig has three pieces.", {"zigs": [4, 16, 64]}, cell="powers-text"),
        Mistake("one-layer", "That is what the units could do in one layer side by side.", {"zigs": [4, 7, 10]}),
        Mistake("one-level", "Only the last zig was undone. Each place that it finds is an output of the zig before it.",
                {"preimages": lambda t, K: preimages(t, 1)}),
        Mistake("unsorted", "All the right places, in another order; wanted is from the smallest to the largest.", {"preimages": as_found}),
        Mistake("too-wide", "More than 8 units. Which of the two networks makes more pieces for each unit?"),
        Mistake("too-flat", "Fewer than 16 pieces. Pieces multiply from network to network, as long as each passes on the whole range.", cell="paper-answer"),
    ],
    hints=[
        "zig(u) = t has one solution on each of its three stretches: (t − 2)/3 is the first one. Where are the other two?",
        "For K zigs: find the three inputs of the last one, then for each of them the three inputs of the one before, and sort.",
        "The tent has two units and two pieces: four in a row have 8 units. The reach must stay near 1.",
    ],
    after="Inputs that land on the same place are the same to every later layer. That is reuse, and it is loss too.",
)  # fmt: skip


def bump_parts(my, a, b, margin, jumps):
    return {"bump_units": lambda: my.bump_units(a, b, margin), "steps": lambda: my.steps(jumps)}


def bump_judge(answer, a, b, margin, jumps):
    units = np.asarray(answer, float)
    if units.ndim != 2 or units.shape[1] != 3:
        return f"wanted is an array of shape (n, 3), a row (height, steepness, place) for each unit; got {kind_of(answer)}"
    if len(units) > 2:
        return f"two units are enough, got {len(units)}"
    if len(units) == 1:
        return "single"
    x = np.concatenate([np.linspace(a - 3, a - margin, 60), np.linspace(a + margin, b - margin, 60), np.linspace(b + margin, b + 3, 60)])
    z = np.clip(units[:, 1] * (x[:, None] - units[:, 2]), -700, 700)
    y = (units[:, 0] / (1 + np.exp(-z))).sum(1)
    error = abs(y - ((x > a) & (x < b)))
    if np.all(units[:, 0] * np.sign(units[:, 1]) > 0):
        return "same-sign"
    if abs(units[:, 1]).max() > 10 / margin:
        return "too-steep"
    if error.max() <= 1e-3:
        return None
    if np.allclose(abs(units[:, 0]), 1) and np.allclose(np.sort(units[:, 2]), [a, b]):
        return "too-slow"
    worst = int(np.argmax(error))
    return f"at x = {x[worst]:.4g} the bump is {y[worst]:.4g}, off by more than 0.001"


def steps(heights):
    n = len(heights)
    return np.array([(heights[i] - heights[i - 1], i / n) for i in range(1, n)])


def bump_cases(rng):
    yield 0.3, 0.5, 0.02, np.array([1.0, 3.0, 2.0, 2.5])
    yield -1.0, 4.0, 1.0, rng.normal(size=6).round(1)
    yield 10.0, 10.1, 0.001, rng.normal(size=3).round(1)


X25 = Exercise(
    "X25", "A bump to order", lesson="06", cell="bump-text", points=3,
    probe=bump_parts,
    cases=bump_cases,
    reference={"steps": steps},
    judge={"bump_units": bump_judge},
    mistakes=[
        Mistake("single", "One sigmoid steps up and stays there. A bump has to come down again."),
        Mistake("same-sign", "Both steps go the same way, so the curve climbs to 2 instead of coming back to 0."),
        Mistake("too-slow", "The edges lie right and are too soft: the steepness has to follow from the margin."),
        Mistake("too-steep", "Steeper than 10/margin. That would always do; find out how little is enough.", cell="stuck-text"),
        Mistake("heights", "These are the heights themselves. A step stays up behind its edge, so each adds only the difference to the one before.",
                {"steps": lambda heights: np.column_stack([heights[1:], np.arange(1, len(heights)) / len(heights)])}, cell="stairs-text"),
        Mistake("middles", "The steps stand in the middle of the strips. They belong on the edges between two.",
                {"steps": lambda heights: np.column_stack([np.diff(heights), (np.arange(1, len(heights)) - 0.5) / len(heights)])}),
        Mistake("from-zero", "The first step stands at 0. The first edge between two strips is at 1/n.",
                {"steps": lambda heights: np.column_stack([np.diff(heights), np.arange(len(heights) - 1) / len(heights)])}),
    ],
    hints=[
        "Up at a with height 1, down at b with height −1, both with the same steepness s.",
        "At distance m from an edge one step is wrong by σ(−s·m). For which s is that below 0.0005?",
        "ln 2000 = 7.6, so s = 8/margin leaves room for both edges.",
    ],
)  # fmt: skip


def rate_parts(my, eps, d):
    return {"rates": lambda: my.rates, "separate": lambda: my.separate, "needed": lambda: my.needed(eps, d)}


def needed(eps, d):
    return math.exp(-d / 2 * math.log(eps))


X27 = Exercise(
    "X27", "What a fixed basis can promise", lesson="06", cell="rate-text",
    probe=rate_parts,
    cases=lambda rng: [(0.01, 1), (0.01, 10), (round(float(rng.uniform(0.02, 0.5)), 2), 6)],
    reference={"rates": [1e-4, 1e-2, 0.01**0.2], "separate": 3, "needed": needed},
    rtol=1e-4, atol=0.0,
    mistakes=[
        Mistake("upside-down", "The exponent is upside down: in more dimensions it must get smaller, so that more functions are needed.",
                {"rates": [0.01**0.5, 0.01, 0.01**5], "needed": lambda eps, d: eps ** (-2 / d)}),
        Mistake("square", "1/n² holds in one dimension only; the exponent is 2/d.",
                {"rates": [1e-4] * 3, "needed": lambda eps, d: eps**-0.5}),
        Mistake("everywhere", "In one and in two dimensions the lower bound for fixed bases lies at or below 1/n, so it decides nothing there.",
                {"separate": 1}, cell="slip-fixed"),
        Mistake("equal", "For d = 2 the two are the same, 1/n. They part when the one is above the other.", {"separate": 2}, cell="slip-fixed"),
        Mistake("network", "That is what the network's 1/n needs, in any dimension. A fixed basis needs (1/n)^(2/d) to come down.",
                {"needed": lambda eps, d: 1 / eps}),
    ],
    hints=[
        "(1/n)^(2/d) for n = 100 is 0.01^(2/d).",
        "They separate where 2/d < 1.",
        "Solve (1/n)^(2/d) = ε for n: take both sides to the power −d/2.",
    ],
    after="For ε = 0.01 and ten dimensions: 100 units, or ten thousand million fixed functions.",
)  # fmt: skip


def exponents(D, M):
    """Every tuple of D exponents with sum at most M."""
    if D == 0:
        return [()]
    return [(e, *rest) for e in range(M + 1) for rest in exponents(D - 1, M - e)]


def count_monomials(D, M):
    row = [1] * (M + 1)  # of no variable: 1, whatever the order
    for _ in range(D):
        row = [sum(row[: m + 1]) for m in range(M + 1)]
    return row[M]


def monomials(x, M):
    return np.array([math.prod(float(v) ** e for v, e in zip(x, one)) for one in exponents(len(x), M)])


def monomial_parts(my, D, M, x, m):
    return {"count_monomials": lambda: my.count_monomials(D, M), "monomials": lambda: np.sort(np.asarray(my.monomials(x.copy(), m), float))}


def ordered(x, M):
    terms, out = [1.0], [1.0]
    for _ in range(M):
        terms = [a * b for a in terms for b in x]
        out += terms
    return np.array(out)


def mixed(x, M):
    return np.array([v for e in exponents(len(x), M) if max(e) <= 1 for v in [math.prod(float(a) ** b for a, b in zip(x, e))]])


X28 = Exercise(
    "X28", "Monomials", lesson="06", cell="monomials-text",
    probe=monomial_parts,
    cases=lambda rng: [(3, 2, np.array([2.0, 3.0, 7.0]), 2), (784, 3, np.array([3.0, 5.0]), 4),
                       (int(rng.integers(4, 9)), int(rng.integers(2, 6)), rng.uniform(0.5, 2, 4).round(3), 3)],
    reference={"count_monomials": count_monomials, "monomials": monomials},
    rtol=1e-9,
    mistakes=[
        Mistake("power", "D^M counts products of exactly M factors, in every order. Different ones, of at most M factors, are asked for.",
                {"count_monomials": lambda D, M: D**M}),
        Mistake("ordered", "x₁x₂ and x₂x₁ are the same monomial and were counted apart.",
                {"count_monomials": lambda D, M: sum(D**m for m in range(M + 1)), "monomials": ordered}, cell="monomials-run"),
        Mistake("no-repeats", "A factor may be repeated: x₁² is a monomial too.",
                {"count_monomials": lambda D, M: sum(math.comb(D, m) for m in range(M + 1)), "monomials": mixed}),
        Mistake("choose", "C(D, M) picks M different variables. A monomial may repeat one, and may have fewer factors.",
                {"count_monomials": math.comb}),
        Mistake("no-constant", "The constant 1 is the monomial without a factor, and belongs to the list.",
                {"count_monomials": lambda D, M: count_monomials(D, M) - 1, "monomials": lambda x, M: monomials(x, M)[1:]}),
    ],
    hints=[
        "Give every monomial exactly M factors by filling up with ones: then you choose M times from D + 1 things, with repetition and without order.",
        "That makes C(D + M, M).",
        "itertools.combinations_with_replacement(x, m) lists the products of m factors; math.prod multiplies each.",
    ],
)  # fmt: skip


def block_vote(X, y, new, b):
    """Compare every new point with all others: no table of blocks is needed."""
    X, new = np.clip(np.floor(X * b), 0, b - 1), np.clip(np.floor(new * b), 0, b - 1)
    return np.array([max(range(9), key=lambda c: ((X == one).all(1) & (y == c)).sum()) for one in new])


def block_parts(my, X, y, new, b, D):
    return {
        "block_vote": lambda: my.block_vote(X.copy(), y.copy(), new.copy(), b),
        "number_of_blocks": lambda: my.number_of_blocks(b, D),
    }


def block_cases(rng):
    X = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.4], [0.9, 0.9], [1.0, 1.0], [0.6, 0.1], [0.7, 0.2], [1.0, 0.3]])
    y = np.array([2, 2, 1, 3, 3, 4, 1, 3])
    yield X, y, np.array([[0.05, 0.45], [1.0, 0.99], [0.2, 0.8], [0.75, 0.0], [0.5, 0.5]]), 2, 10
    for D in (1, 3):
        yield rng.uniform(size=(60, D)).round(3), rng.integers(1, 4, 60), rng.uniform(size=(20, D)).round(3), 3, D + 3


def nearest_vote(X, y, new, b):
    return y[np.argmin(((new[:, None] - X) ** 2).sum(-1), axis=1)]


def overall_when_empty(X, y, new, b):
    return np.where(empty(X, new, b), np.bincount(y).argmax(), block_vote(X, y, new, b))


def empty(X, new, b):
    X, new = np.minimum(np.floor(X * b), b - 1), np.minimum(np.floor(new * b), b - 1)
    return np.array([not (X == one).all(1).any() for one in new])


def open_edge(X, y, new, b):
    """Blocks without the clip: a point on the edge 1 has a block of its own."""
    X, new = np.floor(X * b), np.floor(new * b)
    return np.array([max(range(9), key=lambda c: ((X == one).all(1) & (y == c)).sum()) for one in new])


def last_of_ties(X, y, new, b):
    X, new = np.minimum(np.floor(X * b), b - 1), np.minimum(np.floor(new * b), b - 1)
    votes = [[((X == one).all(1) & (y == c)).sum() for c in range(9)] for one in new]
    return np.array([0 if not any(v) else 8 - int(np.argmax(v[::-1])) for v in votes])


X29 = Exercise(
    "X29", "Blocks that vote", lesson="06", cell="blocks-text", points=3,
    probe=block_parts,
    cases=block_cases,
    reference={"block_vote": block_vote, "number_of_blocks": lambda b, D: b**D},
    mistakes=[
        Mistake("edge", "A coordinate of exactly 1 belongs to the last block, together with its neighbours.", {"block_vote": open_edge}),
        Mistake("empty", "A block where no example lies says class 0; here it says what most examples say anywhere.", {"block_vote": overall_when_empty}),
        Mistake("ties", "In a tie the smaller class wins.", {"block_vote": last_of_ties}),
        Mistake("nearest", "This asks the nearest example, wherever it lies. Only the inhabitants of the same block may vote.", {"block_vote": nearest_vote}),
        Mistake("product", "b·D blocks would be strips. Each axis is cut into b parts, and every combination of parts is a block.",
                {"number_of_blocks": lambda b, D: b * D}, cell="blocks-count"),
    ],
    hints=[
        "The block of a point is a tuple of D whole numbers, each from 0 to b − 1. Which function of x·b gives them, and what happens at x = 1?",
        "Collect the classes of the examples by block in a dictionary. np.bincount(classes).argmax() is the majority, the smaller one in a tie.",
        "new points whose block is not in the dictionary get 0.",
    ],
)  # fmt: skip


def log_density(r, D, sigma):
    return (D - 1) * math.log(r) - r * r / (2 * sigma * sigma)


def mode(D, sigma):
    low, high = 1e-9, sigma * (D + 1.0)
    for _ in range(100):  # the slope of ln p falls from left to right
        middle = (low + high) / 2
        low, high = (middle, high) if (D - 1) / middle > middle / sigma**2 else (low, middle)
    return low


def curvature(D, sigma):
    top, h = mode(D, sigma), 1e-3 * sigma
    return (log_density(top + h, D, sigma) - 2 * log_density(top, D, sigma) + log_density(top - h, D, sigma)) / h**2


X30 = Exercise(
    "X30", "The shell of a Gaussian", lesson="06", cell="curvature-text",
    probe=calls("mode", "curvature", "thickness"),
    cases=lambda rng: [(2, 1.0), (101, 2.0), (1000, 1.0), (int(rng.integers(3, 30)), round(float(rng.uniform(0.5, 3)), 2))],
    reference={"mode": mode, "curvature": curvature, "thickness": lambda D, sigma: sigma / math.sqrt(2)},
    rtol=1e-4,
    mistakes=[
        Mistake("root-d", "σ√D is what it comes near to for large D. Set the slope of ln p to 0 and keep the exponent D − 1.",
                {"mode": lambda D, sigma: sigma * math.sqrt(D)}),
        Mistake("no-sigma", "σ is missing: the shell grows with it.", {"mode": lambda D, sigma: math.sqrt(D - 1), "thickness": lambda D, sigma: 2**-0.5}),
        Mistake("three", "That is the printed exponent 3/2. Both terms of ln p bend, and equally at the top.",
                {"curvature": lambda D, sigma: -3 / sigma**2, "thickness": lambda D, sigma: sigma / math.sqrt(3)}, cell="slip-exponent"),
        Mistake("one-force", "Only e^(−r²/2σ²) was differentiated; the room at distance r bends ln p as well.",
                {"curvature": lambda D, sigma: -1 / sigma**2, "thickness": lambda D, sigma: sigma}),
        Mistake("sign", "At a maximum the second derivative is negative.", {"curvature": lambda D, sigma: 2 / sigma**2}),
    ],
    hints=[
        "ln p(r) = const + (D − 1) ln r − r²/2σ². Differentiate once, set to 0; differentiate twice, put the place in.",
        "At the top (D − 1)/r² equals 1/σ², so the two parts of the second derivative are the same.",
        "A normal density with deviation s has the second derivative −1/s² of its logarithm. Compare.",
    ],
    after="D has dropped out of the thickness: in a thousand dimensions the shell is as thin as in ten.",
)  # fmt: skip


def shell_parts(my, points):
    return {
        "norms": lambda: my.norms(points.copy()),
        "draw_norms": lambda: draw(my.draw_norms, points),
        "mean": lambda: my.mean,
        "spread": lambda: my.spread,
    }


def bars_judge(answer, points):
    bars = answer["axes"][0]["bars"] if answer["axes"] else []
    if len(bars) < 10:
        return f"the figure has {len(bars)} bars; a histogram with at least 10 is wanted"
    edges = np.array([*(bar["x"] for bar in bars), bars[-1]["x"] + bars[-1]["width"]])
    heights, norms = np.array([bar["height"] for bar in bars]), np.sqrt(np.einsum("nd,nd->n", points, points))
    if edges[0] > norms.min() + 1e-9 or edges[-1] < norms.max() - 1e-9:
        return "squared" if edges[0] > 10 * norms.max() or edges[-1] > 20 * norms.max() else "coordinates" if edges[0] < 0 else (
            f"the bars reach from {edges[0]:.4g} to {edges[-1]:.4g} and leave some of the points out")
    counts = np.histogram(norms, edges)[0]
    if np.allclose(heights * np.diff(edges) * len(norms), counts, atol=2):  # a distance may lie on an edge
        return None
    return "counts" if np.allclose(heights, counts, atol=2) else "the bars do not count the distances of these points"


def mean_judge(answer, points):
    mean = float(answer)
    if abs(mean - 31.615) < 0.05:
        return None
    return "squared" if abs(mean - 1000) < 20 else "densest" if abs(mean) < 1e-6 else f"mean is {mean:.4g}; draw a thousand points and look"


def spread_judge(answer, points):
    spread = float(answer)
    if abs(spread - 0.707) < 0.03:
        return None
    if abs(spread - 1) < 0.05:
        return "one"
    return "squared" if 40 < spread < 50 else "grows" if abs(spread - 31.6) < 1 else f"spread is {spread:.4g}; draw a thousand points and look"


X31 = Exercise(
    "X31", "Nobody at the centre", lesson="06", cell="norms-text", points=3,
    probe=shell_parts,
    cases=lambda rng: [(rng.normal(size=(400, 100)),), (2 * rng.normal(size=(300, 20)),)],
    reference={"norms": lambda points: np.sqrt(np.einsum("nd,nd->n", points, points))},
    judge={"draw_norms": bars_judge, "mean": mean_judge, "spread": spread_judge},
    mistakes=[
        Mistake("squared", "These are squared distances, with mean D. The distance has a root.",
                {"norms": lambda points: (points**2).sum(1)}),
        Mistake("by-coordinate", "That is one number for each coordinate. Each point has one distance: sum along its row.",
                {"norms": lambda points: np.sqrt((points**2).sum(0))}),
        Mistake("densest", "At 0 the density p(x) is highest, and nobody is there: there is no room. Where are the points?", cell="shell-text"),
        Mistake("one", "1 is the deviation of a single coordinate. The distance varies less."),
        Mistake("grows", "The spread does not grow with D: all the points keep to a thin shell."),
        Mistake("counts", "The bars count. Wanted is a density, with area 1, that can be compared with p(r).", cell="norms-figure"),
        Mistake("coordinates", "This is a histogram of coordinates, centred on 0. Wanted are the distances of the points from the origin."),
    ],
    hints=[
        "np.linalg.norm(points, axis=1) gives a distance for each row.",
        "ax.hist(values, bins=30, density=True) draws bars with area 1.",
        "For the two numbers draw points with np.random.default_rng(0).normal(size=(5000, 1000)), or read the table of the lesson.",
    ],
)  # fmt: skip


