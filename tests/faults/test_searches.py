"""Searches whose workers are killed or that are stopped: they go on, and nothing differs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from little import LITTLE, copy_row, results, sweep
from nodes import Run, kill, leases, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray")]
STEPS = "generator/training.adamw.steps: "
TEXT = (
    LITTLE.split("panels:")[0].replace(f"{STEPS}3", f"{STEPS}30")
    + """\
search:
  rate:
    over:
      generator/training.adamw.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
    metric: motion_scores/fgd
    trials: 2
"""
)


@pytest.fixture(scope="module")
def undisturbed(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    copy_row(finished, folder / "store", "+distill", "generator", "motion", "motion_scores")
    assert sweep(folder, folder / "store", "--no-report", text=TEXT) == 0
    return folder / "store"


def begun(undisturbed: Path, folder: Path) -> Path:
    """Return a store that holds what the trials share, and nothing of a trial."""
    own = shutil.ignore_patterns("searches", "generator", "motion", "motion_scores")
    shutil.copytree(undisturbed, folder / "store", ignore=own)
    (folder / "little.yaml").write_text(TEXT)
    return folder / "store"


def trials_of(store: Path) -> list[dict[str, Any]]:
    """Return the trials of a search as its record holds them."""
    (path,) = store.glob("searches/little/*/record.json")
    found: list[dict[str, Any]] = json.loads(path.read_text())["trials"]
    return found


def trains(store: Path) -> list[Path]:
    """Return the folders of generators in training that have a checkpoint and a live worker."""
    folders = [store / "running" / name for name in leases(store) if name.startswith("generator")]
    return [folder for folder in folders if (folder / "checkpoint.safetensors").is_file()]


def everything(store: Path) -> dict[str, Any]:
    """Return what a kill must not change: results, curves, and the trials with their scores."""
    curves = {str(p.relative_to(store)): p.read_text() for p in store.glob("*/*/curve.jsonl")}
    return {"results": results(store), "curves": curves, "trials": trials_of(store)}


def test_a_trial_whose_worker_is_killed_goes_on_in_the_same_run_and_nothing_differs(
    undisturbed: Path, tmp_path: Path
) -> None:
    store = begun(undisturbed, tmp_path)
    run = Run(tmp_path / "little.yaml", store)
    try:
        wait_for(lambda: trains(store) or run.process.poll() is not None, 900)
        (victim, *_) = trains(store)
        kill(int(str(leases(store)[victim.name]["pid"])))
        wait_for(lambda: "died" in run.text, 900)
        assert run.wait(900) == 0, run.text
    finally:
        run.die()
    assert "killed without a word; from its last checkpoint on, try 2 of 3" in run.text
    assert "Traceback" not in run.text and "(raylet)" not in run.text
    log = (store / "generator" / victim.name.rpartition("-")[2] / "log.txt").read_text()
    assert [line[20:26] for line in log.splitlines()].count("start ") == 2
    assert everything(store) == everything(undisturbed)
    assert not list((store / "running").iterdir())


def test_ctrl_c_stops_a_search_soon_and_the_same_command_goes_on(undisturbed: Path, tmp_path: Path) -> None:
    store = begun(undisturbed, tmp_path)
    run = Run(tmp_path / "little.yaml", store)
    try:
        wait_for(lambda: trains(store) or run.process.poll() is not None, 900)
        began = time.monotonic()
        run.process.send_signal(signal.SIGINT)
        assert run.wait(60) == 130, run.text
        took = time.monotonic() - began
    finally:
        run.die()
    assert "rate: stopped; 0 of 2 trials have ended" in run.text
    assert "the same command goes on" in run.text
    assert "Traceback" not in run.text
    assert took < 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert [trial["state"] for trial in trials_of(store)] in (["open"], ["open"] * 2)
    assert sweep(tmp_path, store, "--no-report", text=TEXT) == 0
    assert everything(store) == everything(undisturbed)
