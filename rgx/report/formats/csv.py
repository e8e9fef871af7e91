"""Numbers as CSV, unrounded, for whoever calculates on."""

from __future__ import annotations

from collections.abc import Sequence
from csv import DictWriter
from io import StringIO
from typing import Any

from rgx.registry import register
from rgx.report import claims_layout
from rgx.report.claims import Finding
from rgx.report.formats.base import Format
from rgx.report.frames import Results
from rgx.report.statistics import Table

FIELDS = ["panel", "row", "label", "metric", "seed", "value", "reference", "published", "delta"]
FIELDS += ["mean", "std", "n", "mark", "p", "stage", "key"]


@register("format", "csv", label="CSV")
class Csv(Format):
    """A line for each measured number with its key, and for each hole; an instrument's key has a column."""

    suffix = "csv"

    def write(self, table: Table, results: Results) -> str:
        """Return the lines of a panel; a hole is a line without a value."""
        text = StringIO()
        writer = DictWriter(text, [*FIELDS, *table.words.instruments], lineterminator="\n")
        writer.writeheader()
        numbers = _numbers(table, results)
        for row, cells in table.rows.items():
            for column, cell in cells.items():
                shared = {
                    "panel": table.name,
                    "row": row,
                    "label": table.label(row),
                    "metric": column,
                    "published": cell.published,
                    "delta": cell.delta,
                    "mean": cell.mean,
                    "std": cell.std,
                    "n": cell.n,
                    "mark": cell.mark,
                    "p": cell.p,
                }
                writer.writerows(number | shared for number in numbers.get((column, row), [{}]))
        return text.getvalue()

    def write_claims(self, findings: Sequence[Finding]) -> str:
        """Return what the numbers say of the claims, a line each."""
        return claims_layout.csv(findings)


def _numbers(table: Table, results: Results) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Return the numbers of each column and row, each with the keys of what it was measured with."""
    numbers: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for column in table.columns:
        for number in results.numbers(table.name, column):
            stages = results.stages_of(number)
            keys = {stage: stages.get(stage, "") for stage in table.words.instruments}
            numbers.setdefault((column, number.row), []).append(number._asdict() | keys)
    return numbers
