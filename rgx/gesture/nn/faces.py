"""Where the face is in a picture."""

from __future__ import annotations

import torch
from torch import Tensor

from rgx.gesture.skeleton import stream_slice

MARGIN, BROW = 0.1, 0.4
"""Added around the face's points, and above them for the forehead, in their height. Source: ours."""
LEAST_PX = 4


def face_box(pose: Tensor, valid: Tensor, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return rows and columns (first, behind the last) around the valid points of the face in a picture.

    pose (K, 2) in [−1, 1], valid (K,). None where no point is valid or the box is under 4 px.
    """
    face = stream_slice("face")
    points = pose[face][valid[face]]
    if not len(points):
        return None
    low, high = points.amin(0), points.amax(0)
    height = high[1] - low[1]
    low = low - height * torch.tensor([MARGIN, BROW], device=pose.device)
    high = high + height * MARGIN
    half = torch.tensor(size[::-1], device=pose.device) / 2
    left, top = ((low + 1) * half).floor().clamp(min=0).int().tolist()
    right, bottom = torch.minimum(((high + 1) * half).ceil(), 2 * half).int().tolist()
    return (top, bottom, left, right) if min(bottom - top, right - left) >= LEAST_PX else None
