"""YAML that is not what it seems is refused before it is taken apart."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from rgx.terminal import STEERING

MOST = 4_000_000
"""Letters and values a file may stand for, its aliases written out."""


def refuse_tricks(tree: yaml.Node | None) -> None:
    """Raise yaml.YAMLError, with the place, for aliases that grow beyond measure and texts that steer.

    tree: as `yaml.compose` returns it, where each alias is the very node it stands for.
    """
    if tree is not None:
        _size(tree, {})


def _size(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Return how much a node stands for; each is looked into once."""
    if id(node) in known:
        found = known[id(node)]
        if found is None:
            raise _refused(node, "an alias stands inside what it stands for")
        return found
    known[id(node)] = None
    if isinstance(node, yaml.ScalarNode) and (trick := STEERING.search(node.value)):
        raise _refused(node, f"a text holds the control character U+{ord(trick[0]):04X}")
    size = 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
    for part in _parts(node):
        size += _size(part, known)
        if size > MOST:
            raise _refused(node, f"with its aliases written out it would hold more than {MOST:,} letters")
    known[id(node)] = size
    return size


def _parts(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refused(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
