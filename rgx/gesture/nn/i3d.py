"""I3D, by whose 400 classes of Kinetics videos are compared.

Source: Carreira 2017. Names of weights are those of pytorch-i3d, in which FVD's i3d_pretrained_400.pt is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Size = tuple[int, int, int]
"""Times, rows and columns."""
POINT: Size = (1, 1, 1)
CLASSES = 400
GROUPS: tuple[tuple[Size, Size, dict[str, tuple[int, ...]]], ...] = (
    (
        *((1, 3, 3), (1, 2, 2)),
        {"3b": (64, 96, 128, 16, 32, 32), "3c": (128, 128, 192, 32, 96, 64)},
    ),
    (
        *((3, 3, 3), (2, 2, 2)),
        {
            "4b": (192, 96, 208, 16, 48, 64),
            "4c": (160, 112, 224, 24, 64, 64),
            "4d": (128, 128, 256, 24, 64, 64),
            "4e": (112, 144, 288, 32, 64, 64),
            "4f": (256, 160, 320, 32, 128, 128),
        },
    ),
    (
        *((2, 2, 2), (2, 2, 2)),
        {"5b": (256, 160, 320, 32, 128, 128), "5c": (384, 192, 384, 48, 128, 128)},
    ),
)
"""Kernel and stride of a pool, and the mixed blocks behind it: widths of b0, b1a, b1b, b2a, b2b and b3b."""


def padded(video: Tensor, kernel: Size, stride: Size) -> Tensor:
    """Return a video (B, C, T, H, W) with zeros around it, so that a side n gives ⌈n / stride⌉ places.

    Of an odd number the end has one more, as TensorFlow's "same" has it.
    """
    ends: list[int] = []
    for side, size, step in zip(video.shape[2:], kernel, stride, strict=True):
        count = -(-side // step)
        total = max((count - 1) * step + size - side, 0)
        ends = [total // 2, total - total // 2, *ends]
    return F.pad(video, ends)


def largest(video: Tensor, kernel: Size, stride: Size) -> Tensor:
    """Return the largest value in each cell of a video (B, C, T, H, W), zeros around it as in `padded`."""
    return F.max_pool3d(padded(video, kernel, stride), kernel, stride)


class FixedNorm(nn.Module):
    """Batch normalisation by what was seen in training; its ε is 1e-5, as FVD's code has it (reading 91)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, video: Tensor) -> Tensor:
        """Return a video (B, C, T, H, W)."""
        return F.batch_norm(video, self.running_mean, self.running_var, self.weight, self.bias)


class Unit(nn.Module):
    """A convolution, its normalisation and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: Size = POINT, stride: Size = POINT) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = FixedNorm(outputs)

    def forward(self, video: Tensor) -> Tensor:
        """Return a video of other channels and as many places as the stride leaves."""
        return F.relu(self.bn(self.conv3d(padded(video, self.kernel, self.stride))))


class Mixed(nn.Module):
    """Four ways beside each other: a point, two of three cubed, and the largest of three cubed."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        point, first, first_cube, second, second_cube, pooled = widths
        cube = (3, 3, 3)
        self.b0 = Unit(inputs, point)
        self.b1a, self.b1b = Unit(inputs, first), Unit(first, first_cube, cube)
        self.b2a, self.b2b = Unit(inputs, second), Unit(second, second_cube, cube)
        self.b3b = Unit(inputs, pooled)
        self.width = point + first_cube + second_cube + pooled

    def forward(self, video: Tensor) -> Tensor:
        """Return the four beside each other in channels."""
        pooled = self.b3b(largest(video, (3, 3, 3), POINT))
        return torch.cat([self.b0(video), self.b1b(self.b1a(video)), self.b2b(self.b2a(video)), pooled], 1)


class Logits(nn.Module):
    """The last convolution, which has a bias and no normalisation."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, CLASSES, 1)


class I3D(nn.Module):
    """The logits of 400 classes of a video, which FVD compares; reading 91."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, (7, 7, 7), (2, 2, 2))
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, (3, 3, 3))
        width = 192
        for _, _, blocks in GROUPS:
            for place, widths in blocks.items():
                mixed = Mixed(width, widths)
                self.add_module(f"Mixed_{place}", mixed)
                width = mixed.width
        self.logits = Logits(width)

    def forward(self, video: Tensor) -> Tensor:
        """Return logits (B, 400), the mean over time, of a video (B, 3, T, 224, 224) in [−1, 1]."""
        video = largest(self.Conv3d_1a_7x7(video), (1, 3, 3), (1, 2, 2))
        video = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(video))
        for kernel, stride, blocks in GROUPS:
            video = largest(video, kernel, stride)
            for place in blocks:
                video = self.get_submodule(f"Mixed_{place}")(video)
        pooled = F.avg_pool3d(video, (2, 7, 7), stride=1)
        return self.logits.conv3d(pooled).mean((2, 3, 4))
