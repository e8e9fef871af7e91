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
    needed = reached | {(stop.stage, stop.key) for stop in running if stop.held}
    garbage = [
        _garbage(
            manifests.folder(stage, key), running_folder(store, stage, key), "no sweep record reaches it"
        )
        for stage, key in manifests.folders()
        if (stage, key) not in needed and not manifests.folder(stage, key).is_symlink()
    ]
    stopped = (stop for stop in running if not stop.held and not _worth_keeping(stop, reached))
    garbage += [_garbage(stop.folder, stop.folder, state(stop)) for stop in stopped]
    imports = (p for p in sorted(store.glob(f"{SCRATCH}*")) if p.is_dir() and not held(p))
    return garbage + [_garbage(p, p, "an import that did not end") for p in imports]


def reachable(store: Path, manifests: Manifests) -> Reached:
    """Return every artifact that a sweep record names, and all the artifacts those were made of."""
    waiting = [
        artifact for sweep in read_sweeps(store) for row in sweep.rows for artifact in row.stages.items()
    ]
    reached: Reached = set()
    while waiting:
        stage, key = waiting.pop()
        if (stage, short(key)) not in reached:
            reached.add((stage, short(key)))
            manifest = manifests.get(stage, key)
            waiting += manifest["parents"].items() if manifest else []
    return reached


def kept_checkpoints(store: Path) -> list[Running]:
    """Return the stopped stages that are kept because a sweep can go on from their checkpoint."""
    stopped = [folder for folder in read_running(store) if not folder.held and folder.resumable]
    reached = reachable(store, Manifests(store)) if stopped else set()
    return [folder for folder in stopped if _worth_keeping(folder, reached)]


def delete(store: Path) -> Iterator[Garbage]:
    """Remove what no sweep needs, yielding each folder that is gone; what a live lease holds is left alone.

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


def _worth_keeping(running: Running, reached: Reached) -> bool:
    return running.resumable and (running.stage, running.key) in reached


def _garbage(folder: Path, guard: Path, reason: str) -> Garbage:
    size = sum(p.lstat().st_size for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
    return Garbage(folder, guard, size, reason)
