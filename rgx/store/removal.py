"""Taking finished artifacts out of a store, with all that rests on them, so that they are made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.store.artifacts import running_folder
from rgx.store.cells import row_key, select
from rgx.store.keys import short
from rgx.store.lease import held
from rgx.store.manifests import Manifests
from rgx.store.records import Run, SweepRow
from rgx.store.runs import is_pinned, read_run, run_names
from rgx.store.trash import throw_away

Artifact = tuple[str, str]
"""A stage and a key."""


def artifacts_of(run: Run, words: str) -> list[Artifact]:
    """Return the artifacts of one stage of a cell, or those of the cell that no other row shares.

    words: panel/row or panel/row/stage, at every seed of the run. Raises InputError with the nearest name,
    and for a cell that shares all its stages.
    """
    rows, stage = select(run, words)
    if stage:
        if stage not in rows[0].stages:
            raise InputError(f"{row_key(rows[0])} has no stage '{stage}': {nearest(stage, rows[0].stages)}")
        return list(dict.fromkeys((stage, row.stages[stage]) for row in rows))
    shared = {a for row in run.rows if row_key(row) != row_key(rows[0]) for a in row.stages.items()}
    own = dict.fromkeys(a for row in rows for a in row.stages.items() if a not in shared)
    if not own:
        stages = ", ".join(rows[0].stages)
        raise InputError(
            f"{words}: it shares every stage with other rows; name one of {stages}: {words}/STAGE"
        )
    return list(own)


def resting_on(manifests: Manifests, artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Return every artifact in the store that was made of one of these, in any number of steps."""
    children: dict[Artifact, list[Artifact]] = {}
    for stage, key in manifests.folders():
        manifest = manifests.get(stage, key)
        for parent, parent_key in manifest["parents"].items() if manifest else ():
            children.setdefault((parent, short(parent_key)), []).append((stage, key))
    given = {(stage, short(key)) for stage, key in artifacts}
    waiting, reached = list(given), dict.fromkeys(given)
    while waiting:
        fresh = [child for child in children.get(waiting.pop(), []) if child not in reached]
        reached |= dict.fromkeys(fresh)
        waiting += fresh
    return [artifact for artifact in reached if artifact not in given]


def remove(store: Path, artifacts: Iterable[Artifact], pinned: bool = False) -> Path:
    """Move artifacts, and what a stopped run left of them, to the trash; returns their folder in it.

    pinned: whether those that a pinned run reaches go too. Raises InputError where one does and may not, and
    while a stage runs that may read one.
    """
    gone = {(stage, short(key)) for stage, key in artifacts}
    _refuse_in_use(store, gone)
    if not pinned and (rows := [row for name, row in rows_on(store, gone) if is_pinned(store, name)]):
        raise InputError(f"{row_key(rows[0])} of a pinned run needs it: `rgx runs NAME --unpin` comes first")
    folders = [store / stage / key for stage, key in sorted(gone)]
    return throw_away(store, *folders, *(running_folder(store, *artifact) for artifact in sorted(gone)))


def rows_on(store: Path, artifacts: set[Artifact]) -> Iterator[tuple[str, SweepRow]]:
    """Yield each run's name and row that needs one of these artifacts; of their keys the first 16 hex."""
    for name in run_names(store):
        for row in read_run(store, name).rows:
            if not artifacts.isdisjoint((stage, short(key)) for stage, key in row.stages.items()):
                yield name, row


def _refuse_in_use(store: Path, artifacts: set[Artifact]) -> None:
    """Raise InputError while a stage runs that is among the artifacts, or whose row needs one of them.

    What a stage reads that no run names is not known, so it counts as reading them.
    """
    for folder in sorted((store / "running").glob("*-*")):
        if not held(folder):
            continue
        stage, _, key = folder.name.rpartition("-")
        rows = [row for _, row in rows_on(store, {(stage, key)})]
        reads = {(s, short(k)) for row in rows for s, k in row.stages.items()}
        if not rows or not artifacts.isdisjoint(reads):
            raise InputError(
                f"{folder.name} is being worked on and may read what is to go: wait until it is done"
            )
