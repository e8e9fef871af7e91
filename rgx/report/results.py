"""From a sweep's record and the manifests in the store to one long table of numbers with their keys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from rgx.errors import InputError
from rgx.report.configuration import differing
from rgx.report.doubts import Doubt, merged
from rgx.store.artifacts import MANIFEST, artifact_folder, bundle_of, running_folder
from rgx.store.drift import Changes, code_of, drifted
from rgx.store.failure import failure_reason
from rgx.store.known_files import recall
from rgx.store.manifests import Manifests, part
from rgx.store.records import Manifest, MetricFacts, Run, SweepRow, parse
from rgx.store.runs import read_run

if TYPE_CHECKING:
    import pandas

__all__ = ["Measured", "MetricFacts", "Results", "Run", "SweepRow", "by_row", "finite", "load", "numbers"]


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


@dataclass(frozen=True)
class Results:
    """A sweep's record, its numbers in the order of its rows, and each `stage/metric`'s description.

    notes: what the manifests want said of their numbers, by panel and stage; manifests: those of all
    finished stages, by stage and key; owners: each panel's own sweep, where there are several; failures: why
    stages failed, by panel, row and stage; holes: why a finished stage has no score, by panel, row and
    `stage/metric`; drift: what changed since in the code of artifacts, by stage and key; bundles: the file
    that an artifact was taken in from.
    """

    sweep: Run
    measured: list[Measured]
    metrics: dict[str, MetricFacts]
    notes: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    manifests: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, Run] = field(default_factory=dict)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)
    holes: dict[tuple[str, str, str], str] = field(default_factory=dict)
    drift: Mapping[tuple[str, str], Changes] = field(default_factory=dict)
    bundles: dict[tuple[str, str], str] = field(default_factory=dict)

    def owner(self, panel: str) -> Run:
        """Return the sweep a panel is of."""
        return self.owners.get(panel, self.sweep)

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[SweepRow]]:
        """Return each panel's rows in the sweep's order, each at every seed."""
        by_row: dict[tuple[str, str], list[SweepRow]] = {}
        for row in self.sweep.rows:
            by_row.setdefault((row.panel, row.row), []).append(row)
        return by_row

    @cached_property
    def _rows(self) -> dict[tuple[str, str, int], SweepRow]:
        return {(row.panel, row.row, row.seed): row for row in self.sweep.rows}

    def stages_of(self, number: Measured) -> dict[str, str]:
        """Return the key of each stage of the cell that a number is of."""
        row = self._rows.get((number.panel, number.row, number.seed))
        return row.stages if row is not None else {}

    def doubt(self, number: Measured) -> Doubt:
        """Return what is doubtful in a number: in its artifact, in an ancestor's, or in its row."""
        row = self._rows.get((number.panel, number.row, number.seed))
        beneath = self._doubt(number.stage, number.key)
        return replace(beneath, bundles=beneath.bundles | ({row.imported} if row and row.imported else set()))

    def _doubt(self, stage: str, key: str) -> Doubt:
        """Return what is doubtful in an artifact and its ancestors, found once."""
        node = stage, key
        if node not in self._doubts:
            parents = part(self.manifests.get(node), "parents")
            own = Doubt(
                {stage: self.drift[node]} if node in self.drift else {},
                frozenset([self.bundles[node]] if node in self.bundles else ()),
            )
            self._doubts[node] = merged([own, *(self._doubt(*parent) for parent in parents.items())])
        return self._doubts[node]

    @cached_property
    def _doubts(self) -> dict[tuple[str, str], Doubt]:
        return {}

    def rows(self, panel: str) -> list[str]:
        """Return the rows of a panel in the sweep's order."""
        return [row for of, row in self.cells if of == panel]

    @cached_property
    def by_column(self) -> dict[tuple[str, str], list[Measured]]:
        """Return the numbers of each panel and metric."""
        numbers: dict[tuple[str, str], list[Measured]] = {}
        for number in self.measured:
            numbers.setdefault((number.panel, number.metric), []).append(number)
        return numbers

    def numbers(self, panel: str, column: str) -> list[Measured]:
        """Return the numbers of a column, of each row from the stage of its own that has it.

        Raises InputError where two stages of one row report that metric and the column names neither.
        """
        stage, _, metric = column.rpartition("/")
        every = self.by_column.get((panel, metric), [])
        if stage:
            return [number for number in every if number.stage == stage]
        of_rows: dict[str, set[str]] = {}
        for number in every:
            of_rows.setdefault(number.row, set()).add(number.stage)
        stages = sorted({stage for own in of_rows.values() for stage in own if len(own) > 1})
        if stages:
            names = " or ".join(f"'{name}/{metric}'" for name in stages)
            raise InputError(
                f"panel {panel}: column '{metric}' is reported by {len(stages)} stages; write {names}"
            )
        return every

    def unmeasured(self, panel: str, column: str) -> dict[str, str]:
        """Return why a finished stage has no number of a column, by row."""
        return {
            row: reason
            for (of, row, name), reason in self.holes.items()
            if of == panel and column in (name, name.partition("/")[2])
        }

    def describe(self, panel: str, column: str) -> MetricFacts | None:
        """Return what is known of a column's metric, from other panels where this one has no number."""
        numbers = self.numbers(panel, column)
        name = column if "/" in column or not numbers else f"{numbers[0].stage}/{column}"
        same = [key for key in self.metrics if key == name or ("/" not in name and key.endswith(f"/{name}"))]
        return self.metrics[same[0]] if same else None

    def frame(self) -> pandas.DataFrame:
        """Return the numbers as a data frame, a line each, with all in which rows differ."""
        import pandas

        differences = self._differences
        lines = [own._asdict() | differences.get((own.panel, own.row), {}) for own in self.measured]
        columns = [*Measured._fields, *next(iter(differences.values()), ())]
        return pandas.DataFrame(lines, columns=columns)

    def means(self) -> pandas.DataFrame:
        """Return a line for each row and metric: the mean over its distinct artifacts, their deviation and n.

        Seeds that share an artifact are one number; std divides by n − 1.
        """
        import pandas

        place = ["panel", "row", "stage", "metric"]
        distinct = pandas.DataFrame(self.measured, columns=Measured._fields).drop_duplicates([*place, "key"])
        values = distinct.groupby(place, sort=False)["value"]
        means = values.agg(mean="mean", std="std", n="count").reset_index()
        differences = self._differences
        rows = [
            differences.get((panel, row), {}) for panel, row in zip(means["panel"], means["row"], strict=True)
        ]
        return means.join(pandas.DataFrame(rows, index=means.index))

    @cached_property
    def _differences(self) -> dict[tuple[str, str], dict[str, Any]]:
        return differing(self.cells, self.manifests, {*Measured._fields, "mean", "std", "n"})


def load(store: Path, name: str) -> Results:
    """Read a sweep and every finished score of it; raises InputError for a record that cannot be read."""
    return numbers(store, read_run(store, name))


def numbers(store: Path, sweep: Run, owners: dict[str, Run] | None = None) -> Results:
    """Read every finished score of a sweep's rows; raises InputError for a metric it cannot describe."""
    manifests = Manifests(store)
    recall(store)
    artifacts = dict.fromkeys(artifact for row in sweep.rows for artifact in row.stages.items())
    drift = drifted(code_of(sweep), manifests, artifacts)
    results = Results(sweep, [], {}, owners=owners or {}, drift=drift)
    for row in sweep.rows:
        for stage, key in row.stages.items():
            manifest = manifests.get(stage, key)
            if manifest is not None:
                _add(results, row, manifest, store)
            elif reason := _why_missing(manifests, stage, key):
                results.failures[row.panel, row.row, stage] = reason
    return results


def _add(results: Results, row: SweepRow, manifest: Manifest, store: Path) -> None:
    """Add what a manifest says to the results of a row."""
    stage, key = manifest["stage"], manifest["key"]
    results.measured.extend(_lines(row, manifest))
    if (stage, key) not in results.manifests:
        results.manifests[stage, key] = cast(dict[str, Any], manifest)
        if bundle := bundle_of(store, stage, key):
            results.bundles[stage, key] = bundle
        place = f"{artifact_folder(store, stage, key) / MANIFEST}: outputs/metrics"
        for name, about in part(manifest, "outputs", "metrics").items():
            described = {"label": name} | about if isinstance(about, dict) else about
            results.metrics[f"{stage}/{name}"] = parse(MetricFacts, described, f"{place}/{name}")
    for name, reason in part(manifest, "outputs", "unscored").items():
        results.holes[row.panel, row.row, f"{stage}/{name}"] = str(reason)
    said = results.notes.setdefault((row.panel, stage), [])
    notes = manifest.get("outputs", {}).get("notes")
    if isinstance(notes, list):
        said += [note for note in notes if isinstance(note, str) and note not in said]


def _why_missing(manifests: Manifests, stage: str, key: str) -> str:
    """Return why an artifact is not in the store, where that is known."""
    if reason := manifests.fault(stage, key):
        return f"damaged: {reason}"
    return failure_reason(running_folder(manifests.store, stage, key))


def by_row(numbers: Iterable[Measured]) -> dict[str, list[Measured]]:
    """Return each row's numbers; seeds that share an artifact are one number, not replicates."""
    rows: dict[str, dict[str, Measured]] = {}
    for number in numbers:
        rows.setdefault(number.row, {}).setdefault(number.key, number)
    return {row: list(own.values()) for row, own in rows.items()}


def manifest_path(store: Path, stage: str, key: str) -> Path:
    """Return where a finished artifact's manifest lies."""
    return artifact_folder(store, stage, key) / MANIFEST


def _lines(row: SweepRow, manifest: Manifest) -> list[Measured]:
    """Return each score of a manifest; one that is null or not finite counts as missing."""
    references = part(manifest, "outputs", "references")
    stage, key = manifest["stage"], manifest["key"]
    return [
        Measured(row.panel, row.row, row.seed, stage, metric, value, finite(references.get(metric)), key)
        for metric, given in part(manifest, "outputs", "scores").items()
        if (value := finite(given)) is not None
    ]


def finite(value: object) -> float | None:
    """Return a finite float, or None for anything else that a manifest may hold."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
