"""Speech to features and beats, whole clips at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import beats_of, onsets_of
from rgx.gesture.speech.pauses import pauses_of
from rgx.gesture.types import FPS, CorpusFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.kept_rows import KeptRows
from rgx.store.workspace import Inputs, Workspace

MARKS = ("beats", "onsets", "pauses")
"""What is true or false of a frame, beside its features."""


@register("stage", "speech", label="Speech features", source="Sec. 4.1")
class SpeechStage(Stage):
    """Features, beats and pauses of every clip at 25 Hz; killed, it goes on at the clip where it stopped.

    A pause is at least `pause_frames` below `pause_share` of the way from a clip's quiet level to its loud.
    """

    seeded = False
    version = 2  # since pauses are among the arrays; the others are the same

    def __init__(self, speech: Speech, pause_share: float = 0.35, pause_frames: int = 5) -> None:
        if not 0 < pause_share < 1:
            raise InputError(f"stage.speech.pause_share = {pause_share}: expected more than 0, less than 1")
        if pause_frames < 1:
            raise InputError(f"stage.speech.pause_frames = {pause_frames}: expected 1 or more")
        self.speech, self.pause_share, self.pause_frames = speech, pause_share, pause_frames

    def uses_gpu(self) -> bool:
        return self.speech.uses_gpu

    def parents(self) -> tuple[str, ...]:
        return ("corpus",)

    def fingerprint(self) -> str:
        return self.speech.fingerprint()

    def build(self, parents: Mapping[str, Any]) -> Speech:
        facts: CorpusFacts = parents["corpus"]
        if self.speech.heard != facts.heard:
            raise InputError(
                f"the corpus holds speech as {facts.heard}; {self.speech.record['variant']} is made from "
                f"{self.speech.heard}"
            )
        return self.speech

    def run(self, inputs: Inputs, workspace: Workspace, built: Speech) -> dict[str, Any]:
        sound = inputs.arrays("corpus")[built.heard].numpy()
        spans = inputs.about("corpus")["spans"]
        rate = len(sound) // sum(span["frames"] for span in spans)
        built.prepare(workspace.device)
        rows = KeptRows(workspace.folder, sum(span["frames"] for span in spans), built.width + 3)
        # Grouped from the first clip on, so that what goes on after a kill reads the same clips together.
        begun = 0
        for some in groups_of(spans, built.together_s * FPS):
            begun += len(some)
            if begun <= rows.parts:
                continue
            firsts = [(span["start"] * rate, span["frames"]) for span in some]
            clips = [(sound[first : first + frames * rate], frames) for first, frames in firsts]
            marks = [self._marks(built, clip, frames) for clip, frames in clips]
            features = zip(built.features_of(clips), marks, strict=True)
            rows.put(some[0]["start"], *(np.concatenate(pair, axis=1) for pair in features))
            workspace.progress(rows.parts, len(spans))
        every = np.ascontiguousarray(rows.array[:, : built.width])
        train = np.concatenate([np.full(s["frames"], s["split"] == "train") for s in spans])
        arrays = {
            "features": every,
            "mean": every[train].mean(0),
            "std": every[train].std(0).clip(min=1e-3),
            **dict(zip(MARKS, (rows.array[:, built.width :] > 0).T, strict=True)),
        }
        workspace.save_arrays({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in arrays.items()})
        shares = {"beat_share": arrays["beats"], "paused_share": arrays["pauses"]}
        return {"frames": len(every), **{name: float(marks.mean()) for name, marks in shares.items()}}

    def _marks(self, speech: Speech, clip: np.ndarray, frames: int) -> np.ndarray:
        """Return the marks (T, 3) of a clip in the order of their names."""
        envelope = speech.envelope(clip, frames)
        pauses = pauses_of(speech.level(clip, frames), self.pause_share, self.pause_frames)
        return np.stack([beats_of(envelope), onsets_of(envelope), pauses], axis=1)


def groups_of(spans: Sequence[Mapping[str, Any]], most: float) -> list[list[Mapping[str, Any]]]:
    """Return the clips in order, in groups of at most `most` frames or of a single clip."""
    groups: list[list[Mapping[str, Any]]] = []
    room = 0.0
    for span in spans:
        if not groups or span["frames"] > room:
            groups.append([])
            room = most
        groups[-1].append(span)
        room -= span["frames"]
    return groups
