"""Axis mask_ratio: the share of tokens masked in a training step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import MaskRatio
from rgx.registry import register


@register("mask_ratio", "uniform", label="Uniform", source="Sec. 5.4, Table 3e")
class UniformRatio(MaskRatio):
    """A ratio drawn evenly between low and high."""

    def __init__(self, low: float = 0.5, high: float = 1.0) -> None:
        if not 0 <= low <= high <= 1:
            raise InputError(
                f"mask_ratio.uniform: expected 0 <= low <= high <= 1, found low={low}, high={high}"
            )
        self.low, self.high = low, high

    def draw(self, count: int) -> Tensor:
        # On the CPU: a seed draws the same ratios on every device.
        return self.low + (self.high - self.low) * torch.rand(count)


@register("mask_ratio", "cosine", label="Cosine", source="MoMask; reading 22")
class CosineRatio(MaskRatio):
    """cos(πu / 2) of an even u, so high ratios are common."""

    def draw(self, count: int) -> Tensor:
        return torch.cos(math.pi / 2 * torch.rand(count))


@register("mask_ratio", "fixed", label="Fixed")
class FixedRatio(MaskRatio):
    """The same ratio in every step."""

    def __init__(self, ratio: float = 0.5) -> None:
        if not 0 < ratio <= 1:
            raise InputError(f"mask_ratio.fixed: expected 0 < ratio <= 1, found {ratio}")
        self.ratio = ratio

    def draw(self, count: int) -> Tensor:
        return torch.full((count,), self.ratio)
