"""A table as it is printed: what its panel hides is gone, and numbers are times their factors."""

from __future__ import annotations

from dataclasses import replace

from rgx.report.escape import joined
from rgx.report.panel import Show
from rgx.report.quoted import scaled
from rgx.report.statistics import Table, TableCell


def shown(table: Table) -> Table:
    """Return a table as its grid shows it; what is shown already stays as it is."""
    table, show = unhidden(table), table.panel.show
    most = table.replicates()[1]

    def bare(cell: TableCell) -> TableCell:
        cell = cell if show.statistics else replace(cell, std=None, p=None, pairs=0, n=min(cell.n, 1) * most)
        return cell if show.differences else replace(cell, compared=False)

    rows = {row: {column: bare(cell) for column, cell in cells.items()} for row, cells in table.rows.items()}
    return replace(table, rows=rows)


def otherwise(table: Table, show: Show) -> Table:
    """Return a table of which other parts are printed, where that is said."""
    return replace(table, panel=table.panel.model_copy(update={"show": show.over(table.panel.show)}))


def left_out(table: Table, show: Show) -> Table:
    """Return a table that shows what it prints both ways, and published numbers where it does either way."""
    own, other = table.panel.show, show.over(table.panel.show)
    both = Show(
        published=own.published or other.published,
        differences=own.differences and other.differences,
        statistics=own.statistics and other.statistics,
        notes=own.notes and other.notes,
    )
    return otherwise(table, both)


def unhidden(table: Table) -> Table:
    """Return what is said of a table as its notes speak of it: without published numbers that are hidden."""
    table = _scaled(table)
    if table.panel.show.published:
        return table
    columns = {column: metric for column, metric in table.columns.items() if column not in table.unscored}
    rows = {
        row: {column: replace(cells[column], published=None) for column in columns}
        for row, cells in table.rows.items()
        if row not in table.printed_only
    }
    return replace(table, rows=rows, columns=columns, agreements={}, unscored=(), published_reference={})


def _scaled(table: Table) -> Table:
    """Return a table whose columns with a factor hold what is printed, and say so in their heads."""
    panel = table.panel
    factors = {
        column: panel.factors[name]
        for column in table.columns
        if (name := column.partition("@")[0]) in panel.factors
    }
    if not factors:
        return table
    columns = dict(table.columns)
    for column, factor in factors.items():
        metric = columns[column]
        label = panel.heads.get(column.partition("@")[0]) or joined(metric.label, f" ×{factor:g}")
        columns[column] = metric.model_copy(update={"label": label})

    def times(cell: TableCell, column: str) -> TableCell:
        factor = factors.get(column, 1.0)
        mean, std, reference = (
            None if value is None else value * factor for value in (cell.mean, cell.std, cell.reference)
        )
        published = cell.published
        if published is not None and column in factors:
            published = scaled(published, factor, columns[column].decimals)
        return replace(cell, mean=mean, std=std, reference=reference, published=published)

    rows = {row: {c: times(cell, c) for c, cell in cells.items()} for row, cells in table.rows.items()}
    of_reference = {
        c: scaled(value, factors[c], columns[c].decimals) if c in factors else value
        for c, value in table.published_reference.items()
    }
    # Without its factors, what is printed already is not multiplied again.
    panel = panel.model_copy(update={"factors": {}})
    return replace(table, rows=rows, columns=columns, panel=panel, published_reference=of_reference)
