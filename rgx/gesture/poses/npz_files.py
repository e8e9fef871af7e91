"""Keypoints in .npz files: MediaPipe Holistic's arrays, RTMLib's, and rgx's own."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import rescaled
from rgx.gesture.poses.mediapipe_points import SHAPES
from rgx.gesture.poses.point_sets import placed
from rgx.gesture.skeleton import POINTS

OWN = ("points", "scores", "size_px")
"""points (T, 133, 2) float32 in px, scores (T, 133) in [0, 1], size_px: width and height of the picture."""


ARRAYS = ("keypoints", "scores")
"""keypoints (T, 133, 2) or (T, P, 133, 2) in px, and scores, as RTMLib returns them a picture."""

MEDIAPIPE = {"pose": "body", "face": "face", "left_hand": "left_hand", "right_hand": "right_hand"}
"""MediaPipe's arrays and the parts they are; `pose` is always there."""

NAMES = {
    tuple(SHAPES): "MediaPipe Holistic's .npz",
    OWN: "rgx's own .npz",
    ARRAYS: "RTMLib's arrays",
}


def read_npz(path: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) of an .npz, by the names of its arrays; raises InputError."""
    layout, arrays = _load(path)
    return READERS[layout](path, arrays, width_px, height_px)


def layout_of(path: Path) -> str:
    """Return whose arrays an .npz holds; raises InputError for anybody else's."""
    return NAMES[_load(path)[0]]


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
    scale = rescaled(str(path), (own_width, own_height), (width_px, height_px))
    return scored(points * scale.astype(np.float32), scores)[:, None]


def _mediapipe(path: Path, arrays: dict[str, np.ndarray], width_px: int, height_px: int) -> np.ndarray:
    """Return the one person of MediaPipe's arrays; NaN, or an array that is not there, is not found.

    A body point's score is its visibility; a found point of the face or a hand has score 1, since MediaPipe
    gives those none. A coordinate of depth, third of three or four, is left out.
    """
    frames = _frames(path, "pose", arrays["pose"])
    parts = {}
    for name, array in arrays.items():
        shape = SHAPES[name]
        judged = shape[-1] == 3
        forms = ((frames, *array.shape[1:2], numbers) for numbers in ((3, 4) if judged else (2, 3)))
        if array.shape not in forms or array.dtype.kind != "f":
            _check(path, name, array, (frames, *shape))
        scores = array[..., -1:] if judged else np.ones_like(array[..., :1])
        parts[MEDIAPIPE[name]] = np.concatenate([array[..., :2], scores], axis=-1)
    names = {part: f"array '{name}'" for name, part in MEDIAPIPE.items()}
    points = placed(parts, str(path), names)
    return scored(points[..., :2] * (width_px, height_px), points[..., 2])[:, None]


def _arrays(path: Path, arrays: dict[str, np.ndarray], width_px: int, height_px: int) -> np.ndarray:
    """Return the people of RTMLib's arrays; raises InputError for other shapes."""
    points, scores = (arrays[name] for name in ARRAYS)
    frames = _frames(path, "keypoints", points)
    people = points.shape[1:2] if points.ndim == 4 else ()
    for name, shape in (("keypoints", (POINTS, 2)), ("scores", (POINTS,))):
        _check(path, name, arrays[name], (frames, *people, *shape))
    return scored(points, scores).reshape(frames, -1, POINTS, 3)


READERS = {tuple(SHAPES): _mediapipe, OWN: _own, ARRAYS: _arrays}


def _frames(path: Path, name: str, array: np.ndarray) -> int:
    if not array.ndim or not len(array):
        raise InputError(f"{path}: array '{name}' holds no frames")
    return len(array)


def _check(path: Path, name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape or array.dtype.kind != "f":
        content = f"array '{name}' is {array.dtype} {array.shape}"
        raise InputError(f"{path}: {content}, expected floats of shape {shape}")


def _load(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    try:
        # NumPy leaves a file it opened itself open when the zip inside turns out to be broken.
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if not isinstance(arrays, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: expected an .npz of keypoints, found a single array")
            with arrays:
                layout = _layout(path, set(arrays.files))
                return layout, {name: arrays[name] for name in layout if name in arrays.files}
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
    """Return the arrays of the layout a file is nearest to; raises InputError for others.

    Of MediaPipe's arrays face and hands may be absent: then they were not found.
    """
    near = max(READERS, key=lambda layout: len(names & set(layout)))
    needed = {"pose"} if near == tuple(SHAPES) else set(near)
    missing, extra = sorted(needed - names), sorted(names - set(near))
    if missing or extra:
        named = (("missing", missing), ("extra", extra))
        parts = [f"{word} {', '.join(some)}" for word, some in named if some]
        raise InputError(f"{path}: arrays {'; '.join(parts)}; expected {', '.join(near)}")
    return near
