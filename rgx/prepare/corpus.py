"""From a folder of recordings to a corpus: look at every source, decide, write clips, index and page."""

from __future__ import annotations

import fcntl
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from rich.console import Console

from rgx.errors import InputError
from rgx.prepare.analysis import Look, analyse
from rgx.prepare.clips import Order, write_clips
from rgx.prepare.display import Display
from rgx.prepare.extractors import Choice, points_stamp
from rgx.prepare.index import INDEX, usable_pieces, write_index
from rgx.prepare.quality import write_page
from rgx.prepare.sources import (
    SOURCES,
    Source,
    all_sources,
    clip_stems,
    digest,
    find_files,
    forget_replaced,
    identify,
)
from rgx.prepare.splits import cut, cut_by_time
from rgx.sweep.parallel import map_tasks

T = TypeVar("T", Look, Order)

VERSION = 1
"""Raised by hand when what a look finds changes."""


class Request(NamedTuple):
    """What a person asked for."""

    source: Path
    out: Path
    poses: Choice
    speaker: str | None
    cpus: int


class Prepared(NamedTuple):
    """What became of it: rows of the index, sources left out with reasons, sources that failed."""

    rows: list[dict[str, Any]]
    left_out: dict[str, str]
    failed: dict[str, str]


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
        forget_replaced(given, request.out)
        sources = _without_copies(given, left_out)
        looks = _looks(request, sources)
        _run("looking", analyse, looks, request.cpus, console, failed)
        if len(failed) == len(looks) > 1 and len(set(failed.values())) == 1:
            raise InputError(next(iter(failed.values())))  # not the recordings' fault
        every = [source for source in all_sources(request.out) if source.analysis]
        usable = [source for source in every if usable_pieces(source)]
        while True:
            _run("writing", write_clips, _orders(usable), request.cpus, console, failed)
            having = [source for source in usable if source.made]
            if len(having) == len(usable):
                break
            usable = having
        left_out |= {s.name: s.analysis["refused"] for s in every if s.analysis and s.analysis["refused"]}
        rows = write_index(request.out, usable)
        write_page(request.out, every, rows, left_out, failed)
    return Prepared(rows, left_out, failed)


def _without_copies(given: list[Source], left_out: dict[str, str]) -> list[Source]:
    """Return the sources of different content, remembered; empty files each stand for themselves."""
    first: dict[str, Source] = {}
    for source in given:
        known = first.setdefault(source.sha256, source)
        if known is not source:
            left_out[source.name] = f"the same content as {known.name}"
    for source in first.values():
        source.remember()
    return list(first.values())


def _looks(request: Request, sources: list[Source]) -> dict[Source, Look]:
    """Return what is to be looked at: what is new, or was looked at with another extractor."""
    poses = request.poses
    plugins = [digest(text) for _, text in poses.plugins]
    identity = {"version": VERSION, "poses": poses.identity(), "plugins": plugins}
    reads_files = poses.reads_files()
    looks = {}
    for source in sources:
        own = identity | {"points": points_stamp(source.path) if reads_files else []}
        if (source.analysis or {}).get("identity") != own:
            source.drop_clips()
            looks[source] = Look(str(source.path), str(source.folder), poses, own)
    return looks


def _orders(usable: list[Source]) -> dict[Source, Order]:
    """Return what is to be written: clips of sources whose pieces, points or names are not as they were."""
    stems, cutter = clip_stems(usable), cut if len(usable) > 1 else cut_by_time
    orders = {}
    for source in usable:
        pieces = cutter(usable_pieces(source))
        named = {f"{stems[source.sha256]}-{n:03d}": piece for n, piece in enumerate(pieces, 1)}
        found = source.analysis or {}
        order = Order(
            str(source.path), str(source.folder), str(source.out), named, found["identity"],
            found["start_s"], found["facts"]["pixel_ratio"],
        )  # fmt: skip
        if (source.clips or {}).get("order") != order.record() and source.path.is_file():
            source.drop_clips()
            orders[source] = order
    return orders


def _run(
    doing: str, task: Callable[[T], None], items: Mapping[Source, T], cpus: int, console: Console,
    failed: dict[str, str],
) -> None:  # fmt: skip
    """Run a task for each source and show how far it is; what fails is logged and the rest goes on."""
    sources = {item.folder: source for source, item in items.items()}
    with Display(console, doing, list(items)) as display:
        for item, _, error in map_tasks(task, items.values(), min(cpus, len(items))):
            source = sources[item.folder]
            if error is not None:
                failed[source.name] = str(error) if isinstance(error, InputError) else repr(error)
                log = "".join(traceback.format_exception(error))
                (source.folder / "log.txt").write_text(log, encoding="utf-8")
            display.ended(source, failed.get(source.name, ""))


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
