"""The files of PATS as published: the interval table, the list of missing intervals, one h5 an interval.

Of an h5 only `pose` and `audio/log_mel_400` are read, whatever else it holds or lacks. Source: reading 6.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from rgx.errors import InputError, install_hint, nearest
from rgx.gesture.data.splits import Interval
from rgx.gesture.skeleton import LEFT_HAND, POINTS, RIGHT_HAND
from rgx.gesture.types import FPS

COLUMNS = ("dataset", "interval_id", "speaker", "start_time", "end_time", "video_fn")
JOINTS, POSE_HZ, MEL_HZ, MELS = 52, 15, 100, 64
LISTED = {"train", "dev", "test"}
MIRRORED = "|mirror"
VIDEOS = ("mp4", "mkv", "webm", "mov", "avi")
TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]|\d+ days? )?(?P<hours>\d+):(?P<minutes>[0-5]?\d):(?P<seconds>[0-5]?\d(\.\d+)?)"
)
COCO = (6, 8, 10, 5, 7, 9, 0, 2, 1, *LEFT_HAND, *RIGHT_HAND)
"""The COCO-WholeBody point of each PATS joint from 1 on; joint 0 is the neck, which COCO does not have."""


class Shape(NamedTuple):
    """How long an interval's arrays are, without reading them whole."""

    pose_frames: int
    mel_frames: int
    digest: str

    @property
    def frames(self) -> int:
        """Frames at 25 Hz that every modality covers."""
        seconds = self.pose_frames / POSE_HZ
        return int(min(seconds, self.mel_frames / MEL_HZ) * FPS + 1e-6)


def _h5py() -> ModuleType:
    try:
        import h5py
    except ImportError:
        raise InputError(f"corpus.pats reads h5 files: install the extra, {install_hint('pats')}") from None
    return h5py


def read_table(path: Path, speakers: tuple[str, ...] = ()) -> list[Interval]:
    """Return the intervals of some speakers, or of all but mirrored ones; raises InputError with the line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(",;\t", key=head.count), skipinitialspace=True)
            reader.fieldnames = names = [name.strip() for name in reader.fieldnames or []]
            missing = [column for column in COLUMNS if column not in names]
            if missing:
                raise InputError(f"{path} line 1: no column {missing[0]}: {nearest(missing[0], names)}")
            rows = [(reader.line_num, _stripped(row)) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: unreadable as an interval table: {error}") from None
    known = {row["speaker"] for _, row in rows}
    absent = [s for s in speakers if s not in known]
    if absent:
        raise InputError(f"{path}: no interval of speaker '{absent[0]}': {nearest(absent[0], known)}")
    # The loader's augmentations (`id|mirror`) have speakers of their own (`oliver|mirror`), so they go here.
    wanted = set(speakers) or {speaker for speaker in known if MIRRORED not in (speaker or MIRRORED)}
    return [_interval(path, line, row) for line, row in rows if row["speaker"] in wanted]


def _stripped(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.strip() if isinstance(value, str) else value for name, value in row.items()}


def _interval(path: Path, line: int, row: dict[str, Any]) -> Interval:
    try:
        start_s, end_s = _seconds(row["start_time"]), _seconds(row["end_time"])
    except (TypeError, ValueError):
        raise InputError(
            f"{path} line {line}: start_time {row['start_time']!r} and end_time {row['end_time']!r}: "
            "expected times such as 2019-09-26 00:00:30.87, 00:00:30.87 or 30.87 s"
        ) from None
    if end_s <= start_s:
        raise InputError(
            f"{path} line {line}: ends at {end_s:g} s, before or when it begins, at {start_s:g} s"
        )
    if row["dataset"] not in LISTED:
        raise InputError(f"{path} line {line}: dataset {row['dataset']!r}: {nearest(row['dataset'], LISTED)}")
    name = re.sub(r"(?<=\d)\.0$", "", row["interval_id"] or "")  # a number that a program took for a fraction
    if not name or not name.isprintable() or set(name) & set("/\\") or name.strip(".") == "":
        raise InputError(f"{path} line {line}: interval_id {name!r} is not a file name")
    video = re.sub(rf"\.({'|'.join(VIDEOS)})$", "", row["video_fn"] or "")
    return Interval(name, row["speaker"], video, start_s, end_s, row["dataset"])


def _seconds(stamp: str) -> float:
    """Return in seconds a time of day, also after a date or a count of days, or a number of seconds."""
    if re.fullmatch(r"\d+(\.\d+)?", stamp):
        return float(stamp)
    if (time := TIME.fullmatch(stamp)) is None:
        raise ValueError(stamp)
    return int(time["hours"]) * 3600 + int(time["minutes"]) * 60 + float(time["seconds"])


def read_missing(path: Path) -> set[str]:
    """Return the ids listed as missing; none where there is no such file or it is empty."""
    if not path.is_file():
        return set()
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            ids = file["intervals"][()] if "intervals" in file else []
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: unreadable as a list of missing intervals: {error}") from None
    return {i.decode(errors="replace") if isinstance(i, bytes) else str(i) for i in np.asarray(ids).ravel()}


def shape_of(path: Path) -> Shape:
    """Return an interval's shape, remembered until it changes; raises InputError for a file of no use."""
    try:
        stat = path.stat()
    except OSError:
        raise InputError(f"{path}: no such file") from None
    return _shape(path, (stat.st_size, stat.st_mtime_ns))


@functools.cache
def _shape(path: Path, stamp: tuple[int, int]) -> Shape:
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            pose = _array(path, file, "pose/data", JOINTS * 2)
            mel = _array(path, file, "audio/log_mel_400", MELS)
            seen = hashlib.sha256(np.stack([pose[0], pose[len(pose) // 2], pose[-1]]).astype("<f8").tobytes())
            seen.update(mel[len(mel) // 2].astype("<f8").tobytes())
            return Shape(len(pose), len(mel), seen.hexdigest())
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: unreadable as h5: {error}") from None


def _array(path: Path, file: Any, name: str, width: int) -> Any:
    h5py = _h5py()
    array = file.get(name)
    if not isinstance(array, h5py.Dataset):
        raise InputError(f"{path}: no array {name}; it holds {', '.join(sorted(file)) or 'nothing'}")
    if array.ndim != 2 or array.shape[1] != width or not len(array) or array.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} is {array.dtype} {array.shape}, expected numbers (frames, {width})")
    return array


def read_interval(path: Path, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return keypoints (T, 133, 2) px, valid (T, 133) and log-mel (T, 64), all at 25 Hz and of one length.

    Joint 0 is absolute, the others relative to it. A point is valid in a frame when the two at 15 Hz around
    it are finite and, where the file has confidences, at least `confidence` sure. Raises InputError.
    """
    frames = shape_of(path).frames
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            pose = file["pose/data"][()].astype(np.float64).reshape(-1, 2, JOINTS).transpose(0, 2, 1)
            mel = file["audio/log_mel_400"][()].astype(np.float32)
            sure = np.ones(pose.shape[:2], bool)
            scores = file.get("pose/confidence")
            if isinstance(scores, h5py.Dataset) and scores.shape == (len(pose), 2 * JOINTS):
                sure = scores[:, :JOINTS] >= confidence
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: unreadable as h5: {error}") from None
    pose[:, 1:] += pose[:, :1]
    sure &= np.isfinite(pose).all(-1)
    points, valid = np.full((len(pose), POINTS, 2), np.nan), np.zeros((len(pose), POINTS), bool)
    points[:, COCO], valid[:, COCO] = pose[:, 1:], sure[:, 1:]
    points, valid = _to_25_hz(points, valid, frames)
    step = MEL_HZ // FPS
    return points, valid, mel[: frames * step].reshape(frames, step, MELS).mean(1)


def _to_25_hz(points: np.ndarray, valid: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points and validity of 15 Hz, linearly between frames, at 25 Hz."""
    at = np.minimum(np.arange(frames) * POSE_HZ / FPS, len(points) - 1)
    before = np.floor(at + 1e-9).astype(int)
    after = np.minimum(np.ceil(at - 1e-9).astype(int), len(points) - 1)
    share = (at - before)[:, None, None]
    between = points[before] * (1 - share) + points[after] * share
    return between.astype(np.float32), valid[before] & valid[after]
