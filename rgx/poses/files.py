"""Keypoint files made by other programs, mapped to COCO-WholeBody 133."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from rgx.errors import InputError
from rgx.skeleton import FACE, LEFT_HAND, POINTS, RIGHT_HAND

BODY_IDS = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""MediaPipe pose ids of COCO points 0–16; both name left and right as the person does."""

FEET_IDS = {17: 31, 19: 29, 20: 32, 22: 30}
"""COCO big toes and heels by MediaPipe pose id; MediaPipe has no small toes, so 18 and 21 stay missing."""

FACE_IDS = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),  # brows
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # nose: bridge to tip, then nostrils
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lip
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lip
)
"""MediaPipe FaceMesh ids of the 68 iBUG points, in iBUG order."""

SHAPES = {"pose": (33, 3), "face": (468, 2), "left_hand": (21, 2), "right_hand": (21, 2)}


def read_mediapipe_npz(
    path: str | Path, width_px: int, height_px: int, visibility: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints (T, 133, 2) float32 in px, NaN where missing, and valid (T, 133) bool.

    A point is valid when it is finite, inside the image and, for body and feet, more visible than
    `visibility`. Raises InputError naming the file when it is unreadable or holds other arrays.
    """
    arrays = _load(Path(path))
    frames = len(arrays["pose"])
    points = np.full((frames, POINTS, 2), np.nan)
    seen = np.ones((frames, POINTS), dtype=bool)
    pose_points = {**dict(enumerate(BODY_IDS)), **FEET_IDS}
    coco, mediapipe = list(pose_points), list(pose_points.values())
    points[:, coco] = arrays["pose"][:, mediapipe, :2]
    seen[:, coco] = arrays["pose"][:, mediapipe, 2] > visibility
    points[:, FACE] = arrays["face"][:, FACE_IDS]
    points[:, LEFT_HAND] = arrays["left_hand"]
    points[:, RIGHT_HAND] = arrays["right_hand"]
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    valid = seen & ((points >= 0) & (points <= 1)).all(axis=-1)
    return (points * (width_px, height_px)).astype(np.float32), valid


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        # NumPy leaves a file it opened itself open when the zip inside turns out to be broken.
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if not isinstance(found, np.lib.npyio.NpzFile):
                raise InputError(f"{path}: expected an .npz of MediaPipe landmarks, found a single array")
            with found:
                _check_names(path, set(found.files))
                arrays = {name: found[name] for name in SHAPES}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected an .npz of MediaPipe landmarks") from None
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
        raise InputError(f"{path}: unreadable as an .npz of MediaPipe landmarks: {error}") from None
    frames = len(arrays["pose"]) if arrays["pose"].ndim else 0
    if not frames:
        raise InputError(f"{path}: array 'pose' holds no frames")
    for name, shape in SHAPES.items():
        array = arrays[name]
        if array.shape != (frames, *shape) or array.dtype.kind != "f":
            raise InputError(
                f"{path}: array '{name}' is {array.dtype} {array.shape}, "
                f"expected floats of shape {(frames, *shape)}"
            )
    return arrays


def _check_names(path: Path, names: set[str]) -> None:
    missing, extra = sorted(set(SHAPES) - names), sorted(names - set(SHAPES))
    if missing or extra:
        named = (("missing", missing), ("extra", extra))
        parts = [f"{word} {', '.join(some)}" for word, some in named if some]
        raise InputError(f"{path}: arrays {'; '.join(parts)}; expected exactly {', '.join(SHAPES)}")
