"""Speech of the test windows to video without a pose, laid out as the video of the other systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.data.pixel_windows import PixelWindows
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.generate.base import Sampler
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import DEFAULT
from rgx.gesture.pixels.base import PixelGenerator
from rgx.gesture.pixels.enlarging import enlarge
from rgx.gesture.rendering import CHUNK, create_frames, to_bytes
from rgx.gesture.types import FPS, WINDOW_FRAMES, WindowFacts
from rgx.gesture.video.comparison import side_by_side
from rgx.gesture.video.files import check_encoders, write_mp4
from rgx.registry import Recipe, Unkeyed, register, variants
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace

SPLIT: Split = "test"


@register("stage", "pixel_video", label="Video without poses", source="Table 1, MM-Diffusion; reading 122")
class PixelVideoStage(Stage):
    """Generates the windows that `video` shows, and leaves what it leaves.

    Each window draws random numbers of its own, so that `batch` changes nothing. shown: how many windows also
    become a video beside the real one. Raises InputError for a sampler that does not fit the generator.
    """

    def __init__(
        self,
        pixels: Recipe[PixelGenerator],
        sampler: Sampler = DEFAULT,
        windows_per_clip: int = 1,
        batch: Unkeyed[int] = 4,
        shown: int = 4,
    ) -> None:
        if windows_per_clip < 1 or batch < 1:
            raise InputError(
                "stage.pixel_video: expected windows_per_clip and batch from 1, found "
                f"{windows_per_clip} and {batch}"
            )
        kind = pixels.reads["sampler"]
        if not isinstance(sampler, kind):
            fitting = " or ".join(v.name for v in variants("sampler") if issubclass(v.cls, kind))
            raise InputError(
                f"pixels: {pixels.variant.name} cannot use this sampler; choose sampler: {fitting}"
            )
        if sampler.guidance != 1:
            raise InputError(
                f"pixels: {pixels.variant.name} always hears the speech, so nothing can be guided: expected "
                f"sampler.guidance = 1, found {sampler.guidance}"
            )
        self.pixels, self.sampler, self.windows_per_clip = pixels, sampler, windows_per_clip
        self.batch, self.shown = batch, shown

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("corpus", "frames", "pixels")

    def identity(self) -> dict[str, Any]:
        """The generator is a parent's."""
        return {name: value for name, value in self.record.items() if name != "pixels"}

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        check_encoders()
        corpus = parents["frames"].corpus
        return WindowFacts(SPLIT, corpus.windows(SPLIT, WINDOW_FRAMES, self.windows_per_clip))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        device, generator = workspace.device, inputs.built["pixels"]
        pictures, waveform = load_pictures(inputs, device), inputs.arrays("corpus")["waveform"]
        small, every = generator.size_px, generator.every
        windows = PixelWindows(pictures, waveform, built.split, small, every)
        chosen = pictures.windows(built.split, self.windows_per_clip)
        frames = create_frames(workspace, len(chosen), pictures.size_px)
        seed, row = int(torch.randint(2**31, ())), 0
        for part in torch.tensor([number for number, _, _ in chosen]).split(self.batch):
            noise = Noise([(seed, window) for window in part.tolist()])
            source, sound = windows.given(windows.starts[part])
            for video, start, heard in zip(
                generator.sample(source, sound, self.sampler, noise), windows.starts[part], sound, strict=True
            ):
                chunks = enlarge(video.transpose(0, 1), every, pictures.size_px, CHUNK)
                np.concatenate([to_bytes(chunk) for chunk in chunks], out=frames[row])
                self._show(workspace, row, frames[row], pictures.frames, int(start), heard.cpu().numpy())
                row += 1
                workspace.progress(row, len(chosen))
        frames.flush()
        said = f"made at {small} px and {FPS / every:g} Hz without a pose, and enlarged"
        workspace.save_about({"notes": [said], "starts": [start for _, _, start in chosen]})
        return {"windows": len(chosen), "size_px": pictures.size_px}

    def _show(
        self, workspace: Workspace, row: int, frames: np.ndarray, real: Any, start: int, heard: np.ndarray
    ) -> None:
        """Write a window as video, and some of them beside the recording."""
        write_mp4(workspace.folder / f"{row:04d}.mp4", frames, heard)
        if row < self.shown:
            beside = side_by_side({"real": real[start : start + WINDOW_FRAMES], "generated": frames})
            write_mp4(workspace.folder / f"{row:04d}_beside.mp4", beside, heard)
