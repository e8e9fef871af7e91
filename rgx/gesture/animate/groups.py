"""Axis groups: points of one part of the body for each spline, points dealt over the body, or both."""

from __future__ import annotations

import numpy as np

from rgx.errors import InputError
from rgx.gesture.animate.anatomy import parts
from rgx.gesture.animate.base import Group, Groups
from rgx.gesture.skeleton import BODY, FACE, KEPT, LEFT_HAND, RIGHT_HAND
from rgx.registry import register

WRISTS = (9, 10)
TORSO = tuple(p for p in BODY[5:] if p not in WRISTS)
"""Shoulders, elbows and hips; a wrist is where its hand begins and adds nothing to a group with that hand."""
CONTROLS = 5
"""Control points of a part, and so of what stands beside parts."""


def deal(groups: int, points: int, seed: int) -> np.ndarray:
    """Return groups of a pose's points (G, P), each spread over hands, torso and face; no point twice.

    Every region is shuffled, the regions are laid end to end, that row is stride-sampled to G · P
    points, and those are dealt like cards. Source: reading 31.
    Raises InputError for more points than a pose has.
    """
    wanted = groups * points
    if min(groups, points) < 1 or wanted > len(KEPT):
        raise InputError(f"{groups} groups of {points} points: expected 1 to {len(KEPT)} points in all")
    random = np.random.default_rng(seed)
    regions = (LEFT_HAND, RIGHT_HAND, TORSO, BODY[:5] + WRISTS, FACE)
    row = np.concatenate([random.permutation(region) for region in regions])
    return row[np.arange(wanted) * len(row) // wanted].reshape(points, groups).T


def dealt(groups: int, points: int, seed: int) -> list[Group]:
    """Return what `deal` deals as groups."""
    return [Group(tuple((int(p),) for p in group)) for group in deal(groups, points, seed)]


@register("groups", "mixed", label="mixed groups", source="Sec. 3.1, reading 31")
class MixedGroups(Groups):
    """Points far apart in every group, dealt over the body; a few points of the pose are in none."""

    def __init__(self, groups: int = 24, points: int = 5, seed: int = 0) -> None:
        self._groups = dealt(groups, points, seed)

    def groups(self) -> list[Group]:
        return self._groups


@register("groups", "anatomical", label="anatomical groups", source="ours, reading 80")
class AnatomicalGroups(Groups):
    """A group each of 24 parts, from head to fingers, and each point of the pose in one at least.

    spread, reach: how parts are held to what their points say (`Limbs`).
    """

    def __init__(self, spread: float = 0.02, reach: float = 1.25) -> None:
        for name, value in (("spread", spread), ("reach", reach)):
            if not value > 0:
                raise InputError(f"groups: {name} = {value}: expected a positive number")
        self.spread, self.reach = spread, reach

    def groups(self) -> list[Group]:
        body = parts()
        number = {name: place for place, name in enumerate(body)}
        return [Group(part.members, limb=True, follows=number[part.hangs_on]) for part in body.values()]


@register("groups", "hybrid", label="anatomical and mixed groups", source="ours, reading 80")
class HybridGroups(AnatomicalGroups):
    """The anatomical groups, and `mixed` groups beside them that span the body."""

    def __init__(self, mixed: int = 4, spread: float = 0.02, reach: float = 1.25, seed: int = 0) -> None:
        super().__init__(spread, reach)
        self._mixed = dealt(mixed, CONTROLS, seed)

    def groups(self) -> list[Group]:
        return [*super().groups(), *self._mixed]
