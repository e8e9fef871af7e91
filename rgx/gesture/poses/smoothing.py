"""Jitter of tracked keypoints, taken out where a corpus asks for it."""

from __future__ import annotations

import numpy as np

ORDER = 2
"""A parabola keeps the speed and the turning points of a gesture, which a mean would flatten."""


def smooth(keypoints: np.ndarray, valid: np.ndarray, frames: int) -> np.ndarray:
    """Return keypoints (T, K, 2) px, each on the parabola nearest to an odd number of frames around it.

    Runs of valid frames (T, K) are smoothed each by itself; one shorter than that, and what is not valid,
    stays as it is. One frame smooths nothing. Source: Savitzky and Golay 1964; reading 8.
    """
    if frames <= ORDER:
        return keypoints
    # A second to import, which no other command shall wait for.
    from scipy.ndimage import find_objects, label
    from scipy.signal import savgol_filter

    smoothed = keypoints.copy()
    runs, _ = label(valid, structure=[[0, 1, 0]] * 3)  # along time: points beside each other stay apart
    for run in find_objects(runs):
        if run[0].stop - run[0].start >= frames:
            smoothed[run] = savgol_filter(keypoints[run], frames, ORDER, axis=0)
    return smoothed
