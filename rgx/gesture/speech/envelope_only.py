"""How loud speech is and when: its rhythm, with nothing of what is said."""

from __future__ import annotations

import numpy as np

from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import onset_envelope
from rgx.gesture.speech.mel_beat import below_peak, rhythm
from rgx.gesture.speech.pauses import frame_power
from rgx.registry import register


@register("speech", "envelope_only", label="Envelope only", source="ours, reading 72")
class EnvelopeOnly(Speech):
    """Level, onset envelope and beats, F = 3: what is left of `mel_beat` when all of the sound is one band.

    Beside it `mel_beat` says what content adds to rhythm. Source: ours, reading 72.
    """

    @property
    def width(self) -> int:
        return 3

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        # Of the sound and not of mel bands, which weigh a hiss and a vowel of one loudness differently.
        level = below_peak(frame_power(waveform, frames)[:, None])
        return np.concatenate([level, rhythm(onset_envelope(waveform, frames))], axis=1, dtype=np.float32)
