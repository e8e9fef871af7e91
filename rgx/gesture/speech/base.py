"""The contract of the speech axis."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from rgx.gesture.speech.beats import onset_envelope
from rgx.gesture.speech.pauses import level_db


class Speech(ABC):
    """Features of a whole clip's speech at the motion's 25 frames per second."""

    record: dict[str, Any]
    heard: ClassVar[str] = "waveform"
    """The array of a clip that features are made from."""

    @property
    @abstractmethod
    def width(self) -> int:
        """F, the number of features a frame."""

    @property
    def uses_gpu(self) -> bool:
        """Whether a GPU would make it faster."""
        return False

    def fingerprint(self) -> str:
        """Return the identity of pretrained weights, or nothing where there are none."""
        return ""

    def prepare(self, device: str) -> None:
        """Load what `features` needs (weights); called once in a worker, never while planning."""

    @abstractmethod
    def features(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Return (T, F) float32 features of a clip: waveform (S,) mono at 16 kHz, T = frames."""

    @property
    def together_s(self) -> float:
        """Seconds of sound that are read faster together than clip by clip, once prepared."""
        return 0.0

    def features_of(self, clips: Sequence[tuple[np.ndarray, int]]) -> list[np.ndarray]:
        """Return the `features` of several clips; which clips come together changes no more than rounding."""
        return [self.features(waveform, frames) for waveform, frames in clips]

    def envelope(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Return the onset strength (T,) that beats and onsets are found in."""
        return onset_envelope(waveform, frames)

    def level(self, waveform: np.ndarray, frames: int) -> np.ndarray:
        """Return how loud each frame is (T,) in dB, which pauses are found in."""
        return level_db(waveform, frames)
