"""What a search leaves in the store: each trial's values, cells, scores and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, FiniteFloat, ValidationError

from rgx.errors import InputError
from rgx.store.artifacts import intact, read_json, write_json
from rgx.sweep.plan import Plan
from rgx.sweep.search.plan import Rung, SearchPlan

State = Literal["open", "finished", "stopped", "failed"]


class Score(BaseModel):
    """A metric's mean over the seeds, and what it costs: lower is better."""

    value: FiniteFloat
    cost: FiniteFloat


class Climbed(BaseModel):
    """A rung a trial began: its row, the key of each stage at each seed, and its score once finished."""

    row: str
    cells: list[tuple[int, dict[str, str]]]
    score: Score | None = None

    @classmethod
    def of(cls, rung: Rung) -> Climbed:
        """Return a planned rung as one that is begun."""
        return cls(row=rung.name, cells=list(rung.cells))


class Trial(BaseModel):
    """One trial; `open` until it climbed every rung, was stopped on one, or failed for a reason."""

    point: tuple[float, ...]
    values: dict[str, Any]
    state: State = "open"
    reason: str = ""
    rungs: list[Climbed] = []

    @property
    def last(self) -> Climbed | None:
        """The last rung with a score."""
        scored = [rung for rung in self.rungs if rung.score is not None]
        return scored[-1] if scored else None

    @property
    def cost(self) -> float | None:
        """What its last score costs; None for a trial that failed or has no score."""
        last = self.last
        return None if self.state == "failed" or last is None or last.score is None else last.score.cost


class Record(BaseModel):
    """The trials of a search, in the order of their numbers."""

    trials: list[Trial] = []


def search_folder(store: Path, sweep: str, plan: SearchPlan) -> Path:
    """Return where a search keeps its record: a changed search has a folder of its own."""
    return store / "searches" / sweep / f"{plan.search.name}-{plan.signature[:16]}"


def read_record(store: Path, sweep: str, plan: SearchPlan) -> Record:
    """Return a search's record, empty where there is none; raises InputError for one that is damaged.

    A trial whose artifacts are not all there any more is open again.
    """
    path = search_folder(store, sweep, plan) / "record.json"
    if not path.exists():
        return Record()
    try:
        record = Record.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(
            f"{path}: {'/'.join(map(str, first['loc']))}: {first['msg']}; remove it to begin the search again"
        ) from None
    for trial in record.trials:
        if trial.last is not None and not _stands(trial.last, store):
            trial.state, trial.rungs = "open", []
    return record


def _stands(rung: Climbed, store: Path) -> bool:
    return all(intact(store, stage, key) for _, stages in rung.cells for stage, key in stages.items())


def write_record(store: Path, sweep: str, plan: SearchPlan, record: Record) -> None:
    """Write a search's record at once or not at all."""
    write_json(search_folder(store, sweep, plan) / "record.json", record.model_dump(mode="json"))


def trial_rows(plans: Iterable[SearchPlan], sweep: str, store: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of every trial as a sweep's record holds them: its last score's, and what has none yet.

    Trials with the same values are one row.
    """
    seen: set[tuple[str, str]] = set()
    for plan in plans:
        name = plan.search.name
        for trial in read_record(store, sweep, plan).trials:
            for rung in trial.rungs:
                if (rung.score is None or rung is trial.last) and (name, rung.row) not in seen:
                    seen.add((name, rung.row))
                    for seed, stages in rung.cells:
                        yield {"panel": name, "row": rung.row, "seed": seed, "stages": stages}


def write_sweep(plan: Plan, store: Path) -> None:
    """Write which artifact stands behind each row of a sweep and each trial of its searches."""
    rows = trial_rows(plan.searches, plan.name, store)
    write_json(store / "sweeps" / f"{plan.name}.json", plan.sweep_record(rows))
