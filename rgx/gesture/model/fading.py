"""Windows of motion one after another, without a seam and without an end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from rgx.gesture.types import PREFIX_FRAMES, Batch

OVERLAP_FRAMES = 8
"""So many frames of a window are the last ones of the window before it. Source: reading 138."""


def fade_windows(
    windows: Iterable[Tensor], batch: Batch, sample: Callable[[Batch, int], Tensor]
) -> Iterator[Tensor]:
    """Yield the motion (B, N, K, 2) of windows of speech (B, T, F), each of which begins in the one before.

    Over the frames that two have in common motion goes from the one to the other, so that no generator leaves
    a seam; the frames before those are encoded anew as the prefix. sample: a window and its number to its
    motion. What is held is a window, however many there are. Source: Sec. 5.5, readings 77 and 138.
    """
    share = torch.arange(1, OVERLAP_FRAMES + 1)[:, None, None] / (OVERLAP_FRAMES + 1)
    ending: Tensor | None = None
    for number, speech in enumerate(windows):
        window = sample(replace(batch, speech=speech), number)
        if ending is not None:
            common, rest = window.split([OVERLAP_FRAMES, window.shape[1] - OVERLAP_FRAMES], dim=1)
            window = torch.cat([ending.lerp(common, share.to(window)), rest], dim=1)
        piece, ending = window.split([window.shape[1] - OVERLAP_FRAMES, OVERLAP_FRAMES], dim=1)
        prefix = torch.cat([batch.prefix, piece], dim=1)[:, -PREFIX_FRAMES:]
        # What was generated is known everywhere.
        batch = replace(batch, prefix=prefix, prefix_valid=torch.ones_like(batch.prefix_valid))
        yield piece
    if ending is not None:
        yield ending
