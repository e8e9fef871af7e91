"""What a table says, whatever it is written in: lines, heads, caption and notes."""

from __future__ import annotations

from collections.abc import Iterator

from rgx.report.doubts import doubt_notes
from rgx.report.escape import joined
from rgx.report.reference_lines import exceptions, references
from rgx.report.shown import unhidden
from rgx.report.significance import LEVEL
from rgx.report.statistics import Table
from rgx.report.table_grid import ARROWS, DIFFERS, HOLE, Style, body, heads
from rgx.store.keys import short

__all__ = [
    "ARROWS",
    "Style",
    "appended",
    "body",
    "caption",
    "footnotes",
    "heads",
    "legend",
    "ordered",
    "remarks",
    "signs",
]

REASON = 160
"""Characters of why a run failed; `rgx status` and the log have the rest."""


def caption(table: Table) -> str:
    """Return the caption with n, what a seed repeats, and what marks a significant difference."""
    return joined(table.panel.caption, *(counted(table) if table.panel.show.statistics else []), between=" ")


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
    """Return what can be read elsewhere too: how metrics were measured, the panel's note, its source."""
    return list(_remarks(unhidden(table))) if table.panel.show.notes else []


def _remarks(table: Table) -> Iterator[str]:
    yield from _protocols(table)
    if table.panel.note:
        yield table.panel.note
    if table.panel.published_source and table.panel.show.published:
        yield f"Published: {table.panel.published_source.rstrip('.')}."


def appended(table: Table) -> list[str]:
    """Return what the appendix says of a table: what it hides, and what is doubtful in what was published."""
    show, table = table.panel.show, unhidden(table)
    lines = [] if show.statistics else [*counted(table), *_ordered(table)]
    lines += [] if show.notes else [*_legend(table), *_remarks(table)]
    note = table.panel.published_note
    return [*lines, " ".join(note.split())] if note and show.published else lines


def legend(table: Table) -> list[str]:
    """Return what a table cannot be read without: stand-ins, agreement, tests, holes and instruments."""
    return [*ordered(table), *signs(table)]


def ordered(table: Table) -> list[str]:
    """Return what is said of order and significance."""
    return _ordered(unhidden(table)) if table.panel.show.statistics else []


def signs(table: Table) -> list[str]:
    """Return what marks and instruments mean, and why numbers are missing."""
    return _legend(unhidden(table)) if table.panel.show.notes else []


def _ordered(table: Table) -> list[str]:
    return [*_compared(table), *_otherwise(table), *_untested(table)]


def _legend(table: Table) -> list[str]:
    notes = list(
        dict.fromkeys(
            f"† {metric.label} is a stand-in{': ' + metric.protocol if metric.protocol else ''}."
            for metric in table.columns.values()
            if metric.stand_in
        )
    )
    notes += table.notes
    notes += dict.fromkeys(
        f"{(metric.reference_line or table.words.reference_line).capitalize()} of {metric.label}: "
        f"{metric.reference_is}."
        for column, metric in table.columns.items()
        if metric.reference_is and column in references(table)
    )
    notes += exceptions(table)
    if any(metric.direction == "reference" for metric in table.columns.values()):
        notes.append(f"→ marks a measure that is better the nearer it is to that of {table.words.reference}.")
    notes += _single(table)
    notes += _unscored(table)
    notes += doubt_notes(table.doubt)
    if any(cell.mean is None for cells in table.rows.values() for cell in cells.values()):
        words = [f"{HOLE} marks a number that has not been measured.", *_failed(table), *_unmeasured(table)]
        notes.append(" ".join(words))
    for stage, keys in table.instruments.items():
        name = stage.replace("_", " ")
        warning = (
            f" One {name} a seed: numbers measured with it compare within a seed." if len(keys) > 1 else ""
        )
        if stage in table.mixed:
            warning = f" More than one {name} at a seed: numbers measured with it do not compare."
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
        f"{', '.join(own)}: no {table.called(column)}: {_cut(why)}." for (column, why), own in rows.items()
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


def _single(table: Table) -> list[str]:
    """Say that what is marked as best is so in one run alone, where it is."""
    marked = [cell for cells in table.rows.values() for cell in cells.values() if cell.mark and cell.n == 1]
    return ["Marked by one run a row (n = 1): another seed may mark others."] if marked else []


def _compared(table: Table) -> list[str]:
    """Say how many pairs of rows stand in the published order."""
    compared = [
        f"{table.called(column)} {agreement}"
        for column, agreement in table.agreements.items()
        if agreement.published and column not in table.unscored
    ]
    said = f"Pairs of rows in the published order: {', '.join(compared)}; chance is 95 % of random orders."
    return [said] if compared else []


def _otherwise(table: Table) -> list[str]:
    """Say which published numbers differ from ours by more than the method."""
    labels = [
        table.called(column)
        for column in table.columns
        if any(cells[column].otherwise for cells in table.rows.values())
    ]
    said = f"Published, but measured otherwise: {', '.join(labels)}; these compare in order only."
    return [said] if labels else []


def _unscored(table: Table) -> list[str]:
    """Say of columns that only the paper has why they are empty."""
    labels = [table.called(column) for column in table.unscored]
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
