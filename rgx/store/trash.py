"""Where what is removed from a store waits: each removal's folders at the paths they had, until emptied."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

TRASH = "trash"


def throw_away(store: Path, *paths: Path) -> Path:
    """Move files and folders of a store, where they are there, to its trash; returns their folder in it."""
    folder = store / TRASH / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    for path in paths:
        if path.exists():
            target = folder / path.relative_to(store)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)
    return folder


def empty(store: Path) -> tuple[int, int]:
    """Remove for good what lies in the trash; returns how many removals that were, and their bytes."""
    folders = sorted((store / TRASH).glob("*"))
    size = sum(size_of(folder) for folder in folders)
    for folder in folders:
        shutil.rmtree(folder)
    return len(folders), size


def size_of(folder: Path) -> int:
    """Return the bytes of all files under a folder; links count for nothing."""
    return sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
