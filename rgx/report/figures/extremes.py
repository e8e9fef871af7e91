"""A few rows of many: the best and the worst of a column, and the words that say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rgx.report.statistics import Direction, Table, TableCell

COSTS: dict[Direction | None, Callable[[float, TableCell], float]] = {
    "down": lambda mean, _: mean,
    "up": lambda mean, _: -mean,
    "reference": lambda mean, cell: mean if cell.reference is None else abs(mean - cell.reference),
    None: lambda mean, _: mean,
}
"""What is less for a better mean; a metric that says not which way is better counts as one that falls."""


def best_and_worst(table: Table, column: str, rows: Sequence[str], most: int) -> tuple[list[str], str]:
    """Return all rows, or of more than `most` the best and the worst, best first, and which in words.

    The full model is always among them; a row that has not been measured is not.
    """
    if len(rows) <= most:
        return list(rows), ""
    cost = COSTS[table.columns[column].direction]
    costs = {row: cost(cell.mean, cell) for row in rows if (cell := table.rows[row][column]).mean is not None}
    ranked, half = sorted(costs, key=costs.__getitem__), most // 2
    if len(ranked) <= most:
        return ranked, f"the {len(ranked):,} of {len(rows):,} rows that have been measured"
    ends = {*ranked[:half], *ranked[-half:]}
    shown = [row for row in ranked if row in ends or row == table.panel.ours]
    also = f", and {table.label(table.panel.ours or '')}" if len(shown) > len(ends) else ""
    label = table.columns[column].label
    return shown, f"the {half} best and the {half} worst of {len(rows):,} rows by {label}{also}"
