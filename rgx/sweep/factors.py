"""Panels with more than one factor: every combination of a grid, the pairs of a zip, as rows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from rgx.errors import InputError
from rgx.yaml_source import Source

FACTORIALS: dict[str, Callable[..., Iterable[tuple[Any, ...]]]] = {"grid": itertools.product, "zip": zip}
"""Names of a panel that stand for several rows: each holds lists, by axis or by gin binding."""

Expanded = tuple[str, dict[str, Any], tuple[str, ...]]


def expand(panel: str, members: Mapping[str, dict[str, Any]], source: Source) -> Iterator[Expanded]:
    """Yield every row of a panel: its name, its choices and where in the file they stand.

    A key of a `grid` or `zip` with a dot in it is a gin binding, any other an axis. Raises InputError
    for a factor that is not a list of levels, or a `zip` whose lists differ in length.
    """
    for row, choices in members.items():
        spot = ("panels", panel, row)
        if row not in FACTORIALS:
            yield row, choices, spot
            continue
        for factor, levels in choices.items():
            if not isinstance(levels, list) or not levels:
                raise InputError(
                    f"{source.where((*spot, factor))}: {row}: expected a list of levels for '{factor}', "
                    f"found {levels!r}"
                )
        lengths = {factor: len(levels) for factor, levels in choices.items()}
        if FACTORIALS[row] is zip and len(set(lengths.values())) > 1:
            counts = ", ".join(f"{factor} has {count}" for factor, count in lengths.items())
            raise InputError(f"{source.where(spot)}: zip: expected lists of one length; {counts}")
        for levels in FACTORIALS[row](*choices.values()):
            chosen = dict(zip(choices, levels, strict=True))
            yield name_of(chosen), chosen, spot


def name_of(chosen: Mapping[str, Any]) -> str:
    """Return what a row of levels is called: `learning_rate=0.002, fusion=concat`."""
    labels = labels_of(chosen)
    return ", ".join(f"{labels[factor]}={_said(level)}" for factor, level in chosen.items())


def labels_of(factors: Iterable[str]) -> dict[str, str]:
    """Return the last word of each factor, or all of it where two have the same last word."""
    last = {factor: factor.rpartition(".")[2] for factor in factors}
    words = list(last.values())
    return {factor: word if words.count(word) == 1 else factor for factor, word in last.items()}


def _said(level: Any) -> str:
    if isinstance(level, Mapping):
        return " ".join(
            f"{name}({name_of(parameters)})" if parameters else str(name)
            for name, parameters in level.items()
        )
    return str(level)


def factors_of(row: str) -> dict[str, str]:
    """Return each factor's level in a row's name as `name_of` writes it; of another name, nothing."""
    parts, depth = [""], 0
    for letter in row:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    pairs = [part.strip().partition("=") for part in parts]
    return {factor: level for factor, equals, level in pairs if equals}
