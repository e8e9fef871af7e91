"""Which of two is preferred: strengths from pairs, and the share that tells matched from mismatched sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ROUNDS, CLOSE = 2000, 1e-9
PRIOR = 0.1
"""Of a win that each has against each other, so that one who never lost stays finite."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Votes:
    """Votes between two conditions each, by place; won: 1 for the first, 0 for the second, ½ for a tie."""

    raters: np.ndarray
    first: np.ndarray
    second: np.ndarray
    won: np.ndarray
    names: Sequence[str]

    def wins(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Return how often each was preferred to each (C, C), votes weighted by rater."""
        each = np.ones(len(self.won)) if weights is None else weights[self.raters]
        table = np.zeros((len(self.names), len(self.names)))
        np.add.at(table, (self.first, self.second), each * self.won)
        np.add.at(table, (self.second, self.first), each * (1 - self.won))
        return table


class Strength(NamedTuple):
    """A condition's log-strength above the mean of all, with its interval at 95 % over raters."""

    name: str
    strength: float
    low: float
    high: float


def bradley_terry(wins: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """Return log-strengths, their mean 0, by the minorise-maximise steps of Hunter 2004.

    The chance that one is preferred to another is σ of the difference. Ties count half to each.
    """
    table = wins + prior * (wins + wins.T > 0)
    np.fill_diagonal(table, 0.0)
    games, own = table + table.T, table.sum(1)
    strengths = np.ones(len(table))
    for _ in range(ROUNDS):
        new = own / np.maximum((games / (strengths[:, None] + strengths[None])).sum(1), 1e-12)
        new /= np.exp(np.log(np.maximum(new, 1e-12)).mean())
        settled = np.abs(np.log(new / strengths)).max() < CLOSE
        strengths = new
        if settled:
            break
    return np.asarray(np.log(strengths))


def strengths(votes: Votes, resamples: int = RESAMPLES, seed: int = 0) -> list[Strength]:
    """Return each condition's strength with its interval over resampled raters, the strongest first."""
    random = np.random.default_rng(seed)
    raters = int(votes.raters.max(initial=-1)) + 1
    drawn = random.multinomial(raters, np.full(raters, 1 / raters), resamples)
    means = bradley_terry(votes.wins())
    others = np.array([bradley_terry(votes.wins(weights)) for weights in drawn])
    low, high = np.percentile(others, (2.5, 97.5), axis=0)
    rows = [Strength(*row) for row in zip(votes.names, means, low, high, strict=True)]
    return sorted(rows, key=lambda row: -row.strength)


class Share(NamedTuple):
    """How many of the deciding votes were for the matched sound, with interval and p against ½."""

    matched: int
    decided: int
    ties: int
    share: float
    low: float
    high: float
    p: float


def matched_share(matched: int, mismatched: int, ties: int = 0) -> Share:
    """Return the share that tells matched from mismatched. Source: Clopper and Pearson 1934."""
    from scipy.stats import binomtest

    decided = matched + mismatched
    if not decided:
        return Share(0, 0, ties, float("nan"), 0.0, 1.0, 1.0)
    test = binomtest(matched, decided)
    interval = test.proportion_ci(0.95, method="exact")
    return Share(matched, decided, ties, matched / decided, interval.low, interval.high, float(test.pvalue))
