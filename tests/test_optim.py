"""Optimisers: SGD step for step as PyTorch's, groups, state, and what is refused. Adam: test_schedules.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.1},
    "momentum": {"lr": 0.05, "momentum": 0.9},
    "dampening": {"lr": 0.05, "momentum": 0.9, "dampening": 0.5},
    "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "weight decay": {"lr": 0.1, "weight_decay": 0.01},
    "everything": {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.02},
}
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((20, 4)), RNG.integers(0, 3, 20)
START = [RNG.standard_normal(shape) for shape in ((5, 4), (5,), (3, 5), (3,))]


def train_ours(make: Any, steps: int = 50) -> tuple[list[float], list[Any]]:
    w1, b1, w2, b2 = parameters = [nn.Parameter(nn.tensor(a)) for a in START]
    optimizer, losses = make(nn.optim.SGD, parameters), []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(F.linear(F.tanh(F.linear(nn.tensor(X), w1, b1)), w2, b2), nn.tensor(Y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.data for p in parameters]


def train_theirs(torch: Any, make: Any, steps: int = 50) -> tuple[list[float], list[Any]]:
    w1, b1, w2, b2 = parameters = [torch.nn.Parameter(torch.tensor(a)) for a in START]
    linear, optimizer, losses = torch.nn.functional.linear, make(torch.optim.SGD, parameters), []
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = torch.tanh(linear(torch.tensor(X), w1, b1))
        loss = torch.nn.functional.cross_entropy(linear(hidden, w2, b2), torch.tensor(Y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [p.detach().numpy() for p in parameters]


@pytest.mark.parametrize("name", SETTINGS)
def test_sgd_is_pytorchs_for_50_steps(name: str) -> None:
    torch = pytest.importorskip("torch")
    make = lambda optimizer, parameters: optimizer(parameters, **SETTINGS[name])
    ours, theirs = train_ours(make), train_theirs(torch, make)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-11)
    for a, b in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_groups_have_settings_of_their_own_as_in_pytorch() -> None:
    torch = pytest.importorskip("torch")

    def make(optimizer: Any, p: Any) -> Any:
        groups = [{"params": [p[0], p[2]], "weight_decay": 0.1, "lr": 0.02}, {"params": [p[1], p[3]]}]
        return optimizer(groups, lr=0.05, momentum=0.9)

    ours, theirs = train_ours(make), train_theirs(torch, make)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-11)


def test_the_first_buffer_is_the_gradient() -> None:
    w = nn.Parameter(nn.tensor([1.0, 2.0]))
    optimizer = nn.optim.SGD([w], lr=0.1, momentum=0.9, dampening=0.5)
    w.grad = gradient = np.array([1.0, -1.0], np.float32)
    optimizer.step()
    np.testing.assert_allclose(w.data, [0.9, 2.1], rtol=1e-6)
    gradient[:] = 0  # the buffer is a copy
    optimizer.step()
    np.testing.assert_allclose(w.data, [0.81, 2.19], rtol=1e-6)


def test_parameters_without_a_gradient_stay() -> None:
    used, unused = (nn.Parameter(nn.ones(2)) for _ in "ab")
    optimizer = nn.optim.SGD([used, unused], lr=0.1, weight_decay=0.5)
    used.sum().backward()
    optimizer.step()
    assert unused.tolist() == [1, 1]
    assert used.tolist() != [1, 1]


def test_zero_grad_sets_none() -> None:
    w = nn.Parameter(nn.ones(2))
    optimizer = nn.optim.SGD([w], lr=0.1)
    w.sum().backward()
    optimizer.zero_grad()
    assert w.grad is None
    optimizer.step()
    assert w.tolist() == [1, 1]


def test_steps_change_the_array_in_place_and_record_nothing() -> None:
    w = nn.Parameter(nn.ones(2))
    array = w.data
    optimizer = nn.optim.SGD([w], lr=0.5)
    w.sum().backward()
    optimizer.step()
    assert w.data is array
    assert array.tolist() == [0.5, 0.5]
    assert w.is_leaf
    scalar = nn.Parameter(nn.tensor(1.0))
    scalar.backward()
    nn.optim.SGD([scalar], lr=0.5).step()
    assert scalar.item() == 0.5


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_a_run_stopped_and_resumed_is_the_same_run(name: str) -> None:
    options: dict[str, Any] = {"lr": 1e-3, **({"momentum": 0.9} if name == "SGD" else {})}

    def run(w: Any, optimizer: Any, steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            ((w - 3) ** 4).sum().backward()
            optimizer.step()

    make = getattr(nn.optim, name)
    straight = nn.Parameter(nn.tensor(START[1]))
    run(straight, make([straight], **options), 10)
    first = nn.Parameter(nn.tensor(START[1]))
    before = make([first], **options)
    run(first, before, 4)
    second = nn.Parameter(nn.tensor(first.data))
    after = make([second], lr=99.0)
    after.load_state_dict(before.state_dict())
    run(first, before, 3)  # the old run goes on; its state is not shared
    run(second, after, 6)
    np.testing.assert_array_equal(second.data, straight.data)


def test_state_dict_is_pytorchs_in_form() -> None:
    torch = pytest.importorskip("torch")

    def state(optim: Any, parameters: list[Any]) -> Any:
        optimizer = optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.5}], lr=0.1, momentum=0.9)
        (parameters[0] * parameters[1]).sum().backward()
        optimizer.step()
        return optimizer.state_dict()

    ours = state(nn.optim, [nn.Parameter(nn.ones(2)) for _ in "ab"])
    theirs = state(torch.optim, [torch.nn.Parameter(torch.ones(2)) for _ in "ab"])
    assert set(ours) == set(theirs) == {"state", "param_groups"}
    assert list(ours["state"]) == list(theirs["state"]) == [0, 1]
    for a, b in zip(ours["param_groups"], theirs["param_groups"], strict=True):
        assert a["params"] == b["params"]
        assert {key: a[key] for key in ("lr", "momentum")} == {key: b[key] for key in ("lr", "momentum")}
    np.testing.assert_array_equal(ours["state"][0]["momentum_buffer"], theirs["state"][0]["momentum_buffer"].numpy())


def test_a_generator_of_parameters_is_taken() -> None:
    model = nn.Linear(2, 2)
    assert len(nn.optim.SGD(model.parameters(), lr=0.1).param_groups[0]["params"]) == 2
    assert len(nn.optim.SGD(model.weight, lr=0.1).param_groups[0]["params"]) == 1


def test_a_diverging_run_warns_nobody() -> None:
    w = nn.Parameter(nn.tensor([3e38, np.inf, np.nan]))
    optimizer = nn.optim.SGD([w], lr=10.0, momentum=0.9, weight_decay=1.0)
    for _ in range(2):
        w.grad = np.array([-3e38, np.inf, 1.0], np.float32)
        optimizer.step()  # warnings are errors here
    assert not np.isfinite(w.data).all()


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_the_state_of_several_parameters_in_groups_goes_back_to_each(name: str) -> None:
    """Resumed in a fresh process, nnlib and PyTorch go on alike."""
    torch = pytest.importorskip("torch")

    def run(lib: Any, optimizers: Any) -> list[Any]:
        parameter = torch.nn.Parameter if lib is torch else nn.Parameter
        settings = {"lr": 0.05, "momentum": 0.9} if name == "SGD" else {"lr": 0.05}
        parameters, state = [parameter(lib.tensor(a)) for a in START], None
        for _ in range(3):  # three processes, two steps each
            groups = [{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.2}]
            optimizer = getattr(optimizers, name)(groups, **settings)
            if state is not None:
                optimizer.load_state_dict(state)
            for _ in range(2):
                optimizer.zero_grad()
                sum(((k + 1) * p.square()).sum() for k, p in enumerate(parameters)).backward()
                optimizer.step()
            state = optimizer.state_dict()
        return [np.asarray(p.detach().numpy()) for p in parameters]

    for ours, theirs in zip(run(nn, nn.optim), run(torch, torch.optim), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)


@pytest.mark.parametrize("limit", [0.5, 3.0, 1e6])
def test_clipping_measures_all_parameters_together(limit: float) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = [nn.Parameter(nn.tensor(a)) for a in START], [torch.nn.Parameter(torch.tensor(a)) for a in START]
    for parameters in (ours[:3], theirs[:3]):  # the last has no gradient
        sum(p.square().sum() for p in parameters).backward()
    length = nn.utils.clip_grad_norm_(ours, limit)
    assert length == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, limit).item())
    for p, q in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(p.grad, q.grad.numpy(), rtol=1e-12)
    assert ours[3].grad is None
