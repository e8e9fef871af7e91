"""Axis adversarial: the losses of eq. (8) and its usual replacements, on logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from rgx.gesture.refine.base import Adversarial
from rgx.registry import register


@register("adversarial", "non_saturating", label="Non-saturating", source="eq. (8); Goodfellow et al. 2014")
class NonSaturating(Adversarial):
    """Eq. (8) for the discriminator; the refiner raises log D of its pictures."""

    def refiner_loss(self, fake: Tensor) -> Tensor:
        # softplus(-x) is -log sigmoid(x), without the overflow.
        return F.softplus(-fake).mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.softplus(-real).mean() + F.softplus(fake).mean()


@register("adversarial", "hinge", label="Hinge", source="SPADE, reading 39; Lim & Ye 2017")
class Hinge(Adversarial):
    """The discriminator stops caring beyond a margin of 1; the refiner raises the logit."""

    def refiner_loss(self, fake: Tensor) -> Tensor:
        return -fake.mean()

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


@register("adversarial", "lsgan", label="LSGAN", source="S2G stage 3, reading 39; Mao et al. 2017, eq. (9)")
class LeastSquares(Adversarial):
    """Half the squared distance to 1 for real pictures and to 0 for refined ones."""

    boundary = 0.5

    def refiner_loss(self, fake: Tensor) -> Tensor:
        # Targets 1 and 0, so the refiner's own is 1.
        return (fake - 1).square().mean() / 2

    def discriminator_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        return (real - 1).square().mean() / 2 + fake.square().mean() / 2
