"""What a store remembers of files outside it, so that a worker need not read them as its driver did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rgx.memory import lasting, take_over
from rgx.store.artifacts import read_json, write_json

FILE = "known_files.json"


def recall(store: Path) -> None:
    """Take over what a store remembers; a file that is cut short or strange remembers nothing."""
    take_over(_read(store))


def keep(store: Path) -> None:
    """Add what was found out in this process to what a store remembers."""
    known = _read(store)
    fresh = {**known, **lasting()}
    if fresh != known:
        write_json(store / FILE, fresh)


def _read(store: Path) -> dict[str, Any]:
    try:
        content = read_json(store / FILE)
    except (OSError, UnicodeDecodeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
