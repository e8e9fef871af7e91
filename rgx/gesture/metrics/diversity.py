"""How far apart motions lie in judge features."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from rgx.errors import NotMeasurableError
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.registry import register


def distinct_pairs(items: int, pairs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw `pairs` ordered pairs of two different items, with repetition; raises ValueError for one item."""
    if items < 2:
        raise NotMeasurableError(f"diversity needs at least 2 windows, found {items}")
    if pairs < 1:
        raise ValueError(f"diversity needs at least 1 pair, found {pairs}")
    random = np.random.default_rng(seed)
    first = random.integers(items, size=pairs)
    # Drawing from one item fewer and stepping over `first` leaves every other item equally likely.
    second = random.integers(items - 1, size=pairs)
    return first, second + (second >= first)


@register("metric", "diversity", label="Div.", source="Lee 2019; paper Table 1")
class Diversity(MotionMetric):
    """Mean ‖f_i − f_j‖₂ over random i ≠ j of judge features, target real. Source: Lee 2019, reading 44.

    The same pairs are drawn for real and generated motion.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "reference"

    def __init__(self, pairs: int = 500, seed: int = 0) -> None:
        self.pairs = pairs
        self.seed = seed

    def _spread(self, features: np.ndarray) -> float:
        # Squares of float32 features lose digits that a difference of means needs.
        wide = features.astype(np.float64)
        if not np.isfinite(wide).all():
            raise ValueError("judge features hold values that are not finite")
        first, second = distinct_pairs(len(wide), self.pairs, self.seed)
        return float(np.linalg.norm(wide[first] - wide[second], axis=-1).mean())

    def score(self, evaluation: Evaluation) -> float:
        return self._spread(evaluation.generated_features)

    def reference(self, evaluation: Evaluation) -> float:
        return self._spread(evaluation.real_features)
