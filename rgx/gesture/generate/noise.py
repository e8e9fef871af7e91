"""Random numbers that are each window's own, whatever windows are beside it in a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor


class Noise:
    """A stream of random numbers for each of B windows; all of them move on together."""

    def __init__(self, seeds: Sequence[Sequence[int]]) -> None:
        self._streams = [np.random.default_rng(list(seed)) for seed in seeds]

    @classmethod
    def drawn(cls, count: int) -> Noise:
        """Return streams for so many windows, whose seeds are drawn from the global random state."""
        return cls(torch.randint(2**31, (count, 2)).tolist())

    def uniform(self, *shape: int) -> Tensor:
        """Return numbers (B, *shape) in [0, 1)."""
        return self._each(lambda stream: stream.random(shape, np.float32))

    def normal(self, *shape: int) -> Tensor:
        """Return standard normal numbers (B, *shape)."""
        return self._each(lambda stream: stream.standard_normal(shape, np.float32))

    def _each(self, draw: Callable[[np.random.Generator], np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack([draw(stream) for stream in self._streams]))
