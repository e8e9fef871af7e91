"""Keypoints in JSON: a folder of OpenPose's frames, and MMPose's predictions for a video."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import finite, scored
from rgx.gesture.skeleton import FACE, LEFT_HAND, POINTS, RIGHT_HAND

BODY_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, 19, 20, 21, 22, 23, 24)
"""OpenPose BODY_25 ids of COCO-WholeBody points 0–22: body and feet. Source: OpenPose's output format."""

PARTS = {
    "pose_keypoints_2d": (25, BODY_25, tuple(range(23))),
    "face_keypoints_2d": (70, tuple(range(68)), FACE),
    "hand_left_keypoints_2d": (21, tuple(range(21)), LEFT_HAND),
    "hand_right_keypoints_2d": (21, tuple(range(21)), RIGHT_HAND),
}
"""OpenPose's parts: how many points one has, which of them are kept, and where they go."""


def read_openpose(folder: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return OpenPose's people (T, P, 133, 3), a JSON file a frame; an empty part has score 0.

    Raises InputError for missing frames, other point counts than BODY_25, face 70 and hands 21, numbers
    that are not finite and coordinates that are not in px.
    """
    frames = [_openpose_frame(path) for path in numbered(folder, ".json")]
    _check_pixels(folder, frames)
    return stacked(frames)


def read_mmpose(path: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) of MMPose's predictions for a video: `instance_info`, or its list.

    Raises InputError for frames out of order, other point counts and numbers that are not finite.
    """
    content = _load(path)
    listed = content.get("instance_info") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not listed:
        raise InputError(f"{path}: no list 'instance_info' of frames, as MMPose's predictions have")
    frames, first = [], 0
    for n, item in enumerate(listed):
        frame_id, instances = (item.get(key) if isinstance(item, dict) else None for key in _FRAME)
        if not isinstance(frame_id, int) or not isinstance(instances, list):
            raise InputError(f"{path}: frame {n} has no {' or '.join(repr(key) for key in _FRAME)}")
        first = first if n else frame_id
        if frame_id != first + n:
            raise InputError(f"{path}: frame_id {frame_id} where {first + n} was expected")
        people = [_instance(f"{path}: frame_id {frame_id}, instance {p}", i) for p, i in enumerate(instances)]
        frames.append(np.array(people, np.float32).reshape(-1, POINTS, 3))
    _check_pixels(path, frames)
    return stacked(frames)


_FRAME = ("frame_id", "instances")


def numbered(folder: Path, suffix: str) -> list[Path]:
    """Return a folder's files in order of the last number in their names; raises InputError for gaps."""
    order: dict[int, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix == suffix):
        numbers = re.findall(r"[0-9]+", path.stem)
        if not numbers:
            raise InputError(f"{path}: no frame number in its name")
        if (other := order.setdefault(int(numbers[-1]), path)) != path:
            raise InputError(f"{folder}: {other.name} and {path.name} are both frame {int(numbers[-1])}")
    if not order:
        raise InputError(f"{folder}: no {suffix} files, expected one a frame")
    first, last = min(order), max(order)
    if len(order) != last - first + 1:
        absent = next(n for n in range(first, last) if n not in order)
        raise InputError(
            f"{folder}: frame {absent} is missing between {order[first].name} and {order[last].name}"
        )
    return [order[n] for n in sorted(order)]


def stacked(frames: list[np.ndarray]) -> np.ndarray:
    """Return frames of (P, 133, 3) as (T, P, 133, 3); who is absent from a frame has score 0 there."""
    people = np.zeros((len(frames), max(map(len, frames)), POINTS, 3), np.float32)
    for n, frame in enumerate(frames):
        people[n, : len(frame)] = frame
    return people


def _openpose_frame(path: Path) -> np.ndarray:
    content = _load(path)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list):
        raise InputError(f"{path}: no list 'people', as OpenPose writes")
    return np.array([_openpose_person(path, n, p) for n, p in enumerate(people)], np.float32).reshape(
        -1, POINTS, 3
    )


def _openpose_person(path: Path, n: int, person: Any) -> np.ndarray:
    points = np.zeros((POINTS, 3))
    for part, (count, ids, places) in PARTS.items():
        where = f"{path}: person {n}"
        if not isinstance(person, dict) or part not in person:
            raise InputError(f"{where} has no '{part}'")
        numbers = _numbers(f"{where}: {part}", person[part])
        if not numbers.size:
            continue
        if numbers.shape != (3 * count,):
            point_count = f"{numbers.size / 3:g} points"
            raise InputError(
                f"{where}: {part} has {point_count}, expected {count} as of BODY_25, face 70, hands 21"
            )
        points[list(places)] = numbers.reshape(count, 3)[list(ids)]
    return scored(points[:, :2], points[:, 2])


def _instance(where: str, instance: Any) -> np.ndarray:
    if not isinstance(instance, dict) or not {"keypoints", "keypoint_scores"} <= set(instance):
        raise InputError(f"{where}: no 'keypoints' and 'keypoint_scores'")
    points = _numbers(f"{where}: keypoints", instance["keypoints"])
    scores = _numbers(f"{where}: keypoint_scores", instance["keypoint_scores"])
    if points.shape != (POINTS, 2) or scores.shape != (POINTS,):
        shapes = f"keypoints {points.shape} and keypoint_scores {scores.shape}"
        raise InputError(f"{where}: {shapes}, expected {(POINTS, 2)} and {(POINTS,)}")
    return scored(points, scores)


def _numbers(where: str, content: Any) -> np.ndarray:
    try:
        numbers = np.array(content, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{where}: not an array of numbers") from None
    if not finite(numbers):
        raise InputError(f"{where}: a number that is not finite")
    return numbers


def _check_pixels(path: Path, frames: list[np.ndarray]) -> None:
    """Raise InputError for shares of the picture where px belong: they would all fall on its first pixel."""
    coordinates = np.concatenate([frame[frame[..., 2] > 0, :2].ravel() for frame in frames])
    if coordinates.size and np.abs(coordinates).max() <= 1:
        raise InputError(f"{path}: coordinates of at most 1, expected px: write them unscaled")


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: unreadable as JSON: {error}") from None
