"""Axis picture_loss: how much a picture changes from pixel to pixel where it had to be painted."""

from __future__ import annotations

from torch import Tensor

from rgx.gesture.refine.base import Activations, Comparison, PictureLoss
from rgx.registry import register


def variation(picture: Tensor) -> Tensor:
    """Return the mean step between neighbours of pictures (B, C, H, W), across and down, summed."""
    return picture.diff(dim=-1).abs().mean() + picture.diff(dim=-2).abs().mean()


@register("picture_loss", "variation", label="Total variation", source="S2G-Diffusion stage 3, reading 114")
class VariationLoss(PictureLoss):
    """The total variation of the refined picture times 1 − trusted."""

    name = "variation"

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight

    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        return self.weight * variation(comparison.picture * (1 - comparison.trusted))
