"""A report for a terminal: its tables, its claims, and what report and sweep do not share."""

from __future__ import annotations

from pathlib import Path

from rgx.errors import nearest
from rgx.report import claims_layout
from rgx.report.definition import Report
from rgx.report.gather import Gathered, gather
from rgx.report.results import Results
from rgx.report.statistics import Table
from rgx.report.terminal_table import terminal_table
from rgx.store.drift import account


def terminal_summary(report_file: Path, store: Path) -> str:
    """Return the tables of a report for a terminal."""
    return summary(gather(report_file, store))


def summary(gathered: Gathered) -> str:
    """Return the tables of what was gathered for a terminal."""
    parts = [terminal_table(table) for table in gathered.panels]
    if gathered.findings:
        parts.append(claims_layout.terminal(gathered.findings))
    if gathered.panels:
        beside = ", (in brackets) published; after it, where measured alike, by how much ours is above it"
        parts.append(f"* best, + second best{beside if _prints_published(gathered.panels) else ''}")
    return "\n\n".join([*parts, *absent(gathered.report, gathered.results, gathered.panels)])


def _prints_published(panels: list[Table]) -> bool:
    return any(
        cell.published is not None
        for table in panels
        if table.panel.show.published
        for cells in table.rows.values()
        for cell in cells.values()
    )


def absent(report: Report, results: Results, panels: list[Table]) -> list[str]:
    """Return a line for each panel, row or column that the report and the sweep do not share."""
    swept = list(dict.fromkeys(row.panel for row in results.sweep.rows))
    shown = [table.name for table in panels]
    lines = [
        f"Panel {name} is in the report but not in the sweep; skipped."
        for name in report.panels
        if name not in shown
    ]
    lines += [
        f"Panel {name} is in the sweep but not in the report; not shown."
        for name in swept
        if name not in report.panels
    ]
    lines += [f"{line}." for line in account(results.drift)]
    for table in panels:
        rows = [
            table.words.reference_line,
            *(table.rows_of.get(row, row) for row in results.rows(table.name)),
        ]
        named = {
            *table.panel.published,
            *table.panel.labels,
            *table.panel.components,
            *(row for rows in table.panel.sections.values() for row in rows),
            *filter(None, [table.panel.ours]),
        }
        lines += [
            f"Panel {table.name}: row '{row}' is not in the sweep; {nearest(row, rows)}"
            for row in sorted(named - set(rows))
        ]
        measured = sorted({metric for panel, metric in results.by_column if panel == table.name})
        lines += [
            f"Panel {table.name}: column '{column}' is in no finished manifest; {nearest(column, measured)}"
            for column in table.panel.columns
            if measured and column not in {shown.partition("@")[0] for shown in table.columns}
        ]
    return lines
