"""Pictures and speech on one clock: 25 pictures a second by their timestamps, 640 samples to each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from rgx.prepare.streams import RefusedError, unreadable, video_stream
from rgx.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME

T = TypeVar("T")

DAMAGED_SHARE = 0.1
"""More undecodable packets than this and a source is refused."""
JUMP_S = 0.02
"""Sound whose timestamps jump further than this is placed anew."""


def decode(path: Path) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Yield a video's pictures with their times in seconds, in order, passing over damaged ones.

    Raises RefusedError when more than a tenth cannot be decoded.
    """
    with unreadable(path), av.open(str(path)) as container:
        stream = video_stream(path, container)
        stream.thread_type = "AUTO"
        last, count, step = None, Counter[str](), 1 / Fraction(stream.average_rate or FPS)
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                count["damaged"] += 1
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                if frame.is_corrupt:
                    count["damaged"] += 1
                    continue
                time = _time(frame, last, step)
                if last is None or time > last:
                    count["whole"] += 1
                    yield time, frame
                    last = time
    if count["damaged"] > DAMAGED_SHARE * count.total() or not count["whole"]:
        raise RefusedError(f"{path}: {count['damaged']} of {count.total()} pictures cannot be decoded")


def _time(frame: av.VideoFrame, last: Fraction | None, step: Fraction) -> Fraction:
    if frame.pts is None or frame.time_base is None:
        return step + last if last is not None else Fraction(0)
    return frame.pts * frame.time_base


def at_25_hz(timed: Iterable[tuple[Fraction, T]]) -> Iterator[T]:
    """Yield for each time k / 25 s after the first item the item nearest to it, the earlier of two.

    The last item is taken to last as long as the one before it. Source: ours; facts §2.1 (25 fps).
    """
    start, step, due = Fraction(0), Fraction(0), 0
    before: tuple[Fraction, T] | None = None
    for time, item in timed:
        if before is None:
            start = time
        else:
            step = time - before[0]
            middle = (before[0] + time) / 2 - start
            while Fraction(due, FPS) <= middle:
                yield before[1]
                due += 1
        before = time, item
    while before is not None and (not due or Fraction(due, FPS) < before[0] + step - start):
        yield before[1]
        due += 1


def read_speech(path: Path, spans: Iterable[tuple[int, int]], start_s: float) -> Iterator[np.ndarray]:
    """Yield what is heard during each span of frames [first, last) at 25 Hz from `start_s` on.

    Mono float32 (640 T,) at 16 kHz, silent where there is no sound. Spans are in order and apart: one pass
    over the sound serves all, and one waveform is held at a time. Raises RefusedError for broken sound.
    """
    sounds = _sounds(path, start_s)
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


def _sounds(path: Path, start_s: float) -> Iterator[tuple[int, np.ndarray]]:
    """Yield a file's sound, mono at 16 kHz, with the sample each piece starts at, counted from `start_s`."""
    voice: _Voice | None = None
    with unreadable(path), av.open(str(path)) as container:
        for packet in container.demux(container.streams.best("audio")):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # what is missing stays silent: the next packet's time says where it goes
            for frame in frames:
                assert isinstance(frame, av.AudioFrame)
                if voice is None or not voice.follows(frame):
                    voice = _Voice(frame, start_s)
                yield from voice.hear(frame)
        if voice is None:
            raise RefusedError(f"{path}: its sound cannot be decoded")
        yield from voice.hear(None)


class _Voice:
    """A run of sound without jumps, resampled from its first frame on."""

    def __init__(self, frame: av.AudioFrame, start_s: float) -> None:
        self.resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
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
