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
from contextlib import ContextDecorator, contextmanager
from typing import Any

__all__ = [
    "Node", "backward", "backward_steps", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled",
    "watch",
]  # fmt: skip

GradFn = Callable[[Any], Any]

Step = tuple[Any, Any, list[tuple[Any, Any]]]  # a value, the gradient that reached it, what it sends on

now = itertools.count(1).__next__  # one clock for nodes and for changes in place: who came first?


class Node:
    """One application of an op: its name, its arguments, and the edges its gradient travels along.

    ``order`` is the time it was made. An argument exists before the result, so sorting by ``order`` is a topological
    sort of any graph.
    """

    __slots__ = ("__weakref__", "args", "edges", "keep", "op", "order", "values")

    def __init__(self, op: str, edges: list[tuple[Any, GradFn]], args: tuple[Any, ...] = (), values: Any = ()) -> None:
        self.op = op
        self.edges: list[tuple[Any, GradFn]] | None = edges  # None once freed
        self.args = args  # every argument as given, for drawing; the walk needs only the edges
        self.values = values  # those among the arguments that tell, by _changed, when they last changed in place
        self.order = now()
        self.keep = False  # also deposit the gradient of this intermediate value (retain_grad)

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The values among the arguments, in order (a list of values counts as its members)."""
        return tuple(self.values) or tuple(source for source, _ in self.edges or ())

    def __repr__(self) -> str:
        return f"<{self.op}>"


def backward_steps(root: Any, gradient: Any, retain_graph: bool = False) -> Iterator[Step]:
    """Walk back from ``root``, whose gradient is ``gradient``; yield (value, its gradient, its shares), leaves last.

    ``shares`` lists (argument, what is sent to it); it is empty for a leaf. The walk is the generator: whoever wants
    to look (a drawing, a debugger, a lesson) iterates, and :func:`backward` exhausts it. It changes no ``.grad``.
    Source: Griewank & Walther, *Evaluating Derivatives*, ch. 3.

    Raises RuntimeError if a node was freed by an earlier walk, or an argument or result was changed in place since.
    """
    values, leaves = _recorded(root), {}
    if root.node is None:
        leaves[id(root)] = root
    arrived = {_key(root): gradient}  # by key: the sum of what has reached a value so far
    watch = _mode.watch
    while values:
        value = values.pop()
        node = value.node
        upstream = arrived.pop(-node.order)
        for argument in node.values:
            if argument._changed[0] > node.order:
                raise _stale(node, "an argument")
        if node.values and value._changed[0] > node.order:
            raise _stale(node, "the result")
        shares = []
        for argument, grad_fn in node.edges:
            share = grad_fn(upstream)
            if watch is not None:
                watch(share, f"the gradient of {node.op}")
            shares.append((argument, share))
            key = id(argument) if (source := argument.node) is None else -source.order  # _key(argument)
            if source is None:
                leaves[key] = argument
            # Out of place: two arguments may have been handed the same array.
            arrived[key] = arrived[key] + share if key in arrived else share
        if not retain_graph:
            node.edges, node.args, node.values = None, (), ()
        yield value, upstream, shares
    for key, leaf in leaves.items():
        yield leaf, arrived[key], []


def _stale(node: Node, what: str) -> RuntimeError:
    known = f"{what} of {node.op} was changed in place after {node.op} used it, so its gradient would be wrong"
    return RuntimeError(f"backward: {known}. Make a new tensor (x = x + 1) or call backward() before the change.")


def _key(value: Any) -> int:
    """What tells values apart: -order of the node, or the identity of a leaf (which is positive)."""
    return id(value) if value.node is None else -value.node.order


def _recorded(root: Any) -> list[Any]:
    """All values with a node that ``root`` was computed from, and itself; oldest first."""
    found, stack = ({}, []) if root.node is None else ({root.node.order: root}, [root.node])
    while stack:  # an explicit stack: graphs are deeper than Python's recursion limit
        node = stack.pop()
        if node.edges is None:
            raise RuntimeError(
                f"backward: the graph behind this value was already walked and freed (at {node.op}). Call "
                "backward(retain_graph=True) the first time if you need it twice."
            )
        for argument, _ in node.edges:
            source = argument.node
            if source is not None and source.order not in found:
                found[source.order] = argument
                stack.append(source)
    return [found[order] for order in sorted(found)]


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
    owned = {id(gradient)}
    deposits = []
    for value, upstream, _ in backward_steps(root, gradient, retain_graph):
        if value.node is None or value.node.keep:
            deposits.append((value, upstream))
    for value, upstream in deposits:
        before = value.grad
        if before is not None:
            value.grad = before + upstream
        elif id(upstream) in owned or getattr(upstream, "base", None) is not None:
            value.grad = +upstream  # an op may hand on its upstream gradient, or a view of it: a leaf gets its own
        else:
            owned.add(id(upstream))
            value.grad = upstream


class _Mode(threading.local):
    """What this thread records: gradients at all, and whether every result is checked for NaN and Inf."""

    grad = True
    watch: Callable[[Any, str], None] | None = None
    usual = True  # gradients and no watch: an op in a hurry asks this alone

    def switch(self, **changes: Any) -> None:
        self.__dict__.update(changes)
        self.usual = self.grad and self.watch is None


_mode = _Mode()


@contextmanager
def _switched(**changes: Any) -> Iterator[None]:
    before = {name: getattr(_mode, name) for name in changes}
    _mode.switch(**changes)
    try:
        yield
    finally:
        _mode.switch(**before)


def is_grad_enabled() -> bool:
    """Whether ops of this thread are being recorded.  PyTorch: ``torch.is_grad_enabled``.

    >>> is_grad_enabled()
    True
    """
    return _mode.grad


class set_grad_enabled(ContextDecorator):
    """Record ops from here on, or not: for good, inside the block, or in the decorated function.

    PyTorch: ``torch.set_grad_enabled``.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode, self.before = bool(mode), _mode.grad
        self.__enter__()

    def __enter__(self) -> None:
        _mode.switch(grad=self.mode)

    def __exit__(self, *error: object) -> None:
        _mode.switch(grad=self.before)

    def __call__(self, function: Any) -> Any:
        self.__exit__()
        return _switched(grad=self.mode)(function)


def no_grad(function: Any = None) -> Any:
    """Stop recording inside the block (or the decorated function): evaluation, updates.  PyTorch: ``torch.no_grad``.

    >>> w = nn.tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = w * 3
    >>> y.requires_grad
    False
    """
    return _switched(grad=False) if function is None else _switched(grad=False)(function)


def enable_grad() -> Any:
    """Record again inside a ``no_grad`` block.  PyTorch: ``torch.enable_grad``.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """
    return _switched(grad=True)


def watch(check: Callable[[Any, str], None]) -> Any:
    """Call ``check(array, where)`` on every result and every gradient made inside the block by this thread."""
    return _switched(watch=check)
