"""Hair and skulls of puppets, painted in half head widths around the middle between the ears."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from rgx.gesture.data.puppet_layers import Texture, mix
from rgx.gesture.data.puppet_look import INK, WHITE, Appearance
from rgx.gesture.data.puppet_textures import (
    LOOKS_KEPT,
    Box,
    Path,
    Shape,
    band,
    blob,
    mirrored,
    oval,
    painted,
)

BOX: Box = (-1.9, -2.1, 1.9, 2.6)
"""What hair and skull may fill."""

Hair = tuple[list[Shape], list[Shape]]
"""What lies behind neck and ears, and what lies before the forehead."""


def skull(look: Appearance) -> list[Shape]:
    """Return ears, forehead and cheeks, which keep their shape while the jaw moves."""
    shapes = []
    for side in (-1, 1):
        shapes.append(oval((1.04 * side, -0.02), (0.2, 0.31), look.line))
        shapes.append(oval((1.03 * side, -0.02), (0.15, 0.26), look.skin))
        shapes.append(oval((1.06 * side, -0.02), (0.06, 0.15), look.shade))
    turn = np.linspace(np.pi, 2 * np.pi, 24)
    dome = np.stack([np.cos(turn), 1.3 * np.sin(turn)], -1)
    shapes += [(1.03 * dome, look.line), (dome, look.shade), (dome * [0.96, 1] - [0.04, 0], look.skin)]
    blush = mix(look.skin, (222, 62, 52), 0.11)
    return [*shapes, *(oval((0.6 * side - 0.02, 0.3), (0.2, 0.13), blush) for side in (-1, 1))]


def short(look: Appearance) -> Hair:
    """Return short hair with a parting."""
    cap = [(-1.1, 0.0), (-1.15, -0.75), (-0.8, -1.45), (0.0, -1.66), (0.8, -1.45), (1.15, -0.75), (1.1, 0.0)]
    cap += [(0.98, -0.45), (0.86, -0.85), (0.2, -1.0), (-0.4, -0.8), (-0.86, -0.75), (-0.99, -0.4)]
    lines = [[(-0.5, -1.45), (-0.75, -0.95)], [(-0.1, -1.52), (-0.45, -0.95)]]
    lines += [[(0.35, -1.5), (0.1, -1.1)], [(0.8, -1.25), (0.72, -1.0)]]
    return [oval((0, -0.42), (1.1, 1.1), look.hair)], [*_outlined(look, cap), *_strands(look, lines)]


def bob(look: Appearance) -> Hair:
    """Return hair to the chin with a fringe."""
    mane = [(-1.2, -0.9), (0, -1.72), (1.2, -0.9), (1.38, 0.4), (1.22, 1.25), (0.6, 1.2)]
    mane += [(-0.6, 1.2), (-1.22, 1.25), (-1.38, 0.4)]
    fringe = [(-1.24, 0.2), (-1.26, -0.7), (-0.8, -1.5), (0, -1.74), (0.8, -1.5), (1.26, -0.7), (1.24, 0.2)]
    fringe += [(1.0, 0.1), (0.92, -0.62), (0.3, -0.7), (-0.3, -0.7), (-0.92, -0.62), (-1.0, 0.1)]
    lock = [(1.0, -0.5), (1.27, -0.3), (1.4, 0.5), (1.2, 1.22), (0.93, 1.05), (1.03, 0.4)]
    front = [shape for side in (-1, 1) for shape in _outlined(look, mirrored(lock, side))]
    lines = [[(u, v), (1.15 * u, -0.76)] for u, v in ((-0.6, -1.35), (-0.2, -1.5), (0.2, -1.5), (0.6, -1.35))]
    lines += [[(side * 1.2, -0.1), (side * 1.22, 0.9)] for side in (-1, 1)]
    return _outlined(look, mane), [*front, blob(fringe, look.hair), *_strands(look, lines)]


def curls(look: Appearance) -> Hair:
    """Return a crown of curls."""
    turns = np.linspace(0.93 * np.pi, 2.07 * np.pi, 11)
    ring = np.stack([np.cos(turns), np.sin(turns)], -1)
    dark, pale = mix(look.hair, INK, 0.5), mix(look.hair, WHITE, 0.16)
    back = [oval(tuple(p * [1.22, 1.12] - [0, 0.45]), (0.42, 0.4), dark) for p in ring]
    back += [oval((0, -0.6), (1.3, 1.15), look.hair)]
    back += [oval(tuple(p * [1.2, 1.1] - [0, 0.45]), (0.38, 0.36), look.hair) for p in ring]
    front = [oval(tuple(p * [0.95, 0.92] - [0, 0.5]), (0.28, 0.27), look.hair) for p in ring[1:-1]]
    front += [oval(tuple(p * [0.75, 0.7] - [0, 0.75]), (0.3, 0.26), look.hair) for p in ring[2:-2]]
    arc = np.array([(-0.15, 0.04), (-0.08, -0.1), (0.08, -0.1), (0.15, 0.02)])
    for reach, bend in ((0.85, 0.0), (1.02, 0.1), (1.3, 0.0)):
        front += [
            band(arc + np.array((reach * u, reach * v - 0.52 + bend)), 0.05, pale) for u, v in ring[1:-1]
        ]
    return back, front


def long(look: Appearance) -> Hair:
    """Return long hair that falls on the shoulders, parted in the middle."""
    mane = [(-1.25, -0.9), (0, -1.72), (1.25, -0.9), (1.45, 0.6), (1.62, 1.9), (1.2, 2.45)]
    mane += [(0, 2.2), (-1.2, 2.45), (-1.62, 1.9), (-1.45, 0.6)]
    lock = [(0.0, -1.7), (0.85, -1.48), (1.28, -0.7), (1.4, 0.5), (1.5, 1.5), (1.3, 2.3), (0.95, 2.1)]
    lock += [(1.12, 1.2), (1.0, 0.3), (0.92, -0.45), (0.5, -0.95), (0.04, -1.2)]
    lines = [[(0.2, -1.5), (0.8, -0.9)], [(0.6, -1.4), (1.12, -0.4)], [(1.2, 0.1), (1.26, 1.2)]]
    lines += [[(1.3, 0.8), (1.26, 2.0)]]
    front = []
    for side in (-1, 1):
        front += [*_outlined(look, mirrored(lock, side)), *_strands(look, [mirrored(x, side) for x in lines])]
    return _outlined(look, mane), front


@lru_cache(maxsize=LOOKS_KEPT)
def textures(look: Appearance, detail: float) -> tuple[Texture, Texture, Texture]:
    """Return the hair behind, the skull and the hair before it, with `detail` px to half a head's width."""
    back, front = CUTS[look.cut](look)
    return painted(back, BOX, detail), painted(skull(look), BOX, detail), painted(front, BOX, detail)


CUTS = (short, bob, curls, long)


def _outlined(look: Appearance, points: Path) -> list[Shape]:
    outline, colour = blob(points, look.hair)
    return [band([*outline, outline[0]], 0.1, mix(look.hair, INK, 0.5)), (outline, colour)]


def _strands(look: Appearance, lines: Sequence[Path]) -> list[Shape]:
    return [band(line, 0.05, mix(look.hair, WHITE, 0.11)) for line in lines]
