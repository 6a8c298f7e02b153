"""Losses as modules: settings first, then ``loss(input, target)``."""

from __future__ import annotations

from typing import Any

from . import functional as F
from .core import _check_one_of, _parameters
from .module import Module

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HingeLoss", "KLDivLoss", "L1Loss", "MSELoss",
    "MultiMarginLoss", "NLLLoss",
]  # fmt: skip


def _loss(name: str, function: Any, example: str, value: str, counterpart: str = "") -> type[Module]:
    """The module form of a loss function; unknown settings raise where the loss is made."""
    known, reductions = _parameters(function)[2:], (*F._REDUCTIONS, *["batchmean"] * (name == "KLDivLoss"))

    class Loss(Module):
        def __init__(self, **settings: Any) -> None:
            super().__init__()
            for key in settings:
                if key not in known:
                    raise TypeError(f"{name}: takes {', '.join(known)}; got {key!r}. Use {known[-1]}=….")
            _check_one_of(name, reductions, reduction=settings.get("reduction", "mean"))
            self.settings = settings

        def forward(self, input: Any, target: Any) -> Any:
            return function(input, target, **self.settings)

        def extra_repr(self) -> str:
            return ", ".join(f"{key}={value!r}" for key, value in self.settings.items())

    Loss.__name__ = Loss.__qualname__ = name
    Loss.__doc__ = f""":func:`nnlib.functional.{function.__name__}` as a module; keywords: {", ".join(known)}.

    PyTorch: {counterpart or f"``nn.{name}``"}.

    >>> loss = nn.{name}()
    >>> f"{{loss({example}).item():.4f}}"
    {value!r}
    """
    return Loss


_pair = "nn.tensor([1.0, 2.0]), nn.tensor([1.0, 4.0])"
_chance = "nn.tensor([0.5, 0.5]), nn.tensor([1.0, 0.0])"
_classes = "nn.tensor([[1.0, 2.0, 3.0]]), nn.tensor([0])"
_labels = "nn.tensor([0.5]), nn.tensor([1.0])"

MSELoss = _loss("MSELoss", F.mse_loss, _pair, "2.0000")
L1Loss = _loss("L1Loss", F.l1_loss, _pair, "1.0000")
BCELoss = _loss("BCELoss", F.binary_cross_entropy, _chance, "0.6931")
BCEWithLogitsLoss = _loss("BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, _labels, "0.4741")
CrossEntropyLoss = _loss("CrossEntropyLoss", F.cross_entropy, _classes, "2.4076")
NLLLoss = _loss("NLLLoss", F.nll_loss, "nn.tensor([[-1.0, -2.0]]), nn.tensor([1])", "2.0000")
HingeLoss = _loss("HingeLoss", F.hinge_loss, _labels, "0.5000", "none for scores and labels ±1")
MultiMarginLoss = _loss("MultiMarginLoss", F.multi_margin_loss, _classes, "1.6667")
KLDivLoss = _loss("KLDivLoss", F.kl_div, "nn.tensor([0.5, 0.5]).log(), nn.tensor([0.5, 0.5])", "0.0000")
