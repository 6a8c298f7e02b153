"""Look without touching: graphs, backward traces, summaries and counts, all as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import autograd
from .core import Tensor, zeros
from .module import Module

__all__ = [
    "Graph", "GraphEdge", "GraphNode", "LayerRow", "TraceInput", "TraceStep", "count_parameters", "graph", "summary",
    "trace_backward",
]  # fmt: skip


@dataclass
class GraphNode:
    """A value of a computation: a leaf (input, parameter, constant) or the result of an op."""

    id: int
    kind: str  # "leaf" or "op"
    label: str  # the op's name, or the leaf's name or value
    name: str | None
    shape: tuple[int, ...]
    value: Any
    grad: Any = None  # d(output)/d(this value), None where no gradient flows
    requires_grad: bool = False


@dataclass
class GraphEdge:
    """A value used as argument ``index`` of an op, and the gradient that flows back along this use of it."""

    source: int
    target: int
    index: int
    gradient: Any = None


@dataclass
class Graph:
    """A computation in topological order; the output is the last node."""

    nodes: list[GraphNode] = field(default_factory=list)
    edges: list[GraphEdge] = field(default_factory=list)

    def node(self, name: str) -> GraphNode:
        """The node of that name.  Raises KeyError naming those there are."""
        for candidate in self.nodes:
            if candidate.name == name:
                return candidate
        raise KeyError(f"graph: no node is called {name!r}; there are {[n.name for n in self.nodes if n.name]}.")


def graph(output: Tensor, names: Mapping[str, Tensor] | None = None, gradients: bool = True) -> Graph:
    """What ``output`` was computed from, with values and gradients of ``output``.

    ``names`` gives tensors a name, ``{"x": x}``. Constants in the expression become leaves. The graph stays usable and no
    ``.grad`` changes. No PyTorch counterpart (torchviz draws, without values).

    >>> x, y = nn.tensor(2.0, requires_grad=True), nn.tensor(3.0, requires_grad=True)
    >>> g = nn.inspection.graph(x * y, {"x": x, "y": y})
    >>> [(n.label, float(n.value), float(n.grad)) for n in g.nodes]
    [('x', 2.0, 3.0), ('y', 3.0, 2.0), ('mul', 6.0, 1.0)]
    """
    called = {id(t): name for name, t in (names or {}).items()}
    totals: dict[int, Any] = {}
    flows: dict[tuple[int, int], Any] = {}
    if gradients and output.requires_grad:
        for value, upstream, shares in _steps(output):
            totals[id(value)] = upstream
            for nth, (_, share) in enumerate(shares):
                flows[id(value), nth] = share
    result, number = Graph(), {}
    for value in _in_order(output):
        node = value.node
        name = called.get(id(value))
        if node is None:
            label = name or _short(value._data)
            kind = "leaf"
        else:
            kind, label = "op", node.op
        number[id(value)] = len(result.nodes)
        arguments = [] if node is None else _arguments(node)
        for index, argument in enumerate(arguments):
            if id(argument) not in number:  # a plain number or array in the expression
                number[id(argument)] = len(result.nodes)
                data = np.asarray(argument)
                result.nodes.append(GraphNode(len(result.nodes), "leaf", _short(data), None, data.shape, data))
                number[id(value)] = len(result.nodes)
        for index, argument in enumerate(arguments):
            nth = _edge_number(node, arguments, index)
            share = flows.get((id(value), nth)) if nth is not None else None
            result.edges.append(GraphEdge(number[id(argument)], number[id(value)], index, share))
        grad = totals.get(id(value))
        result.nodes.append(
            GraphNode(number[id(value)], kind, label, name, value.shape, value.data, grad, value.requires_grad)
        )
    return result


def _steps(output: Tensor) -> list[autograd.Step]:
    with np.errstate(all="ignore"):
        return list(autograd.backward_steps(output, np.ones_like(output.data), retain_graph=True))


def _in_order(output: Tensor) -> list[Tensor]:
    """Every tensor behind ``output``, arguments first."""
    order: list[Tensor] = []
    state: dict[int, int] = {}
    stack = [output]
    while stack:
        value = stack[-1]
        if state.get(id(value)) == 2:
            stack.pop()
        elif state.get(id(value)) == 1 or value.node is None:
            state[id(value)] = 2
            order.append(value)
            stack.pop()
        else:
            state[id(value)] = 1
            stack += [a for a in reversed(value.node.inputs) if id(a) not in state]
    return order


def _arguments(node: autograd.Node) -> list[Any]:
    """Tensors and plain numbers among the arguments of an op, in order (settings such as dim are left out)."""
    if node.op in ("add", "sub", "mul", "div", "pow", "maximum", "minimum"):
        return list(node.args)
    return list(node.inputs)


def _edge_number(node: autograd.Node, arguments: list[Any], index: int) -> int | None:
    """Which edge of the node belongs to argument ``index`` (an argument may occur twice)."""
    argument = arguments[index]
    mine = [n for n, (source, _) in enumerate(node.edges or []) if source is argument]
    seen = sum(a is argument for a in arguments[:index])
    return mine[seen] if seen < len(mine) else None


def _short(data: Any) -> str:
    data = np.asarray(data)
    return f"{data.item():.4g}" if data.size == 1 else "×".join(map(str, data.shape))


@dataclass
class TraceInput:
    """One factor pair of the chain rule: upstream × local = product, sent to one argument of an op."""

    name: str
    value: Any
    product: Any
    local: Any  # d(result)/d(argument), for scalar graphs; None otherwise


@dataclass
class TraceStep:
    """One step of the backward walk."""

    op: str  # the op's name; "leaf" where a gradient arrives
    name: str
    value: Any
    upstream: Any
    inputs: list[TraceInput]


def trace_backward(output: Tensor, names: Mapping[str, Tensor] | None = None) -> list[TraceStep]:
    """The backward walk from ``output``, step by step, without changing anything.

    Each step shows the gradient that arrived and, for each argument, local derivative × upstream = product.

    >>> x, y = nn.tensor(2.0, requires_grad=True), nn.tensor(3.0, requires_grad=True)
    >>> step = nn.inspection.trace_backward(x * y, {"x": x, "y": y})[0]
    >>> step.op, [(i.name, float(i.local), float(i.product)) for i in step.inputs]
    ('mul', [('x', 3.0, 3.0), ('y', 2.0, 2.0)])
    """
    called = {id(t): name for name, t in (names or {}).items()}

    def name_of(value: Any) -> str:
        return called.get(id(value)) or (value.node.op if value.node is not None else _short(value._data))

    trace = []
    for value, upstream, shares in _steps(output):
        inputs = []
        edges = [] if value.node is None else value.node.edges
        for (argument, product), (_, grad_fn) in zip(shares, edges):
            scalar = np.size(upstream) == 1 and np.size(product) == 1
            with np.errstate(all="ignore"):
                local = grad_fn(np.ones_like(upstream)) if scalar else None
            inputs.append(TraceInput(name_of(argument), argument.data, product, local))
        op = "leaf" if value.node is None else value.node.op
        trace.append(TraceStep(op, name_of(value), value.data, upstream, inputs))
    return trace


def count_parameters(module: Module, trainable: bool = True) -> int:
    """Number of parameters (a shared one once); ``trainable=False`` counts frozen ones too.

    >>> nn.inspection.count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


@dataclass
class LayerRow:
    """A line of :func:`summary`."""

    name: str
    layer: str
    input_shape: Any
    output_shape: Any
    parameters: int


@dataclass
class Summary:
    """Rows in the order of the computation; prints as a table."""

    rows: list[LayerRow]
    total: int

    def __repr__(self) -> str:
        cells = [("name", "layer", "output", "parameters")]
        cells += [(r.name, r.layer, str(r.output_shape), f"{r.parameters:,}") for r in self.rows]
        widths = [max(len(row[i]) for row in cells) for i in range(4)]
        lines = [
            "  ".join(cell.rjust(w) if i == 3 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths)))
            for row in cells
        ]
        rule = "-" * len(lines[0])
        return "\n".join([lines[0], rule, *lines[1:], rule, f"{self.total:,} parameters"])


def summary(module: Module, input_shape: tuple[int, ...]) -> Summary:
    """Run zeros of ``input_shape`` (with the batch axis) through the module and list its layers.

    A layer is a module without children. No PyTorch counterpart (torchinfo prints one).

    >>> nn.inspection.summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (1, 3))
    name  layer   output  parameters
    --------------------------------
    0     Linear  (1, 4)          16
    1     ReLU    (1, 4)           0
    --------------------------------
    16 parameters
    """
    rows: list[LayerRow] = []
    removers = []

    def record(name: str) -> Any:
        def hook(layer: Module, inputs: Any, output: Any) -> None:
            count = sum(p.numel() for p in layer._parameters.values() if p is not None)
            rows.append(LayerRow(name, type(layer).__name__, inputs[0].shape, output.shape, count))

        return hook

    for name, layer in module.named_modules():
        if not list(layer.children()):
            removers.append(layer.register_forward_hook(record(name)))
    parameter = next(module.parameters(), None)
    training = module.training
    try:
        with autograd.no_grad():
            module.eval()(zeros(*input_shape, dtype=None if parameter is None else parameter.dtype))
    finally:
        module.train(training)
        for remove in removers:
            remove()
    return Summary(rows, sum(p.numel() for p in module.parameters()))
