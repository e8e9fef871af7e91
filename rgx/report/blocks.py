"""Panels and figures side by side: blocks that take a share of a line, lines as full as they get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rgx.report.escape import escape_tex
from rgx.report.layout import counted, footnotes
from rgx.report.statistics import Table
from rgx.report.table_grid import body
from rgx.report.tex import PLAIN, letters, notes, tabular

Spans = Mapping[int, float]
"""Letters of the widest table that still reads well in a share of the page's width, narrow ones first."""
ROWS = 24
"""Rows of a table that fit a page with its notes; a longer one goes on in the next block."""
FRAME_LINES = 5
"""Lines of print that a panel's caption, head and rules take."""


@dataclass(frozen=True)
class Block:
    """A share of a line's width, the LaTeX of it, and about how many lines of print that takes."""

    share: float
    lines: list[str]
    height: int = 0


def split_notes(
    tables: Sequence[Table], notes: Callable[[Table], list[str]] = footnotes
) -> tuple[dict[str, list[str]], list[str]]:
    """Return what is said of each table alone, by its name, and what is said of more than one.

    notes: what is said under a table, beside what its caption says.
    """
    said = {
        table.name: [*(counted(table) if table.panel.show.statistics else []), *notes(table)]
        for table in tables
    }
    times = Counter(note for own_notes in said.values() for note in own_notes)
    own = {name: [note for note in own_notes if times[note] == 1] for name, own_notes in said.items()}
    return own, [note for note in times if times[note] > 1]


def panel(mark: str, table: Table, said: list[str], spans: Spans) -> Iterator[Block]:
    """Give a table under its mark and caption, in parts a page holds, the notes under the last.

    mark: what stands before the caption, as LaTeX.
    """
    rows = list(table.rows)
    for start in range(0, len(rows), ROWS):
        part = replace(table, rows={row: table.rows[row] for row in rows[start : start + ROWS]})
        title = escape_tex(table.panel.caption)
        lines = [
            rf"{{\small\raggedright\textbf{{{mark}}} {title}\par}}\smallskip",
            r"{\centering",
            *tabular(part),
            r"\par}",
            *(notes(said) if start + ROWS >= len(rows) else []),
        ]
        share = next((share for most, share in spans.items() if letters(part) <= most), 1.0)
        yield Block(share, lines, len(body(part, PLAIN)) + FRAME_LINES)


def packed(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Give blocks in their order, as many a line as its width holds."""
    line: list[Block] = []
    for block in blocks:
        if line and sum(placed.share for placed in line) + block.share > 1.001:
            yield line
            line = []
        line.append(block)
    if line:
        yield line


def beside(line: Sequence[Block]) -> list[str]:
    """Return the LaTeX of blocks beside each other."""
    lines: list[str] = []
    for block in line:
        width = block.share - 0.02 * (block.share < 1)
        lines += [r"\hspace*{0.025\linewidth}%"] if lines else []
        lines += [rf"\begin{{minipage}}[t]{{{width:.3f}\linewidth}}", *block.lines, r"\end{minipage}%"]
    return lines
