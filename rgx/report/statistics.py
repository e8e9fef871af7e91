"""From numbers to cells: mean and spread, best and second best as printed, agreement with the paper."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from rgx.report.agreement import Agreement, agreement_by_seed, printed
from rgx.report.columns import Series, columns_of, described, series_of
from rgx.report.data import data_notes
from rgx.report.doubts import NO_DOUBT, Doubt, merged
from rgx.report.escape import joined
from rgx.report.panel import Panel, PublishedNumber
from rgx.report.results import Measured, MetricFacts, Results
from rgx.report.significance import LEVEL, TESTS, Test, compare
from rgx.words import PLAIN, Words

Mark = Literal["best", "second", ""]
Direction = Literal["down", "up", "reference"]


@dataclass(frozen=True)
class TableCell:
    """One number of a table; `mean` is None for a row that has not run or failed (a hole)."""

    mean: float | None = None
    std: float | None = None
    n: int = 0
    reference: float | None = None
    published: float | None = None
    alike: bool = False
    """Whether what was published was measured as ours is, so that the two numbers compare."""
    mark: Mark = ""
    p: float | None = None
    """Of the difference from the full model over the seeds both have; None where it was not tested."""
    pairs: int = 0
    compared: bool = True
    """Whether it is printed how far the mean is above what was published."""
    doubt: Doubt = NO_DOUBT

    @property
    def delta(self) -> float | None:
        """Return by how much the mean is above what was published, or None where the two do not compare."""
        if self.mean is None or self.published is None or not self.alike:
            return None
        return self.mean - self.published

    @property
    def otherwise(self) -> bool:
        """Say whether what was published was measured otherwise than the mean."""
        return self.mean is not None and self.published is not None and not self.alike

    @property
    def differs(self) -> bool:
        """Say whether the difference from the full model is significant."""
        return self.p is not None and self.p < LEVEL


@dataclass(frozen=True)
class Table:
    """A panel ready to be written: cells by row and column."""

    name: str
    panel: Panel
    columns: dict[str, MetricFacts]
    rows: dict[str, dict[str, TableCell]]
    agreements: dict[str, Agreement]
    instruments: dict[str, list[str]]
    """Each stage whose artifact numbers were measured with → the keys of those behind the table's."""
    seed_scope: str
    notes: tuple[str, ...] = ()
    unscored: tuple[str, ...] = ()
    """Columns of published numbers whose metric no finished manifest has, though it has others."""
    failures: tuple[tuple[str, str, str], ...] = ()
    """Rows, each with the stage that failed and why."""
    holes: tuple[tuple[str, str, str], ...] = ()
    """Rows, each with a column that its finished stage has no number for, and why."""
    words: Words = PLAIN
    measured: Mapping[str, Sequence[Measured]] = field(default_factory=dict)
    """Column → its numbers, each with the sweep's own row."""
    rows_of: Mapping[str, str] = field(default_factory=dict)
    """Row of the sweep → the row its numbers stand in, where that is called otherwise."""
    levels: Mapping[str, str] = field(default_factory=dict)
    """Column of a pivot → its level in print; the metric stands over the columns of all levels."""
    printed_only: frozenset[str] = frozenset()
    """Rows that were published and are none of the sweep's."""
    published_reference: Mapping[str, PublishedNumber] = field(default_factory=dict)
    """Column → what was published of the reference, in a row that is called as its line is."""
    mixed: frozenset[str] = frozenset()
    """Instruments of which the numbers of one seed were measured with more than one."""

    def label(self, row: str) -> str:
        """Return what a row is called in print."""
        label = self.panel.labels.get(row, row)
        return joined(label, " (ours)") if row == self.panel.ours and "ours" not in label.lower() else label

    def sections(self) -> dict[str, str]:
        """Return the head that stands over each row which is the first of a section."""
        first = {self.panel.section_of(row): row for row in reversed(list(self.rows))}
        return {row: self.panel.heads.get(name, name) for name, row in first.items() if name}

    def called(self, column: str) -> str:
        """Return what a column is called in a sentence: its metric, and its level or what tells it apart."""
        own, apart = self.columns[column].label, self.levels.get(column, "")
        label = own.rstrip(" ↓↑→")
        if not apart and [metric.label for metric in self.columns.values()].count(own) > 1:
            groups = (name for name, columns in self.panel.groups.items() if column in columns)
            apart = next((self.panel.heads.get(name, name) for name in groups), "")
        return f"{label} ({apart})" if apart else label

    @property
    def test(self) -> Test:
        """Return the test rows are compared with the full model by."""
        return TESTS[self.panel.test]

    def tested(self) -> list[TableCell]:
        """Return the cells that were compared with the full model."""
        return [cell for cells in self.rows.values() for cell in cells.values() if cell.p is not None]

    def replicates(self) -> tuple[int, int]:
        """Return the smallest and largest n behind a number of the table, or zeros."""
        counts = [cell.n for cells in self.rows.values() for cell in cells.values() if cell.n]
        return (min(counts), max(counts)) if counts else (0, 0)

    @property
    def doubt(self) -> Doubt:
        """Return all that is doubtful in the table's numbers."""
        return merged(cell.doubt for cells in self.rows.values() for cell in cells.values())


def summarise(values: Sequence[float]) -> tuple[float, float | None, int]:
    """Return mean, standard deviation (ddof=1; None for one value) and n of at least one value."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), spread, len(values)


def marks(
    values: Sequence[float | None],
    direction: Direction | None,
    decimals: int,
    references: Sequence[float | None] | None = None,
) -> list[Mark]:
    """Mark the best and second best of a column at the printed precision, ties included.

    All ties of the best are best and all ties of the next distinct value are second. Fewer than two
    numbers, an unknown direction, or `reference` without a reference give no mark.
    """
    costs: list[Decimal | None] = []
    for value, reference in zip(values, references or [None] * len(values), strict=True):
        if value is None or direction is None or (direction == "reference" and reference is None):
            costs.append(None)
        elif direction == "reference" and reference is not None:
            costs.append(abs(printed(value, decimals) - printed(reference, decimals)))
        else:
            costs.append(printed(value, decimals) * (1 if direction == "down" else -1))
    known = [cost for cost in costs if cost is not None]
    if len(known) < 2:
        return ["" for _ in costs]
    names: dict[Decimal, Mark] = dict(zip(sorted(set(known)), ("best", "second"), strict=False))
    return ["" if cost is None else names.get(cost, "") for cost in costs]


def assemble(name: str, panel: Panel, results: Results, words: Words = PLAIN) -> Table:
    """Build a panel's table: the sweep's rows in its order, then published rows the sweep lacks, as holes."""
    series, rows_of = series_of(name, panel, results)
    swept = [rows_of.get(row, row) for row in results.rows(name)]
    printed_rows = [row for row in panel.published if row != words.reference_line]
    of_reference = panel.published.get(words.reference_line, {})
    rows = panel.arranged(list(dict.fromkeys([*swept, *printed_rows])))
    columns: dict[str, MetricFacts] = {}
    cells: dict[str, dict[str, TableCell]] = {row: {} for row in rows}
    agreements: dict[str, Agreement] = {}
    columns_shown, unscored = columns_of(series, panel)
    doubts = _doubts(series, results)
    for column in columns_shown:
        own = series[column]
        columns[column] = metric = described(name, own.metric, panel, results)
        for row, cell in _column(column, own, metric, rows, panel).items():
            cells[row][column] = replace(cell, doubt=doubts[column].get(row, NO_DOUBT))
        published = {row: cells[row][column].published for row in rows}
        agreements[column] = agreement_by_seed(
            {row: value for row, value in published.items() if value is not None},
            _by_seed(own, panel.factors.get(own.metric, 1.0)),
            metric.decimals,
        )
    shown = {column.rpartition("/")[2] for column in panel.columns}
    numbers = [number for number in results.measured if number.panel == name]
    stages = sorted({number.stage for number in numbers if number.metric in shown})
    notes = dict.fromkeys(note for stage in stages for note in results.notes.get((name, stage), []))
    seen = [number for number in numbers if number.metric in shown]
    notes |= dict.fromkeys(data_notes(seen, results, panel.labels))
    run = results.owner(name)
    failed = {
        (rows_of.get(row, row), s, why): 0 for (of, row, s), why in results.failures.items() if of == name
    }
    holes = tuple((row, c, why) for c in columns for row, why in series[c].holes.items())
    return Table(
        name, panel, columns, cells, agreements, _instruments(numbers, results, words),
        run.seed_scopes.get(name, run.seed_scope), tuple(notes), unscored, tuple(failed), holes, words,
        measured={column: series[column].numbers for column in columns},
        rows_of=rows_of,
        levels={column: series[column].level for column in columns if series[column].level},
        printed_only=frozenset(printed_rows) - frozenset(swept),
        published_reference={c: v for c, v in of_reference.items() if v is not None and c in columns},
        mixed=_mixed(numbers, results, words),
    )  # fmt: skip


def _instruments(numbers: Sequence[Measured], results: Results, words: Words) -> dict[str, list[str]]:
    """Return the keys of each stage that numbers were measured with, of those stages that have any."""
    rows = [results.stages_of(number) for number in numbers]
    keys = {name: sorted({stages[name] for stages in rows if name in stages}) for name in words.instruments}
    return {name: own for name, own in keys.items() if own}


def _mixed(numbers: Sequence[Measured], results: Results, words: Words) -> frozenset[str]:
    """Return the instruments of which one seed has several: its rows do not compare."""
    by_seed: dict[tuple[str, int], set[str]] = {}
    for number in numbers:
        stages = results.stages_of(number)
        for name in words.instruments:
            by_seed.setdefault((name, number.seed), set()).update({stages[name]} if name in stages else ())
    return frozenset(name for (name, _), keys in by_seed.items() if len(keys) > 1)


def _doubts(series: Mapping[str, Series], results: Results) -> dict[str, dict[str, Doubt]]:
    """Return what is doubtful in each column's numbers, by row; a mean over levels has all of theirs."""
    doubts = {
        column: {row: merged(map(results.doubt, numbers)) for row, numbers in own.rows.items() if own.numbers}
        for column, own in series.items()
    }
    for column, own in series.items():
        if not own.numbers:
            levels = [doubts[c] for c, of in series.items() if of.metric == own.metric and of.numbers]
            doubts[column] = {row: merged(level[row] for level in levels if row in level) for row in own.rows}
    return doubts


def _by_seed(series: Series, factor: float = 1.0) -> dict[str, dict[int, float]]:
    """Return row → seed → value, times what it is printed times."""
    return {row: {n.seed: factor * n.value for n in numbers} for row, numbers in series.rows.items()}


def _column(
    column: str, series: Series, metric: MetricFacts, rows: Sequence[str], panel: Panel
) -> dict[str, TableCell]:
    """Return a column's cells."""
    owned, factor = series.rows, panel.factors.get(series.metric, 1.0)
    by_seed = _by_seed(series)
    ours = by_seed.get(panel.ours or "", {})
    cells: dict[str, TableCell] = {}
    for row in rows:
        alike = series.metric in panel.measured_alike and not metric.stand_in
        cells[row] = TableCell(published=panel.published.get(row, {}).get(column), alike=alike)
        if row not in owned:
            continue
        mean, std, n = summarise(list(by_seed[row].values()))
        known = [number.reference for number in owned[row] if number.reference is not None]
        p, pairs = compare(TESTS[panel.test], by_seed[row], ours) or (None, 0)
        cells[row] = replace(
            cells[row], mean=mean, std=std, n=n, p=p, pairs=pairs,
            reference=statistics.fmean(known) if known else None,
        )  # fmt: skip

    def printed_as(values: Iterable[float | None]) -> list[float | None]:
        return [None if value is None else value * factor for value in values]

    given = marks(
        printed_as(cells[row].mean for row in rows),
        metric.direction,
        metric.decimals,
        printed_as(cells[row].reference for row in rows),
    )
    return {row: replace(cell, mark=mark) for (row, cell), mark in zip(cells.items(), given, strict=True)}
