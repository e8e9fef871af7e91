"""Run MediaPipe Holistic over pictures from stdin; started by rgx in an interpreter that has it.

It imports nothing of rgx. The bytes it reads and writes are described in `isolated.py`.
"""

import json
import os
import struct
import sys

import numpy as np

HEADER = struct.Struct("<II")
PARTS = (
    *(("pose_landmarks", 33), ("face_landmarks", 468)),
    *(("left_hand_landmarks", 21), ("right_hand_landmarks", 21)),
)
FAR = 1
"""The detector's model for faces as far as a room is deep."""
NOSE = 0
HEAD = {NOSE: 2, 2: 1, 5: 0, 7: 5, 8: 4}
"""Pose ids of nose, left and right eye, left and right ear by the detector's numbers."""


def main() -> None:
    """Answer each picture with (P, 543, 3): x, y, visibility (1 for face and hands), NaN where not found.

    The first is whom Holistic finds; the others are faces elsewhere, of which eyes, ears and nose are given.
    """
    # What libraries print must not fall among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = json.loads(sys.argv[1])
    try:
        from mediapipe.python.solutions.face_detection import FaceDetection
        from mediapipe.python.solutions.holistic import Holistic
    except ImportError as error:
        sys.exit(f"mediapipe cannot be imported ({error}): pip install {settings['package']}")
    tracker = Holistic(static_image_mode=settings["static"], model_complexity=1)
    faces = FaceDetection(model_selection=FAR, min_detection_confidence=0.5)
    answers.write(b"rgx1")
    answers.flush()
    pictures = sys.stdin.buffer
    while True:
        header = pictures.read(HEADER.size)
        if len(header) < HEADER.size:
            break
        height, width = HEADER.unpack(header)
        content = pictures.read(height * width * 3)
        picture = np.frombuffer(content, np.uint8).reshape(height, width, 3)
        landmarks = tracker.process(picture)
        person = np.concatenate([_part(getattr(landmarks, name), count) for name, count in PARTS])
        seen = faces.process(picture).detections or []
        people = np.stack([person, *(_head(face) for face in seen if _is_another(face, person))])
        answers.write(HEADER.pack(len(people), people.shape[1]) + people.astype("<f4").tobytes())
        answers.flush()


def _part(landmarks, count):  # type: ignore[no-untyped-def]  # a protobuf of a library that is not here
    if landmarks is None:
        return np.full((count, 3), np.nan)
    seen = [(p.x, p.y, p.visibility if count == PARTS[0][1] else 1.0) for p in landmarks.landmark]
    return np.array(seen)


def _is_another(face, person):  # type: ignore[no-untyped-def]
    """Return whether a face is not that of the person found, if one was: the nose is not near its box."""
    box = face.location_data.relative_bounding_box
    middle = np.array([box.xmin + box.width / 2, box.ymin + box.height / 2])
    off = np.abs(person[NOSE, :2] - middle) / (box.width, box.height)
    return bool((off > 1).any())  # a person who was not found has no nose, and no one is another


def _head(face):  # type: ignore[no-untyped-def]
    """Return a face (543, 3) with the points of a head that its detector gives."""
    points = np.full((sum(count for _, count in PARTS), 3), np.nan)
    keypoints = face.location_data.relative_keypoints
    for place, number in HEAD.items():
        points[place] = (keypoints[number].x, keypoints[number].y, face.score[0])
    return points


if __name__ == "__main__":
    main()
