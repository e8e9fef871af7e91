"""The transformer both generators share: self-attention, fusion, feed-forward, style."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Fusion, SpeakerStyle
from rgx.gesture.nn.encoders import positions
from rgx.registry import Recipe, register


class TrunkBlock(nn.Module):
    """One layer of the trunk; style follows the feed-forward. Source: Sec. 4.2."""

    def __init__(
        self, width: int, heads: int, feedforward: int, dropout: float, fusion: Fusion, style: SpeakerStyle
    ) -> None:
        super().__init__()
        self.attend_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.fusion, self.style = fusion, style
        self.feed = nn.Sequential(
            nn.Linear(width, feedforward), nn.GELU(), nn.Dropout(dropout), nn.Linear(feedforward, width)
        )

    def forward(self, x: Tensor, memory: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        y = self.attend_norm(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        x = self.fusion(x, memory, place)
        return self.style(x + self.feed(self.feed_norm(x)), speaker)


@register("trunk", "transformer", label="Transformer", source="Sec. 4.2; sizes: reading 21")
class Trunk(nn.Module):
    """Gesture features (B, N, D) and speech content (B, M, E) to features (B, N, D).

    The first speech content stands in for the condition token's, which lies before the window.
    """

    def __init__(
        self,
        content: int,
        speakers: int,
        fusion: Recipe[Fusion],
        style: Recipe[SpeakerStyle],
        width: int = 384,
        layers: int = 8,
        heads: int = 6,
        feedforward: int = 1024,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"trunk.transformer.width = {width}: expected a multiple of heads = {heads}")
        self.width = width
        self.memory = nn.Linear(content, width)
        self.blocks = nn.ModuleList(
            TrunkBlock(
                width, heads, feedforward, dropout, fusion(width, heads, dropout), style(width, speakers)
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, content: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        memory = self.memory(content)
        memory = memory + positions(memory.shape[1], self.width, memory.device)
        # One further: the condition token has place -1, and its code is the first.
        x = x + positions(int(memory.shape[1]) + 1, self.width, x.device)[place + 1]
        # Before the window there is no speech; the first of it stands in.
        place = place.clamp(min=0)
        for block in self.blocks:
            x = block(x, memory, place, speaker)
        return self.norm(x)


def place_tokens(streams: int, tokens: int, device: torch.device) -> Tensor:
    """Return each token's time (streams · (N + 1),), −1 for the condition token; streams in turn."""
    return torch.arange(-1, tokens, device=device).repeat(streams)
