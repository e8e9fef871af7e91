"""Rows and seeds to unique stages: what is there, what is missing, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rgx.config import Cell, Text, plan_cell
from rgx.errors import InputError
from rgx.inspect import differences
from rgx.inspect.differences import Identity, Walk, flatten, stored
from rgx.inspect.shelf import Shelf
from rgx.stages.resources import Resources
from rgx.store.artifacts import intact, manifest
from rgx.store.keys import key_of
from rgx.sweep.spec import Row, Sweep

__all__ = ["Plan", "Task", "explain", "explain_missing", "flatten", "make_plan"]


@dataclass(frozen=True)
class Task:
    """One unique stage: all a worker needs to run it."""

    stage: str
    key: str
    record: dict[str, Any]
    version: int
    fingerprint: str
    seed: int | None
    trains: bool
    uses_gpu: bool
    resources: Resources
    parents: dict[str, str]
    ancestors: dict[str, str]
    texts: tuple[Text, ...]
    targets: tuple[str, ...]
    plugins: tuple[tuple[str, str], ...]
    row: str

    @property
    def title(self) -> str:
        return f"{self.stage}-{self.key[:8]}"

    def message(self) -> dict[str, Any]:
        """Return the task as plain data, for a worker."""
        return {**asdict(self), "resources": None, "threads": self.resources.threads}


@dataclass
class Plan:
    """Unique stages in an order in which parents come first, and the cells that need them."""

    name: str
    seeds: tuple[int, ...]
    tasks: dict[str, Task] = field(default_factory=dict)
    cells: list[dict[str, Any]] = field(default_factory=list)
    per_row_trainings: int = 0
    same: list[tuple[str, str]] = field(default_factory=list)

    @property
    def trainings(self) -> int:
        return sum(task.trains for task in self.tasks.values())

    def missing(self, store: Path) -> dict[str, Task]:
        """Return the tasks whose artifact is not in the store."""
        return {k: t for k, t in self.tasks.items() if not intact(store, t.stage, k)}

    def damaged(self, store: Path) -> list[Task]:
        """Return the missing tasks that have a manifest, but whose files are not all there."""
        missing = self.missing(store).values()
        return [task for task in missing if manifest(store, task.stage, task.key) is not None]

    def sweep_record(self) -> dict[str, Any]:
        """Return which artifact stands behind each row, for reports."""
        return {"name": self.name, "seeds": list(self.seeds), "rows": self.cells}


def make_plan(sweep: Sweep) -> Plan:
    """Build every cell on the meta device and fold equal stages; raises InputError listing every error."""
    plan = Plan(sweep.name, sweep.seeds)
    errors: list[str] = []
    seen: dict[tuple[str, ...], str] = {}
    built: dict[tuple[str, ...], Cell] = {}
    known: dict[str, Any] = {}
    for row in sweep.rows:
        words = (*(text.text for text in row.texts), *row.targets)
        try:
            cell = built.get(words) or plan_cell(row.texts, row.targets, known)
            built[words] = cell
        except InputError as error:
            errors.append(f"{row.key}: {error}")
            continue
        for seed in sweep.seeds:
            keys = _add(plan, sweep, cell, row, seed)
            stages = {stage: keys[stage] for stage in cell.stages}
            plan.cells.append({"panel": row.panel, "row": row.name, "seed": seed, "stages": stages})
            plan.per_row_trainings += sum(s.trains for s in cell.stages.values())
        ends = tuple(keys[t] for t in row.targets)
        if ends in seen:
            plan.same.append((seen[ends], row.key))
        seen.setdefault(ends, row.key)
    errors += _read_nowhere(list(built.values()))
    if errors:
        raise InputError("\n".join(dict.fromkeys(errors)))
    return plan


def _read_nowhere(cells: list[Cell]) -> list[str]:
    """Return what is to be said of bindings asked of every row that no row reads."""
    if not cells:
        return []
    places = set.intersection(*(set(cell.unread) for cell in cells))
    fullest = max(cells, key=lambda cell: len(cell.stages))
    return [fullest.unread[place] for place in sorted(places)]


def _add(plan: Plan, sweep: Sweep, cell: Cell, row: Row, seed: int) -> dict[str, str]:
    keys: dict[str, str] = {}
    ancestors: dict[str, dict[str, str]] = {}
    for name, stage in cell.stages.items():
        parents = {p: keys[p] for p in stage.parents()}
        own_seed = seed if stage.seeded else None
        key = key_of(stage.identity(), stage.version, parents, stage.fingerprint(), own_seed)
        keys[name] = key
        ancestors[name] = {**{a: k for p in parents for a, k in ancestors[p].items()}, **parents}
        if key not in plan.tasks:
            plan.tasks[key] = Task(
                name, key, stage.record, stage.version, stage.fingerprint(), own_seed, stage.trains,
                stage.uses_gpu(), cell.resources[name], parents, ancestors[name], row.texts,
                row.targets, sweep.plugins, row.key,
            )  # fmt: skip
    return keys


def explain(task: Task, store: Path, tasks: Mapping[str, Task] | None = None) -> str:
    """Return why a stage is not in the store: the nearest artifact of its kind and what differs.

    tasks: the plan's, by key; with them the ancestor is named where the difference began.
    """
    return _explain([task], tasks or {}, store)[task.key]


def explain_missing(plan: Plan, store: Path) -> dict[str, str]:
    """Return by key why each stage of a plan that is not in the store is not there."""
    return _explain(plan.missing(store).values(), plan.tasks, store)


def _explain(wanted: Iterable[Task], tasks: Mapping[str, Task], store: Path) -> dict[str, str]:
    planned = {key: Identity.of(vars(one)) for key, one in tasks.items()}
    shelf = Shelf(store)
    walk = Walk(lambda _, key: planned.get(key), stored(shelf))
    return {one.key: differences.explain(Identity.of(vars(one)), shelf, walk) for one in wanted}
