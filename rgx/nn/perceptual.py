"""Axis perceptual: features in which two pictures are compared."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class PerceptualFeatures(nn.Module):
    """A fixed network whose activations tell pictures apart; `prepare` loads it before use."""

    note: ClassVar[str] = ""
    """What a table must say of numbers that this network had a part in."""

    def fingerprint(self) -> str:
        """Return the identity of pretrained weights; raises InputError for a file that is not them."""
        return ""

    def prepare(self, device: str) -> None:
        """Load the weights, frozen, on a device."""

    @abstractmethod
    def forward(self, picture: Tensor) -> list[Tensor]:
        """Return activations, shallow to deep, of pictures (B, 3, H, W) in [0, 1]."""

    def distance(self, made: Tensor, real: Tensor) -> Tensor:
        """Return the mean absolute difference of activations, summed over layers; gradients reach `made`."""
        return sum(
            ((a - b.detach()).abs().mean() for a, b in zip(self(made), self(real), strict=True)),
            start=made.new_zeros(()),
        )
