"""A single file of variants, given with `--import`: found, shipped to workers as source, and run there."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from rgx.errors import InputError
from rgx.translator import raised_at, translate


def find_plugin(name: str, near: Path) -> tuple[str, str]:
    """Return (module name, source) of `my_variants[.py]`, in the working folder or in `near`.

    Raises InputError where it is not found or is not text.
    """
    module, path = plugin_file(name, near)
    return module, _source(path)


def plugin_file(name: str, near: Path) -> tuple[str, Path]:
    """Return (module name, file) of a plugin; raises InputError where it is not found."""
    wanted = Path(name)
    dotted = all(part.isidentifier() for part in name.split(".")) and wanted.suffix != ".py"
    stem = Path(*name.split(".")) if dotted else wanted.with_suffix("")
    for folder in (Path.cwd(), near):
        path = (folder / stem).with_suffix(".py")
        if path.is_file():
            return stem.name, path.absolute()
    try:
        spec = importlib.util.find_spec(name) if dotted else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.has_location and not spec.submodule_search_locations:
        return name, Path(str(spec.origin))
    raise InputError(f"cannot import '{name}': looked for {stem}.py in {Path.cwd()} and {near}")


def _source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot import {path}: {error}") from error


def load_plugin(name: str, source: str, file: Path | None = None) -> None:
    """Run a plugin's source as a module once; raises InputError with the line that failed.

    file: where it lies, where that is known, for messages.
    """
    known = sys.modules.get(name)
    if known is not None and not hasattr(known, "__rgx_source__"):
        imported = getattr(known, "__file__", None)
        if imported is not None and _source(Path(imported)) == source:
            return
        raise InputError(
            f"{name}.py: Python has imported {imported or 'one of its own'} by that name; rename it"
        )
    if known is not None and known.__rgx_source__ == source:
        return
    module = ModuleType(name)
    module.__rgx_source__ = source  # type: ignore[attr-defined]
    if file is not None:
        module.__file__ = str(file)
    sys.modules[name] = module
    try:
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    except InputError:
        raise
    except Exception as error:
        del sys.modules[name]
        place = raised_at(error, __file__)
        raise InputError(f"{place}{type(error).__name__}: {translate(error)}") from error
