"""Which way up a track is: pictures turned by quarters when it was found, or y counted upwards."""

from __future__ import annotations

import numpy as np

from rgx.gesture.skeleton import LEFT_SHOULDER, RIGHT_SHOULDER

HEAD = slice(0, 5)
"""Nose, eyes and ears."""
TURNS = (0, 90, 180, 270)
"""By how many degrees clockwise pictures may be turned."""


def turned_size(size_px: tuple[int, int], degrees: int) -> tuple[int, int]:
    """Return width and height of pictures of that size, turned."""
    return (size_px[1], size_px[0]) if degrees % 180 else size_px


def upright(points: np.ndarray, degrees: int, upwards: bool, size_px: tuple[int, int]) -> np.ndarray:
    """Return found points (…, 3) of pictures that were turned clockwise as those of the upright ones.

    upwards: whether their y was counted from the bottom; size_px: width and height of the upright pictures.
    Points that were not found stay as they are.
    """
    width, height = size_px
    x, y, scores = np.moveaxis(points, -1, 0)
    if upwards:
        y = turned_size(size_px, degrees)[1] - y
    x, y = {0: (x, y), 90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}[degrees]
    return np.where(scores[..., None] > 0, np.stack([x, y, scores], axis=-1), points).astype(points.dtype)


def as_found(places: np.ndarray, degrees: int, upwards: bool, size_px: tuple[int, int]) -> np.ndarray:
    """Return places (N, 2) of upright pictures where they were in turned ones: what `upright` undoes."""
    width, height = size_px
    x, y = places.T
    x, y = {0: (x, y), 90: (height - y, x), 180: (width - x, height - y), 270: (y, width - x)}[degrees]
    return np.stack([x, turned_size(size_px, degrees)[1] - y if upwards else y], axis=-1)


def lying(points: np.ndarray, sure: float) -> tuple[float, str, str]:
    """Return in which share of frames of (T, 133, 3) a speaker's head is not above the shoulders, where it
    is instead, and which argument of `fit.track` would put that right.

    The share is that of the most frequent wrong place, 0 where head or shoulders are never sure.
    """
    shoulders = points[:, [LEFT_SHOULDER, RIGHT_SHOULDER]]
    head = points[:, HEAD]
    weights = (head[..., 2:] > sure).astype(float)
    judged = (shoulders[..., 2] > sure).all(axis=1) & weights.any(axis=(1, 2))
    if not judged.any():
        return 0.0, "", ""
    middle = (head[judged, :, :2] * weights[judged]).sum(axis=1) / weights[judged].sum(axis=1)
    x, y = (middle - shoulders[judged, :, :2].mean(axis=1)).T
    reversed_share = float((shoulders[judged, 0, 0] < shoulders[judged, 1, 0]).mean())
    below = ("below", "turned = 180") if reversed_share > 1 / 2 else ("below", "upwards = True")
    shares = {
        below: (y > 0) & (y > np.abs(x)),
        ("right of", "turned = 90"): (x > 0) & (x >= np.abs(y)),
        ("left of", "turned = 270"): (x < 0) & (-x >= np.abs(y)),
    }
    place = max(shares, key=lambda where: float(shares[where].mean()))
    return float(shares[place].mean()), *place
