"""What no run needs any more: found by following the recent runs; moved to the trash only when asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rgx.errors import InputError
from rgx.inspect.running import read_running
from rgx.inspect.status import state
from rgx.inspect.unbundle import SCRATCH
from rgx.store.artifacts import running_folder
from rgx.store.keys import short
from rgx.store.lease import Lease, LeaseHeldError, held
from rgx.store.manifests import Manifests, number
from rgx.store.records import Invocation, Manifest, Running
from rgx.store.runs import is_pinned, read_runs, run_names
from rgx.store.trash import size_of, throw_away

Reached = set[tuple[str, str]]
"""Stage and first 16 hex of the key of each artifact that a run stands on."""
RECENT_DAYS = 90
"""How long a run that is not pinned keeps what it reaches."""
UNREACHED = f"no run of the last {RECENT_DAYS} days reaches it"


@dataclass(frozen=True)
class Garbage:
    """A folder that can go, and why; guard: the folder whose lease would say that it is in use.

    hours: what it took to make, None where that is not known.
    """

    folder: Path
    guard: Path
    bytes: int
    hours: float | None
    reason: str


def find_garbage(store: Path) -> list[Garbage]:
    """Return the artifacts no recent or pinned run reaches and the folders of stages that stopped.

    A stopped stage that a sweep still needs and that has a checkpoint is kept: the next run goes on from it.
    Raises InputError where a run's record cannot be read, since what it reaches is then unknown.
    """
    manifests = Manifests(store)
    reached, running = reachable(store, manifests), read_running(store)
    needed = reached | {(stop.stage, stop.key) for stop in running if stop.held}
    garbage = [
        _garbage(
            manifests.folder(stage, key),
            running_folder(store, stage, key),
            UNREACHED,
            _hours(manifests.get(stage, key)),
        )
        for stage, key in manifests.folders()
        if (stage, key) not in needed and not manifests.folder(stage, key).is_symlink()
    ]
    stopped = (stop for stop in running if not stop.held and not _worth_keeping(stop, reached))
    garbage += [_garbage(stop.folder, stop.folder, state(stop)) for stop in stopped]
    imports = (p for p in sorted(store.glob(f"{SCRATCH}*")) if p.is_dir() and not held(p))
    return garbage + [_garbage(p, p, "an import that did not end") for p in imports]


def reachable(store: Path, manifests: Manifests) -> Reached:
    """Return every artifact that a recent or pinned run names, and all the artifacts those were made of."""
    waiting = [artifact for run in _lasting(store) for row in run.rows for artifact in row.stages.items()]
    reached: Reached = set()
    while waiting:
        stage, key = waiting.pop()
        if (stage, short(key)) not in reached:
            reached.add((stage, short(key)))
            manifest = manifests.get(stage, key)
            waiting += manifest["parents"].items() if manifest else []
    return reached


def _lasting(store: Path) -> Iterator[Invocation]:
    """Yield the runs that keep what they reach; raises InputError where there is no store."""
    if not store.is_dir():
        raise InputError(f"there is no store at {store}")
    oldest = time.time() - RECENT_DAYS * 86400
    for name in run_names(store):
        pinned = is_pinned(store, name)
        yield from (run for run in read_runs(store, name) if pinned or run.started >= oldest)


def kept_checkpoints(store: Path) -> list[Running]:
    """Return the stopped stages that are kept because a sweep can go on from their checkpoint."""
    stopped = [folder for folder in read_running(store) if not folder.held and folder.resumable]
    reached = reachable(store, Manifests(store)) if stopped else set()
    return [folder for folder in stopped if _worth_keeping(folder, reached)]


def delete(store: Path) -> Iterator[Garbage]:
    """Move to the trash what no run needs, yielding each folder; what a live lease holds is left alone.

    Raises InputError while a stage runs that no sweep record names: what it reads is then unknown.
    """
    reached = reachable(store, Manifests(store))
    for stop in read_running(store):
        if stop.held and (stop.stage, stop.key) not in reached:
            raise InputError(
                f"{stop.folder.name} is being worked on by process {stop.pid} on {stop.host}, and no sweep "
                "record tells which artifacts it reads: wait until it is done"
            )
    for item in find_garbage(store):
        if _remove(item, store):
            yield item


def _remove(item: Garbage, store: Path) -> bool:
    if item.guard != item.folder:
        if held(item.guard):
            return False
        throw_away(store, item.folder)
        return True
    try:
        with Lease(item.folder):
            throw_away(store, item.folder)
    except LeaseHeldError:
        return False
    return True


def _worth_keeping(running: Running, reached: Reached) -> bool:
    return running.resumable and (running.stage, running.key) in reached


def _garbage(folder: Path, guard: Path, reason: str, hours: float | None = None) -> Garbage:
    return Garbage(folder, guard, size_of(folder), hours, reason)


def _hours(manifest: Manifest | None) -> float | None:
    """Return the hours that an artifact took, without those of its ancestors."""
    seconds = number(manifest.get("seconds")) if manifest else None
    return None if seconds is None else seconds / 3600
