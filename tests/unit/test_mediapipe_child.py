from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace as Made

import numpy as np
import pytest

from rgx.gesture.poses.mediapipe import _parts
from rgx.gesture.poses.mediapipe_points import to_wholebody

CHILD = runpy.run_path(str(Path(__file__).resolve().parents[2] / "rgx/gesture/poses/mediapipe_child.py"))


def face(x: float, y: float, size: float = 0.1, score: float = 0.9) -> Made:
    """Return a face as the detector gives it: right and left eye, nose, mouth, right and left ear."""
    places = ((-0.2, -0.2), (0.2, -0.2), (0, 0), (0, 0.2), (-0.4, -0.1), (0.4, -0.1))
    return Made(
        score=[score],
        location_data=Made(
            relative_bounding_box=Made(xmin=x - size / 2, ymin=y - size / 2, width=size, height=size),
            relative_keypoints=[Made(x=x + size * dx, y=y + size * dy) for dx, dy in places],
        ),
    )


def test_a_face_elsewhere_is_another_person_s() -> None:
    person = np.full((543, 3), np.nan)
    assert not CHILD["_is_another"](face(0.8, 0.3), person), "without a person, no one is another"
    person[0] = (0.4, 0.3, 1)
    assert not CHILD["_is_another"](face(0.42, 0.28), person)
    assert CHILD["_is_another"](face(0.6, 0.3), person) and CHILD["_is_another"](face(0.4, 0.6), person)
    assert CHILD["_is_another"](face(0.44, 0.3, size=0.03), person), "a small one close by"


def test_another_person_has_a_head_only() -> None:
    found = CHILD["_head"](face(0.6, 0.3, score=0.8))
    (person,) = to_wholebody(_parts(found[None]), 1000, 500)
    assert person[:5].tolist() == pytest.approx(
        np.array([[600, 150, 0.8], [620, 140, 0.8], [580, 140, 0.8], [640, 145, 0.8], [560, 145, 0.8]])
    ), "nose, left and right eye, left and right ear"
    assert not person[5:].any()
