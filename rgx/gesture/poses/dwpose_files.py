"""Keypoints of DWPose: a folder of .npy frames, which are pickles and read without running anything."""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import finite, scored
from rgx.gesture.poses.dialect import stacked
from rgx.gesture.poses.json_files import numbered
from rgx.gesture.poses.point_sets import BODIES
from rgx.gesture.skeleton import FACE, LEFT_HAND, POINTS, RIGHT_HAND

BODY_18 = BODIES[18].theirs
"""DWPose's 18 body ids of COCO points 0–16; it keeps no feet."""

LARGEST_BYTES = 16 * 2**20
KINDS = "biuf"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_dwpose(folder: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return DWPose's people (T, P, 133, 3), an .npy file a frame, of pictures of the given size.

    Coordinates are shares of the picture; scores above 1 are cut to 1. Raises InputError for pickles that
    ask for anything but arrays and containers, missing entries, other shapes and numbers not finite.
    """
    size_px = np.array([width_px, height_px])
    return stacked([_frame(path, _unpickled(path), size_px) for path in numbered(folder, ".npy")])


def _frame(path: Path, content: Any, size_px: np.ndarray) -> np.ndarray:
    bodies = _entry(path, content, "bodies", dict)
    subset = _array(path, bodies, "subset", (None, 18))
    count = len(subset)
    candidate = _array(path, bodies, "candidate", (18 * count, 2)).reshape(count, 18, 2)
    body_scores = np.where(subset < 0, 0, _array(path, bodies, "score", (count, 18)))
    shown = content.get("draw_pose_params")
    if isinstance(shown, list) and any(shown[i : i + 1] not in ([], [0]) for i in (2, 4)):
        raise InputError(f"{path}: the pose is of a part of a larger picture: draw_pose_params {shown}")
    points, scores = np.zeros((count, POINTS, 2)), np.zeros((count, POINTS))
    points[:, :17], scores[:, :17] = candidate[:, BODY_18], body_scores[:, BODY_18]
    points[:, FACE] = _array(path, content, "faces", (count, 68, 2))
    scores[:, FACE] = _array(path, content, "faces_score", (count, 68))
    # All left hands stand before all right ones.
    hands = _array(path, content, "hands", (2 * count, 21, 2))
    hand_scores = _array(path, content, "hands_score", (2 * count, 21))
    points[:, LEFT_HAND], points[:, RIGHT_HAND] = hands[:count], hands[count:]
    scores[:, LEFT_HAND], scores[:, RIGHT_HAND] = hand_scores[:count], hand_scores[count:]
    return scored(points * size_px, scores)


def _entry(path: Path, content: Any, name: str, kind: type) -> Any:
    if not isinstance(content, dict) or not isinstance(content.get(name), kind):
        raise InputError(f"{path}: no {kind.__name__.strip('_').lower()} '{name}', as DWPose writes")
    return content[name]


def _array(path: Path, content: Any, name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    array = _entry(path, content, name, _Array).value
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: '{name}' is an array of objects, expected numbers")
    wanted = tuple(n if w is None else w for n, w in zip(array.shape, shape, strict=False))
    if array.shape != wanted or array.ndim != len(shape) or array.dtype.kind not in KINDS:
        shown = "(" + ", ".join("P" if w is None else str(w) for w in shape) + ")"
        raise InputError(
            f"{path}: '{name}' is {array.dtype} {array.shape}, expected numbers of shape {shown}"
        )
    if not finite(array):
        raise InputError(f"{path}: '{name}' holds a number that is not finite")
    return array.astype(np.float64)


class _Dtype:
    """What a pickle says of an array's type, kept as text."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


class _Array:
    """An array as a pickle describes it; stands for NumPy's own, which strangers' bytes never reach."""

    def __init__(self, *_: Any) -> None:
        self.value: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, content = state
        if kind.code == "O8":
            self.value = content
            return
        if kind.code[0] not in KINDS or kind.order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError(f"an array of type {kind.code!r}")
        array = np.frombuffer(content, np.dtype(kind.order + kind.code))
        if math.prod(shape) != array.size:
            raise pickle.UnpicklingError(f"{array.size} numbers for the shape {shape}")
        self.value = array.reshape(shape, order="F" if fortran else "C")


class _Scalar:
    """A NumPy number, which no entry that is read may be."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a number with a state")


STANDS_FOR = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    **{(f"numpy.{c}.multiarray", "_reconstruct"): _Array for c in ("core", "_core")},
    **{(f"numpy.{c}.multiarray", "scalar"): _Scalar for c in ("core", "_core")},
}
"""All that a pickle may name; the rest is refused before it is looked up."""


class _RefusedError(pickle.UnpicklingError):
    pass


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STANDS_FOR:
            raise _RefusedError(f"{module}.{name}")
        return STANDS_FOR[module, name]


def _unpickled(path: Path) -> Any:
    """Return the object in an .npy of one object; raises InputError, and runs nothing of the file."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"more than {LARGEST_BYTES} bytes")
        stream = io.BytesIO(content)
        version = np.lib.format.read_magic(stream)
        if version not in HEADERS:
            raise ValueError(f".npy version {version}")
        shape, _, kind = HEADERS[version](stream)
        if shape != () or not kind.hasobject:
            raise ValueError(f"an array {kind} {shape}, expected one dictionary")
        value = _Unpickler(stream).load().value
        return value[0] if isinstance(value, list) and len(value) == 1 else None
    except _RefusedError as error:
        asked = f"the pickle inside asks for {error}, which could run code"
        raise InputError(f"{path}: refused: {asked}; expected only NumPy arrays and containers") from None
    except Exception as error:  # a broken pickle may raise anything
        raise InputError(f"{path}: unreadable as a frame of DWPose: {error}") from None
