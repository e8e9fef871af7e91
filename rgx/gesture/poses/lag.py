"""By how many frames a track runs behind its pictures, where their motion tells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

LIKE, BETTER, AROUND = 0.5, 0.2, 3
"""Correlation at a lag that is sure, how far it is above that without one, and frames about a peak."""


class Lag(NamedTuple):
    """Frames that a track is behind (positive) or ahead, and the correlation there and without a lag."""

    frames: int
    there: float
    without: float

    @property
    def is_sure(self) -> bool:
        """Whether nobody would doubt it."""
        return bool(self.frames) and self.there >= LIKE and self.there - self.without >= BETTER


def speed_of(points: np.ndarray) -> np.ndarray:
    """Return how far the points found in both frames of a step go (T − 1,), as a mean in px."""
    detected = points[..., 2] > 0
    in_both = detected[1:] & detected[:-1]
    steps = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    return np.where(in_both, steps, 0).sum(axis=1) / np.maximum(in_both.sum(axis=1), 1)


def change_of(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """Return how much each picture (H, W, 3) differs from the one before it (T − 1,), in grey levels."""
    changes, before = list[float](), None
    for picture in pictures:
        now = picture.astype(np.float32)
        if before is not None:
            changes.append(float(np.abs(now - before).mean()))
        before = now
    return np.array(changes)


def lag_between(speed: np.ndarray, change: np.ndarray, most: int) -> Lag:
    """Return the lag of at most so many frames at which a track's speed follows the pictures' change best.

    Both (T,) are compared by their logarithms, so that one wide gesture does not decide. A peak that has
    its like elsewhere, as periodic motion has, is no lag.
    """
    tracked, shown = (np.log1p(values / max(float(np.median(values)), 1e-6)) for values in (speed, change))
    frames = min(len(tracked), len(shown))
    tracked, shown = tracked[:frames], shown[:frames]
    most = min(most, frames // 3)
    lags = range(-most, most + 1)
    likeness = np.array([_correlation(tracked[max(n, 0) : frames + min(n, 0)],
                                      shown[max(-n, 0) : frames + min(-n, 0)]) for n in lags])  # fmt: skip
    best = int(likeness.argmax())
    apart = np.abs(np.arange(len(likeness)) - best) > AROUND
    if apart.any() and likeness[best] - likeness[apart].max() < BETTER / 2:
        return Lag(0, float(likeness[most]), float(likeness[most]))
    return Lag(lags[best], float(likeness[best]), float(likeness[most]))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / scale if scale > 1e-9 else 0.0


def moved_back(points: np.ndarray, frames: int) -> np.ndarray:
    """Return points (T, 133, 3) so many frames earlier; what then lacks at an end is not found."""
    if not frames:
        return points
    moved = np.zeros_like(points)
    if frames > 0:
        moved[:-frames] = points[frames:]
    else:
        moved[-frames:] = points[:frames]
    return moved
