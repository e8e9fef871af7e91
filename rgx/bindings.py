"""Gin text with its places, and the bindings in it that change nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rgx.errors import nearest

Calls = Sequence[tuple[list[str], str]]
"""The scopes and the selector, such as `training.adamw`, of everything that was built."""
Key = tuple[str, str, str]
"""What a binding binds: scope, selector and argument."""
Told = tuple["Binding", str]
"""A binding that changes nothing, and what to say of it."""


@dataclass(frozen=True)
class Text:
    """Some gin text and where it stands; `asked` marks what a row or the command line bound.

    everywhere: a person wrote it for every row at once, so it is enough that one of them reads it.
    scale: it is a scale file, which may bind what nothing reads, and whose overridden lines are told.
    """

    text: str
    where: str
    asked: bool = False
    lines: tuple[str, ...] = ()
    everywhere: bool = False
    scale: bool = False

    def place(self, line: int) -> str:
        """Return file:line of a line counted from 1."""
        return self.lines[line - 1] if line <= len(self.lines) else f"{self.where}:{line}"


@dataclass(frozen=True)
class Binding:
    """One line of gin: scope/selector.argument = value, or a macro where there is no argument.

    refers: what the value names, such as %STEPS or axis.variant; head: where its scope and selector stand,
    in a block not its own line.
    """

    scope: str
    selector: str
    argument: str
    value: Any
    source: str
    place: str
    asked: bool
    everywhere: bool
    refers: tuple[str, ...] = ()
    scale: bool = False
    head: str = ""

    @property
    def written(self) -> bool:
        """Whether it has to have an effect: a person wrote it for this sweep."""
        return self.asked or self.everywhere

    @property
    def name(self) -> str:
        """What it is called in messages."""
        scope = f"{self.scope}/" if self.scope else ""
        return f"{scope}{self.selector}.{self.argument}" if self.argument else self.source.strip()

    @property
    def key(self) -> Key:
        """What it binds: of two with one key the later counts."""
        return self.scope, self.selector, self.argument

    @property
    def line(self) -> str:
        """Its place and what stands there."""
        written = self.source.strip()
        return self.place if written in self.place else f"{self.place} '{written}'"

    @property
    def macro(self) -> str:
        """The name under which a macro is used."""
        return f"{self.scope}/{self.selector}" if self.scope else self.selector


def hidden(bindings: Sequence[Binding], calls: Calls) -> Iterator[Told]:
    """Yield each written binding in whose scope nothing is built, or that closer scopes hide everywhere."""
    last = {binding.key: binding for binding in bindings}
    for binding in bindings:
        scopes = [scope for scope, selector in calls if selector == binding.selector]
        if not (binding.written and binding.argument and scopes):
            continue
        reached = {outer for scope in scopes for outer in _around(scope)}
        if binding.scope not in reached:
            plain = f"did you mean '{binding.selector}.{binding.argument}'?"
            near = nearest(binding.scope, reached - {""}) if reached != {""} else plain
            place = binding.head or binding.place
            yield binding, f"{place}: nothing in this cell reads '{binding.name}': {near}"
            continue
        winners = _winners(binding, scopes, last)
        if last[binding.key] not in winners:
            closer = ", ".join(sorted(f"{w.name} ({w.place})" for w in winners))
            yield binding, f"{binding.place}: nothing reads '{binding.name}' here: it is hidden by {closer}"


def hidden_in_scopes(bindings: Sequence[Binding], calls: Calls) -> Iterator[str]:
    """Yield what is to be said of each written binding that others of closer scopes hide, and where."""
    last = {binding.key: binding for binding in bindings}
    for binding in last.values():
        if binding.written and binding.argument:
            scopes = [scope for scope, selector in calls if selector == binding.selector]
            for closer in _winners(binding, scopes, last):
                if closer is not binding:
                    yield f"{binding.line} in scope {closer.scope} by {closer.line}"


def _around(scope: Sequence[str]) -> list[str]:
    """Return a scope and those around it, the widest first."""
    return ["/".join(scope[:depth]) for depth in range(len(scope) + 1)]


def _winners(binding: Binding, scopes: Iterable[Sequence[str]], last: Mapping[Key, Binding]) -> list[Binding]:
    """Return what is read in the scopes that a binding reaches: itself, or those of closer scopes."""
    winners: dict[Key, Binding] = {}
    for scope in scopes:
        around = _around(scope)
        if binding.scope in around:
            keys = [(outer, binding.selector, binding.argument) for outer in around]
            closest = [last[key] for key in keys if key in last][-1]
            winners[closest.key] = closest
    return list(winners.values())


def overridden(bindings: Sequence[Binding]) -> Iterator[str]:
    """Yield what is to be said of each line, a person's or of a scale, that a later one overrides."""
    last = {binding.key: binding for binding in bindings}
    for binding in bindings:
        if (binding.written or binding.scale) and last[binding.key] is not binding:
            yield f"{binding.line} by {last[binding.key].line}"


def unread(bindings: Sequence[Binding], used: set[str]) -> Iterator[Told]:
    """Yield each written binding that no stage of a cell reads; used: the variants its stages are made of."""
    read = [b for b in bindings if b.argument and b.selector.replace(".", "/") in used]
    macros = {f"%{b.macro}": b for b in bindings if not b.argument}
    known: set[str] = set()
    frontier = {name for binding in read for name in binding.refers}
    while frontier:
        known |= frontier
        frontier = {more for name in frontier if name in macros for more in macros[name].refers} - known
    last = {binding.key: binding for binding in bindings}
    for binding in bindings:
        if not binding.written or (last[binding.key] is not binding and not binding.asked):
            continue
        chosen = [] if binding.argument else [name for name in binding.refers if not name.startswith("%")]
        selector = chosen[0] if chosen else binding.selector
        named = bool(binding.argument) or f"%{binding.macro}" in known
        if named and (selector.replace(".", "/") in used or not (chosen or binding.argument)):
            continue
        message = f"nothing in this cell reads '{binding.name}'; the row would train the same model"
        near = "" if named else f": {nearest(binding.macro, [name[1:] for name in known if name[0] == '%'])}"
        yield binding, f"{binding.place}: {message}{near}"


def variants_in(record: Any) -> Iterator[str]:
    """Yield the key of every variant in a record, those it leaves out included."""
    if isinstance(record, Mapping):
        if "variant" in record:
            yield str(record["variant"])
        for value in (*record.values(), *getattr(record, "left_out", {}).values()):
            yield from variants_in(value)
    elif isinstance(record, list):
        for value in record:
            yield from variants_in(value)


def valueless(name: str, bindings: Sequence[Binding]) -> str:
    """Say that a macro is used and never bound, where, and which was perhaps meant."""
    users = [b for b in bindings if f"%{name}" in b.refers]
    place = f"{users[-1].place}: " if users else ""
    bound = [b.macro for b in bindings if not b.argument]
    return f"{place}%{name} has no value: bind {name} = …; {nearest(name, bound)}"


def circle(bindings: Sequence[Binding]) -> str | None:
    """Say which values need each other in a circle, or return None where none do."""
    refers: dict[str, dict[str, Binding]] = {}
    for binding in bindings:
        owner = binding.selector if binding.argument else f"%{binding.macro}"
        if not binding.argument:
            refers[owner] = {}
        refers.setdefault(owner, {}).update(dict.fromkeys(binding.refers, binding))

    def walk(name: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in path:
            return (*path[path.index(name) :], name)
        circles = (walk(other, (*path, name)) for other in refers.get(name, ()))
        return next((ring for ring in circles if ring), None)

    for name in refers:
        if names := walk(name, ()):
            edges = [refers[owner][other] for owner, other in pairwise(names)]
            latest = next(binding for binding in reversed(bindings) if binding in edges)
            return f"{latest.place}: values need each other in a circle: {' → '.join(names)}"
    return None
