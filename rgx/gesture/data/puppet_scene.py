"""Rooms that puppets stand in: a wall with light on it and a few things, which never move within a clip.

All places are in px of a frame of 256 px.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from rgx.gesture.data.puppet_body import FRAME_PX
from rgx.gesture.data.puppet_layers import Colour, mix
from rgx.gesture.data.puppet_look import INK, WHITE, Appearance
from rgx.gesture.data.puppet_textures import LOOKS_KEPT, Box, Shape, band, blob, oval, painted

RED, BLUE, YELLOW, GREEN, VIOLET = (
    (176, 74, 62),
    (72, 106, 140),
    (214, 170, 84),
    (92, 128, 96),
    (120, 84, 126),
)
COVERS: tuple[Colour, ...] = (RED, BLUE, YELLOW, GREEN, VIOLET)
LEAF: Colour = (84, 134, 82)
GLOW: Colour = (255, 246, 214)


@lru_cache(maxsize=LOOKS_KEPT)
def scene(look: Appearance, canvas_px: int) -> Image.Image:
    """Return the room of a look, canvas_px wide and high."""
    places = (np.arange(canvas_px) + 0.5) / canvas_px
    # Light that falls off in one direction: round it looks no better, and takes four times the bytes.
    light = 1.06 - 0.1 * places[None] - 0.16 * places[:, None]
    wall = np.clip(np.array(look.wall) * light[..., None], 0, 255).astype(np.uint8)
    image = Image.fromarray(wall).convert("RGBA")
    whole = (0.0, 0.0, float(FRAME_PX), float(FRAME_PX))
    image.alpha_composite(painted(ROOMS[look.scene](look), whole, canvas_px / FRAME_PX).image)
    return image.convert("RGB")


def study(look: Appearance) -> list[Shape]:
    """Return shelves of books on both sides."""
    dark, shapes = mix(look.wood, INK, 0.45), []
    rng = np.random.default_rng(sum(look.wall))
    for left, right in ((-2, 58), (200, 258)):
        shapes.append(_box((left, 14, right, 258), dark))
        for floor in (74, 136, 198, 258):
            at = left + 4.0
            while at < right - 9:
                width, height = rng.uniform(5, 10), rng.uniform(34, 50)
                cover = mix(COVERS[rng.integers(len(COVERS))], INK, 0.12)
                shapes += _book((at, floor - height, min(at + width, right - 4), floor), cover)
                at += width + 0.8
            shapes.append(_box((left, floor, right, floor + 5), look.wood))
        for edge in ((left, 10, right, 15), (left, 10, left + 3, 258), (right - 3, 10, right, 258)):
            shapes.append(_box(edge, look.wood))
    return shapes


def window(look: Appearance) -> list[Shape]:
    """Return a window with hills and a curtain, a picture and a desk."""
    white, sky, hills = mix(look.wood, WHITE, 0.6), (196, 222, 240), (134, 170, 132)
    shapes = [_box((14, 12, 82, 142), white), _box((19, 17, 77, 136), sky)]
    shapes.append((np.array([(19, 104), (40, 88), (60, 98), (77, 84), (77, 136), (19, 136)]), hills))
    shapes += [oval((62, 40), (8, 8), (250, 240, 204)), _box((46, 17, 49, 136), white)]
    shapes += [_box((19, 72, 77, 75), white), _box((8, 140, 88, 147), mix(look.wood, WHITE, 0.4))]
    drape = mix(look.accent, WHITE, 0.35)
    for at in (2, 10, 18):
        shapes += [_box((at, 6, at + 8, 180), drape), _box((at + 5, 6, at + 8, 180), mix(drape, INK, 0.14))]
    shapes.append(_box((-2, 3, 96, 8), look.wood))
    picture = [_box((196, 32, 236, 62), (232, 208, 172)), oval((216, 50), (12, 12), RED)]
    return [*shapes, *_framed(look, (190, 26, 242, 68), picture), *_desk(look)]


def parlour(look: Appearance) -> list[Shape]:
    """Return panelling, a picture and a plant."""
    panel, groove = mix(look.wall, INK, 0.16), mix(look.wall, INK, 0.3)
    shapes = [_box((0, 150, 256, 256), panel), _box((0, 147, 256, 152), groove)]
    shapes += [_box((x, 160, x + 2, 256), groove) for x in range(12, 256, 29)]
    tree = [_box((25, 29, 59, 73), BLUE), _box((25, 62, 59, 73), mix(LEAF, WHITE, 0.3))]
    tree += [_box((40, 50, 44, 66), RED), oval((42, 46), (11, 13), GREEN)]
    shapes += _framed(look, (18, 22, 66, 80), tree)
    for angle, reach in ((-2.5, 58), (-2.1, 74), (-1.75, 84), (-1.35, 80), (-1.0, 66), (-0.6, 50)):
        shapes += _leaf((225, 212), angle, reach)
    pot = np.array([(206, 210), (244, 210), (239, 254), (211, 254)])
    return [*shapes, (pot, (178, 98, 70)), _box((203, 206, 247, 214), (160, 84, 60))]


def office(look: Appearance) -> list[Shape]:
    """Return a lamp that glows, a shelf and a desk."""
    reaches = range(62, 20, -7)
    shapes = [oval((46, 66), (r, r), mix(look.wall, GLOW, 0.12 + (62 - r) / 54)) for r in reaches]
    shapes.append(band([(46, 84), (46, 232)], 4, mix(look.wood, INK, 0.5)))
    shapes.append((np.array([(30, 46), (62, 46), (76, 88), (16, 88)]), (250, 236, 190)))
    shapes += [_box((186, 96, 258, 102), look.wood), _box((186, 102, 258, 105), mix(look.wall, INK, 0.35))]
    for at, cover, height in ((192, BLUE, 36), (201, YELLOW, 42), (209, RED, 33), (217, VIOLET, 39)):
        shapes += _book((at, 96 - height, at + 7, 96), cover)
    return [*shapes, oval((240, 84), (11, 13), GREEN), _box((236, 66, 244, 76), GREEN), *_desk(look)]


ROOMS = (study, window, parlour, office)


def _box(box: Box, colour: Colour) -> Shape:
    left, top, right, bottom = box
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), colour


def _book(box: Box, cover: Colour) -> list[Shape]:
    """Return the back of a book with its label."""
    left, top, right, bottom = box
    height = bottom - top
    label = (left, top + 0.25 * height, right, top + 0.38 * height)
    return [_box(box, cover), _box(label, mix(cover, WHITE, 0.5))]


def _framed(look: Appearance, box: Box, picture: list[Shape]) -> list[Shape]:
    """Return a picture in its frame, which throws a shadow."""
    left, top, right, bottom = box
    shadow = _box((left + 2, top + 3, right + 3, bottom + 4), mix(look.wall, INK, 0.3))
    return [shadow, _box(box, look.wood), _box((left + 3, top + 3, right - 3, bottom - 3), WHITE), *picture]


def _desk(look: Appearance) -> list[Shape]:
    """Return the edge of a desk behind the puppet."""
    dark = mix(look.wood, INK, 0.35)
    board, gap = _box((-2, 226, 258, 233), look.wood), _box((-2, 233, 258, 235), mix(dark, INK, 0.4))
    return [_box((-2, 226, 258, 258), dark), board, gap]


def _leaf(root: tuple[float, float], angle: float, reach: float) -> list[Shape]:
    """Return a leaf that hangs a little, and its rib."""
    along = np.array([np.cos(angle), np.sin(angle)])
    half = 5.0 * np.array([-along[1], along[0]])
    rib = [np.array(root) + reach * s * along + [0, reach * 0.2 * s**2] for s in (0, 0.35, 0.7, 1)]
    outline = np.array([rib[0], rib[1] + half, rib[2] + half, rib[3], rib[2] - half, rib[1] - half])
    return [blob(outline, LEAF), band(np.array(rib), 1.2, mix(LEAF, INK, 0.35))]
