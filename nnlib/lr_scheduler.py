"""Schedules: change the learning rates of an optimiser, one ``scheduler.step()`` an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .core import _check_integer, _check_number

__all__ = ["CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "StepLR"]


class LRScheduler:
    """lr = initial lr · factor(epoch), for each parameter group.  PyTorch: ``LRScheduler``.

    A subclass writes ``factor(epoch, base_lr)``; epoch 0 is where the scheduler is made. StepLR, ExponentialLR and
    CosineAnnealingLR change the rate they find instead, so that several of them on one optimiser multiply.

    >>> class Warmup(nn.optim.lr_scheduler.LRScheduler):
    ...     def factor(self, epoch, base_lr):
    ...         return min(1.0, (epoch + 1) / 4)
    >>> optimizer = nn.optim.SGD([nn.Parameter(nn.zeros(1))], lr=0.8)
    >>> Warmup(optimizer).step(); optimizer.param_groups[0]["lr"]
    0.4
    """

    def __init__(self, optimizer: Any) -> None:
        if not hasattr(optimizer, "param_groups"):
            raise TypeError(f"{type(self).__name__}: optimizer must be an Optimizer, got {type(optimizer).__name__}.")
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.last_epoch = -1
        self.step()

    def factor(self, epoch: int, base_lr: float) -> float:
        """What the initial rate is multiplied by in ``epoch``."""
        raise NotImplementedError(f"{type(self).__name__}: write factor(self, epoch, base_lr).")

    def step(self) -> None:
        """Go to the next epoch."""
        self.last_epoch += 1
        for group, base in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = self.rate(group["lr"], base)

    def rate(self, lr: float, base_lr: float) -> float:
        """The rate of this epoch after ``lr`` in the last one."""
        return base_lr * self.factor(self.last_epoch, base_lr)

    def get_last_lr(self) -> list[float]:
        """The rates in use, one per group."""
        return [group["lr"] for group in self.optimizer.param_groups]


class StepLR(LRScheduler):
    """Multiply by ``gamma`` every ``step_size`` epochs.  PyTorch: ``lr_scheduler.StepLR``.

    >>> optimizer = nn.optim.SGD([nn.Parameter(nn.zeros(1))], lr=1.0)
    >>> scheduler = nn.optim.lr_scheduler.StepLR(optimizer, step_size=2)
    >>> rates = []
    >>> for epoch in range(3):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.1]
    """

    def __init__(self, optimizer: Any, step_size: int, gamma: float = 0.1) -> None:
        _check_integer("StepLR", step_size=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def rate(self, lr: float, base_lr: float) -> float:
        """lr·gamma, every ``step_size`` epochs"""
        return lr * self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else lr


class ExponentialLR(LRScheduler):
    """Multiply by ``gamma`` every epoch.  PyTorch: ``lr_scheduler.ExponentialLR``.

    >>> optimizer = nn.optim.SGD([nn.Parameter(nn.zeros(1))], lr=1.0)
    >>> scheduler = nn.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, gamma: float) -> None:
        _check_number("ExponentialLR", 0.9, gamma=gamma)
        self.gamma = gamma
        super().__init__(optimizer)

    def rate(self, lr: float, base_lr: float) -> float:
        """lr·gamma"""
        return lr * self.gamma if self.last_epoch else lr


class CosineAnnealingLR(LRScheduler):
    """Half a cosine from the initial rate down to ``eta_min`` after ``T_max`` epochs.  PyTorch: ``CosineAnnealingLR``.

    Source: Loshchilov & Hutter 2017.

    >>> optimizer = nn.optim.SGD([nn.Parameter(nn.zeros(1))], lr=1.0)
    >>> scheduler = nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler.step(); round(scheduler.get_last_lr()[0], 6)
    0.5
    """

    def __init__(self, optimizer: Any, T_max: int, eta_min: float = 0.0) -> None:
        _check_integer("CosineAnnealingLR", T_max=T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def rate(self, lr: float, base_lr: float) -> float:
        """eta_min + (lr − eta_min)·(1 + cos(π·epoch/T_max)) over the same of the epoch before"""
        epoch, T, eta_min = self.last_epoch, self.T_max, self.eta_min
        if epoch and (epoch - 1) % (2 * T) == T:  # up again from the very bottom
            return lr + (base_lr - eta_min) * (1 - math.cos(math.pi / T)) / 2
        now, before = (1 + math.cos(math.pi * e / T) for e in (epoch, epoch - 1))
        return eta_min + (lr - eta_min) * now / before if epoch else lr


class LambdaLR(LRScheduler):
    """Multiply the initial rate by ``lr_lambda(epoch)``.  PyTorch: ``lr_scheduler.LambdaLR``.

    >>> optimizer = nn.optim.SGD([nn.Parameter(nn.zeros(1))], lr=1.0)
    >>> scheduler = nn.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Any, lr_lambda: Callable[[int], float]) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def factor(self, epoch: int, base_lr: float) -> float:
        """lr_lambda(epoch)"""
        return self.lr_lambda(epoch)
