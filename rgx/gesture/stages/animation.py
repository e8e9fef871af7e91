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
from rgx.gesture.rendering import (
    DrivenWindow,
    all_valid,
    animate_windows,
    controls_of_points,
    controls_of_poses,
    source_of,
)
from rgx.gesture.types import CONTROL_POINTS, LANDMARKS, WINDOW_FRAMES, WindowFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace

DRIVING = {LANDMARKS: "pose", CONTROL_POINTS: "points"}
"""What drove each window is kept under: landmarks where they are placed in pictures, points as they are."""


@register("stage", "animation", label="Animation", source="Sec. 4.3")
class AnimationStage(Stage):
    """Windows of motion that do not overlap, from their condition frame and their generated motion.

    That is landmarks, or control points themselves. Raises InputError for landmarks and an animator that no
    pose drives.
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
        motion, corpus = parents["motion"], parents["frames"].corpus
        if motion.source == LANDMARKS and not parents["animator"].driven_by_pose:
            raise InputError(
                "generated landmarks cannot drive keypoints that are found in a driving picture: choose "
                "space: control_points, which generates those, or keypoints: pose2d"
            )
        count = corpus.windows(motion.split, WINDOW_FRAMES, self.windows_per_clip)
        return WindowFacts(motion.split, count, motion.source)

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        device, animator = workspace.device, inputs.built["animator"]
        pictures, motion = load_pictures(inputs, device), inputs.arrays("motion")[built.source.array]
        windows = pictures.windows(built.split, self.windows_per_clip)
        animated = AnimatedWindows.create(workspace.folder, len(windows), pictures.size_px, device)
        drove, driven = [], []
        for number, span, start in windows:
            if built.source == LANDMARKS:
                driving = span.place(motion[number])
                poses = driving, all_valid(driving)
                controls = partial(controls_of_poses, animator, *poses, device)
                driven.append(DrivenWindow(source_of(pictures, start), controls, poses))
            else:
                driving = motion[number]
                controls = partial(controls_of_points, animator, driving, device)
                driven.append(DrivenWindow(source_of(pictures, start), controls))
            drove.append(driving)
        mailbox = Mailbox(workspace.folder, lambda done: workspace.progress(done, len(windows)))
        for row, chunks in enumerate(animate_windows(animator, driven, device, mailbox)):
            animated.write(row, chunks)
        workspace.save_arrays({DRIVING[built.source]: torch.stack(drove)})
        starts = [start for _, _, start in windows]
        notes = sorted({*notes_of(inputs, "motion"), *notes_of(inputs, "animator")})
        workspace.save_about({"starts": starts, "notes": notes})
        return {"windows": len(windows), "size_px": pictures.size_px}
