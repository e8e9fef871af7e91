"""From a folder of recordings to a corpus: look at every source, decide, write clips, index and page."""

from __future__ import annotations

import fcntl
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console

from rgx.errors import InputError
from rgx.gesture.prepare.analysis import Judgement, judge
from rgx.gesture.prepare.clips import ClipOrder, gather, write_clip
from rgx.gesture.prepare.display import Display
from rgx.gesture.prepare.extractors import Choice, points_stamp
from rgx.gesture.prepare.index import INDEX, named_pieces, usable_pieces, write_index
from rgx.gesture.prepare.intervals import beyond, read_intervals
from rgx.gesture.prepare.quality import Reasons, write_page
from rgx.gesture.prepare.recording_parts import Part, track
from rgx.gesture.prepare.recordings import (
    SOURCES,
    Recording,
    all_sources,
    digest,
    find_files,
    forget_replaced,
    identify,
)
from rgx.gesture.prepare.sightings import Look, examine_streams
from rgx.run.parallel import map_tasks

T = TypeVar("T", Look, Part, Judgement, ClipOrder)

VERSION = 4
"""Raised by hand when what a look finds changes."""


class Request(NamedTuple):
    """What a person asked for."""

    source: Path
    out: Path
    poses: Choice
    speaker: str | None
    cpus: int
    intervals: Path | None = None


class Prepared(NamedTuple):
    """What became of it: rows of the index, sources left out with reasons, sources that failed, notes."""

    rows: list[dict[str, Any]]
    left_out: dict[str, str]
    failed: dict[str, str]
    notes: list[str]


def prepare(request: Request, console: Console) -> Prepared:
    """Bring the corpus up to date with the recordings; what is finished and unchanged is not done again.

    Raises InputError for a source without recordings, a folder that is not ours, or when an extractor cannot
    run at all.
    """
    request = request._replace(out=request.out.absolute())  # a worker may stand in another folder
    paths = find_files(request.source, request.out)
    left_out, failed = dict[str, str](), dict[str, str]()
    with _only_here(request.out):
        given = identify(paths, request.source, request.out, request.speaker)
        notes, left = list[str](), list[str]()
        if request.intervals is not None:
            table = read_intervals(request.intervals)
            notes, left = [*table.absent(given), *table.inside_others()], table.left(given)
            for line in left:  # before anything is looked at, which may take days
                console.print(line, markup=False, highlight=False, soft_wrap=True)
            given = table.given(given, left_out)
        forget_replaced(given, request.out)
        sources = _without_copies(given, left_out)
        tasks = _Tasks(sources, request.cpus, console, failed)
        _look(request, sources, tasks)
        every = [source for source in all_sources(request.out) if source.analysis]
        usable = [source for source in every if usable_pieces(source)]
        while True:
            _write(usable, _Tasks(usable, request.cpus, console, failed))
            having = [source for source in usable if source.made]
            if len(having) == len(usable):
                break
            usable = having
        left_out |= {s.name: s.analysis["refused"] for s in every if s.analysis and s.analysis["refused"]}
        rows = write_index(request.out, usable)
        notes += beyond(every)
        write_page(request.out, every, rows, Reasons([*notes, *left], left_out, failed))
    return Prepared(rows, left_out, failed, notes)


def _without_copies(given: list[Recording], left_out: dict[str, str]) -> list[Recording]:
    """Return the sources of different content, remembered; empty files each stand for themselves."""
    first: dict[str, Recording] = {}
    for source in given:
        known = first.setdefault(source.sha256, source)
        if known is not source:
            left_out[source.name] = f"the same content as {known.name}"
    for source in first.values():
        source.remember()
    return list(first.values())


def _look(request: Request, sources: list[Recording], tasks: _Tasks) -> None:
    """Look at what is new, or was looked at in another way, and judge it."""
    looks = _looks(request, sources)
    tasks.run("examining", examine_streams, looks)
    frames = sum(look.frames for look in looks)
    parts = {look.folder: tuple(look.parts(request.cpus, frames)) for look in looks}
    every = [part for group in parts.values() for part in group]
    # The longest first: workers then end at nearly the same time.
    tasks.run("tracking", track, sorted(every, key=lambda part: -part.frames))
    failed = tasks.failed
    if len(failed) == len(looks) > 1 and len(set(failed.values())) == 1:
        raise InputError(next(iter(failed.values())))  # not the recordings' fault
    whole = [look for look in looks if tasks.sources[look.folder].name not in failed]
    tasks.run("judging", judge, [Judgement(look, parts[look.folder]) for look in whole])


def _looks(request: Request, sources: list[Recording]) -> list[Look]:
    """Return what is to be looked at: what is new, or was looked at in another way."""
    poses = request.poses
    plugins = [digest(text) for _, text in poses.plugins]
    identity = {"version": VERSION, **poses.identity(), "plugins": plugins}
    reads_files = poses.reads_files()
    looks = []
    for source in sources:
        spans = tuple((listed.first, listed.last) for listed in source.intervals)
        own = identity | {
            "points": points_stamp(source.path) if reads_files else [],
            "spans": [list(span) for span in spans],
        }
        if (source.analysis or {}).get("identity") != own:
            source.drop_clips()
            looks.append(Look(str(source.path), str(source.folder), poses, own, spans))
    return looks


def _write(usable: list[Recording], tasks: _Tasks) -> None:
    """Write clips of sources whose pieces, points or names are not as they were."""
    orders: dict[Recording, list[ClipOrder]] = {}
    for source, named in named_pieces(usable).items():
        analysis = source.analysis or {}
        own = [
            ClipOrder(
                str(source.path), str(source.folder), str(source.out), name, piece, analysis["identity"],
                analysis["start_s"], analysis["facts"]["pixel_ratio"],
                analysis["facts"]["sound_track"], analysis["facts"]["left_alone"],
            )
            for name, piece in named.items()
        ]  # fmt: skip
        record = [order.record() for order in own]
        if (source.clips or {}).get("order") != record and source.path.is_file():
            source.drop_clips(keep=[order.name for order in own if order.made])
            orders[source] = own
    tasks.run("writing", write_clip, [order for own in orders.values() for order in own])
    for source, own in orders.items():
        if source.name not in tasks.failed:
            gather(source.folder, own)


class _Tasks:
    """Runs tasks for sources and shows how far they are; what fails is logged and the rest goes on."""

    def __init__(self, sources: list[Recording], cpus: int, console: Console, failed: dict[str, str]) -> None:
        self.sources = {str(source.folder): source for source in sources}
        self.cpus, self.console, self.failed = cpus, console, failed

    def run(self, doing: str, task: Callable[[T], None], items: list[T]) -> None:
        """Run a task for each item."""
        names = {item.progress: self.sources[item.folder].name + item.where for item in items}
        with Display(self.console, doing, names) as display:
            for item, _, error in map_tasks(task, items, min(self.cpus, len(items))):
                source = self.sources[item.folder]
                if error is not None:
                    reason = str(error) if isinstance(error, InputError) else repr(error)
                    self.failed[source.name] = reason
                    log = "".join(traceback.format_exception(error))
                    (source.folder / "log.txt").write_text(log, encoding="utf-8")
                display.ended(item.progress, "" if error is None else self.failed[source.name])


@contextmanager
def _only_here(out: Path) -> Iterator[None]:
    """Hold a corpus' folder; raises InputError for one that is not ours or that another run holds."""
    try:
        if (out / INDEX).exists() and not (out / SOURCES).is_dir():
            raise InputError(f"{out}: holds an {INDEX} that rgx did not prepare; expected an empty folder")
        (out / SOURCES).mkdir(parents=True, exist_ok=True)
        with (out / SOURCES / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{out}: another `rgx prepare` is writing it") from None
            yield
    except OSError as error:
        raise InputError(f"{error.filename or out}: cannot be written: {error.strerror}") from None
