"""Speech of any length in blocks: mono at 16 kHz from whatever FFmpeg reads, or from an array."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import av
import numpy as np

from rgx.errors import InputError
from rgx.gesture.types import SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

SHORTEST_S = 0.5
"""Less is no word that a gesture could go with."""
SILENT = 1e-4
"""What is never louder than this, −80 dB of full scale, is silence."""


class Sound(ABC):
    """Speech that can be read any number of times: how many samples at 16 kHz, and the loudest of them."""

    samples: int
    peak: float

    @property
    def frames(self) -> int:
        """How many frames of motion go with it: the last is as long as the others."""
        return ceil(self.samples / SAMPLES_PER_FRAME)

    @abstractmethod
    def blocks(self) -> Iterator[np.ndarray]:
        """Yield mono float32 (S,) pieces of any length, in order."""

    def by_frame(self) -> Iterator[np.ndarray]:
        """Yield what is heard during each frame, (640,), the last followed by silence."""
        for block in cut(self.blocks(), SAMPLE_RATE_HZ):
            padded = np.pad(block, (0, -len(block) % SAMPLES_PER_FRAME))
            yield from padded.reshape(-1, SAMPLES_PER_FRAME)


@dataclass(frozen=True)
class Waveform(Sound):
    """Speech held in memory."""

    waveform: np.ndarray
    samples: int
    peak: float

    def blocks(self) -> Iterator[np.ndarray]:
        for start in range(0, self.samples, SAMPLE_RATE_HZ):
            yield self.waveform[start : start + SAMPLE_RATE_HZ]


@dataclass(frozen=True)
class SoundFile(Sound):
    """Speech in a file, decoded anew each time it is read."""

    path: Path
    samples: int
    peak: float

    def blocks(self) -> Iterator[np.ndarray]:
        return decoded(self.path)


def open_sound(source: str | Path | np.ndarray) -> Sound:
    """Return a file's speech, or that of a waveform (S,) mono at 16 kHz, once all of it was read and checked.

    Raises InputError for what is unreadable as sound, holds a sample that is no finite number, is shorter
    than half a second or silent throughout. Music is sound: nothing here tells it from speech.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 1 or source.dtype.kind != "f":
            kind = f"{source.dtype} {source.shape}"
            raise InputError(f"speech: an array {kind}, expected floats of shape (S,) at 16 kHz")
        waveform = source.astype(np.float32)
        return Waveform(waveform, *_checked("speech", [waveform]))
    path = Path(source)
    return SoundFile(path, *_checked(str(path), decoded(path)))


def _checked(name: str, blocks: Iterable[np.ndarray]) -> tuple[int, float]:
    """Return how many samples there are and the loudest of them."""
    samples, peak = 0, 0.0
    for block in blocks:
        if not np.isfinite(block).all():
            at = samples + int(np.flatnonzero(~np.isfinite(block))[0])
            raise InputError(f"{name}: a sample that is no finite number at {at / SAMPLE_RATE_HZ:.2f} s")
        samples, peak = samples + len(block), max(peak, float(np.abs(block).max(initial=0.0)))
    if samples < SHORTEST_S * SAMPLE_RATE_HZ:
        length = f"{samples / SAMPLE_RATE_HZ:.2f} s"
        raise InputError(f"{name}: {length} of sound, expected at least {SHORTEST_S} s of speech")
    if peak <= SILENT:
        raise InputError(f"{name}: silence from beginning to end, expected speech")
    return samples, peak


def decoded(path: Path) -> Iterator[np.ndarray]:
    """Yield a file's sound as mono float32 at 16 kHz; raises InputError for what cannot be read as sound."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    try:
        with av.open(str(path)) as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise InputError(f"{path}: no sound in it")
            for frame in container.decode(stream):
                assert isinstance(frame, av.AudioFrame)
                for out in resampler.resample(frame):
                    yield out.to_ndarray()[0]
            for out in resampler.resample(None):
                yield out.to_ndarray()[0]
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected speech") from None
    except (av.FFmpegError, OSError, ValueError) as error:  # ValueError: the format changes midway
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: unreadable as sound: {reason}") from None


def cut(blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Yield the same samples in pieces of one length, the last shorter where they do not come out even."""
    pending = np.zeros(0, np.float32)
    for block in blocks:
        pending = np.concatenate([pending, block])
        while len(pending) >= length:
            yield pending[:length]
            pending = pending[length:]
    if len(pending):
        yield pending
