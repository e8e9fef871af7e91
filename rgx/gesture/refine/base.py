"""The contracts of the axes refiner, discriminator, adversarial and picture_loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from rgx.gesture.nn.perceptual import PerceptualFeatures


class Refined(NamedTuple):
    """What a refiner makes of animated pictures.

    picture (B, 3, H, W) in [0, 1]; painted (B, 3, H, W), what its network drew before it was put together
    with the animated picture, the picture itself where nothing is; trusted (B, 1, H, W) of the animated
    picture; structure (B, map_channels, H, W).
    """

    picture: Tensor
    painted: Tensor
    trusted: Tensor
    structure: Tensor


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

    def refine(self, picture: Tensor, trusted: Tensor, pose: Tensor, valid: Tensor) -> Refined:
        """Return what `forward` does with all that training wants beside it."""
        refined = self(picture, trusted, pose, valid)
        structure = self.structure(pose, valid, (picture.shape[-2], picture.shape[-1]))
        return Refined(refined, refined, trusted, structure)


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


@dataclass
class Comparison:
    """Refined pictures beside the recorded ones: picture, painted and real (B, 3, H, W) in [0, 1].

    trusted (B, 1, H, W): where the animated picture shows what the source does; hands (B, 1, H, W): 1 in
    their boxes, 0 elsewhere.
    """

    picture: Tensor
    painted: Tensor
    real: Tensor
    trusted: Tensor
    hands: Tensor


@dataclass
class Activations:
    """The activations of a comparison's pictures, each worked out once however many losses ask."""

    comparison: Comparison
    perceptual: PerceptualFeatures

    @cached_property
    def picture(self) -> list[Tensor]:
        return self.perceptual(self.comparison.picture)

    @cached_property
    def painted(self) -> list[Tensor]:
        same = self.comparison.painted is self.comparison.picture
        return self.picture if same else self.perceptual(self.comparison.painted)

    @cached_property
    def real(self) -> list[Tensor]:
        # No gradient on the recorded side: half of the memory.
        with torch.no_grad():
            return self.perceptual(self.comparison.real)


class PictureLoss(ABC):
    """One weighted term of what a refiner learns by."""

    name: ClassVar[str]
    """What the curve of a training calls it."""
    by_picture: ClassVar[bool] = True
    """Whether it is a mean over pictures that count alike, which shares of a batch can be worked out of."""

    @abstractmethod
    def __call__(self, comparison: Comparison, seen: Activations) -> Tensor:
        """Return the scalar loss, its weight in it."""
