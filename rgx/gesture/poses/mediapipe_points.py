"""MediaPipe Holistic's points as COCO-WholeBody 133: the one mapping, for files and for the extractor."""

from __future__ import annotations

import numpy as np

from rgx.gesture.poses.base import scored
from rgx.gesture.skeleton import FACE, LEFT_HAND, POINTS, RIGHT_HAND

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
"""A frame's arrays: x and y as shares of the picture's width and height; the pose's third is visibility."""


def to_wholebody(landmarks: dict[str, np.ndarray], width_px: int, height_px: int) -> np.ndarray:
    """Return landmarks (arrays of `SHAPES`, each (T, …), NaN where not found) as (T, 133, 3): px and score.

    A body point's score is its visibility; a found point of the face or a hand has score 1, since MediaPipe
    gives those none.
    """
    pose = landmarks["pose"]
    points = np.full((len(pose), POINTS, 2), np.nan)
    scores = np.ones((len(pose), POINTS))
    pose_points = {**dict(enumerate(BODY_IDS)), **FEET_IDS}
    coco, mediapipe = list(pose_points), list(pose_points.values())
    points[:, coco] = pose[:, mediapipe, :2]
    scores[:, coco] = pose[:, mediapipe, 2]
    points[:, FACE] = landmarks["face"][:, FACE_IDS]
    points[:, LEFT_HAND] = landmarks["left_hand"]
    points[:, RIGHT_HAND] = landmarks["right_hand"]
    return scored(points * (width_px, height_px), scores)
