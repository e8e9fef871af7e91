"""Where the next trial goes: by chance, or from what the trials before it cost."""

from __future__ import annotations

import importlib.util
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
    """Optuna's tree-structured Parzen estimator; a study keeps trials. Source: Bergstra et al., 2011."""

    package = "optuna"

    def __init__(self, space: Space, seed: int, history: History) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.states = optuna.trial.TrialState
        self.distributions: dict[str, optuna.distributions.BaseDistribution] = {
            str(i): optuna.distributions.CategoricalDistribution(factor.fractions)
            if factor.fractions
            else optuna.distributions.FloatDistribution(0.0, 1.0)
            for i, factor in enumerate(space.factors.values())
        }
        # The sampler begins with random points; going on, they must not be those of the first run.
        sampler = optuna.samplers.TPESampler(seed=seed + len(history.ended))
        self.study = optuna.create_study(sampler=sampler, direction="minimize")
        self.asked: dict[int, optuna.Trial] = {}
        for point in history.unended:
            self.study.enqueue_trial(self._named(point))
        for point, cost in history.ended:
            ended = optuna.trial.create_trial(
                state=self._state(cost),
                value=cost,
                params=self._named(point),
                distributions=self.distributions,
            )
            self.study.add_trial(ended)

    def suggest(self, number: int) -> Point:
        self.asked[number] = self.study.ask(fixed_distributions=self.distributions)
        return tuple(float(self.asked[number].params[name]) for name in self.distributions)

    def learn(self, number: int, cost: float | None) -> None:
        self.study.tell(self.asked[number], cost, state=self._state(cost))

    def _state(self, cost: float | None) -> Any:
        """Return how a trial ended: without a cost pruned, which the sampler takes for the worst."""
        return self.states.COMPLETE if cost is not None else self.states.PRUNED

    def _named(self, point: Point) -> dict[str, float]:
        return dict(zip(self.distributions, point, strict=True))


SEARCHERS: dict[str, type[Searcher]] = {"random": RandomSearcher, "optuna": OptunaSearcher}


def check_installed(name: str, place: str) -> None:
    """Raise InputError where a searcher's package is not installed."""
    package = SEARCHERS[name].package
    if package and importlib.util.find_spec(package) is None:
        raise InputError(f"{place}: the searcher '{name}' needs {package}: {install_hint('search')}")
