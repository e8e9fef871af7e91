"""Animated windows to refined pictures, and to mp4 files with the speech that drove them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.animations import AnimatedWindows
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.refine.base import Refiner
from rgx.gesture.rendering import all_valid, create_frames, refine, to_bytes
from rgx.gesture.types import LANDMARKS, SAMPLES_PER_FRAME, WINDOW_FRAMES, WindowFacts
from rgx.gesture.video.comparison import side_by_side
from rgx.gesture.video.files import check_encoders, write_mp4
from rgx.registry import Recipe, register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "video", label="Video", source="Sec. 4.3; Figs. 4 and 5")
class VideoStage(Stage):
    """Refines the windows of `animation` and puts them beside their speech.

    Raises InputError for a refiner that poses guide where there are none.
    shown: how many windows also become a video beside the real one.
    """

    version = 2  # since it leaves no strip; videos and pictures are the same
    seeded = False

    def __init__(self, refiner: Recipe[Refiner], shown: int = 4) -> None:
        self.refiner, self.shown = refiner, shown

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "frames", "animation", *(("refiner",) if self.refiner.present else ()))

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        check_encoders()
        windows: WindowFacts = parents["animation"]
        if windows.source != LANDMARKS and self.refiner.reads_pose:
            raise InputError(
                f"refiner: {self.refiner.variant.name} is guided by poses, and motion in control points has "
                f"none: choose a refiner that sees pictures only, such as refiner: unet, or refiner: none"
            )
        return windows

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        device, refiner = workspace.device, inputs.built.get("refiner")
        pictures, size = load_pictures(inputs, device), inputs.built["frames"].size_px
        animated = AnimatedWindows.read(inputs.folders["animation"])
        starts, driving = inputs.about("animation")["starts"], inputs.arrays("animation")
        # Where points drove, a refiner is shown a pose of no landmarks.
        poses = driving.get("pose", torch.zeros(len(starts), WINDOW_FRAMES, 0, 2))
        waveform = inputs.arrays("corpus")["waveform"].numpy()
        frames = create_frames(workspace, len(starts), size)
        for row, (start, pose) in enumerate(zip(starts, poses, strict=True)):
            chunks = refine(refiner, animated.chunks(row, device), pose, all_valid(pose), device)
            np.concatenate([to_bytes(chunk) for chunk in chunks], out=frames[row])
            heard = waveform[start * SAMPLES_PER_FRAME : (start + WINDOW_FRAMES) * SAMPLES_PER_FRAME]
            write_mp4(workspace.folder / f"{row:04d}.mp4", frames[row], heard)
            if row < self.shown:
                real = pictures.frames[start : start + WINDOW_FRAMES]
                beside = side_by_side({"real": real, "generated": frames[row]})
                write_mp4(workspace.folder / f"{row:04d}_beside.mp4", beside, heard)
            workspace.progress(row + 1, len(starts))
        frames.flush()
        notes = {*inputs.about("animation")["notes"]}
        if self.refiner.present:
            notes |= {*inputs.about("refiner")["notes"]}
        workspace.save_about({"notes": sorted(notes), "starts": starts})
        return {"windows": len(starts), "size_px": size}
