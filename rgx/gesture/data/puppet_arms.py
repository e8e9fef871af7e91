"""Arms of puppets: skin, sleeves, and the folds that come and go as they bend."""

from __future__ import annotations

import numpy as np

from rgx.gesture.data.puppet_body import Puppet
from rgx.gesture.data.puppet_clothes import bone_axes, sleeve
from rgx.gesture.data.puppet_layers import Layer, crease, fill, on, ribbon, stroke, turned, unit, warped
from rgx.gesture.data.puppet_look import Appearance
from rgx.gesture.data.puppet_textures import mirrored

JOINTS = ((5, 7, 9), (6, 8, 10))
"""Shoulder, elbow and wrist, of left and right."""
CLOTH = np.array([0.15, 0.118, 0.085])
"""Radii of a sleeve at those, in shoulder widths as all lengths here."""
SKIN = np.array([0.11, 0.092, 0.062])
"""Radii of the arm in it."""
OUTLINE = 0.02
PULLED = (
    (((0.46, 0.33), (0.36, 0.21), (0.31, 0.05)), 0.1),
    (((0.45, 0.37), (0.3, 0.3), (0.19, 0.18)), 0.3),
    (((0.44, 0.42), (0.3, 0.41), (0.2, 0.36)), 0.6),
)
"""Folds of the torso from a left armpit, and how far the arm is raised when they begin to show."""


def silhouettes(look: Appearance, points: np.ndarray, width: float) -> list[Layer]:
    """Return the outlines of the upper arms, which lie behind the torso; width: of shoulders, in px."""
    radii = width * (CLOTH[:2] + OUTLINE)
    return [fill(ribbon(points[:, arm[:2]], radii), look.seam) for arm in JOINTS]


def armpits(look: Appearance, points: np.ndarray, width: float, axes: np.ndarray) -> list[Layer]:
    """Return the folds that a raised arm pulls over the torso, whose axes (T, 2, 2) are in px."""
    layers = []
    chest = (points[:, 5] + points[:, 6]) / 2
    for (shoulder, elbow, _), side in zip(JOINTS, (1, -1), strict=True):
        raised = 1 - (unit(points[:, elbow] - points[:, shoulder]) * unit(axes[:, 1])).sum(-1)
        for path, least in PULLED:
            depth = 0.6 * np.clip((raised - least) / 0.9, 0, 1)
            layers.append(crease(on(chest, axes, mirrored(path, side)), look.seam, depth, 0.022 * width))
    return layers


def arms(look: Appearance, who: Puppet, points: np.ndarray, width: float, canvas_px: int) -> list[Layer]:
    """Return the layers of both arms up to the wrists; width: of shoulders, in px of the canvas."""
    layers: list[Layer] = []
    for arm in JOINTS:
        joints = points[:, arm]
        layers += _bare(look, joints, width)
        for bone in range(int(look.covered) + 1):
            layers += _sleeve(look, who, joints, bone, width, canvas_px)
        layers += [*_elbow(look, joints, width), *_sleeve_end(look, joints, width)]
    return layers


def _bare(look: Appearance, joints: np.ndarray, width: float) -> list[Layer]:
    """Return the arm (joints (T, 3, 2)) from where it may show, lit from the upper left."""
    layers: list[Layer] = []
    for bone in range(int(look.covered), 2):
        path, radii = joints[:, bone : bone + 2], width * SKIN[bone : bone + 2]
        lit = ribbon(path - 0.022 * width, 0.76 * radii)
        layers.append(fill(ribbon(path, radii + OUTLINE * width), look.line))
        layers += [fill(ribbon(path, radii), look.shade), fill(lit, look.skin)]
    return layers


def _sleeve(
    look: Appearance, who: Puppet, joints: np.ndarray, bone: int, width: float, canvas_px: int
) -> list[Layer]:
    """Return the cloth on the upper arm (bone 0) or the forearm (1), as far as it is covered."""
    start, end = joints[:, bone], joints[:, bone + 1]
    length, last = (who.upper_arm, who.forearm)[bone], bone == int(look.covered)
    share = look.covered - bone if last else 1.0
    first, second = CLOTH[bone : bone + 2].tolist()
    cuff = (share - look.cuff) * length if last else length + 1
    texture = sleeve(look, length, (first, second), canvas_px, cuff)
    stop, radii = start + share * (end - start), width * np.array([first, first + share * (second - first)])
    cloth = ribbon(np.stack([start, stop], 1), radii, flat_end=last)
    # Outlined from a third on only, so that it grows out of what it hangs on.
    free = np.stack([start + 0.35 * (end - start), stop], 1)
    return [
        fill(ribbon(free, radii + OUTLINE * width, flat_end=last), look.seam),
        warped(texture, start, bone_axes(start, end, length, width), canvas_px, cloth),
    ]


def _elbow(look: Appearance, joints: np.ndarray, width: float) -> list[Layer]:
    """Return the creases inside a bent elbow: three in cloth, one in skin."""
    shoulder, elbow, wrist = (joints[:, joint] for joint in range(3))
    back, forth = unit(shoulder - elbow), unit(wrist - elbow)
    depth = np.clip(0.8 * (1 + (back * forth).sum(-1)) - 0.1, 0, 0.8)
    inside = unit(back + forth)
    along = turned(inside)
    ink, spreads = (look.seam, (-0.75, 0.0, 0.75)) if look.covered > 1 else (look.line, (0.0,))
    layers = []
    for spread in spreads:
        start = elbow + width * (0.105 * inside + 0.05 * spread * along)
        stop = elbow + width * (-0.05 * inside + 0.15 * spread * along)
        layers.append(crease(np.stack([start, stop], 1), ink, depth, 0.024 * width))
    return layers


def _sleeve_end(look: Appearance, joints: np.ndarray, width: float) -> list[Layer]:
    """Return the edge of a sleeve on the skin, across the bone it ends on."""
    bone = int(look.covered)
    start, end = joints[:, bone], joints[:, bone + 1]
    share = look.covered - bone
    radius = CLOTH[bone] + share * (CLOTH[bone + 1] - CLOTH[bone])
    across = turned(unit(end - start)) * width * radius
    stop = start + share * (end - start)
    return [stroke(np.stack([stop - across, stop + across], 1), look.seam, 0.03 * width)]
