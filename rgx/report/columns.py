"""A panel's columns and their numbers: the sweep's rows as they are, or a grid of two factors turned."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rgx.errors import InputError, nearest
from rgx.report.panel import MEAN, Panel, Pivot
from rgx.report.results import Measured, MetricFacts, Results, by_row
from rgx.sweep.factors import factors_of


@dataclass(frozen=True)
class Series:
    """A column: its metric as the report file names it, its level in print, and its numbers.

    numbers: as measured; rows: the table's row → its distinct numbers; holes: row → why it has none.
    """

    metric: str
    level: str
    numbers: list[Measured]
    rows: dict[str, list[Measured]]
    holes: dict[str, str]


class PivotError(InputError):
    """A pivot that the sweep's rows do not fit; place: where in its panel the report file says it."""

    def __init__(self, place: list[str], said: str) -> None:
        super().__init__(said)
        self.place = place


def series_of(name: str, panel: Panel, results: Results) -> tuple[dict[str, Series], dict[str, str]]:
    """Return a panel's columns by key, and for each row of the sweep the row that its numbers stand in.

    Raises PivotError for a pivot whose factors the rows do not have, and for a level that none of them has.
    """
    if panel.pivot is None:
        return {column: _plain(name, column, results) for column in panel.columns}, {}
    places = places_of(panel.pivot, results.rows(name))
    rows_of = {row: own for row, (own, _) in places.items()}
    levels = list(dict.fromkeys(level for _, level in places.values()))
    means = [MEAN] if panel.pivot.mean else []
    series: dict[str, Series] = {}
    for metric in panel.columns:
        whole = _plain(name, metric, results)
        of_level = {level: _level(whole, panel, places, level) for level in levels}
        series |= {f"{metric}@{level}": own for level, own in of_level.items()}
        for mean in means:
            label = panel.heads.get(mean, mean)
            series[f"{metric}@{mean}"] = Series(metric, label, [], dict(_means(list(of_level.values()))), {})
    _check_names(panel, [*levels, *means], list(series))
    return series, rows_of


def columns_of(series: Mapping[str, Series], panel: Panel) -> tuple[list[str], tuple[str, ...]]:
    """Return the columns that have a number here or in print, and those that have one in print alone.

    Before anything has been measured a table has all its columns, and nothing to say of them.
    """
    measured = {column for column, own in series.items() if own.rows or own.holes}
    if not measured:
        return list(series), ()
    known = measured | {
        column for row in panel.published.values() for column, value in row.items() if value is not None
    }
    shown = [column for column in series if column in known]
    return shown, tuple(column for column in shown if column not in measured)


def described(name: str, column: str, panel: Panel, results: Results) -> MetricFacts:
    """Return what is known of a column's metric, with the head and the decimals that the panel gives it.

    A head of a column with a factor speaks of the numbers as they are printed, which are not these.
    """
    metric = results.describe(name, column) or MetricFacts(label=column)
    update: dict[str, Any] = {"decimals": panel.decimals.get(column, metric.decimals)}
    if column in panel.heads and column not in panel.factors:
        update["label"] = panel.heads[column]
    return metric.model_copy(update=update)


def places_of(pivot: Pivot, rows: list[str]) -> dict[str, tuple[str, str]]:
    """Return where each row of a grid stands: its row and its column; raises PivotError."""
    places: dict[str, tuple[str, str]] = {}
    taken: dict[tuple[str, str], str] = {}
    for row in rows:
        factors = factors_of(row)
        for side, factor in {"rows": pivot.rows, "columns": pivot.columns}.items():
            if factor not in factors:
                said = f"row '{row}' has no level of '{factor}'; {nearest(factor, factors)}"
                raise PivotError(["pivot", side], said)
        place = factors[pivot.rows], factors[pivot.columns]
        if (other := taken.setdefault(place, row)) != row:
            said = f"rows '{other}' and '{row}' are both {place[0]} at {place[1]}; a pivot shows two factors"
            raise PivotError(["pivot"], said)
        if place[1] == MEAN and pivot.mean:
            said = f"a level of '{pivot.columns}' is called '{MEAN}' too; say mean: false"
            raise PivotError(["pivot"], said)
        places[row] = place
    return places


def _check_names(panel: Panel, levels: list[str], columns: list[str]) -> None:
    """Raise PivotError for a head or a published number of no level."""
    for head in panel.heads:
        if head not in (known := [*panel.columns, *panel.sections, *panel.ticks(), *levels]):
            raise PivotError(["heads", head], f"is no column and no level; {nearest(head, known)}")
    for row, values in panel.published.items():
        for column in values:
            if column not in columns:
                said = f"is no metric at a level; {nearest(column, columns)}"
                raise PivotError(["published", row, column], said)


def _plain(name: str, column: str, results: Results) -> Series:
    numbers = results.numbers(name, column)
    return Series(column, "", numbers, by_row(numbers), results.unmeasured(name, column))


def _level(whole: Series, panel: Panel, places: dict[str, tuple[str, str]], level: str) -> Series:
    """Return a metric's numbers at one level."""
    here = {row: own for row, (own, of) in places.items() if of == level}
    return Series(
        whole.metric,
        panel.heads.get(level, level),
        [number for number in whole.numbers if number.row in here],
        {here[row]: numbers for row, numbers in whole.rows.items() if row in here},
        {here[row]: why for row, why in whole.holes.items() if row in here},
    )


def _means(levels: list[Series]) -> Iterator[tuple[str, list[Measured]]]:
    """Give each row that has a number at every level its mean over them, once for each seed they all have."""
    for row, numbers in levels[0].rows.items() if levels else ():
        by_level = [{number.seed: number for number in own.rows.get(row, [])} for own in levels]
        means = []
        for seed in [number.seed for number in numbers]:
            if all(seed in own for own in by_level):
                beside = [own[seed] for own in by_level]
                references = [number.reference for number in beside if number.reference is not None]
                means.append(
                    beside[0]._replace(
                        value=statistics.fmean(number.value for number in beside),
                        reference=statistics.fmean(references) if len(references) == len(beside) else None,
                        key="",
                    )
                )
        if means:
            yield row, means
