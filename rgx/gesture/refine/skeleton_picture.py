"""A drawn skeleton: coloured limbs and fingers of a fixed width, the face as points, and its encoder."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.refine.edges import strongest
from rgx.gesture.refine.structure import Structure, check_thickness
from rgx.gesture.skeleton import BODY, FACE, LEFT_HAND, RIGHT_HAND, edges, kept_index

WHITE = (1.0, 1.0, 1.0)
SLOPE = 0.2
"""Of the encoder's activation below zero."""


class DrawnSkeleton(Structure):
    """The pose as a picture, read by small convolutions of which each level is guided by one's output.

    Nothing of the picture is learned. thickness: half the width of a line, in half picture widths, and never
    less than half a pixel. Source: Hu et al. 2023 (AnimateAnyone's pose guider), reading 106.
    """

    channels = 3

    def __init__(self, downs: int, body: float, hand: float, face: float, width: int = 16) -> None:
        super().__init__()
        check_thickness("refiner", body, hand, face)
        self.width = width
        strokes = _strokes(body, hand, face)
        ends, thickness, colour = (torch.tensor(column) for column in zip(*strokes, strict=True))
        self.ends: Tensor
        self.thickness: Tensor
        self.colour: Tensor
        self.register_buffer("ends", ends, persistent=False)
        self.register_buffer("thickness", thickness, persistent=False)
        self.register_buffer("colour", colour, persistent=False)
        self.first = nn.Conv2d(self.channels, width, 3, padding=1)
        self.shrink = nn.ModuleList(nn.Conv2d(width, width, 4, stride=2, padding=1) for _ in range(downs))
        for layer in (self.first, *self.shrink):
            # A guide is as large as the picture at every level, or the lower ones would be guided by little.
            nn.init.kaiming_normal_(layer.weight, SLOPE)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    @property
    def guide_channels(self) -> int:
        return self.width

    @torch.no_grad()
    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        """Return pictures (B, 3, H, W) in [0, 1], black where nothing is drawn.

        A pixel has the colour of the line that is nearest to it, in widths of that line, and less of it at
        the line's rim. A line without both its points is not drawn.
        """
        pose = pose.to(torch.promote_types(pose.dtype, torch.float32))
        pose = torch.where(valid[..., None], pose, torch.zeros_like(pose))
        start, end = pose[:, self.ends].unbind(2)
        seen = valid[:, self.ends].all(-1).to(pose)
        pixel = 2 / min(size)
        thickness = self.thickness.to(pose).clamp(min=pixel / 2)
        line = strongest(start, end, thickness.square(), seen, size)
        inside = (line.variance.sqrt() - line.distance.sqrt()) / pixel + 0.5
        drawn = self.colour.to(pose)[line.number] * (inside.clamp(0, 1) * line.weight)[..., None]
        return drawn.permute(0, 3, 1, 2)

    def guide(
        self, pose: Tensor, valid: Tensor, sizes: Sequence[tuple[int, int]]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the picture at the first of the sizes, each half the one before, and what is read of it."""
        if any((2 * h, 2 * w) != before for before, (h, w) in pairwise(sizes)):
            raise ValueError(f"sizes {list(sizes)}: expected each to be half the one before")
        picture = self(pose, valid, sizes[0])
        return picture, self.read(picture)

    def read(self, picture: Tensor) -> list[Tensor]:
        """Return what guides each level, (B, width, H, W) and halves of it, of pictures (B, 3, H, W)."""
        guides = [F.leaky_relu(self.first(picture), SLOPE)]
        for shrink in self.shrink:
            guides.append(F.leaky_relu(shrink(guides[-1]), SLOPE))
        return guides


Stroke = tuple[list[int], float, tuple[float, float, float]]
"""A line: the two points it joins, half its width, its colour."""


def _strokes(body: float, hand: float, face: float) -> list[Stroke]:
    """Return limbs in the hues of OpenPose's wheel, each hand's bones likewise, the face's points white."""
    strokes = []
    for points, thickness in ((BODY, body), (LEFT_HAND, hand), (RIGHT_HAND, hand)):
        bones = [bone for bone in edges() if bone[0] in points]
        for number, bone in enumerate(bones):
            colour = colorsys.hsv_to_rgb(number / len(bones), 1.0, 1.0)
            strokes.append(([kept_index(point) for point in bone], thickness, colour))
    return strokes + [([kept_index(point)] * 2, face, WHITE) for point in FACE]
