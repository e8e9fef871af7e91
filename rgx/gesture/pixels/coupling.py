"""What frames of video and of sound read of themselves and of each other.

Source: MM-Diffusion (random-shift attention over modalities, RS-MMA), from a description of its structure.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 32


def norm(channels: int) -> nn.GroupNorm:
    """Return a norm in 32 groups, or in fewer where a group would be less than two channels."""
    return nn.GroupNorm(math.gcd(GROUPS, max(1, channels // 2)), channels)


def silent(layer: nn.Module) -> nn.Module:
    """Return a layer that gives nothing until it has learned something."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


class SelfAttention(nn.Module):
    """Places of one stream that read each other, added to what was there."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.inward = norm(channels), nn.Linear(channels, 3 * channels)
        self.outward = silent(nn.Linear(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B, C, N)."""
        projected = self.inward(self.norm(x).transpose(1, 2))
        query, key, value = rearrange(projected, "b n (s h d) -> s b h n d", s=3, h=self.heads)
        read = F.scaled_dot_product_attention(query, key, value)
        return x + cast(Tensor, self.outward(rearrange(read, "b h n d -> b n (h d)"))).transpose(1, 2)


def shifted(share: float, frames: int, window: int) -> int:
    """Return by how many frames a window is moved: a share in [0, 1) of all it can be without wrapping."""
    return int(share * (frames - window + 1))


def read_windows(query: Tensor, key: Tensor, value: Tensor, window: int, shift: int) -> Tensor:
    """Return what queries (B, T, heads, N, D) read of keys and values (B, T, heads, M, D) frame by frame.

    Frame i reads frames i + shift to i + shift + window − 1, which go on at the first after the last.
    """
    frames = query.shape[1]
    if window == frames:  # every frame reads all of them: at once, without a copy of all for each
        query, key, value = (rearrange(x, "b t h n d -> b h (t n) d") for x in (query, key, value))
        read = F.scaled_dot_product_attention(query, key, value)
        return rearrange(read, "b h (t n) d -> b t h n d", t=frames)
    places = torch.arange(window, device=query.device) + shift
    index = (torch.arange(frames, device=query.device)[:, None] + places) % frames
    key, value = (rearrange(x[:, index], "b t w h n d -> (b t) h (w n) d") for x in (key, value))
    read = F.scaled_dot_product_attention(query.flatten(0, 1), key, value)
    return read.unflatten(0, (-1, frames))


class Coupling(nn.Module):
    """Each frame of the video reads a window of the sound's frames, and each of the sound of the video's.

    window: in frames; None for all of them, where nothing can be shifted.
    """

    def __init__(self, channels: int, heads: int, window: int | None) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.video_norm, self.sound_norm = norm(channels), norm(channels)
        self.video_inward, self.sound_inward = (nn.Linear(channels, 3 * channels) for _ in range(2))
        self.video_outward, self.sound_outward = (silent(nn.Linear(channels, channels)) for _ in range(2))

    def forward(self, video: Tensor, sound: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Return both streams, (B, C, T, H, W) and (B, C, S); share: in [0, 1), how far windows are moved."""
        frames = video.shape[2]
        window = frames if self.window is None else self.window
        shift = shifted(share, frames, window)
        shape, sizes = "b (t n) (s h d) -> s b t h n d", {"s": 3, "h": self.heads, "t": frames}
        places = self.video_norm(video.flatten(2)).transpose(1, 2)
        pixels = rearrange(self.video_inward(places), shape, **sizes)
        samples = rearrange(self.sound_inward(self.sound_norm(sound).transpose(1, 2)), shape, **sizes)
        seen = read_windows(pixels[0], samples[1], samples[2], window, shift)
        heard = read_windows(samples[0], pixels[1], pixels[2], window, shift)
        seen, heard = (rearrange(x, "b t h n d -> b (t n) (h d)") for x in (seen, heard))
        video = video + self.video_outward(seen).transpose(1, 2).reshape(video.shape)
        return video, sound + self.sound_outward(heard).transpose(1, 2)
