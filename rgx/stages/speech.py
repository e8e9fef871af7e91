"""Waveforms to speech features and beats, whole clips at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from rgx.errors import InputError
from rgx.registry import register
from rgx.speech.base import Speech
from rgx.speech.beats import beat_frames, onset_frames
from rgx.stages.base import Stage
from rgx.store.workspace import Inputs, Workspace
from rgx.types import SAMPLES_PER_FRAME


@register("stage", "speech", label="Speech features", source="Sec. 4.1")
class SpeechStage(Stage):
    """Features and beats of every clip at 25 Hz."""

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
        return self.speech

    def run(self, inputs: Inputs, workspace: Workspace, built: Speech) -> dict[str, Any]:
        waveform = inputs.arrays("corpus")["waveform"].numpy()
        spans = inputs.about("corpus")["spans"]
        built.prepare(workspace.device)
        features, beats, onsets = [], [], []
        for done, span in enumerate(spans, start=1):
            first = span["start"] * SAMPLES_PER_FRAME
            wave = waveform[first : first + span["frames"] * SAMPLES_PER_FRAME]
            features.append(built.features(wave, span["frames"]))
            beats.append(beat_frames(wave, span["frames"]))
            onsets.append(onset_frames(wave, span["frames"]))
            workspace.progress(done, len(spans))
        every = np.concatenate(features).astype(np.float32)
        train = np.concatenate([np.full(s["frames"], s["split"] == "train") for s in spans])
        arrays = {
            "features": every,
            "mean": every[train].mean(0),
            "std": every[train].std(0).clip(min=1e-3),
            "beats": np.concatenate(beats),
            "onsets": np.concatenate(onsets),
        }
        workspace.save_arrays({k: torch.from_numpy(v) for k, v in arrays.items()})
        return {"frames": len(every), "beat_share": float(arrays["beats"].mean())}
