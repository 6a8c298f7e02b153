"""The Tensor, the ``@op`` protocol, and the ops behind operators, reductions, shapes and indexing.

An op is a function of arrays that returns its output and, for each argument annotated ``Array``, a function
from the gradient of the output to the gradient of that argument::

    @op
    def mul(x: Array, y: Array):
        return x * y, lambda g: unbroadcast(g * y, x), lambda g: unbroadcast(g * x, y)

``@op`` turns it into a function of tensors: it unwraps the arguments, wraps the result, and records a node if
somebody will want the gradient. An argument annotated ``Arrays`` is a sequence and gets a list of gradient
functions. An op with several outputs returns a tuple of arrays first; only the first carries a gradient. Gradient
functions hold arrays, never tensors, and return a new array or a view of ``g``; they never write into ``g``.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from . import autograd, cuda, kernels
from .autograd import Node, _mode
from .device import _quiet, _state, accelerators, device_of, get_array_module, quietly, rng, special

__all__ = [
    "Tensor", "abs", "add", "all", "allclose", "amax", "amin", "any", "arange", "argmax", "argmin", "argsort",
    "as_tensor", "broadcast_to", "cast", "cat", "ceil", "chunk", "clamp", "clone", "cos", "cumprod", "cumsum",
    "detect_anomaly", "diagonal", "div", "einsum", "eq", "erf", "exp", "expand", "expm1", "eye", "flatten", "flip",
    "float16", "float32", "float64", "floor", "floor_divide", "from_dlpack", "from_numpy", "full", "full_like",
    "gather", "ge", "get_default_dtype", "getitem", "grad", "gt", "int16", "int32", "int64", "int8", "isfinite",
    "isinf", "isnan", "le", "linspace", "log", "log1p", "logsumexp", "long", "lt", "masked_fill", "masked_select",
    "matmul", "max", "maximum", "mean", "meshgrid", "min", "minimum", "mul", "ne", "neg", "norm", "ones", "ones_like",
    "op", "outer", "permute", "pow", "prod", "rand", "randint", "randn", "randperm", "reciprocal", "remainder",
    "repeat", "reshape", "roll", "round", "rsqrt", "set_default_dtype", "sigmoid", "sign", "sin", "sort", "split",
    "sqrt", "square", "squeeze", "stack", "std", "sub", "sum", "tanh", "tensor", "topk", "transpose", "tril", "triu",
    "uint8", "unbind", "unsqueeze", "var", "where", "zeros", "zeros_like",
]  # fmt: skip

Array: TypeAlias = Any  # a NumPy or CuPy array inside an op; a Tensor, an array or a number for its caller
Arrays: TypeAlias = Any  # a sequence of them
Dim: TypeAlias = Any  # None (all), an int, or a tuple of ints

float16, float32, float64 = np.dtype("float16"), np.dtype("float32"), np.dtype("float64")
int8, int16, int32, int64 = np.dtype("int8"), np.dtype("int16"), np.dtype("int32"), np.dtype("int64")
uint8, bool_ = np.dtype("uint8"), np.dtype("bool")
long = int64

_default_dtype = float32


# ---------------------------------------------------------------------------------------------- the tensor


class Tensor:
    """An array that remembers how it was computed.  PyTorch: ``torch.Tensor``.

    ``data`` and ``grad`` are arrays of the device's library (in PyTorch: tensors). ``node`` is the
    :class:`~nnlib.autograd.Node` that made it, None for a leaf. Make one with :func:`tensor`.

    Assigning to ``data`` is noticed by a graph that still needs the old array; writing *into* ``data``
    (``t.data[0] = 1``) is not: it is the way around every check, as ``.data`` is in PyTorch.

    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.], dtype=float32)
    """

    __slots__ = ("__dict__", "__weakref__", "_data", "_grad", "node", "requires_grad")
    _changed = [0]  # when the elements last changed in place, by autograd's clock: one list for all who share them
    __array_ufunc__ = None  # ndarray * Tensor calls Tensor.__rmul__ instead of making an array of objects

    if TYPE_CHECKING:  # ops become methods at the end of the file

        def __getattr__(self, name: str) -> Any: ...
        def _binary(self, other: Any) -> Tensor: ...
        def _unary(self) -> Tensor: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _binary
        __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __lt__ = __le__ = __gt__ = __ge__ = _binary
        __and__ = __or__ = __xor__ = __getitem__ = _binary
        __neg__ = __abs__ = __invert__ = _unary

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self._data = data
        self._grad: Any = None
        self.node: Node | None = None
        self.requires_grad = requires_grad

    @property
    def data(self) -> Any:
        """The array itself, without its history."""
        if isinstance(self._data, np.generic):
            self._data = np.asarray(self._data)  # 0-d results are kept as NumPy scalars, which are faster
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        self._data = value._data if isinstance(value, Tensor) else value
        self._changed = [autograd.now()]

    @property
    def grad(self) -> Any:
        """What ``backward`` has added up so far, an array of this shape; None before."""
        if isinstance(self._grad, np.generic):
            self._grad = np.asarray(self._grad)
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        self._grad = value._data if isinstance(value, Tensor) else value

    shape = property(lambda self: self._data.shape, doc="The lengths of the axes, a tuple.")
    dtype = property(lambda self: self._data.dtype, doc="The NumPy dtype of the elements.")
    ndim = property(lambda self: self._data.ndim, doc="The number of axes.")
    is_leaf = property(lambda self: self.node is None, doc="Not the result of a recorded op.")

    @property
    def device(self) -> str:
        """``"cpu"``, or ``"cuda:0"``."""
        return device_of(self._data)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one axis."""
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self._data.size

    # -- leaving the graph

    def item(self) -> Any:
        """The only element as a Python number.  Raises ValueError for more than one."""
        if self._data.size != 1:
            raise ValueError(f"item: needs a tensor with one element, got shape {self.shape}. Use tolist().")
        return self._data.item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        return self._data.tolist()

    def detach(self) -> Tensor:
        """The same array outside the graph (shared, not copied)."""
        return Tensor(self.data)._shares(self)

    @property
    def version(self) -> int:
        """When the elements were last changed in place, by the clock of autograd."""
        return self._changed[0]

    @version.setter
    def version(self, value: int) -> None:
        self.__dict__.setdefault("_changed", [0])[0] = value

    def _shares(self, other: Tensor) -> Tensor:
        """Remember that a change of these elements changes those of ``other``, and the other way round."""
        self._changed = other.__dict__.setdefault("_changed", [0])
        return self

    def numpy(self) -> np.ndarray:
        """The array as NumPy (shared).  Raises RuntimeError where a gradient or a device would be lost silently."""
        if self.requires_grad:
            raise RuntimeError("numpy: this tensor is part of a graph. Use t.detach().numpy().")
        if self.device != "cpu":
            raise RuntimeError(f"numpy: this tensor lives on {self.device}. Use t.cpu().numpy().")
        return self.data

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    # -- gradients

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for gradients of this leaf (or stop asking), in place."""
        if self.node is not None and not requires_grad:
            raise RuntimeError("requires_grad_: only a leaf can stop asking for gradients. Use t.detach().")
        if requires_grad:
            _check_differentiable("requires_grad_", self._data)
        self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate tensor in ``.grad`` during the next ``backward``."""
        if self.node is not None:
            self.node.keep = True

    def backward(self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False) -> None:
        """Add d(self)/d(leaf) to the ``.grad`` of every leaf; ``gradient`` (same shape) weights a non-scalar.

        PyTorch: ``Tensor.backward``. Raises RuntimeError without a graph, for a non-scalar without
        ``gradient``, and for a second walk without ``retain_graph=True``.

            >>> x = nn.tensor(3.0, requires_grad=True)
        >>> (x**2).backward(); x.grad.item()
        6.0
        """
        if create_graph:
            why = "create_graph=True would differentiate gradients again, and computing them leaves no graph"
            raise RuntimeError(f"backward: {why}. Use nn.testing.numeric_grad on the gradient for second derivatives.")
        walk = cuda.on_device(self._data, _quiet_backward) if accelerators else _quiet_backward
        try:
            walk(self, self._seed(gradient), retain_graph)
        except MemoryError as error:
            raise cuda.explained(error, "backward") from None

    def _seed(self, gradient: Any) -> Any:
        """The gradient that backward starts with: ones for a scalar, checked otherwise."""
        data = self._data
        if not self.requires_grad:
            raise RuntimeError(
                "backward: no input of this value has requires_grad=True (or it was computed under no_grad()). "
                "Use nn.tensor(..., requires_grad=True) for what you differentiate by."
            )
        if gradient is None:
            if not data.ndim and type(data) not in accelerators:
                return data.dtype.type(1)
            if data.size != 1:
                fix = "Reduce it first (.sum() or .mean()) or pass gradient= of the same shape."
                raise RuntimeError(f"backward: gradients start from one number, got shape {data.shape}. {fix}")
            return get_array_module(data).ones_like(data)
        gradient = gradient._data if isinstance(gradient, Tensor) else gradient
        shape = gradient.shape if hasattr(gradient, "shape") else np.shape(gradient)
        if shape != data.shape:
            raise ValueError(f"backward: gradient must have the tensor's shape {data.shape}, got {shape}.")
        if accelerators:
            cuda.same_device("backward", ("the tensor", "its gradient"), [data, gradient])
        return get_array_module(data).asarray(gradient, dtype=data.dtype)

    # -- Python's protocols

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self.cpu()._data), precision=4, separator=", ", prefix="tensor(")
        tail = "" if self.dtype in (float32, int64, bool_) else f", dtype={self.dtype}"
        tail += "" if self.device == "cpu" else f", device='{self.device}'"
        if self.node is not None:
            tail += f", grad_fn=<{self.node.op}>"
        elif self.requires_grad:
            tail += ", requires_grad=True"
        return f"tensor({body}{tail})"

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("len: a 0-d tensor has no length. Use t.item() for its value.")
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ValueError(f"bool: a tensor of shape {self.shape} is neither true nor false. Use .any() or .all().")
        return bool(self._data)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeError(f"index: only integer tensors can index a list, got {self.dtype}. Use t.long().")
        return operator.index(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item() if spec and self._data.size == 1 else str(self), spec)

    def __contains__(self, value: Any) -> bool:
        return bool((self._data == (value._data if isinstance(value, Tensor) else value)).any())

    __hash__ = object.__hash__  # == compares elements; dicts and sets go by identity, as in PyTorch

    # -- changes in place

    def _change(self, name: str, other: Any, compute: Callable[[Any, Any], Any], fix: str) -> Tensor:
        """Replace the elements, after making sure that no gradient is lost by it."""
        gradient = self.requires_grad or (isinstance(other, Tensor) and other.requires_grad)
        if _mode.grad and gradient:
            why = "changes a tensor in place that a graph needs, so its gradient would be lost"
            fix += ", or nn.no_grad() if you mean to change the values without a gradient."
            raise RuntimeError(f"{name}: {why}. Use {fix}")
        array = self.data
        value = other._data if isinstance(other, Tensor) else other
        if accelerators:
            cuda.same_device(name, ("the tensor", "the value"), [array, value])
        try:
            compute(array, value)
        except (ValueError, TypeError) as error:  # of the wrong shape, or of a dtype that loses something
            came = f"{value.dtype} of shape {value.shape}" if hasattr(value, "dtype") else repr(value)
            known = f"{name}: {came} does not fit into {array.dtype} of shape {array.shape}."
            if isinstance(error, TypeError):
                raise TypeError(f"{known} Use {fix}.") from None
            raise ValueError(f"{known} Use a value of that shape, or one that broadcasts to it.") from None
        except IndexError as error:
            raise IndexError(f"{name}: {error}; the tensor has shape {array.shape}.") from None
        self.version = autograd.now()
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        def write(array: Any, other: Any) -> None:
            array[_plain_index(index, get_array_module(array))] = other

        self._change("t[i] = v", value, write, "nn.where or nn.cat to build a new tensor")

    def copy_(self, other: Any) -> Tensor:
        """Take over the elements of ``other`` in place (broadcast, cast, from any device)."""
        other = other.to(self.device) if isinstance(other, Tensor) else other
        return self._change("copy_", other, lambda a, b: operator.setitem(a, ..., b), "t = other.clone()")

    def fill_(self, value: Any) -> Tensor:
        """Set every element to ``value`` in place."""
        return self._change("fill_", value, lambda a, b: operator.setitem(a, ..., b), "nn.full_like(t, value)")

    def zero_(self) -> Tensor:
        """Set every element to 0 in place."""
        return self.fill_(0)

    # -- other dtypes, other devices

    def to(self, target: Any, dtype: Any = None) -> Tensor:
        """The same tensor with another dtype (``nn.float64``), on another device (``"cpu"``, ``"cuda"``), or both.

        Raises RuntimeError where there is no such device.  PyTorch: ``Tensor.to``.

        >>> nn.tensor([1, 2]).to("cpu", nn.float64).dtype
        dtype('float64')
        """
        if dtype is not None:
            return self.to(target).to(dtype)
        if isinstance(target, Tensor):
            return self.to(target.device).to(target.dtype)
        if isinstance(target, str) and target.partition(":")[0] in ("cpu", "cuda"):
            place = cuda.canonical(target)
            return self if place == self.device else _move(self, place)
        return cast(self, _checked_dtype("to", target))

    def cpu(self) -> Tensor:
        """The tensor on the host."""
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> Tensor:
        """The tensor on a GPU.  Raises RuntimeError without one."""
        return self.to("cuda" if device is None else f"cuda:{device}")

    def pin_memory(self) -> Tensor:
        """A copy in page-locked memory, from which ``to("cuda")`` is faster; without a GPU the tensor itself."""
        pinned = cuda.pin_memory(self.data)
        return self if pinned is self.data else Tensor(pinned)

    def __dlpack__(self, **options: Any) -> Any:
        """The array for another library, uncopied: ``torch.from_dlpack(t)``, ``jax.dlpack.from_dlpack(t)``."""
        if self.requires_grad:
            raise BufferError("__dlpack__: another library would not see the graph. Use t.detach().")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        """(1, 0) for the host, (2, n) for GPU n, as DLPack numbers them."""
        return self.data.__dlpack_device__()


_quiet_backward = quietly(autograd.backward)


def _checked_dtype(name: str, dtype: Any) -> Any:
    try:
        return np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{name}: expected a dtype or device ('cpu', 'cuda'), got {dtype!r}. Use nn.float32.") from None


def _check_tensor(name: str, what: str, value: Any, kind: Any = Tensor) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name}: {what} must be a Tensor, got {type(value).__name__}. Use nn.tensor({what}).")


def _check_integer(name: str, least: int = 1, fix: int | None = None, **settings: Any) -> None:
    for what, value in settings.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            if fix is None:
                fix = int(value) if isinstance(value, float) and least <= value < math.inf else least
            raise ValueError(f"{name}: {what} must be an integer >= {least}, got {value!r}. Use {what}={fix}.")


_FINITE = float(np.finfo(np.float64).max)


def _check_number(name: str, fix: Any, least: float = 0.0, most: float = _FINITE, **settings: Any) -> None:
    for what, value in settings.items():
        number = hasattr(value, "__float__") and not isinstance(value, (bool, str))
        if not number or not least <= value <= most:
            span = f">= {least:g}" if most >= _FINITE else f"in {least:g}…{most:g}"
            raise ValueError(f"{name}: {what} must be a number {span}, got {value!r}. Use {what}={fix}.")


def _check_one_of(name: str, allowed: Sequence[str], **settings: Any) -> None:
    for what, value in settings.items():
        if value not in allowed:
            words = ", ".join(map(repr, allowed[:-1])) + f" or {allowed[-1]!r}"
            raise ValueError(f"{name}: {what} must be {words}, got {value!r}. Use {what}={allowed[0]!r}.")


def _check_differentiable(name: str, x: Any) -> None:
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: gradients need floating-point data, got {x.dtype}. Use nn.tensor(1.0) or t.float().")


# ---------------------------------------------------------------------------------------------- the protocol


def op(function: Callable[..., Any] | None = None, *, same_dtype: bool = False) -> Any:
    """Turn a function of arrays that returns ``out, grad_fn, …`` into a differentiable function of tensors.

    ``same_dtype=True`` refuses mixed dtypes (as PyTorch's matmul does) instead of promoting them.

    >>> @nn.op
    ... def cube(x: Array):
    ...     return x**3, lambda g: g * 3 * x**2
    >>> x = nn.tensor(2.0, requires_grad=True)
    >>> y = cube(x); y.backward(); y.item(), x.grad.item()
    (8.0, 12.0)
    """
    if function is None:
        return functools.partial(op, same_dtype=same_dtype)
    names = _parameters(function)
    kinds = [{"Array": 1, "Arrays": 2}.get(str(function.__annotations__.get(n)), 0) for n in names]
    name = function.__name__.strip("_")
    positions = [i for i, kind in enumerate(kinds) if kind]
    first = positions == list(range(len(positions)))  # do the differentiable arguments come first?

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) > len(kinds):
            args = _bind(name, function, args, kwargs)
        raw: list[Any] = []  # the arguments as compute takes them: arrays instead of tensors
        values: list[Tensor] = []
        dtype, check, converted = None, False, False
        for argument, kind in zip(args, kinds):
            if isinstance(argument, Tensor):
                data = argument._data
                raw.append(data)
                values.append(argument)
                if kind and (found := data.dtype) is not dtype:
                    check = check or dtype is not None
                    dtype = found
            elif not kind or (kind == 1 and type(argument) in _PLAIN):
                raw.append(argument)
            elif kind == 2:
                if not hasattr(argument, "__iter__"):
                    raise TypeError(f"{name}: needs a list of Tensors, got {argument!r:.40}. Use {name}([…]).")
                raw.append([a._data if isinstance(a, Tensor) else a for a in argument])
                values += [a for a in argument if isinstance(a, Tensor)]
                check = True
            else:
                raw.append(argument.item() if isinstance(argument, np.generic) else argument)
                check = True
        if accelerators and values:
            cuda.same_device(name, names, raw)
        if check or not values or (dtype is not float32 and dtype is not None and dtype.kind != "f"):
            converted = _check_arguments(name, names, kinds, raw, same_dtype)
        token = _state.set(_quiet)  # Inf and NaN flow silently, as in PyTorch; see detect_anomaly
        try:
            out, *grad_fns = (cuda.on_device(values[0]._data, function) if accelerators else function)(*raw)
        except (AttributeError, TypeError, ValueError) as error:
            raise _in_words(function, dict(zip(names, raw)), error) from None
        except MemoryError as error:
            raise cuda.explained(error, name) from None
        finally:
            _state.reset(token)
        extra = None
        if type(out) is tuple:
            out, *extra = out
        if _mode.watch is not None:
            _mode.watch(out, name)
        result = Tensor(out)
        if out.base is not None and values:
            _note_view(result, values[0])
        if _mode.grad:
            edges: list[tuple[Any, Any]] = []
            for source, grad_fn in zip(args if first else [args[i] for i in positions if i < len(args)], grad_fns):
                if isinstance(source, Tensor):
                    if source.requires_grad:
                        edges.append((source, _cast_back(grad_fn, source.dtype) if converted else grad_fn))
                elif type(grad_fn) is list:
                    edges += [(a, f) for a, f in zip(source, grad_fn) if isinstance(a, Tensor) and a.requires_grad]
            if edges:
                result.requires_grad = True
                result.node = Node(name, edges, args, values)
        return result if extra is None else (result, *map(Tensor, extra))

    made = _quick(call, function, len(kinds) == 2) if kinds in ([1], [1, 1]) else call
    made.is_op = True  # type: ignore[union-attr]
    return made


def _quick(general: Any, function: Any, binary: bool) -> Any:
    """``general`` with a short way for an op of one or two arguments, all of one float dtype, or numbers.

    Small graphs spend their time here: without loops over arguments an addition of numbers takes 1.4 instead of
    2.4 µs. Whatever is unusual goes to ``general``, and whatever is not must come out as it would there.
    """
    name = function.__name__.strip("_")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != 1 + binary or not _mode.usual:
            return general(*args, **kwargs)
        a, b = args[0], args[-1]
        a_is, b_is = isinstance(a, Tensor), isinstance(b, Tensor)
        if not (a_is or (b_is and type(a) in _PLAIN)) or not (b_is or type(b) in _PLAIN):
            return general(*args)
        x, y = a._data if a_is else a, b._data if b_is else b
        dtype = x.dtype if a_is else y.dtype
        if (dtype is not float32 and dtype is not float64) or (a_is and b_is and y.dtype is not dtype):
            return general(*args)
        if accelerators and (type(x) in accelerators or type(y) in accelerators):
            return general(*args)
        values = args if a_is and b_is else (a,) if a_is else (b,)
        token = _state.set(_quiet)
        try:
            out, grad_a, grad_b = function(x, y) if binary else (*function(x), None)
        except (ValueError, AttributeError, TypeError):
            return general(*args)  # which says what is wrong
        finally:
            _state.reset(token)
        if type(out) is tuple:
            return general(*args)
        result = Tensor(out)
        if out.base is not None:
            _note_view(result, values[0])
        edges = [(a, grad_a)] if a_is and a.requires_grad else []
        if binary and b_is and b.requires_grad:
            edges.append((b, grad_b))
        if edges:
            result.requires_grad = True
            result.node = Node(name, edges, args, values)
        return result

    call.general = general  # type: ignore[attr-defined]
    return call


def _note_view(result: Tensor, source: Tensor) -> None:
    """Remember it if the elements of ``result`` are those of ``source``, or of what it is a view of."""
    if result._data.base is source._data or result._data.base is source._data.base:
        result._shares(source)


def _cast_back(grad_fn: Any, dtype: Any) -> Any:
    """The gradient of an argument that was converted for the op, in the dtype it had before."""
    return lambda g: grad_fn(g).astype(dtype, copy=False)


def _parameters(function: Any) -> tuple[str, ...]:
    """The names of the parameters; ``inspect.signature`` would take a fifth of the import for all ops."""
    return function.__code__.co_varnames[: function.__code__.co_argcount]


@functools.cache
def _signature(function: Any) -> Any:
    import inspect

    return inspect.signature(function)


def _bind(name: str, function: Any, args: tuple[Any, ...], kwargs: Any) -> tuple[Any, ...]:
    """Positional form of a call with keywords."""
    signature = _signature(function)
    try:
        bound = signature.bind(*args, **_spelled(kwargs, signature.parameters))
    except TypeError as error:
        raise TypeError(f"{name}: {error}; it takes {', '.join(signature.parameters)}.") from None
    bound.apply_defaults()
    return bound.args


def _spelled(kwargs: Any, known: Any) -> dict[str, Any]:
    """Keywords as they are called here: NumPy's names are taken too, and ``unbiased``, as in PyTorch."""
    names = {"axis": "dim", "keepdims": "keepdim", "unbiased": "correction"}
    return {name if name in known else names.get(name, name): value for name, value in kwargs.items()}


_PLAIN = (float, int, bool, type(None))  # numbers as they come: NumPy lets them take the dtype of the array


def _check_arguments(name: str, names: Any, kinds: Any, raw: list[Any], same_dtype: bool) -> bool:
    """Refuse what is no array; bring mixed dtypes together as PyTorch does (in ``raw``, in place). Was it needed?"""
    at = [i for i in range(len(raw)) if kinds[i]]
    arrays = []
    for i in at:
        for value in raw[i] if kinds[i] == 2 else [raw[i]]:
            if hasattr(value, "dtype"):
                arrays.append(value)
            elif not isinstance(value, _PLAIN) or kinds[i] == 2:
                what = f"{names[i]} must hold Tensors" if kinds[i] == 2 else f"{names[i]} must be a Tensor"
                raise TypeError(f"{name}: {what}, got {type(value).__name__}. Use nn.tensor({names[i]}).")
    if not arrays:
        if raw and kinds[0] == 2:
            raise ValueError(f"{name}: {names[0]} must hold at least one Tensor, got {raw[0]}. Check the list.")
        kind = type(raw[0]).__name__ if raw else "nothing"
        raise TypeError(f"{name}: {names[0]} must be a Tensor, got {kind}. Use nn.tensor({names[0]}).")
    dtypes = {a.dtype for a in arrays}
    if len(dtypes) > 1 and same_dtype:
        listed = " and ".join(sorted(map(str, dtypes)))
        raise TypeError(f"{name}: got {listed}; the arguments must share one dtype. Use t.float() or t.double().")
    # PyTorch's rule: bool < int < float; within a kind, tensors with axes decide, then 0-d tensors, then numbers.
    numbers = [_default_dtype if type(raw[i]) is float else int64 for i in at if type(raw[i]) in (int, float)]
    if len(dtypes) == 1 and not (numbers and arrays[0].dtype.kind != "f"):
        return False
    target = bool_
    for group in ([a.dtype for a in arrays if a.ndim], [a.dtype for a in arrays if not a.ndim], numbers):
        highest = builtins.max([_RANK[d.kind] for d in group], default=0)
        if highest > _RANK[target.kind]:
            target = np.result_type(*[d for d in group if _RANK[d.kind] == highest])
    for i in at:
        if kinds[i] == 2:
            raw[i] = [a.astype(target, copy=False) for a in raw[i]]
        elif hasattr(raw[i], "dtype") and raw[i].dtype != target:
            raw[i] = raw[i].astype(target)
    return True


_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}


def _in_words(function: Any, given: dict[str, Any], error: Exception) -> Exception:
    """Python's or NumPy's complaint, as one of the function: what came, and what it takes."""
    name, kinds, parameters = function.__name__.strip("_"), function.__annotations__, _signature(function).parameters
    if str(error).split(" ", 1)[0].endswith(":"):  # the words of an op already
        return error
    if str(error).startswith("operands could not be broadcast"):
        listed = " and ".join(str(a.shape) for a in given.values() if hasattr(a, "shape"))
        rule = f"{listed} do not broadcast: counted from the right, lengths must be equal or 1"
        return ValueError(f"{name}: shapes {rule}. Use reshape or unsqueeze to line the axes up.")
    for what, value in given.items():
        missing = value is None and kinds.get(what) == "Array" and parameters[what].default is None
        if kinds.get(what) == "Array" and not (isinstance(error, ValueError) or hasattr(value, "dtype") or missing):
            return TypeError(f"{name}: {what} must be a Tensor, got {value!r:.40}. Use nn.tensor({what}).")
    given = {what: v for what, v in given.items() if kinds.get(what) not in ("Array", "Arrays", "Tensor")}
    if not given or not function.__module__.startswith("nnlib."):  # the author of an op sees where it broke
        return error
    kind = ValueError if isinstance(error, ValueError) else TypeError
    came = ", ".join(f"{what}={value!r:.30}" for what, value in given.items())
    return kind(f"{name}: got {came}: {error}. It takes {', '.join(parameters)}.")


def unbroadcast(g: Array, x: Array) -> Array:
    """Sum ``g`` over the axes along which ``x`` was repeated, so that it has the shape and dtype of ``x``."""
    if type(g) is type(x) and type(g) in _NUMBERS:
        return g
    if g.shape != x.shape:
        extra = g.ndim - x.ndim
        g = g.sum(tuple(range(extra)) + tuple(i + extra for i, n in enumerate(x.shape) if n == 1), keepdims=True)
        g = g.reshape(x.shape)
    return g if g.dtype is x.dtype else g.astype(x.dtype, copy=False)


_NUMBERS = {np.float16, np.float32, np.float64}  # NumPy's own: what 0-d results are kept as


# ---------------------------------------------------------------------------------------------- creation


def set_default_dtype(dtype: Any) -> None:
    """The dtype of tensors made from Python floats, and of parameters.  PyTorch: ``torch.set_default_dtype``.

    >>> nn.set_default_dtype(nn.float64); nn.tensor(0.5).dtype; nn.set_default_dtype(nn.float32)
    dtype('float64')
    """
    global _default_dtype
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"set_default_dtype: needs a floating-point dtype, got {np.dtype(dtype)}. Use nn.float32.")
    _default_dtype = np.dtype(dtype)


def get_default_dtype() -> Any:
    """The dtype of tensors made from Python floats.  PyTorch: ``torch.get_default_dtype``.

    >>> nn.get_default_dtype()
    dtype('float32')
    """
    return _default_dtype


def tensor(data: Any, dtype: Any = None, device: str | None = None, requires_grad: bool = False) -> Tensor:
    """Copy numbers, nested lists or an array into a new leaf.  PyTorch: ``torch.tensor``.

    Python floats become the default dtype (float32); arrays keep theirs.

    >>> nn.tensor([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """
    if type(data) is float and dtype is None and device is None:
        return Tensor(_default_dtype.type(data), requires_grad)
    if dtype is not None:
        dtype = _checked_dtype("tensor", dtype)
    if isinstance(data, Tensor):
        data = data.detach()._data
    elif isinstance(data, (list, tuple)) and builtins.any(isinstance(row, Tensor) for row in data):
        data = [row.tolist() if isinstance(row, Tensor) else row for row in data]
    try:
        array = get_array_module(data).array(data, dtype=dtype)
    except ValueError as error:
        lengths = [len(row) if hasattr(row, "__len__") else 1 for row in data] if hasattr(data, "__len__") else error
        raise ValueError(f"tensor: rows must have equal lengths, got {lengths}. Pad the shorter rows.") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"tensor: elements must be numbers, got {array.dtype}: {data!r:.40}. Use float(...) on each.")
    if dtype is None and array.dtype == float64 and not hasattr(data, "dtype"):
        array = array.astype(_default_dtype)
    if requires_grad:
        _check_differentiable("tensor", array)
    array = array if device is None else cuda.move(array, device)
    return Tensor(array[()] if isinstance(array, np.ndarray) and not array.ndim else array, requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor that shares the memory of ``array``.  PyTorch: ``torch.from_numpy``.

    >>> a = np.zeros(2); t = nn.from_numpy(a); a[0] = 5; t.tolist()
    [5.0, 0.0]
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}. Use nn.tensor.")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"from_numpy: elements must be numbers, got {array.dtype}. Use array.astype(float).")
    return Tensor(array)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares the memory of another library's, on the device where it is.  PyTorch: ``torch.from_dlpack``.

    >>> a = np.zeros(2); t = nn.from_dlpack(a); a[0] = 5; t.tolist()
    [5.0, 0.0]
    """
    if not hasattr(ext_tensor, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: {type(ext_tensor).__name__} does not speak DLPack. Use nn.tensor.")
    on_host = ext_tensor.__dlpack_device__()[0] in (1, 3)  # main memory, plain or pinned
    xp = np if on_host else cuda._need("from_dlpack")
    return Tensor(xp.from_dlpack(ext_tensor))


def as_tensor(data: Any, dtype: Any = None) -> Tensor:
    """``data`` as a tensor, shared where possible.  PyTorch: ``torch.as_tensor``.

    >>> nn.as_tensor([1, 2]).dtype
    dtype('int64')
    """
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        return Tensor(data if dtype is None else data.astype(dtype, copy=False))
    return tensor(data, dtype)


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    """(2, 3) from either spelling, f(2, 3) or f((2, 3))."""
    return tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size


def _size(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """The lengths of a new tensor, checked."""
    shape = _shape(size)
    good = [not isinstance(n, bool) and isinstance(n, (int, np.integer)) and n >= 0 for n in shape]
    if not builtins.all(good):
        n = shape[good.index(False)]
        fixed = ", ".join(str(n if right else 1) for n, right in zip(shape, good))
        raise (ValueError if isinstance(n, int) else TypeError)(
            f"{name}: lengths must be integers >= 0, got {n!r} in {shape}. Use {name}({fixed})."
        )
    return shape


def _made(array: Any, device: str | None, requires_grad: bool = False) -> Tensor:
    """A new tensor, made on the host and moved."""
    return Tensor(array if device is None else cuda.move(array, device), requires_grad)


def zeros(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given size filled with zeros.  PyTorch: ``torch.zeros``.

    >>> nn.zeros(2, 3).shape
    (2, 3)
    """
    return _made(np.zeros(_size("zeros", size), dtype or _default_dtype), device, requires_grad)


def zeros_like(input: Tensor, dtype: Any = None) -> Tensor:
    """Zeros in the shape and dtype of ``input``.  PyTorch: ``torch.zeros_like``.

    >>> nn.zeros_like(nn.tensor([1, 2])).dtype
    dtype('int64')
    """
    return Tensor(get_array_module(input._data).zeros_like(input.data, dtype=dtype))


def ones(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the given size filled with ones.  PyTorch: ``torch.ones``.

    >>> nn.ones(2, 3).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    return _made(np.ones(_size("ones", size), dtype or _default_dtype), device, requires_grad)


def ones_like(input: Tensor, dtype: Any = None) -> Tensor:
    """Ones in the shape and dtype of ``input``.  PyTorch: ``torch.ones_like``.

    >>> nn.ones_like(nn.tensor([5, 2])).tolist()
    [1, 1]
    """
    return Tensor(get_array_module(input._data).ones_like(input.data, dtype=dtype))


def full(
    size: Sequence[int], fill_value: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor filled with one value.  PyTorch: ``torch.full``.

    >>> nn.full((2,), 7).tolist()
    [7, 7]
    """
    return tensor(np.full(size, fill_value).tolist(), dtype, device, requires_grad)


def full_like(input: Tensor, fill_value: Any) -> Tensor:
    """One value in the shape and dtype of ``input``.  PyTorch: ``torch.full_like``.

    >>> nn.full_like(nn.tensor([1.0, 2.0]), 3).tolist()
    [3.0, 3.0]
    """
    return Tensor(get_array_module(input._data).full_like(input.data, fill_value))


def arange(start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None) -> Tensor:
    """start, start + step, … below ``end``.  PyTorch: ``torch.arange``.

    >>> nn.arange(3).tolist(), nn.arange(1, 7, 2).tolist()
    ([0, 1, 2], [1, 3, 5])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0:
        raise ValueError("arange: step must not be 0, got 0. Use step=1.")
    array = np.arange(start, end, step)
    return tensor(array, dtype or (array.dtype if array.dtype.kind == "i" else _default_dtype), device)


def linspace(start: float, end: float, steps: int, dtype: Any = None, device: Any = None) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included.  PyTorch: ``torch.linspace``.

    >>> nn.linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    _check_integer("linspace", 0, 2, steps=steps)
    return _made(np.linspace(start, end, steps, dtype=dtype or _default_dtype), device)


def eye(n: int, m: int | None = None, dtype: Any = None, device: Any = None) -> Tensor:
    """The identity matrix (n, m).  PyTorch: ``torch.eye``.

    >>> nn.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    _size("eye", (n, n if m is None else m))
    return _made(np.eye(n, m, dtype=dtype or _default_dtype), device)


def rand(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform random numbers in [0, 1).  PyTorch: ``torch.rand``.

    >>> nn.rand(2, 3).shape
    (2, 3)
    """
    return _made(rng().random(_size("rand", size)).astype(dtype or _default_dtype), device, requires_grad)


def randn(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Random numbers from N(0, 1).  PyTorch: ``torch.randn``.

    >>> nn.randn((4,)).ndim
    1
    """
    return _made(rng().standard_normal(_size("randn", size)).astype(dtype or _default_dtype), device, requires_grad)


def randint(low: int, high: Any = None, size: Any = (), dtype: Any = None, device: Any = None) -> Tensor:
    """Random integers in [low, high).  PyTorch: ``torch.randint``.

    >>> bool((nn.randint(0, 3, (10,)) < 3).all())
    True
    """
    low, high, size = (0, low, high) if isinstance(high, (tuple, list)) else (low, high, size)
    if high is None or low >= high:
        raise ValueError(f"randint: high must be above low, got {low} and {high}. Use randint({low}, {low + 1}, size).")
    return _made(rng().integers(low, high, tuple(size), dtype=dtype or int64), device)


def randperm(n: int, device: Any = None) -> Tensor:
    """A random order of 0 … n−1.  PyTorch: ``torch.randperm``.

    >>> sorted(nn.randperm(3).tolist())
    [0, 1, 2]
    """
    _size("randperm", (n,))
    return _made(rng().permutation(n), device)


# ---------------------------------------------------------------------------------------------- arithmetic


@op
def add(input: Array, other: Array):
    """x + y, broadcast.  ∂x = ∂y = g: addition distributes.  PyTorch: ``torch.add``.

    >>> nn.add(nn.tensor([1.0, 2.0]), 1.0).tolist()
    [2.0, 3.0]
    """
    x, y = input, other
    out = kernels.add(x, y) if accelerators else x + y
    return out, lambda g: unbroadcast(g, x), lambda g: unbroadcast(g, y)


@op
def sub(input: Array, other: Array):
    """x − y, broadcast.  ∂x = g, ∂y = −g.  PyTorch: ``torch.sub``.

    >>> nn.sub(nn.tensor(3.0), nn.tensor(1.0)).item()
    2.0
    """
    x, y = input, other
    return x - y, lambda g: unbroadcast(g, x), lambda g: unbroadcast(-g, y)


@op
def mul(input: Array, other: Array):
    """x · y element by element.  ∂x = g·y, ∂y = g·x: multiplication swaps and scales.  PyTorch: ``torch.mul``.

    >>> nn.mul(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])).tolist()
    [3.0, 8.0]
    """
    x, y = input, other
    return x * y, lambda g: unbroadcast(g * y, x), lambda g: unbroadcast(g * x, y)


@op
def div(input: Array, other: Array):
    """x / y; integers give floats.  ∂x = g/y, ∂y = −g·x/y².  PyTorch: ``torch.div``.

    >>> nn.div(nn.tensor([1, 2]), 2).tolist()
    [0.5, 1.0]
    """
    x, y = _as_float(input), _as_float(other)
    out = x / y
    return out, lambda g: unbroadcast(g / y, x), lambda g: unbroadcast(g * (-out / y), y)  # y² could overflow


@op
def remainder(input: Array, other: Array):
    """x mod y, with the sign of y.  ∂x = g, ∂y = −g·⌊x/y⌋.  PyTorch: ``torch.remainder``, ``x % y``.

    >>> nn.remainder(nn.tensor([5, -1]), 3).tolist()
    [2, 2]
    """
    return input % other, lambda g: unbroadcast(g, input), lambda g: unbroadcast(-g * (input // other), other)


@op
def floor_divide(input: Array, other: Array):
    """⌊x/y⌋; its gradient is 0.  PyTorch: ``torch.floor_divide``, ``x // y``.

    >>> nn.floor_divide(nn.tensor([5, -1]), 3).tolist()
    [1, -1]
    """
    return input // other, lambda g: _flat(unbroadcast(g, input)), lambda g: _flat(unbroadcast(g, other))


@op
def pow(input: Array, exponent: Array):
    """x^p.  ∂x = g·p·x^(p−1), ∂p = g·x^p·ln x (0 where x = 0 ≤ p).  PyTorch: ``torch.pow``.

    >>> nn.pow(nn.tensor([2.0, 3.0]), 2).tolist()
    [4.0, 9.0]
    """
    x, p = input, exponent
    xp = get_array_module(x, p)
    if isinstance(p, int) and p < 0 and x.dtype.kind in "iu":
        raise ValueError("pow: integers to a negative power are not integers. Use x.float() ** p.")
    out = x * x if isinstance(p, (int, float)) and p == 2 else x**p

    def grad_x(g):
        if isinstance(p, (int, float)):
            return g * (2 * x if p == 2 else 0 * x if p == 0 else p * x ** (p - 1))
        return unbroadcast(g * xp.where(p == 0, 0, p * x ** (p - 1)), x)

    def grad_p(g):
        flat = xp.equal(x, 0) & xp.greater_equal(p, 0)
        return unbroadcast(g * xp.where(flat, xp.zeros_like(out), out * xp.log(x)), p)

    return out, grad_x, grad_p


@op
def maximum(input: Array, other: Array):
    """The larger of x and y; the gradient goes to it, half to each on a tie.  PyTorch: ``torch.maximum``.

    >>> nn.maximum(nn.tensor([1.0, 5.0]), 2.0).tolist()
    [2.0, 5.0]
    """
    return _route(input, other, "maximum", "less")


@op
def minimum(input: Array, other: Array):
    """The smaller of x and y; the gradient goes to it, half to each on a tie.  PyTorch: ``torch.minimum``.

    >>> nn.minimum(nn.tensor([1.0, 5.0]), 2.0).tolist()
    [1.0, 2.0]
    """
    return _route(input, other, "minimum", "greater")


def _route(x: Array, y: Array, choose: str, lose: str) -> Any:
    xp = get_array_module(x, y)

    def share(g, mine, theirs):  # NaN loses to nobody
        part = 1 - getattr(xp, lose)(mine, theirs) - 0.5 * xp.equal(mine, theirs)
        return unbroadcast(g * part.astype(g.dtype), mine)

    return getattr(xp, choose)(x, y), lambda g: share(g, x, y), lambda g: share(g, y, x)


@op
def neg(input: Array):
    """−x.  ∂x = −g.  PyTorch: ``torch.neg``.

    >>> nn.neg(nn.tensor(2.0)).item()
    -2.0
    """
    return -input, lambda g: -g


@op
def abs(input: Array):
    """|x|.  ∂x = g·sign x, and 0 at the kink.  PyTorch: ``torch.abs``.

    >>> nn.abs(nn.tensor(-2.0)).item()
    2.0
    """
    x, xp = input, get_array_module(input)
    return xp.abs(x), lambda g: g * _sign(x)


def _sign(x: Array) -> Array:
    """−1, 0 or 1; 0 for NaN, as in PyTorch."""
    xp = get_array_module(x)
    return xp.greater(x, 0).astype(x.dtype) - xp.less(x, 0).astype(x.dtype)


@op
def exp(input: Array):
    """e^x.  ∂x = g·e^x.  PyTorch: ``torch.exp``.

    >>> nn.exp(nn.tensor(0.0)).item()
    1.0
    """
    out = get_array_module(input).exp(_as_float(input))
    return out, lambda g: g * out


@op
def log(input: Array):
    """ln x (−inf at 0, NaN below).  ∂x = g/x.  PyTorch: ``torch.log``.

    >>> nn.log(nn.tensor(1.0)).item()
    0.0
    """
    x = _as_float(input)
    return get_array_module(x).log(x), lambda g: g / x


@op
def log1p(input: Array):
    """ln(1 + x), exact for small x.  ∂x = g/(1 + x).  PyTorch: ``torch.log1p``.

    >>> nn.log1p(nn.tensor(0.0)).item()
    0.0
    """
    x = _as_float(input)
    return get_array_module(x).log1p(x), lambda g: g / (1 + x)


@op
def expm1(input: Array):
    """e^x − 1, exact for small x.  ∂x = g·e^x.  PyTorch: ``torch.expm1``.

    >>> nn.expm1(nn.tensor(0.0)).item()
    0.0
    """
    out = get_array_module(input).expm1(_as_float(input))
    return out, lambda g: g * (out + 1)


@op
def sqrt(input: Array):
    """√x.  ∂x = g/(2√x).  PyTorch: ``torch.sqrt``.

    >>> nn.sqrt(nn.tensor(9.0)).item()
    3.0
    """
    out = get_array_module(input).sqrt(_as_float(input))
    return out, lambda g: g / (2 * out)


@op
def rsqrt(input: Array):
    """1/√x.  ∂x = −g/(2√x³).  PyTorch: ``torch.rsqrt``.

    >>> nn.rsqrt(nn.tensor(4.0)).item()
    0.5
    """
    x = _as_float(input)
    out = 1 / get_array_module(x).sqrt(x)
    return out, lambda g: g * (-0.5 * out * out * out)


@op
def square(input: Array):
    """x².  ∂x = 2gx.  PyTorch: ``torch.square``.

    >>> nn.square(nn.tensor(3.0)).item()
    9.0
    """
    x = input
    return x * x, lambda g: g * (2 * x)


@op
def reciprocal(input: Array):
    """1/x.  ∂x = −g/x².  PyTorch: ``torch.reciprocal``.

    >>> nn.reciprocal(nn.tensor(4.0)).item()
    0.25
    """
    out = 1 / _as_float(input)
    return out, lambda g: g * (-out * out)


@op
def sin(input: Array):
    """sin x.  ∂x = g·cos x.  PyTorch: ``torch.sin``.

    >>> nn.sin(nn.tensor(0.0)).item()
    0.0
    """
    x, xp = _as_float(input), get_array_module(input)
    return xp.sin(x), lambda g: g * xp.cos(x)


@op
def cos(input: Array):
    """cos x.  ∂x = −g·sin x.  PyTorch: ``torch.cos``.

    >>> nn.cos(nn.tensor(0.0)).item()
    1.0
    """
    x, xp = _as_float(input), get_array_module(input)
    return xp.cos(x), lambda g: g * -xp.sin(x)


@op
def tanh(input: Array):
    """tanh x = (e^x − e^−x)/(e^x + e^−x).  ∂x = g·(1 − tanh² x).  PyTorch: ``torch.tanh``.

    >>> nn.tanh(nn.tensor(0.0)).item()
    0.0
    """
    out = get_array_module(input).tanh(_as_float(input))
    if kernels.fit(out):
        return out, lambda g: kernels.elementwise("tanh_grad", out, g)
    return out, lambda g: g * (1 - out * out)


@op
def sigmoid(input: Array):
    """σ(x) = 1/(1 + e^−x), without overflow.  ∂x = g·σ·(1 − σ).  PyTorch: ``torch.sigmoid``.

    >>> nn.sigmoid(nn.tensor(0.0)).item()
    0.5
    """
    x, xp = _as_float(input), get_array_module(input)
    if kernels.fit(x):
        out = kernels.elementwise("sigmoid", x)
        return out, lambda g: kernels.elementwise("sigmoid_grad", out, g)
    out = xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))  # e^x/(1+e^x) below 0, 1/(1+e^−x) above
    return out, lambda g: g * (out * (1 - out))


@op
def erf(input: Array):
    """The error function 2/√π ∫₀ˣ e^(−t²) dt.  ∂x = g·2/√π·e^(−x²).  PyTorch: ``torch.erf``.

    >>> f"{nn.erf(nn.tensor(1.0)).item():.4f}"
    '0.8427'
    """
    x, xp = _as_float(input), get_array_module(input)
    return special("erf", math.erf, x), lambda g: g * (2 / math.sqrt(math.pi)) * xp.exp(-x * x)


@op
def clamp(input: Array, min: Array = None, max: Array = None):
    """x limited to [min, max]; the gradient passes where x lies inside, ends included.  PyTorch: ``torch.clamp``.

    >>> nn.clamp(nn.tensor([-1.0, 0.5, 2.0]), 0, 1).tolist()
    [0.0, 0.5, 1.0]
    """
    x, xp = input, get_array_module(input)
    if min is None and max is None:
        raise ValueError("clamp: at least one of min and max must be given, got neither. Use clamp(x, min=0).")
    out = x if min is None else xp.maximum(x, min)
    out = out if max is None else xp.minimum(out, max)
    inside = xp.equal(out, x)

    def grad_min(g):
        return unbroadcast(g * (xp.less(x, min) & (True if max is None else xp.less(min, max))), min)

    def grad_max(g):
        return unbroadcast(g * (xp.greater(x, max) | (False if min is None else xp.greater_equal(min, max))), max)

    return out, lambda g: unbroadcast(g * inside, x), grad_min, grad_max


@op
def cast(input: Array, dtype: Any):
    """The elements as another dtype; the gradient is cast back.  PyTorch: ``Tensor.to(dtype)``.

    >>> nn.cast(nn.tensor([1, 2]), nn.float64).dtype
    dtype('float64')
    """
    before = input.dtype
    return input.astype(dtype), lambda g: g.astype(before)


@op
def _move(input: Array, device: str):
    """The elements on another device; the gradient comes back."""
    home = Tensor(input).device
    return cuda.move(input, device), lambda g: cuda.move(g, home)


def _as_float(x: Array) -> Array:
    """Integers and booleans as the default float dtype, as PyTorch's mathematical functions do."""
    return x if getattr(x, "dtype", float32).kind == "f" else x.astype(_default_dtype)


# ---------------------------------------------------------------------------------------------- products


@op(same_dtype=True)
def matmul(input: Array, other: Array):
    """Matrix product (…, n, k) @ (…, k, m) -> (…, n, m); vectors as in NumPy.  PyTorch: ``torch.matmul``.

    ∂x = g @ yᵀ, ∂y = xᵀ @ g, summed over broadcast batch axes.

    >>> nn.matmul(nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    x, y = input, other
    if not (getattr(x, "ndim", 0) and getattr(y, "ndim", 0)):
        raise ValueError(f"matmul: needs an axis each, got {np.shape(x)} and {np.shape(y)}. Use x * y for numbers.")
    if x.shape[-1] != (n := y.shape[-2 if y.ndim > 1 else 0]):
        wanted = f"the last axis of the first ({x.shape[-1]}) must equal the {'second to ' * (y.ndim > 1)}last"
        raise ValueError(f"matmul: {x.shape} @ {y.shape}: {wanted} of the second ({n}). Transpose one (.T or .mT).")
    # A vector is a matrix with one row (left) or one column (right).
    left = x if x.ndim > 1 else x[None]
    right = y if y.ndim > 1 else y[:, None]
    lost = tuple(axis for axis, v in ((-2, x), (-1, y)) if v.ndim == 1)

    def restore(g):  # put back the axes that a vector lost
        return get_array_module(g).expand_dims(g, lost) if lost else g

    def grad_x(g):
        return unbroadcast(restore(g) @ right.swapaxes(-1, -2), left).reshape(x.shape)

    def grad_y(g):
        return unbroadcast(left.swapaxes(-1, -2) @ restore(g), right).reshape(y.shape)

    return x @ y, grad_x, grad_y


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum of products named by letters, such as ``"ij,jk->ik"``.  PyTorch: ``torch.einsum``.

    Every letter at most once per operand, no ellipsis. The gradient of one operand is the einsum of the output's
    gradient with the other operands.

    >>> nn.einsum("ij,ij->i", nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0, 4.0]])).tolist()
    [11.0]
    """
    return _einsum(list(operands), equation)


@op(same_dtype=True)
def _einsum(operands: Arrays, equation: str):
    xp = get_array_module(*operands)
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        result = "".join(sorted(c for c in set(left) - {","} if left.count(c) == 1))
    if len(terms) != len(operands) or "." in left or builtins.any(len(set(t)) != len(t) for t in [*terms, result]):
        raise ValueError(
            f"einsum: {equation!r} must name {len(operands)} operand(s), each letter once per operand, without '...'. "
            "Use diagonal() or reshape() first."
        )
    sizes: dict[str, int] = {}
    for term, array in zip(terms, operands):
        if len(term) != array.ndim:
            raise ValueError(f"einsum: {term!r} names {len(term)} axes of {array.shape}. Use one letter per axis.")
        for c, n in zip(term, array.shape):
            if sizes.setdefault(c, n) != n:
                raise ValueError(f"einsum: {c!r} has length {sizes[c]} and {n} in {equation!r}. Use equal lengths.")
    if set(result) - set(sizes):
        raise ValueError(f"einsum: {result!r} names axes that no operand of {equation!r} has. Use letters of {left!r}.")

    def grad_of(i):
        def grad(g):
            others = [t for j, t in enumerate(terms) if j != i] + [result]
            arrays = [a for j, a in enumerate(operands) if j != i] + [g]
            known = "".join(c for c in terms[i] if builtins.any(c in t for t in others))
            share = xp.einsum(f"{','.join(others)}->{known}", *arrays)
            share = share.reshape([sizes[c] if c in known else 1 for c in terms[i]])  # letters only this operand had
            return xp.broadcast_to(share, [sizes[c] for c in terms[i]])

        return grad

    out = xp.einsum(f"{left}->{result}", *operands, optimize=len(operands) > 2)
    return out, [grad_of(i) for i in range(len(operands))]


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """x yᵀ of two vectors, (n,) and (m,) -> (n, m).  PyTorch: ``torch.outer``.

    >>> nn.outer(nn.tensor([1.0, 2.0]), nn.tensor([3.0])).tolist()
    [[3.0], [6.0]]
    """
    shapes = [getattr(t, "shape", t) for t in (input, vec2)]
    if not builtins.all(isinstance(shape, tuple) and len(shape) == 1 for shape in shapes):
        raise ValueError(f"outer: needs two vectors, got shapes {shapes[0]} and {shapes[1]}. Use x.flatten().")
    return unsqueeze(input, 1) * unsqueeze(vec2, 0)


# ---------------------------------------------------------------------------------------------- reductions


def _axes(name: str, x: Array, dim: Dim) -> tuple[int, ...]:
    """``dim`` as non-negative axes, checked."""
    dims = tuple(range(x.ndim)) if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    for d in dims:
        if isinstance(d, bool) or not isinstance(d, (int, np.integer)):
            raise TypeError(f"{name}: dim must be an int or a tuple of ints, got {d!r}. Use dim=0.")
        if not -x.ndim <= d < x.ndim and not (x.ndim == 0 and d in (0, -1)):
            raise ValueError(f"{name}: dim {d} is not among axes 0…{x.ndim - 1} of {x.shape}. Use dim=-1 for the last.")
    axes = tuple(d % x.ndim for d in dims) if x.ndim else ()
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}: dim {dim} names an axis twice. Use each axis once.")
    return axes


def _axis(name: str, x: Array, dim: Any) -> int:
    """``dim`` as the one non-negative axis it must name."""
    axes = _axes(name, x, dim) if dim is not None else ()
    if len(axes) != 1:
        raise ValueError(f"{name}: dim must name one axis of shape {x.shape}, got {dim}. Use dim=0, or unsqueeze(0).")
    return axes[0]


def _keep(g: Array, axes: tuple[int, ...], keepdim: bool) -> Array:
    """A reduced array with the reduced axes back, of length 1."""
    return g if keepdim or not axes else get_array_module(g).expand_dims(g, axes)


@op
def sum(input: Array, dim: Dim = None, keepdim: bool = False, dtype: Any = None):
    """Sum over all axes or ``dim``.  ∂x = g, repeated.  PyTorch: ``torch.sum``.

    >>> nn.sum(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1).tolist()
    [3.0, 7.0]
    """
    x, axes = input, _axes("sum", input, dim)

    def grad(g):
        return get_array_module(g).broadcast_to(_keep(g, axes, keepdim), x.shape).astype(x.dtype, copy=False)

    return x.sum(axes, keepdims=keepdim, dtype=dtype or _total(x)), grad


def _total(x: Array) -> Any:
    """The dtype of sums and products of elements of ``x``: integers are added up in int64."""
    return x.dtype if x.dtype.kind == "f" else int64


@op
def mean(input: Array, dim: Dim = None, keepdim: bool = False):
    """Mean over all axes or ``dim``.  ∂x = g/n, repeated.  PyTorch: ``torch.mean``.

    >>> nn.mean(nn.tensor([1.0, 3.0])).item()
    2.0
    """
    x, axes = input, _axes("mean", input, dim)
    if x.dtype.kind != "f":
        raise TypeError(f"mean: needs a floating-point tensor, got {x.dtype}. Use x.float().mean().")
    n = math.prod(x.shape[a] for a in axes)
    out = x.sum(axes, keepdims=keepdim) / x.dtype.type(n)
    return out, lambda g: get_array_module(g).broadcast_to(_keep(g / n, axes, keepdim).astype(x.dtype), x.shape)


@op
def var(input: Array, dim: Dim = None, correction: int = 1, keepdim: bool = False):
    """Variance Σ(x − mean)²/(n − correction).  ∂x = 2g(x − mean)/(n − correction).  PyTorch: ``torch.var``.

    ``correction=1`` is the unbiased form, ``correction=0`` divides by n.

    >>> nn.var(nn.tensor([1.0, 3.0])).item(), nn.var(nn.tensor([1.0, 3.0]), correction=0).item()
    (2.0, 1.0)
    """
    x, axes = _as_float(input), _axes("var", input, dim)
    centred = x - x.mean(axes, keepdims=True)
    scale = x.dtype.type(1) / x.dtype.type(math.prod(x.shape[a] for a in axes) - correction)
    out = (centred * centred).sum(axes, keepdims=keepdim) * scale
    return out, lambda g: _keep(g, axes, keepdim) * (2 * scale) * centred


def std(input: Tensor, dim: Dim = None, correction: int = 1, keepdim: bool = False) -> Tensor:
    """Standard deviation, the root of :func:`var`.  PyTorch: ``torch.std``.

    >>> nn.std(nn.tensor([1.0, 3.0]), correction=0).item()
    1.0
    """
    return sqrt(var(input, dim, correction, keepdim))


@op
def prod(input: Array, dim: int | None = None, keepdim: bool = False):
    """Product over all elements or one axis.  ∂xᵢ = g·Π_{j≠i} xⱼ, zeros included.  PyTorch: ``torch.prod``.

    >>> nn.prod(nn.tensor([2.0, 3.0])).item()
    6.0
    """
    x, axes, xp = input, _axes("prod", input, dim), get_array_module(input)
    if dim is not None and not hasattr(dim, "__index__"):
        raise TypeError(f"prod: dim must be one axis, got {dim}. Use x.prod(0) for each axis in turn.")

    def grad(g):  # the product of those before times the product of those after: right where x holds zeros
        rows = xp.moveaxis(x, axes[0], -1) if dim is not None and x.ndim else x.reshape(-1)
        one = xp.ones_like(rows[..., :1])
        before = xp.cumprod(xp.concatenate([one, rows[..., :-1]], -1), -1)
        after = xp.cumprod(xp.concatenate([one, rows[..., :0:-1]], -1), -1)[..., ::-1]
        others = before * after
        others = xp.moveaxis(others, -1, axes[0]) if dim is not None and x.ndim else others.reshape(x.shape)
        return _keep(g, axes, keepdim) * others

    return x.prod(axes, keepdims=keepdim, dtype=_total(x)), grad


def _extremum(x: Array, dim: Dim, keepdim: bool, name: str) -> Any:
    """Largest or smallest over all or several axes; ties share the gradient equally."""
    axes = _axes(name, x, dim)
    _check_choice(name, x, axes)
    out = getattr(x, name[-3:])(axes, keepdims=True)

    def grad(g):
        hit = (x == out).astype(g.dtype)
        return _keep(g, axes, keepdim) * (hit / hit.sum(axes, keepdims=True))

    return (out if keepdim else out.squeeze(axes) if axes else out), grad


def _check_choice(name: str, x: Array, axes: tuple[int, ...]) -> None:
    if builtins.any(not x.shape[a] for a in axes):
        raise ValueError(f"{name}: shape {x.shape} has no elements to choose from along dim {axes}. Check the slice.")


@op
def amax(input: Array, dim: Dim = None, keepdim: bool = False):
    """Largest element over ``dim``; ties share the gradient equally.  PyTorch: ``torch.amax``.

    >>> nn.amax(nn.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1).tolist()
    [5.0, 4.0]
    """
    return _extremum(input, dim, keepdim, "amax")


@op
def amin(input: Array, dim: Dim = None, keepdim: bool = False):
    """Smallest element over ``dim``; ties share the gradient equally.  PyTorch: ``torch.amin``.

    >>> nn.amin(nn.tensor([[1.0, 5.0], [3.0, 4.0]]), dim=1).tolist()
    [1.0, 3.0]
    """
    return _extremum(input, dim, keepdim, "amin")


class Extremum(NamedTuple):
    """What ``max(dim)`` and ``min(dim)`` return."""

    values: Tensor
    indices: Tensor


@op
def _pick(input: Array, dim: int, keepdim: bool, name: str):
    x, xp = input, get_array_module(input)
    axes = _axes(name, x, dim)
    if not x.ndim:  # the one element of a 0-d tensor
        return (+x, xp.asarray(0)), lambda g: g
    (axis,) = axes
    _check_choice(name, x, axes)
    index = xp.expand_dims(getattr(x, "arg" + name)(axis), axis)

    def grad(g):
        share = xp.zeros_like(x)
        xp.put_along_axis(share, index, g if keepdim else xp.expand_dims(g, axis), axis)
        return share

    values = xp.take_along_axis(x, index, axis)
    return (values, index) if keepdim else (values.squeeze(axis), index.squeeze(axis)), grad


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Largest element; with ``dim`` a pair (values, indices), and with a tensor as second argument ``maximum``.

    Over everything ties share the gradient; along ``dim`` it all goes to the first.  PyTorch: ``torch.max``.

    >>> nn.max(nn.tensor([[1.0, 5.0], [7.0, 4.0]]), dim=1).indices.tolist()
    [1, 0]
    """
    if isinstance(dim, Tensor):
        return maximum(input, dim)
    return amax(input) if dim is None else Extremum(*_pick(input, dim, keepdim, "max"))


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """Smallest element; with ``dim`` a pair (values, indices).  PyTorch: ``torch.min``; see :func:`max`.

    >>> nn.min(nn.tensor([3.0, 1.0])).item()
    1.0
    """
    if isinstance(dim, Tensor):
        return minimum(input, dim)
    return amin(input) if dim is None else Extremum(*_pick(input, dim, keepdim, "min"))


@op
def norm(input: Array, p: Any = 2, dim: Dim = None, keepdim: bool = False):
    """Euclidean length √Σx².  ∂x = g·x/‖x‖, and 0 at 0.  PyTorch: ``torch.norm``, of which only p = 2 is here.

    >>> nn.norm(nn.tensor([3.0, 4.0])).item()
    5.0
    """
    if p not in (2, "fro"):
        raise ValueError(f"norm: p must be 2, the Euclidean length, got {p!r}. For p = 1 use x.abs().sum(dim).")
    x, axes, xp = input, _axes("norm", input, dim), get_array_module(input)
    out = xp.sqrt((x * x).sum(axes, keepdims=True))

    def grad(g):
        return _keep(g, axes, keepdim) * (x / xp.where(out == 0, xp.ones_like(out), out))

    return (out if keepdim else out.squeeze(axes) if axes else out), grad


@op
def logsumexp(input: Array, dim: Dim, keepdim: bool = False):
    """ln Σ e^x over ``dim`` without overflow.  ∂x = g·softmax(x).  PyTorch: ``torch.logsumexp``.

    The largest element is taken out of the sum first: ln Σ e^x = m + ln Σ e^(x−m).

    >>> f"{nn.logsumexp(nn.tensor([1000.0, 1000.0]), 0).item():.3f}"
    '1000.693'
    """
    x, axes, xp = _as_float(input), _axes("logsumexp", input, dim), get_array_module(input)
    top = x.max(axes, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    out = top + xp.log(xp.exp(x - top).sum(axes, keepdims=True))
    return (out if keepdim else out.squeeze(axes) if axes else out), lambda g: _keep(g, axes, keepdim) * xp.exp(x - out)


@op
def cumsum(input: Array, dim: int):
    """Running sum along ``dim``.  ∂x is the running sum of g from the other end.  PyTorch: ``torch.cumsum``.

    >>> nn.cumsum(nn.tensor([1.0, 2.0, 3.0]), 0).tolist()
    [1.0, 3.0, 6.0]
    """
    x, xp = input, get_array_module(input)
    if not x.ndim:
        return +x, lambda g: g
    axis = _axis("cumsum", x, dim)
    return xp.cumsum(x, axis, _total(x)), lambda g: xp.flip(xp.cumsum(xp.flip(g, axis), axis), axis)


def cumprod(input: Tensor, dim: int) -> Tensor:
    """Running product along ``dim``, one :func:`prod` for each length.  PyTorch: ``torch.cumprod``.

    >>> nn.cumprod(nn.tensor([1.0, 2.0, 3.0]), 0).tolist()
    [1.0, 2.0, 6.0]
    """
    if not input.numel() or not input.ndim:
        return cumsum(input, dim)
    before = (slice(None),) * _axis("cumprod", input, dim)
    return stack([input[(*before, slice(i))].prod(dim) for i in range(1, input.shape[dim] + 1)], dim)


# ---------------------------------------------------------------------------------------------- shapes


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one length may be −1.  PyTorch: ``torch.reshape``.

    >>> nn.reshape(nn.arange(6), 2, -1).shape
    (2, 3)
    """
    return _reshape(input, _shape(shape))


@op
def _reshape(input: Array, shape: Any):
    x, size, known = input, tuple(shape), math.prod(n for n in shape if n != -1)
    if size.count(-1) > 1 or (known != x.size if -1 not in size else not known or x.size % known):
        raise ValueError(f"reshape: the {x.size} elements of {x.shape} do not fit {size}. Use -1 for one axis.")
    return x.reshape(size), lambda g: g.reshape(x.shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the axes from ``start_dim`` to ``end_dim`` into one.  PyTorch: ``torch.flatten``.

    >>> nn.flatten(nn.zeros(2, 3, 4), 1).shape
    (2, 12)
    """
    if not input.ndim:
        return input.reshape(1)
    first, last = (_axis("flatten", input, d) for d in (start_dim, end_dim))
    if first > last:
        raise ValueError(f"flatten: start_dim {start_dim} > end_dim {end_dim}. Use flatten({end_dim}, {start_dim}).")
    shape = input.shape
    return _reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def squeeze(input: Tensor, dim: Dim = None) -> Tensor:
    """Drop axes of length 1 (all of them, or ``dim`` if it has length 1).  PyTorch: ``torch.squeeze``.

    >>> nn.squeeze(nn.zeros(1, 3, 1)).shape
    (3,)
    """
    drop = {a for a in _axes("squeeze", input, dim) if input.shape[a] == 1}
    return _reshape(input, tuple(n for a, n in enumerate(input.shape) if a not in drop))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Insert an axis of length 1 before ``dim``.  PyTorch: ``torch.unsqueeze``.

    >>> nn.unsqueeze(nn.zeros(3), 1).shape
    (3, 1)
    """
    n = input.ndim + 1
    if not isinstance(dim, int) or not -n <= dim < n:
        raise ValueError(f"unsqueeze: dim {dim} must lie in −{n}…{n - 1} for shape {input.shape}. Use dim=-1.")
    at = dim % n
    return _reshape(input, (*input.shape[:at], 1, *input.shape[at:]))


def permute(input: Tensor, *dims: Any) -> Tensor:
    """Axes in another order.  PyTorch: ``torch.permute``.

    >>> nn.permute(nn.zeros(2, 3, 4), 2, 0, 1).shape
    (4, 2, 3)
    """
    axes = _axes("permute", input, _shape(dims))
    if len(axes) != input.ndim:
        raise ValueError(f"permute: {axes} must name each axis of {input.shape} once. Use transpose(0, 1) to swap two.")
    return _permute(input, axes)


@op
def _permute(input: Array, axes: Any):
    back = tuple(np.argsort(axes))
    return input.transpose(axes), lambda g: g.transpose(back)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Swap two axes.  PyTorch: ``torch.transpose``.

    >>> nn.transpose(nn.zeros(2, 3), 0, 1).shape
    (3, 2)
    """
    first, second = (_axis("transpose", input, d) for d in (dim0, dim1))
    order = list(range(input.ndim))
    order[first], order[second] = second, first
    return _permute(input, tuple(order))


def expand(input: Tensor, *sizes: Any) -> Tensor:
    """Repeat axes of length 1 without copying; −1 keeps an axis.  PyTorch: ``Tensor.expand``.

    >>> nn.expand(nn.zeros(3, 1), -1, 4).shape
    (3, 4)
    """
    size = _shape(sizes)
    before = (-1,) * (len(size) - input.ndim) + input.shape
    size = tuple(b if n == -1 else n for n, b in zip(size, before))
    _check_expands("expand", input.shape, size)
    return broadcast_to(input, size)


def _check_expands(name: str, shape: Sequence[int], size: Sequence[int]) -> None:
    if len(size) < len(shape) or builtins.any(a not in (1, b) for a, b in zip(reversed(shape), reversed(size))):
        change = f"{tuple(shape)} cannot become {tuple(size)}: only axes of length 1 repeat, new ones come first"
        raise ValueError(f"{name}: shape {change}. Use unsqueeze to add an axis, or repeat to copy.")


@op
def broadcast_to(input: Array, shape: Any):
    """``input`` repeated to ``shape`` by the broadcasting rules.  PyTorch: ``torch.broadcast_to``.

    >>> nn.broadcast_to(nn.tensor([1.0, 2.0]), (2, 2)).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """
    x, shape = input, _size("broadcast_to", (shape,))
    _check_expands("broadcast_to", x.shape, shape)
    return get_array_module(x).broadcast_to(x, shape), lambda g: unbroadcast(g, x)


@op
def cat(tensors: Arrays, dim: int = 0):
    """Join tensors along an axis they already have.  ∂ of each is its slice of g.  PyTorch: ``torch.cat``.

    >>> nn.cat([nn.tensor([1.0]), nn.tensor([2.0, 3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    if not isinstance(tensors, list) or not tensors[0].ndim:
        came = "one Tensor" if not isinstance(tensors, list) else "0-d tensors"
        raise TypeError(f"cat: tensors must be a list of Tensors with axes, got {came}. Use stack([…]) for 0-d ones.")
    xp = get_array_module(*tensors)
    axis = _axis("cat", tensors[0], dim)
    rest = lambda t: (t.ndim, *t.shape[:axis], *t.shape[axis + 1 :])
    for i, t in enumerate(tensors):
        if rest(t) != rest(tensors[0]):
            shapes = f"tensor {i} of shape {t.shape} and tensor 0 of shape {tensors[0].shape}"
            raise ValueError(f"cat: {shapes} may differ only along dim {dim}. Use stack for a new axis.")
    ends = np.cumsum([t.shape[axis] for t in tensors])
    parts = [(slice(None),) * axis + (slice(end - t.shape[axis], end),) for t, end in zip(tensors, ends)]
    return xp.concatenate(tensors, axis), [lambda g, part=part: g[part] for part in parts]


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis.  PyTorch: ``torch.stack``.

    >>> nn.stack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])]).shape
    (2, 2)
    """
    if not hasattr(tensors, "__len__") or not len(tensors):
        raise ValueError(f"stack: tensors must hold at least one Tensor, got {tensors}. Check the list.")
    for i, t in enumerate(tensors):
        _check_tensor("stack", f"tensors[{i}]", t)
        if t.shape != (first := tensors[0].shape):
            raise ValueError(f"stack: tensor {i} has shape {t.shape}, tensor 0 {first}; they must be equal. Use cat.")
    return cat([unsqueeze(t, dim) for t in tensors], dim)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid, from one vector per axis; ``indexing="xy"`` swaps the first two axes of the results.

    PyTorch: ``torch.meshgrid``.

    >>> [t.tolist() for t in nn.meshgrid(nn.arange(2), nn.arange(3))]
    [[[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]]]
    """
    _check_one_of("meshgrid", ("ij", "xy"), indexing=indexing)
    axes: Any = _shape(tensors)
    for t in axes:
        _check_tensor("meshgrid", "each of tensors", t)
    grids = [t.reshape([-1] + [1] * (len(axes) - k - 1)).expand([u.numel() for u in axes]) for k, t in enumerate(axes)]
    return tuple(g.transpose(0, 1) if indexing == "xy" and len(axes) > 1 else g for g in grids)


def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut an axis into pieces of a given size, or of given sizes.  PyTorch: ``torch.split``.

    >>> [t.tolist() for t in nn.split(nn.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    axis = _axis("split", input, dim)
    n, sizes = input.shape[axis], split_size_or_sections
    if isinstance(sizes, int):
        _check_integer("split", split_size_or_sections=sizes)
        sizes = [builtins.min(sizes, n - i) for i in range(0, n, sizes)]
    if not isinstance(sizes, (tuple, list)) or math.fsum(sizes) != n:
        raise ValueError(f"split: {sizes} must add up to length {n} of dim {dim}. Use split(t, size) for equal ones.")
    ends = np.cumsum(sizes)
    return tuple(input[(slice(None),) * axis + (slice(int(e - s), int(e)),)] for s, e in zip(sizes, ends))


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut an axis into at most ``chunks`` equal pieces (the last may be shorter).  PyTorch: ``torch.chunk``.

    >>> [len(t) for t in nn.chunk(nn.arange(5), 2)]
    [3, 2]
    """
    _check_integer("chunk", fix=2, chunks=chunks)
    return split(input, -(-input.shape[dim] // chunks) or 1, dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along an axis, which disappears.  PyTorch: ``torch.unbind``.

    >>> [t.item() for t in nn.unbind(nn.tensor([1.0, 2.0]))]
    [1.0, 2.0]
    """
    axis = _axis("unbind", input, dim)
    return tuple(input[(slice(None),) * axis + (i,)] for i in range(input.shape[axis]))


@op
def flip(input: Array, dims: Dim):
    """Reverse the order along axes; ∂x is g reversed.  PyTorch: ``torch.flip``.

    >>> nn.flip(nn.tensor([1.0, 2.0]), 0).tolist()
    [2.0, 1.0]
    """
    axes, xp = _axes("flip", input, dims), get_array_module(input)
    return xp.flip(input, axes), lambda g: xp.flip(g, axes)


@op
def roll(input: Array, shifts: Any, dims: Dim = None):
    """Shift cyclically along axes; ∂x is g shifted back.  PyTorch: ``torch.roll``.

    >>> nn.roll(nn.tensor([1.0, 2.0, 3.0]), 1).tolist()
    [3.0, 1.0, 2.0]
    """
    xp = get_array_module(input)
    back = tuple(-s for s in shifts) if isinstance(shifts, (tuple, list)) else -shifts
    if dims is not None and np.size(shifts) != len(_axes("roll", input, dims)):
        raise ValueError(f"roll: shifts {shifts} and dims {dims} must have equal lengths. Use one shift per axis.")
    return xp.roll(input, shifts, dims), lambda g: xp.roll(g, back, dims)


def repeat(input: Tensor, *sizes: Any) -> Tensor:
    """Copies side by side, ``sizes`` times along each axis (NumPy: ``tile``).  PyTorch: ``Tensor.repeat``.

    >>> nn.repeat(nn.tensor([1.0, 2.0]), 2).tolist()
    [1.0, 2.0, 1.0, 2.0]
    """
    counts = _shape(sizes)
    if len(counts) < input.ndim:
        fixed = (1,) * (input.ndim - len(counts)) + counts
        raise ValueError(f"repeat: needs a count for each axis of {input.shape}, got {counts}. Use repeat{fixed}.")
    _size("repeat", counts)
    shape = (1,) * (len(counts) - input.ndim) + tuple(input.shape)
    doubled = _reshape(input, tuple(n for s in shape for n in (1, s)))  # (1, s₀, 1, s₁, …)
    wide = broadcast_to(doubled, tuple(n for c, s in zip(counts, shape) for n in (c, s)))
    return _reshape(wide, tuple(c * s for c, s in zip(counts, shape)))


@op
def diagonal(input: Array, offset: int = 0):
    """The diagonal of a matrix (n, m).  PyTorch: ``torch.diagonal``.

    >>> nn.diagonal(nn.tensor([[1.0, 2.0], [3.0, 4.0]])).tolist()
    [1.0, 4.0]
    """
    x = input
    if x.ndim != 2:
        raise ValueError(f"diagonal: needs a matrix, got shape {x.shape}. Use x[0] of a batch, x[None] of a row.")
    out = x.diagonal(offset)
    rows = get_array_module(x).arange(len(out)) + builtins.max(0, -offset)
    return out, lambda g: _scattered(g, x, (rows, rows + offset), once=True)


def _triangle(name: str, x: Array, diagonal: int) -> Any:
    if x.ndim < 2:
        raise ValueError(f"{name}: needs a matrix, or a batch of them, got shape {x.shape}. Use x.reshape(1, -1).")
    cut = getattr(get_array_module(x), name)
    return cut(x, diagonal), lambda g: cut(g, diagonal)


@op
def tril(input: Array, diagonal: int = 0):
    """The lower triangle, zeros above.  PyTorch: ``torch.tril``.

    >>> nn.tril(nn.ones(2, 2)).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    return _triangle("tril", input, diagonal)


@op
def triu(input: Array, diagonal: int = 0):
    """The upper triangle, zeros below.  PyTorch: ``torch.triu``.

    >>> nn.triu(nn.ones(2, 2)).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    return _triangle("triu", input, diagonal)


# ---------------------------------------------------------------------------------------------- choosing


def _plain_index(index: Any, xp: Any = np) -> Any:
    """An index without tensors in it; arrays of the host go to the library of what is indexed, as in PyTorch."""
    if isinstance(index, Tensor):
        index = index.data
    if isinstance(index, tuple):
        return tuple(_plain_index(i, xp) for i in index)
    if isinstance(index, list):
        index = np.asarray([operator.index(i) if not isinstance(i, bool) else i for i in index])
    return xp.asarray(index) if xp is not np and isinstance(index, np.ndarray) else index


@op
def getitem(input: Array, index: Any):
    """x[index] with integers, slices, arrays and masks as in NumPy.  ∂x is zero but for g at ``index``.

    An element chosen twice gets both gradients.  PyTorch: ``Tensor.__getitem__``.

    >>> nn.getitem(nn.tensor([1.0, 2.0, 3.0]), [0, 0]).tolist()
    [1.0, 1.0]
    """
    x, index = input, _plain_index(index, get_array_module(input))
    parts = index if isinstance(index, tuple) else (index,)
    basic = builtins.all(part is None or part is ... or isinstance(part, (int, slice, np.integer)) for part in parts)
    try:
        if accelerators and not basic:
            cuda.check_index(x, parts)
        out = x[index]
    except IndexError as error:
        hint = "Use .long() or a comparison." if getattr(index, "dtype", bool_).kind == "f" else "Check the index."
        raise IndexError(f"getitem: {error}; the tensor has shape {x.shape}. {hint}") from None

    return out, lambda g: _scattered(g, x, index, once=basic)


def _scattered(g: Array, x: Array, index: Any, once: bool = False) -> Array:
    """Zeros like ``x`` with ``g`` at ``index``; an element that is named more than ``once`` gets the sum."""
    share = get_array_module(x).zeros_like(x)
    if once:
        share[index] = g
    else:
        get_array_module(x).add.at(share, index, g)
    return share


@op
def where(condition: Any, input: Array, other: Array):
    """x where the condition holds, y elsewhere; the gradient follows the choice.  PyTorch: ``torch.where``.

    >>> nn.where(nn.tensor([True, False]), nn.tensor([1.0, 2.0]), 0.0).tolist()
    [1.0, 0.0]
    """
    x, y, xp = input, other, get_array_module(condition, input, other)
    _check_mask("where", condition, "condition")
    x = _default_dtype.type(x) if {float} <= {type(x), type(y)} <= {float, int, bool} else x  # of two numbers
    return xp.where(condition, x, y), lambda g: unbroadcast(g * condition, x), lambda g: unbroadcast(g * ~condition, y)


def masked_fill(input: Tensor, mask: Tensor, value: float) -> Tensor:
    """``value`` where ``mask`` is True, x elsewhere.  PyTorch: ``torch.masked_fill``.

    >>> nn.masked_fill(nn.tensor([1.0, 2.0]), nn.tensor([False, True]), 0).tolist()
    [1.0, 0.0]
    """
    _check_mask("masked_fill", mask)
    return where(~mask, input, value)


def _check_mask(name: str, mask: Any, what: str = "mask") -> None:
    if getattr(mask, "dtype", None) != bool_:
        came = getattr(mask, "dtype", type(mask).__name__)
        raise TypeError(f"{name}: {what} must be a bool tensor, got {came}. Use a comparison such as x > 0.")


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` is True, in a row.  PyTorch: ``torch.masked_select``.

    >>> nn.masked_select(nn.tensor([1.0, 2.0]), nn.tensor([False, True])).tolist()
    [2.0]
    """
    _check_mask("masked_select", mask)
    return input[mask]


@op
def gather(input: Array, dim: int, index: Any):
    """out[i][j] = x[index[i][j]][j] for dim = 0, and likewise along others.  PyTorch: ``torch.gather``.

    >>> nn.gather(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, nn.tensor([[1], [0]])).tolist()
    [[2.0], [3.0]]
    """
    x, xp = input, get_array_module(input)
    axis = _axis("gather", x, dim)
    if index.ndim != x.ndim or index.dtype.kind not in "iu":
        came = f"{index.dtype} of shape {index.shape}"
        raise ValueError(f"gather: index must be integers in {x.ndim} axes, got {came}. Use index.long() and reshape.")
    if index.size and not 0 <= index.min() <= index.max() < x.shape[axis]:
        wanted, came = f"0…{x.shape[axis] - 1} along dim {dim}", f"{index.min()}…{index.max()}"
        raise IndexError(f"gather: index must lie in {wanted}, got {came}. Use index.clamp(min, max).")
    place = [xp.arange(n).reshape([-1 if i == a else 1 for i in range(x.ndim)]) for a, n in enumerate(index.shape)]
    place[axis] = index
    return x[tuple(place)], lambda g: _scattered(g, x, tuple(place))


# ---------------------------------------------------------------------------------------------- no gradient


def _compare(name: str, symbol: str) -> Any:
    """A comparison or a test: its result has no gradient, so nothing is recorded."""

    def compare(input: Array, other: Array) -> Tensor:
        x, y = (t._data if isinstance(t, Tensor) else t for t in (input, other))
        if accelerators:
            cuda.same_device(name, ("input", "other"), [x, y])
        try:
            result = getattr(operator, name)(x, y)
            return Tensor(np.asarray(result) if np.isscalar(x) else result)
        except (TypeError, ValueError) as error:
            raise _in_words(compare, {"input": x, "other": y}, error) from None

    compare.__name__ = compare.__qualname__ = name
    example = f">>> {name}(nn.tensor([1, 2]), 2).tolist()\n{[getattr(operator, name)(i, 2) for i in (1, 2)]}"
    compare.__doc__ = f"Element by element, x {symbol} y, as a bool tensor.  PyTorch: ``torch.{name}``.\n\n{example}"
    return compare


eq, ne, lt, le, gt, ge = (
    _compare(*pair) for pair in (("eq", "="), ("ne", "≠"), ("lt", "<"), ("le", "≤"), ("gt", ">"), ("ge", "≥"))
)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the largest element (the first of equals).  PyTorch: ``torch.argmax``.

    >>> nn.argmax(nn.tensor([[1.0, 5.0], [3.0, 2.0]]), dim=1).tolist()
    [1, 0]
    """
    return _place("argmax", input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index of the smallest element (the first of equals).  PyTorch: ``torch.argmin``.

    >>> nn.argmin(nn.tensor([3.0, 1.0])).item()
    1
    """
    return _place("argmin", input, dim, keepdim)


def _place(name: str, input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    _check_choice(name, input, _axes(name, input, dim))
    return Tensor(getattr(input.data, name)(dim, keepdims=keepdim))


def argsort(input: Tensor, dim: int = -1, descending: bool = False) -> Tensor:
    """Indices that sort an axis (stable).  PyTorch: ``torch.argsort``.

    >>> nn.argsort(nn.tensor([3.0, 1.0, 2.0])).tolist()
    [1, 2, 0]
    """
    _axes("argsort", input, dim)
    x, xp = input.data, get_array_module(input._data)
    if not descending or not x.ndim:
        return Tensor(x.argsort(dim, kind="stable"))
    return Tensor(x.shape[dim] - 1 - xp.flip(xp.flip(x, dim).argsort(dim, kind="stable"), dim))  # equals keep order


def sort(input: Tensor, dim: int = -1, descending: bool = False) -> Extremum:
    """Sorted values and the indices they came from; gradients go back to where they stood.  PyTorch: ``torch.sort``.

    >>> nn.sort(nn.tensor([3.0, 1.0])).values.tolist()
    [1.0, 3.0]
    """
    indices = argsort(input, dim, descending)
    return Extremum(gather(input, dim, indices), indices)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True) -> Extremum:
    """The ``k`` largest (or smallest) values of an axis, sorted, and their indices.  PyTorch: ``torch.topk``.

    >>> nn.topk(nn.tensor([3.0, 1.0, 2.0]), 2).indices.tolist()
    [0, 2]
    """
    axis = _axis("topk", input, dim)
    if not isinstance(k, (int, np.integer)) or not 0 <= k <= input.shape[axis]:
        raise ValueError(f"topk: k must be an integer in 0…{input.shape[axis]} along dim {dim}, got {k!r}. Use k=1.")
    return Extremum(*(t[(slice(None),) * axis + (slice(k),)] for t in sort(input, dim, largest)))


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element is true.  PyTorch: ``torch.all``.

    >>> nn.all(nn.tensor([True, False])).item()
    False
    """
    return Tensor(input.data.all(dim, keepdims=keepdim))


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether some element is true.  PyTorch: ``torch.any``.

    >>> nn.any(nn.tensor([True, False])).item()
    True
    """
    return Tensor(input.data.any(dim, keepdims=keepdim))


def isnan(input: Tensor) -> Tensor:
    """Which elements are NaN.  PyTorch: ``torch.isnan``.

    >>> nn.isnan(nn.tensor([0.0, float("nan")])).tolist()
    [False, True]
    """
    return Tensor(get_array_module(input._data).isnan(input._data))


def isfinite(input: Tensor) -> Tensor:
    """Which elements are neither NaN nor infinite.  PyTorch: ``torch.isfinite``.

    >>> nn.isfinite(nn.tensor([0.0, float("nan")])).tolist()
    [True, False]
    """
    return Tensor(get_array_module(input._data).isfinite(input._data))


def isinf(input: Tensor) -> Tensor:
    """Which elements are infinite.  PyTorch: ``torch.isinf``.

    >>> nn.isinf(nn.tensor([0.0, float("-inf")])).tolist()
    [False, True]
    """
    return Tensor(get_array_module(input._data).isinf(input._data))


@op
def sign(input: Array):
    """−1, 0 or 1; its gradient is 0.  PyTorch: ``torch.sign``.

    >>> nn.sign(nn.tensor([-3.0, 0.0])).tolist()
    [-1.0, 0.0]
    """
    return _sign(input), _flat


@op
def floor(input: Array):
    """The next integer below; its gradient is 0.  PyTorch: ``torch.floor``.

    >>> nn.floor(nn.tensor(1.5)).item()
    1.0
    """
    return get_array_module(input).floor(input), _flat


@op
def ceil(input: Array):
    """The next integer above; its gradient is 0.  PyTorch: ``torch.ceil``.

    >>> nn.ceil(nn.tensor(1.5)).item()
    2.0
    """
    return get_array_module(input).ceil(input), _flat


@op
def round(input: Array):
    """The nearest integer, halves to even; its gradient is 0.  PyTorch: ``torch.round``.

    >>> nn.round(nn.tensor(2.5)).item()
    2.0
    """
    return get_array_module(input).round(input), _flat


def _flat(g: Array) -> Array:
    """What comes back through steps: nothing."""
    return get_array_module(g).zeros_like(g)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Whether all elements agree within atol + rtol·|other|.  PyTorch: ``torch.allclose``.

    >>> nn.allclose(nn.tensor([1.0]), nn.tensor([1.0 + 1e-7]))
    True
    """
    _check_tensor("allclose", "other", other)
    return bool(get_array_module(input._data).allclose(input._data, other._data, rtol, atol))


@op
def clone(input: Array):
    """A copy inside the graph.  PyTorch: ``torch.clone``.

    >>> a = nn.tensor([1.0]); b = nn.clone(a); b.data[0] = 5; a.item()
    1.0
    """
    return +input if input.dtype.kind != "b" else input.copy(), lambda g: g


# ---------------------------------------------------------------------------------------------- gradients as a function


def grad(outputs: Tensor, inputs: Any, grad_outputs: Any = None, retain_graph: bool = False) -> tuple[Any, ...]:
    """d(outputs)/d(input) for each input, as arrays; no ``.grad`` changes.  PyTorch: ``torch.autograd.grad``.

    Works for intermediate tensors too. Raises RuntimeError for an input that ``outputs`` does not depend on.

    >>> x = nn.tensor(3.0, requires_grad=True); y = x * x
    >>> float(nn.grad(y, [x])[0])
    6.0
    """
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs) if hasattr(inputs, "__iter__") else [inputs]
    if not isinstance(outputs, Tensor) or not builtins.all(isinstance(t, Tensor) for t in wanted):
        raise TypeError(f"grad: needs Tensors, got {outputs!r:.40} and {inputs!r:.40}. Use nn.grad(y, [x]).")
    ids = {id(t) for t in wanted}
    with np.errstate(all="ignore"):
        steps = autograd.backward_steps(outputs, outputs._seed(grad_outputs), retain_graph)
        found = {id(value): +upstream for value, upstream, _ in steps if id(value) in ids}
    for i, t in enumerate(wanted):
        if id(t) not in found:
            raise RuntimeError(f"grad: outputs do not depend on inputs[{i}] through recorded ops. Check requires_grad.")
    return tuple(found[id(t)] for t in wanted)


def detect_anomaly() -> Any:
    """Inside the block, the first op whose result or gradient holds NaN or Inf raises.  PyTorch: ``detect_anomaly``.

    >>> with nn.detect_anomaly():
    ...     nn.log(nn.tensor(0.0))
    Traceback (most recent call last):
    RuntimeError: detect_anomaly: log made -inf first (1 of 1 elements). Look at its inputs.
    """

    def check(array: Any, where: str) -> None:
        values = array.ravel()
        bad = values[~get_array_module(array).isfinite(values)] if array.dtype.kind == "f" else values[:0]
        if bad.size:
            count = f"{bad.size} of {array.size} elements"
            raise RuntimeError(f"detect_anomaly: {where} made {bad[0].item()} first ({count}). Look at its inputs.")

    return autograd.watch(check)


# ---------------------------------------------------------------------------------------------- methods and operators


def _in_place(name: str, symbol: str) -> Any:
    write, fix = getattr(operator, f"i{name}"), f"x = x {symbol} y (a running sum adds loss.item())"

    def change(self: Tensor, other: Any) -> Tensor:
        return self._change(f"x {symbol}= y", other, write, fix)

    change.__doc__ = f"x {symbol}= y, in place."
    return change


def _logical(name: str) -> Any:
    def combine(input: Tensor, other: Any) -> Tensor:
        return Tensor(getattr(operator, name)(input.data, other.data if isinstance(other, Tensor) else other))

    combine.__name__ = f"bitwise_{name.strip('_')}"
    return _guarded(combine)


def _as_dtype(dtype: Any) -> Any:
    def convert(self: Tensor) -> Tensor:
        return self.to(dtype)

    convert.__doc__ = f"The same tensor as {dtype}."
    return convert


_METHODS = (
    add, sub, mul, div, pow, maximum, minimum, neg, abs, exp, log, log1p, expm1, sqrt, rsqrt, square, reciprocal, sin,
    cos, tanh, sigmoid, erf, clamp, matmul, outer, sum, mean, var, std, prod, amax, amin, max, min, norm, logsumexp,
    cumsum, cumprod, reshape, flatten, squeeze, unsqueeze, permute, transpose, expand, broadcast_to, split, chunk,
    unbind, flip, roll, repeat, diagonal, tril, triu, masked_fill, masked_select, gather, eq, ne, lt, le, gt, ge,
    argmax, argmin, argsort, sort, topk, all, any, isnan, isfinite, isinf, sign, floor, ceil, round, remainder,
    floor_divide, allclose, clone,
)  # fmt: skip
def _guarded(function: Any) -> Any:
    """``function``, which may get an array for a tensor as its first argument, and complains in its own words."""
    names, known = function.__code__.co_varnames, _parameters(function)
    of_tensor = names[0] == "input"

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if of_tensor and args and not isinstance(args[0], Tensor):
            _check_tensor(function.__name__, names[0], args[0], np.generic | np.ndarray)
            args = (Tensor(args[0]), *args[1:])
        try:
            return function(*args, **_spelled(kwargs, known)) if kwargs else function(*args)
        except (AttributeError, TypeError, ValueError) as error:
            raise _in_words(function, dict(zip(names, args)) | kwargs, error) from None

    return call


for _function in (*_METHODS, zeros_like, ones_like, full_like, full, arange, linspace, randint):
    if not hasattr(_function, "is_op"):
        globals()[_function.__name__] = _guarded(_function)
    if _function in _METHODS:
        setattr(Tensor, _function.__name__, globals()[_function.__name__])
for _name, _function in {
    "add": add, "sub": sub, "mul": mul, "truediv": div, "mod": remainder, "floordiv": floor_divide, "pow": pow,
    "matmul": matmul, "neg": neg, "pos": clone, "abs": abs, "getitem": getitem,
    "eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", lambda self, other, f=_function: f(other, self))  # asked for in arithmetic only
for _name, _symbol in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/")):
    _function = _in_place(_name, _symbol)
    setattr(Tensor, f"__i{_name}__", _function)
    setattr(Tensor, _name.removeprefix("true") + "_", _function)
for _name in ("and_", "or_", "xor"):
    for _side in ("", "r"):
        setattr(Tensor, f"__{_side}{_name.strip('_')}__", _logical(_name))
for _name, _dtype in (("float", float32), ("double", float64), ("long", int64), ("int", int32), ("bool", bool_)):
    setattr(Tensor, _name, _as_dtype(_dtype))
Tensor.__invert__ = lambda self: Tensor(~self._data)  # type: ignore[attr-defined]
Tensor.view = Tensor.reshape  # type: ignore[attr-defined]
Tensor.T = property(lambda self: permute(self, *reversed(range(self.ndim))), doc="All axes in reverse order.")  # type: ignore[attr-defined]
Tensor.mT = property(lambda self: transpose(self, -2, -1), doc="The last two axes swapped.")  # type: ignore[attr-defined]
