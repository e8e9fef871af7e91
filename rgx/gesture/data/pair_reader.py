"""Random pairs to train on, those of the next step read while this one trains."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import torch
from torch import Tensor

from rgx.gesture.data.picture_pairs import Pictures
from rgx.gesture.types import Pairs


class _Batch:
    """Pairs index (2, B) whose frames (2 · B, H, H, 3) the threads of a pool are reading."""

    def __init__(self, pictures: Pictures, index: Tensor, pool: ThreadPoolExecutor, pinned: bool) -> None:
        self.index = index
        numbers = index.flatten().tolist()
        self._frames = torch.empty(
            (len(numbers), *pictures.frames.shape[1:]), dtype=torch.uint8, pin_memory=pinned
        )
        places = self._frames.numpy()
        self._reads: list[Future[None]] = [
            pool.submit(pictures.frames.read_into, place, number)
            for place, number in zip(places, numbers, strict=True)
        ]

    def frames(self) -> Tensor:
        """Return the frames when all are read; raises what reading one of them raised."""
        for read in self._reads:
            read.result()
        return self._frames

    def drop(self) -> None:
        """Read no more of it."""
        for read in self._reads:
            read.cancel()


class PairReader:
    """Draws random pairs from the stream of random numbers that all of a training step draws from.

    When a step has drawn all it needs, `look_ahead` draws the next pairs from a copy of the stream and has
    them read in the background, one batch and no more. The stream itself is where it would be without: a
    checkpoint knows nothing of what was read ahead, and `draw` returns the same pairs. Should something draw
    in between, they are others, and are read then. What reading raised, the `draw` that wants it raises.
    Leaving the context ends the threads, of which there are as many as the stage computes with.
    """

    def __init__(self, pictures: Pictures, size: int) -> None:
        self._pictures, self._size = pictures, size
        self._pool = ThreadPoolExecutor(max(1, torch.get_num_threads()), "pictures")
        self._ahead: _Batch | None = None
        self.read_ahead = 0
        """How many batches were there, or on their way, when they were drawn."""

    def draw(self) -> Pairs:
        """Return the next random pairs on the device."""
        index = self._pictures.draw(self._size)
        batch, self._ahead = self._ahead, None
        if batch is not None and torch.equal(batch.index, index):
            self.read_ahead += 1
        else:
            if batch is not None:
                batch.drop()
            batch = self._read(index)
        return self._pictures.pairs(index, batch.frames())

    def look_ahead(self) -> None:
        """Begin to read what `draw` will return if nothing else draws a random number before."""
        with torch.random.fork_rng(devices=()):
            self._ahead = self._read(self._pictures.draw(self._size))

    def _read(self, index: Tensor) -> _Batch:
        return _Batch(self._pictures, index, self._pool, self._pictures.device.startswith("cuda"))

    def __enter__(self) -> PairReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
