"""Parts of a source, looked at apart: people and cells of every picture, kept until they are judged."""

from __future__ import annotations

import json
import struct
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import Extractor
from rgx.gesture.prepare.decoding import DETECTION_PX, Upright, colours_of_opencv
from rgx.gesture.prepare.extractors import Choice, Poses
from rgx.gesture.prepare.progress import reporter
from rgx.gesture.prepare.shots import HEIGHT, WIDTH, cells_of
from rgx.gesture.prepare.streams import RefusedError
from rgx.gesture.prepare.timing import at_25_hz, decode, read_span
from rgx.gesture.skeleton import POINTS
from rgx.gesture.types import FPS
from rgx.store.artifacts import read_json, write_json

T = TypeVar("T")
Span = tuple[int, int | None]
"""Frames [first, last) at 25 Hz; to the video's end without `last`."""
PARTS = "parts"
MOST_FRAMES, LEAST_FRAMES = 750, 125
"""An extractor needs a second or two to start: a part is worth that, and short enough to do again."""
HEAD = struct.Struct("<II")
CELLS = HEIGHT * WIDTH * 3


class Seen(NamedTuple):
    """What a picture shows: its number, people (P, 133, 3) in px of the source, cells (18, 32, 3)."""

    number: int
    people: np.ndarray
    cells: np.ndarray


class Part(NamedTuple):
    """Spans of a source for one extractor to look at, one after the other."""

    path: str
    folder: str
    poses: Choice
    identity: dict[str, Any]
    pixel_ratio: float
    frames: int
    spans: tuple[Span, ...]

    @property
    def file(self) -> Path:
        """Where what it shows is kept."""
        first, last = self.spans[0][0], self.spans[-1][1]
        return Path(self.folder) / PARTS / f"{first:08d}-{last or 'end'}.seen"

    @property
    def progress(self) -> Path:
        """Where it says how far it is."""
        return self.file.with_suffix(".progress")

    @property
    def where(self) -> str:
        """Which part of its source it is, for people."""
        seconds = self.spans[0][0] // FPS
        return f" from {seconds // 60}:{seconds % 60:02d}" if seconds else ""

    @property
    def about(self) -> dict[str, Any] | None:
        """What is known of its pictures as a whole, if it was finished: sizes, times, damage, refusal."""
        record = read_json(self.file.with_suffix(".json"))
        return record if isinstance(record, dict) and record.get("order") == self._order() else None

    def _order(self) -> Any:
        return json.loads(json.dumps([self.identity, self.spans, self.pixel_ratio]))

    def finish(self, about: dict[str, Any]) -> None:
        """Write down what is known of its pictures; written last."""
        write_json(self.file.with_suffix(".json"), {"order": self._order(), **about})
        self.progress.unlink(missing_ok=True)

    def seen(self) -> Iterator[Seen]:
        """Yield what its pictures show, in order."""
        with self.file.open("rb") as file:
            while head := file.read(HEAD.size):
                number, people = HEAD.unpack(head)
                points = np.frombuffer(file.read(people * POINTS * 12), "<f4").reshape(-1, POINTS, 3)
                cells = np.frombuffer(file.read(CELLS), np.uint8).reshape(HEIGHT, WIDTH, 3)
                yield Seen(number, points, cells)


def divide(spans: Iterable[tuple[int, int]], most: int) -> list[tuple[tuple[int, int], ...]]:
    """Return spans in groups of about `most` frames: long ones in equal pieces, short ones together."""
    pieces = list[tuple[int, int]]()
    for first, last in spans:
        number = max(1, round((last - first) / most))
        ends = [first + (last - first) * n // number for n in range(number + 1)]
        pieces += pairwise(ends)
    groups: list[list[tuple[int, int]]] = []
    for piece in pieces:
        if groups and sum(b - a for a, b in [*groups[-1], piece]) <= most:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [tuple(group) for group in groups]


def track(part: Part) -> None:
    """Look at a part unless that was done; a source that cannot be used is a result too.

    Raises InputError when the extractor cannot run.
    """
    if part.about is not None:
        return
    part.file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.file.open("wb") as file:
            about = _track(part, file)
    except RefusedError as reason:
        about = {"refused": str(reason).removeprefix(f"{part.path}: ")}
    part.finish(about)


def _track(part: Part, file: IO[bytes]) -> dict[str, Any]:
    path = Path(part.path)
    source = part.poses.make(path)
    longest_px = None if source.own_pictures else DETECTION_PX
    upright = Upright(path, part.pixel_ratio, longest_px, colours_of_opencv)
    report, health = reporter(part.progress, part.frames), Counter[str]()
    numbers = (n for span in part.spans for n in _numbers(*span))
    pictures = _own_pictures if source.own_pictures else _kept_pictures
    for done, (picture, people) in enumerate(pictures(part, upright, source, health)):
        scale = upright.full_px[0] / picture.shape[1]
        points = (people * (scale, scale, 1)).astype("<f4")
        file.write(HEAD.pack(next(numbers), len(points)) + points.tobytes() + cells_of(picture).tobytes())
        report(done + 1)
    return {
        "refused": "",
        "size_px": upright.full_px,
        "start_s": float(next(decode(path))[0]),
        "count": health,
        "people": source.extractor.people,
    }


def _numbers(first: int, last: int | None) -> Iterable[int]:
    return count(first) if last is None else range(first, last)


def _kept_pictures(
    part: Part, upright: Upright, source: Poses, health: Counter[str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pictures and people at 25 Hz: an extractor looks at no more pictures than are kept."""
    path = Path(part.path)
    frames = (frame for first, last in part.spans for frame in read_span(path, first, last, health))
    shown = ((None, upright.picture(frame)) for frame in frames)
    return ((picture, people) for _, picture, people in _together(shown, source.extractor))


def _own_pictures(
    part: Part, upright: Upright, source: Poses, health: Counter[str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pictures and people at 25 Hz; points from a file belong to all of the source's own pictures."""
    every = ((time, upright.picture(frame)) for time, frame in decode(Path(part.path), count=health))
    views = _refusing(part.path, _together(every, source.extractor))
    return at_25_hz((time, (picture, people)) for time, picture, people in views)


def _refusing(path: str, views: Iterator[T]) -> Iterator[T]:
    """Pass on what is found; a file of points that does not suit its recording is that recording's fault."""
    try:
        yield from views
    except RefusedError:
        raise
    except InputError as error:
        raise RefusedError(f"{path}: {error}") from None


def _together(
    pictures: Iterable[tuple[T, np.ndarray]], extractor: Extractor
) -> Iterator[tuple[T, np.ndarray, np.ndarray]]:
    """Yield each picture with its people; an extractor may read ahead."""
    waiting: deque[tuple[T, np.ndarray]] = deque()

    def shown() -> Iterator[np.ndarray]:
        for mark, picture in pictures:
            waiting.append((mark, picture))
            yield picture

    for people in extractor.track(shown()):
        yield *waiting.popleft(), people
    if waiting:
        raise InputError(f"{type(extractor).__name__} gave no answer to the last {len(waiting)} pictures")
