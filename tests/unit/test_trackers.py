"""Trackers: what they are told of a stage, and that nothing they do holds up or stops a sweep."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from keyed import digest, manifest_of
from little import LITTLE, command, manifests
from torch import nn

from rgx.cli import Tracked
from rgx.errors import InputError
from rgx.run.trackers import TRACKERS, StageRun, Tracker, make_trackers, parameters, scalars
from rgx.run.tracking import Tracking
from rgx.store.artifacts import artifact_folder, running_folder, write_json
from rgx.store.workspace import Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

RECORD = {
    "variant": "stage/tokenizer",
    "width": 64,
    "quantizer": {"variant": "quantizer/rvq", "codes": 1024},
    "training": {"variant": "training/adamw", "betas": [0.9, 0.99], "warm": None, "fused": True},
    "trunk": {"variant": "trunk/deep", "fusion": {"variant": "fusion/concat", "heads": 4}},
    "metrics": [{"variant": "metric/fgd", "seed": 0}, {"variant": "metric/fgd", "seed": 1}],
    "parts": {"variant": "parts/separate"},
}
CURVE = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": 1.0}]


def test_parameters_are_dotted_names_and_choices() -> None:
    assert parameters(RECORD) == {
        "width": 64,
        "quantizer.variant": "rvq",
        "quantizer/rvq.codes": 1024,
        "training.variant": "adamw",
        "training/adamw.betas": "[0.9, 0.99]",
        "training/adamw.warm": "None",
        "training/adamw.fused": True,
        "trunk.variant": "deep",
        "trunk/deep.fusion.variant": "concat",
        "trunk/deep.fusion/concat.heads": 4,
        "metrics.variant": "fgd, fgd",
        "metrics/fgd-1.seed": 0,
        "metrics/fgd-2.seed": 1,
        "parts.variant": "separate",
    }


def test_outputs_are_numbers_scores_and_references() -> None:
    outputs = {
        "windows": 8,
        "notes": ["a stand-in"],
        "metrics": {"fgd": {"decimals": 3}},
        "scores": {"fgd": 1.5, "pcm": None},
        "references": {"fgd": 0.5},
    }
    assert scalars(outputs) == {"windows": 8.0, "fgd": 1.5, "reference.fgd": 0.5}


def test_the_command_line_offers_every_tracker() -> None:
    assert {track.value for track in Tracked} == set(TRACKERS)


@pytest.mark.parametrize(
    ("name", "package"), [("mlflow", "mlflow"), ("mlflow", "sqlalchemy"), ("wandb", "wandb")]
)
def test_a_tracker_that_is_not_installed_names_the_extra(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(__spec__="there"))
    monkeypatch.setitem(sys.modules, package, None)
    hint = rf"--track {name}: no {package}; try: pip install 'rgx-experiments\[{name}\]'"
    with pytest.raises(InputError, match=hint):
        make_trackers([name], "little", tmp_path)


def test_nothing_runs_where_a_tracker_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "little.yaml").write_text(LITTLE)
    asked = ["sweep", str(tmp_path / "little.yaml"), "--store", str(tmp_path / "store"), "--track", "mlflow"]
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert command(*asked) == 2
    assert "pip install 'rgx-experiments[mlflow]'" in capsys.readouterr().err
    assert command(*asked, "--engine", "inline") == 2
    assert "--track mlflow needs --engine ray" in capsys.readouterr().err
    assert not manifests(tmp_path / "store")


class Told(Tracker):
    """Remembers what it is told."""

    name = "told"
    needs = ()

    def open(self) -> None:
        self.runs: dict[str, StageRun] = {}
        self.said: list[Any] = []

    def begin(self, run: StageRun) -> None:
        self.runs[run.name] = run
        self.said.append("begin")

    def points(self, run: StageRun, points: Any) -> None:
        self.said += points

    def end(self, run: StageRun, step: int, failed: bool) -> None:
        self.said.append("failed" if failed else "finished")

    def close(self) -> None:
        self.said.append("close")


class Gone(Told):
    """A server that does not answer."""

    name = "gone"

    def begin(self, run: StageRun) -> None:
        raise ConnectionError("no route to host\nand a long story")


class Locked(Told):
    """A server behind a password that it repeats."""

    name = "locked"

    def __init__(self, sweep: str, folder: Path) -> None:
        super().__init__(sweep, folder)
        self.where = "http://me:hush@host:5000"

    def begin(self, run: StageRun) -> None:
        raise ConnectionError(f"no answer from {self.where}/api: <class 'TimeoutError'>")


class Stuck(Told):
    """A server that takes its time."""

    name = "stuck"
    answer = threading.Event()

    def begin(self, run: StageRun) -> None:
        self.answer.wait(10)


KEY = digest("a tracked tokenizer")
TASK = {
    "stage": "tokenizer", "key": KEY, "record": RECORD, "seed": 3, "row": "3b/+RVQ",
    "texts": [
        {"text": "WIDTH = 64", "asked": False},
        {"text": "PARTS = @parts.joint()", "asked": True},
        {"text": "", "asked": True},
    ],
}  # fmt: skip
NAME = f"tokenizer-{KEY[:8]}"


def trial(made: str = "made") -> Any:
    return SimpleNamespace(config={"task": json.dumps(TASK)}, last_result={"made": made})


def work(store: Path, curve: str) -> None:
    """Put on disk what a worker in the middle of the stage has."""
    folder = running_folder(store, TASK["stage"], TASK["key"])
    write_json(folder / "lease.json", {"host": "node7", "pid": 1})
    (folder / "curve.jsonl").write_text(curve)


def finish(store: Path, outputs: dict[str, Any]) -> None:
    """Put on disk what a worker leaves."""
    running = running_folder(store, TASK["stage"], TASK["key"])
    final = artifact_folder(store, TASK["stage"], TASK["key"])
    final.mkdir(parents=True)
    (final / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CURVE))
    write_json(final / "manifest.json", manifest_of("tokenizer", TASK["key"], host="node7", outputs=outputs))
    shutil.rmtree(running, ignore_errors=True)


def soon(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert true()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rgx.run.tracking.EVERY_S", 0.02)


def test_a_stage_is_followed_while_it_runs_and_its_outputs_come_last(tmp_path: Path, quick: None) -> None:
    told, said = Told("little", tmp_path), []
    lines = [json.dumps(row) + "\n" for row in CURVE]
    with Tracking([told], "little", tmp_path, said.append) as tracking:
        tracking.on_trial_start(0, [], trial())
        time.sleep(0.1)
        assert told.said == [], "a stage that waits has not begun"
        work(tmp_path, lines[0] + lines[1][:7])
        soon(lambda: told.said == ["begin", (1, {"loss": 3.0})])
        work(tmp_path, lines[0] + lines[1])
        soon(lambda: told.said[2:] == [(2, {"loss": 2.0})])
        finish(tmp_path, {"loss": 1.0, "parameters": 12})
        tracking.on_trial_complete(0, [], trial())
    assert told.said[3:] == [(3, {"loss": 1.0}), (3, {"parameters": 12.0}), "finished", "close"]
    assert said == [f"tracking: told, {tmp_path}"]
    run = told.runs[NAME]
    assert run.parameters == parameters(RECORD)
    assert run.tags == {
        "sweep": "little", "row": "3b/+RVQ", "stage": "tokenizer", "key": TASK["key"], "seed": "3",
        "host": "node7", "bindings": "PARTS = @parts.joint()",
    }  # fmt: skip


def test_a_quick_stage_is_told_whole(tmp_path: Path) -> None:
    told = Told("little", tmp_path)
    with Tracking([told], "little", tmp_path, print) as tracking:
        finish(tmp_path, {"fgd": 2})
        tracking.on_trial_start(0, [], trial())
        tracking.on_trial_complete(0, [], trial())
    points = [(row["step"], {"loss": row["loss"]}) for row in CURVE]
    assert told.said == ["begin", *points, (3, {"fgd": 2.0}), "finished", "close"]


def test_what_another_driver_made_is_not_told(tmp_path: Path) -> None:
    told = Told("little", tmp_path)
    with Tracking([told], "little", tmp_path, print) as tracking:
        finish(tmp_path, {"fgd": 2})
        tracking.on_trial_start(0, [], trial())
        tracking.on_trial_complete(0, [], trial("found"))
    assert told.said == ["close"]


def test_a_failed_stage_is_told_as_failed_and_a_stopped_one_too(tmp_path: Path, quick: None) -> None:
    told = Told("little", tmp_path)
    with Tracking([told], "little", tmp_path, print) as tracking:
        work(tmp_path, json.dumps(CURVE[0]) + "\n")
        tracking.on_trial_start(0, [], trial())
        tracking.on_trial_error(0, [], trial())
    assert told.said == ["begin", (1, {"loss": 3.0}), "failed", "close"]
    stopped = Told("little", tmp_path)
    with pytest.raises(KeyboardInterrupt), Tracking([stopped], "little", tmp_path, print) as tracking:
        tracking.on_trial_start(0, [], trial())
        raise KeyboardInterrupt
    assert stopped.said == ["begin", (1, {"loss": 3.0}), "failed", "close"]


def test_a_tracker_that_is_gone_is_told_of_once_and_the_others_go_on(tmp_path: Path) -> None:
    told, said = Told("little", tmp_path), []
    with Tracking([Gone("little", tmp_path), told], "little", tmp_path, said.append) as tracking:
        finish(tmp_path, {})
        for _ in range(3):
            tracking.on_trial_start(0, [], trial())
            tracking.on_trial_complete(0, [], trial())
    assert told.said.count("begin") == told.said.count("finished") == 3
    (line,) = [line for line in said if "left out" in line]
    assert "gone" in line and "ConnectionError: no route to host" in line and "long story" not in line


def test_no_password_of_a_tracker_is_printed(tmp_path: Path) -> None:
    said: list[str] = []
    with Tracking([Locked("little", tmp_path)], "little", tmp_path, said.append) as tracking:
        finish(tmp_path, {})
        tracking.on_trial_start(0, [], trial())
        tracking.on_trial_complete(0, [], trial())
    assert said[0] == "tracking: locked, http://…@host:5000"
    assert said[1].endswith("ConnectionError: no answer from http://…@host:5000/api: TimeoutError")


def test_a_tracker_that_is_stuck_holds_up_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("rgx.run.tracking.LONGEST_S", 0.1)
    finish(tmp_path, {})
    started = time.monotonic()
    with Tracking([Stuck("little", tmp_path)], "little", tmp_path, said.append) as tracking:
        for _ in range(50):
            tracking.on_trial_start(0, [], trial())
            tracking.on_trial_complete(0, [], trial())
    assert time.monotonic() - started < 5
    assert said[-1] == "tracking: stuck did not take everything in time"
    Stuck.answer.set()
    tracking.thread.join(10)


def test_a_curve_that_cannot_be_read_stops_tracking_and_nothing_else(tmp_path: Path, quick: None) -> None:
    said: list[str] = []
    work(tmp_path, "no json\n")
    with Tracking([Told("little", tmp_path)], "little", tmp_path, said.append) as tracking:
        tracking.on_trial_start(0, [], trial())
        soon(lambda: not tracking.thread.is_alive())
        tracking.on_trial_complete(0, [], trial())
    assert "tracking has stopped, the sweep goes on without it: JSONDecodeError" in said[-1]


# --- curves ------------------------------------------------------------------------------------------


def train(folder: Path, until: int = 99) -> None:
    """Train a small network, or go on with it, and break off at a step."""
    torch.manual_seed(0)
    network, calls = nn.Linear(3, 1), 0

    def losses() -> dict[str, torch.Tensor]:
        nonlocal calls
        calls += 1
        if calls > until:
            raise KeyboardInterrupt
        return {"fit": network(torch.randn(4, 3)).square().mean()}

    training = AdamW(steps=9, batch=4, learning_rate=1e-2, checkpoint_every=4)
    with contextlib.suppress(KeyboardInterrupt):
        fit(network, losses, training, Workspace(folder, "cpu", lambda progress: None))


@pytest.mark.slow
@pytest.mark.parametrize("stops", [[3], [6], [4], [6, 3], [2, 2, 7]])
def test_a_curve_that_was_broken_off_is_the_undisturbed_one_in_the_end(
    tmp_path: Path, stops: list[int]
) -> None:
    train(tmp_path / "whole")
    for stop in stops:
        train(tmp_path / "again", stop)
    cut = tmp_path / "again" / "curve.jsonl"
    with cut.open("a") as file:
        file.write('{"step": 9, "fi')
    train(tmp_path / "again")
    whole = (tmp_path / "whole" / "curve.jsonl").read_text()
    assert [json.loads(line)["step"] for line in whole.splitlines()] == list(range(1, 10))
    assert cut.read_text() == whole
    assert not [p.name for p in cut.parent.iterdir() if p.name.startswith(".")]
