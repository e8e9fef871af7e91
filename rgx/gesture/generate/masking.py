"""What becomes of the tokens that were chosen to be predicted: another code, the mask, or what they were."""

from __future__ import annotations

import torch
from torch import Tensor

from rgx.gesture.nn.precision import sent


def deal(chosen: Tensor, replaced_share: float, masked_share: float) -> tuple[Tensor, Tensor]:
    """Return which of the chosen tokens (B, N) bool become a random code and which the mask; the rest stay.

    replaced_share: of the chosen; masked_share: of those not replaced. Source: reading 53.
    """
    fate = sent(torch.rand(chosen.shape), chosen.device)
    replaced = chosen & (fate < replaced_share)
    masked = chosen & ~replaced & (fate < replaced_share + (1 - replaced_share) * masked_share)
    return replaced, masked
