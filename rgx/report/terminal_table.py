"""A table as a terminal shows it."""

from __future__ import annotations

from tabulate import tabulate

from rgx.report.layout import ARROWS, Style, body, caption, footnotes, heads
from rgx.report.statistics import Table

STYLE = Style(str, {"best": "%s*", "second": "%s+", "": "%s"}, "(%s)", " %s", ARROWS, "†", "✓")


def terminal_table(table: Table) -> str:
    """Return a plain table: `*` best, `+` second best."""
    grid = tabulate(
        body(table, STYLE), headers=["", *heads(table, STYLE)], tablefmt="simple", disable_numparse=True
    )
    return "\n".join([f"{table.name}: {caption(table)}", grid, *footnotes(table)])
