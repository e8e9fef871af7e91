"""The rows of an ablation as bars, with every seed, their deviation and what the reference scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material, PanelFigure, head
from rgx.report.figures.extremes import best_and_worst
from rgx.report.reference_lines import references
from rgx.report.results import by_row
from rgx.report.statistics import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


MOST = 24
"""Rows that are drawn; of more, the best and the worst by the first metric shown."""


@register("figure", "bars")
class Bars(PanelFigure):
    """A panel's metrics, one set of bars each."""

    def draw(self, material: Material) -> Drawing | None:
        """Draw a bar a row: the mean, its deviation, a dot a seed; the full model in its own colour."""
        table = self.table(material)
        if table is None or not table.replicates()[1]:
            return None
        columns = self.shown(table)
        rows, said = best_and_worst(table, columns[0], list(table.rows), MOST)
        height = 0.7 + 0.19 * len(rows)
        figure, (line,) = style.axes(self.width, 1, len(columns), height, style.Around(above=said))
        for axes, column in zip(line, columns, strict=True):
            self._column(axes, table, column, rows, material)
            axes.set_xlabel(head(table, column))
        line[0].set_yticks(range(len(rows)), [style.text(table.label(row)) for row in rows])
        for axes in line[1:]:
            axes.set_yticks(range(len(rows)), [])
        return figure

    def _column(self, axes: Axes, table: Table, column: str, rows: list[str], material: Material) -> None:
        numbers = by_row(material.results.numbers(self.panel, column))
        for place, row in enumerate(rows):
            cell = table.rows[row][column]
            if cell.mean is None:
                continue
            colour = style.OURS if row == table.panel.ours else style.OTHER
            axes.barh(place, cell.mean, color=colour, alpha=0.6, height=0.7)
            if cell.std is not None:
                axes.errorbar(cell.mean, place, xerr=cell.std, color="black", capsize=2, linewidth=0.8)
            seeds = [number.value for number in numbers[row]]
            axes.plot(seeds, [place] * len(seeds), ".", color="black", markersize=2.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        if column in references(table):
            axes.axvline(references(table)[column], color=style.GREY, linestyle="--", linewidth=0.8)
