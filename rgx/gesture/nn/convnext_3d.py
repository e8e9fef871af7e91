"""A convolutional network for pictures, inflated to video.

Source: Liu 2022 (ConvNeXt), as DOVER inflates it (Wu 2023). Names of weights are those of its checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

FRAMES_SEEN = (1, 3, 1)
"""How many frames the first, second and third block of a stage sees, and so on in turn."""
EPSILON = 1e-6


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation of what has its channels first."""

    def forward(self, video: Tensor) -> Tensor:
        """Return a video (B, C, T, H, W)."""
        return super().forward(video.movedim(1, -1)).movedim(-1, 1)


class ConvNeXtBlock(nn.Module):
    """A convolution of 7 × 7 pixels in each channel, two layers over each pixel, a scale in each channel."""

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv3d(width, width, (frames, 7, 7), padding=(frames // 2, 3, 3), groups=width)
        self.norm = nn.LayerNorm(width, eps=EPSILON)
        self.pwconv1, self.pwconv2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, video: Tensor) -> Tensor:
        """Return a video (B, C, T, H, W)."""
        pixels = self.norm(rearrange(self.dwconv(video), "b c t h w -> b t h w c"))
        pixels = self.gamma * self.pwconv2(F.gelu(self.pwconv1(pixels)))
        return video + rearrange(pixels, "b t h w c -> b c t h w")


class ConvNeXt3D(nn.Module):
    """Features of a video, by default as large as ConvNeXt-T."""

    def __init__(
        self, widths: Sequence[int] = (96, 192, 384, 768), depths: Sequence[int] = (3, 3, 9, 3)
    ) -> None:
        super().__init__()
        first = nn.Conv3d(3, widths[0], (2, 4, 4), (2, 4, 4))
        self.downsample_layers = nn.ModuleList([nn.Sequential(first, ChannelNorm(widths[0], eps=EPSILON))])
        for width, wider in pairwise(widths):
            halving = nn.Conv3d(width, wider, (1, 2, 2), (1, 2, 2))
            self.downsample_layers.append(nn.Sequential(ChannelNorm(width, eps=EPSILON), halving))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNeXtBlock(width, FRAMES_SEEN[place % 3]) for place in range(depth)))
            for width, depth in zip(widths, depths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=EPSILON)

    def forward(self, video: Tensor) -> Tensor:
        """Return features (B, C, T / 2, H / 32, W / 32) of a video (B, 3, T, H, W)."""
        for halve, stage in zip(self.downsample_layers, self.stages, strict=True):
            video = stage(halve(video))
        return self.norm(video.movedim(1, -1)).movedim(-1, 1)
