"""The contract of the corpus axis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from rgx.types import Clip, CorpusFacts


class Corpus(ABC):
    """Recordings of speakers as clips of keypoints and speech."""

    @abstractmethod
    def facts(self) -> CorpusFacts:
        """Return speakers, clips per split and a fingerprint of the data, without decoding any of it.

        Raises InputError when the data is absent or its index disagrees with the files.
        """

    @abstractmethod
    def clips(self) -> Iterator[Clip]:
        """Yield every usable clip once, in a fixed order; raises InputError for an unusable one."""
