"""Judge gradients by central differences, and numbers by tolerance."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from .autograd import no_grad
from .core import Tensor, as_tensor, grad
from .device import get_array_module, rng

__all__ = ["assert_close", "gradcheck", "numeric_grad"]


def numeric_grad(fn: Callable[..., Any], inputs: Sequence[Tensor], index: int = 0, eps: float = 1e-6) -> np.ndarray:
    """Central differences (f(x + εe) − f(x − εe))/2ε of a scalar function, for every element of ``inputs[index]``.

    Two evaluations per element: exact enough to judge, far too slow to train.

    >>> x = nn.tensor([3.0], dtype=nn.float64)
    >>> nn.testing.numeric_grad(lambda x: (x * x).sum(), [x]).round(6)
    array([6.])
    """
    x = inputs[index].data
    if x.dtype != np.float64:
        raise TypeError(f"numeric_grad: needs float64 (rounding drowns the difference), got {x.dtype}. Use t.double().")
    out = np.zeros(x.shape)
    with no_grad():
        for place in np.ndindex(x.shape):
            before = x[place].item()
            ends = []
            for shift in (eps, -eps):
                x[place] = before + shift
                ends.append(_scalar(fn(*inputs)))
            x[place] = before
            out[place] = (ends[0] - ends[1]) / (2 * eps)
    return out


def _scalar(value: Any) -> Any:
    value = as_tensor(value)
    if value.numel() != 1:
        raise ValueError(f"numeric_grad: the function must return one number, got shape {value.shape}. Sum it up.")
    return value.item()


def gradcheck(
    fn: Callable[..., Any], inputs: Sequence[Tensor], eps: float = 1e-6, atol: float = 1e-6, rtol: float = 1e-4,
    projections: int | None = None, raise_exception: bool = True,
) -> bool:  # fmt: skip
    """Compare the gradients of ``fn(*inputs)`` with central differences, in float64.

    PyTorch: ``torch.autograd.gradcheck``.

    Outputs of any shape are weighted by random numbers first, so that no two errors can cancel. Every element of every
    input with ``requires_grad`` is checked; ``projections=k`` checks k random directions instead (two evaluations
    each), for functions that are too slow. Raises TypeError for other dtypes than float64, ValueError if no input asks
    for a gradient or none of the outputs depends on it, AssertionError (or returns False) where gradients differ.

    >>> x = nn.tensor([1.0, 2.0], dtype=nn.float64, requires_grad=True)
    >>> nn.testing.gradcheck(lambda x: x.exp(), [x])
    True
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    wanted = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    if not wanted:
        raise ValueError("gradcheck: no input has requires_grad=True, so nothing would be checked. Set it.")
    for i in wanted:
        if inputs[i].dtype != np.float64:
            came = f"inputs[{i}] is {inputs[i].dtype}"
            raise TypeError(f"gradcheck: {came}; central differences need float64. Use .double().")

    def outputs(*values: Tensor) -> Any:
        result = fn(*values)
        return result if isinstance(result, (tuple, list)) else (result,)

    generator = np.random.default_rng(0)
    weights = [generator.uniform(0.5, 1.5, t.shape) * generator.choice([-1, 1], t.shape) for t in outputs(*inputs)]

    def weighted(*values: Tensor) -> Any:
        pairs = zip(outputs(*values), weights)
        return sum((t * Tensor(w).to(t.device)).sum() for t, w in pairs if t.dtype.kind == "f")

    total = weighted(*inputs)
    if not getattr(total, "requires_grad", False):
        raise ValueError("gradcheck: the output depends on no input through recorded ops. Is it detached?")
    analytic = {i: np.zeros(inputs[i].shape) for i in wanted}
    for i in wanted:
        with contextlib.suppress(RuntimeError):  # the output does not depend on this input
            analytic[i] = Tensor(grad(total, inputs[i], retain_graph=True)[0]).cpu().data
    difference = next(_differences(weighted, inputs, analytic, projections, eps, atol, rtol), None)
    if difference is not None and raise_exception:
        raise AssertionError(f"gradcheck: {difference}. Look at the gradient function of the op.")
    return difference is None


def _differences(
    fn: Callable[..., Any], inputs: Sequence[Tensor], analytic: dict[int, Any], projections: int | None, eps: float,
    atol: float, rtol: float,
) -> Iterator[str]:  # fmt: skip
    """Where central differences of ``fn`` contradict the gradients, given by the number of the input."""
    for i, ours in analytic.items():
        x = inputs[i]
        if ours.shape != x.shape or ours.dtype != x.dtype:
            shapes = f"has shape {ours.shape} and dtype {ours.dtype}, the input {x.shape} and {x.dtype}"
            yield f"gradient of inputs[{i}] {shapes}"
        elif projections is None:
            theirs = numeric_grad(fn, inputs, i, eps)
            wrong = ~(np.abs(ours - theirs) <= atol + rtol * np.abs(theirs))
            if wrong.any():
                place = tuple(np.argwhere(wrong)[0].tolist())
                yield (
                    f"gradient of inputs[{i}] at {place} is {ours[place]:.8g}, central differences say "
                    f"{theirs[place]:.8g} ({wrong.sum()} of {wrong.size} elements differ)"
                )
    for _ in range(projections or 0):
        ways = {i: rng().standard_normal(g.shape) for i, g in analytic.items()}
        slope, ours = _slope(fn, inputs, ways, eps), sum((analytic[i] * way).sum() for i, way in ways.items())
        if not abs(ours - slope) <= atol + rtol * abs(slope):
            yield f"gradient along a random direction is {ours:.8g}, central differences say {slope:.8g}"


def _slope(fn: Callable[..., Any], inputs: Sequence[Tensor], ways: dict[int, np.ndarray], eps: float) -> float:
    """The central difference of ``fn`` along a direction, given by the number of the input."""
    start = {i: inputs[i].data.copy() for i in ways}

    def moved(t: Tensor) -> Any:
        for i, way in ways.items():
            inputs[i].data[...] = start[i] + get_array_module(start[i]).asarray(t.item() * way)
        return fn(*inputs)

    slope = numeric_grad(moved, [Tensor(np.zeros(()))], eps=eps).item()
    for i, array in start.items():
        inputs[i].data[...] = array
    return slope


def assert_close(actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None) -> None:
    """Raise AssertionError unless shapes and dtypes are equal and numbers agree.

    PyTorch: ``torch.testing.assert_close``.

    Tolerances fit the dtype: 1.3e-6 and 1e-5 for float32, 1e-7 for float64.

    >>> nn.testing.assert_close(nn.tensor([1.0]), nn.tensor([1.0 + 1e-7]))
    """
    a, e = (
        (t.detach() if isinstance(t, Tensor) else Tensor(t)).cpu().data if hasattr(t, "dtype") else np.asarray(t)
        for t in (actual, expected)
    )
    if a.shape != e.shape or a.dtype != e.dtype:
        raise AssertionError(f"assert_close: got shape {a.shape}, {a.dtype}; expected {e.shape}, {e.dtype}.")
    defaults = (1.3e-6, 1e-5) if a.dtype == np.float32 else (1e-7, 1e-7) if a.dtype == np.float64 else (0.0, 0.0)
    np.testing.assert_allclose(a, e, defaults[0] if rtol is None else rtol, defaults[1] if atol is None else atol)
