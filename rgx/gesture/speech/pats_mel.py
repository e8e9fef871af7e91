"""The mel bands that PATS publishes in place of its sound."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import beats_of, rise
from rgx.registry import register

MELS = 64


@register("speech", "pats_mel", label="PATS mel + beat", source="reading 6: log_mel_400")
class PatsMel(Speech):
    """Log-mel bands of 125 to 7,500 Hz, onset envelope and beats, F = 66, of log_mel (T, 64)."""

    heard: ClassVar[str] = "log_mel"

    @property
    def width(self) -> int:
        return MELS + 2

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        envelope = self.envelope(waveform, frames)
        share = envelope / max(envelope.max(initial=0.0), np.finfo(np.float32).tiny)
        columns = [waveform, share[:, None], beats_of(envelope)[:, None]]
        return np.concatenate(columns, axis=1, dtype=np.float32)

    def envelope(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        if not frames:
            return np.zeros(0, np.float32)
        # Beats and onsets do not depend on the unit, so the bands need not be in dB.
        return rise(waveform.T)

    def level(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        # The bands are natural logarithms of amplitudes.
        amplitude = np.exp(waveform, dtype=np.float64).mean(axis=1)
        return (20 * np.log10(amplitude)).astype(np.float32)
