"""Run the searches of a sweep, once what their trials share is in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from rgx.errors import InputError
from rgx.run.graph import Graph
from rgx.run.search_trials import Trials
from rgx.run.trackers import Tracker
from rgx.store.lease import Lease, LeaseHeldError
from rgx.sweep.plan import Plan
from rgx.sweep.search.plan import SearchPlan
from rgx.sweep.search.record import read_record, search_folder
from rgx.sweep.search.results import Record
from rgx.sweep.search.table import outcome


def run_searches(
    graph: Graph,
    whole: Plan,
    console: Console,
    engine: str,
    address: str | None,
    trackers: Sequence[Tracker] = (),
) -> bool:
    """Run each search of the graph's plan, show its trials, and return whether each ended with a score.

    whole: the plan of the whole sweep, whose record names the trials' artifacts. Raises InputError for a
    search that another process works on.
    """

    def say(line: str) -> None:
        # What a record from elsewhere holds must not steer the terminal.
        plain = "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in line)
        console.print(plain, markup=False, highlight=False, soft_wrap=True)

    def run_all(trials: Trials) -> None:
        ENGINES[engine](trials, address, trackers)

    well = True
    for plan in graph.plan.searches:
        lacking = [graph.plan.tasks[key].title for key in plan.shared if key not in graph.done]
        if lacking:
            say(f"{plan.search.name}: not begun, for its trials need {', '.join(lacking)}")
            well = False
            continue
        record = _run(plan, whole, graph.store, say, run_all)
        for line in outcome(plan, record):
            say(line)
        well = well and is_over(plan, record) and any(trial.state == "finished" for trial in record.trials)
    return well


def is_over(plan: SearchPlan, record: Record) -> bool:
    """Return whether no trial of a search is left to run."""
    return len(record.trials) >= plan.search.trials and all(t.state != "open" for t in record.trials)


def _run(
    plan: SearchPlan, whole: Plan, store: Path, say: Callable[[str], None], run_all: Callable[[Trials], None]
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
            run_all(Trials(plan, whole, store, record, say))
    except KeyboardInterrupt:
        ended = sum(trial.state != "open" for trial in record.trials)
        say(f"{name}: stopped; {ended} of {plan.search.trials} trials have ended")
        raise
    except LeaseHeldError as error:
        raise InputError(f"search {name}: {error}") from None
    return record


def _inline(trials: Trials, address: str | None, trackers: Sequence[Tracker]) -> None:
    from rgx.run import search_inline

    search_inline.execute(trials)


def _ray(trials: Trials, address: str | None, trackers: Sequence[Tracker]) -> None:
    from rgx.run import engine_ray, search_ray
    from rgx.run.search_tracking import TrialTracking

    engine_ray.start_ray(address, trials.whole.methods)
    with TrialTracking(list(trackers), trials.whole.name, trials.store, trials.say) as tracking:
        search_ray.execute(trials, [tracking])


ENGINES: dict[str, Callable[[Trials, str | None, Sequence[Tracker]], None]] = {"inline": _inline, "ray": _ray}
