"""The transformer both generators share: self-attention, fusion, feed-forward, style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Fusion, SpeakerStyle
from rgx.gesture.nn.attention import attend
from rgx.gesture.nn.encoders import positions
from rgx.gesture.types import PREFIX_TOKENS
from rgx.registry import Recipe, register


@dataclass
class Memory:
    """Speech content of `tokens` places, as the fusion of each block reads it."""

    tokens: int
    blocks: list[Tensor]


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
        x = x + attend(self.attend, self.attend_norm(x))
        x = self.fusion(x, memory, place)
        return self.style(x + self.feed(self.feed_norm(x)), speaker)


@register("trunk", "transformer", label="Transformer", source="Sec. 4.2; sizes: reading 21")
class Trunk(nn.Module):
    """Gesture features (B, N, D) and the memory of speech content (B, M, E) to features (B, N, D).

    The first speech content stands in for that of the prefix, which lies before the window.
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

    def read(self, content: Tensor) -> Memory:
        """Return the memory of speech content (B, M, E), which serves any number of passes over it."""
        memory = self.memory(content)
        memory = memory + positions(memory.shape[1], self.width, memory.device)
        fusions = [cast(TrunkBlock, block).fusion for block in self.blocks]
        return Memory(memory.shape[1], [fusion.read(memory) for fusion in fusions])

    def forward(self, x: Tensor, memory: Memory, place: Tensor, speaker: Tensor) -> Tensor:
        # The prefix has places below 0, and the first of them the first code.
        x = x + positions(PREFIX_TOKENS + memory.tokens, self.width, x.device)[PREFIX_TOKENS + place]
        # Before the window there is no speech; the first of it stands in.
        place = place.clamp(min=0)
        for block, own in zip(self.blocks, memory.blocks, strict=True):
            x = block(x, own, place, speaker)
        return self.norm(x)


def place_tokens(streams: int, tokens: int, device: torch.device) -> Tensor:
    """Return each token's time (streams · (P + N),), below 0 for the prefix; streams in turn."""
    return torch.arange(-PREFIX_TOKENS, tokens, device=device).repeat(streams)
