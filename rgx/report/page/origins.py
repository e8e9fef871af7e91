"""Where each row's numbers came from: artifacts, machines, code, data and configuration."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rgx.report.figures.graph import ordered
from rgx.report.page.anchors import Anchors
from rgx.report.results import Measured, Results, SweepRow, finite
from rgx.report.statistics import Table
from rgx.store.artifacts import made_where
from rgx.store.drift import told
from rgx.store.manifests import COMMITS, commits_of

SHORT_KEY, SHORT_COMMIT = 16, 10
LOG = "log.txt"
COMMIT = re.compile(r"\b[0-9a-f]{11,64}\b")
Manifest = dict[str, Any]


@dataclass(frozen=True)
class ArtifactFacts:
    """One artifact behind a number; `there` is false where the store lacks it."""

    stage: str
    key: str
    there: bool
    begun: str = ""
    seconds: str = ""
    host: str = ""
    commit: str = ""
    software: str = ""
    data: str = ""
    log: str = ""
    drift: str = ""
    """The modules that changed since it was made."""
    bundle: str = ""
    """The file it was taken in from."""


@dataclass(frozen=True)
class ScoreOrigin:
    """One number as it was measured, unrounded, and the artifact that holds it."""

    metric: str
    value: str
    reference: str
    artifact: str


@dataclass(frozen=True)
class Configuration:
    """The gin text that some stages ran with, beyond the lines that all configurations begin with."""

    stages: str
    own: str


@dataclass(frozen=True)
class Replicate:
    """A row at one seed."""

    seed: int
    scores: list[ScoreOrigin]
    artifacts: list[ArtifactFacts]
    configurations: list[Configuration]


@dataclass(frozen=True)
class RowOrigin:
    """A row of a table, what its means were compared by, and each of its seeds."""

    anchor: str
    row_anchor: str
    panel: str
    label: str
    tests: list[str]
    replicates: list[Replicate]

    @property
    def missing(self) -> int:
        """Return how many artifacts the store lacks."""
        return sum(not artifact.there for replicate in self.replicates for artifact in replicate.artifacts)

    @property
    def drifted(self) -> int:
        """Return how many artifacts were made by code that has changed since."""
        return sum(bool(artifact.drift) for replicate in self.replicates for artifact in replicate.artifacts)


def origins(results: Results, tables: list[Table], anchors: Anchors) -> tuple[str, list[RowOrigin]]:
    """Return the lines that all configurations begin with, and what is known of every row shown."""
    scores: dict[tuple[str, str, int], list[ScoreOrigin]] = {}
    measured: dict[tuple[str, str, int], dict[str, None]] = {}
    for number in results.measured:
        place = (number.panel, number.row, number.seed)
        scores.setdefault(place, []).append(_score(number))
        measured.setdefault(place, {})[number.stage] = None
    cells: dict[tuple[str, str], list[SweepRow]] = {}
    for item in results.sweep.rows:
        cells.setdefault((item.panel, item.row), []).append(item)
    order = {stage: place for place, stage in enumerate(ordered(results.manifests))}
    texts = [_gin(manifest) for manifest in results.manifests.values() if _gin(manifest)]
    common = shared_lines(texts)
    facts = {node: _facts(*node, results) for node in results.manifests}

    def replicate(item: SweepRow) -> Replicate:
        stages = sorted(item.stages, key=lambda stage: (order.get(stage, len(order)), stage))
        nodes = [(stage, item.stages[stage]) for stage in stages]
        place = (item.panel, item.row, item.seed)
        scored = {
            stage: results.manifests.get((stage, item.stages[stage])) for stage in measured.get(place, {})
        }
        return Replicate(
            item.seed,
            scores.get(place, []),
            [facts.get(node) or ArtifactFacts(node[0], node[1], there=False) for node in nodes],
            list(_configurations(scored, len(common))),
        )

    rows = [
        RowOrigin(
            anchors.origin(table.name, row),
            anchors.of(table).row(table.name, table.rows_of.get(row, row)),
            table.name,
            table.label(row),
            list(_tests(table, row)),
            [replicate(item) for item in cells[table.name, row]],
        )
        for table in tables
        for row in table.rows_of or table.rows
        if (table.name, row) in cells
    ]
    return "".join(common), rows


def shared_lines(texts: list[str]) -> list[str]:
    """Return the whole lines that all texts begin with."""
    lines = [text.splitlines(keepends=True) for text in dict.fromkeys(texts)]
    return [
        line[0] for line in itertools.takewhile(lambda line: len(set(line)) == 1, zip(*lines, strict=False))
    ]


def _gin(manifest: Manifest | None) -> str:
    text = (manifest or {}).get("gin")
    return text.rstrip("\n") + "\n" if isinstance(text, str) and text.strip() else ""


def _configurations(scored: dict[str, Manifest | None], shared: int) -> Iterator[Configuration]:
    """Give each gin text that the stages which measured ran with, once."""
    by_text: dict[str, list[str]] = {}
    for stage, manifest in scored.items():
        by_text.setdefault(_gin(manifest), []).append(stage)
    for text, stages in by_text.items():
        if text:
            yield Configuration(", ".join(stages), "".join(text.splitlines(keepends=True)[shared:]))


def _tests(table: Table, row: str) -> Iterator[str]:
    """Give the p of each of a row's numbers that was compared with the full model."""
    for column, cell in table.rows.get(row, {}).items():
        if cell.p is not None:
            label, test = table.called(column), table.test.label
            ours = table.label(table.panel.ours or "")
            yield f"{label}: p = {cell.p:.4g} against {ours} by a {test} over {cell.pairs} seeds"


def _score(number: Measured) -> ScoreOrigin:
    reference = "" if number.reference is None else repr(number.reference)
    return ScoreOrigin(
        number.metric, repr(number.value), reference, f"{number.stage}/{number.key[:SHORT_KEY]}"
    )


def _facts(stage: str, key: str, results: Results) -> ArtifactFacts:
    manifest = results.manifests[stage, key]
    software = manifest.get("software")
    software = software if isinstance(software, dict) else {}
    seconds = finite(manifest.get("seconds"))
    files = manifest.get("files")
    return ArtifactFacts(
        stage,
        key,
        there=True,
        begun=utc_minute(manifest.get("started")),
        seconds="" if seconds is None else f"{seconds:.1f}",
        host=made_where(manifest),
        commit=_shortened(commits_of(software)),
        software=", ".join(f"{name} {version}" for name, version in software.items() if name not in COMMITS),
        data=str(manifest.get("fingerprint") or ""),
        log=f"{stage}/{key[:SHORT_KEY]}/{LOG}" if isinstance(files, dict) and LOG in files else "",
        drift=told([results.drift.get((stage, key), {})], most=None),
        bundle=results.bundles.get((stage, key), ""),
    )


def _shortened(commits: list[str]) -> str:
    return ", ".join(COMMIT.sub(lambda match: match[0][:SHORT_COMMIT], said) for said in commits if said)


def utc_minute(seconds: object) -> str:
    """Return a time in UTC, to the minute, or nothing for what is no time."""
    if not isinstance(seconds, (int, float)):
        return ""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
    except (OverflowError, ValueError, OSError):
        return ""
