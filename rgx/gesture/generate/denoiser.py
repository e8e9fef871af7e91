"""The network of the diffusion generator: a noisy window, its speech and the frames before it to a clean one.

Source: S2G-Diffusion, from a description of its structure; where it differs, reading 93.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.types import PREFIX_FRAMES

TIME_TOKENS = 2
"""How many tokens beside the speech say how noisy the window is."""
NOISE_LEVELS = 1000
"""A time of 1 is told to the network as this number, for which its codes are made."""
Turns = tuple[Tensor, Tensor]
"""Cosine and sine (N, D / 2) of how far each place turns each pair of a head's features."""


def turns_of(place: Tensor, width: int) -> Turns:
    """Return how places (N,) turn the features of a head so wide. Source: Su et al. 2021 (RoFormer)."""
    rates = torch.exp(torch.arange(0, width, 2, device=place.device) * (-math.log(10_000.0) / width))
    angles = place.float()[:, None] * rates
    return angles.cos(), angles.sin()


def turn(x: Tensor, turns: Turns) -> Tensor:
    """Return queries or keys (B, heads, N, D), turned: a product of two tells how far apart they are."""
    (cosine, sine), (left, right) = turns, x.chunk(2, dim=-1)
    return torch.cat([left * cosine - right * sine, left * sine + right * cosine], dim=-1)


def time_codes(time: Tensor, width: int) -> Tensor:
    """Return sinusoidal codes (B, D) of times (B,) in [0, 1]."""
    return torch.cat(turns_of(NOISE_LEVELS * time, width), dim=-1)


class TurnedAttention(nn.Module):
    """Attention in which each head's queries and keys are turned by their places, after the projection."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.memory = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.outward = nn.Linear(width, width)

    def forward(self, x: Tensor, memory: Tensor, turns: Turns, memory_turns: Turns) -> Tensor:
        query = rearrange(self.query(x), "b n (h d) -> b h n d", h=self.heads)
        key, value = rearrange(self.memory(memory), "b m (s h d) -> s b h m d", s=2, h=self.heads)
        read = F.scaled_dot_product_attention(turn(query, turns), turn(key, memory_turns), value)
        return cast(Tensor, self.outward(rearrange(read, "b h n d -> b n (h d)")))


def feed(width: int, inner: int, dropout: float) -> nn.Sequential:
    """Return the feed-forward part of a layer."""
    return nn.Sequential(
        nn.Linear(width, inner), nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, width), nn.Dropout(dropout)
    )


class SpeechLayer(nn.Module):
    """A transformer layer that normalises first."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attend_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.dropout = TurnedAttention(width, heads), nn.Dropout(dropout)
        self.feed = feed(width, feedforward, dropout)

    def forward(self, x: Tensor, turns: Turns) -> Tensor:
        own = self.attend_norm(x)
        x = x + self.dropout(self.attend(own, own, turns, turns))
        return x + cast(Tensor, self.feed(self.feed_norm(x)))


class SpeechReader(nn.Module):
    """Speech features (B, T, F) to a memory of them (B, T, D), frame by frame."""

    def __init__(
        self, features: int, width: int, layers: int, heads: int, feedforward: int, dropout: float
    ) -> None:
        super().__init__()
        self.head_width = width // heads
        self.inward = nn.Linear(features, width)
        self.layers = nn.ModuleList(SpeechLayer(width, heads, feedforward, dropout) for _ in range(layers))

    def forward(self, speech: Tensor) -> Tensor:
        x: Tensor = self.inward(speech)
        turns = turns_of(torch.arange(x.shape[1], device=x.device), self.head_width)
        for layer in self.layers:
            x = layer(x, turns)
        return x


class FeatureModulation(nn.Module):
    """Scale and shift a branch (B, N, D) by a condition (B, D), before it is added to the stream."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulation = nn.Sequential(nn.Mish(), nn.Linear(width, 2 * width))

    def forward(self, branch: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.modulation(condition)[:, None].chunk(2, dim=-1)
        return (1 + scale) * branch + cast(Tensor, shift)


class DenoisingLayer(nn.Module):
    """Attention to itself and to the memory, then feed-forward: each normalised before, modulated after."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.attend_norm, self.ask_norm, self.feed_norm = (nn.LayerNorm(width) for _ in range(3))
        self.attend_film, self.ask_film, self.feed_film = (FeatureModulation(width) for _ in range(3))
        self.attend, self.ask = TurnedAttention(width, heads), TurnedAttention(width, heads)
        self.feed, self.dropout = feed(width, feedforward, dropout), nn.Dropout(dropout)

    def forward(
        self, x: Tensor, memory: Tensor, condition: Tensor, turns: Turns, memory_turns: Turns
    ) -> Tensor:
        own = self.attend_norm(x)
        attended = self.dropout(self.attend(own, own, turns, turns))
        x = x + self.attend_film(attended, condition)
        asked = self.dropout(self.ask(self.ask_norm(x), memory, turns, memory_turns))
        x = x + self.ask_film(asked, condition)
        return x + cast(Tensor, self.feed_film(self.feed(self.feed_norm(x)), condition))


class Denoiser(nn.Module):
    """A noisy window of C coordinates (B, T, C) to the clean one, as far as it lies from the source frame.

    Every frame sees the frames before the window; time, the mean of the speech and the speaker modulate
    every branch. Raises InputError for a width that its heads cannot share in pairs.
    """

    def __init__(
        self,
        coordinates: int,
        speakers: int,
        width: int,
        layers: int,
        heads: int,
        feedforward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if width % (2 * heads):
            raise InputError(
                f"generator.diffusion.width = {width}: expected a multiple of 2 · heads = {2 * heads}"
            )
        self.width, self.head_width = width, width // heads
        self.inward = nn.Linear(coordinates, width)
        self.before = nn.Linear(PREFIX_FRAMES * coordinates, width)
        self.clock = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish())
        self.time = nn.Linear(4 * width, width)
        self.time_tokens = nn.Linear(4 * width, TIME_TOKENS * width)
        self.gist = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.speaker = nn.Embedding(speakers, width)
        self.memory_norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(DenoisingLayer(width, heads, feedforward, dropout) for _ in range(layers))
        self.outward = nn.Linear(width, coordinates)
        # What nobody has learned yet is to stay as in the source frame.
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)

    def forward(self, x: Tensor, time: Tensor, prefix: Tensor, memory: Tensor, speaker: Tensor) -> Tensor:
        """Return the clean window (B, T, C).

        time (B,) in (0, 1]; prefix (B, P, C), whose last frame is the source frame; memory (B, T, D) of the
        speech; speaker (B,).
        """
        clock = self.clock(time_codes(time, self.width))
        condition = self.time(clock) + self.gist(memory.mean(dim=1)) + self.speaker(speaker)
        tokens = rearrange(self.time_tokens(clock), "b (n d) -> b n d", n=TIME_TOKENS)
        memory = self.memory_norm(torch.cat([memory, tokens], dim=1))
        place = torch.arange(x.shape[1], device=x.device)
        turns = turns_of(place, self.head_width)
        # How noisy a window is has no place in it: those keys stay as they are.
        memory_turns = turns_of(F.pad(place, (0, TIME_TOKENS)), self.head_width)
        y = self.inward(x) + self.before(prefix.flatten(1))[:, None]
        for layer in self.layers:
            y = layer(y, memory, condition, turns, memory_turns)
        return prefix[:, -1:] + cast(Tensor, self.outward(y))
