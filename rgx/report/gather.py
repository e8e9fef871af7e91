"""All that a report is written from, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from rgx.errors import InputError
from rgx.methods import import_method, methods_of
from rgx.report.claims import Finding, weigh
from rgx.report.columns import PivotError
from rgx.report.definition import Report, load
from rgx.report.panel import Panel, Show
from rgx.report.results import Results
from rgx.report.shown import left_out, otherwise
from rgx.report.statistics import Table, assemble
from rgx.report.sweeps import read
from rgx.sweep.run_name import sweep_of
from rgx.words import PLAIN, Words
from rgx.yaml_source import Source


@dataclass(frozen=True)
class Gathered:
    """All that a report is written from: its file, the store's numbers and its panels' tables."""

    report_file: Path
    store: Path
    report: Report
    results: Results
    panels: list[Table]
    words: Words = PLAIN
    findings: list[Finding] = field(default_factory=list)
    """What the numbers say of each of the report's claims."""

    @property
    def folder(self) -> str:
        """Return the name of the folder its files lie in: the report's own, and what a run overrides.

        So two reports of one sweep lie apart.
        """
        run = self.results.sweep.name
        return self.report_file.stem + run.removeprefix(sweep_of(run))

    @property
    def together(self) -> list[Table]:
        """Return the panels as the float of all of them shows them."""
        return [otherwise(table, self.report.combined) for table in self.panels]

    @property
    def appended(self) -> list[Table]:
        """Return the panels as the appendix knows them: what is hidden in either place it says."""
        beside = self.report.combined if len(self.panels) > 1 else Show()
        return [left_out(table, beside) for table in self.panels]

    @cached_property
    def drawn(self) -> dict[str, Table]:
        """Return the tables that figures are drawn from: those of the sweep's own rows."""
        return {table.name: self._unturned(table) for table in self.panels}

    def _unturned(self, table: Table) -> Table:
        if table.panel.pivot is None:
            return table
        panel = table.panel.model_copy(update={"pivot": None, "published": {}})
        return assemble(table.name, panel, self.results, self.words)


def gather(report_file: Path, store: Path, run: str | None = None) -> Gathered:
    """Read everything and build the panels that the sweep has; raises InputError for what cannot be read.

    run: the name of an overridden run, to be shown in the place of its sweep.
    """
    report = load(report_file)
    results = read(report, report_file, store, run)
    words = _words(report, report_file)
    shown = {name: panel for name, panel in report.panels.items() if results.rows(name)}
    panels = [_table(name, panel, results, words, report_file) for name, panel in shown.items()]
    findings = weigh(report.panels, panels, results, store)
    return Gathered(report_file, store, report, results, panels, words, findings)


def _table(name: str, panel: Panel, results: Results, words: Words, report_file: Path) -> Table:
    try:
        return assemble(name, panel, results, words)
    except PivotError as error:
        place = ["panels", name, *error.place]
        where = Source(report_file, Report.model_fields).where(place)
        raise InputError(f"{where}: '{'/'.join(place)}': {error}") from None


def _words(report: Report, report_file: Path) -> Words:
    """Return the words of the first of a report's methods that has its own."""
    packages = methods_of(report.method, report_file, str(report_file))
    own = (import_method(package, figures_only=True).words for package in packages)
    return next((words for words in own if words != PLAIN), PLAIN)
