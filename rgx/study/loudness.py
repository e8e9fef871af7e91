"""How loud a sound is, and the gain that makes it as loud as the others."""

from __future__ import annotations

import numpy as np

RATE_HZ = 48_000
"""The filters below are given at this rate."""
SHELF = ([1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585])
HIGH_PASS = ([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621])
OFFSET_LU, ABSOLUTE_LUFS, RELATIVE_LU = -0.691, -70.0, -10.0
BLOCK, STEP = RATE_HZ * 4 // 10, RATE_HZ // 10
PEAK = 0.891
"""One decibel below full scale: what a coded sound may reach without distortion."""


def loudness_lufs(waveform: np.ndarray) -> float:
    """Return the integrated loudness of a mono sound (S,) at 48 kHz, −inf for silence.

    Source: ITU-R BS.1770-5, annex 1: K-weighting, blocks of 400 ms, both gates. A sound shorter than a block
    is one block.
    """
    from scipy.signal import lfilter

    heard = lfilter(*HIGH_PASS, lfilter(*SHELF, waveform.astype(np.float64)))
    starts = range(0, max(len(heard) - BLOCK, 0) + 1, STEP)
    powers = (
        np.array([np.mean(heard[start : start + BLOCK] ** 2) for start in starts]) if len(heard) else None
    )
    if powers is None:
        return -np.inf
    loud = powers[_lufs(powers) > ABSOLUTE_LUFS]
    if not len(loud):
        return -np.inf
    gated = loud[_lufs(loud) > _lufs(loud.mean()) + RELATIVE_LU]
    return float(_lufs(gated.mean()))


def levelled(waveform: np.ndarray, target_lufs: float) -> np.ndarray:
    """Return a sound at a loudness, or as near as its peaks allow; silence stays silence."""
    own = loudness_lufs(waveform)
    if not np.isfinite(own):
        return waveform.astype(np.float32)
    gain = min(10 ** ((target_lufs - own) / 20), PEAK / max(float(np.abs(waveform).max()), 1e-9))
    return (waveform * gain).astype(np.float32)


def _lufs(power: np.ndarray | float) -> np.ndarray:
    return OFFSET_LU + 10 * np.log10(np.maximum(power, 1e-30))
