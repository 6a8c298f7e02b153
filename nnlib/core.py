"""The Tensor, the ``@op`` protocol, and how tensors are made.

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

import functools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from . import autograd, cuda
from .autograd import Node, _mode
from .device import _quiet, _state, accelerators, device_of, get_array_module, quietly, rng

__all__ = [
    "Tensor", "arange", "as_tensor", "cast", "detect_anomaly", "eye", "float16", "float32", "float64", "from_dlpack",
    "from_numpy", "full", "full_like", "get_default_dtype", "grad", "int16", "int32", "int64", "int8", "linspace",
    "long", "ones", "ones_like", "op", "rand", "randint", "randn", "randperm", "set_default_dtype", "tensor", "uint8",
    "zeros", "zeros_like",
]  # fmt: skip

Array: TypeAlias = Any  # a NumPy or CuPy array inside an op; a Tensor, an array or a number for its caller
Arrays: TypeAlias = Any  # a sequence of them

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

    if TYPE_CHECKING:  # ops become methods in ops.py

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

    def _touch(self) -> None:
        """Remember that the elements have just been changed in place."""
        self.__dict__.setdefault("_changed", [0])[0] = autograd.now()

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
        self._touch()
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

    def to(self, target: Any = None, dtype: Any = None, device: Any = None) -> Tensor:
        """The same tensor with another dtype (``nn.float64``), on another device (``"cpu"``, ``"cuda"``), or both.

        Raises RuntimeError where there is no such device.  PyTorch: ``Tensor.to``.

        >>> nn.tensor([1, 2]).to("cpu", nn.float64).dtype
        dtype('float64')
        """
        if dtype is not None or device is not None:
            return functools.reduce(Tensor.to, [place for place in (target, device, dtype) if place is not None], self)
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
        return np.dtype(dtype if dtype is not None else "None")  # NumPy takes None for float64
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


def _plain_index(index: Any, xp: Any = np) -> Any:
    """An index without tensors in it; arrays of the host go to the library of what is indexed, as in PyTorch."""
    if isinstance(index, Tensor):
        index = index.data
    if isinstance(index, tuple):
        return tuple(_plain_index(i, xp) for i in index)
    if isinstance(index, list):
        index = np.asarray([operator.index(i) if not isinstance(i, bool) else i for i in index])
    return xp.asarray(index) if xp is not np and isinstance(index, np.ndarray) else index


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
        highest = max([_RANK[d.kind] for d in group], default=0)
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
    elif isinstance(data, (list, tuple)) and any(isinstance(row, Tensor) for row in data):
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
    if not all(good):
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
    return tensor(np.full(tuple(size), fill_value).tolist(), dtype, device, requires_grad)


def full_like(input: Tensor, fill_value: Any) -> Tensor:
    """One value in the shape and dtype of ``input``.  PyTorch: ``torch.full_like``.

    >>> nn.full_like(nn.tensor([1.0, 2.0]), 3).tolist()
    [3.0, 3.0]
    """
    return Tensor(get_array_module(input._data).full_like(input.data, fill_value))


def arange(
    start: Any, end: Any = None, step: Any = 1, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """start, start + step, … below ``end``.  PyTorch: ``torch.arange``.

    >>> nn.arange(3).tolist(), nn.arange(1, 7, 2).tolist()
    ([0, 1, 2], [1, 3, 5])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0:
        raise ValueError("arange: step must not be 0, got 0. Use step=1.")
    array = np.arange(start, end, step)
    dtype = dtype or (array.dtype if array.dtype.kind == "i" else _default_dtype)
    return tensor(array, dtype, device, requires_grad)


def linspace(
    start: float, end: float, steps: int, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included.  PyTorch: ``torch.linspace``.

    >>> nn.linspace(0, 1, 3).tolist()
    [0.0, 0.5, 1.0]
    """
    _check_integer("linspace", 0, 2, steps=steps)
    return _made(np.linspace(start, end, steps, dtype=dtype or _default_dtype), device, requires_grad)


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


for _function in (zeros_like, ones_like, full_like, full, arange, linspace, randint):
    globals()[_function.__name__] = _guarded(_function)


# ---------------------------------------------------------------------------------------------- gradients as a function


def grad(outputs: Tensor, inputs: Any, grad_outputs: Any = None, retain_graph: bool = False) -> tuple[Any, ...]:
    """d(outputs)/d(input) for each input, as arrays; no ``.grad`` changes.  PyTorch: ``torch.autograd.grad``.

    Works for intermediate tensors too. Raises RuntimeError for an input that ``outputs`` does not depend on.

    >>> x = nn.tensor(3.0, requires_grad=True); y = x * x
    >>> float(nn.grad(y, [x])[0])
    6.0
    """
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs) if hasattr(inputs, "__iter__") else [inputs]
    if not isinstance(outputs, Tensor) or not all(isinstance(t, Tensor) for t in wanted):
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
