"""The Ray engine: one Tune experiment whose searcher hands out a stage when its parents are there.

Facts built on (Ray 2.60): num_samples=-1; None only while something is in flight; the pending cap by
environment; callbacks by keyword; never restored, always rebuilt from the store.
"""

from __future__ import annotations

import json
import logging
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
from rgx.run.failures import OUT_OF_GPU_MEMORY
from rgx.run.fork_server import FORKS
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.run.ray_trial import resources, run_trial
from rgx.run.ray_workers import idle_workers_kept
from rgx.store.artifacts import running_folder
from rgx.store.failure import clear_failure, read_failure
from rgx.store.lease import release
from rgx.store.manifests import intact
from rgx.sweep.plan import Task

ACCELERATOR = "accelerator_type:"
"""What the resource begins with by which Ray tells the kind of a node's GPUs."""
PLACES_AHEAD = 2
"""Stages of the same needs that wait with Ray beyond one a CPU."""


class StageSearcher(Searcher):
    """Suggests ready stages, longest path first, and unlocks children as manifests appear.

    Its state is the store's: nothing of it is ever saved, shipped or restored.
    """

    def __init__(self, graph: Graph, progress: Progress) -> None:
        super().__init__(metric="made", mode="max")
        self.graph, self.progress = graph, progress
        self.trials: dict[str, Task] = {}
        self.started: dict[str, Any] = {}
        self.unstarted: Counter[str] = Counter()
        self.whole: set[str] = set()
        """Stages that had too little memory on a share of a GPU."""

    def set_search_properties(self, metric: str | None, mode: str | None, config: Any, **spec: Any) -> bool:
        return True

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher for a restore that never comes; the driver's state stays here."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the store is the only truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: a new invocation plans afresh."""

    def suggest(self, trial_id: str) -> Any:
        self.graph.have = ray.cluster_resources()  # nodes come and go
        task = self.graph.take(self._has_place)
        if task is None:
            return None if self.graph.running else Searcher.FINISHED
        self.trials[trial_id] = task
        needs = self._needs(task)
        folder = running_folder(self.graph.store, task.stage, task.key)
        clear_failure(folder)
        return {
            "task": json.dumps({**self.graph.message(task), "trial": trial_id}),
            "store": str(self.graph.store),
            "folder": str(Path.cwd()),
            "needs": json.dumps(needs),
        }

    def _needs(self, task: Task) -> dict[str, float]:
        have = self.graph.have
        kinds = [name.removeprefix(ACCELERATOR) for name in have if name.startswith(ACCELERATOR)]
        share = 1.0 if task.key in self.whole else self.graph.precedents.gpu_share(task, kinds)
        return task.resources.wanted(task.uses_gpu, have.get("GPU", 0) > 0, share)

    def _had_a_share(self, task: Task) -> bool:
        """Return whether a stage was given part of a GPU by what was measured; what is bound stands."""
        return task.resources.gpus is None and 0 < self._needs(task).get("GPU", 0) < 1

    def _has_place(self, task: Task) -> bool:
        """Return whether few of the same needs wait, so that a queue for one thing holds up no other."""
        needs = self._needs(task)
        queued = [t for trial, t in self.trials.items() if trial not in self.started]
        return sum(self._needs(t) == needs for t in queued) < self.graph.have.get("CPU", 1) + PLACES_AHEAD

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        task = self.trials.pop(trial_id, None)
        if task is None:
            return
        graph, progress = self.graph, self.progress
        if intact(graph.store, task.stage, task.key):
            graph.succeed(task.key)
            progress.ended(task)
            return
        folder = running_folder(graph.store, task.stage, task.key)
        answer = json.loads((result or {}).get("failure", "{}"))
        record = answer if "reason" in answer else read_failure(folder)
        if not ray_failures.may_save(self.started.get(trial_id)):
            # Whatever its worker could not give back itself, so that nobody waits for the dead.
            release(folder, trial_id)
        if record is None:
            self._died(task, self.started.get(trial_id), answer.get("died", ""))
        elif "damaged" in record:
            graph.rebuild(task.key, record["damaged"])
            progress.ended(task, "again")
            progress.line(f"       damaged and made again: {record['reason']}")
        elif record["reason"].startswith(OUT_OF_GPU_MEMORY) and self._had_a_share(task):
            self.whole.add(task.key)
            graph.put_back(task.key)
            progress.ended(task, "again")
            progress.line("       its share of a GPU was too little memory; now a whole one")
        else:
            self._tell_failure(task, record["reason"], graph.fail(task.key, record["reason"]))

    def _died(self, task: Task, trial: Any, said: str) -> None:
        if trial is None and self._retry_unstarted(task):
            return
        how, count = ray_failures.how_it_died(trial, said), self.graph.die(task.key)
        if count >= ray_failures.MOST:
            reason = ray_failures.verdict(count, how)
            self._tell_failure(task, reason, self.graph.give_up(task.key, reason))
            return
        self.progress.ended(task, "died")
        tries = f"try {count + 1} of {ray_failures.MOST}"
        self.progress.line(f"       {how}; from its last checkpoint on, {tries}")

    def _retry_unstarted(self, task: Task) -> bool:
        """Put back a stage whose idle worker was dead before it began, up to so many times."""
        self.unstarted[task.key] += 1
        if self.unstarted[task.key] > ray_failures.MOST_UNSTARTED:
            return False
        self.graph.put_back(task.key)
        return True

    def _tell_failure(self, task: Task, reason: str, blocked: list[Task]) -> None:
        log = running_folder(self.graph.store, task.stage, task.key) / "log.txt"
        self.progress.ended(task, "FAILED")
        self.progress.line(f"       {reason}\n       log: {log}; {len(blocked)} stages blocked")


class Starts(Callback):
    """Tells the progress when a trial really starts, and keeps what Tune will say of its end."""

    def __init__(self, searcher: StageSearcher) -> None:
        self.searcher = searcher

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        task = self.searcher.trials.get(trial.trial_id)
        if task is not None:
            self.searcher.started[trial.trial_id] = trial
            self.searcher.progress.started(task)


def check_resources(graph: Graph) -> None:
    """Raise InputError naming each stage that asks for more than the whole cluster has."""
    have, short = ray.cluster_resources(), {}
    for task in (*graph.waiting.values(), *graph.expected):
        for name, amount in task.resources.wanted(task.uses_gpu, have.get("GPU", 0) > 0).items():
            if amount > have.get(name, 0):
                short[task.stage, name] = (
                    f"stage {task.stage} asks for {amount:g} {name}, the cluster has {have.get(name, 0):g}"
                )
    if short:
        raise InputError("\n".join(short.values()))


def execute(graph: Graph, progress: Progress, callbacks: Sequence[Callback] = ()) -> None:
    """Run every stage of the graph on Ray; failures are in the graph afterwards."""
    check_resources(graph)
    searcher = StageSearcher(graph, progress)
    # What became of each trial, the progress tells.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="rgx-tune-") as scratch, idle_workers_kept():
        Tuner(
            tune.with_resources(run_trial, resources),
            tune_config=TuneConfig(
                search_alg=searcher, num_samples=-1, metric="made", mode="max", reuse_actors=FORKS
            ),
            run_config=RunConfig(
                name=graph.plan.name,
                storage_path=scratch,
                verbose=0,
                callbacks=[Starts(searcher), *callbacks],
            ),
        ).fit()
