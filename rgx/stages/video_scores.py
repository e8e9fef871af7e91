"""Generated videos against real ones, speech-driven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch

from rgx.errors import InputError
from rgx.metrics.base import VideoMetric, VideoPair
from rgx.nn.hands import hand_mask
from rgx.registry import register
from rgx.stages.base import Stage
from rgx.stages.frames import load_pictures
from rgx.stages.rendering import to_pictures
from rgx.stages.scoring import fingerprint_of, score_windows
from rgx.store.workspace import Inputs, Workspace
from rgx.types import WINDOW_FRAMES


@register("stage", "video_scores", label="Video scores", source="Sec. 5.2, Table 3d")
class VideoScoresStage(Stage):
    """The windows of `video` against the same windows of the recording."""

    seeded = False
    judged: ClassVar[str] = "video"
    """The stage whose windows are scored."""

    def __init__(self, metrics: tuple[VideoMetric, ...] = ()) -> None:
        if not metrics:
            raise InputError("stage.video_scores.metrics is empty")
        self.metrics = metrics

    def uses_gpu(self) -> bool:
        return True

    def parents(self) -> tuple[str, ...]:
        return ("frames", self.judged)

    def fingerprint(self) -> str:
        return fingerprint_of(self.metrics)

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        device = workspace.device
        pictures, about = load_pictures(inputs, device), inputs.about(self.judged)
        frames = np.load(inputs.folders[self.judged] / "frames.npy", mmap_mode="r")

        def pairs() -> Iterator[VideoPair]:
            for start, made in zip(about["starts"], frames, strict=True):
                index = torch.arange(start, start + WINDOW_FRAMES)
                size = (pictures.size_px, pictures.size_px)
                hands = hand_mask(pictures.pose[index], pictures.valid[index], size)
                yield VideoPair(pictures.pictures(index), to_pictures(made, device), hands.to(device))

        return {
            **score_windows(self.metrics, pairs(), len(frames), workspace),
            "notes": about["notes"],
        }
