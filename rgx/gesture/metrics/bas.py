"""Beat alignment scores: three definitions, three names."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import numpy as np

from rgx.errors import NotMeasurableError
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.gesture.metrics.beats import ORDER_FRAMES, motion_beats
from rgx.registry import register

SIGMA_FRAMES = 1.25
"""AIST++ takes 3 frames at 60 fps: 50 ms."""


def nearest_beat(beats: np.ndarray) -> np.ndarray:
    """Return the distance in frames (W, T) from each frame to the nearest beat, inf without beats."""
    frames = np.arange(beats.shape[1], dtype=np.float64)
    # The last beat at or before each frame, and the next one: two passes instead of all pairs.
    before = np.maximum.accumulate(np.where(beats, frames, -np.inf), axis=1)
    after = np.minimum.accumulate(np.where(beats, frames, np.inf)[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(frames - before, after - frames)


def alignment(anchors: np.ndarray, beats: np.ndarray, sigma: float, whose: str) -> float:
    """Return the mean over windows of the mean over anchors of exp(−d²/2σ²), d to the nearest beat.

    anchors, beats (W, T) bool. Windows without anchors are skipped, a window with anchors but no
    beats scores 0; raises NotMeasurableError when no window has an anchor. Source: reading 63.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be above 0 frames, found {sigma}")
    counts = anchors.sum(axis=1)
    some = counts > 0
    if not some.any():
        raise NotMeasurableError(
            f"none of {len(anchors)} windows holds a beat of the {whose} to anchor the score"
        )
    return float(aligned(anchors[some], beats[some], sigma).mean())


def aligned(anchors: np.ndarray, beats: np.ndarray, sigma: float) -> np.ndarray:
    """Return the mean over the anchors of each window (W,), each of which has one."""
    closeness = np.exp(-(nearest_beat(beats) ** 2) / (2 * sigma**2))
    return (closeness * anchors).sum(axis=1) / anchors.sum(axis=1)


class BeatAlignment(MotionMetric):
    """Mean over anchor beats of exp(−d²/2σ²), d the frames to the nearest other beat. Source: AIST++."""

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __init__(self, sigma_frames: float = SIGMA_FRAMES, order_frames: int = ORDER_FRAMES) -> None:
        self.sigma_frames = sigma_frames
        self.order_frames = order_frames

    def _beats(self, motion: np.ndarray) -> np.ndarray:
        return motion_beats(motion, self.order_frames)

    @abstractmethod
    def anchored(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        """Return anchors and beats (W, T) bool of the generated motion."""

    def parts(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        anchors, beats = self.anchored(evaluation)
        return self._values(anchors, beats), anchors.any(axis=1).astype(float)

    def _values(self, anchors: np.ndarray, beats: np.ndarray) -> np.ndarray:
        """Return the mean over the anchors of each window (W,), 0 where it has none."""
        values, some = np.zeros(len(anchors)), anchors.any(axis=1)
        values[some] = aligned(anchors[some], beats[some], self.sigma_frames)
        return values


@register("metric", "bas_gt_relative", label="BAS (real)", source="AIST++; paper Table 1")
class BasGtRelative(BeatAlignment):
    """Mean over beats of real motion of exp(−d²/2σ²), d to generated beats. Source: AIST++, reading 45."""

    def anchored(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        return self._beats(evaluation.real), self._beats(evaluation.generated)

    def score(self, evaluation: Evaluation) -> float:
        return alignment(*self.anchored(evaluation), self.sigma_frames, "real motion")

    def reference(self, evaluation: Evaluation) -> float:
        """Return 1: by definition the beats of real motion meet themselves."""
        return 1.0


@register("metric", "bas_audio_to_motion", label="BAS (audio→motion)", source="Bailando")
class BasAudioToMotion(BeatAlignment):
    """Mean over audio beats of exp(−d²/2σ²), d to the nearest motion beat. Source: Bailando, reading 45."""

    def anchored(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        return evaluation.audio_beats, self._beats(evaluation.generated)

    def _against(self, motion: np.ndarray, audio_beats: np.ndarray) -> float:
        return alignment(audio_beats, self._beats(motion), self.sigma_frames, "audio")

    def score(self, evaluation: Evaluation) -> float:
        return self._against(evaluation.generated, evaluation.audio_beats)

    def reference(self, evaluation: Evaluation) -> float:
        return self._against(evaluation.real, evaluation.audio_beats)


@register("metric", "bas_motion_to_audio", label="BAS (motion→audio)", source="AIST++")
class BasMotionToAudio(BeatAlignment):
    """Mean over motion beats of exp(−d²/2σ²), d to the nearest audio beat. Source: AIST++, reading 63.

    A window without a motion beat counts 0: its anchors are what is judged, and who stands still has none.
    """

    def anchored(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        return self._beats(evaluation.generated), evaluation.audio_beats

    def parts(self, evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
        values, _ = super().parts(evaluation)
        return values, np.ones(len(values))

    def _against(self, motion: np.ndarray, audio_beats: np.ndarray) -> float:
        if not audio_beats.any():
            raise NotMeasurableError(f"none of {len(audio_beats)} windows holds a beat of the audio")
        return float(self._values(self._beats(motion), audio_beats).mean())

    def score(self, evaluation: Evaluation) -> float:
        return self._against(evaluation.generated, evaluation.audio_beats)

    def reference(self, evaluation: Evaluation) -> float:
        return self._against(evaluation.real, evaluation.audio_beats)
