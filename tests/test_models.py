"""Whole networks beside PyTorch's: outputs, losses, every gradient, running statistics, 50 steps of training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F
from nnlib.inspection import count_parameters


def copy_weights(ours: Any, theirs: Any) -> None:
    """PyTorch's parameters and buffers into ours: same names, same shapes, or it raises."""
    ours.load_state_dict({name: value.numpy() for name, value in theirs.state_dict().items()})


def torch_twin(build: Any) -> Any:
    """A PyTorch model in float64, the same every time."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    return build(torch).double()


# ------------------------------------------------------------------------------------- training parity


def torch_lenet(torch: Any) -> Any:
    t = torch.nn
    mlp = t.Sequential(t.Linear(400, 120), t.ReLU(), t.Linear(120, 84), t.ReLU(), t.Linear(84, 10))
    layers = {
        "conv1": t.Conv2d(1, 6, 5, padding=2), "act1": t.ReLU(), "pool1": t.MaxPool2d(2), "conv2": t.Conv2d(6, 16, 5),
        "act2": t.ReLU(), "pool2": t.MaxPool2d(2), "flatten": t.Flatten(), "mlp": mlp,
    }  # fmt: skip
    net = t.Sequential()
    for name, layer in layers.items():
        net.add_module(name, layer)
    return net


def torch_resnet20(torch: Any) -> Any:
    from tests.reference_resnet import resnet20

    return resnet20()


def torch_mlp(torch: Any) -> Any:
    t = torch.nn
    return t.Sequential(t.Linear(20, 32), t.Tanh(), t.Linear(32, 16), t.Tanh(), t.Linear(16, 10))


TRAINED = {
    "MLP": (lambda: nn.models.MLP([20, 32, 16, 10], nn.Tanh), torch_mlp, (16, 20)),
    "LeNet": (nn.models.LeNet, torch_lenet, (8, 1, 28, 28)),
    "ResNet-20": (nn.models.resnet20, torch_resnet20, (4, 3, 12, 12)),
}


@pytest.mark.parametrize("name", TRAINED)
def test_fifty_steps_of_training_follow_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch")
    make, build, shape = TRAINED[name]
    theirs, ours = torch_twin(build), make().double()
    copy_weights(ours, theirs)
    settings = {"lr": 0.05, "momentum": 0.9, "weight_decay": 1e-3}
    optimizer, twin = nn.optim.SGD(ours.parameters(), **settings), torch.optim.SGD(theirs.parameters(), **settings)
    rng, curve, expected = np.random.default_rng(0), [], []
    for _ in range(50):
        x, y = rng.standard_normal(shape), rng.integers(0, 10, shape[0])
        loss = F.cross_entropy(ours(nn.tensor(x)), nn.tensor(y))
        other = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y))
        for opt, value in ((optimizer, loss), (twin, other)):
            opt.zero_grad()
            value.backward()
            opt.step()
        curve.append(loss.item())
        expected.append(other.item())
    assert max(expected) - min(expected) > 0.1  # the curve moves
    np.testing.assert_allclose(curve, expected, rtol=1e-6)
    for key, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[key], value.numpy(), rtol=1e-5, atol=1e-7, err_msg=key)


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_fifty_steps_of_a_recurrent_network_follow_pytorch(nonlinearity: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch_twin(
        lambda torch: torch.nn.ModuleList(
            [torch.nn.RNN(3, 8, 2, nonlinearity=nonlinearity, batch_first=True), torch.nn.Linear(8, 1)]
        )
    )
    ours = nn.ModuleList([nn.RNN(3, 8, 2, nonlinearity=nonlinearity, batch_first=True), nn.Linear(8, 1)]).double()
    copy_weights(ours, theirs)
    optimizer = nn.optim.SGD(ours.parameters(), lr=0.05)
    twin = torch.optim.SGD(theirs.parameters(), lr=0.05)
    rng, curve, expected = np.random.default_rng(0), [], []
    for _ in range(50):
        x, h = rng.standard_normal((5, 7, 3)), rng.standard_normal((2, 5, 8))
        y = x.sum((1, 2))[:, None]
        losses = []
        for lib, model, opt in ((nn, ours, optimizer), (torch, theirs, twin)):
            out, last = model[0](lib.tensor(x), lib.tensor(h))
            loss = ((model[1](out[:, -1]) - lib.tensor(y)) ** 2).mean() + 0.1 * (last**2).mean()
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        curve.append(losses[0])
        expected.append(losses[1])
    np.testing.assert_allclose(curve, expected, rtol=1e-8)


# ------------------------------------------------------------------------------------- ResNets


@pytest.mark.parametrize(("depth", "layers"), [(18, [2, 2, 2, 2]), (50, [3, 4, 6, 3])])
def test_resnet_with_copied_weights_is_pytorchs(depth: int, layers: list[int]) -> None:
    torch = pytest.importorskip("torch")
    from tests.reference_resnet import ResNet

    theirs = torch_twin(lambda torch: ResNet(layers, bottleneck=depth >= 50, classes=7))
    ours = getattr(nn.models, f"resnet{depth}")(num_classes=7).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    copy_weights(ours, theirs)
    rng = np.random.default_rng(depth)
    x, y = rng.standard_normal((2, 3, 64, 64)), np.array([1, 4])
    a, b = nn.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    logits, expected = ours(a), theirs(b)
    loss, other = F.cross_entropy(logits, nn.tensor(y)), torch.nn.functional.cross_entropy(expected, torch.tensor(y))
    loss.backward()
    other.backward()
    np.testing.assert_allclose(logits.data, expected.detach().numpy(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(loss.item(), other.item(), rtol=1e-10)
    gradients = dict(theirs.named_parameters())
    for name, parameter in [*ours.named_parameters(), ("", a)]:
        reference = (gradients[name] if name else b).grad.numpy()
        assert np.abs(reference).max() > 0, name
        near = 1e-8 * np.abs(reference).max()
        np.testing.assert_allclose(parameter.grad, reference, rtol=1e-6, atol=near, err_msg=name)
    for name, value in theirs.state_dict().items():  # running statistics moved alike
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
    theirs.eval()
    ours.eval()
    with nn.no_grad(), torch.no_grad():
        np.testing.assert_allclose(ours(a).data, theirs(b).numpy(), rtol=1e-8, atol=1e-9)


COUNTS = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}
OPTION_A = {18: 11_515_688, 34: 21_623_848}


@pytest.mark.parametrize("depth", COUNTS)
def test_parameter_counts_of_the_imagenet_resnets(depth: int) -> None:
    assert count_parameters(getattr(nn.models, f"resnet{depth}")()) == COUNTS[depth]


@pytest.mark.parametrize("depth", OPTION_A)
def test_shortcuts_without_parameters(depth: int) -> None:
    assert count_parameters(getattr(nn.models, f"resnet{depth}")(shortcut="padding")) == OPTION_A[depth]


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_cifar_resnets_have_6n_plus_2_layers(depth: int) -> None:
    net = getattr(nn.models, f"resnet{depth}")()
    layers = [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    assert len(layers) == depth
    projected = getattr(nn.models, f"resnet{depth}")(shortcut="projection")
    # option B adds a 1×1 convolution and a batch norm where the channels double: 16·32 + 2·32 + 32·64 + 2·64
    assert count_parameters(projected) - count_parameters(net) == 512 + 64 + 2048 + 128


def test_a_safetensors_file_of_torchvision_names_loads_as_it_is(tmp_path: Any) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from tests.reference_resnet import ResNet

    theirs = ResNet([2, 2, 2, 2], classes=5)
    save_file(theirs.state_dict(), tmp_path / "resnet18.safetensors")
    ours = nn.models.resnet18(num_classes=5)
    ours.load_state_dict(safetensors.load_file(tmp_path / "resnet18.safetensors"))
    np.savez(tmp_path / "resnet18.npz", **{k: v.numpy() for k, v in theirs.state_dict().items()})
    again = nn.models.resnet18(num_classes=5)
    with np.load(tmp_path / "resnet18.npz") as arrays:
        again.load_state_dict(arrays)
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32)
    with nn.no_grad(), torch.no_grad():
        expected = theirs.eval()(torch.tensor(x)).numpy()
        for model in (ours, again):
            np.testing.assert_allclose(model.eval()(nn.tensor(x)).data, expected, rtol=1e-3, atol=1e-4)


def test_a_state_of_another_depth_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"layer1\.2\.conv1\.weight: unexpected"):
        nn.models.resnet18().load_state_dict(nn.models.resnet34().state_dict())


# ------------------------------------------------------------------------------------- small ones


def test_a_padded_shortcut_keeps_every_second_pixel_and_adds_channels_of_zeros_at_the_end() -> None:
    x = nn.arange(32.0).reshape(1, 2, 4, 4)
    out = nn.models.PaddedShortcut(2, 5, 2)(x)
    np.testing.assert_array_equal(out[:, :2].data, x.data[:, :, ::2, ::2])
    assert out.shape == (1, 5, 2, 2) and not out[:, 2:].data.any()


def test_resnet_s_is_its_formula() -> None:
    nn.manual_seed(0)
    net = nn.models.ResNetS(3, blocks=2, out_features=1, activation=nn.Tanh).double()
    z = np.random.default_rng(0).standard_normal((4, 3))
    out = net(nn.tensor(z)).data
    state = net.state_dict()

    def mm(key: str, v: Any) -> Any:
        return v @ state[f"{key}.weight"].T + state[f"{key}.bias"]

    for block in "01":
        z = z + np.tanh(mm(f"{block}.body.2", np.tanh(mm(f"{block}.body.0", z))))
    np.testing.assert_allclose(out, mm("2", z), rtol=1e-12)
    assert count_parameters(net) == 4 * (9 + 3) + 4  # every MM owns its W and b


LENET = {  # two convolutions (weights and biases), then 120, 84 and 10 units
    28: (6 * 25 + 6) + (16 * 6 * 25 + 16) + (16 * 25 * 120 + 120) + (120 * 84 + 84) + 850,
    8: (6 * 9 + 6) + (16 * 6 * 9 + 16) + (16 * 4 * 120 + 120) + (120 * 84 + 84) + 850,
}


@pytest.mark.parametrize(("size", "parameters"), LENET.items())
def test_lenet_sizes(size: int, parameters: int) -> None:
    net = nn.models.LeNet(image_size=size)
    assert net(nn.zeros(2, 1, size, size)).shape == (2, 10)
    assert count_parameters(net) == parameters


@pytest.mark.parametrize("size", [4, 7, 12, 15, 16, 20, 32])
def test_lenet_fits_every_size(size: int) -> None:
    assert nn.models.LeNet(image_size=size, in_channels=3)(nn.zeros(1, 3, size, size)).shape == (1, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.models.MLP([3]), "at least input and output"),
        (lambda: nn.models.LeNet(image_size=3), "image_size must be >= 4"),
        (lambda: nn.models.ResNet(nn.models.BasicBlock, [1], stem="5x5"), "stem must be '7x7' or '3x3', got '5x5'"),
        (lambda: nn.models.resnet18(shortcut="A"), "shortcut must be 'projection' or 'padding', got 'A'"),
        (lambda: nn.models.ResNetS(0, 1), "features must be an integer >= 1, got 0"),
    ],
)
def test_bad_settings_are_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
