"""Axis picture_loss: how far the activations of a fixed network are."""

from __future__ import annotations

from torch import Tensor

from rgx.gesture.nn.perceptual import layers_apart
from rgx.gesture.refine.base import Activations, Comparison, PictureLoss
from rgx.registry import register


@register("picture_loss", "perceptual", label="Perceptual", source="Sec. 4.3, reading 42")
class PerceptualLoss(PictureLoss):
    """The mean absolute difference of activations of the refined picture, summed over layers."""

    name = "perceptual"

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        return self.weight * layers_apart(seen.picture, seen.real)
