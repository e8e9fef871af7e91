"""The one reader of what sweeps and searches leave in a store: their runs and their trials."""

from __future__ import annotations

from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.store.artifacts import read_object
from rgx.store.records import Record, Run, parse


def run_names(store: Path) -> list[str]:
    """Return the names of the sweeps that left a record in a store."""
    return sorted(p.stem for p in (store / "sweeps").glob("*.json") if not p.name.startswith("."))


def run_path(store: Path, name: str) -> Path:
    """Return where a sweep's record lies."""
    return store / "sweeps" / f"{name}.json"


def read_run(store: Path, name: str) -> Run:
    """Return a sweep's record; raises InputError with the nearest name, or where it cannot be read."""
    path = run_path(store, name)
    if not path.is_file() or name not in run_names(store):
        near = nearest(name, run_names(store))
        raise InputError(f"{path}: no sweep '{name}' has run in this store; {near}")
    return parse(Run, read_object(path), str(path))


def read_trials(path: Path) -> Record:
    """Return the trials in a search's record; raises InputError naming the field that cannot be read."""
    return parse(Record, read_object(path), str(path))
