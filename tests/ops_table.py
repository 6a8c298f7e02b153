"""The one table of cases that every public op is judged by.

A row says how an op is called and on what; test_ops.py puts each row through every check: central
differences, float32, read-only and strided memory, PyTorch. nnlib has PyTorch's names and argument
order, so one call usually serves both libraries: ``call("F.softmax", real(2, 3), dim=1)``. Where the
spelling differs, ``row`` takes a function of (library, its functional module, tensors), and ``theirs``
if PyTorch needs another one.

To add an op, add its rows at the end of the section it belongs to. Values come from a generator seeded by
the row, away from the kinks of the op and, unless a row says so, without ties.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nnlib as nn
import nnlib.functional as F

Make = Callable[[np.random.Generator], Any]


# ------------------------------------------------------------------------------------- inputs


def real(*shape: int, low: float = -2.0, high: float = 2.0) -> Make:
    """Floats, all different, at least a 20th of their spacing away from 0 and from integers and halves."""

    def make(rng: np.random.Generator) -> Any:
        n = int(np.prod(shape))
        grid = (np.arange(n) + 0.3) / max(n, 1)
        values = low + (high - low) * rng.permutation(grid).reshape(shape)
        near = np.round(values * 2) / 2  # kinks lie at multiples of one half: step aside
        return np.where(np.abs(values - near) < 0.01 / max(n, 1), near + 0.013 / max(n, 1), values)

    return make


def positive(*shape: int) -> Make:
    """Floats between 0.3 and 2."""
    return real(*shape, low=0.3, high=2.0)


def chance(*shape: int) -> Make:
    """Probabilities, neither 0 nor 1."""
    return real(*shape, low=0.06, high=0.94)


def rows(*shape: int) -> Make:
    """Probabilities that add up to 1 along axis 1."""

    def make(rng: np.random.Generator) -> Any:
        values = rng.uniform(0.1, 1.0, shape)
        return values / values.sum(1, keepdims=True)

    return make


def ints(*shape: int, high: int = 3) -> Make:
    """Integers 0 … high − 1: class indices, places."""
    return lambda rng: rng.integers(0, high, shape)


def mask(*shape: int) -> Make:
    """Booleans of both kinds."""

    def make(rng: np.random.Generator) -> Any:
        flat = np.arange(int(np.prod(shape))) % 2 == 0
        return rng.permutation(flat).reshape(shape)

    return make


def fixed(values: Any, dtype: Any = None) -> Make:
    """Exactly these numbers (ties, zeros, labels)."""
    return lambda rng: np.array(values, dtype)


# ------------------------------------------------------------------------------------- rows


@dataclass(frozen=True)
class Case:
    op: str  # the public name: "add" in nnlib, "F.relu" in nnlib.functional
    ours: Callable[..., Any]  # (nnlib, nnlib.functional, *tensors) -> tensor or tuple of tensors
    makes: tuple[Make, ...]
    theirs: Callable[..., Any] | None = None  # (torch, torch.nn.functional, *tensors); None: the same call
    frozen: frozenset[int] = field(default_factory=frozenset)  # inputs that get no gradient, though float
    note: str = ""
    peer: bool = True  # False: PyTorch has no counterpart
    check: bool = True  # False: no central differences (the note says why)

    def arrays(self) -> list[Any]:
        """Fresh inputs, the same every time."""
        rng = np.random.default_rng(zlib.crc32(self.note.encode() + self.op.encode()))
        return [make(rng) for make in self.makes]

    def differentiable(self, arrays: list[Any]) -> list[int]:
        """Which inputs get gradients: all of floating point but the frozen ones."""
        return [i for i, a in enumerate(arrays) if a.dtype.kind == "f" and i not in self.frozen]

    def __call__(self, *tensors: Any) -> Any:
        return self.ours(nn, F, *tensors)

    def peer_call(self, torch: Any, *tensors: Any) -> Any:
        """The same on PyTorch."""
        return (self.theirs or self.ours)(torch, torch.nn.functional, *tensors)


CASES: list[Case] = []


def row(op: str, ours: Callable[..., Any], *makes: Make, note: str = "", **options: Any) -> None:
    """Add a case; ``note`` says what is special, and tells rows of one op apart."""
    count = sum(case.op == op for case in CASES)
    options["frozen"] = frozenset(options.get("frozen", ()))
    CASES.append(Case(op, ours, makes, note=note or f"{count}", **options))


def call(
    op: str, *makes: Make, note: str = "", theirs: Any = None, frozen: Any = (), check: bool = True, **options: Any
) -> None:
    """Add a case that calls ``op`` with the tensors and ``options``, in both libraries."""
    name = op.removeprefix("F.")

    def ours(lib: Any, functional: Any, *tensors: Any) -> Any:
        return getattr(functional if op.startswith("F.") else lib, name)(*tensors, **options)

    note = note or ", ".join(f"{key}={value}" for key, value in options.items())
    row(op, ours, *makes, note=note, theirs=theirs, frozen=frozen, check=check)


# arithmetic, with every kind of broadcasting

for _name in ("add", "sub", "mul", "div", "maximum", "minimum"):
    for _left, _right in (
        ((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((4, 1, 3), (2, 1)), ((), (2, 3)),
        ((2, 3), ()), ((), ()), ((1,), ()), ((0, 3), (3,)), ((0, 3), (1, 1)), ((2, 0), (2, 1)),
    ):  # fmt: skip
        call(_name, real(*_left), real(*_right, low=2.3, high=5.1) if _name == "div" else real(*_right, low=-1.9),
             note=f"{_left} {_right}")  # fmt: skip
for _symbol, _function in {
    "add": lambda lib, F, x: 1 + (x + 2.5), "sub": lambda lib, F, x: 1 - (x - 2.5),
    "mul": lambda lib, F, x: 2 * (x * 2.5), "div": lambda lib, F, x: 3 / (x / 2.5),
    "pow": lambda lib, F, x: 2 ** (x**3),
}.items():  # fmt: skip
    row(_symbol, _function, real(2, 3), note="with numbers, from both sides")
    row(_symbol, _function, real(), note="with numbers, 0-d")
for _name in ("maximum", "minimum"):
    call(_name, fixed([1.0, 2.0, 3.0]), fixed([1.0, 2.0, 4.0]), note="ties", check=False)  # a tie is a kink
call("pow", positive(2, 3), real(2, 3))
call("pow", positive(2, 1), real(3))
call("pow", positive(), real(2))
call("pow", real(0, 3), real(3), note="no elements")
for _left, _right in (((2, 3), (2, 3)), ((2, 1), (3,)), ((0, 3), (3,)), ((), (2,))):
    call("remainder", real(*_left, high=9.1), real(*_right, low=1.1, high=1.9), note=f"{_left} {_right}")
    row("floor_divide", lambda lib, F, x, y: lib.floor_divide(x, y), real(*_left, high=9.1),
        real(*_right, low=1.1, high=1.9), note=f"{_left} {_right}", frozen=(0, 1))  # no gradient there  # fmt: skip
row("remainder", lambda lib, F, x: (x % 0.7, x % -0.7), real(5), note="operators, signs")
row("remainder", lambda lib, F, x: 0.7 % x, real(5), note="a number first", frozen=(0,))  # PyTorch has no gradient
row("floor_divide", lambda lib, F, x: (x // 0.7, 0.7 // x), real(5), note="operators", frozen=(0,))
row("remainder", lambda lib, F, i: ((i - 3) % 2, 7 % (i + 1), (i - 3) % -2), ints(6, high=6), note="integers")
row("floor_divide", lambda lib, F, i: ((i - 3) // 2, 7 // (i + 1)), ints(6, high=6), note="integers")
for _power in (0, 1, 2, 3, -1, -2, 0.5, 2.5):
    row("pow", lambda lib, F, x, p=_power: x**p, positive(2, 3), note=f"to the {_power}")
for _power in (0, 1, 2, 3):
    row("pow", lambda lib, F, x, p=_power: x**p, fixed([-1.5, 0.0, 2.0]), note=f"to the {_power}, zero and negative")
row("pow", lambda lib, F, x: x ** lib.tensor(2), real(3), note="an integer tensor")

# one number at a time

_ELEMENTWISE = {
    "neg": real, "abs": real, "exp": real, "log": positive, "log1p": positive, "expm1": real, "sqrt": positive,
    "rsqrt": positive, "square": real, "reciprocal": positive, "sin": real, "cos": real, "tanh": real, "sigmoid": real,
    "erf": real, "sign": real, "floor": real, "ceil": real, "round": real, "F.relu": real, "F.silu": real,
    "F.gelu": real, "F.logsigmoid": real, "F.elu": real, "F.leaky_relu": real, "F.softplus": real, "clone": real,
}  # fmt: skip
for _name, _make in _ELEMENTWISE.items():
    for _shape in ((2, 3), (4, 1, 2), (), (0, 3)):
        call(_name, _make(*_shape), note=f"{_shape}")
for _shape in ((2, 3), (), (0, 3)):
    row("F.step", lambda lib, F, x: F.step(x), real(*_shape), note=f"{_shape}",
        theirs=lambda torch, F, x: torch.heaviside(x.detach(), torch.zeros_like(x)) + 0 * x)  # fmt: skip
call("F.elu", real(2, 3), alpha=0.5)
call("F.leaky_relu", real(2, 3), negative_slope=0.3)
call("F.softplus", real(2, 3), beta=3.0)
call("F.gelu", real(2, 3), approximate="tanh")
call("clamp", real(3, 4), min=-0.7)
call("clamp", real(3, 4), max=0.7)
call("clamp", real(3, 4), min=-0.7, max=0.9)
call("clamp", real(), min=-0.7, max=0.9, note="0-d")
call("clamp", real(0, 2), min=0.0, note="no elements")
call("clamp", real(3, 4), real(4, low=-2.1, high=-0.4), real(3, 1, low=0.1, high=1.7), note="bounds are tensors")
row("cast", lambda lib, F, x: x.to(lib.float64), real(2, 3))
row("cast", lambda lib, F, x: x.to(lib.float64), real(), note="0-d")

# products

for _left, _right in (
    ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (5, 3, 4)), ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)), ((4, 1, 2, 3), (5, 3, 2)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)), ((0, 3), (3, 2)),
    ((2, 0), (0, 3)), ((0,), (0,)), ((1, 1), (1, 1)),
):  # fmt: skip
    call("matmul", real(*_left), real(*_right, low=-1.9), note=f"{_left} {_right}")
for _equation, _shapes in {
    "ij,jk->ik": ((2, 3), (3, 4)), "ij,ij->": ((2, 3), (2, 3)), "ij->ji": ((2, 3),), "ij->i": ((2, 3),),
    "ij->": ((2, 3),), "bij,bjk->bik": ((2, 3, 4), (2, 4, 2)), "i,j->ij": ((2,), (3,)), "ij,j": ((2, 3), (3,)),
    "i,ij,j->": ((2,), (2, 3), (3,)), "ij,k->kj": ((2, 3), (2,)), "bi,oi->bo": ((2, 3), (4, 3)),
    "b i , b i -> b": ((2, 3), (2, 3)),
}.items():  # fmt: skip
    row("einsum", lambda lib, F, *t, e=_equation: lib.einsum(e, *t), *(real(*s) for s in _shapes), note=_equation)
call("outer", real(2), real(3))
call("outer", real(0), real(3), note="no elements")
call("F.linear", real(5, 3), real(2, 3), real(2))
call("F.linear", real(5, 3), real(2, 3), note="no bias")
call("F.linear", real(3), real(2, 3), real(2), note="one example")
call("F.linear", real(2, 4, 3), real(2, 3), real(2), note="more axes")
call("F.linear", real(0, 3), real(2, 3), real(2), note="no examples")
call("F.linear", real(2, 3), real(0, 3), real(0), note="no outputs")
call("F.linear", real(2, 0), real(3, 0), real(3), note="no inputs")

# reductions

for _name in ("sum", "mean", "var", "std", "amax", "amin"):
    call(_name, real(2, 3, 4), note="all")
    call(_name, real(2, 3, 4), dim=1)
    call(_name, real(2, 3, 4), dim=-1, keepdim=True)
    call(_name, real(2, 3, 4), dim=(0, 2))
    call(_name, real(2, 3, 4), dim=(-1, 0), keepdim=True)
for _name in ("sum", "mean", "amax", "amin"):
    call(_name, real(), note="0-d")
    call(_name, real(), dim=0, note="0-d, dim=0")
call("sum", real(0, 3), note="no elements")
for _name in ("sum", "mean", "amax"):
    call(_name, real(0, 3), dim=1, note="no rows")
for _name in ("sum", "mean"):  # both libraries refuse the largest of nothing
    call(_name, real(2, 0), dim=1, note="no columns")
call("sum", real(0, 3), dim=0, note="over an empty axis")
for _name in ("var", "std"):
    call(_name, real(2, 3), dim=1, correction=0)
    call(_name, real(2, 3), correction=2)
for _name in ("amax", "amin"):
    call(_name, fixed([[1.0, 3.0, 3.0], [1.0, 1.0, 3.0]]), dim=1, note="ties", check=False)
for _name in ("max", "min"):
    call(_name, real(2, 3), note="all")
    call(_name, real(2, 3, 4), dim=1)
    call(_name, real(2, 3, 4), dim=-1, keepdim=True)
    call(_name, real(), dim=0, note="0-d")
    call(_name, real(2, 3), real(2, 3, low=-1.9), note="two tensors")
call("prod", real(2, 3), note="all")
call("prod", real(2, 3, 4), dim=1)
call("prod", real(2, 3), dim=-1, keepdim=True)
call("prod", fixed([[2.0, 0.0, 3.0], [0.0, 0.0, 4.0]]), dim=1, note="zeros")
call("prod", real(), note="0-d")
call("prod", real(0, 3), dim=0, note="over an empty axis")
for _options in ({}, {"p": 2}, {"dim": 1}, {"dim": (0, 1), "keepdim": True}, {"p": "fro", "dim": 0}):
    call("norm", real(2, 3), **_options)
row("norm", lambda lib, F, x: lib.norm(x, 2, 1, True), real(2, 3), note="by position")
row("norm", lambda lib, F, x: x.norm(2), real(2, 3), note="the second argument is p")
call("norm", fixed([0.0, 0.0]), note="at zero", check=False)
call("logsumexp", real(2, 3), dim=1)
call("logsumexp", real(2, 3, 4), dim=(0, 2), keepdim=True)
call("logsumexp", fixed([[1000.0, 999.5], [-1000.0, -1001.0]]), dim=1, note="far from 0")
call("logsumexp", real(), dim=0, note="0-d")
call("logsumexp", real(2, 0), dim=1, note="of nothing")
for _shape, _dim in (((2, 3), 0), ((2, 3), -1), ((2, 0), 1), ((), 0)):
    call("cumsum", real(*_shape), dim=_dim, note=f"{_shape} along {_dim}")
    call("cumprod", real(*_shape), dim=_dim, note=f"{_shape} along {_dim}")
call("cumprod", fixed([[2.0, 0.0, 3.0, 5.0], [0.0, 4.0, 0.0, 4.0]]), dim=1, note="zeros")
for _name in ("sum", "prod", "cumsum", "cumprod"):
    for _dtype in ("bool", "uint8", "int32"):
        call(_name, fixed([1, 0, 3], _dtype), dim=0, note=f"{_dtype} gives int64")
row("sum", lambda lib, F, x: x.sum(axis=1, keepdims=True), real(2, 3), note="NumPy's keywords")
row("argmax", lambda lib, F, x: x.argmax(axis=1), real(2, 3), note="NumPy's keyword")
row("max", lambda lib, F, x: lib.max(x, axis=1), real(2, 3), note="NumPy's keyword")
row("var", lambda lib, F, x: x.var(dim=1, unbiased=False), real(2, 3), note="unbiased=False")
row("std", lambda lib, F, x: x.std(unbiased=True), real(2, 3), note="unbiased=True")

# shapes

row(
    "reshape", lambda lib, F, x: lib.reshape(x, (3, -1)), real(2, 6)
)
row("reshape", lambda lib, F, x: x.reshape(4, 3), real(2, 6), note="method")
row("reshape", lambda lib, F, x: x.reshape(()), real(1, 1), note="to 0-d")
row("reshape", lambda lib, F, x: x.reshape(3, 0), real(0, 2), note="no elements")
row("reshape", lambda lib, F, x: x.view(3, 4), real(2, 6), note="view")
call("flatten", real(2, 3, 4))
call("flatten", real(2, 3, 4), start_dim=1)
call("flatten", real(2, 3, 4), start_dim=0, end_dim=1)
call("flatten", real(), note="0-d")
call("squeeze", real(1, 3, 1), note="all")
call("squeeze", real(1, 3, 1), dim=0)
call("squeeze", real(1, 3, 1), dim=1)
call("squeeze", real(1, 3, 1), dim=(0, -1))
for _dim in (0, 1, -1, -3):
    call("unsqueeze", real(2, 3), dim=_dim)
call("unsqueeze", real(), dim=0, note="0-d")
row(
    "permute", lambda lib, F, x: lib.permute(x, (2, 0, 1)), real(2, 3, 4)
)
row("permute", lambda lib, F, x: x.permute(1, -1, 0), real(2, 3, 4), note="method")
row("permute", lambda lib, F, x: x.T, real(2, 3), note=".T")
row("transpose", lambda lib, F, x: lib.transpose(x, 0, -1), real(2, 3, 4))
row("transpose", lambda lib, F, x: x.mT, real(2, 3, 4), note=".mT")
row("expand", lambda lib, F, x: x.expand(-1, 4), real(3, 1))
row("expand", lambda lib, F, x: x.expand(2, -1, 4), real(3, 1), note="a new axis")
row("expand", lambda lib, F, x: x.expand(2, 3), real(), note="0-d")
row("broadcast_to", lambda lib, F, x: lib.broadcast_to(x, (2, 3, 4)), real(3, 1))
row("broadcast_to", lambda lib, F, x: lib.broadcast_to(x, (0, 3)), real(3), note="no elements")
row("cat", lambda lib, F, x, y: lib.cat([x, y], 1), real(2, 3), real(2, 1))
row("cat", lambda lib, F, x, y, z: lib.cat((x, y, z), dim=-2), real(2, 3), real(0, 3), real(1, 3), note="an empty one")
row("cat", lambda lib, F, x: lib.cat([x, x, 2 * x]), real(3), note="the same twice")
row("cat", lambda lib, F, x, i: lib.cat([x, i]), real(2), ints(3), note="mixed dtypes")
row("stack", lambda lib, F, x, y: lib.stack([x, y], 1), real(2, 3), real(2, 3))
for _indexing in ("ij", "xy"):
    for _n in (1, 2, 3):
        row("meshgrid", lambda lib, F, *t, i=_indexing: lib.meshgrid(*t, indexing=i),
            *(real(k + 2, low=-1.9) for k in range(_n)), note=f"{_n} axes, {_indexing}")  # fmt: skip
row("meshgrid", lambda lib, F, x: lib.meshgrid([x, 2 * x], indexing="xy"), real(3), note="a list")
row("stack", lambda lib, F, x, y: lib.stack([x, y]), real(), real(), note="0-d")
row("stack", lambda lib, F, x, y: lib.stack([x, y], -1), real(2), real(2), note="last")
row("split", lambda lib, F, x: lib.split(x, 2), real(5, 2))
row("split", lambda lib, F, x: lib.split(x, [1, 3], 1), real(2, 4), note="sections")
row("chunk", lambda lib, F, x: lib.chunk(x, 2, -1), real(2, 5))
row("chunk", lambda lib, F, x: lib.chunk(x, 4), real(5), note="fewer than asked")
row("unbind", lambda lib, F, x: lib.unbind(x, 1), real(2, 3))
row("flip", lambda lib, F, x: lib.flip(x, (0, 2)), real(2, 3, 4))
row("flip", lambda lib, F, x: lib.flip(x, (-1,)), real(2, 3), note="one axis")
row("roll", lambda lib, F, x: lib.roll(x, 2), real(2, 3))
row("roll", lambda lib, F, x: lib.roll(x, (1, -2), (0, 1)), real(2, 3), note="two axes")
row("roll", lambda lib, F, x: lib.roll(x, -1, 1), real(2, 3), note="one axis")
row("repeat", lambda lib, F, x: x.repeat(2, 3), real(2, 2))
row("repeat", lambda lib, F, x: x.repeat(2, 1, 2), real(2, 2), note="a new axis")
row("diagonal", lambda lib, F, x: lib.diagonal(x), real(3, 3))
row("diagonal", lambda lib, F, x: lib.diagonal(x, 1), real(2, 4), note="above")
row("diagonal", lambda lib, F, x: lib.diagonal(x, -1), real(4, 2), note="below")
for _name in ("tril", "triu"):
    for _offset in (0, 1, -1):
        call(_name, real(3, 4), diagonal=_offset)
    call(_name, real(2, 3, 3), note="a batch")

# choosing

for _note, _index in {
    "integer": 1, "negative": -1, "slice": slice(1, None), "stride": slice(None, None, 2), "ellipsis": (..., 1),
    "new axis": (None, slice(None), 0), "two integers": (1, 2), "list": [0, 2, 2], "two lists": ([0, 2, 2], [1, 1, 1]),
    "list and slice": (slice(None), [0, 0, 3]), "nothing": slice(2, 2), "range and integer": (slice(0, 2), 3),
}.items():  # fmt: skip
    row("getitem", lambda lib, F, x, i=_index: x[i], real(3, 4), note=_note)
row("getitem", lambda lib, F, x, i: x[i], real(3, 4), ints(2, 5), note="integer tensor")
row("getitem", lambda lib, F, x, m: x[m], real(3, 4), mask(3, 4), note="mask")
row("getitem", lambda lib, F, x, m: x[m], real(3, 4), mask(3), note="mask of rows")
row("getitem", lambda lib, F, x: x[()], real(), note="0-d")
row("where", lambda lib, F, c, x, y: lib.where(c, x, y), mask(2, 3), real(2, 3), real(2, 3))
row("where", lambda lib, F, c, x, y: lib.where(c, x, y), mask(2, 1), real(3), real(), note="broadcast")
row("where", lambda lib, F, x: lib.where(x > 0, x, 0.0), real(2, 3), note="a number")
row("where", lambda lib, F, m: lib.where(m, 1, -1), mask(2, 3), note="two integers")
row("masked_fill", lambda lib, F, x, m: lib.masked_fill(x, m, -1.5), real(2, 3), mask(2, 3))
row("masked_fill", lambda lib, F, x, m: lib.masked_fill(x, m, float("-inf")).exp(), real(2, 3), mask(3), note="−inf")
row("masked_select", lambda lib, F, x, m: lib.masked_select(x, m), real(2, 3), mask(2, 3))
row("gather", lambda lib, F, x, i: lib.gather(x, 1, i), real(3, 4), ints(3, 5, high=4))
row("gather", lambda lib, F, x, i: lib.gather(x, 0, i), real(3, 4), ints(2, 3), note="a smaller index")
row("sort", lambda lib, F, x: lib.sort(x), real(3, 4))
row("sort", lambda lib, F, x: lib.sort(x, 0, True), real(3, 4), note="descending")
row("argsort", lambda lib, F, i: lib.sort(i, 0, True).values, fixed([0, 7, 3, 7], "uint8"), note="descending, uint8")
for _options in ({"k": 2}, {"k": 2, "dim": 0}, {"k": 3, "dim": 1, "largest": False}, {"k": 0}, {"k": 4, "dim": -1}):
    call("topk", real(3, 4), **_options)

# no gradient

for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    call(_name, fixed([[1.0, 2.0, 3.0]]), fixed([[1.0], [3.0]]), note="broadcast")
    call(_name, ints(3), ints(3), note="integers")
for _name in ("argmax", "argmin"):
    call(_name, real(3, 4), note="all")
    call(_name, real(3, 4), dim=1)
    call(_name, real(3, 4), dim=0, keepdim=True)
row("argsort", lambda lib, F, x: lib.argsort(x, dim=1, descending=True), real(3, 4))
row("argsort", lambda lib, F, x: lib.argsort(x, stable=True) if lib is not nn else lib.argsort(x),
    fixed([2.0, 1.0, 2.0, 1.0]), note="ties keep their order")  # fmt: skip
for _name in ("all", "any"):
    call(_name, mask(2, 3), note="all")
    call(_name, mask(2, 3), dim=1)
    call(_name, mask(0, 3), dim=0, note="no elements")
for _name in ("isnan", "isfinite", "isinf"):
    call(_name, fixed([0.0, np.nan, np.inf, -np.inf]), frozen=(0,))
call("F.one_hot", ints(2, 3, high=4), num_classes=5)

# softmax, dropout

for _name in ("F.softmax", "F.log_softmax"):
    call(_name, real(2, 3), dim=1)
    call(_name, real(2, 3, 4), dim=0)
    call(_name, real(3), dim=-1)
    call(_name, real(), dim=0, note="0-d")
    call(_name, real(0, 3), dim=1, note="no rows")
    call(_name, real(2, 0), dim=1, note="no columns")
    call(_name, fixed([[1000.0, 999.0, -1000.0]]), dim=1, note="far from 0")


def _dropped(lib: Any, functional: Any, x: Any) -> Any:
    nn.manual_seed(3)  # the same elements at every evaluation
    return functional.dropout(x, 0.4)


row("F.dropout", _dropped, real(3, 4), note="seeded", peer=False)
call("F.dropout", real(3, 4), p=0.4, training=False)
call("F.dropout", real(3, 4), p=1.0)
row("F.maxout", lambda lib, F, x: F.maxout(x, 2), real(3, 6),
    theirs=lambda torch, F, x: x.reshape(3, 3, 2).max(-1).values)  # fmt: skip

# losses

_REDUCTIONS = ("mean", "sum", "none")
for _reduction in _REDUCTIONS:
    call("F.mse_loss", real(2, 3), real(2, 3, low=-1.9), reduction=_reduction)
    call("F.l1_loss", real(2, 3), real(2, 3, low=-1.9), reduction=_reduction)
    call("F.cross_entropy", real(4, 3), ints(4), reduction=_reduction)
    call("F.cross_entropy", real(4, 3), ints(4), positive(3), frozen=(2,), reduction=_reduction,
         note=f"{_reduction}, weights")  # fmt: skip
    call("F.cross_entropy", real(4, 3), rows(4, 3), reduction=_reduction, note=f"{_reduction}, probabilities")
    call("F.cross_entropy", real(4, 3), rows(4, 3), positive(3), frozen=(2,), reduction=_reduction, label_smoothing=0.2,
         note=f"{_reduction}, probabilities, weights, smoothing")  # fmt: skip
    call("F.cross_entropy", real(4, 3), fixed([0, 1, 2, 1]), positive(3), frozen=(2,), reduction=_reduction,
         label_smoothing=0.1, ignore_index=1, note=f"{_reduction}, weights, smoothing, ignored")  # fmt: skip
    call("F.cross_entropy", real(4, 3), fixed([0, 1, 2, 1]), reduction=_reduction, ignore_index=1)
    call("F.cross_entropy", real(2, 3, 4), ints(2, 4), reduction=_reduction, note=f"{_reduction}, (N, K, L)")
    call("F.cross_entropy", real(3), fixed(2), reduction=_reduction, note=f"{_reduction}, one example")
    call("F.nll_loss", real(4, 3), ints(4), reduction=_reduction)
    call("F.nll_loss", real(4, 3), fixed([0, 1, 2, 1]), positive(3), frozen=(2,), ignore_index=2, reduction=_reduction,
         note=f"{_reduction}, weights, ignored")  # fmt: skip
    call("F.nll_loss", real(2, 3, 4), ints(2, 4), reduction=_reduction, note=f"{_reduction}, (N, K, L)")
    call("F.binary_cross_entropy_with_logits", real(2, 3), chance(2, 3), reduction=_reduction)
    call("F.binary_cross_entropy", chance(2, 3), chance(2, 3), reduction=_reduction)
    call("F.multi_margin_loss", real(4, 3, high=1.83), ints(4), reduction=_reduction)
    row("F.hinge_loss", lambda lib, F, x, t, r=_reduction: F.hinge_loss(x, t, reduction=r),
        real(4), fixed([1.0, -1.0, 1.0, -1.0]), frozen=(1,), note=_reduction,
        theirs=lambda torch, F, x, t, r=_reduction:
            {"mean": torch.mean, "sum": torch.sum, "none": lambda v: v}[r](F.relu(1 - t * x)))  # fmt: skip
for _reduction in (*_REDUCTIONS, "batchmean"):
    row("F.kl_div", lambda lib, F, x, t, r=_reduction: F.kl_div(x, t, reduction=r), real(2, 3), rows(2, 3),
        note=_reduction, theirs=lambda torch, F, x, t, r=_reduction: (
            F.kl_div(x, t, reduction=r) if r != "mean" else F.kl_div(x, t, reduction="sum") / x.numel()
        ))  # PyTorch warns for "mean"  # fmt: skip
row("F.kl_div", lambda lib, F, x, t: F.kl_div(x, t, reduction="sum", log_target=True), real(2, 3), real(2, 3, low=-1.9))
call("F.kl_div", real(3), fixed([0.0, 0.5, 0.5]), frozen=(1,), reduction="sum", note="a zero in the target")
call("F.cross_entropy", real(4, 3), ints(4), label_smoothing=0.1)
call("F.mse_loss", real(0, 3), real(0, 3), reduction="sum", note="no elements")
call("F.mse_loss", real(), real(low=-1.5), note="0-d")
row("F.binary_cross_entropy_with_logits",
    lambda lib, F, z, t, w, p: F.binary_cross_entropy_with_logits(z, t, weight=w, pos_weight=p),
    real(2, 3), chance(2, 3), positive(2, 3), positive(3), frozen=(2, 3), note="weights")  # fmt: skip
row("F.binary_cross_entropy_with_logits", lambda lib, F, z, t: F.binary_cross_entropy_with_logits(z, t),
    fixed([800.0, -800.0, 800.0, -800.0]), fixed([1.0, 1.0, 0.0, 0.0]), frozen=(1,), note="far from 0")  # fmt: skip
row("F.binary_cross_entropy", lambda lib, F, p, t, w: F.binary_cross_entropy(p, t, weight=w),
    chance(2, 3), chance(2, 3), positive(2, 3), frozen=(2,), note="weights")  # fmt: skip
call("F.multi_margin_loss", real(4, 3, high=1.83), ints(4), margin=0.7)

# ------------------------------------------------------------------------------------- windows

_CONV = [  # length 7 × 6 (or 7), kernel 3 × 2 (or 3; 3 × 3 for "same"); every setting alone, then together
    ("plain", {}), ("stride", {"stride": 2}), ("does not divide", {"stride": 3}), ("padding", {"padding": 1}),
    ("wide padding", {"padding": 3}), ("dilation", {"dilation": 2}), ("same", {"padding": "same"}),
    ("valid", {"padding": "valid"}), ("same, dilated", {"padding": "same", "dilation": 2}),
    ("groups", {"groups": 2}), ("all", {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}),
]  # fmt: skip
for _note, _settings in _CONV:
    _in, _kw = 4 // _settings.get("groups", 1), 3 if "same" in _note else 2
    call("F.conv2d", real(2, 4, 7, 6), real(6, _in, 3, _kw), real(6), **_settings, note=_note)
    call("F.conv1d", real(2, 4, 7), real(6, _in, 3), real(6), **_settings, note=_note)
call("F.conv2d", real(2, 3, 6, 7), real(2, 3, 2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2), note="pairs")
call("F.conv2d", real(2, 3, 6, 5), real(3, 1, 3, 3), real(3), padding=1, groups=3, note="depthwise")
call("F.conv2d", real(2, 3, 5, 4), real(4, 3, 1, 1), real(4), note="1×1")
call("F.conv2d", real(2, 3, 5, 4), real(4, 3, 1, 1), stride=2, note="1×1, stride")
call("F.conv2d", real(2, 3, 5, 4), real(4, 3, 1, 1), padding=1, note="1×1, padding")
call("F.conv2d", real(2, 1, 6, 5), real(4, 1, 3, 3), padding=1, note="one channel")
call("F.conv2d", real(3, 4, 4), real(2, 3, 3, 3), real(2), padding=1, note="no batch axis")
call("F.conv2d", real(0, 3, 4, 4), real(2, 3, 3, 3), real(2), note="no examples")
call("F.conv2d", real(2, 3, 4, 5), real(2, 3, 4, 5), note="one window")
call("F.conv2d", real(2, 3, 5, 5), real(4, 3, 2, 2), stride=2, note="last row unseen")
call("F.conv1d", real(3, 5), real(2, 3, 2), real(2), note="no batch axis")
call("F.conv1d", real(2, 1, 6), real(1, 1, 4), padding="same", note="even kernel, same",
     theirs=lambda torch, F, x, w: F.conv1d(F.pad(x, (1, 2)), w))  # F.conv1d warns  # fmt: skip
for _k, _p in ((3, 1), (4, 2)):
    row("F.conv1d_matrix", lambda lib, F, w, p=_p: F.conv1d_matrix(w, 7, 2, p, 1), real(_k), peer=False, note=str(_k))

for _n, _shape in ((1, (2, 3, 7)), (2, (2, 3, 7, 6))):
    for _note, _settings in [
        ("plain", {}), ("overlap", {"stride": 2}), ("gaps", {"stride": 4}), ("padding", {"padding": 1, "stride": 2}),
        ("ceil", {"ceil_mode": True}), ("ceil, padding", {"ceil_mode": True, "padding": 1, "stride": 2}),
    ]:  # fmt: skip
        call(f"F.max_pool{_n}d", real(*_shape), kernel_size=3, **_settings, note=_note)
        call(f"F.avg_pool{_n}d", real(*_shape), kernel_size=3, **_settings, note=_note)
        call(f"F.avg_pool{_n}d", real(*_shape), kernel_size=3, **_settings, count_include_pad=False,
             note=f"{_note}, not counted")  # fmt: skip
    call(f"F.max_pool{_n}d", real(*_shape), kernel_size=2, stride=1, dilation=3, note="dilation")
    call(f"F.max_pool{_n}d", real(*_shape), kernel_size=3, stride=1, dilation=2, padding=1, note="dilation, three wide")
    call(f"F.max_pool{_n}d", real(*_shape), kernel_size=3, stride=2, padding=1, return_indices=True, note="indices")
    call(f"F.max_pool{_n}d", fixed(np.ones(_shape)), kernel_size=3, stride=2, padding=1, check=False, note="ties")
    call(f"F.max_pool{_n}d", fixed(np.full(_shape, -np.inf)), kernel_size=3, stride=2, padding=1, return_indices=True,
         check=False, note="−∞ everywhere")  # fmt: skip
    call(f"F.max_pool{_n}d", real(*_shape[1:]), kernel_size=2, note="no batch axis")
    call(f"F.avg_pool{_n}d", real(*_shape[1:]), kernel_size=2, note="no batch axis")
    for _size in (1, 2, 3, 5, 9):
        call(f"F.adaptive_avg_pool{_n}d", real(*_shape), output_size=_size, note=str(_size))
    call(f"F.max_pool{_n}d", real(0, *_shape[1:]), kernel_size=2, note="no examples")
    call(f"F.avg_pool{_n}d", real(0, *_shape[1:]), kernel_size=2, note="no examples")
call("F.max_pool2d", real(2, 3, 7, 6), kernel_size=(3, 2), stride=(1, 2), padding=(1, 0), note="pairs")
call("F.avg_pool2d", real(2, 3, 7, 6), kernel_size=(3, 2), stride=(1, 2), padding=(1, 0), note="pairs")
call("F.avg_pool2d", real(2, 3, 7, 6), kernel_size=3, divisor_override=2, note="divisor")
call("F.adaptive_avg_pool2d", real(2, 3, 7, 6), output_size=(None, 4), note="one axis")

call("F.pad", real(2, 3), pad=(1, 2), note="last axis")
call("F.pad", real(2, 3), pad=(1, 0, 0, 2), value=1.5, note="both axes, value")
call("F.pad", real(2, 5), pad=(-1, 2, 1, -1), note="negative crops")
for _mode in ("reflect", "replicate", "circular"):
    call("F.pad", real(2, 2, 4), pad=(3, 2), mode=_mode, note=_mode)
    call("F.pad", real(2, 2, 3, 4), pad=(3, 2, 1, 2), mode=_mode, note=f"{_mode}, two axes")

# ------------------------------------------------------------------------------------- normalisation

for _shape in ((5, 3), (4, 3, 2), (2, 3, 4, 2)):
    row("F.batch_norm", lambda lib, F, x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        real(*_shape), real(3), real(3), note=f"{len(_shape)}-D")  # fmt: skip
    row("F.batch_norm", lambda lib, F, x, m, v, w, b: F.batch_norm(x, m, v, w, b, eps=1e-3),
        real(*_shape), real(3), positive(3), real(3), real(3), frozen=(1, 2),
        note=f"{len(_shape)}-D, running")  # fmt: skip
    call("F.group_norm", real(_shape[0], 6, *_shape[2:]), note=f"{len(_shape)}-D, no weight", num_groups=2)
    row("F.group_norm", lambda lib, F, x, w, b: F.group_norm(x, 3, w, b),
        real(_shape[0], 6, *_shape[2:]), real(6), real(6), note=f"{len(_shape)}-D")  # fmt: skip
row("F.batch_norm", lambda lib, F, x: F.batch_norm(x, None, None, training=True, eps=0.1), real(4, 2), note="no weight")
call("F.layer_norm", real(2, 3, 4), normalized_shape=(4,), note="no weight")
row("F.layer_norm", lambda lib, F, x, w, b: F.layer_norm(x, (4,), w, b),
    real(2, 3, 4), real(4), real(4), note="one axis")  # fmt: skip
row("F.layer_norm", lambda lib, F, x, w, b: F.layer_norm(x, (3, 4), w, b, eps=0.1),
    real(2, 3, 4), real(3, 4), real(3, 4), note="two axes")  # fmt: skip
row("F.layer_norm", lambda lib, F, x, w: F.layer_norm(x, (4,), w), real(4), real(4), note="one example, no bias")
call("F.layer_norm", real(0, 4), normalized_shape=(4,), note="no examples")
