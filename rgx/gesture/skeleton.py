"""COCO-WholeBody 133 layout, the parts the method uses, and normalisation by shoulder width.

Source: MMPose's whole-body format; which points are kept is reading 7.
"""

from __future__ import annotations

import numpy as np

POINTS = 133
BODY = tuple(range(0, 13))
FACE = tuple(range(23, 91))
LEFT_HAND = tuple(range(91, 112))
RIGHT_HAND = tuple(range(112, 133))
LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6

STREAMS: dict[str, tuple[int, ...]] = {"face": FACE, "body": BODY + LEFT_HAND + RIGHT_HAND}
KEPT = STREAMS["face"] + STREAMS["body"]
"""The 123 points of the motion arrays, face first; all motion in rgx is in this order."""

HAND_MARGIN = 0.05
"""Added on every side of a hand's points where its box is meant, in half picture widths. Source: ours."""

FINGERS = tuple((0, *range(1 + 4 * f, 5 + 4 * f)) for f in range(5))
FACE_RUNS = ((0, 16), (17, 26), (31, 35), (48, 54), (55, 59), (60, 64), (65, 67))
"""First and last of the face's points that a mirror shows in the opposite order; eyes are apart."""
EYES = ((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46))


def _mirrored() -> dict[int, int]:
    pairs = [(FACE[a + i], FACE[b - i]) for a, b in FACE_RUNS for i in range((b - a) // 2 + 1)]
    pairs += [(FACE[a], FACE[b]) for a, b in EYES] + [(p, p) for p in (BODY[0], *FACE[27:31])]
    pairs += [(left, left + 1) for left in BODY[1::2]] + list(zip(LEFT_HAND, RIGHT_HAND, strict=True))
    return dict(pairs) | {right: left for left, right in pairs}


MIRRORED = _mirrored()
"""What each kept point is called in a mirrored picture: the left hand of who is seen is a right hand then."""


def stream_slice(stream: str) -> slice:
    """Return where a stream's points lie among the 123 kept points."""
    face = len(FACE)
    return {"face": slice(0, face), "body": slice(face, len(KEPT))}[stream]


def kept_index(point: int) -> int:
    """Return the place of a COCO-WholeBody point among the 123 kept points."""
    return KEPT.index(point)


def edges() -> list[tuple[int, int]]:
    """Return the bones drawn and linked, as pairs of COCO-WholeBody points."""
    body = [
        (5, 6),
        (5, 7),
        (7, 9),
        (6, 8),
        (8, 10),
        (5, 11),
        (6, 12),
        (11, 12),
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 4),
    ]
    hands = [
        (base + chain[i], base + chain[i + 1])
        for base in (LEFT_HAND[0], RIGHT_HAND[0])
        for chain in FINGERS
        for i in range(4)
    ]
    contours = [range(0, 17), range(17, 22), range(22, 27), range(27, 31), range(31, 36)]
    loops = [range(36, 42), range(42, 48), range(48, 60), range(60, 68)]
    face = [(FACE[0] + a, FACE[0] + a + 1) for c in contours for a in list(c)[:-1]]
    for loop in loops:
        points = list(loop)
        face += [(FACE[0] + a, FACE[0] + b) for a, b in zip(points, points[1:] + points[:1], strict=True)]
    return body + hands + face


def measure(keypoints: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, float]:
    """Return a clip's origin (2,), the median mid-shoulder, and its scale, the median shoulder width, in px.

    keypoints (T, 133, 2), valid (T, 133); raises ValueError when the shoulders are never both seen.
    """
    both = valid[:, LEFT_SHOULDER] & valid[:, RIGHT_SHOULDER]
    left, right = keypoints[both, LEFT_SHOULDER], keypoints[both, RIGHT_SHOULDER]
    if not len(left):
        raise ValueError("both shoulders are never valid in the same frame")
    width = float(np.median(np.linalg.norm(left - right, axis=-1)))
    if not width > 0:
        raise ValueError("the shoulder width is zero")
    return np.median((left + right) / 2, axis=0), width


def normalise(keypoints: np.ndarray, origin: np.ndarray, scale: float) -> np.ndarray:
    """Return the kept points in shoulder widths around the origin: (T, 133, 2) px → (T, 123, 2)."""
    return ((keypoints[:, KEPT] - origin) / scale).astype(np.float32)
