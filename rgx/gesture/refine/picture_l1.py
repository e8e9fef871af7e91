"""Axis picture_loss: how far the colours are, hands for more than the rest."""

from __future__ import annotations

from torch import Tensor

from rgx.gesture.refine.base import Activations, Comparison, PictureLoss
from rgx.registry import register


@register("picture_loss", "l1", label="L1", source="Sec. 4.3, reading 42")
class L1Loss(PictureLoss):
    """The weighted mean of absolute errors; hand_weight: what one in a hand box weighs, 1 elsewhere."""

    name = "l1"
    # A picture with large hands counts for more.
    by_picture = False

    def __init__(self, weight: float = 10.0, hand_weight: float = 5.0) -> None:
        self.weight, self.hand_weight = weight, hand_weight

    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        weight = 1 + (self.hand_weight - 1) * comparison.hands
        error = (comparison.picture - comparison.real).abs().mean(1, keepdim=True)
        return self.weight * (error * weight).sum() / weight.sum()
