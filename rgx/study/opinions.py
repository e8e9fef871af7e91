"""Mean opinions with intervals that know that ratings come in clusters: of raters, and of scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95
LEAST = 1e-12


class Estimate(NamedTuple):
    """A mean or a difference of means, its interval at 95 %, and how many ratings it is of."""

    mean: float
    low: float
    high: float
    ratings: int


class Spread(NamedTuple):
    """Covariances (C, C) of the means over resampled raters, scenes, and single ratings.

    The variance of what is made of them is that over raters and that over scenes, less that over single
    ratings, which both hold; and not below the smaller. Source: Cameron, Gelbach and Miller 2011.
    """

    by_rater: np.ndarray
    by_scene: np.ndarray
    by_rating: np.ndarray

    def error(self, weights: np.ndarray) -> float:
        """Return the standard error of a weighted sum of the means, nan where nothing varies."""
        rater, scene, rating = (float(weights @ covariance @ weights) for covariance in self)
        variance = max(rater + scene - rating, min(rater, scene))
        return float(np.sqrt(variance)) if variance > LEAST else float("nan")

    def drawn(self, means: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Return means as other raters and scenes might give them (count, C)."""
        covariance = self.by_rater + self.by_scene - self.by_rating
        sizes, axes = np.linalg.eigh(covariance)
        normal = np.random.default_rng(seed).normal(size=(count, len(means)))
        return means + (normal * np.sqrt(np.maximum(sizes, 0))) @ axes.T


@dataclass(frozen=True)
class Opinions:
    """The ratings of one question, each by the place of its rater, scene and condition."""

    raters: np.ndarray
    scenes: np.ndarray
    conditions: np.ndarray
    values: np.ndarray
    names: Sequence[str]
    """What the conditions are called, by place."""

    @property
    def shape(self) -> tuple[int, int]:
        """Return how many raters and scenes there are."""
        return int(self.raters.max(initial=-1)) + 1, int(self.scenes.max(initial=-1)) + 1

    @cached_property
    def means(self) -> np.ndarray:
        """Return each condition's mean, nan for one without a rating."""
        return _ratio(*(part.sum(0) for part in self._sums(np.zeros(len(self.values), int))))

    def _sums(self, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sum and the number of ratings by group and condition, (G, C) each."""
        shape = int(groups.max(initial=0)) + 1, len(self.names)
        place = groups * shape[1] + self.conditions
        sums = np.bincount(place, self.values, minlength=shape[0] * shape[1]).reshape(shape)
        return sums, np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)

    def spread(self, resamples: int = RESAMPLES, seed: int = 0) -> Spread:
        """Return how the means vary over resampled raters, scenes and single ratings."""
        random = np.random.default_rng(seed)
        single = np.arange(len(self.values))
        return Spread(*(self._resampled(g, resamples, random) for g in (self.raters, self.scenes, single)))

    def _resampled(self, groups: np.ndarray, resamples: int, random: np.random.Generator) -> np.ndarray:
        sums, counts = self._sums(groups)
        size = len(sums)
        if size < 2:
            return np.full((len(self.names), len(self.names)), np.nan)
        drawn = random.multinomial(size, np.full(size, 1 / size), resamples).astype(float)
        means = _ratio(drawn @ sums, drawn @ counts)
        means = means[np.isfinite(means[:, np.isfinite(self.means)]).all(1)]
        return np.cov(means, rowvar=False).reshape(len(self.names), -1) * size / (size - 1)

    def freedom(self) -> int:
        """Return the degrees of freedom of an interval: of the fewer clusters."""
        return max(min(self.shape) - 1, 1)

    def estimates(self, resamples: int = RESAMPLES, seed: int = 0) -> list[Estimate]:
        """Return each condition's mean with its interval, in the order of the names."""
        spread, counts = self.spread(resamples, seed), self._counts()
        each = np.eye(len(self.names))
        return [
            self._estimate(self.means[place], spread.error(each[place]), counts[place])
            for place in range(len(self.names))
        ]

    def differences(self, against: int, resamples: int = RESAMPLES, seed: int = 0) -> list[Estimate]:
        """Return by how much one condition's mean is above each one's, with an interval."""
        spread, counts = self.spread(resamples, seed), self._counts()
        each = np.eye(len(self.names))
        return [
            self._estimate(
                self.means[against] - self.means[place],
                spread.error(each[against] - each[place]),
                counts[against] + counts[place],
            )
            for place in range(len(self.names))
        ]

    def _counts(self) -> np.ndarray:
        return np.bincount(self.conditions, minlength=len(self.names))

    def _estimate(self, mean: float, error: float, count: int) -> Estimate:
        from scipy.special import stdtrit

        half = float(stdtrit(self.freedom(), (1 + LEVEL) / 2)) * error
        return Estimate(float(mean), float(mean - half), float(mean + half), int(count))

    def by_scene(self) -> np.ndarray:
        """Return the mean of each scene under each condition (S, C), nan where nobody rated it."""
        sums = np.zeros((self.shape[1], len(self.names)))
        counts = np.zeros_like(sums)
        np.add.at(sums, (self.scenes, self.conditions), self.values)
        np.add.at(counts, (self.scenes, self.conditions), 1)
        return _ratio(sums, counts)

    def by_rater(self) -> np.ndarray:
        """Return the mean each rater gave each condition (R, C), nan where there is none."""
        return _ratio(*self._sums(self.raters))

    def by_video(self) -> np.ndarray:
        """Return each rater's rating of each video, a scene under a condition (R, S C), nan where none is."""
        raters, scenes = self.shape
        table = np.full((raters, scenes * len(self.names)), np.nan)
        table[self.raters, self.scenes * len(self.names) + self.conditions] = self.values
        return table


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums / counts)
