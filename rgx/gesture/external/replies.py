"""What a system outside rgx answers: keypoints in .npz files, or pictures in mp4 or png files."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rgx.errors import InputError, nearest
from rgx.gesture.skeleton import POINTS
from rgx.gesture.types import FPS, WINDOW_FRAMES
from rgx.gesture.video.files import check_square, fit, read_frames, shape_of

SHAPES: dict[str, tuple[int, ...]] = {
    "fps": (),
    "points": (WINDOW_FRAMES, POINTS, 2),
    "scores": (WINDOW_FRAMES, POINTS),
}
"""The arrays of an answer: frames per second, points in px, scores above 0 where a point is given."""
RATE_APART = 0.005


class KeypointAnswers:
    """NAME.npz: the 80 frames of a window as points of COCO-WholeBody, in px of the condition frame's."""

    def about(self) -> dict[str, Any]:
        """Return what the index says of them."""
        return {"answers": "keypoints"}

    def place(self, outputs: Path, name: str) -> Path | None:
        """Return the file, or None."""
        path = outputs / f"{name}.npz"
        return path if path.is_file() else None

    def expected(self, name: str) -> str:
        """Return which file is expected."""
        return f"{name}.npz"

    def read(self, path: Path) -> np.ndarray:
        """Return points and scores (80, 133, 3); raises InputError."""
        arrays = load(path)
        for name, shape in SHAPES.items():
            if name not in arrays:
                raise InputError(f"{path}: no array '{name}': {nearest(name, arrays)}")
            array = arrays[name]
            if array.shape != shape or array.dtype.kind not in "fiu":
                kind = f"{array.dtype} {array.shape}"
                raise InputError(f"{path}: array '{name}' is {kind}, expected numbers of shape {shape}")
            # First, since at another rate the number of frames is another, too.
            check_rate(path, float(arrays["fps"]))
        tracked = np.concatenate([arrays["points"], arrays["scores"][..., None]], axis=-1).astype(np.float32)
        given = tracked[..., 2] > 0
        if not given.any():
            raise InputError(f"{path}: no point has a score above 0")
        if not np.isfinite(tracked[given]).all():
            frame = int(np.argwhere(given & ~np.isfinite(tracked).all(-1))[0][0])
            raise InputError(f"{path}: a point of frame {frame} with a score above 0 is not finite")
        return tracked


class PictureAnswers:
    """NAME.mp4, or a folder NAME with a png a frame: the 80 square pictures of a window, of any size."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px

    def about(self) -> dict[str, Any]:
        """Return what the index says of them."""
        return {"answers": "pictures", "size_px": self.size_px}

    def place(self, outputs: Path, name: str) -> Path | None:
        """Return the file or folder, or None."""
        return next((path for path in (outputs / f"{name}.mp4", outputs / name) if path.exists()), None)

    def expected(self, name: str) -> str:
        """Return which file is expected."""
        return f"{name}.mp4, or a folder {name} of {WINDOW_FRAMES} png files,"

    def read(self, path: Path) -> np.ndarray:
        """Return pictures (80, H, H, 3) uint8; raises InputError."""
        frames = self._drawn(path) if path.is_dir() else self._filmed(path)
        if len(frames) != WINDOW_FRAMES:
            raise InputError(
                f"{path}: {len(frames)} pictures, expected {WINDOW_FRAMES}: a window at {FPS} fps"
            )
        return np.stack(frames)

    def _filmed(self, path: Path) -> list[np.ndarray]:
        check_rate(path, shape_of(path)[0])
        return list(read_frames(path, self.size_px))

    def _drawn(self, folder: Path) -> list[np.ndarray]:
        frames = []
        for path in sorted(folder.glob("*.png")):
            try:
                with Image.open(path) as picture:
                    check_square(path, *picture.size)
                    frames.append(fit(np.array(picture.convert("RGB")), self.size_px))
            except OSError as error:
                raise InputError(f"{path}: unreadable as a picture: {error}") from None
        return frames


def check_rate(path: Path, fps: float) -> None:
    """Raise InputError for another rate than that of all motion."""
    if not abs(fps - FPS) <= RATE_APART:
        raise InputError(f"{path}: {fps:g} frames per second, expected {FPS}: resample in the adapter")


def load(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz by name; raises InputError where it cannot be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: unreadable as an .npz of keypoints: {error}") from None
