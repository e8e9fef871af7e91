"""A user's own variants: found by name or path, shipped to workers as source."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from rgx.errors import InputError


def find_plugin(name: str, near: Path) -> tuple[str, str]:
    """Return (module name, source) of `my_variants[.py]`, in the working folder or in `near`."""
    wanted = Path(name)
    stem = wanted.with_suffix("") if wanted.suffix == ".py" else Path(*name.split("."))
    for folder in (Path.cwd(), near):
        path = (folder / stem).with_suffix(".py")
        if path.is_file():
            return stem.name, path.read_text()
    try:
        spec = importlib.util.find_spec(name) if wanted.suffix != ".py" else None
    except (ImportError, ValueError):
        spec = None
    if spec is not None and spec.origin:
        return name, Path(spec.origin).read_text()
    raise InputError(f"cannot import '{name}': looked for {stem}.py in {Path.cwd()} and {near}")


def load_plugin(name: str, source: str) -> None:
    """Run a plugin's source as a module once; raises InputError with the line that failed."""
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__rgx_source__", None) == source:
        return
    module = ModuleType(name)
    module.__rgx_source__ = source  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    except InputError:
        raise
    except Exception as error:
        del sys.modules[name]
        trace, line = error.__traceback__, 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == f"{name}.py":
                line = trace.tb_lineno
            trace = trace.tb_next
        line = getattr(error, "lineno", None) or line
        raise InputError(f"{name}.py:{line}: {type(error).__name__}: {error}") from error
