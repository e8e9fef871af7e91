"""The share of generated keypoints that fall close to the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np

from rgx.errors import NotMeasurableError
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.registry import register


def pcm_curve(evaluation: Evaluation, deltas: Sequence[float]) -> np.ndarray:
    """Return the share of valid keypoints nearer than each delta, in shoulder widths, to the real ones.

    Raises ValueError when no keypoint is valid or a valid one is not finite.
    """
    offsets = evaluation.generated[evaluation.valid] - evaluation.real[evaluation.valid]
    if not len(offsets):
        raise NotMeasurableError("no keypoint is valid in any window")
    # Sorted once, a whole curve of deltas is read off by bisection; "left" keeps < strict.
    distances = np.sort(np.linalg.norm(offsets.astype(np.float64), axis=-1))
    if not np.isfinite(distances[-1]):
        raise ValueError("valid keypoints hold values that are not finite")
    return np.searchsorted(distances, np.asarray(deltas, dtype=np.float64), side="left") / len(distances)


@register("metric", "pcm", label="PCM", source="DiffSHEG; paper Table 1")
class PCM(MotionMetric):
    """Share of valid keypoints with ‖x̂ − x‖₂ < delta shoulder widths. Source: DiffSHEG, reading 46."""

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(self, delta: float = 0.1) -> None:
        self.delta = delta

    def score(self, evaluation: Evaluation) -> float:
        return float(pcm_curve(evaluation, (self.delta,))[0])

    def parts(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        distances = np.linalg.norm((evaluation.generated - evaluation.real).astype(np.float64), axis=-1)
        counts = evaluation.valid.sum(axis=(1, 2)).astype(np.float64)
        near = ((distances < self.delta) & evaluation.valid).sum(axis=(1, 2))
        return near / counts.clip(min=1.0), counts

    def reference(self, evaluation: Evaluation) -> float:
        """Return 1: real motion is at distance zero from itself."""
        return 1.0
