"""The parts of a body that move as one, each with five control points. Source: ours, reading 80."""

from __future__ import annotations

from dataclasses import dataclass

from rgx.gesture.animate.base import Members
from rgx.gesture.skeleton import FACE, FINGERS, LEFT_HAND, RIGHT_HAND


@dataclass(frozen=True)
class BodyPart:
    """What controls a part, and the name of the part that it hangs on."""

    hangs_on: str
    members: Members


def parts() -> dict[str, BodyPart]:
    """Return every part by its name: trunk 2, head 6, arms 4, hands 12."""
    chin, jaw = span(7, 9), (*span(4, 7), *span(9, 12))
    return {
        "torso": BodyPart("torso", ((5,), (6,), (5, 6), (11,), (12,))),
        "neck": BodyPart("torso", ((5, 6), chin, (5,), (6,), jaw)),
        **head(),
        **arm("left", 5, LEFT_HAND[0]),
        **arm("right", 6, RIGHT_HAND[0]),
    }


def head() -> dict[str, BodyPart]:
    """Return all of the head, the nose, each eye with its brow, and each lip."""
    right, left, nose = (*span(0, 2), 4), (*span(14, 16), 3), (0, *span(27, 35))
    features: dict[str, Members] = {
        "nose": (span(27, 28), span(29, 30), face(31, 32), face(33), face(34, 35)),
        "right eye": (span(17, 18), face(19), span(20, 21), (2, *span(36, 38)), span(39, 41)),
        "left eye": (span(22, 23), face(24), span(25, 26), (1, *span(42, 44)), span(45, 47)),
        "upper lip": (face(48, 60), face(49, 50, 61), face(51, 62), face(52, 53, 63), face(54, 64)),
        "lower lip": (face(48, 60), face(58, 59, 67), face(57, 66), face(55, 56, 65), face(54, 64)),
    }
    whole = BodyPart("neck", (right, left, nose, span(3, 6), span(10, 13)))
    return {"head": whole, **{name: BodyPart("head", members) for name, members in features.items()}}


def arm(side: str, shoulder: int, wrist: int) -> dict[str, BodyPart]:
    """Return an arm's bones, the palm and five fingers, of which a point lies between the middle joints."""
    elbow, end = shoulder + 2, shoulder + 4
    upper, fore, palm = f"{side} upper arm", f"{side} fore-arm", f"{side} palm"
    fingers = {
        f"{side} finger {number}": BodyPart(
            palm, ((wrist + a,), (wrist + b,), (wrist + b, wrist + c), (wrist + c,), (wrist + d,))
        )
        for number, (_, a, b, c, d) in enumerate(FINGERS)
    }
    return {
        upper: BodyPart("torso", bone(shoulder, elbow)),
        fore: BodyPart(upper, bone(elbow, end)),
        palm: BodyPart(fore, tuple((wrist + point,) for point in (0, 5, 9, 13, 17))),
        **fingers,
    }


def bone(start: int, end: int) -> Members:
    """Return a bone's ends and three places between them."""
    return ((start,), (start, start, start, end), (start, end), (start, end, end, end), (end,))


def face(*numbers: int) -> tuple[int, ...]:
    """Return points by their numbers among the 68 of the face."""
    return tuple(FACE[0] + number for number in numbers)


def span(first: int, last: int) -> tuple[int, ...]:
    """Return the points from one number of the face to another."""
    return face(*range(first, last + 1))
