"""Generated videos against real ones, speech-driven."""

from __future__ import annotations

from rgx.gesture.scoring import VideoScoring
from rgx.registry import register


@register("stage", "video_scores", label="Video scores", source="Sec. 5.2, Table 3d")
class VideoScoresStage(VideoScoring):
    """The windows of `video` against the same windows of the recording."""
