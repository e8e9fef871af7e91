"""Long clips in chunks of one length, each row of a clip taken from the chunk that knows most around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Chunk:
    """Rows [start, start + length) of a clip are read, and of them [first, last) are kept."""

    start: int
    length: int
    first: int
    last: int


def chunks(steps: int, core: int, overlap: int) -> list[Chunk]:
    """Return chunks that keep every row of a clip of `steps` rows once; all have the same length.

    A clip of at most core + 2 · overlap rows is one chunk. In a longer one each kept row has at least
    `overlap` rows on either side of it in its chunk, or as many as the clip has.
    """
    length = min(core + 2 * overlap, steps)
    count = max(1, math.ceil((steps - 2 * overlap) / core)) if steps > length else 1
    # Spread evenly, so that the last chunk is as long as the others and all go through the network together.
    starts = [round(i * (steps - length) / max(1, count - 1)) for i in range(count)]
    middles = [(left + length + right) // 2 for left, right in pairwise(starts)]
    seams = zip([0, *middles], [*middles, steps], strict=True)
    return [Chunk(start, length, first, last) for start, (first, last) in zip(starts, seams, strict=True)]
