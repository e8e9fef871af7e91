"""A speaker's points over time: jumps taken out, what is seen counted."""

from __future__ import annotations

import numpy as np

from rgx.gesture.poses.following import SURE
from rgx.gesture.skeleton import BODY, FACE, LEFT_HAND, LEFT_SHOULDER, RIGHT_HAND, RIGHT_SHOULDER

PARTS = {"body": BODY, "face": FACE, "left_hand": LEFT_HAND, "right_hand": RIGHT_HAND}
JUMP_WIDTHS = 0.5
"""A point this many shoulder widths off, for one frame, was mistaken: 12 widths a second there and back."""


def without_jumps(track: np.ndarray) -> np.ndarray:
    """Return a track (T, 133, 3) in which a point that leaves its place for one frame only is not found.

    Its neighbours stay close to each other and both are far from it; the corpus interpolates such gaps.
    Jitter below that stays as it is. Source: ours, reading 8.
    """
    points, seen = track[..., :2], track[..., 2] > SURE
    shoulders = seen[:, LEFT_SHOULDER] & seen[:, RIGHT_SHOULDER]
    if len(track) < 3 or not shoulders.any():
        return track
    across = points[shoulders, LEFT_SHOULDER] - points[shoulders, RIGHT_SHOULDER]
    least = JUMP_WIDTHS * float(np.median(np.hypot(*across.T)))
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    back = np.linalg.norm(points[2:] - points[:-2], axis=-1)
    certain = seen[:-2] & seen[1:-1] & seen[2:]
    off = certain & (np.minimum(steps[:-1], steps[1:]) > np.maximum(least, 2 * back))
    cleaned = track.copy()
    cleaned[1:-1][off] = 0
    return cleaned


def seen_inside(placed: np.ndarray, size_px: int) -> np.ndarray:
    """Return which points (T, 133, 3) of a square `size_px` wide are found in it, (T, 133) bool."""
    inside = ((placed[..., :2] >= 0) & (placed[..., :2] <= size_px)).all(axis=-1)
    seen: np.ndarray = inside & (placed[..., 2] > SURE)
    return seen


def shares(seen: np.ndarray) -> dict[str, float]:
    """Return for each part the share of its points (T, 133) that are seen."""
    return {part: round(float(seen[:, list(points)].mean()), 4) for part, points in PARTS.items()}
