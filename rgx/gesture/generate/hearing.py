"""Speech as features, brought to the rate of tokens by convolutions of a generator's own."""

from __future__ import annotations

from typing import cast

from einops import rearrange
from torch import Tensor, nn

from rgx.gesture.nn.encoders import ResidualConv, edge_conv
from rgx.gesture.types import FRAMES_PER_TOKEN


class Hearing(nn.Module):
    """Speech features (B, T, F) to a memory of them (B, T / 4, D): convolutions, then the mean of a token."""

    def __init__(self, features: int, inner: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            edge_conv(features, inner, 3, padding=1),
            ResidualConv(inner),
            ResidualConv(inner, dilation=3),
            nn.AvgPool1d(FRAMES_PER_TOKEN),
        )
        self.outward = nn.Linear(inner, width)

    def forward(self, speech: Tensor) -> Tensor:
        heard = self.layers(rearrange(speech, "b t f -> b f t"))
        return cast(Tensor, self.outward(rearrange(heard, "b d n -> b n d")))
