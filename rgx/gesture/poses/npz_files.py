"""Keypoints in .npz files: MediaPipe Holistic's arrays, and rgx's own."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.mediapipe_points import SHAPES, to_wholebody
from rgx.gesture.skeleton import POINTS

OWN = ("points", "scores", "size_px")
"""points (T, 133, 2) float32 in px, scores (T, 133) in [0, 1], size_px: width and height of the picture."""


def read_npz(path: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the one person of an .npz (T, 1, 133, 3), by the names of its arrays; raises InputError."""
    arrays = _load(path)
    if set(arrays) == set(OWN):
        return _own(path, arrays, width_px, height_px)[:, None]
    _check_mediapipe(path, arrays)
    return to_wholebody(arrays, width_px, height_px)[:, None]


def write_own_npz(path: Path, tracked: np.ndarray, width_px: int, height_px: int) -> None:
    """Write one person's points (T, 133, 3) as rgx's own .npz."""
    if tracked.ndim != 3 or tracked.shape[1:] != (POINTS, 3) or not np.isfinite(tracked).all():
        raise ValueError(f"expected finite (T, {POINTS}, 3): {tracked.shape}")
    points, scores = tracked[..., :2].astype(np.float32), tracked[..., 2].astype(np.float32)
    with path.open("wb") as file:  # by name, NumPy would add a suffix
        np.savez_compressed(file, points=points, scores=scores, size_px=np.array([width_px, height_px]))


def _own(path: Path, arrays: dict[str, np.ndarray], width_px: int, height_px: int) -> np.ndarray:
    points, scores, size_px = (arrays[name] for name in OWN)
    frames = _frames(path, "points", points)
    for name, shape in (("points", (frames, POINTS, 2)), ("scores", (frames, POINTS))):
        _check(path, name, arrays[name], shape)
        if not np.isfinite(arrays[name]).all():
            where = int(np.argwhere(~np.isfinite(arrays[name]))[0][0])
            raise InputError(f"{path}: array '{name}' is not finite in frame {where}")
    if ((scores < 0) | (scores > 1)).any():
        extent = f"{scores.min():.3g} to {scores.max():.3g}"
        raise InputError(f"{path}: array 'scores' goes from {extent}, expected 0 to 1")
    if size_px.shape != (2,) or size_px.dtype.kind not in "iu":
        raise InputError(f"{path}: array 'size_px' is {size_px.dtype} {size_px.shape}, expected two integers")
    own_width, own_height = (int(n) for n in size_px)
    scale = (width_px / max(own_width, 1), height_px / max(own_height, 1))
    # The same pictures at another resolution; a pixel's rounding is no other shape.
    if min(own_width, own_height) < 1 or abs(scale[0] - scale[1]) * max(own_width, own_height) > 2:
        extent = f"{own_width}×{own_height} px"
        raise InputError(f"{path}: points of pictures of {extent}, the video's are {width_px}×{height_px} px")
    return scored(points * np.array(scale, np.float32), scores)


def _check_mediapipe(path: Path, arrays: dict[str, np.ndarray]) -> None:
    frames = _frames(path, "pose", arrays["pose"])
    for name, shape in SHAPES.items():
        _check(path, name, arrays[name], (frames, *shape))


def _frames(path: Path, name: str, array: np.ndarray) -> int:
    if not array.ndim or not len(array):
        raise InputError(f"{path}: array '{name}' holds no frames")
    return len(array)


def _check(path: Path, name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype.kind != "f":
        content = f"array '{name}' is {array.dtype} {array.shape}"
        raise InputError(f"{path}: {content}, expected floats of shape {shape}")


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        # NumPy leaves a file it opened itself open when the zip inside turns out to be broken.
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: expected an .npz of keypoints, found a single array")
            with arrays:
                return {name: arrays[name] for name in _layout(path, set(arrays.files))}
    except (
        OSError,
        EOFError,
        ValueError,
        KeyError,
        MemoryError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise InputError(f"{path}: unreadable as an .npz of keypoints: {error}") from None


def _layout(path: Path, names: set[str]) -> tuple[str, ...]:
    """Return the arrays of the layout a file is nearest to; raises InputError unless it has just those."""
    layouts = (tuple(SHAPES), OWN)
    near = max(layouts, key=lambda layout: len(names & set(layout)))
    missing, extra = sorted(set(near) - names), sorted(names - set(near))
    if missing or extra:
        named = (("missing", missing), ("extra", extra))
        parts = [f"{word} {', '.join(some)}" for word, some in named if some]
        raise InputError(f"{path}: arrays {'; '.join(parts)}; expected exactly {', '.join(near)}")
    return near
