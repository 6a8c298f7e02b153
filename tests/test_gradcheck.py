"""The judge is judged: gradcheck must catch every kind of planted bug, and pass what is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlib as nn
from nnlib.core import unbroadcast
from nnlib.testing import assert_close, gradcheck, numeric_grad

Array = Any


def real(*shape: int, seed: int = 0) -> nn.Tensor:
    return nn.tensor(np.random.default_rng(seed).uniform(-2, 2, shape), requires_grad=True)


def unary(grad: Callable[[Any, Any], Any], forward: Callable[[Any], Any] = np.sin) -> Callable[..., Any]:
    """An op whose gradient function is ``grad(g, x)``."""

    @nn.op
    def planted(input: Array):
        x = input
        return forward(x), lambda g: grad(g, x)

    return planted


def binary(
    forward: Callable[..., Any], grad_x: Callable[..., Any], grad_y: Callable[..., Any]
) -> Callable[..., Any]:
    @nn.op
    def planted(input: Array, other: Array):
        x, y = input, other
        return forward(x, y), lambda g: grad_x(g, x, y), lambda g: grad_y(g, x, y)

    return planted


def one_wrong_element(g: Any, x: Any) -> Any:
    share = g * np.cos(x)
    share.flat[3] *= 1.01
    return share


def scattered_once(g: Any, x: Any) -> Any:
    share = np.zeros_like(x)
    share[[0, 0, 2]] += g  # the classic: of two equal indices only the last counts
    return share


matmul = np.matmul
# What is wrong -> (the op, its inputs). Each forward is right; each gradient has exactly one fault.
BUGS: dict[str, tuple[Callable[..., Any], list[nn.Tensor]]] = {
    "sign": (unary(lambda g, x: -g * np.cos(x)), [real(2, 3)]),
    "factor 2": (unary(lambda g, x: 2 * g * np.cos(x)), [real(2, 3)]),
    "factor 1.001": (unary(lambda g, x: 1.001 * g * np.cos(x)), [real(2, 3)]),
    "constant offset 1e-3": (unary(lambda g, x: g * np.cos(x) + 1e-3), [real(2, 3)]),
    "one wrong element": (unary(one_wrong_element), [real(2, 3)]),
    "only where x < 0": (unary(lambda g, x: g * np.where(x < 0, 1.0, np.cos(x))), [real(2, 3)]),
    "only on the last row": (unary(lambda g, x: g * np.cos(x) * [[1.0], [1.01]]), [real(2, 3)]),
    "zero": (unary(lambda g, x: np.zeros_like(x)), [real(2, 3)]),
    "NaN": (unary(lambda g, x: g * np.nan), [real(2, 3)]),
    "upstream gradient ignored": (unary(lambda g, x: np.cos(x)), [real(2, 3)]),
    "upstream gradient averaged": (unary(lambda g, x: g.mean() * np.cos(x)), [real(2, 3)]),
    "derivative of another function": (unary(lambda g, x: g * np.sin(x)), [real(2, 3)]),
    "float32 truncation": (
        unary(lambda g, x: (g * x).astype(np.float16).astype(float), lambda x: x * x / 2), [real(2, 3)],
    ),
    "wrong dtype": (unary(lambda g, x: (g * np.cos(x)).astype(np.float32)), [real(2, 3)]),
    "wrong shape": (unary(lambda g, x: (g * np.cos(x)).ravel()), [real(2, 3)]),
    "transposed": (unary(lambda g, x: (g * np.cos(x)).T.copy()), [real(3, 3)]),
    "reversed": (unary(lambda g, x: (g * np.cos(x))[::-1]), [real(2, 3)]),
    "transposed matrix product": (
        binary(matmul, lambda g, x, y: g @ y, lambda g, x, y: x.T @ g), [real(3, 3), real(3, 3, seed=1)],
    ),
    "arguments swapped": (
        binary(np.multiply, lambda g, x, y: g * x, lambda g, x, y: g * y), [real(3), real(3, seed=1)],
    ),
    "missing unbroadcast": (binary(np.add, lambda g, x, y: g, lambda g, x, y: g), [real(2, 3), real(3)]),
    "unbroadcast that averages": (
        binary(np.add, lambda g, x, y: g, lambda g, x, y: unbroadcast(g, y) / 2), [real(2, 3), real(3)],
    ),
    "unbroadcast of the first copy": (binary(np.add, lambda g, x, y: g, lambda g, x, y: g[0]), [real(2, 3), real(3)]),
    "wrong axis": (
        unary(lambda g, x: np.broadcast_to(g[None, :], x.shape), lambda x: x.sum(1)), [real(3, 3)],
    ),
    "second argument detached": (
        lambda x, y: x * y.detach(), [real(3), real(3, seed=1)],
    ),
    "one of two paths detached": (lambda x: x * x.detach(), [real(3)]),
    "a term of a reused node dropped": (lambda x: (lambda y: y * y.detach())(nn.exp(x)), [real(3)]),
    "a path through .data": (lambda x: x.sum() + nn.tensor(x.data).square().sum(), [real(3)]),
    "missing mean factor": (unary(lambda g, x: np.full(x.shape, g), np.mean), [real(2, 3)]),
    "repeated indices lost": (unary(scattered_once, lambda x: x[[0, 0, 2]]), [real(3)]),
    "softmax without its coupling": (
        unary(lambda g, x: g * np.exp(x) / np.exp(x).sum(), lambda x: np.exp(x) / np.exp(x).sum()), [real(4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_every_planted_bug_is_caught(bug: str) -> None:
    fn, inputs = BUGS[bug]
    with pytest.raises(AssertionError, match="gradcheck: gradient of inputs"):
        gradcheck(fn, inputs)
    assert gradcheck(fn, inputs, raise_exception=False) is False


@pytest.mark.parametrize("bug", BUGS)
def test_every_planted_bug_is_caught_by_projections(bug: str) -> None:
    nn.manual_seed(0)
    fn, inputs = BUGS[bug]
    with pytest.raises(AssertionError, match="gradcheck: gradient"):
        gradcheck(fn, inputs, projections=5)


def test_the_bugs_are_of_many_kinds() -> None:
    assert len(BUGS) >= 12


RIGHT: dict[str, tuple[Callable[..., Any], list[nn.Tensor]]] = {
    "unary": (unary(lambda g, x: g * np.cos(x)), [real(2, 3)]),
    "matmul": (binary(matmul, lambda g, x, y: g @ y.T, lambda g, x, y: x.T @ g), [real(2, 3), real(3, 4)]),
    "broadcast": (binary(np.add, lambda g, x, y: g, lambda g, x, y: unbroadcast(g, y)), [real(2, 3), real(3)]),
    "reuse": (lambda x: x * x.exp() + x, [real(4)]),
    "several outputs": (lambda x: (x.sin(), x.sum(), x.argmax()), [real(4)]),
    "0-d": (lambda x: x.exp(), [real()]),
    "no elements": (lambda x: x * 2, [real(0, 3)]),
    "a constant argument": (lambda x, y: x * y, [real(3), nn.tensor(np.ones(3))]),
    "an integer argument": (lambda x, i: x[i], [real(3), nn.tensor([0, 0, 2])]),
    "an unused argument": (lambda x, y: x * 2, [real(3), real(3)]),
    "steep": (lambda x: (x * 5).exp(), [real(4)]),
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("projections", [None, 3])
def test_what_is_right_passes(name: str, projections: int | None) -> None:
    nn.manual_seed(0)
    fn, inputs = RIGHT[name]
    assert gradcheck(fn, inputs, projections=projections) is True


@pytest.mark.parametrize("projections", [None, 3])
def test_inputs_and_their_gradients_are_left_as_they_were(projections: int | None) -> None:
    x = real(2, 3)
    values, before = x.data.copy(), np.full((2, 3), 7.0)
    x.grad = before
    gradcheck(lambda x: x.exp(), [x], projections=projections)
    np.testing.assert_allclose(x.data, values, rtol=0, atol=1e-15)
    assert x.grad is before


@pytest.mark.parametrize("projections", [None, 3])
def test_a_judge_with_nothing_to_judge_refuses(projections: int | None) -> None:
    x = real(3)
    with pytest.raises(ValueError, match="no input has requires_grad=True"):
        gradcheck(lambda x: x * 2, [x.detach()], projections=projections)
    with pytest.raises(ValueError, match="depends on no input"):
        gradcheck(lambda x: x.detach() * 2, [x], projections=projections)
    with pytest.raises(ValueError, match="depends on no input"):
        gradcheck(lambda x: x.argmax(), [x], projections=projections)
    with pytest.raises(TypeError, match="float32; central differences need float64"):
        gradcheck(lambda x: x * 2, [x.float().detach().requires_grad_()], projections=projections)


def test_errors_that_would_cancel_in_a_plain_sum_are_caught() -> None:
    """x₀ and x₁ swap their gradients: the sum over all elements is right, each element is wrong."""
    swapped = unary(lambda g, x: g[[1, 0]] * 2, lambda x: x * 2)
    with pytest.raises(AssertionError):
        gradcheck(swapped, [real(2)])


def test_numeric_grad_is_exact_to_eight_digits() -> None:
    x = real(3)
    np.testing.assert_allclose(numeric_grad(lambda x: x.exp().sum(), [x]), np.exp(x.data), rtol=1e-8)
    with pytest.raises(ValueError, match=r"must return one number, got shape \(3,\)"):
        numeric_grad(lambda x: x.exp(), [x])


def test_assert_close_judges_shape_dtype_and_value() -> None:
    one = nn.tensor([1.0, 2.0])
    assert_close(one, nn.tensor([1.0, 2.0 + 1e-6]))
    for other, reason in (
        (nn.tensor([[1.0, 2.0]]), r"shape \(2,\)"), (one.double(), "float32; expected"),
        (nn.tensor([1.0, 2.1]), "Mismatch"), (nn.tensor([1.0, float("nan")]), "nan"),
    ):  # fmt: skip
        with pytest.raises(AssertionError, match=reason):
            assert_close(one, other)
