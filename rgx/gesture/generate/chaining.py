"""Motion that goes on: a window from its source frame, and one window from the end of another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from rgx.gesture.types import PREFIX_FRAMES, WINDOW_FRAMES, Batch

SETTLE_FRAMES = 8
"""Over so many frames a window leaves what its tokens miss of the source frame."""


def go_on(decoded: Tensor, batch: Batch) -> Tensor:
    """Return the window (B, T, K, 2) of decoded tokens (B, P + T, K, 2) as it goes on from the source frame.

    Tokens tell where a person is to within their error, the source frame tells it exactly. What they miss
    there is added to the first frame whole, to the next ones less and less, from the ninth on no more; points
    that are not valid in the source frame are left. Source: reading 78.
    """
    before, window = decoded.split([PREFIX_FRAMES, decoded.shape[1] - PREFIX_FRAMES], dim=1)
    off = (batch.prefix - before)[:, -1:] * batch.prefix_valid[:, -1:, :, None]
    left = 1 - torch.arange(window.shape[1], device=window.device) / SETTLE_FRAMES
    return window + left.clamp(min=0)[:, None, None] * off


def chain_windows(batch: Batch, sample: Callable[[Batch], Tensor]) -> Tensor:
    """Return motion (B, T, K, 2) for speech (B, T, F) of any whole number of tokens.

    sample: a window of at most 80 frames to its motion. The frames a window ends in are encoded anew as the
    next one's prefix, so that no token tells of what came after it. Source: Sec. 5.5, reading 77.
    """
    pieces: list[Tensor] = []
    for speech in batch.speech.split(WINDOW_FRAMES, dim=1):
        window = sample(replace(batch, speech=speech))
        pieces.append(window)
        prefix = torch.cat([batch.prefix, window], dim=1)[:, -PREFIX_FRAMES:]
        # What was generated is known everywhere.
        batch = replace(batch, prefix=prefix, prefix_valid=torch.ones_like(batch.prefix_valid))
    return torch.cat(pieces, dim=1)
