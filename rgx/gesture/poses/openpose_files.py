"""Frames as OpenPose writes them, and ControlNet and DWPose after it: flat lists of x, y and score."""

from __future__ import annotations

from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import Dialect, Frame, coordinates_in, numbers_in, rescaled
from rgx.gesture.poses.point_sets import placed
from rgx.gesture.skeleton import POINTS

NAMES = {
    "body": "pose_keypoints_2d",
    "face": "face_keypoints_2d",
    "left_hand": "hand_left_keypoints_2d",
    "right_hand": "hand_right_keypoints_2d",
}
CANVAS = ("canvas_width", "canvas_height")
MOST_SHARE = 2.0
"""Larger numbers are px: a point may lie outside its picture, but nobody is two px large."""


def _tells(content: Any) -> bool:
    return isinstance(content, dict) and "people" in content


def _people(frame: Frame, pictures: tuple[int, int]) -> np.ndarray:
    if not _tells(frame.content) or not isinstance(frame.content["people"], list | None):
        raise InputError(f"{frame.where}: no list 'people', as OpenPose writes")
    listed = enumerate(frame.content["people"] or [])
    people = [_person(f"{frame.where}: person {n}", person) for n, person in listed if person]
    points = np.array(people, np.float64).reshape(-1, POINTS, 3)
    if all(name in frame.content for name in CANVAS):
        size = numbers_in(f"{frame.where}: canvas", [frame.content[name] for name in CANVAS])
        shares = np.abs(points[points[..., 2] > 0, :2]).max(initial=0) < MOST_SHARE
        points[..., :2] *= pictures if shares else rescaled(frame.where, tuple(size.tolist()), pictures)
    return scored(points[..., :2], points[..., 2])


def _person(where: str, person: Any) -> np.ndarray:
    if not isinstance(person, dict) or not set(NAMES.values()) & set(person):
        raise InputError(f"{where} has none of {', '.join(NAMES.values())}")
    parts = {part: _part(f"{where}: {name}", person.get(name)) for part, name in NAMES.items()}
    return placed({part: points for part, points in parts.items() if len(points)}, where, NAMES)


def _part(where: str, content: Any) -> np.ndarray:
    numbers = coordinates_in(where, [] if content is None else content)
    if numbers.ndim != 1 or numbers.size % 3:
        raise InputError(
            f"{where} has {numbers.size} numbers of shape {numbers.shape}, expected three a point"
        )
    return numbers.reshape(-1, 3)


DIALECT = Dialect("OpenPose's or ControlNet's JSON", "'people'", _tells, _people)
