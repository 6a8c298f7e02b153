"""PyTorch's side of test_models.py: residual networks under torchvision's parameter names, of torch.nn parts only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """(k, stride) per convolution; the last one has ``outputs`` channels, the others ``width``."""

    def __init__(
        self, inputs: int, width: int, outputs: int, convs: Sequence[tuple[int, int]], projection: bool
    ) -> None:
        super().__init__()
        self.stride, self.count, self.grow, channels = 1, len(convs), outputs - inputs, inputs
        for i, (kernel, stride) in enumerate(convs, 1):
            out = outputs if i == len(convs) else width
            setattr(self, f"conv{i}", nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(out))
            self.stride, channels = self.stride * stride, out
        if projection and (inputs != outputs or self.stride > 1):
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, self.stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Any) -> Any:
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = y.relu() if i < self.count else y
        if hasattr(self, "downsample"):
            return (y + self.downsample(x)).relu()
        x = x[:, :, :: self.stride, :: self.stride]
        return (y + F.pad(x, (0, 0, 0, 0, 0, self.grow))).relu()


class ResNet(nn.Module):
    def __init__(
        self,
        layers: Sequence[int],
        bottleneck: bool = False,
        classes: int = 1000,
        widths: Sequence[int] = (64, 128, 256, 512),
        cifar: bool = False,
        projection: bool = True,
    ) -> None:
        super().__init__()
        self.cifar, self.stages = cifar, len(layers)
        stem = (3, 1, 1) if cifar else (7, 2, 3)
        self.conv1 = nn.Conv2d(3, widths[0], *stem, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        inputs = widths[0]
        for i, (count, width) in enumerate(zip(layers, widths, strict=True), 1):
            blocks = []
            for j in range(count):
                stride = 2 if i > 1 and j == 0 else 1
                outputs = 4 * width if bottleneck else width
                convs = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
                blocks.append(Block(inputs, width, outputs, convs, projection))
                inputs = outputs
            setattr(self, f"layer{i}", nn.Sequential(*blocks))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Any) -> Any:
        x = self.bn1(self.conv1(x)).relu()
        if not self.cifar:
            x = F.max_pool2d(x, 3, 2, 1)
        for i in range(1, self.stages + 1):
            x = getattr(self, f"layer{i}")(x)
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(x, 1), 1))


def resnet20() -> ResNet:
    return ResNet([3, 3, 3], classes=10, widths=(16, 32, 64), cifar=True, projection=False)


def resnet18() -> ResNet:
    return ResNet([2, 2, 2, 2])


def resnet50() -> ResNet:
    return ResNet([3, 4, 6, 3], bottleneck=True)
