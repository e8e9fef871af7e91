"""A table's grid, whatever it is written in: heads, lines, and how one format writes their parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby

from rgx.report.agreement import printed
from rgx.report.doubts import merged
from rgx.report.escape import joined
from rgx.report.quoted import digits_of, spread_of
from rgx.report.reference_lines import reference_lines
from rgx.report.results import MetricFacts
from rgx.report.shown import shown
from rgx.report.statistics import Direction, Mark, Table, TableCell

HOLE = "--"
DIFFERS = "‡"
ARROWS: dict[Direction | None, str] = {"down": " ↓", "up": " ↑", "reference": " →", None: ""}


def number(value: float | None, decimals: int) -> str:
    """Return a number as printed, or the mark of a hole."""
    return HOLE if value is None else f"{printed(value, decimals):f}"


def quoted(value: float | None, plus_minus: str = " ± ") -> str:
    """Return a published number and its spread with the digits they were published with, or nothing."""
    if value is None:
        return ""
    return digits_of(value) + (plus_minus + spread_of(value) if spread_of(value) else "")


def difference(cell: TableCell, metric: MetricFacts) -> str:
    """Return by how much ours is above what was published, signed; nothing where they do not compare."""
    return f"{printed(cell.delta, metric.decimals):+f}" if cell.delta is not None and cell.compared else ""


def spread(cell: TableCell, decimals: int, most: int, plus_minus: str = " ± ", differs: str = DIFFERS) -> str:
    """Return what follows a mean: deviation, whether it differs, doubts, n where below the table's most."""
    text = "" if cell.std is None else f"{plus_minus}{number(cell.std, decimals)}"
    text += (differs if cell.differs else "") + cell.doubt.marks
    return text + (f" (n={cell.n})" if 0 < cell.n < most else "")


def arrow(metric: MetricFacts, arrows: Mapping[Direction | None, str] = ARROWS) -> str:
    """Return the arrow of a metric's direction, or nothing where its label ends in one."""
    return "" if metric.label.endswith(("↓", "↑", "→")) else arrows[metric.direction]


@dataclass(frozen=True)
class Style:
    """How one format writes a table's parts.

    marks: around a mean; aside: around what is published; differing: around how far ours is above it; tick: a
    component a row has; section: around the head of several rows.
    """

    escape: Callable[[str], str]
    marks: dict[Mark, str]
    aside: str
    differing: str
    arrows: dict[Direction | None, str]
    dagger: str
    tick: str
    section: str = "%s"

    def reference(self, value: float | None, decimals: int, doubts: str) -> str:
        """Return what the reference scores with its doubts, or nothing."""
        return "" if value is None else number(value, decimals) + doubts

    def measured(self, cell: TableCell, decimals: int, most: int) -> str:
        """Return a reproduced number with its spread."""
        return self.marks[cell.mark] % number(cell.mean, decimals) + spread(cell, decimals, most)

    def published(self, cell: TableCell, metric: MetricFacts) -> str:
        """Return a published number, or nothing."""
        if cell.published is None:
            return ""
        differs = difference(cell, metric)
        return self.aside % quoted(cell.published) + (differs and self.differing % differs)

    def title(self, words: str, after: str = "") -> str:
        """Return a column's title; after: what is written behind it as it is."""
        return self.escape(words) + after

    def head(self, metric: MetricFacts) -> str:
        """Return a column's head: label, unit, dagger of a stand-in, arrow of the direction."""
        unit = f" ({metric.unit})" if metric.unit else ""
        dagger = self.dagger if metric.stand_in else ""
        return self.title(joined(metric.label, unit), dagger + arrow(metric, self.arrows))


def heads(table: Table, style: Style) -> list[str]:
    """Return the heads of all columns but the first, each in one line: components, then metrics."""
    ticks = [style.title(name) for name in ticked(table)]
    over = [text for text, count in spans(table, style) for _ in range(count)]
    between = " " if table.levels else ": "
    return ticks + [
        f"{above}{between}{head}" if above else head
        for above, head in zip(over, own_heads(table, style), strict=True)
    ]


def ticked(table: Table) -> list[str]:
    """Return what the columns of components are called."""
    return [table.panel.heads.get(name, name) for name in table.panel.ticks()]


def own_heads(table: Table, style: Style) -> list[str]:
    """Return what stands over each metric's column alone: its label, or its level in a pivot."""
    return [
        style.title(table.levels[column]) if column in table.levels else style.head(metric)
        for column, metric in shown(table).columns.items()
    ]


def spans(table: Table, style: Style) -> list[tuple[str, int]]:
    """Return what stands over several columns of metrics, from left to right, each with their number.

    That is the metric itself over its levels in a pivot, a group's head else, and nothing over the rest.
    """
    panel, columns = table.panel, shown(table).columns
    groups = {column: name for name, grouped in panel.groups.items() for column in grouped}

    def above(column: str) -> str:
        return column.partition("@")[0] if column in table.levels else groups.get(column, "")

    spans = []
    for name, run in groupby(columns, above):
        first, *more = run
        if first in table.levels:
            head = style.head(columns[first])
        else:
            # Over several columns there is room for all its words.
            head = (style.escape if more else style.title)(panel.heads.get(name, name)) if name else ""
        spans.append((head, 1 + len(more)))
    return spans


def body(table: Table, style: Style) -> list[list[str]]:
    """Return the lines of a table: the references, then each row with its published numbers under it."""
    table = shown(table)
    most, ticks, lines = table.replicates()[1], table.panel.ticks(), []
    aside = style.aside % style.escape(published_label(table))
    columns = [(column, metric.decimals) for column, metric in table.columns.items()]
    blank = [""] * len(ticks)
    doubts = {c: merged(cells[c].doubt for cells in table.rows.values()).marks for c in table.columns}
    for line, references in reference_lines(table).items():
        scores = [style.reference(references.get(c), decimals, doubts[c]) for c, decimals in columns]
        lines.append([style.escape(line), *blank, *scores])
        if line == table.words.reference_line and table.published_reference:
            cells = {c: TableCell(published=table.published_reference.get(c)) for c in table.columns}
            asides = [style.published(cells[c], metric) for c, metric in table.columns.items()]
            lines.append([style.aside % style.escape("published"), *blank, *asides])
    sections = table.sections()
    for row, cells in table.rows.items():
        if row in sections:
            lines.append([style.section % style.escape(sections[row]), *blank, *[""] * len(columns)])
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
