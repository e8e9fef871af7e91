"""Hands of puppets: palms that face the viewer, and five fingers apart, with creases and a nail."""

from __future__ import annotations

import numpy as np

from rgx.gesture.data.puppet_layers import Layer, disc, fill, mix, ribbon, smooth, stroke, turned, unit
from rgx.gesture.data.puppet_look import WHITE, Appearance
from rgx.gesture.skeleton import FINGERS, LEFT_HAND, RIGHT_HAND

OUTLINE = 0.016
"""Lines around skin, in shoulder widths as all lengths here."""
RADII = np.array([0.026, 0.024, 0.022, 0.018])
"""Of a finger, from its knuckle to its tip."""
THICKNESS = (1.15, 1.0, 1.04, 1.0, 0.94)
"""Of thumb to little finger, beside RADII."""
THUMB, LITTLE = 0, 4
WRIST, KNUCKLES = 0, (5, 9, 13, 17)


def hands(look: Appearance, points: np.ndarray, width: float) -> list[Layer]:
    """Return the layers of both hands, the right one in front; width: of shoulders, in px."""
    return [
        layer
        for hand, elbow in ((LEFT_HAND, 7), (RIGHT_HAND, 8))
        for layer in _hand(look, points[:, list(hand)], points[:, elbow], width)
    ]


def palm(hand: np.ndarray, elbow: np.ndarray, width: float, wider: float = 0.0) -> np.ndarray:
    """Return the outline (T, N, 2) of the palm of a hand (T, 21, 2), wider by so many shoulder widths."""
    wrist, thumb, (index, middle, ring, little) = hand[:, WRIST], hand[:, 1], (hand[:, k] for k in KNUCKLES)
    ahead, back = unit((index + little) / 2 - wrist), unit(elbow - wrist)
    aside = unit(index - little)
    across = turned(back)
    across = across * np.where((across * aside).sum(-1, keepdims=True) < 0, -1, 1)
    rim, sleeve = width * (0.018 + wider), width * (0.055 + wider) * across
    corners = [
        wrist + sleeve + 0.03 * width * back,
        thumb + rim * (0.6 * aside - 0.3 * ahead),
        0.4 * thumb + 0.6 * index + 0.35 * rim * aside,
        index + rim * (aside + ahead),
        middle + 1.3 * rim * ahead,
        ring + 1.3 * rim * ahead,
        little + rim * (ahead - aside),
        (wrist + little) / 2 - width * (0.05 + wider) * aside,
        wrist - sleeve + 0.03 * width * back,
    ]
    return smooth(np.stack(corners, axis=1))


def _hand(look: Appearance, hand: np.ndarray, elbow: np.ndarray, width: float) -> list[Layer]:
    """Return one hand's layers: fingers from the little one on, the palm on their roots, the thumb on it."""
    layers = [fill(palm(hand, elbow, width, OUTLINE), look.line)]
    for finger in range(LITTLE, THUMB, -1):
        layers += _finger(look, hand, finger, width)
    layers += [fill(palm(hand, elbow, width), look.palm), *_lines(look, hand, width)]
    nail = 0.3 * hand[:, 3] + 0.7 * hand[:, 4]
    pale = disc(nail, (0.009 * width, 0.009 * width), mix(look.palm, WHITE, 0.55))
    return [*layers, *_finger(look, hand, THUMB, width), pale]


def _finger(look: Appearance, hand: np.ndarray, finger: int, width: float) -> list[Layer]:
    """Return a finger's outline, its skin and the creases of its joints."""
    joints = hand[:, list(FINGERS[finger][1:])]
    root = joints[:, 0] + 0.25 * (hand[:, WRIST] - joints[:, 0])
    path = np.concatenate([root[:, None], joints[:, 1:]], axis=1)
    radii = width * RADII * THICKNESS[finger]
    layers = [fill(ribbon(path, radii + OUTLINE * width), look.line), fill(ribbon(path, radii), look.palm)]
    for joint in (1, 2) if finger != THUMB else ():
        across = 0.75 * radii[joint] * turned(unit(joints[:, joint] - joints[:, joint - 1]))
        crease = np.stack([joints[:, joint] - across, joints[:, joint] + across], axis=1)
        layers.append(stroke(crease, look.crease, 0.012 * width))
    return layers


def _lines(look: Appearance, hand: np.ndarray, width: float) -> list[Layer]:
    """Return the line around the ball of the thumb and the one below the fingers."""
    wrist, thumb, index, little = (hand[:, joint] for joint in (WRIST, 1, 5, 17))
    middle = (wrist + index + little) / 3
    ball = [0.55 * thumb + 0.45 * index, 0.65 * middle + 0.35 * thumb, 0.8 * wrist + 0.2 * middle]
    bend = [0.72 * index + 0.28 * middle, 0.45 * (index + little) + 0.1 * wrist, 0.78 * little + 0.22 * wrist]
    return [stroke(np.stack(line, axis=1), look.crease, 0.016 * width) for line in (ball, bend)]
