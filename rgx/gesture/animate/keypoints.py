"""Axis keypoints: control points learned from pictures, taken from poses, or both."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.animate.base import Group, Groups, Keypoints
from rgx.gesture.animate.detector import Detector, random_equivariance
from rgx.gesture.animate.limbs import Limbs
from rgx.gesture.skeleton import kept_index
from rgx.registry import Part, register


class ControlPoints(nn.Module):
    """Poses (B, K, 2) to control points (B, G, P, 2), each a mean of a few points; nothing to learn."""

    def __init__(self, groups: list[Group]) -> None:
        super().__init__()
        most = max(len(points) for group in groups for points in group.members)
        filled = [[points + points[:1] * (most - len(points)) for points in g.members] for g in groups]
        counts = [[len(points) for points in group.members] for group in groups]
        places = torch.tensor([[[kept_index(p) for p in points] for points in row] for row in filled])
        # What only fills a row counts nothing.
        count = torch.tensor(counts)[..., None]
        share = (torch.arange(most) < count) / count
        self.index: Tensor
        self.share: Tensor
        self.register_buffer("index", places, persistent=False)
        self.register_buffer("share", share[..., None], persistent=False)

    def forward(self, pose: Tensor) -> Tensor:
        return (pose[:, self.index] * self.share).sum(-2)

    def visible(self, valid: Tensor) -> Tensor:
        """Return (B, G, P) of valid (B, K): a mean is seen where each of its points is."""
        return valid[:, self.index].all(-1)


@register("keypoints", "pose2d", label="2D-pose", source="Sec. 3.1, Table 3a; reading 31")
class PoseKeypoints(Keypoints):
    """Points of the pose in fixed groups; nothing to learn."""

    driven_by_pose = True
    reads_pose = True

    def __init__(self, size_px: int, groups: Part[Groups]) -> None:
        super().__init__()
        self.control = ControlPoints(groups.groups())
        self.groups, self.points = self.control.index.shape[:2]
        self.limbs = limbs_of(groups)

    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        return self.control(pose)

    def visible(self, valid: Tensor) -> Tensor:
        return self.control.visible(valid)


def limbs_of(groups: Groups, others: int = 0) -> Limbs | None:
    """Return what is a limb of groups, with so many others after them; None where none is."""
    all_groups = [*groups.groups(), *(Group(()) for _ in range(others))]
    if not any(group.limb for group in all_groups):
        return None
    follows = [number if group.follows is None else group.follows for number, group in enumerate(all_groups)]
    return Limbs(tuple(group.limb for group in all_groups), groups.spread, groups.reach, tuple(follows))


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
        return self.detector(needed(picture))

    def visible(self, valid: Tensor) -> Tensor:
        return valid.new_ones(len(valid), self.groups, self.points)

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        return {"equivariance": self.weight * random_equivariance(self.detector, picture)}


@register("keypoints", "pose2d_flexible", label="+ flex kp", source="Table 3a, reading 33")
class FlexibleKeypoints(Keypoints):
    """The groups of the pose and `flexible` learned ones; the equivariance loss is of those only."""

    driven_by_pose = False
    reads_pose = True

    def __init__(
        self,
        size_px: int,
        groups: Part[Groups],
        flexible: int = 5,
        width: int = 64,
        weight: float = 10.0,
    ) -> None:
        super().__init__()
        self.pose = PoseKeypoints(size_px, groups)
        self.learned = UnsupervisedKeypoints(size_px, flexible, self.pose.points, width, weight)
        self.groups, self.points = self.pose.groups + flexible, self.pose.points
        self.limbs = limbs_of(groups, flexible)

    def forward(self, picture: Tensor | None, pose: Tensor) -> Tensor:
        return torch.cat([self.pose(picture, pose), self.learned(picture, pose)], dim=1)

    def visible(self, valid: Tensor) -> Tensor:
        return torch.cat([self.pose.visible(valid), self.learned.visible(valid)], dim=1)

    def losses(self, picture: Tensor) -> dict[str, Tensor]:
        return self.learned.losses(picture)


def needed(picture: Tensor | None) -> Tensor:
    """Return the driving picture; raises InputError where there is none."""
    if picture is None:
        raise InputError("these keypoints are found in the driving picture, and there is none")
    return picture
