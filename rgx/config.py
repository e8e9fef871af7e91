"""The only door to gin: parse with file and line, build the stages of a cell, know what was read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gin
from gin import config as gin_config
from gin import config_parser

from rgx.bindings import Binding, Text, hidden, unread, variants_in
from rgx.errors import InputError, nearest
from rgx.meta import shapes_only
from rgx.registry import axes, calls_noted, find, variants
from rgx.resources import Resources
from rgx.stage import Stage
from rgx.store.keys import key_of

Known = dict[str, Any]
"""What stages built, by everything that decides it."""


@dataclass
class Cell:
    """The stages a cell needs, parents first, and what each leaves, once it was built.

    unread: what was asked of every row and this one does not read, by place.
    """

    stages: dict[str, Stage] = field(default_factory=dict)
    built: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, Resources] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


class _Delegate(gin_config.ParserDelegate):
    """Gin's own references, with unknown variants told in our words."""

    def __init__(self) -> None:
        super().__init__(skip_unknown=False)


def choose(axis: str, choice: Any, place: str) -> list[str]:
    """Return the gin lines for one axis of a row: a variant's name, or {name: {parameter: value}}."""
    if axis not in axes():
        raise InputError(f"{place}: unknown axis '{axis}': {nearest(axis, axes())}")
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
    lines = [f"{axis.upper()} = @{axis}.{name}()"]
    for parameter, value in (parameters or {}).items():
        if parameter not in variant.parameters:
            offered = nearest(str(parameter), variant.parameters)
            raise InputError(f"{place}: {axis}/{name} has no parameter '{parameter}': {offered}")
        lines.append(f"{axis}.{name}.{parameter} = {value!r}")
    return lines


def _statements(texts: Sequence[Text]) -> Iterator[Binding]:
    for text in texts:
        content = text.text.splitlines()
        parser = config_parser.ConfigParser(text.text, _Delegate())
        while True:
            try:
                statement = next(parser)
            except StopIteration:
                break
            except (SyntaxError, ValueError) as error:
                raise InputError(f"{_syntax_place(text, error)}: {_first_line(error)}") from None
            if isinstance(statement, config_parser.BlockDeclaration):
                continue
            line = statement.location.line_num
            if not isinstance(statement, config_parser.BindingStatement):
                raise InputError(
                    f"{text.place(line)}: imports and includes stand in the sweep file, not in gin"
                )
            source = content[line - 1] if line <= len(content) else ""
            yield Binding(
                statement.scope or "",
                statement.selector,
                statement.arg_name or "",
                statement.value,
                source,
                text.place(line),
                text.asked,
                text.everywhere,
            )


def _syntax_place(text: Text, error: Exception) -> str:
    line = getattr(error, "lineno", None)
    if line is None:
        found = re.search(r"line (\d+)", str(error))
        line = int(found.group(1)) if found else 1
    return text.place(int(line))


def _first_line(error: Exception) -> str:
    message = getattr(error, "msg", None) or str(error)
    found = re.search(r"No configurable matching reference '@([\w./]+?)(?:\(\))?'", str(error))
    if found:
        return f"unknown variant '{found.group(1)}': {nearest(found.group(1), _selectors())}"
    return str(message).strip().splitlines()[0]


def _selectors() -> list[str]:
    return [f"{v.axis}.{v.name}" for v in variants()]


def _check(binding: Binding) -> None:
    if not binding.argument:
        return
    axis, _, name = binding.selector.rpartition(".")
    try:
        variant = find(axis, name)
    except InputError:
        raise InputError(
            f"{binding.place}: unknown binding '{binding.selector}.{binding.argument}': no variant "
            f"'{binding.selector}': {nearest(binding.selector, _selectors())}"
        ) from None
    if binding.argument not in variant.parameters:
        raise InputError(
            f"{binding.place}: {binding.selector} has no parameter '{binding.argument}': "
            f"{nearest(binding.argument, variant.parameters)}"
        )


def _stage(name: str, where: Mapping[tuple[str, str], str]) -> Stage:
    find("stage", name)
    try:
        return gin.get_configurable(f"stage.{name}")()
    except InputError as error:
        raise InputError(_with_place(str(error), where)) from None
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(_with_place(_first_line(error), where)) from None


def _with_place(message: str, where: Mapping[tuple[str, str], str]) -> str:
    found = re.match(r"([\w.]+)\.(\w+) = ", message)
    place = where.get((found.group(1), found.group(2))) if found else None
    head = message.splitlines()[0]
    return f"{place}: {head}" if place else head


def configure_cell(texts: Sequence[Text], targets: Sequence[str]) -> Cell:
    """Parse, and configure every stage that the targets need; nothing is built.

    Raises InputError naming file and line; gin holds no binding afterwards.
    """
    return _configure(texts, targets)[0]


def build_stage(cell: Cell, name: str) -> Any:
    """Return what a stage leaves, built on the current device as far as it was not, and what that takes."""
    if name not in cell.built:
        stage = cell.stages[name]
        try:
            cell.built[name] = stage.build(Parents(cell, stage.parents()))
        except InputError:
            raise
        except (ValueError, RuntimeError, AssertionError, TypeError) as error:
            raise InputError(f"stage {name} cannot be built: {str(error).splitlines()[0]}") from error
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
    build each network once. Raises InputError naming file and line.
    """
    with shapes_only():
        cell, bindings, calls = _configure(texts, targets)
        _build_all(cell, {} if known is None else known)
    used = {name for stage in cell.stages.values() for name in variants_in(stage.identity())}
    for binding, told in (*hidden(bindings, calls), *unread(bindings, used | {"resources/stage"})):
        if not binding.everywhere:
            raise InputError(told)
        cell.unread[binding.place] = told
    return cell


def _build_all(cell: Cell, known: Known) -> None:
    identities: dict[str, str] = {}
    for name, stage in cell.stages.items():
        parents = {parent: identities[parent] for parent in stage.parents()}
        identity = key_of(stage.record, stage.version, parents, stage.fingerprint())
        identities[name] = identity
        if identity in known:
            cell.built[name] = known[identity]
        else:
            known[identity] = build_stage(cell, name)


def _configure(
    texts: Sequence[Text], targets: Sequence[str]
) -> tuple[Cell, list[Binding], list[tuple[list[str], str]]]:
    """Return a configured cell, the bindings of its texts, and every call that configured something."""
    gin.clear_config()
    try:
        bindings = list(_statements(texts))
        where: dict[tuple[str, str], str] = {}
        for binding in bindings:
            _check(binding)
            scope = f"{binding.scope}/" if binding.scope else ""
            if binding.argument:
                key: Any = (binding.scope, binding.selector, binding.argument)
                where[binding.selector, binding.argument] = binding.place
            else:
                key = (f"{scope}{binding.selector}", "gin.macro", "value")
            gin.bind_parameter(key, binding.value)
        cell = Cell()
        with calls_noted() as calls:
            for target in targets:
                _visit(target, cell, where, ())
        return cell, bindings, calls
    finally:
        gin.clear_config()


def _visit(name: str, cell: Cell, where: Mapping[tuple[str, str], str], path: tuple[str, ...]) -> None:
    if name in cell.stages:
        return
    if name in path:
        raise InputError(f"stages need each other in a circle: {' → '.join((*path, name))}")
    stage = _stage(name, where)
    for parent in stage.parents():
        _visit(parent, cell, where, (*path, name))
    cell.stages[name] = stage
    with gin.config_scope(name):
        cell.resources[name] = gin.get_configurable("resources.stage")()
