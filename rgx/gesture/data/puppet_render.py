"""Pictures of puppets, drawn from keypoints."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from rgx.gesture.data.puppet_body import FRAME_PX
from rgx.gesture.skeleton import FACE, FINGERS, LEFT_HAND, POINTS, RIGHT_HAND

OVERSAMPLE = 2
"""Frames are drawn this much larger and shrunk, which smooths the edges."""

Colour = tuple[int, int, int]


def render(keypoints: np.ndarray, speaker: int, size: int) -> np.ndarray:
    """Return frames (T, size, size, 3) uint8 of keypoints (T, 133, 2) in px of a 256 px frame.

    Raises ValueError for another shape. Source: ours.
    """
    if keypoints.ndim != 3 or keypoints.shape[1:] != (POINTS, 2):
        raise ValueError(f"keypoints have shape {keypoints.shape}: expected (T, {POINTS}, 2)")
    scale = size * OVERSAMPLE / FRAME_PX
    colours = palette(speaker)
    frames = np.empty((len(keypoints), size, size, 3), dtype=np.uint8)
    for frame, points in zip(frames, np.asarray(keypoints, dtype=float) * scale, strict=True):
        canvas = Image.new("RGB", (size * OVERSAMPLE,) * 2, colours["wall"])
        _draw(ImageDraw.Draw(canvas), points, scale, colours)
        frame[:] = np.asarray(canvas.reduce(OVERSAMPLE))
    return frames


def palette(speaker: int) -> dict[str, Colour]:
    """Return the colours of a speaker's number."""
    hue = (0.58 + 0.381966 * speaker) % 1
    dark = (0.0, 0.35, 0.15, 0.55)[speaker % 4]
    return {
        "wall": _colour(hue, 0.18, 0.93),
        "shirt": _colour(hue + 0.45, 0.55, 0.62),
        "sleeve": _colour(hue + 0.45, 0.55, 0.52),
        "skin": _colour(0.07, 0.38 + 0.2 * dark, 0.96 - 0.6 * dark),
        "hand": _colour(0.07, 0.42 + 0.2 * dark, 0.86 - 0.55 * dark),
        "hair": _colour(0.07, 0.55, 0.16 + 0.1 * (speaker % 3)),
        "white": (248, 248, 246),
        "ink": (38, 30, 34),
        "lip": _colour(0.99, 0.5, 0.72 - 0.3 * dark),
    }


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw(draw: ImageDraw.ImageDraw, points: np.ndarray, scale: float, colours: dict[str, Colour]) -> None:
    """Draw one puppet from points (133, 2) in px of the canvas, back to front."""
    shoulder = float(np.linalg.norm(points[5] - points[6]))
    thick, thin = max(2, round(0.22 * shoulder)), max(1, round(0.055 * shoulder))
    neck = (points[5] + points[6]) / 2
    chin = points[FACE[8]]
    drop = np.array([0, 60 * scale])
    corners = [points[6], points[5], points[11], points[11] + drop, points[12] + drop, points[12]]
    _line(draw, [chin - [0, 0.05 * shoulder], neck], round(0.26 * shoulder), colours["hand"])
    draw.polygon([tuple(p) for p in corners], fill=colours["shirt"])
    _line(draw, [points[5], points[6]], thick, colours["shirt"])
    _draw_head(draw, points[list(FACE)], scale, colours)
    for arm, hand in (((5, 7, 9), LEFT_HAND), ((6, 8, 10), RIGHT_HAND)):
        _line(draw, [points[a] for a in arm], thick, colours["sleeve"])
        base = points[hand[0]]
        palm = [base, *(points[hand[0] + chain[1]] for chain in FINGERS)]
        draw.polygon([tuple(p) for p in palm], fill=colours["hand"])
        for chain in FINGERS:
            _line(draw, [points[hand[0] + c] for c in chain], thin, colours["hand"])


def _draw_head(draw: ImageDraw.ImageDraw, face: np.ndarray, scale: float, colours: dict[str, Colour]) -> None:
    """Draw head, hair, eyes, brows, nose and mouth from the face points (68, 2)."""
    thin = max(1, round(1.4 * scale))
    left, right, low = face[0, 0], face[16, 0], face[8, 1]
    middle, half = (face[0, 1] + face[16, 1]) / 2, abs(right - left) / 2
    left, right = min(left, right), max(left, right)
    top, low = min(middle - 1.25 * half, low), max(middle, low)
    edge, brow = 0.1 * half, top + 0.2 * half
    hair = (left - edge, top - 0.15 * half, right + edge, middle + 0.7 * half)
    draw.ellipse(hair, fill=colours["hair"])
    draw.pieslice((left, brow, right, 2 * middle - brow), 180, 360, fill=colours["skin"])
    draw.polygon([tuple(p) for p in face[:17]], fill=colours["skin"])
    for eye in (face[36:42], face[42:48]):
        draw.polygon([tuple(p) for p in eye], fill=colours["white"], outline=colours["ink"])
        x, y = eye.mean(0)
        radius = 0.5 * float(np.ptp(eye[:, 1]))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colours["ink"])
    for start, stop, ink in ((17, 22, "hair"), (22, 27, "hair"), (27, 31, "hand"), (31, 36, "hand")):
        draw.line([tuple(p) for p in face[start:stop]], fill=colours[ink], width=thin, joint="curve")
    draw.polygon([tuple(p) for p in face[48:60]], fill=colours["lip"])
    draw.polygon([tuple(p) for p in face[60:68]], fill=colours["ink"])


def _line(draw: ImageDraw.ImageDraw, path: list[np.ndarray], width: int, colour: Colour) -> None:
    """Draw a thick line with round joints and ends."""
    draw.line([tuple(p) for p in path], fill=colour, width=width)
    radius = width / 2
    for x, y in path:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
