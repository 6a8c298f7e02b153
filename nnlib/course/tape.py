"""An autograd for arrays in about 90 lines: what a learner has written by the end of lesson 11.

A `Value` is an array that remembers what it was made from: one edge per argument, with a function
that pulls the gradient of the result back to that argument. The functions carry the names and the
arguments of `nnlib.functional`, and a leaf may be any object with ``.data``, ``.grad`` and
``requires_grad``. So the parameters of an ordinary `nn.Module` are leaves, `nn.optim` moves them,
and one line chooses the engine::

    from nnlib.course import tape
    F = tape.mine()                 # the learner's own (kept by lesson 11), else this file
    F = nn.functional               # or: the library

    class Net(nn.Module):           # modules only *hold* the parameters; forward asks F for all ops
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(1, 8, 3, padding=1), nn.Linear(8 * 4 * 4, 10)

        def forward(self, x):
            h = F.relu(F.conv2d(x, self.conv.weight, self.conv.bias, padding=1))
            h = F.max_pool2d(h, 2).flatten(1)
            return F.linear(h, self.fc.weight, self.fc.bias)

    loss = F.cross_entropy(net(x), y)   # x, y: tensors or arrays
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    correct = net(x).data.argmax(1) == y.numpy()

What may be used: ``F.linear F.relu F.conv2d(x, weight, bias, stride, padding) F.max_pool2d(x, k)
F.avg_pool2d(x, k) F.cross_entropy``; ``a + b`` (a skip connection), ``h.flatten(1)``, ``h.data``,
``h.shape``, ``loss.item()``, ``loss.backward()``. Do not call a layer (``self.conv(x)``): its
forward is the library's. Pooling windows do not overlap and must fit; there is no batch norm.

`judge(F)` compares every operation with the library; `keep(...)` is how lesson 11 saves a tape.
"""

from __future__ import annotations

import ast
import linecache
import math
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import CourseError, checkout

__all__ = [
    "Value", "avg_pool2d", "conv2d", "cross_entropy", "judge", "keep", "linear", "max_pool2d", "mine",
    "relu",
]  # fmt: skip

Edge = tuple[Any, Callable[[Any], Any]]

# ------------------------------------------------------------------- the tape


class Value:
    """An array that remembers what it was made from: edges (argument, function g -> its share)."""

    requires_grad = True

    def __init__(self, data: Any, edges: list[Edge] | tuple[Edge, ...] = ()) -> None:
        self.data = np.asarray(data)
        self.grad: Any = None
        self.edges = [(a, pull) for a, pull in edges if getattr(a, "requires_grad", False)]

    def __add__(self, other: Any) -> Value:
        a, b = raw(self), raw(other)
        pulls = (lambda g: unbroadcast(g, a.shape)), (lambda g: unbroadcast(g, b.shape))
        return Value(a + b, list(zip((self, other), pulls)))

    def flatten(self, start_dim: int = 0) -> Value:
        """Join the axes from `start_dim` on into one."""
        x = self.data
        out = x.reshape(*x.shape[:start_dim], -1)
        return Value(out, [(self, lambda g: g.reshape(x.shape))])

    def backward(self) -> None:
        """Add the gradient of this value (its entries summed) to ``.grad`` of all it came from."""
        self.grad = np.ones_like(self.data)
        for value in reversed(topological(self)):
            for argument, pull in value.edges:
                share = pull(value.grad)
                argument.grad = share if argument.grad is None else argument.grad + share

    def item(self) -> float:
        """Return the one number in it."""
        return float(self.data)

    shape = property(lambda self: self.data.shape)


def raw(x: Any) -> Any:
    """Return the array in a Value, a Parameter or a tensor; an array or a number as an array."""
    return x.data if hasattr(x, "requires_grad") else np.asarray(x)


def topological(root: Any) -> list[Any]:
    """Every Value behind `root`, each after all it was made from; a stack, so any depth will do."""
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        value, arguments_done = stack.pop()
        if arguments_done:
            order.append(value)
        elif id(value) not in seen and hasattr(value, "edges"):  # a leaf of the library has none
            seen.add(id(value))
            stack.append((value, True))
            stack += [(argument, False) for argument, _ in value.edges]
    return order


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum g over the axes along which an array of this shape was copied: a copy's gradients add."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def linear(x: Any, weight: Any, bias: Any = None) -> Value:
    """x (N, in), weight (out, in), bias (out,) -> x Wᵀ + b (N, out)."""
    X, W, b = raw(x), raw(weight), 0 if bias is None else raw(bias)
    edges = [(x, lambda g: g @ W), (weight, lambda g: g.T @ X), (bias, lambda g: g.sum(0))]
    return Value(X @ W.T + b, edges)


def relu(x: Any) -> Value:
    """max(0, x); slope 0 at the kink."""
    X = raw(x)
    return Value(np.maximum(X, 0), [(x, lambda g: g * (X > 0))])


def cross_entropy(logits: Any, target: Any) -> Value:
    """Mean of −log softmax(z)[class] over the rows of z (N, K); target (N,) holds the classes."""
    z, t = raw(logits), raw(target)
    N = len(z)
    z = z - z.max(1, keepdims=True)  # the same softmax, and exp cannot overflow
    log_p = z - np.log(np.exp(z).sum(1, keepdims=True))
    one_hot = np.eye(z.shape[1], dtype=z.dtype)[t]
    return Value(
        -(one_hot * log_p).sum() / N, [(logits, lambda g: g * (np.exp(log_p) - one_hot) / N)]
    )


def patches(x: Any, size: tuple[int, int], stride: int, padding: int) -> tuple[Value, Any]:
    """Cut images (N, C, H, W) into windows, one per row: (N·oh·ow, C·kh·kw); also (N, oh, ow)."""
    (kh, kw), p = size, padding
    X = np.pad(raw(x), ((0, 0), (0, 0), (p, p), (p, p)))
    windows = np.lib.stride_tricks.sliding_window_view(X, size, (2, 3))[:, :, ::stride, ::stride]
    N, C, oh, ow = windows.shape[:4]  # (N, C, oh, ow, kh, kw)

    def pull(g: Any) -> Any:
        g = g.reshape(N, oh, ow, C, kh, kw).transpose(4, 5, 0, 3, 1, 2)  # (kh, kw, N, C, oh, ow)
        dX = np.zeros_like(X)
        for i in range(kh):
            for j in range(kw):  # a pixel is in many windows: a copy's gradients add
                dX[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride] += g[i, j]
        return dX[:, :, p : X.shape[2] - p, p : X.shape[3] - p]

    rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(N * oh * ow, C * kh * kw)
    return Value(rows, [(x, pull)]), (N, oh, ow)


def conv2d(x: Any, weight: Any, bias: Any = None, stride: int = 1, padding: int = 0) -> Value:
    """Filters (F, C, kh, kw) over images (N, C, H, W) -> (N, F, oh, ow): linear on every patch."""
    F, C, kh, kw = weight.shape
    rows, (N, oh, ow) = patches(x, (kh, kw), stride, padding)  # (N·oh·ow, C·kh·kw)
    filters = Value(raw(weight).reshape(F, -1), [(weight, lambda g: g.reshape(F, C, kh, kw))])
    out = linear(rows, filters, bias)  # (N·oh·ow, F)
    images = out.data.reshape(N, oh, ow, F).transpose(0, 3, 1, 2)
    return Value(images, [(out, lambda g: g.transpose(0, 2, 3, 1).reshape(-1, F))])


def to_cells(x: Any, k: int) -> Any:
    """View images (N, C, H, W) as k × k cells: (N, C, H/k, W/k, k²)."""
    N, C, H, W = x.shape
    return x.reshape(N, C, H // k, k, W // k, k).swapaxes(3, 4).reshape(N, C, H // k, W // k, k * k)


def from_cells(g: Any, k: int) -> Any:
    """The way back of `to_cells`: (N, C, oh, ow, k²) -> (N, C, oh·k, ow·k)."""
    N, C, oh, ow = g.shape[:4]
    return g.reshape(N, C, oh, ow, k, k).swapaxes(3, 4).reshape(N, C, oh * k, ow * k)


def max_pool2d(x: Any, kernel_size: int) -> Value:
    """The largest element of each cell; the gradient goes to it (the first, on a tie)."""
    k = kernel_size
    seen = to_cells(raw(x), k)
    first = np.eye(seen.shape[-1], dtype=seen.dtype)[seen.argmax(-1)]  # 1 at the maximum
    return Value(seen.max(-1), [(x, lambda g: from_cells(g[..., None] * first, k))])


def avg_pool2d(x: Any, kernel_size: int) -> Value:
    """The mean of each cell; the gradient is shared equally."""
    k = kernel_size
    seen = to_cells(raw(x), k)
    share = np.full_like(seen, 1 / k**2)
    return Value((seen * share).sum(-1), [(x, lambda g: from_cells(g[..., None] * share, k))])


# ------------------------------------------------------------------- judge, keep, use

INTERFACE = ("Value", "linear", "relu", "conv2d", "max_pool2d", "avg_pool2d", "cross_entropy")
FILE = "my_tape.py"


def judge(engine: Any) -> dict[str, float]:
    """Compare each operation of a tape with the library's, in float64: values and gradients.

    Returns the largest difference for each, relative to the largest number compared (NaN where
    shapes differ, so that no comparison with it is true). What raises, raises.

    >>> from nnlib.course import tape
    >>> all(difference < 1e-12 for difference in tape.judge(tape).values())
    True
    """
    import nnlib as nn
    import nnlib.functional as library

    rng = np.random.default_rng(0)
    x, image = rng.standard_normal((5, 4)), rng.standard_normal((2, 3, 6, 6))
    w, b, same = (rng.standard_normal(s) for s in ((3, 4), (3,), (5, 3)))
    kernel, kb = rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
    t = nn.tensor([0, 2, 1, 3, 1])
    # Each net gets the engine F and leaves that want gradients; a weighted sum closes it.
    nets: dict[str, tuple[Any, list[Any]]] = {
        "linear": (lambda F, x, w, b: F.linear(x, w, b), [x, w, b]),
        "linear, no bias": (lambda F, x, w: F.linear(x, w), [x, w]),
        "relu": (lambda F, x: F.relu(x), [x]),
        "add": (lambda F, x, w, b, s: F.linear(x, w, b) + s, [x, w, b, same]),
        "add, broadcast": (lambda F, x, w, b, s: F.linear(x, w, b) + s, [x, w, b, same[:1]]),
        "a value used twice": (lambda F, x, w, b: (h := F.linear(x, w, b)) + F.relu(h), [x, w, b]),
        "flatten": (lambda F, x: F.relu(x).flatten(1), [image]),
        "conv2d": (lambda F, x, w, b: F.conv2d(x, w, b), [image, kernel, kb]),
        "conv2d, stride 2, padding 1": (
            lambda F, x, w: F.conv2d(x, w, stride=2, padding=1), [image, kernel],
        ),
        "max_pool2d": (lambda F, x: F.max_pool2d(x, 2), [image]),
        "avg_pool2d": (lambda F, x: F.avg_pool2d(x, 3), [image]),
        "cross_entropy": (lambda F, x: F.cross_entropy(x, t), [x]),
        "cross_entropy, large logits": (lambda F, x: F.cross_entropy(x, t), [1000 * x]),
    }  # fmt: skip

    def run(F: Any, net: Any, arrays: list[Any]) -> list[Any]:
        leaves = [nn.tensor(a, dtype=nn.float64, requires_grad=True) for a in arrays]
        out = net(F, *leaves)
        upstream = np.cos(np.arange(math.prod(out.shape))).reshape(out.shape)  # no two alike
        if F is library:
            out.backward(gradient=upstream)
        else:
            F.Value(out.data * upstream, [(out, lambda g: g * upstream)]).backward()
        return [np.asarray(out.data), *(leaf.grad for leaf in leaves)]

    differences = {}
    for name, (net, arrays) in nets.items():
        ours, theirs = run(library, net, arrays), run(engine, net, arrays)
        same_shapes = all(b is not None and a.shape == b.shape for a, b in zip(ours, theirs))
        differences[name] = (
            max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(ours, theirs))
            if same_shapes
            else math.nan
        )
    return differences


def keep(*pieces: Any) -> types.ModuleType:
    """Make a module of classes and functions written in a notebook, and return it.

    In a learner's copy (a notebook below ``work/``) their text is also written to ``my_tape.py``
    beside it, where `mine` finds it in a later lesson. From the cells that define the pieces it takes
    their definitions, imports, and lines such as ``Value.backward = backward``.

    Raises CourseError where a name of the interface is missing, or the text does not stand alone.
    """
    names = {piece.__name__ for piece in pieces}
    if missing := [name for name in INTERFACE if name not in names]:
        raise CourseError(f"keep: the tape has no {', '.join(missing)}; pass all of {INTERFACE}.")
    text = '"""My tape, kept by lesson 11."""\n\nfrom __future__ import annotations\n\nimport numpy as np\n'
    text += "".join(f"\n\n{part}\n" for part in _definitions(pieces, names))
    module = _module(text, "the kept tape")
    try:
        judge(module)
    except NameError as error:
        raise CourseError(
            f"keep: the tape uses {error.name!r}, which was not passed. Add it to keep(…)."
        ) from error
    if (folder := _folder()) is not None:
        (folder / FILE).write_text(text, encoding="utf-8")
    return module


def mine() -> types.ModuleType:
    """Return the learner's tape, or this module where none has been kept (as in ``notebooks/``).

    Raises CourseError where the kept file does not run or lacks a name of the interface.
    """
    folder = _folder()
    if folder is None or not (folder / FILE).is_file():
        return sys.modules[__name__]
    return _module((folder / FILE).read_text(encoding="utf-8"), f"work/{FILE}")


def _folder() -> Path | None:
    """The folder of the learner's copies, if the notebook that asks is one of them."""
    try:
        work = checkout() / "work"
    except CourseError:
        return None
    return work if Path.cwd().resolve().is_relative_to(work) else None


def _module(text: str, name: str) -> types.ModuleType:
    module = types.ModuleType("my_tape", f"{name}, written in lesson 11.")
    linecache.cache[f"<{name}>"] = len(text), None, text.splitlines(keepends=True), f"<{name}>"
    try:
        exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise CourseError(
            f"{name} does not run ({reason}). Run lesson 11 again to keep a new one."
        ) from error
    if missing := [name for name in INTERFACE if not hasattr(module, name)]:
        raise CourseError(
            f"{name} has no {', '.join(missing)}. Run lesson 11 again to keep a new one."
        )
    return module


def _definitions(pieces: tuple[Any, ...], names: set[str]) -> list[str]:
    """The statements that define the pieces, in the order in which their cells ran last."""
    cells: dict[str, int] = {}
    for piece in pieces:
        functions = [f for f in vars(piece).values() if isinstance(f, types.FunctionType)]
        for function in functions if isinstance(piece, type) else [piece]:
            cells.setdefault(function.__code__.co_filename, len(cells))
            names = names | {function.__name__}  # also what was attached: Value.backward = backward
    found = []
    for cell in cells:
        text = "".join(linecache.getlines(cell))
        for node in ast.parse(text).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                wanted = node.name in names
            elif isinstance(node, ast.Assign):  # Value.backward = backward
                targets = [t for target in node.targets for t in ast.walk(target)]
                owners = [t.value for t in targets if isinstance(t, ast.Attribute)]
                wanted = any(isinstance(o, ast.Name) and o.id in names for o in owners)
            else:
                future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
                wanted = isinstance(node, ast.Import | ast.ImportFrom) and not future
            if wanted:
                found.append(ast.get_source_segment(text, node) or "")
    return found
