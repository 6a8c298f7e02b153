"""What is timed, and how. A workload gets the library's names and returns the step; leaves made inside the step count.

nnlib and PyTorch run the same lines: ``lib`` is ``nnlib`` or ``torch``, ``nn`` its layers, ``F`` its functions.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

Step = Callable[[], Any]
WORKLOADS: dict[str, Workload] = {}


class Workload(SimpleNamespace):
    """name, what it is, the ratio to PyTorch that is owed and aimed at, and a builder per library."""

    build: dict[str, Callable[[Any], Step]]


def workload(name: str, owed: float, goal: float) -> Callable[[Callable[[Any], Step]], Callable[[Any], Step]]:
    """Register the builder that nnlib and PyTorch share; the docstring says what is timed."""

    def register(build: Callable[[Any], Step]) -> Callable[[Any], Step]:
        what = (build.__doc__ or "").strip()
        WORKLOADS[name] = Workload(name=name, what=what, owed=owed, goal=goal, build={"nnlib": build, "torch": build})
        return build

    return register


def peer(name: str, library: str) -> Callable[[Callable[[Any], Step]], Callable[[Any], Step]]:
    """Register a teaching library's form of a workload."""

    def register(build: Callable[[Any], Step]) -> Callable[[Any], Step]:
        WORKLOADS[name].build[library] = build
        return build

    return register


def load(library: str, device: str = "cpu") -> SimpleNamespace:
    """The names a workload uses."""
    if library == "nnlib":
        import nnlib

        return SimpleNamespace(
            lib=nnlib, nn=nnlib, F=nnlib.functional, models="nnlib.models", TensorDataset=nnlib.data.TensorDataset,
            DataLoader=nnlib.data.DataLoader, device=device,
        )  # fmt: skip
    if library == "torch":
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        torch.backends.cudnn.allow_tf32 = False  # as for its products by default: float32 means float32
        return SimpleNamespace(
            lib=torch, nn=torch.nn, F=torch.nn.functional, models="tests.reference_resnet", TensorDataset=TensorDataset,
            DataLoader=DataLoader, device=device,
        )  # fmt: skip
    return SimpleNamespace(lib=__import__(library))


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def _training(t: Any, model: Any, x: Any, y: Any, loss: Any, lr: float = 0.01) -> Step:
    optimizer = t.lib.optim.SGD(model.parameters(), lr=lr)

    def step() -> None:
        value = loss(model(x), y)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()

    return step


def measure(step, seconds: float, wait=None) -> dict[str, float]:  # type: ignore[no-untyped-def]
    """Median seconds per step, with quartiles; quick steps are timed in bundles of about a millisecond.

    ``wait`` (for a GPU, which works on while Python goes ahead) ends every bundle, of about 20 ms then.
    """
    least, wait = (1e-3, lambda: None) if wait is None else (2e-2, wait)
    for _ in range(3):
        step()
    wait()
    started = time.perf_counter()
    step()
    wait()
    bundle = max(1, round(least / (time.perf_counter() - started)))
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        started = time.perf_counter()
        for _ in range(bundle):
            step()
        wait()
        times.append((time.perf_counter() - started) / bundle)
    low, median, high = statistics.quantiles(times, n=4)
    return {"low": low, "median": median, "high": high}


# ---------------------------------------------------------------------------------------------- small graphs


@workload("graph (x+y)z", owed=0.35, goal=0.25)
def graph_xyz(t: Any) -> Step:
    """(x + y)·z, 0-d: three leaves, forward, backward"""
    tensor = t.lib.tensor

    def step() -> None:
        x, y, z = (tensor(v, requires_grad=True) for v in (-2.0, 5.0, -4.0))
        ((x + y) * z).backward()

    return step


@workload("graph sigmoid", owed=0.35, goal=0.25)
def graph_sigmoid(t: Any) -> Step:
    """1/(1 + e^−(w₀x₀+w₁x₁+w₂)), 0-d: five leaves, eight ops, backward"""
    tensor = t.lib.tensor

    def step() -> None:
        w0, x0, w1, x1, w2 = (tensor(v, requires_grad=True) for v in (2.0, -1.0, -3.0, -2.0, -3.0))
        (1 / (1 + (-(w0 * x0 + w1 * x1 + w2)).exp())).backward()

    return step


@peer("graph (x+y)z", "micrograd")
def micrograd_xyz(t: Any) -> Step:
    from micrograd.engine import Value

    def step() -> None:
        x, y, z = Value(-2.0), Value(5.0), Value(-4.0)
        ((x + y) * z).backward()

    return step


@peer("graph (x+y)z", "autograd")
def autograd_xyz(t: Any) -> Step:
    from autograd import grad

    gradient = grad(lambda v: (v[0] + v[1]) * v[2])
    return lambda: gradient((-2.0, 5.0, -4.0))


@peer("graph (x+y)z", "mygrad")
def mygrad_xyz(t: Any) -> Step:
    def step() -> None:
        x, y, z = t.lib.tensor(-2.0), t.lib.tensor(5.0), t.lib.tensor(-4.0)
        ((x + y) * z).backward()

    return step


@peer("graph sigmoid", "autograd")
def autograd_sigmoid(t: Any) -> Step:
    import autograd.numpy as anp
    from autograd import grad

    gradient = grad(lambda v: 1 / (1 + anp.exp(-(v[0] * v[1] + v[2] * v[3] + v[4]))))
    return lambda: gradient((2.0, -1.0, -3.0, -2.0, -3.0))


@peer("graph sigmoid", "mygrad")
def mygrad_sigmoid(t: Any) -> Step:
    def step() -> None:
        w0, x0, w1, x1, w2 = (t.lib.tensor(v) for v in (2.0, -1.0, -3.0, -2.0, -3.0))
        (1 / (1 + t.lib.exp(-(w0 * x0 + w1 * x1 + w2)))).backward()

    return step


def _moons() -> tuple[np.ndarray, np.ndarray]:
    from nnlib.data import moons

    X, y = moons(100, noise=0.1)
    return X.data, (2 * y.data - 1).astype(np.float32)


@workload("moons epoch", owed=0.7, goal=0.4)
def moons_epoch(t: Any) -> Step:
    """micrograd's demo: 100 moons, 2-16-16-1 ReLU, hinge loss + L2, one full-batch SGD step"""
    X, y = (t.lib.tensor(a) for a in _moons())
    model = t.nn.Sequential(t.nn.Linear(2, 16), t.nn.ReLU(), t.nn.Linear(16, 16), t.nn.ReLU(), t.nn.Linear(16, 1))
    parameters = list(model.parameters())
    optimizer = t.lib.optim.SGD(parameters, lr=0.05, weight_decay=2e-4)

    def step() -> None:
        loss = t.F.relu(1 - y * model(X).reshape(-1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


@peer("moons epoch", "micrograd")
def micrograd_moons(t: Any) -> Step:
    from micrograd.nn import MLP

    X, y = _moons()
    model = MLP(2, [16, 16, 1])
    rows, labels = X.tolist(), y.tolist()

    def step() -> None:
        losses = [(1 + -label * model(row)).relu() for row, label in zip(rows, labels)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.05 * p.grad

    return step


# ---------------------------------------------------------------------------------------------- networks


def _mlp(t: Any, batch: int) -> Step:
    nn = t.nn
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = t.lib.tensor(_random(batch, 784)), t.lib.tensor(np.arange(batch) % 10)
    return _training(t, model, x, y, nn.CrossEntropyLoss())


@workload("MLP batch 64", owed=1.15, goal=0.95)
def mlp_64(t: Any) -> Step:
    """784-256-128-10 ReLU, cross entropy, forward, backward, SGD, batch 64"""
    return _mlp(t, 64)


@workload("MLP batch 256", owed=1.15, goal=1.0)
def mlp_256(t: Any) -> Step:
    """the same, batch 256"""
    return _mlp(t, 256)


@workload("LeNet batch 64", owed=1.7, goal=1.2)
def lenet(t: Any) -> Step:
    """28×28: conv 1→8 5×5, ReLU, pool, conv 8→16 3×3, ReLU, pool, 400→10; training step, batch 64"""
    nn = t.nn
    model = nn.Sequential(
        nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 10),
    )  # fmt: skip
    x, y = t.lib.tensor(_random(64, 1, 28, 28)), t.lib.tensor(np.arange(64) % 10)
    return _training(t, model, x, y, nn.CrossEntropyLoss())


@workload("ResNet-20 batch 32", owed=2.9, goal=2.0)
def resnet20(t: Any) -> Step:
    """CIFAR ResNet-20 on 3×32×32, training step, batch 32"""
    x, y = t.lib.tensor(_random(32, 3, 32, 32)), t.lib.tensor(np.arange(32) % 10)
    return _training(t, import_module(t.models).resnet20(), x, y, t.nn.CrossEntropyLoss())


@workload("ResNet-18 forward", owed=1.6, goal=1.2)
def resnet18(t: Any) -> Step:
    """ResNet-18, 1×3×224×224, evaluation mode, no gradient"""
    model = import_module(t.models).resnet18().eval()
    x = t.lib.tensor(_random(1, 3, 224, 224))

    def step() -> None:
        with t.lib.no_grad():
            model(x)

    return step


def _layer(t: Any, layer: Any, *shape: int) -> Step:
    x = t.lib.tensor(_random(*shape), requires_grad=True)
    g = t.lib.tensor(_random(*shape))

    def step() -> None:
        x.grad = None
        layer(x).backward(g)

    return step


@workload("BatchNorm2d", owed=1.9, goal=1.1)
def batch_norm(t: Any) -> Step:
    """32×64×32×32, forward and backward"""
    return _layer(t, t.nn.BatchNorm2d(64), 32, 64, 32, 32)


@workload("LayerNorm", owed=4.5, goal=3.0)
def layer_norm(t: Any) -> Step:
    """256×1024, forward and backward"""
    return _layer(t, t.nn.LayerNorm(1024), 256, 1024)


@workload("cross entropy", owed=1.8, goal=1.3)
def cross_entropy(t: Any) -> Step:
    """softmax cross entropy of 256×1024 logits, forward and backward"""
    x = t.lib.tensor(_random(256, 1024), requires_grad=True)
    y = t.lib.tensor(np.arange(256))

    def step() -> None:
        x.grad = None
        t.F.cross_entropy(x, y).backward()

    return step


@workload("epoch of batches", owed=0.2, goal=0.13)
def batches(t: Any) -> Step:
    """a shuffled pass over 60,000×784 in batches of 64, no model"""
    dataset = t.TensorDataset(t.lib.tensor(_random(60_000, 784)), t.lib.tensor(np.arange(60_000) % 10))
    loader = t.DataLoader(dataset, batch_size=64, shuffle=True)

    def step() -> None:
        for _ in loader:
            pass

    return step
