"""From a sweep's record and the manifests in the store to one long table of numbers with their keys."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError, field_validator

from rgx.errors import InputError, nearest
from rgx.store.artifacts import failure, running_folder

if TYPE_CHECKING:
    import pandas


FORMER_DIRECTIONS = {"real": "reference"}
"""What manifests of earlier versions call a direction, and what it is called now."""


class Measured(NamedTuple):
    """One number of a row at one seed, what the reference scores, and the artifact both are of."""

    panel: str
    row: str
    seed: int
    stage: str
    metric: str
    value: float
    reference: float | None
    key: str


class Metric(BaseModel):
    """What a reader must know of a metric, as its manifest tells it."""

    label: str
    direction: Literal["down", "up", "reference"] | None = None
    unit: str = ""
    decimals: int = 3
    protocol: str = ""
    stand_in: bool = False
    reference_is: str = ""

    @field_validator("direction", mode="before")
    @classmethod
    def _as_now_called(cls, given: Any) -> Any:
        return FORMER_DIRECTIONS.get(given, given) if isinstance(given, str) else given


class SweepRow(BaseModel):
    """One cell of a sweep at one seed, and the full key of each stage it needs."""

    panel: str
    row: str
    seed: int
    stages: dict[str, str]


class Sweep(BaseModel):
    """The record a sweep leaves in the store."""

    name: str
    seeds: list[int]
    rows: list[SweepRow]
    seed_scope: str = "each seed repeats the whole pipeline"


@dataclass(frozen=True)
class Results:
    """A sweep's record, its numbers in the order of its rows, and each `stage/metric`'s description.

    notes: what the manifests want said of their numbers, by panel and stage; manifests: those of all
    finished stages, by stage and key; owners: each panel's own sweep, where there are several; failures: why
    stages failed, by panel, row and stage.
    """

    sweep: Sweep
    measured: list[Measured]
    metrics: dict[str, Metric]
    notes: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    manifests: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, Sweep] = field(default_factory=dict)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def owner(self, panel: str) -> Sweep:
        """Return the sweep a panel is of."""
        return self.owners.get(panel, self.sweep)

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[SweepRow]]:
        """Return each panel's rows in the sweep's order, each at every seed."""
        found: dict[tuple[str, str], list[SweepRow]] = {}
        for row in self.sweep.rows:
            found.setdefault((row.panel, row.row), []).append(row)
        return found

    @cached_property
    def _stages(self) -> dict[tuple[str, str, int], dict[str, str]]:
        return {(row.panel, row.row, row.seed): row.stages for row in self.sweep.rows}

    def stages_of(self, number: Measured) -> dict[str, str]:
        """Return the key of each stage of the cell that a number is of."""
        return self._stages.get((number.panel, number.row, number.seed), {})

    def rows(self, panel: str) -> list[str]:
        """Return the rows of a panel in the sweep's order."""
        return [row for of, row in self.cells if of == panel]

    @cached_property
    def by_column(self) -> dict[tuple[str, str], list[Measured]]:
        """Return the numbers of each panel and metric."""
        found: dict[tuple[str, str], list[Measured]] = {}
        for number in self.measured:
            found.setdefault((number.panel, number.metric), []).append(number)
        return found

    def numbers(self, panel: str, column: str) -> list[Measured]:
        """Return the numbers of a column; raises InputError where two stages report that metric."""
        stage, _, metric = column.rpartition("/")
        found = self.by_column.get((panel, metric), [])
        if stage:
            return [number for number in found if number.stage == stage]
        stages = sorted({number.stage for number in found})
        if len(stages) > 1:
            names = " or ".join(f"'{name}/{metric}'" for name in stages)
            raise InputError(
                f"panel {panel}: column '{metric}' is reported by {len(stages)} stages; write {names}"
            )
        return found

    def describe(self, panel: str, column: str) -> Metric | None:
        """Return what is known of a column's metric, from other panels where this one has no number."""
        numbers = self.numbers(panel, column)
        name = column if "/" in column or not numbers else f"{numbers[0].stage}/{column}"
        same = [key for key in self.metrics if key == name or ("/" not in name and key.endswith(f"/{name}"))]
        return self.metrics[same[0]] if same else None

    def frame(self) -> pandas.DataFrame:
        """Return the numbers as a data frame, a line each, for a notebook."""
        import pandas

        return pandas.DataFrame(self.measured, columns=Measured._fields)


def load(store: Path, name: str) -> Results:
    """Read a sweep and every finished score of it; raises InputError for a record that cannot be read."""
    return numbers(store, record(store, name))


def record(store: Path, name: str) -> Sweep:
    """Read the record a sweep left in the store; raises InputError where there is none that can be read."""
    path = store / "sweeps" / f"{name}.json"
    if not path.is_file():
        others = [other.stem for other in path.parent.glob("*.json")]
        raise InputError(f"{path}: no sweep '{name}' has run in this store; {nearest(name, others)}")
    try:
        return Sweep.model_validate(_read(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{path}: {'/'.join(map(str, first['loc']))}: {first['msg']}") from error


def numbers(store: Path, sweep: Sweep, owners: dict[str, Sweep] | None = None) -> Results:
    """Read every finished score of a sweep's rows; raises InputError for a manifest that cannot be read."""
    manifests: dict[tuple[str, str], dict[str, Any] | None] = {}
    lines: list[Measured] = []
    metrics: dict[str, Metric] = {}
    notes: dict[tuple[str, str], list[str]] = {}
    failures: dict[tuple[str, str, str], str] = {}
    for row in sweep.rows:
        for stage, key in row.stages.items():
            if (stage, key) not in manifests:
                manifests[stage, key] = _manifest(store, stage, key)
            manifest = manifests[stage, key]
            if manifest is None and (reason := failure(running_folder(store, stage, key))):
                failures[row.panel, row.row, stage] = reason
            if manifest is not None:
                lines += _lines(row, stage, key, manifest["outputs"])
                metrics |= _metrics(store, stage, key, manifest["outputs"])
                said = notes.setdefault((row.panel, stage), [])
                said += [n for n in manifest["outputs"].get("notes") or [] if n not in said]
    found = {node: manifest for node, manifest in manifests.items() if manifest is not None}
    return Results(sweep, lines, metrics, notes, found, owners or {}, failures)


def by_row(numbers: Iterable[Measured]) -> dict[str, list[Measured]]:
    """Return each row's numbers; seeds that share an artifact are one number, not replicates."""
    found: dict[str, dict[str, Measured]] = {}
    for number in numbers:
        found.setdefault(number.row, {}).setdefault(number.key, number)
    return {row: list(own.values()) for row, own in found.items()}


def manifest_path(store: Path, stage: str, key: str) -> Path:
    """Return where a finished artifact's manifest lies."""
    return store / stage / key[:16] / "manifest.json"


def _lines(row: SweepRow, stage: str, key: str, outputs: dict[str, Any]) -> list[Measured]:
    """Return each score of a manifest; one that is null or not finite counts as missing."""
    references = _mapping(outputs, "references")
    return [
        Measured(row.panel, row.row, row.seed, stage, metric, value, finite(references.get(metric)), key)
        for metric, given in _mapping(outputs, "scores").items()
        if (value := finite(given)) is not None
    ]


def _metrics(store: Path, stage: str, key: str, outputs: dict[str, Any]) -> dict[str, Metric]:
    """Return the descriptions a manifest gives, with the metric's name for a missing label."""
    try:
        return {
            f"{stage}/{name}": Metric.model_validate({"label": name} | meta)
            for name, meta in _mapping(outputs, "metrics").items()
        }
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{manifest_path(store, stage, key)}: outputs/metrics: "
            f"'{first['loc'][0]}' is {first['input']!r}: {first['msg']}"
        ) from error


def _mapping(outputs: dict[str, Any], name: str) -> dict[str, Any]:
    found = outputs.get(name)
    return found if isinstance(found, dict) else {}


def finite(value: object) -> float | None:
    """Return a finite float, or None for anything else that a manifest may hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _manifest(store: Path, stage: str, key: str) -> dict[str, Any] | None:
    """Read a manifest, or None where the artifact is not finished."""
    path = manifest_path(store, stage, key)
    if not path.is_file():
        return None
    manifest = _read(path)
    if manifest.get("key") != key:
        raise InputError(f"{path}: found the manifest of {manifest.get('key')}, expected {key}")
    if not isinstance(manifest.get("outputs"), dict):
        raise InputError(f"{path}: 'outputs' is missing")
    return manifest


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"{path}: found {type(data).__name__}, expected an object")
    return data
