"""A whole sweep on a few pages, its panels side by side as in the paper's Table 3."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rgx.report import claims_layout, hyperparameters
from rgx.report.blocks import Block, beside, packed, panel, split_notes
from rgx.report.escape import escape_tex, joined
from rgx.report.gather import Gathered, gather
from rgx.report.macros import PREAMBLE, macros
from rgx.report.render import save, write
from rgx.report.tex import appendix, notes
from rgx.report.typeset import typeset

HEAD = [
    r"\documentclass[10pt]{article}",
    r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
    r"\usepackage[utf8]{inputenc}",
    r"\usepackage{mathptmx}",
    *PREAMBLE,
    *macros(),
    r"\setlength{\parindent}{0pt}\pagestyle{plain}\raggedbottom",
    r"\begin{document}",
]
SPANS = {88: 1 / 3, 130: 1 / 2}
SHARES = {"column": 1 / 3, "page": 2 / 3}
"""What share of the page's width a figure takes, by its own width."""


def render_pdf(report_file: Path, store: Path, out: Path) -> Path:
    """Write a report's files and all of it as `<out>/<report>/report.{tex,pdf}`; returns the PDF's path.

    Raises InputError as `render` does, and where pdflatex or one of its packages is missing.
    """
    gathered = gather(report_file, store)
    return write_pdf(gathered, write(gathered, out), out)


def write_pdf(gathered: Gathered, written: Sequence[Path], out: Path) -> Path:
    """Write a report whose files are written as one PDF, and its source beside it; returns the PDF's path."""
    folder = out / gathered.folder
    source = document(gathered, {path.name for path in written})
    pictures = [path for path in written if path.suffix in {".png", ".pdf"}]
    save(folder, {"report.tex": source.encode()})
    return save(folder, {"report.pdf": typeset(source, pictures)})[0]


def document(gathered: Gathered, files: Collection[str]) -> str:
    """Return the LaTeX source of a whole report: blocks of panels, notes they share, figures, pictures.

    files: the names of the report's files, pictures among them.
    """
    own, shared = split_notes(gathered.panels)
    blocks = [
        block
        for table in gathered.panels
        for block in panel(escape_tex(table.name), table, own[table.name], SPANS)
    ]
    lines = [*HEAD, rf"{{\large\bfseries {escape_tex(gathered.results.sweep.name)}\par}}\bigskip"]
    for line in packed(blocks):
        lines += [*beside(line), r"\par\bigskip", ""]
    if shared:
        lines += [r"{\small\bfseries More than one panel\par}", *notes(shared)]
    if gathered.findings:
        lines += [claims_layout.latex(gathered.findings)]
    drawn = [
        Block(SHARES[figure.width], _figure(f"{name}.pdf", figure.caption))
        for name, figure in gathered.report.figures.items()
        if f"{name}.pdf" in files
    ]
    for line in packed(drawn):
        lines += [r"\par\bigskip", "", *beside(line), ""]
    if said := appendix(gathered.appended):
        lines += [r"\par\bigskip{\large\bfseries Appendix\par}{\small\raggedright", said, r"\par}"]
    settings = hyperparameters.settings(gathered.results, gathered.panels, gathered.report.budget)
    if settings.lines:
        lines += [r"\clearpage", hyperparameters.latex(settings)]
    for table in gathered.panels:
        shown = [file for kind in ("pdf", "png") if (file := f"{table.name}-pictures.{kind}") in files]
        for pictures in shown[:1]:
            lines += [
                r"\clearpage",
                *_figure(pictures, joined(f"Pictures of {table.name}: ", table.panel.caption)),
            ]
    return "\n".join([*lines, r"\end{document}", ""])


def _figure(file: str, caption: str) -> list[str]:
    return [
        rf"\includegraphics[width=\linewidth,height=0.85\textheight,keepaspectratio]{{{file}}}\par",
        rf"{{\small\raggedright {escape_tex(caption)}\par}}",
    ]
