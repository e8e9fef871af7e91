"""The contract of the metric axis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np


@dataclass(frozen=True)
class Evaluation:
    """Everything a motion metric may look at, over W test windows of T frames.

    real, generated (W, T, 123, 2) in shoulder widths; valid (W, T, 123) bool, of the real motion;
    audio_beats (W, T) bool; embed: motion (W, T, 123, 2) → judge features (W, D).
    """

    real: np.ndarray
    generated: np.ndarray
    valid: np.ndarray
    audio_beats: np.ndarray
    embed: Callable[[np.ndarray], np.ndarray]


class Metric(ABC):
    """One number of a table, with all a reader needs to read it."""

    direction: ClassVar[Literal["down", "up", "real"]]
    """Better when lower, when higher, or when nearer to the value of the real motion."""
    unit: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    protocol: ClassVar[str] = "speech-driven, test windows of 80 frames"
    decimals: ClassVar[int] = 3

    @abstractmethod
    def score(self, evaluation: Evaluation) -> float:
        """Return the score of the generated motion."""

    def reference(self, evaluation: Evaluation) -> float:
        """Return what the real motion itself scores by the same measure (the floor or target)."""
        raise NotImplementedError
