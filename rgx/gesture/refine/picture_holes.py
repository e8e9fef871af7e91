"""Axis picture_loss: how far painted colours are, by what the animated picture had to show there."""

from __future__ import annotations

from torch import Tensor

from rgx.gesture.refine.base import Activations, Comparison, PictureLoss
from rgx.registry import register


@register("picture_loss", "holes", label="Valid / hole L1", source="S2G-Diffusion stage 3, reading 114")
class HolesLoss(PictureLoss):
    """The mean absolute error of what is painted: where it is trusted, where it is not, in hands.

    Three means over a batch, each over the area that it is of, weighted; one without a pixel counts nothing.
    """

    name = "holes"
    # A picture with larger holes counts for more.
    by_picture = False

    def __init__(self, valid_weight: float = 1.0, hole_weight: float = 3.0, hand_weight: float = 5.0) -> None:
        self.valid_weight, self.hole_weight, self.hand_weight = valid_weight, hole_weight, hand_weight

    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        error = (comparison.painted - comparison.real).abs().mean(1, keepdim=True)
        trusted, hands = comparison.trusted, comparison.hands
        masks = ((self.valid_weight, trusted), (self.hole_weight, 1 - trusted), (self.hand_weight, hands))
        # Of less than a pixel there is no mean, and no picture without a hand is divided by nothing.
        terms = (weight * (error * mask).sum() / mask.sum().clamp(min=1) for weight, mask in masks)
        return sum(terms, start=error.new_zeros(()))
