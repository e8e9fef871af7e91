"""What no sweep needs any more: found by following every sweep record; removed only when asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rgx.errors import InputError
from rgx.inspect.running import read_running
from rgx.inspect.status import read_sweeps, state
from rgx.inspect.unbundle import SCRATCH
from rgx.store.artifacts import MANIFEST, running_folder
from rgx.store.keys import short
from rgx.store.lease import Lease, LeaseHeldError, held
from rgx.store.manifests import Manifests
from rgx.store.records import Running

Reached = set[tuple[str, str]]
"""Stage and first 16 hex of the key of each artifact that a sweep record stands on."""


@dataclass(frozen=True)
class Garbage:
    """A folder that can go, and why; guard: the folder whose lease would say that it is in use."""

    folder: Path
    guard: Path
    bytes: int
    reason: str


def find_garbage(store: Path) -> list[Garbage]:
    """Return the artifacts no sweep record reaches and the folders of stages that stopped.

    A stopped stage that a sweep still needs and that has a checkpoint is kept: the next run goes on from it.
    Raises InputError where a sweep record cannot be read, since what it reaches is then unknown.
    """
    manifests = Manifests(store)
    reached, running = reachable(store, manifests), read_running(store)
    kept = reached | {(one.stage, one.key) for one in running if one.held}
    found = [
        _garbage(
            manifests.folder(stage, key), running_folder(store, stage, key), "no sweep record reaches it"
        )
        for stage, key in manifests.folders()
        if (stage, key) not in kept and not manifests.folder(stage, key).is_symlink()
    ]
    stopped = (one for one in running if not one.held and not _worth_keeping(one, reached))
    found += [_garbage(one.folder, one.folder, state(one)) for one in stopped]
    imports = (p for p in sorted(store.glob(f"{SCRATCH}*")) if p.is_dir() and not held(p))
    return found + [_garbage(p, p, "an import that did not end") for p in imports]


def reachable(store: Path, manifests: Manifests) -> Reached:
    """Return every artifact that a sweep record names, and all the artifacts those were made of."""
    waiting = [one for sweep in read_sweeps(store) for row in sweep.rows for one in row.stages.items()]
    found: Reached = set()
    while waiting:
        stage, key = waiting.pop()
        if (stage, short(key)) not in found:
            found.add((stage, short(key)))
            made = manifests.get(stage, key)
            waiting += made["parents"].items() if made else []
    return found


def kept_checkpoints(store: Path) -> list[Running]:
    """Return the stopped stages that are kept because a sweep can go on from their checkpoint."""
    stopped = [one for one in read_running(store) if not one.held and one.resumable]
    reached = reachable(store, Manifests(store)) if stopped else set()
    return [one for one in stopped if _worth_keeping(one, reached)]


def delete(store: Path) -> Iterator[Garbage]:
    """Remove what no sweep needs, yielding each folder that is gone; what a live lease holds is left alone.

    Raises InputError while a stage runs that no sweep record names: what it reads is then unknown.
    """
    reached = reachable(store, Manifests(store))
    for one in read_running(store):
        if one.held and (one.stage, one.key) not in reached:
            raise InputError(
                f"{one.folder.name} is being worked on by process {one.pid} on {one.host}, and no sweep "
                "record tells which artifacts it reads: wait until it is done"
            )
    for item in find_garbage(store):
        if _remove(item):
            yield item


def _remove(item: Garbage) -> bool:
    if item.guard != item.folder:
        if held(item.guard):
            return False
        # The manifest first: without it the rest is no artifact, whatever interrupts the removal.
        (item.folder / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(item.folder)
        return True
    try:
        with Lease(item.folder):
            shutil.rmtree(item.folder)
    except LeaseHeldError:
        return False
    return True


def _worth_keeping(one: Running, reached: Reached) -> bool:
    return one.resumable and (one.stage, one.key) in reached


def _garbage(folder: Path, guard: Path, reason: str) -> Garbage:
    size = sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return Garbage(folder, guard, size, reason)
