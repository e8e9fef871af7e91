"""A training shared by two processes is asked to end, killed, and gone on with; nobody is left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from little import LITTLE, ROOT, copy_row, manifests
from nodes import wait_for

from rgx.errors import MemberError
from rgx.gesture.data.windows import Windows
from rgx.run.fork_server import FORKS, DiedError, ForkServer
from rgx.run.worker import run_task
from rgx.store.artifacts import running_folder
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded"),
]
Task = dict[str, Any]
FAULT = """\
import os, pathlib, signal
import torch.distributed as dist
from rgx.gesture.data.windows import Windows

draw, steps = Windows.draw, []
def draw_with_a_fault(windows, *asked):
    steps.append(1)
    pathlib.Path("FOLDER", str(os.getpid())).touch()
    if len(steps) == STEP:
        DO
    return draw(windows, *asked)

Windows.draw = draw_with_a_fault
"""
"""What each process does before it draws; it leaves its number in a folder."""


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the fault replaces is put back in this process, which imports it too."""
    monkeypatch.setattr(Windows, "draw", Windows.draw)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The generator of the little sweep, whose key knows nothing of the two processes."""
    file = tmp_path_factory.mktemp("task") / "little.yaml"
    file.write_text(LITTLE)
    tasks: list[Task] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for bindings in ([], ["generator/resources.stage.processes = 2"]):
            plan = make_plan(read_sweep(file, Overrides(only=["3b/+distill"], bindings=bindings)))
            tasks.append(next(task for task in plan.tasks.values() if task.stage == "generator").message())
    assert tasks[0]["key"] == tasks[1]["key"]
    return tasks[1]


def faulty(task: Task, folder: Path, step: int, do: str) -> Task:
    folder.mkdir(exist_ok=True)
    fault = FAULT.replace("FOLDER", str(folder)).replace("STEP", str(step)).replace("DO", do)
    return {**task, "plugins": [["planted", fault]]}


def gone(folder: Path) -> bool:
    """Return whether the two processes that left their numbers in a folder have ended."""
    numbers = [path.name for path in folder.iterdir()]
    assert len(numbers) == 2
    return not any(Path("/proc", number).exists() for number in numbers)


def made(store: Path, task: Task) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Return what a finished stage says with its network's digest, and which steps were taken at a time."""
    (manifest,) = (m for m in manifests(store).values() if m["key"] == task["key"])
    digests = {name: file["sha256"] for name, file in manifest["files"].items() if "network" in name}
    return manifest["outputs"] | digests, [(s["from"], s["to"]) for s in manifest["segments"]]


def copied(finished: Path, store: Path) -> Path:
    return copy_row(finished, store, "+distill", "generator", "motion", "motion_scores")


@pytest.fixture(scope="module")
def undisturbed(finished: Path, task: Task, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What two processes make of the stage, dropout included."""
    store = copied(finished, tmp_path_factory.mktemp("undisturbed") / "store")
    assert run_task(task, store) == "made"
    outputs, steps = made(store, task)
    assert steps == [(0, 3)]
    return outputs


def test_asked_to_end_they_lose_no_step(
    finished: Path, task: Task, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    store, fork_server = copied(finished, tmp_path / "store"), ForkServer()
    asked = {"store": str(store), "folder": str(ROOT), "device": "cpu"}
    ask = "dist.get_rank() or os.kill(os.getppid(), signal.SIGTERM)"
    try:
        with pytest.raises(DiedError, match="ended by SIGTERM"):
            fork_server.run({**asked, "task": faulty(task, tmp_path / "members", 1, ask)})
        wait_for(lambda: gone(tmp_path / "members"))
        folder = running_folder(store, "generator", task["key"])
        assert "stopped by SIGTERM; goes on from step 1" in (folder / "log.txt").read_text()
        assert not (folder / "failure.json").exists() and not (folder / "lease.json").exists()
        assert fork_server.run({**asked, "task": task}) == {"made": "made"}
    finally:
        fork_server.process.kill()
    assert made(store, task) == (undisturbed, [(0, 1), (1, 3)])


def test_where_one_is_killed_the_stage_has_failed_and_goes_on_when_run_again(
    finished: Path, task: Task, undisturbed: dict[str, Any], tmp_path: Path
) -> None:
    store = copied(finished, tmp_path / "store")
    kill = "dist.get_rank() and os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(MemberError, match="process 2 of the 2 that shared it ended by SIGKILL"):
        run_task(faulty(task, tmp_path / "members", 3, kill), store)
    assert gone(tmp_path / "members")
    assert run_task(task, store) == "made"
    assert made(store, task) == (undisturbed, [(0, 2), (2, 3)])


def test_what_one_fails_by_is_the_reason(finished: Path, task: Task, tmp_path: Path) -> None:
    store = copied(finished, tmp_path / "store")
    fail = "assert not dist.get_rank(), 'out of luck'"
    with pytest.raises(MemberError, match="AssertionError: out of luck"):
        run_task(faulty(task, tmp_path / "members", 2, fail), store)
    assert gone(tmp_path / "members")
    log = (running_folder(store, "generator", task["key"]) / "log.txt").read_text()
    assert "in process 2:" in log and "draw_with_a_fault" in log
