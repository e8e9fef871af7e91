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


def main() -> None:
    """Answer each picture with (1, 543, 3): x, y, visibility (1 for face and hands), NaN where not found."""
    # What libraries print must not fall among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = json.loads(sys.argv[1])
    try:
        from mediapipe.python.solutions.holistic import Holistic
    except ImportError as error:
        sys.exit(f"mediapipe cannot be imported ({error}): pip install {settings['package']}")
    tracker = Holistic(static_image_mode=settings["static"], model_complexity=1)
    answers.write(b"rgx1")
    answers.flush()
    pictures = sys.stdin.buffer
    while True:
        header = pictures.read(HEADER.size)
        if len(header) < HEADER.size:
            break
        height, width = HEADER.unpack(header)
        content = pictures.read(height * width * 3)
        found = tracker.process(np.frombuffer(content, np.uint8).reshape(height, width, 3))
        answer = np.concatenate([_part(getattr(found, name), count) for name, count in PARTS])
        answers.write(HEADER.pack(1, len(answer)) + answer.astype("<f4").tobytes())
        answers.flush()


def _part(landmarks, count):  # type: ignore[no-untyped-def]  # a protobuf of a library that is not here
    if landmarks is None:
        return np.full((count, 3), np.nan)
    seen = [(p.x, p.y, p.visibility if count == PARTS[0][1] else 1.0) for p in landmarks.landmark]
    return np.array(seen)


if __name__ == "__main__":
    main()
