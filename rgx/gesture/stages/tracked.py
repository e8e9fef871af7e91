"""Poses found in videos, the recordings' own among them, laid out as motion.

A system that makes pixels can be scored in no other way, and beside it every other has to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.data.picture_pairs import Pictures, PictureSpan
from rgx.gesture.data.reading import load_pictures, present
from rgx.gesture.data.windows import window_starts
from rgx.gesture.looking import PRINTED_PX, Passage, Track, nobody, track_passages
from rgx.gesture.poses.base import Extractor
from rgx.gesture.rendering import FRAMES
from rgx.gesture.types import WINDOW_FRAMES, WindowFacts
from rgx.registry import Part, Since, register
from rgx.stage import Split, Stage
from rgx.store.workspace import Inputs, Workspace


class Looking(Stage):
    """A stage that looks at pictures with a tracker; confidence: the score above which a point is found."""

    seeded = False

    def __init__(self, poses: Part[Extractor], confidence: float) -> None:
        if not 0 <= confidence < 1:
            raise InputError(f"confidence of a found point = {confidence}: expected 0 or more, below 1")
        self.poses, self.confidence = poses, confidence

    def uses_gpu(self) -> bool:
        return bool(self.poses.networks)

    def fingerprint(self) -> str:
        return self.poses.fingerprint()

    def look(
        self, inputs: Inputs, workspace: Workspace, pictures: Pictures, passages: list[Passage]
    ) -> list[Track]:
        """Return what is found in each passage; raises InputError where nobody is found in any."""
        networks = {name: inputs.built[name] for name in self.poses.networks}
        extractor = self.poses.looking_with(networks, workspace.device)
        tracks = []
        for track in track_passages(extractor, passages, pictures.size_px, self.confidence):
            tracks.append(track)
            workspace.progress(len(tracks), len(passages))
        if not any(track.found for track in tracks):
            raise InputError(
                f"nobody is found in any of {sum(passage.length for passage in passages)} pictures: no point "
                f"has a score above {self.confidence}; choose other poses, or bind confidence"
            )
        return tracks


@register("stage", "tracked_recording", label="Tracked recordings", source="Sec. 5.2, reading 126")
class TrackedRecordingStage(Looking):
    """The motion of every window of a split, as a tracker finds it in the recordings' own pictures.

    Of a clip in which nobody is found there are no windows. split: 'test' for tables, 'dev' for choices.
    """

    def __init__(
        self,
        poses: Part[Extractor],
        confidence: float = 0.5,
        split: Annotated[Split, Since("test")] = "test",
    ) -> None:
        super().__init__(poses, confidence)
        self.split: Split = split

    def parents(self) -> tuple[str, ...]:
        return ("frames", *self.poses.networks)

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        corpus = parents["frames"].corpus
        return WindowFacts(present(corpus, self.split), corpus.windows(self.split))

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        pictures = load_pictures(inputs, workspace.device)
        starts, clips, _ = window_starts(pictures.spans, built.split)
        spans = {clip: pictures.spans[clip] for clip in clips.unique().tolist()}
        passages = [Passage(span, _read(pictures, span), span.frames) for span in spans.values()]
        looked = self.look(inputs, workspace, pictures, passages)
        tracks = dict(zip(spans, looked, strict=True))
        windows = [n for n, clip in enumerate(clips.tolist()) if tracks[clip].found]
        places = [(tracks[int(clips[n])], int(starts[n]) - spans[int(clips[n])].start) for n in windows]
        arrays = {
            name: np.stack([getattr(track, name)[first : first + WINDOW_FRAMES] for track, first in places])
            for name in ("motion", "valid")
        }
        workspace.save_arrays(
            {n: torch.from_numpy(v) for n, v in arrays.items()} | {"windows": torch.tensor(windows)}
        )
        missed = [span.name for clip, span in spans.items() if not tracks[clip].found]
        error_px = _error_px(pictures, [(spans[c], track) for c, track in tracks.items() if track.found])
        notes = nobody(missed, len(spans), "recordings")
        workspace.save_about({"error_px": error_px, "notes": notes})
        share = float(np.mean([track.found for track in looked]))
        return {"windows": len(windows), "error_px": error_px, "found_share": share}


@register("stage", "tracked", label="Tracked video", source="Sec. 5.2, reading 126")
class TrackedStage(Looking):
    """The motion that a tracker finds in the windows of a video.

    video: the stage that leaves it, `video` or another that leaves pictures and first frames as that does.
    Windows in which nobody is found are left out, and said.
    """

    def __init__(self, poses: Part[Extractor], confidence: float = 0.5, video: str = "video") -> None:
        super().__init__(poses, confidence)
        self.video = video

    def parents(self) -> tuple[str, ...]:
        return ("frames", self.video, *self.poses.networks)

    def build(self, parents: Mapping[str, Any]) -> WindowFacts:
        windows = parents[self.video]
        if not isinstance(windows, WindowFacts):
            raise InputError(f"stage.tracked.video = '{self.video}': this stage leaves no windows of video")
        return windows

    def run(self, inputs: Inputs, workspace: Workspace, built: WindowFacts) -> dict[str, Any]:
        pictures, about = load_pictures(inputs, workspace.device), inputs.about(self.video)
        frames = self._frames(inputs)
        starts, clips, _ = window_starts(pictures.spans, built.split)
        numbers = {start: number for number, start in enumerate(starts.tolist())}
        windows = [numbers[start] for start in about["starts"]]
        spans = [pictures.spans[int(clips[window])] for window in windows]
        passages = [Passage(span, shown, len(shown)) for span, shown in zip(spans, frames, strict=True)]
        tracks = self.look(inputs, workspace, pictures, passages)
        seen = [(window, track) for window, track in zip(windows, tracks, strict=True) if track.found]
        workspace.save_arrays(
            {
                "motion": torch.from_numpy(np.stack([track.motion for _, track in seen])),
                "windows": torch.tensor([window for window, _ in seen]),
            }
        )
        missed = [span.name for span, track in zip(spans, tracks, strict=True) if not track.found]
        workspace.save_about({"notes": [*about["notes"], *nobody(missed, len(tracks), "windows")]})
        share = float(np.mean([track.found for track in tracks]))
        return {"windows": len(seen), "found_share": share}

    def _frames(self, inputs: Inputs) -> np.ndarray:
        """Return the windows of the video (W, T, H, H, 3), mapped from disk."""
        path = inputs.folders[self.video] / FRAMES
        if not path.is_file():
            raise InputError(f"stage.tracked.video = '{self.video}': this stage leaves no {FRAMES}")
        frames: np.ndarray = np.load(path, mmap_mode="r")
        return frames


def _read(pictures: Pictures, span: PictureSpan) -> Iterator[np.ndarray]:
    """Yield the pictures of a clip, each read when it is looked at."""
    for number in range(span.start, span.start + span.frames):
        yield pictures.frames[number : number + 1][0]


def _error_px(pictures: Pictures, tracks: list[tuple[PictureSpan, Track]]) -> float:
    """Return how far found points are from the keypoints, the mean over valid ones, in px of 256."""
    total, count = 0.0, 0
    for span, track in tracks:
        index = slice(span.start, span.start + span.frames)
        away = span.place(torch.from_numpy(track.motion)) - pictures.pose[index]
        distances = away.norm(dim=-1)[pictures.valid[index]]
        total, count = total + float(distances.sum()), count + len(distances)
    return total / max(count, 1) * PRINTED_PX / 2
