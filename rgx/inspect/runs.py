"""The runs in a store: what was asked, when, by whom; keeping one for good, and taking one away."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rgx.errors import InputError
from rgx.store.records import Invocation, Run
from rgx.store.runs import is_pinned, pin_path, read_run, read_runs, run_names, run_paths
from rgx.store.trash import throw_away


def list_runs(store: Path, name: str | None = None) -> Iterator[str]:
    """Yield a line for each name with what its runs come to, or for each run of one name; times are UTC.

    Raises InputError where there is no store, no such name, or a record that cannot be read.
    """
    if not store.is_dir():
        raise InputError(f"there is no store at {store}")
    if name is not None:
        yield from (_one(run) for run in read_runs(store, name))
        return
    for each in run_names(store):
        runs = read_runs(store, each)
        times = f"{len(runs)} run{'s' if len(runs) > 1 else ''}, last {_when(runs[-1])}"
        pinned = "; pinned" if is_pinned(store, each) else ""
        yield f"{each}: {_extent(read_run(store, each))}; {times}{pinned}"


def pin(store: Path, name: str, pinned: bool) -> str:
    """Keep what the runs of a name reach for good, or no longer; raises InputError for an unknown name."""
    read_runs(store, name)
    path = pin_path(store, name)
    if pinned:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    else:
        path.unlink(missing_ok=True)
    return f"{name}: {'pinned: gc keeps all it reaches' if pinned else 'not pinned'}"


def delete_runs(store: Path, name: str) -> str:
    """Move the records of a name and its searches to the trash; artifacts stay until gc finds them unreached.

    Raises InputError for an unknown name, and for one that is pinned.
    """
    runs = read_runs(store, name)
    if is_pinned(store, name):
        raise InputError(f"{name} is pinned: `rgx runs {name} --unpin` comes first")
    searches = store / "searches" / name
    counted = f"{len(runs)} runs" + (" and its searches" if searches.exists() else "")
    folder = throw_away(store, *run_paths(store, name), searches)
    return f"{name}: {counted} moved to {folder}; `rgx gc` lists what nothing reaches now"


def _one(run: Invocation) -> str:
    who = "@".join(filter(None, (run.user, run.host))) or "unknown"
    version = f", rgx {run.rgx}" if run.rgx else ""
    asked = f": {shlex.join(['rgx', *run.argv[1:]])}" if run.argv else ""
    return f"{_when(run)}  {who}{version}; {_extent(run)}{asked}"


def _extent(run: Run) -> str:
    rows = {(row.panel, row.row) for row in run.rows}
    return f"{len(rows)} rows, seeds {', '.join(map(str, run.seeds)) or 'none'}"


def _when(run: Invocation) -> str:
    days = int((time.time() - run.started) / 86400)
    ago = f" ({days} days ago)" if days > 1 else ""
    return f"{datetime.fromtimestamp(run.started, UTC):%Y-%m-%d %H:%M}{ago}"
