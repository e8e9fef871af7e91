"""Pictures and poses to an animator: a source picture warped to follow a pose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rgx.errors import InputError
from rgx.gesture.animate.base import Animator
from rgx.gesture.data.augmentation import Augmentation
from rgx.gesture.data.pair_reader import PairReader
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.nn.precision import fast, laid_out
from rgx.registry import Part, Recipe, register
from rgx.shares import share_mean
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW


@register("stage", "animator", label="Animator", source="Sec. 3 and 4.3, reading 29")
class AnimatorStage(Stage):
    """Trains on pairs of frames of the same clip.

    hand_weight: the weight of errors in the hand boxes, 1 for none. Source: reading 82. One outside rgx is
    only noted, with its command, revision and licence.
    """

    version = 3
    trains = True

    def __init__(
        self,
        animator: Recipe[Animator],
        perceptual: PerceptualFeatures,
        augmentation: Part[Augmentation],
        training: AdamW,
        hand_weight: float = 5.0,
    ) -> None:
        if hand_weight < 1:
            raise InputError(f"stage.animator.hand_weight = {hand_weight}: expected 1 or more")
        self.animator, self.perceptual, self.training = animator, perceptual, training
        self.augmentation, self.hand_weight = augmentation, hand_weight

    def parents(self) -> tuple[str, ...]:
        return ("frames",)

    def uses_gpu(self) -> bool:
        return not self.animator.outside

    def fingerprint(self) -> str:
        if self.animator.outside:
            return self.animator.fingerprint(**self.animator.bound)
        return self.perceptual.fingerprint()

    def identity(self) -> dict[str, Any]:
        """Of one outside, nothing but itself is part of it."""
        if self.animator.outside:
            return {k: v for k, v in self.record.items() if k in ("variant", "animator")}
        return self.record

    def build(self, parents: Mapping[str, Any]) -> Animator:
        return self.animator(parents["frames"].size_px)

    def run(self, inputs: Inputs, workspace: Workspace, built: Animator) -> dict[str, Any]:
        if built.outside:
            workspace.save_network(built)
            workspace.save_about({"notes": built.notes()})
            return {"parameters": 0, "notes": built.notes()}
        pictures = load_pictures(inputs, workspace.device)
        self.perceptual.prepare(workspace.device)
        steps = self.training.steps

        with PairReader(pictures, self.training.batch) as reader:

            def losses() -> dict[str, torch.Tensor]:
                pairs = self.augmentation(reader.draw())
                with fast(workspace.device):
                    terms = share_mean(built.losses)(pairs, self.perceptual, steps, self.hand_weight)
                reader.look_ahead()
                return terms

            values = fit(laid_out(built, workspace.device), losses, self.training, workspace)
        workspace.save_network(built)
        workspace.save_about({"notes": [self.perceptual.note] if self.perceptual.note else []})
        return {"parameters": count_parameters(built), **values}
