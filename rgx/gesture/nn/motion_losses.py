"""Losses on motion shared by tokenizers and generators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _Smooth(torch.autograd.Function):
    """Mean smooth-L1 of the errors e that count: c e - c^2 / 2 with c = e clipped to [-1, 1]."""

    @staticmethod
    def forward(ctx: Any, error: Tensor, counts: Tensor) -> Tensor:
        clipped = error.clamp(-1, 1).mul_(counts)
        number = counts.sum().mul(error.numel() / counts.numel()).clamp(min=1)
        ctx.save_for_backward(clipped, number)
        # c is also the derivative, so that what is kept for it is all that the sum needs. In full precision:
        # to autocast a sum of products is a product of matrices.
        with torch.autocast(error.device.type, enabled=False):
            weighted = clipped.flatten()
            return (weighted @ error.flatten() - 0.5 * weighted @ weighted) / number

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        clipped, number = ctx.saved_tensors
        return clipped * (gradient / number), None


def motion_losses(predicted: Tensor, target: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """Return smooth-L1 of positions, velocities and accelerations where all frames involved are valid.

    predicted, target (B, T, K, 2), valid (B, T, K). Source: Sec. 4.2, reading 25.
    """
    losses = {}
    error = predicted - target
    for name in ("position", "velocity", "acceleration"):
        losses[name] = _Smooth.apply(error.contiguous(), valid[..., None].to(error))
        error = error.diff(dim=1)
        # A difference needs both its frames; the second one needs three.
        valid = valid[:, 1:] & valid[:, :-1]
    return losses
