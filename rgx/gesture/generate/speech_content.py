"""The speech content that generators hear, and the silence that takes its place at random in training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgx.gesture.nn.precision import sent
from rgx.shares import share_rows


def encode_speech(encoders: nn.ModuleDict, speech: Tensor) -> Tensor:
    """Return the content (B, N, E) of speech (B, T, F): that of all streams' encoders, side by side."""
    return torch.cat([share_rows(encoder)(speech) for encoder in encoders.values()], dim=-1)


def silence_some(content: Tensor, silence: Tensor, share: float) -> Tensor:
    """Return speech content (B, N, E) with a random share of the windows replaced by a silence (E,)."""
    if not share:
        return content
    silenced = sent(torch.rand(len(content), 1, 1) < share, content.device)
    return torch.where(silenced, silence, content)
