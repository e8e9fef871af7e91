"""Where the hands are in a picture, in its pixels, and a square cut out around one."""

from __future__ import annotations

import numpy as np

from rgx.gesture.skeleton import HAND_MARGIN, LEFT_HAND, RIGHT_HAND, kept_index

HANDS = tuple([kept_index(point) for point in hand] for hand in (LEFT_HAND, RIGHT_HAND))
"""Which of a pose's points the left and the right hand have."""


def hand_boxes(pose: np.ndarray, valid: np.ndarray, size_px: int) -> np.ndarray:
    """Return (T, 2, 4) int: left, top, right and bottom of each hand, the last two beyond it; 0 for none.

    pose (T, K, 2) in [−1, 1], valid (T, K). A pixel belongs to a hand where `nn.hands.hand_mask` says so.
    """
    boxes = np.zeros((len(pose), 2, 4), np.int64)
    for hand, points in enumerate(HANDS):
        seen = valid[:, points, None]
        low = np.where(seen, pose[:, points], np.inf).min(1) - HAND_MARGIN
        high = np.where(seen, pose[:, points], -np.inf).max(1) + HAND_MARGIN
        there = seen[..., 0].any(-1)
        # The centre of pixel i lies at (2 i + 1) / size − 1.
        first = np.ceil((low[there] + 1) * size_px / 2 - 0.5)
        beyond = np.floor((high[there] + 1) * size_px / 2 - 0.5) + 1
        corners = np.concatenate([first, beyond], axis=-1).clip(0, size_px).astype(np.int64)
        holds = (corners[:, 2:] > corners[:, :2]).all(-1, keepdims=True)
        boxes[there, hand] = corners * holds
    return boxes


def square_around(box: np.ndarray, side_px: int, size_px: int) -> tuple[int, int]:
    """Return left and top of a square of a side about a box (4,), inside a picture of a size."""
    left, top = ((box[:2] + box[2:] - side_px) // 2).clip(0, size_px - side_px)
    return int(left), int(top)
