"""Axis refiner: none, a plain U-Net, and U-Nets guided by a fixed skeleton or by learnable edges."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.refine.base import Refiner
from rgx.gesture.refine.spade import PlainNorm, Spade
from rgx.gesture.refine.structure import FixedSkeleton, LearnedEdges, NoStructure, Structure
from rgx.gesture.refine.unet import UNet
from rgx.registry import register

PICTURE, HOLES = 3, 1
BODY_THICKNESS, HAND_THICKNESS, FACE_THICKNESS = 0.032, 0.016, 0.012
"""σ at the start, in half picture widths: the body's is AutoLink's 1e-3 (reading 34), the others ours."""


@register("refiner", "none", label="w/o refine", source="Table 3d 'w/o refine'")
class NoRefiner(Refiner):
    """The animated picture as it is."""

    present = False

    def __init__(self, size_px: int) -> None:
        super().__init__()

    def forward(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Tensor:
        return picture


class ResidualRefiner(Refiner):
    """Adds to the animated picture what a U-Net makes of it, of 1 − trusted and of the pose's structure.

    An untrained one changes nothing. Source: Sec. 4.3; input as in S2G's third stage, reading 40.
    """

    def __init__(self, size_px: int, downs: int, drawing: Structure, network: UNet) -> None:
        super().__init__()
        if downs < 1 or size_px % 2**downs or size_px <= 0:
            raise InputError(
                f"refiner: pictures of {size_px} px and downs = {downs}: expected at least one halving and a "
                f"size that can be halved so often"
            )
        self.downs, self.drawing, self.network = downs, drawing, network

    def structure(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        return self.drawing(pose, valid, size)

    def forward(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Tensor:
        return self.refine(picture, trusted, pose, valid)[0]

    def refine(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        height, width = picture.shape[-2:]
        sizes = [(height >> level, width >> level) for level in range(self.downs + 1)]
        structures = [self.drawing(pose, valid, size) for size in sizes]
        # 1 - trusted: where the animator had nothing to show, the network may paint freely.
        change = self.network(torch.cat([2 * picture - 1, 1 - trusted], dim=1), structures)
        return _Within.apply(picture + change), structures[0]  # type: ignore[no-untyped-call]


@register("refiner", "unet", label="+ UNet", source="Table 3d '+ UNet'")
class PlainRefiner(ResidualRefiner):
    """The U-Net sees the picture only."""

    def __init__(self, size_px: int, width: int = 64, max_width: int = 512, downs: int = 4) -> None:
        network = UNet(PICTURE + HOLES, PICTURE, width, max_width, downs, PlainNorm)
        super().__init__(size_px, downs, NoStructure(), network)


class GuidedRefiner(ResidualRefiner):
    """The U-Net is guided through SPADE by a drawing made afresh at every resolution."""

    map_channels = 1

    def __init__(
        self, size_px: int, width: int, max_width: int, downs: int, spade_width: int, drawing: Structure
    ) -> None:
        norm = partial(Spade, map_channels=drawing.channels, hidden=spade_width)
        network = UNet(PICTURE + HOLES, PICTURE, width, max_width, downs, norm)
        super().__init__(size_px, downs, drawing, network)


@register("refiner", "skeleton", label="+ skeleton", source="Table 3d '+ skeleton'")
class SkeletonRefiner(GuidedRefiner):
    """Guided by bones of given thickness and weight 1: nothing of the drawing is learned."""

    def __init__(
        self,
        size_px: int,
        width: int = 64,
        max_width: int = 512,
        downs: int = 4,
        spade_width: int = 128,
        body_thickness: float = BODY_THICKNESS,
        hand_thickness: float = HAND_THICKNESS,
        face_thickness: float = FACE_THICKNESS,
    ) -> None:
        drawing = FixedSkeleton(body_thickness, hand_thickness, face_thickness)
        super().__init__(size_px, width, max_width, downs, spade_width, drawing)


@register("refiner", "edge_heatmap", label="+ heatmap", source="Sec. 4.3, eqs. (5)–(7)")
class EdgeHeatmapRefiner(GuidedRefiner):
    """Guided by bones whose thickness and weights are learned; those given are where they start."""

    def __init__(
        self,
        size_px: int,
        width: int = 64,
        max_width: int = 512,
        downs: int = 4,
        spade_width: int = 128,
        body_thickness: float = BODY_THICKNESS,
        hand_thickness: float = HAND_THICKNESS,
        face_thickness: float = FACE_THICKNESS,
    ) -> None:
        drawing = LearnedEdges(body_thickness, hand_thickness, face_thickness)
        super().__init__(size_px, width, max_width, downs, spade_width, drawing)


class _Within(torch.autograd.Function):
    """Clamps to [0, 1]; its gradient stops only where a step along it would lead further out.

    So a black hole that must be painted still learns, which neither a clamp nor a logit would let it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        outward = ((x < 0) & (gradient > 0)) | ((x > 1) & (gradient < 0))
        return gradient.masked_fill(outward, 0)
