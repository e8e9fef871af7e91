"""The point sets that keypoint files come in, and where in COCO-WholeBody 133 their points belong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.mediapipe_points import BODY_IDS, FACE_IDS, FEET_IDS
from rgx.gesture.skeleton import FACE, LEFT_HAND, POINTS, RIGHT_HAND


@dataclass(frozen=True)
class PointSet:
    """A set of points: what it is called, which of them are kept, and which points of its part they are."""

    name: str
    theirs: tuple[int, ...]
    ours: tuple[int, ...]


_BODY_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11, 19, 20, 21, 22, 23, 24)
_COCO_18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
_IBUG, _HAND = tuple(range(68)), tuple(range(21))

BODIES = {
    17: PointSet("COCO", tuple(range(17)), tuple(range(17))),
    18: PointSet("OpenPose's COCO with a neck", _COCO_18, tuple(range(17))),
    23: PointSet("COCO with feet", tuple(range(23)), tuple(range(23))),
    25: PointSet("OpenPose's BODY_25", _BODY_25, tuple(range(23))),
    33: PointSet("MediaPipe's pose", (*BODY_IDS, *FEET_IDS.values()), (*range(17), *FEET_IDS)),
}
"""Bodies by how many points they have. Source: COCO-WholeBody, OpenPose's output formats, MediaPipe Pose."""

FACES = {
    68: PointSet("iBUG's", _IBUG, FACE),
    70: PointSet("iBUG's with pupils", _IBUG, FACE),
    468: PointSet("MediaPipe's face", FACE_IDS, FACE),
    478: PointSet("MediaPipe's face with irises", FACE_IDS, FACE),
}
"""Faces by how many points they have; MediaPipe's last ten are the irises, the others are the same."""

LEFT_HANDS = {21: PointSet("hand", _HAND, LEFT_HAND)}
RIGHT_HANDS = {21: PointSet("hand", _HAND, RIGHT_HAND)}

PARTS = {"body": BODIES, "face": FACES, "left_hand": LEFT_HANDS, "right_hand": RIGHT_HANDS}
"""The point sets of each part, by how many points they have."""


def placed(parts: Mapping[str, np.ndarray], where: str, names: Mapping[str, str]) -> np.ndarray:
    """Return parts (…, K, 3), each x, y and score, as (…, 133, 3); what no part holds has score 0.

    where, names: what the file calls a part, for the message. Raises InputError for a count of points that
    no set of that part has.
    """
    shape = next(iter(parts.values())).shape[:-2] if parts else ()
    points = np.zeros((*shape, POINTS, 3))
    for part, theirs in parts.items():
        known = PARTS[part].get(theirs.shape[-2])
        if known is None:
            counts = " or ".join(f"{n} ({s.name})" for n, s in PARTS[part].items())
            raise InputError(f"{where}: {names[part]} has {theirs.shape[-2]} points, expected {counts}")
        points[..., known.ours, :] = theirs[..., known.theirs, :]
    return points
