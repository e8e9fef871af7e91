"""What a video file says about itself, and the reasons to refuse one."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.stream import Disposition

from rgx.errors import InputError
from rgx.gesture.prepare.signal import USUAL, Signal
from rgx.gesture.prepare.tones import NAMES, is_bright

SLACK_S, SLACK_SHARE = 1.0, 0.02
"""A file is cut short when its streams end this much before the end it declares."""
SLOW = 3.0
"""A hole in the pictures is longer than so many usual steps, and than `signal.hole_s`."""
STILL = {"image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe", "gif"}


class RefusedError(InputError):
    """A source that cannot be used, and why; the sources beside it go on."""


class Facts(NamedTuple):
    """What one source holds: times in seconds from its first picture, a pixel's width over its height.

    sound_track: the one that holds the speech, counted from 0; left_alone: whether its channels cancel each
    other, so that the left one is heard alone; holes: from when until when no new picture comes.
    """

    width_px: int
    height_px: int
    pixel_ratio: float
    rate_hz: float
    pictures: int
    seconds: float
    sound_from_s: float
    sound_to_s: float
    notes: tuple[str, ...]
    sound_track: int = 0
    left_alone: bool = False
    holes: tuple[tuple[float, float], ...] = ()


class _Packets:
    """When a stream's packets are due, in its own time base."""

    def __init__(self) -> None:
        self.count, self.end = 0, 0
        self.times = array("q")

    def add(self, packet: av.Packet) -> None:
        self.count += 1
        time = packet.pts if packet.pts is not None else packet.dts
        if not packet.is_discard and time is not None:
            self.times.append(time)
            self.end = max(self.end, time + (packet.duration or 0))

    @property
    def begin(self) -> int | None:
        return min(self.times, default=None)

    def holes(self, tick_s: float, least_s: float) -> tuple[tuple[float, float], ...]:
        """Return from when until when, in seconds after the first, nothing new comes for so long."""
        times = np.sort(np.asarray(self.times)) * tick_s
        times = times - times[0]
        steps = np.diff(times)
        wide = np.flatnonzero(steps > max(least_s, SLOW * float(np.median(steps))))
        return tuple((float(times[n]), float(times[n + 1])) for n in wide)

    @property
    def uneven(self) -> int:
        """How many are followed unusually soon or late."""
        steps = np.diff(np.sort(np.asarray(self.times)))
        usual = np.median(steps)
        return int((np.abs(steps - usual) > max(1.0, usual / 20)).sum())


def examine(path: Path, sound_track: int | None = None, signal: Signal = USUAL) -> Facts:
    """Return the facts of a video with sound, read from its packets without decoding them.

    sound_track: the one whose times count, from 0; the one that a player takes without it. Raises
    RefusedError with the reason for a file that is empty, unreadable, cut short, a still picture, or lacks
    pictures or sound.
    """
    if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
        raise RefusedError(f"{path.name!a}: the file's name is not UTF-8: rename it")
    if not path.stat().st_size:
        raise RefusedError(f"{path}: the file is empty")
    with unreadable(path), av.open(str(path)) as container:
        if container.format.name.split(",")[0] in STILL:
            raise RefusedError(f"{path}: a picture without sound, expected a video")
        video = video_stream(path, container)
        best = container.streams.best("audio")
        audio = best if sound_track is None else container.streams.audio[sound_track]
        if not isinstance(audio, av.AudioStream):
            raise RefusedError(f"{path}: no audio stream")
        ends = {video.index: _Packets(), audio.index: _Packets()}
        for packet in container.demux(video, audio):
            if packet.size:
                ends[packet.stream_index].add(packet)
        seen, heard = ends[video.index], ends[audio.index]
        if seen.begin is None or seen.count < 2:
            raise RefusedError(f"{path}: {seen.count} pictures, expected a video")
        if heard.begin is None:
            raise RefusedError(f"{path}: the audio stream is empty")
        tick, beat = _base(video), _base(audio)
        begin, end = seen.begin * tick, seen.end * tick
        _check_whole(path, container, video, seen, float(max(end, heard.end * beat)))
        return Facts(
            video.width,
            video.height,
            float(video.sample_aspect_ratio or 1),
            float(video.average_rate or seen.count / (end - begin)),
            seen.count,
            float(end - begin),
            float(heard.begin * beat - begin),
            float(heard.end * beat - begin),
            (
                *_notes(seen, float(heard.begin * beat - begin), float(heard.end * beat - end)),
                *_colours(video),
            ),
            container.streams.audio.index(audio),
            holes=seen.holes(float(tick), signal.hole_s),
        )


def video_stream(path: Path, container: av.container.InputContainer) -> av.VideoStream:
    """Return the moving pictures of a file, never the cover of its sound; raises RefusedError without any."""
    stream = container.streams.best("video")
    if not isinstance(stream, av.VideoStream) or stream.disposition & Disposition.attached_pic:
        raise RefusedError(f"{path}: no video stream")
    return stream


@contextlib.contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn what FFmpeg says about a broken file into a RefusedError."""
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise RefusedError(f"{path}: unreadable as a video: {error.strerror or error}") from None


def _base(stream: av.VideoStream | av.AudioStream) -> Fraction:
    return stream.time_base or Fraction(1, av.time_base)


def _check_whole(
    path: Path, container: av.container.InputContainer, video: av.VideoStream, seen: _Packets, end_s: float
) -> None:
    """Raise RefusedError when packets that the file declares are not there."""
    if seen.count < video.frames * (1 - SLACK_SHARE) - 1:
        raise RefusedError(f"{path}: cut short: {seen.count} of the {video.frames} pictures it declares")
    # MPEG program streams declare nothing and start anywhere: their end is never before it.
    declared_s = (container.duration or 0) / av.time_base
    if end_s < declared_s - max(SLACK_S, declared_s * SLACK_SHARE):
        raise RefusedError(f"{path}: cut short: ends at {end_s:.1f} s, declares {declared_s:.1f} s")


def _notes(seen: _Packets, sound_from_s: float, sound_after_s: float) -> tuple[str, ...]:
    """Return what a reader of the quality page should know about the streams."""
    notes = []
    if seen.uneven > seen.count * SLACK_SHARE:
        notes.append(
            f"variable frame rate: {seen.uneven} of {seen.count} pictures last unusually long or short"
        )
    if abs(sound_from_s) > SLACK_SHARE:
        notes.append(f"the sound starts {abs(sound_from_s):.2f} s {_when(sound_from_s)} the pictures")
    if abs(sound_after_s) > SLACK_S:
        notes.append(f"the sound ends {abs(sound_after_s):.2f} s {_when(sound_after_s)} the pictures")
    return tuple(notes)


def _colours(video: av.VideoStream) -> list[str]:
    transfer = video.codec_context.color_trc
    return [f"{NAMES[transfer]} colours, brought to those of common screens"] if is_bright(transfer) else []


def _when(seconds: float) -> str:
    return "after" if seconds > 0 else "before"
