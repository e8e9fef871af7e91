"""What DOVER sees of a video: the whole picture made small, and pieces of it at full size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rgx.gesture.nn.grid import resize

FRAMES, STRIDE = 32, 2
GRID, FRAGMENT_PX = 7, 32
SIZE_PX = GRID * FRAGMENT_PX


def aesthetic_view(video: Tensor) -> Tensor:
    """Return (32, 3, 224, 224) of a video (T, 3, H, W): the middle frames of 32 equal spans, resized."""
    middles = ((torch.arange(FRAMES) + 0.5) * len(video) / FRAMES).long()
    return resize(video[middles.to(video.device)], (SIZE_PX, SIZE_PX))


def technical_view(video: Tensor, seed: int) -> Tensor:
    """Return (32, 3, 224, 224) of a video (T, 3, H, W): every second frame of its middle, in fragments.

    A fragment of 32 px is cut unscaled from each cell of a 7 × 7 grid, at a place the seed decides and
    all frames share. Pictures under 224 px are enlarged first. Raises ValueError for under 63 frames.
    """
    span = STRIDE * (FRAMES - 1) + 1
    if len(video) < span:
        raise ValueError(f"DOVER's technical view needs {span} frames, found {len(video)}")
    first = (len(video) - span) // 2
    clip = video[first : first + span : STRIDE]
    height, width = clip.shape[-2:]
    scale = max(1.0, SIZE_PX / min(height, width))
    clip = resize(clip, (round(height * scale), round(width * scale)))
    tops, lefts = fragments((clip.shape[-2], clip.shape[-1]), seed)
    rows = [
        torch.cat([clip[..., y : y + FRAGMENT_PX, x : x + FRAGMENT_PX] for y, x in zip(*row, strict=True)], 3)
        for row in zip(tops, lefts, strict=True)
    ]
    return torch.cat(rows, dim=2)


def fragments(size: tuple[int, int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return tops and lefts (7, 7) of fragments in a picture (H, W) of 224 px or more, each in its cell."""
    random = np.random.default_rng(seed)
    cells = [side // GRID for side in size]
    tops, lefts = (random.integers(cell - FRAGMENT_PX + 1, size=(GRID, GRID)) for cell in cells)
    return np.arange(GRID)[:, None] * cells[0] + tops, np.arange(GRID) * cells[1] + lefts
