"""Speech on the pictures' clock: 640 samples to each picture at 25 Hz."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from rgx.gesture.prepare.streams import RefusedError, unreadable
from rgx.gesture.prepare.timing import LEAD_S, TICK
from rgx.gesture.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

SEARCH_S = 10
"""Sound that begins later than this is searched for; before that, all of it is decoded."""
JUMP_S = 0.02
"""Sound whose timestamps jump further than this is placed anew."""


class SoundTrack(NamedTuple):
    """Which sound track of a file is heard, counted from 0, and whether its left channel alone."""

    path: Path
    track: int = 0
    left: bool = False


def read_speech(source: SoundTrack, spans: Iterable[tuple[int, int]], start_s: float) -> Iterator[np.ndarray]:
    """Yield what is heard during each span of frames [first, last) at 25 Hz from `start_s` on.

    Mono float32 (640 T,) at 16 kHz, silent where there is no sound. Spans are in order and apart: one pass
    over the sound serves all, from shortly before the first on where the file can be searched, and one
    waveform is held at a time. Raises RefusedError for broken sound.
    """
    spans = list(spans)
    sounds = _sounds_around(source, start_s, spans[0][0] / FPS) if spans else iter(())
    pending: tuple[int, np.ndarray] | None = None
    for first, last in spans:
        begin, end = first * SAMPLES_PER_FRAME, last * SAMPLES_PER_FRAME
        waveform = np.zeros(end - begin, np.float32)
        while pending := pending or next(sounds, None):
            at, sound = pending
            if at < end:
                _place(waveform, begin, at, sound)
            if at + len(sound) > end:
                break  # the next span may begin in it
            pending = None
        yield waveform


def _place(waveform: np.ndarray, begin: int, at: int, sound: np.ndarray) -> None:
    """Copy the part of `sound`, which starts at sample `at`, that the waveform from `begin` on covers."""
    target = waveform[max(at - begin, 0) :]
    heard = sound[max(begin - at, 0) :][: len(target)]
    target[: len(heard)] = heard


def _sounds_around(source: SoundTrack, start_s: float, begin_s: float) -> Iterator[tuple[int, np.ndarray]]:
    """Yield sound from at or before `begin_s` on, as `_sounds` does."""
    if begin_s > SEARCH_S:
        sought = _sounds(source, start_s, start_s + begin_s - LEAD_S)
        try:
            first = next(sought, None)
        except RefusedError:  # some containers cannot be searched
            first = None
        if first is not None and first[0] <= begin_s * SAMPLE_RATE_HZ:
            yield first
            yield from sought
            return
    yield from _sounds(source, start_s)


def _sounds(
    source: SoundTrack, start_s: float, after_s: float | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a file's sound, mono at 16 kHz, with the sample each piece starts at, counted from `start_s`.

    after_s: where to begin in the file's time, or a little earlier; nothing when its times are not known.
    """
    voice: _Voice | None = None
    path = source.path
    with unreadable(path), av.open(str(path)) as container:
        stream = container.streams.audio[source.track]
        if after_s is not None:
            container.seek(math.floor(after_s / (stream.time_base or TICK)), stream=stream)
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # what is missing stays silent: the next packet's time says where it goes
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                if voice is None and after_s is not None and frame.time is None:
                    return
                if voice is None or not voice.follows(frame):
                    voice = _Voice(frame, start_s, source.left)
                yield from voice.hear(frame)
        if voice is None:
            raise RefusedError(f"{path}: its sound cannot be decoded")
        yield from voice.hear(None)


class _Voice:
    """A run of sound without jumps, resampled from its first frame on."""

    def __init__(self, frame: av.AudioFrame, start_s: float, left: bool) -> None:
        layout = None if left else "mono"
        self.resampler = av.AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE_HZ)
        self.kind = _kind(frame)
        self.origin_s, self.fed_s = float(frame.time or 0), 0.0
        self.at = round((self.origin_s - start_s) * SAMPLE_RATE_HZ)

    def follows(self, frame: av.AudioFrame) -> bool:
        """Return whether a frame goes on where the last one ended, in the same format."""
        due_s = self.origin_s + self.fed_s
        return _kind(frame) == self.kind and (frame.time is None or abs(frame.time - due_s) < JUMP_S)

    def hear(self, frame: av.AudioFrame | None) -> Iterator[tuple[int, np.ndarray]]:
        """Yield what the next frame, or the end, lets out."""
        if frame is not None:
            self.fed_s += frame.samples / frame.sample_rate
        for out in self.resampler.resample(frame):
            sound = out.to_ndarray()[0]
            yield self.at, sound
            self.at += len(sound)


def _kind(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
