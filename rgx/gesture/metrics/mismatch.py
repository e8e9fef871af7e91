"""Whether a window's motion fits its own speech better than another window's of the same speaker."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from rgx.errors import NotMeasurableError
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.gesture.types import WINDOW_FRAMES
from rgx.registry import register

CLIP, SPEAKER, START = range(3)
"""The columns of `places`."""


def partners_of(places: np.ndarray, heard: np.ndarray, most: int, seed: int) -> list[np.ndarray]:
    """Return, for each window, at most `most` others of its speaker that have speech, drawn by `seed`.

    They are of another clip, or begin at least a window away; a window without speech of its own has none.
    """
    random = np.random.default_rng(seed)
    chosen = []
    for window, (clip, speaker, start) in enumerate(places):
        apart = (places[:, CLIP] != clip) | (np.abs(places[:, START] - start) >= WINDOW_FRAMES)
        others = np.flatnonzero(heard & apart & (places[:, SPEAKER] == speaker) & heard[window])
        chosen.append(random.permutation(others)[:most])
    return chosen


def shares(seen: np.ndarray, speech: np.ndarray, partners: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return how often each window's own speech fits it better than its partners' (W,), 1 where it has any.

    seen, speech (W, N, D); ties count half.
    """
    values, weights = np.zeros(len(seen)), np.zeros(len(seen))
    for window, others in enumerate(partners):
        if len(others):
            fits = (speech[[window, *others]] * seen[window]).sum(axis=(1, 2), dtype=np.float64)
            values[window] = np.mean((fits[0] > fits[1:]) + 0.5 * (fits[0] == fits[1:]))
            weights[window] = 1.0
    return values, weights


@register("metric", "mismatch", label="Mismatch", source="GENEA 2022; arXiv 2511.01233; reading 64")
class Mismatch(MotionMetric):
    """Share of windows whose own speech fits better than another's of the speaker. Source: GENEA, reading 64.

    partners: how many other windows each is held against, drawn by `seed`. 50 is chance.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    unit: ClassVar[str] = "%"
    range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    decimals: ClassVar[int] = 1
    judge: ClassVar[str] = "sync_judge"
    reference_is: ClassVar[str] = "recorded motion in the same judge, the ceiling; 50 is chance"

    def __init__(self, partners: int = 16, seed: int = 0) -> None:
        self.partners, self.seed = partners, seed

    def score(self, evaluation: Evaluation) -> float:
        return self._mean(evaluation, evaluation.generated_views)

    def reference(self, evaluation: Evaluation) -> float:
        return self._mean(evaluation, evaluation.real_views)

    def parts(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        return self._parts(evaluation, evaluation.generated_views)

    def chance(self, evaluation: Evaluation) -> float:
        """Return what real motion scores when the windows of each speaker have changed places."""
        random, order = np.random.default_rng(self.seed), np.arange(len(evaluation.places))
        for speaker in np.unique(evaluation.places[:, SPEAKER]):
            own = np.flatnonzero(evaluation.places[:, SPEAKER] == speaker)
            order[own] = random.permutation(own)
        return self._mean(evaluation, evaluation.real_views[order])

    def _parts(self, evaluation: Evaluation, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sync = evaluation.synchrony
        partners = partners_of(evaluation.places, sync.heard, self.partners, self.seed)
        values, weights = shares(seen, sync.speech, partners)
        return 100 * values, weights

    def _mean(self, evaluation: Evaluation, seen: np.ndarray) -> float:
        values, weights = self._parts(evaluation, seen)
        if not weights.any():
            raise NotMeasurableError(
                f"none of {len(seen)} windows has speech and another window of its speaker to be held against"
            )
        return float(np.average(values, weights=weights))
