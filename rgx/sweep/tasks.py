"""The stages of a cell at one seed, each with all a worker needs to run it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rgx.config import Cell, Text
from rgx.errors import InputError, nearest
from rgx.lines import told_of
from rgx.methods import Package
from rgx.resources import Resources
from rgx.store.keys import key_of
from rgx.sweep.row import Row

Plugins = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CodeOrigin:
    """Where the variants of a sweep are registered: its methods, and single files as (name, source).

    files: where those lie, by name.
    """

    methods: tuple[Package, ...] = ()
    plugins: Plugins = ()
    files: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True)
class Task:
    """One unique stage: all a worker needs to run it; remarks: what its data is too little for."""

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
    methods: tuple[Package, ...]
    plugins: Plugins
    row: str
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.stage}-{self.key[:8]}"

    def message(self) -> dict[str, Any]:
        """Return the task as plain data, for a worker."""
        return {**asdict(self), "resources": None, "threads": self.resources.threads}


def repeated(cell: Cell, row: Row) -> set[str]:
    """Return the stages of a cell that each seed repeats; raises InputError where its scope has none."""
    if not row.scope:
        return set(cell.stages)
    if row.scope not in cell.stages:
        raise InputError(f"seed_scope: no stage '{row.scope}' in it; {nearest(row.scope, cell.stages)}")
    names = {row.scope}
    for name, stage in cell.stages.items():
        if names & set(stage.parents()):
            names.add(name)
    if not any(cell.stages[name].seeded for name in names):
        raise InputError(f"seed_scope: neither '{row.scope}' nor what follows it takes a seed")
    return names


def tasks_of(cell: Cell, row: Row, seed: int, origin: CodeOrigin) -> dict[str, Task]:
    """Return the task of each stage of a cell, parents first; raises InputError as `repeated` does."""
    tasks: dict[str, Task] = {}
    own = repeated(cell, row)
    for name, stage in cell.stages.items():
        parents = {p: tasks[p].key for p in stage.parents()}
        ancestors = {a: k for p in parents for a, k in tasks[p].ancestors.items()}
        own_seed = (seed if name in own else row.first) if stage.seeded else None
        with told_of(name, "be planned"):
            fingerprint, uses_gpu = stage.fingerprint(), stage.uses_gpu()
            key = key_of(stage.identity(), stage.version, parents, fingerprint, own_seed)
        tasks[name] = Task(
            name, key, stage.record, stage.version, fingerprint, own_seed, stage.trains, uses_gpu,
            cell.resources[name], parents, {**ancestors, **parents}, row.texts, row.targets,
            origin.methods, origin.plugins, row.key, tuple(cell.remarks.get(name, ())),
        )  # fmt: skip
    return tasks
