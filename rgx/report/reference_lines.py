"""What a table's numbers are held against: one line of it for all rows, and the rows that have their own."""

from __future__ import annotations

from collections import Counter

from rgx.report.escape import joined
from rgx.report.statistics import Table, printed


def references(table: Table) -> dict[str, float]:
    """Return what the reference scores, by column, where it is known and the same for most rows."""
    shared = {}
    for column in table.columns:
        known = Counter(_own(table, column).values())
        for value, rows in known.most_common(1):
            if 2 * rows > known.total():
                shared[column] = value
    return shared


def reference_lines(table: Table) -> dict[str, dict[str, float]]:
    """Return what references score, by column, in a line for each name that the measures give theirs."""
    lines: dict[str, dict[str, float]] = {}
    for column, value in references(table).items():
        lines.setdefault(_line(table, column), {})[column] = value
    own = lines.pop(table.words.reference_line, None)
    return ({table.words.reference_line: own} if own else {}) | lines


def exceptions(table: Table) -> list[str]:
    """Return a sentence for each row that is held against another reference than most rows."""
    shared = references(table)
    rows: dict[str, list[str]] = {}
    for column, value in shared.items():
        decimals = table.columns[column].decimals
        for row, own in _own(table, column).items():
            if printed(own, decimals) != printed(value, decimals):
                said = f"{_line(table, column)} of {table.called(column)} {printed(own, decimals)}"
                rows.setdefault(row, []).append(said)
    return [
        str(joined(table.label(row), f" is held against its own: {', '.join(said)}."))
        for row, said in rows.items()
    ]


def _own(table: Table, column: str) -> dict[str, float]:
    """Return what the reference scores beside each row that knows it."""
    scores = {row: cells[column].reference for row, cells in table.rows.items()}
    return {row: value for row, value in scores.items() if value is not None}


def _line(table: Table, column: str) -> str:
    return table.columns[column].reference_line or table.words.reference_line
