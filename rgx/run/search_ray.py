"""The Ray engine of a search: one Tune experiment, a Tune trial for each trial."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import Callback, RunConfig, TuneConfig, Tuner
from ray.tune.search import Searcher

from rgx.errors import InputError
from rgx.run import ray_failures
from rgx.run.engine_ray import DriverSearcher
from rgx.run.failures import reason_of
from rgx.run.ray_trial import resources
from rgx.run.search_rungs import climb, message
from rgx.run.search_schedulers import make_scheduler
from rgx.run.search_trials import Planned, Trials
from rgx.store.artifacts import FAILURE, read_json, running_folder, write_json
from rgx.store.lease import release
from rgx.sweep.search.record import search_folder

AGAIN = "the same command tries it again"


def run_trial(config: dict[str, Any]) -> None:
    """Climb a trial's rungs in a Ray worker; a failure's reason is left in the store for the driver."""
    if Path(config["folder"]).is_dir():
        # A joined node's workers begin elsewhere; a user's relative paths mean the driver's folder.
        os.chdir(config["folder"])
    try:
        for found in climb(json.loads(config["trial"]), Path(config["store"]), config["first"]):
            tune.report(found)
    except Exception as error:
        write_json(Path(config["failure"]), {"reason": reason_of(error)})
        # Ray would ship the exception's class; the reason is in the store, so a plain one will do.
        raise RuntimeError(reason_of(error)) from None


class TrialSearcher(DriverSearcher):
    """Suggests trials, as many at a time as the machines hold: a suggestion made early knows less.

    A trial whose worker died goes first, from the rung it was on and the last checkpoints of its stages.
    """

    def __init__(self, trials: Trials) -> None:
        super().__init__(metric="cost", mode="min")
        self.trials = trials
        self.live: dict[str, Planned] = {}
        self.again: list[Planned] = []
        self.deaths: Counter[int] = Counter()
        self.started: dict[str, Any] = {}
        self.folder = search_folder(trials.store, trials.whole.name, trials.plan)

    def suggest(self, trial_id: str) -> Any:
        have = ray.cluster_resources()  # nodes come and go
        gpus = have.get("GPU", 0) > 0
        needs = self.trials.plan.needs(gpus)
        if len(self.live) >= _places(needs, have):
            return None
        planned = self.again.pop(0) if self.again else self.trials.next()
        if planned is None:
            return None if self.live else Searcher.FINISHED
        self.live[trial_id] = planned
        for path in self._reasons(planned):
            path.unlink(missing_ok=True)
        return {
            "trial": json.dumps(message(self.trials.plan, planned.rungs, gpus, trial_id)),
            "first": self.trials.climbed(planned.number),
            "store": str(self.trials.store),
            "folder": str(Path.cwd()),
            "failure": str(self._failure(planned)),
            "needs": json.dumps(needs),
        }

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take note of a score after which the trial goes on; Tune tells the last one at the end."""
        planned = self.live[trial_id]
        self.trials.scored(planned, result)
        self.trials.begins(planned, int(result["index"]) + 1)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        planned = self.live.pop(trial_id, None)
        if planned is None:
            return
        if not error:
            if result and "cost" in result:
                self.trials.scored(planned, result)
            self.trials.ended(planned.number, len(planned.rungs))
            return
        for task in planned.tasks():
            # Whatever a dead worker could not give back itself, so that nobody waits for it.
            release(running_folder(self.trials.store, task.stage, task.key), trial_id)
        found = [told["reason"] for path in self._reasons(planned) if (told := read_json(path))]
        self._failure(planned).unlink(missing_ok=True)
        if found:
            self.trials.ended(planned.number, reason=found[0])
        elif self.trials.climbed(planned.number) == len(planned.rungs):
            self.trials.ended(planned.number, len(planned.rungs))
        else:
            self._died(planned, ray_failures.how_it_died(self.started.get(trial_id)))

    def _died(self, planned: Planned, how: str) -> None:
        self.deaths[planned.number] += 1
        count = self.deaths[planned.number]
        if count >= ray_failures.MOST:
            self.trials.left_open(planned.number, f"{ray_failures.verdict(count, how)}; {AGAIN}")
            return
        self.again.append(planned)
        self.trials.died(
            planned.number, f"{how}; from its last checkpoint on, try {count + 1} of {ray_failures.MOST}"
        )

    def _failure(self, planned: Planned) -> Path:
        return self.folder / f"failure-{planned.number}.json"

    def _reasons(self, planned: Planned) -> list[Path]:
        """Return where a trial, or the time limit of one of its stages, leaves why it failed."""
        store = self.trials.store
        folders = [running_folder(store, task.stage, task.key) for task in planned.tasks()]
        return [self._failure(planned), *(folder / FAILURE for folder in folders)]


class Started(Callback):
    """Keeps what Tune will say of a trial's end."""

    def __init__(self, searcher: TrialSearcher) -> None:
        self.searcher = searcher

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.searcher.started[trial.trial_id] = trial


def _places(needs: dict[str, float], have: dict[str, float]) -> int:
    """Return how many trials the machines hold at a time, one at least."""
    return max(1, min((int(have.get(name, 0) // need) for name, need in needs.items() if need), default=1))


def execute(trials: Trials, callbacks: Sequence[Callback] = ()) -> None:
    """Run every trial on Ray, started before; raises InputError where no machine can hold one."""
    have = ray.cluster_resources()
    needs = trials.plan.needs(have.get("GPU", 0) > 0)
    for name, amount in needs.items():
        if amount > have.get(name, 0):
            raise InputError(
                f"{trials.plan.search.name}: a trial asks for {amount:g} {name}, the cluster has "
                f"{have.get(name, 0):g}"
            )
    # A trial's reason is told by us; Ray would add its traceback.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    scheduler = make_scheduler(trials.plan.search, trials.record.trials)
    searcher = TrialSearcher(trials)
    with tempfile.TemporaryDirectory(prefix="rgx-tune-") as scratch:
        Tuner(
            tune.with_resources(run_trial, resources),
            tune_config=TuneConfig(search_alg=searcher, scheduler=scheduler, num_samples=-1),
            run_config=RunConfig(
                name=trials.plan.search.name,
                storage_path=scratch,
                verbose=0,
                callbacks=[Started(searcher), *callbacks],
            ),
        ).fit()
