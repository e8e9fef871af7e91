"""The network of the flow generator: noisy latents of all streams to the way they go to the clean ones.

Source: GestureLSM, from a description of its structure; where it differs, reading 128.
"""

from __future__ import annotations

from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.denoiser import TurnedAttention, Turns, feed, time_codes, turns_of
from rgx.gesture.nn.attention import attend
from rgx.gesture.types import PREFIX_TOKENS

INNER = 4
"""So many times as wide as a block is what is inside its feed-forward part."""


class ListeningBlock(nn.Module):
    """What all streams of a time hear together: attention to the speech, then feed-forward."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.ask_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.dropout = TurnedAttention(width, heads), nn.Dropout(dropout)
        self.feed = feed(width, INNER * width, dropout)

    def forward(self, x: Tensor, memory: Tensor, turns: Turns) -> Tensor:
        x = x + self.dropout(self.ask(self.ask_norm(x), memory, turns, turns))
        return x + cast(Tensor, self.feed(self.feed_norm(x)))


class StreamBlock(nn.Module):
    """Attention of a stream to itself over time, of the streams to one another at a time, feed-forward."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.time_norm, self.stream_norm, self.feed_norm = (nn.LayerNorm(width) for _ in range(3))
        self.over_time = TurnedAttention(width, heads)
        self.over_streams = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed, self.dropout = feed(width, INNER * width, dropout), nn.Dropout(dropout)

    def forward(self, x: Tensor, turns: Turns) -> Tensor:
        """Return the features (B, N, S, D) after the block."""
        own = rearrange(self.time_norm(x), "b n s d -> (b s) n d")
        over_time = rearrange(self.over_time(own, own, turns, turns), "(b s) n d -> b n s d", b=len(x))
        x = x + self.dropout(over_time)
        at_once = attend(self.over_streams, self.stream_norm(x).flatten(0, 1))
        x = x + self.dropout(at_once.unflatten(0, x.shape[:2]))
        return x + cast(Tensor, self.feed(self.feed_norm(x)))


class VelocityNetwork(nn.Module):
    """Latents (B, N, S, D) between noise and motion to their velocity towards motion, of the same shape.

    A time's streams lie side by side while they listen, and apart afterwards. Raises InputError for a width
    that its heads cannot share in pairs.
    """

    def __init__(
        self,
        streams: int,
        latent: int,
        speakers: int,
        width: int,
        listening_layers: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if width % (2 * heads):
            raise InputError(
                f"generator.flow.width = {width}: expected a multiple of 2 · heads = {2 * heads}"
            )
        self.width, self.heads, self.together = width, heads, streams * width
        self.inward = nn.ModuleList(nn.Linear(latent, width) for _ in range(streams))
        self.before = nn.Linear(PREFIX_TOKENS * streams * latent, width)
        self.speaker = nn.Embedding(speakers, width)
        # Time, size of the step, the tokens before the window and the speaker.
        self.condition = nn.Sequential(
            nn.Linear(4 * width, width), nn.SiLU(), nn.Linear(width, self.together)
        )
        self.listening = nn.ModuleList(
            ListeningBlock(self.together, heads, dropout) for _ in range(listening_layers)
        )
        self.blocks = nn.ModuleList(StreamBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.outward = nn.ModuleList(nn.Linear(width, latent) for _ in range(streams))

    def forward(
        self, x: Tensor, time: Tensor, step: Tensor, prefix: Tensor, memory: Tensor, speaker: Tensor
    ) -> Tensor:
        """Return the velocity (B, N, S, D).

        time (B,) in (0, 1], of which 1 is noise; step (B,) is how far it is followed at once, 0 where that
        is not far at all; prefix (B, P, S, D); memory (B, N, S · width) of the speech; speaker (B,).
        """
        given = [time_codes(time, self.width), time_codes(step, self.width)]
        given += [self.before(prefix.flatten(1)), self.speaker(speaker)]
        place = torch.arange(x.shape[1], device=x.device)
        # Side by side by time, never in the order of memory: what is one time's stays one time's.
        y = torch.cat([inward(x[:, :, s]) for s, inward in enumerate(self.inward)], dim=-1)
        # What is said at a time, besides being asked for: attention alone finds its place late.
        y = y + self.condition(torch.cat(given, dim=-1))[:, None] + memory
        turns = turns_of(place, self.together // self.heads)
        for block in self.listening:
            y = block(y, memory, turns)
        y = y.unflatten(-1, (len(self.inward), self.width))
        turns = turns_of(place, self.width // self.heads)
        for block in self.blocks:
            y = block(y, turns)
        y = self.norm(y)
        return torch.stack([outward(y[:, :, s]) for s, outward in enumerate(self.outward)], dim=2)
