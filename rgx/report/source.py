"""YAML a person wrote: read with the lines of its keys, so that an error can say where."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic_core import ErrorDetails

from rgx.errors import InputError, nearest
from rgx.yaml_source import refuse_tricks

BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Many times as fast where PyYAML was built with libyaml, as its wheels are."""


class Written(float):
    """A number that knows the digits it was written with, such as 27.20."""

    digits: str

    def __new__(cls, digits: str) -> Self:
        """Make a number of its digits; raises ValueError for what is none."""
        number = super().__new__(cls, digits)
        number.digits = digits
        return number


class Loader(BASE):  # type: ignore[misc]  # its class is known when PyYAML is there
    """YAML as PyYAML reads it safely, but that decimal fractions keep their digits."""


def _fraction(loader: Any, node: yaml.ScalarNode) -> float:
    try:
        return Written(node.value)
    except ValueError:
        return float(loader.construct_yaml_float(node))


Loader.add_constructor("tag:yaml.org,2002:float", _fraction)


class Source:
    """A YAML file's content and the line of each of its keys.

    Raises InputError where the file cannot be read, is not YAML, or is no mapping.
    """

    def __init__(self, path: Path, expected: Collection[str]) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: cannot read it: {error}") from error
        try:
            loader = Loader(text)
            root = loader.get_single_node()
            refuse_tricks(root)
            data = None if root is None else loader.construct_document(root)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f"{path}:{mark.line + 1}" if mark else str(path)
            raise InputError(f"{where}: not YAML: {getattr(error, 'problem', error)}") from error
        if root is None or not isinstance(data, dict):
            keys = ", ".join(expected)
            raise InputError(f"{path}:1: found {type(data).__name__}, expected the keys {keys}")
        self.root: yaml.Node = root
        self.data: dict[str, Any] = data

    def where(self, location: Sequence[Any]) -> str:
        """Return `file:line` of the deepest key of `location` that the file has."""
        return f"{self.path}:{_line(self.root, location)}"

    def explain(
        self, item: ErrorDetails, fields: Mapping[int, Collection[str]], under: Sequence[str] = ()
    ) -> str:
        """Say in one line what a validation error found, expected and where.

        fields: the keys allowed at each depth; under: where in the file what was validated lies.
        """
        location = [*under, *(step for step in item["loc"] if step != "[key]")]
        where, name = self.where(location), "/".join(map(str, location))
        if item["type"] == "extra_forbidden":
            return f"{where}: unknown key '{name}'; {nearest(str(location[-1]), fields[len(location)])}"
        if item["type"] == "missing":
            return f"{where}: '{name}' is missing"
        return f"{where}: '{name}' is {item['input']!r}: {item['msg'].removeprefix('Value error, ')}"

    def repeated(self) -> Iterator[str]:
        """Name each key written twice in one mapping, which YAML would silently overwrite."""
        return _repeated(self.root, self.path)


def _line(root: yaml.Node, location: Sequence[Any]) -> int:
    """Return the line of the deepest key of `location` that the file has."""
    node, line = root, root.start_mark.line + 1
    for step in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(step)]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _repeated(node: yaml.Node, path: Path) -> Iterator[str]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    yield f"{path}:{key.start_mark.line + 1}: '{key.value}' is written twice"
                seen.add(key.value)
            yield from _repeated(value, path)
