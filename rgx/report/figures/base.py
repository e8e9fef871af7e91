"""What a kind of figure is: settings a report file gives, and how they are drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from rgx.errors import InputError, nearest
from rgx.report import style
from rgx.report.figures.extremes import best_and_worst
from rgx.report.panel import Panel
from rgx.report.phrase import Wording
from rgx.report.results import Results, SweepRow, manifest_path
from rgx.report.statistics import Table
from rgx.report.table_grid import arrow

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing


@dataclass(frozen=True)
class Material:
    """What figures are drawn from: the sweep's numbers, where they lie, and its panels' tables by name."""

    results: Results
    store: Path
    tables: Mapping[str, Table]

    def rows(self, panel: str, names: list[str]) -> Iterator[SweepRow]:
        """Give the cells of a panel's rows, in the order of `names`, each at every seed."""
        cells = self.results.cells
        for name in names or self.results.rows(panel):
            yield from cells.get((panel, name), ())

    def manifest(self, row: SweepRow, stage: str) -> dict[str, Any] | None:
        """Return the manifest of a row's finished stage, or None."""
        return self.results.manifests.get((stage, row.stages.get(stage, "")))

    def record(self, row: SweepRow, stage: str) -> dict[str, Any] | None:
        """Return what a row's finished stage is made of, with what changes nothing there, or None."""
        manifest = self.manifest(row, stage)
        return manifest and _joined(manifest.get("record") or {}, row.left_out.get(stage, {}))

    def folder(self, row: SweepRow, stage: str) -> Path:
        """Return where a row's stage lies."""
        return manifest_path(self.store, stage, row.stages[stage]).parent

    def held(self, row: SweepRow, stage: str, name: str) -> Path | None:
        """Return a file of a row's finished stage, or None where it is not there."""
        path = self.folder(row, stage) / name if self.manifest(row, stage) is not None else None
        return path if path is not None and path.is_file() else None


class Figure(ABC, BaseModel):
    """One figure of a report file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caption: Wording = ""
    width: Literal["column", "page"] = "column"

    def tables(self, material: Material) -> dict[str, str]:
        """Return the texts that go with it, by what their file's name has after the figure's."""
        return {}

    @abstractmethod
    def draw(self, material: Material) -> Drawing | None:
        """Draw it, or return None where nothing it shows has been measured; raises InputError."""

    def wrong(self, panels: Mapping[str, Panel]) -> Iterator[tuple[str, str]]:
        """Give each setting that does not fit the report's panels, and what is wrong with it."""
        return iter(())


class PanelFigure(Figure):
    """A figure of one panel; without `columns` it shows all the panel's columns."""

    panel: str
    columns: list[str] = []

    def wrong(self, panels: Mapping[str, Panel]) -> Iterator[tuple[str, str]]:
        """Give a panel or a column that the report does not have."""
        if self.panel not in panels:
            yield "panel", f"there is no panel '{self.panel}'; {nearest(self.panel, panels)}"
            return
        for column in self.columns:
            if column not in panels[self.panel].columns:
                known = panels[self.panel].columns
                yield "columns", f"'{column}' is not a column of it; {nearest(column, known)}"

    def table(self, material: Material) -> Table | None:
        """Return the panel's table, or None where that has nothing of what is shown."""
        table = material.tables.get(self.panel)
        return table if table is not None and self.shown(table) else None

    def shown(self, table: Table) -> list[str]:
        """Return the columns shown, of those that the table has."""
        return [column for column in self.columns or table.columns if column in table.columns]


class RowsFigure(PanelFigure):
    """A figure of some rows of a panel; without `rows` of all of them, or of a few of many."""

    rows: list[str] = []
    most: ClassVar[int] = 12
    """Rows that can be told apart in it."""

    def picked(self, material: Material) -> tuple[list[str], str]:
        """Return the rows shown, and in words which of many they are.

        Raises InputError for a row that the sweep lacks.
        """
        known = material.results.rows(self.panel)
        for row in self.rows:
            if known and row not in known:
                raise InputError(f"figure of panel {self.panel}: no row '{row}'; {nearest(row, known)}")
        table = self.table(material)
        if self.rows or table is None:
            return self.rows or known, ""
        return best_and_worst(table, self.shown(table)[0], self.drawable(material, known), self.most)

    def drawable(self, material: Material, rows: list[str]) -> list[str]:
        """Return which of a panel's rows can be shown, before a few of many are chosen."""
        return rows


VARIANT = "variant"
"""The key of a record that names what was chosen, not how it was set."""


def _joined(record: Mapping[str, Any], left_out: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with what it leaves out, each in the part it is of."""
    inner = {name: record.get(name) for name in left_out}
    return {
        **record,
        **{
            name: _joined(part, left_out[name]) if isinstance(part, Mapping) else left_out[name]
            for name, part in inner.items()
        },
    }


def value_at(record: Mapping[str, Any], path: str, where: str) -> Any:
    """Return what stands at a path such as `decode/steps` of a stage's record; raises InputError."""
    value: Any = record
    for step in path.split("/"):
        if not isinstance(value, Mapping) or step not in value:
            names = [name for name in value if name != VARIANT] if isinstance(value, Mapping) else []
            raise InputError(f"{where}: its record has no '{path}': no '{step}'; {nearest(step, names)}")
        value = value[step]
    return value


def parameter(record: Mapping[str, Any], path: str, where: str) -> float:
    """Return the number at a path of a stage's record; raises InputError."""
    value = value_at(record, path, where)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{where}: '{path}' is {value!r}, expected a number")
    return float(value)


def head(table: Table, column: str) -> str:
    """Return an axis's label: what a column is called, its unit and which way is better."""
    metric = table.columns[column]
    unit = f" ({metric.unit})" if metric.unit else ""
    return style.text(metric.label + unit) + ("†" if metric.stand_in else "") + arrow(metric)
