"""Axis picture_loss: activations of what is painted and of what is shown."""

from __future__ import annotations

from torch import Tensor

from rgx.gesture.nn.perceptual import layers_apart
from rgx.gesture.refine.base import Activations, Comparison, PictureLoss
from rgx.registry import register


@register("picture_loss", "content", label="Content", source="S2G-Diffusion stage 3, reading 114")
class ContentLoss(PictureLoss):
    """The difference of activations of what the network painted, and again of the refined picture."""

    name = "content"

    def __init__(self, weight: float = 0.05) -> None:
        self.weight = weight

    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        painted, shown = (layers_apart(layers, seen.real) for layers in (seen.painted, seen.picture))
        return self.weight * (painted + shown)
