"""PATS by its published features alone: bodies and hands at 15 fps without faces, mel bands without sound."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from rgx.errors import InputError
from rgx.gesture.data.base import Corpus
from rgx.gesture.data.pats_files import Shape, read_interval, read_missing, read_table, shape_of
from rgx.gesture.data.splits import Interval, Split, leaks_by_split
from rgx.gesture.poses.gaps import bridge_gaps
from rgx.gesture.skeleton import measure
from rgx.gesture.types import WINDOW_FRAMES, Clip, CorpusFacts, Footage
from rgx.registry import Outside, Part, Place, register

PATS = Outside(
    "PATS' features",
    "cmu_intervals_df.csv and processed/<speaker>/<interval>.h5",
    "https://chahuja.com/pats",
    "CC BY-NC 2.0",
)

SHOWN = 5


@register("corpus", "pats", label="PATS features", source="Ahuja et al. 2020; reading 6")
class Pats(Corpus):
    """Body-only: a folder with the interval table and `processed/<speaker>/<interval>.h5`.

    Poses are brought from 15 to 25 Hz and cut to the shortest modality. An interval whose file is absent or
    no use is left out and counted; `report` says how many, and how many test videos also train.
    """

    def __init__(
        self,
        folder: Annotated[Place, PATS] = "data/pats",
        *,
        split: Part[Split],
        table: str = "cmu_intervals_df.csv",
        speakers: tuple[str, ...] = ("oliver", "noah", "seth", "chemistry"),
        confidence: float = 0.1,
        longest_gap_frames: int = 5,
    ) -> None:
        if not 0 <= confidence <= 1:
            raise InputError(f"corpus.pats.confidence = {confidence}: expected 0 to 1")
        if longest_gap_frames < 0:
            raise InputError(f"corpus.pats.longest_gap_frames = {longest_gap_frames}: expected 0 or more")
        self.folder, self.split, self.table = Path(folder), split, table
        self.speakers, self.confidence = tuple(speakers), confidence
        self.longest_gap_frames = longest_gap_frames

    def facts(self) -> CorpusFacts:
        """Return speakers, clips per split and a fingerprint of the splits and samples of each file.

        Raises InputError when the folder or table is no use, or when a split is left with nothing.
        """
        intervals, assigned, shapes, unusable = self._survey()
        usable = [i for i in intervals if i.name in shapes]
        clips = Counter(assigned[i.name] for i in usable)
        empty = [split for split in ("train", "test") if not clips[split]]
        if empty:
            reasons = "".join(f"\n{reason}" for reason in list(unusable.values())[:SHOWN])
            raise InputError(
                f"{self.folder}: no usable interval in the {empty[0]} split; the table has "
                f"{len(intervals)} of {', '.join(self.speakers)}, {len(unusable)} are no use{reasons}"
            )
        lines = [repr((i.name, i.speaker, assigned[i.name], shapes[i.name])) for i in usable]
        return CorpusFacts(
            speakers=tuple(sorted({i.speaker for i in usable})),
            clips=dict(clips),
            fingerprint=hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(),
            heard="log_mel",
            frames={s: tuple(shapes[i.name].frames for i in usable if assigned[i.name] == s) for s in clips},
        )

    def clips(self) -> Iterator[Clip]:
        """Yield every usable interval in order of its name, with an empty waveform."""
        intervals, assigned, shapes, _ = self._survey()
        for interval in sorted((i for i in intervals if i.name in shapes), key=lambda i: i.name):
            path = self._file(interval)
            points, seen, mel = read_interval(path, self.confidence)
            points, valid = bridge_gaps(points, seen, self.longest_gap_frames)
            try:
                measure(points, valid)
            except ValueError as error:
                raise InputError(f"{path}: {error}") from None
            yield Clip(
                interval.name, interval.speaker, assigned[interval.name], points, valid,
                np.zeros(0, np.float32), log_mel=mel,
            )  # fmt: skip

    def report(self) -> dict[str, float]:
        """Return intervals left out as no use, and test and dev intervals of whose video others train."""
        intervals, assigned, shapes, unusable = self._survey()
        usable = [i for i in intervals if i.name in shapes]
        return {"unusable_clips": len(unusable), **leaks_by_split(usable, assigned)}

    def check_pictures(self) -> None:
        """Raise InputError: features hold no pictures."""
        raise InputError(
            "corpus.pats holds poses and mel bands, no pictures; expected a panel that ends at "
            "motion_scores, or corpus.videos made from the videos themselves"
        )

    def footage(self, size_px: int) -> Iterator[Footage]:
        """Raise InputError: features hold no pictures."""
        self.check_pictures()
        yield from ()

    def _file(self, interval: Interval) -> Path:
        return self.folder / "processed" / interval.speaker / f"{interval.name}.h5"

    def _survey(self) -> tuple[list[Interval], dict[str, str], dict[str, Shape], dict[str, str]]:
        """Return intervals, their splits, the shapes of usable ones and what is wrong with the rest."""
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder; expected {self.table} and processed/")
        listed = read_table(self.folder / self.table, self.speakers)
        missing = read_missing(self.folder / "missing_intervals.h5")
        present = [i for i in listed if i.name not in missing and str(i.number) not in missing]
        assigned = self.split.assign(present)
        intervals = [i for i in present if i.name in assigned]
        shapes: dict[str, Shape] = {}
        unusable: dict[str, str] = {}
        for interval in intervals:
            try:
                shape = shape_of(self._file(interval))
                if shape.frames <= WINDOW_FRAMES:
                    raise InputError(
                        f"{self._file(interval)}: {shape.frames} frames at 25 Hz, "
                        f"expected at least {WINDOW_FRAMES + 1}"
                    )
                shapes[interval.name] = shape
            except InputError as error:
                unusable[interval.name] = str(error)
        return intervals, assigned, shapes, unusable
