"""The report file a person writes: which panels, columns and published numbers a sweep is shown with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from rgx.errors import InputError, nearest

PanelName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Panel(BaseModel):
    """One table: its columns are metric names, or `stage/metric` where two stages share a name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caption: str
    columns: list[str] = Field(min_length=1)
    published: dict[str, dict[str, FiniteFloat | None]] = {}
    labels: dict[str, str] = {}
    ours: str | None = None
    note: str | None = None
    frames: str | None = None
    """The stage whose strips of frames are shown, one a row."""


class Report(BaseModel):
    """All panels of one sweep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sweep: str
    panels: dict[PanelName, Panel] = Field(min_length=1)


FIELDS = {1: Report.model_fields, 3: Panel.model_fields}
"""The keys allowed at each depth of the file."""


def load(path: Path) -> Report:
    """Read a report file; raises InputError with file, line and the nearest right spelling."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the report: {error}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise InputError(f"{where}: not YAML: {getattr(error, 'problem', error)}") from error
    if root is None or not isinstance(data, dict):
        expected = ", ".join(Report.model_fields)
        raise InputError(f"{path}:1: found {type(data).__name__}, expected the keys {expected}")
    problems = list(_repeated(root, path))
    try:
        report = Report.model_validate(data)
    except ValidationError as error:
        problems += [_explain(path, root, item) for item in error.errors()]
        raise InputError("\n".join(problems)) from error
    problems += _wrong_columns(report, root, path)
    if problems:
        raise InputError("\n".join(problems))
    return report


def sweep_name(report: Report, report_file: Path) -> str:
    """Return the name the sweep gives itself, or its file's stem where the file is not at hand."""
    for folder in (report_file.resolve().parent.parent, Path.cwd()):
        path = folder / report.sweep
        if path.is_file():
            try:
                data = yaml.safe_load(path.read_text(encoding="utf-8"))
            except yaml.YAMLError as error:
                raise InputError(f"{path}: not YAML: {error}") from error
            name = data.get("name") if isinstance(data, dict) else None
            if isinstance(name, str):
                return name
            break
    return Path(report.sweep).stem


def _line(root: yaml.Node, location: Sequence[Any]) -> int:
    """Return the line of the deepest key of `location` that the file has."""
    node, line = root, root.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _explain(path: Path, root: yaml.Node, item: ErrorDetails) -> str:
    """Say in one line what a validation error found, expected and where."""
    location = [step for step in item["loc"] if step != "[key]"]
    where, name = f"{path}:{_line(root, location)}", "/".join(map(str, location))
    if item["type"] == "extra_forbidden":
        return f"{where}: unknown key '{name}'; {nearest(str(location[-1]), FIELDS[len(location)])}"
    if item["type"] == "missing":
        return f"{where}: '{name}' is missing"
    return f"{where}: '{name}' is {item['input']!r}: {item['msg']}"


def _repeated(node: yaml.Node, path: Path) -> Iterator[str]:
    """Name each key written twice in one mapping, which YAML would silently overwrite."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield f"{path}:{key.start_mark.line + 1}: '{key.value}' is written twice"
                seen.add(key.value)
            yield from _repeated(value, path)


def _wrong_columns(report: Report, root: yaml.Node, path: Path) -> list[str]:
    """Name each published metric that is no column, and each column written twice."""
    problems = []
    for name, panel in report.panels.items():
        if len(set(panel.columns)) < len(panel.columns):
            line = _line(root, ["panels", name, "columns"])
            problems.append(f"{path}:{line}: 'panels/{name}/columns' repeats a metric")
        for row, values in panel.published.items():
            for metric in values.keys() - set(panel.columns):
                location = ["panels", name, "published", row, metric]
                problems.append(
                    f"{path}:{_line(root, location)}: '{'/'.join(location)}' is not a column; "
                    f"{nearest(metric, panel.columns)}"
                )
    return problems
