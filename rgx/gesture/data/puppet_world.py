"""The contract of the world axis: what puppets say, and how their hands go with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from rgx.gesture.data.puppet_body import Gestures, Puppet
from rgx.gesture.data.puppet_speech import PuppetSpeech, SpokenLine, Voice


class World(ABC):
    """How the puppets of a corpus speak and gesture, and so what there is to be learned of it."""

    record: dict[str, Any]

    def dials(self) -> dict[str, float]:
        """Return what it was set to, from which, with the corpus's seed, all clips follow."""
        return {name: value for name, value in vars(self).items() if name != "record"}

    @abstractmethod
    def write(self, who: Voice, frames: int, rng: np.random.Generator) -> SpokenLine:
        """Return a random line that takes no more than T = frames."""

    def spell(self, word: int) -> str:
        """Return how a word sounds, the stressed syllable in capitals; nothing where that is not known."""
        return ""

    def said(self, planted: Mapping[str, np.ndarray]) -> list[tuple[str, int]]:
        """Return what is said and the frame it begins at, from what is planted in a clip."""
        pairs = zip(planted["word_ids"].tolist(), planted["word_frames"].tolist(), strict=True)
        return [(text, frame) for word, frame in pairs if (text := self.spell(word))]

    @abstractmethod
    def gesture(self, who: Puppet, speech: PuppetSpeech, rng: np.random.Generator) -> Gestures:
        """Return what the hands do with a speech; 'stroke_frames' is planted in it."""
