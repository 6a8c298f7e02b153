"""Optimisers: update parameters from their gradients, in place.

``optimizer.step()`` then ``optimizer.zero_grad()``. Parameter groups give parts of a model their own settings, e.g.
weight decay on weights only::

    nn.optim.SGD([{"params": weights, "weight_decay": 1e-4}, {"params": biases}], lr=0.1)
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from . import cuda, kernels, lr_scheduler
from .core import Tensor, _check_number, zeros_like
from .device import device_of, get_array_module, quietly

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "lr_scheduler"]


class Optimizer:
    """Parameter groups, their settings and their state.  PyTorch: ``torch.optim.Optimizer``.

    A subclass writes ``_update(parameter, gradient, group, state)``, which changes the array of the parameter.

    >>> class SignDescent(nn.optim.Optimizer):
    ...     def _update(self, p, g, group, state):
    ...         p -= group["lr"] * np.sign(g)
    >>> w = nn.Parameter(nn.tensor([1.0]))
    >>> w.sum().backward(); SignDescent([w], {"lr": 0.5}).step(); w.tolist()
    [0.5]
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        name, kind = type(self).__name__, type(params).__name__
        if not isinstance(params, Iterable):
            raise TypeError(f"{name}: params must be Tensors or groups, got {kind}. Use model.parameters().")
        groups: list[Any] = [params] if isinstance(params, Tensor) else list(params)
        if not groups:
            raise ValueError(f"{name}: got no parameters. Pass model.parameters() of a model with some.")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own; what is not said comes from the defaults."""
        name = type(self).__name__
        if "params" not in param_group:
            raise ValueError(f"{name}: a group needs 'params', got {', '.join(param_group)}. Use {{'params': […]}}.")
        members = param_group["params"]
        members = [members] if isinstance(members, Tensor) else list(members)
        known = set(map(id, self._parameters()))
        for p in members:
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: params must be Tensors, got {type(p).__name__}. Use model.parameters().")
            if not p.is_leaf:
                raise ValueError(f"{name}: can only train leaves, got the result of {p.node}. Use nn.Parameter.")
            if id(p) in known:
                raise ValueError(f"{name}: a parameter (shape {p.shape}) is in two groups. Put it into one.")
            known.add(id(p))
        unknown = sorted(set(param_group) - set(self.defaults) - {"params"})
        if unknown:
            settings = ", ".join(self.defaults)
            raise TypeError(f"{name}: unknown setting {unknown[0]!r}; it takes {settings}. Use lr=….")
        group = {**self.defaults, **param_group, "params": members}
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        for key, fix in {"lr": 0.01, "momentum": 0.0, "weight_decay": 0.0, "eps": 1e-8}.items():
            _check_number(type(self).__name__, fix, **{key: group.get(key, fix)})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradient of every parameter to None, or to zeros."""
        for parameter in self._parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else zeros_like(Tensor(parameter.grad))

    def _parameters(self) -> list[Any]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    @quietly  # a run that diverges shows it in its loss, as in PyTorch, not in warnings
    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            ready = [p for p in group["params"] if p.grad is not None]
            for p in ready:
                if p.grad.shape != p.shape:
                    shapes = f"gradient {p.grad.shape} and parameter {p.shape}"
                    raise ValueError(f"step: {shapes} differ in shape. Use backward() to make gradients.")
            values, gradients = [p.data for p in ready], [p.grad for p in ready]
            states = [self.state.setdefault(id(p), {}) for p in ready]
            if self._fused and ready and kernels.fit(*values, *gradients):
                self._fused(values, gradients, group, states)
            else:
                for value, gradient, state in zip(values, gradients, states):
                    self._update(value, gradient, group, state)
            for p in ready:
                p._touch()

    def _update(self, p: Any, g: Any, group: dict[str, Any], state: dict[str, Any]) -> None:
        raise NotImplementedError

    _fused: Any = None  # the update of a whole group on a GPU, in one launch

    def state_dict(self) -> dict[str, Any]:
        """Settings and state as plain data; parameters are numbered in order."""
        number = {id(p): i for i, p in enumerate(self._parameters())}
        groups = [{**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups]
        return {"state": {number[key]: dict(value) for key, value in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over settings and state from :meth:`state_dict`."""
        ours = [len(group["params"]) for group in self.param_groups]
        theirs = [len(group["params"]) for group in state_dict["param_groups"]]
        if ours != theirs:
            groups = f"groups of {theirs} parameters do not fit groups of {ours}"
            raise ValueError(f"load_state_dict: {groups}. Use the same model and groups.")
        for group, saved in zip(self.param_groups, state_dict["param_groups"]):
            group.update({**saved, "params": group["params"]})
        everyone, self.state = self._parameters(), {}
        for i, saved in state_dict["state"].items():
            home = device_of(everyone[i].data)
            copies = {k: cuda.move(v.copy(), home) if hasattr(v, "copy") else v for k, v in saved.items()}
            self.state[id(everyone[i])] = copies

    def __repr__(self) -> str:
        rows = [", ".join(f"{k}={v}" for k, v in group.items() if k != "params") for group in self.param_groups]
        return f"{type(self).__name__}({'; '.join(rows)})"


class SGD(Optimizer):
    """θ ← θ − lr·v with v ← momentum·v + g, g the gradient plus weight_decay·θ.  PyTorch: ``torch.optim.SGD``.

    The first v is g itself. ``nesterov`` steps along g + momentum·v instead; ``dampening`` scales later g.

    >>> w = nn.Parameter(nn.tensor([1.0]))
    >>> optimizer = nn.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step(); w.tolist()
    [0.800000011920929]
    """

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
        weight_decay: float = 0.0, nesterov: bool = False,
    ) -> None:  # fmt: skip
        settings = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**settings, "nesterov": nesterov})

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"]):
            raise ValueError("SGD: nesterov needs momentum > 0 and dampening 0. Use momentum=0.9.")

    def _update(self, p: Any, g: Any, group: dict[str, Any], state: dict[str, Any]) -> None:
        if group["weight_decay"]:
            g = g + group["weight_decay"] * p
        if group["momentum"]:
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = get_array_module(g).array(g, copy=True)
            else:
                v = state["momentum_buffer"]
                v *= group["momentum"]
                v += (1 - group["dampening"]) * g if group["dampening"] else g
            v = state["momentum_buffer"]
            g = g + group["momentum"] * v if group["nesterov"] else v
        p -= group["lr"] * g

    _fused = staticmethod(kernels.sgd)


class Adam(Optimizer):
    """Steps of about lr: running mean of the gradient over the root of that of its square.

    PyTorch: ``torch.optim.Adam``.

    m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − lr·m̂/(√v̂ + eps) with m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
    ``weight_decay`` is added to the gradient; see :class:`AdamW` for the other way.  Source: Kingma & Ba 2015.

    >>> w = nn.Parameter(nn.tensor([1.0]))
    >>> optimizer = nn.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward(); optimizer.step(); f"{w.item():.4f}"
    '0.9000'
    """

    decoupled = False

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        name, betas = type(self).__name__, group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"{name}: betas must be two numbers in 0 ≤ β < 1, got {betas}. Use (0.9, 0.999).")

    def _update(self, p: Any, g: Any, group: dict[str, Any], state: dict[str, Any]) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        xp = get_array_module(p)
        if group["weight_decay"]:
            if self.decoupled:
                p *= 1 - lr * group["weight_decay"]
            else:
                g = g + group["weight_decay"] * p
        if not state:
            state.update(step=0, exp_avg=xp.zeros_like(p), exp_avg_sq=xp.zeros_like(p))
        state["step"] += 1
        m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * (g * g)
        p -= (lr / (1 - beta1**t)) * m / (xp.sqrt(v) / math.sqrt(1 - beta2**t) + group["eps"])

    def _fused(self, p: Any, g: Any, group: dict[str, Any], states: Any) -> None:
        kernels.adam(p, g, group, states, self.decoupled)


class AdamW(Adam):
    """Adam that shrinks weights by lr·weight_decay outside the gradient.  PyTorch: ``torch.optim.AdamW``.

    Source: Loshchilov & Hutter 2019.

    >>> w = nn.Parameter(nn.tensor([1.0]))
    >>> optimizer = nn.optim.AdamW([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward(); optimizer.step(); f"{w.item():.4f}"
    '0.9000'
    """

    decoupled = True

    def __init__(
        self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay)
