"""Rows kept on disk part by part, so that a killed stage goes on at the part where it stopped."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from rgx.store.artifacts import read_json, write_json

KEEP_EVERY_S = 1.0


class KeptRows:
    """An array (rows, width) float32 in a running stage's folder, and how many parts of it are whole.

    Its files begin with a dot: they are no part of the artifact.
    """

    def __init__(self, folder: Path, rows: int, width: int) -> None:
        self.path, self.mark = folder / ".rows.npy", folder / ".rows.json"
        mark = read_json(self.mark) or {}
        same = mark.get("shape") == [rows, width] and "parts" in mark and self.path.is_file()
        self.parts: int = mark["parts"] if same else 0
        self.array = (
            np.lib.format.open_memmap(self.path, mode="r+")
            if same
            else np.lib.format.open_memmap(self.path, mode="w+", dtype=np.float32, shape=(rows, width))
        )
        self._last = time.monotonic()

    def put(self, first: int, *parts: np.ndarray) -> None:
        """Add the next parts' rows; at most once a second all so far are made safe from a kill."""
        for rows in parts:
            self.array[first : first + len(rows)] = rows
            first += len(rows)
        self.parts += len(parts)
        if time.monotonic() - self._last >= KEEP_EVERY_S:
            self.keep()

    def keep(self) -> None:
        """Make everything put so far safe from a kill."""
        self.array.flush()
        # Written after the rows it speaks of: a mark may know less than there is, never more.
        write_json(self.mark, {"shape": list(self.array.shape), "parts": self.parts})
        self._last = time.monotonic()
