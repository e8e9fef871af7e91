"""The one reader of YAML that a person wrote: its values, the line of each key, and nothing read twice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from rgx.errors import InputError
from rgx.terminal import STEERING
from rgx.text_file import read_text
from rgx.translator import YAML, translate
from rgx.yaml_errors import explain, first_problems, named
from rgx.yaml_values import CORE, MERGE, Loader, Written, refusal, value_of

MOST = 4_000_000
"""Letters and values a file may stand for, its aliases written out."""
DEEPEST = 100
"""Lists and mappings inside each other; beyond thousands the parser itself would fall over."""
TOO_DEEP = f"more than {DEEPEST} lists or mappings lie inside each other"

Model = TypeVar("Model", bound=BaseModel)
Pairs = dict[str, tuple[yaml.Node, yaml.Node]]


class Source:
    """A YAML file's content, its keys as text, and the line of each of them.

    Raises InputError where the file cannot be read, is not YAML, is no mapping, or says something twice.
    """

    def __init__(self, path: Path, expected: Collection[str]) -> None:
        self.path = path
        self._pairs: dict[int, Pairs] = {}
        self._values: dict[int, Any] = {}
        self._doubles: list[tuple[int, str]] = []
        text = read_text(path)
        try:
            _refuse_depths(text)
            root = yaml.compose(text, Loader=Loader)
            refuse_tricks(root)
            self.data: dict[str, Any] = self._value(root) if isinstance(root, yaml.MappingNode) else {}
        except yaml.YAMLError as error:
            raise InputError(_syntax(error, path, text)) from None
        if self._doubles:
            raise InputError("\n".join(message for _, message in sorted(self._doubles)))
        if not isinstance(root, yaml.MappingNode):
            listed = isinstance(root, yaml.SequenceNode)
            content = "nothing" if root is None else "a list" if listed else "text"
            raise InputError(f"{path}:1: found {content}, expected the keys {', '.join(expected)}")
        self.root = root

    def where(self, location: Sequence[Any]) -> str:
        """Return `file:line` of the deepest key of `location` that the file has."""
        return f"{self.path}:{self._nodes(location)[-1][0].start_mark.line + 1}"

    def parse(self, model: type[Model], data: Any = None, under: Sequence[str] = ()) -> Model:
        """Return the content, or `data` that stands at `under` in it, as a model.

        A number where a model wants text is what was written, and 1e3 is a whole number where it wants one.
        Raises InputError that says of each problem where it is, what was found and what was expected.
        """
        data = self.data if data is None else data
        try:
            return model.model_validate(data)
        except ValidationError as error:
            mended = self._mend(data, error, under)
        try:
            return model.model_validate(mended)
        except ValidationError as error:
            problems = first_problems(error, mended)
            raise InputError(
                "\n".join(
                    f"{self.where([*under, *location])}: {explain(model, location, items, under)}"
                    for location, items in problems
                )
            ) from None

    def _mend(self, data: Any, error: ValidationError, under: Sequence[str]) -> Any:
        """Return data with what was written in place of numbers where text or whole numbers are wanted."""
        for item in error.errors():
            location = named(item["loc"], data)
            _, node = self._nodes([*under, *location])[-1]
            number, better = item["input"], None
            if item["type"] == "string_type" and isinstance(number, (bool, int, float)):
                same = isinstance(node, yaml.ScalarNode) and value_of(node) == number
                better = node.value if same else None
            elif item["type"].startswith("int") and isinstance(number, Written):
                better = number.whole
            if better is not None and location:
                data = _with(data, location, better)
        return data

    def _nodes(self, location: Sequence[Any]) -> list[tuple[yaml.Node, yaml.Node]]:
        """Return the key and the value of each step of `location` that the file has, from the root on."""
        path: list[tuple[yaml.Node, yaml.Node]] = [(self.root, self.root)]
        for step in location:
            node = path[-1][1]
            if isinstance(node, yaml.MappingNode) and str(step) in self._pairs[id(node)]:
                path.append(self._pairs[id(node)][str(step)])
            elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
                path.append((node.value[step], node.value[step]))
            else:
                break
        return path

    def _value(self, node: yaml.Node) -> Any:
        """Return what a node stands for; an alias is the very value it repeats."""
        if id(node) not in self._values:
            if isinstance(node, yaml.ScalarNode):
                self._values[id(node)] = value_of(node)
            elif node.tag not in (CORE + "map", CORE + "seq"):
                raise refusal(node, f"found the tag {node.tag.replace(CORE, '!!')}, expected plain YAML")
            elif isinstance(node, yaml.SequenceNode):
                self._values[id(node)] = [self._value(part) for part in node.value]
            else:
                pairs = self._keys(node)
                self._values[id(node)] = {key: self._value(value) for key, (_, value) in pairs.items()}
        return self._values[id(node)]

    def _keys(self, node: yaml.Node) -> Pairs:
        """Return a mapping's keys as written, with those it merges; notes each that is written twice."""
        if id(node) in self._pairs:
            return self._pairs[id(node)]
        own: Pairs = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                raise refusal(key, "found a key that is empty, a list or a mapping, expected a name")
            value_of(key)
            if key.value in own:
                first, second = own[key.value][0].start_mark.line + 1, key.start_mark.line + 1
                message = f"'{key.value}' is written twice; the first stands in line {first}"
                self._doubles.append((second, f"{self.path}:{second}: {message}"))
                self._value(value)
            own.setdefault(key.value, (key, value))
        merged: Pairs = {}
        if "<<" in own and own["<<"][0].tag == MERGE:
            _, wanted = own.pop("<<")
            for part in wanted.value if isinstance(wanted, yaml.SequenceNode) else [wanted]:
                if not isinstance(part, yaml.MappingNode):
                    raise refusal(part, "found no mapping after <<, expected one or a list of them")
                merged = self._keys(part) | merged
        self._pairs[id(node)] = merged | own
        return self._pairs[id(node)]


def _syntax(error: yaml.YAMLError, path: Path, text: str) -> str:
    """Say in one line where a file is no YAML, or not what we read of it."""
    mark, problem = getattr(error, "problem_mark", None), str(getattr(error, "problem", None) or error)
    if problem.startswith("but "):
        problem = f"{getattr(error, 'context', '')}, {problem}"
    if mark is None:
        return f"{path}: not YAML: {translate(problem, YAML)}"
    if type(error) is yaml.MarkedYAMLError:
        return f"{path}:{mark.line + 1}: {problem}"
    tab = "start any token" in problem and text.split("\n")[mark.line][mark.column :].startswith("\t")
    said = "found a tab, expected spaces" if tab else translate(problem, YAML)
    return f"{path}:{mark.line + 1}: not YAML: {said}"


def _with(data: Any, location: Sequence[Any], value: Any) -> Any:
    """Return a copy of data in which something else stands at a location."""
    if not location:
        return value
    copy = data.copy()
    copy[location[0]] = _with(data[location[0]], location[1:], value)
    return copy


def _refuse_depths(text: str) -> None:
    """Raise yaml.YAMLError for lists and mappings that lie too deep in each other."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise refusal(event, TOO_DEEP)


def refuse_tricks(tree: yaml.Node | None) -> None:
    """Raise yaml.YAMLError, with the place, for aliases that grow beyond measure and texts that steer.

    tree: as `yaml.compose` returns it, where each alias is the very node it stands for.
    """
    if tree is not None:
        _measure(tree, {})


def _measure(node: yaml.Node, known: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how much a node stands for and how deep; each is looked into once."""
    if id(node) in known:
        measures = known[id(node)]
        if measures is None:
            raise refusal(node, "an alias stands inside what it stands for")
        return measures
    known[id(node)] = None
    if isinstance(node, yaml.ScalarNode) and (trick := STEERING.search(node.value)):
        raise refusal(node, f"a text holds the control character U+{ord(trick[0]):04X}")
    size, depth = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0), 0
    for part in _parts(node):
        part_size, part_depth = _measure(part, known)
        size, depth = size + part_size, max(depth, part_depth + 1)
        if size > MOST:
            raise refusal(node, f"with its aliases written out it would hold more than {MOST:,} letters")
        if depth > DEEPEST:
            raise refusal(part, TOO_DEEP)
    known[id(node)] = size, depth
    return size, depth


def _parts(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []
