"""The graph stepper: any expression of nnlib as a graph, walked forward and backward one node at a time.

The expression is parsed (never evaluated as Python) into a list of nnlib operations on numbers, vectors and small
matrices; every public op of nnlib and nnlib.functional is there. Values and gradients come from nnlib's engine, one
operation at a time; beside each product stands a finite difference of that edge alone, from running the rest of the
expression twice for each element. Surprises:

* a value used twice gets the *sum* of what comes back (planted bug: the last one wins);
* visiting a reused value before all its users have reported gives wrong numbers, and only there: in a tree the hasty
  order is right;
* ∂f/∂x₀ = 0.40 on the notes' picture and 0.39 in double precision: only rounding at each node;
* 1/(1+exp(−s)) gives a gradient of nan at s = −800, where the fused sigmoid gives 0;
* softmax followed by a log sends back p − onehot, but only with its whole Jacobian: its diagonal alone is wrong.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np

import nnlib as nn

from ..core import unbroadcast
from ..layout import Box, Link, bends, layered
from . import expressions
from .experiment import Challenge, Choice, Entry, Experiment, Flag, Prediction, Slider
from .expressions import MOST_OPS, PAIRS, SIGNS, Number, Ref, Value, leaf, plain, told, value_of
from .scene import Scene, number, signed

__all__ = ["GraphStepper", "compute", "draw", "say", "tell", "walk"]

OWN = "your own"
EXAMPLES: dict[str, tuple[str, str]] = {
    "(x + y) · z": ("(x + y) * z", "x = -2, y = 5, z = -4"),
    "sigmoid, gate by gate": ("1 / (exp(-(w0*x0 + w1*x1 + w2)) + 1)", "w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3"),
    "sigmoid, one gate": ("sigmoid(w0*x0 + w1*x1 + w2)", "w0 = 2, x0 = -1, w1 = -3, x1 = -2, w2 = -3"),
    "add gate": ("2 * (x + y)", "x = 3, y = 4"),
    "mul gate": ("5 * (x * y)", "x = 2, y = 3"),
    "copy gate": ("4*x + 2*x", "x = 7"),
    "max gate": ("9 * max(x, y)", "x = 4, y = 5"),
    "a hidden unit": ("v * relu(w*x + b)", "v = 3, w = 2, x = -1, b = 0.5"),
    "a sum used twice": ("q = x + y; q*z + q*q", "x = 1, y = 2, z = 4"),
    "naive sigmoid at −800": ("1 / (1 + exp(-s))", "s = -800"),
    "a linear layer": ("mean((W @ x + b - t) ** 2)", "W = [[1, -2], [0, 3]], x = [2, 1], b = [1, 0], t = [0, 2]"),
    "softmax, then −log": ("p = softmax(z, dim=0); -log(p[2])", "z = [1, 2, 3]"),
    "cross entropy, one gate": ("cross_entropy(z, y)", "z = [1, 2, 3], y = 2"),
}  # fmt: skip
ORDERS = ("newest first", "as soon as a share arrives", "oldest first")
NONE, LAST_WINS, UNSWAPPED, NO_MINUS, BOTH, OPEN, DIAGONAL, UNDIVIDED = BUGS = (
    "none",
    "a reused value keeps the last share",
    "× does not swap its factors",
    "1/x forgets its minus",
    "max and min send to both",
    "relu lets everything through",
    "softmax keeps only its diagonal",
    "mean forgets to divide",
)

Point = tuple[float, float]


# ------------------------------------------------------------ the walk


def send(node: expressions.Node, values: list[Value], upstream: Value, bug: str = NONE) -> list[Any]:
    """What the operation sends back along each argument, by nnlib or with the bug; None where nothing flows."""
    leaves = list(map(leaf, values))
    out = expressions.apply(node, leaves)
    upstream = np.broadcast_to(np.asarray(upstream, float), out.shape)
    out.backward(gradient=upstream)
    shares = [leaf.grad for leaf in leaves]
    if bug == UNSWAPPED and node.op == "mul" and len(shares) == 2:
        shares = [unbroadcast(upstream * leaf.data, leaf.data) for leaf in leaves]
    elif bug == NO_MINUS and node.op == "div" and isinstance(node.args[0], Number):
        shares = [-s for s in shares]
    elif (bug == BOTH and node.op in PAIRS.values()) or (bug == OPEN and node.op == "relu"):
        shares = [unbroadcast(upstream, leaf.data) for leaf in leaves]
    elif bug == DIAGONAL and node.op == "softmax":
        shares = [upstream * out.data * (1 - out.data)]
    elif bug == UNDIVIDED and node.op == "mean":
        shares = [s * leaf.numel() / out.numel() for s, leaf in zip(shares, leaves)]
    return [None if s is None else plain(s) for s in shares]


@dataclass
class Share:
    """What an operation sends back along one argument."""

    source: int
    index: int
    value: Value
    local: Value  # slope of a number by the argument, in its shape; else the Jacobian (outputs, inputs)
    product: Value
    difference: Value = math.nan  # finite difference of the output for this edge

    @property
    @np.errstate(all="ignore")
    def gap(self) -> float:
        """The largest distance between product and finite difference."""
        return float(np.abs(np.subtract(self.product, self.difference)).max())

    @property
    def right(self) -> bool:
        """Whether they agree."""
        return self.gap <= 1e-4 * max(1.0, float(np.abs(self.difference).max()))


@dataclass
class Visit:
    """One step of the backward walk."""

    node: int
    upstream: Value
    arrived: int  # shares that had reached the node when it was visited
    uses: int  # shares that it has coming
    shares: list[Share]


@dataclass
class Numbers:
    program: expressions.Program
    expression: str
    assignments: str
    values: list[Value]
    visits: list[Visit]
    totals: dict[int, Value]  # gradient gathered at each node by the walk
    engine: dict[int, Value]  # gradient of each input by nnlib, unrounded and without planted bugs
    order: str
    bug: str
    rounded: bool
    step: int = 0

    @property
    def forward(self) -> int:
        return len(self.program.operations)

    @property
    def last(self) -> int:
        return self.forward + len(self.visits)

    @property
    def known(self) -> set[int]:
        """Nodes whose value is shown."""
        return set(range(len(self.values))) - set(self.program.operations[self.step :])

    @property
    def shown(self) -> list[Visit]:
        """The backward steps taken so far."""
        return self.visits[: max(0, self.step - self.forward)]

    @property
    def seen(self) -> dict[int, Value]:
        """What has been gathered at each node up to the step shown."""
        return gathered(self.visits, self.bug, len(self.values) - 1, len(self.shown)) if self.shown else {}

    def uses(self, node: int) -> int:
        """How many shares come back to this node."""
        return sum(s.source == node for visit in self.visits for s in visit.shares)

    @property
    @np.errstate(all="ignore")
    def wrong(self) -> list[str]:
        """Names of the inputs whose gathered gradient is not the engine's (a nan is wrong too)."""
        return [
            self.program.nodes[i].name
            for i, right in self.engine.items()
            if not (np.abs(np.subtract(self.totals.get(i, 0.0), right)) <= 1e-9 * np.maximum(1.0, np.abs(right))).all()
        ]


@np.errstate(all="ignore")
def gathered(visits: list[Visit], bug: str, last: int, count: int) -> dict[int, Value]:
    """The sums of shares after the first ``count`` visits."""
    found: dict[int, Value] = {last: 1.0}
    for visit in visits[:count]:
        for share in visit.shares:
            found[share.source] = share.product + (0.0 if bug == LAST_WINS else found.get(share.source, 0.0))
    return found


def visiting_order(program: expressions.Program, order: str, flows: Sequence[bool]) -> list[int]:
    """Operations that gradients flow through, in the order in which the walk visits them."""
    through = [i for i in program.operations if flows[i]]
    if order != ORDERS[1]:
        return through[::-1] if order == ORDERS[0] else through
    visited: list[int] = []

    def go(i: int) -> None:
        visited.append(i)
        for _, source in program.nodes[i].sources:
            if source in through and source not in visited:
                go(source)

    go(len(program.nodes) - 1)
    return visited


def walk(
    program: expressions.Program, exact: list[nn.Tensor], tensors: list[nn.Tensor], order: str, bug: str
) -> list[Visit]:
    """Send gradients back through the operations in the given order, with the given bug planted.

    ``tensors`` are the ``exact`` ones, or those of a run rounded at each node: then so are the gradients.
    """
    last, values = len(program.nodes) - 1, list(map(value_of, tensors))
    tidy = (lambda v: plain(expressions.two_digits(v))) if tensors is not exact else (lambda v: v)
    visits: list[Visit] = []
    arrived = {last: 1}
    for i in visiting_order(program, order, [t.requires_grad for t in tensors]):
        node, out = program.nodes[i], tensors[i]
        upstream = gathered(visits, bug, last, len(visits)).get(i, plain(np.zeros(out.shape)))
        back = functools.partial(send, node, [values[source] for _, source in node.sources], bug=bug)
        rows = [back(upstream=row.reshape(out.shape)) for row in np.eye(out.numel())]
        products = back(upstream=upstream)
        visit = Visit(i, upstream, arrived.get(i, 0), 0, [])
        for nth, (index, source) in enumerate(node.sources):
            if products[nth] is not None and tensors[source].requires_grad:
                local = tidy(np.stack([np.ravel(r[nth]) for r in rows]) if out.ndim else rows[0][nth])
                product = tidy(products[nth] if out.ndim else upstream * local)
                share = Share(source, index, values[source], local, product)
                share.difference = expressions.finite_difference(program, exact, i, nth)
                visit.shares.append(share)
                arrived[source] = arrived.get(source, 0) + 1
        visits.append(visit)
    for visit in visits:
        visit.uses = 1 if visit.node == last else arrived.get(visit.node, 0)
    return visits


@functools.lru_cache(maxsize=16)
@np.errstate(all="ignore")
def _walked(expression: str, assignments: str, order: str, bug: str, rounded: bool) -> Numbers:
    """Parse, run forward, walk backward; every number of every step."""
    program = expressions.parse(expression)
    names = [program.nodes[i].name for i in program.inputs]
    given = expressions.read_values(assignments, names)
    try:
        exact = expressions.run(program, given)
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        bare = [name for name in names if not re.search(rf"\b{name}\s*=", assignments)]
        more = f" Without a value, {', '.join(bare)} counts as 1: write {bare[0]} = … below f." if bare else ""
        raise type(error)(f"{error}{more}") from None
    out = exact[-1]
    if out.ndim:
        raise ValueError(f"f has shape {out.shape}, and gradients start from one number. Make it one: sum(…), f[0].")
    if not out.requires_grad:
        raise ValueError(f"No gradient flows back from {program.nodes[-1].label}: it has no slope. Use smooth ones.")
    out.backward(retain_graph=True)
    engine = {i: plain(np.zeros(exact[i].shape) if exact[i].grad is None else exact[i].grad) for i in program.inputs}
    tensors = expressions.run(program, given, rounded=True) if rounded else exact
    visits = walk(program, exact, tensors, order, bug)
    totals = gathered(visits, bug, len(tensors) - 1, len(visits))
    return Numbers(program, expression, assignments, list(map(value_of, tensors)), visits, totals, engine, order, bug,
                   rounded)  # fmt: skip


def compute(settings: dict[str, Any]) -> Numbers:
    """The walk of the expression, up to the step."""
    text = EXAMPLES.get(settings["example"], (settings["expression"], settings["values"]))
    numbers = _walked(*text, settings["order"], settings["bug"], settings["rounded"])
    return replace(numbers, step=min(settings["step"], numbers.last))


# ------------------------------------------------------------ picture

LETTER, CELL, LINE = 8.2, 7.6, 18  # pixels: a letter of a label, of an element; a row of elements
EDGE = 24  # around the drawing


def rows_of(value: Value) -> list[list[str]]:
    """The elements as texts, row by row; axes before the last two stand one below the other."""
    array = np.asarray(value)
    return [[number(v, 3) for v in row] for row in array.reshape(-1, array.shape[-1] if array.ndim else 1)]


def extent(value: Value) -> tuple[float, float]:
    """Width and height of a value as drawn."""
    rows = rows_of(value)
    return sum(_widths(rows)) + (14 if np.ndim(value) else 0), LINE * len(rows)


def _widths(rows: list[list[str]]) -> list[float]:
    return [CELL * max(map(len, column)) + 8 for column in zip(*rows)]


def _paint(scene: Scene, x: float, y: float, value: Value, color: str, rounded: bool, id: str) -> None:
    """A number, or a vector or matrix in brackets, with its middle at (x, y); its ground is paper."""
    if not np.ndim(value):
        text = f"{value:.2f}".replace("-", "−") if rounded and math.isfinite(value) else number(value, 3)
        half = 4.6 * len(text) + 1
        scene.box(x - half, y - 9, 2 * half, 18, fill="paper", color="none", radius=3)
        scene.text(x, y, text, size=16, color=color, bold=color == "red", id=id)
        return
    rows, (wide, high) = rows_of(value), extent(value)
    left, right, top, bottom = x - wide / 2 + 2, x + wide / 2 - 2, y - high / 2, y + high / 2
    scene.box(left, top - 2, right - left, high + 4, fill="paper", color="none", radius=3, id=id)
    for side, end in ((left, left + 4), (right, right - 4)):
        scene.line((end, top - 1), (side, top - 1), (side, bottom + 1), (end, bottom + 1), color=color, width=1.5)
    ends = np.cumsum(_widths(rows)) + left + 1
    for k, row in enumerate(rows):
        for end, text in zip(ends, row):
            scene.text(end, top + LINE * (k + 0.5), text, size=13, color=color, bold=color == "red", anchor="end")


@dataclass
class Place:
    """A node as drawn, in pixels."""

    x: float
    y: float
    wide: float
    high: float


@functools.lru_cache(maxsize=16)
def _placed(expression: str, assignments: str) -> Any:
    """Where nodes and edges stand; the same at every step, so that a picture only fills."""
    numbers = _walked(expression, assignments, ORDERS[0], NONE, False)
    nodes, values = numbers.program.nodes, numbers.values
    sizes, boxes, links = [], [], []
    for i, (node, value) in enumerate(zip(nodes, values)):
        wide, high = extent(value) if np.ndim(value) else (0.0, 0.0)
        wide, high = max(LETTER * len(node.label) + 16, wide + 12, 44), high + (34 if not high else 30)
        sizes.append((wide, high))
        more = (LINE if node.name and node.op else 0), _below(numbers, i)[1]
        wide = max(wide, _below(numbers, i)[0], LETTER * len(node.name))
        boxes.append(Box(wide / 100, (high + 2 * max(more)) / 100, late=node.op is None))
    shares = {(v.node, s.index): s.product for v in numbers.visits for s in v.shares}
    for i in numbers.program.operations:
        for index, source in nodes[i].sources:
            wide, high = map(max, zip(extent(values[source]), extent(shares.get((i, index), 0.0))))
            flat = not np.ndim(values[source])
            links.append(Link(source, i, (max(wide, 52) + 4) / 100, (46 if flat else high + 12) / 100))
    links.append(Link(len(nodes) - 1, len(nodes), 0.64, 0.46))
    boxes.append(Box(0.05, 0.1))  # where the arrow of the output ends
    sizes.append((0.0, 0.0))
    whole = layered(boxes, links, gap=0.18, space=0.12)
    at = lambda p: (EDGE + 100 * p[0], EDGE + 100 * (whole.height - p[1]))  # noqa: E731
    places = [Place(*at((box.x, box.y)), *size) for box, size in zip(boxes, sizes)]
    ways = []
    for link in links:
        here, there = places[link.source], places[link.target]
        start, end = here.x + here.wide / 2, there.x - there.wide / 2
        path = [(start, here.y), *map(at, link.path[1:-1]), (end - 9, there.y), (end, there.y)]
        ways.append((smooth(path), at(link.label)))
    return places, ways, (100 * whole.width + 2 * EDGE, 100 * whole.height + 2 * EDGE)


def smooth(path: Sequence[Point], pieces: int = 10) -> list[Point]:
    """A curve through the points, as short straight lines."""
    line: list[Point] = []
    for piece in bends(path):
        if len(piece) == 1:
            line += piece
            continue
        a, (b, c, d), t = np.array(line[-1]), np.array(piece), np.linspace(0, 1, pieces + 1)[1:, None]
        curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
        line += [(float(x), float(y)) for x, y in curve]
    return line


def _below(numbers: Numbers, i: int) -> tuple[float, float]:
    """Room for the gradient below a node: of an input that is a number, and of whatever is used more than once."""
    value, many = numbers.values[i], numbers.uses(i) > 1
    if i == len(numbers.values) - 1 or not (many or (i in numbers.engine and not np.ndim(value))):
        return 0, 0
    wide, high = extent(value)
    return (wide + 66, high + 8) if np.ndim(value) else (2 * LETTER * (14 if many else 9) - 44, LINE)


def draw(numbers: Numbers) -> Scene:
    """The graph: values forward (of vectors and matrices in their node), gradients backward, the current node lit."""
    program, last = numbers.program, len(numbers.values) - 1
    places, ways, (width, height) = _placed(numbers.expression, numbers.assignments)
    scene = Scene(max(width, 420), height)
    back = {(v.node, s.index): s for v in numbers.shown for s in v.shares}
    flows = {(v.node, s.index) for v in numbers.visits for s in v.shares}
    now, color = _current(numbers), {True: "red", False: "blue"}
    routes = iter(ways)
    for i in program.operations:
        for index, source in program.nodes[i].sources:
            (way, (x, y)), share, active = next(routes), back.get((i, index)), now == i
            scene.line(*way, color=color[bool(share)] if active else "faint", width=3 if active else 1.5, arrow=True,
                       dash=(i, index) not in flows, id=f"edge {i} {index}")  # fmt: skip
            flat = not np.ndim(numbers.values[source])
            if source in numbers.known and flat:
                _paint(scene, x, y - 11, numbers.values[source], "blue", numbers.rounded, f"value {i} {index}")
            if share:
                _paint(scene, x, y + 12 * flat, share.product, "red", numbers.rounded, f"gradient {i} {index}")
    way, (x, y) = next(routes)
    scene.line(*way, color="faint", arrow=True)
    if last in numbers.known:
        _paint(scene, x, y - 12, numbers.values[last], "blue", numbers.rounded, "value out")
    if numbers.shown:
        _paint(scene, x, y + 13, 1.0, "red", numbers.rounded, "gradient out")
    for i, (node, value, p) in enumerate(zip(program.nodes, numbers.values, places)):
        known, grid = i in numbers.known, np.ndim(value) > 0
        fill = "glow" if i == now else "green-tint" if node.op is None else "blue-tint" if known else "paper"
        top = p.y - p.high / 2
        scene.box(p.x - p.wide / 2, top, p.wide, p.high, fill=fill, color="ink" if known else "faint",
                  radius=3 if node.op is None else 13, width=2.5 if i == now else 1.3, id=f"node {i}")  # fmt: skip
        y = top + 13 if grid else p.y
        scene.text(p.x, y, node.label, size=15 if len(node.label) < 8 else 13, bold=node.op is None,
                   id="now" * (i == now))  # fmt: skip
        if grid and known:
            _paint(scene, p.x, top + 24 + extent(value)[1] / 2, value, "blue", numbers.rounded, f"value {i}")
        elif grid:
            scene.text(p.x, top + 24 + extent(value)[1] / 2, shape_of(value), size=13, color="faint")
        if node.name and node.op:
            scene.text(p.x, top - 9, node.name, size=13, bold=True, color="purple")
        if i in numbers.seen and _below(numbers, i)[1]:
            many, bottom = numbers.uses(i) > 1, p.y + p.high / 2
            text = f"{'sum ' * many}∂ = " + ("" if grid else number(numbers.seen[i], 2 if numbers.rounded else 3))
            if grid:
                wide, middle = extent(value)[0], bottom + 6 + extent(value)[1] / 2
                _paint(scene, p.x + 28, middle, numbers.seen[i], "red", numbers.rounded, f"total {i}")
                scene.text(p.x + 24 - wide / 2, middle, text, size=13, color="red", bold=True, anchor="end")
            else:
                scene.text(p.x + p.wide / 2, bottom + 12, text, size=13, color="red", bold=True, anchor="end",
                           id=f"total {i}")  # the way on starts to the right
    return scene


def _current(numbers: Numbers) -> int | None:
    """The node of this step."""
    if numbers.step == 0:
        return None
    if numbers.step <= numbers.forward:
        return numbers.program.operations[numbers.step - 1]
    return numbers.shown[-1].node


# ------------------------------------------------------------ words


def shape_of(value: Value) -> str:
    return "×".join(map(str, np.shape(value)))


def title(numbers: Numbers, i: int) -> str:
    """A node's name for a sentence."""
    node = numbers.program.nodes[i]
    return f"{node.name} ({node.label})" if node.op and node.name else node.label


def spelled(numbers: Numbers, i: int) -> str:
    """An operation with its numbers put in, its vectors and matrices by name and shape."""
    node = numbers.program.nodes[i]
    parts: list[str] = []
    for n, p in enumerate(node.parts):
        value = numbers.values[p.node] if isinstance(p, Ref) else p
        inner = node.op in SIGNS and (n or node.op == "pow")
        source = numbers.program.nodes[p.node] if isinstance(p, Ref) else node
        parts.append(source.name or f"“{source.label}”" if np.ndim(value) else signed(value)
                     if inner or node.op == "neg" else number(value))  # fmt: skip
    if node.op in SIGNS:
        return f" {SIGNS[node.op]} ".join(parts)
    if node.op == "neg":
        return f"−{parts[0]}"
    if node.op == "getitem":
        return parts[0] + node.notes[0].removeprefix("·")
    return f"{node.label.partition('(')[0]}({', '.join(parts + node.notes)})"


def product_of(share: Share, upstream: Value) -> str:
    """local × upstream = product; for an operation whose result is no number, upstream times its Jacobian."""
    if not np.ndim(upstream):
        return f"local {told(share.local)} × upstream {told(upstream)} = {told(share.product)}"
    rows, columns = share.local.shape
    return f"upstream {told(upstream)} · Jacobian {rows}×{columns} = {told(share.product)}"


def say(numbers: Numbers) -> str:
    """The step in words, with its numbers."""
    program, step = numbers.program, numbers.step
    if step == 0:
        inputs = ", ".join(f"{program.nodes[i].name} = {told(numbers.values[i])}" for i in program.inputs)
        return f"Inputs: {inputs}. Next: the first of {numbers.forward} operations."
    if step <= numbers.forward:
        i = program.operations[step - 1]
        sum_ = f"{spelled(numbers, i)} = {told(numbers.values[i])}"
        text = f"Forward {step} of {numbers.forward}, at {title(numbers, i)}: {sum_}."
        return text + (" That is f. Next: back, with ∂f/∂f = 1." if step == numbers.forward else "")
    visit = numbers.shown[-1]
    parts = [f"Backward {step - numbers.forward} of {len(numbers.visits)}: at {title(numbers, visit.node)}, "
             f"upstream {told(visit.upstream)}."]  # fmt: skip
    for share in visit.shares:
        check = f"finite difference{'s' if np.ndim(share.product) else ''} {told(share.difference)}"
        if np.ndim(share.product):
            check += f", largest difference {number(share.gap, 2)}"
        known = not np.isnan(share.difference).any()
        parts.append(f"To {title(numbers, share.source)}: {product_of(share, visit.upstream)}" + f" ({check})." * known
                     + "." * (not known))  # fmt: skip
    for source in dict.fromkeys(share.source for share in visit.shares):
        if (uses := numbers.uses(source)) > 1:
            does = "keeps only the last share" if numbers.bug == LAST_WINS else "adds what comes back"
            so_far = told(numbers.seen[source])
            parts.append(f"{title(numbers, source)} is used {uses} times and {does}: {so_far} so far.")
    if visit.arrived < visit.uses:
        parts.append(
            f"Too early: {visit.arrived} of {visit.uses} uses of {title(numbers, visit.node)} have reported, so its "
            "upstream is incomplete and what it sends on is wrong."
        )
    if step == numbers.last:
        parts.append(_ending(numbers))
    return " ".join(parts)


def _ending(numbers: Numbers) -> str:
    if not all(np.isfinite(g).all() for g in numbers.engine.values()):
        if all(np.isfinite(v).all() for v in numbers.values):
            return "A gradient is not a finite number: some operation has no finite slope at this point."
        return (
            "The gradient is not a number: a value overflowed on the way, and inf × 0 has no value. "
            "The function itself is harmless here; fuse the chain into one gate."
        )
    if not numbers.wrong:
        return "All gradients are nnlib's."
    names = {i: node.name for i, node in enumerate(numbers.program.nodes)}
    pairs = ", ".join(f"{names[i]} {told(numbers.totals.get(i, 0.0))} instead of {told(right)}"
                      for i, right in numbers.engine.items() if names[i] in numbers.wrong)  # fmt: skip
    why = "rounded at each node" if numbers.rounded and numbers.bug == NONE else "wrong"
    return f"{why.capitalize()}: {pairs}."


def tell(numbers: Numbers) -> str:
    """The backward steps so far as a table; the step shown has its Jacobian spelled out."""
    rows = []
    for n, visit in enumerate(numbers.shown):
        for share in visit.shares:
            now = n == len(numbers.shown) - 1
            agree = share.right or numbers.rounded or not np.isfinite(share.difference).all()
            marks = ["nn-now"] * now + ["nn-bad"] * (not agree)
            gap = f", largest difference {number(share.gap, 2)}" if np.ndim(share.product) else ""
            product = escape(product_of(share, visit.upstream).replace("local ", "").replace("upstream ", ""))
            if now and np.ndim(visit.upstream) and share.local.size <= 2 * expressions.MOST_ELEMENTS:
                product = re.sub(r"Jacobian \S+", _table(share.local), product)
            cells = (
                escape(f"{title(numbers, visit.node)} → {title(numbers, share.source)}"),
                escape(told(share.value)),
                product,
                escape(told(share.difference) + gap + ("" if agree else " ✗ differs")),
            )
            rows.append(f'<tr class="{" ".join(marks)}">' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    if not rows:
        return ""
    head = "".join(f"<th>{h}</th>" for h in ("edge", "value", "local × upstream = product", "finite difference"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _table(jacobian: np.ndarray) -> str:
    rows = "".join("<tr>" + "".join(f"<td>{number(v, 3)}</td>" for v in row) + "</tr>" for row in jacobian)
    return f'<table class="nn-matrix" aria-label="Jacobian: a row for each output">{rows}</table>'


class GraphStepper(Experiment):
    """Any expression, forward and backward one node at a time.  Lesson 09.

    >>> numbers = GraphStepper.measure(example="(x + y) · z", step=60)
    >>> [round(numbers.totals[i], 1) for i in numbers.program.inputs]
    [-4.0, -4.0, 3.0]
    >>> numbers = GraphStepper.measure(expression="logsumexp(W @ x, 0)", values="W = [[1, 0], [0, 2]], x = [1, 1]")
    >>> [numbers.totals[i].shape for i in numbers.program.inputs], numbers.wrong
    ([(2, 2), (2,)], [])
    """

    title = "Graph stepper"
    controls = {
        "step": Slider("step", 0, 0, 2 * MOST_OPS),
        "example": Choice("example", "(x + y) · z", (*EXAMPLES, OWN)),
        "expression": Entry("f =", EXAMPLES["(x + y) · z"][0], 480),
        "values": Entry("at", EXAMPLES["(x + y) · z"][1], 860),
        "order": Choice("walk back", ORDERS[0], ORDERS),
        "bug": Choice("plant a bug", NONE, BUGS),
        "rounded": Flag("round to 2 digits at every node", False),
    }
    rows = (("back", "next", "end", "step"), ("example", "expression", "values"), ("order", "bug", "rounded"))
    still = {"step": 2 * MOST_OPS}
    keys = foreseen = ("ArrowRight", "ArrowLeft", "Home", "End")
    hint = "Keys on the picture: → steps on, ← steps back, Home goes to the inputs, End takes all steps."
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
        lambda n: math.isfinite(n.values[-1]) and any(np.isnan(g).any() for g in n.engine.values()),
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

        self._buttons = {}
        for name, label, tip, change in (("back", "◀ Back", "one step back", -1), ("next", "Next ▶", "one step on", 1),
                                         ("end", "To the end", "all steps", 2 * MOST_OPS)):  # fmt: skip
            self._buttons[name] = w.Button(description=label, tooltip=tip, layout={"width": "96px"})
            self._buttons[name].on_click(lambda _, change=change: self.step(change))
        self._buttons["next"].button_style = "primary"
        super().__init__(**settings)
        if self._settings["example"] != next(iter(EXAMPLES)):
            self.set()  # pass the question: it is about (x + y) · z, over another graph it misleads

    def _part(self, name: str) -> Any:
        return self._buttons[name] if name in self._buttons else super()._part(name)

    def step(self, count: int = 1) -> None:
        """Go ``count`` steps on (back if negative)."""
        self.set(step=min(max(self._settings["step"] + count, 0), self.numbers.last))

    def press(self, keys: list[str]) -> None:
        """The keys of ``hint``."""
        far = 2 * MOST_OPS
        self.step(sum({"ArrowRight": 1, "ArrowLeft": -1, "Home": -far, "End": far}[key] for key in keys))

    def set(self, **settings: Any) -> None:
        """Change settings; an expression or values of your own choose the example “your own”."""
        if {"expression", "values"} & settings.keys():
            settings.setdefault("example", OWN)
        super().set(**settings)

    def moved(self, name: str) -> None:
        """Typing makes the example your own; a new graph starts at its inputs."""
        if name in ("expression", "values"):
            self._settings["example"] = OWN
        if name in ("example", "expression"):
            self._settings["step"] = 0

    def prepare(self, numbers: Numbers) -> None:
        """A wide graph scrolls before its letters shrink too far."""
        self.view.least = int(0.72 * _placed(numbers.expression, numbers.assignments)[2][0])

    def tune(self, numbers: Numbers) -> None:
        """The slider ends where the walk ends; the fields show what is on the page."""
        if self.revealed:
            self._settings["step"] = numbers.step
        self.widgets["step"].max = numbers.last
        self._settings.update(expression=numbers.expression, values=numbers.assignments)
        self._buttons["back"].disabled = numbers.step == 0
        self._buttons["next"].disabled = self._buttons["end"].disabled = numbers.step == numbers.last
