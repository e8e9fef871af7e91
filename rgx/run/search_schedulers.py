"""What decides on each score whether its trial goes on: Ray Tune's schedulers, asked outside of Tune."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Protocol

from rgx.store.records import Score, Trial
from rgx.sweep.search.spec import Search


class Decider(Protocol):
    """Decides on a trial's scores, one after another."""

    def goes_on(self, time: float, score: Score) -> bool:
        """Take note of a score, reached at a time, and return whether the trial goes on."""


class Scheduler(Protocol):
    """What stops trials early."""

    def decider(self, name: str) -> Decider:
        """Return what decides on a trial that begins or goes on; no two trials have one name."""


def make_scheduler(search: Search, trials: Sequence[Trial]) -> Scheduler:
    """Return a search's scheduler, which knows the scores of earlier trials that have ended."""
    if search.asha is None:
        return Patience()
    scheduler = Asha(search.times, search.asha.reduction_factor)
    for number, trial in enumerate(trials):
        if trial.state != "open":
            decider = scheduler.decider(f"earlier {number}")
            for time, rung in zip(search.times, trial.rungs, strict=False):
                if rung.score is not None:
                    decider.goes_on(time, rung.score)
    return scheduler


class Patience:
    """Stops nothing."""

    def decider(self, name: str) -> Decider:
        """Return one that lets every trial go on."""
        return self

    def goes_on(self, time: float, score: Score) -> bool:
        """Return that it does."""
        return True


class Asha:
    """Ray Tune's asynchronous successive halving; its experiment and trials are ours."""

    def __init__(self, times: Sequence[float], reduction_factor: float) -> None:
        # Here, so that a search which stops nothing early does without Ray.
        from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

        self.keeps_going = TrialScheduler.CONTINUE
        self.scheduler: Any = AsyncHyperBandScheduler(
            time_attr="time",
            metric="cost",
            mode="min",
            grace_period=1,
            reduction_factor=reduction_factor,
            max_t=times[-1],  # type: ignore[arg-type]  # it compares, so any number will do
        )

    def decider(self, name: str) -> Decider:
        """Return what decides on one trial."""
        return _OfTrial(self, name)


class _OfTrial:
    """A trial as the scheduler sees it: a name, and the results it is told."""

    def __init__(self, asha: Asha, name: str) -> None:
        self.asha, self.trial = asha, SimpleNamespace(trial_id=name)
        # It asks nothing of the experiment's controller, so there is none.
        asha.scheduler.on_trial_add(None, self.trial)

    def goes_on(self, time: float, score: Score) -> bool:
        result = {"time": time, "cost": score.cost}
        decided = self.asha.scheduler.on_trial_result(None, self.trial, result)
        return bool(decided == self.asha.keeps_going)
