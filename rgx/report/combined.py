"""All panels of a report as one float over both columns, side by side as in a paper's table of ablations."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

from rgx.report.blocks import Block, joined, packed, panel, told
from rgx.report.escape import escape_tex
from rgx.report.frames import Results
from rgx.report.latex import NEEDS, notes, origins
from rgx.report.statistics import Table

SPANS = {52: 0.4, 72: 0.6}
LINES = 44
"""Lines of print that a float holds beside its notes; more panels go on in the next."""


def combined(caption: str, results: Results, tables: Sequence[Table]) -> str:
    """Return floats to paste into a two-column paper; each panel has a letter, its notes stand at the end.

    It takes the packages of `latex.PREAMBLE`; comment lines give the key behind each number.
    """
    own, shared = told(tables)
    marks = {table.name: lettered(number) for number, table in enumerate(tables)}
    blocks = [block for table in tables for block in panel(f"({marks[table.name]})", table, [], SPANS)]
    said = shared + [f"({marks[name]}) {' '.join(held)}" for name, held in own.items() if held]
    lines = [NEEDS, *(f"% ({mark}) is panel {name}" for name, mark in marks.items())]
    lines += [line for table in tables for line in origins(table, results)]
    pages = _pages(list(packed(blocks)))
    for number, page in enumerate(pages):
        title = caption if number == 0 else f"{caption.removesuffix('.')}, continued."
        label = f"tab:{results.sweep.name}{f'-{number + 1}' if number else ''}"
        lines += [r"\begin{table*}[t]", *([r"\addtocounter{table}{-1}"] if number else []), r"\centering"]
        lines += [rf"\caption{{{escape_tex(title)}}}"]
        lines += [rf"\label{{{label}}}"]
        for line in page:
            lines += [*joined(line), r"\par\medskip"]
        lines += [*(notes(said) if page is pages[-1] else []), r"\end{table*}"]
    return "\n".join([*lines, ""])


def lettered(number: int) -> str:
    """Return the n-th panel's letter, counted from 0: a to z, then aa, ab …"""
    before, last = divmod(number, len(ascii_lowercase))
    return (lettered(before - 1) if before else "") + ascii_lowercase[last]


def _pages(lines: list[list[Block]]) -> list[list[list[Block]]]:
    """Return lines of blocks in parts that a float holds."""
    pages: list[list[list[Block]]] = [[]]
    used = 0
    for line in lines:
        height = max(block.height for block in line)
        if pages[-1] and used + height > LINES:
            pages.append([])
            used = 0
        pages[-1].append(line)
        used += height
    return pages
