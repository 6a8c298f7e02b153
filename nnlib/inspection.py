"""Look without touching: graphs, backward traces, summaries and counts, all as plain data."""

from __future__ import annotations

import copy
import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import autograd
from . import functional as F
from .core import Tensor, ones_like, zeros
from .layers import _Weighted
from .module import Module, Sequential

__all__ = [
    "GradientRow", "GradientStatistics", "Graph", "GraphEdge", "GraphNode", "LayerRow", "Summary", "TraceInput",
    "TraceStep", "capture", "count_macs", "count_parameters", "gradient_statistics", "graph", "graph_memory",
    "receptive_field", "summary", "trace_backward",
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

    ``names`` gives tensors a name, ``{"x": x}``. Constants in the expression become leaves. The graph stays usable and
    no ``.grad`` changes. No PyTorch counterpart (torchviz draws, without values).

    >>> x, y = nn.tensor(2.0, requires_grad=True), nn.tensor(3.0, requires_grad=True)
    >>> g = nn.inspection.graph(x * y, {"x": x, "y": y})
    >>> [(n.label, float(n.value), float(n.grad)) for n in g.nodes]
    [('x', 2.0, 3.0), ('y', 3.0, 2.0), ('mul', 6.0, 1.0)]
    """
    called = {id(t): name for name, t in (names or {}).items()}
    totals: dict[int, Any] = {}
    sent: dict[tuple[int, int], list[Any]] = {}  # what flows back from a value to an argument, once for each use of it
    for value, upstream, shares in _steps(output) if gradients and output.requires_grad else ():
        totals[id(value)] = upstream
        for argument, share in shares:
            sent.setdefault((id(value), id(argument)), []).append(share)
    result, number = Graph(), dict[int, int]()
    for value in _in_order(output):
        node, name = value.node, called.get(id(value))
        edges = []
        for index, argument in enumerate(_arguments(node)):
            if isinstance(argument, Tensor):
                source = number[id(argument)]
            else:  # a plain number or array in the expression: a leaf for each use
                data = Tensor(argument).data if hasattr(argument, "dtype") else np.asarray(argument)
                source = len(result.nodes)
                result.nodes.append(GraphNode(source, "leaf", _short(data), None, data.shape, data))
            uses = sent.get((id(value), id(argument)))
            edges.append((source, index, uses.pop(0) if uses else None))
        number[id(value)] = here = len(result.nodes)
        result.edges += [GraphEdge(source, here, index, share) for source, index, share in edges]
        kind, label = ("leaf", name or _short(value.data)) if node is None else ("op", node.op)
        grad = totals.get(id(value))
        result.nodes.append(GraphNode(here, kind, label, name, value.shape, value.data, grad, value.requires_grad))
    return result


def _steps(output: Tensor) -> list[autograd.Step]:
    with np.errstate(all="ignore"):
        return list(autograd.backward_steps(output, ones_like(output).data, retain_graph=True))


def _in_order(output: Tensor) -> list[Tensor]:
    """Every tensor behind ``output``, arguments first."""
    order: dict[int, Tensor] = {}
    stack = [(output, False)]
    while stack:
        value, complete = stack.pop()  # complete: its arguments stand in the order already
        if complete or value.node is None:
            order.setdefault(id(value), value)
        elif id(value) not in order:
            stack += [(value, True), *((argument, False) for argument in reversed(value.node.inputs))]
    return list(order.values())


def _arguments(node: autograd.Node | None) -> list[Any]:
    """Tensors and plain numbers among the arguments of an op, in order (settings such as dim are left out)."""
    if node is None:
        return []
    numbers_too = node.op in ("add", "sub", "mul", "div", "pow", "maximum", "minimum")
    return list(node.args if numbers_too else node.inputs)


def _short(data: Any) -> str:
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
        for (argument, product), (_, grad_fn) in zip(shares, value.node.edges if shares else ()):
            scalar = upstream.size == 1 and product.size == 1
            with np.errstate(all="ignore"):
                local = grad_fn(ones_like(Tensor(upstream)).data) if scalar else None
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


def _table(titles: tuple[str, ...], rows: list[tuple[Any, ...]], last: str = "") -> str:
    """Text columns, numbers to the right; ``last`` stands below the closing rule."""
    cells = [titles, *([f"{v:,}" if isinstance(v, int) else str(v) for v in row] for row in rows)]
    right = [bool(rows) and isinstance(rows[0][i], (int, float)) for i in range(len(titles))]
    widths = [max(len(row[i]) for row in cells) for i in range(len(titles))]
    lines = [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(row, widths, right)).rstrip()
        for row in cells
    ]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:]] + ([rule, last] if last else []))


@dataclass
class LayerRow:
    """A line of :func:`summary`."""

    name: str
    layer: str
    input_shape: Any
    output_shape: Any
    parameters: int
    macs: int  # multiply-adds of a convolution or a linear layer; 0 for others


@dataclass
class Summary:
    """Rows in the order of the computation; prints as a table."""

    rows: list[LayerRow]
    total: int
    macs: int

    def __repr__(self) -> str:
        cells = [(r.name, r.layer, str(r.output_shape), r.parameters, r.macs) for r in self.rows]
        last = f"{self.total:,} parameters, {self.macs:,} multiply-adds"
        return _table(("name", "layer", "output", "parameters", "multiply-adds"), cells, last)


def summary(module: Module, input_shape: tuple[int, ...]) -> Summary:
    """Run zeros of ``input_shape`` (with the batch axis) through the module and list its layers.

    A layer is a module without children. Multiply-adds are those of :func:`count_macs`. No PyTorch counterpart
    (torchinfo prints one).

    >>> nn.inspection.summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (1, 3))
    name  layer   output  parameters  multiply-adds
    -----------------------------------------------
    0     Linear  (1, 4)          16             12
    1     ReLU    (1, 4)           0              0
    -----------------------------------------------
    16 parameters, 12 multiply-adds
    """
    rows: list[LayerRow] = []
    macs = 0

    def record(name: str, layer: Module, inputs: Any, output: Any) -> None:
        nonlocal macs
        own = 0
        if isinstance(layer, _Weighted):  # every element of the output is a dot product with its weights
            own = output.numel() * math.prod(layer.weight.shape[1:])
        macs += own
        if not list(layer.children()):
            count = sum(p.numel() for p in layer.parameters())
            taken = _shape_of(inputs[0]) if inputs else None
            rows.append(LayerRow(name, type(layer).__name__, taken, _shape_of(output), count, own))

    with _untouched(module):
        _run(module.eval(), _zeros(module, input_shape), record)
    return Summary(rows, count_parameters(module, trainable=False), macs)


def _shape_of(value: Any) -> Any:
    return tuple(map(_shape_of, value)) if isinstance(value, (tuple, list)) else getattr(value, "shape", None)


def _zeros(module: Module, shape: tuple[int, ...]) -> Tensor:
    """Zeros of the parameters' dtype, where they are."""
    parameter = next(module.parameters(), None)
    return zeros(*shape) if parameter is None else zeros(*shape).to(parameter.device, parameter.dtype)


def _run(module: Module, input: Tensor, record: Callable[[str, Module, Any, Any], None]) -> None:
    """module(input) without a graph, telling ``record`` of every call inside."""
    removers = [part.register_forward_hook(functools.partial(record, path)) for path, part in module.named_modules()]
    try:
        with autograd.no_grad(), _untouched(module):
            module(input)
    finally:
        for remove in removers:
            remove()


@contextmanager
def _untouched(module: Module) -> Iterator[None]:
    """Modes (train, eval) and running statistics are after the block what they were before it."""
    parts = list(module.modules())
    modes = [part.training for part in parts]
    buffers = [{name: copy.copy(array) for name, array in part._buffers.items()} for part in parts]
    try:
        yield
    finally:
        for part, mode, saved in zip(parts, modes, buffers):
            part.training = mode
            part._buffers.update(saved)


def count_macs(module: Module, input_shape: tuple[int, ...]) -> int:
    """Multiply-adds of one forward pass on ``input_shape`` (with the batch axis), of Linear and Conv layers only.

    Bias, normalisation, activations and pooling are not counted, as in the tables of papers, which call the
    number FLOPs.  No PyTorch counterpart.

    >>> nn.inspection.count_macs(nn.Conv2d(3, 64, 7, stride=2, padding=3), (1, 3, 224, 224))
    118013952
    """
    return summary(module, input_shape).macs


def receptive_field(layers: Any, input_shape: tuple[int, ...] | None = None) -> Any:
    """How many neighbouring inputs one output sees: R_l = R_{l−1} + d_l(k_l − 1)·Π_{j<l} s_j, with R_0 = 1.

    ``layers`` is a list of (kernel, stride, dilation) or of modules, one after the other, or a Module; one with
    branches needs ``input_shape`` (with the batch axis), follows the longest path, and leaves out what sees
    everything: global pooling and linear layers. One number, or one per axis where they differ.
    No PyTorch counterpart.

    >>> nn.inspection.receptive_field([(3, 1, 1)] * 4)
    9
    >>> nn.inspection.receptive_field(nn.Sequential(nn.Conv1d(1, 1, 3, stride=2), nn.ReLU(), nn.Conv1d(1, 1, 3)))
    7
    """
    if input_shape is not None:
        return _receptive_field_of_graph(layers, input_shape)
    field_, jump = np.ones(1, int), np.ones(1, int)
    for k, s, d in _windows_of(layers):
        field_, jump = field_ + np.multiply(d, np.subtract(k, 1)) * jump, jump * s
    return _one_number(field_)


def _windows_of(layers: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(kernel, stride, dilation) of each layer of a chain."""
    for layer in [layers] if isinstance(layers, Module) else layers:
        settings = {**vars(layer), **vars(layer).get("settings", {})} if isinstance(layer, Module) else {}
        if isinstance(layer, Sequential):
            yield from _windows_of(list(layer))
        elif not isinstance(layer, Module):
            yield layer
        elif "kernel_size" in settings:
            yield settings["kernel_size"], settings["stride"], settings.get("dilation", 1)
        elif list(layer.children()):
            raise ValueError(
                f"receptive_field: {type(layer).__name__} may have branches. Pass input_shape, e.g. (1, 3, 64, 64)."
            )


def _one_number(values: Any) -> Any:
    found = [int(v) for v in values]
    return found[0] if len(set(found)) == 1 else tuple(found)


_WINDOW_OPS = {"conv1d", "conv2d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"}


def _receptive_field_of_graph(module: Module, input_shape: tuple[int, ...]) -> Any:
    """The same along every path of the recorded graph: a value sees what its widest argument sees."""
    with _untouched(module), autograd.enable_grad():
        output = module.eval()(_zeros(module, input_shape).requires_grad_())
    sees: dict[int, tuple[Any, Any]] = {}  # of each value: how far it sees, and the step to its neighbour, per axis
    for value in _in_order(output):
        arguments: Any = value.node.inputs if value.node is not None else ()
        field_, jump = np.max([((1, 1), (1, 1)), *(sees[id(a)] for a in arguments)], axis=0)
        if value.node is not None and value.node.op in _WINDOW_OPS:
            bound = inspect.signature(getattr(F, value.node.op)).bind(*value.node.args)
            bound.apply_defaults()
            settings = bound.arguments
            weight = settings.get("weight")
            k = settings["kernel_size"] if weight is None else weight.shape[2:]
            s = k if settings["stride"] is None else settings["stride"]
            field_ = field_ + np.multiply(settings.get("dilation", 1), np.subtract(k, 1)) * jump
            jump = jump * s
        sees[id(value)] = field_, jump
    return _one_number(np.max([field_ for field_, _ in sees.values()], axis=0))


def capture(module: Module, input: Tensor) -> dict[str, Any]:
    """The output of every layer (a module without children) by path, as arrays, for one input.

    Nothing is recorded, and running statistics stay as they were; the mode (train or eval) is the module's.
    No PyTorch counterpart (torchvision's ``create_feature_extractor`` comes close).

    >>> found = nn.inspection.capture(nn.Sequential(nn.Identity(), nn.ReLU()), nn.tensor([-1.0, 2.0]))
    >>> {path: array.tolist() for path, array in found.items()}
    {'0': [-1.0, 2.0], '1': [0.0, 2.0]}
    """
    found: dict[str, Any] = {}

    def record(path: str, layer: Module, inputs: Any, output: Any) -> None:
        if not list(layer.children()):
            output = output if isinstance(output, Tensor) else output[0]
            found[path] = output.data.copy()  # a layer called twice (an activation) leaves its last output

    _run(module, input, record)
    return found


@dataclass
class GradientRow:
    """A line of :func:`gradient_statistics`."""

    name: str
    shape: tuple[int, ...]
    mean: float
    std: float
    norm: float  # √Σ g²
    largest: float  # max |g|
    zeros: float  # share of elements that are exactly 0
    relative: float  # norm of the gradient / norm of the parameter


@dataclass
class GradientStatistics:
    """Rows in the order of the parameters; prints as a table."""

    rows: list[GradientRow]

    def __repr__(self) -> str:
        cells = [
            (r.name, str(r.shape), *(f"{v:.2e}" for v in (r.norm, r.largest, r.relative)), f"{r.zeros:.0%}")
            for r in self.rows
        ]
        return _table(("name", "shape", "norm", "max |g|", "norm / norm of p", "zeros"), cells)


def gradient_statistics(module: Module) -> GradientStatistics:
    """Size and sparsity of the gradient of every parameter that has one: do they vanish or explode with depth?

    Call it after ``backward``. No PyTorch counterpart.

    >>> layer = nn.Linear(2, 1); layer(nn.tensor([[3.0, 4.0]])).sum().backward()
    >>> row = nn.inspection.gradient_statistics(layer).rows[0]
    >>> row.name, row.norm, row.largest
    ('weight', 5.0, 4.0)
    """
    rows = []
    for name, parameter in module.named_parameters():
        if parameter.grad is None or not parameter.numel():
            continue
        g, p = (np.asarray(Tensor(a).cpu().data, np.float64) for a in (parameter.grad, parameter.data))
        norm, size = float(np.linalg.norm(g)), float(np.linalg.norm(p))
        relative = norm / size if size else math.inf if norm else 0.0
        mean, std, largest, none = float(g.mean()), float(g.std()), float(np.abs(g).max()), float((g == 0).mean())
        rows.append(GradientRow(name, parameter.shape, mean, std, norm, largest, none, relative))
    if not rows:
        raise RuntimeError("gradient_statistics: no parameter has a gradient. Call loss.backward() first.")
    return GradientStatistics(rows)


def graph_memory(output: Tensor) -> int:
    """Bytes of all arrays that the graph behind ``output`` keeps alive: values, and what gradient functions saved.

    Each block of memory counts once, parameters and inputs too. No PyTorch counterpart.

    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> nn.inspection.graph_memory(x), nn.inspection.graph_memory(x.exp())  # exp keeps its result
    (8, 16)
    """
    blocks: dict[int, int] = {}
    seen: set[int] = set()
    values = _in_order(output)
    stack: list[Any] = [value.data for value in values]
    stack += [grad_fn for value in values if value.node is not None for _, grad_fn in value.node.edges or ()]
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if hasattr(item, "nbytes") and hasattr(item, "base"):
            while getattr(item.base, "nbytes", None) is not None:
                item = item.base
            blocks[id(item)] = item.nbytes
        elif isinstance(item, (tuple, list)):
            stack += item
        elif isinstance(item, dict):
            stack += item.values()
        elif callable(item) and getattr(item, "__closure__", None):
            stack += [cell.cell_contents for cell in item.__closure__]
            stack += item.__defaults__ or ()
    return sum(blocks.values())
