"""How often a discriminator is right."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Accuracy(nn.Module):
    """The share of real patches called real and of refined ones called refined, over about the last steps.

    A logit above the boundary calls its patch real. steps: how many, of which the share is a running mean.
    A module whose buffers a checkpoint keeps, so that a training goes on with it.
    """

    def __init__(self, boundary: float, steps: int) -> None:
        super().__init__()
        self.boundary, self.steps = boundary, steps
        self.shares: Tensor
        self.seen: Tensor
        self.register_buffer("shares", torch.zeros(2))
        self.register_buffer("seen", torch.zeros(()))

    @torch.no_grad()
    def see(self, real: Tensor, refined: Tensor) -> None:
        """Take in the logits of a step, of any shape, without waiting for them."""
        right = torch.stack(
            [(real > self.boundary).to(self.shares).mean(), (refined <= self.boundary).to(self.shares).mean()]
        )
        self.seen += 1
        self.shares.lerp_(right, 1 / self.seen.clamp(max=self.steps))

    def facts(self) -> dict[str, Tensor]:
        """Return both shares by name."""
        real, refined = self.shares
        return {"real_called_real": real, "refined_called_refined": refined}
