"""What the factors of a grid do to a metric: means by level, and each effect's share of the variance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rgx.report.statistics import summarise

Levels = tuple[str, ...]
"""One level a factor."""
Numbers = Mapping[Levels, Sequence[float]]
"""Every run's number by the levels it was made at."""


@dataclass(frozen=True)
class Effect:
    """What one factor, or two together beyond what each does alone, make of a metric.

    span: the largest mean of a level less the smallest; None for two factors. share: of the sum of squares
    over all runs (η²); None where combinations are missing or unequally often run, or nothing varies.
    """

    factors: tuple[str, ...]
    span: float | None
    share: float | None


def level_means(numbers: Numbers, places: Sequence[int]) -> dict[Levels, tuple[float, float | None, int]]:
    """Return mean, sample deviation and count of all runs at each combination of some factors' levels.

    The deviation is over seeds and over the levels of the other factors.
    """
    pooled: dict[Levels, list[float]] = {}
    for levels, values in numbers.items():
        pooled.setdefault(tuple(levels[place] for place in places), []).extend(values)
    return {levels: summarise(values) for levels, values in pooled.items()}


def effects(factors: Sequence[str], numbers: Numbers) -> list[Effect]:
    """Return each factor's effect, then that of each pair, in the order of the factors.

    Source: analysis of variance of a balanced factorial; Fisher 1925.
    """
    sized = []
    for size in (1, 2):
        for places in itertools.combinations(range(len(factors)), size):
            means = [mean for mean, _, _ in level_means(numbers, places).values()]
            span = max(means) - min(means) if size == 1 else None
            sized.append(Effect(tuple(factors[place] for place in places), span, _share(numbers, places)))
    return sized


def balanced(numbers: Numbers) -> bool:
    """Say whether every combination of levels was run, and all equally often."""
    levels = [set(of) for of in zip(*numbers, strict=True)]
    often = {len(values) for values in numbers.values()}
    return len(numbers) == math.prod(map(len, levels)) and len(often) == 1


def _share(numbers: Numbers, places: Sequence[int]) -> float | None:
    """Return the sum of squares of an effect over that of all runs."""
    every = [value for values in numbers.values() for value in values]
    middle = math.fsum(every) / len(every)
    total = math.fsum((value - middle) ** 2 for value in every)
    if not balanced(numbers) or math.isclose(total, 0.0, abs_tol=1e-24 * (1.0 + middle**2)):
        return None
    # What several factors do together contains what each of them does alone.
    explained = _between(numbers, places, middle)
    if len(places) > 1:
        explained -= math.fsum(_between(numbers, [place], middle) for place in places)
    return max(0.0, explained / total)


def _between(numbers: Numbers, places: Sequence[int], middle: float) -> float:
    """Return the sum of squares between combinations of levels."""
    return math.fsum(count * (mean - middle) ** 2 for mean, _, count in level_means(numbers, places).values())
