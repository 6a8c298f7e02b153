"""An expression of nnlib as a text: read without evaluating it as Python, and run node by node.

:func:`parse` turns ``"mean((W @ x - t) ** 2)"`` into a list of nodes, each one public op of nnlib with its arguments;
:func:`run` computes them with nnlib on numbers, vectors and small matrices. The graph stepper draws what is here.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import nnlib as nn

from ..device import rng
from .scene import number, signed

__all__ = [
    "FUNCTIONS", "Node", "Number", "Program", "Ref", "Value", "apply", "finite_difference", "leaf", "parse", "plain",
    "read_values", "run", "told", "two_digits", "value_of",
]  # fmt: skip

# Public names that are no function of tensors, draw numbers anew each time, or hand back no tensor.
_ASIDE = {"Tensor", "allclose", "as_tensor", "cast", "detect_anomaly", "from_dlpack", "from_numpy", "get_default_dtype",
          "grad", "op", "rand", "randint", "randn", "randperm", "set_default_dtype", "tensor"}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: function
    for home in (nn.core, nn.ops, nn.conv, nn.functional)
    for name, function in vars(home).items()
    if inspect.isfunction(function) and name[0] != "_" and name not in _ASIDE
    if name in getattr(home, "__all__", ()) or (home is nn.functional and function.__module__ == home.__name__)
}
METHODS: dict[str, Callable[..., Any]] = {
    "T": lambda input: input.T, "mT": lambda input: input.mT, "double": lambda input: input.double(),
    "long": lambda input: input.long(), "view": lambda input, *shape: input.view(*shape),
}  # fmt: skip
PAIRS = {"max": "maximum", "min": "minimum"}  # max(x, y) is the larger of two, as in Python
MANY = {"max", "min"} | {  # have several results
    name for name, f in FUNCTIONS.items() if str(f.__annotations__.get("return")).startswith(("tuple", "Extremum"))
}
CLASSES = ("cross_entropy", "multi_margin_loss", "nll_loss")  # may take class indices as target
WHOLE = {*((name, "target") for name in CLASSES), ("gather", "index"), ("one_hot", "input")}
# A parameter that takes tensors says so, or is called like this.
_TENSORS = {"condition", "index", "input", "operands", "other", "running_mean", "running_var", "tensors"}
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "/", "pow": "^", "matmul": "@", "lt": "<", "le": "≤", "gt": ">",
         "ge": "≥", "eq": "=", "ne": "≠"}  # fmt: skip
BINARY = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.MatMult: "matmul",
          ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne"}  # fmt: skip
MOST_OPS, MOST_CHARACTERS, MOST_ELEMENTS, MOST_ROWS = 30, 300, 16, 6

Value = Any  # a float, or an array of one axis or more


# ------------------------------------------------------------ the expression


@dataclass(frozen=True)
class Ref:
    """An argument that is the result of another node; ``whole`` where it counts as an index."""

    node: int
    whole: bool = False


class Number(float):
    """A constant where an operation takes a tensor."""


class Whole(int):
    """A constant class, or index, where an operation takes a tensor."""


def swap(part: Any, put: Callable[[Any], Any]) -> Any:
    """Arguments, with every single one in their lists replaced."""
    if isinstance(part, tuple | list):
        return type(part)(swap(p, put) for p in part)
    return {k: swap(p, put) for k, p in part.items()} if isinstance(part, Mapping) else put(part)


def every(part: Any, *kinds: type) -> list[Any]:
    """All single arguments of these kinds, in order."""
    found: list[Any] = []
    swap(part, lambda p: found.append(p) if isinstance(p, kinds) else None)
    return found


@dataclass
class Node:
    """An input or a constant (``op`` is None), or an operation with its arguments."""

    name: str  # of an input or a named result; empty otherwise
    op: str | None = None
    args: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # the settings, for the label: "dim=0"
    pick: int | None = None  # of several results
    constant: Any = None

    @property
    def parts(self) -> list[Any]:
        """Every argument that is a tensor: those of other nodes, and constant numbers."""
        return every((self.args, self.options), Ref, Number, Whole)

    @property
    def sources(self) -> list[tuple[int, int]]:
        """(place among the parts, node) of those that are nodes."""
        return [(i, p.node) for i, p in enumerate(self.parts) if isinstance(p, Ref)]

    @property
    def label(self) -> str:
        """What stands in the node's box."""
        if self.op is None:
            return self.name or "constant"
        fixed = every(self.parts, Number, Whole)
        if self.op in SIGNS:
            sign = SIGNS[self.op]
            if fixed and fixed[0] is self.parts[0] and self.op in ("sub", "div", "pow"):
                return f"{number(fixed[0])} {sign} ·"
            return f"· {sign} {signed(fixed[0])}" if fixed else sign
        if self.op in ("neg", "getitem"):
            return "· × (−1)" if self.op == "neg" else self.notes[0]
        told = ["·" if isinstance(p, Ref) else number(p) for p in self.parts] * bool(fixed) + self.notes
        name = {"maximum": "max", "minimum": "min"}.get(self.op, self.op)
        return name + f"({', '.join(told)})" * bool(told) + f"[{self.pick}]" * (self.pick is not None)


@dataclass
class Program:
    """An expression as a list of nodes, arguments before results; the last is the output."""

    nodes: list[Node]

    @property
    def inputs(self) -> list[int]:
        """In order of appearance."""
        return [i for i, node in enumerate(self.nodes) if node.op is None and node.name]

    @property
    def operations(self) -> list[int]:
        return [i for i, node in enumerate(self.nodes) if node.op]


def parse(text: str) -> Program:
    """An expression of names, numbers, lists, operators and ops of nnlib; ``q = x + y; q*q`` names a part.

    Functions may be written as in a lesson, ``nn.exp(x)``, ``F.softmax(z, dim=0)``, ``x.sum()``, or bare. Raises
    ValueError saying which piece is not understood and what is.

    >>> [node.label for node in parse("(x + y) * z").nodes]
    ['x', 'y', '+', 'z', '×']
    >>> [node.label for node in parse("cross_entropy(W @ x, y)").nodes]
    ['W', 'x', '@', 'y', 'cross_entropy']
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"The expression has {len(text)} characters; at most {MOST_CHARACTERS} fit on the page.")
    try:
        tree = ast.parse(text.strip().replace("^", "**"))
    except (SyntaxError, RecursionError, MemoryError, ValueError) as error:
        raise ValueError(f"“{text}” cannot be read as an expression ({error}). Try (x + y) * z.") from None
    return _Reader().program(tree)


class _Reader:
    """Turns the syntax tree of an expression into nodes; what it does not know, it refuses."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.known: dict[str, Any] = {}

    def program(self, tree: ast.Module) -> Program:
        out = None
        for n, statement in enumerate(tree.body):
            last = n == len(tree.body) - 1
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name) and not last:
                name = statement.targets[0].id
                if name in self.known or name in FUNCTIONS or len(statement.targets) > 1:
                    raise ValueError(f"{name} is taken already; give this part another name.")
                self.known[name] = value = self.visit(statement.value)
                if isinstance(value, Ref) and not self.nodes[value.node].name:
                    self.nodes[value.node].name = name
            elif isinstance(statement, ast.Expr) and last:
                out = self.visit(statement.value)
            else:
                raise ValueError(f"“{ast.unparse(statement)}”: write parts as q = x + y; and end with an expression.")
        if not isinstance(out, Ref) or self.nodes[out.node].op is None:
            raise ValueError("The expression needs at least one operation on a name, such as x * 2.")
        return self.needed(out.node)

    def needed(self, out: int) -> Program:
        """Only what the output needs, with the output last."""
        kept, stack = set(), [out]
        while stack:
            if (i := stack.pop()) not in kept:
                kept.add(i)
                stack += [source for _, source in self.nodes[i].sources]
        place = {old: new for new, old in enumerate(sorted(kept))}
        move = lambda p: replace(p, node=place[p.node]) if isinstance(p, Ref) else p  # noqa: E731
        return Program([replace(n, args=swap(n.args, move), options=swap(n.options, move))
                        for n in (self.nodes[i] for i in sorted(kept))])  # fmt: skip

    def refuse(self, part: ast.AST, name: str = "") -> ValueError:
        near = " or ".join(difflib.get_close_matches(name, FUNCTIONS, 3))
        more = f" Did you mean {near}?" if near else ""
        return ValueError(
            f"“{ast.unparse(part)}” is not understood here.{more} There are names, numbers, lists, + - * / ** @, "
            "comparisons, x[0], and the ops of nnlib and nnlib.functional, such as exp(x) or softmax(x, dim=0)."
        )

    # -- pieces: each gives a Ref, or a float

    def visit(self, part: ast.AST) -> Any:
        match part:
            case ast.BinOp(left, op, right) | ast.Compare(left, [op], [right]) if type(op) in BINARY:
                return self.call(BINARY[type(op)], part, [self.visit(left), self.visit(right)])
            case ast.UnaryOp(ast.UAdd(), inner):
                return self.visit(inner)
            case ast.UnaryOp(ast.USub(), inner):
                return self.call("neg", part, [self.visit(inner)])
            case ast.Constant(int() | float() as value) if value is not True and value is not False:
                if not abs(value) <= 1e15:
                    raise ValueError("Numbers of at most 1e15, please.")
                return float(value)
            case ast.Name(name):
                if name in FUNCTIONS:
                    raise ValueError(f"{name} is a function here: write {name}(x).")
                if name not in self.known:
                    self.known[name] = self.add(Node(name))
                return self.known[name]
            case ast.List():
                return self.tensor(self.plain(part), part)
            case ast.Subscript(value, place):
                tensor, index = self.visit(value), self.plain(place)
                if isinstance(value, ast.Call) and type(index) is int and self.several(tensor):
                    return self.chosen(part, tensor, index)
                return self.call("getitem", part, [tensor, index])
            case ast.Attribute(value, "T" | "mT" as name):
                return self.call(name, part, [self.visit(value)])
            case ast.Attribute(value, "values" | "indices" as name):
                return self.chosen(part, self.visit(value), ("values", "indices").index(name))
            case ast.Call():
                return self.function(part)
        raise self.refuse(part)

    def function(self, part: ast.Call) -> Any:
        """``f(x)``, ``nn.f(x)``, ``F.f(x)`` or ``x.f()``."""
        function, args = part.func, [self.plain(a) for a in part.args]
        options = {k.arg or "**": self.plain(k.value) for k in part.keywords}
        name = str(getattr(function, "attr", "") or getattr(function, "id", ""))
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) not in ("nn", "F", "nn.functional"):
            if not hasattr(nn.Tensor, name):
                raise self.refuse(part, name)
            args.insert(0, self.visit(function.value))
        elif name == "tensor" and len(args) == 1:
            return self.tensor(args[0], part)
        elif isinstance(function, ast.Name) and name in PAIRS and len(args) == 2:
            name = PAIRS[name]
        return self.call(name, part, args, options)

    def several(self, value: Any) -> bool:
        """Whether this is a call that has several results."""
        node = self.nodes[value.node] if isinstance(value, Ref) else Node("")
        return (node.op in MANY or "return_indices=True" in node.notes) and node.pick is None

    def chosen(self, part: ast.AST, value: Any, which: int) -> Any:
        """One of several results: ``max(x, dim=0)[0]``, ``max(x, dim=0).values``."""
        if not self.several(value):
            raise self.refuse(part)
        self.nodes[value.node].pick = which
        return value

    def plain(self, part: ast.AST | None) -> Any:
        """An argument as Python has it, with Refs for what is computed."""
        match part:
            case None:
                return None
            case ast.Constant(value) if value is None or value is ... or isinstance(value, bool | str):
                return value
            case ast.Constant(int(value)):
                return int(self.visit(part))
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float())):
                return -self.plain(part.operand)
            case ast.Tuple(parts):
                return tuple(map(self.plain, parts))
            case ast.List(parts):
                return list(map(self.plain, parts))
            case ast.Slice(lower, upper, step):
                ends = [self.plain(p) for p in (lower, upper, step)]
                if all(p is None or type(p) is int for p in ends):
                    return slice(*ends)
        return self.visit(part)

    # -- nodes

    def add(self, node: Node) -> Ref:
        if node.op and len([n for n in self.nodes if n.op]) >= MOST_OPS:
            raise ValueError(f"More than {MOST_OPS} operations do not fit on the page.")
        self.nodes.append(node)
        return Ref(len(self.nodes) - 1)

    def tensor(self, value: Any, part: ast.AST, whole: bool = False) -> Any:
        """What stands where a tensor is expected."""
        if isinstance(value, list):
            if every(value, Ref):
                return self.call("stack", part, [value])
            return replace(self.add(Node("", constant=_array(value, ast.unparse(part)))), whole=whole)
        if isinstance(value, Ref):
            return replace(value, whole=whole or value.whole)
        if type(value) in (int, float):
            return Whole(value) if whole and value == int(value) else Number(value)
        return value

    def call(self, name: str, part: ast.AST, args: Sequence[Any], options: Mapping[str, Any] | None = None) -> Any:
        """A node for this call; a number, or a constant, where all arguments are constants."""
        if name not in FUNCTIONS and name not in METHODS:
            raise self.refuse(part, name)
        try:
            bound = _signature(name).bind(*args, **(options or {}))
        except TypeError as error:
            raise ValueError(f"{name} takes {_takes(name)}; “{ast.unparse(part)}”: {error}.") from None
        notes = []
        for key, value in bound.arguments.items():
            parameter = _signature(name).parameters[key]
            kind = str(parameter.annotation)
            several = parameter.kind is parameter.VAR_POSITIONAL
            if "Arrays" in kind or "Sequence[Tensor]" in kind or (several and key in _TENSORS):
                if not isinstance(value, list | tuple):
                    raise ValueError(f"{name}: {key} is a list of tensors. Write {name}([x, y]).")
                bound.arguments[key] = type(value)(self.tensor(v, part) for v in value)
            elif "Array" in kind or "Tensor" in kind or (key in _TENSORS and name != "getitem"):
                bound.arguments[key] = self.tensor(value, part, (name, key) in WHOLE)
            elif name == "getitem":
                whole = lambda p: replace(p, whole=True) if isinstance(p, Ref) else p  # noqa: E731
                bound.arguments[key] = swap(value, whole)
                notes.append(f"·[{ast.unparse(part.slice) if isinstance(part, ast.Subscript) else value}]")
            elif every(value, Ref):
                raise ValueError(f"{name}: {key} is a setting, not computed here; write a plain number or a word.")
            else:
                text = ", ".join(map(str, value)) if several else str(value)
                notes.append(text if several or name in ("reshape", "einsum") else f"{key}={text}")
                _small(name, value)
        node = Node("", name, bound.args, dict(bound.kwargs), notes)
        if node.sources:
            return self.add(node)
        value = apply(node, []).detach()
        value = value if value.dtype.kind == "b" else value.double()
        if not value.isfinite().all():
            raise ValueError(f"“{ast.unparse(part)}” is not a number ({told(value_of(value))}).")
        _fits(value.shape, ast.unparse(part))
        return self.add(Node("", constant=value.data)) if value.ndim else value.item()


@functools.cache
def _signature(name: str) -> inspect.Signature:
    return inspect.signature(FUNCTIONS.get(name) or METHODS[name])


def _takes(name: str) -> str:
    return f"({', '.join(str(p).partition(':')[0] for p in _signature(name).parameters.values())})"


def _small(name: str, setting: Any) -> None:
    """Refuse settings that would make a tensor too big to show, before it is made."""
    if math.prod(max(abs(n), 1) for n in every(setting, int)) > 1000:
        raise ValueError(f"{name}: {setting} is too big; at most {MOST_ELEMENTS} elements fit into a node.")


def _array(value: Any, text: str) -> np.ndarray:
    """Numbers in nested lists as an array of floats.  Raises ValueError."""
    try:
        result = np.array(value, dtype=float)
    except (ValueError, TypeError):
        raise ValueError(f"“{text}” is no tensor: a list holds numbers, or rows of equal length.") from None
    _fits(result.shape, f"“{text}”")
    return result


def _fits(shape: tuple[int, ...], what: str) -> None:
    size, tall = math.prod(shape), math.prod(shape[:-1])
    if not 0 < size <= MOST_ELEMENTS or tall > MOST_ROWS:
        raise ValueError(
            f"{what} has shape {shape}; a node shows 1 to {MOST_ELEMENTS} elements in at most {MOST_ROWS} rows. "
            "Take fewer, or reduce them in the same operation."
        )


def read_values(text: str, names: list[str]) -> dict[str, Value]:
    """``"x = -2, W = [[1, 2], [3, 4]]"`` as a dict; a name without a value gets 1.  Raises ValueError.

    >>> read_values("x = -2", ["x", "y"])
    {'x': -2.0, 'y': 1.0}
    """
    values: dict[str, Value] = dict.fromkeys(names, 1.0)
    depth, items = 0, [""]
    for c in text.replace("\N{MINUS SIGN}", "-"):
        depth += (c == "[") - (c == "]")
        if c in ",;" and depth <= 0:
            items.append("")
        else:
            items[-1] += c
    for item in filter(str.strip, items):
        name, _, value = (piece.strip() for piece in item.partition("="))
        try:
            given: Any = ast.literal_eval(value) if value.startswith("[") else float(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            given = math.nan
        if isinstance(given, list):
            given = _array(given, item.strip())
        if not name or not np.isfinite(given).all():
            raise ValueError(f"“{item.strip()}” is not a value. Write x = -2, v = [1, 2], W = [[1, 2], [3, 4]].")
        if name in values:
            values[name] = given
    return values


# ------------------------------------------------------------ running it


def told(value: Value) -> str:
    """A value for a sentence.

    >>> told(0.5), told(np.array([1.0, -2.0]))
    ('0.5', '[1, −2]')
    """
    array = np.asarray(value)
    if not array.ndim:
        return number(array) if array.dtype.kind != "b" else str(bool(array)).lower()
    return f"[{', '.join(number(v, 3) if not np.ndim(v) else told(v) for v in array)}]"


def apply(node: Node, tensors: Sequence[nn.Tensor]) -> nn.Tensor:
    """One operation of nnlib on the tensors of its sources."""
    queue = iter(tensors)

    def put(part: Any) -> Any:
        if isinstance(part, Ref):
            t = next(queue)
            index = part.whole and t.dtype.kind == "f" and (node.op not in CLASSES or t.ndim < tensors[0].ndim)
            return _whole(node, t) if index else t
        if isinstance(part, Number):
            return nn.tensor(float(part), dtype=nn.float64)
        return nn.tensor(int(part)) if isinstance(part, Whole) else part

    kept = rng().bit_generator.state  # dropout drops the same elements each time, and a lesson's numbers stay
    nn.manual_seed(0)
    try:
        with np.errstate(all="ignore"):
            function = FUNCTIONS.get(node.op or "") or METHODS[node.op or ""]
            out = function(*swap(node.args, put), **swap(node.options, put))
    finally:
        rng().bit_generator.state = kept
    if node.pick is not None:
        out = out[node.pick]
    if isinstance(out, tuple):
        raise ValueError(f"{node.op} has {len(out)} results. Choose one: {node.op}(…)[0].")
    return out if isinstance(out, nn.Tensor) else nn.tensor(out)


def _whole(node: Node, t: nn.Tensor) -> nn.Tensor:
    if (t.data % 1).any():
        raise ValueError(f"{node.op}: classes and indices are whole numbers, got {told(value_of(t))}.")
    return t.detach().long()


def value_of(t: nn.Tensor) -> Value:
    return t.data if t.ndim else t.item()


def leaf(value: Value) -> nn.Tensor:
    """A value as a tensor of its own, which asks for a gradient if it can."""
    data = np.asarray(value)
    return nn.Tensor(data, requires_grad=data.dtype.kind == "f")


def run(program: Program, given: Mapping[str, Value], rounded: bool = False) -> list[nn.Tensor]:
    """Every node's tensor, computed by nnlib with a record; ``rounded`` to two digits after each operation."""
    results: list[nn.Tensor] = []
    for node in program.nodes:
        if node.op is None:
            value = given[node.name] if node.name else node.constant
            results.append(leaf(value) if node.name else nn.Tensor(np.asarray(value)))
            continue
        out = apply(node, [results[source] for _, source in node.sources])
        if rounded and out.requires_grad:
            out = nn.Tensor(two_digits(out.data), requires_grad=True)
        _fits(out.shape, f"The result of {node.label}")
        results.append(out)
    return results


def two_digits(value: Value) -> Value:
    return np.where(np.isfinite(value), np.round(value, 2), value)


def plain(array: Any) -> Value:
    array = np.asarray(array)
    return array if array.ndim else array.item()


def finite_difference(program: Program, tensors: list[nn.Tensor], i: int, nth: int) -> Value:
    """Centred difference of the output for one argument of operation ``i``, element by element: that edge alone."""
    node = program.nodes[i]
    mine = [tensors[source] for _, source in node.sources]
    at = mine[nth].data
    result = np.full(at.shape, math.nan)
    for place in np.ndindex(at.shape) if np.isfinite(at).all() else ():
        h, ends = 1e-6 * max(1.0, abs(at[place])), []
        for step in (h, -h):
            moved = at.copy()
            moved[place] += step
            results = list(tensors)
            with nn.no_grad():
                results[i] = apply(node, [*mine[:nth], nn.Tensor(moved), *mine[nth + 1 :]])
                for k in range(i + 1, len(results)):
                    if program.nodes[k].op:
                        results[k] = apply(program.nodes[k], [results[s] for _, s in program.nodes[k].sources])
            ends.append(results[-1].item())
        result[place] = (ends[0] - ends[1]) / (2 * h)
    return plain(result)


