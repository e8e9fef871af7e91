"""Generated motion to pictures and mp4 files with the speech that drove them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.refine.base import Refiner
from rgx.gesture.rendering import Renderer, poses_in_chunks, save_strip, source_of, to_bytes
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES, WindowFacts
from rgx.gesture.video.comparison import side_by_side
from rgx.gesture.video.files import check_encoders, write_mp4
from rgx.registry import Recipe, register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "video", label="Video", source="Sec. 4.3; Figs. 4 and 5")
class VideoStage(Stage):
    """Renders windows of motion that do not overlap from their condition frame and their generated motion.

    shown: how many windows also become a video beside the real one.
    """

    seeded = False

    def __init__(self, refiner: Recipe[Refiner], windows_per_clip: int = 1, shown: int = 4) -> None:
        if windows_per_clip < 1:
            raise InputError(f"stage.video.windows_per_clip = {windows_per_clip}: expected 1 or more")
        self.refiner, self.windows_per_clip, self.shown = refiner, windows_per_clip, shown

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "frames", "motion", "animator", *(("refiner",) if self.refiner.present else ()))

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        if not parents["animator"].driven_by_pose:
            raise InputError(
                "generated poses cannot drive keypoints that are found in a driving picture; "
                "only keypoints/pose2d makes speech-driven video"
            )
        check_encoders()
        split = parents["motion"].split
        return WindowFacts(split, parents["corpus"].windows(split, WINDOW_FRAMES, self.windows_per_clip))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        pictures = load_pictures(inputs, workspace.device)
        renderer = Renderer(inputs.built["animator"], inputs.built.get("refiner"), workspace.device)
        motion = inputs.arrays("motion")["motion"]
        waveform = inputs.arrays("corpus")["waveform"].numpy()
        windows = pictures.windows(built.split, self.windows_per_clip)
        size = pictures.size_px
        frames = np.lib.format.open_memmap(
            workspace.folder / "frames.npy",
            mode="w+",
            dtype=np.uint8,
            shape=(len(windows), WINDOW_FRAMES, size, size, 3),
        )
        for row, (number, span, start) in enumerate(windows):
            pose = span.place(motion[number])
            chunks = renderer.render(*source_of(pictures, start), poses_in_chunks(pose))
            np.concatenate([to_bytes(chunk) for chunk in chunks], out=frames[row])
            heard = waveform[start * SAMPLES_PER_FRAME : (start + WINDOW_FRAMES) * SAMPLES_PER_FRAME]
            write_mp4(workspace.folder / f"{row:04d}.mp4", frames[row], heard)
            if row < self.shown:
                real = pictures.frames[start : start + WINDOW_FRAMES]
                beside = side_by_side({"real": real, "generated": frames[row]})
                write_mp4(workspace.folder / f"{row:04d}_beside.mp4", beside, heard)
            workspace.progress(row + 1, len(windows))
        frames.flush()
        save_strip(workspace, pictures, windows[0][2], frames[0])
        notes = inputs.about("refiner" if self.refiner.present else "animator")["notes"]
        workspace.save_about({"notes": notes, "starts": [start for _, _, start in windows]})
        return {"windows": len(windows), "size_px": size}
