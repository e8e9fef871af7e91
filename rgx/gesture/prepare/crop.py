"""One steady square around a speaker."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rgx.gesture.poses.following import SURE
from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND

HEAD_AND_ARMS = tuple(range(11))
REACHED = HEAD_AND_ARMS + FACE + LEFT_HAND + RIGHT_HAND
STRAY_PERCENT = 1.0
"""Frames at each end of the extent that do not widen the square: a stray point is not a gesture."""
MARGIN, HAIR = 0.08, 0.6
"""Room on each side as a share of the extent; room for hair as a share of the face's height."""
BLOCK = 4096


class Square(NamedTuple):
    """Where a clip's pictures are cut out of the source's, in px; it may reach beyond them."""

    left: int
    top: int
    side: int

    def beyond(self, width_px: int, height_px: int) -> bool:
        """Return whether a part of it lies outside pictures of this size."""
        right, bottom = self.left + self.side, self.top + self.side
        return min(self.left, self.top, width_px - right, height_px - bottom) < 0

    def place(self, track: np.ndarray, size_px: int) -> np.ndarray:
        """Return points (T, 133, 3) of the source in px of the square drawn `size_px` wide."""
        placed = track.astype(np.float32, copy=True)
        placed[..., :2] = (track[..., :2] - (self.left, self.top)) * (size_px / self.side)
        placed[track[..., 2] == 0] = 0
        return placed


def square_around(track: np.ndarray, width_px: int, height_px: int) -> Square:
    """Return the square that holds head, arms and hands of a track (T, 133, 3) with a margin.

    It lies inside the picture unless the extent itself is larger than the picture's shorter side. Raises
    ValueError for a track without a point. Source: ours, reading 4.
    """
    boxes = np.concatenate([_boxes(track[at : at + BLOCK]) for at in range(0, len(track), BLOCK)])
    boxes = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(boxes):
        raise ValueError("no point of the track is found")
    low = np.percentile(boxes[:, :2], STRAY_PERCENT, axis=0).clip(0, (width_px, height_px))
    high = np.percentile(boxes[:, 2:], 100 - STRAY_PERCENT, axis=0).clip(0, (width_px, height_px))
    extent, shorter = float((high - low).max()), min(width_px, height_px)
    side = extent * (1 + 2 * MARGIN)
    if side > shorter:
        side = max(extent, shorter)
    side = max(2, int(np.ceil(side)))
    left, top = (
        _inside(middle, side, room)
        for middle, room in zip((low + high) / 2, (width_px, height_px), strict=True)
    )
    return Square(left, top, side)


def _boxes(track: np.ndarray) -> np.ndarray:
    """Return the extent of each frame (T, 4): left, top, right, bottom in px, not a number without points."""
    points = np.where(track[:, REACHED, 2:] > SURE, track[:, REACHED, :2], np.nan)
    face = np.where(track[:, FACE, 2] > SURE, track[:, FACE, 1], np.nan)
    low = np.fmin.reduce(points, axis=1)
    hair = np.nan_to_num(np.fmax.reduce(face, axis=1) - np.fmin.reduce(face, axis=1)) * HAIR
    low[:, 1] = np.fmin(low[:, 1], np.nan_to_num(np.fmin.reduce(face, axis=1) - hair, nan=np.inf))
    return np.concatenate([low, np.fmax.reduce(points, axis=1)], axis=1)


def _inside(middle: float, side: int, room: int) -> int:
    """Return where a side around `middle` begins, moved inside the room where it fits, else centred on it."""
    if side > room:
        return (room - side) // 2
    return int(np.clip(round(middle - side / 2), 0, room - side))
