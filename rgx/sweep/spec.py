"""The sweep file: what a user writes, checked, with the line of everything in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rgx.config import Text, choose, gin_value
from rgx.errors import InputError, nearest
from rgx.lookup import find_file, find_given, folders_around, is_carried
from rgx.methods import find_package, import_method, is_package, methods_of
from rgx.plugins import find_plugin, load_plugin, plugin_file
from rgx.registry import import_own, variants
from rgx.statements import asked_texts
from rgx.sweep.factors import expand
from rgx.sweep.row import Row, row_text
from rgx.sweep.run_name import run_name
from rgx.sweep.search.file import SearchFile, SearchName
from rgx.sweep.search.spec import Search, make_search, refuse_clashes
from rgx.sweep.tasks import CodeOrigin, Plugins
from rgx.text_file import read_text
from rgx.yaml_source import Source

__all__ = ["Overrides", "Row", "Sweep", "SweepFile", "read_sweep"]


class SweepFile(BaseModel):
    """The fields of a sweep file."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    method: str | list[str] = []
    """Packages whose variants it is made of; else the project's."""
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    """What its run stands under in a store."""
    config: list[str] = Field(min_length=1)
    """Gin files of the full model; a later one wins."""
    scale: str | None = None
    """A file of gin/scale."""
    seeds: list[int] = Field(default=[0], min_length=1)
    """Every row is run at each."""
    imports: list[str] = []
    """Files of variants of one's own."""
    targets: dict[str, list[str]] = {}
    """Panel, or panel/row, → the last stages of it where they are not the usual, or not its panel's."""
    seed_scope: dict[str, str] = {}
    """Panel → the stage that a seed repeats with all that follow it, where not the whole pipeline."""
    bind: dict[str, Any] = {}
    """Gin bindings, over every row."""
    panels: dict[str, dict[str, dict[str, Any]]] = {}
    """Panel → row → what differs in it from the full model: axes, and bindings, which have a dot."""
    search: dict[SearchName, SearchFile] = {}
    """Searches by dev, each a panel of trials."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        double = sorted({s for s in seeds if seeds.count(s) > 1})
        if double:
            raise ValueError(f"the seed {double[0]} is given twice")
        return seeds

    @model_validator(mode="after")
    def _asks_something(self) -> SweepFile:
        if not (self.panels or self.search):
            raise ValueError("expected panels, search or both")
        return self


@dataclass(frozen=True)
class Sweep:
    """A checked sweep file under what the command line put over it, `overrides`; name: its run's."""

    name: str
    path: Path
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    origin: CodeOrigin = field(default_factory=CodeOrigin)
    searches: tuple[Search, ...] = ()
    overrides: Overrides = field(default_factory=lambda: Overrides())


@dataclass
class Overrides:
    """What the command line changes: axis choices, bindings, scale, seeds, rows and imports."""

    choices: dict[str, str] = field(default_factory=dict)
    bindings: list[str] = field(default_factory=list)
    scale: str | None = None
    seeds: list[int] | None = None
    only: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)

    @property
    def written(self) -> tuple[str, ...]:
        """Return what makes a run another than the file as written: choices, bindings and scale."""
        choices = [f"{axis}={name}" for axis, name in self.choices.items()]
        return (*choices, *self.bindings, *([f"scale={self.scale}"] if self.scale else []))


def read_sweep(path: Path, overrides: Overrides | None = None) -> Sweep:
    """Return a sweep file's content under the overrides; raises InputError with file and line."""
    overrides = overrides or Overrides()
    path = find_given(path, "sweep file")
    source, file = _parsed(path)
    seeds = overrides.seeds if overrides.seeds is not None else file.seeds
    if len(set(seeds)) != len(seeds):
        raise InputError(f"--seeds {','.join(map(str, seeds))}: a seed is given twice")
    origin, usual = _origin(file, overrides, source)
    targets = _targets(file, usual, source)
    for panel in file.seed_scope.keys() - file.panels.keys():
        place = source.where(("seed_scope", panel))
        raise InputError(f"{place}: seed_scope: no panel '{panel}': {nearest(panel, file.panels)}")
    shared = _shared_texts(file, overrides, origin, source)
    asked = _command_line(overrides)
    rows = []
    places: dict[str, str] = {}
    for panel, members in file.panels.items():
        for row, choices, spot in expand(panel, members, source):
            place, key = source.where(spot), f"{panel}/{row}"
            if places.setdefault(key, place) is not place:
                raise InputError(
                    f"{place}: the row '{key}' is written twice; the first stands at {places[key]}"
                )
            if overrides.only and not any(o in (panel, key) for o in overrides.only):
                continue
            texts = (*shared, _row_text(choices, spot, source), *asked)
            last = targets.get(key, targets[panel])
            rows.append(Row(panel, row, texts, last, file.seed_scope.get(panel, ""), file.seeds[0]))
    for name in file.targets.keys() - file.panels.keys() - places.keys():
        place = source.where(("targets", name))
        raise InputError(f"{place}: targets: no row '{name}': {nearest(name, places)}")
    refuse_clashes(file.search, file.panels, source)
    searches = [
        make_search(
            name, search, (*shared, _row_text(search.row, ("search", name, "row"), source)), asked, source
        )
        for name, search in file.search.items()
        if not overrides.only or name in overrides.only
    ]
    if not (rows or searches or overrides.only):
        raise InputError(f"{source.where(('panels',))}: panels: there is no row in them")
    for name in overrides.only:
        every = [*file.panels, *file.search, *places]
        if name not in every:
            raise InputError(f"--only {name}: no such row or panel: {nearest(name, every)}")
    run = run_name(file.name, overrides.written)
    return Sweep(run, path, tuple(seeds), tuple(rows), origin, tuple(searches), overrides)


def run_of(path: Path, overrides: Overrides) -> str:
    """Return the name that a run of a sweep file stands under; raises InputError as `read_sweep` does."""
    _, file = _parsed(find_given(path, "sweep file"))
    return run_name(file.name, overrides.written)


def _parsed(path: Path) -> tuple[Source, SweepFile]:
    """Return a sweep file's source and fields; raises InputError, also for a report file in its place."""
    source = Source(path, SweepFile.model_fields)
    if "sweep" in source.data and not {"name", "config"} & source.data.keys():
        shown = source.data["sweep"]
        of = f", here {shown}" if isinstance(shown, str) else ""
        raise InputError(
            f"{source.where(('sweep',))}: found a report file, expected the sweep file that it shows{of}"
        )
    return source, source.parse(SweepFile)


def _origin(file: SweepFile, overrides: Overrides, source: Source) -> tuple[CodeOrigin, tuple[str, ...]]:
    """Import every method and file the sweep names; returns them, and the methods' usual targets.

    Raises InputError for one that is not found, cannot be imported, or registers a name that is taken.
    """
    import_own()
    near = source.path.parent
    imports = [*file.imports, *overrides.imports]
    packages = [name for name in imports if is_package(name, near)]
    methods = methods_of(file.method, source.path, source.where(("method",)))
    methods += [find_package(name, near, f"import {name}") for name in packages]
    usual: list[str] = []
    for package in dict.fromkeys(methods):
        usual += import_method(package).targets
    plugins, files = _plugins([name for name in imports if name not in packages], near)
    return CodeOrigin(tuple(dict.fromkeys(methods)), plugins, files), tuple(dict.fromkeys(usual))


def _plugins(names: list[str], near: Path) -> tuple[Plugins, tuple[tuple[str, Path], ...]]:
    """Load single files of variants; returns their names with their source, and where each lies.

    Raises InputError for two of one name, since the second would take the place of the first.
    """
    files: dict[str, Path] = {}
    for name in names:
        module, path = plugin_file(name, near)
        if files.setdefault(module, path) != path:
            raise InputError(f"two imports are named {module}: {files[module]} and {path}; rename one")
    plugins = tuple(dict.fromkeys(find_plugin(name, near) for name in names))
    for module, source in plugins:
        load_plugin(module, source, files[module])
    return plugins, tuple(files.items())


def _targets(file: SweepFile, usual: tuple[str, ...], source: Source) -> dict[str, tuple[str, ...]]:
    """Return the last stages of each panel, and of the rows that have their own, by panel/row.

    Raises InputError for an unknown panel or stage, or for none. usual: those of a panel that names none.
    """
    stages = [variant.name for variant in variants("stage")]
    for owner, names in file.targets.items():
        place = source.where(("targets", owner))
        if not any(owner == panel or owner.startswith(f"{panel}/") for panel in file.panels):
            raise InputError(f"{place}: targets: no panel '{owner}': {nearest(owner, file.panels)}")
        unknown = [name for name in names if name not in stages]
        if unknown or not names:
            fault = f"unknown stage '{unknown[0]}': {nearest(unknown[0], stages)}" if unknown else "no stage"
            raise InputError(f"{place}: targets of {owner}: {fault}")
    targets = dict.fromkeys(file.panels, usual) | {owner: tuple(own) for owner, own in file.targets.items()}
    for panel in file.panels:
        if not targets[panel]:
            raise InputError(
                f"{source.where(('panels', panel))}: panel {panel} has no targets and its method names none; "
                f"expected `targets: {{{panel}: [stage]}}`, with stages of {', '.join(stages)}"
            )
    return targets


def _row_text(choices: dict[str, Any], spot: tuple[str, ...], source: Source) -> Text:
    flat: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, choice in choices.items():
        if name == "bind" and not isinstance(choice, dict):
            raise InputError(
                f"{source.where((*spot, name))}: bind: found {choice!r}, expected binding: value"
            )
        for bound, value in (choice if name == "bind" else {name: choice}).items():
            place = source.where((*spot, name, bound) if name == "bind" else (*spot, name))
            if bound in flat:
                raise InputError(f"{place}: '{bound}' is written twice; the first stands at {places[bound]}")
            flat[bound], places[bound] = value, place
    return row_text(flat, places, str(source.path))


def _shared_texts(file: SweepFile, overrides: Overrides, origin: CodeOrigin, source: Source) -> list[Text]:
    """Return the gin of every row, the weakest first: the methods' files, the scale, one's own, `bind`."""
    folders = folders_around(source.path, origin.methods)
    shipped: list[Text] = []
    own: list[Text] = []
    for index, name in enumerate(file.config):
        path = find_file(name, folders, f"{source.where(('config', index))}: no gin file {name}")
        carried = is_carried(path, origin.methods)
        (shipped if carried else own).append(Text(read_text(path), name, everywhere=not carried))
    scale = overrides.scale or file.scale
    if scale:
        name = f"gin/scale/{scale}.gin"
        where = "--scale" if overrides.scale else source.where(("scale",))
        path = find_file(name, folders, f"{where}: no gin file {name}")
        shipped.append(Text(read_text(path), name, scale=True))
    if file.bind:
        places = {name: source.where(("bind", name)) for name in file.bind}
        bound = [f"{name} = {gin_value(value, places[name])}" for name, value in file.bind.items()]
        own.append(Text("\n".join(bound), str(source.path), lines=tuple(places.values()), everywhere=True))
    return [*shipped, *own]


def _command_line(overrides: Overrides) -> list[Text]:
    texts = []
    for axis, name in overrides.choices.items():
        place = f"--set {axis}={name}"
        added = choose(axis, name, place)
        lines = (place,) * len(added)
        texts.append(Text("\n".join(added), place, asked=True, lines=lines, everywhere=True))
    return [*texts, *asked_texts(overrides.bindings)]
