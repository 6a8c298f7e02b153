"""Normalisation, residual, masked and recurrent layers: beside PyTorch, and the facts of the course."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F


def array(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape)


def f64(values: Any, **options: Any) -> nn.Tensor:
    return nn.tensor(values, dtype=nn.float64, **options)


# ------------------------------------------------------------------------------------- batch norm


@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
@pytest.mark.parametrize("shape", [(5, 3), (4, 3, 6), (4, 3, 5, 2)])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_running_statistics_follow_pytorch(shape: Any, momentum: Any, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    name = "BatchNorm2d" if len(shape) == 4 else "BatchNorm1d"
    ours = getattr(nn, name)(3, momentum=momentum).to(np.dtype(dtype))
    theirs = getattr(torch.nn, name)(3, momentum=momentum).to(getattr(torch, dtype))
    near: Any = {"rtol": 1e-10, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-5}
    for step in range(4):
        x = (3 * array(*shape, seed=step) + 2).astype(dtype)
        a, b = ours(nn.tensor(x)), theirs(torch.tensor(x))
        assert str(a.dtype) == dtype
        np.testing.assert_allclose(a.data, b.detach().numpy(), **near)
    for key, value in theirs.state_dict().items():
        assert str(ours.state_dict()[key].dtype) == str(value.dtype).removeprefix("torch.")
        np.testing.assert_allclose(ours.state_dict()[key], value.numpy(), err_msg=key, **near)
    ours.eval()
    theirs.eval()
    frozen = {key: value.copy() for key, value in ours.state_dict().items()}
    np.testing.assert_allclose(ours(nn.tensor(x)).data, theirs(torch.tensor(x)).detach().numpy(), **near)
    for key, value in ours.state_dict().items():
        np.testing.assert_array_equal(value, frozen[key])


def test_running_statistics_move_a_tenth_of_the_way() -> None:
    norm = nn.BatchNorm1d(1).double()
    norm(f64([[1.0], [2.0], [3.0], [6.0]]))  # mean 3, biased variance 3.5, unbiased 14/3
    assert norm.running_mean[0] == pytest.approx(0.1 * 3)
    assert norm.running_var[0] == pytest.approx(0.9 * 1 + 0.1 * 14 / 3)
    assert norm.num_batches_tracked == 1


def test_batch_norm_without_tracking_uses_the_batch_even_in_evaluation() -> None:
    torch = pytest.importorskip("torch")
    ours = nn.BatchNorm2d(3, affine=False, track_running_stats=False).double().eval()
    theirs = torch.nn.BatchNorm2d(3, affine=False, track_running_stats=False).double().eval()
    x = array(2, 3, 4, 4)
    assert ours.state_dict() == {}
    np.testing.assert_allclose(ours(nn.tensor(x)).data, theirs(torch.tensor(x)).numpy(), atol=1e-12)


def test_float32_statistics_of_a_far_mean_keep_their_digits() -> None:
    x = (1000 + array(64, 2, 8, 8)).astype(np.float32)
    out = F.batch_norm(nn.tensor(x), None, None, training=True).data
    exact = x.astype(np.float64)
    exact = (exact - exact.mean((0, 2, 3), keepdims=True)) / np.sqrt(exact.var((0, 2, 3), keepdims=True) + 1e-5)
    np.testing.assert_allclose(out, exact, atol=1e-3)
    rows = (1000 + array(16, 256)).astype(np.float32)
    exact = rows.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(F.layer_norm(nn.tensor(rows), (256,)).data, exact, atol=1e-3)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm", "group_norm"])
def test_normalisation_of_large_inputs_has_exact_gradients(name: str) -> None:
    torch = pytest.importorskip("torch")
    shape, features = (6, 8, 12, 10), 8
    calls = {
        "batch_norm": lambda F, x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        "layer_norm": lambda F, x, w, b: F.layer_norm(x, (10,), w[: x.shape[-1]], b[: x.shape[-1]]),
        "group_norm": lambda F, x, w, b: F.group_norm(x, 2, w, b),
    }
    features = 10 if name == "layer_norm" else features
    values = [array(*shape), array(features, seed=1), array(features, seed=2)]
    ours = [nn.tensor(v, requires_grad=True) for v in values]
    theirs = [torch.tensor(v, requires_grad=True) for v in values]
    out, expected = calls[name](F, *ours), calls[name](torch.nn.functional, *theirs)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), atol=1e-11)
    g = array(*shape, seed=3)
    out.backward(g)
    expected.backward(torch.tensor(g))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), atol=1e-10)
    # the same values in channel-first memory, as convolutions leave them
    scattered = nn.Tensor(np.ascontiguousarray(values[0].swapaxes(0, 1)).swapaxes(0, 1), True)
    again = calls[name](F, scattered, *ours[1:])
    np.testing.assert_allclose(again.data, expected.detach().numpy(), atol=1e-11)
    again.backward(np.ascontiguousarray(g.swapaxes(0, 1)).swapaxes(0, 1))
    np.testing.assert_allclose(scattered.grad, theirs[0].grad.numpy(), atol=1e-10)


# ------------------------------------------------------------------------------------- layer norm (course-map B13)


def test_the_course_example_of_layer_normalisation() -> None:
    z = f64([1.0, 2.0, 3.0, 6.0])
    out = F.layer_norm(z, (4,), eps=0.0).data
    np.testing.assert_allclose(out, [-1.0690449676496976, -0.5345224838248488, 0, 1.6035674514745464], atol=1e-15)
    np.testing.assert_allclose((out**2).sum(), 4)
    # its Jacobian (I − 11ᵀ/m − x̂x̂ᵀ/m)/σ kills 1 and x̂
    x = f64(z.data, requires_grad=True)
    J = np.stack([nn.grad(F.layer_norm(x, (4,), eps=0.0)[i], [x])[0] for i in range(4)])
    np.testing.assert_allclose(J, (np.eye(4) - 0.25 - np.outer(out, out) / 4) / np.sqrt(3.5), atol=1e-14)
    np.testing.assert_allclose(J @ np.ones(4), 0, atol=1e-14)
    np.testing.assert_allclose(J @ out, 0, atol=1e-14)


def test_the_output_has_mean_beta_and_deviation_abs_gamma() -> None:
    z, gamma, beta = f64(array(7)), -2.5, 0.75
    out = F.layer_norm(z, (7,), f64(np.full(7, gamma)), f64(np.full(7, beta)), eps=0.0).data
    np.testing.assert_allclose([out.mean(), out.std()], [beta, abs(gamma)])


@pytest.mark.parametrize("alpha", [0.01, 3.0, 1e4])
def test_scaling_weights_and_biases_before_a_norm_changes_nothing(alpha: float) -> None:
    x, w, b = f64(array(5, 3)), f64(array(4, 3, seed=1)), f64(array(4, seed=2))

    def norm(w: Any, b: Any) -> Any:
        return F.layer_norm(F.linear(x, w, b), (4,), eps=0.0).data

    np.testing.assert_allclose(norm(w * alpha, b * alpha), norm(w, b), rtol=1e-9)
    np.testing.assert_allclose(norm(w * -alpha, b * -alpha), -norm(w, b), rtol=1e-9)
    assert not np.allclose(norm(w * 3.0, b), norm(w, b))


def test_the_counter_example_for_whole_networks() -> None:
    z = f64([1.0, 2.0, 3.0, 6.0])

    def norm(v: Any) -> Any:
        return F.layer_norm(v, (4,), eps=0.0)

    pre = [(z + alpha * norm(z))[0].item() for alpha in (1, 2)]
    np.testing.assert_allclose(pre, [-0.069045, -1.138090], atol=5e-7)
    post = [norm(z + alpha * f64([6.0, 3.0, 2.0, 1.0]))[0].item() for alpha in (1, 2)]
    np.testing.assert_allclose(post, [1, 1.705606], atol=5e-7)


@pytest.mark.parametrize(
    ("ours", "theirs", "shape"),
    [
        (nn.LayerNorm(4), "LayerNorm(4)", (2, 3, 4)),
        (nn.LayerNorm((3, 4), 1e-3, True, False), "LayerNorm((3, 4), 1e-3, True, False)", (2, 3, 4)),
        (nn.LayerNorm(4, elementwise_affine=False), "LayerNorm(4, elementwise_affine=False)", (5, 4)),
        (nn.GroupNorm(2, 6), "GroupNorm(2, 6)", (2, 6, 3, 3)),
        (nn.GroupNorm(3, 6, affine=False), "GroupNorm(3, 6, affine=False)", (2, 6)),
        (nn.RNNCell(4, 3), "RNNCell(4, 3)", (2, 4)),
        (nn.RNNCell(4, 3, False, "relu"), "RNNCell(4, 3, False, 'relu')", (4,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_take_pytorchs_arguments(ours: Any, theirs: str, shape: Any) -> None:
    torch = pytest.importorskip("torch")
    twin = eval(f"torch.nn.{theirs}", {"torch": torch}).double()
    ours = ours.double()
    assert list(ours.state_dict()) == list(twin.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in twin.state_dict().items()})
    x = array(*shape)
    np.testing.assert_allclose(ours(nn.tensor(x)).data, twin(torch.tensor(x)).detach().numpy(), atol=1e-12)


# ------------------------------------------------------------------------------------- recurrence


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (5, 2, 3)), ({"batch_first": True}, (2, 5, 3)), ({"num_layers": 3, "nonlinearity": "relu"}, (5, 2, 3)),
        ({"bias": False}, (5, 2, 3)), ({"num_layers": 2}, (5, 3)), ({}, (5, 0, 3)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("with_state", [False, True])
def test_rnn_follows_pytorch(settings: Any, shape: Any, with_state: bool) -> None:
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.RNN(3, 4, **settings).double(), nn.RNN(3, 4, **settings).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    batch = () if len(shape) == 2 else (shape[0 if settings.get("batch_first") else 1],)
    state = [array(settings.get("num_layers", 1), *batch, 4, seed=1)] if with_state else []
    values = [array(*shape), *state]
    a = [nn.tensor(v, requires_grad=True) for v in values]
    b = [torch.tensor(v, requires_grad=True) for v in values]
    out, last = ours(*a)
    expected, theirs_last = theirs(*b)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), atol=1e-13)
    np.testing.assert_allclose(last.data, theirs_last.detach().numpy(), atol=1e-13)
    if not out.numel():
        return
    ((out * out).sum() + last.sum()).backward()
    ((expected * expected).sum() + theirs_last.sum()).backward()
    for t, u in [*zip(a, b, strict=True), *zip(ours.parameters(), theirs.parameters(), strict=True)]:
        np.testing.assert_allclose(t.grad, u.grad.numpy(), atol=1e-11)


def test_a_cell_unrolled_by_hand_is_the_layer() -> None:
    nn.manual_seed(0)
    layer, cell = nn.RNN(3, 4).double(), nn.RNNCell(3, 4).double()
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x, h = f64(array(6, 2, 3)), None
    for t in range(6):
        h = cell(x[t], h)
    np.testing.assert_allclose(h.data, layer(x)[1].data[0], atol=1e-14)


# ------------------------------------------------------------------------------------- residual, masked


def test_residual_has_both_forms_of_the_notes() -> None:
    x = f64(array(5, 3))
    body = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    np.testing.assert_allclose(nn.Residual(body)(x).data, (body(x) + x).data)
    np.testing.assert_allclose(nn.Residual(body, act=nn.ReLU())(x).data, np.maximum((body(x) + x).data, 0))
    wide, project = nn.Linear(3, 6).double(), nn.Linear(3, 6).double()
    np.testing.assert_allclose(nn.Residual(wide, project)(x).data, (wide(x) + project(x)).data)
    with pytest.raises(ValueError, match=r"body makes \(5, 6\) and shortcut \(5, 3\) of \(5, 3\).*Give it a shortcut"):
        nn.Residual(wide)(x)


def test_the_housing_network_has_twelve_parameters_and_keeps_its_zeros() -> None:
    nn.manual_seed(0)
    hidden = nn.MaskedLinear([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]])
    net = nn.Sequential(hidden, nn.ReLU(), nn.Linear(3, 1)).double()
    assert hidden.free_parameters + nn.inspection.count_parameters(net[2]) == 12
    x, target = f64(array(32, 4)), f64(array(32, 1, seed=1))
    optimizer = nn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        F.mse_loss(net(x), target).backward()
        optimizer.step()
    assert ((hidden.weight.data != 0) == (hidden.mask != 0)).all()
    theta, (w, b) = hidden.weight.data, (net[2].weight.data, net[2].bias.data)
    size, bedrooms, code, wealth = x.data.T
    a = [theta[0, 0] * size + theta[0, 1] * bedrooms, theta[1, 2] * code, theta[2, 2] * code + theta[2, 3] * wealth]
    a = np.maximum(np.stack(a, 1) + hidden.bias.data, 0)
    np.testing.assert_allclose(net(x).data, a @ w.T + b, atol=1e-12)
    assert "mask" in hidden.state_dict()


# ------------------------------------------------------------------------------------- errors


def z(*shape: int) -> nn.Tensor:
    return nn.zeros(*shape)


ERRORS = [
    (lambda: F.batch_norm(z(4), None, None, training=True), "batch_norm: expects input (N, C) or (N, C, …), got (4,). "
     "Use x.unsqueeze(1)", lambda: F.batch_norm(z(4).unsqueeze(1), None, None, training=True)),
    (lambda: nn.BatchNorm1d(3)(z(1, 3)), "one value per channel ((1, 3)) has no variance. Use a larger batch, or "
     "model.eval()", lambda: nn.BatchNorm1d(3).eval()(z(1, 3))),
    (lambda: nn.BatchNorm2d(4)(z(2, 3, 5, 5)), "running_mean must have shape (3,), one number per channel, got (4,). "
     "Use num_features=3", lambda: nn.BatchNorm2d(3)(z(2, 3, 5, 5))),
    (lambda: nn.BatchNorm2d(3)(z(2, 3)), "BatchNorm2d: expects input with 4 axes (N, C, H, W), got (2, 3). "
     "Use nn.BatchNorm1d", lambda: nn.BatchNorm1d(3)(z(2, 3))),
    (lambda: nn.BatchNorm1d(3)(z(2, 3, 4, 4)), "BatchNorm1d: expects input with 2 or 3 axes (N, C) or (N, C, L), got "
     "(2, 3, 4, 4). Use nn.BatchNorm2d", lambda: nn.BatchNorm2d(3)(z(2, 3, 4, 4))),
    (lambda: nn.LayerNorm(3)(z(2, 4)), "normalized_shape (3,) must be the end of (2, 4). "
     "Use normalized_shape=(4,)", lambda: nn.LayerNorm((4,))(z(2, 4))),
    (lambda: F.layer_norm(z(2, 4), (4,), z(3)), "layer_norm: weight must have shape (4,), got (3,)",
     lambda: F.layer_norm(z(2, 4), (4,), z(4))),
    (lambda: F.group_norm(z(2, 6, 3), 4), "group_norm: num_groups=4 must divide the 6 channels of (2, 6, 3)",
     lambda: F.group_norm(z(2, 6, 3), 3)),
    (lambda: nn.GroupNorm(4, 6), "GroupNorm: num_groups=4 must divide num_channels=6", lambda: nn.GroupNorm(3, 6)),
    (lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), "RNN: nonlinearity must be 'tanh' or 'relu', got 'sigmoid'",
     lambda: nn.RNN(3, 4, nonlinearity="tanh")),
    (lambda: nn.RNN(3, 4)(z(5, 2, 4)), "RNN: expects input (T, N, 3), got (5, 2, 4)", lambda: nn.RNN(3, 4)(z(5, 2, 3))),
    (lambda: nn.RNN(3, 4)(z(0, 2, 3)), "RNN: expects at least one time step, got (0, 2, 3)",
     lambda: nn.RNN(3, 4)(z(1, 2, 3))),
    (lambda: nn.RNN(3, 4, 2)(z(5, 2, 3), z(1, 2, 4)), "RNN: hx must have shape (2, 2, 4), got (1, 2, 4)",
     lambda: nn.RNN(3, 4, 2)(z(5, 2, 3), z(2, 2, 4))),
    (lambda: nn.MaskedLinear([[1, 2]]), "mask must be a matrix (out, in) of 0 and 1",
     lambda: nn.MaskedLinear([[1, 0]])),
    (lambda: F.batch_norm(z(4, 2), None, None, training=True, momentum=2.0),
     "momentum must be a number in 0…1, got 2.0",
     lambda: F.batch_norm(z(4, 2), None, None, training=True, momentum=1.0)),
    (lambda: F.layer_norm(z(4, 2), (2,), eps=-1.0), "layer_norm: eps must be a number >= 0, got -1.0",
     lambda: F.layer_norm(z(4, 2), (2,), eps=0.0)),
    (lambda: F.batch_norm(z(4, 2), None, None), "batch_norm: needs running_mean and running_var, or training=True",
     lambda: F.batch_norm(z(4, 2), None, None, training=True)),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message", "fixed"), ERRORS, ids=lambda v: v[:50] if isinstance(v, str) else "")
def test_errors_name_the_shapes_and_a_fix_that_works(call: Any, message: str, fixed: Any) -> None:
    with pytest.raises(ValueError) as caught:
        call()
    assert message in str(caught.value)
    fixed()


SHAPES = [(1, 1, 2), (1, 3, 2, 2), (3, 1, 1, 1), (2, 5, 1, 1), (4, 1), (1, 700, 30, 30), (0, 3, 2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_any_shape_follows_pytorch(shape: Any, training: bool) -> None:
    torch = pytest.importorskip("torch")
    if training and not shape[0]:
        return  # refused, see above
    C = shape[1]
    state = [array(C, seed=4), array(C, seed=5) ** 2]
    values = [array(*shape), array(C, seed=1), array(C, seed=2)]
    ours, theirs = ([lib.tensor(v, requires_grad=True) for v in values] for lib in (nn, torch))
    mean, var = (v.copy() for v in state)
    out = F.batch_norm(ours[0], mean, var, *ours[1:], training)
    theirs_state = [torch.tensor(v) for v in state]
    expected = torch.nn.functional.batch_norm(theirs[0], *theirs_state, *theirs[1:], training)
    np.testing.assert_allclose(out.data, expected.detach().numpy(), atol=1e-9)
    for a, b in zip((mean, var), theirs_state, strict=True):
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-12)
    g = array(*shape, seed=3)
    out.backward(g)
    expected.backward(torch.tensor(g))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.grad, b.grad.numpy(), atol=1e-8)
