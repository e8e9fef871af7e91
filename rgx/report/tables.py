"""A table in LaTeX, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pandas as pd
from tabulate import tabulate

from rgx.report.frames import Metric, Results
from rgx.report.statistics import Cell, Direction, Mark, Table, printed

HOLE = "--"
TEX_ARROWS: dict[Direction | None, str] = {
    "down": r" $\downarrow$",
    "up": r" $\uparrow$",
    "real": r" $\rightarrow$",
    None: "",
}
ARROWS: dict[Direction | None, str] = {"down": " ↓", "up": " ↑", "real": " →", None: ""}
TEX_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "±": r"$\pm$",
    "–": "--",
    "†": r"\dag{}",
    "→": r"$\rightarrow$",
    "≈": r"$\approx$",
}
MARKDOWN_SPECIAL = "\\`*_[]<>|~$&"
TEX_MARKS: dict[Mark, str] = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
MARKDOWN_MARKS: dict[Mark, str] = {"best": "**%s**", "second": "<u>%s</u>", "": "%s"}
TERMINAL_MARKS: dict[Mark, str] = {"best": "%s*", "second": "%s+", "": "%s"}


def escape_tex(text: str) -> str:
    """Return text that LaTeX prints as it is written, on one line."""
    return "".join(TEX_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def escape_markdown(text: str) -> str:
    """Return text that Markdown prints as it is written, safe inside a table."""
    words = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in MARKDOWN_SPECIAL else letter for letter in words)


def number(value: float | None, decimals: int) -> str:
    """Return a number as printed, or the mark of a hole."""
    return HOLE if value is None else f"{printed(value, decimals):f}"


def quoted(value: float | None, decimals: int) -> str:
    """Return a published number with all the digits the report file gives it, or nothing."""
    if value is None:
        return ""
    given = -int(Decimal(repr(value)).as_tuple().exponent)
    return number(value, max(decimals, 0 if value.is_integer() else given))


def measured(cell: Cell, decimals: int, most: int, wrapper: dict[Mark, str], plus_minus: str) -> str:
    """Return a reproduced number with its spread; n is added where it is fewer than the table's most."""
    text = wrapper[cell.mark] % number(cell.mean, decimals)
    if cell.std is not None:
        text += f" {plus_minus} {number(cell.std, decimals)}"
    return text + (f" (n={cell.n})" if 0 < cell.n < most else "")


def caption(table: Table) -> str:
    """Return the caption with n and what a seed repeats."""
    least, most = table.replicates()
    if most == 0:
        said = "No row has run yet."
    elif most == 1:
        said = f"n = 1 run per row; {table.seed_scope}."
    else:
        count = f"n = {most}" if least == most else f"n = {least} to {most}"
        said = f"Mean ± sample standard deviation over {count} seeds; {table.seed_scope}."
    return f"{table.panel.caption.strip()} {said}"


def footnotes(table: Table) -> list[str]:
    """Return what stands under a table: stand-ins, agreement, holes, judge, protocols and the note."""
    notes = [
        f"† {metric.label} is a stand-in{': ' + metric.protocol if metric.protocol else ''}."
        for metric in table.columns.values()
        if metric.stand_in
    ]
    notes += table.notes
    notes += [
        f"{metric.label} in the line of the real: {metric.reference_is}."
        for metric in table.columns.values()
        if metric.reference_is and table.real()
    ]
    if any(metric.direction == "real" for metric in table.columns.values()):
        notes.append("→ marks a measure that is better the nearer it is to that of real motion.")
    compared = [
        f"{table.columns[column].label} {found.reproduced} of {found.comparable}"
        + (
            f" ({found.published - found.comparable} not comparable yet)"
            if found.comparable < found.published
            else ""
        )
        for column, found in table.agreements.items()
        if found.published
    ]
    if compared:
        notes.append(f"Pairs of rows in the published order: {', '.join(compared)}.")
    if any(cell.mean is None for cells in table.rows.values() for cell in cells.values()):
        notes.append(f"{HOLE} marks a number that has not been measured, or whose run failed.")
    if table.judges:
        warning = " More than one judge: judged numbers do not compare." if len(table.judges) > 1 else ""
        notes.append(f"Judge: {', '.join(key[:16] for key in table.judges)}.{warning}")
    protocols = dict.fromkeys(
        f"{metric.label}: {metric.protocol}"
        for metric in table.columns.values()
        if metric.protocol and not metric.stand_in
    )
    shared = {metric.protocol for metric in table.columns.values()} - {""}
    if protocols:
        one = len(shared) == 1
        notes.append(f"Protocol: {shared.pop()}." if one else f"Protocols: {'; '.join(protocols)}.")
    return notes + ([" ".join(table.panel.note.split())] if table.panel.note else [])


def body(
    table: Table, escape: Callable[[str], str], wrapper: dict[Mark, str], plus_minus: str, aside: str
) -> list[list[str]]:
    """Return the lines of a table: real motion, then each row with its published numbers under it."""
    most, real, lines = table.replicates()[1], table.real(), []
    if real:
        lines.append(
            ["Real"]
            + [
                number(real[column], metric.decimals) if column in real else ""
                for column, metric in table.columns.items()
            ]
        )
    for row, cells in table.rows.items():
        lines.append(
            [escape(table.label(row))]
            + [
                measured(cells[column], metric.decimals, most, wrapper, plus_minus)
                for column, metric in table.columns.items()
            ]
        )
        if any(cell.published is not None for cell in cells.values()):
            asides = [
                quoted(cells[column].published, metric.decimals) for column, metric in table.columns.items()
            ]
            lines.append([aside % text if text else "" for text in ["published", *asides]])
    return lines


def heads(
    table: Table, escape: Callable[[str], str], arrows: dict[Direction | None, str], dagger: str
) -> list[str]:
    """Return the column heads: label, unit, dagger of a stand-in, arrow of the direction."""

    def head(metric: Metric) -> str:
        unit = f" ({metric.unit})" if metric.unit else ""
        return escape(metric.label + unit) + (dagger if metric.stand_in else "") + arrows[metric.direction]

    return [head(metric) for metric in table.columns.values()]


def latex(table: Table, results: Results) -> str:
    """Return a booktabs table; comment lines give the key behind each number."""
    lines = ["% Needs \\usepackage{booktabs} and \\usepackage{xcolor}."]
    for column in table.columns:
        for item in results.numbers(table.name, column).to_dict("records"):
            where = " ".join(f"{table.name}/{item['row']}".split())
            lines.append(
                f"% {where} seed {item['seed']}: {column} = {item['value']!r} "
                f"from {item['stage']}/{item['key']}"
            )
    lines += [
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{escape_tex(caption(table))}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join(["", *heads(table, escape_tex, TEX_ARROWS, r"$^{\dagger}$")]).strip() + r" \\",
        r"\midrule",
    ]
    aside = r"{\scriptsize\textcolor{gray}{%s}}"
    rows = body(table, escape_tex, TEX_MARKS, r"$\pm$", aside)
    lines += [" & ".join(row) + r" \\" for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip{{\footnotesize {escape_tex(note)}\par}}" for note in footnotes(table)]
    return "\n".join([*lines, r"\end{table}", ""])


def markdown(table: Table) -> str:
    """Return a GitHub table with its caption and footnotes."""
    rows = body(table, escape_markdown, MARKDOWN_MARKS, "±", "*%s*")
    grid = tabulate(
        rows,
        headers=["", *heads(table, escape_markdown, ARROWS, "†")],
        tablefmt="github",
        disable_numparse=True,
    )
    parts = [f"**{table.name}.** {escape_markdown(caption(table))}", grid]
    return "\n\n".join([*parts, *(escape_markdown(note) for note in footnotes(table))]) + "\n"


def terminal(table: Table) -> str:
    """Return a plain table: `*` best, `+` second best."""
    rows = body(table, str, TERMINAL_MARKS, "±", "(%s)")
    grid = tabulate(
        rows, headers=["", *heads(table, str, ARROWS, "†")], tablefmt="simple", disable_numparse=True
    )
    return "\n".join([f"{table.name}: {caption(table)}", grid, *footnotes(table)])


def csv(table: Table, results: Results) -> str:
    """Return one line per measured number, unrounded, with its key; a hole is a line without a value."""
    lines = []
    for row, cells in table.rows.items():
        for column, cell in cells.items():
            numbers = results.numbers(table.name, column)
            found = numbers[numbers["row"] == row].to_dict("records")
            for item in found or [{}]:
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
                        "mean": cell.mean,
                        "std": cell.std,
                        "n": cell.n,
                        "mark": cell.mark,
                        "stage": item.get("stage"),
                        "key": item.get("key"),
                        "judge": item.get("judge"),
                    }
                )
    frame = pd.DataFrame(lines).astype({"seed": "Int64"})
    return str(frame.to_csv(index=False, lineterminator="\n"))
