"""The findings of a report's claims as lines, in LaTeX, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from csv import writer
from io import StringIO

from tabulate import tabulate

from rgx.report.agreement import printed
from rgx.report.claims import Finding
from rgx.report.escape import escape_markdown, escape_tex
from rgx.report.significance import LEVEL

HEADS = ["panel", "claim", "by", "over", "p", "verdict", "would decide"]
LEAST_P = 0.001


def cells(finding: Finding) -> list[str]:
    """Return the line of a finding; a verdict that is not the one on record is followed by that."""
    tested = finding.difference
    by = f"{printed(tested.mean, finding.decimals):+f}" if tested else ""
    p = "" if tested is None else f"{finding.p:.3f}" if finding.p >= LEAST_P else f"< {LEAST_P}"
    recorded = finding.claim.recorded
    differs = f" (on record: {recorded})" if recorded not in (None, finding.verdict) else ""
    return [
        finding.claim.panel,
        finding.sentence,
        by,
        finding.over,
        p,
        finding.verdict + differs,
        finding.open,
    ]


def caption(findings: Sequence[Finding]) -> str:
    """Return how claims were tested."""
    count = len(findings)
    return (
        f"Claims: paired over the seeds both rows have and, where a score is the mean of test samples, over "
        f"these (bootstrap), both variances together in a two-sided t-test; p corrected for "
        f"{f'all {count} claims' if count > 1 else 'one claim'} of the report (Holm); decided at p < {LEVEL}."
    )


def terminal(findings: Sequence[Finding]) -> str:
    """Return the findings as a terminal shows them."""
    grid = tabulate([cells(finding) for finding in findings], HEADS, tablefmt="simple", disable_numparse=True)
    return f"{caption(findings)}\n{grid}"


def markdown(findings: Sequence[Finding]) -> str:
    """Return the findings as a GitHub table."""
    lines = [[escape_markdown(cell) for cell in cells(finding)] for finding in findings]
    grid = tabulate(lines, HEADS, tablefmt="github", disable_numparse=True)
    return f"**claims.** {escape_markdown(caption(findings))}\n\n{grid}\n"


def csv(findings: Sequence[Finding]) -> str:
    """Return the findings unrounded, a line each."""
    text = StringIO()
    lines = writer(text, lineterminator="\n")
    lines.writerow([*HEADS[:2], "difference", *HEADS[3:], "on record"])
    for finding in findings:
        mean = finding.difference.mean if finding.difference else None
        p = finding.p if finding.difference else None
        start = [finding.claim.panel, finding.sentence, mean, finding.over, p]
        lines.writerow([*start, finding.verdict, finding.open, finding.claim.recorded])
    return text.getvalue()


def latex(findings: Sequence[Finding]) -> str:
    """Return the findings as a float over both columns."""
    lines = [" & ".join(escape_tex(cell) for cell in cells(finding)) + r" \\" for finding in findings]
    grid = [
        r"\begin{tabular}{@{}llrlrll@{}}",
        r"\toprule",
        " & ".join(HEADS) + r" \\",
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    head = [r"\begin{table*}[t]", r"\centering", rf"\caption{{{escape_tex(caption(findings))}}}"]
    return "\n".join([*head, r"\label{tab:claims}", *_fitted(grid), r"\end{table*}", ""])


def _fitted(grid: list[str]) -> list[str]:
    """Return a grid in small letters that is shrunk where it is wider than the line."""
    return [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}\sbox0{%",
        *grid[:-1],
        grid[-1] + "}%",
        r"\ifdim\wd0>\linewidth \resizebox{\linewidth}{!}{\usebox0}\else \usebox0\fi\endgroup",
    ]
