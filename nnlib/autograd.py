"""Record what was computed, then walk it backwards.

This file knows no tensor and no array. A *value* is any object with two attributes:

* ``value.node``: the :class:`Node` that made it, or None for a leaf (an input, a parameter);
* ``value.grad``: where the walk deposits the gradient of a leaf, or None.

A node holds one edge per argument that needs a gradient: the argument, and a function that turns the gradient of
the node's output into that argument's share of it. Reverse mode is then two sentences. Visit the nodes from
the newest to the oldest: by the time a node's turn comes, everything that used its output has already sent back its
share. Shares that arrive at the same value add up, because a value that is used twice acts along two paths.

A node is freed once it has been visited, so memory falls during the walk; visiting it again raises. Gradients reach
the leaves only when the whole walk has succeeded: an exception half-way changes no ``.grad``.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

__all__ = [
    "Node", "Step", "backward", "backward_steps", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled",
    "watch",
]  # fmt: skip

GradFn = Callable[[Any], Any]

_clock = itertools.count()


class Node:
    """One application of an op: its name, its arguments, and the edges its gradient travels along.

    ``order`` counts nodes as they are made. An argument exists before the result, so sorting by ``order`` is
    a topological sort of any graph.
    """

    __slots__ = ("__weakref__", "args", "edges", "keep", "op", "order", "versions")

    def __init__(
        self, op: str, edges: list[tuple[Any, GradFn]], args: tuple[Any, ...] = (), versions: Any = ()
    ) -> None:
        self.op = op
        self.edges: list[tuple[Any, GradFn]] | None = edges  # None once freed
        self.args = args  # every argument as given, for drawing; the walk needs only the edges
        self.versions = versions  # (value, value.version when recorded): a later change must not go unnoticed
        self.order = next(_clock)
        self.keep = False  # also deposit the gradient of this intermediate value (retain_grad)

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The values among the arguments, in order (a list of values counts as its members)."""
        flat = (a for arg in self.args for a in (arg if isinstance(arg, (list, tuple)) else (arg,)))
        return tuple(a for a in flat if hasattr(a, "node"))

    def __repr__(self) -> str:
        return f"<{self.op}>"


class Step(NamedTuple):
    """One visit of the walk: a value, the gradient that reached it, and what it sends to each argument."""

    value: Any
    gradient: Any
    shares: list[tuple[Any, Any]]  # (argument, its share); empty for a leaf


def backward_steps(root: Any, gradient: Any, retain_graph: bool = False) -> Iterator[Step]:
    """Walk back from ``root``, whose gradient is ``gradient``; yield one :class:`Step` per value, leaves last.

    The walk is the generator: whoever wants to look (a drawing, a debugger, a lesson) iterates, and
    :func:`backward` exhausts it. It changes no ``.grad``. Source: Griewank & Walther, *Evaluating Derivatives*, ch. 3.

    Raises RuntimeError if a node was freed by an earlier walk, or an argument was changed in place since.
    """
    values, leaves = _reachable(root)
    arrived = {id(root): gradient}
    while values:
        value = values.pop()
        node = value.node
        upstream = arrived.pop(id(value))
        for argument, version in node.versions:
            if argument.version != version:
                raise RuntimeError(
                    f"backward: an argument of {node.op} was changed in place after {node.op} used it, so its "
                    "gradient would be wrong. Make a new tensor (x = x + 1) or call backward() before the change."
                )
        shares = [(argument, grad_fn(upstream)) for argument, grad_fn in node.edges]
        if _mode.anomaly is not None:
            for _, share in shares:
                _mode.anomaly(share, f"the gradient of {node.op}")
        for argument, share in shares:
            key = id(argument)
            # Out of place: two arguments may have been handed the same array.
            arrived[key] = arrived[key] + share if key in arrived else share
        if not retain_graph:
            node.edges, node.args, node.versions = None, (), ()
        yield Step(value, upstream, shares)
    for leaf in leaves:
        if id(leaf) in arrived:
            yield Step(leaf, arrived[id(leaf)], [])


def _reachable(root: Any) -> tuple[list[Any], list[Any]]:
    """Everything ``root`` was computed from: values with a node (oldest first) and leaves."""
    values, leaves, seen, stack = [], [], {id(root)}, [root]
    while stack:  # an explicit stack: graphs are deeper than Python's recursion limit
        value = stack.pop()
        node = value.node
        if node is None:
            leaves.append(value)
            continue
        if node.edges is None:
            raise RuntimeError(
                f"backward: the graph behind this value was already walked and freed (at {node.op}). Call "
                "backward(retain_graph=True) the first time if you need it twice."
            )
        values.append(value)
        for argument, _ in node.edges:
            if id(argument) not in seen:
                seen.add(id(argument))
                stack.append(argument)
    values.sort(key=lambda value: value.node.order)
    return values, leaves


def backward(root: Any, gradient: Any, retain_graph: bool = False) -> None:
    """Add d(root)/d(leaf), weighted by ``gradient``, to the ``.grad`` of every leaf behind ``root``.

    PyTorch: ``torch.autograd.backward``. A five-line scalar class runs on the same engine:

    >>> class Value:
    ...     def __init__(self, data, node=None):
    ...         self.data, self.node, self.grad = data, node, None
    ...     def __mul__(self, other):
    ...         edges = [(self, lambda g: g * other.data), (other, lambda g: g * self.data)]
    ...         return Value(self.data * other.data, Node("mul", edges))
    >>> x, y = Value(3.0), Value(4.0)
    >>> backward(x * y * x, 1.0)
    >>> x.grad, y.grad
    (24.0, 9.0)
    """
    deposits = [
        (step.value, step.gradient)
        for step in backward_steps(root, gradient, retain_graph)
        if step.value.node is None or step.value.node.keep
    ]
    owned = {id(gradient)}
    for value, upstream in deposits:
        if value.grad is not None:
            value.grad = value.grad + upstream
        elif id(upstream) in owned or getattr(upstream, "base", None) is not None:
            value.grad = +upstream  # an op may hand on its upstream gradient, or a view of it: a leaf gets its own
        else:
            owned.add(id(upstream))
            value.grad = upstream


class _Mode(threading.local):
    """What this thread records: gradients at all, and whether every result is checked for NaN and Inf."""

    grad = True
    anomaly: Callable[[Any, str], None] | None = None


_mode = _Mode()


def is_grad_enabled() -> bool:
    """Whether ops of this thread are being recorded.  PyTorch: ``torch.is_grad_enabled``.

    >>> is_grad_enabled()
    True
    """
    return _mode.grad


@contextmanager
def set_grad_enabled(mode: bool) -> Iterator[None]:
    """Record ops inside the block, or not; also a decorator.  PyTorch: ``torch.set_grad_enabled``.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """
    before, _mode.grad = _mode.grad, bool(mode)
    try:
        yield
    finally:
        _mode.grad = before


def no_grad() -> Any:
    """Stop recording inside the block (or the decorated function): evaluation, updates.  PyTorch: ``torch.no_grad``.

    >>> w = nn.tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    """
    return set_grad_enabled(False)


def enable_grad() -> Any:
    """Record again inside a ``no_grad`` block.  PyTorch: ``torch.enable_grad``.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """
    return set_grad_enabled(True)


@contextmanager
def watch(check: Callable[[Any, str], None]) -> Iterator[None]:
    """Call ``check(array, where)`` on every result and every gradient made inside the block by this thread."""
    before, _mode.anomaly = _mode.anomaly, check
    try:
        yield
    finally:
        _mode.anomaly = before
