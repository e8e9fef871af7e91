"""One row of a panel: the gin texts that make it a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rgx.config import Text, choose, gin_value


@dataclass(frozen=True)
class Row:
    """One row of a panel and the gin texts that make it a cell.

    scope: the stage that a seed repeats with all that follow it, or nothing for all stages; first: the seed
    of those before it.
    """

    panel: str
    name: str
    texts: tuple[Text, ...]
    targets: tuple[str, ...]
    scope: str = ""
    first: int = 0

    @property
    def key(self) -> str:
        return f"{self.panel}/{self.name}"


def row_text(choices: Mapping[str, Any], places: Mapping[str, str], where: str) -> Text:
    """Return choices as gin text: a name with a dot in it is a gin binding, any other an axis.

    places: where each choice stands. Raises InputError for an unknown axis, variant or parameter.
    """
    text: list[str] = []
    lines: list[str] = []
    for name, choice in choices.items():
        place = places[name]
        added = [f"{name} = {gin_value(choice, place)}"] if "." in name else choose(name, choice, place)
        text += added
        lines += [place] * len(added)
    return Text("\n".join(text), where, asked=True, lines=tuple(lines))
