"""Axis parts: one tokenizer for everything, or one for the face and one for the body."""

from __future__ import annotations

from rgx.gesture.skeleton import STREAMS
from rgx.gesture.tokens.base import Parts
from rgx.registry import register


@register("parts", "joint", label="Joint", source="Sec. 5.4, Table 3b '+RVQ'")
class JointParts(Parts):
    """Face and body share one stream."""

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        return {"motion": tuple(STREAMS)}


@register("parts", "separate", label="Separate", source="Sec. 4.1, Table 3b '+separate'")
class SeparateParts(Parts):
    """Face and body each have their own stream."""

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        return {stream: (stream,) for stream in STREAMS}


class OnePart(Parts):
    """All there is in one stream: of motion that has no face and no body."""

    def __init__(self, stream: str) -> None:
        self.stream = stream

    @property
    def streams(self) -> dict[str, tuple[str, ...]]:
        return {self.stream: (self.stream,)}
