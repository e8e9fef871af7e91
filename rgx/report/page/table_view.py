"""A table as the page shows it: the words of the other formats, with sort keys and links to provenance."""

from __future__ import annotations

from dataclasses import dataclass

from rgx.report.doubts import merged
from rgx.report.escape import joined
from rgx.report.layout import caption, counted, footnotes
from rgx.report.page.anchors import PROVENANCE, Anchors
from rgx.report.reference_lines import reference_lines
from rgx.report.results import MetricFacts
from rgx.report.shown import shown
from rgx.report.statistics import Mark, Table, TableCell
from rgx.report.table_grid import (
    ARROWS,
    Style,
    arrow,
    difference,
    number,
    published_label,
    quoted,
    spans,
    spread,
    ticked,
)
from rgx.words import Words

BETTER = {"down": "lower is better", "up": "higher is better", "reference": "nearer to {reference} is better"}
LONG = 40
"""Rows beyond which a table scrolls in its own box under a head that stays."""
DIGIT_SPACE, POINT_SPACE = "\u2007", "\u2008"
PLAIN = Style(str, {}, "", "", ARROWS, "†", "✓")
WIDEST = 24
"""The most letters that the style sheet keeps room for after a number."""


@dataclass(frozen=True)
class Head:
    """A column's head: its label with the unit, the dagger of a stand-in, its arrow and what that says."""

    label: str
    dagger: str
    arrow: str
    better: str
    room: int
    """Letters that what follows a number takes, so that numbers align at their decimal point."""


@dataclass(frozen=True)
class Number:
    """One cell: what is printed, what follows it, where it came from, and what it is sorted by.

    published, surplus: the published number, and after it the digits that ours are not printed with, and how
    far ours is above it.
    """

    text: str
    after: str
    mark: Mark
    order: float | None
    link: str
    published: str = ""
    surplus: str = ""


@dataclass(frozen=True)
class Line:
    """One row: its label, whether it is the full model, the components it has, and its numbers."""

    anchor: str
    label: str
    ours: bool
    ticks: list[bool]
    numbers: list[Number]
    published: bool
    section: str = ""
    """The head over it and the rows after it, where it is the first of a section."""


@dataclass(frozen=True)
class TableView:
    """A panel: its caption, what the caption adds, components, heads, the reference, rows and notes."""

    name: str
    title: str
    caption: str
    counted: str
    ticks: list[str]
    spans: list[tuple[str, int]]
    """What stands over several columns, with their number; nothing where it stands over none."""
    heads: list[Head]
    references: dict[str, list[Number]]
    """The lines of what numbers are held against, by their names."""
    pictures_note: str
    lines: list[Line]
    notes: list[str]
    published: str
    """What the line of published numbers is called."""

    @property
    def long(self) -> bool:
        """Say whether the table is taller than a screen."""
        return len(self.lines) > LONG


def table_view(table: Table, anchors: Anchors) -> TableView:
    """Return what the page shows of a table."""
    known, said, over = anchors.of(table), footnotes(table), spans(table, PLAIN)
    title, whole = table.panel.caption, caption(table)
    added = " ".join(counted(table)) if table.panel.show.statistics else ""
    table = shown(table)
    most, ticks = table.replicates()[1], table.panel.ticks()
    lines = [_line(table, row, cells, ticks, most, known) for row, cells in table.rows.items()]
    heads = []
    for place, (column, metric) in enumerate(table.columns.items()):
        numbers = [line.numbers[place] for line in lines]
        widths = [len(text) for number in numbers for text in (number.after, number.surplus)]
        room = min(WIDEST, max(widths, default=0))
        heads.append(_head(metric, table.levels.get(column, ""), room, table.words))
    return TableView(
        name=table.name,
        title=title,
        caption=whole,
        counted=added,
        ticks=ticked(table),
        spans=over if any(text for text, _ in over) else [],
        heads=heads,
        references=_references(table, known),
        pictures_note=table.panel.pictures_note,
        lines=lines,
        notes=said,
        published=published_label(table),
    )


def _head(metric: MetricFacts, level: str, room: int, words: Words) -> Head:
    """Return a column's head; that of a level is its name, since the metric stands above it."""
    unit = f" ({metric.unit})" if metric.unit else ""
    return Head(
        label=level or joined(metric.label, unit),
        dagger="†" if metric.stand_in and not level else "",
        arrow="" if level else arrow(metric).strip(),
        better=BETTER.get(metric.direction or "", "").format(reference=words.reference),
        room=room,
    )


def _line(
    table: Table, row: str, cells: dict[str, TableCell], ticks: list[str], most: int, anchors: Anchors
) -> Line:
    has = table.panel.components.get(row, [])
    link = _link(anchors.origin(table.name, row))
    numbers = [_number(cells[column], metric, most, link) for column, metric in table.columns.items()]
    return Line(
        anchor=anchors.row(table.name, row),
        label=table.label(row),
        ours=row == table.panel.ours,
        ticks=[name in has for name in ticks],
        numbers=numbers,
        published=any(cell.published is not None for cell in cells.values()),
        section=table.sections().get(row, ""),
    )


def _number(cell: TableCell, metric: MetricFacts, most: int, link: str) -> Number:
    published, surplus = _split(quoted(cell.published), metric.decimals)
    differs = difference(cell, metric)
    return Number(
        text=number(cell.mean, metric.decimals),
        after=spread(cell, metric.decimals, most),
        mark=cell.mark,
        order=cell.mean,
        link=link,
        published=published,
        surplus=surplus + (f" ({differs})" if differs else ""),
    )


def _references(table: Table, anchors: Anchors) -> dict[str, list[Number]]:
    """Return the lines of references; a number leads to the first row that was measured beside it."""
    return {
        line: [_reference(table, line, column, known.get(column), anchors) for column in table.columns]
        for line, known in reference_lines(table).items()
    }


def _reference(table: Table, line: str, column: str, value: float | None, anchors: Anchors) -> Number:
    rows = [row for row, cells in table.rows.items() if cells[column].reference is not None]
    link = _link(anchors.origin(table.name, rows[0])) if rows else ""
    decimals = table.columns[column].decimals
    text = "" if value is None else number(value, decimals)
    doubts = merged(cells[column].doubt for cells in table.rows.values()).marks if text else ""
    published = table.published_reference.get(column) if line == table.words.reference_line else None
    return Number(text, doubts, "", value, link, *_split(quoted(published), decimals))


def _split(digits: str, decimals: int) -> tuple[str, str]:
    """Return a published number up to the digits that ours are printed with, and the rest.

    One with fewer digits is as wide: spaces of a digit's width stand for what was not published.
    """
    whole, point, part = digits.partition(".")
    if len(part) <= decimals:
        lacking = "" if point or not decimals else POINT_SPACE
        return digits + (lacking + DIGIT_SPACE * (decimals - len(part)) if digits else ""), ""
    return (f"{whole}.{part[:decimals]}", part[decimals:]) if decimals else (whole, point + part)


def _link(anchor: str) -> str:
    return f"{PROVENANCE}#{anchor}" if anchor else ""
