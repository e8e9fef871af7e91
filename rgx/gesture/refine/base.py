"""The contracts of the axes refiner, discriminator and adversarial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn


class Refiner(nn.Module):
    """Animated pictures to refined ones."""

    present: ClassVar[bool] = True
    reads_pose: ClassVar[bool] = True
    """Whether what it paints depends on the pose; one that does not refines motion that has none."""
    map_channels: ClassVar[int] = 0
    """Channels of the structure map that the discriminator sees beside the picture."""

    @abstractmethod
    def forward(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Tensor:
        """Return pictures (B, 3, H, W) in [0, 1] of animated ones with trusted (B, 1, H, W).

        pose (B, K, 2) in [−1, 1] and valid (B, K) say what the picture should show.
        """

    def structure(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        """Return the structure map (B, map_channels, H, W) of poses at one resolution."""
        return pose.new_zeros(len(pose), self.map_channels, *size)

    def own_rates(self) -> list[tuple[nn.Module, float]]:
        """Return the parts that learn at a rate of their own, with how many times the network's it is."""
        return []

    def learned(self) -> dict[str, Tensor]:
        """Return what there is to know of what it has learned of the structure: a scalar by name."""
        return {}

    def refine(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, and the structure map at that size: for training, which wants both."""
        size = (picture.shape[-2], picture.shape[-1])
        return self(picture, trusted, pose, valid), self.structure(pose, valid, size)


class Discriminator(nn.Module):
    """Tells real pictures from refined ones, given the structure map."""

    @abstractmethod
    def forward(self, picture: Tensor, structure: Tensor) -> Tensor:
        """Return logits (B, 1, h, w) of pictures (B, 3, H, W) and maps (B, map_channels, H, W)."""


class Adversarial(ABC):
    """The game between refiner and discriminator, on logits of any shape."""

    boundary: ClassVar[float] = 0.0
    """A logit above it calls a picture real."""

    @abstractmethod
    def refiner_loss(self, fake: Tensor) -> Tensor:
        """Return the refiner's scalar loss."""

    @abstractmethod
    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Return the discriminator's scalar loss."""
