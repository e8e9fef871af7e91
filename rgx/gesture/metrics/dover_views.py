"""What DOVER sees of a video: the whole picture made small, and pieces of it at full size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rgx.gesture.nn.grid import resize

FRAMES, STRIDE = 32, 2
CLIPS = 3
GRID, FRAGMENT_PX = 7, 32
SIZE_PX = GRID * FRAGMENT_PX


def aesthetic_view(video: Tensor, seed: int) -> Tensor:
    """Return (32, 3, 224, 224) of a video (T, 3, H, W): one frame of each 32nd part, resized.

    Raises ValueError for under 32 frames.
    """
    if len(video) < FRAMES:
        raise ValueError(f"DOVER's aesthetic view needs {FRAMES} frames, found {len(video)}")
    frames = spread(len(video), FRAMES, 1, np.random.default_rng(seed))
    return resize(video[frames.flatten()], (SIZE_PX, SIZE_PX))


def technical_view(video: Tensor, seed: int) -> Tensor:
    """Return (3, 32, 3, 224, 224) of a video (T, 3, H, W): a clip of each third, in fragments.

    A clip is every second of 63 frames and goes on at the video's start where it is at its end. A fragment of
    32 px is cut unscaled from each cell of a 7 × 7 grid, at a place that the seed decides and all frames of
    a clip share. Pictures under 224 px are enlarged first.
    """
    random = np.random.default_rng(seed)
    frames = spread(len(video), CLIPS, FRAMES, random)
    height, width = video.shape[-2:]
    scale = max(1.0, SIZE_PX / min(height, width))
    size = (round(height * scale), round(width * scale))
    return torch.stack([_fragmented(resize(video[clip], size), random) for clip in frames])


def spread(count: int, parts: int, length: int, random: np.random.Generator) -> Tensor:
    """Return frames (parts, length) of a video of so many: every second from each part of it.

    They begin with their part, or anywhere in it that leaves room for them all.
    """
    part = count // parts
    room = max(part - length * STRIDE, 0)
    first = np.arange(parts) * part + random.integers(max(room, 1), size=parts)
    return torch.from_numpy((first[:, None] + np.arange(length) * STRIDE) % count)


def fragments(size: tuple[int, int], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return tops and lefts (7, 7) of fragments in a picture (H, W) of 224 px or more, each in its cell."""
    cells = [side // GRID for side in size]
    tops, lefts = (random.integers(cell - FRAGMENT_PX + 1, size=(GRID, GRID)) for cell in cells)
    return np.arange(GRID)[:, None] * cells[0] + tops, np.arange(GRID) * cells[1] + lefts


def _fragmented(clip: Tensor, random: np.random.Generator) -> Tensor:
    """Return (T, 3, 224, 224) of a clip (T, 3, H, W)."""
    tops, lefts = fragments((clip.shape[-2], clip.shape[-1]), random)
    rows = [
        torch.cat([clip[..., y : y + FRAGMENT_PX, x : x + FRAGMENT_PX] for y, x in zip(*row, strict=True)], 3)
        for row in zip(tops, lefts, strict=True)
    ]
    return torch.cat(rows, dim=2)
