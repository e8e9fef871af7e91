"""Searches that really train, in this process and on Ray."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from little import LITTLE, ONE_WORKER, ROOT, SYNC, command, copy_row, manifests, results, sweep
from nursery import Started
from roster import load_roster

from rgx import registry
from rgx.store.artifacts import artifact_folder

pytestmark = pytest.mark.xdist_group("ray in pipelines")
METRIC = """\
import math
from rgx.gesture.metrics.base import Evaluation, MotionMetric
from rgx.registry import register

@register("metric", "peak_for_a_test", label="Peak")
class Peak(MotionMetric):
    "A known function of where it is, whatever the motion."
    direction = "up"

    def __init__(self, at: float = 1.0, budget: int = 1) -> None:
        self.at, self.budget = at, budget

    def score(self, evaluation: Evaluation) -> float:
        return -abs(math.log10(self.at / 2.0e-3)) - 1 / self.budget

    def reference(self, evaluation: Evaluation) -> float:
        return 0.0
"""
HEAD = LITTLE.split("panels:")[0]
PEAK = (
    HEAD.replace("realistic_gesture.gin]", "realistic_gesture.gin, peak.gin]").replace(SYNC, "")
    + """\
imports: [peak_plugin_for_a_test]
search:
  peak:
    over:
      metric.peak_for_a_test.at: {low: 1.0e-6, high: 1.0, log: true}
    metric: motion_scores/peak_for_a_test
    trials: 6
    searcher: optuna
    scheduler:
      asha: {budget: metric.peak_for_a_test.budget, rungs: [1, 2]}
"""
)
RATE = (
    LITTLE.replace("    baseline: {quantizer: none, generator: regression}\n", "")
    + """\
search:
  rate:
    over:
      generator/training.adamw.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
    metric: motion_scores/fgd
    trials: 2
"""
)


@pytest.fixture(scope="module", autouse=True)
def quiet_machine() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    load_roster()
    before = dict(registry._roster)
    yield
    registry._roster.clear()
    registry._roster.update(before)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def searched(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("searched")
    copy_row(finished, folder / "store", "+distill")
    assert sweep(folder, folder / "store", "--no-report", text=RATE) == 0
    return folder


def record(store: Path) -> dict[str, Any]:
    (path,) = store.glob("searches/little/*/record.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def ended(store: Path) -> list[dict[str, Any]]:
    """Return the trials that are over; none where no search has begun."""
    records = [json.loads(path.read_text()) for path in store.glob("searches/*/*/record.json")]
    return [trial for each in records for trial in each["trials"] if trial["state"] != "open"]


def ray(folder: Path, text: str, store: Path) -> list[str]:
    """Write a sweep and return the command that runs it on Ray."""
    (folder / "little.yaml").write_text(text)
    (folder / "peak_plugin_for_a_test.py").write_text(METRIC)
    (folder / "peak.gin").write_text("stage.motion_scores.metrics = [@metric.peak_for_a_test()]\n")
    file = str(folder / "little.yaml")
    return [sys.executable, "-m", "rgx", "sweep", file, "--store", str(store), "--no-report"]


@pytest.mark.slow
def test_a_trial_trains_what_its_values_change_and_nothing_else(searched: Path) -> None:
    made = list(manifests(searched / "store").values())
    counts = {stage: sum(m["stage"] == stage for m in made) for stage in {m["stage"] for m in made}}
    shared = ("corpus", "speech", "judge", "sync_judge", "alignment", "tokenizer", "residual")
    own = ("generator", "motion", "motion_scores")
    splits = [m["outputs"]["metrics"]["fgd"]["split"] for m in made if m["stage"] == "motion_scores"]
    assert sorted(splits) == ["dev", "dev", "test"], "a search chooses by dev, the table reads test"
    assert counts == {**dict.fromkeys(shared, 1), **dict.fromkeys(own, 3)}
    scores = {m["key"]: m["outputs"]["scores"]["fgd"] for m in made if m["stage"] == "motion_scores"}
    for trial in record(searched / "store")["trials"]:
        (rung,) = trial["rungs"]
        ((seed, stages),) = rung["cells"]
        assert (seed, trial["state"]) == (0, "finished")
        assert rung["score"] == {"value": scores[stages["motion_scores"]], "cost": rung["score"]["value"]}


@pytest.mark.slow
def test_a_trial_is_the_same_to_the_last_bit_as_a_row_with_its_values(searched: Path, tmp_path: Path) -> None:
    trial = record(searched / "store")["trials"][0]
    ((_, stages),) = trial["rungs"][0]["cells"]
    store = tmp_path / "store"
    shutil.copytree(searched / "store", store)
    for stage in ("generator", "motion", "motion_scores"):
        shutil.rmtree(artifact_folder(store, stage, stages[stage]))
    ((name, value),) = trial["values"].items()
    bound = ["--bind", f"{name} = {value!r}", "--bind", "stage.motion.split = 'dev'"]
    assert sweep(tmp_path, store, *bound, "--no-report", "--only", "3b", text=RATE) == 0
    assert results(store) == results(searched / "store")


@pytest.mark.slow
def test_a_trial_is_a_row_for_every_other_command(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = searched / "store"
    row = record(store)["trials"][0]["rungs"][0]["row"]
    assert command("show", f"little:rate/{row}/fgd", "--store", str(store)) == 0
    assert "generator/training.adamw.learning_rate = " in capsys.readouterr().out
    assert command("gc", "--store", str(store)) == 0
    assert "0 folders" in capsys.readouterr().out
    assert command("export", f"little:rate/{row}", str(tmp_path / "row.tar"), "--store", str(store)) == 0
    (tmp_path / "reports").mkdir()
    table = "sweep: little.yaml\npanels:\n  rate:\n    caption: Rates.\n    columns: [fgd]\n"
    (tmp_path / "reports" / "little.yaml").write_text(table)
    (tmp_path / "little.yaml").write_text(RATE)
    reported = ["report", str(tmp_path / "reports" / "little.yaml"), "--store", str(store)]
    assert command(*reported, "--out", str(tmp_path / "out")) == 0
    (markdown,) = (tmp_path / "out").rglob("rate.md")
    assert row in markdown.read_text().replace("\\", "")
    assert "Scores of the dev split." in markdown.read_text()


@pytest.mark.slow
def test_ray_optuna_and_asha_find_a_planted_peak_and_go_on_after_a_kill(
    searched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store"
    shutil.copytree(searched / "store", store)
    shutil.rmtree(store / "searches")
    line = ray(tmp_path, PEAK, store)
    run = Started(line[3:], ROOT, {**os.environ, **ONE_WORKER}, tmp_path / "printed.txt")
    try:
        for _ in range(1500):
            if run.poll() is not None or ended(store):
                break
            time.sleep(0.2)
        run.send_signal(signal.SIGKILL)
        run.wait(60)
    finally:
        run.send_signal(signal.SIGKILL)
    before = ended(store)
    assert 0 < len(before) < 6
    assert command(*line[3:]) == 0
    printed = capsys.readouterr().out
    trials = record(store)["trials"]
    assert len(trials) == 6
    assert all(t in trials for t in before)
    assert {t["state"] for t in trials} == {"finished", "stopped"}
    scores = [m for m in manifests(store).values() if "peak_for_a_test" in m["outputs"].get("scores", {})]
    assert len(scores) == sum(len(t["rungs"]) for t in trials) < 6 * 2
    for stage in ("corpus", "tokenizer", "judge"):
        assert sum(name.startswith(stage) for name in manifests(store)) == 1
    best = [line for line in printed.splitlines() if line.startswith("best: ")]
    assert len(best) == 1
    again = "import sys\nfrom rgx.cli import main\nsys.argv = sys.argv[1:]\ntry:\n    main()\n"
    again += "except SystemExit as stop:\n    assert not stop.code\nassert 'ray' not in sys.modules\n"
    line[1:3] = ["-c", again, "rgx"]
    same = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert same.returncode == 0, same.stdout + same.stderr
    assert best[0] in same.stdout
    assert record(store)["trials"] == trials
