"""From a source picture and its motion to the animated picture: warp what is shown, paint what is not."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.animate.dense_motion import Motion
from rgx.gesture.animate.layers import ConvBlock, StridedResidual
from rgx.gesture.animate.losses import weighted_mean
from rgx.gesture.nn.grid import resize_grid, sample


def warp(picture: Tensor, grid: Tensor) -> Tensor:
    """Return a picture or features (B, C, H, W) pulled through a grid of any size.

    In float32: a grid in bfloat16 is off by a pixel of 256.
    """
    height, width = picture.shape[-2:]
    return sample(picture.float(), resize_grid(grid, (height, width)))


class Inpainting(nn.Module):
    """Encoder, features warped and masked at every scale, decoder. Source: reading 29.

    Raises InputError when the picture cannot be halved `downs` times.
    """

    def __init__(self, size_px: int, width: int, max_width: int, downs: int) -> None:
        super().__init__()
        if downs < 1 or size_px % 2**downs:
            raise InputError(f"downs = {downs}: expected 1 or more halvings of {size_px} px")
        widths = [min(max_width, width * 2**i) for i in range(downs + 1)]
        self.first = ConvBlock(3, widths[0], 7)
        self.down = nn.ModuleList(ConvBlock(widths[i], widths[i + 1], 4, stride=2) for i in range(downs))
        self.refine = nn.ModuleList(
            nn.Sequential(
                StridedResidual(widths[i + 1], widths[i + 1]), StridedResidual(widths[i + 1], widths[i + 1])
            )
            for i in range(downs)
        )
        self.up = nn.ModuleList(ConvBlock(widths[i + 1], widths[i]) for i in range(downs))
        self.merge = nn.ModuleList(ConvBlock(2 * widths[i], widths[i]) for i in range(1, downs))
        self.paint = nn.Conv2d(widths[0], 3, 3, padding=1)

    def encode(self, picture: Tensor) -> list[Tensor]:
        """Return features of pictures (B, 3, H, W), full size first."""
        features = [self.first(picture)]
        for block in self.down:
            features.append(block(features[-1]))
        return features

    def forward(self, picture: Tensor, features: list[Tensor], motion: Motion) -> Tensor:
        """Return the animated pictures (B, 3, H, W) in [0, 1] of source pictures and their features."""
        # What the source does not show is zero here, and painted from what lies around it.
        seen = [warp(f, motion.grid_for(f)) * o for f, o in zip(features, motion.occlusion, strict=True)]
        x = seen[-1]
        for i in range(len(self.up) - 1, -1, -1):
            x = self.up[i](F.interpolate(self.refine[i](x), scale_factor=2.0))
            if i:
                x = self.merge[i - 1](torch.cat([x, seen[i].to(x)], dim=1))
        shown = motion.occlusion[0]
        painted = self.paint(x * (1 - shown) + seen[0]).float().sigmoid()
        # Pixels the source shows are moved, never repainted: detail survives that no decoder would draw.
        return painted * (1 - shown) + warp(picture, motion.grid_for(picture)) * shown

    def warp_loss(
        self, features: list[Tensor], driving: Tensor, motion: Motion, weight: Tensor | None = None
    ) -> Tensor:
        """Return how far warped source features are from those of the driving pictures, masked alike.

        It teaches the grid alone: features and masks are held fixed. weight (B, 1, H, W): what an error
        counts. Source: reading 29.
        """
        with torch.no_grad():
            wanted = self.encode(driving)
        distances = [
            weighted_mean(
                ((warp(have.detach(), motion.grid_for(have)) - want.float()) * shown.detach()).abs(), weight
            )
            for have, want, shown in zip(features, wanted, motion.occlusion, strict=True)
        ]
        return torch.stack(distances).sum()
