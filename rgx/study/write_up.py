"""The files of a collected study: table, page, figure and ratings, each whole or not at all."""

from __future__ import annotations

from pathlib import Path

from rgx.report.render import save
from rgx.study.findings import Findings
from rgx.study.measures import draw, measured_or_why
from rgx.study.study_tables import latex, markdown, page, table_of

FIGURE = "measures"


def write_study(findings: Findings, store: Path, folder: Path) -> list[Path]:
    """Write a study's files and return their paths; raises InputError where they cannot be written."""
    study = findings.ratings.kit.study
    rows, why = measured_or_why(findings, store)
    heads = {name: question.head or name for name, question in study.questions.items()}
    figure = draw(rows, heads)
    problems = [f"not used: {problem}" for problem in findings.ratings.problems]
    problems += [f"no measure is held against the ratings: {why}"] if why else [SAID]
    grid = table_of(findings, problems)
    files = {
        "table.tex": latex(grid).encode(),
        "index.md": markdown(grid, f"{FIGURE}.png" if figure else "").encode(),
        "index.html": page(grid, study.name, figure.get(".png")).encode(),
        "ratings.csv": findings.ratings.csv().encode(),
        **{f"{FIGURE}{suffix}": data for suffix, data in figure.items()},
    }
    if rows:
        lines = ["metric,question,tau,low,high,conditions"]
        lines += [
            f'"{r.metric}",{r.question},{r.tau:.3f},{r.low:.3f},{r.high:.3f},{r.conditions}' for r in rows
        ]
        files[f"{FIGURE}.csv"] = ("\n".join(lines) + "\n").encode()
    return save(folder, files)


SAID = (
    "the figure has Kendall's τ of each measure and question over the conditions that have both, turned so "
    "that above 0 both prefer the same; intervals at 95 % over other raters and scenes, not other trainings"
)
