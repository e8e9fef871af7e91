"""Where each key of a YAML file stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class Lines:
    """A YAML file and its nodes."""

    def __init__(self, path: Path, tree: yaml.Node | None) -> None:
        self.path, self.tree = path, tree

    def place(self, spot: tuple[Any, ...]) -> str:
        """Return file:line of a path of keys, or of the deepest part of it that exists."""
        node, line = self.tree, 0
        for key in spot:
            if isinstance(node, yaml.MappingNode):
                pairs = [(k, v) for k, v in node.value if getattr(k, "value", None) == str(key)]
                if not pairs:
                    break
                line, node = pairs[-1][0].start_mark.line, pairs[-1][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
                line = node.start_mark.line
            else:
                break
        return f"{self.path}:{line + 1}"
