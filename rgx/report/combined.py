"""All panels of a report as one float over both columns, side by side as in a paper's table of ablations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from rgx.report.blocks import split_notes
from rgx.report.escape import escape_tex, joined
from rgx.report.layout import ordered, remarks, signs
from rgx.report.macros import LOOK, NEEDS, macros
from rgx.report.statistics import Table
from rgx.report.table_grid import body
from rgx.report.tex import LABEL_LETTERS, PLAIN, comments, ems, grid, notes, origins

PANEL_SIZE = r"\rgxpanelsize"
SIZES_PT = {
    r"\footnotesize": (8.0, 4.25),
    r"\scriptsize": (7.0, 3.98),
    r"\fontsize{6}{7}\selectfont": (6.0, 3.67),
    r"\tiny": (5.0, 3.4),
}
"""Letters of panels, with a digit's width, large ones first: the first at which one float holds all."""
WIDTH_PT, HEIGHT_PT = 465.0, 510.0
"""Of a float over both columns of LaTeX's own article, the narrowest there is, its caption left out."""
LINE, RULES_PT, GAP_PT = 1.22, 14.0, 18.0
"""A line's height to the size of its letters; what rules take of a panel's height; between two panels."""
BELOW_PT, COLSEP_PT = 8.0, 3.0
"""Between two lines of panels; on each side of a column."""
NOTE_LETTERS, NOTE_PT = 150, 8.5
"""Letters of a note that fit a line, and its height."""


@dataclass(frozen=True)
class Box:
    """A panel as it is placed: its table, its width and its height."""

    table: Table
    width: float
    height: float


def combined(caption: str, name: str, tables: Sequence[Table]) -> str:
    """Return floats to paste into a two-column paper; each panel has a letter, its notes stand at the end.

    All letters are of one size, the largest at which one float holds all panels; where none does, the rest
    goes on in the next. It takes the packages of `macros.PREAMBLE`; comment lines give the key behind each
    number, and what a panel's own file says at length.
    """
    own, shared = split_notes(tables, signs)
    marks = {table.name: lettered(number) for number, table in enumerate(tables)}
    alone = [f"({marks[of]}) {' '.join(lines)}" for of, lines in own.items() if lines]
    said = [" ".join(part) for part in (shared, alone) if part]
    height = HEIGHT_PT - NOTE_PT * sum(1 + len(note) // NOTE_LETTERS for note in said)
    sizes = {
        size: list(floats([box(table, *letter) for table in tables], height))
        for size, letter in SIZES_PT.items()
    }
    size = next((size for size, pages in sizes.items() if len(pages) == 1), r"\scriptsize")
    lines = [NEEDS, *macros(LOOK | {PANEL_SIZE: (size, LOOK[PANEL_SIZE][1])})]
    lines += [*(f"% ({mark}) is panel {of}" for of, mark in marks.items())]
    lines += [line for table in tables for line in origins(table)]
    for table in tables:
        # Order and protocol, said under each table of its own, are too long for one page of all.
        lines += comments([*ordered(table), *remarks(table)], f"({marks[table.name]}) ")
    for number, page in enumerate(sizes[size]):
        title = caption if number == 0 else f"{caption.removesuffix('.')}, continued."
        label = f"tab:{name}{f'-{number + 1}' if number else ''}"
        lines += [r"\begin{table*}[t]", *([r"\addtocounter{table}{-1}"] if number else [])]
        lines += [rf"\caption{{{escape_tex(title)}}}", rf"\label{{{label}}}"]
        # A paragraph of panels, which LaTeX breaks where a line is full.
        lines += [rf"{{\centering{PANEL_SIZE}\setlength{{\tabcolsep}}{{{COLSEP_PT:g}pt}}%"]
        lines += [rf"\setlength{{\lineskip}}{{{BELOW_PT:g}pt}}%"]
        for table in page:
            under = escape_tex(joined(f"({marks[table.name]}) ", table.panel.caption))
            lines += [r"\rgxpanel{%", *grid(table), rf"}}{{{under}}}\hskip 1.5em plus 1fil\relax"]
        lines += [r"\par}\medskip", *(notes(said) if page is sizes[size][-1] else []), r"\end{table*}"]
    return "\n".join([*lines, ""])


def lettered(number: int) -> str:
    """Return the n-th panel's letter, counted from 0: a to z, then aa, ab …"""
    before, last = divmod(number, len(ascii_lowercase))
    return (lettered(before - 1) if before else "") + ascii_lowercase[last]


def box(table: Table, size_pt: float, digit_pt: float) -> Box:
    """Return about how large a panel is in letters of a size, of which a digit has this width."""
    columns = ems(table)
    width = 2 * digit_pt * sum(columns) + 2 * COLSEP_PT * (len(columns) - 1)
    labels = [line[0] for line in body(table, PLAIN)]
    lines = sum(1 + max(0, len(label) - 1) // LABEL_LETTERS for label in labels)
    under = 1 + sum(letter_ems(letter) for letter in table.panel.caption) * digit_pt // width
    return Box(table, width, (lines + 1 + under) * LINE * size_pt + RULES_PT + BELOW_PT)


def letter_ems(letter: str) -> float:
    """Return about how wide a letter of a caption is, to a digit; signs of all kinds are wider."""
    return 1.0 if letter.isalnum() or letter in " .,;:'" else 2.0


def floats(boxes: Sequence[Box], height: float) -> Iterator[list[Table]]:
    """Give the panels of each float in their order, as many as a height holds in lines that are full."""
    page: list[Table] = []
    used = line_width = line_height = 0.0
    for box in boxes:
        if line_width + GAP_PT + box.width > WIDTH_PT or not page:
            used, line_width, line_height = used + line_height, 0.0, 0.0
        if page and used + max(line_height, box.height) > height:
            yield page
            page, used, line_width, line_height = [], 0.0, 0.0, 0.0
        page.append(box.table)
        line_width += GAP_PT * bool(line_width) + box.width
        line_height = max(line_height, box.height)
    if page:
        yield page
