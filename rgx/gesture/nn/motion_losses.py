"""Losses on motion shared by tokenizers and generators."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def motion_losses(predicted: Tensor, target: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Return smooth-L1 of positions, velocities and accelerations where all frames involved are valid.

    predicted, target (B, T, K, 2), valid (B, T, K). Source: Sec. 4.2, reading 25.
    """
    losses = {}
    for name in ("position", "velocity", "acceleration"):
        weight = valid[..., None].expand_as(target).float()
        error = F.smooth_l1_loss(predicted, target, reduction="none")
        losses[name] = (error * weight).sum() / weight.sum().clamp(min=1)
        predicted, target = predicted.diff(dim=1), target.diff(dim=1)
        # A difference needs both its frames; the second one needs three.
        valid = valid[:, 1:] & valid[:, :-1]
    return losses
