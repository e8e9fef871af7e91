"""Contact sheets: a few pictures of a clip with the skeleton drawn over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from PIL import Image, ImageDraw

from rgx.gesture.skeleton import FACE, LEFT_HAND, RIGHT_HAND, edges

COLUMNS = 6
COLOURS = {**dict.fromkeys(FACE, "#ffd34d"), **dict.fromkeys(LEFT_HAND, "#4de1ff")}
COLOURS |= dict.fromkeys(RIGHT_HAND, "#ff7be0")
BONE = "#8cff66"


class Kept:
    """Passes pictures on, tells how many, and keeps those of some numbers by number."""

    def __init__(
        self, pictures: Iterable[np.ndarray], numbers: Iterable[int], tell: Callable[[int], None]
    ) -> None:
        self.source, self.numbers, self.tell = pictures, set(numbers), tell
        self.pictures: dict[int, np.ndarray] = {}

    def __iter__(self) -> Iterator[np.ndarray]:
        for number, picture in enumerate(self.source):
            if number in self.numbers:
                self.pictures[number] = picture
            self.tell(number + 1)
            yield picture


def draw_sheet(pictures: dict[int, np.ndarray], points: np.ndarray, seen: np.ndarray) -> Image.Image:
    """Return pictures (H, H, 3) side by side with the seen points (T, 133, 3) of their frames as bones."""
    drawn = [_draw(picture, points[number], seen[number]) for number, picture in sorted(pictures.items())]
    sheet = Image.new("RGB", (sum(each.width for each in drawn), drawn[0].height))
    left = 0
    for each in drawn:
        sheet.paste(each, (left, 0))
        left += each.width
    return sheet


def _draw(picture: np.ndarray, points: np.ndarray, seen: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for a, b in edges():
        if seen[a] and seen[b]:
            pen.line([tuple(points[a, :2]), tuple(points[b, :2])], fill=COLOURS.get(b, BONE), width=1)
    return image
