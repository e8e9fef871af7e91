"""Speech to features and beats, whole clips at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.registry import register
from rgx.speech.base import Speech
from rgx.speech.beats import beats_of, onsets_of
from rgx.stages.base import Stage
from rgx.stages.rows import KeptRows
from rgx.store.workspace import Inputs, Workspace
from rgx.types import CorpusFacts


@register("stage", "speech", label="Speech features", source="Sec. 4.1")
class SpeechStage(Stage):
    """Features and beats of every clip at 25 Hz; killed, it goes on at the clip where it stopped."""

    seeded = False

    def __init__(self, speech: Speech | None = None) -> None:
        if speech is None:
            raise InputError("stage.speech.speech is not bound")
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
        for span in spans[rows.clips :]:
            first, frames = span["start"] * rate, span["frames"]
            clip = sound[first : first + frames * rate]
            envelope = built.envelope(clip, frames)
            marks = np.stack([beats_of(envelope), onsets_of(envelope)], axis=1)
            rows.put(span["start"], np.concatenate([built.features(clip, frames), marks], axis=1))
            workspace.progress(rows.clips, len(spans))
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
