"""Pictures by their timestamps: 25 a second, from any place of a video."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av

from rgx.gesture.prepare.fields import progressive
from rgx.gesture.prepare.streams import RefusedError, unreadable, video_stream
from rgx.gesture.types import FPS

T = TypeVar("T")

DAMAGED_SHARE = 0.1
"""More undecodable packets than this and a source is refused."""
LEAD_S = 1
"""How far before a time a search for it begins: pictures around a key picture may lack what they follow."""
TICK = Fraction(1, av.time_base)


def decode(
    path: Path, after: Fraction | None = None, count: Counter[str] | None = None
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Yield a video's pictures with their times in seconds, in order, passing over damaged ones.

    after: where to begin in the file's time, a key picture or more earlier; nothing when the file cannot be
    searched. count: gains how many were 'whole' and 'damaged'. Raises RefusedError when more than a tenth of
    a video decoded from its beginning cannot be.
    """
    count = Counter[str]() if count is None else count
    with unreadable(path), av.open(str(path)) as container:
        stream = video_stream(path, container)
        stream.thread_type = "AUTO"
        last, step = None, 1 / Fraction(stream.average_rate or FPS)
        if after is not None:
            container.seek(math.floor((after - LEAD_S) / (stream.time_base or TICK)), stream=stream)
        for frame in progressive(_frames(container, stream, count)):
            if after is not None and last is None and frame.pts is None:
                return  # what comes without times has them only by counting from the beginning
            time = _time(frame, last, step)
            if last is None or time > last:
                count["whole"] += 1
                yield time, frame
                last = time
    if after is None:
        check_damage(path, count)


def _frames(
    container: av.container.InputContainer, stream: av.VideoStream, count: Counter[str]
) -> Iterator[av.VideoFrame]:
    """Yield the whole frames of a stream; count gains how many were damaged."""
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
            else:
                yield frame


def check_damage(path: Path, count: Counter[str]) -> None:
    """Raise RefusedError when more than a tenth of the pictures counted are damaged, or none is whole."""
    if count["damaged"] > DAMAGED_SHARE * count.total() or not count["whole"]:
        raise RefusedError(f"{path}: {count['damaged']} of {count.total()} pictures cannot be decoded")


def decode_around(
    path: Path, time: Fraction, count: Counter[str] | None = None
) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Yield pictures as `decode` does, from one at or before a time on; the file is searched if it can be."""
    sought = decode(path, time, count)
    try:
        first = next(sought, None)
    except RefusedError:  # some containers cannot be searched, or not before their beginning
        first = None
    if first is not None and first[0] <= time:
        yield first
        yield from sought
    else:
        yield from decode(path, count=count)


def _time(frame: av.VideoFrame, last: Fraction | None, step: Fraction) -> Fraction:
    if frame.pts is None or frame.time_base is None:
        return step + last if last is not None else Fraction(0)
    return frame.pts * frame.time_base


def at_25_hz(
    timed: Iterable[tuple[Fraction, T]], start: Fraction | None = None, first: int = 0
) -> Iterator[T]:
    """Yield the item nearest to each time k / 25 s after `start`, the earlier of two, for k from `first` on.

    start: the first item's time where it is not given. The last item lasts as long as the one before it.
    Source: ours, reading 1.
    """
    step, due = Fraction(0), first
    before: tuple[Fraction, T] | None = None
    for time, item in timed:
        start = time if start is None else start
        if before is not None:
            step = time - before[0]
            middle = (before[0] + time) / 2 - start
            while Fraction(due, FPS) <= middle:
                yield before[1]
                due += 1
        before = time, item
    while before is not None and start is not None and (
        not due or Fraction(due, FPS) < before[0] + step - start
    ):  # fmt: skip
        yield before[1]
        due += 1


def read_span(
    path: Path, first: int, last: int | None = None, count: Counter[str] | None = None
) -> Iterator[av.VideoFrame]:
    """Yield the pictures that a whole video at 25 Hz has at [first, last), or to its end without `last`.

    What lies before them is not decoded where the file can be searched.
    """
    if first:
        start = next(decode(path))[0]
        frames = at_25_hz(decode_around(path, start + Fraction(first, FPS), count), start, first)
    else:
        frames = at_25_hz(decode(path, count=count))
    return islice(frames, None if last is None else last - first)
