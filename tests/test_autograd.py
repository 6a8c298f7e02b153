"""The engine: what is recorded, in which order it is walked, what is kept and what is let go."""

from __future__ import annotations

import inspect
import weakref
from typing import Any

import numpy as np
import pytest

import nnlib as nn
from nnlib import autograd, device
from nnlib.autograd import Node, backward, backward_steps

Array = Any
Arrays = Any


# ------------------------------------------------------------------------------------- any value will do


class Value:
    """A scalar of our own: the engine asks for ``node`` and ``grad`` only."""

    def __init__(self, data: float, node: Node | None = None) -> None:
        self.data, self.node, self.grad = data, node, None

    def __add__(self, other: Value) -> Value:
        return Value(self.data + other.data, Node("add", [(self, lambda g: g), (other, lambda g: g)]))

    def __mul__(self, other: Value) -> Value:
        edges = [(self, lambda g: g * other.data), (other, lambda g: g * self.data)]
        return Value(self.data * other.data, Node("mul", edges))


def test_the_engine_runs_on_plain_numbers() -> None:
    x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    f = (x + y) * z
    backward(f, 1.0)
    assert (f.data, x.grad, y.grad, z.grad) == (-12, -4, -4, 3)


def test_a_step_holds_the_value_its_gradient_and_what_it_sends() -> None:
    x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
    q = x + y
    f = q * z
    steps = list(backward_steps(f, 1.0))
    assert [value for value, _, _ in steps[:2]] == [f, q]
    assert {value for value, _, _ in steps[2:]} == {x, y, z}
    assert steps[0][1:] == (1.0, [(q, -4.0), (z, 3.0)])
    assert steps[1][1:] == (-4.0, [(x, -4.0), (y, -4.0)])
    assert (x.grad, y.grad, z.grad) == (None, None, None)  # looking changes nothing


def test_nodes_are_visited_from_the_newest_to_the_oldest() -> None:
    x = nn.tensor(1.0, requires_grad=True)
    a = x * 2
    b = a + 1
    c = a * b  # depends on a along two paths, of length 1 and 2
    d = (b * c).exp()
    order = [value for value, _, _ in backward_steps(d, np.float32(1))]
    assert order[1:] == [order[1], c, b, a, x]
    assert order[0] is d


# ------------------------------------------------------------------------------------- grad mode


def test_no_grad_records_nothing_and_comes_back() -> None:
    x = nn.tensor(1.0, requires_grad=True)
    with nn.no_grad():
        assert (x * 2).node is None
        with nn.enable_grad():
            assert (x * 2).node is not None
        with nn.set_grad_enabled(True), nn.no_grad():
            assert not nn.is_grad_enabled()
    assert nn.is_grad_enabled()


def test_no_grad_as_a_decorator_works_on_every_call() -> None:
    x = nn.tensor(1.0, requires_grad=True)

    @nn.no_grad()
    def double(t: Any) -> Any:
        return t * 2

    assert [double(x).requires_grad for _ in range(3)] == [False] * 3
    assert nn.is_grad_enabled()


def test_set_grad_enabled_works_as_a_statement_and_as_a_decorator_and_no_grad_without_brackets() -> None:
    nn.set_grad_enabled(False)
    assert not nn.is_grad_enabled()
    nn.set_grad_enabled(True)

    @nn.set_grad_enabled(False)
    def off() -> bool:
        return nn.is_grad_enabled()

    @nn.no_grad
    def off_too() -> bool:
        return nn.is_grad_enabled()

    assert nn.is_grad_enabled()  # making them changes nothing
    assert (off(), off_too(), off()) == (False, False, False)
    assert nn.is_grad_enabled()


def test_an_exception_leaves_the_mode_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), nn.no_grad():
        raise ZeroDivisionError
    assert nn.is_grad_enabled()
    with pytest.raises(RuntimeError), nn.detect_anomaly():
        nn.log(nn.tensor(0.0))
    assert nn.log(nn.tensor(0.0)).item() == -np.inf


# ------------------------------------------------------------------------------------- what is recorded


def test_only_what_needs_a_gradient_is_recorded() -> None:
    x, c = nn.tensor(1.0, requires_grad=True), nn.tensor(2.0)
    assert (c * c).node is None
    assert [t is x for t, _ in (x * c).node.edges] == [True]
    assert (x * c).node.inputs == (x, c)
    assert x.argmax().node is None
    assert (x > 0).requires_grad is False


def test_gradient_functions_of_arguments_nobody_asks_for_never_run() -> None:
    calls = []

    @nn.op
    def multiply(input: Array, other: Array):
        return input * other, lambda g: calls.append("x") or g * other, lambda g: calls.append("y") or g * input

    x, y = nn.tensor(2.0, requires_grad=True), nn.tensor(3.0)
    multiply(x, y).backward()
    assert calls == ["x"]


def test_an_op_of_ones_own() -> None:
    @nn.op
    def weighted_sum(tensors: Arrays, weights: Any, power: int = 1):
        """Σ wᵢ xᵢᵖ"""
        out = sum(w * x**power for w, x in zip(weights, tensors))
        return out, [lambda g, w=w, x=x: g * w * power * x ** (power - 1) for w, x in zip(weights, tensors)]

    leaves = [nn.tensor([float(i), 2.0], dtype=nn.float64, requires_grad=True) for i in range(3)]
    assert nn.testing.gradcheck(lambda *t: weighted_sum(t, [1.0, 2.0, 3.0], power=2), leaves)
    assert weighted_sum(leaves, (1.0, 2.0, 3.0)).node.op == "weighted_sum"
    assert weighted_sum.__doc__ == "Σ wᵢ xᵢᵖ"
    unexpected = "^weighted_sum: got an unexpected keyword argument 'pwer'; it takes tensors, weights, power"
    with pytest.raises(TypeError, match=unexpected):
        weighted_sum(leaves, [1, 1, 1], pwer=2)
    with pytest.raises(TypeError, match="^weighted_sum: missing a required argument: 'weights'"):
        weighted_sum(tensors=leaves, power=2)


# ------------------------------------------------------------------------------------- backward's contract


def test_gradients_accumulate_until_they_are_cleared() -> None:
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    for k in (1, 2, 3):
        (x * 3).sum().backward()
        assert x.grad.tolist() == [3 * k, 3 * k]
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_leaf_can_be_the_root() -> None:
    x = nn.tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2


def test_a_vector_needs_a_gradient_of_its_shape() -> None:
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"gradients start from one number, got shape \(2,\).*\.sum\(\)"):
        (x * 2).backward()
    with pytest.raises(ValueError, match=r"shape \(2,\), got \(3,\)"):
        (x * 2).backward(np.ones(3))
    (x * 2).backward(nn.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [2, 20]


def test_without_a_graph_there_is_nothing_to_walk() -> None:
    for root in (nn.tensor(1.0), nn.tensor(1.0, requires_grad=True).detach()):
        with pytest.raises(RuntimeError, match="no input of this value has requires_grad=True"):
            root.backward()


def test_create_graph_says_why_not() -> None:
    y = nn.tensor(2.0, requires_grad=True) ** 3
    with pytest.raises(RuntimeError, match="create_graph=True would differentiate gradients again"):
        y.backward(create_graph=True)
    y.backward()  # the refusal has not touched the graph


def test_grad_returns_arrays_and_deposits_nothing() -> None:
    x, y = (nn.tensor(v, dtype=nn.float64, requires_grad=True) for v in (2.0, 3.0))
    z = x * y
    w = z.exp()
    dz, dx, dy = nn.grad(w, [z, x, y])
    assert (dz.item(), dx.item(), dy.item()) == pytest.approx((np.e**6, 3 * np.e**6, 2 * np.e**6))
    assert (x.grad, y.grad, z.grad) == (None, None, None)
    with pytest.raises(RuntimeError, match=r"outputs do not depend on inputs\[1\]"):
        nn.grad(x * 2, [x, y])


def test_retain_grad_keeps_the_gradient_of_an_intermediate_value() -> None:
    x = nn.tensor(2.0, requires_grad=True)
    y, z = x * 3, x * 5
    y.retain_grad()
    (y * y + z).backward()
    assert (y.grad.item(), z.grad, x.grad.item()) == (12, None, 41)


def test_detach_cuts_the_graph_and_shares_the_array() -> None:
    x = nn.tensor([2.0], requires_grad=True)
    y = x * 3
    (y.detach() * x).sum().backward()
    assert x.grad.tolist() == [6]
    assert np.shares_memory(y.detach().data, y.data)


def test_requires_grad_is_for_floats_and_leaves() -> None:
    with pytest.raises(TypeError, match="gradients need floating-point data, got int64"):
        nn.tensor([1, 2], requires_grad=True)
    with pytest.raises(TypeError, match="need floating-point data, got int64"):
        nn.arange(3).requires_grad_()
    y = nn.tensor(1.0, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="only a leaf can stop asking for gradients"):
        y.requires_grad_(False)


def test_mixed_dtypes_give_each_leaf_its_own() -> None:
    """float16, float32 and float64 meet in one graph; a 0-d float64 does not promote; integers get no gradient."""
    h = nn.tensor([2.0], dtype=nn.float16, requires_grad=True)
    s = nn.tensor([3.0], requires_grad=True)
    d = nn.tensor([5.0], dtype=nn.float64, requires_grad=True)
    n = nn.tensor(7.0, dtype=nn.float64, requires_grad=True)
    k = nn.tensor([2])
    assert ((h * s).dtype, (s * d).dtype, (s * n).dtype, (s * k).dtype) == (
        nn.float32, nn.float64, nn.float32, nn.float32,
    )  # fmt: skip
    (h * s * d * n * k).sum().backward()
    assert [t.grad.dtype for t in (h, s, d, n)] == [nn.float16, nn.float32, nn.float64, nn.float64]
    assert [t.grad.item() for t in (h, s, d, n)] == [210, 140, 84, 60]
    with pytest.raises(TypeError, match="float32 and float64; the arguments must share one dtype"):
        s.reshape(1, 1) @ d.reshape(1, 1)
    s.grad = None
    (s.double() * d).sum().backward()
    assert s.grad.dtype == nn.float32


# ------------------------------------------------------------------------------------- exceptions half-way


@nn.op
def exploding(input: Array):
    def grad(g):
        raise ZeroDivisionError("half-way")

    return input * 1, grad


def test_an_exception_half_way_leaves_every_grad_untouched() -> None:
    x, y = (nn.tensor([1.0, 2.0], requires_grad=True) for _ in "xy")
    x.grad = before = np.array([5.0, 5.0], np.float32)
    y3 = y * 3
    y3.retain_grad()
    z = (exploding(x * 2) + y3).sum()  # y's share is ready before the explosion
    with pytest.raises(ZeroDivisionError, match="half-way"):
        z.backward()
    assert x.grad is before
    assert (before.tolist(), y.grad, y3.grad) == ([5, 5], None, None)
    assert nn.is_grad_enabled()
    with pytest.raises(RuntimeError, match="already walked and freed"):
        z.backward()
    (x * y).sum().backward()  # a new graph over the same leaves works
    assert (x.grad.tolist(), y.grad.tolist()) == ([6, 7], [1, 2])


def test_a_freed_graph_is_noticed_before_anything_is_walked() -> None:
    x = nn.tensor(3.0, requires_grad=True)
    shared = x * x
    shared.backward()
    fresh = x.exp()
    with pytest.raises(RuntimeError, match="freed"):
        (fresh * shared).backward()
    fresh.backward()  # its part of the graph was not consumed by the refused walk
    assert x.grad.item() == pytest.approx(6 + np.exp(3))


# ------------------------------------------------------------------------------------- memory


def test_memory_falls_during_backward() -> None:
    """When the walk reaches a node, the activations of all newer ones are gone."""
    alive: list[weakref.ref] = []
    counts: list[int] = []

    @nn.op
    def observed(input: Array):
        out = np.exp(-input)
        alive.append(weakref.ref(out))

        def grad(g):
            counts.append(sum(ref() is not None for ref in alive))
            return g * -out

        return out, grad

    x = nn.ones(1000, requires_grad=True)
    y = x
    for _ in range(10):
        y = observed(y)
    loss = y.sum()
    del y
    loss.backward()
    assert counts == sorted(counts, reverse=True)
    assert counts[0] - counts[-1] >= 8
    del loss
    assert [ref() for ref in alive] == [None] * 10


def test_a_walked_graph_lets_go_of_its_arrays() -> None:
    x = nn.ones(10, requires_grad=True)
    hidden = x.exp()
    ref = weakref.ref(hidden.data)
    loss = (hidden * hidden).sum()
    del hidden
    assert ref() is not None
    loss.backward()
    assert ref() is None  # although the loss still has a name
    assert loss.node.edges is None
    assert loss.node.inputs == ()


def test_retain_graph_keeps_it() -> None:
    x = nn.ones(10, requires_grad=True)
    loss = x.exp().square().sum()
    first = nn.grad(loss, x, retain_graph=True)[0]
    np.testing.assert_array_equal(nn.grad(loss, x)[0], first)


def test_no_grad_keeps_no_activation() -> None:
    x = nn.ones(10, requires_grad=True)
    with nn.no_grad():
        hidden = x.exp()
        ref = weakref.ref(hidden.data)
        out = hidden * 2
    del hidden
    assert ref() is None
    assert out.node is None


def test_watch_sees_every_result_and_gradient_of_this_thread() -> None:
    seen: list[str] = []
    x = nn.tensor(2.0, requires_grad=True)
    with autograd.watch(lambda array, where: seen.append(where)):
        (x * 3).exp().backward()
    assert seen == ["mul", "exp", "the gradient of exp", "the gradient of mul"]


# ------------------------------------------------------------------------------------- the short ways


QUICK = sorted({name for name, f in [*vars(nn).items(), *vars(nn.functional).items()] if hasattr(f, "general")})
LEAVES = [
    (dtype, shapes, wants)
    for dtype in (np.float32, np.float64)
    for shapes in [((), ()), ((2, 2), (2, 2)), ((2, 2), ()), (2.0, (2, 2)), ((2, 2), 2.0), ((), 2), ((2, 2), (2,))]
    for wants in [(True, True), (True, False), (False, True), (False, False)]
]


def arguments(count: int, dtype: Any, shapes: Any, wants: Any) -> list[Any]:
    made = [s if isinstance(s, int | float) else np.full(s, 0.25 + i, dtype) for i, s in enumerate(shapes[:count])]
    return [m if isinstance(m, int | float) else nn.tensor(m, requires_grad=w) for m, w in zip(made, wants)]


def outcome(op: Any, made: list[Any]) -> Any:
    """All there is to see of one application and its walk; the words of an error if it was refused."""
    try:
        out = op(*made)
    except (TypeError, ValueError) as error:
        return type(error), str(error)
    node = out.node
    seen = [out.dtype, out.shape, out.tolist(), out.requires_grad]
    if node is not None:
        seen += [node.op, [id(a) for a, _ in node.edges], list(map(id, node.values)), list(map(id, node.args))]
        out.backward(np.ones(out.shape))
    grads = [m.grad for m in made if isinstance(m, nn.Tensor)]
    return seen, [g if g is None else (g.dtype, g.tolist()) for g in grads]


def test_ops_of_one_and_two_arguments_have_a_short_way() -> None:
    assert {"add", "sub", "mul", "div", "pow", "matmul", "neg", "exp", "tanh", "relu", "maximum"} <= set(QUICK)
    assert not {"sum", "linear", "cat", "reshape", "conv2d"} & set(QUICK)


@pytest.mark.parametrize("name", QUICK)
def test_the_short_way_through_an_op_does_what_the_general_one_does(name: str) -> None:
    quick = getattr(nn, name, None) or getattr(nn.functional, name)
    count = len(inspect.signature(quick).parameters)
    for case in LEAVES:
        made = arguments(count, *case)
        expected = outcome(quick.general, made)
        for m in made:
            if isinstance(m, nn.Tensor):
                m.grad = None
        assert outcome(quick, made) == expected, case


def test_the_short_way_notices_views_errors_no_grad_and_several_outputs() -> None:
    x = nn.tensor([1.0, 2.0, 3.0], requires_grad=True)

    @nn.op
    def every_other(input: Array):
        return input[::2], lambda g: np.repeat(g, 2)[: input.size]

    @nn.op
    def halves(input: Array):
        return (input / 2, np.arange(3)), lambda g: g / 2

    assert every_other(x)._changed is x._changed  # a view: a change of one is a change of the other
    squares = x * x
    with nn.no_grad():
        assert not (x + x).requires_grad
        view = every_other(x)
        view += 1
    with pytest.raises(RuntimeError, match="an argument of mul was changed in place"):
        squares.sum().backward()
    half, index = halves(x)
    assert (half.tolist(), index.tolist()) == ([1, 1, 2], [0, 1, 2])
    with pytest.raises(ValueError, match=r"add: shapes \(3,\) and \(2,\) do not broadcast"):
        x + nn.zeros(2)


def test_quietly_is_errstate_and_leaves_numpys_settings_alone() -> None:
    def divide() -> Any:
        return np.geterr(), np.float32(1) / np.float32(0)

    before, size = np.geterr(), np.getbufsize()
    assert device._state is not device._Errstate  # this NumPy keeps its settings where we look for them
    with np.errstate(all="raise"):
        assert device.quietly(divide)() == np.errstate(all="ignore")(divide)()
        with pytest.raises(FloatingPointError):
            divide()
        with pytest.raises(KeyError):  # an error takes the settings back too
            device.quietly({}.__getitem__)("missing")
        assert set(np.geterr().values()) == {"raise"}
    assert (np.geterr(), np.getbufsize()) == (before, size)


def test_without_the_variable_of_numpys_settings_errstate_itself_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_state", device._Errstate), ("_quiet", None)):
        monkeypatch.setattr(device, name, value)
        monkeypatch.setattr(nn.core, name, value)
    x = nn.tensor(0.0, requires_grad=True)
    y = 1 / x
    y.backward()
    assert (y.item(), x.grad.item()) == (np.inf, -np.inf)
    assert np.geterr()["divide"] == "warn"
