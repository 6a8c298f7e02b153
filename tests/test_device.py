"""The device, on every machine: on CuPy where there is a GPU, else on the stand-in, which is stricter.

Nothing here names NumPy's arrays and CuPy's at once without saying which way they go: a silent copy would raise.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import shutil
import subprocess
import symtable
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F
from benchmarks import gpu, workloads
from benchmarks.__main__ import main as benchmarks
from benchmarks.__main__ import on_gpu
from benchmarks.workloads import load
from tests import stand_in
from tests.ops_table import CASES, Case

ROOT = Path(__file__).resolve().parents[1]
SOURCE = (ROOT / "nnlib" / "kernels.cu").read_text(encoding="utf-8")
REAL = nn.cuda.is_available()  # before any stand-in
CUPY = sys.modules.get("cupy")  # installed, with or without a GPU
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.op}-{case.note}")
without_gpu = pytest.mark.skipif(REAL, reason="plays a machine without a GPU")


@pytest.fixture(autouse=True)
def cuda() -> Iterator[Any]:
    """CuPy, or the stand-in in its place."""
    if REAL:
        import cupy

        yield cupy
        return
    with pytest.MonkeyPatch.context() as patch, stand_in.installed() as cupy:
        if not stand_in.COMPILER:
            patch.setattr(nn.kernels, "enabled", False)
        yield cupy


def host(array: Any) -> Any:
    """What a device array holds, as NumPy; it must be one."""
    assert nn.Tensor(array).device == "cuda:0", f"{type(array)} is not on the device"
    return nn.Tensor(array).cpu().data


def listed(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


# ------------------------------------------------------------------------------------- the stand-in is honest


MIXES = stand_in.mixes()


def test_there_are_at_least_forty_mixes() -> None:
    assert len(MIXES) >= 40 and len({name for name, _ in MIXES}) == len(MIXES)


@without_gpu
@pytest.mark.parametrize("mix", [mix for _, mix in MIXES], ids=[name for name, _ in MIXES])
def test_the_stand_in_does_not_mix_with_numpy(mix: Any, cuda: Any) -> None:
    there, here = cuda.asarray(np.array([1.0, 2.0])), np.array([1.0, 2.0])
    with pytest.raises(TypeError):
        mix(there, here)
    np.testing.assert_array_equal(here, [1.0, 2.0])


@without_gpu
def test_the_stand_in_takes_numbers_and_numpys_scalars(cuda: Any) -> None:
    x = cuda.asarray(np.array([1.0, 2.0], np.float32))
    for y in (x + 1, 2.0 * x, x - np.float32(1), np.float32(3) / x, cuda.maximum(x, 0), x[np.int64(0)]):
        assert isinstance(y, cuda.ndarray) and y.dtype == np.float32


@without_gpu
@pytest.mark.parametrize("name", ["errstate", "permutation", "vectorize", "frombuffer", "testing"])
def test_the_stand_in_lacks_what_is_the_hosts(name: str, cuda: Any) -> None:
    with pytest.raises(AttributeError):
        getattr(cuda, name)


@without_gpu
def test_the_stand_in_refuses_keywords_that_cupy_lacks(cuda: Any) -> None:
    with pytest.raises(TypeError, match="stable"):
        cuda.argsort(cuda.zeros(2), stable=True)


@without_gpu
def test_an_element_is_a_view_as_in_cupy(cuda: Any) -> None:
    x = cuda.zeros(2)
    element = x[0]
    x[0] = 5.0
    assert float(element) == 5.0 and element.base is x


def bare(signature: inspect.Signature) -> str:
    """A signature without its annotations."""
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))


@pytest.mark.skipif(CUPY is None, reason="CuPy is not installed, so the stand-in's lists are not compared with it")
def test_the_stand_in_has_cupys_functions_and_signatures() -> None:
    for name, ours in stand_in.FUNCTIONS.items():
        assert bare(inspect.signature(getattr(CUPY, name))) == ours, name
    for name, ours in stand_in.METHODS.items():
        said = getattr(CUPY.ndarray, name).__doc__.splitlines()[0]
        theirs = said[said.index("(") :].replace("(self, ", "(").replace("Py_ssize_t ", "")
        assert theirs.startswith(ours[:-1]), (name, theirs)
    assert all(isinstance(getattr(CUPY, name), CUPY.ufunc) for name in stand_in.UFUNCS)
    for path in (
        "lib.stride_tricks.as_strided lib.stride_tricks.sliding_window_view random.default_rng RawModule from_dlpack "
        "ElementwiseKernel get_default_memory_pool cuda.MemoryPool.used_bytes cuda.MemoryPool.free_all_blocks "
        "cuda.Stream.begin_capture cuda.Stream.end_capture cuda.Stream.is_capturing cuda.Stream.synchronize "
        "cuda.Stream.record cuda.Event.done cuda.PinnedMemoryPointer cuda.get_current_stream cuda.using_allocator "
        "cuda.set_allocator cuda.Device cuda.runtime.getDevice cuda.runtime.getDeviceCount cuda.Graph.launch "
        "cuda.runtime.getDeviceProperties cuda.runtime.memGetInfo cuda.memory.OutOfMemoryError"
    ).split():
        thing = CUPY
        for part in path.split("."):
            thing = getattr(thing, part)
    assert issubclass(CUPY.cuda.memory.OutOfMemoryError, MemoryError)


# ------------------------------------------------------------------------------------- every op


@pytest.fixture(params=["kernels", "functions"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With nnlib's own kernels, and with CuPy's functions alone."""
    if request.param == "kernels" and not (REAL or stand_in.COMPILER):
        pytest.skip("no C++ compiler here, so the kernels do not run")
    monkeypatch.setattr(nn.kernels, "enabled", request.param == "kernels")
    return request.param


def run(case: Case, dtype: Any, device: str) -> tuple[list[Any], list[Any]]:
    """Outputs and gradients of a case on a device, as host arrays."""
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in case.arrays()]
    wanted = case.differentiable(arrays)
    tensors = [nn.tensor(a, requires_grad=i in wanted, device=device) for i, a in enumerate(arrays)]
    outs = listed(case(*tensors))
    take = host if device == "cuda" else lambda array: array
    if outs[0].requires_grad:
        upstream = np.random.default_rng(1).uniform(0.5, 1.5, outs[0].shape)
        outs[0].backward(nn.tensor(upstream, dtype=outs[0].dtype, device=device))
    return [take(t.data) for t in outs], [None if t.grad is None else take(t.grad) for t in tensors]


@EVERY
def test_an_op_gives_the_same_on_the_device(case: Case, form: str) -> None:
    if case.op == "F.dropout" and "p=0.4" not in case.note and "p=1.0" not in case.note:
        pytest.skip("its random numbers come from the device; test_dropout_draws_on_the_device")
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 2e-5)):
        ours, theirs = run(case, dtype, "cuda"), run(case, dtype, "cpu")
        for one, other in zip(ours[0] + ours[1], theirs[0] + theirs[1], strict=True):
            if other is None:
                assert one is None
                continue
            assert one.dtype == other.dtype and one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


# ------------------------------------------------------------------------------------- moving


def test_tensors_move_and_say_where_they_are() -> None:
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    there = x.to("cuda")
    assert (x.device, there.device, there.cpu().device) == ("cpu", "cuda:0", "cpu")
    assert there.to("cuda:0") is there and x.to("cpu") is x and x.cuda().device == x.cuda(0).device == "cuda:0"
    assert there.to(x).device == "cpu" and x.to("cuda", nn.float64).dtype == nn.float64
    (there * there).sum().backward()
    np.testing.assert_array_equal(x.grad, [2.0, 4.0])  # the gradient came home


@pytest.mark.parametrize(
    "make", [
        lambda **o: nn.tensor([1.0, 2.0], **o), lambda **o: nn.tensor(1.5, **o), lambda **o: nn.zeros(2, **o),
        lambda **o: nn.ones(2, **o), lambda **o: nn.full((2,), 7.0, **o), lambda **o: nn.arange(3, **o),
        lambda **o: nn.linspace(0, 1, 3, **o), lambda **o: nn.eye(2, **o), lambda **o: nn.rand(2, **o),
        lambda **o: nn.randn(2, **o), lambda **o: nn.randint(0, 9, (4,), **o), lambda **o: nn.randperm(5, **o),
    ],
)  # fmt: skip
def test_tensors_are_made_on_the_device(make: Any) -> None:
    nn.manual_seed(0)
    here = make()
    nn.manual_seed(0)
    there = make(device="cuda")
    assert there.device == "cuda:0" and there.dtype == here.dtype
    np.testing.assert_array_equal(host(there.data), here.data)
    assert nn.zeros_like(there).device == nn.ones_like(there).device == nn.full_like(there, 3).device == "cuda:0"


def test_nothing_goes_to_the_host_silently() -> None:
    x = nn.ones(2, device="cuda")
    for convert in (lambda: x.numpy(), lambda: np.asarray(x), lambda: np.array(x)):
        with pytest.raises(RuntimeError, match=r"cuda:0.*cpu\(\)\.numpy\(\)"):
            convert()
    assert x.tolist() == [1.0, 1.0] and x.sum().item() == 2.0 and "device='cuda:0'" in repr(x)  # asked for


@pytest.mark.parametrize(
    "mixed", [
        lambda d, h: d + h, lambda d, h: h * d, lambda d, h: d @ h, lambda d, h: nn.cat([d, h]), lambda d, h: d == h,
        lambda d, h: F.linear(h.reshape(1, 2), d.reshape(1, 2)), lambda d, h: F.mse_loss(d, h),
        lambda d, h: nn.where(h > 0, d, d), lambda d, h: d.detach().fill_(h.sum().reshape(1)),
        lambda d, h: F.cross_entropy(d.reshape(1, 2), nn.tensor([0])), lambda d, h: d.maximum(h),
        lambda d, h: d.sum().reshape(1).backward(np.ones(1)),
    ],
)  # fmt: skip
def test_mixed_devices_raise_naming_both_and_the_fix(mixed: Any) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)(?=.*cuda:0)(?=.*cpu).*\.to\('cuda:0'\)"):
        mixed(nn.tensor([1.0, 2.0], device="cuda", requires_grad=True), nn.tensor([1.0, 2.0]))


def test_a_number_of_the_host_and_an_index_may_come_along() -> None:
    x = nn.tensor([1.0, 2.0, 3.0], device="cuda", requires_grad=True)
    y = (x * nn.tensor(2.0))[nn.tensor([0, 2])] + x[[1, 1]] - x[nn.tensor([True, False, True])]
    y.sum().backward()
    np.testing.assert_array_equal(host(x.grad), [1.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("make", "match"), [
        (lambda: nn.zeros(1).to("cuda:7"), "only 1 GPU"), (lambda: nn.zeros(1, device="gpu"), "'cpu', 'cuda'"),
        (lambda: nn.zeros(1, device="cuda:x"), "'cuda:1'"), (lambda: nn.cuda.max_memory_allocated(), "reset_peak"),
        (lambda: nn.cuda.CUDAGraph().replay(), "nothing is captured"),
    ],
)  # fmt: skip
def test_a_wrong_device_says_what_there_is(make: Any, match: str) -> None:
    with pytest.raises(RuntimeError, match=match):
        make()


@pytest.mark.parametrize(
    "index", [[3], [0, -4], ([0], [2]), (..., [2]), (None, slice(None), [5]), ([True, False, True], [0, 2])]
)
def test_an_index_outside_raises_though_cupy_goes_round(index: Any) -> None:
    x = nn.zeros(3, 2, device="cuda")
    with pytest.raises(IndexError, match=r"getitem: index -?\d is out of bounds for axis \d with size [23]"):
        x[index]
    assert x[([-3, 2], [-2, 1])].shape == (2,) and x[..., [-2]].shape == (3, 1)


def test_in_place_changes_happen_on_the_device() -> None:
    x = nn.zeros(3, device="cuda")
    x += 1
    x[1] = 5.0
    x[[0, 2]] = nn.tensor([7.0, 8.0], device="cuda")
    assert host(x.data).tolist() == [7.0, 5.0, 8.0]
    x.copy_(nn.tensor([1.0, 2.0, 3.0]))  # from the host, as in PyTorch
    assert host(x.data).tolist() == [1.0, 2.0, 3.0]


# ------------------------------------------------------------------------------------- layers, losses, training


LAYERS = {
    "Linear": (lambda: nn.Linear(6, 3), (4, 6)), "Maxout": (lambda: nn.Maxout(6, 2), (4, 6)),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3, padding=1, stride=2), (2, 3, 6, 5)),
    "Conv2d, many": (lambda: nn.Conv2d(6, 4, 3, padding=1), (2, 6, 6, 5)),
    "Conv2d, grouped": (lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2), (2, 4, 7, 6)),
    "Conv2d, 1×1": (lambda: nn.Conv2d(4, 3, 1), (2, 4, 5, 6)), "Conv1d": (lambda: nn.Conv1d(3, 4, 3), (2, 3, 8)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (4, 3, 5, 5)), "BatchNorm1d": (lambda: nn.BatchNorm1d(6), (4, 6)),
    "LayerNorm": (lambda: nn.LayerNorm(6), (4, 6)), "GroupNorm": (lambda: nn.GroupNorm(2, 4), (2, 4, 3, 3)),
    "MaxPool2d": (lambda: nn.MaxPool2d(3, 2, 1), (2, 3, 7, 7)), "AvgPool2d": (lambda: nn.AvgPool2d(2), (2, 3, 6, 6)),
    "AdaptiveAvgPool2d": (lambda: nn.AdaptiveAvgPool2d(1), (2, 3, 6, 6)), "GELU": (nn.GELU, (3, 4)),
    "RNN": (lambda: nn.RNN(3, 4), (5, 2, 3)), "Softmax": (lambda: nn.Softmax(-1), (3, 4)), "SiLU": (nn.SiLU, (3, 4)),
    "MaskedLinear": (lambda: nn.MaskedLinear(np.tril(np.ones((4, 4)))), (3, 4)),
    "Residual": (lambda: nn.Residual(nn.Linear(4, 4)), (3, 4)), "LeNet": (nn.models.LeNet, (2, 1, 28, 28)),
    "ResNet": (lambda: nn.models.resnet20(), (2, 3, 16, 16)),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_and_learns_the_same(name: str, form: str) -> None:
    make, shape = LAYERS[name]
    found = []
    for device in ("cpu", "cuda"):
        nn.manual_seed(0)
        layer = make().double().to(device)
        x = nn.randn(*shape, dtype=nn.float64).to(device).requires_grad_()
        out = listed(layer(x))[0]
        (out * nn.linspace(-1, 1, out.numel(), dtype=nn.float64, device=device).reshape(out.shape)).sum().backward()
        arrays = [out.data, x.grad, *(p.grad for p in layer.parameters()), *(b for _, b in layer.named_buffers())]
        found.append([host(a) if device == "cuda" else a for a in arrays if a is not None])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


OPTIMIZERS = {
    "SGD": lambda p: nn.optim.SGD(p, lr=0.1), "SGD, decay": lambda p: nn.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "momentum": lambda p: nn.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "Nesterov": lambda p: nn.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "Adam": lambda p: nn.optim.Adam(p, lr=0.01, weight_decay=0.1), "AdamW": lambda p: nn.optim.AdamW(p, lr=0.01),
}  # fmt: skip


def trained(optimizer: str, device: str, steps: int, dtype: Any = nn.float64) -> tuple[list[float], Any, Any]:
    """Losses, model and optimiser of a small network with every kind of layer, after some steps on one batch."""
    nn.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 5),
    ).to(dtype)  # fmt: skip
    x, y = nn.randn(8, 1, 8, 8, dtype=dtype), nn.tensor(np.arange(8) % 5)
    model, x, y = model.to(device), x.to(device), y.to(device)
    made = OPTIMIZERS[optimizer](model.parameters())
    losses = []
    for _ in range(steps):
        loss = F.cross_entropy(model(x), y)
        made.zero_grad()
        loss.backward()
        made.step()
        losses.append(loss.item())
    return losses, model, made


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_the_same_way(optimizer: str, form: str) -> None:
    steps = 50 if REAL or optimizer == "momentum" else 5
    there, model, _ = trained(optimizer, "cuda", steps)
    here, twin, _ = trained(optimizer, "cpu", steps)
    np.testing.assert_allclose(there, here, rtol=1e-7)
    for (name, one), (_, other) in zip(model.state_dict().items(), twin.state_dict().items()):
        np.testing.assert_allclose(host(one), other, rtol=1e-6, atol=1e-8, err_msg=name)


def test_fit_evaluate_and_a_loader_work_there() -> None:
    nn.manual_seed(0)
    X, y = nn.randn(20, 4).to("cuda"), nn.tensor(np.arange(20) % 2, device="cuda")
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 2)).to("cuda")
    history = nn.fit(
        model, (X, y), nn.CrossEntropyLoss(), nn.optim.Adam(model.parameters(), lr=0.05), 3, {"accuracy": nn.accuracy},
        validation=(X, y), patience=2, batch_size=6, progress=False,
    )  # fmt: skip
    assert len(history) == 3 and history["loss"][-1] < history["loss"][0]
    assert 0 <= nn.evaluate(model, (X, y), nn.CrossEntropyLoss(), {"accuracy": nn.accuracy})["accuracy"] <= 1


def test_states_go_through_a_file_to_any_device(tmp_path: Path) -> None:
    _, model, optimizer = trained("Adam", "cuda", 3)
    nn.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "there.npz")
    state = nn.load(tmp_path / "there.npz")
    assert all(isinstance(array, np.ndarray) for array in state["model"].values())
    for device in ("cpu", "cuda"):
        _, twin, again = trained("Adam", device, 1)
        twin.load_state_dict(state["model"])
        again.load_state_dict(state["optimizer"])
        assert {nn.Tensor(a).device for a in twin.state_dict().values()} == {"cpu" if device == "cpu" else "cuda:0"}
        x = nn.ones(2, 1, 8, 8, dtype=nn.float64, device=device)
        expected = model.eval()(nn.ones(2, 1, 8, 8, dtype=nn.float64, device="cuda"))
        np.testing.assert_allclose(twin.eval()(x).tolist(), expected.tolist(), rtol=1e-12)
        F.cross_entropy(twin(x), nn.tensor([0, 1], device=device)).backward()
        again.step()
    on_host = nn.Linear(2, 2)
    on_host.load_state_dict(nn.Linear(2, 2).to("cuda").state_dict())  # straight from a device
    assert on_host.weight.device == "cpu"


def test_dropout_draws_on_the_device_from_the_seed() -> None:
    x = nn.ones(50, 40, device="cuda")
    nn.manual_seed(0)
    first = host(F.dropout(x, 0.25).data)
    nn.manual_seed(0)
    again = host(F.dropout(x, 0.25).data)
    np.testing.assert_array_equal(first, again)
    assert set(np.unique(first)) == {np.float32(0), np.float32(4 / 3)} and 0.7 < (first > 0).mean() < 0.8


def test_gradcheck_and_inspection_look_at_the_device() -> None:
    x = nn.tensor([0.5, -1.5], dtype=nn.float64, requires_grad=True, device="cuda")
    assert nn.testing.gradcheck(lambda x: (x * x).exp(), [x]) and nn.testing.gradcheck(F.gelu, [x], projections=2)
    with pytest.raises(AssertionError, match="central differences"):
        nn.testing.gradcheck(_wrong, [x])
    nn.testing.assert_close(x, [0.5, -1.5])
    y = (x * 2.0).sum()
    graph = nn.inspection.graph(y, {"x": x})
    assert [n.label for n in graph.nodes if n.kind == "op"] == ["mul", "sum"]
    assert nn.inspection.trace_backward(y)[0].op == "sum" and nn.inspection.graph_memory(y) > 0
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2 * 36, 3)).to("cuda")
    image = nn.ones(2, 1, 8, 8, device="cuda")
    assert nn.inspection.summary(model, (2, 1, 8, 8)).total == sum(p.numel() for p in model.parameters())
    assert host(nn.inspection.capture(model, image)["3"]).shape == (2, 3)
    model(image).sum().backward()
    assert len(nn.inspection.gradient_statistics(model).rows) == 6
    nn.utils.clip_grad_norm_(model.parameters(), 0.1)
    nn.utils.clip_grad_value_(model.parameters(), 0.01)
    vector = nn.utils.parameters_to_vector(model.parameters())
    nn.utils.vector_to_parameters(vector, model.parameters())
    with pytest.raises(RuntimeError, match="detect_anomaly: log made -inf"), nn.detect_anomaly():
        nn.log(nn.zeros(2, device="cuda"))


@nn.op
def _wrong(input: Array):  # noqa: F821
    return input * input, lambda g: g


def test_distributions_work_there() -> None:
    for name, options in {
        "Normal": {"loc": 0.0, "scale": 1.0}, "Laplace": {"loc": 0.0, "scale": 1.0}, "Bernoulli": {"probs": 0.5},
        "Poisson": {"rate": 2.0},
    }.items():  # fmt: skip
        there = getattr(nn.distributions, name)(**{k: nn.full((3,), v, device="cuda") for k, v in options.items()})
        here = getattr(nn.distributions, name)(**{k: nn.full((3,), v) for k, v in options.items()})
        value = [0.0, 1.0, 1.0]
        logs = there.log_prob(nn.tensor(value, device="cuda")), here.log_prob(nn.tensor(value))
        np.testing.assert_allclose(host(logs[0].data), logs[1].data, rtol=1e-5)
        assert there.sample((4,)).device == "cuda:0" and there.sample((4,)).shape == (4, 3)
    drawn = nn.distributions.Categorical(logits=nn.zeros(5, device="cuda")).sample((7,))
    assert drawn.shape == (7,) and drawn.device == "cuda:0"


# ------------------------------------------------------------------------------------- kernels


kernels_run = pytest.mark.skipif(not (REAL or stand_in.COMPILER), reason="no C++ compiler here: the kernels do not run")


def both_forms(compute: Any, *arrays: Any) -> list[list[Any]]:
    """Results of ``compute(*device tensors)`` (a list of device arrays) with the kernels, and without."""
    found = []
    for enabled in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nn.kernels, "enabled", enabled)
            tensors = [nn.tensor(a, device="cuda", requires_grad=a.dtype.kind == "f") for a in arrays]
            out = compute(*tensors)
            weights = np.random.default_rng(5).standard_normal(out.shape).astype(out.dtype)
            out.backward(nn.tensor(weights, device="cuda"))
            found.append([host(a) for a in (out.data, *(t.grad for t in tensors if t.grad is not None))])
    return found


def same(compute: Any, *arrays: Any) -> None:
    stand_in.launches.clear()
    with_kernels, without = both_forms(compute, *arrays)
    assert REAL or stand_in.launches, "no kernel was launched, so nothing was compared"
    for one, other in zip(with_kernels, without, strict=True):
        tolerance = 1e-11 if one.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def numbers(*shape: int, dtype: Any = np.float64) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def channels_first(t: Any) -> Any:
    """The same images, in memory as a convolution leaves them."""
    return nn.permute(nn.permute(t, 1, 0, 2, 3) * 1.0, 1, 0, 2, 3)


GRID = [
    (N, C, H, W, k, s, p, d)
    for N, C, H, W in ((1, 1, 5, 5), (3, 2, 9, 7), (2, 5, 17, 33))
    for k in ((1, 1), (3, 3), (2, 5))
    for s in ((1, 1), (2, 3))
    for p in ((0, 0), (1, 2))
    for d in ((1, 1), (2, 1))
    if H + 2 * p[0] > d[0] * (k[0] - 1) and W + 2 * p[1] > d[1] * (k[1] - 1)
]


@kernels_run
@pytest.mark.parametrize("layout", ["images first", "channels first"])
def test_windows_see_the_right_pixels(layout: str) -> None:
    """im2col and col2im over a grid of shapes and settings: images that need several blocks, rows that do not fit."""
    assert len(GRID) > 60
    lay = channels_first if layout == "channels first" else (lambda t: t)
    for N, C, H, W, k, s, p, d in GRID:
        if (k, s, p) == ((1, 1), (1, 1), (0, 0)):
            continue  # no columns to make
        same(lambda x, w: F.conv2d(lay(x), w, None, s, p, d), numbers(N, C, H, W), numbers(3, C, *k))  # noqa: B023


@kernels_run
@pytest.mark.parametrize("layout", ["images first", "channels first"])
def test_pools_take_the_right_pixels(layout: str) -> None:
    lay = channels_first if layout == "channels first" else (lambda t: t)
    for N, C, H, W, k, s, p, d in GRID:
        if all(q <= n // 2 for q, n in zip(p, k)):
            same(lambda x: F.max_pool2d(lay(x), k, s, p, d), numbers(N, C, H, W))  # noqa: B023
            if d == (1, 1):
                for how in ({}, {"ceil_mode": True, "count_include_pad": False}, {"divisor_override": -3}):
                    same(lambda x: F.avg_pool2d(lay(x), k, s, p, **how), numbers(N, C, H, W))  # noqa: B023
    ties = np.round(numbers(2, 3, 12, 12))
    same(lambda x: F.max_pool2d(x, 3, 2, 1), ties)
    broken = numbers(2, 3, 12, 12)
    broken[0, :, ::3, ::4], broken[1, 1] = np.nan, -np.inf
    same(lambda x: F.max_pool2d(x, 3, 2, 1), broken)
    same(lambda x: F.avg_pool1d(x, 3, 2, 1), numbers(2, 3, 12))


@kernels_run
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("M", [1, 2, 10, 31, 33, 256, 257, 1000])
def test_rows_of_every_length(M: int, dtype: Any) -> None:
    for R in (1, 5, 140):  # from 128 rows on, weights and columns are summed in parts, which the last block joins
        x = numbers(R, M, dtype=dtype)
        same(lambda x: F.softmax(x, -1), x)
        same(lambda x: F.log_softmax(x, -1), 30 * x)
        classes = np.arange(R) % M
        same(lambda x, y: F.cross_entropy(x, y), x, classes)
        same(lambda x, y: F.cross_entropy(x, y, ignore_index=0), x, np.append(classes[:-1], M - 1)) if M > 1 else None
        same(lambda x, w, b: F.layer_norm(x, (M,), w, b), x, numbers(M, dtype=dtype), numbers(M, dtype=dtype))
        same(lambda x: F.layer_norm(x, (M,)), x)
        same(lambda x, w, b: F.group_norm(x, 2, w, b), numbers(R, 4, M, dtype=dtype), *numbers(2, 4, dtype=dtype))
        w = nn.tensor(numbers(M, 3, dtype=dtype), device="cuda")
        same(lambda x, b: F.linear(x, w, b), numbers(R, 3, dtype=dtype), numbers(M, dtype=dtype))  # noqa: B023


def _normalised(x: Any) -> Any:
    return F.batch_norm(x, *(nn.ones(x.shape[1], dtype=x.dtype, device="cuda").data for _ in range(2)))


@kernels_run
def test_arrays_without_elements_launch_nothing_wrong() -> None:
    """A launch of no blocks is an error on a GPU; sums of nothing are 0."""
    none = numbers(0, 3, 8, 8)
    for compute, *arrays in (
        (lambda x, w: F.conv2d(x, w, padding=1), none, numbers(4, 3, 3, 3)), (lambda x: F.max_pool2d(x, 2), none),
        (lambda x: F.avg_pool2d(x, 2), none), (lambda x, w: F.group_norm(x, 3, w), none, numbers(3)),
        (_normalised, none), (lambda x, w: F.layer_norm(x, (8,), w), none, numbers(8)),
        (lambda x: F.softmax(x, -1), none), (lambda x: F.log_softmax(x, -1), none), (F.relu, none),
        (lambda x, w, b: F.linear(x, w, b), none, numbers(5, 8), numbers(5)), (lambda x: F.dropout(x, 0.5), none),
    ):  # fmt: skip
        for one, other in zip(*both_forms(compute, *arrays), strict=True):
            np.testing.assert_array_equal(one, other)
    for make in OPTIMIZERS.values():
        p = nn.Parameter(nn.zeros(0, 3, device="cuda"))
        p.grad = nn.zeros(0, 3, device="cuda").data
        make([p]).step()


@kernels_run
@pytest.mark.parametrize("layout", ["images first", "channels first", "flat"])
@pytest.mark.parametrize("training", [True, False])
def test_channels_of_every_size(layout: str, training: bool) -> None:
    """Up to several parts per channel (4,096 values each), whose moments are joined by the second launch."""
    lay = channels_first if layout == "channels first" else (lambda t: t)
    flat = [(2, 1), (7, 5), (9000, 2), (3, 600)]
    for shape in flat if layout == "flat" else [(2, 3, 1, 1), (5, 4, 3, 7), (3, 2, 60, 70)]:
        C = shape[1]
        moved = []

        def norm(x: Any, w: Any, b: Any) -> Any:
            running = nn.zeros(C, dtype=x.dtype, device="cuda").data, nn.ones(C, dtype=x.dtype, device="cuda").data  # noqa: B023
            out = F.batch_norm(lay(x), *running, w, b, training, 0.3, 1e-3)
            moved.append([host(a) for a in running])  # noqa: B023
            return out

        same(norm, 5 + numbers(*shape), numbers(C), numbers(1, C)[0])
        np.testing.assert_allclose(moved[0], moved[1], rtol=1e-11)
        same(lambda x: F.batch_norm(lay(x), None, None, training=True), numbers(*shape))


@kernels_run
def test_a_variance_far_from_zero_keeps_its_digits() -> None:
    """Σx² − (Σx)²/n would leave nothing of a spread of 1 around 10,000 in single precision."""
    x = (1e4 + np.random.default_rng(0).standard_normal((8, 2, 40, 40))).astype(np.float32)
    running = nn.zeros(2, device="cuda").data, nn.zeros(2, device="cuda").data
    F.batch_norm(nn.tensor(x, device="cuda"), *running, training=True, momentum=1.0)
    wide = x.astype(np.float64).transpose(1, 0, 2, 3).reshape(2, -1)
    np.testing.assert_allclose(host(running[0]), wide.mean(1), rtol=1e-6)
    np.testing.assert_allclose(host(running[1]), wide.var(1, ddof=1), rtol=1e-3)


@kernels_run
def test_a_class_that_does_not_exist_shows_in_the_loss() -> None:
    z = nn.zeros(3, 4, device="cuda")
    for wrong in (4, -1, 10**12):
        assert np.isnan(F.cross_entropy(z, nn.tensor([0, wrong, 1], device="cuda")).item())
    assert not np.isnan(F.cross_entropy(z, nn.tensor([0, 3, 1], device="cuda")).item())
    assert np.isnan(F.cross_entropy(z[:0], nn.tensor(np.zeros(0, np.int64), device="cuda")).item())  # a mean of nothing


@kernels_run
def test_one_launch_steps_any_number_of_parameters() -> None:
    for name in OPTIMIZERS:
        found = []
        for device in ("cpu", "cuda"):
            rng = np.random.default_rng(0)
            parameters = [nn.Parameter(nn.tensor(rng.standard_normal(1 + 37 * i), device=device)) for i in range(170)]
            optimizer = OPTIMIZERS[name](parameters)
            for _ in range(3):
                for p in parameters[::-1]:
                    p.grad = nn.tensor(rng.standard_normal(p.shape), device=device).data
                parameters[5].grad = None  # one that sits out
                stand_in.launches.clear()
                optimizer.step()
            counted = list(stand_in.launches)
            if device == "cuda":
                steps = {float(state["step"]) for state in optimizer.state.values() if "step" in state}
                assert steps == ({3.0} if "Adam" in name else set())  # counted by the last block of each, once
                stand_in.launches.clear()
            optimizer.step()
            found.append(np.concatenate([p.detach().cpu().data for p in parameters]))
        np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-15)  # of half a million numbers some lie next to 0
        kernel = "adam" if "Adam" in name else "sgd"
        assert REAL or counted == ["store"] * 3 + [kernel]  # 170 rows of 8 words, 500 a launch, as gradients are new
        assert REAL or stand_in.launches == [kernel]  # the same arrays: one launch for all


@kernels_run
def test_a_parameter_may_lie_in_memory_in_any_order() -> None:
    for name in OPTIMIZERS:
        found = []
        for device in ("cpu", "cuda"):
            p = nn.Parameter(nn.tensor(numbers(5, 3), device=device).T)
            optimizer = OPTIMIZERS[name]([p])
            for _ in range(3):
                p.grad = nn.tensor(numbers(3, 5), device=device).data
                optimizer.step()
            state = [nn.Tensor(v).cpu().data for v in optimizer.state[id(p)].values() if getattr(v, "ndim", 0)]
            found.append([p.detach().cpu().data, *state])
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12)


LAUNCHES = {  # of a step: products of cuBLAS, nnlib's kernels (without store, for arrays that have moved), CuPy's
    "MLP 4096": (8, "relu 2 relu_grad 2 cross_entropy 1 cross_entropy_grad 1 norm_weights_grad 3 sgd 1",
        "add 3 ones_like 1"),
    "MLP 64, captured": (8, "relu 2 relu_grad 2 cross_entropy 1 cross_entropy_grad 1 norm_weights_grad 3 sgd 1",
        "add 3 ones_like 1 zeros 1"),
    "LeNet 1024": (8, "im2col 2 col2im 1 relu 2 relu_grad 2 max_pool 2 max_pool_grad 2 cross_entropy 1 "
        "cross_entropy_grad 1 norm_weights_grad 3 sgd 1",
        "add 3 ascontiguousarray 1 ones_like 1 positive 2 reshape 1"),
    "ResNet-20 512": (59, "im2col 19 col2im 18 relu 19 relu_grad 19 add 9 batch_norm 19 batch_norm_grad 19 "
        "channel_moments 19 channel_sums 19 cross_entropy 1 cross_entropy_grad 1 norm_weights_grad 1 sgd 1",
        "add 29 mean 1 multiply 1 ones_like 1 positive 19 setitem 4 zeros 2 zeros_like 2"),
    "ResNet-50 forward 64": (54, "im2col 20 relu 49 add 16 batch_norm 53 max_pool 1", "add 1 mean 1"),
}  # fmt: skip


@without_gpu
@kernels_run
@pytest.mark.parametrize("name", LAUNCHES)
def test_a_step_launches_what_was_counted(name: str) -> None:
    """At full size, but for the width of the first MLP; nothing is computed."""
    fewer = {"hidden": 64} if name == "MLP 4096" else {}
    work = stand_in.counted(lambda: gpu.WORKLOADS[name].build["nnlib"](load("nnlib", "cuda"), **fewer)[0])
    products, ours, cupys = LAUNCHES[name]
    expected = {f"nnlib_{kernel}": int(n) for kernel, n in zip(ours.split()[::2], ours.split()[1::2])}
    expected |= {kernel: int(n) for kernel, n in zip(cupys.split()[::2], cupys.split()[1::2])}
    counted = Counter(kernel for kernel, _ in work if kernel != "nnlib_store")
    assert counted == {**expected, "matmul": products}
    assert f"\n| {name} | {counted.total()} | " in (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")


@without_gpu
@kernels_run
def test_bytes_are_counted_as_the_arrays_say() -> None:
    x = nn.ones(3, 5, device="cuda")
    work = stand_in.counted(lambda: lambda: (F.relu(x), x.T, x + 1.0, x.sum(), x @ x.T))
    assert [(kernel, size) for kernel, size in work] == [
        ("nnlib_relu", 120), ("add", 120), ("sum", 64), ("matmul", 60 + 60 + 36)
    ]  # fmt: skip
    p = nn.Parameter(nn.ones(1000, device="cuda"))
    p.grad = nn.ones(1000, device="cuda").data
    adam = nn.optim.Adam([p])
    assert ("nnlib_adam", 7 * 4000) in stand_in.counted(lambda: adam.step)  # p, m, v in and out, and g


# ------------------------------------------------------------------------------------- graphs


@pytest.mark.parametrize("optimizer", ["momentum", "Adam"])
def test_a_whole_training_step_can_be_captured(optimizer: str) -> None:
    """While a graph is captured, anything that waits for the device raises: the stand-in's copies do, as CUDA's do."""
    if not (REAL or stand_in.COMPILER):
        pytest.skip("CuPy's functions alone wait for the device to check the classes")
    nn.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1), nn.AvgPool2d(2),
        nn.Residual(nn.Conv2d(6, 6, 3, padding=1)), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6),
        nn.Linear(6, 5),
    ).to("cuda")  # fmt: skip
    made = OPTIMIZERS[optimizer](model.parameters())
    x, y = nn.randn(8, 1, 8, 8, device="cuda"), nn.tensor(np.arange(8) % 5, device="cuda")
    losses = []

    def step() -> None:
        loss = F.cross_entropy(model(x), y)
        made.zero_grad()
        loss.backward()
        made.step()
        losses[:] = [loss]

    for _ in range(3):
        step()
    captured, kept = nn.cuda.CUDAGraph(), (list(nn.kernels._tables), nn.kernels._zeros.cache_info())
    with nn.cuda.graph(captured):
        assert nn.cuda.is_current_stream_capturing()
        stand_in.launches.clear()
        step()
    assert not nn.cuda.is_current_stream_capturing()
    # What a graph writes is written at its replay, to its own memory: nobody else may count on it, nor it on others'.
    assert kept == (list(nn.kernels._tables), nn.kernels._zeros.cache_info()) and (REAL or "store" in stand_in.launches)
    before = losses[0].item() if REAL else None
    for _ in range(30):
        captured.replay()
    nn.cuda.synchronize()
    if REAL:
        assert losses[0].item() < before
    else:
        assert captured._graph.launched == 30


@without_gpu
@pytest.mark.parametrize("look", [lambda x: x.item(), lambda x: bool(x > 0), lambda x: repr(x), lambda x: x.cpu()])
def test_a_look_at_a_value_breaks_a_capture_and_says_so(look: Any) -> None:
    x = nn.ones(1, device="cuda")
    with pytest.raises(RuntimeError, match="StreamCapture"), nn.cuda.graph(nn.cuda.CUDAGraph()):
        look(x)
    assert not nn.cuda.is_current_stream_capturing() and x.item() == 1.0


# ------------------------------------------------------------------------------------- loaders


def test_a_loader_pins_and_keeps_the_order() -> None:
    data = nn.data.TensorDataset(nn.arange(20).float(), nn.arange(20))
    batches = []
    for pin in (False, True):
        nn.manual_seed(1)
        batches.append(
            [[t.tolist() for t in batch] for batch in nn.data.DataLoader(data, 6, shuffle=True, pin_memory=pin)]
        )
    assert batches[0] == batches[1] and len(batches[0]) == 4
    pinned = nn.data.DataLoader(nn.data.Subset(data, [3, 1]), 2, pin_memory=True)
    ((x, y),) = pinned
    assert type(x.data.base).__name__ == "PinnedMemoryPointer" and x.device == "cpu" and x.tolist() == [3.0, 1.0]
    there = y.to("cuda")
    y.fill_(0)
    nn.cuda.synchronize()
    assert there.tolist() == [3, 1] or REAL  # on a GPU the copy may still have been under way
    assert [b.tolist() for b in nn.data.DataLoader([1.0, 2.0, 3.0], 2, pin_memory=True)] == [[1.0, 2.0], [3.0]]
    assert list(nn.data.DataLoader(data, 6, pin_memory=True, batch_sampler=[])) == []


# ------------------------------------------------------------------------------------- the benchmarks


@kernels_run
@pytest.mark.parametrize("name", list(gpu.WORKLOADS))
def test_a_benchmark_runs_and_counts(name: str) -> None:
    """Every workload for a GPU, small: on the device with nnlib, and the same lines with PyTorch on the CPU."""
    work = gpu.WORKLOADS[name]
    for library, where in (("nnlib", "cuda"), ("torch", "cpu")):
        if library == "torch":
            pytest.importorskip("torch")
        step, macs, traffic = work.build[library](load(library, where), **work.small)
        step()
        assert (macs > 0) != (traffic > 0)


def test_the_multiply_adds_are_those_of_the_library() -> None:
    """What a benchmark divides by: forward, and twice that backward but for the first layer, whose input gets none."""
    for name, model in (
        ("ResNet-50 forward 64", nn.models.resnet50()), ("ResNet-20 512", nn.models.resnet20()),
    ):  # fmt: skip
        forward = nn.inspection.count_macs(model, (1, 3, 32, 32))
        work = gpu.WORKLOADS[name]
        counted = work.build["nnlib"](load("nnlib", "cuda"), **work.small)[1]
        times = 3 * work.small["batch"] if "20" in name else 1
        assert counted == pytest.approx(times * forward, rel=0.02), name


def test_a_step_on_a_device_is_waited_for() -> None:
    waits, steps = [], []
    found = workloads.measure(lambda: steps.append(1), 0.05, lambda: waits.append(len(steps)))
    assert len(waits) >= 7 and waits[-1] == len(steps) and 0 < found["low"] <= found["median"] <= found["high"]
    top = gpu.ceilings(load("nnlib", "cuda"), n=16, copied=64)
    assert top["flops"] > 0 and top["bandwidth"] > 0


def test_the_table_of_a_gpu_says_what_was_reached() -> None:
    rows = [
        {"name": "a", "what": "w", "owed": 1.1, "ratio": 1.0, "ratios": [0.9, 1.2],
         "nnlib": {"median": 1e-3, "macs": 5e9, "traffic": 0}, "torch": {"median": 1e-3}},
        {"name": "b", "what": "w", "owed": 0.5, "ratio": 2.0, "ratios": [2.0, 2.0],
         "nnlib": {"median": 1e-3, "macs": 0, "traffic": 2e9}, "torch": {"median": 5e-4}},
    ]  # fmt: skip
    text = gpu.table(rows, {"flops": 20e12, "bandwidth": 4e12})
    assert "10.0 TFLOP/s (50%)" in text and "2.00 TB/s (50%)" in text and "20.0 TFLOP/s in a product" in text
    assert text.count("(missed)") == 1


@without_gpu
def test_without_a_gpu_the_benchmarks_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    nn.cuda._forget()
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--device", "cuda"])
    assert benchmarks() == 1 and "CuPy is not installed" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["gpu"])
    assert gpu.everything() == 1 and "CuPy is not installed" in capsys.readouterr().out


@without_gpu
@kernels_run
def test_what_fails_on_a_card_keeps_nothing_else_from_running(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All of ``python -m benchmarks.gpu`` on the stand-in: two workloads, one of which its processes do not know."""
    chosen = {"unheard of": gpu.WORKLOADS["LayerNorm"], "Adam": gpu.WORKLOADS["Adam"]}
    monkeypatch.setattr(gpu, "WORKLOADS", chosen)
    monkeypatch.setattr(sys, "argv", ["gpu", "--dry-run", "--rounds=1", "--seconds=0.01"])
    assert gpu.everything() == 1
    said = capfd.readouterr().out
    assert "1 passed" in said and "stand-in passed, timing failed" in said
    row = next(line for line in said.splitlines() if line.startswith("| Adam"))
    assert re.search(r"\d ms", row) and "TB/s" in row and "nan" not in row
    assert "Failed: unheard of with nnlib: KeyError" in said


@without_gpu
def test_a_check_that_takes_too_long_is_interrupted_and_says_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gpu.check({"ops": "test_an_op and kernels"}, 0.0, tmp_path) == {"ops": 124}
    assert (tmp_path / "ops.txt").exists() and "ops: exit 124" in capsys.readouterr().out


def test_the_checks_leave_no_test_out_and_run_none_twice() -> None:
    """As pytest would choose: by words that are in a test's name."""
    names = [name for name in globals() if name.startswith("test_")]
    names += [f"test_an_op_gives_the_same_on_the_device[{form}-add-]" for form in ("kernels", "functions")]
    names.remove("test_an_op_gives_the_same_on_the_device")

    def chosen(name: str, words: str) -> bool:
        truth = re.sub(r"\b(?!and\b|or\b|not\b)\w+", lambda word: str(word.group() in name), words)
        return bool(eval(truth))

    counts = {name: sum(chosen(name, words) for words in gpu.CHECKS.values()) for name in names}
    assert counts == dict.fromkeys(names, 1)


def test_a_benchmark_without_time_left_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = argparse.Namespace(device="stand-in", seconds=1.0, threads=1, rounds=1, write=False)
    assert on_gpu(["Adam"], arguments, end=0.0) == 1
    assert "Adam with nnlib: no time left" in capsys.readouterr().out


# ------------------------------------------------------------------------------------- the compiler


def cuda_source() -> tuple[str, list[str]]:
    """Everything there is to compile, and the names: the kernels, and each element-wise expression as one more."""
    extra = []
    for name, (given, made, code) in nn.kernels.ELEMENTWISE.items():
        parameters = ", ".join(f"T {p.split()[1]}_" for p in given.split(","))
        lines = "".join(f"T {n} = {n}_; " for n in (p.split()[1] for p in given.split(",")))
        out = made.split()[1]
        extra.append(f"KERNEL e_{name}({parameters}, T* result) {{ {lines} T {out}; {code}; *result = {out}; }}")
    kernels = [*stand_in.kernels_of(SOURCE), *(f"e_{name}" for name in nn.kernels.ELEMENTWISE)]
    assert len(kernels) > 20
    return SOURCE + "\n".join(extra), kernels


@pytest.mark.parametrize(("scalar", "card"), [("float", "sm_80"), ("float", "sm_90"), ("double", "sm_90")])
def test_the_kernels_compile_with_nvcc(scalar: str, card: str, tmp_path: Path) -> None:
    """Down to the machine code of a card, so that registers, shared memory and arguments fit."""
    nvcc = shutil.which("nvcc") or shutil.which("nvcc", path="/usr/local/cuda/bin")
    if nvcc is None or not stand_in.COMPILER:
        pytest.skip("no nvcc (with a C++ compiler) on this machine")
    text, kernels = cuda_source()
    source, made = tmp_path / "k.cu", tmp_path / "k.cubin"
    source.write_text(text, encoding="utf-8")
    command = [nvcc, "--cubin", f"-arch={card}", "-Werror", "all-warnings", "-Xptxas", "-v", f"-DSCALAR={scalar}"]
    done = subprocess.run([*command, "-o", str(made), str(source)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    compiled = re.findall(r"Compiling entry function '(\w+)'", done.stderr)
    assert sorted(compiled) == sorted(kernels) and made.stat().st_size > 0
    assert set(re.findall(r"(\d+) bytes spill", done.stderr)) == {"0"}  # no registers in memory


@pytest.mark.parametrize("scalar", ["float", "double"])
@pytest.mark.skipif(CUPY is None, reason="CuPy is not installed, so its compiler is not either")
def test_the_kernels_compile_with_nvrtc(scalar: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiler that CuPy uses, which needs no GPU."""
    monkeypatch.setitem(sys.modules, "cupy", CUPY)
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc")
    text, kernels = cuda_source()
    program = nvrtc.createProgram(text, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"-DSCALAR={scalar}", "--gpu-architecture=compute_80"))
    except RuntimeError as error:
        raise AssertionError(nvrtc.getProgramLog(program)) from error
    made = nvrtc.getPTX(program)
    assert all(f".entry {name}(".encode() in made for name in kernels)


def test_a_barrier_that_is_missing_is_noticed() -> None:
    """The kernels without one of their barriers, with blocks, warps and lanes in other orders: some result changes.

    What blocks owe each other is not seen, as they run one after the other: the barrier before the count, the fences.
    """
    if REAL or not stand_in.COMPILER:
        pytest.skip("needs the stand-in and a C++ compiler")
    text = SOURCE
    places = [found.start() for found in re.finditer(r"__syncthreads\(\);", text)]
    assert len(places) == 6
    expected = _results(text)
    assert all(np.allclose(_results(text, seed), expected, rtol=1e-12) for seed in range(5))  # no order matters
    for at in places:
        broken = text[:at] + text[at + len("__syncthreads();") :]
        line = text[text.rfind("\n", 0, at) : text.find("\n", at)].strip()
        seen = any(not np.allclose(_results(broken, seed), expected, rtol=1e-12) for seed in range(5))
        between_blocks = "__threadfence();" in text[at:].splitlines()[2]
        assert seen != between_blocks, f"barrier {places.index(at)}: {line}"


def _results(source: str, seed: int = 0) -> Any:
    """What a kernel of each kind makes: sums over several warps, twice; parts that a last block joins; Adam."""
    source += "KERNEL twice(const T* x, T* out) {\n    const T once = block_sum(x[threadIdx.x]);\n"
    source += "    out[threadIdx.x] = once + block_sum(out[threadIdx.x]);\n}\n"
    module = stand_in.RawModule(source, ("-DSCALAR=double",))
    module._library.reseed(seed)
    x, out = stand_in.device(numbers(3, 200)), stand_in.device(np.full((3, 200), 7.0))
    found = [out]

    def run(name: str, grid: Any, args: Any) -> None:
        try:
            module.get_function(name)(grid, (256,), args)
        except AssertionError:  # threads that waited in vain
            found.append(stand_in.device(np.full(1, 1e9)))

    run("softmax", (3,), (x, out, 200, 0))
    sums = stand_in.device(numbers(256))
    run("twice", (1,), (x, sums))
    y, p, losses, loss = (stand_in.device(a) for a in (np.arange(3), np.zeros((3, 200)), np.zeros(3), np.zeros(2)))
    run("cross_entropy", (3,), (x, y, p, losses, loss, stand_in.device(np.zeros(1, np.int32)), 3, 200, -100))
    g, db, parts, arrived = (
        stand_in.device(a) for a in (numbers(90, 40), np.zeros(40), np.zeros((3, 2, 40)), np.zeros(2, np.int32))
    )
    run("norm_weights_grad", (2, 3), (0, 0, 0, g, 0, db, parts, arrived, 90, 40, 40, 1))
    p0, g0, m0, v0 = numbers(5000), numbers(5000)[::-1].copy(), np.zeros(5000), np.zeros(5000)
    state = [stand_in.device(a) for a in (p0, g0, m0, v0, np.zeros(()))]
    table = np.zeros((2, 8), np.int64)
    table[0, :6], table[1, 6] = [*(a.data.ptr for a in state), 5000], 3
    run("adam", (3,), (stand_in.device(table.reshape(-1)), 1, 0.1, 0.9, 0.999, 1e-8, 0.0, 0))
    found += [sums, p, loss, db, arrived, *state]
    return np.concatenate([a.get().reshape(-1) for a in found]) if len(found) == 11 else np.zeros(1)


def test_a_missing_thread_at_a_barrier_is_noticed() -> None:
    if not stand_in.COMPILER:
        pytest.skip("no C++ compiler here")
    source = (
        'typedef SCALAR T;\n#define KERNEL extern "C" __global__ void\n'
        "KERNEL half(T* x) {\n    if (threadIdx.x < 16) __syncthreads();\n}\n"
    )
    kernel = stand_in.RawModule(source, ("-DSCALAR=float",)).get_function("half")
    with pytest.raises(AssertionError, match="some threads of a block wait"):
        kernel((1,), (32,), (stand_in.device(np.zeros(1, np.float32)),))
    with pytest.raises(AssertionError, match="got float64"):
        kernel((1,), (32,), (stand_in.device(np.zeros(1)),))


# ------------------------------------------------------------------------------------- other libraries


def test_dlpack_shares_memory_with_numpy() -> None:
    array = np.array([1.0, 2.0])
    ours = nn.from_dlpack(array)
    array[0] = 5.0
    assert ours.tolist() == [5.0, 2.0]
    theirs = np.from_dlpack(nn.from_numpy(array))  # NumPy 2.0 exports nothing that it imported
    array[1] = 7.0
    assert theirs.tolist() == [5.0, 7.0] and ours.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="detach"):
        np.from_dlpack(nn.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="DLPack"):
        nn.from_dlpack([1.0])


def test_dlpack_shares_memory_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    ours = nn.from_dlpack(theirs)
    theirs[0, 0] = 9.0
    assert ours.tolist() == [[9.0, 2.0], [3.0, 4.0]] and ours.dtype == nn.float32
    back = torch.from_dlpack(ours)
    back[1, 1] = -1.0
    assert theirs[1, 1] == -1.0 and back.data_ptr() == theirs.data_ptr() == ours.data.ctypes.data


def test_dlpack_on_the_device_is_the_devices() -> None:
    x = nn.ones(2, device="cuda")
    assert x.__dlpack_device__() == (2, 0)
    again = nn.from_dlpack(x.data)
    assert again.device == "cuda:0" and again.data.data.ptr == x.data.data.ptr
    if REAL and (torch := pytest.importorskip("torch")).cuda.is_available():
        theirs = torch.from_dlpack(x)
        assert theirs.is_cuda and theirs.data_ptr() == x.data.data.ptr
        assert nn.from_dlpack(theirs).data.data.ptr == x.data.data.ptr


# ------------------------------------------------------------------------------------- machines without


@without_gpu
@pytest.mark.parametrize(
    ("devices", "match"),
    [(-1, r"(?s)driver.*too old.*cuda12.*'cpu'"), (0, r"(?s)no GPU is visible.*nvidia-smi.*'cpu'")],
)
def test_a_machine_whose_driver_will_not_do_says_so(devices: int, match: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_in.state, "devices", devices)
    nn.cuda._forget()
    assert not nn.cuda.is_available() and nn.cuda.device_count() == 0 and nn.cuda.memory_allocated() == 0
    nn.cuda.synchronize()
    for use in (lambda: nn.zeros(1).to("cuda"), lambda: nn.Linear(1, 1).cuda(), lambda: nn.zeros(1, device="cuda")):
        with pytest.raises(RuntimeError, match=match) as caught:
            use()
        assert "\n" not in str(caught.value)
    with pytest.raises(RuntimeError, match=match):
        nn.cuda.get_device_name()


@without_gpu
def test_a_machine_without_cupy_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    nn.cuda._forget()
    with pytest.raises(RuntimeError, match=r"CuPy is not installed.*pip install 'nnlib\[cuda13\]'.*'cpu'"):
        nn.zeros(1).to("cuda")


@without_gpu
@pytest.mark.parametrize("where", ["forward", "backward", "to"])
def test_a_full_device_says_what_to_do(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any, **kwargs: Any) -> Any:
        raise stand_in.OutOfMemoryError("Out of memory allocating 8,589,934,592 bytes")

    x = nn.ones(2, device="cuda", requires_grad=True)
    y = x.exp().sum()
    name, use = {
        "forward": ("exp", x.exp), "backward": ("broadcast_to", y.backward), "to": ("asarray", lambda: x.cpu().cuda())
    }[where]  # fmt: skip
    monkeypatch.setattr(nn.cuda._load(), name, full)
    with pytest.raises(MemoryError, match=r"out of memory \(1\.0 of 4\.0 GiB in use\).*smaller batch.*no_g") as caught:
        use()
    assert "\n" not in str(caught.value) and str(caught.value).startswith({"forward": "exp:"}.get(where, f"{where}:"))


def test_memory_and_names_are_told() -> None:
    assert nn.cuda.device_count() >= 1 and nn.cuda.current_device() == 0 and nn.cuda.get_device_name()
    assert nn.cuda.get_device_capability() >= (5, 0)
    x = nn.zeros(1000, device="cuda")
    assert 0 < nn.cuda.memory_allocated() <= nn.cuda.memory_reserved() and x.device == "cuda:0"
    free, total = nn.cuda.mem_get_info()
    assert 0 < free < total
    nn.cuda.empty_cache()
    nn.cuda.reset_peak_memory_stats()
    assert nn.cuda.max_memory_allocated() >= nn.cuda.memory_allocated() > 0


def test_initialisers_fill_what_lies_there_with_the_same_numbers() -> None:
    found = []
    for device in ("cpu", "cuda"):
        nn.manual_seed(0)
        weight = nn.zeros(4, 3, device=device)
        for name in ("uniform_", "normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_"):
            getattr(nn.init, name)(weight)
            found.append(weight.cpu().tolist())
        nn.init.constant_(weight, 2.0)
        assert weight.device.startswith(device) and weight.sum().item() == 24.0
    assert found[:6] == found[6:]


def test_what_stays_on_the_host_stays_as_it_was() -> None:
    """A device that is there changes nothing for tensors that never go to it."""
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    y = ((x * 2 + 1).exp() * nn.tensor(0.5)).sum()
    y.backward()
    assert (x.device, y.device, type(x.grad)) == ("cpu", "cpu", np.ndarray)
    assert isinstance(y._data, np.generic)  # numbers are kept as numbers
    np.testing.assert_allclose(x.grad, np.exp([3.0, 5.0]), rtol=1e-6)


# ------------------------------------------------------------------------------------- the lessons


def defines(source: str) -> set[str]:
    """The global names that a cell defines."""
    symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() or s.is_imported() or s.is_namespace()}


@pytest.mark.parametrize("lesson", ["15", "16"])
def test_the_lessons_cells_for_a_device_run(lesson: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The cells that speak of the device, with a device there; what they miss comes from cells before."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson}-*.ipynb")
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    names: dict[str, Any] = {}

    def run_cell(number: int) -> None:
        for _ in range(20):
            try:
                return exec(compile(sources[number], path.name, "exec"), names)
            except NameError as error:
                run_cell(max(i for i in range(number) if error.name in defines(sources[i])))
        raise AssertionError(f"cell {number} of lesson {lesson} never found its names")

    chosen = [i for i, source in enumerate(sources) if "nn.cuda." in source]
    assert chosen, f"lesson {lesson} has lost its cells for a device"
    try:
        for number in chosen:
            run_cell(number)
    finally:
        nn.set_default_dtype(nn.float32)
    said = capsys.readouterr().out
    assert re.search(r"GPU \d", said) and "no GPU here" not in said and "No GPU" not in said
