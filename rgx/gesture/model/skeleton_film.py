"""A drawn skeleton that moves: what is shown of motion without a portrait."""

from __future__ import annotations

import colorsys

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from rgx.gesture.skeleton import BODY, FACE, LEFT_HAND, edges, kept_index

SIZE_PX, FINER = 256, 2
"""The width of a picture, and how many times finer it is drawn."""
LIMB_PX, FINE_PX = 4, 2
HEAD = BODY[:5]
PAPER, FACE_INK = (16, 16, 20), (200, 200, 205)
ORIGIN, SCALE = (0.0, -0.25), 0.5
"""Where the middle of the shoulders is, and how wide they are: raised and lowered hands are both in sight."""


def place(motion: Tensor) -> Tensor:
    """Return motion (T, K, 2) in shoulder widths as poses in [−1, 1] of these pictures."""
    return motion * SCALE + torch.tensor(ORIGIN).to(motion)


def draw(pose: Tensor) -> np.ndarray:
    """Return the picture (256, 256, 3) uint8 of a pose (K, 2) in [−1, 1]."""
    side = SIZE_PX * FINER
    image = Image.new("RGB", (side, side), PAPER)
    pen = ImageDraw.Draw(image)
    points = ((pose.clamp(-4, 4) + 1) * side / 2).tolist()
    for (start, end), colour, width_px in STROKES:
        pen.line([*points[start], *points[end]], fill=colour, width=width_px * FINER)
    return np.asarray(image.resize((SIZE_PX, SIZE_PX), Image.Resampling.BOX))


Stroke = tuple[tuple[int, int], tuple[int, int, int], int]
"""A line: the two points it joins, its colour and its width in px."""


def _strokes() -> list[Stroke]:
    """Return the face and the head in grey, limbs and hands each in a colour, fingers last."""
    hues = {**{point: point / 13 for point in BODY}, **dict.fromkeys(LEFT_HAND, 0.05)}
    strokes: list[Stroke] = []
    for start, end in edges():
        colour = FACE_INK
        if start not in FACE and start not in HEAD:
            red, green, blue = colorsys.hsv_to_rgb(hues.get(start, 0.55), 0.7, 1.0)
            colour = round(255 * red), round(255 * green), round(255 * blue)
        limb = start in BODY and start not in HEAD
        strokes.append(((kept_index(start), kept_index(end)), colour, LIMB_PX if limb else FINE_PX))
    return strokes


STROKES = _strokes()
