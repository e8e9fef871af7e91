"""The Ray engine: one Tune experiment whose searcher hands out a stage when its parents are there.

Facts built on (Ray 2.60): num_samples=-1; None only while something is in flight; the pending cap by
environment; callbacks by keyword; never restored, always rebuilt from the store.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune import Callback, RunConfig, TuneConfig, Tuner
from ray.tune.search import Searcher

from rgx.errors import DamagedError, InputError
from rgx.store.artifacts import intact, read_json, running_folder, write_json
from rgx.sweep.graph import Graph
from rgx.sweep.inline import reason_of, write_failure
from rgx.sweep.plan import Task
from rgx.sweep.progress import Progress
from rgx.sweep.worker import run_task

PLACES_AHEAD = 2


def run_trial(config: dict[str, Any]) -> None:
    """Run one stage in a Ray worker; a failure's reason is left in the store for the driver."""
    task, store = json.loads(config["task"]), Path(config["store"])
    folder = running_folder(store, task["stage"], task["key"])
    try:
        made = run_task(task, store, "cuda" if ray.get_gpu_ids() else "cpu")
    except DamagedError as error:
        write_json(folder / "failure.json", {"reason": reason_of(error), "damaged": error.stages})
        raise RuntimeError(reason_of(error)) from None
    except Exception as error:
        log = write_failure(store, task["stage"], task["key"], error)
        write_json(folder / "failure.json", {"reason": reason_of(error), "log": str(log)})
        # Ray would ship the exception's class; the reason is in the store, so a plain one will do.
        raise RuntimeError(reason_of(error)) from None
    tune.report({"made": made})


class StageSearcher(Searcher):
    """Suggests ready stages, longest path first, and unlocks children as manifests appear."""

    def __init__(self, graph: Graph, progress: Progress) -> None:
        super().__init__(metric="made", mode="max")
        self.graph, self.progress = graph, progress
        self.trials: dict[str, Task] = {}

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> Any:
        task = self.graph.take()
        if task is None:
            return None if self.graph.running else Searcher.FINISHED
        self.trials[trial_id] = task
        needs = task.resources.wanted(task.uses_gpu, ray.cluster_resources().get("GPU", 0) > 0)
        store = str(self.graph.store)
        return {"task": json.dumps(task.message()), "store": store, "needs": json.dumps(needs)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        task = self.trials.pop(trial_id, None)
        if task is None:
            return
        graph, progress = self.graph, self.progress
        if not error and intact(graph.store, task.stage, task.key):
            graph.succeed(task.key)
            progress.ended(task)
            return
        folder = running_folder(graph.store, task.stage, task.key)
        found = read_json(folder / "failure.json") or {}
        (folder / "failure.json").unlink(missing_ok=True)
        if error and found.get("damaged"):
            graph.rebuild(task.key, found["damaged"])
            progress.ended(task, "again")
            progress.line(f"       damaged and made again: {found['reason']}")
            return
        reason = found.get("reason", "the worker died without a word (killed, or out of memory)")
        blocked = graph.fail(task.key, reason)
        progress.ended(task, "FAILED")
        progress.line(f"       {reason}\n       log: {folder / 'log.txt'}; {len(blocked)} stages blocked")

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher for a restore that never comes; the driver's state stays here."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the store is the only truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a new invocation plans afresh."""


class Starts(Callback):
    """Tells the progress when a trial really starts."""

    def __init__(self, searcher: StageSearcher) -> None:
        self.searcher = searcher

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        task = self.searcher.trials.get(trial.trial_id)
        if task is not None:
            self.searcher.progress.started(task)


def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """Return what a stage asks for, as its resources were bound."""
    return tune.PlacementGroupFactory([json.loads(config["needs"])])


def check_resources(graph: Graph) -> None:
    """Raise InputError naming each stage that asks for more than the whole cluster has."""
    have, short = ray.cluster_resources(), {}
    for task in graph.waiting.values():
        for name, amount in task.resources.wanted(task.uses_gpu, have.get("GPU", 0) > 0).items():
            if amount > have.get(name, 0):
                short[task.stage, name] = (
                    f"stage {task.stage} asks for {amount:g} {name}, the cluster has {have.get(name, 0):g}"
                )
    if short:
        raise InputError("\n".join(short.values()))


def start_ray(address: str | None) -> int:
    """Start or join Ray quietly and return the number of CPUs."""
    os.environ.update(
        {
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
            # Ctrl-C must stop at once: there is no experiment state to save, only the store.
            "TUNE_DISABLE_SIGINT_HANDLER": "1",
            "RAY_CHDIR_TO_TRIAL_DIR": "0",
            "RAY_AIR_NEW_OUTPUT": "0",
            "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }
    )
    if not ray.is_initialized():
        ray.init(
            address=address,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    cpus = int(ray.cluster_resources().get("CPU", 1))
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(cpus + PLACES_AHEAD)
    return cpus


def execute(graph: Graph, progress: Progress) -> None:
    """Run every stage of the graph on Ray; failures are in the graph afterwards."""
    check_resources(graph)
    searcher = StageSearcher(graph, progress)
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="rgx-tune-") as scratch:
        Tuner(
            tune.with_resources(run_trial, resources),
            tune_config=TuneConfig(search_alg=searcher, num_samples=-1, metric="made", mode="max"),
            run_config=RunConfig(
                name=graph.plan.name, storage_path=scratch, verbose=0, callbacks=[Starts(searcher)]
            ),
        ).fit()
