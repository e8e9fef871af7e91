"""Gin text with its places, and the bindings in it that change nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rgx.errors import nearest

Told = tuple["Binding", str]
"""A binding that changes nothing, and what to say of it."""


@dataclass(frozen=True)
class Text:
    """Some gin text and where it stands; `asked` marks what a cell or the command line bound.

    everywhere: asked of every row at once, so it is enough that one of them reads it.
    """

    text: str
    where: str
    asked: bool = False
    lines: tuple[str, ...] = ()
    everywhere: bool = False

    def place(self, line: int) -> str:
        """Return file:line of a line counted from 1."""
        return self.lines[line - 1] if line <= len(self.lines) else f"{self.where}:{line}"


@dataclass(frozen=True)
class Binding:
    """One line of gin: scope/selector.argument = value, or a macro where there is no argument."""

    scope: str
    selector: str
    argument: str
    value: Any
    source: str
    place: str
    asked: bool
    everywhere: bool

    @property
    def name(self) -> str:
        """What it is called in messages."""
        scope = f"{self.scope}/" if self.scope else ""
        return f"{scope}{self.selector}.{self.argument}" if self.argument else self.source.strip()


def hidden(bindings: Sequence[Binding], calls: Sequence[tuple[list[str], str]]) -> Iterator[Told]:
    """Yield each asked binding in whose scope nothing is built, or that closer scopes hide everywhere.

    calls: the scopes and the selector of everything that was built.
    """
    bound = {(b.scope, b.selector, b.argument) for b in bindings}
    for binding in bindings:
        if not binding.asked or not binding.argument:
            continue
        scopes = [
            ["/".join(scope[:i]) for i in range(len(scope) + 1)]
            for scope, selector in calls
            if selector == binding.selector
        ]
        reached = {outer for scope in scopes for outer in scope}
        if not scopes:
            continue
        if binding.scope not in reached:
            near = nearest(binding.scope, reached - {""})
            yield binding, f"{binding.place}: nothing in this cell reads '{binding.name}': {near}"
            continue
        winners = {
            [o for o in scope if (o, binding.selector, binding.argument) in bound][-1]
            for scope in scopes
            if any((o, binding.selector, binding.argument) in bound for o in scope)
        }
        if binding.scope not in winners:
            closer = ", ".join(sorted(f"{w}/{binding.selector}.{binding.argument}" for w in winners if w))
            yield binding, f"{binding.place}: nothing reads '{binding.name}' here: it is hidden by {closer}"


def unread(bindings: Sequence[Binding], used: set[str]) -> Iterator[Told]:
    """Yield each asked binding that no stage of a cell reads; used: the variants its stages are made of."""
    read = {b.source for b in bindings if b.argument and b.selector.replace(".", "/") in used}
    macros = {b.selector: b for b in bindings if not b.argument}
    known: set[str] = set()
    frontier = {m for source in read for m in re.findall(r"%(\w+)", source)}
    while frontier:
        known |= frontier
        more = {m for name in frontier if name in macros for m in re.findall(r"%(\w+)", macros[name].source)}
        frontier = more - known
    for binding in bindings:
        chosen = None if binding.argument else re.search(r"@([\w.]+)\(\)", binding.source)
        selector = chosen.group(1) if chosen else binding.selector
        reads = (
            selector.replace(".", "/") in used if chosen or binding.argument else binding.selector in known
        )
        if binding.asked and not reads:
            told = f"nothing in this cell reads '{binding.name}'; the row would train the same model"
            yield binding, f"{binding.place}: {told}"


def variants_in(record: Any) -> Iterator[str]:
    """Yield the key of every variant in a record."""
    if isinstance(record, Mapping):
        if "variant" in record:
            yield str(record["variant"])
        for value in record.values():
            yield from variants_in(value)
    elif isinstance(record, list):
        for value in record:
            yield from variants_in(value)
