"""Losses as modules: settings first, then ``loss(input, target)``."""

from __future__ import annotations

from . import functional as F
from .layers import _layer

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HingeLoss", "KLDivLoss", "L1Loss", "MSELoss",
    "MultiMarginLoss", "NLLLoss",
]  # fmt: skip


_pair = "()(nn.tensor([1.0, 2.0]), nn.tensor([1.0, 4.0])) ()"
_chance = "()(nn.tensor([0.5, 0.5]), nn.tensor([1.0, 0.0])) ()"
_classes = "()(nn.tensor([[1.0, 2.0, 3.0]]), nn.tensor([0])) ()"
_labels = "()(nn.tensor([0.5]), nn.tensor([1.0])) ()"

MSELoss = _layer("MSELoss", F.mse_loss, _pair, inputs=2)
L1Loss = _layer("L1Loss", F.l1_loss, _pair, inputs=2)
BCELoss = _layer("BCELoss", F.binary_cross_entropy, _chance, inputs=2)
BCEWithLogitsLoss = _layer("BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, _labels, inputs=2)
CrossEntropyLoss = _layer("CrossEntropyLoss", F.cross_entropy, _classes, inputs=2)
NLLLoss = _layer("NLLLoss", F.nll_loss, _classes, inputs=2)
HingeLoss = _layer("HingeLoss", F.hinge_loss, _labels, inputs=2)
MultiMarginLoss = _layer("MultiMarginLoss", F.multi_margin_loss, _classes, inputs=2)
KLDivLoss = _layer("KLDivLoss", F.kl_div, _pair, inputs=2)
