"""Pictures of puppets, drawn from keypoints."""

from __future__ import annotations

import numpy as np

from rgx.gesture.data.puppet_arms import armpits, arms, silhouettes
from rgx.gesture.data.puppet_body import FRAME_PX, puppet
from rgx.gesture.data.puppet_clothes import torso, torso_axes
from rgx.gesture.data.puppet_hands import hands
from rgx.gesture.data.puppet_head import head
from rgx.gesture.data.puppet_layers import Canvas, Layer
from rgx.gesture.data.puppet_look import look
from rgx.gesture.data.puppet_scene import scene
from rgx.gesture.skeleton import FACE, POINTS

CANVAS_PX = 384
"""Frames are drawn about this large and shrunk, which smooths the edges; twice as large as asked at least."""

BLOCK = 256
"""Frames whose outlines are found at once: 90 kB each."""


def render(keypoints: np.ndarray, speaker: int, size: int) -> np.ndarray:
    """Return frames (T, size, size, 3) uint8 of keypoints (T, 133, 2) in px of a 256 px frame.

    A frame follows from its keypoints alone, whatever others come with it.
    Raises ValueError for another shape. Source: ours.
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (POINTS, 2):
        raise ValueError(f"keypoints have shape {keypoints.shape}: expected (T, {POINTS}, 2)")
    oversample = max(2, min(4, CANVAS_PX // size))
    canvas_px = size * oversample
    room = scene(look(speaker), canvas_px)
    frames = np.empty((len(keypoints), size, size, 3), dtype=np.uint8)
    for first in range(0, len(keypoints), BLOCK):
        points = keypoints[first : first + BLOCK].astype(float) * canvas_px / FRAME_PX
        layers = _layers(points, speaker, canvas_px)
        for number in range(len(points)):
            canvas = Canvas(room.copy())
            for layer in layers:
                layer(canvas, number)
            frames[first + number] = np.asarray(canvas.image.reduce(oversample))
    return frames


def _layers(points: np.ndarray, speaker: int, canvas_px: int) -> list[Layer]:
    """Return what is drawn, back to front, from points (T, 133, 2) in px of the canvas."""
    style, who = look(speaker), puppet(speaker)
    width = who.shoulder_px * canvas_px / FRAME_PX
    axes, chest = torso_axes(points, who.torso), (points[:, 5] + points[:, 6]) / 2
    behind, before = head(style, points[:, list(FACE)], who.head * width, canvas_px)
    return [
        *behind,
        *silhouettes(style, points, width),
        torso(style, chest, axes, canvas_px),
        *armpits(style, points, width, axes),
        *before,
        *arms(style, who, points, width, canvas_px),
        *hands(style, points, width),
    ]
