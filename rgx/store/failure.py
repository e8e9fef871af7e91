"""Why the last attempt at a stage failed, kept in the folder it ran in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rgx.store.artifacts import FAILURE, read_object, write_json


def write_failure(folder: Path, reason: str, **facts: str) -> None:
    """Keep why a stage failed, with what else is known of it."""
    write_json(folder / FAILURE, {"reason": reason, **facts})


def read_failure(folder: Path) -> Mapping[str, Any] | None:
    """Return what was kept of the last failure, or None where there is none with a reason."""
    failure = read_object(folder / FAILURE)
    return failure if failure is not None and isinstance(failure.get("reason"), str) else None


def failure_reason(folder: Path) -> str:
    """Return why the last attempt failed, in one line, or nothing."""
    failure = read_failure(folder)
    return " ".join(failure["reason"].split()) if failure else ""


def clear_failure(folder: Path) -> None:
    """Forget the last failure, before another attempt."""
    (folder / FAILURE).unlink(missing_ok=True)
