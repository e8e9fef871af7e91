"""How each puppet looks: its colours, its hair, what it wears and where it stands."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from rgx.gesture.data.puppet_layers import Colour, mix

INK: Colour = (38, 30, 34)
WHITE: Colour = (248, 248, 246)


@dataclass(frozen=True)
class Appearance:
    """The look of one puppet; what stands in a list is chosen by its number there.

    waist: half its width in shoulder widths; covered: how far a sleeve reaches, 1 to the elbow, 2 to the
    wrist; cuff: what share of its bone it takes.
    """

    wall: Colour
    wood: Colour
    skin: Colour
    hair: Colour
    cloth: Colour
    accent: Colour
    trousers: Colour
    iris: Colour
    lip: Colour
    cut: int
    fabric: int
    neckline: int
    scene: int
    waist: float
    covered: float
    cuff: float

    @property
    def line(self) -> Colour:
        """Return the colour of skin's outlines and of the gaps between fingers."""
        return mix(self.skin, (44, 12, 8), 0.7)

    @property
    def shade(self) -> Colour:
        """Return the colour of skin in shade."""
        return mix(self.skin, (110, 30, 20), 0.27)

    @property
    def light(self) -> Colour:
        """Return the colour of skin in light."""
        return mix(self.skin, (255, 236, 214), 0.3)

    @property
    def palm(self) -> Colour:
        """Return the colour of palms and of the fingers' insides, the paler the darker skin is elsewhere."""
        return mix(self.skin, (244, 194, 164), 0.35)

    @property
    def crease(self) -> Colour:
        """Return the colour of the lines in palms."""
        return mix(self.palm, self.line, 0.25)

    @property
    def seam(self) -> Colour:
        """Return the colour of cloth's outlines and folds."""
        return mix(self.cloth, (14, 10, 22), 0.62)


SKIN = ((0.065, 0.36, 0.97), (0.065, 0.44, 0.75), (0.065, 0.39, 0.88), (0.065, 0.5, 0.59))
HAIR = ((0.07, 0.6, 0.27), (0.05, 0.5, 0.2), (0.09, 0.62, 0.66), (0.02, 0.3, 0.13))
IRIS = ((0.07, 0.6, 0.35), (0.58, 0.6, 0.5), (0.3, 0.6, 0.42), (0.06, 0.6, 0.22))
LIPS = ((0.99, 0.48, 0.76), (0.99, 0.52, 0.63), (0.99, 0.5, 0.71), (0.99, 0.54, 0.54))
TROUSERS = ((0.61, 0.45, 0.36), (0.08, 0.25, 0.3), (0.62, 0.55, 0.42), (0.7, 0.2, 0.27))
WOOD = ((0.08, 0.45, 0.62), (0.08, 0.45, 0.5), (0.08, 0.45, 0.7), (0.08, 0.45, 0.42))
"""Hue, saturation and value of each fourth speaker."""
CLOTH = ((0.72, 0.5), (0.2, 0.92))
ACCENT = ((0.12, 0.95), (0.75, 0.48))
"""Saturation and value of what is worn, dark with a pale pattern or the other way round."""
SLEEVES = ((1.45, 0.2), (1.9, 0.13), (0.62, 0.1), (1.9, 0.13))
"""How far they reach, and their cuffs: rolled, long, short, long."""


def look(speaker: int) -> Appearance:
    """Return the look of a speaker's number: four differ in everything, any two in their colours."""
    hue, step, turn = 0.58 + 0.381966 * speaker, speaker % 4, speaker // 4
    shifted = (speaker + turn) % 4
    covered, cuff = SLEEVES[shifted]
    return Appearance(
        wall=_colour(hue, 0.16, 0.9),
        wood=_colour(*WOOD[step]),
        skin=_colour(*SKIN[step]),
        hair=_colour(*HAIR[step]),
        cloth=_colour(hue + 0.45, *CLOTH[shifted % 2]),
        accent=_colour(hue + 0.5, *ACCENT[shifted % 2]),
        trousers=_colour(*TROUSERS[step]),
        iris=_colour(*IRIS[step]),
        lip=_colour(*LIPS[step]),
        cut=shifted,
        fabric=(speaker + 2 * turn) % 4,
        neckline=(speaker + 3 * turn) % 4,
        scene=shifted,
        waist=(0.41, 0.37, 0.42, 0.38)[step],
        covered=covered,
        cuff=cuff,
    )


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)
