"""Gin bound: the stages of a cell built from its texts, and what of them was read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gin

from rgx.bindings import (
    Binding,
    Text,
    hidden,
    hidden_in_scopes,
    overridden,
    unread,
    variants_in,
)
from rgx.bound import configured, holding, refused
from rgx.errors import InputError, nearest
from rgx.lines import Lines, told_of
from rgx.meta import shapes_only
from rgx.outside import readers_noted, refuse_absences
from rgx.registry import Calls, axes, calls_noted, find
from rgx.resources import Resources
from rgx.stage import Stage
from rgx.store.keys import key_of
from rgx.yaml_values import Written

Known = dict[str, tuple[Any, list[str]]]
"""What stages built and what they say there is too little of, by everything that decides it."""


@dataclass
class Cell:
    """The stages a cell needs, parents first, and what each leaves, once it was built.

    unread, unread_lines: what the command line, and what the sweep's files ask of every row and this one
    does not read, by place; overridden: the written lines that others override; remarks: what is too little
    for its stages, once they are built.
    """

    stages: dict[str, Stage] = field(default_factory=dict)
    built: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Resources] = field(default_factory=dict)
    lines: Lines = field(default_factory=lambda: Lines([]))
    unread: dict[str, str] = field(default_factory=dict)
    unread_lines: dict[str, str] = field(default_factory=dict)
    overridden: list[str] = field(default_factory=list)
    remarks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def left_out(self) -> dict[str, dict[str, Any]]:
        """Return by stage what changes nothing, and is in no record therefore; stages without it apart."""
        neutral = {name: stage.record.neutral() for name, stage in self.stages.items()}
        return {name: parts for name, parts in neutral.items() if parts}


def choose(axis: str, choice: Any, place: str) -> list[str]:
    """Return the gin lines for one axis of a row: a variant's name, {name: {parameter: value}}, or a list."""
    if axis not in axes():
        raise InputError(f"{place}: unknown axis '{axis}': {nearest(axis, axes())}")
    several = isinstance(choice, list)
    names, lines = [], []
    for entry in choice if several else [choice]:
        name, bound = _chosen(axis, entry, place)
        if name in names:
            raise InputError(f"{place}: {axis}: '{name}' is listed twice")
        names.append(name)
        lines += bound
    references = ", ".join(f"@{axis}.{name}()" for name in names)
    return [f"{axis.upper()} = {f'[{references}]' if several else references}", *lines]


def _chosen(axis: str, choice: Any, place: str) -> tuple[str, list[str]]:
    """Return the name of the variant that a choice is of, and the gin lines of its parameters."""
    if isinstance(choice, Mapping):
        if len(choice) != 1:
            raise InputError(f"{place}: {axis}: expected one variant, found {', '.join(map(str, choice))}")
        name, parameters = next(iter(choice.items()))
    else:
        name, parameters = choice, {}
    name = "none" if name is None else str(name)
    try:
        variant = find(axis, name)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    if parameters is not None and not isinstance(parameters, Mapping):
        raise InputError(f"{place}: {axis}/{name}: expected parameters as a mapping, found {parameters!r}")
    lines = []
    for parameter, value in (parameters or {}).items():
        if parameter not in variant.bindable:
            raise InputError(f"{place}: {axis}/{name} {refused(variant, str(parameter))}")
        lines.append(f"{axis}.{name}.{parameter} = {gin_value(value, place)}")
    return name, lines


def gin_value(value: Any, place: str) -> str:
    """Return a plain value as gin writes it; raises InputError for a number that is none."""
    if isinstance(value, dict):
        pairs = (f"{gin_value(key, place)}: {gin_value(inner, place)}" for key, inner in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(gin_value(inner, place) for inner in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{place}: found {value}, expected a finite number")
    if isinstance(value, Written) and value.whole is not None:
        return str(value.whole)
    return repr(value)


def configure_cell(texts: Sequence[Text], targets: Sequence[str]) -> Cell:
    """Parse, and configure every stage that the targets need; nothing is built.

    Raises InputError naming file and line; gin holds no binding afterwards.
    """
    return _configure(texts, targets)[0]


def build_stage(cell: Cell, name: str) -> Any:
    """Return what a stage leaves, built on the current device as far as it was not, and what that takes."""
    if name not in cell.built:
        stage = cell.stages[name]
        with told_of(name, "be built", cell.lines):
            cell.built[name] = stage.build(Parents(cell, stage.parents()))
    return cell.built[name]


class Parents(Mapping[str, Any]):
    """What the parents of a stage leave, each built when it is looked at."""

    def __init__(self, cell: Cell, names: Sequence[str]) -> None:
        self.cell, self.names = cell, names

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        return build_stage(self.cell, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def build_cell(texts: Sequence[Text], targets: Sequence[str]) -> Cell:
    """Configure every stage the targets need and build each on the current device; raises InputError."""
    cell = configure_cell(texts, targets)
    for name in cell.stages:
        build_stage(cell, name)
    return cell


def plan_cell(texts: Sequence[Text], targets: Sequence[str], known: Known | None = None) -> Cell:
    """Build a cell on the meta device, and refuse what was bound for nothing: the pre-flight of a sweep.

    known: what equal stages of other cells built, taken over and added to, so that a thousand cells
    build each network once. Raises InputError naming file and line, AbsentError with all that its variants
    want from outside and do not find.
    """
    refusal = None
    with shapes_only(), readers_noted() as readers:
        cell, bindings, calls = _configure(texts, targets)
        try:
            _build_all(cell, {} if known is None else known)
        except InputError as error:
            refusal = error
    refuse_absences(readers, cell.lines.where, refusal)
    cell.overridden += [*overridden(bindings), *hidden_in_scopes(bindings, calls)]
    used = {"resources/stage"}
    for name, stage in cell.stages.items():
        with told_of(name, "say its identity"):
            used |= {*variants_in(stage.identity()), *variants_in(stage.record.left_out)}
    for binding, message in (*hidden(bindings, calls), *unread(bindings, used)):
        if not binding.everywhere:
            raise InputError(message)
        (cell.unread if binding.asked else cell.unread_lines).setdefault(binding.place, message)
    return cell


def _build_all(cell: Cell, known: Known) -> None:
    identities: dict[str, str] = {}
    for name, stage in cell.stages.items():
        parents = {parent: identities[parent] for parent in stage.parents()}
        with told_of(name, "say its fingerprint"):
            identity = key_of(stage.record, stage.version, parents, stage.fingerprint())
        identities[name] = identity
        if identity in known:
            cell.built[name], cell.remarks[name] = known[identity]
        else:
            known[identity] = build_stage(cell, name), _remarks(cell, name)
            cell.remarks[name] = known[identity][1]


def _remarks(cell: Cell, name: str) -> list[str]:
    """Return what a stage says there is too little of; raises InputError for what are no sentences."""
    stage = cell.stages[name]
    remarks: object = stage.remarks(Parents(cell, stage.parents()))
    if not isinstance(remarks, list) or not all(isinstance(remark, str) for remark in remarks):
        raise InputError(f"stage {name}: remarks() returned {remarks!r}, expected a list of sentences")
    return remarks


def _configure(texts: Sequence[Text], targets: Sequence[str]) -> tuple[Cell, list[Binding], Calls]:
    """Return a configured cell, the bindings of its texts, and every call that configured something."""
    with holding(texts) as lines:
        cell = Cell(lines=lines)
        with calls_noted() as calls:
            for target in targets:
                _visit(target, cell, lines, calls, ())
        return cell, lines.bindings, calls


def _visit(name: str, cell: Cell, lines: Lines, calls: Calls, path: tuple[str, ...]) -> None:
    if name in cell.stages:
        return
    if name in path:
        raise InputError(f"stages need each other in a circle: {' → '.join((*path, name))}")
    find("stage", name)
    stage = configured(f"stage.{name}", lines, calls)
    with told_of(name, "say its parents"):
        parents = stage.parents()
    for parent in parents:
        _visit(parent, cell, lines, calls, (*path, name))
    cell.stages[name] = stage
    with gin.config_scope(name):
        resources = configured("resources.stage", lines, calls)
    if not stage.trains:
        with told_of(name, "share its work", lines):
            resources.refuse_sharing(name)
    cell.resources[name] = resources
