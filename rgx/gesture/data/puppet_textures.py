"""Textures of puppets: shapes painted once a clip, in the coordinates of the part of the body they cover."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from rgx.gesture.data.puppet_layers import Colour, Texture, ribbon, smooth

FINER = 3
"""Shapes are painted this much larger and shrunk, which smooths their edges."""

LOOKS_KEPT = 4
"""How many looks keep their textures from one clip to the next."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""
Path = Sequence[tuple[float, float]] | np.ndarray
Shape = tuple[np.ndarray, Colour]
"""A polygon (N, 2) and its colour."""


def painted(shapes: Sequence[Shape], box: Box, detail: float) -> Texture:
    """Return shapes, one over the other, as a texture of a box with `detail` px per unit."""
    width, height = extent(box, detail)
    image = Image.new("RGBA", (FINER * width, FINER * height))
    draw = ImageDraw.Draw(image)
    for outline, colour in shapes:
        corners = (outline - np.array(box[:2])) * detail * FINER
        draw.polygon(corners.ravel().tolist(), fill=colour)
    return Texture(image.reduce(FINER), box[:2], detail)


def blob(points: Path, colour: Colour) -> Shape:
    """Return a shape with a smooth outline through points (N, 2)."""
    return smooth(np.array(points, dtype=float)), colour


def oval(centre: tuple[float, float], radii: tuple[float, float], colour: Colour) -> Shape:
    """Return an ellipse."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return np.array(centre) + np.array(radii) * np.stack([np.cos(turn), np.sin(turn)], -1), colour


def band(path: Path, width: float, colour: Colour) -> Shape:
    """Return a line of a width through points (N, 2)."""
    points = np.array(path, dtype=float)
    return ribbon(points, np.full(len(points), width / 2)), colour


def mirrored(points: Path, side: int) -> np.ndarray:
    """Return points as they are for side 1, and on the other side of the middle for -1."""
    return np.array(points, dtype=float) * [side, 1]


def extent(box: Box, detail: float) -> tuple[int, int]:
    """Return width and height of a texture in px."""
    return round((box[2] - box[0]) * detail), round((box[3] - box[1]) * detail)


def grid(box: Box, detail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates (H, W) of a texture's pixels, first along its width."""
    width, height = extent(box, detail)
    left, top = box[:2]
    across, down = left + (np.arange(width) + 0.5) / detail, top + (np.arange(height) + 0.5) / detail
    return tuple(np.meshgrid(across, down))
