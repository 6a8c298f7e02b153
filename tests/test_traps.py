"""Every trap that other libraries fell into, by name, and the guard that keeps us out of it."""

from __future__ import annotations

import gc
import itertools
import math
import subprocess
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F
from nnlib.autograd import Node

Array = Any


def live_nodes() -> int:
    """How many recorded ops exist right now."""
    return sum(type(thing) is Node for thing in gc.get_objects())


# ------------------------------------------------------------------------------------- recursion limit


@pytest.mark.parametrize("walked", [True, False])
def test_recursion_limit(walked: bool) -> None:
    """A chain of 50,000 ops: forward, backward, and the end of its life, walked or not."""
    x = nn.tensor(1.0, dtype=nn.float64, requires_grad=True)
    y = x
    for _ in range(50_000):
        y = y * 1.00001 + 0.0
    if walked:
        y.backward()
        assert x.grad.item() == pytest.approx(1.00001**50_000)
    del y
    assert live_nodes() == 0


# ------------------------------------------------------------------------------------- y = y + y


def test_a_diamond_is_walked_once() -> None:
    """Sixty doublings have 2⁶⁰ paths and 60 nodes; each node's gradient function runs once."""
    calls = []

    @nn.op
    def double(input: Array, other: Array):
        return input + other, lambda g: (calls.append(1), g)[1], lambda g: g

    x = nn.tensor(1.0, dtype=nn.float64, requires_grad=True)
    y = x
    for _ in range(60):
        y = double(y, y)
    y.backward()
    assert x.grad.item() == 2.0**60
    assert len(calls) == 60


def test_both_arms_of_a_diamond_arrive_before_its_foot_is_left() -> None:
    x = nn.tensor(3.0, dtype=nn.float64, requires_grad=True)
    foot = x * x
    left, right = foot.exp(), foot * 2
    (right * left + foot).backward()  # d/df (2f·e^f + f) = 2e^f(1 + f) + 1, df/dx = 2x
    assert x.grad.item() == pytest.approx((2 * math.exp(9) * 10 + 1) * 6)


def test_a_value_used_many_times_gets_the_sum() -> None:
    x = nn.tensor(2.0, dtype=nn.float64, requires_grad=True)
    (x * x * x + x * 5 + x / x).backward()
    assert x.grad.item() == pytest.approx(3 * 4 + 5)


# ------------------------------------------------------------------------------------- shared gradient arrays


def test_two_inputs_do_not_share_one_gradient_array() -> None:
    x, y = (nn.tensor([1.0, 2.0], requires_grad=True) for _ in "xy")
    (x + y).sum().backward()
    assert not np.shares_memory(x.grad, y.grad)
    x.grad += 10
    assert y.grad.tolist() == [1, 1]


def test_a_gradient_that_reaches_two_ops_is_not_added_to_in_place() -> None:
    """z = (x + y) + x: the array that add hands to both of its arguments must stay what it was."""
    x, y = (nn.tensor([1.0, 2.0], requires_grad=True) for _ in "xy")
    ((x + y) + x).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([2, 2], [1, 1])
    ((x + y) + x).sum().backward()
    assert (x.grad.tolist(), y.grad.tolist()) == ([4, 4], [2, 2])


def test_the_callers_gradient_is_neither_kept_nor_changed() -> None:
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    upstream = np.array([3.0, 4.0], np.float32)
    (x + 0).backward(upstream)
    (x + 0).backward(upstream)
    assert not np.shares_memory(x.grad, upstream)
    assert (upstream.tolist(), x.grad.tolist()) == ([3, 4], [6, 8])


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.sum(), lambda x: x.mean(), lambda x: x.T.sum(), lambda x: x.expand(4, 2, 3).sum(),
        lambda x: x.reshape(6)[::2].sum(),
    ],
    ids=["sum", "mean", "transpose", "expand", "slice"],
)  # fmt: skip
def test_a_read_only_view_never_becomes_a_gradient(make: Callable[[Any], Any]) -> None:
    x = nn.ones(2, 3, requires_grad=True)
    make(x).backward()
    x.grad *= 2  # broadcast views would raise, or change every element at once
    x.grad[0, 0] = 7
    assert x.grad.base is None
    assert x.grad[0, 0] == 7
    assert x.grad[1, 2] != 7


# ------------------------------------------------------------------------------------- changed before backward

CHANGES: dict[str, Callable[[Any], Any]] = {
    ".data =": lambda x: setattr(x, "data", x.data * 2),
    "+=": lambda x: x.__iadd__(1),
    "-=": lambda x: x.__isub__(1),
    "*=": lambda x: x.__imul__(2),
    "/=": lambda x: x.__itruediv__(2),
    "add_": lambda x: x.add_(1),
    "x[0] =": lambda x: x.__setitem__(0, 5.0),
    "copy_": lambda x: x.copy_(nn.zeros(3)),
    "fill_": lambda x: x.fill_(2),
    "zero_": lambda x: x.zero_(),
    "init": lambda x: nn.init.normal_(x),
    "optimizer": lambda x: _one_step(x),
    "load_state_dict": lambda x: _holder(x).load_state_dict({"weight": np.zeros(3, np.float32)}),
    "module.to": lambda x: _holder(x).to(nn.float64),
    "a detached twin": lambda x: x.detach().fill_(3),
    "a view": lambda x: x.reshape(3, 1).fill_(3),
}


def _one_step(x: Any) -> None:
    x.grad = np.ones_like(x.data)
    nn.optim.SGD([x], lr=0.1).step()


def _holder(x: Any) -> Any:
    module = nn.Module()
    module.register_parameter("weight", x)
    return module


@pytest.mark.parametrize("change", CHANGES)
def test_an_array_changed_between_forward_and_backward(change: str) -> None:
    """The gradient of x·x needs x as it was: RuntimeError, not a silently wrong number."""
    x = nn.Parameter(nn.tensor([1.0, 2.0, 3.0]))
    y = (x * x).sum()
    with nn.no_grad():
        CHANGES[change](x)
    before = x.grad
    with pytest.raises(RuntimeError, match="an argument of mul was changed in place after mul used it"):
        y.backward()
    assert x.grad is before


@pytest.mark.parametrize("change", [c for c in CHANGES if c not in ("module.to",)])
def test_a_change_before_the_forward_pass_is_fine(change: str) -> None:
    x = nn.Parameter(nn.tensor([1.0, 2.0, 3.0]))
    with nn.no_grad():
        CHANGES[change](x)
    x.grad = None
    (x * x).sum().backward()
    np.testing.assert_allclose(x.grad, 2 * x.data)


SHARED = {
    "view, then its base": lambda x: (x[:2], x),
    "base, then its view": lambda x: (x, x[1:]),
    "two views": lambda x: (x[:2], x[1:]),
    "two views of a base that is gone": lambda x: ((y := x * 1)[:2], y[1:]),
    "detached, then its source": lambda x: (x.detach(), x),
    "a view of a detached twin, then a view": lambda x: (x.detach()[:2], x[1:]),
}


@pytest.mark.parametrize("case", SHARED)
def test_a_change_through_whatever_shares_the_memory(case: str) -> None:
    """A product needs its argument as it was, however the memory was reached."""
    used, changed = SHARED[case](nn.tensor([1.0, 2.0, 3.0]))
    w = nn.ones_like(used).requires_grad_()
    y = (used * w).sum()
    changed.zero_()
    with pytest.raises(RuntimeError, match="an argument of mul was changed in place after mul used it"):
        y.backward()


def test_a_new_array_in_data_leaves_those_alone_that_hold_the_old_one() -> None:
    x = nn.tensor([1.0, 2.0, 3.0])
    view, w = x[:2], nn.ones(2, requires_grad=True)
    y = (view * w).sum()
    x.data = np.zeros(3, np.float32)
    y.backward()
    assert w.grad.tolist() == [1, 2]


def test_a_result_changed_in_place_before_backward() -> None:
    """exp and its like keep their result for the gradient."""
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y.detach().zero_()
    with pytest.raises(RuntimeError, match="the result of exp was changed in place"):
        y.sum().backward()
    assert x.grad is None


def test_a_change_in_place_that_a_graph_needs_raises_at_once() -> None:
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    changes = (x.zero_, y.zero_, lambda: x.add_(1), lambda: y.__setitem__(0, 1.0), lambda: nn.zeros(2).add_(x))
    for change in changes:
        with pytest.raises(RuntimeError, match="in place that a graph needs.*Use .*no_grad"):
            change()


def test_writing_into_data_is_the_way_around_every_check() -> None:
    """Documented: elements written through .data[...] are not noticed, as in PyTorch."""
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    x.data[0] = 10
    y.backward()
    assert x.grad.tolist() == [20, 4]  # the gradient at the new value, of a sum computed with the old one
    assert "writing *into* ``data``" in nn.Tensor.__doc__


# ------------------------------------------------------------------------------------- float64 creep

CREEPS: dict[str, Callable[[Any], Any]] = {
    "x * np.float64": lambda x: x * np.float64(2), "np.float64 * x": lambda x: np.float64(2) * x,
    "x + np.float64": lambda x: x + np.float64(2), "x / math.sqrt": lambda x: x / math.sqrt(2),
    "x / np.sqrt": lambda x: x / np.sqrt(2), "x ** np.float64": lambda x: (x * x) ** np.float64(1.5),
    "np.int64": lambda x: x * np.int64(3), "np.pi": lambda x: x * np.pi, "mean": lambda x: x.mean(),
    "var": lambda x: x.var(), "std": lambda x: x.std(), "where": lambda x: nn.where(x > 0, x, np.float64(0)),
    "clamp": lambda x: x.clamp(np.float64(-1), np.float64(1)), "maximum": lambda x: nn.maximum(x, np.float64(0)),
    "0-d float64 tensor": lambda x: x * nn.tensor(2.0, dtype=nn.float64), "int tensor": lambda x: x * nn.arange(3),
    "bool tensor": lambda x: x * (x > 0), "gelu": F.gelu, "dropout": F.dropout, "softmax": lambda x: F.softmax(x, -1),
    "mse": lambda x: F.mse_loss(x, nn.zeros(2, 3)), "cross entropy": lambda x: F.cross_entropy(x, nn.tensor([0, 2])),
    "weighted": lambda x: F.cross_entropy(x, nn.tensor([0, 2]), weight=nn.ones(3)),
    "smoothing": lambda x: F.cross_entropy(x, nn.tensor([0, 2]), label_smoothing=0.1),
    "logits": lambda x: F.binary_cross_entropy_with_logits(x, nn.ones(2, 3)),
    "numbers and a 0-d": lambda x: x[0, 0] * 1.5 + 2.5,
    "hinge": lambda x: F.multi_margin_loss(x, nn.tensor([0, 2])), "linear": lambda x: nn.Linear(3, 2)(x),
}  # fmt: skip


@pytest.mark.parametrize("name", CREEPS)
def test_float64_creep(name: str) -> None:
    """NumPy 2 turns float32 array × np.float64 into float64; a float32 network must stay one, gradients too."""
    x = nn.tensor([[1.0, -2.0, 3.0], [0.5, 0.25, -1.0]], requires_grad=True)
    y = CREEPS[name](x)
    y.sum().backward()
    assert (y.dtype, x.grad.dtype) == (np.float32, np.float32)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_float64_creep_in_training(momentum: float) -> None:
    nn.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    optimizer = nn.optim.SGD(model.parameters(), lr=np.float64(0.1), momentum=momentum, weight_decay=np.float64(1e-3))
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model(nn.randn(5, 3)), nn.tensor([0, 1, 0, 1, 1])).backward()
        optimizer.step()
    assert {p.dtype for p in model.parameters()} == {p.grad.dtype for p in model.parameters()} == {nn.float32}


# ------------------------------------------------------------------------------------- broadcasting losses


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits, F.kl_div])
def test_mse_of_a_column_and_a_row(loss: Callable[..., Any]) -> None:
    """(8, 1) against (8,) would compare every pair: 64 differences where 8 are meant."""
    column, row = nn.zeros(8, 1), nn.ones(8)
    with pytest.raises(ValueError, match=r"\(8, 1\) and target \(8,\) differ; broadcasting would compare every pair"):
        loss(column, row)
    assert loss(column, row.reshape(8, 1)).shape == loss(column.squeeze(1), row).shape == ()


# ------------------------------------------------------------------------------------- repeated indices


def test_repeated_indices() -> None:
    x = nn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    x[[0, 0, 2, 0]].sum().backward()
    assert x.grad.tolist() == [3, 0, 1]
    table = nn.tensor(np.zeros((3, 2)), requires_grad=True)
    table[nn.tensor([[1, 1], [1, 2]])].sum().backward()
    assert table.grad.tolist() == [[0, 0], [3, 3], [1, 1]]
    y = nn.tensor([1.0, 2.0], requires_grad=True)
    y.gather(0, nn.tensor([1, 1, 1])).sum().backward()
    assert y.grad.tolist() == [0, 3]


# ------------------------------------------------------------------------------------- second backward


def test_a_second_backward_raises_and_changes_nothing() -> None:
    x = nn.tensor(3.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match=r"already walked and freed \(at mul\).*retain_graph=True"):
        y.backward()
    assert x.grad.item() == 6


def test_a_second_backward_through_a_shared_part_raises() -> None:
    x = nn.tensor(3.0, requires_grad=True)
    shared = x * x
    first, second = shared * 2, shared * 3
    first.backward()
    with pytest.raises(RuntimeError, match="already walked and freed"):
        second.backward()
    assert x.grad.item() == 12


def test_retain_graph_allows_a_second_backward() -> None:
    x = nn.tensor(3.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 12
    with pytest.raises(RuntimeError, match="already walked"):
        y.backward()


# ------------------------------------------------------------------------------------- total += loss


def epoch(accumulate: Callable[[Any, Any], Any], total: Any) -> list[int]:
    """Ten steps of training; the number of live nodes after each."""
    nn.manual_seed(0)
    model, counts = nn.Linear(3, 1), []
    for _ in range(10):
        loss = model(nn.randn(8, 3)).square().mean()
        loss.backward()
        total = accumulate(total, loss)
        counts.append(live_nodes())
    return counts


def test_total_plus_loss_item_keeps_no_graph() -> None:
    counts = epoch(lambda total, loss: total + loss.item(), 0.0)
    assert len(set(counts)) == 1


def test_total_plus_equals_loss_on_a_tensor_raises_with_the_fix() -> None:
    total, loss = nn.tensor(0.0), nn.tensor(2.0, requires_grad=True) * 3
    with pytest.raises(RuntimeError, match=r"a running sum adds loss.item\(\)"):
        total += loss
    total += loss.item()
    assert total.item() == 6


def test_total_plus_loss_keeps_numbers_but_no_arrays() -> None:
    """total = total + loss chains one node a step, as in PyTorch; the walked graphs behind it are gone."""
    activations, total = [], 0.0
    model = nn.Linear(3, 1)
    for _ in range(5):
        hidden = model(nn.randn(8, 3))
        activations.append(weakref.ref(hidden.data))
        loss = hidden.square().mean()
        loss.backward()
        total = total + loss
    del hidden, loss
    assert [ref() for ref in activations] == [None] * 5


# ------------------------------------------------------------------------------------- threads


def test_grad_mode_belongs_to_a_thread() -> None:
    inside, checked, seen = threading.Event(), threading.Event(), {}

    def evaluate() -> None:
        with nn.no_grad(), nn.detect_anomaly():
            inside.set()
            assert checked.wait(10)
            seen["worker"] = nn.is_grad_enabled()

    worker = threading.Thread(target=evaluate)
    worker.start()
    assert inside.wait(10)
    seen["main"] = nn.is_grad_enabled()
    y = nn.log(nn.tensor(0.0, requires_grad=True))  # −inf: only the worker's thread watches for it
    checked.set()
    worker.join()
    assert seen == {"main": True, "worker": False}
    assert y.requires_grad


def test_threads_train_side_by_side() -> None:
    results: dict[int, Any] = {}

    def work(k: int) -> None:
        x = nn.tensor(np.full(50, float(k)), requires_grad=True)
        for _ in range(100):
            with nn.set_grad_enabled(k % 2 == 0):
                y = (x * x).sum()
            if k % 2 == 0:
                y.backward()
        results[k] = x.grad

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results[1] is None
    assert results[3] is None
    assert results[2].tolist() == [400.0] * 50


# ------------------------------------------------------------------------------------- modules in plain containers


@pytest.mark.parametrize("kind", [list, tuple, lambda m: dict(enumerate(m))], ids=["list", "tuple", "dict"])
def test_a_plain_container_of_modules_raises(kind: Callable[..., Any]) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = kind([nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()])

    with pytest.raises(TypeError, match=r"Net.layers is a plain \w+ holding 3 Modules.*Use nn.ModuleList"):
        Net()


def test_a_plain_list_of_parameters_raises() -> None:
    module = nn.Module()
    with pytest.raises(TypeError, match=r"Module.weights is a plain list holding 2 .*Parameters"):
        module.weights = [nn.Parameter(nn.zeros(1)), nn.Parameter(nn.zeros(1))]


def test_plain_lists_of_anything_else_are_fine() -> None:
    module = nn.Module()
    module.sizes, module.names, module.empty = [1, 2], ("a",), {}
    assert (module.sizes, module.names, module.empty) == ([1, 2], ("a",), {})


# ------------------------------------------------------------------------------------- ndarray * Tensor


@pytest.mark.parametrize("symbol", ["+", "-", "*", "/", "@", "**", "<", "=="])
def test_an_array_on_the_left_leaves_the_operator_to_the_tensor(symbol: str) -> None:
    array, x = np.array([1.0, 2.0], np.float32), nn.tensor([3.0, 4.0], requires_grad=True)
    assert (type(array) is np.ndarray, array.dtype) == (True, np.float32)
    result = eval(f"array {symbol} x")
    assert type(result) is nn.Tensor
    assert result.dtype in (np.float32, np.bool_)
    np.testing.assert_allclose(result.detach().numpy(), eval(f"array {symbol} x.data"))
    if symbol not in ("<", "=="):
        result.sum().backward()
        assert x.grad.shape == (2,)


def test_a_numpy_number_on_the_left_leaves_the_operator_to_the_tensor() -> None:
    x = nn.tensor([3.0, 4.0], requires_grad=True)
    for number in (np.float64(2), np.float32(2), np.int64(2), 2, 2.0, True):
        assert type(number * x) is type(number + x) is type(number - x) is type(number / x) is nn.Tensor
        assert (number * x).dtype == np.float32


# ------------------------------------------------------------------------------------- order


def test_parameters_come_in_the_order_of_their_definition() -> None:
    program = (
        "import nnlib as nn\n"
        "m = nn.Module()\n"
        "for name in 'zebra apple mango kiwi fig'.split():\n"
        "    setattr(m, name, nn.Parameter(nn.zeros(1)))\n"
        "print(*(name for name, _ in m.named_parameters()))"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        )  # fmt: skip
        assert done.stdout.split() == "zebra apple mango kiwi fig".split()


# ------------------------------------------------------------------------------------- leaks


def training_steps(steps: int) -> Any:
    nn.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 3))
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    x, y = nn.randn(16, 4), nn.randint(0, 3, (16,))
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        yield


def test_a_thousand_steps_leak_nothing() -> None:
    """Without the garbage collector: no cycle keeps a graph alive, no list grows."""
    gc.collect()
    gc.disable()
    try:
        run, nodes, memory = training_steps(1000), [], []
        for step in itertools.count():
            if next(run, "end") == "end":
                break
            if step == 100:
                tracemalloc.start()
            if step in (200, 999):
                nodes.append(live_nodes())
                memory.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.enable()
    assert nodes == [0, 0]
    assert memory[1] - memory[0] < 20_000, memory


def test_an_unwalked_graph_dies_with_its_last_name() -> None:
    gc.disable()
    try:
        x = nn.randn(4, 4, requires_grad=True)
        y = F.softmax(F.relu(x @ x.T).reshape(2, 8)[[0, 0, 1]], dim=1).var()
        ref = weakref.ref(y)
        assert live_nodes() > 5
        del y
        assert ref() is None
        assert live_nodes() == 0
    finally:
        gc.enable()


# ------------------------------------------------------------------------------------- NaN and infinity

SILENT: dict[str, Callable[[Any], Any]] = {
    "log of 0": lambda x: nn.log(x * 0), "log of −1": lambda x: nn.log(x - 9), "1/0": lambda x: 1 / (x * 0),
    "0/0": lambda x: (x * 0) / (x * 0), "overflow": lambda x: nn.exp(x * 1000),
    "square overflow": lambda x: (x * 1e30) ** 2, "root of −1": lambda x: nn.sqrt(x - 9),
    "inf − inf": lambda x: (x / 0) - (x / 0), "pow": lambda x: (x - 9) ** 0.5,
    "one sample": lambda x: x[:1].var(), "no sample": lambda x: x[:0].mean(),
    "matmul": lambda x: (x / 0) @ (x * 0), "softmax of −inf": lambda x: F.softmax(x * -math.inf, 0),
    "0-d": lambda x: x[0] / 0, "sum": lambda x: (x * 3e38).sum(),
    "cross entropy": lambda x: F.cross_entropy((x * 1e38 * 10).reshape(1, 3), nn.tensor([0])),
    "all ignored": lambda x: F.cross_entropy(x.reshape(1, 3), nn.tensor([-100])),
    "int of NaN": lambda x: (x / 0 * 0).long(),
    "logits": lambda x: F.binary_cross_entropy_with_logits(x / 0, nn.ones(3)),
    "cumsum": lambda x: (x * 3e38).cumsum(0), "bce": lambda x: F.binary_cross_entropy(x * 0, nn.ones(3)),
    "gelu": lambda x: F.gelu(x * 1e30), "norm": lambda x: (x * 1e30).norm(),
    "number on the left": lambda x: 2.0 ** (x * 1000), "expm1": lambda x: F.elu(x / 0),
}  # fmt: skip


@pytest.mark.parametrize("name", SILENT)
def test_nan_and_inf_flow_silently(name: str) -> None:
    """Warnings are errors in these tests: none is raised forward or backward."""
    x = nn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = SILENT[name](x)
    if y.requires_grad:
        y.sum().backward()
        assert x.grad.shape == (3,)


def test_detect_anomaly_names_the_op_that_made_the_first_one() -> None:
    x = nn.tensor([1.0, 0.0], requires_grad=True)
    with nn.detect_anomaly(), pytest.raises(RuntimeError, match=r"log made -inf first \(1 of 2 elements\)"):
        (x.log() * 0).sum()
    y = x.sqrt().sum()  # fine forward; its slope at 0 is infinite
    with nn.detect_anomaly(), pytest.raises(RuntimeError, match="the gradient of sqrt made inf first"):
        y.backward()
    assert x.grad is None
    nn.log(x)  # outside the block nothing is watched
    with nn.detect_anomaly():
        assert (x * 2).sum().item() == 2
