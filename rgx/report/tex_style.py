"""How LaTeX writes the parts of a table: a macro around each number says what it is."""

from __future__ import annotations

import re
from textwrap import wrap

from rgx.report.doubts import DRIFTED, IMPORTED
from rgx.report.escape import escape_tex
from rgx.report.phrase import Phrase
from rgx.report.results import MetricFacts
from rgx.report.statistics import Direction, Mark, TableCell
from rgx.report.table_grid import ARROWS, Style, difference, number, quoted

TEX_ARROWS: dict[Direction | None, str] = {
    "down": r" $\downarrow$",
    "up": r" $\uparrow$",
    "reference": r" $\rightarrow$",
    None: "",
}
MARKS: dict[Mark, str] = {"best": r"\rgxbest{%s}", "second": r"\rgxsecond{%s}", "": "%s"}
TEX_DOUBTS = {
    "": "",
    DRIFTED: r"\rgxdrifted{}",
    IMPORTED: r"\rgximported{}",
    DRIFTED + IMPORTED: r"\rgxdrifted{}\rgximported{}",
}
DELTA, SECTION = r"\rgxdelta", r"\rgxsection"
HEAD_LETTERS = 16
"""Letters of a column's head beyond which it wraps."""


class TexStyle(Style):
    """LaTeX: what a number is stands in a macro around it."""

    def reference(self, value: float | None, decimals: int, doubts: str) -> str:
        """Return what the reference scores with its doubts, or nothing."""
        text = signed(super().reference(value, decimals, ""))
        return text + TEX_DOUBTS[doubts] if text else ""

    def measured(self, cell: TableCell, decimals: int, most: int) -> str:
        """Return a mean, its mark and its spread."""
        return self.marks[cell.mark] % signed(number(cell.mean, decimals)) + after(cell, decimals, most)

    def published(self, cell: TableCell, metric: MetricFacts) -> str:
        """Return a published number and how far ours is above it."""
        if cell.published is None:
            return ""
        differs = signed(difference(cell, metric))
        digits, _, deviation = quoted(cell.published).partition(" ± ")
        text = signed(digits) + (rf"\rgxspread{{{deviation}}}" if deviation else "")
        return self.aside % text + (f"{DELTA}{{{differs}}}" if differs else "")

    def title(self, words: str, after: str = "") -> str:
        """Return a column's title, in lines over its middle where it is long and no LaTeX is given for it."""
        lines = [escape_tex(words)]
        if not isinstance(words, Phrase):
            lines = [escape_tex(line) for line in broken(words, HEAD_LETTERS)]
        text = r"\\".join(lines) + after
        return rf"\shortstack{{{text}}}" if len(lines) > 1 else text


def signed(text: str) -> str:
    """Return a number whose sign is as wide as a plus."""
    return f"${text[0]}${text[1:]}" if re.match(r"[-+]\d", text) else text


def after(cell: TableCell, decimals: int, most: int) -> str:
    """Return what follows a mean: deviation, whether it differs, doubts, n where below the table's most."""
    deviation = "" if cell.std is None else rf"\rgxspread{{{number(cell.std, decimals)}}}"
    replicates = f"~(n={cell.n})" if 0 < cell.n < most else ""
    differs = r"\rgxdiffers{}" if cell.differs else ""
    return deviation + differs + TEX_DOUBTS[cell.doubt.marks] + replicates


def broken(words: str, most: int) -> list[str]:
    """Return a text in lines of at most so many letters; a name may break after an underscore."""
    lines = wrap(words.replace("_", "_\0 "), most + 1)
    return [line.replace("\0 ", "").replace("\0", "") for line in lines] or [""]


STYLE = TexStyle(
    escape_tex, MARKS, r"\rgxpublished{%s}", "", TEX_ARROWS, r"\rgxstandin{}", r"\rgxhas{}", SECTION + "{%s}"
)
PLAIN = Style(str, {"best": "%s", "second": "%s", "": "%s"}, "%s", " %s", ARROWS, "†", "x")
"""What a table's letters are counted in; the small ones of a difference are as wide as with no bracket."""
