"""What networks cost and see: multiply-adds, receptive fields, captured activations, gradients, memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlib as nn
from nnlib import inspection

IMAGE = (1, 3, 224, 224)
# course-map B10: multiply-adds with the stride in the first 1×1, in the 3×3, and with parameter-free shortcuts (1×1)
MACS = {
    18: (1_814_073_344, 1_814_073_344, 1_794_805_760),
    34: (3_663_761_408, 3_663_761_408, 3_644_493_824),
    50: (3_857_973_248, 4_089_184_256, 3_498_311_680),
    101: (7_570_194_432, 7_801_405_440, 7_210_532_864),
    152: (11_282_415_616, 11_513_626_624, 10_922_754_048),
}
FIELDS = {18: (435, 435), 34: (899, 899), 50: (483, 427), 101: (1027, 971), 152: (1507, 1451)}
STAGES_OF_50 = {"conv1": 118_013_952, "layer1": 667_942_912, "layer2": 950_534_144, "layer3": 1_387_266_048,
                "layer4": 732_168_192, "fc": 2_048_000}  # fmt: skip


def build(depth: int, **settings: Any) -> Any:
    return getattr(nn.models, f"resnet{depth}")(**settings)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting needs no random weights, and 60 million of them take a second."""
    for name in ("uniform_", "kaiming_normal_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.fixture
def shapes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for the convolution: the right shape of zeros, without the work."""

    def convolve(x: Any, w: Any, b: Any, s: Any, p: Any, d: Any, g: Any) -> Any:
        oh, ow = ((n + 2 * q - e * (k - 1) - 1) // t + 1
                  for n, k, t, q, e in zip(x.shape[2:], w.shape[2:], s, p, d, strict=True))  # fmt: skip
        return nn.Tensor(np.broadcast_to(np.float32(0), (len(x), len(w), oh, ow)))

    monkeypatch.setattr(nn.Conv2d, "_convolve", staticmethod(convolve))


@pytest.mark.usefixtures("undrawn", "shapes_only")
@pytest.mark.parametrize("depth", MACS)
def test_multiply_adds_of_the_imagenet_resnets(depth: int) -> None:
    forms = ({"stride_in": "1x1"}, {"stride_in": "3x3"}, {"stride_in": "1x1", "shortcut": "padding"})
    assert tuple(inspection.count_macs(build(depth, **form), IMAGE) for form in forms) == MACS[depth]


def test_multiply_adds_of_a_real_pass_and_by_stage() -> None:
    net = build(50, stride_in="1x1").eval()
    rows = inspection.summary(net, IMAGE).rows
    stages = {name: sum(r.macs for r in rows if r.name.split(".")[0] == name) for name in STAGES_OF_50}
    assert stages == STAGES_OF_50
    assert inspection.summary(net, IMAGE[:2] + (64, 64)).rows[-1].output_shape == (1, 1000)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("depth", FIELDS)
def test_receptive_fields_of_the_imagenet_resnets(depth: int) -> None:
    found = tuple(inspection.receptive_field(build(depth, stride_in=s), (1, 3, 32, 32)) for s in ("1x1", "3x3"))
    assert found == FIELDS[depth]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_receptive_field_is_where_the_gradient_reaches(depth: int) -> None:
    layers = [nn.Conv1d(1, 1, 3, dilation=2), nn.MaxPool1d(2), nn.Conv1d(1, 1, 4, stride=3), nn.AvgPool1d(2, 1)][:depth]
    net = nn.Sequential(*layers).double()
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    x = nn.tensor(np.arange(64.0)[None, None], requires_grad=True)
    net(x)[0, 0, 0].backward()
    reached = np.flatnonzero(x.grad[0, 0])
    field = inspection.receptive_field(net)
    assert field == inspection.receptive_field(net, (1, 1, 64))
    # the maximum passes on one of its two inputs: the larger, so that the last input reached is the field's last
    assert reached[-1] + 1 == field


def test_receptive_field_per_axis_and_of_branches() -> None:
    assert inspection.receptive_field([((3, 1), 1, 1), (3, (1, 2), 1), (3, 1, 1)]) == 7  # 7 × 7
    assert inspection.receptive_field([((3, 1), 1, 1), (3, 1, 1)]) == (5, 3)
    body = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 5, padding=2))
    block = nn.Residual(body)
    assert inspection.receptive_field(block, (1, 1, 9, 9)) == 7
    with pytest.raises(ValueError, match="Residual may have branches. Pass input_shape"):
        inspection.receptive_field(block)


def test_costs_of_a_convolution_layer() -> None:
    conv = nn.Conv1d(16, 32, 3, padding=1)
    assert inspection.count_parameters(conv) == 1568
    assert conv.weight.numel() == 1536
    assert inspection.count_macs(nn.Conv1d(1, 1, 3, padding=1), (1, 1, 1000)) == 3000
    assert inspection.count_macs(nn.Conv2d(4, 6, 3, groups=2), (5, 4, 8, 8)) == 5 * 6 * 36 * 2 * 9
    assert inspection.count_macs(nn.Linear(1000, 1000), (1, 1000)) == 10**6


# ------------------------------------------------------------------------------------- looking without touching


def test_counting_touches_nothing() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5))
    net[1].eval()
    before = {key: value.copy() for key, value in net.state_dict().items()}
    inspection.count_macs(net, (2, 1, 5, 5))
    inspection.receptive_field(net, (2, 1, 5, 5))
    inspection.capture(net, nn.ones(2, 1, 5, 5))
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    assert [m.training for m in net.modules()] == [True, True, False, True]
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._hooks for m in net.modules())


def test_a_failing_pass_leaves_no_hooks_behind() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    with pytest.raises(ValueError, match="expects input"):
        inspection.count_macs(net, (1, 4))
    assert net.training
    assert not any(m._hooks for m in net.modules())


def test_capture_holds_every_activation_by_path() -> None:
    net = nn.models.LeNet(image_size=8)
    x = nn.rand(3, 1, 8, 8)
    found = inspection.capture(net, x)
    assert list(found) == ["conv1", "act1", "pool1", "conv2", "act2", "pool2", "flatten",
                           "mlp.0", "mlp.1", "mlp.2", "mlp.3", "mlp.4"]  # fmt: skip
    np.testing.assert_array_equal(found["act1"], np.maximum(found["conv1"], 0))
    np.testing.assert_array_equal(found["mlp.4"], net(x).data)
    recurrent = inspection.capture(nn.RNN(2, 3), nn.ones(4, 1, 2))
    assert recurrent[""].shape == (4, 1, 3)


def test_gradient_statistics_are_numpys() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1))
    with pytest.raises(RuntimeError, match=r"Call loss\.backward\(\) first"):
        inspection.gradient_statistics(net)
    net[0].weight.data[0], net[0].bias.data[0] = 0, -1  # this unit is dead
    net(nn.rand(8, 4)).sum().backward()
    table = inspection.gradient_statistics(net)
    assert [row.name for row in table.rows] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    row, g = table.rows[0], net[0].weight.grad.astype(np.float64)
    assert row.zeros >= 1 / 3
    np.testing.assert_allclose(
        [row.mean, row.std, row.norm, row.largest, row.relative],
        [g.mean(), g.std(), np.sqrt((g * g).sum()), np.abs(g).max(),
         np.sqrt((g * g).sum()) / np.linalg.norm(net[0].weight.data.astype(np.float64))],
    )  # fmt: skip
    assert "2.weight" in repr(table)


def test_graph_memory_counts_each_block_once() -> None:
    x = nn.tensor(np.zeros(1000), requires_grad=True)
    assert inspection.graph_memory(x * 2) == 16_000  # x and the result
    assert inspection.graph_memory(x.reshape(10, 100)) == 8_000  # a view shares its block
    deeper = inspection.graph_memory(((x * 2) * 3) * 4)
    assert deeper == 32_000
    y = (x.exp()).sum()
    assert 16_000 <= inspection.graph_memory(y) < 16_100
    y.backward()
    assert inspection.graph_memory(x) == 8_000  # the gradient is not part of the graph


def test_numbers_agree_with_the_course_map() -> None:
    numbers = json.loads((Path(__file__).parent / "data" / "numbers.json").read_text())
    text = json.dumps(numbers)
    for counts in MACS.values():
        for count in counts:
            assert str(count) in text, count


def test_summary_sums_up() -> None:
    net = nn.models.LeNet(image_size=8)
    table = inspection.summary(net, (1, 1, 8, 8))
    assert table.total == sum(row.parameters for row in table.rows) == inspection.count_parameters(net)
    assert table.macs == inspection.count_macs(net, (1, 1, 8, 8))
    assert repr(table).splitlines()[-1] == f"{table.total:,} parameters, {table.macs:,} multiply-adds"
