"""What a sweep is asked to make anew: cells, stages of cells, or all that other code made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.records import Run, SweepRow
from rgx.store.removal import Artifact, artifacts_of, remove, resting_on
from rgx.sweep.plan import Plan
from rgx.sweep.reuse import drift_of
from rgx.sweep.search.record import trial_rows

DRIFTED = "drifted"


def make_anew(asked: Sequence[str], plan: Plan, whole: Plan, store: Path) -> Iterator[str]:
    """Move what is asked for, and what rests on it, to the trash, and say so.

    asked: `panel/row`, `panel/row/stage` or `drifted`; whole: the plan of all rows of the sweep. Raises
    InputError with the nearest name, and as `rgx.store.removal.remove` does; nothing is moved then.
    """
    manifests = Manifests(store)
    named = [artifact for words in asked for artifact in _named(words, plan, whole, store)]
    there = list(dict.fromkeys(artifact for artifact in named if manifests.has(*artifact)))
    if not there:
        yield f"--rerun {', '.join(asked)}: nothing of it is in the store"
        return
    resting = resting_on(manifests, there)
    planned = {(task.stage, short(key)) for key, task in plan.tasks.items()}
    outside = [artifact for artifact in resting if artifact not in planned]
    folder = remove(store, [*there, *resting], pinned=not outside)
    yield f"made anew: {_counted(there)}{f', and what rests on them: {_counted(resting)}' if resting else ''}"
    if outside:
        yield f"of these, made again only when the sweeps that need them run: {_counted(outside)}"
    yield f"the old ones are kept in {folder} until `rgx gc --empty`"


def _named(words: str, plan: Plan, whole: Plan, store: Path) -> list[Artifact]:
    if words == DRIFTED:
        return list(drift_of(plan, store))
    trials = trial_rows(whole.searches, whole.name, store)
    rows = [SweepRow.model_validate(row) for row in (*whole.cells, *trials)]
    return artifacts_of(Run(name=whole.name, seeds=list(whole.seeds), rows=rows), words)


def _counted(artifacts: Sequence[Artifact]) -> str:
    stages = dict.fromkeys(stage for stage, _ in artifacts)
    return ", ".join(f"{sum(name == stage for name, _ in artifacts)} {stage}" for stage in stages)
