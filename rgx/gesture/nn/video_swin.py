"""A video transformer over shifted windows that knows which tokens are of one fragment of the picture.

Source: Liu 2022 (Video Swin), with the gated relative position biases of FAST-VQA (Wu 2022). Names of weights
are those of the published checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.nn.video_mae import Feedforward

Size = tuple[int, int, int]
"""Times, rows and columns."""
PATCH: Size = (2, 4, 4)
APART = -100.0
"""Added to what a token makes of one that a cyclic shift brought beside it."""


class Windowing(NamedTuple):
    """How a grid of tokens is cut into windows; fragments: of how many rows and columns the picture is."""

    grid: Size
    window: Size
    shift: Size
    fragments: tuple[int, int]


def cut(grid: Size, window: Size, shifted: bool, fragments: tuple[int, int]) -> Windowing:
    """Return the windows of a grid; a shift is half of one, and none along a side that is one window.

    Raises ValueError for a grid that they do not fill.
    """
    if any(side % size for side, size in zip(grid, window, strict=True)):
        raise ValueError(f"{grid} tokens are no multiple of a window of {window}")
    shift = [size // 2 if shifted and side > size else 0 for side, size in zip(grid, window, strict=True)]
    return Windowing(grid, window, (shift[0], shift[1], shift[2]), fragments)


def to_windows(tokens: Tensor, window: Size) -> Tensor:
    """Return tokens (B, T, H, W, C) as windows (B, windows, tokens of one, C)."""
    t, h, w = window
    return rearrange(tokens, "b (t i) (h j) (w k) c -> b (t h w) (i j k) c", i=t, j=h, k=w)


def from_windows(windows: Tensor, grid: Size, window: Size) -> Tensor:
    """Return what `to_windows` was given."""
    (t, h, w), (i, j, k) = (grid, window)
    sizes = {"t": t // i, "h": h // j, "w": w // k, "i": i, "j": j, "k": k}
    return rearrange(windows, "b (t h w) (i j k) c -> b (t i) (h j) (w k) c", **sizes)


def places(grid: Size, device: torch.device | None = None) -> Tensor:
    """Return the place (T, H, W, 3) of each token."""
    axes = (torch.arange(side, device=device) for side in grid)
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def bias_rows(window: Size) -> Tensor:
    """Return the row (N, N) in a table of biases of each two tokens of a window, by how they lie apart."""
    flat = places(window).flatten(0, 2)
    apart = flat[:, None] - flat + torch.tensor(window) - 1
    _, rows, columns = (2 * side - 1 for side in window)
    return (apart[..., 0] * rows + apart[..., 1]) * columns + apart[..., 2]


@lru_cache(maxsize=16)
def fragments_apart(windowing: Windowing, device: torch.device) -> Tensor:
    """Return by how many fragments (windows, N, N) two tokens of a window differ, rows and columns added."""
    grid = windowing.grid
    count = torch.tensor((1, *windowing.fragments), device=device)
    fragment = places(grid, device) * count // torch.tensor(grid, device=device)
    windows = _windows_of(fragment, windowing)
    return (windows[:, :, None] - windows[:, None]).abs().sum(-1).float()


@lru_cache(maxsize=16)
def walls(windowing: Windowing, device: torch.device) -> Tensor:
    """Return what is added (windows, N, N) where a cyclic shift put two tokens side by side, and else 0."""
    wrapped = places(windowing.grid, device) < torch.tensor(windowing.shift, device=device)
    windows = _windows_of(wrapped, windowing)
    return APART * (windows[:, :, None] != windows[:, None]).any(-1).float()


def _windows_of(marks: Tensor, windowing: Windowing) -> Tensor:
    """Return marks (T, H, W, C) of a grid as its windows (windows, N, C) see them after the shift."""
    shifted = marks.roll([-side for side in windowing.shift], (0, 1, 2))
    return to_windows(shifted[None], windowing.window)[0]


class WindowAttention(nn.Module):
    """Attention within a window, biased by where tokens lie to each other.

    in_fragments: two tokens of one fragment have biases of their own. Of two that are n fragments apart the
    bias is n times the one of all places less n − 1 times that of one fragment, as the published weights
    were trained (reading 90).
    """

    def __init__(self, width: int, heads: int, window: Size, in_fragments: bool) -> None:
        super().__init__()
        self.heads = heads
        pairs = math.prod(2 * side - 1 for side in window)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(pairs, heads))
        self.fragment_position_bias_table: nn.Parameter | None
        table = nn.Parameter(torch.zeros(pairs, heads)) if in_fragments else None
        self.register_parameter("fragment_position_bias_table", table)
        self.relative_position_index: Tensor
        self.register_buffer("relative_position_index", bias_rows(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, windows: Tensor, windowing: Windowing) -> Tensor:
        """Return windows (B, windows, N, C) in which each token has seen its own window."""
        batch, count, tokens, _ = windows.shape
        query, key, value = rearrange(
            self.qkv(windows), "b w n (part head c) -> part (b w) head n c", part=3, head=self.heads
        )
        added = self._biases(windowing)
        if any(windowing.shift):
            added = added + walls(windowing, windows.device)[:, None]
        added = added.expand(batch, count, self.heads, tokens, tokens).flatten(0, 1)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=added)
        return self.proj(rearrange(seen, "(b w) head n c -> b w n (head c)", b=batch))

    def _biases(self, windowing: Windowing) -> Tensor:
        """Return biases (windows, heads, N, N), or (1, heads, N, N) where all windows are alike."""
        of_places = self._at_places(self.relative_position_bias_table)
        if self.fragment_position_bias_table is None:
            return of_places
        of_fragment = self._at_places(self.fragment_position_bias_table)
        apart = fragments_apart(windowing, of_places.device)[:, None]
        return of_places * apart + of_fragment * (1 - apart)

    def _at_places(self, table: Tensor) -> Tensor:
        return table[self.relative_position_index].permute(2, 0, 1)[None]


class WindowBlock(nn.Module):
    """Attention within windows, every second time within shifted ones, and two layers over each token."""

    def __init__(self, width: int, heads: int, window: Size, shifted: bool, in_fragments: bool) -> None:
        super().__init__()
        self.window, self.shifted = window, shifted
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window, in_fragments)
        self.mlp = Feedforward(width, 4 * width)

    def forward(self, tokens: Tensor, fragments: tuple[int, int]) -> Tensor:
        """Return tokens (B, T, H, W, C)."""
        _, times, rows, columns, _ = tokens.shape
        windowing = cut((times, rows, columns), self.window, self.shifted, fragments)
        shift = windowing.shift
        shifted = self.norm1(tokens).roll([-side for side in shift], (1, 2, 3))
        seen = self.attn(to_windows(shifted, self.window), windowing)
        tokens = tokens + from_windows(seen, windowing.grid, self.window).roll(shift, (1, 2, 3))
        return tokens + self.mlp(self.norm2(tokens))


class Merging(nn.Module):
    """Four neighbours of a picture to one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, T, H / 2, W / 2, 2 C)."""
        # Upper left, lower left, upper right, lower right: the order of the published weights.
        return self.reduction(self.norm(rearrange(tokens, "b t (h i) (w j) c -> b t h w (j i c)", i=2, j=2)))


class WindowStage(nn.Module):
    """Blocks of one width, the picture halved after them unless it is the last."""

    def __init__(
        self, width: int, depth: int, heads: int, window: Size, in_fragments: bool, halves: bool
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            WindowBlock(width, heads, window, bool(place % 2), in_fragments) for place in range(depth)
        )
        self.downsample = Merging(width) if halves else None

    def forward(self, tokens: Tensor, fragments: tuple[int, int]) -> Tensor:
        """Return tokens (B, T, H, W, C), or half as many rows and columns of twice the width."""
        for block in self.blocks:
            tokens = block(tokens, fragments)
        return tokens if self.downsample is None else self.downsample(tokens)


class VideoPatches(nn.Module):
    """Blocks of 2 × 4 × 4 pixels to tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, PATCH, PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, video: Tensor) -> Tensor:
        """Return tokens (B, T / 2, H / 4, W / 4, C) of a video (B, 3, T, H, W)."""
        return self.norm(rearrange(self.proj(video), "b c t h w -> b t h w c"))


class VideoSwin(nn.Module):
    """Features of a video, by default as large as Video Swin-T; all but the last stage know its fragments.

    window: how many tokens attend to each other, a picture of as many fragments in rows and columns.
    """

    def __init__(
        self,
        width: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: Size = (8, 7, 7),
    ) -> None:
        super().__init__()
        self.fragments = window[1:]
        last = len(depths) - 1
        self.patch_embed = VideoPatches(width)
        self.layers = nn.ModuleList(
            WindowStage(width * 2**place, depth, heads[place], window, place < last, place < last)
            for place, depth in enumerate(depths)
        )
        self.norm = nn.LayerNorm(width * 2**last)

    def forward(self, video: Tensor) -> Tensor:
        """Return features (B, C, T / 2, H / 32, W / 32) of a video (B, 3, T, H, W) made of fragments.

        Raises ValueError where windows do not fill it.
        """
        tokens = self.patch_embed(video)
        for stage in self.layers:
            tokens = stage(tokens, self.fragments)
        return rearrange(self.norm(tokens), "b t h w c -> b c t h w")
