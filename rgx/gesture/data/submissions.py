"""Axis submission: what a system outside rgx made for the clips of a corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.files import FOLDER, READERS, content, dialect, read_keypoints
from rgx.gesture.poses.fit import TrackFit
from rgx.gesture.poses.gaps import bridge_gaps
from rgx.gesture.skeleton import measure, normalise
from rgx.gesture.types import FPS
from rgx.gesture.video.files import read_frames, shape_of
from rgx.registry import Place, Since, register

ROOMS = ("", "keypoints", "landmarks", "clips")
"""Folders of a submission that are looked into."""
SIDE_PX, LONGEST_GAP_FRAMES = 256, 5
SCOPE, LONGER = "submission/", 1.05
"""Of the bindings that say how a system's tracks are; and how many times as long as its clip one may be."""
SIZED = {".npz"}
"""Files that know the size of their pictures, so that points outside can be told without the video."""


@register("submission", "folder", label="Folder")
class Submission:
    """A folder with a keypoint file or an mp4 for each clip, named as the clip.

    Videos have 25 frames per second, and so have keypoints unless `fit` says otherwise; it also says how far
    they may be off.
    """

    def __init__(
        self,
        path: Place = "",
        confidence: float = 0.5,
        fit: Annotated[TrackFit | None, Since(None)] = None,
    ) -> None:
        if not str(path):
            raise InputError("submission.folder.path: expected the folder of what a system made")
        if not 0 <= confidence <= 1:
            raise InputError(f"submission.folder.confidence = {confidence}: expected 0 to 1")
        self.path, self.confidence, self.fit = Path(path), confidence, fit or TrackFit()

    def fingerprint(self) -> str:
        """Return the identity of every file that counts; raises InputError where there is none."""
        files = [*self.keypoints().values(), *self.videos().values()]
        if not files:
            raise InputError(f"{self.path}: no keypoint files and no mp4, in it or in {', '.join(ROOMS[1:])}")
        lines = [f"{path.relative_to(self.path)} {_digest(path)}" for path in sorted(files)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def keypoints(self) -> dict[str, Path]:
        """Return the keypoint file of each clip; raises InputError when a clip has two."""
        return self._named(path for path in self._entries() if _is_keypoints(path))

    def videos(self) -> dict[str, Path]:
        """Return the mp4 of each clip; raises InputError when a clip has two."""
        return self._named(path for path in self._entries() if path.suffix == ".mp4" and path.is_file())

    def motion(self, clip: str, frames: int) -> np.ndarray:
        """Return one clip's motion (T, 123, 2) in its own shoulder widths, as a corpus' clips are.

        frames: how many the clip has at 25 Hz; fewer are no fault, unless as few as another rate has. So it
        does not matter how large a system's pictures are; MediaPipe's files count as of square ones. Raises
        InputError for a file that cannot be read, that is at another rate, or without two shoulders.
        """
        path = self.keypoints()[clip]
        video = self.videos().get(clip)
        size = shape_of(video)[1:] if video else (SIDE_PX, SIDE_PX)
        people = read_keypoints(path, *self.fit.pictures(*size))
        where = f"{path} ({dialect(path)})"
        self.fit.check_length(where, len(people), frames, SCOPE)
        fitted = self.fit.fitted(where, people, None, size, SCOPE).points
        if len(fitted) > LONGER * frames:
            raise InputError(f"{where}: {len(fitted)} frames, the clip has {frames}")
        points, seen = fitted[..., :2], fitted[..., 2] > self.confidence
        if video or path.suffix in SIZED:
            seen &= ((points >= 0) & (points <= size)).all(axis=-1)
        if not seen.any():
            raise InputError(f"{path}: no point is surer than {self.confidence} in any frame")
        points, valid = bridge_gaps(np.where(seen[..., None], points, np.nan), seen, LONGEST_GAP_FRAMES)
        try:
            return normalise(points, *measure(points, valid))
        except ValueError as error:
            raise InputError(f"{path}: {error}") from None

    def pictures(self, clip: str, size_px: int) -> np.ndarray:
        """Return the frames (T, H, H, 3) uint8 of one clip; raises InputError unless at 25 fps and square."""
        path = self.videos()[clip]
        rate, _, _ = shape_of(path)
        if abs(rate - FPS) > 0.005:
            raise InputError(f"{path}: {rate:.3f} frames per second, expected {FPS}")
        return np.fromiter(read_frames(path, size_px), np.dtype((np.uint8, (size_px, size_px, 3))))

    def _entries(self) -> Iterator[Path]:
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such folder; expected what a system made, a file a clip")
        for room in ROOMS:
            folder = self.path / room
            if folder.is_dir():
                yield from sorted(path for path in folder.iterdir() if path.name not in ROOMS)

    def _named(self, paths: Iterator[Path]) -> dict[str, Path]:
        named: dict[str, Path] = {}
        for path in paths:
            clip = path.stem if path.is_file() else path.name
            if clip in named:
                raise InputError(f"{path}: clip '{clip}' is also {named[clip]}; expected one file a clip")
            named[clip] = path
        return named


def _is_keypoints(path: Path) -> bool:
    kinds = {FOLDER + file.suffix for file in content(path)} if path.is_dir() else {path.suffix}
    return bool(kinds & set(READERS))


def _digest(path: Path) -> str:
    state = hashlib.sha256()
    for file in content(path):
        state.update(file.name.encode())
        with file.open("rb") as opened:
            state.update(hashlib.file_digest(opened, "sha256").digest())
    return state.hexdigest()
