"""Lesson 02, a line: its gradient, its minimum, its level lines, its largest rate, its cost, its line search."""

from __future__ import annotations

import math

import numpy as np

from ..probe import calls, draw, values
from . import Exercise, Mistake


def design(x):
    """A, of shape (N, 2): a column of ones and x."""
    return np.column_stack([np.ones(len(x)), x])


def mse(phi, x, y):
    return float(np.mean((design(x) @ phi - y) ** 2))


def gradient(phi, x, y):
    return 2 / len(x) * design(x).T @ (design(x) @ phi - y)


def points(rng, sizes=(3, 5, 8)):
    for n in sizes:
        yield rng.normal(size=n).round(2), rng.normal(size=n).round(2)


X34 = Exercise(
    "X34", "The gradient of the mean square", lesson="02", cell="gradient-text",
    probe=calls("gradient"),
    cases=lambda rng: [(rng.normal(size=2).round(2), x, y) for x, y in points(rng)],
    reference={"gradient": gradient},
    mistakes=[
        Mistake("no-two", "The factor 2 of the derivative of a square is missing.",
                {"gradient": lambda phi, x, y: gradient(phi, x, y) / 2}),
        Mistake("sum", "This is the gradient of the sum of squares; the loss is their mean, so divide by N.",
                {"gradient": lambda phi, x, y: gradient(phi, x, y) * len(x)}),
        Mistake("sign", "The sign is turned: the residual is prediction minus target, and the gradient points uphill.",
                {"gradient": lambda phi, x, y: -gradient(phi, x, y)}),
        Mistake("no-x", "Both components are the same: the slope is multiplied by xᵢ, so xᵢ stays as a factor in the second.",
                {"gradient": lambda phi, x, y: np.full(2, gradient(phi, x, y)[0])}),
    ],
    hints=[
        "Write one residual r = Φ₀ + Φ₁x − y. What is ∂(r²)/∂Φ₀? And ∂(r²)/∂Φ₁?",
        "Average what you found over the points. For (0, 1), (1, 2), (2, 4) and Φ = (0, 0) it gives (−14/3, −20/3).",
        "With the matrix A of ones and x it is one line: (2/N) Aᵀ(AΦ − y).",
    ],
    after="Central differences of the loss would have found the same, with four evaluations in place of one pass.",
)  # fmt: skip


def best_line(x, y):
    slope = np.mean((x - x.mean()) * (y - y.mean())) / np.var(x)
    return [y.mean() - slope * x.mean(), slope]


X35 = Exercise(
    "X35", "The best line", lesson="02", cell="minimum-text",
    probe=calls("best_line"),
    cases=points,
    reference={"best_line": best_line},
    mistakes=[
        Mistake("through-origin", "This is the best line among those through (0, 0). The intercept is free too.",
                {"best_line": lambda x, y: [0.0, x @ y / (x @ x)]}),
        Mistake("mixed-n", "Covariance and variance are divided by different numbers, N − 1 and N. Either will do, for both.",
                {"best_line": lambda x, y: [y.mean() - x.mean() * (s := np.cov(x, y)[0, 1] / np.var(x)), s]}),
        Mistake("swapped", "Intercept and slope are both right and in the wrong order: the intercept Φ₀ comes first.",
                {"best_line": lambda x, y: best_line(x, y)[::-1]}),
    ],
    hints=[
        "At the bottom both components of the gradient are 0: two equations for two unknowns.",
        "The first equation says that the line passes through the point of means (x̄, ȳ). Put that into the second.",
        "The slope is Cov(x, y)/Var(x); the intercept follows from the first equation.",
    ],
)  # fmt: skip


def level_line(x, y, c, t):
    """Points Φ with loss c, one for each angle t: shape (len(t), 2)."""
    curvatures, axes = np.linalg.eigh(2 / len(x) * design(x).T @ design(x))
    best = np.array(best_line(x, y))
    return best + (np.sqrt(2 * (c - mse(best, x, y)) / curvatures) * np.column_stack([np.cos(t), np.sin(t)])) @ axes.T


def right_angles(my, x, y, c, phi):
    return {"draw": lambda: draw(my.draw, x, y, c), "steepest": lambda: my.steepest(phi, x, y)}


def right_angles_judge(answer, x, y, c, phi):
    if not answer["axes"] or not answer["axes"][0]["lines"]:
        return "the figure has no line. Draw the level line first, then the ten segments."
    level, *segments = answer["axes"][0]["lines"]
    line = np.column_stack([level["x"], level["y"]])
    if len(line) < 60:
        return f"the first line should be the level line, at least 60 points of it; it has {len(line)}"
    losses = np.array([mse(phi, x, y) for phi in line])
    if not np.allclose(losses, c, rtol=1e-3):
        return "circle" if np.ptp(np.hypot(*(line - line[:-1].mean(0)).T)) < 0.02 * np.ptp(line) else (
            f"the first line should have loss {c:.3f} all along; yours runs from {losses.min():.3f} to {losses.max():.3f}")
    if len(segments) != 10:
        return f"expected ten segments after the level line, got {len(segments)}"
    for number, segment in enumerate(segments):
        if len(segment["x"]) != 2:
            return f"segment {number} has {len(segment['x'])} points, not a start and an end"
        start, end = np.column_stack([segment["x"], segment["y"]])
        if not math.isclose(mse(start, x, y), c, rel_tol=1e-3):
            return f"segment {number} does not start on the level line"
        g, d = gradient(start, x, y), end - start
        cosine = g @ d / (np.linalg.norm(g) * np.linalg.norm(d) + 1e-300)
        if cosine < -0.999:
            return "downhill"
        if abs(cosine) < 1e-3:
            return "tangent"
        if cosine < 0.9999:
            return f"segment {number} is {math.degrees(math.acos(np.clip(cosine, -1, 1))):.1f} degrees off the gradient"
    return None


def steepest(phi, x, y):
    angles = np.radians(np.arange(360))
    return int(np.argmin(np.column_stack([np.cos(angles), np.sin(angles)]) @ gradient(phi, x, y)))


X36 = Exercise(
    "X36", "Right angles", lesson="02", cell="level-worked", points=3,
    probe=right_angles,
    cases=lambda rng: [(x, y, mse(phi, x, y), phi) for x, y in points(rng, (4, 6)) for phi in [rng.normal(size=2) + 1]],
    reference={"steepest": steepest},
    judge={"draw": right_angles_judge},
    mistakes=[
        Mistake("circle", "A circle is no level line here: the two curvatures differ, so it is an ellipse."),
        Mistake("downhill", "The segments point downhill, the way of a descent step. The gradient points uphill."),
        Mistake("tangent", "The segments run along the level line. The gradient stands at right angles to it."),
        Mistake("uphill", "This is the steepest way up. The question is the way down.",
                {"steepest": lambda phi, x, y: (steepest(phi, x, y) + 180) % 360}),
        Mistake("not-unit", "Compare directions of one length: here steps (1, tan) of growing length were compared.",
                {"steepest": lambda phi, x, y: int(np.argmin(
                    np.column_stack([np.ones(360), np.tan(np.radians(np.arange(360)))]) @ gradient(phi, x, y)))}),
    ],
    hints=[
        "Completing the square: L = L_min + ½(Φ − Φ*)ᵀH(Φ − Φ*). Along eigenvectors of H the ellipse has half-axes √(2(c − L_min)/λ).",
        "np.linalg.eigh(H) gives λ and the axes; a point is Φ* + axes @ (half-axes · (cos t, sin t)).",
        "The slope along a unit vector u is ∇L·u. Compute it for the 360 unit vectors (cos α, sin α) and take the smallest.",
    ],
    after="Ninety degrees everywhere, and yet hardly any of these arrows points away from the minimum.",
)  # fmt: skip


THREE = design(np.array([0.0, 1.0, 2.0]))
LOW, HIGH = np.linalg.eigvalsh(2 / 3 * THREE.T @ THREE)

X37 = Exercise(
    "X37", "The largest rate", lesson="02", cell="limit-text",
    probe=values("largest_rate"),
    reference={"largest_rate": 2 / HIGH},
    rtol=1e-4,
    mistakes=[
        Mistake("one", "Half of it: at 1/λ_max the stiff component lands in one step; it still shrinks up to twice that rate.",
                {"largest_rate": 1 / HIGH}),
        Mistake("flat", "The flat direction allows this rate, the stiff one does not. The largest curvature decides.",
                {"largest_rate": 2 / LOW}),
        Mistake("no-mean", "This belongs to the matrix AᵀA. The Hessian of the mean has the factor 2/N as well.",
                {"largest_rate": 2 / (HIGH * 3 / 2)}),
    ],
    hints=[
        "Along an eigenvector of the Hessian with eigenvalue λ a step multiplies the distance by 1 − ηλ. When does it shrink?",
        "|1 − ηλ| < 1 for every eigenvalue. Which eigenvalue is the first to fail when η grows?",
        "H = (2/N)AᵀA; np.linalg.eigvalsh gives its eigenvalues.",
    ],
    after="At exactly this rate the stiff component jumps to and fro for ever; any rate below it arrives.",
)  # fmt: skip


def normal_cost(N, D):
    return 2 * N * D**2 + D**3 / 3 + 2 * N * D + 2 * D**2


X38 = Exercise(
    "X38", "What the exact solution costs", lesson="02", cell="normal-text",
    probe=calls("normal_cost", "equal_steps"),
    cases=lambda rng: [(10**6, 100), (int(rng.integers(50, 500)), int(rng.integers(2, 50)))],
    reference={"normal_cost": normal_cost, "equal_steps": lambda N, D: normal_cost(N, D) / (4 * N * D)},
    mistakes=[
        Mistake("no-gram", "The product XᵀX is missing; with many examples it is nearly all of the cost.",
                {"normal_cost": lambda N, D: normal_cost(N, D) - 2 * N * D**2,
                 "equal_steps": lambda N, D: (normal_cost(N, D) - 2 * N * D**2) / (4 * N * D)}),
        Mistake("cheap-factor", "Factorising a D × D matrix costs D³/3, not D²: each of D columns updates all that follow.",
                {"normal_cost": lambda N, D: normal_cost(N, D) - D**3 / 3 + D**2,
                 "equal_steps": lambda N, D: (normal_cost(N, D) - D**3 / 3 + D**2) / (4 * N * D)}),
        Mistake("n-cubed", "XᵀX is D × D, however many examples there are: what is factorised has D rows, not N.",
                {"normal_cost": lambda N, D: normal_cost(N, D) - D**3 / 3 + N**3 / 3,
                 "equal_steps": lambda N, D: (normal_cost(N, D) - D**3 / 3 + N**3 / 3) / (4 * N * D)}),
        Mistake("half-step", "A gradient step has two products with X, XΦ and Xᵀr: 4ND together, not 2ND.",
                {"equal_steps": lambda N, D: normal_cost(N, D) / (2 * N * D)}),
    ],
    hints=[
        "A product of (a, b) with (b, c) costs 2abc operations: abc multiplications and as many additions.",
        "Four pieces: XᵀX, its Cholesky factor (D³/3), Xᵀy, and two triangular solves of D² each.",
        "A gradient step costs 4ND. For N = 10⁶ and D = 100 the exact solution is worth 50.5 of them.",
    ],
)  # fmt: skip


def line_search(my, phi, x, y, t):
    def search():
        evaluations = 0

        def loss(p):
            nonlocal evaluations
            evaluations += 1
            if evaluations > 300:
                raise RuntimeError("the loss was evaluated 300 times; does the step get smaller?")
            return float(np.mean((p[0] + p[1] * x - y) ** 2))

        r = phi[0] + phi[1] * x - y
        return my.backtrack(loss, phi, 2 * np.array([r.mean(), (r * x).mean()]), t, 0.3)

    return {"backtrack": search}


def backtrack(f, phi, g, t, c):
    while f(phi - t * g) > f(phi) - c * t * (g @ g):
        t /= 2
    return t


def backtrack_no_c(f, phi, g, t, c):
    while f(phi - t * g) > f(phi):
        t /= 2
    return t


def backtrack_not_squared(f, phi, g, t, c):
    while f(phi - t * g) > f(phi) - c * t * np.sqrt(g @ g):
        t /= 2
    return t


def backtrack_doubles(f, phi, g, t, c):
    while f(phi - t * g) > f(phi) - c * t * (g @ g):
        t = min(t * 2, 1e9)
    return t


def backtrack_old_point(f, phi, g, t, c):
    while f(phi) > f(phi) - c * t * (g @ g) and t > 1e-30:
        t /= 2
    return t


X40 = Exercise(
    "X40", "Backtracking", lesson="02", cell="search-text", points=3,
    probe=line_search,
    cases=lambda rng: [(rng.normal(size=2), x, y, t) for t, (x, y) in zip((8.0, 1.0, 0.01), points(rng))]
    + [(np.array([0.0, 0.0]), np.array([-1.0, 1.0]), np.array([-1.0, 1.0]), t) for t in (1.6, 1.8)],
    reference={"backtrack": backtrack},
    mistakes=[
        Mistake("no-c", "Any fall was enough here. Armijo's rule asks for more: a fall of at least c·t·‖g‖².",
                {"backtrack": backtrack_no_c}),
        Mistake("not-squared", "The length of g stands in the rule as it is; it belongs there squared.", {"backtrack": backtrack_not_squared}),
        Mistake("doubles", "The step must shrink when it failed: halve it.", {"backtrack": backtrack_doubles}),
        Mistake("old-point", "The loss is looked at where you stand, Φ, and not where the step leads, Φ − t·g.",
                {"backtrack": backtrack_old_point}),
    ],
    hints=[
        "Start with the step you were given. While it is not good enough, halve it. Return the first that is.",
        "Good enough: f(Φ − t·g) ≤ f(Φ) − c·t·‖g‖², with ‖g‖² = g @ g.",
    ],
)  # fmt: skip
