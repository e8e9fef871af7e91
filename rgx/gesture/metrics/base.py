"""The contracts of the metric axis: motion metrics and video metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from rgx import metric

if TYPE_CHECKING:
    from torch import Tensor

Quantity = TypeVar("Quantity")
CHUNK = 16
"""Frames looked at together: memory does not grow with the length of a window."""


@dataclass(frozen=True)
class Synchrony:
    """What the judge of synchrony says of W windows, N moments of a window at a time.

    speech (W, N, D): its view of each window's own speech; heard (W,) bool: where there is speech at all;
    embed: motion (W, T, 123, 2) → its view of motion (W, N, D); views of a moment have length 1.
    """

    speech: np.ndarray
    heard: np.ndarray
    embed: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Evaluation:
    """Everything a motion metric may look at, over W windows of T frames.

    real, generated (W, T, 123, 2) in shoulder widths; valid (W, T, 123) bool, of the real motion;
    audio_beats (W, T) bool; embed: motion (W, T, 123, 2) → judge features (W, D); places (W, 3) int: clip,
    speaker and first frame of each window; sync: where a metric is taken in `sync_judge`.
    """

    real: np.ndarray
    generated: np.ndarray
    valid: np.ndarray
    audio_beats: np.ndarray
    embed: Callable[[np.ndarray], np.ndarray]
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), int))
    sync: Synchrony | None = None

    @cached_property
    def real_features(self) -> np.ndarray:
        """Judge features (W, D) of the real motion, embedded for the first metric that reads them."""
        return self.embed(self.real)

    @cached_property
    def generated_features(self) -> np.ndarray:
        """Judge features (W, D) of the generated motion."""
        return self.embed(self.generated)

    @property
    def synchrony(self) -> Synchrony:
        """What the judge of synchrony says; raises ValueError where no metric asked for one."""
        if self.sync is None:
            raise ValueError("no judge of synchrony is at hand: what reads it says `judge = 'sync_judge'`")
        return self.sync

    @cached_property
    def real_views(self) -> np.ndarray:
        """The judge of synchrony's views (W, N, D) of the real motion."""
        return self.synchrony.embed(self.real)

    @cached_property
    def generated_views(self) -> np.ndarray:
        """The judge of synchrony's views (W, N, D) of the generated motion."""
        return self.synchrony.embed(self.generated)


class MotionMetric(metric.Metric):
    """One number of a table about motion; its reference is what the real motion scores."""

    protocol: ClassVar[str] = "speech-driven, windows of 80 frames"
    judge: ClassVar[str] = "judge"
    """The stage in whose features it is taken, where it reads any: `judge` or `sync_judge`."""

    @abstractmethod
    def score(self, evaluation: Evaluation) -> float:
        """Return the score of the generated motion."""

    def reference(self, evaluation: Evaluation) -> float:
        """Return what the real motion itself scores by the same measure (the floor or target)."""
        raise NotImplementedError

    def parts(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray] | None:
        """Return value and weight (W,) of each window where the score is their mean; None where it is not."""
        return None

    def chance(self, evaluation: Evaluation) -> float | None:
        """Return what real motion scores beside speech that is not its own; None where that says nothing."""
        return None


Box = tuple[int, int, int, int]
"""A rectangle of pixels: its first row, the one behind its last, and the same of its columns."""


@dataclass(frozen=True, eq=False)
class SourcePicture:
    """What a window is made from: picture (1, 3, H, W), and where its face is, if it shows one."""

    picture: Tensor
    face: Box | None


@dataclass(frozen=True, eq=False)
class VideoPair:
    """One window as pictures: real, generated (T, 3, H, W) float32 in [0, 1] on one device.

    hands (T, 1, H, W) bool: the boxes around the real hands, empty where no hand is seen; shown: the source
    picture, which metrics that compare with it ask for as `source`.
    """

    real: Tensor
    generated: Tensor
    hands: Tensor
    shown: SourcePicture | None = None
    _known: dict[Callable[[VideoPair], Any], Any] = field(default_factory=dict, init=False, repr=False)

    @property
    def source(self) -> SourcePicture:
        """The source picture; raises ValueError where a window has none."""
        if self.shown is None:
            raise ValueError("no source picture is at hand: a window that has one says `shown`")
        return self.shown

    @cached_property
    def chunks(self) -> list[VideoPair]:
        """A few frames at a time, the same for every metric; raises ValueError for pictures of two shapes."""
        if self.real.shape != self.generated.shape:
            raise ValueError(f"frames differ: {tuple(self.real.shape)} and {tuple(self.generated.shape)}")
        real, generated, hands = (x.split(CHUNK) for x in (self.real, self.generated, self.hands))
        return [VideoPair(*piece, self.shown) for piece in zip(real, generated, hands, strict=True)]

    def once(self, quantity: Callable[[VideoPair], Quantity]) -> Quantity:
        """Return a quantity of the pair that several metrics read, worked out for the first of them."""
        if quantity not in self._known:
            self._known[quantity] = quantity(self)
        known: Quantity = self._known[quantity]
        return known


class VideoMetric(metric.Metric):
    """One number of a table about videos; windows come one at a time and only what `measure` keeps stays."""

    protocol: ClassVar[str]
    """Self-reconstruction or speech-driven, the network, and how pictures are resized for it."""
    read_as: str = ""
    """Which of the layouts that its weights may be in they were found in, once prepared."""

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

    def part(self, measures: np.ndarray) -> tuple[float, float] | None:
        """Return value and weight of one window where the score is their mean; None where it is not."""
        return None

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        """Return what real videos score by the same measure; NaN where that says nothing."""
        return float("nan")
