"""Tables in Markdown, as GitHub shows it."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from rgx.registry import register
from rgx.report import claims_layout, hyperparameters
from rgx.report.claims import Finding
from rgx.report.escape import escape_markdown
from rgx.report.formats.base import Format
from rgx.report.layout import ARROWS, Style, appended, body, caption, footnotes, heads
from rgx.report.results import Results
from rgx.report.statistics import Table

STYLE = Style(
    escape_markdown,
    {"best": "**%s**", "second": "<u>%s</u>", "": "%s"},
    "*%s*",
    " (%s)",
    ARROWS,
    "†",
    "✓",
    "*%s*",
)


@register("format", "markdown", label="Markdown")
class Markdown(Format):
    """A grid with its caption above and its notes below."""

    suffix = "md"

    def write(self, table: Table, results: Results) -> str:
        """Return a panel as text."""
        return markdown(table)

    def append(self, tables: Sequence[Table]) -> str:
        """Return a list for each table that leaves something to the appendix."""
        return appendix(tables)

    def write_settings(self, settings: hyperparameters.Settings) -> str:
        """Return the hyper-parameters as a grid."""
        return hyperparameters.markdown(settings)

    def write_claims(self, findings: Sequence[Finding]) -> str:
        """Return what the numbers say of the claims, as a grid."""
        return claims_layout.markdown(findings)


def appendix(tables: Sequence[Table]) -> str:
    """Return what tables leave to the appendix, a list each."""
    parts = []
    for table in tables:
        if notes := appended(table):
            lines = "\n".join(f"- {escape_markdown(note)}" for note in notes)
            parts.append(f"**{table.name}.** {escape_markdown(table.panel.caption)}\n\n{lines}\n")
    return "\n".join(parts)


def markdown(table: Table) -> str:
    """Return a GitHub table with its caption and footnotes."""
    grid = tabulate(
        body(table, STYLE), headers=["", *heads(table, STYLE)], tablefmt="github", disable_numparse=True
    )
    parts = [f"**{table.name}.** {escape_markdown(caption(table))}", grid]
    return "\n\n".join([*parts, *(escape_markdown(note) for note in footnotes(table))]) + "\n"
