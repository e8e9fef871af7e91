"""What a pose says about a picture, as a map: the contract, nothing, and the axis edges of eq. (5)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.errors import InputError
from rgx.gesture.refine.edges import edge_map
from rgx.gesture.skeleton import BODY, FACE, LEFT_HAND, RIGHT_HAND, edges, kept_index
from rgx.registry import register

GROUPS = (BODY, LEFT_HAND, RIGHT_HAND, FACE)
"""Edges of a group share one thickness. Source: reading 35."""
BODY_THICKNESS, HAND_THICKNESS, FACE_THICKNESS = 0.032, 0.016, 0.012
"""σ at the start, in half picture widths: the body's is AutoLink's 1e-3 (reading 34), the others ours."""
EDGES_RATE = 10.0
"""How many times the network's rate σ and v learn at. Source: ours, reading 105."""


class Structure(nn.Module):
    """Poses to maps at any resolution, and to what guides the levels of a network."""

    channels: ClassVar[int]
    """Of the map, which the discriminator sees."""
    rate: float = 1.0
    """How many times the network's learning rate it learns at."""

    @property
    def guide_channels(self) -> int:
        """Return how many channels guide a level: those of the map, where it is the map that does."""
        return self.channels

    @abstractmethod
    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        """Return maps (B, channels, H, W) of poses (B, K, 2) in [−1, 1] with valid (B, K)."""

    def guide(
        self, pose: Tensor, valid: Tensor, sizes: Sequence[tuple[int, int]]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the map at the first of the sizes, and what guides the level of each: the map there."""
        maps = [self(pose, valid, size) for size in sizes]
        return maps[0], maps

    def learned(self) -> dict[str, Tensor]:
        """Return what there is to know of what it has learned: a scalar by name."""
        return {}


class NoStructure(Structure):
    """The pose says nothing."""

    channels = 0

    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        return pose.new_zeros(len(pose), 0, *size)


def check_thickness(axis: str, body: float, hand: float, face: float) -> None:
    """Raise InputError for a thickness that is not positive."""
    for name, value in (("body", body), ("hand", hand), ("face", face)):
        if not value > 0:
            raise InputError(f"{axis}: {name}_thickness = {value}: expected a positive number")


class Edges(Structure):
    """The bones of `rgx.gesture.skeleton.edges` as one heat-map, with a σ a group and a v an edge to learn.

    Both are positive through softplus; v is 1 at the start. An edge needs both its points. Always in float32
    at least, whatever the network around it computes in. Source: eqs. (5)–(7), readings 34, 35 and 105.
    """

    channels = 1

    def __init__(
        self,
        size_px: int,
        body_thickness: float = BODY_THICKNESS,
        hand_thickness: float = HAND_THICKNESS,
        face_thickness: float = FACE_THICKNESS,
        rate: float = EDGES_RATE,
    ) -> None:
        super().__init__()
        check_thickness("edges", body_thickness, hand_thickness, face_thickness)
        if rate < 0:
            raise InputError(f"edges: rate = {rate}: expected 0 or more")
        self.size_px, self.rate = size_px, rate
        bones = edges()
        group = [next(g for g, points in enumerate(GROUPS) if bone[0] in points) for bone in bones]
        ends = [[kept_index(point) for point in bone] for bone in bones]
        self.ends: Tensor
        self.group: Tensor
        # Not persistent: which points a bone joins is code, not something learned.
        self.register_buffer("ends", torch.tensor(ends), persistent=False)
        self.register_buffer("group", torch.tensor(group), persistent=False)
        starts = [body_thickness, hand_thickness, hand_thickness, face_thickness]
        self.raw_thickness = nn.Parameter(torch.tensor([_before_softplus(value) for value in starts]))
        self.raw_weight = nn.Parameter(torch.full((len(bones),), _before_softplus(1.0)))

    def thickness(self) -> Tensor:
        """Return σ of every group, (4,), in half picture widths."""
        return F.softplus(self.raw_thickness)

    def weight(self) -> Tensor:
        """Return v of every edge, (E,)."""
        return F.softplus(self.raw_weight)

    @abstractmethod
    def strokes(self) -> tuple[Tensor, Tensor]:
        """Return how thick every edge is, (E,) in half picture widths, and its value on its line, (E,)."""

    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        pose = pose.to(torch.promote_types(pose.dtype, torch.float32))
        # An invalid point may hold anything, NaN too, which zero weight alone would not stop.
        pose = torch.where(valid[..., None], pose, torch.zeros_like(pose))
        start, end = pose[:, self.ends].unbind(2)
        seen = valid[:, self.ends].all(-1)
        thickness, height = self.strokes()
        return edge_map(start, end, thickness.to(pose), height.to(pose) * seen, size)

    @torch.no_grad()
    def learned(self) -> dict[str, Tensor]:
        """Return σ of body, hands (their mean) and face in pixels, and v: its mean, least and largest."""
        body, left, right, face = self.thickness() * self.size_px / 2
        weight = self.weight()
        return {
            "body_thickness_px": body,
            "hand_thickness_px": (left + right) / 2,
            "face_thickness_px": face,
            "mean_weight": weight.mean(),
            "least_weight": weight.min(),
            "largest_weight": weight.max(),
        }


@register("edges", "weighted", label="v · exp", source="eq. (5), reading 34")
class WeightedEdges(Edges):
    """v · exp(−d² / σ²): v is how much an edge says. AutoLink learns this weight, and no thickness."""

    def strokes(self) -> tuple[Tensor, Tensor]:
        return self.thickness()[self.group], self.weight()


@register("edges", "scaled", label="exp(v ·)", source="eq. (5) as printed but for the sign, reading 104")
class ScaledEdges(Edges):
    """exp(−v · d² / σ²): v makes an edge thinner or thicker than its group; all say 1 on their line."""

    def strokes(self) -> tuple[Tensor, Tensor]:
        weight = self.weight()
        return self.thickness()[self.group] * weight.rsqrt(), torch.ones_like(weight)


def _before_softplus(value: float) -> float:
    # log(exp(v) - 1), written so that a large v does not overflow.
    return value + math.log(-math.expm1(-value))
