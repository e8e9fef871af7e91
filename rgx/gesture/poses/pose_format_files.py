"""Keypoints in .pose, the binary format of sign language research, by its own library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rgx.errors import InputError, install_hint
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import rescaled
from rgx.gesture.poses.point_sets import placed

NAME = "pose-format's .pose"
EXTRA = "pose-format"
COMPONENTS = {
    "POSE_LANDMARKS": "body",
    "FACE_LANDMARKS": "face",
    "LEFT_HAND_LANDMARKS": "left_hand",
    "RIGHT_HAND_LANDMARKS": "right_hand",
    "pose_keypoints_2d": "body",
    "face_keypoints_2d": "face",
    "hand_left_keypoints_2d": "left_hand",
    "hand_right_keypoints_2d": "right_hand",
    "BODY": "body",
    "FACE": "face",
    "LEFT_HAND": "left_hand",
    "RIGHT_HAND": "right_hand",
}
"""What components are called, after MediaPipe, OpenPose and COCO-WholeBody, and the part each is."""

IGNORED = {"POSE_WORLD_LANDMARKS"}
"""Components that hold no points of the picture."""


def read_pose(path: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) of a .pose, in px of pictures of the given size.

    Raises InputError for a file that is no .pose, another component, a picture of another shape, or where
    the library is not installed.
    """
    try:
        from pose_format import Pose  # the extra
    except ImportError:
        raise InputError(f"{path}: {NAME} needs its library: {install_hint(EXTRA)}") from None
    try:
        pose = Pose.read(path.read_bytes())
        data, scores = np.asarray(pose.body.data.filled(0)), np.asarray(pose.body.confidence)
    except Exception as error:  # a broken file may raise anything
        raise InputError(f"{path}: unreadable as a .pose: {error}") from None
    parts, start = {}, 0
    for component in pose.header.components:
        stop = start + len(component.points)
        if component.name not in COMPONENTS and component.name not in IGNORED:
            known = ", ".join(COMPONENTS)
            raise InputError(f"{path}: component '{component.name}': expected one of {known}")
        if component.name in COMPONENTS:
            points = np.concatenate([data[:, :, start:stop, :2], scores[:, :, start:stop, None]], axis=-1)
            parts[COMPONENTS[component.name]] = points.astype(np.float64)
        start = stop
    if not parts or not len(data):
        raise InputError(f"{path}: no frames of points of a picture")
    size = pose.header.dimensions
    scale = rescaled(str(path), (size.width, size.height), (width_px, height_px))
    names = {part: f"component {name}" for name, part in reversed(COMPONENTS.items())}
    points = placed(parts, str(path), names)
    return scored(points[..., :2] * scale, points[..., 2])
