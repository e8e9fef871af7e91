"""Log-mel bands and onset strength of speech as it comes: no frame hears what follows it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rgx.gesture.speech.base import Speech
from rgx.gesture.speech.beats import FFT_SAMPLES, fitted
from rgx.gesture.speech.mel_beat import FLOOR_DB, checked_mels
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from rgx.registry import register


@register("speech", "causal_mel", label="Mel, no look-ahead", source="ours, reading 146")
class CausalMel(Speech):
    """Log-mel bands below full scale and their mean rise, F = mels + 1; raises InputError for a `mels`.

    Frame t hears samples up to 640 (t + 1). `listen` gives the same to the last bit as samples come.
    """

    def __init__(self, mels: int = 128) -> None:
        self.mels = checked_mels("speech.causal_mel", mels)

    @property
    def width(self) -> int:
        return self.mels + 1

    def listen(self) -> CausalListener:
        """Return what gives features as samples are pushed."""
        return CausalListener(self.mels)

    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        return self.listen().push(fitted(waveform, frames * SAMPLES_PER_FRAME))


class CausalListener:
    """Features of speech that comes in pieces of any length; what it keeps does not grow."""

    def __init__(self, mels: int) -> None:
        self.mels = mels
        self.past = np.zeros(FFT_SAMPLES - SAMPLES_PER_FRAME, np.float32)
        self.bands = np.full(mels, -1, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return the features (N, F) float32 of the frames that samples (S,) at 16 kHz complete."""
        self.past = np.concatenate([self.past, np.asarray(samples, np.float32)])
        rows = []
        # Frame by frame: a product of many frames at once rounds by how many they are.
        while len(self.past) >= FFT_SAMPLES:
            bands = log_bands(self.past[:FFT_SAMPLES], self.mels)
            rows.append(np.append(bands, np.maximum(bands - self.bands, 0).mean()))
            self.past, self.bands = self.past[SAMPLES_PER_FRAME:], bands
        return np.array(rows, np.float32).reshape(-1, self.mels + 1)


def log_bands(samples: np.ndarray, mels: int) -> np.ndarray:
    """Return (mels,) float32 in [-1, 1] of 1,024 samples: a full-scale tone is near 1, 80 dB less is -1."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(FFT_SAMPLES))) * (4 / FFT_SAMPLES)
    power = filters(mels) @ np.square(spectrum)
    decibels = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
    return np.clip(1 - 2 * decibels / FLOOR_DB, -1, 1).astype(np.float32)


@lru_cache(maxsize=4)
def filters(mels: int) -> np.ndarray:
    """Return the triangles (mels, 513) of the mel bands, each 1 at its peak."""
    import librosa

    return np.asarray(
        librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=FFT_SAMPLES, n_mels=mels, norm=None), np.float64
    )
