"""Schedules, Adam and clipping against PyTorch, 50 steps in float64."""

import numpy as np
import pytest

import nnlib as nn

torch = pytest.importorskip("torch")

START = np.random.default_rng(0).normal(size=(3, 2))


def walk(lib, make, schedule=None, clip=None, steps=50):
    """Minimise Σ (w − 1)⁴ + w·c and return the path of the weights."""
    w = lib.nn.Parameter(lib.tensor(START)) if lib is torch else nn.Parameter(nn.tensor(START))
    optimizer = make(lib.optim, [w])
    scheduler = schedule(lib.optim.lr_scheduler, optimizer) if schedule else None
    path = []
    for _ in range(steps):
        loss = ((w - 1) ** 4).sum() + (w * 0.3).sum()
        optimizer.zero_grad()
        loss.backward()
        if clip is not None:
            (torch.nn.utils if lib is torch else nn.utils).clip_grad_norm_([w], clip)
        optimizer.step()
        if scheduler:
            scheduler.step()
        path.append(np.array(w.detach().numpy()))
    return np.stack(path)


class Both:
    """Two schedules on one optimiser, which multiply."""

    def __init__(self, *schedules):
        self.schedules = schedules

    def step(self):
        for schedule in self.schedules:
            schedule.step()


class SetByHand:
    """A rate that somebody changes in step 5, from which the schedule goes on."""

    def __init__(self, optimizer):
        self.optimizer, self.epoch = optimizer, 0

    def step(self):
        self.epoch += 1
        if self.epoch == 5:
            self.optimizer.param_groups[0]["lr"] = 0.02


@pytest.mark.parametrize(
    "make",
    [
        lambda o, p: o.Adam(p, lr=0.05),
        lambda o, p: o.Adam(p, lr=0.05, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
        lambda o, p: o.AdamW(p, lr=0.05),
        lambda o, p: o.AdamW(p, lr=0.05, weight_decay=0.3),
    ],
)
def test_adam(make):
    np.testing.assert_allclose(walk(nn, make), walk(torch, make), rtol=1e-9)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda s, o: s.StepLR(o, 7, gamma=0.5),
        lambda s, o: s.ExponentialLR(o, 0.9),
        lambda s, o: s.CosineAnnealingLR(o, 30, eta_min=1e-3),
        lambda s, o: s.CosineAnnealingLR(o, 7),
        lambda s, o: s.CosineAnnealingLR(o, 1, eta_min=1e-3),
        lambda s, o: s.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
        lambda s, o: Both(s.StepLR(o, 7, gamma=0.5), s.ExponentialLR(o, 0.97)),
        lambda s, o: Both(s.CosineAnnealingLR(o, 9, eta_min=1e-3), s.StepLR(o, 4, gamma=0.9)),
        lambda s, o: Both(s.ExponentialLR(o, 0.97), SetByHand(o)),
    ],
)
def test_schedules(schedule):
    make = lambda o, p: o.SGD(p, lr=0.01, momentum=0.9)
    np.testing.assert_allclose(walk(nn, make, schedule), walk(torch, make, schedule), rtol=1e-9)


def test_clipping_by_norm():
    make = lambda o, p: o.SGD(p, lr=0.01)
    clipped, free = walk(nn, make, clip=0.5), walk(nn, make)
    np.testing.assert_allclose(clipped, walk(torch, make, clip=0.5), rtol=1e-9)
    assert not np.allclose(clipped, free)


def test_an_infinite_limit_only_measures():
    w = nn.Parameter(nn.tensor([3.0, 4.0]))
    (w * w).sum().backward()
    assert nn.utils.clip_grad_norm_([w], float("inf")) == 10.0
    nn.utils.clip_grad_value_([w], float("inf"))
    assert w.grad.tolist() == [6.0, 8.0]
    with pytest.raises(ValueError, match="max_norm must be a number >= 0, got nan"):
        nn.utils.clip_grad_norm_([w], float("nan"))
