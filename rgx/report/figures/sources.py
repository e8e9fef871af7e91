"""What makes the numbers of a row vary: which stages' seeds, as shares of the variance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from tabulate import tabulate

from rgx.errors import nearest
from rgx.registry import register
from rgx.report import style
from rgx.report.escape import escape_markdown
from rgx.report.figures.base import Material, RowsFigure, head
from rgx.report.panel import Panel
from rgx.report.variance import VarianceSource, behind, sources

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@register("figure", "sources")
class VarianceSources(RowsFigure):
    """Bars a row, parted by where the variance of each metric comes from, with a table of the shares.

    It takes runs that share some stages: panels of the same rows whose sweep has a `seed_scope`.
    """

    beside: list[str] = []
    """Panels with more runs of the same rows, which share other stages."""

    def wrong(self, panels: Mapping[str, Panel]) -> Iterator[tuple[str, str]]:
        """Give a panel or a column that the report does not have."""
        yield from super().wrong(panels)
        for panel in self.beside:
            if panel not in panels:
                yield "beside", f"there is no panel '{panel}'; {nearest(panel, panels)}"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a bar a row and metric, parts named below; nothing where runs do not tell sources apart."""
        parted = self.parted(material)
        table = self.table(material)
        if not parted or table is None:
            return None
        columns = list(dict.fromkeys(column for column, _ in parted))
        rows = list(dict.fromkeys(row for _, row in parted))
        names = list(dict.fromkeys(called(source) for own in parted.values() for source in own))
        height = 0.7 + 0.19 * len(rows)
        figure, (line,) = style.axes(self.width, 1, len(columns), height, style.Around(named=len(names)))
        for axes, column in zip(line, columns, strict=True):
            for place, row in enumerate(rows):
                left = 0.0
                for source in parted.get((column, row), []):
                    name, share = called(source), 100 * source.share
                    colour = style.colour(names.index(name))
                    axes.barh(place, share, left=left, color=colour, height=0.7, label=style.text(name))
                    left += share
            axes.set_ylim(len(rows) - 0.5, -0.5)
            axes.set_xlabel(f"{head(table, column)}, % of the variance")
            axes.set_yticks(range(len(rows)), [])
        line[0].set_yticks(range(len(rows)), [style.text(table.label(row)) for row in rows])
        style.legend(figure, line)
        return figure

    def tables(self, material: Material) -> dict[str, str]:
        """Return all shares as `-effects.md`, or nothing where none is known."""
        table, lines = self.table(material), []
        for (column, row), own in self.parted(material).items() if table else ():
            for source in own:
                words = [table.columns[column].label, table.label(row), called(source)] if table else []
                numbers = [source.levels, f"{source.variance:.4g}", f"{100 * source.share:.1f} %"]
                lines.append([*map(escape_markdown, words), *numbers])
        heads = ["metric", "row", "source", "ways it was run", "variance", "share"]
        grid = tabulate(lines, headers=heads, tablefmt="github", disable_numparse=True)
        return {"-effects.md": f"{grid}\n"} if lines else {}

    def parted(self, material: Material) -> dict[tuple[str, str], list[VarianceSource]]:
        """Return the sources of each column and row whose runs tell them apart."""
        results, table = material.results, self.table(material)
        parted: dict[tuple[str, str], list[VarianceSource]] = {}
        for column in self.shown(table) if table else ():
            runs = [run for panel in (self.panel, *self.beside) for run in results.numbers(panel, column)]
            for row in self.picked(material)[0]:
                # A run that stands in two panels is one run.
                own = {run.key: run for run in runs if run.row == row}.values()
                cells = [behind(results.manifests, run.stage, run.key) for run in own]
                if known := sources([run.value for run in own], cells):
                    parted[column, row] = known
        return parted


def called(source: VarianceSource) -> str:
    """Return what a source is called: its first stage, and the last where there are more."""
    first, last = source.stages[0].replace("_", " "), source.stages[-1].replace("_", " ")
    return first if first == last else f"{first} to {last}"
