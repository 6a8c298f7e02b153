"""Initialisers beside PyTorch's: the numbers drawn differ, their distribution must not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlib as nn

torch = pytest.importorskip("torch")

SHAPES = [(200, 300), (64, 160, 3), (128, 32, 3, 5)]  # fan_in and fan_out differ in each


def the_same_distribution(ours: Any, theirs: Any) -> None:
    """Mean, spread and ends of tens of thousands of draws."""
    a, b = np.asarray(ours).ravel(), np.asarray(theirs).ravel()
    assert a.size == b.size > 10_000
    assert abs(a.mean() - b.mean()) < 6 * b.std() / np.sqrt(b.size)
    np.testing.assert_allclose(a.std(), b.std(), rtol=0.02)
    np.testing.assert_allclose(np.mean((a - a.mean()) ** 4), np.mean((b - b.mean()) ** 4), rtol=0.1)  # its form


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("uniform_", {}), ("uniform_", {"a": -3.0, "b": 1.0}), ("normal_", {}), ("normal_", {"mean": 2.0, "std": 0.1}),
        ("xavier_uniform_", {}), ("xavier_uniform_", {"gain": 2.0}), ("xavier_normal_", {}),
        ("xavier_normal_", {"gain": 0.5}), ("kaiming_uniform_", {}), ("kaiming_uniform_", {"a": 5**0.5}),
        ("kaiming_uniform_", {"mode": "fan_out"}), ("kaiming_uniform_", {"nonlinearity": "tanh"}),
        ("kaiming_normal_", {}), ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
        ("kaiming_normal_", {"a": 1.0}), ("kaiming_normal_", {"mode": "fan_in", "nonlinearity": "linear"}),
    ],
)  # fmt: skip
def test_initialisers_draw_as_pytorch_does(name: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    nn.manual_seed(0)
    torch.manual_seed(0)
    tensor = nn.zeros(*shape)
    assert getattr(nn.init, name)(tensor, **options) is tensor
    the_same_distribution(tensor.data, getattr(torch.nn.init, name)(torch.zeros(shape), **options))


@pytest.mark.parametrize(
    ("nonlinearity", "param"),
    [(name, None) for name in ("linear", "conv1d", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")]
    + [("leaky_relu", 0.3)],
)
def test_gains_are_pytorchs(nonlinearity: str, param: float | None) -> None:
    assert nn.init.calculate_gain(nonlinearity, param) == torch.nn.init.calculate_gain(nonlinearity, param)


def test_constants() -> None:
    assert nn.init.constant_(nn.zeros(2), 3).tolist() == [3, 3]
    assert nn.init.ones_(nn.zeros(2)).tolist() == [1, 1]
    assert nn.init.zeros_(nn.ones(2)).tolist() == [0, 0]


@pytest.mark.parametrize(
    "make",
    [
        lambda lib: lib.Linear(150, 400), lambda lib: lib.Conv1d(40, 100, 5), lambda lib: lib.Conv2d(32, 64, 3),
        lambda lib: lib.Conv2d(64, 128, (3, 5), groups=4), lambda lib: lib.RNN(100, 120, num_layers=2),
        lambda lib: lib.RNNCell(90, 130),
    ],
    ids=["Linear", "Conv1d", "Conv2d", "groups", "RNN", "RNNCell"],
)  # fmt: skip
def test_layers_start_as_in_pytorch(make: Any) -> None:
    nn.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = dict(make(nn).named_parameters()), dict(make(torch.nn).named_parameters())
    assert list(ours) == list(theirs)
    for name, parameter in ours.items():
        expected = theirs[name].detach()
        if parameter.numel() > 10_000:
            the_same_distribution(parameter.data, expected)
        else:  # a bias: the ends of its uniform distribution
            np.testing.assert_allclose(parameter.abs().max().item(), expected.abs().max().item(), rtol=0.2)
