"""How surely a tracker finds hands in a video, as in the talk of hand keypoint confidence (HKC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.metrics.base import VideoMetric, VideoPair
from rgx.gesture.poses.base import Extractor
from rgx.gesture.skeleton import LEFT_HAND, RIGHT_HAND
from rgx.registry import Part, register

HANDS = [*LEFT_HAND, *RIGHT_HAND]


def hand_confidence(people: np.ndarray) -> float:
    """Return the mean score of the 42 hand points of the surest of people (P, 133, 3), 0 for none."""
    if not len(people):
        return 0.0
    surest = people[people[..., 2].sum(axis=-1).argmax()]
    return float(surest[HANDS, 2].mean())


@register("metric", "video_hand_confidence", label="HKC", source="reading 69")
class VideoHandConfidence(VideoMetric):
    """Mean score of a tracker's hand points in generated frames; its reference is that of the recording.

    Of a tracker that only finds a hand or does not, it is the share of hands that are found.
    Source: reading 69.
    """

    direction: ClassVar[Literal["down", "up", "reference"]] = "up"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    protocol: ClassVar[str] = "speech-driven, a tracker's hand points at the pictures' own size (no resize)"

    def __init__(self, poses: Part[Extractor]) -> None:
        if poses.networks:
            raise InputError(
                f"metric.video_hand_confidence.poses: trained by the stage {', '.join(poses.networks)}, "
                "which no metric reads; choose mmpose or mediapipe"
            )
        self.poses = poses

    def fingerprint(self) -> str:
        """Return the identity of the tracker's weights."""
        return self.poses.fingerprint()

    def measure(self, pair: VideoPair) -> np.ndarray:
        """Return the mean of generated and of real frames, (2,)."""
        return np.array([self._mean(pair.generated), self._mean(pair.real)])

    def score(self, measured: Sequence[np.ndarray]) -> float:
        return float(np.mean([generated for generated, _ in measured]))

    def part(self, measures: np.ndarray) -> tuple[float, float]:
        return float(measures[0]), 1.0

    def reference(self, measured: Sequence[np.ndarray]) -> float:
        return float(np.mean([real for _, real in measured]))

    def _mean(self, video: Tensor) -> float:
        """Return the confidence over the frames of pictures (T, 3, H, W) in [0, 1]."""
        frames = (255 * video.permute(0, 2, 3, 1)).round().byte().cpu().numpy()
        return float(np.mean([hand_confidence(people) for people in self.poses.track(frames)]))
