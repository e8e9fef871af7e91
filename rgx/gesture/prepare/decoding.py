"""Decoded frames to upright RGB pictures, as large as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from PIL import Image

from rgx.gesture.prepare.streams import RefusedError
from rgx.gesture.prepare.timing import at_25_hz, decode
from rgx.gesture.prepare.tones import is_bright, to_screen

DETECTION_PX = 1280
"""The longer side of what an extractor sees; a larger picture only costs time."""
UNSPECIFIED, HD_PX = 2, 720


Colours = Callable[[av.VideoFrame], Colorspace | None]


def colours_of_opencv(frame: av.VideoFrame) -> Colorspace:
    """Return what OpenCV takes all colours for, with which extractors and their published tracks are made.

    Right colours move MediaPipe's points by 0.5 to 2 % of a shoulder width, at random.
    """
    return Colorspace.ITU601


def colours_told(frame: av.VideoFrame) -> Colorspace | None:
    """Return the colours of a frame that does not say: BT.709 in high definition, by convention."""
    if frame.colorspace != UNSPECIFIED:
        return None
    return Colorspace.ITU709 if max(frame.width, frame.height) >= HD_PX else Colorspace.ITU601


class Upright:
    """Turns a file's frames into (H, W, 3) uint8 RGB: upright, pixels square, of common screens' colours.

    They are turned as the display matrix says. pixel_ratio: the width of its pixels over their height. No
    side becomes longer than `longest_px`, if given; full_px is the size without that. colours: how a
    frame's are read.
    """

    def __init__(
        self, path: Path, pixel_ratio: float = 1.0, longest_px: int | None = None,
        colours: Colours = colours_told,
    ) -> None:  # fmt: skip
        self.path, self.pixel_ratio, self.longest_px = path, pixel_ratio, longest_px
        self.colours = colours
        self.reformatter = VideoReformatter()
        self.size: tuple[int, int] | None = None
        self.full_px = 0, 0
        self.last: tuple[av.VideoFrame, np.ndarray] | None = None

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """Return a frame as a picture; raises RefusedError when the size changes midway."""
        if self.last is not None and self.last[0] is frame:
            return self.last[1]
        size = frame.width, frame.height
        if self.size is not None and size != self.size:
            sizes = " to ".join(f"{width}×{height} px" for width, height in (self.size, size))
            raise RefusedError(f"{self.path}: its pictures change from {sizes} midway")
        if self.size is None:
            self.size = size
        width, height = round(frame.width * self.pixel_ratio), frame.height
        turns = round(frame.rotation / 90) % 4
        self.full_px = (height, width) if turns % 2 else (width, height)
        scale = min(1.0, self.longest_px / max(width, height)) if self.longest_px else 1.0
        bright = is_bright(frame.color_trc)
        small = self.reformatter.reformat(
            frame,
            max(2, round(width * scale)),
            max(2, round(height * scale)),
            "rgb48le" if bright else "rgb24",
            src_colorspace=self.colours(frame),
            dst_colorspace=Colorspace.ITU601,
            interpolation=Interpolation.AREA if scale < 1 else Interpolation.BICUBIC,
            threads=1,
        )
        pixels = to_screen(small.to_ndarray(), frame.color_trc) if bright else small.to_ndarray()
        picture = np.ascontiguousarray(np.rot90(pixels, turns))
        self.last = frame, picture
        return picture


def read_pictures(path: Path, upright: Upright) -> Iterator[np.ndarray]:
    """Yield a source's pictures at 25 a second, each as `upright` makes it."""
    for frame in at_25_hz(decode(path)):
        yield upright.picture(frame)


def cut_out(picture: np.ndarray, left: int, top: int, side: int, size_px: int) -> np.ndarray:
    """Return the square at (left, top) as (size_px, size_px, 3); beyond the picture its edge is repeated."""
    height, width = picture.shape[:2]
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    before, after = (
        (rows.start - top, columns.start - left),
        (top + side - rows.stop, left + side - columns.stop),
    )
    inside = picture[rows, columns]
    if any((*before, *after)):
        inside = np.pad(inside, ((before[0], after[0]), (before[1], after[1]), (0, 0)), mode="edge")
    if side == size_px:
        return np.ascontiguousarray(inside)
    return np.asarray(Image.fromarray(inside).resize((size_px, size_px), Image.Resampling.LANCZOS))
