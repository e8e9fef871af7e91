"""The source a module runs on: digests of it and of each module of ours it imports, without importing."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rgx.memory import remember

ROOT = Path(__file__).resolve().parents[2]

_Import = tuple[int, str, Sequence[str]]
"""The level, module and names of a `from … import …`; `import …` has no names."""


class Sources:
    """The source of modules of ours, as it stands when first asked for.

    texts: that of modules that are no file; roots: the folder that holds each top package or single file;
    place: says where another top module lies, or None for one that is not followed.
    """

    def __init__(
        self,
        texts: Mapping[str, str] | None = None,
        roots: Mapping[str, Path] | None = None,
        place: Callable[[str], Path | None] = lambda top: None,
    ) -> None:
        self.texts, self.roots, self._place = texts or {}, {"rgx": ROOT, **(roots or {})}, place
        self._known: dict[str, tuple[str, tuple[str, ...]] | None] = {}
        self._behind: dict[frozenset[str], dict[str, str]] = {}

    def root(self, name: str) -> Path | None:
        """Return the folder that holds a module's top package, or None for one that is not ours."""
        top = name.partition(".")[0]
        return self.roots.get(top) or self._place(top)

    def digests(self, modules: Iterable[str]) -> dict[str, str]:
        """Return module → SHA-256 of its syntax tree, for the modules and all of ours that they import.

        Comments, docstrings, formatting and the version of Python do not change a digest; what only a type
        checker imports is left out.
        """
        asked = frozenset(modules)
        if asked not in self._behind:
            digests: dict[str, str] = {}
            waiting = list(asked)
            while waiting:
                name = waiting.pop()
                if name not in digests and (known := self._read(name)) is not None:
                    digests[name] = known[0]
                    waiting += known[1]
            self._behind[asked] = dict(sorted(digests.items()))
        return self._behind[asked]

    def file(self, name: str) -> Path | None:
        """Return the file of a module of ours, or None where it has none."""
        root = self.root(name)
        if root is None:
            return None
        place = root.joinpath(*name.split("."))
        return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)

    def _read(self, name: str) -> tuple[str, tuple[str, ...]] | None:
        """Return a module's digest and the modules of ours it imports, or None for one that is not ours."""
        if name not in self._known:
            self._known[name] = None
            path = None if name in self.texts else self.file(name)
            if name not in self.texts and path is None:
                return None
            digest, imports = _read_file(path) if path is not None else _read_text(self.texts[name])
            package = name if path is not None and path.name == "__init__.py" else name.rpartition(".")[0]
            imported = dict.fromkeys(m for group in imports for m in self._resolve(group, package))
            self._known[name] = digest, tuple(imported)
        return self._known[name]

    def _resolve(self, statement: _Import, package: str) -> Iterator[str]:
        level, module, names = statement
        if level:
            parts = package.split(".")
            module = ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])
        if not names:
            yield module
        for name in names:
            inner = f"{module}.{name}"
            yield inner if self.file(inner) else module


def source_digest(
    *modules: str, sources: Mapping[str, str] | None = None, roots: Mapping[str, Path] | None = None
) -> dict[str, str]:
    """Return what `Sources.digests` does, of these texts and roots."""
    return Sources(sources, roots).digests(modules)


def combined_digest(digests: Mapping[str, str]) -> str:
    """Return one SHA-256 over the digests of many modules."""
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _read_file(path: Path) -> tuple[str, Sequence[_Import]]:
    asked = f"syntax tree of {str(path.absolute())!r}"
    return remember(asked, [path], lambda: _read_text(path.read_text(encoding="utf-8", errors="replace")))


def _read_text(text: str) -> tuple[str, list[_Import]]:
    """Return a text's digest and imports; one that is no Python has its letters' digest and none."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return hashlib.sha256(text.encode()).hexdigest(), []
    return hashlib.sha256(_shape(tree).encode()).hexdigest(), list(_imports(tree))


def _shape(node: Any) -> str:
    """Return a syntax tree as text; empty fields are left out, as versions of Python add such fields."""
    if isinstance(node, ast.AST):
        fields = [(n, v) for n, v in ast.iter_fields(node) if v is not None and v != []]
        return f"{type(node).__name__}({', '.join(f'{n}={_shape(v)}' for n, v in fields)})"
    if isinstance(node, list):
        return f"[{', '.join(_shape(v) for v in node if not _is_docstring(v))}]"
    return repr(node)


def _is_docstring(node: Any) -> bool:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _imports(node: ast.AST) -> Iterator[_Import]:
    if isinstance(node, ast.Import):
        yield from ((0, alias.name, ()) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield node.level, node.module or "", tuple(alias.name for alias in node.names)
    only_typing = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for child in node.orelse if isinstance(node, ast.If) and only_typing else ast.iter_child_nodes(node):
        yield from _imports(child)
