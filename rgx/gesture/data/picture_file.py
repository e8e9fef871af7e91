"""Pictures compressed one by one in one file, without loss: any of them is read without the others.

WebP: of what Pillow and PyAV write without loss it is the smallest and decodes fastest, recordings at 256 px
to 23 % in 1 ms (benchmarks/pictures.py). JPEG and H.264 would halve that, and change what every number is of.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from PIL import Image, features

from rgx.errors import InputError

NAME = "frames.bin"


def check_codec() -> None:
    """Raise InputError when Pillow cannot write and read the pictures."""
    if not features.check("webp"):
        lacking = "Pillow on this machine was built without WebP"
        raise InputError(f"pictures: {lacking}; the wheels of `pip install pillow` have it")


def compress(picture: np.ndarray) -> bytes:
    """Return a picture (H, W, 3) uint8 as WebP without loss."""
    text = io.BytesIO()
    # Its fastest method; a slower one is a tenth smaller on recordings and takes ten times as long.
    Image.fromarray(picture).save(text, "WEBP", lossless=True, quality=0, method=0)
    return text.getvalue()


def decompress(compressed: bytes) -> np.ndarray:
    """Return the picture (H, W, 3) uint8; raises OSError for what is none."""
    with Image.open(io.BytesIO(compressed), formats=("WEBP",)) as picture:
        return np.asarray(picture.convert("RGB"))


class PictureWriter:
    """Appends pictures to a new file; `ends` says where in it each one ends, in bytes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.ends: list[int] = []

    def add(self, pictures: np.ndarray) -> None:
        """Append pictures (T, H, H, 3) uint8."""
        for picture in pictures:
            self._file.write(compress(picture))
            self.ends.append(self._file.tell())

    def __enter__(self) -> PictureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class PictureFile:
    """The pictures of a file as an array (T, H, H, 3) uint8 of which only what is asked for is read.

    ends: where each picture ends, in bytes. Any number of threads may read at once; nothing is kept.
    """

    def __init__(self, path: Path, ends: Sequence[int] | np.ndarray, size_px: int) -> None:
        self._path, self._file = path, path.open("rb")
        self._ends = np.asarray(ends, np.int64)
        self.shape = (len(self._ends), size_px, size_px, 3)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: slice | np.ndarray) -> np.ndarray:
        """Return the pictures (B, H, H, 3) of a slice or of numbers (B,)."""
        numbers = range(*index.indices(len(self))) if isinstance(index, slice) else index.tolist()
        pictures = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        for place, number in zip(pictures, numbers, strict=True):
            self.read_into(place, number)
        return pictures

    def read_into(self, place: np.ndarray, number: int) -> None:
        """Decode one picture into an array (H, H, 3); raises InputError for a damaged file."""
        first = int(self._ends[number - 1]) if number else 0
        # Not mapped: pages of a mapped file count as this process's memory.
        compressed = os.pread(self._file.fileno(), int(self._ends[number]) - first, first)
        try:
            picture = decompress(compressed)
        except OSError as error:
            raise InputError(f"{self._path}: picture {number} cannot be read: {error}") from None
        if picture.shape != place.shape:
            height, width = picture.shape[:2]
            expected = f"expected {place.shape[1]}×{place.shape[0]} px"
            raise InputError(f"{self._path}: picture {number} is {width}×{height} px: {expected}")
        place[:] = picture
