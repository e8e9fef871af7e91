"""Where speech pauses: runs of frames that are quiet beside the rest of their clip."""

from __future__ import annotations

import numpy as np

from rgx.gesture.speech.beats import fitted
from rgx.gesture.types import SAMPLES_PER_FRAME

QUIET, LOUD = 5, 95
"""Percentiles of a clip's levels between which a share of them lies."""
DEEPEST_DB = 50.0
"""What is quieter than this below a clip's loud frames is silence, whether a microphone hissed or not."""
LEAST_DB = 10.0
"""A clip whose loud and quiet frames lie nearer is all speech, or all noise."""


def frame_power(waveform: np.ndarray, frames: int) -> np.ndarray:
    """Return the mean square (T,) of a waveform (S,) over the 640 samples around sample 640 t."""
    half = SAMPLES_PER_FRAME // 2
    clip = np.pad(fitted(waveform, frames * SAMPLES_PER_FRAME), (half, half))[: frames * SAMPLES_PER_FRAME]
    return np.square(clip.reshape(frames, SAMPLES_PER_FRAME), dtype=np.float64).mean(axis=1)


def level_db(waveform: np.ndarray, frames: int) -> np.ndarray:
    """Return the level (T,) float32 of a waveform (S,) around sample 640 t, in dB of full scale."""
    return (10 * np.log10(np.maximum(frame_power(waveform, frames), 1e-12))).astype(np.float32)


def pauses_of(level: np.ndarray, share: float, shortest: int) -> np.ndarray:
    """Return (T,) bool, true in a clip's pauses, of its level (T,) in dB.

    A pause is a run of at least `shortest` frames below `share` of the way from quiet to loud: by shares,
    since recordings differ in how much they hiss. Source: reading 71.
    """
    if not len(level):
        return np.zeros(0, bool)
    quiet, loud = np.percentile(level, (QUIET, LOUD))
    quiet = max(quiet, loud - DEEPEST_DB)
    if loud - quiet < LEAST_DB:
        return np.zeros(len(level), bool)
    below = np.pad(level < quiet + share * (loud - quiet), 1)
    edges = np.flatnonzero(below[1:] != below[:-1])
    pauses = np.zeros(len(level), bool)
    for start, stop in edges.reshape(-1, 2):
        pauses[start:stop] = stop - start >= shortest
    return pauses
