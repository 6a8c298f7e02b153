"""Whole networks: MLP, LeNet, ResNet-S, the ResNets of CIFAR and of ImageNet.

Names of parameters and layers are torchvision's, so that its weights load as they are::

    from safetensors.numpy import load_file
    model = nn.models.resnet18()
    model.load_state_dict(load_file("resnet18.safetensors"))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import functional as F
from . import init
from .core import Tensor, _check_integer, _check_one_of
from .layers import (
    AdaptiveAvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    MaxPool2d,
    ReLU,
    Residual,
)
from .module import Module, Sequential

__all__ = [
    "MLP", "BasicBlock", "Bottleneck", "LeNet", "PaddedShortcut", "ResNet", "ResNetS", "resnet18", "resnet20",
    "resnet32", "resnet34", "resnet44", "resnet50", "resnet56", "resnet101", "resnet110", "resnet152",
]  # fmt: skip


class MLP(Sequential):
    """Linear layers of the given sizes with an activation between them, (N, sizes[0]) -> (N, sizes[-1]).

    No PyTorch counterpart (torchvision's ``ops.MLP`` ends in dropout).

    >>> nn.models.MLP([784, 256, 10])(nn.zeros(5, 784)).shape
    (5, 10)
    """

    def __init__(self, sizes: Sequence[int], activation: Callable[[], Module] = ReLU) -> None:
        if not isinstance(sizes, (tuple, list)) or len(sizes) < 2:
            raise ValueError(f"MLP: sizes must list at least input and output, got {sizes!r}. Use MLP([784, 10]).")
        layers: list[Module] = []
        for inputs, outputs in zip(sizes, sizes[1:]):
            layers += [Linear(inputs, outputs), activation()]
        super().__init__(*layers[:-1])


class LeNet(Sequential):
    """Convolution and pooling twice, then an MLP, (N, in_channels, size, size) -> (N, num_classes).

    For 28 × 28 images the convolutions are LeNet-5's, 5 × 5 with 6 and 16 filters; below 16 × 16 they are 3 × 3 and
    keep the size, so that ``image_size=8`` fits the digits.  Source: LeCun et al. 1998 (with ReLU and max pooling).
    No PyTorch counterpart.

    >>> nn.models.LeNet()(nn.zeros(5, 1, 28, 28)).shape
    (5, 10)
    >>> nn.models.LeNet(image_size=8)(nn.zeros(5, 1, 8, 8)).shape
    (5, 10)
    """

    def __init__(
        self, num_classes: int = 10, in_channels: int = 1, image_size: int = 28, channels: tuple[int, int] = (6, 16),
        hidden: Sequence[int] = (120, 84), activation: Callable[[], Module] = ReLU,
    ) -> None:  # fmt: skip
        _check_integer("LeNet", num_classes=num_classes, in_channels=in_channels, image_size=image_size)
        if image_size < 4:
            raise ValueError(f"LeNet: image_size must be >= 4 (it is halved twice), got {image_size}. Use an MLP.")
        kernel, second = (5, 0) if image_size >= 16 else (3, 1)
        size = image_size // 2 + 2 * second - kernel + 1  # after the second convolution
        super().__init__(
            {
                "conv1": Conv2d(in_channels, channels[0], kernel, padding=kernel // 2),
                "act1": activation(),
                "pool1": MaxPool2d(2),
                "conv2": Conv2d(channels[0], channels[1], kernel, padding=second),
                "act2": activation(),
                "pool2": MaxPool2d(2),
                "flatten": Flatten(),
                "mlp": MLP([channels[1] * (size // 2) ** 2, *hidden, num_classes], activation),
            }
        )


class ResNetS(Sequential):
    """MM(Res(Res(…x))) with Res(z) = z + σ(MM(σ(MM(z)))), (N, features) -> (N, out_features).

    MM is a Linear layer of its own each time; ``blocks`` counts the Res. No PyTorch counterpart. Source: CS229 notes,
    ch. 7.

    >>> nn.models.ResNetS(4, blocks=3, out_features=1)(nn.zeros(5, 4)).shape
    (5, 1)
    """

    def __init__(
        self, features: int, blocks: int, out_features: int = 1, activation: Callable[[], Module] = ReLU
    ) -> None:
        _check_integer("ResNetS", features=features, blocks=blocks, out_features=out_features)

        def mm() -> Module:
            return Linear(features, features)

        def res() -> Module:
            return Residual(Sequential(mm(), activation(), mm(), activation()))

        super().__init__(*(res() for _ in range(blocks)), Linear(features, out_features))


# ---------------------------------------------------------------------------------------------- residual networks


class PaddedShortcut(Module):
    """Every ``stride``-th pixel, and zeros for the new channels: a shortcut without parameters (option A).

    No PyTorch counterpart.  Source: He et al. 2016, section 4.2.

    >>> nn.models.PaddedShortcut(16, 32, 2)(nn.zeros(5, 16, 8, 8)).shape
    (5, 32, 4, 4)
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.new, self.stride = outputs - inputs, stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, ⌈H/stride⌉, ⌈W/stride⌉)."""
        return F.pad(input[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))


def _downsample(inputs: int, outputs: int, stride: int, shortcut: str) -> Module | None:
    """The shortcut of a block: nothing where the shapes fit, else a projection (option B) or padding (option A)."""
    if inputs == outputs and stride == 1:
        return None
    if shortcut == "padding":
        return PaddedShortcut(inputs, outputs, stride)
    return Sequential(Conv2d(inputs, outputs, 1, stride, bias=False), BatchNorm2d(outputs))


class BasicBlock(Module):
    """relu(F(x) + shortcut(x)), F two 3 × 3 convolutions with batch norm.  PyTorch: torchvision's ``BasicBlock``.

    ``shortcut`` is "projection" or "padding".  Source: He et al. 2016.

    >>> nn.models.BasicBlock(16, 32, stride=2)(nn.zeros(5, 16, 8, 8)).shape
    (5, 32, 4, 4)
    """

    expansion = 1

    def __init__(
        self, inputs: int, width: int, stride: int = 1, shortcut: str = "projection", stride_in: str = "3x3"
    ) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.relu = ReLU()
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.downsample = _downsample(inputs, width, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, width, H/stride, W/stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(Module):
    """relu(F(x) + shortcut(x)), F a 1 × 1, a 3 × 3 and a 1 × 1 convolution.  PyTorch: torchvision's ``Bottleneck``.

    ``stride_in`` says which convolution takes the stride: the first ("1x1", the paper) or the second ("3x3",
    torchvision, which keeps more of the input).  Source: He et al. 2016.

    >>> nn.models.Bottleneck(16, 8, stride=2)(nn.zeros(5, 16, 8, 8)).shape
    (5, 32, 4, 4)
    """

    expansion = 4

    def __init__(
        self, inputs: int, width: int, stride: int = 1, shortcut: str = "projection", stride_in: str = "3x3"
    ) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_in == "1x1" else (1, stride)
        self.conv1 = Conv2d(inputs, width, 1, first, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = BatchNorm2d(4 * width)
        self.relu = ReLU()
        self.downsample = _downsample(inputs, 4 * width, stride, shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, 4·width, H/stride, W/stride)."""
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet(Module):
    """Stem, stages of residual blocks, global average, linear layer, (N, 3, H, W) -> (N, num_classes).

    ``layers`` counts the blocks of each stage, ``widths`` their channels; every stage but the first halves the image.
    ``stem`` is "7x7" (stride 2, then max pooling: ImageNet) or "3x3" (CIFAR). ``shortcut`` is "projection" (option B)
    or "padding" (option A, without parameters); ``stride_in`` says which convolution of a :class:`Bottleneck` takes the
    stride.  PyTorch: torchvision's ``ResNet``.  Source: He et al. 2016.

    >>> net = nn.models.ResNet(nn.models.BasicBlock, [1, 1], num_classes=5, widths=(8, 16), stem="3x3")
    >>> net(nn.zeros(2, 3, 8, 8)).shape
    (2, 5)
    """

    def __init__(
        self, block: type[BasicBlock] | type[Bottleneck], layers: Sequence[int], num_classes: int = 1000,
        widths: Sequence[int] = (64, 128, 256, 512), stem: str = "7x7", shortcut: str = "projection",
        stride_in: str = "3x3",
    ) -> None:  # fmt: skip
        super().__init__()
        _check_integer("ResNet", num_classes=num_classes)
        _check_one_of("ResNet", ("7x7", "3x3"), stem=stem)
        _check_one_of("ResNet", ("projection", "padding"), shortcut=shortcut)
        _check_one_of("ResNet", ("1x1", "3x3"), stride_in=stride_in)
        kernel = int(stem[0])
        self.conv1 = Conv2d(3, widths[0], kernel, 2 if kernel == 7 else 1, padding=kernel // 2, bias=False)
        self.bn1 = BatchNorm2d(widths[0])
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, 2, padding=1) if kernel == 7 else None
        inputs, self.stages = widths[0], [f"layer{i + 1}" for i in range(len(layers))]
        for name, width, repeats in zip(self.stages, widths, layers):
            blocks: list[Module] = []
            for i in range(repeats):
                stride = 2 if i == 0 and name != "layer1" else 1
                blocks.append(block(inputs, width, stride, shortcut, stride_in))
                inputs = width * block.expansion
            setattr(self, name, Sequential(*blocks))
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc = Linear(inputs, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, num_classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        if self.maxpool is not None:
            x = self.maxpool(x)
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(self.avgpool(x).flatten(1))


def resnet18(num_classes: int = 1000, shortcut: str = "projection", stride_in: str = "3x3") -> ResNet:
    """ResNet-18 for ImageNet, random weights: 11,689,512 parameters.  PyTorch: torchvision's ``resnet18``.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet18()):,}"
    '11,689,512'
    """
    return ResNet(BasicBlock, [2, 2, 2, 2], num_classes, shortcut=shortcut, stride_in=stride_in)


def resnet34(num_classes: int = 1000, shortcut: str = "projection", stride_in: str = "3x3") -> ResNet:
    """ResNet-34 for ImageNet, random weights: 21,797,672 parameters.  PyTorch: torchvision's ``resnet34``.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet34()):,}"
    '21,797,672'
    """
    return ResNet(BasicBlock, [3, 4, 6, 3], num_classes, shortcut=shortcut, stride_in=stride_in)


def resnet50(num_classes: int = 1000, shortcut: str = "projection", stride_in: str = "3x3") -> ResNet:
    """ResNet-50 for ImageNet, random weights: 25,557,032 parameters.  PyTorch: torchvision's ``resnet50``.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet50()):,}"
    '25,557,032'
    """
    return ResNet(Bottleneck, [3, 4, 6, 3], num_classes, shortcut=shortcut, stride_in=stride_in)


def resnet101(num_classes: int = 1000, shortcut: str = "projection", stride_in: str = "3x3") -> ResNet:
    """ResNet-101 for ImageNet, random weights: 44,549,160 parameters.  PyTorch: torchvision's ``resnet101``.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet101()):,}"
    '44,549,160'
    """
    return ResNet(Bottleneck, [3, 4, 23, 3], num_classes, shortcut=shortcut, stride_in=stride_in)


def resnet152(num_classes: int = 1000, shortcut: str = "projection", stride_in: str = "3x3") -> ResNet:
    """ResNet-152 for ImageNet, random weights: 60,192,808 parameters.  PyTorch: torchvision's ``resnet152``.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet152()):,}"
    '60,192,808'
    """
    return ResNet(Bottleneck, [3, 8, 36, 3], num_classes, shortcut=shortcut, stride_in=stride_in)


_CIFAR_WIDTHS = (16, 32, 64)  # He et al. 2016, section 4.2: three stages, option A


def resnet20(num_classes: int = 10, shortcut: str = "padding") -> ResNet:
    """ResNet-20 for CIFAR, 6·3 + 2 layers: 269,722 parameters.  PyTorch: none in torchvision.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet20()):,}"
    '269,722'
    """
    return ResNet(BasicBlock, [3, 3, 3], num_classes, _CIFAR_WIDTHS, "3x3", shortcut)


def resnet32(num_classes: int = 10, shortcut: str = "padding") -> ResNet:
    """ResNet-32 for CIFAR, 6·5 + 2 layers: 464,154 parameters.  PyTorch: none in torchvision.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet32()):,}"
    '464,154'
    """
    return ResNet(BasicBlock, [5, 5, 5], num_classes, _CIFAR_WIDTHS, "3x3", shortcut)


def resnet44(num_classes: int = 10, shortcut: str = "padding") -> ResNet:
    """ResNet-44 for CIFAR, 6·7 + 2 layers: 658,586 parameters.  PyTorch: none in torchvision.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet44()):,}"
    '658,586'
    """
    return ResNet(BasicBlock, [7, 7, 7], num_classes, _CIFAR_WIDTHS, "3x3", shortcut)


def resnet56(num_classes: int = 10, shortcut: str = "padding") -> ResNet:
    """ResNet-56 for CIFAR, 6·9 + 2 layers: 853,018 parameters.  PyTorch: none in torchvision.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet56()):,}"
    '853,018'
    """
    return ResNet(BasicBlock, [9, 9, 9], num_classes, _CIFAR_WIDTHS, "3x3", shortcut)


def resnet110(num_classes: int = 10, shortcut: str = "padding") -> ResNet:
    """ResNet-110 for CIFAR, 6·18 + 2 layers: 1,727,962 parameters.  PyTorch: none in torchvision.

    >>> f"{nn.inspection.count_parameters(nn.models.resnet110()):,}"
    '1,727,962'
    """
    return ResNet(BasicBlock, [18, 18, 18], num_classes, _CIFAR_WIDTHS, "3x3", shortcut)
