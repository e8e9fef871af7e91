"""Published numbers that several reports share: a data file with its source and what is doubtful in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rgx.errors import InputError, nearest
from rgx.lookup import find_file
from rgx.report.panel import PanelName, Published
from rgx.yaml_source import Source


class PublishedPanel(BaseModel):
    """One published table: row → metric → number, and what is uncertain or inconsistent in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Published = Field(min_length=1)
    note: str = ""


class PublishedFile(BaseModel):
    """The published tables of one source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    panels: dict[PanelName, PublishedPanel] = Field(min_length=1)


class Reference(BaseModel):
    """What stands in a panel's `published` instead of numbers: a file beside the report, and its panel."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    file: str
    panel: str
    columns: dict[str, str] = {}
    """Column → the published metric beside it, where a stand-in has another name."""
    rows: dict[str, str] = {}
    """Row, or the line of the reference → the published row beside it, where that has another name."""


def load(path: Path) -> PublishedFile:
    """Read a file of published numbers; raises InputError with file, line and the nearest spelling."""
    return Source(path, PublishedFile.model_fields).parse(PublishedFile)


def resolve(panel: dict[str, Any], name: str, report: Source, folders: list[Path]) -> dict[str, Any]:
    """Return a panel with the numbers its `published` refers to, their source and what is doubtful in them.

    folders: where its file is looked for, and in their `reports`. Only rows' numbers in the panel's columns
    are taken. Raises InputError where the file or the panel is missing, or has none of the columns.
    """
    given = panel.get("published")
    if not isinstance(given, dict) or not any(isinstance(given.get(key), str) for key in ("file", "panel")):
        return panel
    under = ["panels", name, "published"]
    reference = report.parse(Reference, given, under)
    places = [place for folder in folders for place in (folder, folder / "reports")]
    name = str(Path(reference.file).expanduser())
    path = find_file(name, places, f"{report.where([*under, 'file'])}: no file {name}")
    file = load(path)
    panels = file.panels
    where = report.where([*under, "panel"])
    if reference.panel not in panels:
        raise InputError(
            f"{where}: {path} has no panel '{reference.panel}'; {nearest(reference.panel, panels)}"
        )
    reported = panels[reference.panel]
    known = {metric for values in reported.rows.values() for metric in values}
    for column, metric in reference.columns.items():
        if metric not in known:
            place = report.where([*under, "columns", column])
            raise InputError(f"{place}: '{metric}' is not published there; {nearest(metric, known)}")
    written = panel.get("columns")
    columns = [column for column in written if isinstance(column, str)] if isinstance(written, list) else []
    for row, theirs in reference.rows.items():
        if theirs not in reported.rows:
            place = report.where([*under, "rows", row])
            raise InputError(f"{place}: '{theirs}' is not published there; {nearest(theirs, reported.rows)}")
    shown = {column: reference.columns.get(column, column) for column in [*columns, *reference.columns]}
    # A pivot's columns are a metric at each of its levels.
    shown |= {metric: metric for metric in known if metric.partition("@")[0] in columns}
    renamed = {name: [row for row, of in reference.rows.items() if of == name] for name in reported.rows}
    rows = {
        row: {column: values[metric] for column, metric in shown.items() if metric in values}
        for theirs, values in reported.rows.items()
        for row in renamed[theirs] or [theirs]
    }
    if not any(rows.values()):
        raise InputError(f"{where}: {path} publishes {', '.join(sorted(known))}, none of them a column")
    doubts = [str(text) for text in (panel.get("published_note"), reported.note) if text]
    return {"published_source": file.source} | panel | {"published": rows, "published_note": " ".join(doubts)}
