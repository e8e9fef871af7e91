"""Rows of a panel side by side in one video, each below its label, with the speech that they share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from rgx.gesture.video.comparison import side_by_side

VERSION = 1
"""Raise it whenever the same pictures would be laid out otherwise."""
LEAST_PX, ACROSS = 128, 6
"""How wide a picture is shown at least, so that its label can be read, and how many stand side by side."""


def write(path: Path, rows: Mapping[str, Iterable[np.ndarray]], waveform: np.ndarray) -> None:
    """Write rows of frames (H, H, 3) uint8 as one mp4; raises InputError where it cannot be written."""
    from rgx.gesture.video.files import write_mp4  # it brings PyAV, and few reports have a new film

    write_mp4(path, laid_out(rows), waveform if len(waveform) else None)


def laid_out(rows: Mapping[str, Iterable[np.ndarray]]) -> Iterator[np.ndarray]:
    """Yield pictures of several rows at once, ACROSS beside each other and the rest below.

    A small picture is shown larger by a whole number. Raises InputError for rows that do not fit together.
    """
    labels = list(rows)
    lines = [labels[n : n + ACROSS] for n in range(0, len(labels), ACROSS)]
    filmed = [side_by_side({label: map(_enlarged, rows[label]) for label in line}) for line in lines]
    for pictures in zip(*filmed, strict=True):
        widest = max(picture.shape[1] for picture in pictures)
        yield np.concatenate(
            [np.pad(picture, ((0, 0), (0, widest - picture.shape[1]), (0, 0))) for picture in pictures]
        )


def _enlarged(frame: np.ndarray) -> np.ndarray:
    times = -(-LEAST_PX // len(frame))
    return np.asarray(frame).repeat(times, 0).repeat(times, 1)
