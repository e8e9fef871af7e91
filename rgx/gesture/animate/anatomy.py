"""The parts of a body that move as one, each with five control points. Source: ours, reading 80."""

from __future__ import annotations

from rgx.gesture.animate.base import Members
from rgx.gesture.skeleton import FACE, FINGERS, LEFT_HAND, RIGHT_HAND


def parts() -> list[Members]:
    """Return the control points of every part: head 6, trunk 2, arms 4, hands 12."""
    arms = [bone(*ends) for ends in ((5, 7), (6, 8), (7, 9), (8, 10))]
    return [*head(), *trunk(), *arms, *hand(LEFT_HAND[0]), *hand(RIGHT_HAND[0])]


def head() -> list[Members]:
    """Return all of the head, the nose, each eye with its brow, and each lip."""
    right, left, nose = (*span(0, 2), 4), (*span(14, 16), 3), (0, *span(27, 35))
    return [
        (right, left, nose, span(3, 6), span(10, 13)),
        (span(27, 28), span(29, 30), face(31, 32), face(33), face(34, 35)),
        (span(17, 18), face(19), span(20, 21), (2, *span(36, 38)), span(39, 41)),
        (span(22, 23), face(24), span(25, 26), (1, *span(42, 44)), span(45, 47)),
        (face(48, 60), face(49, 50, 61), face(51, 62), face(52, 53, 63), face(54, 64)),
        (face(48, 60), face(58, 59, 67), face(57, 66), face(55, 56, 65), face(54, 64)),
    ]


def trunk() -> list[Members]:
    """Return the torso, and the neck between chin and shoulders."""
    chin, jaw = span(7, 9), (*span(4, 7), *span(9, 12))
    return [((5,), (6,), (5, 6), (11,), (12,)), ((5, 6), chin, (5,), (6,), jaw)]


def bone(start: int, end: int) -> Members:
    """Return a bone's ends and three places between them."""
    return ((start,), (start, start, start, end), (start, end), (start, end, end, end), (end,))


def hand(wrist: int) -> list[Members]:
    """Return a hand's palm and its five fingers, of which a point lies between the middle joints."""
    fingers: list[Members] = [
        ((wrist + a,), (wrist + b,), (wrist + b, wrist + c), (wrist + c,), (wrist + d,))
        for _, a, b, c, d in FINGERS
    ]
    return [tuple((wrist + point,) for point in (0, 5, 9, 13, 17)), *fingers]


def face(*numbers: int) -> tuple[int, ...]:
    """Return points by their numbers among the 68 of the face."""
    return tuple(FACE[0] + number for number in numbers)


def span(first: int, last: int) -> tuple[int, ...]:
    """Return the points from one number of the face to another."""
    return face(*range(first, last + 1))
