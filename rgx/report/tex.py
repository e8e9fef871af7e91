"""A table in LaTeX: booktabs, numbers aligned by siunitx, never wider than the line."""

from __future__ import annotations

import re
from textwrap import wrap

from rgx.report.doubts import DRIFTED, IMPORTED
from rgx.report.escape import LONG_WORD, escape_tex
from rgx.report.frames import Metric, Results
from rgx.report.layout import (
    ARROWS,
    DIFFERS,
    Style,
    body,
    caption,
    difference,
    footnotes,
    heads,
    number,
    quoted,
    spread,
)
from rgx.report.statistics import Cell, Direction, Mark, Table

PREAMBLE = [
    r"\usepackage[T1]{fontenc}",
    *(rf"\usepackage{{{name}}}" for name in ("booktabs", "siunitx", "xcolor", "graphicx", "amssymb")),
]
NEEDS = f"% Needs {' '.join(PREAMBLE)}"
TEX_ARROWS: dict[Direction | None, str] = {
    "down": r" $\downarrow$",
    "up": r" $\uparrow$",
    "reference": r" $\rightarrow$",
    None: "",
}
DIFFERING = r"\,\scriptsize(%s)"
PLUS_MINUS, TEX_DIFFERS = r"\,$\pm$\,", r"$^{\ddagger}$"
TEX_DOUBTS = {"": "", DRIFTED: r"$^{\S}$", IMPORTED: r"$^{\P}$", DRIFTED + IMPORTED: r"$^{\S\P}$"}
EMS = (
    dict.fromkeys("±+-", 0.8)
    | dict.fromkeys(".()", 0.35)
    | {" ": 0.2, DIFFERS: 0.35, DRIFTED: 0.35, IMPORTED: 0.4}
)
"""Widths of what is no digit; those are half an em."""
SMALL = 0.875
"""A letter of a difference to one of a mean."""
UNDERLINE = r"\llap{\underline{\phantom{%s}}}"
"""Drawn back from a number's end, since siunitx aligns none that is underlined."""
NUMBERS = r"\sisetup{mode=text,reset-text-series=false,group-digits=none,table-align-text-after=false}"
"""Bold numbers stay bold, thousands are not set apart, and a deviation follows its number's last digit."""
COLUMN_LETTERS = 70
"""Letters of a table that fit one of two columns; a wider table spans both."""
LABEL_LETTERS, HEAD_LETTERS = 30, 16
"""Letters of a row's label and of a column's head beyond which it wraps."""


class TexStyle(Style):
    """LaTeX: a number stands in a column of siunitx, what follows it in braces."""

    def measured(self, cell: Cell, decimals: int, most: int) -> str:
        """Return a mean, its mark and its spread."""
        text = number(cell.mean, decimals)
        if cell.mean is None:
            return f"{{{text}}}"
        after = _spread(cell, decimals, most)
        written: dict[Mark, tuple[str, str]] = {
            "best": (r"\bfseries ", after and rf"\mdseries{after}"),
            "second": ("", UNDERLINE % text.replace("-", "$-$") + after),
            "": ("", after),
        }
        before, after = written[cell.mark]
        return f"{before}{text}" + (f" {{{after}}}" if after else "")

    def reference(self, value: float | None, decimals: int, doubts: str) -> str:
        """Return what the reference scores with its doubts, or nothing."""
        after = f" {{{TEX_DOUBTS[doubts]}}}" if doubts else ""
        return "" if value is None else number(value, decimals) + after

    def published(self, cell: Cell, metric: Metric) -> str:
        """Return a published number in grey, and small how far ours is above it."""
        if cell.published is None:
            return ""
        after = _differing(cell, metric)
        return rf"\color{{gray}}{quoted(cell.published)}" + (f" {{{after}}}" if after else "")

    def title(self, words: str, after: str = "") -> str:
        """Return a column's title, in lines over its middle where it is long."""
        lines = [escape_tex(line) for line in broken(words, HEAD_LETTERS)]
        text = r"\\".join(lines) + after
        return rf"\shortstack{{{text}}}" if len(lines) > 1 else text


def broken(words: str, most: int) -> list[str]:
    """Return a text in lines of at most so many letters; a name may break after an underscore."""
    lines = wrap(words.replace("_", "_\0 "), most + 1)
    return [line.replace("\0 ", "").replace("\0", "") for line in lines] or [""]


STYLE = TexStyle(
    escape_tex, {}, r"\textcolor{gray}{%s}", DIFFERING, TEX_ARROWS, r"$^{\dagger}$", r"$\checkmark$"
)
PLAIN = Style(str, {"best": "%s", "second": "%s", "": "%s"}, "%s", "%s", ARROWS, "†", "x")
"""What a table's letters are counted in; the small ones of a difference are as wide as with no bracket."""


def origins(table: Table, results: Results) -> list[str]:
    """Return a comment for each number of a table: its value and the artifact it is from."""
    lines = []
    for column in table.columns:
        for score in results.numbers(table.name, column):
            where = " ".join(f"{table.name}/{score.row}".split())
            lines.append(
                f"% {where} seed {score.seed}: {column} = {score.value!r} from {score.stage}/{score.key}"
            )
    return lines


def latex(table: Table, results: Results) -> str:
    """Return a table to paste into a paper; comment lines give the key behind each number.

    It takes the packages of PREAMBLE, stands in one column of a two-column page where it fits, and in
    both where it does not.
    """
    lines = [NEEDS, *origins(table, results)]
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
    ticks, numbers = len(table.panel.ticks()), "".join(_aligned(table, column) for column in table.columns)
    top = heads(table, STYLE)
    top[ticks:] = [f"{{{text}}}" for text in top[ticks:]]
    rows = [
        " & ".join([_wrapped(line[0], plain[0]), *line[1:]])
        for line, plain in zip(body(table, STYLE), body(table, PLAIN), strict=True)
    ]
    return fitted(
        [
            rf"\begin{{tabular}}{{@{{}}l{'c' * ticks}{numbers}@{{}}}}",
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
        rf"\begingroup\footnotesize\setlength{{\tabcolsep}}{{4pt}}{NUMBERS}\sbox0{{%",
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


def _wrapped(text: str, plain: str) -> str:
    """Return a row's label, which wraps where it is long; plain: as it reads when printed."""
    if len(plain) <= LABEL_LETTERS:
        return text
    # A name may break after an underscore, a word of more than LONG_WORD letters anywhere, others nowhere.
    pieces = [min(len(piece), LONG_WORD) for piece in re.split(r"(?<=_)|\s", plain)]
    width = max(LABEL_LETTERS, *pieces) / 2
    text = text.replace(r"\_", r"\_\allowbreak{}")
    return rf"\parbox[t]{{{width:g}em}}{{\raggedright\strut {text}\strut}}"


def _aligned(table: Table, column: str) -> str:
    """Return a column that holds its longest number before and after the point, and what follows it."""
    decimals, most = table.columns[column].decimals, table.replicates()[1]
    cells = [cells[column] for cells in table.rows.values()]
    said = [number(value, decimals) for cell in cells for value in (cell.mean,) if value is not None]
    said += [quoted(cell.published) for cell in cells if cell.published is not None]
    said += [number(table.references()[column], decimals)] if column in table.references() else []
    whole = max((len(text.partition(".")[0].lstrip("-")) for text in said), default=1)
    part = max((len(text.partition(".")[2]) for text in said), default=0)
    sign = "-" if any(text.startswith("-") for text in said) else ""
    widths = {_spread(cell, decimals, most): _width(spread(cell, decimals, most)) for cell in cells}
    for cell in cells:
        differs = difference(cell, table.columns[column])
        widths[_differing(cell, table.columns[column])] = SMALL * _width(f" ({differs})" if differs else "")
    after = max(widths, key=widths.__getitem__, default="")
    space = f",table-space-text-post={{{after}}}" if after else ""
    return f"S[table-format={sign}{whole}.{part}{space}]"


def _width(text: str) -> float:
    """Return about how many em a text after a number takes, its spaces being thin."""
    return sum(EMS.get(letter, 0.5) for letter in text)


def _differing(cell: Cell, metric: Metric) -> str:
    text = difference(cell, metric)
    return text and DIFFERING % f"${text[0]}${text[1:]}"


def _spread(cell: Cell, decimals: int, most: int) -> str:
    text = spread(cell, decimals, most, PLUS_MINUS, TEX_DIFFERS).replace(" (", "~(")
    return text.replace(cell.doubt.marks, TEX_DOUBTS[cell.doubt.marks])
