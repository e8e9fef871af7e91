"""The manifests of a store, each read once; reads JSON only."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from rgx.store.artifacts import MANIFEST, artifact_folder, made_where, read_object
from rgx.store.keys import short

KEY = re.compile(r"[0-9a-f]{64}")
SHORT_KEY = re.compile(r"[0-9a-f]{16}")
NOT_STAGES = {"sweeps", "searches", "running", "damaged", "tracking"}
Manifest = dict[str, Any]


class Shelf:
    """The finished artifacts of a store; a folder without a whole manifest of its own key is none."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._known: dict[tuple[str, str], Manifest | None] = {}

    def get(self, stage: str, key: str) -> Manifest | None:
        """Return the manifest of an artifact, or None where it is not in the store."""
        if (stage, short(key)) not in self._known:
            self._known[stage, short(key)] = self._read(stage, short(key))
        found = self._known[stage, short(key)]
        return found if found is not None and found["key"].startswith(key) else None

    def has(self, stage: str, key: str) -> bool:
        """Return whether an artifact is finished, without reading it: its manifest is written last, whole."""
        return (self.folder(stage, key) / MANIFEST).is_file()

    def of(self, stage: str) -> list[Manifest]:
        """Return the manifests of a stage's artifacts."""
        every = (self.get(stage, key) for key in self._keys(stage))
        return [found for found in every if found is not None]

    def folders(self) -> list[tuple[str, str]]:
        """Return (stage, first 16 hex of the key) of every folder that looks like an artifact's."""
        names = sorted(p.name for p in self.store.iterdir()) if self.store.is_dir() else []
        stages = [name for name in names if name not in NOT_STAGES and not name.startswith(".")]
        return [(stage, key) for stage in stages for key in self._keys(stage)]

    def folder(self, stage: str, key: str) -> Path:
        """Return where an artifact lies."""
        return artifact_folder(self.store, stage, key)

    def _keys(self, stage: str) -> list[str]:
        place = self.store / stage
        names = [path.name for path in place.iterdir()] if place.is_dir() else []
        return sorted(name for name in names if SHORT_KEY.fullmatch(name))

    def _read(self, stage: str, start: str) -> Manifest | None:
        found = read_object(self.folder(stage, start) / MANIFEST)
        if found is None or not isinstance(found.get("key"), str) or not found["key"].startswith(start):
            return None
        if not all(isinstance(found.get(name), dict) for name in ("record", "parents")):
            return None
        own = found.get("stage") == stage
        return found if own and all(isinstance(key, str) for key in found["parents"].values()) else None


def number(found: object) -> float | None:
    """Return a number that can be printed, or None."""
    try:
        return float(found) if isinstance(found, (int, float)) else None
    except OverflowError:
        return None


def part(found: Any, *names: str) -> dict[str, Any]:
    """Return a mapping inside a manifest, or an empty one where there is none."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def made_when(made: Manifest) -> str:
    """Return how long an artifact took, where and when it was made."""
    return f"{seconds_of(made)} s on {made_where(made)}, {when(made)}"


def seconds_of(made: Manifest) -> str:
    """Return an artifact's seconds with one decimal, or '?'."""
    seconds = number(made.get("seconds"))
    return "?" if seconds is None else f"{seconds:.1f}"


def when(made: Manifest) -> str:
    """Return when an artifact was begun, in local time, or '?'."""
    started = made.get("started")
    if not isinstance(started, (int, float)):
        return "?"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(started))
    except (OverflowError, ValueError, OSError):
        return "?"
