"""A grid of factors: what each does to a metric, and whether what one does depends on another."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from tabulate import tabulate

from rgx.errors import InputError
from rgx.registry import register
from rgx.report import style
from rgx.report.effects import Levels, effects, level_means
from rgx.report.escape import escape_markdown
from rgx.report.figures.base import VARIANT, Material, PanelFigure, head, value_at
from rgx.report.results import by_row
from rgx.report.table_grid import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing


class Factor(BaseModel):
    """Where a factor's level stands: a path in the record of a stage, to a number, a word or a part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    parameter: str


@register("figure", "factorial")
class Factorial(PanelFigure):
    """Main effects of a panel's factors and the interaction of each two, with a table of their sizes."""

    factors: dict[str, Factor] = Field(min_length=1)
    """The factor in print → where its levels are read from what ran."""
    width: Literal["column", "page"] = "page"

    def draw(self, material: Material) -> Drawing | None:
        """Draw a line of axes a metric: a factor each, mean and deviation a level; then a pair each."""
        table, levels = self.table(material), self.levels(material)
        if table is None or not levels:
            return None
        columns = self.shown(table)
        pairs = list(itertools.combinations(range(len(self.factors)), 2))
        figure, grid = style.axes(self.width, len(columns), len(self.factors) + len(pairs), 1.6)
        names, middle = list(self.factors), len(self.factors)
        for line, column in zip(grid, columns, strict=True):
            runs = self.runs(material, column, levels)
            for place, axes in enumerate(line[:middle]):
                self._main(axes, runs, place)
                axes.set_xlabel(style.text(names[place]))
            for (first, second), axes in zip(pairs, line[middle:], strict=True):
                self._interaction(axes, runs, first, second)
                axes.set_xlabel(style.text(names[first]))
                axes.legend(title=style.text(names[second]), title_fontsize=7)
            line[0].set_ylabel(head(table, column))
            _alike(line)
        return figure

    def tables(self, material: Material) -> dict[str, str]:
        """Return the sizes of all effects as `-effects.md`, or nothing where nothing was measured."""
        table, levels = self.table(material), self.levels(material)
        if table is None or not levels:
            return {}
        lines = []
        for column in self.shown(table):
            metric, runs = table.columns[column], self.runs(material, column, levels)
            for effect in effects(list(self.factors), runs) if runs else []:
                span = "" if effect.span is None else number(effect.span, metric.decimals)
                share = "--" if effect.share is None else f"{100 * effect.share:.1f} %"
                name = " × ".join(effect.factors)
                lines.append([escape_markdown(metric.label), escape_markdown(name), span, share])
        heads = ["metric", "effect", "largest less smallest mean", "share of the variance (η²)"]
        grid = tabulate(lines, headers=heads, tablefmt="github", disable_numparse=True)
        return {"-effects.md": f"{grid}\n\n{SHARES}\n"}

    def levels(self, material: Material) -> dict[str, Levels]:
        """Return each row's level a factor, in print, of the rows whose stages have run.

        Raises InputError for a path that a record lacks, or a row that ran at several levels.
        """
        by_row: dict[str, Levels] = {}
        for row in material.rows(self.panel, []):
            records = {name: material.record(row, factor.stage) for name, factor in self.factors.items()}
            if None in records.values():
                continue
            levels = []
            for name, factor in self.factors.items():
                where = (
                    f"figure of panel {self.panel}, row '{row.row}', factor '{name}', stage {factor.stage}"
                )
                levels.append(_said(value_at(records[name] or {}, factor.parameter, where)))
            if by_row.setdefault(row.row, tuple(levels)) != tuple(levels):
                raise InputError(f"figure of panel {self.panel}: row '{row.row}' ran at several levels")
        return by_row

    def runs(
        self, material: Material, column: str, levels: Mapping[str, Levels]
    ) -> dict[Levels, list[float]]:
        """Return every distinct run's number by its levels, in the sweep's order."""
        measured = by_row(material.results.numbers(self.panel, column))
        by_levels: dict[Levels, list[float]] = {}
        for row, own in levels.items():
            if row in measured:
                by_levels.setdefault(own, []).extend(number.value for number in measured[row])
        return by_levels

    def _main(self, axes: Axes, runs: Mapping[Levels, list[float]], place: int) -> None:
        means = level_means(runs, [place])
        values = [mean for mean, _, _ in means.values()]
        spread = [std or 0.0 for _, std, _ in means.values()]
        axes.errorbar(range(len(means)), values, yerr=spread, color=style.OTHER, marker="o", capsize=2)
        _ticks(axes, [level for (level,) in means])

    def _interaction(self, axes: Axes, runs: Mapping[Levels, list[float]], first: int, second: int) -> None:
        means = level_means(runs, [first, second])
        across = list(dict.fromkeys(a for a, _ in means))
        for index, level in enumerate(dict.fromkeys(b for _, b in means)):
            places = [place for place, other in enumerate(across) if (other, level) in means]
            cells = [means[across[place], level] for place in places]
            # Lines side by side, so that their deviations do not hide each other.
            shifted = [place + 0.04 * index for place in places]
            spread = [std or 0.0 for _, std, _ in cells]
            axes.errorbar(
                shifted, [mean for mean, _, _ in cells], yerr=spread, label=style.text(level), capsize=2,
                **style.line(index) | {"linestyle": style.LINES[index % len(style.LINES)]},
            )  # fmt: skip
        _ticks(axes, across)


SHARES = (
    "A main effect's means are over seeds and the other factors' levels; η² is an effect's share of the sum "
    "of squares over all runs, `--` where combinations are missing or not run equally often, or nothing "
    "varies."
)


def _ticks(axes: Axes, levels: list[str]) -> None:
    axes.set_xticks(range(len(levels)), [style.text(level) for level in levels])
    axes.set_xlim(-0.4, len(levels) - 0.6)


def _alike(line: list[Axes]) -> None:
    """Give axes of one metric one scale, so that effects compare."""
    low, high = min(axes.get_ylim()[0] for axes in line), max(axes.get_ylim()[1] for axes in line)
    for axes in line:
        axes.set_ylim(low, high)
    for axes in line[1:]:
        axes.tick_params(axis="y", labelleft=False)


def _said(value: Any) -> str:
    """Return a level in print: a part's variant, a number as short as it is exact, or the value itself."""
    if isinstance(value, Mapping):
        return str(value.get(VARIANT, "")).rpartition("/")[2].replace("_", " ")
    return f"{value:g}" if isinstance(value, float) else str(value)
