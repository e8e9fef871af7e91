"""How the body moves in time: its jerk, jerk whatever the size of a movement, and how much hands vary."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rgx.errors import NotMeasurableError
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.gesture.skeleton import LEFT_HAND, RIGHT_HAND, stream_slice
from rgx.gesture.types import FPS
from rgx.registry import register

BODY = stream_slice("body")
MOVES = 0.25
"""Shoulder widths a second: a point that never moves faster rests, and has no smoothness. Source: ours."""


def third_differences(motion: np.ndarray) -> np.ndarray:
    """Return the jerk (W, T − 3, K) of body points, in shoulder widths / s³, of motion (W, T, 123, 2)."""
    steps = np.diff(motion[:, :, BODY].astype(np.float64), n=3, axis=1)
    jerk: np.ndarray = np.linalg.norm(steps, axis=-1) * FPS**3
    if not np.isfinite(jerk).all():
        raise ValueError("body points hold values that are not finite")
    return jerk


class MovementMetric(MotionMetric):
    """A mean over windows of what each of them measures, each with its weight; nearest to real is best."""

    direction: ClassVar[Literal["down", "up", "reference"]] = "reference"

    def measured(self, motion: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return value and weight (W,) of motion (W, T, 123, 2), of points valid (W, T, 123)."""
        raise NotImplementedError

    def parts(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        return self.measured(evaluation.generated, evaluation.valid)

    def score(self, evaluation: Evaluation) -> float:
        return self._mean(evaluation.generated, evaluation.valid)

    def reference(self, evaluation: Evaluation) -> float:
        return self._mean(evaluation.real, evaluation.valid)

    def _mean(self, motion: np.ndarray, valid: np.ndarray) -> float:
        values, weights = self.measured(motion, valid)
        if not weights.any():
            raise NotMeasurableError(f"in none of {len(values)} windows is there a point that it is taken of")
        return float(np.average(values, weights=weights))


@register("metric", "jerk", label="Jerk", source="ours, reading 68")
class Jerk(MovementMetric):
    """Mean ‖Δ³x‖ · 25³ of body and hand points over four valid frames. Source: ours, reading 68."""

    unit: ClassVar[str] = "sw/s³"
    decimals: ClassVar[int] = 1

    def measured(self, motion: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A point that was not seen has no third difference that means anything, in real motion least of all.
        whole = sliding_window_view(valid[:, :, BODY], 4, axis=1).all(axis=-1)
        counts = whole.sum(axis=(1, 2)).astype(np.float64)
        sums = (third_differences(motion) * whole).sum(axis=(1, 2))
        return sums / counts.clip(min=1.0), counts


@register("metric", "log_jerk", label="Log jerk", source="Balasubramanian 2015; reading 68")
class LogJerk(MovementMetric):
    """Mean ln(T³ / v² · ∫ ‖jerk‖² dt) of moving points, v their peak speed. Source: reading 68.

    Without dimension: a large gesture as smooth as a small one has the same. Of points valid in all frames
    that move at all.
    """

    range: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))
    decimals: ClassVar[int] = 2

    def measured(self, motion: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        jerk = third_differences(motion)
        speed = np.linalg.norm(np.diff(motion[:, :, BODY].astype(np.float64), axis=1), axis=-1) * FPS
        peak = speed.max(axis=1)
        moving = valid[:, :, BODY].all(axis=1) & (peak > MOVES)
        duration_s = motion.shape[1] / FPS
        squares = (jerk**2).sum(axis=1) / FPS
        ratio = squares / np.where(moving, peak, 1.0) ** 2
        # The least float keeps the logarithm of perfectly steady motion finite.
        logs = np.log((duration_s**3 * ratio).clip(min=np.finfo(float).tiny))
        counts = moving.sum(axis=1).astype(np.float64)
        return (logs * moving).sum(axis=1) / counts.clip(min=1.0), counts


@register("metric", "hand_variance", label="HKV", source="OmniHuman 2025; reading 69")
class HandVariance(MovementMetric):
    """Mean variance in time of hand points within a window. Source: hand keypoint variance, reading 69."""

    unit: ClassVar[str] = "sw²"

    def measured(self, motion: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # They are the last of the body's stream.
        hands = slice(BODY.stop - len(LEFT_HAND) - len(RIGHT_HAND), BODY.stop)
        points, seen = motion[:, :, hands].astype(np.float64), valid[:, :, hands].astype(np.float64)
        if not np.isfinite(points).all():
            raise ValueError("hand points hold values that are not finite")
        counts = seen.sum(axis=1)
        mean = (points * seen[..., None]).sum(axis=1) / counts.clip(min=1.0)[..., None]
        squares = ((points - mean[:, None]) ** 2).sum(axis=-1) * seen
        # A point's variance counts by the frames in which it was seen.
        total = counts.sum(axis=1)
        return squares.sum(axis=(1, 2)) / total.clip(min=1.0), total
