"""What puppets wear: fabrics, the torso's garment, and sleeves, in the coordinates of what they cover.

Patterns lie on the body, in shoulder widths: u across and v along torso or bone, so that they go with it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from rgx.gesture.data.puppet_body import FRAME_PX
from rgx.gesture.data.puppet_layers import Layer, Texture, mix, turned, unit, warped
from rgx.gesture.data.puppet_look import INK, WHITE, Appearance
from rgx.gesture.data.puppet_textures import (
    LOOKS_KEPT,
    Box,
    Shape,
    band,
    blob,
    grid,
    mirrored,
    oval,
    painted,
)

SHOULDER_PX = 60.0
"""About a shoulder width in a frame of 256 px, by which textures have the detail of the pictures."""
TORSO: Box = (-0.62, -0.3, 0.62, 3.1)
"""Left, top, right and bottom of what is worn."""
HEM = 1.42


def stripes(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return narrow stripes across, as shares of the accent."""
    return ((v / 0.2) % 1 < 0.38).astype(float)


def checks(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return a check of two bands and a fine line each way, as shares of the accent."""
    both = [0.42 * ((x / 0.27) % 1 < 0.42) + 0.3 * (np.abs((x / 0.27) % 1 - 0.71) < 0.055) for x in (u, v)]
    return np.minimum(both[0] + both[1], 1)


def dots(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return dots in shifted rows, as shares of the accent."""
    row = np.floor(v / 0.15)
    x = (u / 0.19 + 0.5 * (row % 2)) % 1 - 0.5
    return (np.hypot(0.19 * x, v - 0.15 * (row + 0.5)) < 0.048).astype(float)


def knit(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return cables of slanted stitches and a broad zigzag now and then, as shares of the accent."""
    column = np.abs((u / 0.15) % 1 - 0.5)
    stitches = 0.2 * (np.sin(2 * np.pi * (v + 0.24 * column) / 0.075) > 0) * (column > 0.08)
    zigzag = np.abs((v + 0.2 * np.abs((u / 0.22) % 1 - 0.5)) % 0.62 - 0.3) < 0.055
    return np.where(zigzag, 0.85, stitches + 0.16 * (column < 0.08))


FABRICS = (stripes, checks, dots, knit)


def cloth(look: Appearance, u: np.ndarray, v: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Return the colours (H, W, 3) of a look's fabric at points (H, W) of the body, with light (H, W)."""
    share = FABRICS[look.fabric](u, v)[..., None]
    colour = np.array(look.cloth) * (1 - share) + np.array(look.accent) * share
    return np.clip(colour * light[..., None], 0, 255)


def torso(look: Appearance, chest: np.ndarray, axes: np.ndarray, canvas_px: int) -> Layer:
    """Return the garment's layer; chest (T, 2) and axes (T, 2, 2) of the torso in px of the canvas."""
    return warped(garment(look, canvas_px), chest, axes, canvas_px)


@lru_cache(maxsize=LOOKS_KEPT)
def garment(look: Appearance, canvas_px: int) -> Texture:
    """Return what the torso wears, from neckline to below the picture, seen from the front."""
    detail = SHOULDER_PX * canvas_px / FRAME_PX
    u, v = grid(TORSO, detail)
    half = np.interp(v, (0.1, 0.85, 1.4), (0.5, look.waist, look.waist + 0.06))
    light = 1.05 - 0.1 * u - 0.42 * np.clip(np.abs(u) / half, 0, 1.1) ** 4
    for side in (-1, 1):
        for start, end, depth in FOLDS:
            light -= depth * _nearness(side * u, v, start, end)
    trousers = np.array(look.trousers) * light[..., None]
    pixels = np.where((v < HEM)[..., None], cloth(look, u, v, light), trousers)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert("RGBA")
    (beside, middle), sewn = NECKLINES[look.neckline]
    waist = ((look.waist, 0.85), (look.waist + 0.06, 1.4), (look.waist + 0.1, 2.0), (look.waist + 0.08, 3.0))
    right = np.array([*SHOULDER, *waist])
    dip = [(-0.12, beside), (0.0, middle), (0.12, beside)]
    whole = blob([*right, *mirrored(right, -1)[::-1], *dip], look.seam)
    edge = band([*whole[0], whole[0][0]], 0.05, look.seam)
    image.alpha_composite(painted([*sewn(look), *_trousers(look), edge], TORSO, detail).image)
    image.putalpha(painted([whole], TORSO, detail).image.getchannel("A"))
    return Texture(image, TORSO[:2], detail)


SHOULDER = ((0.19, -0.2), (0.33, -0.13), (0.47, -0.085), (0.55, 0.02), (0.54, 0.16), (0.475, 0.34))
"""The outline from the neck over the left shoulder to the armpit."""
FOLDS = (
    ((0.42, 0.36), (0.1, 0.52), 0.16),
    ((0.41, 0.46), (0.22, 0.72), 0.13),
    ((0.38, 0.9), (0.12, 1.0), 0.14),
    ((0.4, 1.12), (0.06, 1.06), 0.12),
    ((0.3, 0.02), (0.2, 0.26), 0.07),
)
"""Where cloth always falls: from, to, depth."""


def _trousers(look: Appearance) -> list[Shape]:
    """Return the hem above, the fly and the gap between the legs."""
    gap = np.array([(0.0, 1.85), (0.035, 3.1), (-0.035, 3.1)])
    return [
        band([(-0.6, HEM), (0.6, HEM)], 0.035, look.seam),
        band([(0, HEM), (0.03, 1.72)], 0.018, INK),
        (gap, INK),
    ]


def crew(look: Appearance) -> list[Shape]:
    """Return a ribbed collar."""
    rim = [(-0.2, -0.21), (-0.13, -0.1), (0.0, -0.06), (0.13, -0.1), (0.2, -0.21)]
    return [band(rim, 0.1, look.seam), band(rim, 0.07, mix(look.cloth, look.accent, 0.5))]


def shirt(look: Appearance) -> list[Shape]:
    """Return a collar of two wings, and buttons."""
    pale, middle = mix(look.cloth, WHITE, 0.55), [(0, 0), (0, HEM)]
    shapes = [band(middle, 0.1, look.seam), band(middle, 0.08, mix(look.cloth, look.accent, 0.35))]
    shapes += [oval((0, v), (0.022, 0.022), pale) for v in np.arange(0.16, HEM, 0.27)]
    for side in (-1, 1):
        wing = mirrored([(0.2, -0.24), (0.02, 0.02), (0.13, 0.14), (0.29, -0.08)], side)
        shapes += [band([*wing, wing[0]], 0.035, look.seam), (wing, pale)]
    return shapes


def vee(look: Appearance) -> list[Shape]:
    """Return the hem of a deep neckline."""
    rim = [(-0.22, -0.22), (-0.12, 0.04), (0.0, 0.28), (0.12, 0.04), (0.22, -0.22)]
    return [band(rim, 0.09, look.seam), band(rim, 0.06, mix(look.accent, look.cloth, 0.2))]


def roll(look: Appearance) -> list[Shape]:
    """Return a rolled collar close to the neck."""
    collar = np.array([(-0.21, -0.3), (0.21, -0.3), (0.24, -0.1), (0.0, -0.02), (-0.24, -0.1)])
    shapes = [(collar, mix(look.cloth, look.accent, 0.25))]
    shapes += [band([(u, -0.3), (1.1 * u, -0.07)], 0.018, look.seam) for u in np.linspace(-0.18, 0.18, 7)]
    return [*shapes, band(collar[:1:-1], 0.03, look.seam)]


NECKLINES = (((-0.1, -0.06), crew), ((-0.1, -0.04), shirt), ((0.04, 0.26), vee), ((-0.27, -0.26), roll))
"""How deep each neckline dips, beside the middle and there, and what is sewn on."""


@lru_cache(maxsize=2 * LOOKS_KEPT)
def sleeve(
    look: Appearance, length: float, radii: tuple[float, float], canvas_px: int, cuff: float
) -> Texture:
    """Return the cloth along a bone of a length, with radii at its ends, and with a cuff from there on."""
    wide = max(radii) + 0.04
    box, detail = (-0.22, -wide, length + 0.22, wide), SHOULDER_PX * canvas_px / FRAME_PX
    along, across = grid(box, detail)
    radius = np.interp(along, (0, length), radii)
    light = 1.04 - 0.5 * np.clip(np.abs(across) / radius, 0, 1.1) ** 3
    pixels = cloth(look, across, along + 0.07, light)
    cuffed = (along > cuff)[..., None]
    edge = (np.abs(along - cuff) < 0.014)[..., None]
    trim = np.array(mix(look.accent, look.cloth, 0.12)) * light[..., None]
    pixels = np.where(edge, np.array(look.seam), np.where(cuffed, np.clip(trim, 0, 255), pixels))
    return Texture(Image.fromarray(pixels.astype(np.uint8)).convert("RGBA"), box[:2], detail)


def torso_axes(points: np.ndarray, length: float) -> np.ndarray:
    """Return the torso's axes (T, 2, 2) in px: along the shoulders, and down by a shoulder width's worth."""
    across = points[:, 5] - points[:, 6]
    down = ((points[:, 11] + points[:, 12]) - (points[:, 5] + points[:, 6])) / (2 * length)
    return np.stack([across, down], axis=1)


def bone_axes(start: np.ndarray, end: np.ndarray, length: float, width: float) -> np.ndarray:
    """Return a bone's axes (T, 2, 2) in px for its length and a width in px of one unit.

    A bone that points at the viewer is as short as it looks, though not less than a fifth of its length.
    """
    along = unit(end - start)
    seen = np.sqrt(((end - start) ** 2).sum(-1, keepdims=True)) / length
    return np.stack([along * np.maximum(seen, 0.2 * width), turned(along) * width], axis=1)


def _nearness(
    u: np.ndarray, v: np.ndarray, start: tuple[float, float], end: tuple[float, float]
) -> np.ndarray:
    """Return how near points lie to a fold, 1 where it begins, less where it ends, 0 afar."""
    bone = np.subtract(end, start)
    share = np.clip(((u - start[0]) * bone[0] + (v - start[1]) * bone[1]) / (bone @ bone), 0, 1)
    off = (u - start[0] - share * bone[0]) ** 2 + (v - start[1] - share * bone[1]) ** 2
    return np.exp(-off / (2 * 0.032**2)) * (1 - 0.6 * share)
