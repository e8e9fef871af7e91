"""What plain words of YAML stand for: the numbers, booleans and nulls of YAML 1.2, with their digits."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Self

import yaml

BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Many times as fast where PyYAML was built with libyaml, as its wheels are."""
CORE = "tag:yaml.org,2002:"
MERGE = CORE + "merge"


class Written(float):
    """A number that knows the digits it was written with, such as 27.20."""

    digits: str

    def __new__(cls, digits: str) -> Self:
        """Make a number of its digits; raises ValueError for what is none."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number

    @property
    def whole(self) -> int | None:
        """The whole number that was written with an exponent, such as 1e3, or None."""
        return int(self) if "." not in self.digits and self.is_integer() and abs(self) < 1e15 else None


def _whole(digits: str) -> int:
    base = {"0o": 8, "0x": 16}.get(digits[:2], 10)
    return int(digits, base)


def _fraction(digits: str) -> float:
    return Written(digits) if digits[-1] in "0123456789." else float(digits.replace(".", ""))


PLAIN: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "null": ("~|null|Null|NULL|", "~nN", lambda word: None),
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF", lambda word: word.lower() == "true"),
    "int": ("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789", _whole),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
        _fraction,
    ),
    "merge": ("<<", "<", str),
}
"""For each kind of plain word its pattern, its first letters and its value. Source: YAML 1.2.2, 10.3.2."""


class Loader(BASE):  # type: ignore[misc]  # its class is known when PyYAML is there
    """YAML whose plain words are read as YAML 1.2 reads them, where `yes`, `off` and `1:30` are text."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _kind, (_pattern, _letters, _) in PLAIN.items():
    _first = [*_letters, ""] if _kind == "null" else list(_letters)
    Loader.add_implicit_resolver(CORE + _kind, re.compile(rf"(?:{_pattern})\Z"), _first)


def value_of(node: yaml.ScalarNode) -> Any:
    """Return what a scalar stands for; raises yaml.YAMLError, with the place, for a tag of another's."""
    kind = node.tag.removeprefix(CORE)
    if kind in ("str", "merge"):
        return node.value
    if kind not in PLAIN:
        raise refusal(node, f"found the tag {node.tag.replace(CORE, '!!')}, expected plain YAML")
    pattern, _, convert = PLAIN[kind]
    try:
        if re.fullmatch(pattern, node.value):
            value = convert(node.value)
            if kind != "float" or math.isfinite(value):
                return value
            raise refusal(node, f"found {node.value}, expected a finite number")
    except ValueError:  # more digits than Python reads
        pass
    raise refusal(node, f"found {node.value[:40]!r}, which is no {kind} that can be read")


def refusal(node: yaml.Node | yaml.Event, problem: str) -> yaml.YAMLError:
    """Return an error that says where a node stands."""
    mark: Any = node.start_mark  # of one of two classes, with the same fields
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)
