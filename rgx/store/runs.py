"""The one reader of what sweeps and searches leave in a store: their runs and their trials."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.store.artifacts import read_object
from rgx.store.records import Invocation, Run, SearchRecord, SweepRow, parse


def run_names(store: Path) -> list[str]:
    """Return the names of the runs in a store: of sweeps as written, and `name@overrides`."""
    folders = {path.parent.name for path in (store / "runs").glob("*/*.json") if _is_record(path)}
    return sorted(folders | {path.stem for path in (store / "sweeps").glob("*.json") if _is_record(path)})


def run_paths(store: Path, name: str) -> list[Path]:
    """Return the records of a name's runs, the oldest first: one of an earlier version came before all."""
    former = [path for path in (store / "sweeps").glob("*.json") if path.stem == name and _is_record(path)]
    folder = store / "runs" / name
    return former + (sorted(filter(_is_record, folder.glob("*.json"))) if name in run_names(store) else [])


def new_run_path(store: Path, name: str) -> Path:
    """Return where the record of a run that begins now will lie: no two are alike, and they sort by time."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return store / "runs" / name / f"{now}-{secrets.token_hex(3)}.json"


def read_runs(store: Path, name: str) -> list[Invocation]:
    """Return every run of a name, the oldest first; raises InputError with the nearest name, or the place."""
    if not (paths := run_paths(store, name)):
        names = run_names(store)
        near = nearest(name, names) if names else "nothing has, so perhaps another --store is meant"
        raise InputError(f"{store / 'runs' / name}: no sweep '{name}' has run in this store; {near}")
    return [_read(path) for path in paths]


def read_run(store: Path, name: str) -> Run:
    """Return what all runs of a name come to; raises InputError as `read_runs` does."""
    return merge(name, read_runs(store, name))


def merge(name: str, runs: Sequence[Run]) -> Run:
    """Return the newest plan of each row and seed, in the order of the newest whole plan; runs: oldest first.

    A row that the newest whole plan no longer has is left out, and so are the seeds of what a row was before
    its definition changed.
    """
    last_whole = max((number for number, run in enumerate(runs) if run.whole), default=0)
    order = dict.fromkeys((row.panel, row.row) for run in runs[last_whole:] for row in run.rows)
    newest: dict[tuple[str, str], dict[int, SweepRow]] = {place: {} for place in order}
    definitions: dict[tuple[str, str], str] = {}
    for row in (row for run in reversed(runs) for row in run.rows if (row.panel, row.row) in order):
        place = row.panel, row.row
        if row.definition and definitions.setdefault(place, row.definition) != row.definition:
            continue
        newest[place].setdefault(row.seed, row)
    rows = [row for seeds in newest.values() for _, row in sorted(seeds.items())]
    seeds = sorted({row.seed for row in rows} | set(runs[-1].seeds))
    variants = {variant: modules for run in runs for variant, modules in run.variants.items()}
    places = {top: place for run in runs for top, place in run.places.items()}
    newest_of = {row.panel: run for run in runs for row in run.rows}
    scopes = {p: run.seed_scopes[p] for p, run in newest_of.items() if p in run.seed_scopes}
    return Run(
        name=name, seeds=seeds, rows=rows, seed_scope=runs[-1].seed_scope, seed_scopes=scopes,
        variants=variants, places=places,
    )  # fmt: skip


def pin_path(store: Path, name: str) -> Path:
    """Return the file whose presence keeps what the runs of a name reach for good."""
    return store / "runs" / name / "pinned"


def is_pinned(store: Path, name: str) -> bool:
    """Return whether what the runs of a name reach is kept for good."""
    return pin_path(store, name).is_file()


def read_trials(path: Path) -> SearchRecord:
    """Return the trials in a search's record; raises InputError naming the field that cannot be read."""
    return parse(SearchRecord, read_object(path), str(path))


def _read(path: Path) -> Invocation:
    run = parse(Invocation, read_object(path), str(path))
    return run if run.started else run.model_copy(update={"started": path.stat().st_mtime})


def _is_record(path: Path) -> bool:
    return not path.name.startswith(".")
