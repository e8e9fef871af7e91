"""Tables in LaTeX, to paste into a paper."""

from __future__ import annotations

from collections.abc import Sequence

from rgx.registry import register
from rgx.report import claims_layout, hyperparameters
from rgx.report.claims import Finding
from rgx.report.combined import combined
from rgx.report.formats.base import Format
from rgx.report.results import Results
from rgx.report.statistics import Table
from rgx.report.tex import appendix, latex


@register("format", "latex", label="LaTeX")
class Latex(Format):
    """Floats of booktabs, one a panel and one with all of them."""

    suffix = "tex"

    def write(self, table: Table, results: Results) -> str:
        """Return a float; comment lines give the key behind each number."""
        return latex(table)

    def combine(self, caption: str, results: Results, tables: Sequence[Table]) -> str:
        """Return all panels as floats over both columns."""
        return combined(caption, results.sweep.name, tables)

    def append(self, tables: Sequence[Table]) -> str:
        """Return a paragraph for each table that leaves something to the appendix."""
        return appendix(tables)

    def write_settings(self, settings: hyperparameters.Settings) -> str:
        """Return the hyper-parameters as floats over both columns."""
        return hyperparameters.latex(settings)

    def write_claims(self, findings: Sequence[Finding]) -> str:
        """Return what the numbers say of the claims, as a float over both columns."""
        return claims_layout.latex(findings)
