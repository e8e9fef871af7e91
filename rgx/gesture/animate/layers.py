"""Convolutions of the animators.

All normalise by groups within a picture, never over the batch: a picture is animated the same in any
batch, and nothing but weights has to be kept to go on with a training.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def norm(channels: int) -> nn.GroupNorm:
    """Return group normalisation with up to 8 groups of at least 4 channels where they divide."""
    return nn.GroupNorm(math.gcd(channels, max(1, min(8, channels // 4))), channels)


class ConvBlock(nn.Sequential):
    """Convolution, normalisation, ReLU: (B, inputs, H, W) → (B, outputs, H / stride, W / stride).

    An odd size with stride 1 or an even one with stride 2 keeps features where
    `rgx.gesture.nn.grid` says they are.
    """

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2, bias=False),
            norm(outputs),
            nn.ReLU(inplace=True),
        )


class StridedResidual(nn.Module):
    """Two convolutions with a skip, the first strided: (B, inputs, H, W) → (B, outputs, H / stride, …)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            norm(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            norm(outputs),
        )
        changes = stride > 1 or inputs != outputs
        self.skip = nn.Conv2d(inputs, outputs, 1, stride) if changes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.skip(x) + self.layers(x))
