"""TensorBoard, MLflow and Weights & Biases: a stage as each of them shows it."""

from __future__ import annotations

import functools
import importlib.util
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rgx.errors import InputError, install_hint

Point = tuple[int, dict[str, float]]
"""A step of training and its values."""

STEP = "training_iteration"
"""What Ray's callbacks take for the step of a result."""

MLFLOW_BATCH = 100
UPLOAD_S = 60
LONGEST_TAG = 64


@dataclass(frozen=True, eq=False)
class StageRun:
    """One run of one stage, with what Ray's logger callbacks read of a trial.

    parameters: the resolved record by dotted names; tags: where it belongs; folder: of its event files.
    """

    name: str
    parameters: dict[str, Any]
    tags: dict[str, str]
    folder: Path

    def __str__(self) -> str:
        return self.name

    @property
    def config(self) -> dict[str, Any]:
        """Parameters, and the tags as `run.…` for trackers that can only search parameters."""
        return self.parameters | {f"run.{name}": value for name, value in self.tags.items()}

    @property
    def evaluated_params(self) -> dict[str, Any]:
        return self.config

    @property
    def local_path(self) -> str:
        return str(self.folder)

    def init_local_path(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)


def parameters(record: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return a stage's resolved record by dotted names, such as `backbone/mlp.width`.

    A choice is `backbone.variant`; what is neither a number nor a word is written out.
    """
    values: dict[str, Any] = {}
    for name, value in record.items():
        place = f"{path}.{name}" if path else name
        parts = value if isinstance(value, list) else [value]
        if parts and all(isinstance(part, Mapping) and "variant" in part for part in parts):
            names = [part["variant"].partition("/")[2] for part in parts]
            values[f"{place}.variant"] = ", ".join(names)
            for index, (own, part) in enumerate(zip(names, parts, strict=True)):
                again = f"-{index + 1}" if names.count(own) > 1 else ""
                values |= parameters(part, f"{place}/{own}{again}")
        elif isinstance(value, Mapping):
            values |= parameters(value, place)
        elif name != "variant":
            values[place] = value if isinstance(value, (bool, int, float, str)) else str(value)
    return values


def scalars(outputs: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a manifest's outputs: its own, each score, and `reference.…` of each score."""
    references = outputs.get("references") or {}
    every = {
        **outputs,
        **(outputs.get("scores") or {}),
        **{f"reference.{name}": value for name, value in references.items()},
    }
    return {name: float(value) for name, value in every.items() if isinstance(value, (bool, int, float))}


class Tracker(ABC):
    """Where runs are shown; every method may raise whatever its library does.

    needs: packages, and in `extra` what installs them; `where` is known once it is open.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    def __init__(self, sweep: str, folder: Path) -> None:
        self.sweep, self.folder = sweep, folder
        self.where = str(folder)
        self.callback: Any = None

    @classmethod
    def check(cls) -> None:
        """Raise InputError naming the extra where a package is missing."""
        for package in cls.needs:
            if importlib.util.find_spec(package) is None:
                raise InputError(f"--track {cls.name}: no {package}; try: {install_hint(cls.name)}")

    @abstractmethod
    def open(self) -> None:
        """Import and reach the tracker."""

    def begin(self, run: StageRun) -> None:
        """Show a run as started, with its parameters and tags."""
        self.callback.log_trial_start(run)

    def points(self, run: StageRun, points: Sequence[Point]) -> None:
        """Add steps to a run's curves."""
        for step, values in points:
            self.callback.log_trial_result(step, run, {STEP: step, **values})

    def end(self, run: StageRun, step: int, failed: bool) -> None:
        """Show a run as over; where a tracker has no word for failure, a curve `failed` says it."""
        if failed:
            self.points(run, [(step, {"failed": 1.0})])
        self.callback.log_trial_end(run, failed=failed)

    def close(self) -> None:
        """Wait for what is still on its way."""
        self.callback.on_experiment_end(trials=[])


class TensorBoard(Tracker):
    """Event files, one folder a stage."""

    name = "tensorboard"
    needs = ("tensorboardX",)

    def open(self) -> None:
        from ray.tune.logger import TBXLoggerCallback

        self.callback = TBXLoggerCallback()
        self.where = str(self.folder / "runs")


class MLflow(Tracker):
    """A server, or a SQLite file; MLflow's own client, for Ray's callback sends each value alone.

    In a database that takes some 20 ms of the driver a value; here they go in batches.
    """

    name = "mlflow"
    needs = ("mlflow", "sqlalchemy", "alembic")
    defaults: ClassVar = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # A server that is gone must be known to be gone in seconds, not minutes.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    }

    def open(self) -> None:
        for name, value in self.defaults.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        self.where = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.folder / 'mlflow.db'}"
        self.folder.mkdir(parents=True, exist_ok=True)
        _quiet("mlflow", "alembic")
        self.client = MlflowClient(self.where)
        known = self.client.get_experiment_by_name(self.sweep)
        self.experiment = known.experiment_id if known else self.client.create_experiment(self.sweep)
        self.runs: dict[StageRun, str] = {}

    def begin(self, run: StageRun) -> None:
        from mlflow.entities import Param

        begun = self.client.create_run(self.experiment, tags=run.tags, run_name=run.name)
        self.runs[run] = begun.info.run_id
        every = [Param(name, str(value)) for name, value in run.parameters.items()]
        for some in _batches(every):
            self.client.log_batch(self.runs[run], params=some)

    def points(self, run: StageRun, points: Sequence[Point]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        every = [Metric(name, v, now, step) for step, values in points for name, v in values.items()]
        for some in _batches(every):
            self.client.log_batch(self.runs[run], metrics=some)

    def end(self, run: StageRun, step: int, failed: bool) -> None:
        self.client.set_terminated(self.runs.pop(run), "FAILED" if failed else "FINISHED")

    def close(self) -> None:
        """Nothing is on its way: each batch was sent when it was told."""


class WandB(Tracker):
    """Weights & Biases; offline under the store unless WANDB_API_KEY or WANDB_MODE say otherwise.

    Its own client: Ray's callback never looks whether the actors that it sends to live.
    """

    name = "wandb"
    needs = ("wandb",)

    def open(self) -> None:
        import wandb

        if not os.environ.get("WANDB_API_KEY"):
            os.environ.setdefault("WANDB_MODE", "offline")
        mode = os.environ.get("WANDB_MODE", "online")
        place = Path(os.environ.get("WANDB_DIR", self.folder))
        place.mkdir(parents=True, exist_ok=True)
        project = os.environ.get("WANDB_PROJECT", "rgx")
        self.where = f"project {project}, {mode}, {place / 'wandb'}"
        self.start = functools.partial(
            wandb.init, project=project, group=self.sweep, dir=str(place), reinit="create_new",
            settings=wandb.Settings(silent=True, console="off", init_timeout=UPLOAD_S),
        )  # fmt: skip
        self.runs: dict[StageRun, Any] = {}

    def begin(self, run: StageRun) -> None:
        tags = [run.tags[name][:LONGEST_TAG] for name in ("sweep", "row", "stage")]
        self.runs[run] = self.start(name=run.name, config=run.config, tags=tags, job_type=run.tags["stage"])

    def points(self, run: StageRun, points: Sequence[Point]) -> None:
        for step, values in points:
            self.runs[run].log(values, step=step)

    def end(self, run: StageRun, step: int, failed: bool) -> None:
        if failed:
            self.points(run, [(step, {"failed": 1.0})])
        self.runs.pop(run).finish(exit_code=int(failed))

    def close(self) -> None:
        """Nothing is on its way: each run was finished when its stage was over."""


TRACKERS: dict[str, type[Tracker]] = {kind.name: kind for kind in (TensorBoard, MLflow, WandB)}


def make_trackers(names: Iterable[str], sweep: str, store: Path) -> list[Tracker]:
    """Return each tracker asked for once, not yet open; raises InputError for one that is not installed."""
    kinds = [TRACKERS[name] for name in dict.fromkeys(names)]
    for kind in kinds:
        kind.check()
    return [kind(sweep, store / "tracking") for kind in kinds]


def _batches(every: Sequence[Any]) -> list[Sequence[Any]]:
    return [every[first : first + MLFLOW_BATCH] for first in range(0, len(every), MLFLOW_BATCH)]


def _quiet(*libraries: str) -> None:
    import logging

    for library in libraries:
        logging.getLogger(library).setLevel(logging.WARNING)
