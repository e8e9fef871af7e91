"""First look at a source: its facts, who is in view when, and the square around each speaker."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from rgx.errors import InputError
from rgx.poses.base import Extractor
from rgx.prepare.crop import square_around
from rgx.prepare.extractors import Choice, Poses
from rgx.prepare.pictures import DETECTION_PX, Upright
from rgx.prepare.shots import Shots
from rgx.prepare.speakers import SURE, Follower, Stretch, View, shoulders_seen, stretches
from rgx.prepare.streams import Facts, RefusedError, examine
from rgx.prepare.timing import at_25_hz, decode
from rgx.skeleton import POINTS
from rgx.store.artifacts import write_json
from rgx.types import FPS

T = TypeVar("T")
ANALYSIS, TRACK, PROGRESS = "analysis.json", "track.f32", "progress.json"
PROGRESS_EVERY_S = 0.5


class Look(NamedTuple):
    """A source to look at: its file, the folder for what is found, and the extractor."""

    path: str
    folder: str
    poses: Choice
    identity: dict[str, Any]


def analyse(look: Look) -> None:
    """Look at one source; its track (T, 133, 3) and `analysis.json` are in the folder afterwards.

    A source that cannot be used is a result too: `refused` says why. Raises InputError when the extractor
    cannot run.
    """
    path, folder = Path(look.path), Path(look.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ANALYSIS).unlink(missing_ok=True)
    found: dict[str, Any] = {"identity": look.identity, "refused": "", "stretches": []}
    try:
        found |= _look(path, folder, look)
    except RefusedError as reason:
        found["refused"] = str(reason).removeprefix(f"{path}: ")
        (folder / TRACK).unlink(missing_ok=True)
    write_json(folder / ANALYSIS, found)


def _look(path: Path, folder: Path, look: Look) -> dict[str, Any]:
    facts = examine(path)
    source = look.poses.make(path)
    report = reporter(folder, "looking", round(facts.seconds * FPS))
    shots, follower, views = Shots(), Follower(), list[View]()
    upright = Upright(path, facts.pixel_ratio, None if source.own_pictures else DETECTION_PX)
    with (folder / TRACK).open("wb") as track:
        for picture, people in _watch(path, upright, source):
            shots.see(picture)
            view, person = follower.follow(people)
            scale = upright.full_px[0] / picture.shape[1]
            (person * (scale, scale, 1)).astype("<f4").tofile(track)
            views.append(view if _is_heard(facts, len(views)) else View.MUTE)
            report(len(views))
    found = stretches(np.array(views, dtype=np.int8), shots.cuts(), follower.jumps)
    framed = [_frame(stretch, read_track(folder), upright.full_px) for stretch in found]
    return {
        "facts": facts._asdict(),
        "size_px": upright.full_px,
        "start_s": upright.start_s,
        "cuts": shots.cuts(),
        "stretches": framed,
        "frames": len(views),
        "people": source.extractor.people,
    }


def _frame(stretch: Stretch, track: np.ndarray, size_px: tuple[int, int]) -> dict[str, Any]:
    """Return a stretch with the square around its speaker, or with the reason why it has none."""
    part = track[stretch.first : stretch.last]
    if not stretch.reason and not shoulders_seen(part[..., 2] > SURE):
        stretch = stretch._replace(reason="both shoulders are never in view")
    if stretch.reason:
        return {**stretch._asdict(), "square": None}
    return {**stretch._asdict(), "square": square_around(part, *size_px)}


def read_track(folder: Path) -> np.ndarray:
    """Return the speaker's points in every frame (T, 133, 3), mapped from disk."""
    return np.memmap(folder / TRACK, "<f4", "r").reshape(-1, POINTS, 3)


def _is_heard(facts: Facts, frame: int) -> bool:
    """Return whether there is sound during all of a frame, give or take one."""
    return facts.sound_from_s - 1 / FPS <= frame / FPS <= facts.sound_to_s


def _watch(path: Path, upright: Upright, source: Poses) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pictures and people at 25 Hz.

    Points from a file belong to the source's own pictures, so all of them are read; an extractor looks at
    no more pictures than are kept.
    """
    if source.own_pictures:
        every = ((time, upright.picture(frame)) for time, frame in decode(path))
        found = _refusing(path, _track(every, source.extractor))
        return at_25_hz((time, (picture, people)) for time, picture, people in found)
    kept = ((None, upright.picture(frame)) for frame in at_25_hz(decode(path)))
    return ((picture, people) for _, picture, people in _track(kept, source.extractor))


def _refusing(path: Path, found: Iterator[T]) -> Iterator[T]:
    """Pass on what is found; a file of points that does not suit its recording is that recording's fault."""
    try:
        yield from found
    except RefusedError:
        raise
    except InputError as error:
        raise RefusedError(f"{path}: {error}") from None


def _track(
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


def reporter(folder: Path, doing: str, total: int) -> Callable[[int], None]:
    """Return what writes how many frames are done, now and then, for the one who waits."""
    last = 0.0

    def report(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_EVERY_S:
            last = time.monotonic()
            write_json(folder / PROGRESS, {"doing": doing, "done": done, "total": total})

    return report
