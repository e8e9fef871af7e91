"""Sequence encoders from 25 Hz frames to the token rate, shared by alignment and generation."""

from __future__ import annotations

import math
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn

from rgx.gesture.nn.attention import encode
from rgx.gesture.skeleton import stream_slice
from rgx.gesture.types import FRAMES_PER_TOKEN, Batch


def positions(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return sinusoidal codes (N, D) of the places from 0."""
    return place_codes(torch.arange(length, device=device), width)


def place_codes(place: Tensor, width: int) -> Tensor:
    """Return sinusoidal codes (N, D) of whole places (N,), which may be below 0.

    Source: Vaswani et al. 2017, Sec. 3.5.
    """
    # As a power of e, exactly as published: 10,000^(-i / D) rounds differently.
    rates = torch.exp(torch.arange(0, width, 2, device=place.device) * (-math.log(10_000.0) / width))
    angles = place.float()[:, None] * rates
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)


def edge_conv(
    inward: int, outward: int, size: int, padding: int, stride: int = 1, dilation: int = 1
) -> nn.Conv1d:
    """Return a convolution over time to which the frames beyond an edge look like the one at the edge.

    Zeros would say that all joints are at their mean there, which no person's are. Source: reading 75.
    """
    return nn.Conv1d(inward, outward, size, stride, padding, dilation, padding_mode="replicate")


class ResidualConv(nn.Module):
    """Two dilated convolutions over time with a skip: (B, D, T) → (B, D, T). Source: reading 17."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReLU(),
            edge_conv(width, width, 3, padding=dilation, dilation=dilation),
            nn.ReLU(),
            nn.Conv1d(width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class SequenceEncoder(nn.Module):
    """Frames (B, T, F) to content at the token rate (B, T / 4, D): strided convolutions, transformer.

    Source: reading 14.
    """

    def __init__(self, features: int, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.stem = nn.Sequential(
            edge_conv(features, width, 3, padding=1),
            *(
                nn.Sequential(edge_conv(width, width, 4, stride=2, padding=1), ResidualConv(width))
                for _ in range(int(math.log2(FRAMES_PER_TOKEN)))
            ),
        )
        layer = nn.TransformerEncoderLayer(
            width, heads, 2 * width, dropout, batch_first=True, norm_first=True
        )
        # Nested tensors would be a second way to the same sums, with other roundings.
        self.transformer = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        y = rearrange(self.stem(rearrange(x, "b t f -> b f t")), "b d n -> b n d")
        # After the stem: a place is a token's, not a frame's.
        y = y + positions(y.shape[1], self.width, y.device)
        for layer in self.transformer.layers:
            y = encode(cast(nn.TransformerEncoderLayer, layer), y)
        normal: Tensor = self.norm(y)
        return normal


def gesture_steps(batch: Batch, stream: str) -> Tensor:
    """Return what a gesture encoder sees: how far each coordinate of a stream has come in a frame (B, T, C).

    Not where it is: by its posture a clip is known by heart, whatever is said in it. The first step is from
    the source frame; 0 where one of two frames is not valid. Source: ours, reading 79.
    """
    points = stream_slice(stream)
    motion = torch.cat([batch.prefix[:, -1:], batch.motion], dim=1)[:, :, points]
    valid = torch.cat([batch.prefix_valid[:, -1:], batch.valid], dim=1)[:, :, points]
    steps = motion.diff(dim=1) * (valid[:, 1:] & valid[:, :-1])[..., None]
    return rearrange(steps, "b t k c -> b t (k c)")


def content_width(encoders: nn.ModuleDict) -> int:
    """Return the width of the content that the encoders of all streams give side by side."""
    return sum(cast(SequenceEncoder, encoder).width for encoder in encoders.values())
