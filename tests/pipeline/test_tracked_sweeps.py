"""A real sweep on Ray, read back from MLflow's SQLite file, TensorBoard's event files and W&B's own file."""

from __future__ import annotations

import importlib.util
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nursery
import pytest
from little import LITTLE, ONE_WORKER, ROOT, copy_row, manifests

from rgx.run.trackers import MLflow, make_trackers, parameters, scalars
from rgx.run.tracking import Tracking

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray in pipelines")]
TRACKERS = [
    name for name, package in (("mlflow", "mlflow"), ("wandb", "wandb"), ("tensorboard", "tensorboardX"))
    if importlib.util.find_spec(package)
]  # fmt: skip
SETTINGS = ("MLFLOW_", "WANDB_")
TEXT = (
    LITTLE
    + """\
    longer: {quantizer: none, generator: regression, bind: {generator/training.adamw.steps: 4}}
    broken: {distillation: breaks_for_a_test}
"""
)
PLUGIN = """\
import torch
from rgx.registry import register
from rgx.gesture.tokens.base import Distillation

@register("distillation", "breaks_for_a_test")
class Breaks(Distillation):
    "A loss that is not finite at the third step."

    def __init__(self, width: int, members: tuple[str, ...], teacher_width: int) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, quantized, batch, teacher):
        self.calls += 1
        return quantized.new_full((), float("nan") if self.calls > 2 else 0.0)
"""


def needs(name: str) -> None:
    if name not in TRACKERS:
        pytest.skip(f"needs rgx-experiments[{name}], which is not installed")


def sweep(folder: Path, *options: str, text: str = TEXT) -> subprocess.CompletedProcess[str]:
    """Sweep on Ray in another process, with every tracker there is and none of the caller's settings."""
    clean = {n: v for n, v in os.environ.items() if not n.startswith(SETTINGS)} | ONE_WORKER
    (folder / "little.yaml").write_text(text)
    (folder / "breaks_plugin_for_a_test.py").write_text(PLUGIN)
    command = ["sweep", str(folder / "little.yaml"), "--no-report"]
    command += ["--store", str(folder / "store"), "--import", "breaks_plugin_for_a_test", *options]
    return nursery.rgx(command, ROOT, clean, timeout=600)


@pytest.fixture(scope="module")
def tracked(
    finished: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, dict[str, Any]]]:
    """A sweep of which a part was in the store before; returns its folder and the manifests that are new."""
    folder = tmp_path_factory.mktemp("tracked")
    store = copy_row(finished, folder / "store", "baseline")
    before = set(manifests(store))
    asked = [word for name in TRACKERS for word in ("--track", name)]
    run = sweep(folder, "--only", "3b/longer", "--only", "3b/broken", *asked)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "left out" not in run.stdout and "1 failed" in run.stdout, run.stdout
    fresh = {n: m for n, m in manifests(store).items() if n not in before}
    assert sorted(made["stage"] for made in fresh.values()) == ["generator", "motion", "motion_scores"]
    return folder, {f"{m['stage']}-{m['key'][:8]}": m for m in fresh.values()}


def curve(store: Path, made: dict[str, Any]) -> list[dict[str, Any]]:
    path = store / made["stage"] / made["key"][:16] / "curve.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def expected(store: Path, made: dict[str, Any]) -> dict[str, dict[int, float]]:
    """Return name → step → value of a finished stage: its curve, and its outputs at the last step."""
    found: dict[str, dict[int, float]] = {}
    rows = curve(store, made)
    for row in rows:
        for name, value in row.items():
            found.setdefault(name, {})[row["step"]] = value
    found.pop("step", None)
    for name, value in scalars(made["outputs"]).items():
        found.setdefault(name, {})[rows[-1]["step"] if rows else 0] = value
    return found


def mlflow_runs(folder: Path) -> tuple[Any, dict[str, Any]]:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'store' / 'tracking' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("little")
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return client, {run.info.run_name: run for run in runs}


def test_mlflow_has_one_run_a_stage_made(tracked: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    needs("mlflow")
    folder, fresh = tracked
    client, runs = mlflow_runs(folder)
    finished = {name: run for name, run in runs.items() if run.info.status == "FINISHED"}
    assert set(finished) == set(fresh)
    for name, run in finished.items():
        made = fresh[name]
        assert run.data.params == {n: str(v) for n, v in parameters(made["record"]).items()}
        tags = {n: made[n] for n in ("stage", "key", "row", "host")} | {"sweep": "little"}
        assert tags.items() <= run.data.tags.items()
        assert run.data.tags.get("seed") == (None if made["seed"] is None else str(made["seed"]))
        told = {
            metric: {point.step: point.value for point in client.get_metric_history(run.info.run_id, metric)}
            for metric in run.data.metrics
        }
        assert told == expected(folder / "store", made)
        for metric, steps in told.items():
            assert len(client.get_metric_history(run.info.run_id, metric)) == len(steps)


def test_mlflow_shows_the_failed_stage_as_failed(tracked: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    needs("mlflow")
    _, runs = mlflow_runs(tracked[0])
    (failed,) = [run for run in runs.values() if run.info.status != "FINISHED"]
    assert failed.info.status == "FAILED" and failed.info.run_name.startswith("tokenizer-")
    assert failed.data.tags["row"] == "3b/broken" and "breaks_for_a_test" in failed.data.tags["bindings"]
    assert failed.data.params["distillation.variant"] == "breaks_for_a_test"
    assert set(failed.data.metrics) >= {"position", "velocity"}


def events(folder: Path) -> Iterator[Any]:
    """Read TensorBoard's event files: length, checksum, event, checksum, again and again."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, place = path.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            yield Event.FromString(data[place + 12 : place + 12 + length])
            place += 16 + length


def test_tensorboard_has_the_same_curves(tracked: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    needs("tensorboard")
    folder, fresh = tracked
    runs = folder / "store" / "tracking" / "runs" / "little"
    failed = {path.name for path in runs.iterdir()} - set(fresh)
    assert len(failed) == 1 and set(fresh) <= {path.name for path in runs.iterdir()}
    for name, made in fresh.items():
        told: dict[str, dict[int, float]] = {}
        plugins = set()
        for event in events(runs / name):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name:
                    plugins.add(value.metadata.plugin_data.plugin_name)
                    continue
                told.setdefault(value.tag.removeprefix("ray/tune/"), {})[event.step] = value.simple_value
        wanted = expected(folder / "store", made)
        assert told == {n: {s: pytest.approx(v) for s, v in steps.items()} for n, steps in wanted.items()}
        assert plugins == {"hparams"}
    (name,) = failed
    said = [value.tag for event in events(runs / name) for value in event.summary.value]
    assert "ray/tune/failed" in said


def records(path: Path) -> Iterator[Any]:
    """Read W&B's file: blocks of 32 KiB of pieces with a header of checksum, length and kind."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, part = path.read_bytes(), 7, b""
    while place + 7 <= len(data):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        part += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield Record.FromString(part)
            part = b""


def test_wandb_has_the_same_curves_offline(tracked: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    needs("wandb")
    folder, fresh = tracked
    seen = set()
    for path in (folder / "store" / "tracking" / "wandb").glob("offline-run-*/*.wandb"):
        told: dict[str, dict[int, float]] = {}
        run, config = None, {}
        for record in records(path):
            run = record.run if record.HasField("run") else run
            for item in record.history.item:
                told.setdefault(item.key or ".".join(item.nested_key), {})[record.history.step.num] = (
                    json.loads(item.value_json)
                )
        assert run is not None and run.run_group == "little" and run.project == "rgx"
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        seen.add(run.display_name)
        if run.display_name not in fresh:
            assert told["failed"] and run.job_type == "tokenizer"
            continue
        made = fresh[run.display_name]
        assert {
            **parameters(made["record"]),
            "run.row": made["row"],
            "run.host": made["host"],
        }.items() <= config.items()
        assert set(run.tags) == {"little", made["row"], made["stage"]}
        told = {n: steps for n, steps in told.items() if not n.startswith("_") and n != "training_iteration"}
        assert told == expected(folder / "store", made)
    assert len(seen) == len(fresh) + 1 and set(fresh) <= seen


def test_a_second_run_tells_nothing(tracked: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    folder, _ = tracked
    listing = {p: p.stat().st_size for p in (folder / "store" / "tracking").rglob("*")}
    asked = [word for name in TRACKERS for word in ("--track", name)]
    run = sweep(folder, "--only", "3b/longer", *asked)
    assert run.returncode == 0 and "0 stages run" in run.stdout, run.stdout + run.stderr
    assert {p: p.stat().st_size for p in (folder / "store" / "tracking").rglob("*")} == listing


def test_a_server_that_does_not_answer_stops_nothing(
    tracked: tuple[Path, dict[str, dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("mlflow")
    for name, value in MLflow.defaults.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    folder, fresh = tracked
    said: list[str] = []
    trackers = make_trackers(["mlflow", "tensorboard"], "little", tmp_path)
    with Tracking(trackers, "little", folder / "store", said.append) as tracking:
        for made in fresh.values():
            trial = SimpleNamespace(config={"task": json.dumps({**made, "texts": []})}, last_result={})
            tracking.on_trial_start(0, [], trial)
            tracking.on_trial_complete(0, [], trial)
    (line,) = [line for line in said if "left out" in line]
    assert "mlflow" in line and "127.0.0.1" in line
    assert [tracker.name for tracker in tracking.trackers] == ["tensorboard"]


SEARCH = """\
search:
  rate:
    over:
      generator/training.adamw.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
    metric: motion_scores/fgd
    trials: 2
"""


def test_each_stage_of_a_search_s_trials_is_a_run(finished: Path, tmp_path: Path) -> None:
    text = LITTLE.split("panels:")[0] + SEARCH
    store = copy_row(finished, tmp_path / "store", "+distill", "generator", "motion", "motion_scores")
    before = set(manifests(store))
    followed = [name for name in TRACKERS if name != "wandb"]
    run = sweep(tmp_path, *(word for name in followed for word in ("--track", name)), text=text)
    assert run.returncode == 0 and "left out" not in run.stdout, run.stdout + run.stderr
    fresh = [m for name, m in manifests(store).items() if name not in before]
    made = {f"{m['stage']}-{m['key'][:8]}": m for m in fresh}
    own = [name for name, m in made.items() if m["row"].startswith("rate/learning_rate=")]
    assert len(own) == 6, "a generator, its motion and its scores for each of two trials"
    if "tensorboard" in TRACKERS:
        assert {path.name for path in (store / "tracking" / "runs" / "little").iterdir()} == set(made)
    needs("mlflow")
    client, runs = mlflow_runs(tmp_path)
    assert set(runs) == set(made)
    for name, run_told in runs.items():
        assert run_told.info.status == "FINISHED"
        assert run_told.data.params == {n: str(v) for n, v in parameters(made[name]["record"]).items()}
        assert run_told.data.tags["row"] == made[name]["row"]
        for metric, steps in expected(store, made[name]).items():
            history = client.get_metric_history(run_told.info.run_id, metric)
            assert {point.step: point.value for point in history} == steps
