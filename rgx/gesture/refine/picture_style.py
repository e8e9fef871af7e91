"""Axis picture_loss: which activations occur together, wherever in the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from rgx.gesture.refine.base import Activations, Comparison, PictureLoss
from rgx.registry import register


def gram(layer: Tensor) -> Tensor:
    """Return the Gram matrices (B, C, C) of activations (B, C, H, W), each divided by C · H · W.

    In float32: they differ by less than bf16 can tell.
    """
    with torch.autocast(layer.device.type, enabled=False):
        rows = layer.flatten(2).to(torch.promote_types(layer.dtype, torch.float32))
        return rows @ rows.mT / rows[0].numel()


@register("picture_loss", "style", label="Style", source="S2G-Diffusion stage 3, reading 114; Gatys 2016")
class StyleLoss(PictureLoss):
    """The mean difference of Gram matrices, summed over layers, of what is painted and of what is shown."""

    name = "style"

    def __init__(self, weight: float = 120.0) -> None:
        self.weight = weight

    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        total = comparison.picture.new_zeros(())
        for painted, shown, real in zip(seen.painted, seen.picture, seen.real, strict=True):
            wanted = gram(real)
            total = total + sum((gram(layer) - wanted).abs().mean() for layer in (painted, shown))
        return self.weight * total
