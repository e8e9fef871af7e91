"""What another system made, laid out as rgx' own motion and video, so that the same metrics score it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.data.submissions import Submission
from rgx.gesture.data.windows import window_starts
from rgx.gesture.scoring import MotionScoring, VideoScoring
from rgx.gesture.types import WINDOW_FRAMES, ClipSpan, WindowFacts
from rgx.registry import register
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace


class Submitted(Stage):
    """A stage that reads one system's files for the clips of the test split."""

    seeded = False
    split: Split = "test"

    def __init__(self, submission: Submission) -> None:
        self.submission = submission

    def fingerprint(self) -> str:
        return self.submission.fingerprint()


@register("stage", "submission", label="Submitted motion")
class SubmissionStage(Submitted):
    """Windows of another system's keypoints, each clip in its own shoulder widths."""

    version = 2  # since points at exactly (0, 0) are not found

    def parents(self) -> tuple[str, ...]:
        return ("corpus",)

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        return WindowFacts("test", parents["corpus"].windows("test"))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        spans = [ClipSpan(**span) for span in inputs.about("corpus")["spans"]]
        starts, clips, _ = window_starts(spans, built.split)
        offered = self.submission.keypoints()
        motions: dict[int, np.ndarray] = {}
        tests = clips.unique().tolist()
        for done, clip in enumerate(tests, start=1):
            span = spans[clip]
            if span.name in offered:
                motions[clip] = self.submission.motion(span.name, span.frames)
            workspace.progress(done, len(tests))
        scored, pieces = [], []
        for window, (start, clip) in enumerate(zip(starts.tolist(), clips.tolist(), strict=True)):
            first = start - spans[clip].start
            if clip in motions and first + WINDOW_FRAMES <= len(motions[clip]):
                scored.append(window)
                pieces.append(motions[clip][first : first + WINDOW_FRAMES])
        refuse_nothing(self.submission, scored)
        workspace.save_arrays({"motion": torch.from_numpy(np.stack(pieces)), "windows": torch.tensor(scored)})
        workspace.save_about({"notes": coverage(spans, tests, set(motions), len(scored), len(starts))})
        return {"windows": len(scored), "clips": len(motions)}


@register("stage", "submission_scores", label="Scores of submitted motion", source="Sec. 5.2, Table 1")
class SubmissionScoresStage(MotionScoring):
    """The motion metrics over the windows that another system covers."""

    judged: ClassVar[str] = "submission"

    def notes(self, inputs: Inputs) -> list[str]:
        return inputs.about("submission")["notes"]


@register("stage", "submission_video", label="Submitted video")
class SubmissionVideoStage(Submitted):
    """Windows of another system's videos, the same ones as `video` renders."""

    def __init__(self, submission: Submission, windows_per_clip: int = 1) -> None:
        super().__init__(submission)
        if windows_per_clip < 1:
            raise InputError(
                f"stage.submission_video.windows_per_clip = {windows_per_clip}: expected 1 or more"
            )
        self.windows_per_clip = windows_per_clip

    def parents(self) -> tuple[str, ...]:
        return ("frames",)

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        corpus = parents["frames"].corpus
        return WindowFacts("test", corpus.windows("test", WINDOW_FRAMES, self.windows_per_clip))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        pictures = load_pictures(inputs, workspace.device)
        windows, offered = pictures.windows(built.split, self.windows_per_clip), self.submission.videos()
        clips: dict[str, np.ndarray] = {}
        scored, pieces = [], []
        for done, (_, span, start) in enumerate(windows, start=1):
            if span.name in offered:
                if span.name not in clips:
                    clips = {span.name: self.submission.pictures(span.name, pictures.size_px)}
                first = start - span.start
                if first + WINDOW_FRAMES <= len(clips[span.name]):
                    scored.append(start)
                    pieces.append(clips[span.name][first : first + WINDOW_FRAMES])
            workspace.progress(done, len(windows))
        refuse_nothing(self.submission, scored)
        np.save(workspace.folder / "frames.npy", np.stack(pieces))
        names = [span.name for _, span, _ in windows]
        absent = sorted(set(names) - set(offered))
        workspace.save_about(
            {"starts": scored, "notes": missing(absent, len(set(names)), len(scored), len(windows))}
        )
        return {"windows": len(scored), "size_px": pictures.size_px}


@register("stage", "submission_video_scores", label="Scores of submitted video", source="Sec. 5.2, Table 1")
class SubmissionVideoScoresStage(VideoScoring):
    """The video metrics over the windows that another system covers."""

    judged: ClassVar[str] = "submission_video"


def coverage(
    spans: Sequence[ClipSpan], tests: Sequence[int], covered: set[int], scored: int, windows: int
) -> list[str]:
    """Return what a table must say of test clips and windows that a system did not make."""
    return missing([spans[c].name for c in tests if c not in covered], len(tests), scored, windows)


def missing(absent: Sequence[str], clips: int, scored: int, windows: int) -> list[str]:
    """Return a note where a system covers fewer windows than there are."""
    if scored == windows:
        return []
    named = f" ({', '.join(absent[:3])}{', …' if len(absent) > 3 else ''})" if absent else ""
    return [f"over {scored} of {windows} windows: {len(absent)} of {clips} test clips are absent{named}"]


def refuse_nothing(submission: Submission, windows: Sequence[int]) -> None:
    """Raise InputError where a system covers no test window."""
    if not windows:
        raise InputError(
            f"{submission.path}: covers no test window; expected files named as the test clips, "
            f"at least {WINDOW_FRAMES + 1} frames long"
        )
