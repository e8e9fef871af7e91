"""All that a report is written from, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rgx.report.definition import Report, load
from rgx.report.frames import Results
from rgx.report.statistics import Table, assemble
from rgx.report.sweeps import read


@dataclass(frozen=True)
class Gathered:
    """All that a report is written from: its file, the store's numbers and its panels' tables."""

    report_file: Path
    store: Path
    report: Report
    results: Results
    panels: list[Table]


def gather(report_file: Path, store: Path) -> Gathered:
    """Read everything and build the panels that the sweep has; raises InputError for what cannot be read."""
    report = load(report_file)
    results = read(report, report_file, store)
    panels = [assemble(name, panel, results) for name, panel in report.panels.items() if results.rows(name)]
    return Gathered(report_file, store, report, results, panels)
