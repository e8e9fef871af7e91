"""Motion found in videos against motion found in recordings, and what finding it costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rgx.errors import InputError
from rgx.gesture.looking import PRINTED_PX
from rgx.gesture.scoring import MotionScoring
from rgx.registry import register
from rgx.store.workspace import Inputs, Workspace


@register("stage", "tracked_floor", label="Floor of tracking", source="ours, reading 127")
class TrackedFloorStage(MotionScoring):
    """The motion measures of tracked recordings against their keypoints: what tracking alone costs."""

    judged: ClassVar[str] = "tracked_recording"

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        outputs = super().run(inputs, workspace, built)
        recorded = inputs.about(self.judged)
        scores = (_said(name, about, outputs) for name, about in outputs["metrics"].items())
        floor = (
            f"Floor of tracking, recordings against their own keypoints over {outputs['windows']} windows: "
            f"{recorded['error_px']:.1f} px of {PRINTED_PX} off; {', '.join(filter(None, scores))}."
        )
        workspace.save_about({"notes": [floor, *recorded["notes"]]})
        return outputs


@register("stage", "tracked_scores", label="Scores of tracked motion", source="Sec. 5.2, Table 1")
class TrackedScoresStage(MotionScoring):
    """The motion metrics of a video's poses; what is real is the recording's, found by the same tracker."""

    judged: ClassVar[str] = "tracked"
    real: ClassVar[str] = "tracked_recording"

    def parents(self) -> tuple[str, ...]:
        return (*super().parents(), "tracked_floor")

    def build(self, parents: Mapping[str, Any]) -> None:
        video, recording = parents[self.judged].split, parents[self.real].split
        if video != recording:
            raise InputError(
                f"the video is of the {video} split and stage.tracked_recording.split = '{recording}': "
                "bind one to the other"
            )

    def run(self, inputs: Inputs, workspace: Workspace, built: None) -> dict[str, Any]:
        outputs = super().run(inputs, workspace, built)
        for about in outputs["metrics"].values():
            about["protocol"] = f"{about['protocol']}, poses tracked in video"
        return outputs

    def notes(self, inputs: Inputs) -> list[str]:
        return [*inputs.about("tracked_floor")["notes"], *inputs.about(self.judged)["notes"]]


def _said(name: str, about: Mapping[str, Any], outputs: Mapping[str, Any]) -> str:
    """Return a score in words, beside what the keypoints themselves score, or nothing where there is none."""
    score, reference = outputs["scores"][name], outputs["references"][name]
    if not isinstance(score, float):
        return ""
    unit, decimals = about.get("unit", ""), about.get("decimals", 3)
    beside = f" ({reference:.{decimals}f})" if isinstance(reference, float) else ""
    return f"{about['label']} {score:.{decimals}f}{unit}{beside}"
