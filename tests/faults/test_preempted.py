"""SIGTERM to a training in a child of a fork server: its step is saved, and the next takes the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from little import LITTLE, ROOT, copy_row, manifests, results
from nodes import Run

from rgx.run.fork_server import FORKS, DiedError, ForkServer
from rgx.store.artifacts import running_folder
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

PREEMPTED = """\
import os, signal
from rgx.gesture.data.windows import Windows

draw = Windows.draw
def asked_while_drawing(windows, *asked):
    os.kill(os.getppid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    return draw(windows, *asked)

Windows.draw = asked_while_drawing
"""


@pytest.mark.slow
@pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded")
def test_a_preempted_child_loses_no_step(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = copy_row(finished, tmp_path / "store", "+distill", "generator", "motion", "motion_scores")
    (tmp_path / "little.yaml").write_text(LITTLE)
    monkeypatch.chdir(ROOT)
    plan = make_plan(read_sweep(tmp_path / "little.yaml", Overrides(only=["3b/+distill"])))
    task = next(task for task in plan.tasks.values() if task.stage == "generator").message()
    asked = {"store": str(store), "folder": str(ROOT), "device": "cpu"}
    folder, fork_server = running_folder(store, "generator", task["key"]), ForkServer()
    try:
        with pytest.raises(DiedError, match="ended by SIGTERM"):
            fork_server.run({**asked, "task": {**task, "plugins": [["planted", PREEMPTED]]}})
        assert "stopped by SIGTERM; goes on from step 1" in (folder / "log.txt").read_text()
        assert not (folder / "failure.json").exists() and not (folder / "lease.json").exists()
        assert fork_server.run({**asked, "task": task}) == {"made": "made"}
    finally:
        fork_server.process.kill()
    (name,) = (name for name in manifests(store) if name.startswith("generator/"))
    assert [(s["from"], s["to"]) for s in manifests(store)[name]["segments"]] == [(0, 1), (1, 3)]
    assert results(store)[name] == results(finished)[name]


ASKED = """\
import os, pathlib, signal, time
from rgx.gesture.data.windows import Windows

draw = Windows.draw
def asked_while_drawing(windows, *asked):
    told = pathlib.Path("FOLDER") / "told.txt"
    if not told.exists():
        parents = [os.getppid()]
        while b"ray::ImplicitFunc" not in pathlib.Path(f"/proc/{parents[-1]}/cmdline").read_bytes():
            line = pathlib.Path(f"/proc/{parents[-1]}/stat").read_text()
            parents.append(int(line.rpartition(")")[2].split()[1]))
        told.write_text(str(parents[-1]))
        os.kill(parents[-1], signal.SIGTERM)
        stat = pathlib.Path(f"/proc/{parents[-1]}/stat")
        until = time.monotonic() + 60
        while stat.exists() and ") Z " not in stat.read_text() and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)
    return draw(windows, *asked)

Windows.draw = asked_while_drawing
"""


@pytest.mark.slow
@pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded")
@pytest.mark.xdist_group("ray clusters")
@pytest.mark.parametrize("joined", [False, True])
def test_a_ray_worker_that_is_asked_to_end_loses_no_step_of_its_stage(
    finished: Path, tmp_path: Path, request: pytest.FixtureRequest, joined: bool
) -> None:
    """Only the worker: what it started learns of it by its end."""
    store = copy_row(finished, tmp_path / "store", "+distill", "generator", "motion", "motion_scores")
    (tmp_path / "little.yaml").write_text(LITTLE)
    (tmp_path / "asked_for_a_test.py").write_text(ASKED.replace("FOLDER", str(tmp_path)))
    options = ["--only", "3b/+distill", "--import", "asked_for_a_test.py"]
    if joined:
        options += ["--address", request.getfixturevalue("nodes").address]
    run = Run(tmp_path / "little.yaml", store, *options)
    assert run.wait() == 0, run.text
    assert (tmp_path / "told.txt").is_file() and "try 2 of 3" in run.text, run.text
    name = next(name for name in manifests(store) if name.startswith("generator/"))
    assert [(s["from"], s["to"]) for s in manifests(store)[name]["segments"]] == [(0, 1), (1, 3)]
    assert "stopped by SIGTERM; goes on from step 1" in (store / name / "log.txt").read_text()
    assert results(store)[name] == results(finished)[name]
