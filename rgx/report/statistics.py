"""From numbers to cells: mean and spread, best and second best as printed, agreement with the paper."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from rgx.report.columns import Series, columns_of, described, series_of
from rgx.report.escape import joined
from rgx.report.frames import Measured, Metric, Results
from rgx.report.panel import Panel
from rgx.report.significance import LEVEL, TESTS, Test, compare
from rgx.words import PLAIN, Words

Mark = Literal["best", "second", ""]
Direction = Literal["down", "up", "reference"]


@dataclass(frozen=True)
class Cell:
    """One number of a table; `mean` is None for a row that has not run or failed (a hole)."""

    mean: float | None = None
    std: float | None = None
    n: int = 0
    reference: float | None = None
    published: float | None = None
    mark: Mark = ""
    p: float | None = None
    """Of the difference from the full model over the seeds both have; None where it was not tested."""
    pairs: int = 0
    compared: bool = True
    """Whether it is printed how far the mean is above what was published."""

    @property
    def delta(self) -> float | None:
        """Return by how much the mean is above what was published, or None without one of them."""
        return None if self.mean is None or self.published is None else self.mean - self.published

    @property
    def differs(self) -> bool:
        """Say whether the difference from the full model is significant."""
        return self.p is not None and self.p < LEVEL


@dataclass(frozen=True)
class Agreement:
    """Of the pairs of rows the paper orders, how many could be compared and how many come out alike."""

    reproduced: int
    comparable: int
    published: int


@dataclass(frozen=True)
class Table:
    """A panel ready to be written: cells by row and column."""

    name: str
    panel: Panel
    columns: dict[str, Metric]
    rows: dict[str, dict[str, Cell]]
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

    def label(self, row: str) -> str:
        """Return what a row is called in print."""
        label = self.panel.labels.get(row, row)
        return joined(label, " (ours)") if row == self.panel.ours and "ours" not in label.lower() else label

    def sections(self) -> dict[str, str]:
        """Return the head that stands over each row which is the first of a section."""
        first = {self.panel.section_of(row): row for row in reversed(list(self.rows))}
        return {row: self.panel.heads.get(name, name) for name, row in first.items() if name}

    def called(self, column: str) -> str:
        """Return what a column is called in a sentence: its metric, and its level in a pivot."""
        label, level = self.columns[column].label.rstrip(" ↓↑→"), self.levels.get(column, "")
        return f"{label} ({level})" if level else label

    @property
    def test(self) -> Test:
        """Return the test rows are compared with the full model by."""
        return TESTS[self.panel.test]

    def tested(self) -> list[Cell]:
        """Return the cells that were compared with the full model."""
        return [cell for cells in self.rows.values() for cell in cells.values() if cell.p is not None]

    def replicates(self) -> tuple[int, int]:
        """Return the smallest and largest n behind a number of the table, or zeros."""
        counts = [cell.n for cells in self.rows.values() for cell in cells.values() if cell.n]
        return (min(counts), max(counts)) if counts else (0, 0)

    def references(self) -> dict[str, float]:
        """Return what the reference scores, by column, where it is known and the same for every row."""
        references = {
            column: {cells[column].reference for cells in self.rows.values()} - {None}
            for column in self.columns
        }
        return {
            column: value
            for column, values in references.items()
            if len(values) == 1
            for value in values
            if value is not None
        }


def summarise(values: Sequence[float]) -> tuple[float, float | None, int]:
    """Return mean, standard deviation (ddof=1; None for one value) and n of at least one value."""
    spread = statistics.stdev(values) if len(values) > 1 else None
    return statistics.fmean(values), spread, len(values)


def printed(value: float, decimals: int) -> Decimal:
    """Return a value exactly as it stands in print, without a negative zero."""
    return Decimal(f"{value:.{decimals}f}") + 0


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


def agreement(
    published: Mapping[str, float], reproduced: Mapping[str, float], decimals: int, factor: float = 1.0
) -> Agreement:
    """Count the published orderings of two rows that hold here at the printed precision; a tie does not.

    factor: what the numbers reproduced are printed times.
    """
    pairs = [
        (a, b) if published[a] < published[b] else (b, a)
        for a, b in itertools.combinations(published, 2)
        if published[a] != published[b]
    ]
    both = [(low, high) for low, high in pairs if low in reproduced and high in reproduced]
    alike = sum(
        printed(factor * reproduced[low], decimals) < printed(factor * reproduced[high], decimals)
        for low, high in both
    )
    return Agreement(alike, len(both), len(pairs))


def assemble(name: str, panel: Panel, results: Results, words: Words = PLAIN) -> Table:
    """Build a panel's table: the sweep's rows in its order, then published rows the sweep lacks, as holes."""
    series, rows_of = series_of(name, panel, results)
    swept = [rows_of.get(row, row) for row in results.rows(name)]
    rows = panel.arranged(list(dict.fromkeys([*swept, *panel.published])))
    columns: dict[str, Metric] = {}
    cells: dict[str, dict[str, Cell]] = {row: {} for row in rows}
    agreements: dict[str, Agreement] = {}
    columns_shown, unscored = columns_of(series, panel)
    for column in columns_shown:
        own = series[column]
        columns[column] = metric = described(name, own.metric, panel, results)
        for row, cell in _column(column, own, metric, rows, panel).items():
            cells[row][column] = cell
        published = {row: cells[row][column].published for row in rows}
        means = {row: cells[row][column].mean for row in rows}
        agreements[column] = agreement(
            {row: value for row, value in published.items() if value is not None},
            {row: value for row, value in means.items() if value is not None},
            metric.decimals,
            panel.factors.get(own.metric, 1.0),
        )
    shown = {column.rpartition("/")[2] for column in panel.columns}
    numbers = [number for number in results.measured if number.panel == name]
    stages = sorted({number.stage for number in numbers if number.metric in shown})
    notes = dict.fromkeys(note for stage in stages for note in results.notes.get((name, stage), []))
    failed = {
        (rows_of.get(row, row), s, why): 0 for (of, row, s), why in results.failures.items() if of == name
    }
    holes = tuple((row, c, why) for c in columns for row, why in series[c].holes.items())
    return Table(
        name, panel, columns, cells, agreements, _instruments(numbers, results, words),
        results.owner(name).seed_scope, tuple(notes), unscored, tuple(failed), holes, words,
        measured={column: series[column].numbers for column in columns},
        rows_of=rows_of,
        levels={column: series[column].level for column in columns if series[column].level},
        printed_only=frozenset(panel.published) - frozenset(swept),
    )  # fmt: skip


def _instruments(numbers: Sequence[Measured], results: Results, words: Words) -> dict[str, list[str]]:
    """Return the keys of each stage that numbers were measured with, of those stages that have any."""
    rows = [results.stages_of(number) for number in numbers]
    keys = {name: sorted({stages[name] for stages in rows if name in stages}) for name in words.instruments}
    return {name: own for name, own in keys.items() if own}


def _column(
    column: str, series: Series, metric: Metric, rows: Sequence[str], panel: Panel
) -> dict[str, Cell]:
    """Return a column's cells."""
    owned, factor = series.rows, panel.factors.get(series.metric, 1.0)
    by_seed = {row: {number.seed: number.value for number in own} for row, own in owned.items()}
    ours = by_seed.get(panel.ours or "", {})
    cells: dict[str, Cell] = {}
    for row in rows:
        cells[row] = Cell(published=panel.published.get(row, {}).get(column))
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
