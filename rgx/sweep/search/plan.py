"""Pre-flight of a search: what its trials share, what each runs, and which search it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rgx.bindings import variants_in
from rgx.config import Cell, Known, plan_cell
from rgx.errors import InputError, nearest
from rgx.outside import AbsentError
from rgx.stage import Split
from rgx.store.keys import key_of
from rgx.sweep.row import Row
from rgx.sweep.search.choice import check_split
from rgx.sweep.search.spec import Search
from rgx.sweep.tasks import CodeOrigin, Task, tasks_of

METRIC = "metric/"
FORMAT = 1
"""Raised by hand when the same definition means another search."""


@dataclass(frozen=True)
class Rung:
    """A cell that a trial finishes: its stages at each seed, and all of them by key, parents first.

    left_out: by stage, what was asked for and changes nothing.
    """

    name: str
    cells: tuple[tuple[int, dict[str, str]], ...]
    tasks: dict[str, Task]
    left_out: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ends(self, stage: str) -> list[str]:
        """Return the key of a stage at each seed."""
        return [stages[stage] for _, stages in self.cells]


@dataclass(frozen=True)
class SearchPlan:
    """A search that can be run: shared are the tasks no suggested value changes, by key.

    own: the stages a trial runs itself; signature: what makes it this search and no other, but for
    the number of its trials; split: what it chooses by, where its stage says it.
    """

    search: Search
    seeds: tuple[int, ...]
    origin: CodeOrigin
    known: Known
    shared: dict[str, Task]
    own: tuple[Task, ...]
    signature: str
    split: Split | None = None

    @property
    def trainings(self) -> int:
        """The most trainings its trials can need."""
        rungs = len(self.search.asha.rungs) if self.search.asha else 1
        per_rung = len(self.seeds) * sum(task.trains for task in self.own)
        return self.search.trials * rungs * per_rung

    def rungs(self, values: Mapping[str, Any]) -> list[Rung]:
        """Plan a trial; raises InputError for values that make no cell."""
        return [_rung(self, row)[1] for row in self.search.rungs(values)]

    def needs(self, machines_have_gpus: bool) -> dict[str, float]:
        """Return the most that any stage of a trial asks of a machine."""
        asked: dict[str, float] = {}
        for task in self.own:
            for name, amount in task.resources.wanted(task.uses_gpu, machines_have_gpus).items():
                asked[name] = max(amount, asked.get(name, 0.0))
        return asked


def plan_search(
    search: Search, seeds: tuple[int, ...], origin: CodeOrigin, known: Known
) -> tuple[SearchPlan, list[Cell]]:
    """Plan cells from the low ends to the high ends, and return what they have in common, and them.

    Raises InputError for values that make no cell, a metric its stage does not report or that is of the test
    split, and a factor that does not change the metric.
    """
    bare = SearchPlan(search, seeds, origin, known, {}, (), "")
    space = search.whole_space
    points = [_end(bare, values) for values in space.diagonal()]
    cells, rungs = [cell for cell, _ in points], [rung for _, rung in points]
    _check_metric(search, cells[0])
    split = check_split(search, cells, search.row(space.diagonal()[0]).texts)
    low = rungs[0].ends(search.stage)
    for factor, values in space.single_changes():
        if _end(bare, values)[1].ends(search.stage) == low:
            raise InputError(
                f"{search.places[factor]}: {search.name}: '{factor}' changes nothing that {search.stage} "
                "depends on, or is bound by the command line as well"
            )
    common = set.intersection(*(set(rung.tasks) for rung in rungs))
    tasks = rungs[0].tasks
    shared = {key: replace(tasks[key], row=search.name) for key in tasks if key in common}
    # At one seed, for a trial's stages are of one kind whatever the seed.
    own = tuple(tasks[key] for key in rungs[0].cells[0][1].values() if key not in common)
    signature = _signature(search, rungs)
    return SearchPlan(search, seeds, origin, known, shared, own, signature, split), cells


def _end(plan: SearchPlan, values: Mapping[str, Any]) -> tuple[Cell, Rung]:
    """Plan a cell that stands for many; raises InputError that names it."""
    row = plan.search.row(values)
    try:
        return _rung(plan, row)
    except AbsentError as error:
        raise error.of(row.key) from None
    except InputError as error:
        raise InputError(f"{row.key}: {error}") from None


def _rung(plan: SearchPlan, row: Row) -> tuple[Cell, Rung]:
    cell = plan_cell(row.texts, row.targets, plan.known)
    cells: list[tuple[int, dict[str, str]]] = []
    every: dict[str, Task] = {}
    for seed in plan.seeds:
        tasks = tasks_of(cell, row, seed, plan.origin)
        cells.append((seed, {stage: task.key for stage, task in tasks.items()}))
        every |= {task.key: task for task in tasks.values() if task.key not in every}
    return cell, Rung(row.name, tuple(cells), every, cell.left_out)


def _check_metric(search: Search, cell: Cell) -> None:
    made_of = variants_in(cell.stages[search.stage].identity())
    reported = [key.removeprefix(METRIC) for key in made_of if key.startswith(METRIC)]
    if search.metric not in reported:
        raise InputError(
            f"{search.name}: {search.stage} does not report '{search.metric}': "
            f"{nearest(search.metric, reported)}"
        )


def _signature(search: Search, rungs: Iterable[Rung]) -> str:
    record = {
        "ends": [rung.ends(search.stage) for rung in rungs],
        "over": [[name, factor.model_dump()] for name, factor in search.space.factors.items()],
        "metric": f"{search.stage}/{search.metric}",
        "searcher": search.searcher,
        "seed": search.seed,
        "asha": search.asha.model_dump() if search.asha else None,
    }
    return key_of(record, FORMAT, {})
