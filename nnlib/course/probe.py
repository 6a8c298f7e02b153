"""What runs beside a learner's code: it looks at the names, calls the functions, and brings back plain data.

Nothing here knows an answer. An exercise's *probe* is a function ``probe(my, *case)``; ``my.name`` is what the learner
defined. It returns a value, or ``{part: value or thunk}`` where several parts are judged separately. `run` calls it for
every case and never raises: whatever the learner's code does is recorded as an outcome, one of

    {"value": plain data}   {"todo": "name"}   {"missing": "name"}   {"error": "what happened"}

In the notebook the instant check runs it; the grader runs this same file in a sandbox, so it imports NumPy and nnlib
alone. Plain data are numbers, strings, lists, mappings and numeric arrays; `dumps` and `loads` carry them as JSON,
which cannot execute anything.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import inspect
import io
import json
import math
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import nnlib as nn

__all__ = [
    "My", "Todo", "artists", "block", "calls", "draw", "dumps", "loads", "picture", "plain", "run", "source_of",
    "together", "values",
]  # fmt: skip

LIMIT = 2_000_000  # numbers in one answer: far above any exercise, far below what fills a memory


class Todo(Exception):
    """The learner has not written this yet."""


class Missing(Exception):
    """A name that the exercise asks for does not exist."""


class My:
    """The learner's names as attributes; what is not written yet raises when it is looked at."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def __getattr__(self, name: str) -> Any:
        try:
            value = self._names[name]
        except KeyError:
            raise Missing(name) from None
        if value is ...:
            raise Todo(name)
        return value


# ------------------------------------------------------------------- the usual probes


def _named(kind: str, names: tuple[str, ...], probe: Callable[..., Any]) -> Callable[..., Any]:
    probe.source = f"{kind}({', '.join(map(repr, names))})"  # type: ignore[attr-defined]
    return probe


def values(*names: str) -> Callable[..., Any]:
    """Each of these names is a value, judged by itself."""
    return _named("values", names, lambda my: {name: lambda name=name: getattr(my, name) for name in names})


def together(*names: str) -> Callable[..., Any]:
    """These names are values judged as one answer: {name: value}."""
    return _named("together", names, lambda my: {", ".join(names): lambda: {name: getattr(my, name) for name in names}})


def calls(*names: str) -> Callable[..., Any]:
    """Each of these names is a function, called with the case and judged by itself."""

    def call(my: My, name: str, case: tuple[Any, ...]) -> Any:
        given = copy.deepcopy(case)
        result = getattr(my, name)(*given)
        if not same(given, case):
            raise ValueError(f"{name} changed its argument in place; work on a copy")
        return result

    return _named("calls", names, lambda my, *case: {name: lambda name=name: call(my, name, case) for name in names})


def block(make: Callable[[], Any], x: np.ndarray, seed: int) -> dict[str, Any]:
    """The parts of a block of layers: its parameters' names and shapes, its output either way, the slope by its input.

    Every state gets numbers that depend on its name, so that two blocks with the same names agree.
    """

    def made(train: bool) -> Any:
        module = make().double()
        state = module.state_dict()
        for name, value in state.items():
            rng = np.random.default_rng([seed, *name.encode()])
            if np.asarray(value).dtype.kind == "f":
                state[name] = rng.uniform(0.5, 2, value.shape) if "var" in name else rng.normal(size=value.shape)
        module.load_state_dict(state)
        return module.train(train)

    def gradient() -> Any:
        leaf = nn.tensor(x, requires_grad=True)
        out = made(True)(leaf)
        out.backward(gradient=np.cos(np.arange(out.numel())).reshape(out.shape))
        return leaf.grad

    return {
        "parameters": lambda: {name: list(p.shape) for name, p in make().named_parameters()},
        "training": lambda: made(True)(nn.tensor(x, requires_grad=True)),
        "evaluation": lambda: made(False)(nn.tensor(x, requires_grad=True)),
        "gradient": gradient,
    }


def picture(name: str) -> Callable[..., Any]:
    """A figure, or a function that draws one: its artists' data (see `artists`)."""

    def probe(my: My, *case: Any) -> dict[str, Any]:
        return {name: lambda: draw(getattr(my, name), *case)}

    return _named("picture", (name,), probe)


def draw(what: Any, *case: Any) -> dict[str, Any]:
    """Call `what` if it is a function, and return the artists of the figure it returned, or of the current one."""
    import matplotlib.pyplot as plt

    before = set(plt.get_fignums())
    try:
        if callable(what):
            plt.figure()  # a bare plt.plot is to meet an empty figure, not what an earlier attempt left behind
            what = what(*copy.deepcopy(case))
        if isinstance(what, tuple | list):  # fig, ax, as plt.subplots gives them
            what = what[0]
        if not isinstance(getattr(what, "axes", None), list):  # an Axes, or an artist in one
            what = getattr(what, "figure", None) or what
        if what is None and plt.get_fignums():
            what = plt.gcf()
        return artists(what)
    finally:
        for number in set(plt.get_fignums()) - before:
            plt.close(number)


def artists(figure: Any) -> dict[str, Any]:
    """Return what a matplotlib figure shows as plain data: {"axes": [one mapping for each]}.

    The keys of axes: xlabel ylabel title xlim ylim xscale yscale lines points bars images texts. A line is
    {x, y, label, style, marker}; points (scatter) are {xy, label}; bars are {x, width, height}.
    Raises TypeError if it is no figure.
    """
    if not hasattr(figure, "axes"):
        raise TypeError(f"expected a matplotlib figure, got {type(figure).__name__}")
    axes = []
    for ax in figure.axes:
        bars = [p for p in ax.patches if hasattr(p, "get_height") and hasattr(p, "get_width")]
        axes.append({
            "xlabel": ax.get_xlabel(), "ylabel": ax.get_ylabel(), "title": ax.get_title(),
            "xlim": list(ax.get_xlim()), "ylim": list(ax.get_ylim()),
            "xscale": ax.get_xscale(), "yscale": ax.get_yscale(),
            "lines": [
                {"x": np.asarray(line.get_xdata(), float), "y": np.asarray(line.get_ydata(), float),
                 "label": str(line.get_label()), "style": str(line.get_linestyle()), "marker": str(line.get_marker())}
                for line in ax.lines
            ],
            "points": [
                {"xy": np.ma.filled(np.asarray(c.get_offsets(), float), math.nan), "label": str(c.get_label())}
                for c in ax.collections if hasattr(c, "get_offsets") and len(c.get_offsets())
            ],
            "bars": [
                {"x": float(bar.get_x()), "width": float(bar.get_width()), "height": float(bar.get_height())}
                for bar in bars
            ],
            "images": [np.ma.filled(np.ma.asarray(image.get_array(), float), math.nan) for image in ax.images],
            "texts": [text.get_text() for text in ax.texts],
        })  # fmt: skip
    return {"axes": axes}


# ------------------------------------------------------------------- running them


def run(probe: Callable[..., Any], names: dict[str, Any], cases: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Run a probe on the learner's `names` for every case; return {part: outcome} for each. Never raises."""
    return [_outcomes(probe, My(names), copy.deepcopy(tuple(case))) for case in cases]


def _outcomes(probe: Callable[..., Any], my: My, case: tuple[Any, ...]) -> dict[str, Any]:
    whole = _outcome(lambda: probe(my, *case), keep=True)
    result = whole.get("value")
    if "value" not in whole or not isinstance(result, dict):
        return {"": whole if "value" not in whole else _outcome(lambda: result)}
    return {part: _outcome(value if callable(value) else partial(_same, value)) for part, value in result.items()}


def _same(value: Any) -> Any:
    return value


def _outcome(thunk: Callable[[], Any], keep: bool = False) -> dict[str, Any]:
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(record=True) as caught,
            np.errstate(over="warn", divide="warn", invalid="warn", under="ignore"),
        ):
            warnings.simplefilter("always")
            value = thunk()
            outcome = {"value": value if keep else plain(value)}
    except Todo as todo:
        return {"todo": str(todo)}
    except NotImplementedError as error:
        return {"todo": str(error)}
    except Missing as missing:
        return {"missing": str(missing)}
    except (Exception, SystemExit) as error:
        return {"error": describe(error)}
    noise = [w for w in caught if issubclass(w.category, RuntimeWarning)]
    return outcome | ({"warned": str(noise[0].message)[:200]} if noise else {})


def describe(error: BaseException) -> str:
    """TypeError: what it says (line 3 of the cell), the line being the innermost one of a notebook cell or a test."""
    name = type(error).__name__
    text = f"{name}: {error}" if str(error) else name
    ours = {"nnlib", "numpy"}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not ours & set(Path(f.filename).parts)]
    line = frames[-1].line if frames else None
    return text[:500] + (f" (at: {line[:120]})" if line else "")


# ------------------------------------------------------------------- plain data


def plain(value: Any) -> Any:
    """Return numbers, strings, lists, mappings and numeric arrays as such; name the type of anything else.

    Tensors become arrays, scalars of NumPy and arrays without axes become Python's; sets are sorted.
    """
    return _plain(value, [0], 0)


def _plain(value: Any, count: list[int], depth: int) -> Any:
    count[0] += 1
    if count[0] > LIMIT or depth > 20:
        return {"strange": "an answer too large to look at"}
    if value is None or type(value) in (bool, str):
        return value
    if type(value) is int:
        return value if value.bit_length() < 1000 else {"strange": "a number with hundreds of digits"}
    if type(value) is float:
        return value
    if hasattr(value, "requires_grad") and hasattr(value, "data"):  # a Tensor, or the learner's own
        value = value.data
    if isinstance(value, np.ndarray | np.generic):
        array = np.array(value, subok=False)
        if array.dtype.kind not in "biufU" or array.size > LIMIT:
            return {"strange": f"an array of {array.dtype} and shape {array.shape}"}
        if array.dtype.kind == "U":
            return array.tolist()
        return array if array.ndim else array.item()
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple | range):
        return [_plain(item, count, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, count, depth + 1) for key, item in value.items()}
    return {"strange": f"a {type(value).__name__}"}


def same(a: Any, b: Any) -> bool:
    """Are two pieces of plain data equal, arrays element by element?"""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return np.shape(a) == np.shape(b) and bool(np.array_equal(np.asarray(a), np.asarray(b)))
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(a == b) or (a != a and b != b)


def dumps(data: Any) -> str:
    """Plain data as JSON; an array is {"array": [dtype, shape, base64]}, a float that JSON lacks {"float": "nan"}."""

    def encode(x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return {"array": [x.dtype.str, list(x.shape), base64.b64encode(np.ascontiguousarray(x).tobytes()).decode()]}
        if isinstance(x, float) and not math.isfinite(x):
            return {"float": repr(x)}
        if isinstance(x, list | tuple):
            return [encode(item) for item in x]
        if isinstance(x, dict):
            return {"map": [[key, encode(item)] for key, item in x.items()]}
        return x

    return json.dumps(encode(data), allow_nan=False)


def loads(text: str) -> Any:
    """The inverse of `dumps`. Raises ValueError for anything that `dumps` cannot have written."""

    def decode(x: Any) -> Any:
        if isinstance(x, list):
            return [decode(item) for item in x]
        if not isinstance(x, dict):
            return x
        (kind, body), = x.items()
        if kind == "map":
            return {str(key): decode(item) for key, item in body}
        if kind == "float":
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[body]
        if kind != "array":
            raise ValueError(f"unknown mark {kind!r}")
        dtype, shape, raw = np.dtype(body[0]), tuple(body[1]), base64.b64decode(body[2], validate=True)
        if dtype.kind not in "biuf":
            raise ValueError(f"no numeric array: {dtype}")
        return np.frombuffer(raw, dtype).reshape(shape).copy()

    try:
        return decode(json.loads(text))
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"not plain data: {error!r}") from None


def source_of(probe: Callable[..., Any]) -> str:
    """A program that defines ``probe`` as this one, given this module's names, ``np`` and ``nn``: for the sandbox."""
    if source := getattr(probe, "source", None):
        return f"probe = {source}\n"
    return f"{textwrap.dedent(inspect.getsource(probe))}\nprobe = {probe.__name__}\n"
