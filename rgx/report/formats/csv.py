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
from rgx.report.quoted import spread_of
from rgx.report.results import Results
from rgx.report.statistics import Table

DOUBTS = ["drift", "imported"]
"""Stages whose code has changed since, with the modules; the bundles that a number was taken in from."""
FIELDS = ["panel", "row", "label", "metric", "seed", "value", "reference", "published", "published_spread"]
FIELDS += ["delta", "mean", "std", "n", "mark", "p", *DOUBTS, "stage", "key"]


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
                    "published_spread": None if cell.published is None else spread_of(cell.published),
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
        for number in table.measured.get(column, ()):
            stages = results.stages_of(number)
            keys = {stage: stages.get(stage, "") for stage in table.words.instruments}
            row = table.rows_of.get(number.row, number.row)
            doubt = results.doubt(number)
            doubts = dict(zip(DOUBTS, (doubt.changed, ", ".join(sorted(doubt.bundles))), strict=True))
            numbers.setdefault((column, row), []).append(number._asdict() | keys | doubts)
    return numbers
