"""A table in LaTeX: booktabs, numbers aligned at the decimal point, never wider than the line."""

from __future__ import annotations

import re

from rgx.report.escape import LONG_WORD, escape_tex
from rgx.report.frames import Results
from rgx.report.layout import ARROWS, Style, body, caption, footnotes, heads, number, quoted, spread
from rgx.report.statistics import Cell, Direction, Mark, Table

PREAMBLE = [
    r"\usepackage[T1]{fontenc}",
    *(rf"\usepackage{{{name}}}" for name in ("booktabs", "xcolor", "graphicx", "amssymb")),
]
TEX_ARROWS: dict[Direction | None, str] = {
    "down": r" $\downarrow$",
    "up": r" $\uparrow$",
    "real": r" $\rightarrow$",
    None: "",
}
PLUS_MINUS, TEX_DIFFERS = r"\,$\pm$\,", r"$^{\ddagger}$"
TEX_MARKS: dict[Mark, str] = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
COLUMN_LETTERS = 70
"""Letters of a table that fit one of two columns; a wider table spans both."""
LABEL_LETTERS, HEAD_LETTERS = 30, 16
"""Letters of a row's label and of a column's head beyond which it wraps."""


class TexStyle(Style):
    """LaTeX: a number stands in two columns, up to its last regular digit and what follows."""

    def real(self, value: float | None, decimals: int) -> str:
        """Return what real motion scores, in two columns."""
        return (_signed(number(value, decimals)) if value is not None else "") + " & "

    def measured(self, cell: Cell, decimals: int, most: int) -> str:
        """Return a mean and its spread, in two columns."""
        mean = self.marks[cell.mark] % _signed(number(cell.mean, decimals))
        after = spread(cell, decimals, most, PLUS_MINUS, TEX_DIFFERS).replace(" (", "~(")
        return f"{mean} & {after}"

    def published(self, value: float | None, decimals: int) -> str:
        """Return a published number in two columns: the second has the digits ours are not printed with."""
        if value is None:
            return " & "
        digits, ours = quoted(value, decimals), number(value, decimals)
        surplus = digits[len(digits) - max(0, _decimals(digits) - _decimals(ours)) :]
        head = self.aside % _signed(digits.removesuffix(surplus))
        return f"{head} & {self.aside % surplus if surplus else ''}"


STYLE = TexStyle(
    escape_tex, TEX_MARKS, r"\textcolor{gray}{%s}", TEX_ARROWS, r"$^{\dagger}$", r"$\checkmark$"
)  # fmt: skip
PLAIN = Style(str, {"best": "%s", "second": "%s", "": "%s"}, "%s", ARROWS, "†", "x")
"""What a table's letters are counted in."""


def latex(table: Table, results: Results) -> str:
    """Return a table to paste into a paper; comment lines give the key behind each number.

    It takes the packages of PREAMBLE, stands in one column of a two-column page where it fits, and in
    both where it does not.
    """
    lines = [f"% Needs {' '.join(PREAMBLE)}"]
    for column in table.columns:
        for item in results.numbers(table.name, column).to_dict("records"):
            where = " ".join(f"{table.name}/{item['row']}".split())
            lines.append(
                f"% {where} seed {item['seed']}: {column} = {item['value']!r} "
                f"from {item['stage']}/{item['key']}"
            )
    float_ = "table" if letters(table) <= COLUMN_LETTERS else "table*"
    lines += [
        rf"\begin{{{float_}}}[t]",
        r"\centering",
        rf"\caption{{{escape_tex(caption(table))}}}",
        rf"\label{{tab:{table.name}}}",
        *tabular(table),
        *notes(footnotes(table)),
    ]
    return "\n".join([*lines, rf"\end{{{float_}}}", ""])


def tabular(table: Table) -> list[str]:
    """Return the lines of a table's grid, shrunk to the width of the line where it is wider."""
    ticks, metrics = len(table.panel.ticks()), len(table.columns)
    top = [
        _wrapped(text, plain, "b", HEAD_LETTERS)
        for text, plain in zip(heads(table, STYLE), heads(table, PLAIN), strict=True)
    ]
    top[ticks:] = [rf"\multicolumn{{2}}{{c}}{{{text}}}" for text in top[ticks:]]
    rows = [
        " & ".join([_wrapped(line[0], plain[0], "t", LABEL_LETTERS), *line[1:]])
        for line, plain in zip(body(table, STYLE), body(table, PLAIN), strict=True)
    ]
    return fitted(
        [
            rf"\begin{{tabular}}{{@{{}}l{'c' * ticks}{'r@{}l' * metrics}@{{}}}}",
            r"\toprule",
            " & ".join(["", *top]).strip() + r" \\",
            r"\midrule",
            *(row + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def fitted(grid: list[str]) -> list[str]:
    """Return a grid in small letters that is shrunk where it is wider than the line."""
    return [
        r"\begingroup\footnotesize\setlength{\tabcolsep}{4pt}\sbox0{%",
        *grid[:-1],
        grid[-1] + "}%",
        r"\ifdim\wd0>\linewidth \resizebox{\linewidth}{!}{\usebox0}\else \usebox0\fi\endgroup",
    ]


def notes(said: list[str]) -> list[str]:
    """Return notes as small paragraphs that wrap."""
    if not said:
        return []
    text = "\\par\n".join(escape_tex(note) for note in said)
    return [rf"\par\smallskip{{\scriptsize\raggedright {text}\par}}"]


def letters(table: Table) -> int:
    """Return about how many letters wide a table is."""
    head, lines = ["", *heads(table, PLAIN)], body(table, PLAIN)
    widths = [min(LABEL_LETTERS, max(len(line[0]) for line in lines))]
    for column in range(1, len(head)):
        numbers = max(len(line[column]) for line in lines)
        widths.append(max(numbers, min(len(head[column]), HEAD_LETTERS)))
    return sum(widths) + 2 * len(widths)


def _wrapped(text: str, plain: str, position: str, most: int) -> str:
    """Return text that wraps where it is longer than `most` letters; plain: as it reads when printed."""
    if len(plain) <= most:
        return text
    # A name may break after an underscore, a word of more than LONG_WORD letters anywhere, others nowhere.
    pieces = [min(len(piece), LONG_WORD) for piece in re.split(r"(?<=_)|\s", plain)]
    width = max(most, *pieces) / 2
    text = text.replace(r"\_", r"\_\allowbreak{}")
    return rf"\parbox[{position}]{{{width:g}em}}{{\raggedright\strut {text}\strut}}"


def _signed(text: str) -> str:
    """Return a number with a minus that is no hyphen."""
    return f"$-${text[1:]}" if text.startswith("-") and text[1:2].isdigit() else text


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])
