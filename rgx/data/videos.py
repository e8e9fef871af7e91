"""A folder of talking-head or upper-body videos with MediaPipe landmarks beside them."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

from rgx.data.base import Corpus
from rgx.errors import InputError, nearest
from rgx.poses.files import read_mediapipe_npz
from rgx.poses.gaps import bridge_gaps
from rgx.registry import register
from rgx.skeleton import LEFT_SHOULDER, RIGHT_SHOULDER
from rgx.types import FPS, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, Clip, CorpusFacts, Place

COLUMNS, SPLITS, SHOWN = ("clip", "speaker", "split"), ("train", "dev", "test"), 10


class Row(NamedTuple):
    """One line of the index."""

    line: int
    clip: str
    speaker: str
    split: str


class Video(NamedTuple):
    """What a video file says about itself without its pixels being decoded."""

    width_px: int
    height_px: int
    frames: int
    start_s: float


@register("corpus", "videos", label="Videos")
class Videos(Corpus):
    """Videos at 25 fps: `index.csv` (clip, speaker, split), `clips/*.mp4`, `landmarks/*.npz` (MediaPipe)."""

    def __init__(
        self,
        folder: Place = "data/videos",
        index: str = "index.csv",
        longest_gap_frames: int = 5,
        visibility: float = 0.5,
    ) -> None:
        if longest_gap_frames < 0:
            raise InputError(f"corpus.videos.longest_gap_frames = {longest_gap_frames}: expected 0 or more")
        if not 0 <= visibility <= 1:
            raise InputError(f"corpus.videos.visibility = {visibility}: expected 0 to 1")
        self.folder, self.index = Path(folder), Path(folder) / index
        self.longest_gap_frames, self.visibility = longest_gap_frames, visibility

    def facts(self) -> CorpusFacts:
        """Return speakers, clips per split and a fingerprint of index, landmarks and videos.

        Raises one InputError with every problem of the index and of the files it names.
        """
        rows, problems = self._read_index()
        lines: list[str] = []
        for row in rows:
            try:
                self._check(row)
                lines.append(self._identity(row))
            except InputError as error:
                problems.append(f"{self.index} line {row.line}: {error}")
        _raise(problems)
        counts = Counter(row.split for row in rows)
        return CorpusFacts(
            speakers=tuple(sorted({row.speaker for row in rows})),
            clips={split: counts[split] for split in SPLITS if counts[split]},
            fingerprint=hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(),
        )

    def clips(self) -> Iterator[Clip]:
        """Yield every clip in order of its name; raises InputError for an unusable one."""
        rows, problems = self._read_index()
        _raise(problems)
        for row in sorted(rows, key=lambda r: r.clip):
            path, landmarks = self._files(row)
            keypoints, valid, video = self._check(row)
            keypoints, valid = bridge_gaps(keypoints, valid, self.longest_gap_frames)
            if not (valid[:, LEFT_SHOULDER] & valid[:, RIGHT_SHOULDER]).any():
                raise InputError(f"{landmarks}: both shoulders are never seen in the same frame")
            waveform = read_speech(path, video.start_s, video.frames * SAMPLES_PER_FRAME)
            yield Clip(row.clip, row.speaker, row.split, keypoints, valid, waveform)

    def _files(self, row: Row) -> tuple[Path, Path]:
        return self.folder / "clips" / f"{row.clip}.mp4", self.folder / "landmarks" / f"{row.clip}.npz"

    def _check(self, row: Row) -> tuple[np.ndarray, np.ndarray, Video]:
        """Return a clip's raw keypoints, validity and video; raises InputError when they disagree."""
        path, landmarks = self._files(row)
        video = probe(path)
        keypoints, valid = read_mediapipe_npz(landmarks, video.width_px, video.height_px, self.visibility)
        if len(keypoints) != video.frames:
            expected = f"expected {video.frames} as in {path}"
            raise InputError(f"{landmarks}: {len(keypoints)} frames of landmarks, {expected}")
        return keypoints, valid, video

    def _identity(self, row: Row) -> str:
        video, landmarks = self._files(row)
        files = (_sha256(landmarks), video.stat().st_size, _sha256(video))
        return repr((row.clip, row.speaker, row.split, *files))

    def _read_index(self) -> tuple[list[Row], list[str]]:
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
                rows = [Row(reader.line_num, *((line[c] or "").strip() for c in COLUMNS)) for line in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{self.index}: unreadable as a CSV index: {error}") from None
        if not rows:
            raise InputError(f"{self.index}: names no clips")
        return self._usable(rows)

    def _usable(self, rows: list[Row]) -> tuple[list[Row], list[str]]:
        usable: list[Row] = []
        problems, first = list[str](), dict[str, int]()
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


def probe(path: Path) -> Video:
    """Return a video's size, frames and start; raises InputError unless it is 25 fps with audio."""
    try:
        with av.open(str(path)) as container:
            stream, audio = container.streams.best("video"), container.streams.best("audio")
            if not isinstance(stream, av.VideoStream) or not isinstance(audio, av.AudioStream):
                raise InputError(f"{path}: no {'audio' if stream else 'video'} stream")
            rate = float(stream.average_rate or 0)
            if abs(rate - FPS) > 0.005:
                raise InputError(f"{path}: {rate:.3f} frames per second, expected {FPS}")
            kept = (p for p in container.demux(stream, audio) if p.size and not p.is_discard)
            packets = Counter(p.stream.type for p in kept)
            start_s = float((stream.start_time or 0) * (stream.time_base or 0))
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: unreadable as a video: {error.strerror or error}") from None
    if not packets["audio"]:
        raise InputError(f"{path}: the audio stream is empty")
    return Video(stream.width, stream.height, packets["video"], start_s)


def read_speech(path: Path, start_s: float, samples: int) -> np.ndarray:
    """Return a file's audio from `start_s` on, (samples,) mono float32 at 16 kHz, padded with silence.

    Raises InputError when the audio cannot be decoded or lies wholly outside the video.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    waveform, parts, first_s = np.zeros(samples, np.float32), [np.zeros(0, np.float32)], None
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(container.streams.best("audio")):
                assert isinstance(frame, av.AudioFrame)
                first_s = frame.time if first_s is None else first_s
                parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
            parts += [out.to_ndarray()[0] for out in resampler.resample(None)] if len(parts) > 1 else []
    except (av.FFmpegError, OSError, ValueError) as error:  # ValueError: the format changes midway
        raise InputError(f"{path}: audio cannot be decoded: {error}") from None
    offset = round(((first_s or 0) - start_s) * SAMPLE_RATE_HZ)
    place = waveform[max(offset, 0) :]
    heard = np.concatenate(parts)[max(-offset, 0) :][: len(place)]
    if not len(heard):
        raise InputError(f"{path}: no audio during the video")
    place[: len(heard)] = heard
    return waveform


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _raise(problems: list[str]) -> None:
    if problems:
        tail = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise InputError("\n".join([*problems[:SHOWN], *tail]))
