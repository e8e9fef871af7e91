"""How a table's numbers look in LaTeX: a few macros in one place, which a co-author changes by hand."""

from __future__ import annotations

from collections.abc import Mapping

PACKAGES = ("array", "booktabs", "xcolor", "graphicx", "amssymb")
PREAMBLE = [r"\usepackage[T1]{fontenc}", *(rf"\usepackage{{{name}}}" for name in PACKAGES)]
NEEDS = f"% Needs {' '.join(PREAMBLE)}"

LOOK = {
    r"\rgxsize": (r"\footnotesize", "letters of a table"),
    r"\rgxpanelsize": (r"\scriptsize", "letters of all panels as one float"),
    r"\rgxbest": (r"[1]{\rgxwide{\textbf{#1}}{#1}}", "the best number of a column"),
    r"\rgxsecond": (r"[1]{\underline{#1}}", "the second best"),
    r"\rgxspread": (r"[1]{\,$\pm$\,#1}", "a deviation"),
    r"\rgxdiffers": (r"$^{\ddagger}$", "what differs significantly"),
    r"\rgxdrifted": (r"$^{\S}$", "what rests on code that has changed since"),
    r"\rgximported": (r"$^{\P}$", "what was imported from outside"),
    r"\rgxpublished": (r"[1]{\textcolor{gray}{#1}}", "a published number"),
    r"\rgxdelta": (r"[1]{\textcolor{gray}{\,(#1)}}", "how far ours is above it"),
    r"\rgxstandin": (r"$^{\dagger}$", "a metric that stands in for another"),
    r"\rgxhas": (r"$\checkmark$", "a component that a row has"),
    r"\rgxsection": (r"[1]{\addlinespace\rlap{\textit{#1}}}", "a head over several rows"),
    r"\rgxhead": (r"[1]{\multicolumn{1}{c}{#1}}", "a column's head, over its numbers"),
    r"\rgxpad": (r"[1]{\phantom{#1}}", "room for digits a number lacks, so that points align"),
    # Bold digits are wider in some fonts; set in the width of the others, their point stays in line.
    r"\rgxwide": (r"[2]{\settowidth{\dimen0}{#2}\makebox[\dimen0][r]{#1}}", "#1 in the width of #2"),
    r"\rgxcell": (r"[1]{\settowidth{\dimen0}{#1}\setbox0\hbox\bgroup}", "a cell as wide as #1, up to"),
    r"\rgxend": (r"\egroup\makebox[\dimen0][l]{\box0}", "its end"),
    r"\rgxroom": (
        r"[2]{\settowidth{\dimen0}{#1}\settowidth{\dimen2}{#2}\advance\dimen2-\dimen0"
        r"\ifdim\dimen2>0pt\kern\dimen2\fi}",
        "by how much #2 is wider",
    ),
    r"\rgxpanel": (
        r"[2]{\setbox0\hbox{#1}\ifdim\wd0>\linewidth\setbox0\hbox{\resizebox{\linewidth}{!}{\box0}}\fi"
        r"\begin{minipage}[t]{\wd0}\centering\box0\par\smallskip #2\par\end{minipage}}",
        "a grid and what stands under it",
    ),
}
"""Macro → its definition, and what it is for."""


SINGLE = {name: said for name, said in LOOK.items() if not name.startswith(r"\rgxpanel")}
"""Those of a table that stands alone."""


def macros(look: Mapping[str, tuple[str, str]] = SINGLE) -> list[str]:
    """Return the lines that define macros unless the paper does."""
    lines = ["% How numbers look; what the paper's preamble defines of these holds for all tables."]
    for name, (definition, what) in look.items():
        body = definition if definition.startswith("[") else f"{{{definition}}}"
        lines.append(rf"\providecommand{{{name}}}{body}% {what}")
    return lines
