"""Where the next trial goes: by chance, or from what the trials before it cost."""

from __future__ import annotations

import importlib.util
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rgx.errors import InputError, install_hint
from rgx.sweep.search.space import Point, Space


@dataclass(frozen=True)
class History:
    """What an earlier run left: points with their cost (None: failed), and points not ended, in order."""

    ended: Sequence[tuple[Point, float | None]] = ()
    unended: Sequence[Point] = ()


class Searcher(ABC):
    """Suggests a point for each trial; what a point costs is better when lower."""

    package: ClassVar[str] = ""
    """What must be installed."""

    @abstractmethod
    def __init__(self, space: Space, seed: int, history: History) -> None:
        """Begin, or go on from a history: its points that did not end are suggested first, in order."""

    @abstractmethod
    def suggest(self, number: int) -> Point:
        """Return the point of a trial, counted from 0."""

    @abstractmethod
    def learn(self, number: int, cost: float | None) -> None:
        """Take note of what a trial cost, None where it failed."""


class RandomSearcher(Searcher):
    """Draws each factor by itself; a trial's point depends on the seed and its number only."""

    def __init__(self, space: Space, seed: int, history: History) -> None:
        self.factors, self.seed = list(space.factors.values()), seed

    def suggest(self, number: int) -> Point:
        draw = random.Random(f"{self.seed}/{number}")
        return tuple(draw.choice(f.fractions) if f.fractions else draw.random() for f in self.factors)

    def learn(self, number: int, cost: float | None) -> None:
        """Learn nothing."""


class OptunaSearcher(Searcher):
    """Ray Tune's OptunaSearch: a tree-structured Parzen estimator. Source: Bergstra et al., 2011."""

    package = "optuna"

    def __init__(self, space: Space, seed: int, history: History) -> None:
        import optuna
        from ray.tune.search.optuna import OptunaSearch

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        logging.getLogger("ray.tune.search.optuna").setLevel(logging.ERROR)
        # Ray reads a slash in a name as nesting, so factors go by their number.
        names = [str(i) for i in range(len(space.factors))]
        distributions: dict[str, optuna.distributions.BaseDistribution] = {
            name: optuna.distributions.CategoricalDistribution(factor.fractions)
            if factor.fractions
            else optuna.distributions.FloatDistribution(0.0, 1.0)
            for name, factor in zip(names, space.factors.values(), strict=True)
        }
        self.names = names
        self.search = OptunaSearch(
            distributions,
            metric="cost",
            mode="min",
            # The sampler begins with random points; going on, they must not be those of the first run.
            seed=seed + len(history.ended),
            points_to_evaluate=[self._named(point) for point in history.unended],
        )
        for point, cost in history.ended:
            value: Any = cost  # None is what Optuna wants of a trial that has no value.
            self.search.add_evaluated_point(self._named(point), value, pruned=cost is None)

    def suggest(self, number: int) -> Point:
        found: Any = self.search.suggest(str(number))
        return tuple(float(found[name]) for name in self.names)

    def learn(self, number: int, cost: float | None) -> None:
        # Without a cost Optuna takes the trial for pruned, and so for the worst there are.
        self.search.on_trial_complete(str(number), None if cost is None else {"cost": cost})

    def _named(self, point: Point) -> dict[str, float]:
        return dict(zip(self.names, point, strict=True))


SEARCHERS: dict[str, type[Searcher]] = {"random": RandomSearcher, "optuna": OptunaSearcher}


def check_installed(name: str, place: str) -> None:
    """Raise InputError where a searcher's package is not installed."""
    package = SEARCHERS[name].package
    if package and importlib.util.find_spec(package) is None:
        raise InputError(f"{place}: the searcher '{name}' needs {package}: {install_hint('search')}")
