"""Run the searches of a sweep, once what their trials share is in the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from rgx.errors import InputError
from rgx.store.lease import Lease, LeaseHeldError
from rgx.sweep.graph import Graph
from rgx.sweep.plan import Plan
from rgx.sweep.search.plan import SearchPlan
from rgx.sweep.search.record import Record, read_record, search_folder
from rgx.sweep.search.table import outcome
from rgx.sweep.search.trials import Trials


def run_searches(graph: Graph, whole: Plan, console: Console, engine: str, address: str | None) -> bool:
    """Run each search of the graph's plan, show its trials, and return whether each ended with a score.

    whole: the plan of the whole sweep, whose record names the trials' artifacts. Raises InputError for a
    search that another process works on.
    """

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    well = True
    for plan in graph.plan.searches:
        lacking = [graph.plan.tasks[key].title for key in plan.shared if key not in graph.done]
        if lacking:
            say(f"{plan.search.name}: not begun, for its trials need {', '.join(lacking)}")
            well = False
            continue
        record = _run(plan, whole, graph.store, say, engine, address)
        for line in outcome(plan, record):
            say(line)
        well = well and is_over(plan, record) and any(trial.state == "finished" for trial in record.trials)
    return well


def is_over(plan: SearchPlan, record: Record) -> bool:
    """Return whether no trial of a search is left to run."""
    return len(record.trials) >= plan.search.trials and all(t.state != "open" for t in record.trials)


def _run(
    plan: SearchPlan, whole: Plan, store: Path, say: Callable[[str], None], engine: str, address: str | None
) -> Record:
    name, folder = plan.search.name, search_folder(store, whole.name, plan)
    record = read_record(store, whole.name, plan)
    if is_over(plan, record):
        return record
    try:
        with Lease(folder):
            record = read_record(store, whole.name, plan)
            ended = sum(trial.state != "open" for trial in record.trials)
            say(f"{name}: {ended} of {plan.search.trials} trials have ended")
            ENGINES[engine](Trials(plan, whole, store, record, say), address)
    except LeaseHeldError as error:
        raise InputError(f"search {name}: {error}") from None
    return record


def _inline(trials: Trials, address: str | None) -> None:
    from rgx.sweep.search import inline

    inline.execute(trials)


def _ray(trials: Trials, address: str | None) -> None:
    from rgx.sweep import cluster as stages
    from rgx.sweep.search import cluster

    stages.start_ray(address)
    cluster.execute(trials)


ENGINES: dict[str, Callable[[Trials, str | None], None]] = {"inline": _inline, "ray": _ray}
