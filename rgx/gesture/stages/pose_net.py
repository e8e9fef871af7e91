"""Pictures and their poses to a network that finds poses in pictures: a tracker of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.augmentation import Augmentation
from rgx.gesture.data.pair_reader import PairReader
from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.poses.puppet_network import PoseNetwork
from rgx.gesture.types import Pairs
from rgx.registry import Part, register
from rgx.shares import share_mean
from rgx.stage import Stage, count_parameters
from rgx.store.workspace import Inputs, Workspace
from rgx.train.keeping import Validation
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

MOST = 256
"""Pictures of the dev split that are looked at."""
CHUNK = 64


@register("stage", "pose_net", label="Pose network", source="ours, reading 124")
class PoseNetStage(Stage):
    """Trained on pictures of the training split, whose points are known; shared by every cell and every seed.

    nobody_share: how many pictures are made to show nobody, so that it learns to say so. A batch is of pairs
    of one clip each, that is of twice as many pictures.
    """

    seeded = False
    trains = True

    def __init__(
        self,
        augmentation: Part[Augmentation],
        training: AdamW,
        width: int = 32,
        reach: float = 0.1,
        nobody_share: float = 0.2,
        seed: int = 0,
    ) -> None:
        if width < 1:
            raise InputError(f"stage.pose_net.width = {width}: expected 1 or more")
        if not 0 < reach <= 1:
            raise InputError(f"stage.pose_net.reach = {reach}: expected half picture widths, above 0 to 1")
        if not 0 <= nobody_share < 1:
            raise InputError(f"stage.pose_net.nobody_share = {nobody_share}: expected 0 or more, below 1")
        self.augmentation, self.training, self.seed = augmentation, training, seed
        self.width, self.reach, self.nobody_share = width, reach, nobody_share

    def parents(self) -> tuple[str, ...]:
        return ("frames",)

    def build(self, parents: Mapping[str, Any]) -> PoseNetwork:
        return PoseNetwork(parents["frames"].size_px, self.width, self.reach)

    def run(self, inputs: Inputs, workspace: Workspace, built: PoseNetwork) -> dict[str, Any]:
        pictures = load_pictures(inputs, workspace.device)
        with PairReader(pictures, self.training.batch) as reader:

            def losses() -> dict[str, Tensor]:
                shown, pose, valid = both(self.augmentation(reader.draw()))
                nobody = torch.rand(len(shown)) < self.nobody_share
                order = torch.randperm(shown[0, 0].numel())
                shown, valid = without(shown, valid, nobody.to(shown.device), order.to(shown.device))
                terms = share_mean(built.losses)(shown, pose, valid)
                reader.look_ahead()
                return terms

            held_out = dev_pictures(pictures, built)
            values = fit(built, losses, self.training, workspace, validation=held_out)
        workspace.save_network(built)
        return {"parameters": count_parameters(built), **values}


def both(pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pictures of pairs one after another: (2 · B, 3, H, W), their poses and what is valid."""
    return (
        torch.cat([pairs.source, pairs.driving]),
        torch.cat([pairs.source_pose, pairs.driving_pose]),
        torch.cat([pairs.source_valid, pairs.driving_valid]),
    )


def without(shown: Tensor, valid: Tensor, nobody: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Return pictures of which some (B,) bool show nobody, and what is valid.

    Their pixels are in another `order`, and paler: a plain grey shows nobody either.
    """
    mean = shown.mean((-2, -1), keepdim=True)
    strength = torch.linspace(0, 1, len(shown), device=shown.device)[:, None, None, None]
    shuffled = torch.lerp(mean, shown.flatten(2)[:, :, order].view_as(shown), strength)
    return torch.where(nobody[:, None, None, None], shuffled, shown), valid & ~nobody[:, None]


def dev_pictures(pictures: Pictures, network: PoseNetwork) -> Validation | None:
    """Return what is measured over pictures of the dev split, None where there are none."""
    frames = [torch.arange(s.start, s.start + s.frames) for s in pictures.spans if s.split == "dev"]
    if not frames:
        return None
    every = torch.cat(frames)
    index = every[torch.linspace(0, len(every) - 1, min(MOST, len(every))).round().long()]

    @torch.no_grad()
    def measure() -> dict[str, float]:
        totals: dict[str, float] = {}
        for part in index.split(CHUNK):
            pose, valid = (x[part].to(pictures.device) for x in (pictures.pose, pictures.valid))
            for name, value in network.losses(pictures.pictures(part), pose, valid).items():
                totals[name] = totals.get(name, 0.0) + float(value) * len(part) / len(index)
        return totals

    return Validation(measure, "distance")
