"""How a search is told: what it will do, and its trials with the best first."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tabulate import tabulate

from rgx.store.records import SearchRecord, Split, State, Trial
from rgx.sweep.factors import labels_of
from rgx.sweep.row import row_text
from rgx.sweep.search.plan import SearchPlan
from rgx.sweep.search.record import read_record

ORDER: dict[State, int] = {"finished": 0, "stopped": 1, "open": 2, "failed": 3}
CHOSEN_ON_TEST = "chosen by scores of the test split: the best of them looks better than it is"
BETTER = {"down": "lower", "up": "higher", "reference": "nearer to the reference"}


def about(plan: SearchPlan, sweep: str, store: Path) -> dict[str, Any]:
    """Return what a search will do, as plain data."""
    search = plan.search
    record = read_record(store, sweep, plan)
    return {
        "name": search.name,
        "metric": f"{search.stage}/{search.metric}",
        "split": plan.split,
        "searcher": search.searcher,
        "trials": search.trials,
        "ended": sum(trial.state != "open" for trial in record.trials),
        "rungs": list(search.asha.rungs) if search.asha else [],
        "shared": list(plan.shared),
        "own": [task.stage for task in plan.own],
        "most_trainings": plan.trainings,
    }


def intention(facts: Mapping[str, Any], lacking: int) -> str:
    """Return what `about` tells in one line; lacking: how many shared stages are not in the store."""
    rungs = f" on rungs {facts['rungs']}" if facts["rungs"] else ""
    return (
        f"search {facts['name']}: {facts['trials']} trials{rungs}, {facts['ended']} ended, "
        f"by {facts['metric']}{_on(facts['split'])}, {facts['searcher']}; "
        f"{len(facts['shared'])} stages shared, "
        f"{len(facts['shared']) - lacking} in the store; "
        f"a trial runs {', '.join(facts['own'])}; at most {facts['most_trainings']} trainings"
    )


def outcome(plan: SearchPlan, record: SearchRecord) -> Iterator[str]:
    """Yield a table of the trials, best first, and the bindings of the best.

    A trial that climbed all rungs stands before one that was stopped, whatever their scores: those are
    of different budgets.
    """
    search = plan.search
    counts = Counter(trial.state for trial in record.trials)
    counted = ", ".join(f"{counts[state]} {state}" for state in ORDER if counts[state])
    yield (
        f"{search.name}: {len(record.trials)} trials by {search.stage}/{search.metric}{_on(plan.split)} "
        f"({BETTER[search.direction]} is better): {counted}"
    )
    factors = list(search.whole_space.factors)
    labels = labels_of(factors)
    ordered = sorted(enumerate(record.trials), key=lambda pair: _rank(pair[1]))
    lines = [
        [_value(trial), *(_level(plan, trial, factor) for factor in factors), number + 1, _end(trial)]
        for number, trial in ordered
    ]
    heads = [search.metric, *labels.values(), "trial", ""]
    yield from tabulate(lines, heads, tablefmt="simple", disable_numparse=True).splitlines()
    best = ordered[0][1] if ordered else None
    if best is not None and best.state == "finished":
        yield f"best: {' '.join(bindings(plan, best))}"
    if plan.split == "test":
        yield f"{search.name}: {CHOSEN_ON_TEST}"


def bindings(plan: SearchPlan, trial: Trial) -> list[str]:
    """Return a trial's values as options for the command line."""
    search = plan.search
    values = {factor: _bound(plan, trial, factor) for factor in search.whole_space.factors}
    text = row_text(values, search.places, "").text
    return [f"--bind {shlex.quote(line)}" for line in text.splitlines()]


def _on(split: Split | None) -> str:
    return f" on {split}" if split else ", of a split that no stage says,"


def _rank(trial: Trial) -> tuple[int, int, float]:
    climbed = sum(rung.score is not None for rung in trial.rungs)
    return ORDER[trial.state], -climbed, trial.cost if trial.cost is not None else 0.0


def _bound(plan: SearchPlan, trial: Trial, factor: str) -> Any:
    if factor in trial.values:
        return trial.values[factor]
    asha = plan.search.asha
    climbed = sum(rung.score is not None for rung in trial.rungs)
    return asha.rungs[climbed - 1] if asha and climbed else ""


def _level(plan: SearchPlan, trial: Trial, factor: str) -> str:
    return str(_bound(plan, trial, factor))


def _value(trial: Trial) -> str:
    last = trial.last
    return f"{last.score.value:.6g}" if last is not None and last.score is not None else ""


def _end(trial: Trial) -> str:
    word = "" if trial.state == "finished" else trial.state
    return f"{word}: {trial.reason}" if trial.reason else word
