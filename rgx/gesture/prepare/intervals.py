"""Recordings cut by an interval table, as PATS publishes it, instead of by their shots alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from rgx.errors import InputError, nearest
from rgx.gesture.data.pats_files import read_missing, read_table
from rgx.gesture.data.splits import Interval
from rgx.gesture.prepare.recordings import Listed, Recording
from rgx.gesture.types import FPS

SPLITS = ("train", "dev", "test")
MISSING, SHOWN = "missing_intervals.h5", 5


class IntervalTable(NamedTuple):
    """The intervals of each source video, in order of time, and which lie wholly in others before them."""

    path: Path
    videos: dict[str, tuple[Listed, ...]]
    covered: tuple[str, ...] = ()

    def given(self, sources: Iterable[Recording], left_out: dict[str, str]) -> list[Recording]:
        """Return sources with the intervals that the table has of a video called as their file.

        One without any is left out with the reason. Raises InputError when the table has none of any.
        """
        listed_sources = []
        for source in sources:
            listed = self.videos.get(source.path.stem, ())
            if listed:
                listed_sources.append(replace(source, intervals=listed))
            else:
                near = nearest(source.path.stem, self.videos)
                left_out[source.name] = f"no interval of {self.path.name} is of this video: {near}"
        if not listed_sources:
            raise InputError(
                f"{self.path}: no interval is of any of these recordings; expected files called as its "
                f"video_fn, such as {next(iter(self.videos))}.mp4"
            )
        return listed_sources

    def absent(self, sources: Iterable[Recording]) -> list[str]:
        """Return which of the table's videos are not among the sources, and how many intervals that costs."""
        there = {source.path.stem for source in sources}
        gone = {video: len(listed) for video, listed in self.videos.items() if video not in there}
        if not gone:
            return []
        every = sum(map(len, self.videos.values()))
        counts = f"{len(gone)} of {len(self.videos)} videos, with {sum(gone.values())} of {every} intervals"
        return [f"{self.path.name} lists {counts}, that are not here: {_some(list(gone))}."]

    def inside_others(self) -> list[str]:
        """Return which intervals have no frame of their own, since those before them have all."""
        if not self.covered:
            return []
        return [f"{len(self.covered)} intervals lie wholly in others before them: {_some(self.covered)}."]

    def left(self, sources: Iterable[Recording]) -> list[str]:
        """Return a line a speaker: how many of its intervals, in which hours, are of videos that are here."""
        there = {source.path.stem for source in sources}
        counts: dict[str, dict[str, Counter[str]]] = {}
        for video, intervals in self.videos.items():
            for listed in intervals:
                count = counts.setdefault(listed.speaker, {}).setdefault(listed.split, Counter())
                count["all"] += 1
                count["here"] += video in there
                count["frames"] += (listed.last - listed.first) * (video in there)
        return [
            f"{speaker}: {', '.join(_share(split, splits[split]) for split in SPLITS if split in splits)}"
            for speaker, splits in sorted(counts.items())
        ]


def _share(split: str, count: Counter[str]) -> str:
    hours = count["frames"] / FPS / 3600
    return f"{split} {count['here']:,} of {count['all']:,} intervals ({hours:.2f} h)"


def beyond(sources: Iterable[Recording]) -> list[str]:
    """Return which listed intervals begin after their video's end."""
    late = [
        f"{listed.name} ({source.name} ends at {seconds:.1f} s)"
        for source in sources
        if source.analysis and source.analysis.get("facts")
        for seconds in [source.analysis["facts"]["seconds"]]
        for listed in source.intervals
        if listed.first >= seconds * FPS
    ]
    return [f"{len(late)} intervals begin after their video's end: {_some(late)}."] if late else []


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def read_intervals(path: Path) -> IntervalTable:
    """Return an interval table without its mirrored copies and the intervals listed as missing beside it.

    Of intervals of one video that overlap, the later one begins where the earlier ends. Raises InputError
    with the line. Source: reading 6.
    """
    missing = read_missing(path.parent / MISSING)
    intervals = [i for i in read_table(path) if not {i.name, str(i.number)} & missing]
    twice = [name for name, number in Counter(i.name for i in intervals).items() if number > 1]
    if twice:
        raise InputError(f"{path}: interval {twice[0]} is listed twice")
    if not intervals:
        raise InputError(f"{path}: lists no intervals")
    videos: dict[str, list[Interval]] = {}
    for interval in sorted(intervals, key=lambda i: (i.start_s, i.name)):
        videos.setdefault(interval.video, []).append(interval)
    listed = {video: _frames(rows) for video, rows in videos.items()}
    own = {row.name for rows in listed.values() for row in rows}
    covered = tuple(i.name for rows in videos.values() for i in rows if i.name not in own)
    return IntervalTable(path, listed, covered)


def _frames(intervals: Sequence[Interval]) -> tuple[Listed, ...]:
    listed: list[Listed] = []
    for i in intervals:
        first = max(round(i.start_s * FPS), listed[-1].last if listed else 0)
        last = round(i.end_s * FPS)
        if last > first:
            listed.append(Listed(i.name, i.speaker, i.video, i.listed, first, last))
    return tuple(listed)
