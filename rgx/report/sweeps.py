"""The sweeps a report draws on, read as one: each panel has its rows from one of them."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.lookup import NoFileError, find_file, folders_around
from rgx.methods import methods_of
from rgx.plugins import plugin_file
from rgx.report import results
from rgx.report.definition import Report, load
from rgx.report.results import Results
from rgx.store.records import Run
from rgx.store.runs import read_run
from rgx.store.source import Sources
from rgx.sweep.run_name import sweep_of
from rgx.yaml_source import Source


def read(report: Report, report_file: Path, store: Path, run: str | None = None) -> Results:
    """Return the numbers of all the report's sweeps, under the report's name where there are several.

    A panel that the report does not show is that of the first sweep which has it. run: the name of an
    overridden run, in the place of its sweep. Raises InputError for two sweeps of one name, for a run of
    none of them, and for a record or a manifest that cannot be read.
    """
    shown = names(report, report_file, run)
    records = {file: read_run(store, name) for file, name in shown.items()}
    for file, record in records.items():
        here = places_at_hand(file, report_file, report.method)
        beside = itertools.product(record.places.keys() - here.keys(), {*here.values()})
        here |= {top: folder for top, folder in beside if Sources(roots={top: Path(folder)}).file(top)}
        records[file] = record.model_copy(update={"places": record.places | here})
    if len(records) == 1:
        return results.numbers(store, next(iter(records.values())))
    owners: dict[str, Run] = {}
    for record in records.values():
        for row in record.rows:
            owners.setdefault(row.panel, record)
    for name, panel in report.panels.items():
        owners[name] = records[panel.sweep or report.sweeps[0]]
    rows = [row for record in records.values() for row in record.rows if owners[row.panel] is record]
    seeds = sorted({seed for record in records.values() for seed in record.seeds})
    title = report_file.stem + (run or "").removeprefix(sweep_of(run or ""))
    variants = {
        variant: modules for record in records.values() for variant, modules in record.variants.items()
    }
    places = {top: place for record in records.values() for top, place in record.places.items()}
    every = Run(name=title, seeds=seeds, rows=rows, variants=variants, places=places)
    return results.numbers(store, every, owners)


def check(report_file: Path, run: str | None = None) -> None:
    """Raise InputError, with file and line, for a report file that could not be shown once its sweeps ran."""
    names(load(report_file), report_file, run)


def names(report: Report, report_file: Path, run: str | None = None) -> dict[str, str]:
    """Return, for each sweep file, the name its run stands under: the one the sweep gives itself, or `run`.

    Raises InputError for a name given twice, and for a run of none of the sweeps.
    """
    given = {file: sweep_name(file, report_file, report.method) for file in report.sweeps}
    first: dict[str, str] = {}
    for number, (file, name) in enumerate(given.items()):
        if first.setdefault(name, file) != file:
            where = Source(report_file, Report.model_fields).where(["sweep", number])
            raise InputError(f"{where}: '{first[name]}' and '{file}' are both named '{name}'")
    if run is not None and sweep_of(run) not in first:
        raise InputError(f"--run {run}: this report shows no run of '{sweep_of(run)}': {nearest(run, first)}")
    return {file: run if run and sweep_of(run) == name else name for file, name in given.items()}


def sweep_name(file: str, report_file: Path, method: str | list[str]) -> str:
    """Return the name a sweep gives itself, or its file's stem where the file is not at hand."""
    source = _source(file, report_file, method)
    name = source.data.get("name") if source is not None else None
    return name if isinstance(name, str) else Path(file).stem


def places_at_hand(file: str, report_file: Path, method: str | list[str]) -> dict[str, str]:
    """Return the folder of each package and single file of a sweep's variants that lies where it looks first.

    A run's record says where they lay then; a project may have been copied or moved since.
    """
    packages = methods_of(method, report_file, str(report_file))
    if (source := _source(file, report_file, method)) is None:
        return {package.name.partition(".")[0]: package.folder for package in packages}
    with contextlib.suppress(InputError):
        packages = [*packages, *methods_of(source.data.get("method") or [], source.path, file)]
    places = {package.name.partition(".")[0]: package.folder for package in packages}
    imports = source.data.get("imports")
    for name in imports if isinstance(imports, list) else []:
        with contextlib.suppress(InputError):
            module, path = plugin_file(str(name), source.path.parent)
            places[module] = str(path.parent)
    return places


def _source(file: str, report_file: Path, method: str | list[str]) -> Source | None:
    """Return a sweep file as it is written, or None where it is not at hand."""
    folders = folders_around(report_file, methods_of(method, report_file, str(report_file)))
    try:
        return Source(find_file(file, folders, "no sweep"), ["name", "method", "imports"])
    except NoFileError:
        return None
