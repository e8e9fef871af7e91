"""A table in LaTeX: booktabs, numbers aligned at their points, never wider than the line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rgx.report.doubts import DRIFTED, IMPORTED
from rgx.report.escape import LONG_WORD, escape_tex
from rgx.report.layout import appended, caption, footnotes
from rgx.report.macros import NEEDS, macros
from rgx.report.reference_lines import references
from rgx.report.results import MetricFacts
from rgx.report.shown import shown
from rgx.report.statistics import Table, TableCell
from rgx.report.table_grid import (
    DIFFERS,
    body,
    difference,
    number,
    own_heads,
    quoted,
    spans,
    spread,
    ticked,
)
from rgx.report.tex_style import DELTA, HEAD_LETTERS, PLAIN, SECTION, STYLE, after, signed

EMS = (
    dict.fromkeys("±+-", 0.8)
    | dict.fromkeys(".()", 0.35)
    | {" ": 0.2, DIFFERS: 0.35, DRIFTED: 0.35, IMPORTED: 0.4}
)
"""Widths of what is no digit; those are half an em."""
CLOSE = 0.85
"""Of the widest number, from where on LaTeX is asked whether one with its difference is wider."""
WORDS_EM, HEADS_EM = 0.47, 0.55
"""Width of a letter on average, in a label and in a head, which has more capitals."""
COLUMN_LETTERS = 70
"""Letters of a table that fit one of two columns; a wider table spans both."""
LABEL_LETTERS = 30
"""Letters of a row's label beyond which it wraps."""


@dataclass(frozen=True)
class Room:
    """What the numbers of a column take: a sign, digits before the point, and the widest that follows.

    tail: of the widest number, as LaTeX with zeros; beyond: of the widest published one with its difference,
    which hangs over, or nothing; ems: about how many it is wide.
    """

    sign: bool
    whole: int
    tail: str
    beyond: str = ""
    ems: float = 0.0

    def column(self) -> str:
        """Return the column for LaTeX: cells as wide as the widest number, and room for what hangs over."""
        before = f"{'$-$' * self.sign}{'0' * self.whole}"
        widest = before + self.tail
        room = rf"@{{}}>{{\rgxroom{{{widest}}}{{{before}{self.beyond}}}}}l" if self.beyond else ""
        return rf">{{\rgxcell{{{widest}}}}}c<{{\rgxend}}{room}"

    def cell(self, text: str, plain: str) -> str:
        """Return a number with room for the digits it lacks; plain: as it reads when printed."""
        first = re.match(r"(-?)(\d+)", plain)
        lacks = self.whole - (len(first[2]) if first else 1)
        sign = "$-$" * (self.sign and not (first and first[1]))
        pad = rf"\rgxpad{{{sign}{'0' * lacks}}}" if plain and (sign or lacks) else ""
        return pad + text + " &" * bool(self.beyond)


def origins(table: Table) -> list[str]:
    """Return a comment for each number of a table: its value and the artifact it is from."""
    lines = []
    for column in table.columns:
        for score in table.measured.get(column, ()):
            where = " ".join(f"{table.name}/{score.row}".split())
            lines.append(
                f"% {where} seed {score.seed}: {column} = {score.value!r} from {score.stage}/{score.key}"
            )
    return lines


def comments(said: Iterable[str], before: str = "") -> list[str]:
    """Return what is said as comments, a line each."""
    return [f"% {before}{' '.join(text.split())}" for text in said]


def latex(table: Table) -> str:
    """Return a table to paste into a paper; comment lines give the key behind each number.

    It takes the packages of `macros.PREAMBLE`, stands in one column of a two-column page where it fits,
    and in both where it does not.
    """
    lines = [NEEDS, *macros(), *origins(table), *comments(appended(table))]
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
    lines = grid(table)
    return [
        r"\begingroup\rgxsize\setlength{\tabcolsep}{4pt}\sbox0{%",
        *lines[:-1],
        lines[-1] + "}%",
        r"\ifdim\wd0>\linewidth \resizebox{\linewidth}{!}{\usebox0}\else \usebox0\fi\endgroup",
    ]


def grid(table: Table) -> list[str]:
    """Return the lines of a table's grid as it is."""
    ticks, rooms = len(table.panel.ticks()), list(_rooms(table))
    rows = [
        [_wrapped(line[0], beside[0]), *line[1 : ticks + 1]]
        + [
            room.cell(text, read)
            for room, text, read in zip(rooms, line[ticks + 1 :], beside[ticks + 1 :], strict=True)
        ]
        for line, beside in zip(body(table, STYLE), body(table, PLAIN), strict=True)
    ]
    lines = [" & ".join(row) + r" \\" for row in rows]
    columns = [f"@{{}}l{'c' * ticks}", *(f"  {room.column()}" for room in rooms)]
    return [
        r"\begin{tabular}[t]{%",
        *(f"{column}%" for column in columns),
        "@{}}",
        r"\toprule",
        *_over(table, ticks, rooms),
        " & ".join(["", *map(STYLE.title, ticked(table)), *_heads(table, rooms)]).strip() + r" \\",
        r"\midrule",
        *lines,
        r"\bottomrule",
        r"\end{tabular}",
    ]


def _heads(table: Table, rooms: list[Room]) -> Iterator[str]:
    """Give each column's head, over its numbers; the last one without the space behind it."""
    for place, (head, room) in enumerate(zip(own_heads(table, STYLE), rooms, strict=True), 1):
        last = place == len(rooms) and not room.beyond
        over = rf"\multicolumn{{1}}{{c@{{}}}}{{{head}}}" if last else rf"\rgxhead{{{head}}}"
        yield over + " &" * bool(room.beyond)


def _over(table: Table, ticks: int, rooms: list[Room]) -> list[str]:
    """Return the line of heads over several columns, and the rules under them, or nothing."""
    over = spans(table, STYLE)
    if not any(text for text, _ in over):
        return []
    cells, rules, place, first = [""] * (ticks + 1), [], 0, ticks + 2
    for text, count in over:
        width = sum(1 + bool(room.beyond) for room in rooms[place : place + count])
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{text}}}")
        rules += [rf"\cmidrule(lr){{{first}-{first + width - 1}}}"] if text else []
        place, first = place + count, first + width
    return [" & ".join(cells).strip() + r" \\", "".join(rules)]


def notes(said: list[str]) -> list[str]:
    """Return notes as small paragraphs that wrap."""
    if not said:
        return []
    text = "\\par\n".join(escape_tex(note) for note in said)
    return [rf"\par\smallskip{{\scriptsize\raggedright {text}\par}}"]


def appendix(tables: Sequence[Table]) -> str:
    """Return what tables leave to the appendix, a paragraph each, or nothing."""
    lines = []
    for table in tables:
        if said := appended(table):
            # By its caption and not by its number: a paper may have it as a panel of another table.
            lines += [rf"\paragraph{{{escape_tex(table.panel.caption)}}}", *map(escape_tex, said), ""]
    return "\n".join(lines)


def letters(table: Table) -> int:
    """Return about how many letters wide a table is."""
    head, lines = ["", *ticked(table), *own_heads(table, PLAIN)], body(table, PLAIN)
    widths = [min(LABEL_LETTERS, max((len(line[0]) for line in lines), default=0))]
    for column in range(1, len(head)):
        numbers = max((len(line[column]) for line in lines), default=0)
        widths.append(max(numbers, min(len(head[column]), HEAD_LETTERS)))
    return sum(widths) + 2 * len(widths)


def ems(table: Table) -> list[float]:
    """Return about how many em each column of a table is wide."""
    head, lines = ["", *ticked(table), *own_heads(table, PLAIN)], body(table, PLAIN)
    # A cell is as wide as its column's widest whole part and widest rest, though no number may have both.
    rooms = [0.0] * (len(ticked(table)) + 1) + [room.ems for room in _rooms(table)]
    widths = [WORDS_EM * min(LABEL_LETTERS, max((len(line[0]) for line in lines), default=0))]
    for column in range(1, len(head)):
        numbers = max((_width(line[column]) for line in lines), default=0.0)
        numbers = max(numbers, rooms[column])
        widths.append(max(numbers, HEADS_EM * min(len(head[column]), HEAD_LETTERS + 2)))
    return widths


def _wrapped(text: str, plain: str) -> str:
    """Return a row's label, which wraps where it is long; plain: as it reads when printed."""
    if len(plain) <= LABEL_LETTERS or text.startswith(SECTION):
        return text
    # A name may break after an underscore, a word of more than LONG_WORD letters anywhere, others nowhere.
    pieces = [min(len(piece), LONG_WORD) for piece in re.split(r"(?<=_)|\s", plain)]
    width = max(LABEL_LETTERS, *pieces) / 2
    text = text.replace(r"\_", r"\_\allowbreak{}")
    return rf"\parbox[t]{{{width:g}em}}{{\raggedright\strut {text}\strut}}"


def _rooms(table: Table) -> Iterator[Room]:
    """Give the room of each column of metrics."""
    table = shown(table)
    shared, most = references(table), table.replicates()[1]
    for column, metric in table.columns.items():
        cells = [cells[column] for cells in table.rows.values()]
        numbers = [printed for cell in cells for printed in _numbers(cell, metric, most)]
        if column in shared:
            numbers.append((number(shared[column], metric.decimals), "", ""))
        printed_reference = TableCell(published=table.published_reference.get(column))
        numbers += _numbers(printed_reference, metric, most)
        beyond = [_with_difference(cell, metric) for cell in cells if difference(cell, metric)]
        (tail, width), (over, needs) = _widest(numbers), _widest(beyond)
        sign = any(digits.startswith("-") for digits, _, _ in numbers)
        whole = max((len(digits.partition(".")[0].lstrip("-")) for digits, _, _ in numbers), default=1)
        ems = _width("-" * sign + "0" * whole) + max(width, needs)
        yield Room(sign, whole, tail, over if needs > CLOSE * width else "", ems)


Number = tuple[str, str, str]
"""Its digits, and what follows them in LaTeX and as it reads."""


def _numbers(cell: TableCell, metric: MetricFacts, most: int) -> Iterator[Number]:
    """Give each number of a cell with what follows it."""
    if cell.mean is not None:
        plain = spread(cell, metric.decimals, most)
        yield number(cell.mean, metric.decimals), after(cell, metric.decimals, most), plain
    if cell.published is not None:
        digits, between, deviation = quoted(cell.published).partition(" ± ")
        yield digits, rf"\rgxspread{{{deviation}}}" if deviation else "", between + deviation


def _with_difference(cell: TableCell, metric: MetricFacts) -> Number:
    digits, tex, plain = list(_numbers(cell, metric, 0))[-1]
    differs = difference(cell, metric)
    return digits, rf"{tex}{DELTA}{{{signed(differs)}}}", f"{plain} ({differs})"


def _widest(numbers: Iterable[Number]) -> tuple[str, float]:
    """Return what stands from the point on in the widest of numbers, as LaTeX with zeros, and its width."""
    tails = {"": ""}
    for digits, tex, plain in numbers:
        _, point, part = digits.partition(".")
        tails[point + part + plain] = point + part + tex
    widest = max(tails, key=_width)
    return re.sub(r"\d", "0", tails[widest]), _width(widest)


def _width(text: str) -> float:
    """Return about how many em a text after a number takes, its spaces being thin."""
    return sum(EMS.get(letter, 0.5) for letter in text)
