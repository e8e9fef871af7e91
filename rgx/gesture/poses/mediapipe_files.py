"""Frames as MediaPipe's tasks and its older solutions give them, written as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import Dialect, Frame, coordinates_in, described
from rgx.gesture.poses.point_sets import placed

NAMES = {
    "body": ("pose_landmarks", "poseLandmarks"),
    "face": ("face_landmarks", "faceLandmarks"),
    "left_hand": ("left_hand_landmarks", "leftHandLandmarks"),
    "right_hand": ("right_hand_landmarks", "rightHandLandmarks"),
}
"""What a result calls each part, in Python and in JavaScript."""


def _tells(content: Any) -> bool:
    return isinstance(content, dict) and any(set(names) & set(content) for names in NAMES.values())


def _people(frame: Frame, pictures: tuple[int, int]) -> np.ndarray:
    """Return the one person of a frame; coordinates are shares of the picture."""
    if not isinstance(frame.content, dict):
        raise InputError(f"{frame.where}: {described(frame.content)}, expected a result of MediaPipe")
    parts: dict[str, np.ndarray] = {}
    for part, names in NAMES.items():
        name = next((name for name in names if name in frame.content), names[0])
        points = _landmarks(f"{frame.where}: {name}", frame.content.get(name), part == "body")
        if len(points):
            parts[part] = points
    points = placed(parts, frame.where, {part: names[0] for part, names in NAMES.items()})[None]
    return scored(points[..., :2] * pictures, points[..., 2])


def _landmarks(where: str, content: Any, judged: bool) -> np.ndarray:
    """Return a part's points (K, 3), x, y and score; judged: whether MediaPipe says how visible they are."""
    if isinstance(content, dict) and "landmark" in content:
        content = content["landmark"]
    if isinstance(content, list) and content and isinstance(content[0], list):
        if len(content) > 1:
            raise InputError(f"{where}: {len(content)} people, expected one: keep the speaker's points only")
        content = content[0]
    if not content:
        return np.zeros((0, 3))
    if not isinstance(content, list) or not all(
        isinstance(p, dict) and {"x", "y"} <= set(p) for p in content
    ):
        raise InputError(f"{where}: {described(content)}, expected a list of points with x and y")
    scores = [p.get("visibility") if judged else None for p in content]
    points = zip(content, scores, strict=True)
    return coordinates_in(where, [[p["x"], p["y"], 1.0 if score is None else score] for p, score in points])


DIALECT = Dialect("MediaPipe's results as JSON", "'pose_landmarks'", _tells, _people)
