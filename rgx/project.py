"""The project a file belongs to: the folder of the nearest pyproject.toml, and what that says of rgx."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from rgx.errors import InputError

SHIPPED = "rgx.gesture"
"""The method of a file that names none, in a project that names none."""


def project_of(near: Path) -> Path | None:
    """Return the nearest folder at or above `near`, or else at or above here, that has a pyproject.toml."""
    for start in (near.resolve(), Path.cwd()):
        for folder in (start, *start.parents):
            if (folder / "pyproject.toml").is_file():
                return folder
    return None


def default_methods(near: Path) -> list[str]:
    """Return the methods of a file that names none: `[tool.rgx] method` of its project, else the shipped one.

    Raises InputError for a pyproject.toml that says something else there.
    """
    project = project_of(near)
    settings = {} if project is None else _settings(project / "pyproject.toml")
    if "method" not in settings:
        return [SHIPPED]
    given = settings["method"]
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{project}/pyproject.toml: [tool.rgx] method = {given!r}: expected a package or a list of them"
        )
    return names


def _settings(path: Path) -> dict[str, Any]:
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    settings = tool.get("rgx", {}) if isinstance(tool, dict) else tool
    if not isinstance(settings, dict):
        raise InputError(f"{path}: tool.rgx is {settings!r}, expected a table such as [tool.rgx]")
    return settings
