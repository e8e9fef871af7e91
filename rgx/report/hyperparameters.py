"""The appendix's table of hyper-parameters, from the records of what ran for the full model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tabulate import tabulate

from rgx.report import budget
from rgx.report.budget import Budget
from rgx.report.escape import escape_markdown, escape_tex
from rgx.report.figures.graph import ordered
from rgx.report.results import Results
from rgx.report.statistics import Table
from rgx.report.tex import notes

VARIANT = "variant"
LINES = 34
"""Lines of a table that fit a page; a longer table goes on in the next."""
WIDTH = 70
"""About how many letters of settings fit a line."""


@dataclass(frozen=True)
class Setting:
    """One part of a stage: where it stands in the record, what was chosen, and how it was set."""

    stage: str
    part: str
    choice: str
    values: str


@dataclass(frozen=True)
class Settings:
    """All parts of the full model, the artifact each stage was read from, and stages that have not run.

    budgets: what each row's system is and costs, where the report asks for it.
    """

    lines: list[Setting]
    keys: dict[str, str]
    missing: list[str]
    budgets: list[Budget] = field(default_factory=list)


def settings(results: Results, panels: list[Table], sample: str = "") -> Settings:
    """Return the full model's settings, each stage once, after those it is made from.

    A stage that the panels set differently stands once for each, with the panels it is of. sample: the stage
    that makes what the budget of every row is counted for.
    """
    ours = {table.name: table.panel.ours for table in panels if table.panel.ours}
    by_stage: dict[str, dict[str, tuple[str, list[str]]]] = {}
    missing: dict[str, None] = {}
    nodes: dict[tuple[str, str], dict[str, Any]] = {}
    for row in results.sweep.rows:
        if ours.get(row.panel) != row.row:
            continue
        for stage, key in row.stages.items():
            manifest = results.manifests.get((stage, key))
            if manifest is None or not isinstance(manifest.get("record"), dict):
                missing[stage] = None
                continue
            nodes[stage, key] = manifest
            text = json.dumps(manifest["record"], sort_keys=True)
            names = by_stage.setdefault(stage, {}).setdefault(text, (key, []))[1]
            names += [row.panel] if row.panel not in names else []
    lines: list[Setting] = []
    keys: dict[str, str] = {}
    seen: dict[str, str] = {}
    for stage in ordered(nodes):
        records = by_stage[stage]
        for text, (key, names) in records.items():
            title = stage if len(records) == 1 else f"{stage} ({', '.join(names)})"
            keys[title] = f"{stage}/{key}"
            lines += _settings(title, json.loads(text), seen)
    budgets = budget.budgets(results, panels, sample) if sample else []
    return Settings(lines, keys, [stage for stage in missing if stage not in by_stage], budgets)


def markdown(settings: Settings) -> str:
    """Return the settings as a GitHub table."""
    rows = [[escape_markdown(cell) for cell in _cells(line)] for line in settings.lines]
    grid = tabulate(
        rows, headers=["stage", "part", "choice", "settings"], tablefmt="github", disable_numparse=True
    )
    costs = [budget.markdown(settings.budgets).rstrip()] if settings.budgets else []
    return "\n\n".join([f"**{CAPTION}**", grid, *map(escape_markdown, _missing(settings)), *costs]) + "\n"


def latex(settings: Settings) -> str:
    """Return the settings as tables over both columns, as many as they fill; comments name the artifacts."""
    lines = [r"% Needs \usepackage{booktabs}"]
    lines += [f"% {title}: {path}" for title, path in settings.keys.items()]
    for number, part in enumerate(_pages(settings.lines)):
        said = CAPTION if number == 0 else CAPTION.removesuffix(".") + ", continued."
        lines += [
            r"\begin{table*}[t]",
            r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{escape_tex(said)}}}",
            rf"\label{{tab:hyperparameters{f'-{number + 1}' if number else ''}}}",
            r"\begin{tabular}{@{}p{0.14\linewidth}p{0.15\linewidth}p{0.15\linewidth}p{0.5\linewidth}@{}}",
            r"\toprule",
            r"stage & part & choice & settings \\",
            r"\midrule",
            *(
                " & ".join(rf"\raggedright {_breakable(cell)}" for cell in _cells(line)) + r" \tabularnewline"
                for line in _told_once(part)
            ),
            r"\bottomrule",
            r"\end{tabular}",
            *notes(_missing(settings)),
            r"\end{table*}",
        ]
    if settings.budgets:
        lines.append(budget.latex(settings.budgets).rstrip())
    return "\n".join([*lines, ""])


CAPTION = "Hyper-parameters of the full model, as it ran."


def _missing(settings: Settings) -> list[str]:
    return [f"Not run yet: {', '.join(settings.missing)}."] if settings.missing else []


def _cells(line: Setting) -> list[str]:
    return [line.stage.replace("_", " "), line.part.replace("_", " "), line.choice, line.values]


def _settings(title: str, record: dict[str, Any], seen: dict[str, str]) -> Iterator[Setting]:
    """Give a stage's own settings, then those of its parts; a part already told refers to its stage."""
    for part, of_part in _parts("", record):
        own = {name: value for name, value in of_part.items() if name != VARIANT and not _nested(value)}
        choice = str(of_part.get(VARIANT, "")).rpartition("/")[2] if part else ""
        if not part and not own:
            continue
        values = ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in own.items())
        text = json.dumps([part, of_part], sort_keys=True)
        first = seen.setdefault(text, title)
        yield Setting(title, part, choice, values if first == title or not own else f"as for {first}")


def _parts(name: str, record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give a record and, in it, each part that has settings of its own."""
    yield name, record
    for key, value in record.items():
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, dict):
                yield from _parts(key, inner)


def _nested(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict) for v in value))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _breakable(cell: str) -> str:
    """Return a cell whose names may break after an underscore."""
    return escape_tex(cell).replace(r"\_", r"\_\allowbreak{}")


def _told_once(page: list[Setting]) -> list[Setting]:
    """Return a page's lines with a stage's name at its first line only."""
    before = ["", *(line.stage for line in page)]
    return [
        replace(line, stage="") if line.stage == last else line
        for line, last in zip(page, before, strict=False)
    ]


def _pages(lines: list[Setting]) -> Iterator[list[Setting]]:
    """Give the settings in parts that fit a page."""
    page: list[Setting] = []
    used = 0
    for line in lines:
        takes = 1 + max(len(line.values) // WIDTH, len(line.choice) // 20, len(line.stage) // 18)
        if page and used + takes > LINES:
            yield page
            page, used = [], 0
        page.append(line)
        used += takes
    if page:
        yield page
