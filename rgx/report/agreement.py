"""How many pairs of rows stand as they were published, beside what chance and single seeds make of it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

FEW = 6
"""Rows up to which every order is counted; of more, a sample of SHUFFLES orders."""
SHUFFLES = 2000
TAIL = 0.025
"""What is left out at either end of the orders that chance makes."""
Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Agreement:
    """Of the pairs of rows the paper orders, how many could be compared and how many come out alike.

    chance: how many the middle 95 % of random orders of the same rows have alike; seeds: the fewest and the
    most that a single seed has alike, None with fewer than two.
    """

    reproduced: int
    comparable: int
    published: int
    chance: tuple[int, int] = (0, 0)
    seeds: tuple[int, int] | None = None

    def __str__(self) -> str:
        """Return the count with what it is to be held against."""
        if not self.comparable:
            return f"none of {self.published} yet"
        single = f", single seeds {self.seeds[0]} to {self.seeds[1]}" if self.seeds else ""
        waiting = self.published - self.comparable
        rest = f"; {waiting} not comparable yet" if waiting else ""
        chance = f"chance {self.chance[0]} to {self.chance[1]}"
        return f"{self.reproduced} of {self.comparable} ({chance}{single}{rest})"


def printed(value: float, decimals: int) -> Decimal:
    """Return a value exactly as it stands in print, without a negative zero."""
    return Decimal(f"{value:.{decimals}f}") + 0


def agreement(published: Mapping[str, float], ours: Mapping[str, float], decimals: int) -> Agreement:
    """Count the published orderings of two rows that hold here at the printed precision; a tie does not."""
    pairs = [
        (a, b) if published[a] < published[b] else (b, a)
        for a, b in itertools.combinations(published, 2)
        if published[a] != published[b]
    ]
    both = [(low, high) for low, high in pairs if low in ours and high in ours]
    rows = sorted({row for pair in both for row in pair})
    shown = [printed(ours[row], decimals) for row in rows]
    places = tuple((rows.index(low), rows.index(high)) for low, high in both)
    ranks = tuple(sorted(set(shown)).index(value) for value in shown)
    return Agreement(_alike(places, ranks), len(both), len(pairs), chance(places, ranks))


def agreement_by_seed(
    published: Mapping[str, float], ours: Mapping[str, Mapping[int, float]], decimals: int
) -> Agreement:
    """Return the agreement of the means, and the range of those of the seeds that all rows have.

    ours: row → seed → value, each row with at least one.
    """
    means = {row: sum(values.values()) / len(values) for row, values in ours.items()}
    whole = agreement(published, means, decimals)
    seeds = (
        set.intersection(*(set(ours[row]) for row in published if row in ours)) if whole.comparable else set()
    )
    if len(seeds) < 2:
        return whole
    counts = [
        agreement(published, {row: ours[row][seed] for row in published if row in ours}, decimals).reproduced
        for seed in sorted(seeds)
    ]
    return replace(whole, seeds=(min(counts), max(counts)))


@lru_cache
def chance(pairs: Pairs, ranks: tuple[int, ...]) -> tuple[int, int]:
    """Return how many pairs the middle 95 % of random orders of the same numbers have alike."""
    shuffled = random.Random(0)
    orders = (
        itertools.permutations(ranks)
        if len(ranks) <= FEW
        else (tuple(shuffled.sample(ranks, len(ranks))) for _ in range(SHUFFLES))
    )
    counts = sorted(_alike(pairs, order) for order in orders)
    left_out = int(TAIL * len(counts))
    return counts[left_out], counts[-1 - left_out]


def _alike(pairs: Pairs, ranks: Sequence[int]) -> int:
    return sum(ranks[low] < ranks[high] for low, high in pairs)
