"""What a video of an artifact shows, in words: who knows registers a class on the axis `caption`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from rgx.registry import axes, variants


@dataclass(frozen=True)
class Artifact:
    """A finished artifact as a caption may look at it: its folder, and its parents' in their order."""

    folder: Path
    parents: tuple[Path, ...]


class Caption(ABC):
    """One way to say what a video shows; it is built without arguments, once a report."""

    @abstractmethod
    def describe(self, file: str, artifact: Artifact) -> str | None:
        """Return what a file of an artifact shows, or None where that is not known."""


class Captions:
    """All registered captions; where none knows what a video shows, it is called by its file's name."""

    def __init__(self) -> None:
        classes = [variant.cls for variant in variants("caption")] if "caption" in axes() else []
        self.known: list[Caption] = [cls() for cls in classes if issubclass(cls, Caption)]

    def describe(self, file: str, artifact: Artifact) -> str:
        """Return what the first caption that knows says."""
        said = (caption.describe(file, artifact) for caption in self.known)
        return next((text for text in said if text), file)
