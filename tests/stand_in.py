"""A stand-in for CuPy, so that the device's code runs on machines without a GPU.

Its arrays live in ordinary memory but are as strict as CuPy's, or stricter: they do not mix with NumPy arrays in
operators, ufuncs, functions, indices or assignments, convert to NumPy only when asked (``get``, ``asnumpy``), have only
the functions and keywords that CuPy has (``FUNCTIONS`` and ``METHODS`` hold CuPy's own signatures; test_device.py
compares them with CuPy where it is installed), return 0-d arrays where NumPy returns scalars, and forget the memory
layout of their inputs, as CuPy's ufuncs do.

Kernels are run too: ``RawModule`` compiles the CUDA source as C++ with a header that plays blocks and threads, one
fiber per thread where threads wait for each other. It checks the types of the arguments, and that all threads of a
block meet.

    with stand_in.installed():
        nn.zeros(3, device="cuda")
"""

from __future__ import annotations

import ctypes
import functools
import inspect
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

# ------------------------------------------------------------------------------------- what CuPy has

UFUNCS = (
    "abs add bitwise_and bitwise_or bitwise_xor ceil cos divide equal exp expm1 floor greater greater_equal invert "
    "isfinite isinf isnan less less_equal log log1p logaddexp logical_and logical_not logical_or maximum minimum "
    "multiply negative not_equal positive power sign sin sqrt square subtract tanh"
).split()

FUNCTIONS = {  # CuPy's signatures, word for word
    "allclose": "(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)",
    "arange": "(start, stop=None, step=1, dtype=None)",
    "argsort": "(a, axis=-1, kind=None)",
    "array": "(obj, dtype=None, copy=True, order='K', subok=False, ndmin=0, *, blocking=False)",
    "asarray": "(a, dtype=None, order=None, *, copy=None, blocking=False)",
    "ascontiguousarray": "(a, dtype=None)",
    "asnumpy": "(a, stream=None, order='C', out=None, *, blocking=True)",
    "broadcast_to": "(array, shape)",
    "concatenate": "(tup, axis=0, out=None, *, dtype=None, casting='same_kind')",
    "cumprod": "(a, axis=None, dtype=None, out=None)",
    "cumsum": "(a, axis=None, dtype=None, out=None)",
    "einsum": "(*operands, **kwargs)",
    "empty": "(shape, dtype=<class 'float'>, order='C')",
    "empty_like": "(prototype, dtype=None, order='K', subok=None, shape=None)",
    "expand_dims": "(a, axis)",
    "eye": "(N, M=None, k=0, dtype=<class 'float'>, order='C')",
    "flip": "(a, axis=None)",
    "full": "(shape, fill_value, dtype=None, order='C')",
    "full_like": "(a, fill_value, dtype=None, order='K', subok=None, shape=None)",
    "linspace": "(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)",
    "moveaxis": "(a, source, destination)",
    "ones": "(shape, dtype=<class 'float'>, order='C')",
    "ones_like": "(a, dtype=None, order='K', subok=None, shape=None)",
    "put_along_axis": "(arr, indices, values, axis)",
    "roll": "(a, shift, axis=None)",
    "round": "(a, decimals=0, out=None)",
    "take_along_axis": "(a, indices, axis)",
    "tril": "(m, k=0)",
    "triu": "(m, k=0)",
    "unravel_index": "(indices, dims, order='C')",
    "where": "(condition, x=None, y=None)",
    "zeros": "(shape, dtype=<class 'float'>, order='C')",
    "zeros_like": "(a, dtype=None, order='K', subok=None, shape=None)",
}
METHODS = {  # of arrays; CuPy says their signatures in its documentation only
    "all": "(axis=None, out=None, keepdims=False)",
    "any": "(axis=None, out=None, keepdims=False)",
    "argmax": "(axis=None, out=None, dtype=None, keepdims=False)",
    "argmin": "(axis=None, out=None, dtype=None, keepdims=False)",
    "argsort": "(axis=-1, kind=None)",
    "astype": "(dtype, order='K', casting=None, subok=None, copy=True)",
    "clip": "(min=None, max=None, out=None)",
    "copy": "(order='C')",
    "diagonal": "(offset=0, axis1=0, axis2=1)",
    "max": "(axis=None, out=None, keepdims=False)",
    "mean": "(axis=None, dtype=None, out=None, keepdims=False)",
    "min": "(axis=None, out=None, keepdims=False)",
    "prod": "(axis=None, dtype=None, out=None, keepdims=None)",
    "ravel": "(order='C')",
    "reshape": "(*shape, order='C')",
    "squeeze": "(axis=None)",
    "std": "(axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "sum": "(axis=None, dtype=None, out=None, keepdims=False)",
    "swapaxes": "(axis1, axis2)",
    "take": "(indices, axis=None, out=None)",
    "transpose": "(*axes)",
    "var": "(axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
}
SCALARS = (bool, int, float, np.generic)


@functools.cache
def signature(text: str) -> inspect.Signature:
    """The signature that a line of the tables says."""
    return inspect.signature(eval(f"lambda {text[1:-1]}: 0".replace("<class 'float'>", "float")))


# ------------------------------------------------------------------------------------- arrays


def not_captured(what: str) -> None:
    """While a graph is being captured nothing may wait for the device, or come from memory that will be gone."""
    if state.stream.capturing:
        raise CUDARuntimeError(900, f"cudaErrorStreamCaptureUnsupported: {what} while a graph is captured")


def host(value: Any) -> Any:
    """What NumPy may see of an argument; a NumPy array among device arrays is an error, as in CuPy."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    if isinstance(value, (list, tuple)):
        return type(value)(map(host, value))
    return value


def device(value: Any, owner: ndarray | None = None, contiguous: bool = False) -> Any:
    """A result as device arrays; one that shares the memory of ``owner`` is a view of it."""
    if isinstance(value, (tuple, list)):
        return type(value)(device(v, owner, contiguous) for v in value)
    if isinstance(value, (np.ndarray, np.generic)):
        if owner is not None and value is owner._a:
            return owner
        value = np.asarray(value, order="C" if contiguous else None)
        result = ndarray.__new__(ndarray)
        result._a = value
        shares = owner is not None and np.may_share_memory(value, owner._a)
        result.base = (owner if owner.base is None else owner.base) if shares else None
        return result
    return value


class ndarray:
    """What ``cupy.ndarray`` shows of itself to nnlib."""

    __slots__ = ("__weakref__", "_a", "base")
    __hash__ = None  # type: ignore[assignment]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{func.__name__} got a device array")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and isinstance(inputs[0], np.generic):  # a NumPy scalar on the left of an operator
            return device(ufunc(*map(host, inputs)), contiguous=True)
        raise TypeError(f"numpy.{ufunc.__name__} got a device array")

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    strides = property(lambda self: self._a.strides)
    flags = property(lambda self: SimpleNamespace(c_contiguous=self._a.flags.c_contiguous))
    data = property(lambda self: SimpleNamespace(ptr=self._a.ctypes.data))
    device = property(lambda self: SimpleNamespace(id=0))
    T = property(lambda self: device(self._a.T, self))

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    def __repr__(self) -> str:
        return repr(self.get())

    def __format__(self, spec: str) -> str:
        if spec:
            raise TypeError("a device array takes no format; use float(...)")
        return repr(self)

    def __getitem__(self, index: Any) -> Any:
        found = self._a[host(index)]
        return made("getitem", device(found if isinstance(found, np.ndarray) else self._a[host(index) + (...,)]
                    if isinstance(index, tuple) else self._a[host(index), ...], self), self)  # fmt: skip

    def __setitem__(self, index: Any, value: Any) -> None:
        if not isinstance(value, (ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(value)}")
        self._a[host(index)] = host(value)
        worked("setitem", self._a[host(index)].nbytes, value)

    def get(self) -> np.ndarray:
        not_captured("a copy to the host")
        return self._a.copy()

    def set(self, array: np.ndarray, stream: Any = None) -> None:
        not_captured("a copy from the host")
        self._a[...] = array

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def fill(self, value: Any) -> None:
        self._a.fill(host(value))
        worked("fill", self)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)  # kDLCUDA: nobody can take it on the host


def computed(name: str, values: list[Any], **options: Any) -> Any:
    """A NumPy function of the values; while nothing but launches is counted, an array of its shape and type instead."""
    function = getattr(np, name)
    if not state.dry:
        return function(*values, **options)
    arrays = [v for v in values if isinstance(v, np.ndarray)]
    like = [np.ones((1,) * min(v.ndim, 2), v.dtype) if isinstance(v, np.ndarray) else v for v in values]
    dtype = function(*like, **options).dtype
    if name != "matmul":
        return np.empty(np.broadcast_shapes(*(a.shape for a in arrays)), dtype)
    a, b = arrays
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return np.empty((*lead, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ())), dtype)


def _operator(name: str, ufunc: str, reflected: bool = False, in_place: bool = False) -> Any:
    def operate(self: ndarray, *others: Any) -> Any:
        for other in others:
            if not isinstance(other, (ndarray, *SCALARS)):
                if isinstance(other, (np.ndarray, str, list)):
                    raise TypeError(f"Unsupported type {type(other)}")
                return NotImplemented
        values = [self._a, *map(host, others)]
        if in_place:
            if not state.dry:
                getattr(np, ufunc)(*values, out=self._a)
            worked(ufunc, self, self, *others)
            return self
        result = device(computed(ufunc, values[::-1] if reflected else values), contiguous=True)
        return made(ufunc, result, self, *others)

    operate.__name__ = name
    return operate


for _name, _ufunc in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "matmul": "matmul", "mod": "remainder",
    "floordiv": "floor_divide", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))
    setattr(ndarray, f"__r{_name}__", _operator(_name, _ufunc, reflected=True))
    setattr(ndarray, f"__i{_name}__", _operator(_name, _ufunc, in_place=True))
for _name, _ufunc in {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    "neg": "negative", "pos": "positive", "abs": "abs", "invert": "invert",
}.items():  # fmt: skip
    setattr(ndarray, f"__{_name}__", _operator(_name, _ufunc))


def _method(name: str) -> Any:
    def call(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        signature(METHODS[name]).bind(*args, **kwargs)
        if name == "argsort" and kwargs.get("kind") is None:
            kwargs["kind"] = "stable"  # CuPy's sorts are
        if name == "copy" and not args and not kwargs:
            args = ("C",)
        given = {k: host(v) for k, v in kwargs.items()}
        return made(name, device(getattr(self._a, name)(*map(host, args), **given), self), self, *args)

    return call


for _name in METHODS:
    setattr(ndarray, _name, _method(_name))


# ------------------------------------------------------------------------------------- functions


def _ufunc_of(name: str) -> Any:
    numpys = getattr(np, name)

    def call(*args: Any, out: Any = None, casting: str = "same_kind", dtype: Any = None) -> Any:
        for value in args:
            if not isinstance(value, (ndarray, *SCALARS)):
                raise TypeError(f"Unsupported type {type(value)}")
        if out is None:
            result = computed(name, [*map(host, args)], casting=casting, dtype=dtype)
            return made(name, device(result, contiguous=True), *args)
        if not isinstance(out, ndarray):
            raise TypeError(f"out must be a device array, not {type(out)}")
        numpys(*map(host, args), out=out._a, casting=casting, dtype=dtype)
        worked(name, out, *args)
        return out

    call.at = lambda a, indices, b=None: numpys.at(a._a, host(indices), host(b))  # type: ignore[attr-defined]
    call.__name__ = name
    return call


def _function(name: str) -> Any:
    numpys = getattr(np, name, None)

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature(FUNCTIONS[name]).bind(*args, **kwargs)
        if name in ("array", "asarray", "ascontiguousarray"):  # the way up: the only ones that take a host's array
            keywords = {k: v for k, v in kwargs.items() if k != "blocking"}
            if isinstance(args[0], ndarray):
                return made(name, device(numpys(args[0]._a, *args[1:], **keywords), args[0]), args[0])
            not_captured("a copy from the host")
            return device(np.array(args[0], *args[1:], **{k: v for k, v in keywords.items() if k != "copy"}))
        if name == "asnumpy":
            return args[0].get() if isinstance(args[0], ndarray) else np.asarray(args[0])
        if name == "argsort":
            kwargs["kind"] = "stable"
        if name in ("full", "full_like") and isinstance(bound.arguments["fill_value"], ndarray):
            raise TypeError("fill_value must be a number")
        owner = next((a for a in args if isinstance(a, ndarray)), None)
        result = numpys(*map(host, args), **{k: host(v) for k, v in kwargs.items()})
        if name == "broadcast_to":
            result.flags.writeable  # noqa: B018 - a view of the one element; CuPy lets you write, nobody should
        return device(result, owner) if name.startswith("empty") else made(name, device(result, owner), *args)

    call.__name__ = name
    return call


class Generator:
    """``cupy.random.Generator``: no permutation, no choice, no shuffle."""

    def __init__(self, seed: Any) -> None:
        self._rng = np.random.default_rng(seed)

    def random(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return made("random", device(np.asarray(self._rng.random(size, dtype))))

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        return made("standard_normal", device(np.asarray(self._rng.standard_normal(size, dtype))))

    def integers(
        self, low: int, high: Any = None, size: Any = None, dtype: Any = np.int64, endpoint: bool = False
    ) -> Any:
        return device(np.asarray(self._rng.integers(low, high, size, dtype, endpoint)))


# ------------------------------------------------------------------------------------- kernels


COMPILER = shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")

MATHS = """
#include <cmath>
using std::exp; using std::log; using std::sqrt; using std::pow; using std::nan; using std::erf; using std::tanh;
"""
SHIM = MATHS + r"""
#include <csetjmp>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <vector>
#include <ucontext.h>
#define __global__
#define __device__
#define __shared__ static
struct Place { int x, y, z; };
static Place gridDim, blockDim, blockIdx, threadIdx;
static std::function<void()> body;
// A thread that waits for others is a fiber with a stack of its own, used again by the next block. They switch by
// _longjmp, which unlike swapcontext asks the system nothing.
enum { READY, AT_SHUFFLE, AT_BARRIER, FINISHED };
struct Fiber { jmp_buf here; bool made; int state; std::vector<char> stack; };
static std::vector<Fiber> fibers(1024);
static jmp_buf scheduler;
static void pause_(Fiber& f, int state) { f.state = state; if (!_setjmp(f.here)) _longjmp(scheduler, 1); }
static void live() {
    Fiber& mine = fibers[threadIdx.x];
    for (;;) { body(); pause_(mine, FINISHED); }
}
static void run(int thread) {
    Fiber& f = fibers[threadIdx.x = thread];
    if (_setjmp(scheduler)) return;
    if (f.made) _longjmp(f.here, 1);
    static ucontext_t context;
    f.made = true;
    f.stack.resize(65536);
    getcontext(&context);
    context.uc_stack.ss_sp = f.stack.data();
    context.uc_stack.ss_size = f.stack.size();
    makecontext(&context, live, 0);
    setcontext(&context);
}
static void __syncthreads() { pause_(fibers[threadIdx.x], AT_BARRIER); }
static void __threadfence() {}
static int atomicAdd(int* place, int value) { int before = *place; *place += value; return before; }
// A shuffle holds up its own warp alone, so that nothing else is as if there were a barrier.
template <class V> V __shfl_xor_sync(unsigned, V value, int mask) {
    static V slots[1024];
    const int me = threadIdx.x;
    slots[me] = value;
    pause_(fibers[me], AT_SHUFFLE);
    V other = slots[me ^ mask];
    pause_(fibers[me], AT_SHUFFLE);
    return other;
}
// Blocks, warps and lanes come in another order each time, as nobody promises one: 0 … n−1 from anywhere, in strides.
static unsigned seed = 1;
extern "C" void reseed(unsigned s) { seed = s; }
static unsigned draw() { return (seed = seed * 1664525u + 1013904223u) >> 8; }
struct Order {
    int n, at, step;
    Order(int n) : n(n), at(draw() % n), step(1) {
        while (n > 1 && std::gcd(step = 1 + draw() % (n - 1), n) > 1);
    }
    int next() { return at = (at + (long long)step) % n; }
};
enum { FINE, BARRIER_MISSED, LANE_MISSING };
// One warp as far as it gets alone: to the barrier or to the end.
static int run_warp(int first) {
    for (;;) {
        Order lanes(32);
        int shuffling = 0;
        for (int i = 0; i < 32; i++) {
            const int t = first + lanes.next();
            if (fibers[t].state == READY) run(t);
        }
        for (int t = first; t < first + 32; t++) shuffling += fibers[t].state == AT_SHUFFLE;
        if (!shuffling) return FINE;
        if (shuffling < 32) return LANE_MISSING;
        for (int t = first; t < first + 32; t++) fibers[t].state = READY;
    }
}
static int run_block(int threads) {
    for (int t = 0; t < threads; t++) fibers[t].state = READY;
    for (;;) {
        Order warps(threads / 32);
        int finished = 0;
        for (int i = 0; i < threads / 32; i++)
            if (int wrong = run_warp(32 * warps.next())) return wrong;
        for (int t = 0; t < threads; t++) finished += fibers[t].state == FINISHED;
        if (finished == threads) return FINE;
        if (finished) return BARRIER_MISSED;
        for (int t = 0; t < threads; t++) fibers[t].state = READY;
    }
}
// Every thread of every block. What is undefined on a GPU is refused: threads that wait where others have left.
static int launch(const int* grid, int threads, bool waits, std::function<void()> kernel) {
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {threads, 1, 1};
    body = kernel;
    const int total = grid[0] * grid[1] * grid[2];
    Order blocks(total);
    for (int i = 0; i < total; i++) {
        const int b = blocks.next();
        blockIdx = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
        if (waits) {
            if (int wrong = run_block(threads)) return wrong;
        } else for (threadIdx.x = threads - 1; threadIdx.x >= 0; threadIdx.x--) kernel();
    }
    return FINE;
}
"""
FAULTS = ["", "some threads of a block wait where others have left", "lanes of a warp shuffle without the others"]


def kernels_of(source: str) -> dict[str, tuple[list[str], bool]]:
    """Kernel -> (types of its parameters, whether its threads wait for each other)."""
    found = {}
    pieces = re.split(r"^KERNEL (\w+)\((.*?)\) \{", source, flags=re.M | re.S)
    for name, parameters, text in zip(pieces[1::3], pieces[2::3], pieces[3::3]):
        types = [re.sub(r"\s*\w+$", "", " ".join(p.split())) for p in parameters.split(",")]
        found[name] = types, bool(re.search(r"block_|part_\w+\(|__syncthreads", text))
    return found


class RawModule:
    """Kernels of a source, compiled for the CPU."""

    def __init__(self, code: str, options: tuple[str, ...] = (), **kwargs: Any) -> None:
        assert not kwargs, kwargs
        self.code, self.options = code, options
        self.kernels = kernels_of(code)

    @functools.cached_property
    def _library(self) -> ctypes.CDLL:
        runs = []
        for name, (types, waits) in self.kernels.items():
            arguments = ", ".join(f"*({kind}*)a[{i}]" for i, kind in enumerate(types))
            runs.append(
                f'extern "C" int run_{name}(const int* g, int threads, void** a) '
                f"{{ return launch(g, threads, {str(waits).lower()}, [=] {{ {name}({arguments}); }}); }}"
            )
        structs = re.findall(r"^struct (\w+) \{", self.code, flags=re.M)
        sizes = [f'extern "C" int size_{s}() {{ return sizeof({s}); }}' for s in structs]
        return compiled("\n".join([SHIM, self.code, *runs, *sizes]), self.options)

    def get_function(self, name: str) -> Any:
        types, _ = self.kernels[name]

        def run(grid: tuple[int, ...], block: tuple[int, ...], args: tuple[Any, ...]) -> None:
            assert min(grid) > 0 and grid[0] < 2**31 and max(grid[1:], default=1) < 65536, f"{name}: grid {grid}"
            assert len(block) == 1 and 0 < block[0] <= 1024 and block[0] % 32 == 0, f"{name}: block {block}"
            assert block[0] & (block[0] - 1) == 0, f"{name}: {block[0]} threads are no power of two, as sums want them"
            assert len(args) == len(types), f"{name} takes {len(types)} arguments, got {len(args)}"
            kept = [self._argument(name, kind, value) for kind, value in zip(types, args)]
            pointers = (ctypes.c_void_p * len(kept))(*(k.ctypes.data for k in kept))
            places = (ctypes.c_int * 3)(*grid, *(1,) * (3 - len(grid)))
            computing = not state.dry or name == "store"  # what is counted is in the table
            if fault := computing and getattr(self._library, f"run_{name}")(places, block[0], pointers):
                raise AssertionError(f"{name}: {FAULTS[fault]}")
            launches.append(name)
            arrays = [a for a in args if isinstance(a, ndarray)]
            if types[0] == "Parameter*":  # a table of pointers: p, m and v are read and written, g read
                rows = arrays[0]._a.reshape(-1, 8)
                given = (rows[:, [0, 0, 1, 2, 2, 3, 3]] != 0).sum(1)
                size = 4 if "-DSCALAR=float" in self.options else 8
                worked(f"nnlib_{name}", size * int((rows[:, 5] * given).sum()))
            else:
                worked(f"nnlib_{name}", *arrays)

        return run

    def _argument(self, name: str, kind: str, value: Any) -> np.ndarray:
        """The bytes that a launch passes, after checking that they are what the kernel reads."""
        scalar = np.dtype("float32" if "-DSCALAR=float" in self.options else "float64")
        wanted = {"T": scalar, "int": np.dtype("int32"), "long long": np.dtype("int64"), "Parameter": np.dtype("int64")}
        if kind.endswith("*"):
            if type(value) is int and value == 0:
                return np.zeros(1, np.int64)
            assert isinstance(value, ndarray), f"{name}: {kind} got {type(value)}"
            expected = wanted[kind.removeprefix("const ").rstrip("* ")]
            assert value.dtype == expected, f"{name}: {kind} got {value.dtype}"
            return np.array([value.data.ptr], np.int64)
        if kind == "long long":
            assert type(value) is int, f"{name}: {kind} got {type(value)}"
            return np.array([value], np.int64)
        if kind == "double":
            assert type(value) is float, f"{name}: {kind} got {type(value)}"
            return np.array([value])
        size = getattr(self._library, f"size_{kind}")()
        assert isinstance(value, np.ndarray) and value.size == 1 and value.nbytes == size, (
            f"{name}: {kind} has {size} bytes"
        )
        return value


class ElementwiseKernel:
    """One expression for each element, with broadcasting."""

    def __init__(self, in_params: str, out_params: str, operation: str, name: str = "kernel") -> None:
        self.inputs, self.outputs = ([p.split() for p in text.split(",")] for text in (in_params, out_params))
        assert all(kind == "T" for kind, _ in self.inputs + self.outputs)
        self.operation, self.name = operation, name

    def __call__(self, *args: Any) -> Any:
        n = len(self.inputs)
        assert len(args) in (n, n + len(self.outputs)), f"{self.name} takes {n} arguments"
        if state.dry:
            launches.append(self.name)
            worked(self.name, *args)
            return args[-1]
        values = [np.asarray(host(a)) for a in args[:n]]
        dtype = next(a.dtype for a in args if isinstance(a, ndarray))
        assert all(a.dtype == dtype for a in args if isinstance(a, ndarray)), f"{self.name}: mixed dtypes"
        wide = [np.ascontiguousarray(v, dtype) for v in np.broadcast_arrays(*values)]
        results = [np.empty(wide[0].shape, dtype) for _ in self.outputs]
        both = [*self.inputs, *self.outputs]
        lines = [f"T& {x} = ((T**)a)[{k}][i];" for k, (_, x) in enumerate(both)]
        scalar = "float" if dtype == np.float32 else "double"
        loop = f"for (long long i = 0; i < n; i++) {{ {' '.join(lines)} {self.operation}; }}"
        code = f'{MATHS}\ntypedef {scalar} T;\nextern "C" void run(long long n, void** a) {{ {loop} }}'
        pointers = (ctypes.c_void_p * len(both))(*(v.ctypes.data for v in [*wide, *results]))
        compiled(code, ()).run(ctypes.c_longlong(wide[0].size), pointers)
        outs = args[n:] or [device(r) for r in results]
        for out, result in zip(outs, results):
            out._a[...] = result
        launches.append(self.name)
        worked(self.name, sum(a.nbytes for a in (*args[:n], *outs) if isinstance(a, ndarray)))
        return outs[0] if len(outs) == 1 else tuple(outs)


launches: list[str] = []  # nnlib's own kernels, in order: what a test counts
work: list[tuple[str, int]] = []  # everything that CuPy would launch, its own functions too, and the bytes they touch


def worked(name: str, *arrays: Any) -> None:
    """Count a launch and what it has to read and write: arrays, or a number of bytes."""
    work.append((name, sum(a if isinstance(a, int) else a.nbytes for a in arrays if isinstance(a, (int, ndarray)))))


def made(name: str, result: Any, *arguments: Any) -> Any:
    """``result``, counted as a launch if it is a new array: a view of an argument costs nothing."""
    arrays = [a for a in arguments if isinstance(a, ndarray)]
    arrays += [a for group in arguments if isinstance(group, (list, tuple)) for a in group if isinstance(a, ndarray)]
    for out in result if isinstance(result, (list, tuple)) else [result]:
        if isinstance(out, ndarray) and not any(out is a or np.may_share_memory(out._a, a._a) for a in arrays):
            worked(name, out, *arrays)
    return result


@functools.cache
def compiled(code: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """C++ as a shared library."""
    assert COMPILER, "no C++ compiler on this machine"
    folder = Path(tempfile.mkdtemp(prefix="nnlib-kernels-"))
    (folder / "k.cpp").write_text(code, encoding="utf-8")
    command = [
        COMPILER,
        "-std=c++17",
        "-O1",
        "-w",
        "-shared",
        "-fPIC",
        *options,
        "-o",
        str(folder / "k.so"),
        str(folder / "k.cpp"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    library = ctypes.CDLL(str(folder / "k.so"))
    shutil.rmtree(folder)
    return library


# ------------------------------------------------------------------------------------- streams, graphs, memory


class CUDARuntimeError(RuntimeError):
    """What the runtime raises; ``status`` is its number."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class OutOfMemoryError(MemoryError):
    """What the memory pool raises."""


class Stream:
    """Work in order. A capture is played by remembering nothing: the work is done at once, and counted."""

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.capturing = False
        self.ptr = 0 if null else id(self)

    def __enter__(self) -> Stream:
        self.before, state.stream = state.stream, self
        return self

    def __exit__(self, *error: Any) -> None:
        state.stream = self.before

    def synchronize(self) -> None:
        not_captured("waiting")
        state.synchronized += 1

    def begin_capture(self, mode: Any = None) -> None:
        self.capturing, self.begun = True, len(work)

    def end_capture(self) -> Any:
        self.capturing = False
        graph, captured = SimpleNamespace(launched=0), work[self.begun :]

        def launch(stream: Any = None) -> None:
            graph.launched += 1
            work.extend(captured)

        graph.launch = launch
        return graph

    def is_capturing(self) -> bool:
        return self.capturing

    def record(self) -> Any:
        return SimpleNamespace(done=True)


class MemoryPool:
    """Sizes, and a limit to run into."""

    def used_bytes(self) -> int:
        return 1024

    def total_bytes(self) -> int:
        return 4096

    def free_all_blocks(self) -> None:
        state.emptied += 1

    def malloc(self, size: int) -> Any:
        return SimpleNamespace(size=size)


@contextmanager
def _entered(*args: Any) -> Iterator[None]:
    yield


state = SimpleNamespace(stream=Stream(null=True), synchronized=0, emptied=0, pinned=0, devices=1, dry=False)


def counted(build: Any) -> list[tuple[str, int]]:
    """What the third ``step()`` of ``step = build()`` launches, and the bytes of each launch.

    Nothing is computed, so arrays of any size will do.
    """
    state.dry = True
    try:
        step = build()
        for _ in range(3):
            work.clear()
            step()
        return [*work]
    finally:
        state.dry = False


def module() -> ModuleType:
    """The module ``cupy``, with the parts of it that nnlib uses."""
    cupy = ModuleType("cupy")
    cupy.ndarray = ndarray  # type: ignore[attr-defined]
    for name in UFUNCS:
        setattr(cupy, name, _ufunc_of(name))
    for name in FUNCTIONS:
        setattr(cupy, name, _function(name))
    names = cupy.__dict__
    names["RawModule"], names["ElementwiseKernel"] = RawModule, ElementwiseKernel
    names["random"] = SimpleNamespace(default_rng=Generator, Generator=Generator)
    names["get_default_memory_pool"] = functools.cache(MemoryPool)
    names["from_dlpack"] = lambda array, *, device=None, copy=None: array

    def as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> Any:
        return device(np.lib.stride_tricks.as_strided(x._a, shape, strides), x)

    def sliding_window_view(
        x: ndarray, window_shape: Any, axis: Any = None, *, subok: bool = False, writeable: bool = False
    ) -> Any:
        return device(np.lib.stride_tricks.sliding_window_view(x._a, window_shape, axis), x)

    names["lib"] = SimpleNamespace(
        stride_tricks=SimpleNamespace(as_strided=as_strided, sliding_window_view=sliding_window_view)
    )

    def count() -> int:
        if state.devices == 0:
            raise CUDARuntimeError(100, "cudaErrorNoDevice: no CUDA-capable device is detected")
        if state.devices < 0:
            raise CUDARuntimeError(
                35, "cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"
            )
        return state.devices

    runtime = SimpleNamespace(
        getDeviceCount=count, getDevice=lambda: 0, memGetInfo=lambda: (3 << 30, 4 << 30),
        getDeviceProperties=lambda i: {"name": b"Stand-in", "major": 9, "minor": 0, "multiProcessorCount": 2},
        runtimeGetVersion=lambda: 13000, driverGetVersion=lambda: 13000,
    )  # fmt: skip
    names["cuda"] = SimpleNamespace(
        runtime=runtime, Device=_entered, Stream=Stream, MemoryPool=MemoryPool, using_allocator=_entered,
        get_current_stream=lambda: state.stream, PinnedMemoryPointer=PinnedMemoryPointer,
        set_allocator=lambda allocator=None: None, memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )  # fmt: skip
    return cupy


class PinnedMemoryPointer(bytearray):
    """Page-locked memory."""


def _pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    state.pinned += 1
    memory = PinnedMemoryPointer(max(int(np.prod(shape)) * np.dtype(dtype).itemsize, 1))
    return np.ndarray(shape, dtype, memory, order=order)  # type: ignore[call-overload]


@contextmanager
def installed() -> Iterator[ModuleType]:
    """``import cupy`` finds the stand-in inside the block, and nnlib a GPU."""
    import math

    from nnlib import cuda
    from nnlib import device as devices

    cupy, cupyx = module(), ModuleType("cupyx")
    special = ModuleType("cupyx.scipy.special")
    for name, function in {"erf": math.erf, "gammaln": math.lgamma}.items():

        def vectorized(x: ndarray, f: Any = function) -> Any:
            return device(np.vectorize(f, otypes=[x.dtype])(x._a) if x.size else x._a.copy())

        setattr(special, name, vectorized)
    cupyx.empty_pinned = _pinned  # type: ignore[attr-defined]
    fakes = {"cupy": cupy, "cupyx": cupyx, "cupyx.scipy": ModuleType("cupyx.scipy"), "cupyx.scipy.special": special}
    before = {name: sys.modules.get(name) for name in fakes}
    sys.modules.update(fakes)
    cuda._forget()
    try:
        yield cupy
    finally:
        cuda._forget()
        devices.unregister(ndarray)
        for name, found in before.items():
            if found is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = found
        launches.clear()
        work.clear()


def mixes() -> list[tuple[str, Any]]:
    """Ways to mix a device array with a NumPy array, each of which must raise TypeError."""
    import operator

    found: list[tuple[str, Any]] = []
    for name in ("add", "sub", "mul", "truediv", "pow", "matmul", "lt", "le", "gt", "ge", "eq", "ne"):
        function = getattr(operator, name)
        found.append((f"{name}, device first", lambda d, h, f=function: f(d, h)))
        found.append((f"{name}, NumPy first", lambda d, h, f=function: f(h, d)))
    for name in ("iadd", "isub", "imul", "itruediv"):
        function = getattr(operator, name)
        found.append((f"{name}, into the device array", lambda d, h, f=function: f(d, h)))
        found.append((f"{name}, into the NumPy array", lambda d, h, f=function: f(h, d)))
    for name in ("add", "maximum", "logaddexp"):
        found.append((f"numpy.{name}", lambda d, h, n=name: getattr(np, n)(h, d)))
    for name in ("exp", "isfinite"):
        found.append((f"numpy.{name}", lambda d, h, n=name: getattr(np, n)(d)))
    for name in ("sum", "concatenate", "stack", "where", "dot", "shape", "allclose"):
        arguments = {"concatenate": 1, "stack": 1, "where": 3, "dot": 2, "allclose": 2}.get(name, 0)
        found.append((f"numpy.{name}", lambda d, h, n=name, k=arguments: getattr(np, n)(
            *(([d, h],) if k == 1 else (h > 0, d, h) if k == 3 else (h, d) if k == 2 else (d,)))))  # fmt: skip
    found += [
        ("numpy.asarray", lambda d, h: np.asarray(d)),
        ("numpy.array", lambda d, h: np.array(d)),
        ("numpy.add out=", lambda d, h: np.add(h, h, out=d)),
        ("index by a NumPy array", lambda d, h: d[np.array([0, 1])]),
        ("index by a NumPy mask", lambda d, h: d[h > 0]),
        ("index in a tuple", lambda d, h: d[(np.array([0]), slice(None))]),
        ("assign a NumPy array", lambda d, h: d.__setitem__(slice(None), h)),
        ("assign by a NumPy index", lambda d, h: d.__setitem__(np.array([0]), 1.0)),
        ("NumPy array assigned from the device", lambda d, h: h.__setitem__(slice(None), d)),
        ("take by a NumPy array", lambda d, h: d.take(np.array([0]), 0)),
        ("clip by a NumPy array", lambda d, h: d.clip(h, h)),
    ]
    return found


counter = itertools.count()
