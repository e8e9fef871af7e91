"""Small and few pictures to those of a whole window at the size of the corpus' pictures."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from rgx.gesture.nn import grid


def fill_in(video: Tensor, every: int) -> Tensor:
    """Return video (F, 3, H, H), the last of every `every` frames, at all frames (T, 3, H, H).

    A frame between two is their mean by how near they are; those before the first one are the first.
    Source: reading 122.
    """
    place = ((torch.arange(len(video) * every, device=video.device) + 1) / every - 1).clamp(min=0)
    before = place.long()
    after = (before + 1).clamp(max=len(video) - 1)
    return torch.lerp(video[before], video[after], (place - before)[:, None, None, None])


def enlarge(video: Tensor, every: int, size_px: int, chunk: int) -> Iterator[Tensor]:
    """Yield all frames of small video (F, 3, H, H) in [−1, 1] as pictures (B, 3, H, H) in [0, 1], in chunks.

    Source: reading 122.
    """
    for frames in fill_in(video, every).split(chunk):
        larger = grid.enlarge(frames, (size_px, size_px))
        yield ((larger + 1) / 2).clamp(0, 1)
