"""The tree of parameters: attributes, walks, modes, moves, hooks and state dicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nnlib as nn
import nnlib.functional as F


class Block(nn.Module):
    """Every kind of attribute: parameter, no parameter, buffer, module, no module, list, plain value."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(nn.ones(2))
        self.register_parameter("shift", None)
        self.register_buffer("count", np.zeros(2, np.float32))
        self.first = nn.Linear(2, 3)
        self.layers = nn.ModuleList([nn.Linear(3, 3), nn.Sequential(nn.ReLU(), nn.Linear(3, 1, bias=False))])
        self.absent: Any = None
        self.width = 3

    def forward(self, x: Any) -> Any:
        x = self.first(x * self.scale)
        for layer in self.layers:
            x = layer(x)
        return x


NAMES = ["scale", "first.weight", "first.bias", "layers.0.weight", "layers.0.bias", "layers.1.1.weight"]


# ------------------------------------------------------------------------------------- walking


def test_parameters_are_found_in_order() -> None:
    model = Block()
    assert [name for name, _ in model.named_parameters()] == NAMES
    assert len(list(model.parameters())) == len(NAMES)
    model.register_buffer("unused", None)
    assert [name for name, _ in model.named_buffers()] == ["count"]  # without what is None, as in PyTorch
    assert [path for path, _ in model.named_modules()] == [
        "", "first", "layers", "layers.0", "layers.1", "layers.1.0", "layers.1.1",
    ]  # fmt: skip
    assert [name for name, _ in model.named_children()] == ["first", "layers"]
    assert model.get_submodule("layers.1.1") is model.layers[1][1]
    assert model.get_submodule("") is model


def test_a_shared_parameter_is_counted_once_and_a_shared_module_too() -> None:
    model = nn.Module()
    model.encoder = nn.Linear(3, 3, bias=False)
    model.decoder = nn.Linear(3, 3, bias=False)
    model.decoder.weight = model.encoder.weight
    model.again = model.encoder
    assert [name for name, _ in model.named_parameters()] == ["encoder.weight"]
    assert nn.inspection.count_parameters(model) == 9
    assert len(list(model.modules())) == 3
    optimizer = nn.optim.SGD(model.parameters(), lr=1.0)
    (model.encoder(nn.ones(1, 3)).sum() + model.decoder(nn.ones(1, 3)).sum()).backward()
    before = model.encoder.weight.data.copy()
    optimizer.step()
    np.testing.assert_allclose(before - model.again.weight.data, 2, rtol=1e-6)  # both uses, one step


def test_attributes_move_between_their_stores() -> None:
    module = nn.Module()
    module.a = 5
    module.a = nn.Parameter(nn.zeros(1))
    assert [name for name, _ in module.named_parameters()] == ["a"]
    assert "a" not in module.__dict__
    with pytest.raises(TypeError, match=r"Module.a is a Parameter and cannot become a Tensor.*\.data"):
        module.a = nn.zeros(1)
    module.a = None
    assert list(module.parameters()) == []
    assert module.a is None
    module.a = nn.Parameter(nn.zeros(2))
    del module.a
    assert not hasattr(module, "a")
    module.b = nn.Linear(1, 1)
    module.b = nn.ReLU()
    assert list(module.parameters()) == []
    with pytest.raises(AttributeError, match="Module has no attribute 'c'"):
        _ = module.c


def test_a_module_without_init_says_so() -> None:
    class Hasty(nn.Module):
        def __init__(self) -> None:
            self.layer = nn.Linear(1, 1)

    class Empty(nn.Module):
        def __init__(self) -> None:
            pass

    with pytest.raises(AttributeError, match=r"Hasty: Module.__init__ has not run yet. Call super\(\).__init__\(\)"):
        Hasty()
    with pytest.raises(AttributeError, match="Empty: Module.__init__ has not run yet"):
        Empty()(1)
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


# ------------------------------------------------------------------------------------- modes and moves


def test_train_and_eval_reach_the_whole_tree() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    x = nn.ones(100)
    assert model(x).tolist() == x.tolist()
    nn.manual_seed(0)
    assert set(model.train()(x).tolist()) == {0.0, 4.0}
    assert set(model.eval()(x).tolist()) == {1.0}


def test_to_changes_the_dtype_of_parameters_buffers_and_gradients() -> None:
    model = Block()
    parameters = list(model.parameters())
    model(nn.ones(1, 2)).sum().backward()
    assert model.double() is model
    assert list(model.parameters()) == parameters  # the same objects: an optimiser still holds them
    assert {p.dtype for p in parameters} == {p.grad.dtype for p in parameters} == {model.count.dtype} == {nn.float64}
    assert model(nn.ones(1, 2, dtype=nn.float64)).dtype == nn.float64
    model.register_buffer("steps", np.zeros((), np.int64))
    model.to(nn.float32)
    assert (model.first.weight.dtype, model.steps.dtype) == (nn.float32, nn.int64)
    assert model.to("cpu") is model
    with pytest.raises(RuntimeError, match=r"to: device 'cuda'.*Stay on 'cpu'|no CUDA|GPU"):
        model.to("cuda")


def test_requires_grad_freezes_a_part() -> None:
    model = Block()
    model.first.requires_grad_(False)
    model(nn.ones(1, 2)).sum().backward()
    assert model.first.weight.grad is None
    assert model.scale.grad is not None
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert model.apply(lambda module: seen.append(type(module).__name__)) is model
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


# ------------------------------------------------------------------------------------- hooks


def test_hooks_see_inputs_and_outputs_and_can_be_removed() -> None:
    layer, seen = nn.Linear(2, 1), []
    remove_pre = layer.register_forward_pre_hook(lambda module, inputs: seen.append(("before", module, inputs)))
    remove = layer.register_forward_hook(lambda module, inputs, output: seen.append(("after", inputs, output)))
    x = nn.ones(1, 2)
    y = layer(x)
    assert seen == [("before", layer, (x,)), ("after", (x,), y)]
    remove()
    remove_pre()
    remove()  # twice is harmless
    layer(x)
    assert len(seen) == 2


def test_a_hook_may_replace_the_output() -> None:
    layer = nn.Identity()
    layer.register_forward_hook(lambda module, inputs, output: output * 2)
    layer.register_forward_hook(lambda module, inputs, output: None)
    assert layer(nn.ones(1)).tolist() == [2.0]


def test_a_pre_hook_may_replace_the_inputs_by_one_or_by_several() -> None:
    layer = nn.Linear(2, 1)
    hook = layer.register_forward_pre_hook(lambda module, inputs: inputs[0] * 0)
    assert layer(nn.ones(1, 2)).tolist() == layer.bias[None].tolist()
    hook.remove()  # as a handle of PyTorch's
    layer.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 0,))
    layer.register_forward_pre_hook(lambda module, inputs: None)
    assert layer(nn.ones(1, 2)).tolist() == layer.bias[None].tolist()


@pytest.mark.parametrize("kind", ["module", "optimizer"])
def test_zero_grad_leaves_none_or_zeros(kind: str) -> None:
    layer = nn.Linear(2, 1)
    holder = layer if kind == "module" else nn.optim.SGD(layer.parameters(), lr=0.1)
    holder.zero_grad(set_to_none=False)
    assert layer.bias.grad is None  # there was nothing to set
    layer(nn.full((1, 2), float("nan"))).sum().backward()
    holder.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0, 0]]
    holder.zero_grad()
    assert layer.weight.grad is None


def test_buffers_come_one_by_one() -> None:
    norm = nn.BatchNorm1d(3)
    assert [array.shape for array in nn.Sequential(norm, norm).buffers()] == [(3,), (3,), ()]


# ------------------------------------------------------------------------------------- containers


def test_sequential_is_indexed_sliced_and_named() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    assert len(net) == 3
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "Linear"]
    assert net[-1] is net[2]
    part = net[:2]
    assert type(part) is nn.Sequential
    assert part[0] is net[0]
    x = nn.randn(4, 2)
    np.testing.assert_array_equal(net(x).data, net[2](part(x)).data)
    named = nn.Sequential({"hidden": nn.Linear(2, 3), "act": nn.ReLU()})
    assert [name for name, _ in named.named_parameters()] == ["hidden.weight", "hidden.bias"]
    assert nn.Sequential()(x) is x
    assert nn.Sequential(net[0]).append(nn.Tanh()).append(net[2])(x).tolist() == net(x).tolist()


def test_sequential_says_which_layer_failed() -> None:
    net = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Linear(4, 1)))
    with pytest.raises(ValueError, match=r"Sequential\[1\] Sequential\[1\] linear: weight of shape \(1, 4\)"):
        net(nn.ones(5, 2))
    for wrong in (nn.ReLU, F.relu, 3):
        with pytest.raises(TypeError, match=r"Sequential: entry 0 must be a Module.*Use nn.ReLU\(\)"):
            nn.Sequential(wrong)


def test_a_module_list_grows_and_its_slices_share() -> None:
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers.append(nn.Linear(1, 2)).append(nn.Linear(2, 3))
    assert [name for name, _ in layers.named_parameters() if "weight" in name] == ["0.weight", "1.weight", "2.weight"]
    assert layers[1:][0] is layers[1]
    assert len(layers[1:]) == 2
    with pytest.raises(TypeError, match=r"ModuleList: entry 3 must be a Module, got function\. Use nn.ReLU\(\)"):
        layers.append(F.relu)


def test_repr_shows_the_tree() -> None:
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU()))).splitlines() == [
        "Sequential(",
        "  (0): Linear(in_features=2, out_features=3, bias=True)",
        "  (1): Sequential(",
        "    (0): ReLU()",
        "  )",
        ")",
    ]


# ------------------------------------------------------------------------------------- state dicts


def test_state_dict_keys_and_shapes_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")

    def build(lib: Any, wrap: Any) -> Any:
        net = lib.Sequential(
            lib.Linear(4, 3), lib.ReLU(), lib.Sequential(lib.Linear(3, 3, bias=False), lib.Dropout(0.1)), lib.Flatten(),
        )  # fmt: skip
        model = lib.Module()
        model.net, model.heads = net, lib.ModuleList([lib.Linear(3, 1), lib.Linear(3, 2)])
        model.shared = model.heads[0]
        model.alpha = lib.Parameter(wrap([1.0, 2.0]))
        model.register_buffer("mean", wrap([0.5]))
        return model

    ours, theirs = build(nn, nn.tensor).state_dict(), build(torch.nn, torch.tensor).state_dict()
    assert list(ours) == list(theirs)
    assert [a.shape for a in ours.values()] == [tuple(t.shape) for t in theirs.values()]
    assert [str(a.dtype) for a in ours.values()] == [str(t.dtype).removeprefix("torch.") for t in theirs.values()]


def test_a_pytorch_state_dict_loads_as_it_is() -> None:
    torch = pytest.importorskip("torch")
    ours = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    ours.load_state_dict(theirs.state_dict())
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    np.testing.assert_allclose(ours(nn.tensor(x)).data, theirs(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_loading_copies_in_place() -> None:
    source, target = Block(), Block()
    weight, array = target.first.weight, target.first.weight.data
    target.load_state_dict(source.state_dict())
    assert target.first.weight is weight
    assert target.first.weight.data is array
    source.first.weight.data[0, 0] = 99
    assert target.first.weight.data[0, 0] != 99
    for (name, a), (_, b) in zip(source.named_parameters(), target.named_parameters(), strict=True):
        assert name == "first.weight" or a.tolist() == b.tolist()


def test_strict_loading_names_everything_that_does_not_fit_and_copies_nothing() -> None:
    model = Block()
    state = {key: np.asarray(value) + 1 for key, value in model.state_dict().items()}
    del state["layers.0.bias"]
    state["first.weight"] = np.zeros((3, 7), np.float32)
    state["extra"] = np.zeros(1)
    before = {key: value.copy() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is judged below
        model.load_state_dict(state)
    message = str(caught.value)
    for fragment in (
        "load_state_dict: 3 of 7 entries of Block", "first.weight: expected shape (3, 2), got (3, 7)",
        "layers.0.bias: missing", "extra: unexpected", "strict=False",
    ):  # fmt: skip
        assert fragment in message
    with pytest.raises(ValueError, match="first.weight: expected shape"):
        model.load_state_dict(state, strict=False)  # names may be missing, shapes may not differ
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[key])
    del state["first.weight"]
    model.load_state_dict(state, strict=False)
    assert model.scale.tolist() == [2, 2]
    np.testing.assert_array_equal(model.first.weight.data, before["first.weight"])


@pytest.mark.parametrize("p", [0.0, 0.2, 0.7])
def test_dropout_drops_a_share_p_and_keeps_the_mean(p: float) -> None:
    nn.manual_seed(0)
    out = nn.Dropout(p)(nn.ones(400, 250)).data
    kept = out != 0
    assert abs(kept.mean() - (1 - p)) < 0.01
    np.testing.assert_allclose(out[kept], 1 / (1 - p), rtol=1e-6)
    assert kept.any(0).all() and kept.any(1).all()  # elements, not whole rows or columns
