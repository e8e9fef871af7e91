"""A metric against a number the rows of a panel differ in, the published curve beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rgx.errors import InputError
from rgx.registry import register
from rgx.report import style
from rgx.report.figures.base import Material, PanelFigure, head, parameter
from rgx.report.reference_lines import references
from rgx.report.statistics import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


MOST_TICKS = 6
"""Numbers below axes that do not run into each other."""


@register("figure", "curve")
class Curve(PanelFigure):
    """A panel's metrics against `parameter` of `stage`, read from what ran, such as `decode/steps`."""

    stage: str
    parameter: str
    label: str = ""
    """The parameter in print."""

    def draw(self, material: Material) -> Drawing | None:
        """Draw one line of axes a metric: ours with the deviation over seeds, then what was published."""
        table = self.table(material)
        places = self.places(material) if table else {}
        if table is None or not places:
            return None
        columns = self.shown(table)
        printed = {c: any(table.rows[row][c].published is not None for row in places) for c in columns}
        figure, grid = style.axes(self.width, len(columns), 1 + any(printed.values()), 1.5)
        for line, column in zip(grid, columns, strict=True):
            self._measured(line[0], table, column, places)
            line[0].set_ylabel(head(table, column))
            for axes in line[1:]:
                self._published(axes, table, column, places)
        titles = ["measured here", "published"]
        for axes, title in zip(grid[0], titles, strict=False):
            axes.set_title(title)
        for axes in (axes for line in grid for axes in line) if len(places) <= MOST_TICKS else ():
            axes.set_xticks(list(places.values()))
        for axes in grid[-1]:
            axes.set_xlabel(style.text(self.label) or self.parameter.rpartition("/")[2].replace("_", " "))
        return figure

    def places(self, material: Material) -> dict[str, float]:
        """Return each finished row's parameter, in rising order; raises InputError where rows clash."""
        by_row: dict[str, float] = {}
        for row in material.rows(self.panel, []):
            if (record := material.record(row, self.stage)) is not None:
                where = f"figure of panel {self.panel}, row '{row.row}', stage {self.stage}"
                value = parameter(record, self.parameter, where)
                if by_row.setdefault(row.row, value) != value:
                    raise InputError(f"{where}: '{self.parameter}' is {by_row[row.row]:g} and {value:g}")
        return dict(sorted(by_row.items(), key=lambda item: item[1]))

    def _measured(self, axes: Axes, table: Table, column: str, places: dict[str, float]) -> None:
        cells = [(x, table.rows[row][column]) for row, x in places.items()]
        points = [(x, cell.mean, cell.std or 0.0) for x, cell in cells if cell.mean is not None]
        if points:
            x, y, spread = zip(*points, strict=True)
            axes.errorbar(x, y, yerr=spread, color=style.OTHER, marker="o", capsize=2, linewidth=1)
        ours = table.panel.ours
        if ours in places and (mean := table.rows[ours][column].mean) is not None:
            axes.plot([places[ours]], [mean], "o", color=style.OURS, zorder=3)
        if column in references(table):
            axes.axhline(references(table)[column], color=style.GREY, linestyle="--", linewidth=0.8)

    def _published(self, axes: Axes, table: Table, column: str, places: dict[str, float]) -> None:
        cells = [(x, table.rows[row][column].published) for row, x in places.items()]
        points = [(x, value) for x, value in cells if value is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=style.GREY, marker="s", linestyle="-.")
        else:
            axes.set_axis_off()
