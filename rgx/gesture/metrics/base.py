"""The contracts of the metric axis: motion metrics and video metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


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

    record: dict[str, Any]
    direction: ClassVar[Literal["down", "up", "reference"]]
    """Better when lower, when higher, or when nearer to the value of the real motion."""
    unit: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    protocol: ClassVar[str] = "speech-driven, test windows of 80 frames"
    decimals: ClassVar[int] = 3
    reference_is: ClassVar[str] = ""
    """What the reference is, where it is not the score of the real motion itself."""

    @abstractmethod
    def score(self, evaluation: Evaluation) -> float:
        """Return the score of the generated motion."""

    def reference(self, evaluation: Evaluation) -> float:
        """Return what the real motion itself scores by the same measure (the floor or target)."""
        raise NotImplementedError


@dataclass(frozen=True)
class VideoPair:
    """One test window as pictures: real, generated (T, 3, H, W) float32 in [0, 1] on one device.

    hands (T, 1, H, W) bool: the boxes around the real hands, empty where no hand is seen.
    """

    real: Tensor
    generated: Tensor
    hands: Tensor


class VideoMetric(ABC):
    """One number of a table about videos; windows come one at a time and only what `measure` keeps stays."""

    record: dict[str, Any]
    direction: ClassVar[Literal["down", "up", "reference"]]
    unit: ClassVar[str] = ""
    range: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    protocol: ClassVar[str]
    """Self-reconstruction or speech-driven, the network, and how pictures are resized for it."""
    decimals: ClassVar[int] = 3
    stand_in: ClassVar[bool] = False
    """Whether it stands in for a measure whose pretrained weights are not at hand."""
    reference_is: ClassVar[str] = ""
    """What the reference is, where it is not the score of the real videos themselves."""

    def fingerprint(self) -> str:
        """Return the identity of pretrained weights; raises InputError for a file that is not them."""
        return ""

    def prepare(self, device: str) -> None:
        """Load pretrained weights on a device."""

    @abstractmethod
    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return what one window adds, (M,) float64; of M = 0 it adds nothing."""

    @abstractmethod
    def score(self, measured: Sequence[np.ndarray]) -> float:
        """Return the score over all windows."""

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return what real videos score by the same measure; NaN where that says nothing."""
        return float("nan")
