"""A table in Markdown, for a terminal, and as CSV."""

from __future__ import annotations

import pandas as pd
from tabulate import tabulate

from rgx.report.escape import escape_markdown
from rgx.report.frames import Metric, Results
from rgx.report.layout import ARROWS, Style, body, caption, footnotes, heads
from rgx.report.statistics import Cell, Table, printed


class Differing(Style):
    """A published number says by how much ours is above it, but not where ours is a stand-in for it."""

    def published(self, cell: Cell, metric: Metric) -> str:
        """Return a published number and the difference, or nothing."""
        said = super().published(cell, metric)
        if cell.delta is None or metric.stand_in:
            return said
        return f"{said} (Δ {printed(cell.delta, metric.decimals):+f})"


MARKDOWN = Differing(
    escape_markdown, {"best": "**%s**", "second": "<u>%s</u>", "": "%s"}, "*%s*", ARROWS, "†", "✓"
)
TERMINAL = Differing(str, {"best": "%s*", "second": "%s+", "": "%s"}, "(%s)", ARROWS, "†", "✓")


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
    numbers = {
        column: {str(row): own.to_dict("records") for row, own in frame.groupby("row")}
        for column in table.columns
        if not (frame := results.numbers(table.name, column)).empty
    }
    lines = []
    for row, cells in table.rows.items():
        for column, cell in cells.items():
            metric = table.columns[column]
            for item in numbers.get(column, {}).get(row) or [{}]:
                lines.append(
                    {
                        "panel": table.name,
                        "row": row,
                        "label": table.label(row),
                        "metric": column,
                        "seed": item.get("seed"),
                        "value": item.get("value"),
                        "reference": item.get("reference"),
                        "published": cell.published,
                        "delta": None if metric.stand_in else cell.delta,
                        "mean": cell.mean,
                        "std": cell.std,
                        "n": cell.n,
                        "mark": cell.mark,
                        "p": cell.p,
                        "stage": item.get("stage"),
                        "key": item.get("key"),
                        "judge": item.get("judge"),
                    }
                )
    frame = pd.DataFrame(lines).astype({"seed": "Int64"})
    return str(frame.to_csv(index=False, lineterminator="\n"))
