"""Motion longer than a window: each window is generated from the frames in which the one before it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from rgx.gesture.types import PREFIX_FRAMES, WINDOW_FRAMES, Batch


def chain_windows(batch: Batch, sample: Callable[[Batch], Tensor]) -> Tensor:
    """Return motion (B, T, K, 2) for speech (B, T, F) of any whole number of tokens.

    sample: a window of at most 80 frames to its motion. The frames a window ends in are encoded anew as the
    next one's prefix, so that no token tells of what came after it. Source: Sec. 5.5, reading 112.
    """
    pieces: list[Tensor] = []
    for speech in batch.speech.split(WINDOW_FRAMES, dim=1):
        window = sample(replace(batch, speech=speech))
        pieces.append(window)
        prefix = torch.cat([batch.prefix, window], dim=1)[:, -PREFIX_FRAMES:]
        # What was generated is known everywhere.
        batch = replace(batch, prefix=prefix, prefix_valid=torch.ones_like(batch.prefix_valid))
    return torch.cat(pieces, dim=1)
