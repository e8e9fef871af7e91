"""Animated pictures to refined ones, against a discriminator that knows the structure of the pose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.animate.base import Animator
from rgx.gesture.data.augmentation import Augmentation
from rgx.gesture.data.pair_reader import PairReader
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.nn.precision import fast, laid_out
from rgx.gesture.refine.accuracy import Accuracy
from rgx.gesture.refine.base import (
    Activations,
    Adversarial,
    Comparison,
    Discriminator,
    PictureLoss,
    Refined,
    Refiner,
)
from rgx.gesture.types import Pairs
from rgx.registry import Part, Recipe, register
from rgx.shares import share_mean, share_rows
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import Keeper, Opponent, fit
from rgx.train.optimiser import AdamW, Optimiser

ADVERSARIAL = "adversarial"
"""What the curve calls the loss of the game, which is no picture loss."""
LAST = 0.1
"""The share of a training, its last, over which the discriminator's accuracy is told."""


@register("stage", "refiner", label="Refiner", source="Sec. 4.3, eq. (8)")
class RefinerStage(Stage):
    """Picture losses and a conditional adversarial one over what the frozen animator leaves.

    The discriminator learns by the refiner's clock; how often it is right over the last tenth of the training
    is told, and where the edges' thickness and weights began and ended. losses: the terms beside the
    adversarial one; raises InputError for two of one name. Source: Sec. 4.3, readings 42, 105 and 107.
    """

    version = 3
    trains = True

    def __init__(
        self,
        refiner: Recipe[Refiner],
        discriminator: Recipe[Discriminator],
        adversarial: Adversarial,
        perceptual: PerceptualFeatures,
        augmentation: Part[Augmentation],
        losses: tuple[PictureLoss, ...],
        training: AdamW,
        discriminator_training: Optimiser,
        adversarial_weight: float = 0.1,
    ) -> None:
        self.refiner, self.discriminator, self.adversarial = refiner, discriminator, adversarial
        self.perceptual, self.augmentation, self.training = perceptual, augmentation, training
        self.discriminator_training = discriminator_training
        discriminator_training.schedule.check(training.steps)
        self.losses, self.adversarial_weight = losses, adversarial_weight
        names = [ADVERSARIAL, *(loss.name for loss in losses)]
        if double := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"stage.refiner.losses: two terms are called '{double[0]}'; expected each once")

    def parents(self) -> tuple[str, ...]:
        return ("frames", "animator")

    def fingerprint(self) -> str:
        return self.perceptual.fingerprint()

    def build(self, parents: Mapping[str, Any]) -> Refiner:
        """Return the refiner; raises InputError for an animator that makes no pairs to learn from."""
        if parents["animator"].outside:
            raise InputError(
                f"refiner: {self.refiner.variant.name} learns from pairs of frames, and an animator outside "
                "rgx makes whole windows only; choose refiner: none"
            )
        return self.refiner(parents["frames"].size_px)

    def run(self, inputs: Inputs, workspace: Workspace, built: Refiner) -> dict[str, Any]:
        device = workspace.device
        pictures, animator = load_pictures(inputs, device), inputs.built["animator"]
        self.perceptual.prepare(device)
        critic = laid_out(self.discriminator(built.map_channels).to(device), device)
        accuracy = Accuracy(self.adversarial.boundary, max(1, round(LAST * self.training.steps))).to(device)
        critic.add_module("accuracy", accuracy)
        learned = [weight for weight in critic.parameters() if weight.requires_grad]

        def watched() -> dict[str, float]:
            return {name: float(value) for name, value in (built.learned() | accuracy.facts()).items()}

        started = {f"{name}_at_start": float(value) for name, value in built.learned().items()}
        seen: dict[str, Tensor] = {}

        def refine() -> dict[str, Tensor]:
            pairs = self.augmentation(reader.draw())
            # What the discriminator would learn from a step of its opponent is thrown away.
            require(learned, False)
            with fast(device):
                refined = share_rows(self._refine)(built, animator, pairs)
                # The discriminator must not teach the map: it would move the edges to please itself.
                picture, structure = refined.picture, refined.structure.detach()
                seen.update(real=pairs.driving, fake=picture.detach(), structure=structure)
                terms = self._losses(refined, pairs)
                terms[ADVERSARIAL] = self._against(share_rows(critic)(picture, structure))
            reader.look_ahead()
            return terms

        def criticise() -> dict[str, Tensor]:
            require(learned, True)
            with fast(device):
                real, fake = (share_rows(critic)(seen[x], seen["structure"]) for x in ("real", "fake"))
                accuracy.see(real, fake)
                return {"discriminator": self.adversarial.discriminator_loss(real, fake)}

        opponent = Opponent(critic, criticise, self.discriminator_training)
        with PairReader(pictures, self.training.batch) as reader:
            keeper, rates = Watched(workspace, watched), built.own_rates()
            values = fit(laid_out(built, device), refine, self.training, keeper, rates, [opponent])
        workspace.save_network(built)
        notes = inputs.about("animator")["notes"]
        workspace.save_about({"notes": sorted({*notes, self.perceptual.note} - {""})})
        return {"parameters": count_parameters(built), **started, **values, **watched()}

    def _against(self, fake: Tensor) -> Tensor:
        return self.adversarial_weight * self.adversarial.refiner_loss(fake)

    @staticmethod
    def _refine(refiner: Refiner, animator: Animator, pairs: Pairs) -> Refined:
        with torch.no_grad():
            source = animator.begin(pairs.source, pairs.source_pose, pairs.source_valid)
            pose, valid = pairs.driving_pose, pairs.driving_valid
            animated = animator.animate(source, animator.control(pairs.driving, pose, valid))
        return refiner.refine(animated.picture, animated.trusted, pose, valid)

    def _losses(self, refined: Refined, pairs: Pairs) -> dict[str, Tensor]:
        size = (refined.picture.shape[-2], refined.picture.shape[-1])
        hands = hand_mask(pairs.driving_pose, pairs.driving_valid, size).float()
        whole = Comparison(refined.picture, refined.painted, pairs.driving, refined.trusted, hands)

        def terms(comparison: Comparison, by_picture: bool) -> dict[str, Tensor]:
            seen = Activations(comparison, self.perceptual)
            asked = [loss for loss in self.losses if loss.by_picture == by_picture]
            return {loss.name: loss(comparison, seen) for loss in asked}

        return terms(whole, by_picture=False) | share_mean(terms)(whole, by_picture=True)


class Watched:
    """A keeper whose curve has, beside the losses, numbers that no step minimises."""

    def __init__(self, keeper: Keeper, watched: Callable[[], Mapping[str, float]]) -> None:
        self.keeper, self.watched = keeper, watched
        self.load_checkpoint, self.save_checkpoint = keeper.load_checkpoint, keeper.save_checkpoint
        self.checkpoint_due, self.progress = keeper.checkpoint_due, keeper.progress

    def append_metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Write the losses of a step, and what is watched after it."""
        self.keeper.append_metrics(step, {**values, **self.watched()})


def require(weights: Iterable[Tensor], gradients: bool) -> None:
    """Say of each weight whether a gradient of it is worked out."""
    for weight in weights:
        weight.requires_grad_(gradients)
