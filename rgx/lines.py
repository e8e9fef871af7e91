"""What gin makes of the bindings of a cell, and the line that is at fault where it makes nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rgx.bindings import Binding, circle, valueless
from rgx.errors import InputError
from rgx.translator import raised_at, translate

CHOSEN = "()"
"""Stands for an argument where a line asks for a whole variant."""

OURS = tuple(str(Path(__file__).with_name(f"{name}.py")) for name in ("lines", "bound", "config", "registry"))
"""What stands between a line and the variant that it configures: nobody's mistake is in it."""


@dataclass
class Lines:
    """The bindings of a cell, and the line of each by selector and argument."""

    bindings: list[Binding]
    where: dict[tuple[str, str], str] = field(default_factory=dict)

    def placed(self, message: str, last: str = "") -> str:
        """Return a message after the line it is about, where it does not begin with one.

        That is the line of an argument where it begins with `argument = `, or the one that asks for the
        variant it begins with, or the nearest to a person of those that bind something of that. last: the
        variant it is about where it begins with none that is bound.
        """
        if re.match(r"\S+:\d+: ", message):
            return message
        if scoped := re.match(r"((?:\w+/)+)(\w+\.\w+)\.(\w+) = ", message):
            place = self._place_in(scoped[1].rstrip("/"), scoped[2], scoped[3])
            return f"{place}: {message}" if place else message
        spoken = re.match(r"(\w+\.\w+)(?!\w* = )", message)
        argument = re.match(r"(?:\w+\.)*(\w+) = ", message)
        selector = spoken[1] if spoken else last
        own = sorted((b for b in self.bindings if b.selector == selector), key=lambda b: not b.written)
        asked = self.where.get((selector, CHOSEN), own[0].place if own else None)
        place = self.where.get((selector, argument[1])) if argument else asked
        return f"{place}: {message}" if place else message

    def _place_in(self, scope: str, selector: str, argument: str) -> str | None:
        """Return the line of an argument that counts in a scope, or the one that asks for its variant."""
        parts = scope.split("/")
        around = ["/".join(parts[:depth]) for depth in range(len(parts) + 1)]
        own = [b for b in self.bindings if (b.selector, b.argument) == (selector, argument)]
        closest = max(
            (b for b in reversed(own) if b.scope in around), key=lambda b: len(b.scope), default=None
        )
        return closest.place if closest else self.where.get((selector, CHOSEN))

    def refusal(self, error: Exception, selector: str) -> InputError:
        """Return what is to be raised for an error of making a variant."""
        if isinstance(error, InputError):
            return InputError(self.placed(translate(error), selector))
        if lacking := re.search(r"configurable 'macro' .* in scope '([^']*)'", str(error)):
            return InputError(valueless(lacking[1], self.bindings))
        if isinstance(error, RecursionError) and (ring := circle(self.bindings)):
            return InputError(ring)
        raised = raised_at(error, *OURS).removesuffix(": ")
        said = f"{selector} cannot be made: {translate(error)}{f' ({raised})' if raised else ''}"
        return InputError(self.placed(said, selector))


@contextlib.contextmanager
def told_of(name: str, doing: str, lines: Lines | None = None) -> Iterator[None]:
    """Raise InputError, with the line of the stage's own code, for whatever that raises.

    lines: among which the line is found that an InputError is about.
    """
    try:
        yield
    except InputError as error:
        raise InputError(lines.placed(str(error)) if lines else str(error)) from None
    except Exception as error:
        raised = raised_at(error, *OURS)
        raise InputError(f"{raised}stage {name} cannot {doing}: {translate(error)}") from error
