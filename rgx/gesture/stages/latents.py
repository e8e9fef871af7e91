"""Pictures to the control points that an animator finds in them: motion in a space of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.data.picture_pairs import PictureSpan
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.rendering import CHUNK
from rgx.gesture.types import PointFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace

STD_FLOOR = 1e-3
"""The least spread of a coordinate, an eighth of a pixel of 256: a point that stands still stays finite."""


@register("stage", "latents", label="Control points", source="S2G-Diffusion (He 2024); reading 109")
class LatentsStage(Stage):
    """The control points of every frame of every clip, over the spans of the corpus.

    Raises InputError for an animator that reads poses: of those, landmarks say all.
    """

    seeded = False

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", "animator")

    def build(self, parents: Mapping[str, Any]) -> PointFacts:
        animator = parents["animator"]
        if animator.reads_pose:
            raise InputError(
                "space: control_points needs points that are found in pictures alone, and a pose has part in "
                "these: choose keypoints: unsupervised with animator: tps, or generate the pose with "
                "space: landmarks"
            )
        return PointFacts(animator.control_points)

    @torch.no_grad()
    def run(self, inputs: Inputs, workspace: Workspace, built: PointFacts) -> dict[str, Any]:
        device = workspace.device
        animator, pictures = inputs.built["animator"], load_pictures(inputs, device)
        frames = len(pictures.pose)
        points = torch.zeros(frames, built.points, 2)
        valid = torch.zeros(frames, built.points, dtype=torch.bool)
        for done, span in enumerate(pictures.spans, start=1):
            for index in torch.arange(span.start, span.start + span.frames).split(CHUNK):
                pose, seen = (x[index].to(device) for x in (pictures.pose, pictures.valid))
                # In 32 bits on a GPU too: what bf16 rounds off would be motion to learn.
                control = animator.control(pictures.pictures(index), pose, seen)
                points[index] = control.points.flatten(1, 2).float().cpu()
                valid[index] = control.visible.flatten(1).cpu()
            workspace.progress(done, len(pictures.spans))
        mean, std = training_moments(points, valid, pictures.spans)
        workspace.save_arrays({"points": points, "valid": valid, "mean": mean, "std": std})
        workspace.save_about({"notes": inputs.about("animator")["notes"]})
        return {"clips": len(pictures.spans), "frames": frames, "points": built.points}


def training_moments(points: Tensor, valid: Tensor, spans: Sequence[PictureSpan]) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (N, 2) of what is valid of points (T, N, 2) in training clips.

    Clip by clip, so that no second copy of all frames is needed.
    """
    own = [slice(span.start, span.start + span.frames) for span in spans if span.split == "train"]
    count = torch.stack([valid[clip].sum(0) for clip in own]).sum(0).clamp(min=1)[:, None]

    def mean_of(values: Callable[[Tensor], Tensor]) -> Tensor:
        seen = (values(points[clip].double()).where(valid[clip][..., None], 0.0) for clip in own)
        return torch.stack([each.sum(0) for each in seen]).sum(0) / count

    mean = mean_of(lambda x: x)
    std = mean_of(lambda x: (x - mean).square()).sqrt().clamp(min=STD_FLOOR)
    return mean.float(), std.float()
