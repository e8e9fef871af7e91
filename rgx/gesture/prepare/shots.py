"""Cuts between shots: where the picture changes at once and stays changed."""

from __future__ import annotations

from collections import deque
from itertools import groupby

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 32, 18
REACH = 4
"""Frames looked at on each side; what returns within them was a flash, not another shot."""
JUMP, STAY, ABOVE = 0.045, 0.04, 2.5
"""Least change at a cut, least change that lasts, and how far it stands above what is before or after."""


def cells_of(picture: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 as the means of its cells (18, 32, 3) uint8."""
    small = Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small)


class Shots:
    """Watches the cells of pictures one by one; a cut's number is that of the new shot's first picture.

    Pictures are compared in 32 × 18 cells, on the scale of square roots where dark ones differ too, and a
    change is the median over cells: hands, heads and an inserted picture leave most cells alone. Dissolves
    are not found. Source: ours; thresholds between the least cut and the most motion in six recordings.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.steps: list[float] = []
        self.stays: dict[int, float] = {}
        self.recent: deque[np.ndarray] = deque(maxlen=2 * REACH)
        self.last_cells: np.ndarray | None = None
        self.repeats: list[bool] = []

    def see(self, cells: np.ndarray) -> None:
        """Take the cells (18, 32, 3) uint8 of the next picture."""
        self.repeats.append(self.last_cells is not None and np.array_equal(self.last_cells, cells))
        self.last_cells = cells
        now = np.sqrt(cells.astype(np.float32) / 255)
        self.steps.append(_change(self.recent[-1], now) if self.recent else 0.0)
        self.recent.append(now)
        self.seen += 1
        if self.seen > REACH:
            self._look_back(self.seen - REACH, len(self.recent) - REACH)

    def _look_back(self, number: int, place: int) -> None:
        """Note how much of a change at picture `number`, the one at `place` of the recent ones, lasts."""
        if self.steps[number] > JUMP and place > 0:
            recent = list(self.recent)
            self.stays[number] = min(_change(a, b) for a in recent[:place] for b in recent[place:])

    def stills(self, least: float) -> list[tuple[int, int]]:
        """Return [first, last) of each run of more than `least` pictures that repeat the one before.

        No camera gives the same cells twice: a program wrote its last picture again.
        """
        runs, place = list[tuple[int, int]](), 0
        for repeats, run in groupby(self.repeats):
            count = len(list(run))
            if repeats and count > least:
                runs.append((place, place + count))
            place += count
        return runs

    def cuts(self) -> list[int]:
        """Return the numbers of all cuts, once all pictures were seen."""
        for number in range(max(1, self.seen - REACH + 1), self.seen):
            self._look_back(number, len(self.recent) - (self.seen - number))
        return [
            number for number, stay in sorted(self.stays.items()) if stay > STAY and self._stands_out(number)
        ]

    def _stands_out(self, number: int) -> bool:
        """Return whether it is calm before or after: a camera swung round changes all it sees for long."""
        before = self.steps[max(1, number - REACH) : number]
        after = self.steps[number + 1 : number + 1 + REACH]
        calmer = min((max(side) for side in (before, after) if side), default=0.0)
        return self.steps[number] > ABOVE * calmer


def _change(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.median(np.abs(first - second).mean(axis=-1)))
