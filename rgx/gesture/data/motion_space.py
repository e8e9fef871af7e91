"""Axis space: in what motion is generated, landmarks of a person or control points of an animator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from rgx.gesture.skeleton import BODY, FACE, KEPT, STREAMS, stream_slice
from rgx.gesture.types import CONTROL_POINTS, LANDMARKS, MotionSource, PointFacts
from rgx.registry import register


class MotionSpace(ABC):
    """In what space motion is generated; facts are what `source.stage` builds."""

    source: ClassVar[MotionSource]

    @property
    def parents(self) -> tuple[str, ...]:
        """Return the stages whose artifacts windows in this space are read from, besides their speech."""
        return tuple(dict.fromkeys(("corpus", self.source.stage)))

    @abstractmethod
    def levels(self, facts: Any) -> tuple[int, ...]:
        """Return how many points a frame has, by level of a cascade."""

    @abstractmethod
    def streams(self, facts: Any) -> dict[str, slice]:
        """Return which points may have a tokenizer of their own, by the name of their stream."""


@register("space", "landmarks", label="Landmarks", source="Sec. 3.1")
class LandmarkSpace(MotionSpace):
    """Keypoints of a person: those of face and body, then those of the hands."""

    source = LANDMARKS

    def levels(self, facts: Any) -> tuple[int, ...]:
        first = len(FACE + BODY)
        return first, len(KEPT) - first

    def streams(self, facts: Any) -> dict[str, slice]:
        return {stream: stream_slice(stream) for stream in STREAMS}


@register("space", "control_points", label="Control points", source="S2G-Diffusion (He 2024); reading 109")
class ControlPointSpace(MotionSpace):
    """Control points that an animator finds in pictures, all at once; they say nothing of limbs."""

    source = CONTROL_POINTS

    def levels(self, facts: PointFacts) -> tuple[int, ...]:
        return (facts.points,)

    def streams(self, facts: PointFacts) -> dict[str, slice]:
        return {self.source.array: slice(0, facts.points)}


USUAL: MotionSpace = LandmarkSpace()
"""What stages take where nothing is bound."""
