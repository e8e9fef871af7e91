"""Heads of puppets: neck, hair, and a face that follows its 68 points."""

from __future__ import annotations

import numpy as np

from rgx.gesture.data.puppet_body import FRAME_PX
from rgx.gesture.data.puppet_hair import textures
from rgx.gesture.data.puppet_layers import (
    Layer,
    disc,
    fill,
    mix,
    on,
    ribbon,
    smooth,
    stroke,
    turned,
    unit,
    warped,
)
from rgx.gesture.data.puppet_look import INK, WHITE, Appearance

HALF_PX = 20.0
"""About half a head's width in a frame of 256 px."""
NECK = ((-0.5, 0.5), (0.5, 0.5), (0.52, 1.5), (0.95, 1.9), (0, 3.2), (-0.95, 1.9), (-0.52, 1.5))
CHIN_SHADE = ((-0.52, 0.5), (0.52, 0.5), (0.53, 1.3), (0.2, 1.5), (-0.25, 1.42), (-0.53, 1.22))
COLLAR_BONES = (((-0.6, 2.05), (-0.12, 2.2)), ((0.6, 2.05), (0.12, 2.2)))
"""In half head widths from the middle between the ears."""


def head(look: Appearance, face: np.ndarray, half: float, canvas_px: int) -> tuple[list[Layer], list[Layer]]:
    """Return the layers behind the torso and those before it, of a face (T, 68, 2) in px of the canvas.

    half: half the head's width, in px.
    """
    middle = (face[:, 0] + face[:, 16]) / 2
    across = (face[:, 16] - face[:, 0]) / 2
    axes = np.stack([across, turned(across)], axis=1)
    back, skull, front = (
        warped(texture, middle, axes, canvas_px) for texture in textures(look, HALF_PX * canvas_px / FRAME_PX)
    )
    jaw = face[:, :17]
    # What is lit leaves shade on the right.
    lit = jaw - across[:, None] * (0.14 * np.linspace(0, 1, 17) ** 2 - 0.04)[:, None]
    outline = middle[:, None] + 1.05 * (jaw - middle[:, None])
    chin = [fill(outline, look.line), fill(jaw, look.shade), fill(lit, look.skin)]
    features = [*_eyes(look, face, axes, half), *_nose(look, face, axes, half), *_mouth(look, face, half)]
    return [back, *_neck(look, middle, axes, half)], [*chin, skull, *features, front]


def _neck(look: Appearance, middle: np.ndarray, axes: np.ndarray, half: float) -> list[Layer]:
    """Return neck and chest, with the chin's shade on them."""
    skin = np.array(NECK)
    return [
        fill(on(middle, axes, skin * [1.07, 1]), look.line),
        fill(on(middle, axes, skin), look.skin),
        fill(on(middle, axes, np.array(CHIN_SHADE)), mix(look.shade, look.line, 0.15)),
        *(stroke(on(middle, axes, np.array(bone)), look.shade, 0.06 * half) for bone in COLLAR_BONES),
    ]


def _eyes(look: Appearance, face: np.ndarray, axes: np.ndarray, half: float) -> list[Layer]:
    """Return eyes and brows."""
    layers = []
    for eye in (face[:, 36:42], face[:, 42:48]):
        layers += _eye(look, eye, axes[:, 1], half)
    for brow in (face[:, 17:22], face[:, 22:27]):
        thick = half * np.array([0.035, 0.06, 0.07, 0.06, 0.035])
        layers.append(fill(ribbon(brow, thick), mix(look.hair, INK, 0.25)))
    return layers


def _eye(look: Appearance, eye: np.ndarray, down: np.ndarray, half: float) -> list[Layer]:
    """Return white, iris, glint and lids of an eye (T, 6, 2), from its left corner over the upper lid."""
    middle, lids = eye.mean(1), eye.copy()
    lids[:, [1, 2]] -= 0.035 * down[:, None]
    lids[:, [4, 5]] += 0.02 * down[:, None]
    height = (eye[:, 4] + eye[:, 5] - eye[:, 1] - eye[:, 2]) / 2
    opened = np.abs((height * unit(down)).sum(-1, keepdims=True))
    visible = np.minimum(0.11 * half, 0.62 * opened + 0.012 * half)
    iris = np.concatenate([np.full_like(visible, 0.1 * half), visible], axis=1)
    return [
        stroke(lids[:, :4] - 0.075 * down[:, None], look.shade, 0.05 * half),
        fill(lids, WHITE),
        disc(middle, iris, look.iris),
        disc(middle, 0.55 * iris, INK),
        disc(middle - 0.035 * half, 0.3 * iris, WHITE),
        fill(ribbon(lids[:, :4], half * np.array([0.02, 0.036, 0.036, 0.028])), INK),
        stroke(lids[:, [3, 4, 5, 0]], look.line, 0.035 * half),
    ]


def _nose(look: Appearance, face: np.ndarray, axes: np.ndarray, half: float) -> list[Layer]:
    """Return the nose's shade, its wings and the light on its tip."""
    root, tip, right = face[:, 27], face[:, 30], axes[:, 0]
    side = [root, tip + 0.02 * right, face[:, 35] + 0.03 * right, face[:, 34], tip - 0.06 * right]
    return [
        fill(np.stack(side, axis=1), look.shade),
        stroke(face[:, 31:36], look.line, 0.05 * half),
        disc(tip - 0.05 * right - 0.03 * axes[:, 1], (0.05 * half, 0.05 * half), look.light),
    ]


def _mouth(look: Appearance, face: np.ndarray, half: float) -> list[Layer]:
    """Return lips, with teeth and tongue where they part, and the shade below them."""
    outer, inner = face[:, 48:60], face[:, 60:68]
    upper, lower = inner[:, :5], inner[:, [0, 7, 6, 5, 4]]
    teeth = np.concatenate([upper[:, 1:4], (0.55 * upper + 0.45 * lower)[:, 3:0:-1]], axis=1)
    tongue = np.concatenate([lower[:, 1:4], (0.7 * lower + 0.3 * upper)[:, 3:0:-1]], axis=1)
    seam = np.concatenate([outer[:, [0]], upper, outer[:, [6]]], axis=1)
    below = face[:, 57] + 0.12 * (face[:, 57] - face[:, 27])
    aside = np.array([0.12 * half, 0.0])
    return [
        fill(smooth(outer), look.lip),
        fill(inner, mix(look.lip, INK, 0.75)),
        fill(tongue, mix(look.lip, (210, 70, 80), 0.4)),
        fill(teeth, WHITE),
        stroke(seam, mix(look.lip, INK, 0.55), 0.035 * half),
        stroke(np.stack([below - aside, below + aside], axis=1), look.shade, 0.06 * half),
    ]
