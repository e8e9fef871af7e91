"""Climb a trial's rungs: the missing stages of a cell in order, its score, and the next cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rgx.errors import DamagedError, NotFiniteError
from rgx.run.failures import write_failure
from rgx.run.worker import run_task
from rgx.store.artifacts import manifest
from rgx.sweep.search.plan import Rung, SearchPlan
from rgx.sweep.search.results import Score

COSTS: dict[str, Callable[[float, float], float]] = {
    "down": lambda value, reference: value,
    "up": lambda value, reference: -value,
    "reference": lambda value, reference: abs(value - reference),
}
"""What a value costs, by its metric's direction; the reference is what its own line of a table shows."""

Message = dict[str, Any]


def message(plan: SearchPlan, rungs: Sequence[Rung], machines_have_gpus: bool, token: str = "") -> Message:
    """Return a planned trial as plain data, for a worker; token: a name for the leases it takes."""
    search = plan.search
    return {
        "stage": search.stage,
        "metric": search.metric,
        "direction": search.direction,
        "rungs": [
            {
                "time": time,
                "ends": rung.ends(search.stage),
                "tasks": [
                    {
                        "task": {**task.message(), "trial": token},
                        "gpu": bool(task.resources.wanted(task.uses_gpu, machines_have_gpus).get("GPU")),
                    }
                    for task in rung.tasks.values()
                ],
            }
            for rung, time in zip(rungs, search.times, strict=True)
        ],
    }


def climb(trial: Mapping[str, Any], store: Path, first: int = 0) -> Iterator[dict[str, float]]:
    """Finish one rung after another and yield each one's result; raises what a stage raises.

    first: the rung to begin on; those below were told before. Raises NotFiniteError for a score that is
    no number.
    """
    for index, rung in list(enumerate(trial["rungs"]))[first:]:
        _finish(rung["tasks"], store)
        yield result(index, rung["time"], _score(trial, rung["ends"], store))


def result(index: int, time: float, score: Score) -> dict[str, float]:
    """Return the score of a rung, counted from 0, as Ray's searchers and schedulers want it."""
    return {"index": index, "time": time, "value": score.value, "cost": score.cost}


def _finish(tasks: Sequence[Mapping[str, Any]], store: Path) -> None:
    waiting = list(tasks)
    while waiting:
        try:
            run_task(waiting[0]["task"], store, "cuda" if waiting[0]["gpu"] else "cpu")
            waiting.pop(0)
        except DamagedError:
            # The damaged parents were set aside: from the beginning, they are made again.
            waiting = list(tasks)
        except Exception as error:
            write_failure(store, waiting[0]["task"]["stage"], waiting[0]["task"]["key"], error)
            raise


def _score(trial: Mapping[str, Any], ends: Sequence[str], store: Path) -> Score:
    stage, metric = trial["stage"], trial["metric"]
    values, references = [], []
    # Seeds that share an artifact are one number, as in a table.
    for key in dict.fromkeys(ends):
        outputs = (manifest(store, stage, key) or {}).get("outputs", {})
        values.append(_number(outputs.get("scores", {}).get(metric)))
        references.append(_number(outputs.get("references", {}).get(metric)))
    value = fmean(values)
    cost = COSTS[trial["direction"]](value, fmean(references))
    if not (math.isfinite(value) and math.isfinite(cost)):
        raise NotFiniteError(f"{stage}/{metric} is {value}, its reference {fmean(references)}")
    return Score(value=value, cost=cost)


def _number(found: Any) -> float:
    return float(found) if isinstance(found, (int, float)) else math.nan
