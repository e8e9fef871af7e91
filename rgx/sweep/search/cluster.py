"""The Ray engine of a search: one Tune experiment, a Tune trial for each trial."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import RunConfig, TuneConfig, Tuner
from ray.tune.search import Searcher

from rgx.errors import InputError
from rgx.store.artifacts import read_json, running_folder, write_json
from rgx.store.lease import release
from rgx.sweep.cluster import DriverSearcher
from rgx.sweep.failures import reason_of
from rgx.sweep.search.climb import climb, message
from rgx.sweep.search.record import search_folder
from rgx.sweep.search.schedulers import make_scheduler
from rgx.sweep.search.trials import Planned, Trials
from rgx.sweep.trial import resources

DIED = "the worker died without a word (killed, or out of memory); the same command tries it again"


def run_trial(config: dict[str, Any]) -> None:
    """Climb a trial's rungs in a Ray worker; a failure's reason is left in the store for the driver."""
    if Path(config["folder"]).is_dir():
        # A joined node's workers begin elsewhere; a user's relative paths mean the driver's folder.
        os.chdir(config["folder"])
    try:
        for found in climb(json.loads(config["trial"]), Path(config["store"])):
            tune.report(found)
    except Exception as error:
        write_json(Path(config["failure"]), {"reason": reason_of(error)})
        # Ray would ship the exception's class; the reason is in the store, so a plain one will do.
        raise RuntimeError(reason_of(error)) from None


class TrialSearcher(DriverSearcher):
    """Suggests trials, as many at a time as the machines hold: a suggestion made early knows less."""

    def __init__(self, trials: Trials, places: int, needs: dict[str, float]) -> None:
        super().__init__(metric="cost", mode="min")
        self.trials, self.places, self.needs = trials, places, needs
        self.live: dict[str, Planned] = {}
        self.folder = search_folder(trials.store, trials.whole.name, trials.plan)

    def suggest(self, trial_id: str) -> Any:
        if len(self.live) >= self.places:
            return None
        planned = self.trials.next()
        if planned is None:
            return None if self.live else Searcher.FINISHED
        self.live[trial_id] = planned
        self._failure(planned).unlink(missing_ok=True)
        gpus = ray.cluster_resources().get("GPU", 0) > 0
        told = message(self.trials.plan, planned.rungs, gpus, trial_id)
        return {
            "trial": json.dumps(told),
            "store": str(self.trials.store),
            "folder": str(Path.cwd()),
            "failure": str(self._failure(planned)),
            "needs": json.dumps(self.needs),
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
        for task in (task for rung in planned.rungs for task in rung.tasks.values()):
            # Whatever a dead worker could not give back itself, so that nobody waits for it.
            release(running_folder(self.trials.store, task.stage, task.key), trial_id)
        found = read_json(self._failure(planned))
        self._failure(planned).unlink(missing_ok=True)
        if found:
            self.trials.ended(planned.number, reason=found["reason"])
        else:
            self.trials.left_open(planned.number, DIED)

    def _failure(self, planned: Planned) -> Path:
        return self.folder / f"failure-{planned.number}.json"


def execute(trials: Trials) -> None:
    """Run every trial on Ray, started before; raises InputError where no machine can hold one."""
    have = ray.cluster_resources()
    needs = trials.plan.needs(have.get("GPU", 0) > 0)
    for name, amount in needs.items():
        if amount > have.get(name, 0):
            raise InputError(
                f"{trials.plan.search.name}: a trial asks for {amount:g} {name}, the cluster has "
                f"{have.get(name, 0):g}"
            )
    places = min((int(have[name] // amount) for name, amount in needs.items() if amount), default=1)
    # A trial's reason is told by us; Ray would add its traceback.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    scheduler = make_scheduler(trials.plan.search, trials.record.trials)
    searcher = TrialSearcher(trials, places, needs)
    with tempfile.TemporaryDirectory(prefix="rgx-tune-") as scratch:
        Tuner(
            tune.with_resources(run_trial, resources),
            tune_config=TuneConfig(search_alg=searcher, scheduler=scheduler, num_samples=-1),
            run_config=RunConfig(name=trials.plan.search.name, storage_path=scratch, verbose=0),
        ).fit()
