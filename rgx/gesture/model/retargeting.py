"""One person's motion on another's bones: directions stay, lengths become theirs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.skeleton import BODY, FACE, FINGERS, LEFT_HAND, RIGHT_HAND, kept_index

LEAST, MOST = 0.5, 2.0
"""What a length may be multiplied by: more is no other person, but a bone that points at the camera."""
FLAT = 0.8
"""A bone at least this long, of its length at rest, lies in the picture and is as long as the other's."""
NOSE, ARMS = 0, ((5, 7), (7, 9), (6, 8), (8, 10))
BONES = (*ARMS, (5, 11), (6, 12))
"""The bones that are measured, parents first."""
Bone = tuple[int, int]
SHOULDERS = [kept_index(5), kept_index(6)]


@dataclass(frozen=True)
class Retargeting:
    """bones: each one's length at rest, and what it becomes; hands, face, nose: what other ways are times."""

    bones: dict[Bone, tuple[float, float]]
    hands: float
    face: float
    nose: float

    def __call__(self, motion: Tensor) -> Tensor:
        """Return motion (T, K, 2) in shoulder widths with the lengths of the other person.

        A bone keeps its direction, and is the shorter the more it points at the camera. Source: reading 142.
        """
        middle, moved = motion[:, SHOULDERS].mean(1), motion.clone()
        for (start, end), (rest, own) in self.bones.items():
            way = _way(motion, start, end)
            flat = (way.norm(dim=-1, keepdim=True) / (FLAT * rest)).clamp(min=1e-6, max=1.0)
            direction = way / way.norm(dim=-1, keepdim=True).clamp(min=1e-6)
            moved[:, kept_index(end)] = moved[:, kept_index(start)] + direction * flat * own
        nose = kept_index(NOSE)
        moved[:, nose] = middle + self.nose * (motion[:, nose] - middle)
        for start, end, ratio in self._others():
            moved[:, kept_index(end)] = moved[:, kept_index(start)] + ratio * _way(motion, start, end)
        return moved

    def _others(self) -> list[tuple[int, int, float]]:
        """Return the ways that are multiplied, parents first."""
        ways = [(NOSE, point, self.face) for point in (*BODY[1:5], *FACE)]
        for hand, wrist in ((LEFT_HAND, 9), (RIGHT_HAND, 10)):
            ways.append((wrist, hand[0], self.hands))
            ways += [(hand[a], hand[b], self.hands) for finger in FINGERS for a, b in pairwise(finger)]
        return ways


def _way(motion: Tensor, start: int, end: int) -> Tensor:
    return motion[..., kept_index(end), :] - motion[..., kept_index(start), :]


def retarget(pattern: Tensor, person: Tensor, seen: Tensor) -> Retargeting:
    """Return what makes the motion of who rests as `pattern` (K, 2) that of a person (K, 2) with seen (K,).

    Hands are as much larger as the arms are longer: fingers are seen from any side. Raises InputError where
    no bone of the person's arms is seen whole.
    """
    rests = {bone: float(_way(pattern, *bone).norm()) for bone in BONES}
    whole = [bone for bone in BONES if bool(seen[[kept_index(point) for point in bone]].all())]
    lengths = {bone: float(_way(person, *bone).norm()) for bone in whole}
    arms = [_bounded(lengths[bone] / rests[bone]) for bone in whole if bone in ARMS]
    if not arms:
        raise InputError("no bone of the portrait's arms is seen whole, which others could be as long as")
    usual = sum(arms) / len(arms)
    absent = {bone: rests[bone] * (usual if bone in ARMS else 1.0) for bone in BONES}
    bones = {bone: (rests[bone], lengths.get(bone, absent[bone])) for bone in BONES}
    face = [kept_index(point) for point in FACE if seen[kept_index(point)]]
    extent = _bounded(_spread(person[face]) / _spread(pattern[face])) if len(face) > 1 else 1.0
    nose = kept_index(NOSE)
    height = _bounded(float(person[nose].norm() / pattern[nose].norm())) if seen[nose] else 1.0
    return Retargeting(bones, usual, extent, height)


def _bounded(ratio: float) -> float:
    return min(max(ratio, LEAST), MOST)


def _spread(points: Tensor) -> float:
    """Return how far points lie from their mean, on average."""
    return float((points - points.mean(0)).norm(dim=-1).mean())
