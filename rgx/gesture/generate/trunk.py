"""What the transformers of all generators share: a memory of the speech, places in time, blocks in a row."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Fusion, SpeakerStyle
from rgx.gesture.nn.encoders import place_codes, positions
from rgx.gesture.types import PREFIX_TOKENS
from rgx.registry import Recipe


@dataclass
class Memory:
    """Speech content of `tokens` places, as the fusion of each block reads it."""

    tokens: int
    blocks: list[Tensor]


class TrunkBlock(nn.Module):
    """The parts of one layer of a trunk; which follows which, and what is added, is each block's own."""

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

    @abstractmethod
    def forward(self, x: Tensor, memory: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        """Return the features (B, N, D) after the layer; memory as its fusion read it."""


class Trunk(nn.Module):
    """Gesture features (B, N, D) and the memory of speech content (B, M, E) to features (B, N, D).

    The first speech content stands in for that of tokens before the window, whose place is below 0.
    """

    name: ClassVar[str]
    """As bindings call it."""
    block: ClassVar[type[TrunkBlock]]
    last: ClassVar[type[nn.Module]]
    """What follows the last block: a norm, where the blocks leave none."""

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
            raise InputError(f"{self.name}.width = {width}: expected a multiple of heads = {heads}")
        self.width = width
        self.memory = nn.Linear(content, width)
        self.blocks = nn.ModuleList(
            self.block(
                width, heads, feedforward, dropout, fusion(width, heads, dropout), style(width, speakers)
            )
            for _ in range(layers)
        )
        self.norm = self.last(width)

    def read(self, content: Tensor) -> Memory:
        """Return the memory of speech content (B, M, E), which serves any number of passes over it."""
        memory = self.memory(content)
        memory = memory + positions(memory.shape[1], self.width, memory.device)
        fusions = [cast(TrunkBlock, block).fusion for block in self.blocks]
        return Memory(memory.shape[1], [fusion.read(memory) for fusion in fusions])

    def forward(self, x: Tensor, memory: Memory, place: Tensor, speaker: Tensor) -> Tensor:
        """Return the features after all blocks; place (N,) is each token's time in tokens, speaker (B,)."""
        x = x + place_codes(place, self.width)
        # Before the window there is no speech; the first of it stands in.
        place = place.clamp(min=0)
        for block, own in zip(self.blocks, memory.blocks, strict=True):
            x = block(x, own, place, speaker)
        return cast(Tensor, self.norm(x))


def place_tokens(streams: int, tokens: int, device: torch.device) -> Tensor:
    """Return each token's time (streams · (P + N),), below 0 for the prefix; streams in turn."""
    return torch.arange(-PREFIX_TOKENS, tokens, device=device).repeat(streams)
