"""Log-mel bands, onset strength and beats: the features that need no weights."""

from __future__ import annotations

import numpy as np

from rgx.errors import InputError
from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import beats_of, mel_power, onset_envelope
from rgx.registry import register

FLOOR_DB = -80.0
MOST_MELS = 256


@register("speech", "mel_beat", label="Mel + beat", source="Sec. 4.1, reading 9")
class MelBeat(Speech):
    """Log-mel spectrum, onset envelope and beats, F = mels + 2; raises InputError for an unusable `mels`."""

    def __init__(self, mels: int = 128) -> None:
        self.mels = checked_mels("speech.mel_beat", mels)

    @property
    def width(self) -> int:
        return self.mels + 2

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        return mel_beat_features(waveform, frames, self.mels)


def checked_mels(where: str, mels: int) -> int:
    """Return `mels`; raises InputError where bands of a 64 ms window would be empty."""
    if not 1 <= mels <= MOST_MELS:
        raise InputError(f"{where}.mels = {mels}: expected 1 to {MOST_MELS}")
    return mels


def log_mel(waveform: np.ndarray, frames: int, mels: int) -> np.ndarray:
    """Return (T, mels) float32 in [-1, 1], the power of mel bands below the clip's maximum."""
    return below_peak(mel_power(waveform, frames, mels).T)


def below_peak(power: np.ndarray) -> np.ndarray:
    """Return power as float32 in [-1, 1]: 0 dB below the maximum is 1, 80 dB and more is -1."""
    # Against the clip's own peak: how loud a recording is says nothing of how one gestures.
    peak = power.max(initial=0.0)
    if peak <= 0:
        return np.full(power.shape, -1, np.float32)
    decibels = 10 * np.log10(np.maximum(power / peak, 10 ** (FLOOR_DB / 10)))
    return np.clip(1 - 2 * decibels / FLOOR_DB, -1, 1, dtype=np.float32)


def mel_beat_features(waveform: np.ndarray, frames: int, mels: int) -> np.ndarray:
    """Return (T, mels + 2) float32: log-mel, onset envelope as a share of its maximum, beat as 0 or 1."""
    columns = [log_mel(waveform, frames, mels), rhythm(onset_envelope(waveform, frames))]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def rhythm(envelope: np.ndarray) -> np.ndarray:
    """Return (T, 2) float32 of an onset envelope (T,): itself as a share of its maximum, beat as 0 or 1."""
    # A silent clip has no maximum to be a share of; the least float keeps it zero.
    share = envelope / max(envelope.max(initial=0.0), np.finfo(np.float32).tiny)
    return np.stack([share, beats_of(envelope)], axis=1, dtype=np.float32)
