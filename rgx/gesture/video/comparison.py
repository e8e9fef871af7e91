"""Pictures beside each other: comparisons that move, and strips of frames for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rgx.errors import InputError
from rgx.gesture.video.files import fit

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


def strip(rows: Mapping[str, Sequence[np.ndarray]], size_px: int) -> np.ndarray:
    """Return one picture (H, W, 3) uint8: a row of square frames for each label, time to the right.

    Frames (H, H, 3) uint8 are shown `size_px` wide. Raises InputError without frames or for rows of
    different lengths. Source: the layout of Figs. 4 and 5.
    """
    counts = {label: len(frames) for label, frames in rows.items()}
    if len(set(counts.values())) != 1 or not any(counts.values()):
        raise InputError(f"a strip with rows of {counts} frames: expected rows of the same number, 1 or more")
    columns, height = max(counts.values()), max(size_px, BAR_PX)
    left = max(_width(label) for label in rows) + 2 * GAP_PX
    step = size_px + GAP_PX
    size = len(rows) * (height + GAP_PX) - GAP_PX, left + columns * step - GAP_PX
    page = np.full((*size, 3), PAPER, np.uint8)
    for row, (label, frames) in enumerate(rows.items()):
        top = row * (height + GAP_PX)
        page[top : top + height, :left] = _text(label, left, height, INK, PAPER)
        for column, frame in enumerate(frames):
            start = left + column * step
            page[top : top + size_px, start : start + size_px] = fit(frame, size_px)
    return page


def pick(frames: int, columns: int) -> list[int]:
    """Return `columns` evenly spaced frames, the first and the last among them; one column is the middle.

    Frames repeat where there are fewer than columns. Raises ValueError without frames or columns.
    """
    if frames < 1 or columns < 1:
        raise ValueError(f"{columns} of {frames} frames: expected 1 or more of 1 or more")
    places = np.linspace(0, frames - 1, columns) if columns > 1 else np.array([(frames - 1) / 2])
    return [int(place) for place in places.round()]


def _label(text: str, width: int) -> np.ndarray:
    return _text(text, width, BAR_PX, PAPER, INK)


def _width(text: str) -> int:
    return int(np.ceil(ImageFont.load_default(TEXT_PX).getlength(text)))


def _text(text: str, width: int, height: int, ink: int, paper: int) -> np.ndarray:
    """Return text in the middle of a box (H, W, 3) uint8, its end left out where it does not fit."""
    room = width - 2 * GAP_PX
    if _width(text) > room:
        while text and _width(text + "…") > room:
            text = text[:-1]
        text += "…"
    box = Image.new("L", (width, height), paper)
    font = ImageFont.load_default(TEXT_PX)
    ImageDraw.Draw(box).text((width / 2, height / 2), text, fill=ink, font=font, anchor="mm")
    return np.repeat(np.asarray(box)[..., None], 3, axis=-1)
