"""What decides on each score whether its trial goes on: Ray Tune's schedulers."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.schedulers.async_hyperband import AsyncHyperBandScheduler

from rgx.run.search_rungs import result
from rgx.sweep.search.results import Trial
from rgx.sweep.search.spec import Search


def make_scheduler(search: Search, trials: Sequence[Trial]) -> TrialScheduler:
    """Return a search's scheduler, which knows the scores of earlier trials that have ended."""
    if search.asha is None:
        return FIFOScheduler()
    scheduler = AsyncHyperBandScheduler(
        time_attr="time",
        metric="cost",
        mode="min",
        grace_period=1,
        reduction_factor=search.asha.reduction_factor,
        max_t=search.times[-1],  # type: ignore[arg-type]  # it compares, so any number will do
    )
    for number, trial in enumerate(trials):
        if trial.state != "open":
            judged = Judged(scheduler, f"earlier {number}")
            for index, rung in enumerate(trial.rungs):
                if rung.score is not None:
                    judged.goes_on(result(index, search.times[index], rung.score))
    return scheduler


class Judged:
    """A trial as a scheduler sees it outside an experiment: the results it is told."""

    def __init__(self, scheduler: Any, name: str) -> None:
        self.scheduler = scheduler
        self.trial = SimpleNamespace(trial_id=name)
        # These schedulers ask nothing of the experiment's controller, so there is none.
        self.scheduler.on_trial_add(None, self.trial)

    def goes_on(self, told: dict[str, float]) -> bool:
        """Tell a result and return whether the trial goes on."""
        return bool(self.scheduler.on_trial_result(None, self.trial, told) == TrialScheduler.CONTINUE)
