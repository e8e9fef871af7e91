"""A whole sweep on a few pages, its panels side by side as in the paper's Table 3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rgx.report import hyperparameters
from rgx.report.escape import escape_tex
from rgx.report.latex import PREAMBLE, letters, notes, tabular
from rgx.report.layout import counted, footnotes
from rgx.report.render import Gathered, gather, save, write
from rgx.report.statistics import Table
from rgx.report.typeset import typeset

HEAD = [
    r"\documentclass[10pt]{article}",
    r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
    r"\usepackage[utf8]{inputenc}",
    r"\usepackage{mathptmx}",
    *PREAMBLE,
    r"\setlength{\parindent}{0pt}\pagestyle{plain}\raggedbottom",
    r"\begin{document}",
]
SPANS = {88: 1 / 3, 130: 1 / 2}
"""Letters of the widest table that still reads well in a share of the page's width."""
SHARES = {"column": 1 / 3, "page": 2 / 3}
"""What share of the page's width a figure takes, by its own width."""
ROWS = 24
"""Rows of a table that fit a page with its notes; a longer one goes on in the next block."""


def render_pdf(report_file: Path, store: Path, out: Path) -> Path:
    """Write a report's files and all of it as `<out>/<sweep>/report.{tex,pdf}`; returns the PDF's path.

    Raises InputError as `render` does, and where pdflatex or one of its packages is missing.
    """
    gathered = gather(report_file, store)
    return write_pdf(gathered, write(gathered, out), out)


def write_pdf(gathered: Gathered, written: Sequence[Path], out: Path) -> Path:
    """Write a report whose files are written as one PDF, and its source beside it; returns the PDF's path."""
    folder = out / gathered.results.sweep.name
    source = document(gathered, {path.name for path in written})
    pictures = [path for path in written if path.suffix in {".png", ".pdf"}]
    save(folder, {"report.tex": source.encode()})
    return save(folder, {"report.pdf": typeset(source, pictures)})[0]


def document(gathered: Gathered, held: Collection[str]) -> str:
    """Return the LaTeX source of a whole report: blocks of panels, notes they share, figures, frames.

    held: the names of the report's files, pictures among them.
    """
    said = {table.name: [*counted(table), *footnotes(table)] for table in gathered.panels}
    times = Counter(note for notes_ in said.values() for note in notes_)
    blocks = [
        (span(part), _panel(part, [note for note in said[part.name] if times[note] == 1] if last else []))
        for table in gathered.panels
        for part, last in _parts(table)
    ]
    shared = [note for note in times if times[note] > 1]
    lines = [*HEAD, rf"{{\large\bfseries {escape_tex(gathered.results.sweep.name)}\par}}\bigskip"]
    for line in packed(blocks):
        lines += [*line, r"\par\bigskip", ""]
    if shared:
        lines += [r"{\small\bfseries More than one panel\par}", *notes(shared)]
    drawn = [
        (SHARES[figure.width], _figure(f"{name}.pdf", figure.caption))
        for name, figure in gathered.report.figures.items()
        if f"{name}.pdf" in held
    ]
    for line in packed(drawn):
        lines += [r"\par\bigskip", "", *line, ""]
    if (found := hyperparameters.settings(gathered.results, gathered.panels)).lines:
        lines += [r"\clearpage", hyperparameters.latex(found)]
    for table in gathered.panels:
        if (frames := f"{table.name}-frames.png") in held:
            lines += [r"\clearpage", *_figure(frames, f"Frames of {table.name}: {table.panel.caption}")]
    return "\n".join([*lines, r"\end{document}", ""])


def span(table: Table) -> float:
    """Return the share of the page's width a table takes."""
    return next((share for most, share in SPANS.items() if letters(table) <= most), 1.0)


def packed(blocks: list[tuple[float, list[str]]]) -> Iterator[list[str]]:
    """Give lines of blocks in their order, each line as full as it gets."""
    line: list[str] = []
    used = 0.0
    for share, block in blocks:
        if line and used + share > 1.001:
            yield line
            line, used = [], 0.0
        line += [*([r"\hspace*{0.025\linewidth}%"] if line else []), *_share(share, block)]
        used += share
    if line:
        yield line


def _share(share: float, block: list[str]) -> list[str]:
    return [
        rf"\begin{{minipage}}[t]{{{share - 0.02 * (share < 1):.3f}\linewidth}}",
        *block,
        r"\end{minipage}%",
    ]


def _parts(table: Table) -> Iterator[tuple[Table, bool]]:
    """Give a table in parts a page holds, and whether it is the last of them."""
    rows = list(table.rows)
    for start in range(0, len(rows), ROWS):
        part = {row: table.rows[row] for row in rows[start : start + ROWS]}
        yield replace(table, rows=part), start + ROWS >= len(rows)


def _panel(table: Table, said: list[str]) -> list[str]:
    title = escape_tex(table.panel.caption.strip())
    return [
        rf"{{\small\raggedright\textbf{{{escape_tex(table.name)}}} {title}\par}}\smallskip",
        r"{\centering",
        *tabular(table),
        r"\par}",
        *notes(said),
    ]


def _figure(file: str, caption: str) -> list[str]:
    return [
        rf"\includegraphics[width=\linewidth,height=0.85\textheight,keepaspectratio]{{{file}}}\par",
        rf"{{\small\raggedright {escape_tex(caption)}\par}}",
    ]
