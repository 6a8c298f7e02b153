"""Every public op, by every row of the table: gradients, dtypes, memory, PyTorch."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlib as nn
import nnlib.functional as F
from tests.ops_table import CASES, Case, real

EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case.note}")
PLAIN = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def tensors(case: Case, arrays: list[Any], dtype: Any = np.float64) -> list[nn.Tensor]:
    """Leaves of the case; floats in ``dtype``, with gradients where it wants them."""
    wanted = case.differentiable(arrays)
    cast = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
    return [nn.tensor(a, requires_grad=i in wanted) for i, a in enumerate(cast)]


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def weights(shape: tuple[int, ...], k: int) -> Any:
    """An upstream gradient in which no two elements are equal."""
    return np.random.default_rng(k).uniform(0.5, 1.5, shape) * np.random.default_rng(k + 1).choice([-1, 1], shape)


def pull_back(outs: list[Any], dtype: Any = np.float64) -> None:
    """Send a different gradient into each output that wants one."""
    for k, out in enumerate(outs):
        if out.requires_grad:
            out.backward(weights(out.shape, k).astype(dtype), retain_graph=True)


# ------------------------------------------------------------------------------------- each row


@EVERY
def test_gradients_agree_with_central_differences(case: Case) -> None:
    inputs = tensors(case, case.arrays())
    if not case.check or not any(out.requires_grad for out in outputs(case(*inputs))):
        return  # a kink, which parity judges; or comparisons and indices, which have no gradient
    assert nn.testing.gradcheck(case, inputs, atol=1e-7, rtol=1e-6)


@EVERY
def test_float32_stays_float32(case: Case) -> None:
    arrays = case.arrays()
    inputs = tensors(case, arrays, np.float32)
    with nn.no_grad():
        exact = outputs(case(*tensors(case, arrays)))
    outs = outputs(case(*inputs))
    for out, reference in zip(outs, exact, strict=True):
        if reference.dtype.kind != "f":
            assert out.dtype == reference.dtype
            continue
        assert out.dtype == (np.float64 if case.op == "cast" else np.float32)
        assert type(out.data) is np.ndarray
        np.testing.assert_allclose(out.data, reference.data, rtol=2e-4, atol=2e-5)
    pull_back(outs, outs[0].dtype)
    for t in inputs:
        if t.grad is not None:
            assert (type(t.grad), t.grad.dtype, t.grad.shape) == (np.ndarray, np.float32, t.shape)


@EVERY
def test_inputs_and_upstream_gradients_are_only_read(case: Case) -> None:
    inputs = [nn.Tensor(t.data.copy(), t.requires_grad) for t in tensors(case, case.arrays())]
    before = [t.data.copy() for t in inputs]
    for t in inputs:
        t.data.flags.writeable = False  # a write raises ValueError
    for out in outputs(case(*inputs)):
        if out.requires_grad:
            upstream = np.asarray(weights(out.shape, 0))
            upstream.flags.writeable = False
            out.backward(upstream, retain_graph=True)
            out.backward(upstream, retain_graph=True)
    for t, array in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(t.data, array)


@EVERY
def test_every_leaf_owns_its_gradient(case: Case) -> None:
    inputs = tensors(case, case.arrays())
    outs = outputs(case(*inputs))
    pull_back(outs)
    found = [t.grad for t in inputs if t.grad is not None]
    for i, grad in enumerate(found):
        assert grad.flags.writeable
        for other in [*found[:i], *(t.data for t in inputs), *(out.data for out in outs)]:
            assert not np.shares_memory(grad, other)


@EVERY
def test_strided_memory_changes_nothing(case: Case) -> None:
    arrays = case.arrays()

    def scattered(a: Any) -> Any:
        """The same values as every second element of a larger array, backwards, axes last to first."""
        wide = np.zeros([2 * n for n in reversed(a.shape)], a.dtype)
        view = wide[(..., *(slice(None, None, -2) for _ in a.shape))].transpose()
        view[...] = a
        return view

    plain = tensors(case, arrays)
    strided = [nn.Tensor(scattered(t.data), t.requires_grad) for t in plain]
    ours, theirs = outputs(case(*strided)), outputs(case(*plain))
    pull_back(ours)
    pull_back(theirs)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12, atol=1e-14)
    for s, t in zip(strided, plain, strict=True):
        assert (s.grad is None) == (t.grad is None)
        if t.grad is not None:
            np.testing.assert_allclose(s.grad, t.grad, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "case", [c for c in CASES if len(c.differentiable(c.arrays())) > 1], ids=lambda case: f"{case.op}-{case.note}"
)
def test_one_gradient_alone_is_the_same(case: Case) -> None:
    together = tensors(case, case.arrays())
    pull_back(outputs(case(*together)))
    for i in case.differentiable(case.arrays()):
        alone = [nn.Tensor(t.data, k == i) for k, t in enumerate(together)]
        pull_back(outputs(case(*alone)))
        np.testing.assert_array_equal(alone[i].grad, together[i].grad)
        assert all(t.grad is None for k, t in enumerate(alone) if k != i)


@pytest.mark.parametrize("case", [c for c in CASES if c.peer], ids=lambda case: f"{case.op}-{case.note}")
def test_parity_with_pytorch(case: Case) -> None:
    torch = pytest.importorskip("torch")
    arrays = case.arrays()
    ours = tensors(case, arrays)
    theirs = [torch.tensor(a, requires_grad=t.requires_grad) for a, t in zip(arrays, ours, strict=True)]
    out, expected = outputs(case(*ours)), outputs(case.peer_call(torch, *theirs))
    for k, (a, b) in enumerate(zip(out, expected, strict=True)):
        assert (a.shape, str(a.dtype)) == (tuple(b.shape), str(b.dtype).removeprefix("torch."))
        assert a.requires_grad == b.requires_grad
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-9, atol=1e-12)
        if b.requires_grad:
            upstream = weights(a.shape, k)
            a.backward(upstream, retain_graph=True)
            b.backward(torch.tensor(upstream), retain_graph=True)
    for a, b in zip(ours, theirs, strict=True):
        if b.grad is not None:
            np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-8, atol=1e-11)
        else:
            assert a.grad is None or not a.grad.any()


# ------------------------------------------------------------------------------------- the table itself

EXEMPT = {  # public names without a row, and who proves them
    **dict.fromkeys(
        "arange as_tensor eye from_dlpack from_numpy full full_like linspace ones ones_like rand randint randn "
        "randperm tensor zeros zeros_like".split(),
        "make leaves: test_core.py",
    ),
    **dict.fromkeys(["set_default_dtype", "get_default_dtype"], "a setting: test_core.py"),
    **dict.fromkeys(["grad", "detect_anomaly"], "walk a graph: test_autograd.py, test_traps.py"),
    "op": "makes ops: test_autograd.py",
    "allclose": "returns a bool: test_core.py",
    "Tensor": "a class",
}


def public_ops() -> set[str]:
    """What core, ops, conv and functional offer that takes tensors, as the table spells it."""
    plain = [*nn.core.__all__, *nn.ops.__all__]
    found = {name for name in plain if callable(getattr(nn, name))} - set(EXEMPT)
    for module in ("nnlib.functional", "nnlib.conv"):
        try:
            home = importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        own = [n for n, f in vars(home).items() if inspect.isfunction(f) and f.__module__ == module and n[0] != "_"]
        found |= {f"F.{name}" for name in getattr(home, "__all__", own) if inspect.isfunction(getattr(home, name))}
    core_names = {f"F.{name}" for name in plain}  # F.tanh is nn.tanh
    return found - core_names


def test_every_public_op_has_a_row() -> None:
    covered = {case.op for case in CASES}
    missing = sorted(public_ops() - covered)
    assert not missing, f"add rows to tests/ops_table.py for {missing}"
    assert not sorted(covered - public_ops()), "rows of ops that do not exist"


def test_exemptions_exist() -> None:
    assert not [name for name in EXEMPT if not hasattr(nn, name)]


def test_rows_differ() -> None:
    ids = [(case.op, case.note) for case in CASES]
    assert len(set(ids)) == len(ids), [i for i in ids if ids.count(i) > 1]


def test_a_wrong_gradient_fails_the_check() -> None:
    @nn.op
    def wrong(input: Array):  # noqa: F821
        return input.copy(), lambda g: g * 1.001

    case = Case("wrong", lambda lib, F, x: wrong(x), (real(2, 3),))
    with pytest.raises(AssertionError, match="central differences say"):
        test_gradients_agree_with_central_differences(case)


def test_a_wrong_value_fails_parity() -> None:
    pytest.importorskip("torch")
    case = Case("exp", lambda lib, F, x: x.exp() * (1 + 1e-6 * (lib is nn)), (real(2, 3),))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        test_parity_with_pytorch(case)


def test_float64_creep_fails_the_check() -> None:
    @nn.op
    def creeping(input: Array):  # noqa: F821
        return input * np.float64(2), lambda g: g * 2

    case = Case("creeping", lambda lib, F, x: creeping(x), (real(2, 3),))
    with pytest.raises(AssertionError):
        test_float32_stays_float32(case)


# ------------------------------------------------------------------------------------- any shape, any index


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum", "where"])
@PLAIN
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3, min_side=0))
def test_any_two_shapes_broadcast_as_in_numpy(name: str, shapes: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = (nn.tensor(rng.uniform(0.5, 2, s), requires_grad=True) for s in shapes.input_shapes)
    out = nn.where(nn.tensor(True), x, y) * y if name == "where" else getattr(nn, name)(x, y)
    assert out.shape == shapes.result_shape
    upstream = rng.standard_normal(out.shape)
    out.backward(upstream)
    # The same op without broadcasting, then the sum over the copies of each element.
    wide = [nn.tensor(np.broadcast_to(t.data, out.shape), requires_grad=True) for t in (x, y)]
    flat = nn.where(nn.tensor(True), *wide) * wide[1] if name == "where" else getattr(nn, name)(*wide)
    flat.backward(upstream)
    for t, w in zip((x, y), wide, strict=True):
        place = np.broadcast_to(np.arange(t.numel()).reshape(t.shape), out.shape)
        summed = np.bincount(place.ravel(), w.grad.ravel(), t.numel()).reshape(t.shape)
        np.testing.assert_allclose(t.grad, summed, rtol=1e-12, atol=1e-12)


_ARRAY = st.shared(hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4), key="shape")
_INDEX = _ARRAY.flatmap(
    lambda shape: st.one_of(
        hnp.basic_indices(shape, allow_newaxis=True),
        hnp.integer_array_indices(shape),
        hnp.arrays(np.bool_, shape),
        st.lists(st.integers(-shape[0], shape[0] - 1), min_size=1, max_size=6),
    )
)


@settings(PLAIN, max_examples=300)
@given(shape=_ARRAY, index=_INDEX)
def test_any_index_reads_and_returns_to_its_place(shape: Any, index: Any) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    x = nn.tensor(values, requires_grad=True)
    out = x[index]
    place = np.arange(values.size).reshape(shape)[index]
    np.testing.assert_array_equal(out.data, values.ravel()[place])
    upstream = np.random.default_rng(1).standard_normal(out.shape)
    out.backward(upstream)
    expected = np.bincount(np.ravel(place), np.ravel(upstream), values.size).reshape(shape)
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["sum", "mean", "var", "amax", "norm", "logsumexp", "prod", "softmax"])
@PLAIN
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=3))
def test_any_axes_reduce_as_in_pytorch(name: str, data: Any, shape: Any) -> None:
    torch = pytest.importorskip("torch")
    one = name in ("prod", "softmax")
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    if not one:
        dim = data.draw(st.one_of(st.just(dim), hnp.valid_tuple_axes(len(shape), min_size=1)))
    values = np.random.default_rng(0).standard_normal(shape)
    x, t = nn.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    options: dict[str, Any] = {} if name == "softmax" else {"keepdim": data.draw(st.booleans())}
    if name == "var":
        options["correction"] = 0  # one element has no unbiased variance
    ours = getattr(F if name == "softmax" else nn, name)(x, dim=dim, **options)
    theirs = (torch.linalg.vector_norm if name == "norm" else getattr(torch, name))(t, dim=dim, **options)
    assert ours.shape == tuple(theirs.shape)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    upstream = np.random.default_rng(1).standard_normal(ours.shape)
    ours.backward(upstream)
    theirs.backward(torch.tensor(upstream))
    np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-9, atol=1e-12)


# ------------------------------------------------------------------------------------- dtypes as in PyTorch

_KINDS = {
    "float32": lambda lib: lib.tensor([1.5], dtype=lib.float32),
    "float64": lambda lib: lib.tensor([1.5], dtype=lib.float64), "int64": lambda lib: lib.tensor([2]),
    "int32": lambda lib: lib.tensor([2], dtype=lib.int32),
    "bool": lambda lib: lib.tensor([True]), "float32 0-d": lambda lib: lib.tensor(1.5),
    "float64 0-d": lambda lib: lib.tensor(1.5, dtype=lib.float64), "int64 0-d": lambda lib: lib.tensor(2),
    "float": lambda lib: 1.5, "int": lambda lib: 2,
}  # fmt: skip


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow", "where", "lt"])
@pytest.mark.parametrize("left", _KINDS)
@pytest.mark.parametrize("right", _KINDS)
def test_mixed_dtypes_give_what_pytorch_gives(name: str, left: str, right: str) -> None:
    torch = pytest.importorskip("torch")
    import operator

    def result(lib: Any) -> Any:
        x, y = _KINDS[left](lib), _KINDS[right](lib)
        return lib.where(lib.tensor([True]), x, y) if name == "where" else getattr(operator, name)(x, y)

    if {left, right} <= {"float", "int"}:
        return
    try:
        theirs = result(torch)
    except RuntimeError:
        pytest.skip("PyTorch refuses")  # test_errors.py holds those we refuse too
    ours = result(nn)
    assert (str(ours.dtype), ours.shape) == (str(theirs.dtype).removeprefix("torch."), tuple(theirs.shape))
    assert ours.tolist() == theirs.tolist()


# ------------------------------------------------------------------------------------- NaN and infinity

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 40.0, -40.0, 800.0, -800.0, 1e-300, 1e300, -1e300,
           np.inf, -np.inf, np.nan]  # fmt: skip
_UNARY = sorted({case.op for case in CASES if case.note == "(2, 3)" and len(case.makes) == 1} - {"F.step"})


@pytest.mark.parametrize("name", _UNARY)
def test_special_values_flow_as_in_pytorch(name: str) -> None:
    """Values and gradients at 0, at kinks, far out, at ±inf and NaN; and no warning is raised."""
    torch = pytest.importorskip("torch")
    x = nn.tensor(np.array(SPECIAL), requires_grad=True)
    t = torch.tensor(SPECIAL, dtype=torch.float64, requires_grad=True)
    home, peer = (F, torch.nn.functional) if name.startswith("F.") else (nn, torch)
    ours, theirs = getattr(home, name.removeprefix("F."))(x), getattr(peer, name.removeprefix("F."))(t)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    ours.sum().backward()
    theirs.sum().backward()
    np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "pow", "maximum", "minimum"])
def test_special_pairs_flow_as_in_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    values = np.array([0.0, 1.0, -2.0, 3.0, 1e300, np.inf, -np.inf, np.nan])
    left, right = (a.ravel() for a in np.meshgrid(values, values))
    x, y = (nn.tensor(a, requires_grad=True) for a in (left, right))
    t, u = (torch.tensor(a, requires_grad=True) for a in (left, right))
    ours, theirs = getattr(nn, name)(x, y), getattr(torch, name)(t, u)
    np.testing.assert_array_equal(ours.detach().numpy(), theirs.detach().numpy())
    ours.sum().backward()
    theirs.sum().backward()
    for a, b in ((x, t), (y, u)):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), rtol=1e-9)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "logsumexp", "norm", "softmax", "log_softmax"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_special_values_reduce_as_in_pytorch(name: str, bad: float) -> None:
    torch = pytest.importorskip("torch")
    values = np.array([[1.0, bad, 2.0], [bad, bad, bad], [0.5, 1.0, 2.0]])
    x, t = nn.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    ours = getattr(F if "softmax" in name else nn, name)(x, dim=1)
    theirs = (torch.linalg.vector_norm if name == "norm" else getattr(torch, name))(t, dim=1)
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-12)
    upstream = weights(ours.shape, 0)
    ours.backward(upstream)
    theirs.backward(torch.tensor(upstream))
    np.testing.assert_allclose(x.grad, t.grad.numpy(), rtol=1e-9)
