"""Generated motion against real motion: every motion metric."""

from __future__ import annotations

from rgx.gesture.data.reading import notes_of
from rgx.gesture.scoring import MotionScoring
from rgx.registry import register
from rgx.store.workspace import Inputs


@register("stage", "motion_scores", label="Motion scores", source="Sec. 5.2")
class MotionScoresStage(MotionScoring):
    """Scores and references of generated motion."""

    def notes(self, inputs: Inputs) -> list[str]:
        return notes_of(inputs, "motion")
