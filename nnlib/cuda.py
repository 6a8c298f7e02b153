"""The GPU, through CuPy, where there is one.  PyTorch: ``torch.cuda``.

CuPy imports without a GPU and fails at its first array, so everything here asks :func:`is_available` first. Install it
with ``pip install 'nnlib[cuda12]'`` or ``'nnlib[cuda13]'``, whichever the driver supports. nnlib's own kernels are in
:mod:`nnlib.kernels`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from .device import accelerators, device_of, get_array_module, register

__all__ = [
    "CUDAGraph", "current_device", "device_count", "empty_cache", "get_device_capability", "get_device_name", "graph",
    "is_available", "is_current_stream_capturing", "max_memory_allocated", "mem_get_info", "memory_allocated",
    "memory_reserved", "pin_memory", "reset_peak_memory_stats", "synchronize",
]  # fmt: skip

_cupy: Any = None
_count = 0  # GPUs
_problem = ""  # why there is no GPU, and what to do
_in_flight: deque[Any] = deque()  # copies under way, and the pinned memory they read
_peak: list[int] = []  # the most bytes in use so far, while somebody wants to know


def _load() -> Any:
    """CuPy, if it is installed and finds a GPU; else None, and ``_problem`` says why."""
    global _cupy, _count, _problem
    if _cupy is None:
        try:
            import cupy

            _count = cupy.cuda.runtime.getDeviceCount()
        except ImportError:
            _problem = "CuPy is not installed. Use pip install 'nnlib[cuda13]', or 'nnlib[cuda12]' for an older driver"
        except Exception as error:  # CuPy's own types; its messages begin with the name of CUDA's error
            reason = str(error).partition(":")[0]
            _problem = {
                "cudaErrorInsufficientDriver": "the NVIDIA driver is missing, or too old for this CUDA. Update it, or "
                "pip install 'nnlib[cuda12]' in place of cuda13",
                "cudaErrorNoDevice": "no GPU is visible. Check nvidia-smi and CUDA_VISIBLE_DEVICES",
            }.get(reason, f"CuPy failed ({error}). Run python -c 'import cupy; cupy.show_config()'")
        else:
            register(cupy.ndarray, cupy)
            _cupy = cupy
    return _cupy


def _forget() -> None:
    """Look for CuPy again at the next call."""
    global _cupy
    _cupy = None
    _peak.clear()


def _need(name: str) -> Any:
    cupy = _load()
    if cupy is None:
        raise RuntimeError(f"{name}: needs a GPU, and {_problem}. Everything else runs on 'cpu'.")
    return cupy


def is_available() -> bool:
    """Whether tensors can go to ``"cuda"`` here.  PyTorch: ``torch.cuda.is_available``.

    >>> nn.cuda.is_available() in (True, False)
    True
    """
    return _load() is not None


def device_count() -> int:
    """How many GPUs there are.  PyTorch: ``torch.cuda.device_count``.

    >>> nn.cuda.device_count() >= nn.cuda.is_available()
    True
    """
    return _count if _load() else 0


def current_device() -> int:
    """The number of the GPU that ``"cuda"`` means.  PyTorch: ``torch.cuda.current_device``."""
    return _need("current_device").cuda.runtime.getDevice()


def get_device_name(device: int = 0) -> str:
    """What the GPU is called, e.g. "NVIDIA H200".  PyTorch: ``torch.cuda.get_device_name``."""
    return _need("get_device_name").cuda.runtime.getDeviceProperties(device)["name"].decode()


def get_device_capability(device: int = 0) -> tuple[int, int]:
    """The compute capability, e.g. (9, 0).  PyTorch: ``torch.cuda.get_device_capability``."""
    found = _need("get_device_capability").cuda.runtime.getDeviceProperties(device)
    return found["major"], found["minor"]


def synchronize() -> None:
    """Wait until the GPU has done all it was given; without a GPU there is nothing to wait for.

    PyTorch: ``torch.cuda.synchronize`` (which raises without a GPU).

    >>> nn.cuda.synchronize()
    """
    if _load():
        _cupy.cuda.get_current_stream().synchronize()


# ---------------------------------------------------------------------------------------------- memory


def memory_allocated() -> int:
    """Bytes that arrays hold on the GPU; 0 without one.  PyTorch: ``torch.cuda.memory_allocated``.

    >>> nn.cuda.memory_allocated() >= 0
    True
    """
    cupy = _load()
    return cupy.get_default_memory_pool().used_bytes() if cupy else 0


def memory_reserved() -> int:
    """Bytes the memory pool holds, in use or ready for the next array.  PyTorch: ``torch.cuda.memory_reserved``.

    >>> nn.cuda.memory_reserved() >= nn.cuda.memory_allocated()
    True
    """
    cupy = _load()
    return cupy.get_default_memory_pool().total_bytes() if cupy else 0


def reset_peak_memory_stats() -> None:
    """Begin to watch for :func:`max_memory_allocated`.  PyTorch: ``torch.cuda.reset_peak_memory_stats``.

    From here on every allocation is looked at (about a microsecond each).
    """
    cupy = _need("reset_peak_memory_stats")
    pool = cupy.get_default_memory_pool()
    _peak[:] = [pool.used_bytes()]

    def malloc(size: int) -> Any:
        memory = pool.malloc(size)
        if _peak:
            _peak[0] = max(_peak[0], pool.used_bytes())
        return memory

    cupy.cuda.set_allocator(malloc)


def max_memory_allocated() -> int:
    """The most bytes in use at once since :func:`reset_peak_memory_stats`.

    PyTorch: ``torch.cuda.max_memory_allocated``. Raises RuntimeError if nobody has watched (PyTorch always does).
    """
    if not _peak:
        raise RuntimeError("max_memory_allocated: nobody has watched. Call nn.cuda.reset_peak_memory_stats() before.")
    return _peak[0]


def mem_get_info() -> tuple[int, int]:
    """Bytes of the GPU that are free, and all of them.  PyTorch: ``torch.cuda.mem_get_info``."""
    return _need("mem_get_info").cuda.runtime.memGetInfo()


def empty_cache() -> None:
    """Give the pool's unused memory back, for other programs.  PyTorch: ``torch.cuda.empty_cache``.

    >>> nn.cuda.empty_cache()
    """
    if _load():
        _cupy.get_default_memory_pool().free_all_blocks()


def explained(error: MemoryError, name: str) -> MemoryError:
    """A device out of memory, in one line with the fix; any other MemoryError as it came."""
    if _cupy is None or not isinstance(error, _cupy.cuda.memory.OutOfMemoryError):
        return error
    free, total = mem_get_info()
    return MemoryError(
        f"{name}: the GPU is out of memory ({(total - free) / 2**30:.1f} of {total / 2**30:.1f} GiB in use). "
        "Use a smaller batch, nn.no_grad() where nothing is trained, or nn.cuda.empty_cache() if others share the card."
    )


# ---------------------------------------------------------------------------------------------- moving


def canonical(device: str, name: str = "to") -> str:
    """``device`` as tensors say it: "cpu", or "cuda:0" for "cuda".  Raises RuntimeError if there is no such device."""
    kind, _, number = str(device).partition(":")
    if kind == "cpu" and not number:
        return "cpu"
    if kind != "cuda" or not (number or "0").isdecimal():
        raise RuntimeError(f"{name}: device must be 'cpu', 'cuda' or 'cuda:1', got {device!r}. Use 'cpu'.")
    cupy = _load()
    if cupy is None:
        raise RuntimeError(f"{name}: {device!r} needs a GPU, and {_problem}. Or stay on 'cpu'.")
    index = int(number) if number else current_device()
    if index >= device_count():
        raise RuntimeError(f"{name}: there is no {device!r}, only {_count} GPU(s), numbered from 0. Use 'cuda:0'.")
    return f"cuda:{index}"


def move(array: Any, device: str) -> Any:
    """``array`` on ``device`` ("cpu", "cuda" or "cuda:1"), copied if it lives elsewhere.

    A copy from pinned memory runs while Python goes on. Raises RuntimeError where there is no such device.
    """
    device = canonical(device)
    if device == device_of(array):
        return array
    if device == "cpu":
        return get_array_module(array).asnumpy(array)
    try:
        with _cupy.cuda.Device(int(device[5:])):
            if not isinstance(getattr(array, "base", None), _cupy.cuda.PinnedMemoryPointer):
                return _cupy.asarray(array)
            there, stream = _cupy.empty(array.shape, array.dtype), _cupy.cuda.get_current_stream()
            there.set(array, stream)
            _in_flight.append((stream.record(), array))  # nobody may write there before the copy is done
            while _in_flight and _in_flight[0][0].done:
                _in_flight.popleft()
            return there
    except MemoryError as error:
        raise explained(error, "to") from None


def pin_memory(array: np.ndarray) -> np.ndarray:
    """A copy in page-locked memory, which goes to the GPU without a detour; without a GPU ``array`` itself.

    PyTorch: ``Tensor.pin_memory``.

    >>> pin_memory(np.zeros(3)).shape
    (3,)
    """
    if _load() is None or not isinstance(array, np.ndarray):
        return array
    from cupyx import empty_pinned

    pinned = empty_pinned(array.shape, array.dtype)
    pinned[...] = array
    return pinned


def pinned_batches(make: Callable[[Any], Any], indices: Iterable[Any], ahead: bool) -> Iterator[Any]:
    """``make(i)`` in page-locked memory for each i of ``indices``; ``ahead``: by a thread, while the last one is used.

    A thread is for rows of arrays: other examples may draw random numbers, whose order must not depend on it.
    """

    def pinned(batch: Any) -> Any:
        if isinstance(batch, (tuple, list)):
            return tuple(map(pinned, batch))
        if isinstance(batch, dict):
            return {key: pinned(value) for key, value in batch.items()}
        return batch.pin_memory() if hasattr(batch, "pin_memory") else batch

    if not ahead:
        yield from (pinned(make(i)) for i in indices)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        coming: deque[Any] = deque()
        for i in indices:
            coming.append(thread.submit(lambda rows: pinned(make(rows)), i))
            if len(coming) > 1:
                yield coming.popleft().result()
        yield from (last.result() for last in coming)


def same_device(name: str, names: Any, values: list[Any]) -> None:
    """Refuse arrays that live in different places; 0-d ones of the host count as numbers, as in PyTorch (in place)."""
    homes: dict[str, str] = {}
    for i, (what, value) in enumerate(zip(names, values)):
        if what == "index" and name == "getitem":
            continue  # may come from the host, as in PyTorch
        for member in value if isinstance(value, list) else [value]:
            if type(member) in accelerators or (isinstance(member, np.ndarray) and member.ndim):
                homes.setdefault(device_of(member), what)
        if isinstance(value, np.ndarray) and not value.ndim:
            values[i] = value[()]
    if len(homes) > 1:
        (first, one), (second, other), *_ = homes.items()
        home = first if first != "cpu" else second
        listed = f"{one} lives on {first} and {other} on {second}" if one != other else f"{one} on {first} and {second}"
        raise RuntimeError(
            f"{name}: {listed}, but everything must be on one device. Use .to({home!r}) on what lives elsewhere, "
            "before the loop if you can."
        )


def check_index(x: Any, parts: tuple[Any, ...]) -> None:
    """Raise IndexError for a place outside ``x``, where CuPy would silently go round; it has to wait for the device."""
    if is_current_stream_capturing():
        return
    masks = [getattr(p, "dtype", None) == np.dtype(bool) for p in parts]
    lengths = [p.ndim if mask else int(p is not None and p is not ...) for p, mask in zip(parts, masks)]
    axis = 0
    for part, length in zip(parts, lengths):
        if getattr(part, "dtype", np.dtype(bool)).kind in "iu" and part.size and type(part) in accelerators:
            low, high, n = int(part.min()), int(part.max()), x.shape[axis]
            if not -n <= low <= high < n:
                wrong = high if high >= n else low
                raise IndexError(f"index {wrong} is out of bounds for axis {axis} with size {n}")
        axis += x.ndim - sum(lengths) if part is ... else length


# ---------------------------------------------------------------------------------------------- graphs


class CUDAGraph:
    """Work that was captured once and can be replayed with one launch.  PyTorch: ``torch.cuda.CUDAGraph``.

    Fill with :func:`graph`, run with :meth:`replay`. What the captured code allocated stays its own: it reads and
    writes the same arrays at every replay, so give it new data with ``x.copy_(batch)``.
    """

    _graph: Any = None
    _keep: Any = None

    def replay(self) -> None:
        """Do the captured work again, on the current stream."""
        if self._graph is None:
            raise RuntimeError("CUDAGraph.replay: nothing is captured yet. Use with nn.cuda.graph(g): … first.")
        self._graph.launch(_need("CUDAGraph.replay").cuda.get_current_stream())


@contextmanager
def graph(cuda_graph: CUDAGraph) -> Iterator[None]:
    """Capture what the block launches into ``cuda_graph`` instead of doing it.  PyTorch: ``torch.cuda.graph``.

    Run the same code a few times before: kernels are compiled and optimisers make their state at first use. Nothing
    inside may look at a value (``item``, ``print``, a comparison): that would wait for work that is not being done.

        for _ in range(3):
            step()                      # warm up
        g = nn.cuda.CUDAGraph()
        with nn.cuda.graph(g):
            step()                      # one whole training step: forward, backward, optimizer.step()
        for batch, labels in loader:
            x.copy_(batch), y.copy_(labels)
            g.replay()
    """
    cupy = _need("graph")
    cupy.cuda.get_current_stream().synchronize()
    stream, pool = cupy.cuda.Stream(non_blocking=True), cupy.cuda.MemoryPool()
    with cupy.cuda.using_allocator(pool.malloc), stream:
        stream.begin_capture()
        try:
            yield
        except BaseException:
            with suppress(Exception):  # the capture is broken already, and the block's own error says why
                stream.end_capture()
            raise
        cuda_graph._graph = stream.end_capture()
    cuda_graph._keep = pool  # its blocks must not be handed to anybody else


def is_current_stream_capturing() -> bool:
    """Whether a :func:`graph` is being captured.  PyTorch: ``torch.cuda.is_current_stream_capturing``.

    >>> nn.cuda.is_current_stream_capturing()
    False
    """
    return _cupy is not None and bool(_cupy.cuda.get_current_stream().is_capturing())


def on_device(array: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` to be called with the GPU of ``array`` as the current one, where there are several."""
    if type(array) not in accelerators or _count < 2:
        return function

    def call(*args: Any) -> Any:
        with get_array_module(array).cuda.Device(array.device.id):
            return function(*args)

    return call
