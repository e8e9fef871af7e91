"""Rows and seeds to unique stages: what is there, what is missing, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rgx.config import Cell, Known, plan_cell
from rgx.errors import InputError
from rgx.methods import Package
from rgx.outside import Absence, AbsentError, in_short, preflight
from rgx.store import differences
from rgx.store.differences import Identity, Walk, flatten, stored
from rgx.store.keys import definition_of
from rgx.store.manifests import Manifests, damage, intact
from rgx.sweep.row import Row
from rgx.sweep.search.plan import SearchPlan, plan_search
from rgx.sweep.spec import Overrides, Sweep, read_sweep
from rgx.sweep.tasks import CodeOrigin, Task, tasks_of

__all__ = ["Plan", "Task", "explain", "explain_missing", "flatten", "make_plan", "plan_whole"]


@dataclass
class Plan:
    """Unique stages in an order in which parents come first, and the cells that need them.

    overridden: the lines of a person or of the scale that others override, and by which.
    """

    name: str
    seeds: tuple[int, ...]
    tasks: dict[str, Task] = field(default_factory=dict)
    cells: list[dict[str, Any]] = field(default_factory=list)
    per_row_trainings: int = 0
    same: list[tuple[str, str]] = field(default_factory=list)
    searches: list[SearchPlan] = field(default_factory=list)
    overridden: list[str] = field(default_factory=list)
    origin: CodeOrigin = field(default_factory=CodeOrigin)
    seed_scopes: dict[str, str] = field(default_factory=dict)
    """Panel → in words what a seed repeats, where that is not the whole pipeline."""

    @property
    def trainings(self) -> int:
        return sum(task.trains for task in self.tasks.values())

    @property
    def methods(self) -> set[Package]:
        """Return the packages that its stages and searches are made of."""
        planned = {method for task in self.tasks.values() for method in task.methods}
        return planned | {method for search in self.searches for method in search.origin.methods}

    @property
    def remarks(self) -> list[str]:
        """Return what is too little for the stages of its cells and of its searches' trials."""
        tasks = [*self.tasks.values(), *(task for search in self.searches for task in search.own)]
        return list(dict.fromkeys(f"{task.stage}: {remark}" for task in tasks for remark in task.remarks))

    def missing(self, store: Path) -> dict[str, Task]:
        """Return the tasks whose artifact is not in the store."""
        return {k: t for k, t in self.tasks.items() if not intact(store, t.stage, k)}

    def damaged(self, store: Path) -> list[tuple[Task, str]]:
        """Return the missing tasks that have a manifest which, or whose files, are not whole; and why."""
        manifests = Manifests(store)
        missing = [task for task in self.missing(store).values() if manifests.has(task.stage, task.key)]
        return [(task, damage(store, task.stage, task.key)) for task in missing]

    def sweep_record(self, trials: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
        """Return which artifact stands behind each row, for reports; trials: the rows of its searches."""
        record = {"name": self.name, "seeds": list(self.seeds), "rows": [*self.cells, *trials]}
        return record | ({"seed_scopes": self.seed_scopes} if self.seed_scopes else {})


def make_plan(sweep: Sweep) -> Plan:
    """Build every cell on the meta device and fold equal stages; raises InputError listing every error."""
    plan = Plan(sweep.name, sweep.seeds, origin=sweep.origin)
    refusals = Refusals()
    seen: dict[tuple[str, ...], str] = {}
    built: dict[tuple[str, ...], Cell] = {}
    known: Known = {}
    for row in sweep.rows:
        words = (*(text.text for text in row.texts), *row.targets)
        try:
            cell = built.get(words) or plan_cell(row.texts, row.targets, known)
            built[words] = cell
            definition = _definition(cell, row, sweep.origin)
        except InputError as error:
            refusals.add(error, row.key)
            continue
        definition = _definition(cell, row, sweep.origin)
        if row.scope:
            plan.seed_scopes[row.panel] = (
                f"each seed repeats {row.scope} and what follows it; what is before it is of seed {row.first}"
            )
        for seed in sweep.seeds:
            keys = _add(plan, sweep, cell, row, seed)
            stages = {stage: keys[stage] for stage in cell.stages}
            place = {"panel": row.panel, "row": row.name, "seed": seed}
            more = {"left_out": cell.left_out} if cell.left_out else {}
            plan.cells.append({**place, "stages": stages, "definition": definition, **more})
            plan.per_row_trainings += sum(s.trains for s in cell.stages.values())
        ends = tuple(keys[t] for t in row.targets)
        if ends in seen:
            plan.same.append((seen[ends], row.key))
        seen.setdefault(ends, row.key)
    cells = list(built.values())
    for search in sweep.searches:
        try:
            planned, points = plan_search(search, sweep.seeds, sweep.origin, known)
        except InputError as error:
            refusals.add(error)
            continue
        plan.searches.append(planned)
        cells += points
        plan.tasks |= {key: task for key, task in planned.shared.items() if key not in plan.tasks}
        plan.per_row_trainings += sum(task.trains for task in planned.shared.values())
    plan.overridden = list(dict.fromkeys(line for cell in cells for line in cell.overridden))
    cells.sort(key=lambda cell: len(cell.stages), reverse=True)
    errors = refusals.lines()
    if not errors:
        errors += _read_nowhere([cell.unread for cell in cells]).values()
    if not errors:
        errors += _lines_read_nowhere(cells, sweep)
    if errors:
        raise InputError("\n".join(dict.fromkeys(errors)))
    return plan


def plan_whole(file: Path, asked: Overrides, plan: Plan) -> tuple[Plan, list[str]]:
    """Return the plan of all rows, also of those `--only` leaves for later, or this one and what is wrong.

    `--seeds` speaks of the rows that are asked for; the others are planned at the seeds of the file. A search
    is one of the seeds that its trials are averaged over, so searches stay at those asked for.
    """
    if not asked.only:
        return plan, []
    try:
        written = make_plan(read_sweep(file, replace(asked, only=[], seeds=None)))
        every = make_plan(read_sweep(file, replace(asked, only=[]))) if written.searches else written
    except InputError as error:
        return plan, [f"rows outside --only are not in the record: {error}"]
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    searches = {search.search.name: search for search in every.searches}
    for cell in written.cells:
        cells.setdefault((cell["panel"], cell["row"]), []).append(cell)
    for panel, row in dict.fromkeys((cell["panel"], cell["row"]) for cell in plan.cells):
        cells[panel, row] = [cell for cell in plan.cells if (cell["panel"], cell["row"]) == (panel, row)]
    return replace(
        written,
        seeds=plan.seeds,
        tasks=written.tasks | plan.tasks,
        cells=[cell for own in cells.values() for cell in own],
        searches=list(searches.values()),
    ), []


@dataclass
class Refusals:
    """What is wrong with the rows and searches of a plan, each fault once with all that have it."""

    absences: dict[Absence, list[str]] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)

    def add(self, error: InputError, row: str = "") -> None:
        """Add what a row cannot be planned for, or of a search, whose error names itself."""
        fault = str(error)
        if isinstance(error, AbsentError):
            fault = error.other
            for absence in error.absences:
                self.absences.setdefault(absence, []).append(row or error.needed_by)
        if fault and row:
            self.faults.setdefault(fault, []).append(row)
        elif fault:
            self.others.append(fault)

    def lines(self) -> list[str]:
        """Return what to tell, what is absent first."""
        absent = [preflight(self.absences)] if self.absences else []
        rows = [f"{in_short(rows)}: {fault}" for fault, rows in self.faults.items()]
        return [*absent, *rows, *self.others]


def _read_nowhere(unread: list[dict[str, str]]) -> dict[str, str]:
    """Return by place what the first row says of bindings no row reads; unread: of each row, by place."""
    places = set.intersection(*map(set, unread)) if unread else set()
    return {place: unread[0][place] for place in sorted(places)}


def _lines_read_nowhere(cells: list[Cell], sweep: Sweep) -> list[str]:
    """Return what is to be said of lines of `bind` and of a person's own gin that no row reads.

    They are judged by the sweep file as written: what the command line changes makes no line of a file wrong.
    """
    unread = _read_nowhere([cell.unread_lines for cell in cells])
    as_written = Overrides(imports=sweep.overrides.imports)
    if not unread or replace(sweep.overrides, seeds=None) == as_written:
        return list(unread.values())
    try:
        make_plan(read_sweep(sweep.path, as_written))
    except InputError as error:
        return [e for e in str(error).splitlines() if e.startswith(tuple(f"{place}: " for place in unread))]
    return []


def _add(plan: Plan, sweep: Sweep, cell: Cell, row: Row, seed: int) -> dict[str, str]:
    tasks = tasks_of(cell, row, seed, sweep.origin)
    for task in tasks.values():
        plan.tasks.setdefault(task.key, task)
    return {stage: task.key for stage, task in tasks.items()}


def _definition(cell: Cell, row: Row, origin: CodeOrigin) -> str:
    """Return what a row is whatever its seed."""
    scope = {"seed_scope": row.scope, "first": str(row.first)} if row.scope else {}
    keys = {stage: task.key for stage, task in tasks_of(cell, row, 0, origin).items()}
    return definition_of(keys | scope)


def explain(task: Task, store: Path, tasks: Mapping[str, Task] | None = None) -> str:
    """Return why a stage is not in the store: the nearest artifact of its kind and what differs.

    tasks: the plan's, by key; with them the ancestor is named where the difference began.
    """
    return _explain([task], tasks or {}, store)[task.key]


def explain_missing(plan: Plan, store: Path) -> dict[str, str]:
    """Return by key why each stage of a plan that is not in the store is not there."""
    return _explain(plan.missing(store).values(), plan.tasks, store)


def _explain(wanted: Iterable[Task], tasks: Mapping[str, Task], store: Path) -> dict[str, str]:
    planned = {key: Identity.of(vars(task)) for key, task in tasks.items()}
    manifests = Manifests(store)
    walk = Walk(lambda _, key: planned.get(key), stored(manifests))
    return {task.key: differences.explain(Identity.of(vars(task)), manifests, walk) for task in wanted}
