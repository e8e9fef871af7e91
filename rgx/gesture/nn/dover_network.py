"""DOVER's network: how a video looks as a whole, and how well it is taken, each by a network of its own.

Source: Wu 2023. Names of weights are those of the published DOVER.pth; none of its code is used.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.nn.convnext_3d import ConvNeXt3D
from rgx.gesture.nn.video_swin import VideoSwin

WIDTH, HIDDEN = 768, 64


class ScoreHead(nn.Module):
    """Two layers over the features of each place."""

    def __init__(self, width: int = WIDTH, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.fc_hid, self.fc_last = nn.Conv3d(width, hidden, 1), nn.Conv3d(hidden, 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return scores (B, 1, T, H, W) of features (B, C, T, H, W)."""
        return self.fc_last(F.gelu(self.fc_hid(features)))


class DOVER(nn.Module):
    """Both networks of DOVER, each over its own view of a video."""

    def __init__(self) -> None:
        super().__init__()
        self.technical_backbone, self.aesthetic_backbone = VideoSwin(), ConvNeXt3D()
        self.technical_head, self.aesthetic_head = ScoreHead(), ScoreHead()

    def forward(self, aesthetic: Tensor, technical: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores at all places of the views (B, 3, 32, 224, 224) in ImageNet's normalisation."""
        # One at a time: the biases of a clip's first attention alone are 240 MB.
        clips = [self.technical_head(self.technical_backbone(clip)) for clip in technical.split(1)]
        return self.aesthetic_head(self.aesthetic_backbone(aesthetic)), torch.cat(clips)
