"""Frames as MMPose writes them, for a video or a folder of pictures, and as RTMLib returns them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import Dialect, Frame, coordinates_in, described
from rgx.gesture.skeleton import POINTS

FRAME = ("frame_id", "instances")
INSTANCE = ("keypoints", "keypoint_scores")
ARRAYS = ("keypoints", "scores")


def in_order(path: Path, listed: list[Any]) -> list[Frame]:
    """Return a video's predictions as frames of instances; raises InputError unless frame_id counts them."""
    frames, first = [], 0
    for n, item in enumerate(listed):
        there = isinstance(item, dict) and set(FRAME) <= set(item)
        frame_id, instances = (item[key] if there else None for key in FRAME)
        if not str(frame_id).isdecimal() or not isinstance(instances, list | None):
            raise InputError(f"{path}: frame {n} has no {' or '.join(repr(key) for key in FRAME)}")
        number = int(str(frame_id))
        first = first if n else number
        if number != first + n:
            fault = "is it missing, there twice, or out of order?"
            raise InputError(f"{path}: frame_id {frame_id} where {first + n} was expected: {fault}")
        frames.append(Frame(f"{path}: frame_id {frame_id}", instances or []))
    return frames


def _tells_instances(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(item, dict) and "keypoints" in item for item in content
    )


def _instances(frame: Frame, pictures: tuple[int, int]) -> np.ndarray:
    if not isinstance(frame.content, list):
        raise InputError(f"{frame.where}: {described(frame.content)}, expected a list of instances")
    people = [_instance(f"{frame.where}, instance {p}", item) for p, item in enumerate(frame.content)]
    return np.array(people, np.float32).reshape(-1, POINTS, 3)


def _instance(where: str, instance: Any) -> np.ndarray:
    if not isinstance(instance, dict) or not set(INSTANCE) <= set(instance):
        raise InputError(f"{where}: no 'keypoints' and 'keypoint_scores'")
    points, scores = (coordinates_in(f"{where}: {name}", instance[name]) for name in INSTANCE)
    if points.shape != (POINTS, 2) or scores.shape != (POINTS,):
        shapes = f"keypoints {points.shape} and keypoint_scores {scores.shape}"
        raise InputError(f"{where}: {shapes}, expected {(POINTS, 2)} and {(POINTS,)}")
    return scored(points, scores)


def _tells_arrays(content: Any) -> bool:
    return isinstance(content, dict) and set(ARRAYS) <= set(content)


def _arrays(frame: Frame, pictures: tuple[int, int]) -> np.ndarray:
    if not _tells_arrays(frame.content):
        raise InputError(f"{frame.where}: {described(frame.content)}, expected 'keypoints' and 'scores'")
    points, scores = (coordinates_in(f"{frame.where}: {name}", frame.content[name]) for name in ARRAYS)
    if not scores.size:
        return np.zeros((0, POINTS, 3), np.float32)
    if points.shape[-2:] != (POINTS, 2) or scores.shape != points.shape[:-1] or points.ndim not in (2, 3):
        shapes = f"keypoints {points.shape} and scores {scores.shape}"
        expected = f"(people, {POINTS}, 2) and (people, {POINTS})"
        raise InputError(f"{frame.where}: {shapes}, expected {expected}")
    return scored(points, scores).reshape(-1, POINTS, 3)


DIALECTS = (
    Dialect("RTMLib's arrays as JSON", "'keypoints' and 'scores'", _tells_arrays, _arrays),
    Dialect(
        "MMPose's predictions", "a list of instances with 'keypoint_scores'", _tells_instances, _instances
    ),
)
