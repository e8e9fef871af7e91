"""Gaps in tracks of keypoints: short ones are interpolated, long ones only filled."""

from __future__ import annotations

import numpy as np

from rgx.gesture.skeleton import LEFT_HAND, LEFT_SHOULDER, POINTS, RIGHT_HAND, RIGHT_SHOULDER

LEFT_WRIST, RIGHT_WRIST = 9, 10


def bridge_gaps(keypoints: np.ndarray, valid: np.ndarray, longest: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return finite keypoints (T, 133, 2) float32 in px and valid (T, 133) with short gaps bridged.

    Gaps of at most `longest` frames between two valid frames are interpolated and become valid;
    other gaps hold the nearest valid value and stay invalid. A point that is never valid follows
    its wrist (hands) or the mid-shoulder. Raises ValueError for wrong shapes, a negative
    `longest` or a valid point that is not finite.
    """
    frames = len(keypoints)
    if keypoints.shape != (frames, POINTS, 2) or valid.shape != (frames, POINTS):
        raise ValueError(f"expected (T, {POINTS}, 2) and (T, {POINTS}): {keypoints.shape}, {valid.shape}")
    if longest < 0:
        raise ValueError(f"the longest gap is {longest} frames, expected 0 or more")
    if not np.isfinite(keypoints[valid]).all():
        raise ValueError("a valid point is not finite")
    time = np.arange(frames)[:, None]
    before = np.maximum.accumulate(np.where(valid, time, -1), axis=0)
    after = np.minimum.accumulate(np.where(valid, time, frames)[::-1], axis=0)[::-1]
    bridged = ~valid & (before >= 0) & (after < frames) & (after - before - 1 <= longest)
    nearest = np.where((before < 0) | ((after < frames) & (after - time < time - before)), after, before)

    filled = _pick(keypoints, nearest)
    start = _pick(keypoints, before).astype(np.float64)
    share = (time - before) / np.maximum(after - before, 1)
    between = start + share[..., None] * (_pick(keypoints, after) - start)
    filled = np.where(bridged[..., None], between, filled)
    _fill_absent(filled, valid)
    return filled.astype(np.float32), valid | bridged


def _pick(keypoints: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Return each point as it was in the frame given for it: (T, K, 2), (T, K) → (T, K, 2)."""
    return np.take_along_axis(keypoints, frame.clip(0, max(len(keypoints) - 1, 0))[..., None], axis=0)


def _fill_absent(filled: np.ndarray, valid: np.ndarray) -> None:
    """Give every point that is never valid its fallback, in place."""
    present = np.logical_or.reduce(valid, axis=0)
    shoulders = [p for p in (LEFT_SHOULDER, RIGHT_SHOULDER) if present[p]]
    # Without shoulders the clip's usable points are the only hint of where the person is.
    anchors = shoulders or np.flatnonzero(present)
    middle = filled[:, anchors].mean(axis=1, keepdims=True) if len(anchors) else 0.0
    filled[:, ~present] = middle
    for hand, wrist in ((LEFT_HAND, LEFT_WRIST), (RIGHT_HAND, RIGHT_WRIST)):
        absent = [p for p in hand if not present[p]]
        filled[:, absent] = filled[:, [wrist]]
