"""Where the hands are in a picture."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.skeleton import HAND_MARGIN, LEFT_HAND, RIGHT_HAND, kept_index


def hand_mask(pose: Tensor, valid: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (B, 1, H, W) bool: the boxes around the valid points of each hand; empty where it has none.

    pose (B, K, 2) in [−1, 1], valid (B, K).
    """
    grid = pixel_grid(*size, pose.device)
    mask = torch.zeros(len(pose), *size, dtype=torch.bool, device=pose.device)
    for hand in (LEFT_HAND, RIGHT_HAND):
        points = _places(hand, pose.device)
        seen = valid[:, points, None]
        # A hand without a valid point has a box from inf to -inf, which holds no pixel.
        low = pose[:, points].masked_fill(~seen, torch.inf).amin(1) - HAND_MARGIN
        high = pose[:, points].masked_fill(~seen, -torch.inf).amax(1) + HAND_MARGIN
        inside = (grid >= low[:, None, None]) & (grid <= high[:, None, None])
        mask |= inside.all(-1)
    return mask[:, None]


@cache
def _places(hand: tuple[int, ...], device: torch.device) -> Tensor:
    """Return which of a pose's points a hand has; made once, or a GPU would be waited for each time."""
    return torch.tensor([kept_index(point) for point in hand], device=device)
