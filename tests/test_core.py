"""Making tensors, looking at them, and leaving them: what the op table does not reach."""

from __future__ import annotations

import copy
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F

# One expression for both libraries: values, shapes and dtypes must be PyTorch's.
MADE = [
    "lib.tensor(1.5)", "lib.tensor(2)", "lib.tensor(True)", "lib.tensor([1, 2.5])", "lib.tensor([[1], [2]])",
    "lib.tensor([])", "lib.tensor([[], []])", "lib.tensor([1, 2], dtype=lib.float64)",
    "lib.tensor(3, dtype=lib.int8)", "lib.tensor(np.arange(3))", "lib.tensor(np.ones(2, np.float32))",
    "lib.tensor(np.float64(2))", "lib.tensor([True, False])", "lib.zeros(2, 3)", "lib.zeros((2, 3))",
    "lib.zeros(2, dtype=lib.int64)", "lib.ones([2])", "lib.ones(())", "lib.zeros(0, 2)",
    "lib.zeros_like(lib.tensor([1, 2]))", "lib.ones_like(lib.zeros(2, 2))",
    "lib.ones_like(lib.zeros(2), dtype=lib.float64)", "lib.full((2, 2), 7)", "lib.full((2,), 0.5)",
    "lib.full((), 1.0)", "lib.full((2,), 1, dtype=lib.float32)", "lib.full_like(lib.zeros(2), 3)", "lib.arange(4)",
    "lib.arange(1, 7, 2)", "lib.arange(0.0, 1.0, 0.25)", "lib.arange(5, 1, -2)", "lib.arange(3, dtype=lib.float32)",
    "lib.arange(0)", "lib.linspace(0, 1, 5)", "lib.linspace(3, 3, 1)", "lib.linspace(0, 1, 0)", "lib.eye(3)",
    "lib.eye(2, 3)", "lib.as_tensor([1, 2])", "lib.as_tensor(np.ones(2))", "lib.as_tensor(1.0, dtype=lib.float64)",
    "lib.from_numpy(np.arange(3.0))", "lib.tensor(lib.tensor([1.0]).tolist())", "lib.tensor(1.7).long()",
    "lib.tensor([0, 2]).bool()", "lib.tensor([1]).float()", "lib.tensor([1.0]).double()", "lib.tensor([1.9]).int()",
    "lib.tensor([1]).to(lib.float32)", "lib.tensor([1.0]).to(lib.tensor([1], dtype=lib.int32))",
    "~lib.tensor([True, False])", "lib.tensor([True, False]) & lib.tensor([True, True])",
    "lib.tensor([True, False]) | lib.tensor([False, False])",
    "lib.tensor([True, False]) ^ lib.tensor([True, True])", "True & lib.tensor([True, False])", "3 ^ lib.tensor([6])",
    "lib.tensor([1, 2, 3]) / 2",
    "lib.tensor([3, 1, 2]).max()", "lib.tensor([True, True]).sum()", "lib.tensor([1, 2], dtype=lib.int32).sum()",
    "lib.tensor([1, 2], dtype=lib.int32).prod()", "lib.tensor([[1, 2], [3, 4]]).cumsum(0)", "lib.tensor([2]) ** 3",
    "2 ** lib.tensor([1.0, 2.0])", "-lib.tensor([1, 2])", "abs(lib.tensor([-1.5, 2.0]))",
    "lib.tensor([1.0, 2.0, 3.0])[1]", "lib.tensor([[1.0, 2.0]]).T",
]  # fmt: skip


@pytest.mark.parametrize("code", MADE)
def test_tensors_are_made_as_in_pytorch(code: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = (eval(code, {"lib": lib, "np": np}) for lib in (nn, torch))
    assert (ours.shape, str(ours.dtype)) == (tuple(theirs.shape), str(theirs.dtype).removeprefix("torch."))
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-7)
    assert not ours.requires_grad


def test_names_that_a_pytorch_user_types() -> None:
    assert nn.device("cuda" if nn.cuda.is_available() else "cpu") == "cpu"
    assert nn.ones(2, device=nn.device("cpu")).device == "cpu"
    assert nn.device.device_of(np.zeros(1)) == "cpu"  # a module still
    with pytest.raises(RuntimeError, match="device: device must be 'cpu'.*got 'tpu'"):
        nn.device("tpu")
    kinds = {"half": "float16", "float": "float32", "double": "float64", "int": "int32", "long": "int64"}
    assert {name: nn.zeros(1, dtype=getattr(nn, name)).dtype.name for name in kinds} == kinds
    for made in (nn.arange(4.0, requires_grad=True), nn.linspace(0, 1, 3, requires_grad=True)):
        (made * made).sum().backward()
        assert made.grad.tolist() == (2 * made).tolist()
    assert (nn.pi, nn.e, nn.inf, np.isnan(nn.nan)) == (np.pi, np.e, np.inf, True)
    x = nn.tensor([-1.0, 2.0])
    assert x.to(device="cpu", dtype=nn.float64).dtype == x.to(dtype=nn.double).dtype == nn.float64
    assert x.to(device="cpu").dtype == nn.float32
    assert nn.Linear(2, 1).to(device="cpu", dtype=nn.double).weight.dtype == nn.float64
    assert nn.Linear(2, 1).to(device=nn.device("cpu")).weight.dtype == nn.float32
    assert x.relu().tolist() == nn.relu(x).tolist() == [0, 2]
    assert x.softmax(-1).tolist() == nn.softmax(x, dim=0).tolist() == F.softmax(x, 0).tolist()
    assert x.log_softmax(0).tolist() == nn.log_softmax(x, 0).tolist()


def test_tensor_copies_and_from_numpy_shares() -> None:
    array = np.zeros(2)
    copied, shared, same = nn.tensor(array), nn.from_numpy(array), nn.as_tensor(array)
    array[0] = 5
    assert (copied.tolist(), shared.tolist(), same.tolist()) == ([0, 0], [5, 0], [5, 0])
    assert nn.as_tensor(copied) is copied
    assert nn.tensor(copied).data is not copied.data


def test_the_default_dtype_is_for_python_floats_and_parameters() -> None:
    nn.set_default_dtype(nn.float64)
    try:
        assert nn.get_default_dtype() == nn.float64
        for made in (nn.tensor(1.0), nn.zeros(1), nn.randn(1), nn.linspace(0, 1, 2), nn.eye(1), nn.tensor([1]) / 2):
            assert made.dtype == nn.float64
        assert nn.Linear(1, 1).weight.dtype == nn.float64
        assert nn.tensor(np.float32(1)).dtype == nn.float32
    finally:
        nn.set_default_dtype(nn.float32)
    assert nn.tensor(1.0).dtype == nn.float32


@pytest.mark.parametrize("draw", [
    lambda: nn.rand(1000), lambda: nn.randn(1000), lambda: nn.randint(0, 9, (1000,)), lambda: nn.randperm(1000),
])  # fmt: skip
def test_random_numbers_come_back_with_the_seed(draw: Any) -> None:
    nn.manual_seed(3)
    first, second = draw().tolist(), draw().tolist()
    nn.manual_seed(3)
    assert draw().tolist() == first
    assert first != second


def test_random_numbers_have_the_distribution_they_name() -> None:
    nn.manual_seed(0)
    u, z, k = nn.rand(20_000), nn.randn(20_000), nn.randint(-1, 3, (20_000,))
    assert 0 <= u.min().item() <= u.max().item() < 1
    assert (u.mean().item(), u.var().item()) == pytest.approx((0.5, 1 / 12), abs=0.01)
    assert (z.mean().item(), z.var().item()) == pytest.approx((0, 1), abs=0.03)
    assert set(k.tolist()) == {-1, 0, 1, 2}
    assert sorted(nn.randperm(50).tolist()) == list(range(50))
    assert (u.dtype, k.dtype, nn.randn(2, dtype=nn.float64).dtype) == (nn.float32, nn.int64, nn.float64)


def test_allclose() -> None:
    one = nn.tensor([1.0, 2.0])
    assert nn.allclose(one, one + 1e-6)
    assert one.allclose(one + 0.05, atol=0.1)
    assert not nn.allclose(one, one + 1e-3)
    assert not nn.allclose(nn.tensor(float("nan")), nn.tensor(float("nan")))
    assert type(nn.allclose(one, one)) is bool


def test_python_sees_a_number_where_there_is_one() -> None:
    t = nn.tensor([2.5])
    assert (float(t), int(t), bool(t), t.item(), f"{t:.2f}") == (2.5, 2, True, 2.5, "2.50")
    assert math.sqrt(t) == math.sqrt(2.5)
    assert [10, 20, 30][nn.tensor(1)] == 20
    assert type(t.item()) is float
    assert type(nn.tensor(3).item()) is int
    assert type(nn.tensor(True).item()) is bool
    assert 2.5 in t
    assert 3 not in t
    assert [row.tolist() for row in nn.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
    a, b = nn.tensor([1.0, 2.0])
    assert (a.item(), b.item()) == (1, 2)


def test_tensors_are_told_apart_by_identity_in_dicts_and_sets() -> None:
    a, b = nn.tensor(1.0), nn.tensor(1.0)
    assert len({a, b}) == 2
    assert {a: "a"}[a] == "a"


def test_data_and_grad_are_arrays_even_of_0d_tensors() -> None:
    x = nn.tensor(2.0, requires_grad=True)
    (x * 3).backward()
    assert type(x.data) is type(x.grad) is type((x * 3).data) is np.ndarray
    x.grad[...] = 0
    x.data[...] = 7
    assert (x.grad.item(), x.item()) == (0, 7)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.tensor(1.5), "tensor(1.5)"),
        (lambda: nn.tensor([1, 2]), "tensor([1, 2])"),
        (lambda: nn.tensor([1.0], dtype=nn.float64), "tensor([1.], dtype=float64)"),
        (lambda: nn.tensor([1.0], requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lambda: nn.tensor([1.0], requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
        (lambda: nn.Parameter(nn.zeros(1)), "Parameter containing:\ntensor([0.], requires_grad=True)"),
    ],
)
def test_repr(make: Any, text: str) -> None:
    assert repr(make()) == text


def test_shapes_are_tuples_and_sizes_numbers() -> None:
    t = nn.zeros(2, 3)
    assert (t.shape, t.ndim, t.dim(), t.numel(), len(t), t.size(), t.size(1)) == ((2, 3), 2, 2, 6, 2, (2, 3), 3)
    assert (t.device, t.cpu() is t, t.to("cpu") is t) == ("cpu", True, True)
    assert np.asarray(t).shape == (2, 3)
    assert np.sum(t.numpy()) == 0


def test_changes_in_place_of_what_needs_no_gradient() -> None:
    t = nn.zeros(2, 2)
    t += 1
    t *= nn.tensor([1.0, 2.0])
    t[0] = 5
    t[:, 1] -= 0.5
    assert t.tolist() == [[5, 4.5], [1, 1.5]]
    assert t.copy_(nn.ones(2)).fill_(3).zero_().tolist() == [[0, 0], [0, 0]]
    assert t.add_(2).div_(4).sub_(1).mul_(2).tolist() == [[-1, -1], [-1, -1]]


# name -> how PyTorch says it, of x and y (2, 2), b (2,), index [1, 0], p a distribution, m a mask
ELSEWHERE = {
    "addmm": "torch.addmm(b, x, y)", "bmm": "torch.bmm(x[None], y[None])[0]", "clip": "x.clip(low, high)",
    "concat": "torch.concat([x, y])", "concatenate": "torch.concatenate([x, y])", "contiguous": "x.contiguous()",
    "count_nonzero": "x.count_nonzero()", "dot": "b.dot(b)", "empty_like": "torch.zeros_like(x)",
    "equal": "x.equal(y)", "expand_as": "x.expand_as(y)", "fliplr": "torch.fliplr(x)", "flipud": "torch.flipud(x)",
    "frac": "x - x.floor()", "half": "x.half()", "hstack": "torch.hstack([x, y])",
    "index_select": "x.index_select(0, index)", "inner": "torch.inner(b, b)", "log10": "x.log10()", "log2": "x.log2()",
    "is_floating_point": "x.is_floating_point()", "is_tensor": "torch.is_tensor(x)",
    "logical_and": "torch.logical_and(m, ~m)", "logical_not": "torch.logical_not(m)",
    "logical_or": "torch.logical_or(m, ~m)", "logical_xor": "torch.logical_xor(m, ~m)", "mm": "x.mm(y)",
    "multiply": "torch.multiply(x, y)", "mv": "x.mv(b)", "ndimension": "x.ndimension()", "nelement": "x.nelement()",
    "numel": "torch.numel(x)", "ravel": "x.ravel()", "subtract": "torch.subtract(x, y)", "t": "x.t()",
    "swapaxes": "x.swapaxes(0, 1)", "tan": "x.tan()", "tile": "x.tile(2, 3)", "true_divide": "torch.true_divide(x, y)",
    "divide": "torch.divide(x, y)", "type": "x.type(torch.float64)", "type_as": "x.type_as(y)",
    "view_as": "x.view_as(y)", "vstack": "torch.vstack([x, y])", "bernoulli": "torch.bernoulli(p).float()",
    "empty": "torch.empty(2, 3)", "rand_like": "torch.rand_like(x)", "randn_like": "torch.randn_like(x)",
    "normal": "torch.normal(0.0, 1.0, (2, 3))", "multinomial": "torch.multinomial(p, 3, replacement=True)",
}  # fmt: skip
RANDOM = ("bernoulli", "empty", "rand_like", "randn_like", "normal", "multinomial")


@pytest.mark.parametrize("name", sorted({*nn._SAID_OTHERWISE} - {"grad_fn"}))
def test_a_name_that_is_missing_tells_what_does_the_same(name: str) -> None:
    torch = pytest.importorskip("torch")
    arrays = {
        "x": np.array([[0.5, 1.5], [2.5, 3.5]]), "y": np.array([[1.0, 2.0], [4.0, 5.0]]), "b": np.array([0.5, 1.5]),
        "index": np.array([1, 0]), "p": np.array([0.3, 0.7]), "m": np.array([True, False]),
    }  # fmt: skip
    fixed = {"low": 1.0, "high": 3.0, "n": 3, "mean": 0.0, "std": 1.0, "math": math}
    ours = {key: nn.tensor(a) for key, a in arrays.items()}
    if name in ("dot", "inner"):
        ours |= {"x": ours["b"], "y": ours["b"]}
    if name == "mv":
        ours["y"] = ours["b"]
    if name in ("bernoulli", "multinomial"):
        ours["x"] = ours["p"]
    if name.startswith("logical"):
        ours |= {"x": ours["m"], "y": ~ours["m"]}
    with pytest.raises(AttributeError, match=f"{name}.*Use") as said:
        getattr(nn.ones(2) if hasattr(nn, name) else nn, name)  # "numel" is a method, "half" a dtype
    fix = str(said.value).partition(". Use ")[2]
    expected = eval(ELSEWHERE[name], {"torch": torch, **fixed, **{k: torch.tensor(a) for k, a in arrays.items()}})
    found = eval(fix, {"nn": nn, **fixed, **ours})
    if name in RANDOM:
        assert tuple(found.shape) == tuple(expected.shape)
    else:
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-12)
        assert getattr(found, "dtype", None) is None or str(expected.dtype).endswith(found.dtype.name)


def test_a_missing_method_tells_the_fix_too() -> None:
    x = nn.ones(2, requires_grad=True)
    for name, fix in {"grad_fn": "x.node", "clamp_": "x = x.clamp(...)", "median": "np.median(x.numpy())"}.items():
        with pytest.raises(AttributeError, match=re.escape(fix)):
            getattr(x, name)
    assert not hasattr(x, "__array_interface__")
    assert not hasattr(x, "no_such_thing")
    assert pickle.loads(pickle.dumps(nn.ones(2))).tolist() == copy.deepcopy(nn.ones(2)).tolist() == [1, 1]
