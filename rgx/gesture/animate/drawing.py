"""What of a pose is drawn for dense motion to see beside its control points: nothing, or its bones."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from rgx.gesture.refine.edges import edge_map
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND, edges, kept_index

BODY_THICKNESS, HAND_THICKNESS, FACE_THICKNESS = 0.032, 0.016, 0.012
"""σ in half picture widths, where those of a refiner start. Source: readings 34 and 83."""


class PoseDrawing(nn.Module):
    """Poses to maps at any resolution."""

    channels: ClassVar[int]

    @abstractmethod
    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        """Return maps (B, channels, H, W) of poses (B, K, 2) in [−1, 1] with valid (B, K)."""


class NoDrawing(PoseDrawing):
    """Control points are all that is seen."""

    channels = 0

    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        return pose.new_zeros(len(pose), 0, *size)


class EdgeDrawing(PoseDrawing):
    """The edge heat-map of eqs. (5)–(7) with σ and v as they start; an edge needs both its points."""

    channels = 1

    def __init__(self) -> None:
        super().__init__()
        bones = edges()
        self.ends: Tensor
        self.thickness: Tensor
        ends = torch.tensor([[kept_index(point) for point in bone] for bone in bones])
        self.register_buffer("ends", ends, persistent=False)
        thickness = torch.tensor([_thickness(start) for start, _ in bones])
        self.register_buffer("thickness", thickness, persistent=False)

    def forward(self, pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
        pose = pose.to(torch.promote_types(pose.dtype, torch.float32))
        # An invalid point may hold anything, NaN too, which zero weight alone would not stop.
        pose = torch.where(valid[..., None], pose, 0.0)
        start, end = pose[:, self.ends].unbind(2)
        weight = valid[:, self.ends].all(-1).to(pose)
        return edge_map(start, end, self.thickness.to(pose), weight, size)


def _thickness(point: int) -> float:
    if point in FACE:
        return FACE_THICKNESS
    return HAND_THICKNESS if point in LEFT_HAND + RIGHT_HAND else BODY_THICKNESS
