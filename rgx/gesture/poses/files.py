"""Keypoint files made by other programs or by rgx, all read as COCO-WholeBody 133."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from rgx.errors import InputError, nearest
from rgx.gesture.poses import csv_files, json_files, pose_format_files
from rgx.gesture.poses.base import Extractor, same_size
from rgx.gesture.poses.dwpose_files import read_dwpose
from rgx.gesture.poses.npz_files import layout_of, read_npz
from rgx.registry import Place, register

FOLDER = "a folder of "
READERS: dict[str, Callable[[Path, int, int], np.ndarray]] = {
    ".npz": read_npz,
    ".json": json_files.read_json,
    ".csv": csv_files.read_csv,
    ".pose": pose_format_files.read_pose,
    FOLDER + ".json": json_files.read_json_folder,
    FOLDER + ".npy": read_dwpose,
    FOLDER + ".csv": csv_files.read_csv,
}
"""Readers by suffix, a folder's being that of the files in it."""

SUFFIXES = tuple(suffix for suffix in READERS if not suffix.startswith(FOLDER))
"""Of the files that hold all frames; a folder of frames is called as the clip."""

DIALECTS: dict[str, Callable[[Path], str]] = {
    ".npz": layout_of,
    ".json": json_files.dialect_of,
    ".csv": lambda _: csv_files.NAME,
    ".pose": lambda _: pose_format_files.NAME,
    FOLDER + ".json": json_files.dialect_of,
    FOLDER + ".npy": lambda _: "DWPose's .npy frames",
    FOLDER + ".csv": lambda _: csv_files.NAME,
}
"""Who says what a file is written in, by suffix."""


def read_keypoints(path: str | Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) float32 of a keypoint file, in px of pictures of the given size.

    Each point is x, y and a score in [0, 1], all 0 where it was not found; what a file does not hold was not
    found. Raises InputError naming the file when it is absent, unreadable or in none of the dialects of
    docs/recordings.md.
    """
    path = Path(path)
    return READERS[_kind(path)](path, width_px, height_px)


def dialect(path: str | Path) -> str:
    """Return what a keypoint file is written in, in words; raises InputError where nothing tells."""
    path = Path(path)
    return DIALECTS[_kind(path)](path)


def content(path: Path) -> list[Path]:
    """Return the files a keypoint file or folder consists of, in order of their names."""
    return sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]


def _kind(path: Path) -> str:
    if path.is_dir():
        suffixes = sorted({p.suffix for p in content(path)} & {".json", ".npy", ".csv"})
        if len(suffixes) != 1:
            kinds = " and ".join(suffixes) or "neither"
            raise InputError(f"{path}: a folder with {kinds}, expected .json or .npy frames, or .csv parts")
        return FOLDER + suffixes[0]
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected keypoints")
    if not path.stat().st_size:
        raise InputError(f"{path}: unreadable as a {path.suffix}: the file is empty")
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: keypoints in '{path.suffix}': {nearest(path.suffix, SUFFIXES)}")
    return path.suffix


@register("poses", "files", label="Keypoint file", source="ours; formats of docs/recordings.md")
class Files(Extractor):
    """Points that another program found, a frame of the file for each picture."""

    def __init__(self, path: Place = "") -> None:
        if not path:
            raise InputError("poses.files.path: expected the keypoint file or folder of the video")
        self.path = Path(path)

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the file's people (P, 133, 3); raises InputError unless it has a frame for each picture."""
        people: np.ndarray | None = None
        shown = 0
        for frame in same_size(frames):
            if people is None:
                people = read_keypoints(self.path, frame.shape[1], frame.shape[0])
            if shown == len(people):
                raise InputError(f"{self.path}: {len(people)} frames of keypoints, the video has more")
            points = people[shown]
            yield points[(points[..., 2] > 0).any(axis=-1)]
            shown += 1
        if people is not None and shown != len(people):
            raise InputError(f"{self.path}: {len(people)} frames of keypoints, the video has {shown}")
