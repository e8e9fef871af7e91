"""Kinematic beats: the frames at which the body slows down to a local standstill."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rgx.gesture.skeleton import stream_slice

ORDER_FRAMES = 4
"""AIST++ compares over 10 frames at 60 fps; at 25 fps that is 4.2."""
STEADY = 1e-4
"""Summed speeds nearer than this, in shoulder widths a frame, are equal: float32 positions tell no more."""


def body_speed(motion: np.ndarray) -> np.ndarray:
    """Return the summed speed of body and hand points, (W, T − 1) in shoulder widths a frame.

    motion (W, T, 123, 2); entry t − 1 is the step from frame t − 1 to frame t.
    """
    body = motion[:, :, stream_slice("body")]
    return np.linalg.norm(np.diff(body, axis=1), axis=-1).sum(axis=-1, dtype=np.float64)


def motion_beats(motion: np.ndarray, order: int = ORDER_FRAMES) -> np.ndarray:
    """Return beats (W, T) bool of motion (W, T, 123, 2): minima of body speed within `order` frames.

    Frame t is a beat when the step into it is slower than each of the `order` steps before and not
    faster than any of the `order` steps after, so a standstill counts once, where it begins
    (speeds within `STEADY` are equal). Steps beyond the window are left out of the
    comparison; its first and last step are never beats. Raises ValueError when body points are
    not finite. Source: mint (AIST++), reading 45.
    """
    if order < 1:
        raise ValueError(f"beats need an order of at least 1 frame, found {order}")
    speed = body_speed(motion)
    if not np.isfinite(speed).all():
        raise ValueError("body points hold values that are not finite")
    beats = np.zeros(motion.shape[:2], dtype=bool)
    if speed.shape[1] < 3:
        return beats
    # Infinite beyond the window: what is not there is not slower.
    padded = np.pad(speed, ((0, 0), (order, order)), constant_values=np.inf)
    around = sliding_window_view(padded, 2 * order + 1, axis=1)
    slower = speed + STEADY < around[..., :order].min(axis=-1)
    lowest = speed <= around[..., order + 1 :].min(axis=-1) + STEADY
    beats[:, 2:-1] = (slower & lowest)[:, 1:-1]
    return beats
