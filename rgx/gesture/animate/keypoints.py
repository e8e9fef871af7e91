"""Axis keypoints: control points learned from pictures, taken from poses, or both."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.animate.base import Keypoints
from rgx.gesture.animate.detector import Detector, random_equivariance
from rgx.gesture.skeleton import BODY, FACE, KEPT, LEFT_HAND, RIGHT_HAND, kept_index
from rgx.registry import register

WRISTS = (9, 10)
TORSO = tuple(p for p in BODY[5:] if p not in WRISTS)
"""Shoulders, elbows and hips; a wrist is where its hand begins and adds nothing to a group with that hand."""


def deal(groups: int, points: int, seed: int) -> np.ndarray:
    """Return groups of pose points (G, P), each spread over hands, torso and face; no point twice.

    Every region is shuffled, the regions are laid end to end, that row is stride-sampled to G · P
    points, and those are dealt like cards. Source: reading 31.
    Raises InputError for more points than a pose has.
    """
    wanted = groups * points
    if min(groups, points) < 1 or wanted > len(KEPT):
        raise InputError(f"{groups} groups of {points} points: expected 1 to {len(KEPT)} points in all")
    random = np.random.default_rng(seed)
    regions = (LEFT_HAND, RIGHT_HAND, TORSO, BODY[:5] + WRISTS, FACE)
    row = np.concatenate([random.permutation([kept_index(p) for p in region]) for region in regions])
    return row[np.arange(wanted) * len(row) // wanted].reshape(points, groups).T


@register("keypoints", "pose2d", label="2D-pose", source="Sec. 3.1, Table 3a; reading 31")
class PoseKeypoints(Keypoints):
    """Points of the pose in fixed groups that span the body; nothing to learn."""

    driven_by_pose = True

    def __init__(self, size_px: int, groups: int = 24, points: int = 5, seed: int = 0) -> None:
        super().__init__()
        self.groups, self.points = groups, points
        self.index: Tensor
        self.register_buffer("index", torch.tensor(deal(groups, points, seed).tolist()), persistent=False)

    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        return pose[:, self.index]

    def visible(self, valid: Tensor) -> Tensor:
        return valid[:, self.index]


@register("keypoints", "unsupervised", label="Unsup-kp", source="Zhao & Zhang 2022; reading 29")
class UnsupervisedKeypoints(Keypoints):
    """Points learned from pictures alone, with the equivariance loss; blind to the pose."""

    driven_by_pose = False

    def __init__(
        self, size_px: int, groups: int = 20, points: int = 5, width: int = 64, weight: float = 10.0
    ) -> None:
        super().__init__()
        self.groups, self.points, self.weight = groups, points, weight
        self.detector = Detector(size_px, groups, points, width)

    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        return self.detector(_needed(picture))

    def visible(self, valid: Tensor) -> Tensor:
        return valid.new_ones(len(valid), self.groups, self.points)

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        return {"equivariance": self.weight * random_equivariance(self.detector, picture)}


@register("keypoints", "pose2d_flexible", label="+ flex kp", source="Table 3a, reading 33")
class FlexibleKeypoints(Keypoints):
    """The groups of the pose and `flexible` learned ones; the equivariance loss is of those only."""

    driven_by_pose = False

    def __init__(
        self,
        size_px: int,
        groups: int = 24,
        points: int = 5,
        flexible: int = 5,
        width: int = 64,
        weight: float = 10.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pose = PoseKeypoints(size_px, groups, points, seed)
        self.learned = UnsupervisedKeypoints(size_px, flexible, points, width, weight)
        self.groups, self.points = groups + flexible, points

    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        return torch.cat([self.pose(picture, pose), self.learned(picture, pose)], dim=1)

    def visible(self, valid: Tensor) -> Tensor:
        return torch.cat([self.pose.visible(valid), self.learned.visible(valid)], dim=1)

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        return self.learned.losses(picture)


def _needed(picture: Tensor | None) -> Tensor:
    if picture is None:
        raise InputError("these keypoints are found in the driving picture, and there is none")
    return picture
