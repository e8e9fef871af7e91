"""All panels of a report as one float over both columns, side by side as in a paper's table of ablations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from string import ascii_lowercase

from rgx.report.blocks import Block, joined, packed, panel, split_notes
from rgx.report.escape import escape_tex
from rgx.report.frames import Results
from rgx.report.layout import legend, remarks
from rgx.report.statistics import Table
from rgx.report.tex import NEEDS, notes, origins

SPANS = {64: 0.4, 81: 0.5, 98: 0.6}
LINES = 56
"""Lines of print that a float holds; more panels go on in the next."""
NOTE_LETTERS = 150
"""Letters of a note that fit a line."""


def combined(caption: str, results: Results, tables: Sequence[Table]) -> str:
    """Return floats to paste into a two-column paper; each panel has a letter, its notes stand at the end.

    It takes the packages of `tex.PREAMBLE`; comment lines give the key behind each number, and what a
    panel's own file says at length.
    """
    own, shared = split_notes(tables, legend)
    marks = {table.name: lettered(number) for number, table in enumerate(tables)}
    blocks = [block for table in tables for block in panel(f"({marks[table.name]})", table, [], SPANS)]
    said = shared + [f"({marks[name]}) {' '.join(own_notes)}" for name, own_notes in own.items() if own_notes]
    lines = [NEEDS, *(f"% ({mark}) is panel {name}" for name, mark in marks.items())]
    lines += [line for table in tables for line in origins(table, results)]
    lines += [f"% ({marks[table.name]}) {note}" for table in tables for note in remarks(table)]
    pages = _pages(list(packed(blocks)), sum(1 + len(note) // NOTE_LETTERS for note in said))
    for number, page in enumerate(pages):
        title = caption if number == 0 else f"{caption.removesuffix('.')}, continued."
        label = f"tab:{results.sweep.name}{f'-{number + 1}' if number else ''}"
        lines += [r"\begin{table*}[t]", *([r"\addtocounter{table}{-1}"] if number else []), r"\centering"]
        lines += [rf"\caption{{{escape_tex(title)}}}"]
        lines += [rf"\label{{{label}}}"]
        for line in page:
            whole = [replace(line[0], share=1.0)] if len(line) == 1 else line
            lines += [*joined(whole), r"\par\medskip"]
        lines += [*(notes(said) if page is pages[-1] else []), r"\end{table*}"]
    return "\n".join([*lines, ""])


def lettered(number: int) -> str:
    """Return the n-th panel's letter, counted from 0: a to z, then aa, ab …"""
    before, last = divmod(number, len(ascii_lowercase))
    return (lettered(before - 1) if before else "") + ascii_lowercase[last]


def _pages(lines: list[list[Block]], notes: int) -> list[list[list[Block]]]:
    """Return lines of blocks in parts that a float holds, the last with so many lines of notes."""
    pages: list[list[list[Block]]] = [[]]
    used = 0
    for line in lines:
        height = max(block.height for block in line)
        under = notes if line is lines[-1] else 0
        if pages[-1] and used + height + under > LINES:
            pages.append([])
            used = 0
        pages[-1].append(line)
        used += height
    return pages
