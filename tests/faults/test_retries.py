"""What the driver does with the end of a trial: done, failed with a reason, or dead and tried again."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from little import LITTLE, ROOT
from rich.console import Console

from rgx.run import ray_failures
from rgx.run.engine_ray import StageSearcher
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.store.artifacts import artifact_folder, running_folder, write_json
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    file = tmp_path_factory.mktemp("plan") / "little.yaml"
    file.write_text(LITTLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return make_plan(read_sweep(file, Overrides(only=["3b/+distill"])))


class Driver:
    """A searcher, what it was told and what it said."""

    def __init__(self, plan: Plan, store: Path) -> None:
        self.told = io.StringIO()
        self.graph = Graph(plan, store)
        console = Console(file=self.told, width=300)
        self.searcher = StageSearcher(self.graph, Progress(self.graph, console, 1))
        self.count = 0

    def hand_out(self) -> tuple[str, dict[str, Any], Path]:
        """Return the next trial's name, its task and the folder it works in."""
        self.count += 1
        trial = f"trial{self.count}"
        task = json.loads(self.searcher.suggest(trial)["task"])
        folder = running_folder(self.graph.store, task["stage"], task["key"])
        folder.mkdir(parents=True, exist_ok=True)
        return trial, task, folder


@pytest.fixture
def driver(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 1.0})
    return Driver(plan, tmp_path)


def test_the_dead_are_tried_again_and_given_up_in_the_end(driver: Driver, tmp_path: Path) -> None:
    for count in range(1, ray_failures.MOST + 1):
        trial, task, folder = driver.hand_out()
        assert task["stage"] == "corpus" and task["trial"] == trial
        write_json(folder / "lease.json", {"host": "gone", "pid": 1, "token": trial})
        (tmp_path / "error.txt").write_text("The actor died because its node has died.")
        driver.searcher.started[trial] = SimpleNamespace(error_file=str(tmp_path / "error.txt"))
        driver.searcher.on_trial_complete(trial_id=trial, error=True)
        assert not (folder / "lease.json").exists(), "nobody may wait for the dead"
        assert (task["key"] in driver.graph.waiting) == (count < ray_failures.MOST)
    assert driver.graph.failed == {task["key"]: "died 3 times, last its machine died or left the cluster"}
    assert len(driver.graph.blocked) == len(driver.graph.plan.tasks) - 1
    assert driver.graph.finished and driver.searcher.suggest("after") == "FINISHED"
    assert driver.told.getvalue().count("from its last checkpoint on, try") == ray_failures.MOST - 1


def test_anothers_lease_is_left_alone(driver: Driver) -> None:
    trial, _, folder = driver.hand_out()
    write_json(folder / "lease.json", {"host": "elsewhere", "pid": 1, "token": "of another driver's worker"})
    driver.searcher.on_trial_complete(trial_id=trial, error=True)
    assert (folder / "lease.json").exists()


def test_a_stage_that_told_its_failure_is_not_tried_again(driver: Driver) -> None:
    trial, task, _ = driver.hand_out()
    told = {"made": "failed", "failure": json.dumps({"reason": "the loss became nan"})}
    driver.searcher.on_trial_complete(trial_id=trial, result=told)
    assert driver.graph.failed == {task["key"]: "the loss became nan"}


def test_a_reason_left_by_the_watchdog_is_taken_and_an_old_one_is_not(driver: Driver, plan: Plan) -> None:
    (key,) = [key for key, task in plan.tasks.items() if task.stage == "corpus"]
    folder = running_folder(driver.graph.store, "corpus", key)
    write_json(folder / "failure.json", {"reason": "of an earlier sweep"})
    trial, _, _ = driver.hand_out()
    driver.searcher.on_trial_complete(trial_id=trial, error=True)
    assert not driver.graph.failed
    trial, _, _ = driver.hand_out()
    write_json(folder / "failure.json", {"reason": "ran past its time limit of 9 s"})
    driver.searcher.on_trial_complete(trial_id=trial, error=True)
    assert driver.graph.failed == {key: "ran past its time limit of 9 s"}


def test_a_worker_that_died_after_its_manifest_has_done_its_work(driver: Driver) -> None:
    trial, task, _ = driver.hand_out()
    write_json(
        artifact_folder(driver.graph.store, task["stage"], task["key"]) / "manifest.json",
        task,
    )
    driver.searcher.on_trial_complete(trial_id=trial, error=True)
    assert task["key"] in driver.graph.done


def test_a_worker_dead_before_its_stage_began_costs_no_try(driver: Driver) -> None:
    for _ in range(ray_failures.MOST_UNSTARTED):
        trial, _, _ = driver.hand_out()
        driver.searcher.on_trial_complete(trial_id=trial, error=True)
    assert not driver.graph.died and not driver.graph.failed
    trial, task, _ = driver.hand_out()
    driver.searcher.on_trial_complete(trial_id=trial, error=True)
    assert driver.graph.died == {task["key"]: 1}
