"""Which pieces of sound go through a network together."""

from __future__ import annotations

from collections.abc import Sequence


def batch_by_length(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Return every index once, in batches of like length, the longest first.

    Padded to its longest a batch has at most `most` rows, or is a single piece.
    """
    batches: list[list[int]] = []
    room = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if room < 1:
            batches.append([])
            room = max(1, most // max(1, lengths[index]))
        batches[-1].append(index)
        room -= 1
    return batches
