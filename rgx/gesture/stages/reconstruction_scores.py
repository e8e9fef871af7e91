"""Self-reconstruction: windows refined from their own animation, against themselves (Table 3a)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from rgx.errors import InputError
from rgx.gesture.animations import AnimatedWindows
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.refine.base import Refiner
from rgx.gesture.rendering import create_frames, refine, to_bytes
from rgx.gesture.scoring import fingerprint_of, remarks_of, score_windows, window_pair
from rgx.gesture.types import WINDOW_FRAMES
from rgx.registry import Recipe, register
from rgx.stage import Stage
from rgx.store.workspace import Inputs, Workspace


@register("stage", "reconstruction_scores", label="Reconstruction scores", source="Sec. 5.4, Table 3a")
class ReconstructionScoresStage(Stage):
    """The windows of `reconstruction`, refined, against the recording that drove them.

    shown: how many windows are left as pictures, for figures and films.
    """

    version = 2  # since it leaves pictures; every score is the same
    seeded = False

    def __init__(self, refiner: Recipe[Refiner], metrics: tuple[VideoMetric, ...], shown: int = 4) -> None:
        if shown < 1:
            raise InputError(f"stage.reconstruction_scores.shown = {shown}: expected 1 or more")
        self.refiner, self.metrics, self.shown = refiner, metrics, shown

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", "reconstruction", *(("refiner",) if self.refiner.present else ()))

    def fingerprint(self) -> str:
        return fingerprint_of(self.metrics)

    def remarks(self, parents: Mapping[str, Any]) -> list[str]:
        return remarks_of(self.metrics, parents["reconstruction"].count)

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        device, refiner = workspace.device, inputs.built.get("refiner")
        pictures, starts = load_pictures(inputs, device), inputs.about("reconstruction")["starts"]
        animated = AnimatedWindows.read(inputs.folders["reconstruction"])
        frames = create_frames(workspace, min(self.shown, len(starts)), pictures.size_px)

        def pairs() -> Iterator[VideoPair]:
            for row, start in enumerate(starts):
                index = torch.arange(start, start + WINDOW_FRAMES)
                pose, valid = pictures.pose[index], pictures.valid[index]
                rendered = torch.cat(list(refine(refiner, animated.chunks(row, device), pose, valid, device)))
                if row < len(frames):
                    frames[row] = to_bytes(rendered)
                yield window_pair(pictures, start, rendered)

        clips = [pictures.clip_of(start) for start in starts]
        scores = score_windows(self.metrics, pairs(), clips, workspace)
        frames.flush()
        workspace.save_about({"starts": starts[: len(frames)]})
        notes = inputs.about("refiner" if self.refiner.present else "reconstruction")["notes"]
        return {**scores, "notes": notes}
