"""Videos made without a pose against real ones."""

from __future__ import annotations

from typing import ClassVar

from rgx.gesture.scoring import VideoScoring
from rgx.registry import register


@register("stage", "pixel_video_scores", label="Scores of video without poses", source="Sec. 5.2, Table 1")
class PixelVideoScoresStage(VideoScoring):
    """The windows of `pixel_video` against the same windows of the recording."""

    judged: ClassVar[str] = "pixel_video"
