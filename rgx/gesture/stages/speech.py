"""Speech to features and beats, whole clips at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import beats_of, onsets_of
from rgx.gesture.types import FPS, CorpusFacts
from rgx.registry import register
from rgx.stage import Stage
from rgx.store.kept_rows import KeptRows
from rgx.store.workspace import Inputs, Workspace


@register("stage", "speech", label="Speech features", source="Sec. 4.1")
class SpeechStage(Stage):
    """Features and beats of every clip at 25 Hz; killed, it goes on at the clip where it stopped."""

    seeded = False

    def __init__(self, speech: Speech) -> None:
        self.speech = speech

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
        rows = KeptRows(workspace.folder, sum(span["frames"] for span in spans), built.width + 2)
        # Grouped from the first clip on, so that what goes on after a kill reads the same clips together.
        begun = 0
        for some in groups_of(spans, built.together_s * FPS):
            begun += len(some)
            if begun <= rows.parts:
                continue
            firsts = [(span["start"] * rate, span["frames"]) for span in some]
            clips = [(sound[first : first + frames * rate], frames) for first, frames in firsts]
            marks = [marks_of(built.envelope(clip, frames)) for clip, frames in clips]
            features = zip(built.features_of(clips), marks, strict=True)
            rows.put(some[0]["start"], *(np.concatenate(pair, axis=1) for pair in features))
            workspace.progress(rows.parts, len(spans))
        every = np.ascontiguousarray(rows.array[:, :-2])
        train = np.concatenate([np.full(s["frames"], s["split"] == "train") for s in spans])
        arrays = {
            "features": every,
            "mean": every[train].mean(0),
            "std": every[train].std(0).clip(min=1e-3),
            "beats": rows.array[:, -2] > 0,
            "onsets": rows.array[:, -1] > 0,
        }
        workspace.save_arrays({k: torch.from_numpy(v) for k, v in arrays.items()})
        return {"frames": len(every), "beat_share": float(arrays["beats"].mean())}


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


def marks_of(envelope: np.ndarray) -> np.ndarray:
    """Return beats and onsets (T, 2) of an onset envelope (T,)."""
    return np.stack([beats_of(envelope), onsets_of(envelope)], axis=1)
