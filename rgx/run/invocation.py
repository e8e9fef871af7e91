"""One sweep from its file to the store: plan it, run what is missing, and say how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rgx.errors import InputError
from rgx.lookup import find_given
from rgx.registry import replacements
from rgx.run.anew import make_anew
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.run.ray_start import look_for_ray, start_ray
from rgx.run.repository import commits
from rgx.run.searches import Searches
from rgx.run.trackers import Tracker, make_trackers
from rgx.store.artifacts import open_store
from rgx.store.cost import cpu_seconds_by_key, in_words
from rgx.store.drift import account
from rgx.store.known_files import keep, recall
from rgx.store.manifests import Manifests
from rgx.sweep.plan import Plan, make_plan, plan_whole
from rgx.sweep.reuse import drift_of
from rgx.sweep.run_record import RunRecord
from rgx.sweep.spec import Overrides, read_sweep

MOST_SHOWN = 3
"""So many overridden lines a sweep shows; of more it says how many."""
ANEW = "--rerun drifted makes them, and what rests on them, anew"


@dataclass(frozen=True)
class Execution:
    """Where a sweep runs and what it leaves; track: what shows it while it runs.

    go_on: whether stages go on from checkpoints that other code has written; rerun: what is made anew though
    it is finished.
    """

    store: Path
    engine: str
    address: str | None = None
    track: Sequence[str] = ()
    go_on: bool = False
    rerun: Sequence[str] = ()


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep went; name: that of its run, whether all it needs is there now, and its stages by number.

    failed: why stages failed, by title; blocked: how many wait for one of those.
    """

    name: str
    well: bool
    made: int
    reused: int
    failed: dict[str, str]
    blocked: int


def run_sweep(file: Path, asked: Overrides, execution: Execution, console: Console) -> SweepOutcome:
    """Run every stage and search a sweep needs and does not have, and return how it went.

    Raises InputError for what cannot be planned, before anything runs; passes Ctrl-C on.
    """

    def say(text: str) -> None:
        _say(console, text)

    if execution.engine == "ray":
        look_for_ray(execution.address, say)
    elif execution.track:
        raise InputError(
            f"--track {execution.track[0]} needs --engine ray: trackers are told by Ray Tune's trials"
        )
    elif execution.address:
        raise InputError(f"--address {execution.address} needs --engine ray")
    recall(execution.store.expanduser())
    plan = make_plan(read_sweep(file, asked))
    store = open_store(execution.store)
    trackers = make_trackers(execution.track, plan.name, store)
    whole, outside = plan_whole(file, asked, plan)
    for line in (*_planned(plan), *outside, *told_overridden(plan)):
        say(line)
    if execution.rerun:
        for line in make_anew(execution.rerun, plan, whole, store):
            say(line)
    record = RunRecord(whole, store, not outside, asked.written)
    record.write()
    keep(store)
    for task, reason in plan.damaged(store):
        say(f"damaged: {task.title} is made again: {reason}")
    graph = Graph(plan, store, execution.go_on, commits(_folders(file, plan)))
    for line in _reused(plan, store):
        say(line)
    searches = Searches(graph, record, say)
    try:
        with searches:
            if graph.waiting or not searches.over:
                ENGINES[execution.engine](graph, console, execution.address, trackers)
    except KeyboardInterrupt as stop:
        say(
            f"{str(stop) or 'stopped'}: {len(graph.done)} of {len(graph.tasks)} stages are in the store; "
            "the same command goes on from there and from the last checkpoints"
        )
        raise
    well = searches.outcome() and not plan.tasks.keys() & graph.failed.keys()
    outcome = _outcome(graph, plan, well)
    for line in _told_outcome(outcome, graph, plan):
        say(line)
    return outcome


def _planned(plan: Plan) -> Iterator[str]:
    """Give what a person should know of a plan before it runs."""
    yield from (f"replaced: {line}" for line in replacements())
    yield from (f"same cell: {second} is {first}" for first, second in plan.same)
    yield from (f"too little data: {line}" for line in plan.remarks)


def told_overridden(plan: Plan) -> list[str]:
    """Return the written lines that others override, or their number where they are many."""
    lines = plan.overridden
    if len(lines) > MOST_SHOWN:
        return [f"overridden: {len(lines)} lines; `rgx plan` with the same options lists each, and by what"]
    return [f"overridden: {line}" for line in lines]


def _folders(file: Path, plan: Plan) -> list[Path]:
    """Return where a person's code may lie: beside the sweep, in its methods, beside its single files."""
    methods = [package.path for package in plan.origin.methods]
    return [find_given(file, "sweep file").parent, *methods, *(path.parent for _, path in plan.origin.files)]


def _reused(plan: Plan, store: Path) -> list[str]:
    """Return a line for each kind of stage that is reused though other code made it, and what can be done."""
    lines = account(drift_of(plan, store))
    return [*(f"reused: {line}" for line in lines), *([ANEW] if lines else [])]


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _outcome(graph: Graph, plan: Plan, well: bool) -> SweepOutcome:
    failed = {graph.tasks[key].title: reason for key, reason in graph.failed.items()}
    return SweepOutcome(
        plan.name, well, len(graph.done) - graph.found, graph.found, failed, len(graph.blocked)
    )


def _told_outcome(outcome: SweepOutcome, graph: Graph, plan: Plan) -> list[str]:
    failed = [f"failed: {title}: {reason}" for title, reason in outcome.failed.items()]
    return [
        *failed,
        f"{outcome.name}: {outcome.made} stages run, {outcome.reused} reused, "
        f"{len(failed)} failed, {outcome.blocked} blocked; {plan.trainings} trainings stand "
        f"where a sweep row by row does {plan.per_row_trainings}; {cost_of(graph)}",
    ]


def cost_of(graph: Graph) -> str:
    """Return what all stages of a sweep that are in the store took to make, this time or before."""
    there = [(graph.tasks[key].stage, key) for key in graph.done]
    return in_words(sum(cpu_seconds_by_key(Manifests(graph.store), there).values()))


def _inline(graph: Graph, console: Console, address: str | None, trackers: list[Tracker]) -> None:
    from rgx.run import engine_inline

    with Progress(graph, console, 1) as progress:
        engine_inline.execute(graph, progress)


def _ray(graph: Graph, console: Console, address: str | None, trackers: list[Tracker]) -> None:
    # Before the rest, which imports Ray: some settings it reads only then.
    cpus = start_ray(address, graph.plan.methods, lambda line: _say(console, line))
    from rgx.run import engine_ray
    from rgx.run.tracking import Tracking

    with ExitStack() as stack:
        progress = stack.enter_context(Progress(graph, console, cpus))
        tracking = stack.enter_context(Tracking(trackers, graph.plan.name, graph.store, progress.line))
        engine_ray.execute(graph, progress, [tracking])


Engine = Callable[[Graph, Console, str | None, list[Tracker]], None]
ENGINES: dict[str, Engine] = {"inline": _inline, "ray": _ray}
