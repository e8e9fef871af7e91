"""The source a module runs on: digests of it and of each module of ours it imports, without importing."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def source_digest(
    *modules: str, sources: Mapping[str, str] | None = None, roots: Mapping[str, Path] | None = None
) -> dict[str, str]:
    """Return module → SHA-256 of its syntax tree, for the modules and all they import of the same packages.

    Comments, docstrings, formatting and the version of Python do not change a digest; what only a type
    checker imports is left out. sources: the text of modules that are no file; roots: the folder that holds
    each package that is followed.
    """
    sources, roots = sources or {}, {"rgx": ROOT, **(roots or {})}
    digests: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        path = _file(name, roots)
        if name in sources:
            digests[name], imports = _read_text(sources[name])
        elif path is not None:
            digests[name], imports = _read_file(path, path.stat().st_mtime_ns)
        else:
            continue
        package = name if path is not None and path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += {m for group in imports for m in _resolve(group, package, roots)}
    return dict(sorted(digests.items()))


def combined_digest(digests: Mapping[str, str]) -> str:
    """Return one SHA-256 over the digests of many modules."""
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()


_Import = tuple[int, str, tuple[str, ...]]
"""The level, module and names of a `from … import …`; `import …` has no names."""


def _file(name: str, roots: Mapping[str, Path]) -> Path | None:
    root = roots.get(name.partition(".")[0])
    if root is None:
        return None
    place = root.joinpath(*name.split("."))
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


@lru_cache(maxsize=1024)
def _read_file(path: Path, changed_ns: int) -> tuple[str, list[_Import]]:
    return _read_text(path.read_text(encoding="utf-8"))


def _read_text(text: str) -> tuple[str, list[_Import]]:
    tree = ast.parse(text)
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


def _resolve(statement: _Import, package: str, roots: Mapping[str, Path]) -> Iterator[str]:
    level, module, names = statement
    if level:
        parts = package.split(".")
        module = ".".join([*parts[: len(parts) - level + 1], *([module] if module else [])])
    if not names:
        yield module
    for name in names:
        inner = f"{module}.{name}"
        yield inner if _file(inner, roots) else module
