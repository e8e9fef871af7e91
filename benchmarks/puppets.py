"""Puppets as they are drawn, on one sheet, and what a frame of them takes: `python benchmarks/puppets.py`.

Writes docs/figures/puppets.png, a moment of four speakers at 256 px, others at 128 px and at 64 px, all
shown at one size, and prints milliseconds of CPU time and bytes of a frame by size.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from PIL import Image
from tabulate import tabulate

from rgx.gesture.data.lively_world import LivelyWorld
from rgx.gesture.data.picture_file import compress
from rgx.gesture.data.puppet_render import render
from rgx.gesture.data.puppets import Puppets

FIGURE = Path(__file__).resolve().parents[1] / "docs/figures/puppets.png"
MOMENTS = {256: 53, 128: 8, 64: 98}
"""The frame of a clip that is shown, by size."""
SPEAKERS = range(4)
COLOURS = 224
"""As many are told from all; the figure takes a third of the bytes."""


def main() -> None:
    """Draw a clip of each speaker in each size."""
    corpus = Puppets(LivelyWorld(), speakers=len(SPEAKERS), train_clips=1, test_clips=0, clip_s=8.0)
    # Points as a tracker has them differ from the puppet's own only where it loses a hand.
    points = [corpus.clip("train", speaker, 0).keypoints for speaker in SPEAKERS]
    drawn, rows = {}, []
    for size in MOMENTS:
        render(points[0], 0, size)
        start = time.process_time()
        drawn[size] = [render(points[speaker], speaker, size) for speaker in SPEAKERS]
        spent = time.process_time() - start
        sizes = [len(compress(frame)) for clip in drawn[size] for frame in clip[::10]]
        rows.append([size, 1e3 * spent / sum(map(len, drawn[size])), round(float(np.mean(sizes)))])
    print(tabulate(rows, ["px", "ms a frame", "bytes a frame"], floatfmt=".2f"))
    Image.fromarray(sheet(drawn)).quantize(COLOURS).save(FIGURE, optimize=True)
    print(f"{FIGURE}: {FIGURE.stat().st_size / 1024:.0f} KiB")


def sheet(drawn: dict[int, list[np.ndarray]]) -> np.ndarray:
    """Return a picture with a row for each size, a column for each speaker."""
    rows = []
    for size, moment in MOMENTS.items():
        row = np.concatenate([clip[moment] for clip in drawn[size]], axis=1)
        rows.append(row.repeat(256 // size, 0).repeat(256 // size, 1))
    return np.concatenate(rows)


if __name__ == "__main__":
    main()
