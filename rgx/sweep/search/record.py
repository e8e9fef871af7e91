"""What a search leaves in the store: each trial's values, cells, scores and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.store.artifacts import write_json
from rgx.store.keys import short
from rgx.store.manifests import intact
from rgx.store.records import Climbed, SearchRecord, Trial
from rgx.store.runs import read_trials
from rgx.sweep.search.plan import SearchPlan

ANEW = "remove it to begin the search again"


def search_folder(store: Path, sweep: str, plan: SearchPlan) -> Path:
    """Return where a search keeps its record: a changed search has a folder of its own."""
    return store / "searches" / sweep / f"{plan.search.name}-{short(plan.signature)}"


def read_record(store: Path, sweep: str, plan: SearchPlan) -> SearchRecord:
    """Return a search's record, empty where there is none; raises InputError for one that is damaged.

    A trial whose artifacts are not all there any more is open again.
    """
    path = search_folder(store, sweep, plan) / "record.json"
    if not path.exists():
        return SearchRecord()
    try:
        record = read_trials(path)
    except InputError as error:
        raise InputError(f"{error}; {ANEW}") from None
    for number, trial in enumerate(record.trials):
        if not _fits(trial, plan):
            raise InputError(f"{path}: trials/{number} is none of this search; {ANEW}")
        if trial.last is not None and not _stands(trial.last, store):
            trial.state, trial.rungs = "open", []
    return record


def _fits(trial: Trial, plan: SearchPlan) -> bool:
    """Return whether a trial lies in the space of a search: a record may come from elsewhere."""
    search = plan.search
    in_space = len(trial.point) == len(search.space.factors) and all(0 <= part <= 1 for part in trial.point)
    return (
        in_space and trial.values.keys() == {*search.space.factors} and len(trial.rungs) <= len(search.times)
    )


def _stands(rung: Climbed, store: Path) -> bool:
    return all(intact(store, stage, key) for _, stages in rung.cells for stage, key in stages.items())


def write_record(store: Path, sweep: str, plan: SearchPlan, record: SearchRecord) -> None:
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
                    more = {"left_out": rung.left_out} if rung.left_out else {}
                    for seed, stages in rung.cells:
                        place = {"panel": name, "row": rung.row, "seed": seed}
                        yield {**place, "stages": stages, "chosen_on": plan.split, **more}
