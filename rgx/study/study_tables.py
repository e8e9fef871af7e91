"""A study's table in LaTeX, Markdown and as a page, beside the published one, with all that is said of it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape as escape_html

from rgx.report.escape import escape_markdown, escape_tex
from rgx.study.findings import Findings
from rgx.study.opinions import Estimate
from rgx.study.reported_numbers import doubts_of
from rgx.study.study_notes import notes_of

HOLE = "--"
Escape = Callable[[str], str]


@dataclass(frozen=True)
class OpinionCell:
    """One number of the table, its interval, what was published for it, and whether it is a column's best."""

    value: float | None = None
    low: float = math.nan
    high: float = math.nan
    published: float | None = None
    best: bool = False
    percent: bool = False

    def text(self) -> str:
        """Return the number as printed."""
        if self.value is None or math.isnan(self.value):
            return HOLE
        return f"{100 * self.value:.0f} %" if self.percent else f"{self.value:.2f}"

    def interval(self) -> str:
        """Return the interval as printed, or nothing where there is none."""
        if self.value is None or math.isnan(self.low):
            return ""
        scale, form = (100, ".0f") if self.percent else (1, ".2f")
        return f"[{scale * self.low:{form}}, {scale * self.high:{form}}]"


@dataclass(frozen=True)
class StudyTable:
    """The table: heads, and a line of cells for each condition by its label; caption and notes in words."""

    heads: Sequence[str]
    lines: Mapping[str, Sequence[OpinionCell]]
    caption: str
    notes: Sequence[str]


def table_of(findings: Findings, problems: Sequence[str] = ()) -> StudyTable:
    """Return a study's table, and below its conditions the rows that were only published."""
    kit = findings.ratings.kit
    study, reported = kit.study, kit.key.get("published") or {}
    rows: Mapping[str, Mapping[str, float]] = reported.get("rows", {})
    row_of = study.published.rows if study.published else {}
    columns = {name: column for name in study.questions if (column := _column(findings, name))}
    metrics = {name: study.questions[name].published or name for name in columns}

    def published(condition: str) -> Mapping[str, float]:
        return rows.get(row_of.get(condition, ""), {})

    lines = {
        study.label(condition): [
            replace(column.get(condition, OpinionCell()), published=published(condition).get(metrics[name]))
            for name, column in columns.items()
        ]
        for condition in study.conditions
    }
    for row in (row for row in rows if row not in row_of.values()):
        lines[row] = [OpinionCell(published=rows[row].get(metrics[name])) for name in columns]
    caption = (
        f"{next(iter(study.title.values()))}: {findings.counted} Mean opinions from 1 to 5 with intervals at "
        "95 %, clustered by rater and by scene; best of the systems in bold."
    )
    if reported:
        caption += f" In parentheses: {reported['source']}."
    notes = [*notes_of(findings), *(doubts_of(reported) if reported else []), *problems]
    return StudyTable([study.questions[name].head or name for name in columns], lines, caption, notes)


def _column(findings: Findings, question: str) -> dict[str, OpinionCell]:
    """Return a question's cells by condition, the best of the systems marked."""
    study = findings.ratings.kit.study
    if question in findings.rated:
        own: dict[str, OpinionCell] = {c: _cell(e) for c, e in findings.rated[question].means.items()}
    elif question in findings.paired:
        own = {row.name: OpinionCell(row.strength, row.low, row.high) for row in findings.paired[question]}
    else:
        shares = findings.matched.get(question, {})
        own = {c: OpinionCell(s.share, s.low, s.high, percent=True) for c, s in shares.items()}
    systems = {c: cell.text() for c, cell in own.items() if study.conditions[c].is_system}
    values = {c: own[c].value for c, text in systems.items() if text != HOLE}
    if len(values) < 2:
        return own
    best = systems[max(values, key=lambda c: values[c] or 0.0)]
    return {
        c: OpinionCell(cell.value, cell.low, cell.high, None, systems.get(c) == best, cell.percent)
        for c, cell in own.items()
    }


def _cell(estimate: Estimate) -> OpinionCell:
    return OpinionCell(estimate.mean, estimate.low, estimate.high)


def markdown(grid: StudyTable, figure: str = "") -> str:
    """Return the table and what is said of it as Markdown."""
    shown = _shown(grid, escape_markdown, "**{}**")
    head = f"| | {' | '.join(map(escape_markdown, grid.heads))} |"
    rule = "|---|" + "---|" * len(grid.heads)
    rows = [f"| {escape_markdown(label)} | {' | '.join(cells)} |" for label, cells in shown.items()]
    notes = "\n".join(f"- {escape_markdown(note)}" for note in grid.notes)
    picture = f"\n![how measures order the conditions]({figure})\n" if figure else ""
    return "\n".join([escape_markdown(grid.caption), "", head, rule, *rows, "", notes, picture])


def latex(grid: StudyTable) -> str:
    """Return the table as LaTeX with booktabs, its caption and notes in it."""
    shown = _shown(grid, escape_tex, r"\textbf{{{}}}")
    rows = [f"{escape_tex(label)} & {' & '.join(cells)} \\\\" for label, cells in shown.items()]
    notes = " ".join(f"{escape_tex(note.rstrip('.'))}." for note in grid.notes)
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{escape_tex(grid.caption)}}}",
            rf"\begin{{tabular}}{{l{'c' * len(grid.heads)}}}",
            r"\toprule",
            f" & {' & '.join(map(escape_tex, grid.heads))} \\\\",
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\footnotesize {notes}",
            r"\end{table}",
            "",
        ]
    )


def page(grid: StudyTable, name: str, figure: bytes | None) -> str:
    """Return the table, its figure and what is said of them as one HTML file."""
    shown = _shown(grid, escape_html, "<strong>{}</strong>")
    heads = "".join(f'<th scope="col">{escape_html(head)}</th>' for head in grid.heads)
    rows = "\n".join(
        f'<tr><th scope="row">{escape_html(label)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for label, cells in shown.items()
    )
    notes = "\n".join(f"<li>{escape_html(note)}</li>" for note in grid.notes)
    picture = ""
    if figure is not None:
        data = base64.b64encode(figure).decode()
        picture = (
            f'<img src="data:image/png;base64,{data}" alt="How measures order the conditions as raters do">'
        )
    return PAGE.format(name=escape_html(name), caption=escape_html(grid.caption), heads=heads, rows=rows,
                       notes=notes, picture=picture)  # fmt: skip


def _shown(grid: StudyTable, escape: Escape, bold: str) -> dict[str, list[str]]:
    return {label: [_text(cell, escape, bold) for cell in cells] for label, cells in grid.lines.items()}


def _text(cell: OpinionCell, escape: Escape, bold: str) -> str:
    if cell.value is None and cell.published is not None:
        return escape(f"({cell.published:.2f})")
    parts = [bold.format(escape(cell.text())) if cell.best else escape(cell.text())]
    if interval := cell.interval():
        parts.append(escape(interval))
    if cell.published is not None:
        parts.append(escape(f"({cell.published:.2f})"))
    return " ".join(parts)


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<link rel="icon" href="data:,">
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 70rem; margin: 1rem auto; padding: 0 1rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .7rem; text-align: left; border-bottom: 1px solid #bbb; white-space: nowrap; }}
img {{ max-width: 100%; }}
</style>
</head>
<body>
<h1>{name}</h1>
<p>{caption}</p>
<div class="wide"><table>
<thead><tr><td></td>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table></div>
<ul>
{notes}
</ul>
{picture}
</body>
</html>
"""
