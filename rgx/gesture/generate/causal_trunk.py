"""The transformer of a generator that goes on in time: what a turn sees was there before it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Fusion
from rgx.gesture.generate.speaker_style import ConditionalLayerNorm
from rgx.gesture.generate.trunk import Memory
from rgx.gesture.nn.encoders import place_codes, positions
from rgx.registry import Recipe


class CausalBlock(nn.Module):
    """Causal self-attention, fusion with the speech, feed-forward; the speaker scales and shifts each norm.

    Not the paper's AdaIN: it normalises over time, and would tell a turn of those that follow it.
    """

    def __init__(
        self, width: int, heads: int, feedforward: int, dropout: float, fusion: Fusion, speakers: int
    ) -> None:
        super().__init__()
        self.attend_norm = ConditionalLayerNorm(width, speakers)
        self.feed_norm = ConditionalLayerNorm(width, speakers)
        self.attend = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.fusion = fusion
        self.feed = nn.Sequential(
            nn.Linear(width, feedforward), nn.GELU(), nn.Dropout(dropout), nn.Linear(feedforward, width)
        )

    def forward(self, x: Tensor, unseen: Tensor, memory: Tensor, place: Tensor, speaker: Tensor) -> Tensor:
        """Return the features (B, N, D) after the layer; unseen (N, N) bool: what a row must not read."""
        own = self.attend_norm(x, speaker)
        x = x + self.attend(own, own, own, attn_mask=unseen, need_weights=False)[0]
        x = x + self.fusion(x, memory, place)
        return x + cast(Tensor, self.feed(self.feed_norm(x, speaker)))


class CausalTrunk(nn.Module):
    """Features (B, N, D) in turns and the memory of speech content (B, M, E) to features (B, N, D).

    A turn reads itself and those before it, and the speech of the whole window. Raises InputError for a
    width that its heads do not divide.
    """

    def __init__(
        self,
        content: int,
        speakers: int,
        fusion: Recipe[Fusion],
        width: int,
        layers: int,
        heads: int,
        feedforward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"generator.causal.width = {width}: expected a multiple of heads = {heads}")
        self.width = width
        self.memory = nn.Linear(content, width)
        self.blocks = nn.ModuleList(
            CausalBlock(width, heads, feedforward, dropout, fusion(width, heads, dropout), speakers)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def read(self, content: Tensor) -> Memory:
        """Return the memory of speech content (B, M, E), which serves any number of passes over it."""
        memory = self.memory(content)
        memory = memory + positions(memory.shape[1], self.width, memory.device)
        fusions = [cast(CausalBlock, block).fusion for block in self.blocks]
        return Memory(memory.shape[1], [fusion.read(memory) for fusion in fusions])

    def forward(self, x: Tensor, memory: Memory, turns: Tensor, speaker: Tensor) -> Tensor:
        """Return the features after all blocks; turns (N,) is when each comes in tokens, below 0 before."""
        x = x + place_codes(turns, self.width)
        unseen = turns[None, :] > turns[:, None]
        # Before the window there is no speech; the first of it stands in.
        place = turns.clamp(min=0)
        for block, own in zip(self.blocks, memory.blocks, strict=True):
            x = block(x, unseen, own, place, speaker)
        return cast(Tensor, self.norm(x))


def turns_in_time(streams: int, before: int, tokens: int, device: torch.device) -> Tensor:
    """Return when each of S·(P + N) positions comes, in tokens, below 0 for the prefix; streams together."""
    return torch.arange(-before, tokens, device=device).repeat_interleave(streams)
