"""The report file a person writes: which panels, columns and published numbers sweeps are shown with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, field_validator

from rgx.errors import InputError, nearest
from rgx.lookup import folders_around
from rgx.methods import Package, import_method, methods_of
from rgx.registry import REPORT_ROOMS, import_own, variants
from rgx.report.claims import wrong_claims
from rgx.report.figures.base import Figure
from rgx.report.figures.panel_pictures import GIVEN, kind_for, settings_of
from rgx.report.formats.base import make_formats
from rgx.report.panel import Panel, PanelName, Show
from rgx.report.phrase import Wording
from rgx.report.published import resolve
from rgx.yaml_errors import shown
from rgx.yaml_source import Source


class Report(BaseModel):
    """All panels of one sweep, or of several; a panel that names none is of the first."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sweep: str | list[str]
    """The sweep file, or several."""
    method: str | list[str] = []
    """Whose figures and formats it asks for, beside the framework's own; else the project's."""
    panels: dict[PanelName, Panel] = Field(min_length=1)
    """A table each."""
    figures: dict[PanelName, InstanceOf[Figure]] = {}
    """A figure each, of a registered kind."""
    caption: Wording = ""
    """Of all panels as one table."""
    show: Show = Show()
    """Which parts of its tables are printed, where a panel does not say otherwise."""
    combined: Show = Show()
    """The same for all panels as one table, where that differs from the panels' own."""
    budget: str = ""
    """The stage that makes a sample, where each row is to say what its system is and costs."""
    formats: list[str] = Field(default=["latex", "markdown", "csv"], min_length=1)
    """What each table is written in."""

    @field_validator("sweep", mode="before")
    @classmethod
    def _files(cls, given: Any) -> Any:
        files = [given] if isinstance(given, str) else given
        if not isinstance(files, list) or not files or not all(isinstance(file, str) for file in files):
            raise ValueError("expected a sweep file or a list of them")
        if len(set(files)) < len(files):
            raise ValueError("a sweep is given twice")
        return given

    @property
    def sweeps(self) -> list[str]:
        """Return the sweep files as written."""
        return [self.sweep] if isinstance(self.sweep, str) else self.sweep


RESERVED = {"index", "claims", "provenance", "hyperparameters", "report", "combined", "appendix"}


def load(path: Path) -> Report:
    """Read a report file; raises InputError with file, line and the nearest right spelling."""
    source = Source(path, Report.model_fields)
    problems: list[str] = []
    methods = _methods(source)
    kinds = _kinds(methods)
    data = source.data | ({"panels": _panels(source, methods)} if "panels" in source.data else {})
    figures = _figures(data.pop("figures", {}), kinds, source, problems)
    try:
        report = source.parse(Report, data | {"figures": figures})
    except InputError as error:
        raise InputError("\n".join([*problems, str(error)])) from None
    problems += _wrong_names(report, source)
    problems += _wrong_pictures(report, source)
    try:
        make_formats(report.formats)
    except InputError as error:
        problems.append(f"{source.where(['formats'])}: 'formats': {error}")
    for name, figure in figures.items():
        for setting, wrong in figure.wrong(report.panels):
            location = ["figures", name, setting]
            problems.append(f"{source.where(location)}: '{'/'.join(location)}': {wrong}")
    if problems:
        raise InputError("\n".join(problems))
    panels = {
        name: panel.model_copy(update={"show": panel.show.over(report.show)})
        for name, panel in report.panels.items()
    }
    return report.model_copy(update={"panels": panels})


def _panels(source: Source, methods: list[Package]) -> Any:
    """Return the panels as written, with the published numbers that they refer to."""
    panels = source.data.get("panels")
    if not isinstance(panels, dict):
        return panels
    folders = folders_around(source.path, methods)
    return {
        name: resolve(panel, str(name), source, folders) if isinstance(panel, dict) else panel
        for name, panel in panels.items()
    }


def _methods(source: Source) -> list[Package]:
    given = source.data.get("method", [])
    names = given if isinstance(given, list) else [given]
    return methods_of([str(name) for name in names], source.path, source.where(["method"]))


def _kinds(methods: list[Package]) -> dict[str, type[Figure]]:
    """Return the kinds of figures of the framework and of the report's methods; raises InputError."""
    import_own(REPORT_ROOMS)
    for package in methods:
        import_method(package, figures_only=True)
    return {variant.name: variant.cls for variant in variants("figure")}


def _figures(
    given: Any, kinds: dict[str, type[Figure]], source: Source, problems: list[str]
) -> dict[str, Figure]:
    """Build the figures that can be built, and say of the others what is wrong."""
    if not isinstance(given, dict):
        problems.append(
            f"{source.where(['figures'])}: 'figures' is {shown(given)}, expected names with a kind"
        )
        return {}
    figures: dict[str, Figure] = {}
    for name, settings in given.items():
        under = ["figures", str(name)]
        kind = settings.get("kind") if isinstance(settings, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            problems.append(_no_kind(settings, under, kinds, source))
            continue
        values = {key: value for key, value in settings.items() if key != "kind"}
        try:
            figures[name] = source.parse(kinds[kind], values, under)
        except InputError as error:
            problems.append(str(error))
    return figures


def _no_kind(settings: Any, under: list[str], kinds: Iterable[str], source: Source) -> str:
    """Say that a figure has no kind that there is: the key is misspelt, absent, or its value is another."""
    if not isinstance(settings, dict):
        return (
            f"{source.where(under)}: '{'/'.join(under)}' is {shown(settings)}, expected a mapping with a kind"
        )
    wanted = [key for key in settings if nearest(key, ["kind"]).startswith("did")]
    if "kind" not in settings and wanted:
        key = f"unknown key '{'/'.join([*under, wanted[0]])}'; did you mean 'kind'?"
        return f"{source.where([*under, wanted[0]])}: {key}"
    place, kind = source.where([*under, "kind"]), settings.get("kind")
    return f"{place}: '{'/'.join(under)}/kind' is {shown(kind)}; {nearest(str(kind or ''), kinds)}"


def _wrong_pictures(report: Report, source: Source) -> Iterator[str]:
    """Say of each panel's settings of its pictures what is wrong with them."""
    for name, panel in report.panels.items():
        if not panel.pictures_settings:
            continue
        under = ["panels", name, "pictures_settings"]
        kind = kind_for(panel.pictures)
        if kind is None:
            said = f"no kind of figure shows pictures of '{panel.pictures}'"
            yield f"{source.where(under)}: '{'/'.join(under)}': {said}"
            continue
        for own in GIVEN & set(panel.pictures_settings):
            yield f"{source.where([*under, own])}: '{'/'.join([*under, own])}': '{own}' is given by the panel"
        try:
            figure = source.parse(kind, settings_of(name, panel), under)
        except InputError as error:
            yield str(error)
            continue
        for setting, wrong in figure.wrong(report.panels):
            yield f"{source.where([*under, setting])}: '{'/'.join([*under, setting])}': {wrong}"


def _wrong_names(report: Report, source: Source) -> Iterator[str]:
    """Say of each name that the report's own files have, is no column, or is written twice, what is wrong."""
    for kind, names in {"panels": list(report.panels), "figures": list(report.figures)}.items():
        for name in names:
            if name.lower() in RESERVED or name.endswith(("-pictures", "-effects")):
                where = source.where([kind, name])
                yield f"{where}: '{kind}/{name}': a report has files of that name; choose another"
    for name, panel in report.panels.items():
        if panel.sweep is not None and panel.sweep not in report.sweeps:
            where = source.where(["panels", name, "sweep"])
            yield (
                f"{where}: 'panels/{name}/sweep' is not among the report's sweeps; "
                f"{nearest(panel.sweep, report.sweeps)}"
            )
        for location, said in panel.wrong():
            place = ["panels", name, *location]
            yield f"{source.where(place)}: '{'/'.join(place)}' {said}"
        for number, column in enumerate(panel.measured_alike):
            if column not in panel.columns:
                where = source.where(["panels", name, "measured_alike", number])
                yield f"{where}: 'panels/{name}/measured_alike': {nearest(column, panel.columns)}"
        for sentence, wrong in wrong_claims(panel):
            where = source.where(["panels", name, "claims", sentence])
            yield f"{where}: 'panels/{name}/claims/{sentence}': {wrong}"
