"""Forgetting what is finished: one artifact or a cell's, with all that rests on it, to the trash."""

from __future__ import annotations

import re
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.store.cells import row_key
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.removal import Artifact, artifacts_of, remove, resting_on, rows_on
from rgx.store.runs import read_run, run_names

ADDRESS = re.compile(r"(?P<stage>[^/:]+)/(?P<key>[0-9a-f]{4,64})")
EXPECTED = "expected STAGE/KEY, SWEEP:TABLE/ROW or SWEEP:TABLE/ROW/STAGE"


def forget(address: str, store: Path) -> list[str]:
    """Move what an address names, and all that rests on it, to the trash; returns what went and who needs it.

    Raises InputError for what is not there, what a pinned run reaches, and what a running stage may read.
    """
    manifests = Manifests(store)
    named = [artifact for artifact in _named(address, store) if manifests.has(*artifact)]
    if not named:
        raise InputError(f"{address}: nothing of it is in the store")
    resting = resting_on(manifests, named)
    gone = {(stage, short(key)) for stage, key in [*named, *resting]}
    needing = dict.fromkeys(f"{name}:{row_key(row)}" for name, row in rows_on(store, gone))
    folder = remove(store, gone)
    lines = [f"forgotten: {', '.join(map(_shown, named))}"]
    if resting:
        lines.append(f"and what rests on it: {', '.join(map(_shown, resting))}")
    if needing:
        lines.append(f"missing now, and made again by the next sweep: {', '.join(needing)}")
    return [*lines, f"kept in {folder} until `rgx gc --empty`"]


def _named(address: str, store: Path) -> list[Artifact]:
    """Return the artifacts that an address names; raises InputError with the nearest."""
    if not store.is_dir():
        raise InputError(f"there is no store at {store}")
    sweep, colon, words = address.partition(":")
    if colon:
        return artifacts_of(read_run(store, sweep), words)
    if not (match := ADDRESS.fullmatch(address)):
        names = ", ".join(run_names(store)) or "none has run here"
        raise InputError(f"{address}: {EXPECTED}; sweeps: {names}")
    stage, key = match["stage"], match["key"]
    folders = Manifests(store).folders()
    if stage not in (stages := {name for name, _ in folders}):
        raise InputError(f"{address}: no stage '{stage}' in the store: {nearest(stage, stages)}")
    there = [
        start for name, start in folders if name == stage and (start.startswith(key) or key.startswith(start))
    ]
    if len(there) != 1:
        raise InputError(
            f"{address}: {len(there)} artifacts of {stage} begin so: {', '.join(there) or 'none'}"
        )
    return [(stage, there[0])]


def _shown(artifact: Artifact) -> str:
    return f"{artifact[0]}/{short(artifact[1])}"
