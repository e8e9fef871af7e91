"""Animated windows on disk: what an animator makes once for every refiner, and every panel, that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from rgx.gesture.animate.base import Animated
from rgx.gesture.rendering import CHUNK
from rgx.gesture.types import WINDOW_FRAMES

FILE = "animated.npy"
COLOURS, CHANNELS = 3, 4


class AnimatedWindows:
    """Windows of pictures and where they can be trusted, (W, T, 4, H, H), mapped from disk.

    In the precision they are made in: float32, or float16 from a GPU, whose bf16 knows less than that.
    """

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @classmethod
    def create(cls, folder: Path, windows: int, size_px: int, device: str) -> AnimatedWindows:
        """Make room for so many windows in a folder."""
        kind = np.float16 if device.startswith("cuda") else np.float32
        shape = (windows, WINDOW_FRAMES, CHANNELS, size_px, size_px)
        return cls(np.lib.format.open_memmap(folder / FILE, mode="w+", dtype=kind, shape=shape))

    @classmethod
    def read(cls, folder: Path) -> AnimatedWindows:
        """Return the windows that a folder holds."""
        return cls(np.load(folder / FILE, mmap_mode="r"))

    def __len__(self) -> int:
        return len(self.array)

    def write(self, window: int, chunks: Iterable[Animated]) -> None:
        """Fill a window with its chunks."""
        first = 0
        for chunk in chunks:
            both = torch.cat([chunk.picture.float(), chunk.trusted.float()], dim=1)
            self.array[window, first : first + len(both)] = both.cpu().numpy()
            first += len(both)

    def chunks(self, window: int, device: str) -> Iterator[Animated]:
        """Yield a window a chunk at a time, float32 on a device."""
        for first in range(0, WINDOW_FRAMES, CHUNK):
            both = torch.tensor(self.array[window, first : first + CHUNK]).to(device).float()
            yield Animated(both[:, :COLOURS], both[:, COLOURS:])
