"""Pictures beside each other that move, and which frames of many to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rgx.errors import InputError

BAR_PX, TEXT_PX, GAP_PX = 16, 11, 2
INK, PAPER = 24, 255
"""Grey levels."""


def side_by_side(videos: Mapping[str, Iterable[np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield frames (H + 16, ΣW, 3) uint8 of several videos (H, W, 3) at once, each below its label.

    Raises InputError without videos, for heights that differ, and when one video ends before another.
    Source: ours.
    """
    if not videos:
        raise InputError("no videos to lay side by side")
    bar = np.zeros(0, np.uint8)
    for n, pictures in enumerate(zip_longest(*videos.values())):
        short = [label for label, picture in zip(videos, pictures, strict=True) if picture is None]
        if short:
            raise InputError(f"video '{short[0]}' ends after {n} frames, before one beside it")
        heights = {label: len(picture) for label, picture in zip(videos, pictures, strict=True)}
        if len(set(heights.values())) > 1:
            raise InputError(f"videos side by side with heights of {heights} px: expected one height")
        if not n:
            widths = [picture.shape[1] for picture in pictures]
            bar = np.concatenate([_label(*each) for each in zip(videos, widths, strict=True)], axis=1)
        yield np.concatenate([bar, np.concatenate(pictures, axis=1)])


def pick(frames: int, columns: int) -> list[int]:
    """Return `columns` evenly spaced frames, the first and the last among them; one column is the middle.

    Frames repeat where there are fewer than columns. Raises ValueError without frames or columns.
    """
    if frames < 1 or columns < 1:
        raise ValueError(f"{columns} of {frames} frames: expected 1 or more of 1 or more")
    places = np.linspace(0, frames - 1, columns) if columns > 1 else np.array([(frames - 1) / 2])
    return [int(place) for place in places.round()]


def _label(text: str, width: int) -> np.ndarray:
    """Return a bar (16, W, 3) uint8 with text in its middle, its end left out where it does not fit."""
    room = width - 2 * GAP_PX
    if _width(text) > room:
        while text and _width(text + "…") > room:
            text = text[:-1]
        text += "…"
    bar = Image.new("L", (width, BAR_PX), INK)
    font = ImageFont.load_default(TEXT_PX)
    ImageDraw.Draw(bar).text((width / 2, BAR_PX / 2), text, fill=PAPER, font=font, anchor="mm")
    return np.repeat(np.asarray(bar)[..., None], 3, axis=-1)


def _width(text: str) -> int:
    return int(np.ceil(ImageFont.load_default(TEXT_PX).getlength(text)))
