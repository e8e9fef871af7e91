"""Axis refiner: none, a plain U-Net, and U-Nets guided by a drawn skeleton or by learnable edges."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.refine.base import Refined, Refiner
from rgx.gesture.refine.skeleton_picture import DrawnSkeleton
from rgx.gesture.refine.spade import Norm, PlainNorm, Spade
from rgx.gesture.refine.structure import (
    BODY_THICKNESS,
    FACE_THICKNESS,
    HAND_THICKNESS,
    Edges,
    NoStructure,
    Structure,
)
from rgx.gesture.refine.unet import UNet
from rgx.registry import Recipe, register

PICTURE, HOLES = 3, 1


@register("refiner", "none", label="w/o refine", source="Table 3d 'w/o refine'")
class NoRefiner(Refiner):
    """The animated picture as it is."""

    present = False
    reads_pose = False

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

    def own_rates(self) -> list[tuple[nn.Module, float]]:
        return [(self.drawing, self.drawing.rate)]

    def learned(self) -> dict[str, Tensor]:
        return self.drawing.learned()

    def forward(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Tensor:
        return self.refine(picture, trusted, pose, valid).picture

    def refine(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Refined:
        height, width = picture.shape[-2:]
        sizes = [(height >> level, width >> level) for level in range(self.downs + 1)]
        structure, guides = self.drawing.guide(pose, valid, sizes)
        # 1 - trusted: where the animator had nothing to show, the network may paint freely.
        change = self.network(torch.cat([2 * picture - 1, 1 - trusted], dim=1), guides)
        refined = _Within.apply(picture + change)  # type: ignore[no-untyped-call]
        return Refined(refined, refined, trusted, structure)


@register("refiner", "unet", label="+ UNet", source="Table 3d '+ UNet'")
class PlainRefiner(ResidualRefiner):
    """The U-Net sees the picture only."""

    reads_pose = False

    def __init__(self, size_px: int, width: int = 40, max_width: int = 512, downs: int = 4) -> None:
        network = UNet(PICTURE + HOLES, PICTURE, width, max_width, downs, PlainNorm)
        super().__init__(size_px, downs, NoStructure(), network)


class GuidedRefiner(ResidualRefiner):
    """The U-Net is guided at every resolution through SPADE, whose hidden layer is narrow where it is large.

    It has spade_share of the channels that it modulates, and at most spade_width. Source: reading 103.
    """

    def __init__(
        self,
        size_px: int,
        width: int,
        max_width: int,
        downs: int,
        spade_width: int,
        spade_share: float,
        drawing: Structure,
    ) -> None:
        if not spade_share > 0 or spade_width < 1:
            raise InputError(
                f"refiner: spade_share = {spade_share} and spade_width = {spade_width}: expected a share "
                f"above 0 and a width from 1"
            )

        def norm(channels: int) -> Norm:
            hidden = min(spade_width, max(1, round(spade_share * channels)))
            return Spade(channels, drawing.guide_channels, hidden)

        network = UNet(PICTURE + HOLES, PICTURE, width, max_width, downs, norm)
        super().__init__(size_px, downs, drawing, network)


@register("refiner", "skeleton", label="+ skeleton", source="Table 3d '+ skeleton', reading 106")
class SkeletonRefiner(GuidedRefiner):
    """Guided by what small convolutions read of a drawn skeleton, as thick as edges are at the start."""

    map_channels = DrawnSkeleton.channels

    def __init__(
        self,
        size_px: int,
        width: int = 40,
        max_width: int = 512,
        downs: int = 4,
        spade_width: int = 128,
        spade_share: float = 0.5,
        encoder_width: int = 16,
        body_thickness: float = BODY_THICKNESS,
        hand_thickness: float = HAND_THICKNESS,
        face_thickness: float = FACE_THICKNESS,
    ) -> None:
        drawing = DrawnSkeleton(downs, body_thickness, hand_thickness, face_thickness, encoder_width)
        super().__init__(size_px, width, max_width, downs, spade_width, spade_share, drawing)


@register("refiner", "edge_heatmap", label="+ heatmap", source="Sec. 4.3, eqs. (5)–(7)")
class EdgeHeatmapRefiner(GuidedRefiner):
    """Guided by a heat-map of edges whose thickness and weights are learned."""

    map_channels = Edges.channels

    def __init__(
        self,
        size_px: int,
        edges: Recipe[Edges],
        width: int = 40,
        max_width: int = 512,
        downs: int = 4,
        spade_width: int = 128,
        spade_share: float = 0.5,
    ) -> None:
        drawing = edges(size_px)
        super().__init__(size_px, width, max_width, downs, spade_width, spade_share, drawing)


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
