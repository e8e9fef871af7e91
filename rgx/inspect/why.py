"""Why a cell's stages are, or are not, in the store: what differs, and where the difference began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.inspect.running import read_running
from rgx.inspect.status import state
from rgx.inspect.trials import trial_rows
from rgx.store.differences import Causes, Identity, Walk, changed_parents, own_changes, stored
from rgx.store.drift import Code, told
from rgx.store.keys import short
from rgx.store.manifests import Manifest, Manifests, made_when
from rgx.store.records import Running
from rgx.sweep.code import present
from rgx.sweep.plan import Task, make_plan
from rgx.sweep.spec import Sweep


def why(sweep: Sweep, cell: str, stage: str | None, store: Path) -> list[str]:
    """Return the lines that explain one row of a sweep, or one trial of a search, for each of its seeds.

    cell: panel/row or search/row; stage: one stage only. Raises InputError with the nearest spelling.
    """
    rows = {row.key: row for row in sweep.rows} | trial_rows(sweep, store)
    if cell not in rows:
        raise InputError(f"{sweep.path}: no cell '{cell}': {nearest(cell, rows)}")
    plan = make_plan(replace(sweep, rows=(rows[cell],), searches=()))
    planned = {key: Identity.of(vars(task)) for key, task in plan.tasks.items()}
    manifests = Manifests(store)
    walk = Walk(lambda _, key: planned.get(key), stored(manifests))
    running = {(stopped.stage, stopped.key): stopped for stopped in read_running(store)}
    code, lines = present(), []
    for planned_cell in plan.cells:
        stages: dict[str, str] = planned_cell["stages"]
        if stage is not None and stage not in stages:
            raise InputError(f"{cell} has no stage '{stage}': {nearest(stage, stages)}")
        lines.append(f"{cell}, seed {planned_cell['seed']}")
        for name in [stage] if stage is not None else stages:
            task = plan.tasks[stages[name]]
            lines += [
                f"  {line}" for line in _explain(task, planned[task.key], manifests, walk, code, running)
            ]
    return lines


def _explain(
    task: Task, new: Identity, manifests: Manifests, walk: Walk, code: Code,
    running: dict[tuple[str, str], Running],
) -> Iterator[str]:  # fmt: skip
    head = f"{task.stage:22} {short(task.key)}"
    manifest = manifests.get(task.stage, task.key)
    if manifest is not None:
        yield f"{head}  in the store, {made_when(manifest)}"
        yield from _code(manifest, code)
        return
    stopped = running.get((task.stage, short(task.key)))
    if fault := manifests.fault(task.stage, task.key):
        yield f"{head}  damaged: {fault}"
        return
    yield f"{head}  missing" + (f" ({state(stopped)}; log: {stopped.folder / 'log.txt'})" if stopped else "")
    closest = walk.nearest(new, manifests)
    if closest is None:
        yield "    no artifact of this stage is in the store"
        return
    old, causes = closest
    yield f"    nearest is {short(old.key)}, made for {old.row or 'an unnamed row'}"
    for change in own_changes(new, old):
        yield f"    {change}"
    for parent in changed_parents(new, old):
        yield f"    parent {parent}: {short(old.parents[parent])} → {short(new.parents[parent])}"
    yield from _roots(new, causes)


def _roots(new: Identity, causes: Causes) -> Iterator[str]:
    """Tell the ancestors that differ by themselves, the first of them as the root cause."""
    if not causes:
        yield "    nothing that is recorded differs"
    groups: dict[tuple[str, ...], list[str]] = {}
    for stage, changes in causes.items():
        if stage != new.stage:
            groups.setdefault(tuple(changes), []).append(stage)
    for index, (same, stages) in enumerate(groups.items()):
        yield f"    {'and' if index else 'root cause'}: {', '.join(stages)}: {'; '.join(same)}"


def _code(manifest: Manifest, code: Code) -> Iterator[str]:
    if changes := code.changes(manifest):
        yield f"    made by other code; changed since: {told([changes])}"
