"""What puppets are drawn with: shapes and textures that move, laid over one another, back to front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, ...]
"""Red, green and blue, 0 to 255."""

SMOOTH_STEPS = 4
"""Points a smooth outline has for each that it passes through."""
TINY = 1e-6


class Canvas:
    """One picture being drawn: `solid` overwrites, `glaze` lets what lies below shine through."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.solid = ImageDraw.Draw(image)
        self.glaze = ImageDraw.Draw(image, "RGBA")


Layer = Callable[[Canvas, int], None]
"""Draws its part of a frame's number on a canvas."""


@dataclass(frozen=True)
class Texture:
    """An RGBA picture in coordinates of its own: `corner` is its upper left, `detail` its px per unit."""

    image: Image.Image
    corner: tuple[float, float]
    detail: float


def fill(polygons: np.ndarray, colour: Colour) -> Layer:
    """Return the layer of filled polygons (T, N, 2) in px of the canvas."""
    corners = _flat(polygons)

    def draw(canvas: Canvas, frame: int) -> None:
        canvas.solid.polygon(corners[frame], fill=colour)

    return draw


def stroke(paths: np.ndarray, colour: Colour, width_px: float) -> Layer:
    """Return the layer of lines (T, N, 2) in px of the canvas."""
    points, width = _flat(paths), max(1, round(width_px))

    def draw(canvas: Canvas, frame: int) -> None:
        canvas.solid.line(points[frame], fill=colour, width=width)

    return draw


def crease(paths: np.ndarray, colour: Colour, depth: np.ndarray, width_px: float) -> Layer:
    """Return the layer of lines (T, N, 2) whose opacity is a depth (T,), 0 to 1."""
    points, width = _flat(paths), max(1, round(width_px))
    inks = [(*colour, round(255 * share)) for share in np.clip(depth, 0, 1).tolist()]

    def draw(canvas: Canvas, frame: int) -> None:
        if inks[frame][3]:
            canvas.glaze.line(points[frame], fill=inks[frame], width=width)

    return draw


def disc(centres: np.ndarray, reach: np.ndarray | tuple[float, float], colour: Colour) -> Layer:
    """Return the layer of ovals around centres (T, 2) with radii (T, 2) or (2,) in px of the canvas."""
    boxes = np.concatenate([centres - reach, centres + reach], axis=1).tolist()

    def draw(canvas: Canvas, frame: int) -> None:
        canvas.solid.ellipse(boxes[frame], fill=colour)

    return draw


def warped(
    texture: Texture, origin: np.ndarray, axes: np.ndarray, canvas_px: int, within: np.ndarray | None = None
) -> Layer:
    """Return the layer of a texture whose (0, 0) lies at origin (T, 2) and whose units are axes (T, 2, 2).

    axes: in px of the canvas, first along the texture's width, then along its height; `within` (T, N, 2) are
    polygons it is cut to. Nearest pixels do, as the canvas is shrunk: blending them takes ten times as long.
    """
    start = -texture.detail * np.array(texture.corner)
    linear = texture.detail * _inverse(axes)
    outline = on(origin, axes, _corners(texture)) if within is None else within
    low = np.clip(np.floor(outline.min(1)), 0, canvas_px).astype(int)
    high = np.clip(np.ceil(outline.max(1)) + 1, 0, canvas_px).astype(int)
    shift = start + (linear * (low - origin)[:, None]).sum(-1)
    numbers = np.concatenate([linear, shift[..., None]], axis=-1).reshape(len(origin), 6).tolist()
    boxes = np.concatenate([low, high], axis=1).tolist()
    cut = None if within is None else _flat(within - low[:, None])

    def draw(canvas: Canvas, frame: int) -> None:
        left, top, right, bottom = boxes[frame]
        if right <= left or bottom <= top:
            return
        extent = (right - left, bottom - top)
        patch = texture.image.transform(extent, Image.Transform.AFFINE, numbers[frame])
        mask = patch
        if cut is not None:
            mask = Image.new("L", extent)
            ImageDraw.Draw(mask).polygon(cut[frame], fill=255)
        canvas.image.paste(patch, (left, top), mask)

    return draw


def ribbon(paths: np.ndarray, radii: np.ndarray, flat_end: bool = False) -> np.ndarray:
    """Return outlines (..., M, 2) of bands along paths (..., K, 2), with radii (K,) and rounded ends."""
    steps = unit(np.diff(paths, axis=-2))
    bends = steps[..., :-1, :] + steps[..., 1:, :]
    along = np.concatenate([steps[..., :1, :], bends, steps[..., -1:, :]], axis=-2)
    along = unit(along) * radii[:, None]
    across = turned(along)
    caps = []
    for end, sign in ((-1, 1), (0, -1)):
        angles = np.pi * np.array([0.22, 0.5, 0.78])[:, None]
        side, tip = across[..., [end], :] * sign, along[..., [end], :] * sign
        cap = paths[..., [end], :] + np.cos(angles) * side + np.sin(angles) * tip
        caps.append(cap[..., :0, :] if flat_end and end == -1 else cap)
    right = (paths - across)[..., ::-1, :]
    return np.concatenate([paths + across, caps[0], right, caps[1]], axis=-2)


def smooth(points: np.ndarray) -> np.ndarray:
    """Return closed outlines (..., 4 N, 2) that pass smoothly through points (..., N, 2)."""
    before, after, next_ = (np.roll(points, shift, axis=-2) for shift in (1, -1, -2))
    curves = []
    for share in np.arange(SMOOTH_STEPS) / SMOOTH_STEPS:
        cubic = -before + 3 * points - 3 * after + next_
        square = 2 * before - 5 * points + 4 * after - next_
        curves.append(points + 0.5 * share * (after - before + share * (square + share * cubic)))
    stacked = np.stack(curves, axis=-2)
    return stacked.reshape(*points.shape[:-2], SMOOTH_STEPS * points.shape[-2], 2)


def on(origin: np.ndarray, axes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return where points (N, 2) lie, (T, N, 2) in px, in units of axes (T, 2, 2) from an origin (T, 2)."""
    return origin[:, None] + points @ axes


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (..., 2) of length 1; one without a direction points down."""
    length = np.sqrt((vectors**2).sum(-1, keepdims=True))
    return np.where(length > TINY, vectors / np.maximum(length, TINY), np.array([0.0, 1.0]))


def turned(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (..., 2) turned by a quarter, from right to down."""
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return a colour with a share of another in it."""
    return tuple(round(a + share * (b - a)) for a, b in zip(colour, other, strict=True))


def _flat(points: np.ndarray) -> list[list[float]]:
    return points.reshape(len(points), 2 * points.shape[1]).tolist()


def _corners(texture: Texture) -> np.ndarray:
    width, height = np.array(texture.image.size) / texture.detail
    left, top = texture.corner
    return np.array([(left, top), (left + width, top), (left + width, top + height), (left, top + height)])


def _inverse(axes: np.ndarray) -> np.ndarray:
    """Return what turns an offset in px into units, (T, 2, 2), also of axes (T, 2, 2) that are flat."""
    (a, b), (c, d) = axes[:, 0].T, axes[:, 1].T
    area = a * d - b * c
    area = np.where(np.abs(area) < 1e-3, 1e-3, area)[:, None, None]
    return np.stack([np.stack([d, -c], -1), np.stack([-b, a], -1)], 1) / area
