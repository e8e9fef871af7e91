"""Generated motion against real motion: every motion metric."""

from __future__ import annotations

from rgx.gesture.scoring import MotionScoring
from rgx.registry import register


@register("stage", "motion_scores", label="Motion scores", source="Sec. 5.2")
class MotionScoresStage(MotionScoring):
    """Scores and references of generated motion."""
