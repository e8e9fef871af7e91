"""What a pose says about a picture, as a map: nothing, a fixed skeleton, or learnable edges."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.refine.edges import edge_map
from rgx.gesture.skeleton import BODY, FACE, LEFT_HAND, RIGHT_HAND, edges, kept_index

GROUPS = (BODY, LEFT_HAND, RIGHT_HAND, FACE)
"""Edges of a group share one thickness. Source: reading 35."""


class Structure(nn.Module):
    """Poses to maps at any resolution."""

    channels: ClassVar[int]

    @abstractmethod
    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        """Return maps (B, channels, H, W) of poses (B, K, 2) in [−1, 1] with valid (B, K)."""


class NoStructure(Structure):
    """The pose says nothing."""

    channels = 0

    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        return pose.new_zeros(len(pose), 0, *size)


class Edges(Structure):
    """The bones of `rgx.gesture.skeleton.edges` as one heat-map; an edge needs both its points.

    Always in float32 at least, whatever the network around it computes in.
    """

    channels = 1

    def __init__(self, body: float, hand: float, face: float) -> None:
        super().__init__()
        for name, value in (("body", body), ("hand", hand), ("face", face)):
            if not value > 0:
                raise InputError(f"refiner: {name}_thickness = {value}: expected a positive number")
        bones = edges()
        group = [next(g for g, points in enumerate(GROUPS) if bone[0] in points) for bone in bones]
        ends = [[kept_index(point) for point in bone] for bone in bones]
        self.ends: Tensor
        self.group: Tensor
        # Not persistent: which points a bone joins is code, not something learned.
        self.register_buffer("ends", torch.tensor(ends), persistent=False)
        self.register_buffer("group", torch.tensor(group), persistent=False)

    @abstractmethod
    def thickness(self) -> Tensor:
        """Return σ of every group, (4,), in half picture widths."""

    @abstractmethod
    def weight(self) -> Tensor:
        """Return v of every edge, (E,)."""

    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        pose = pose.to(torch.promote_types(pose.dtype, torch.float32))
        # An invalid point may hold anything, NaN too, which zero weight alone would not stop.
        pose = torch.where(valid[..., None], pose, torch.zeros_like(pose))
        start, end = pose[:, self.ends].unbind(2)
        seen = valid[:, self.ends].all(-1)
        weight = self.weight().to(pose) * seen
        return edge_map(start, end, self.thickness().to(pose)[self.group], weight, size)


class FixedSkeleton(Edges):
    """Edges whose thickness and weight stay as they are given: nothing to learn."""

    def __init__(self, body: float, hand: float, face: float) -> None:
        super().__init__(body, hand, face)
        self.given: Tensor
        self.register_buffer("given", torch.tensor([body, hand, hand, face]), persistent=False)

    def thickness(self) -> Tensor:
        return self.given

    def weight(self) -> Tensor:
        return self.given.new_ones(len(self.ends))


class LearnedEdges(Edges):
    """Edges with a learnable weight each and a learnable thickness a group, both through softplus.

    Weights start at 1. Source: eq. (5), readings 34 and 35; AutoLink learns the weight only.
    """

    def __init__(self, body: float, hand: float, face: float) -> None:
        super().__init__(body, hand, face)
        starts = [_before_softplus(value) for value in (body, hand, hand, face)]
        self.raw_thickness = nn.Parameter(torch.tensor(starts))
        self.raw_weight = nn.Parameter(torch.full((len(self.ends),), _before_softplus(1.0)))

    def thickness(self) -> Tensor:
        return F.softplus(self.raw_thickness)

    def weight(self) -> Tensor:
        return F.softplus(self.raw_weight)


def _before_softplus(value: float) -> float:
    # log(exp(v) - 1), written so that a large v does not overflow.
    return value + math.log(-math.expm1(-value))
