"""What a table says, whatever it is written in: lines, heads, caption and notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from rgx.report.doubts import doubt_notes, merged
from rgx.report.frames import Metric
from rgx.report.significance import LEVEL
from rgx.report.statistics import Cell, Direction, Mark, Table, printed
from rgx.store.keys import short
from rgx.yaml_values import Written

HOLE = "--"
REASON = 160
"""Characters of why a run failed; `rgx status` and the log have the rest."""
DIFFERS = "‡"
ARROWS: dict[Direction | None, str] = {"down": " ↓", "up": " ↑", "reference": " →", None: ""}


def number(value: float | None, decimals: int) -> str:
    """Return a number as printed, or the mark of a hole."""
    return HOLE if value is None else f"{printed(value, decimals):f}"


def quoted(value: float | None) -> str:
    """Return a published number with the digits it was published with, or nothing."""
    if value is None:
        return ""
    return f"{Decimal(value.digits if isinstance(value, Written) else repr(value)):f}"


def difference(cell: Cell, metric: Metric) -> str:
    """Return by how much ours is above what was published, signed; nothing where they do not compare."""
    if cell.delta is None or metric.stand_in:
        return ""
    return f"{printed(cell.delta, metric.decimals):+f}"


def spread(cell: Cell, decimals: int, most: int, plus_minus: str = " ± ", differs: str = DIFFERS) -> str:
    """Return what follows a mean: deviation, whether it differs, doubts, n where below the table's most."""
    text = "" if cell.std is None else f"{plus_minus}{number(cell.std, decimals)}"
    text += (differs if cell.differs else "") + cell.doubt.marks
    return text + (f" (n={cell.n})" if 0 < cell.n < most else "")


@dataclass(frozen=True)
class Style:
    """How one format writes a table's parts.

    marks: around a mean; aside: around what is published; differing: around how far ours is above it; tick: a
    component a row has.
    """

    escape: Callable[[str], str]
    marks: dict[Mark, str]
    aside: str
    differing: str
    arrows: dict[Direction | None, str]
    dagger: str
    tick: str

    def reference(self, value: float | None, decimals: int, doubts: str) -> str:
        """Return what the reference scores with its doubts, or nothing."""
        return "" if value is None else number(value, decimals) + doubts

    def measured(self, cell: Cell, decimals: int, most: int) -> str:
        """Return a reproduced number with its spread."""
        return self.marks[cell.mark] % number(cell.mean, decimals) + spread(cell, decimals, most)

    def published(self, cell: Cell, metric: Metric) -> str:
        """Return a published number, or nothing."""
        if cell.published is None:
            return ""
        differs = difference(cell, metric)
        return self.aside % quoted(cell.published) + (differs and self.differing % differs)

    def title(self, words: str, after: str = "") -> str:
        """Return a column's title; after: what is written behind it as it is."""
        return self.escape(words) + after

    def head(self, metric: Metric) -> str:
        """Return a column's head: label, unit, dagger of a stand-in, arrow of the direction."""
        unit = f" ({metric.unit})" if metric.unit else ""
        dagger = self.dagger if metric.stand_in else ""
        return self.title(metric.label + unit, dagger + self.arrows[metric.direction])


def heads(table: Table, style: Style) -> list[str]:
    """Return the heads of all columns but the first: components, then metrics."""
    ticks = [style.title(name) for name in table.panel.ticks()]
    return ticks + [style.head(metric) for metric in table.columns.values()]


def body(table: Table, style: Style) -> list[list[str]]:
    """Return the lines of a table: the reference, then each row with its published numbers under it."""
    most, references, ticks, lines = table.replicates()[1], table.references(), table.panel.ticks(), []
    aside = style.aside % style.escape(published_label(table))
    columns = [(column, metric.decimals) for column, metric in table.columns.items()]
    blank = [""] * len(ticks)
    if references:
        doubts = {c: merged(cells[c].doubt for cells in table.rows.values()) for c in table.columns}
        scores = [style.reference(references.get(c), decimals, doubts[c].marks) for c, decimals in columns]
        lines.append([style.escape(table.words.reference_line), *blank, *scores])
    for row, cells in table.rows.items():
        has = table.panel.components.get(row, [])
        marked = [style.tick if name in has else "" for name in ticks]
        numbers = [style.measured(cells[c], decimals, most) for c, decimals in columns]
        lines.append([style.escape(table.label(row)), *marked, *numbers])
        if any(cell.published is not None for cell in cells.values()):
            asides = [style.published(cells[c], metric) for c, metric in table.columns.items()]
            lines.append([aside, *blank, *asides])
    return lines


def published_label(table: Table) -> str:
    """Return what the line of published numbers is called, by what it holds."""
    cells = [(cell, table.columns[c]) for cells in table.rows.values() for c, cell in cells.items()]
    return "published (Δ)" if any(difference(cell, metric) for cell, metric in cells) else "published"


def caption(table: Table) -> str:
    """Return the caption with n, what a seed repeats, and what marks a significant difference."""
    return " ".join([table.panel.caption.strip(), *counted(table)])


def counted(table: Table) -> list[str]:
    """Return what a caption adds: n, what a seed repeats, and what marks a significant difference."""
    least, most = table.replicates()
    if most == 0:
        said = ["No row has run yet."]
    elif most == 1:
        said = [f"n = 1 run per row; {table.seed_scope}."]
    else:
        said = [f"Mean ± sample standard deviation over {_count(least, most)} seeds; {table.seed_scope}."]
    if tested := table.tested():
        pairs = [cell.pairs for cell in tested]
        said.append(
            f"{DIFFERS} marks p < {LEVEL} against {table.label(table.panel.ours or '')} by a two-sided "
            f"{table.test.label} over {_count(min(pairs), max(pairs))} seeds, not corrected for the "
            f"{len(tested)} comparison{'s' if len(tested) > 1 else ''} of this table."
        )
    return said


def footnotes(table: Table) -> list[str]:
    """Return all that stands under a table."""
    return [*legend(table), *remarks(table)]


def remarks(table: Table) -> list[str]:
    """Return what can be read elsewhere too: how each metric was measured, and the panel's own note."""
    return _protocols(table) + ([" ".join(table.panel.note.split())] if table.panel.note else [])


def legend(table: Table) -> list[str]:
    """Return what a table cannot be read without: stand-ins, agreement, tests, holes and instruments."""
    notes = [
        f"† {metric.label} is a stand-in{': ' + metric.protocol if metric.protocol else ''}."
        for metric in table.columns.values()
        if metric.stand_in
    ]
    notes += table.notes
    line = table.words.reference_line.lower()
    notes += [
        f"{metric.label} in the line of the {line}: {metric.reference_is}."
        for metric in table.columns.values()
        if metric.reference_is and table.references()
    ]
    if any(metric.direction == "reference" for metric in table.columns.values()):
        notes.append(f"→ marks a measure that is better the nearer it is to that of {table.words.reference}.")
    notes += _compared(table)
    notes += _untested(table)
    notes += _unscored(table)
    notes += doubt_notes(table.doubt)
    if any(cell.mean is None for cells in table.rows.values() for cell in cells.values()):
        words = [f"{HOLE} marks a number that has not been measured.", *_failed(table), *_unmeasured(table)]
        notes.append(" ".join(words))
    for stage, keys in table.instruments.items():
        name = stage.replace("_", " ")
        warning = f" More than one {name}: numbers measured with it do not compare." if len(keys) > 1 else ""
        notes.append(f"{name.capitalize()}: {', '.join(map(short, keys))}.{warning}")
    return notes


def _failed(table: Table) -> list[str]:
    """Return which rows failed, at which stage and why; rows that share a stage share its failure."""
    rows: dict[tuple[str, str], list[str]] = {}
    for row, stage, why in table.failures:
        rows.setdefault((stage, why), []).append(table.label(row))
    return [f"{', '.join(own)} failed at {stage}: {_cut(why)}." for (stage, why), own in rows.items()]


def _unmeasured(table: Table) -> list[str]:
    """Return which numbers a finished stage could not measure and why; rows with one reason share it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for row, column, why in table.holes:
        rows.setdefault((column, why), []).append(table.label(row))
    return [
        f"{', '.join(own)}: no {table.columns[column].label}: {_cut(why)}."
        for (column, why), own in rows.items()
    ]


def _cut(why: str) -> str:
    return why if len(why) <= REASON else f"{why[:REASON]}…"


def _count(least: int, most: int) -> str:
    return f"n = {most}" if least == most else f"n = {least} to {most}"


def _untested(table: Table) -> list[str]:
    """Say why no significance is shown, where none is."""
    most, least, ours = table.replicates()[1], table.test.least, table.panel.ours
    if ours is None or most == 0 or table.tested():
        return []
    if most < least:
        return [f"No significance is shown: a {table.test.label} takes at least {least} seeds a row."]
    return [f"No significance is shown: no row differs from {table.label(ours)} by seed over {least} seeds."]


def _compared(table: Table) -> list[str]:
    """Say how many pairs of rows stand in the published order."""
    compared = [
        f"{table.columns[column].label} {agreement.reproduced} of {agreement.comparable}"
        + (
            f" ({agreement.published - agreement.comparable} not comparable yet)"
            if agreement.comparable < agreement.published
            else ""
        )
        for column, agreement in table.agreements.items()
        if agreement.published and column not in table.unscored
    ]
    return [f"Pairs of rows in the published order: {', '.join(compared)}."] if compared else []


def _unscored(table: Table) -> list[str]:
    """Say of columns that only the paper has why they are empty."""
    labels = [table.columns[column].label.rstrip(" ↓↑→") for column in table.unscored]
    return [f"{', '.join(labels)}: published numbers only, no finished stage measures it."] if labels else []


def _protocols(table: Table) -> list[str]:
    """Say what each metric was measured over, once where all say the same."""
    protocols = dict.fromkeys(
        f"{metric.label}: {metric.protocol}"
        for metric in table.columns.values()
        if metric.protocol and not metric.stand_in
    )
    shared = {metric.protocol for metric in table.columns.values()} - {""}
    if not protocols:
        return []
    return [f"Protocol: {shared.pop()}." if len(shared) == 1 else f"Protocols: {'; '.join(protocols)}."]
