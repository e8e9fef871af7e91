"""The contract of the corpus axis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from rgx.gesture.types import Clip, CorpusFacts, Footage


class Corpus(ABC):
    """Recordings of speakers as clips of keypoints and speech, and as pictures."""

    @abstractmethod
    def facts(self) -> CorpusFacts:
        """Return speakers, clips per split with their lengths and a fingerprint, without decoding any of it.

        Raises InputError when the data is absent or its index disagrees with the files.
        """

    def fingerprint(self) -> str:
        """Return the identity of the data; raises InputError as `facts` does."""
        return self.facts().fingerprint

    @abstractmethod
    def clips(self) -> Iterator[Clip]:
        """Yield every usable clip once, in a fixed order; raises InputError for an unusable one."""

    def report(self) -> dict[str, float]:
        """Return what else should stand beside the numbers made from this corpus."""
        return {}

    def check_pictures(self) -> None:
        """Raise InputError for pictures that no stage could use, as far as a few of them tell."""

    @abstractmethod
    def footage(self, size_px: int) -> Iterator[Footage]:
        """Yield the pictures of every clip, in the order and with the T of `clips`, `size_px` wide.

        Raises InputError for pictures that cannot be decoded, are not square or change size.
        """
