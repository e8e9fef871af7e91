"""A folder of talking-head or upper-body videos with keypoint files beside them."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from rgx.errors import InputError, nearest
from rgx.gesture.data.base import Corpus
from rgx.gesture.data.splits import Interval, Split, leaks_by_split
from rgx.gesture.data.tracked_clip import Learned, bridged, learn, read_tracked
from rgx.gesture.poses.files import SUFFIXES
from rgx.gesture.poses.fit import TrackFit
from rgx.gesture.poses.smoothing import smooth
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES, Clip, CorpusFacts, Footage
from rgx.gesture.video.files import check_pictures, read_frames, read_speech
from rgx.registry import Outside, Place, Since, register

COLUMNS, SPLITS, SHOWN = ("clip", "speaker", "split"), ("train", "dev", "test"), 10
KEYPOINTS = ("landmarks/{}.npz", *(f"keypoints/{{}}{suffix}" for suffix in (*SUFFIXES, "")))
"""Where a clip's points may lie: a file, or a folder of one file a frame."""
STILL = 0.5
"""The share of frames from which a clip stands still."""
PREPARED = Outside(
    "recordings as a corpus",
    "index.csv, clips/*.mp4 at 25 fps and keypoints, made by `rgx prepare RECORDINGS --out DIR "
    "--poses mmpose` (its weights: `rgx variants poses`)",
    "your own; PATS lists its videos in cmu_intervals_df.csv (--intervals), https://chahuja.com/pats",
    "PATS: CC BY-NC 2.0; a video: its owner's",
)


class IndexRow(NamedTuple):
    """One line of the index; a clip that is of no interval is one itself."""

    line: int
    clip: str
    speaker: str
    split: str
    interval: str
    video: str

    def as_interval(self) -> Interval:
        """Return what it is a part of, as a split sees it."""
        return Interval(self.interval, self.speaker, self.video, 0.0, 0.0, self.split)


@register("corpus", "videos", label="Videos")
class Videos(Corpus):
    """Videos at 25 fps: `index.csv` (clip, speaker, split), `clips/*.mp4`, `landmarks/` or `keypoints/`.

    split: what trains and tests, by the columns `interval` and `video`, instead of the index; clips of an
    interval that it leaves out are in neither. fit: what is known of the keypoints, and how far they may be
    off; as it is registered without one.
    """

    def __init__(
        self,
        folder: Annotated[Place, PREPARED] = "data/videos",
        index: str = "index.csv",
        longest_gap_frames: int = 5,
        visibility: float = 0.5,
        smoothing_frames: int = 1,
        split: Split | None = None,
        fit: Annotated[TrackFit | None, Since(None)] = None,
    ) -> None:
        if longest_gap_frames < 0:
            raise InputError(f"corpus.videos.longest_gap_frames = {longest_gap_frames}: expected 0 or more")
        if not 0 <= visibility <= 1:
            raise InputError(f"corpus.videos.visibility = {visibility}: expected 0 to 1")
        if smoothing_frames < 1 or smoothing_frames % 2 == 0:
            raise InputError(f"corpus.videos.smoothing_frames = {smoothing_frames}: expected an odd number")
        self.folder, self.index = Path(folder), Path(folder) / index
        self.longest_gap_frames, self.visibility = longest_gap_frames, visibility
        self.smoothing_frames, self.split, self.fit = smoothing_frames, split, fit or TrackFit()

    def facts(self) -> CorpusFacts:
        """Return speakers, clips per split and a fingerprint of index, landmarks and videos.

        Raises one InputError with every problem of the index and of the files it names. What a file was
        found to hold is remembered until it changes.
        """
        learned = self._learn_all()
        counts = Counter(row.split for row in learned)
        frames: dict[str, tuple[int, ...]] = dict.fromkeys(counts, ())
        for row, recording in learned.items():
            frames[row.split] += (recording.video.frames,)
        lines = sorted(repr((r.clip, r.speaker, r.split, *_identity(rec))) for r, rec in learned.items())
        return CorpusFacts(
            speakers=tuple(sorted({row.speaker for row in learned})),
            clips={split: counts[split] for split in SPLITS if counts[split]},
            fingerprint=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
            frames=frames,
        )

    def clips(self) -> Iterator[Clip]:
        """Yield every clip in order of its name; raises InputError for an unusable one."""
        rows, problems = self._read_index()
        _raise(problems)
        for row in sorted(rows, key=lambda r: r.clip):
            path, landmarks = self._files(row)
            raw, seen, video, _ = read_tracked(path, landmarks, self.visibility, self.fit)
            keypoints, valid = bridged(landmarks, raw, seen, self.longest_gap_frames)
            keypoints = smooth(keypoints, valid, self.smoothing_frames)
            waveform = read_speech(path, video.start_s, video.frames * SAMPLES_PER_FRAME)
            yield Clip(row.clip, row.speaker, row.split, keypoints, valid, waveform)

    def report(self) -> dict[str, float]:
        """Return what numbers should be read with.

        In how many frames others are in view, how many clips stand still in most frames, and how many test
        intervals are of a video that also trains, where the index names videos.
        """
        intervals = [row.as_interval() for row in self._read_index()[0] if row.video]
        leaks = leaks_by_split(intervals, {i.name: i.listed for i in intervals}) if intervals else {}
        fits = [recording.fit for recording in self._learn_all().values()]
        crowded, still = sum(fit.crowded for fit in fits), sum(fit.still > STILL for fit in fits)
        counts = {"frames_with_others": float(crowded), "clips_standing_still": float(still)}
        return leaks | {name: count for name, count in counts.items() if count}

    def footage(self, size_px: int) -> Iterator[Footage]:
        """Yield every clip's pictures in order of its name."""
        self.check_pictures()
        learned = self._learn_all()
        for row in sorted(learned, key=lambda r: r.clip):
            path, video = self._files(row)[0], learned[row].video
            picture = np.dtype((np.uint8, (size_px, size_px, 3)))
            frames = np.fromiter(read_frames(path, size_px), picture)
            if len(frames) != video.frames:
                expected = f"expected {video.frames} as in its landmarks"
                raise InputError(f"{path}: {len(frames)} pictures can be decoded, {expected}")
            yield Footage(row.clip, frames, float(video.width_px))

    def check_pictures(self) -> None:
        """Raise one InputError naming every clip whose pictures are not square and of one size."""
        problems: list[str] = []
        for row in self._learn_all():
            try:
                check_pictures(self._files(row)[0])
            except InputError as error:
                problems.append(f"{self.index} line {row.line}: {error}")
        _raise(problems)

    def _learn_all(self) -> dict[IndexRow, Learned]:
        """Return what the files of every row hold; raises one InputError with every problem."""
        rows, problems = self._read_index()
        learned: dict[IndexRow, Learned] = {}
        for row in rows:
            try:
                learned[row] = learn(*self._files(row), self.longest_gap_frames, self.visibility, self.fit)
            except InputError as error:
                problems.append(f"{self.index} line {row.line}: {error}")
        _raise(problems)
        _raise(self._without_windows(learned))
        return learned

    def _without_windows(self, learned: dict[IndexRow, Learned]) -> list[str]:
        """Return a problem for each split whose clips are all too short to have a window."""
        longest: dict[str, tuple[int, str]] = {}
        for row, recording in learned.items():
            longest[row.split] = max(longest.get(row.split, (0, "")), (recording.video.frames, row.clip))
        needed = f"at least {WINDOW_FRAMES + 1} frames (one condition frame and a window of {WINDOW_FRAMES})"
        return [
            f"{self.index}: no clip of split '{split}' has {needed}; the longest, '{clip}', has {frames}"
            for split, (frames, clip) in longest.items()
            if frames <= WINDOW_FRAMES
        ]

    def _files(self, row: IndexRow) -> tuple[Path, Path]:
        places = [self.folder / place.format(row.clip) for place in KEYPOINTS]
        there = [place for place in places if place.exists()]
        if len(there) > 1:
            raise InputError(f"{there[0]} and {there[1]} are both there: keep one")
        if not there and (others := sorted(self.folder.glob(f"keypoints/{escape(row.clip)}.*"))):
            expected = f"expected {', '.join(SUFFIXES)} or a folder, unpacked"
            raise InputError(f"{others[0]}: no keypoint file by its name: {expected}")
        return self.folder / "clips" / f"{row.clip}.mp4", (there or places)[0]

    def _read_index(self) -> tuple[list[IndexRow], list[str]]:
        """Return the usable rows and what is wrong with the rest; raises InputError without an index."""
        if not self.folder.is_dir():
            raise InputError(f"{self.folder}: no such folder; expected {self.index.name}, clips/, landmarks/")
        try:
            with self.index.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, strict=True)
                missing = [column for column in COLUMNS if column not in (names := reader.fieldnames or [])]
                if missing:
                    near = nearest(missing[0], names)
                    raise InputError(f"{self.index} line 1: no column {', '.join(missing)}: {near}")
                rows = [_row(reader.line_num, line) for line in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{self.index}: unreadable as a CSV index: {error}") from None
        if not rows:
            raise InputError(f"{self.index}: names no clips")
        return self._usable(rows)

    def _usable(self, rows: list[IndexRow]) -> tuple[list[IndexRow], list[str]]:
        usable: list[IndexRow] = []
        problems, first = list[str](), dict[str, int]()
        if self.split is not None:
            if self.split.parts_videos and (unknown := [row for row in rows if not row.video]):
                raise InputError(
                    f"{self.index} line {unknown[0].line}: clip '{unknown[0].clip}' is of no video: "
                    "corpus.videos.split needs the column video, as `rgx prepare` writes it"
                )
            assigned = self.split.assign(list({row.interval: row.as_interval() for row in rows}.values()))
            rows = [r._replace(split=assigned[r.interval]) for r in rows if r.interval in assigned]
        for row in rows:
            wrong = [] if row.speaker else [f"clip '{row.clip}' has no speaker"]
            if not row.clip or not row.clip.isprintable() or set(row.clip) & set("/\\"):
                wrong.append(f"clip '{row.clip}' is not a file name")
            elif first.setdefault(row.clip, row.line) != row.line:
                wrong.append(f"clip '{row.clip}' is already named in line {first[row.clip]}")
            if row.split not in SPLITS:
                wrong.append(f"split '{row.split}' of clip '{row.clip}': {nearest(row.split, SPLITS)}")
            problems += [f"{self.index} line {row.line}: {what}" for what in wrong]
            usable += [] if wrong else [row]
        empty = sorted({"train", "test"} - {row.split for row in rows})
        problems += [f"{self.index}: no clip of split '{s}', expected at least one" for s in empty]
        return usable, problems


def _identity(recording: Learned) -> tuple[str | int, ...]:
    """Return what a fingerprint holds of a clip: its files, and whether points in the corner fell."""
    return (*recording.identity, *(["corners"] if recording.fit.corners else []))


def _row(number: int, line: dict[str, str | None]) -> IndexRow:
    clip, speaker, split = ((line[column] or "").strip() for column in COLUMNS)
    interval, video = ((line.get(column) or "").strip() for column in ("interval", "video"))
    return IndexRow(number, clip, speaker, split, interval or clip, video)


def _raise(problems: list[str]) -> None:
    if problems:
        tail = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise InputError("\n".join([*problems[:SHOWN], *tail]))
