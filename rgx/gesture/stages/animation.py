"""Generated motion to animated pictures: what the videos of all refiners begin from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from rgx.errors import InputError
from rgx.gesture.animations import AnimatedWindows
from rgx.gesture.data.reading import load_pictures, notes_of
from rgx.gesture.external.mailbox import Mailbox
from rgx.gesture.rendering import DrivenWindow, all_valid, animate_windows, poses_in_chunks, source_of
from rgx.gesture.types import WINDOW_FRAMES, WindowFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "animation", label="Animation", source="Sec. 4.3")
class AnimationStage(Stage):
    """Windows of motion that do not overlap, from their condition frame and their generated motion.

    Raises InputError for an animator that no pose drives.
    """

    seeded = False

    def __init__(self, windows_per_clip: int = 1) -> None:
        if windows_per_clip < 1:
            raise InputError(f"stage.animation.windows_per_clip = {windows_per_clip}: expected 1 or more")
        self.windows_per_clip = windows_per_clip

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", "motion", "animator")

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        if not parents["animator"].driven_by_pose:
            raise InputError(
                "generated poses cannot drive keypoints that are found in a driving picture; "
                "only keypoints/pose2d makes speech-driven video"
            )
        split, corpus = parents["motion"].split, parents["frames"].corpus
        return WindowFacts(split, corpus.windows(split, WINDOW_FRAMES, self.windows_per_clip))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        device, animator = workspace.device, inputs.built["animator"]
        pictures, motion = load_pictures(inputs, device), inputs.arrays("motion")["motion"]
        windows = pictures.windows(built.split, self.windows_per_clip)
        animated = AnimatedWindows.create(workspace.folder, len(windows), pictures.size_px, device)
        poses = [span.place(motion[number]) for number, span, _ in windows]
        driven = [
            DrivenWindow(source_of(pictures, start), partial(poses_in_chunks, pose, all_valid(pose)))
            for (_, _, start), pose in zip(windows, poses, strict=True)
        ]
        mailbox = Mailbox(workspace.folder, lambda done: workspace.progress(done, len(windows)))
        for row, chunks in enumerate(animate_windows(animator, driven, device, mailbox)):
            animated.write(row, chunks)
        workspace.save_arrays({"pose": torch.stack(poses)})
        starts = [start for _, _, start in windows]
        notes = sorted({*notes_of(inputs, "motion"), *notes_of(inputs, "animator")})
        workspace.save_about({"starts": starts, "notes": notes})
        return {"windows": len(windows), "size_px": pictures.size_px}
