"""A table in Markdown, for a terminal, and as CSV."""

from __future__ import annotations

from csv import DictWriter
from io import StringIO
from typing import Any

from tabulate import tabulate

from rgx.report.escape import escape_markdown
from rgx.report.frames import Results
from rgx.report.layout import ARROWS, Style, body, caption, footnotes, heads
from rgx.report.statistics import Table

FIELDS = ["panel", "row", "label", "metric", "seed", "value", "reference", "published", "delta"]
FIELDS += ["mean", "std", "n", "mark", "p", "stage", "key", "judge"]


MARKDOWN = Style(
    escape_markdown, {"best": "**%s**", "second": "<u>%s</u>", "": "%s"}, "*%s*", " (%s)", ARROWS, "†", "✓"
)
TERMINAL = Style(str, {"best": "%s*", "second": "%s+", "": "%s"}, "(%s)", " %s", ARROWS, "†", "✓")


def markdown(table: Table) -> str:
    """Return a GitHub table with its caption and footnotes."""
    grid = tabulate(
        body(table, MARKDOWN),
        headers=["", *heads(table, MARKDOWN)],
        tablefmt="github",
        disable_numparse=True,
    )
    parts = [f"**{table.name}.** {escape_markdown(caption(table))}", grid]
    return "\n\n".join([*parts, *(escape_markdown(note) for note in footnotes(table))]) + "\n"


def terminal(table: Table) -> str:
    """Return a plain table: `*` best, `+` second best."""
    grid = tabulate(
        body(table, TERMINAL), headers=["", *heads(table, TERMINAL)], tablefmt="simple", disable_numparse=True
    )
    return "\n".join([f"{table.name}: {caption(table)}", grid, *footnotes(table)])


def csv(table: Table, results: Results) -> str:
    """Return one line per measured number, unrounded, with its key; a hole is a line without a value."""
    held = StringIO()
    writer = DictWriter(held, FIELDS, lineterminator="\n")
    writer.writeheader()
    numbers: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for column in table.columns:
        for number in results.numbers(table.name, column):
            numbers.setdefault((column, number.row), []).append(number._asdict())
    for row, cells in table.rows.items():
        for column, cell in cells.items():
            said = {
                "panel": table.name,
                "row": row,
                "label": table.label(row),
                "metric": column,
                "published": cell.published,
                "delta": None if table.columns[column].stand_in else cell.delta,
                "mean": cell.mean,
                "std": cell.std,
                "n": cell.n,
                "mark": cell.mark,
                "p": cell.p,
            }
            writer.writerows(item | said for item in numbers.get((column, row), [{}]))
    return held.getvalue()
