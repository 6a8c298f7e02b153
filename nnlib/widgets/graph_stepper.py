"""The graph stepper: any expression as a graph, walked forward and backward one node at a time.

The expression is parsed (never evaluated as Python) into a list of nnlib operations. Values, local derivatives and
gradients come from nnlib's engine (:func:`nnlib.inspection.trace_backward`); beside each product stands a finite
difference of that edge alone, from running the rest of the expression twice. Surprises:

* a value used twice gets the *sum* of what comes back (planted bug: the last one wins);
* visiting a reused value before all its users have reported gives wrong numbers, and only there: in a tree the hasty
  order is right;
* ∂f/∂x₀ = 0.40 on the notes' picture and 0.39 in double precision: only rounding at each node;
* 1/(1+exp(−s)) gives a gradient of nan at s = −800, where the fused sigmoid gives 0.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np

import nnlib as nn

from .experiment import Challenge, Choice, Entry, Experiment, Flag, Prediction, Slider
from .scene import Scene, number, signed

__all__ = ["GraphStepper", "Program", "compute", "draw", "evaluate", "parse", "say", "tell", "walk"]

_PLAIN = ("abs", "cos", "erf", "exp", "expm1", "log", "log1p", "reciprocal", "rsqrt", "sigmoid", "sin", "sqrt",
          "square", "tanh")  # fmt: skip
_UNITS = ("elu", "gelu", "leaky_relu", "relu", "softplus")
FUNCTIONS: dict[str, Callable[..., nn.Tensor]] = {
    **{name: getattr(nn, name) for name in _PLAIN},
    **{name: getattr(nn.functional, name) for name in _UNITS},
    "max": nn.maximum,
    "min": nn.minimum,
}  # every function of nnlib that takes numbers one by one and is a single operation
PAIRS = ("max", "min")  # those of two arguments
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv, "pow": operator.pow,
    "neg": operator.neg,
}  # fmt: skip
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "/", "pow": "^"}
BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow"}
MOST_OPS, MOST_CHARACTERS = 30, 300

OWN = "your own"
EXAMPLES: dict[str, tuple[str, str]] = {
    "(x + y) · z": ("(x + y) * z", "x = -2, y = 5, z = -4"),
    "sigmoid, gate by gate": (
        "1 / (exp(-(w0*x0 + w1*x1 + w2)) + 1)",
        "w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3",
    ),
    "sigmoid, one gate": (
        "sigmoid(w0*x0 + w1*x1 + w2)",
        "w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3",
    ),
    "add gate": ("2 * (x + y)", "x = 3, y = 4"),
    "mul gate": ("5 * (x * y)", "x = 2, y = 3"),
    "copy gate": ("4*x + 2*x", "x = 7"),
    "max gate": ("9 * max(x, y)", "x = 4, y = 5"),
    "a hidden unit": ("v * relu(w*x + b)", "v = 3, w = 2, x = -1, b = 0.5"),
    "a sum used twice": ("q = x + y; q*z + q*q", "x = 1, y = 2, z = 4"),
    "naive sigmoid at −800": ("1 / (1 + exp(-s))", "s = -800"),
}
ORDERS = ("newest first", "as soon as a share arrives", "oldest first")
BUGS = (
    "none",
    "a reused value keeps the last share",
    "× does not swap its factors",
    "1/x forgets its minus",
    "max and min send to both",
    "relu lets everything through",
)


class Ref(NamedTuple):
    """An argument that is the result of another node."""

    node: int


Argument = Ref | float


@dataclass
class Node:
    """A leaf (``op`` is None) or an operation with its arguments."""

    name: str  # of a leaf or a named result; empty otherwise
    op: str | None = None
    args: tuple[Argument, ...] = ()

    @property
    def sources(self) -> list[tuple[int, int]]:
        """(argument position, node) of the arguments that are nodes."""
        return [(i, a.node) for i, a in enumerate(self.args) if isinstance(a, Ref)]

    @property
    def label(self) -> str:
        """What stands in the node's box."""
        if self.op is None:
            return self.name
        fixed = [number(a) for a in self.args if not isinstance(a, Ref)]
        if self.op in SIGNS:
            sign = SIGNS[self.op]
            if not fixed:
                return sign
            first = not isinstance(self.args[0], Ref) and self.op in ("sub", "div", "pow")
            return (
                f"{fixed[0]} {sign} ·"
                if first
                else f"· {sign} {signed(float(fixed[0].replace('−', '-')))}"
            )
        if self.op == "neg":
            return "· × (−1)"
        return f"{self.op}(·, {fixed[0]})" if fixed else self.op


@dataclass
class Program:
    """An expression as a list of nodes, arguments before results; the last is the output."""

    nodes: list[Node]
    names: list[str]  # of the leaves, in order of appearance

    @property
    def operations(self) -> list[int]:
        return [i for i, node in enumerate(self.nodes) if node.op is not None]

    def uses(self, node: int) -> int:
        """How many arguments of later operations this node is."""
        return sum(source == node for later in self.nodes for _, source in later.sources)


def parse(text: str) -> Program:
    """An expression of names, numbers, + - * / ** and FUNCTIONS; ``q = x + y; q*q`` names a part.

    Raises ValueError saying which piece is not understood and what is.

    >>> [node.label for node in parse("(x + y) * z").nodes]
    ['x', 'y', '+', 'z', '×']
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"The expression has {len(text)} characters; at most {MOST_CHARACTERS} fit on the page."
        )
    try:
        tree = ast.parse(text.strip().replace("^", "**"))
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise ValueError(
            f"“{text}” cannot be read as an expression ({error}). Try (x + y) * z."
        ) from None
    nodes: list[Node] = []
    known: dict[str, Argument] = {}
    names: list[str] = []

    def piece(part: ast.AST) -> str:
        return ast.get_source_segment(text.strip().replace("^", "**"), part) or type(part).__name__  # type: ignore[arg-type]

    def operation(op: str, *args: Argument) -> Argument:
        if not any(isinstance(a, Ref) for a in args):  # numbers only
            try:
                value = FUNCTIONS[op](*[nn.tensor(a, dtype=nn.float64) for a in args]).item() \
                    if op in FUNCTIONS else OPERATORS[op](*args)  # fmt: skip
                return float(value)
            except (ArithmeticError, TypeError) as error:
                raise ValueError(
                    f"{SIGNS.get(op, op)} of {args} is not a number ({error})."
                ) from None
        if len([n for n in nodes if n.op]) >= MOST_OPS:
            raise ValueError(f"More than {MOST_OPS} operations do not fit on the page.")
        nodes.append(Node("", op, args))
        return Ref(len(nodes) - 1)

    def visit(part: ast.AST) -> Argument:
        if isinstance(part, ast.BinOp) and type(part.op) in BINARY:
            left = visit(part.left)
            return operation(BINARY[type(part.op)], left, visit(part.right))
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub | ast.UAdd):
            inner = visit(part.operand)
            return inner if isinstance(part.op, ast.UAdd) else operation("neg", inner)
        if (
            isinstance(part, ast.Constant)
            and isinstance(part.value, int | float)
            and not isinstance(part.value, bool)
        ):
            if not abs(part.value) <= 1e15:
                raise ValueError("Numbers of at most 1e15, please.")
            return float(part.value)
        if isinstance(part, ast.Name):
            if part.id in FUNCTIONS:
                raise ValueError(f"{part.id} is a function here: write {part.id}(x).")
            if part.id not in known:
                nodes.append(Node(part.id))
                names.append(part.id)
                known[part.id] = Ref(len(nodes) - 1)
            return known[part.id]
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Name)
            and part.func.id in FUNCTIONS
        ):
            wanted = 2 if part.func.id in PAIRS else 1
            if part.keywords or len(part.args) != wanted:
                raise ValueError(
                    f"{part.func.id} takes {wanted} argument{'s' * (wanted > 1)}, got “{piece(part)}”."
                )
            return operation(part.func.id, *[visit(a) for a in part.args])
        raise ValueError(
            f"“{piece(part)}” is not understood here. There are names, numbers, + - * / **, {' '.join(FUNCTIONS)}."
        )

    out: Argument | None = None
    for n, statement in enumerate(tree.body):
        last = n == len(tree.body) - 1
        if (
            isinstance(statement, ast.Assign)
            and isinstance(statement.targets[0], ast.Name)
            and not last
        ):
            name = statement.targets[0].id
            if name in known or name in FUNCTIONS or len(statement.targets) > 1:
                raise ValueError(f"{name} is taken already; give this part another name.")
            known[name] = value = visit(statement.value)
            if isinstance(value, Ref) and not nodes[value.node].name:
                nodes[value.node].name = name
        elif isinstance(statement, ast.Expr) and last:
            out = visit(statement.value)
        else:
            raise ValueError(
                f"“{piece(statement)}”: write parts as q = x + y; and end with an expression."
            )
    if not isinstance(out, Ref) or nodes[out.node].op is None:
        raise ValueError("The expression needs at least one operation on a name, such as x * 2.")
    return _reachable(nodes, out.node)


def _reachable(nodes: list[Node], out: int) -> Program:
    """Only what the output needs, with the output last."""
    needed, stack = set(), [out]
    while stack:
        i = stack.pop()
        if i not in needed:
            needed.add(i)
            stack += [source for _, source in nodes[i].sources]
    kept = sorted(needed)
    place = {old: new for new, old in enumerate(kept)}
    result = [
        Node(
            nodes[i].name,
            nodes[i].op,
            tuple(Ref(place[a.node]) if isinstance(a, Ref) else a for a in nodes[i].args),
        )
        for i in kept
    ]
    return Program(result, [node.name for node in result if node.op is None])


def read_values(text: str, names: list[str]) -> dict[str, float]:
    """``"x = -2, y = 5"`` as a dict; a name without a value gets 1.  Raises ValueError.

    >>> read_values("x = -2", ["x", "y"])
    {'x': -2.0, 'y': 1.0}
    """
    values = dict.fromkeys(names, 1.0)
    for item in filter(str.strip, text.replace("\N{MINUS SIGN}", "-").replace(";", ",").split(",")):
        name, sign, value = item.partition("=")
        try:
            given = float(value)
        except ValueError:
            given = math.nan
        if not name.strip() or not math.isfinite(given):
            raise ValueError(f"“{item.strip()}” is not a value. Write them as x = -2, y = 5.")
        if name.strip() in values:
            values[name.strip()] = given
    return values


def _apply(op: str, args: list[Any]) -> nn.Tensor:
    if op in PAIRS or (op == "pow" and isinstance(args[1], nn.Tensor)):  # take tensors only
        args = [a if isinstance(a, nn.Tensor) else nn.tensor(a, dtype=nn.float64) for a in args]
    with np.errstate(all="ignore"):
        return (OPERATORS.get(op) or FUNCTIONS[op])(*args)


def evaluate(
    program: Program, values: dict[str, float], nudge: tuple[int, int, float] | None = None
) -> list[nn.Tensor]:
    """Run the program with nnlib; ``nudge`` = (operation, argument, h) adds h to that one argument on its way in."""
    results: list[nn.Tensor] = []
    for i, node in enumerate(program.nodes):
        if node.op is None:
            results.append(nn.tensor(values[node.name], dtype=nn.float64, requires_grad=True))
            continue
        args: list[Any] = [results[a.node] if isinstance(a, Ref) else a for a in node.args]
        if nudge is not None and nudge[0] == i:
            args[nudge[1]] = args[nudge[1]] + nudge[2]
        results.append(_apply(node.op, args))
    return results


def finite_difference(
    program: Program, values: dict[str, float], operation: int, index: int, at: float
) -> float:
    """Centred difference of the output for one argument of one operation: that edge alone."""
    if not math.isfinite(at):
        return math.nan
    h = 1e-6 * max(1.0, abs(at))
    with nn.no_grad():
        up, down = (
            evaluate(program, values, (operation, index, s * h))[-1].item() for s in (1, -1)
        )
    return (up - down) / (2 * h)


@dataclass
class Share:
    """What an operation sends back along one argument."""

    source: int
    index: int
    value: float
    local: float
    product: float
    difference: float = math.nan  # finite difference of the output for this edge

    @property
    def right(self) -> bool:
        """Whether product and finite difference agree."""
        if not (math.isfinite(self.product) and math.isfinite(self.difference)):
            return False
        return abs(self.product - self.difference) <= 1e-4 * max(1.0, abs(self.difference))


@dataclass
class Visit:
    """One step of the backward walk."""

    node: int
    upstream: float
    arrived: int  # shares that had reached the node when it was visited
    uses: int  # shares that it has coming
    shares: list[Share]


@dataclass
class Numbers:
    program: Program
    expression: str
    assignments: str
    values: list[float]
    visits: list[Visit]
    totals: dict[int, float]  # gradient gathered at each node by the walk
    seen: dict[int, float]  # gathered up to the step shown
    engine: dict[int, float]  # gradient by nnlib, unrounded and without planted bugs
    step: int
    order: str
    bug: str
    rounded: bool

    @property
    def forward(self) -> int:
        return len(self.program.operations)

    @property
    def last(self) -> int:
        return self.forward + len(self.visits)

    @property
    def known(self) -> set[int]:
        """Nodes whose value is shown."""
        shown = set(self.program.operations[: self.step])
        return shown | {i for i, node in enumerate(self.program.nodes) if node.op is None}

    @property
    def shown(self) -> list[Visit]:
        """The backward steps taken so far."""
        return self.visits[: max(0, self.step - self.forward)]

    @property
    def wrong(self) -> list[str]:
        """Names of the inputs whose gathered gradient is not the engine's (a nan is wrong too)."""
        return [
            node.name
            for i, node in enumerate(self.program.nodes)
            if node.op is None
            and not abs(self.totals.get(i, 0.0) - self.engine[i])
            <= 1e-9 * max(1.0, abs(self.engine[i]))
        ]


def _locals(
    out: nn.Tensor, names: dict[str, nn.Tensor]
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Local derivatives of each operation, and all gradients, read off nnlib's own backward walk."""
    local: dict[str, list[float]] = {}
    gradient: dict[str, float] = {}
    for step in nn.inspection.trace_backward(out, names):
        gradient[step.name] = float(step.upstream)
        local[step.name] = [float(i.local) for i in step.inputs]
    return local, gradient


def visiting_order(program: Program, order: str) -> list[int]:
    """Operations in the order in which the walk visits them."""
    if order == "newest first":
        return program.operations[::-1]
    if order == "oldest first":
        return program.operations
    visited: list[int] = []

    def go(i: int) -> None:
        visited.append(i)
        for _, source in program.nodes[i].sources:
            if program.nodes[source].op is not None and source not in visited:
                go(source)

    go(len(program.nodes) - 1)
    return visited


def walk(
    program: Program,
    values: list[float],
    local: dict[int, list[float]],
    order: str,
    bug: str,
    rounded: bool = False,
) -> tuple[list[Visit], dict[int, float]]:
    """Send upstream × local back through the operations in the given order, with the given bug planted."""
    last = len(program.nodes) - 1
    totals, arrived = {last: 1.0}, {last: 1}
    visits = []
    for i in visiting_order(program, order):
        node, upstream = program.nodes[i], totals.get(i, 0.0)
        factors = list(local[i])
        if bug == BUGS[2] and node.op == "mul" and len(node.sources) == 2:
            factors.reverse()
        if bug == BUGS[3] and node.op == "div" and not isinstance(node.args[0], Ref):
            factors = [-f for f in factors]
        if (bug == BUGS[4] and node.op in PAIRS) or (bug == BUGS[5] and node.op == "relu"):
            factors = [1.0] * len(factors)
        shares = []
        for (index, source), factor in zip(node.sources, factors):
            product = upstream * factor
            product = _two_digits(product) if rounded else product
            shares.append(Share(source, index, values[source], factor, product))
            keep = 0.0 if bug == BUGS[1] else totals.get(source, 0.0)
            totals[source] = keep + product
            arrived[source] = arrived.get(source, 0) + 1
        visits.append(
            Visit(i, upstream, arrived.get(i, 0), 1 if i == last else program.uses(i), shares)
        )
    return visits, totals


def compute(settings: dict[str, Any]) -> Numbers:
    """Parse, run forward, walk backward; every number of every step."""
    expression, assignments = EXAMPLES.get(
        settings["example"], (settings["expression"], settings["values"])
    )
    program = parse(expression)
    given = read_values(assignments, program.names)
    tensors = evaluate(program, given)
    names = {f"n{i}": tensor for i, tensor in enumerate(tensors)}
    local, gradient = _locals(tensors[-1], names)
    values = [tensor.item() for tensor in tensors]
    by_node = {i: local.get(f"n{i}", []) for i in program.operations}
    rounded = settings["rounded"]
    if rounded:
        values, by_node = _rounded(program, given)
    visits, totals = walk(program, values, by_node, settings["order"], settings["bug"], rounded)
    step = min(settings["step"], len(program.operations) + len(visits))
    for visit in visits:
        for share in visit.shares:
            share.difference = finite_difference(
                program, given, visit.node, share.index, tensors[share.source].item()
            )
    seen = walk_until(
        visits, settings["bug"], len(program.nodes) - 1, step - len(program.operations)
    )
    engine = {i: gradient.get(f"n{i}", 0.0) for i in range(len(program.nodes))}
    return Numbers(program, expression, assignments, values, visits, totals, seen, engine, step, settings["order"],
                   settings["bug"], rounded)  # fmt: skip


def walk_until(visits: list[Visit], bug: str, last: int, count: int) -> dict[int, float]:
    """What has been gathered after the first ``count`` visits."""
    if count <= 0:
        return {}
    seen = {last: 1.0}
    for visit in visits[:count]:
        for share in visit.shares:
            seen[share.source] = (
                0.0 if bug == BUGS[1] else seen.get(share.source, 0.0)
            ) + share.product
    return seen


def _rounded(
    program: Program, given: dict[str, float]
) -> tuple[list[float], dict[int, list[float]]]:
    """Values and local derivatives when every result is rounded to two digits before it is used."""
    values: list[float] = []
    local: dict[int, list[float]] = {}
    for i, node in enumerate(program.nodes):
        if node.op is None:
            values.append(given[node.name])
            continue
        leaves = [nn.tensor(values[a.node], dtype=nn.float64, requires_grad=True) if isinstance(a, Ref) else a
                  for a in node.args]  # fmt: skip
        result = _apply(node.op, leaves)
        local[i] = [
            _two_digits(float(x.local)) for x in nn.inspection.trace_backward(result)[0].inputs
        ]
        values.append(_two_digits(result.item()))
    return values, local


def _two_digits(value: float) -> float:
    return round(value, 2) if math.isfinite(value) else value


# ------------------------------------------------------------ picture

COLUMN, ROW, BOX, HALF = 138, 86, 34, 36
LEFT, TOP = 66, 50


def layout(program: Program) -> dict[int, tuple[float, float]]:
    """The centre of each node: an operation one column after its last argument, an input just before its first use."""
    column: dict[int, int] = {}
    row: dict[int, float] = {}
    for i in program.operations:
        column[i] = 1 + max(
            (column.get(source, 0) for _, source in program.nodes[i].sources), default=0
        )
    users = {i: [k for k in program.operations if i in [s for _, s in program.nodes[k].sources]]
             for i in range(len(program.nodes))}  # fmt: skip
    leaves = 0
    for i, node in enumerate(program.nodes):
        if node.op is None:
            column[i], row[i] = min(column[k] for k in users[i]) - 1, leaves
            leaves += 1
        else:
            rows = [row[source] for _, source in node.sources]
            row[i] = sum(rows) / len(rows)
    _uncross(program, column, row)
    for c in set(column.values()):  # push apart what would overlap
        inside = sorted((i for i in column if column[i] == c), key=lambda i: row[i])
        for above, below in zip(inside, inside[1:]):
            row[below] = max(row[below], row[above] + 0.85)
    return {i: (LEFT + COLUMN * column[i], TOP + ROW * row[i]) for i in column}


def _uncross(program: Program, column: dict[int, int], row: dict[int, float]) -> None:
    """Order the nodes of each column so that fewer edges cross; a graph without crossings stays as it is."""
    edges = [(s, i) for i in program.operations for _, s in program.nodes[i].sources]
    ends = np.array(edges).T

    def crossings() -> int:
        x, y = (np.array([d[i] for i in range(len(program.nodes))], float) for d in (column, row))
        x0, y0, x1, y1 = x[ends[0]] + 0.26, y[ends[0]], x[ends[1]] - 0.26, y[ends[1]]
        slope = (y1 - y0) / (x1 - x0)
        left, right = np.maximum(x0, x0[:, None]), np.minimum(x1, x1[:, None])

        def above(at: np.ndarray) -> np.ndarray:  # edge i over edge j, at these places
            height = y0[:, None] + slope[:, None] * (at - x0[:, None])
            return height - height.T

        return int(((above(left) * above(right) < -1e-9) & (left < right)).sum()) // 2

    def reorder(backward: bool) -> None:
        """Within each column, those whose neighbours stand higher come first."""
        near: dict[int, list[int]] = {i: [] for i in column}
        for source, i in edges:
            near[source if backward else i].append(i if backward else source)
        for c in sorted(set(column.values()), reverse=backward):
            inside = [i for i in column if column[i] == c and near[i]]
            means = {i: sum(row[k] for k in near[i]) / len(near[i]) for i in inside}
            rows = sorted(row[i] for i in inside)
            row.update(zip(sorted(inside, key=lambda i: (means[i], row[i])), rows))

    fewest, best = crossings(), dict(row)
    for turn in range(8):
        if not fewest:
            return
        reorder(turn % 2 == 0)
        if (now := crossings()) < fewest:
            fewest, best = now, dict(row)
    row.update(best)


Point = tuple[float, float]


def route(
    program: Program, places: dict[int, Point], i: int, index: int
) -> tuple[list[Point], list[Point]]:
    """The way of one edge, around the nodes between, and spots where its numbers can stand."""
    source = dict(program.nodes[i].sources)[index]
    (x0, y0), (x1, y1) = places[source], places[i]
    twins = [k for k, s in program.nodes[i].sources if s == source]  # x * x: two edges, two nodes
    bend = 50.0 * (twins.index(index) - len(twins) + 1)
    start, end = (x0 + HALF, y0 + bend / 8), (x1 - HALF - 2, y1 + bend / 8)
    between = [p for k, p in places.items() if k not in (source, i) and x0 < p[0] < x1]

    def clear(shift: float) -> bool:
        slope = (y1 - y0) / (x1 - x0)
        return all(abs(y - (y0 + slope * (x - x0)) - shift) > 0.9 * BOX for x, y in between)

    if not bend and not clear(0):
        bend = next((b for b in (-58.0, 58.0, -94.0, 94.0) if clear(b)), -58.0)
    if bend:
        first, last = (x0 + 0.6 * COLUMN, x1 - 0.6 * COLUMN) if between else ((x0 + x1) / 2,) * 2
        height = (y0 + y1) / 2 + bend
        way = [start, (first - 12, height), (last + 12, height), end]
        return way, [(first + t * (last - first), height) for t in (0.5, 0.2, 0.8)]
    spots = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.12, 0.88)
    wide, tall = end[0] - start[0], end[1] - start[1]
    return [start, end], [(start[0] + t * wide, start[1] + t * tall) for t in spots]


def settle(spots: list[Point], wide: float, taken: list[Point], boxes: Iterable[Point]) -> Point:
    """The first of the spots where a label of that width meets least of those placed already, and of the nodes."""

    def shared(spot: Point, x: float, y: float, w: float, h: float) -> float:
        return max(0.0, w - abs(spot[0] - x)) * max(0.0, h - abs(spot[1] - y))

    def overlap(spot: Point) -> float:
        labels = sum(shared(spot, x, y, wide, 40) for x, y in taken)
        return labels + sum(shared(spot, x, y, wide / 2 + HALF, 20 + BOX / 2) for x, y in boxes)

    best = min(spots, key=overlap)
    taken.append(best)
    return best


def draw(numbers: Numbers) -> Scene:
    """The graph: values above the edges, gradients below, the node of this step lit."""
    program = numbers.program
    places = layout(program)
    ways = {
        (i, index): route(program, places, i, index)
        for i in program.operations
        for index, _ in program.nodes[i].sources
    }
    ys = [y for way, _ in ways.values() for _, y in way]
    down = max(0.0, 34 - min(ys))  # a way around may leave the sheet
    places = {i: (x, y + down) for i, (x, y) in places.items()}
    width = max(x for x, _ in places.values()) + COLUMN
    height = max([y for _, y in places.values()] + [y + down - 24 for y in ys]) + 56
    taken: list[Point] = []
    boxes = list(places.values())  # and what stands below a node: its gradient
    boxes += [
        (x, y + 29)
        for i, (x, y) in places.items()
        if program.nodes[i].op is None or program.uses(i) > 1
    ]
    scene = Scene(max(width, 420), height)
    last = len(program.nodes) - 1
    back = {(v.node, s.index): s for v in numbers.shown for s in v.shares}
    now = _current(numbers)
    for i in program.operations:
        for index, source in program.nodes[i].sources:
            share, active = back.get((i, index)), now == i
            way, spots = ([(x, y + down) for x, y in points] for points in ways[i, index])
            texts = [number(v, 3) for v in (numbers.values[source], share.product if share else 0)]
            mx, my = settle(spots, 9.2 * max(map(len, texts)), taken, boxes)
            color = "red" if share and active else "blue" if active else "faint"
            scene.line(
                *way, color=color, width=3 if active else 1.5, arrow=True, id=f"edge {i} {index}"
            )
            if source in numbers.known:
                _label(
                    scene,
                    mx,
                    my - 11,
                    numbers.values[source],
                    "blue",
                    numbers.rounded,
                    f"value {i} {index}",
                )
            if share:
                _label(
                    scene,
                    mx,
                    my + 12,
                    share.product,
                    "red",
                    numbers.rounded,
                    f"gradient {i} {index}",
                )
    x, y = places[last]
    scene.line((x + HALF, y), (x + HALF + 50, y), color="faint", arrow=True)
    if last in numbers.known:
        _label(
            scene, x + HALF + 24, y - 12, numbers.values[last], "blue", numbers.rounded, "value out"
        )
    if numbers.step > numbers.forward:
        _label(scene, x + HALF + 24, y + 13, 1.0, "red", numbers.rounded, "gradient out")
    for i, node in enumerate(program.nodes):
        x, y = places[i]
        fill = "blue-tint" if i in numbers.known else "paper"
        fill = "glow" if i == now else "green-tint" if node.op is None else fill
        scene.box(x - HALF, y - BOX / 2, 2 * HALF, BOX, fill=fill, color="ink" if i in numbers.known else "faint",
                  radius=3 if node.op is None else 13, width=2.5 if i == now else 1.3, id=f"node {i}")  # fmt: skip
        scene.text(x, y, node.label, size=15 if len(node.label) < 8 else 12, bold=node.op is None)
        if node.name and node.op:
            scene.text(x, y - BOX / 2 - 9, node.name, size=13, bold=True, color="purple")
        if i in numbers.seen and i != last and (node.op is None or program.uses(i) > 1):
            full = number(numbers.seen[i], 3 if not numbers.rounded else 2)
            many = "sum " if program.uses(i) > 1 else ""
            text = f"{many}∂ = {full}"  # ends with its node: to the right there are edges and their numbers
            right = max(x + HALF, 7.6 * len(text) + 4)
            scene.text(
                right,
                y + BOX / 2 + 12,
                text,
                size=13,
                color="red",
                bold=True,
                anchor="end",
                id=f"total {i}",
            )
    return scene


def _label(
    scene: Scene, x: float, y: float, value: float, color: str, rounded: bool, id: str
) -> None:
    text = (
        f"{value:.2f}".replace("-", "−") if rounded and math.isfinite(value) else number(value, 3)
    )
    scene.box(
        x - 4.6 * len(text) - 1,
        y - 9,
        9.2 * len(text) + 2,
        18,
        fill="paper",
        color="none",
        radius=3,
    )
    scene.text(x, y, text, size=16, color=color, bold=color == "red", id=id)


def _current(numbers: Numbers) -> int | None:
    """The node of this step."""
    if numbers.step == 0:
        return None
    if numbers.step <= numbers.forward:
        return numbers.program.operations[numbers.step - 1]
    return numbers.visits[numbers.step - numbers.forward - 1].node


# ------------------------------------------------------------ words


def title(numbers: Numbers, i: int) -> str:
    """A node's name for a sentence."""
    node = numbers.program.nodes[i]
    return f"{node.name} ({node.label})" if node.op and node.name else node.label


def spelled(numbers: Numbers, i: int) -> str:
    """An operation with its arguments put in."""
    node = numbers.program.nodes[i]
    args = [numbers.values[a.node] if isinstance(a, Ref) else a for a in node.args]
    if node.op in SIGNS:
        first = signed(args[0]) if node.op == "pow" else number(args[0])
        return f"{first} {SIGNS[node.op]} {signed(args[1])}"
    return (
        f"−{signed(args[0])}" if node.op == "neg" else f"{node.op}({', '.join(map(number, args))})"
    )


def say(numbers: Numbers) -> str:
    """The step in words, with its numbers."""
    program, step = numbers.program, numbers.step
    if step == 0:
        leaves = [(i, node.name) for i, node in enumerate(program.nodes) if node.op is None]
        inputs = ", ".join(f"{name} = {number(numbers.values[i])}" for i, name in leaves)
        return f"Inputs: {inputs}. Next: the first of {numbers.forward} operations."
    if step <= numbers.forward:
        i = program.operations[step - 1]
        sum_ = f"{spelled(numbers, i)} = {number(numbers.values[i])}"
        text = f"Forward {step} of {numbers.forward}, at {title(numbers, i)}: {sum_}."
        return text + (" That is f. Next: back, with ∂f/∂f = 1." if step == numbers.forward else "")
    visit = numbers.visits[step - numbers.forward - 1]
    parts = [f"Backward {step - numbers.forward} of {len(numbers.visits)}: at {title(numbers, visit.node)}, "
             f"upstream {number(visit.upstream)}."]  # fmt: skip
    for share in visit.shares:
        name = title(numbers, share.source)
        parts.append(
            f"To {name}: local {number(share.local)} × upstream {number(visit.upstream)} = {number(share.product)}"
            + (
                f" (finite difference {number(share.difference)})."
                if not math.isnan(share.difference)
                else "."
            )
        )
    for source in dict.fromkeys(share.source for share in visit.shares):
        if (uses := program.uses(source)) > 1:
            does = "keeps only the last share" if numbers.bug == BUGS[1] else "adds what comes back"
            total = number(numbers.seen[source])
            parts.append(
                f"{title(numbers, source)} is used {uses} times and {does}: {total} so far."
            )
    if visit.arrived < visit.uses:
        parts.append(
            f"Too early: {visit.arrived} of {visit.uses} uses of {title(numbers, visit.node)} have reported, so its "
            "upstream is incomplete and what it sends on is wrong."
        )
    if step == numbers.last:
        parts.append(_ending(numbers))
    return " ".join(parts)


def _ending(numbers: Numbers) -> str:
    leaves = [(i, n.name) for i, n in enumerate(numbers.program.nodes) if n.op is None]
    if any(not math.isfinite(numbers.engine[i]) for i, _ in leaves):
        if all(map(math.isfinite, numbers.values)):
            return "A gradient is not a finite number: some operation has no finite slope at this point."
        return (
            "The gradient is not a number: a value overflowed on the way, and inf × 0 has no value. "
            "The function itself is harmless here; fuse the chain into one gate."
        )
    wrong = [(i, name) for i, name in leaves if name in numbers.wrong]
    if not wrong:
        return "All gradients are nnlib's."
    pairs = ", ".join(f"{name} {number(numbers.totals.get(i, 0.0))} instead of {number(numbers.engine[i])}"
                      for i, name in wrong)  # fmt: skip
    why = "rounded at each node" if numbers.rounded and numbers.bug == "none" else "wrong"
    return f"{why.capitalize()}: {pairs}."


def tell(numbers: Numbers) -> str:
    """The backward steps so far as a table."""
    rows = []
    for n, visit in enumerate(numbers.shown):
        for share in visit.shares:
            marks = ["nn-now"] if n == len(numbers.shown) - 1 else []
            agree = share.right or numbers.rounded or not math.isfinite(share.difference)
            marks += [] if agree else ["nn-bad"]
            cells = (
                f"{title(numbers, visit.node)} → {title(numbers, share.source)}",
                number(share.value),
                f"{number(share.local)} × {number(visit.upstream)} = {number(share.product)}",
                number(share.difference) + ("" if agree else " ✗ differs"),
            )
            rows.append(
                f'<tr class="{" ".join(marks)}">'
                + "".join(f"<td>{escape(c)}</td>" for c in cells)
                + "</tr>"
            )
    if not rows:
        return ""
    head = "".join(
        f"<th>{h}</th>"
        for h in ("edge", "value", "local × upstream = product", "finite difference")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


class GraphStepper(Experiment):
    """Any expression, forward and backward one node at a time.  Lesson 09.

    >>> numbers = GraphStepper.measure(example="(x + y) · z", step=60)
    >>> [round(numbers.totals[i], 1) for i, node in enumerate(numbers.program.nodes) if node.op is None]
    [-4.0, -4.0, 3.0]
    """

    title = "Graph stepper"
    controls = {
        "step": Slider("step", 0, 0, 2 * MOST_OPS),
        "example": Choice("example", "(x + y) · z", (*EXAMPLES, OWN)),
        "expression": Entry("f =", EXAMPLES["(x + y) · z"][0]),
        "values": Entry("at", EXAMPLES["(x + y) · z"][1]),
        "order": Choice("walk back", ORDERS[0], ORDERS),
        "bug": Choice("plant a bug", BUGS[0], BUGS),
        "rounded": Flag("round to 2 digits at every node", False),
    }
    rows = (
        ("back", "next", "end", "step"),
        ("example", "expression", "values"),
        ("order", "bug", "rounded"),
    )
    still = {"step": 2 * MOST_OPS}
    least = 560
    prediction = Prediction(
        "f = (x + y) · z at x = −2, y = 5, z = −4 is −12. Raise x by 0.01: by how much does f change?",
        ("+0.01", "−0.04", "−0.12", "+0.03"),
        "−0.04",
        "The + passes 0.01 on as it is, and × multiplies it by its other factor, z = −4. Step through it: every "
        "gradient is a local factor times what comes from above.",
        before={"step": 0},
        after={"step": 1},
    )
    challenge = Challenge(
        "Find a function and a point where f is an ordinary number and nnlib’s own gradient is none (nan).",
        lambda n: (
            math.isfinite(n.values[-1])
            and any(
                math.isnan(n.engine[i]) for i, node in enumerate(n.program.nodes) if node.op is None
            )
        ),
        "Backward multiplies numbers that forward never multiplies; inf × 0 is where it breaks. That is why sigmoid "
        "and cross entropy are single, fused operations.",
    )
    compute, draw = staticmethod(compute), staticmethod(draw)
    say, tell = staticmethod(say), staticmethod(tell)

    @classmethod
    def complete(cls, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All settings; an expression or values without an example make the example “your own”."""
        given = dict(settings or {})
        if {"expression", "values"} & given.keys():
            given.setdefault("example", OWN)
        return super().complete(given)

    def __init__(self, **settings: Any) -> None:
        import ipywidgets as w

        self._buttons = {
            "back": w.Button(
                description="◀ Back", tooltip="one step back", layout={"width": "88px"}
            ),
            "next": w.Button(description="Next ▶", tooltip="one step on", layout={"width": "88px"}),
            "end": w.Button(
                description="To the end", tooltip="all steps", layout={"width": "96px"}
            ),
        }
        self._buttons["next"].button_style = "primary"
        for name, change in (("back", -1), ("next", 1), ("end", 2 * MOST_OPS)):
            self._buttons[name].on_click(lambda _, change=change: self.step(change))
        super().__init__(**settings)
        if self._settings["example"] != next(iter(EXAMPLES)):
            self.set()  # pass the question: it is about (x + y) · z, over another graph it misleads

    def _part(self, name: str) -> Any:
        return self._buttons[name] if name in self._buttons else super()._part(name)

    def step(self, count: int = 1) -> None:
        """Go ``count`` steps on (back if negative)."""
        self.set(step=min(max(self._settings["step"] + count, 0), self.numbers.last))

    def set(self, **settings: Any) -> None:
        """Change settings; an expression or values of your own choose the example “your own”."""
        if {"expression", "values"} & settings.keys():
            settings.setdefault("example", OWN)
        super().set(**settings)

    def moved(self, name: str) -> None:
        """Typing makes the example your own; a new example starts at its inputs."""
        if name in ("expression", "values"):
            self._settings["example"] = OWN
        if name == "example":
            self._settings["step"] = 0

    def tune(self, numbers: Numbers) -> None:
        """The slider ends where the walk ends; the fields show what is on the page."""
        if self.revealed:
            self._settings["step"] = numbers.step
        self.widgets["step"].max = numbers.last
        self._settings["expression"], self._settings["values"] = (
            numbers.expression,
            numbers.assignments,
        )
        self._buttons["back"].disabled = numbers.step == 0
        self._buttons["next"].disabled = self._buttons["end"].disabled = (
            numbers.step == numbers.last
        )
