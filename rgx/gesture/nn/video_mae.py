"""A transformer that learnt to see hidden parts of videos: in its features FVD sees motion more than content.

Source: Wang 2023 (VideoMAE V2). Names of weights are those of its published checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-6
TUBELET = 2
"""Frames a token spans."""


@dataclass(frozen=True)
class Sizes:
    """How large a VideoMAE is; patch and picture in pixels, classes of the task it was tuned for."""

    width: int
    depth: int
    heads: int
    hidden: int
    patch: int
    picture: int
    frames: int
    classes: int


GIANT = Sizes(width=1408, depth=40, heads=16, hidden=6144, patch=14, picture=224, frames=16, classes=174)
"""ViT-g/14 tuned on Something-Something V2, in which Ge 2024 takes the distance."""


def sinusoids(count: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return the encoding (count, width) of places: sines and cosines by turns. Source: Vaswani 2017."""
    channels = torch.arange(width, device=device)
    rates = 10000.0 ** (-2 * (channels // 2).double() / width)
    angles = torch.arange(count, device=device)[:, None] * rates
    return torch.where(channels % 2 == 0, angles.sin(), angles.cos()).float()


class TokenAttention(nn.Module):
    """Attention among all tokens; queries and values have a bias, keys none."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias, self.v_bias = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, N, C)."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        parts = F.linear(tokens, self.qkv.weight, bias)
        query, key, value = rearrange(parts, "b n (part head c) -> part b head n c", part=3, head=self.heads)
        seen = F.scaled_dot_product_attention(query, key, value)
        return self.proj(rearrange(seen, "b head n c -> b n (head c)"))


class Feedforward(nn.Module):
    """Two layers over each token."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, N, C)."""
        return self.fc2(F.gelu(self.fc1(tokens)))


class VideoMAEBlock(nn.Module):
    """Attention and two layers, each after a normalisation."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(sizes.width, eps=EPSILON) for _ in range(2))
        self.attn = TokenAttention(sizes.width, sizes.heads)
        self.mlp = Feedforward(sizes.width, sizes.hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, N, C)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class TubePatches(nn.Module):
    """Blocks of two frames and a patch of pixels to tokens."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        block = (TUBELET, sizes.patch, sizes.patch)
        self.proj = nn.Conv3d(3, sizes.width, block, block)

    def forward(self, video: Tensor) -> Tensor:
        """Return tokens (B, N, C) in the order of time, rows, columns."""
        return rearrange(self.proj(video), "b c t h w -> b (t h w) c")


class VideoMAE(nn.Module):
    """The mean of all tokens of a video, normalised. The head is held, as the file has one, and not asked."""

    def __init__(self, sizes: Sizes = GIANT) -> None:
        super().__init__()
        self.sizes = sizes
        self.patch_embed = TubePatches(sizes)
        self.blocks = nn.ModuleList(VideoMAEBlock(sizes) for _ in range(sizes.depth))
        self.fc_norm = nn.LayerNorm(sizes.width, eps=EPSILON)
        self.head = nn.Linear(sizes.width, sizes.classes)

    def forward(self, video: Tensor) -> Tensor:
        """Return features (B, C) of a video (B, 3, frames, picture, picture) in [0, 1].

        Raises ValueError for a video of another size.
        """
        sizes = self.sizes
        expected = (3, sizes.frames, sizes.picture, sizes.picture)
        if tuple(video.shape[1:]) != expected:
            raise ValueError(f"VideoMAE looks at videos of {expected}, found {tuple(video.shape[1:])}")
        tokens = self.patch_embed(video)
        tokens = tokens + sinusoids(tokens.shape[1], sizes.width, tokens.device)
        for block in self.blocks:
            tokens = block(tokens)
        return self.fc_norm(tokens.mean(1))
