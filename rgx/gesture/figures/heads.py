"""What may stand over the columns of a strip: when a frame is, or what is said, else how loud speech is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from rgx.gesture.figures.shown_window import ShownWindow
from rgx.gesture.figures.strip_page import Heads
from rgx.gesture.figures.transcript import columns_of, read_transcript
from rgx.gesture.types import FPS, SAMPLES_PER_FRAME

NO_WORDS, NO_SOUND = "no transcript: the curve is how loud the speech is", "neither transcript nor sound"
LOUDNESS_SAMPLES = SAMPLES_PER_FRAME // 2
"""How much speech one point of the curve is the mean of: half a frame."""


class Above(ABC):
    """What stands over the frames shown of a window."""

    reads_transcripts: ClassVar[bool] = False

    @abstractmethod
    def heads(
        self, window: ShownWindow, frames: Sequence[int], transcripts: Path | None
    ) -> tuple[Heads, str]:
        """Return it, and what must be said of it; raises InputError for a transcript that cannot be read."""


class TimesAbove(Above):
    """When each frame is, from the window's first on."""

    def heads(
        self, window: ShownWindow, frames: Sequence[int], transcripts: Path | None
    ) -> tuple[Heads, str]:
        return Heads([f"{t / FPS:.1f} s" for t in frames]), ""


class WordsAbove(Above):
    """What is said, as a transcript has it or the corpus; without either, how loud the speech is."""

    reads_transcripts = True

    def heads(
        self, window: ShownWindow, frames: Sequence[int], transcripts: Path | None
    ) -> tuple[Heads, str]:
        words = window.words
        if transcripts is not None:
            words = read_transcript(transcripts, window.clip, window.first)
        if words:
            return Heads([" ".join(texts) for texts in columns_of(words, frames)]), ""
        if not len(window.waveform):
            return TimesAbove().heads(window, frames, None)[0], NO_SOUND
        whole = len(window.waveform) // LOUDNESS_SAMPLES * LOUDNESS_SAMPLES
        power = (window.waveform[:whole].reshape(-1, LOUDNESS_SAMPLES).astype(np.float64) ** 2).mean(1)
        return Heads(loudness=np.sqrt(power)), NO_WORDS


ABOVE: Mapping[str, Above] = MappingProxyType({"time": TimesAbove(), "words": WordsAbove()})
"""What a report file calls each of them."""
