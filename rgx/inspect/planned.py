"""A plan for people and for programs: its stages, what is missing and why, and what a person should know."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rgx.registry import replacements
from rgx.store.cost import cpu_seconds_by_key, in_words
from rgx.store.drift import account
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.sweep.plan import Plan, explain_missing
from rgx.sweep.reuse import drift_of
from rgx.sweep.search.table import about, intention


@dataclass(frozen=True)
class SweepPlan:
    """A plan beside a store, for a program or a notebook; `print` shows it as the command line does."""

    plan: Plan
    store: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The plan as `rgx plan --json` writes it."""
        return summary(self.plan, self.store)

    @property
    def name(self) -> str:
        """Return the name that its run stands under."""
        return self.plan.name

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Return each row at each seed: panel, row, seed, and the key of each of its stages."""
        return self.plan.cells

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Return the unique stages, parents first: stage, key, seed, whether and why not `in_store`."""
        stages: list[dict[str, Any]] = self.summary["stages"]
        return stages

    @property
    def missing(self) -> list[dict[str, Any]]:
        """Return the stages that the sweep would run."""
        return [stage for stage in self.stages if not stage["in_store"]]

    def __str__(self) -> str:
        return "\n".join(lines(self.plan, self.store))

    def __repr__(self) -> str:
        count = f"{len(self.missing)} of {len(self.stages)} stages to run"
        return f"<plan of {self.name}: {len(self.cells)} cells, {count}>"


def summary(plan: Plan, store: Path) -> dict[str, Any]:
    """Return a plan as JSON holds it."""
    missing, reasons = plan.missing(store), explain_missing(plan, store)
    drift, cpu_seconds = drift_of(plan, store), _cpu_seconds(plan, store, missing)
    stages = [
        {
            "stage": t.stage, "key": k, "row": t.row, "seed": t.seed, "trains": t.trains,
            "parents": t.parents, "in_store": k not in missing, "why": reasons.get(k, ""),
            "changed_since": drift.get((t.stage, k), {}), "cpu_seconds": cpu_seconds.get(k),
        }
        for k, t in plan.tasks.items()
    ]  # fmt: skip
    return {
        **plan.sweep_record(),
        "stages": stages,
        "trainings": plan.trainings,
        "per_row_trainings": plan.per_row_trainings,
        "searches": [about(search, plan.name, store) for search in plan.searches],
        "overridden": plan.overridden,
        "remarks": plan.remarks,
    }


def lines(plan: Plan, store: Path) -> Iterator[str]:
    """Give a plan line by line: each stage, then what a person should know before it runs."""
    missing, reasons = plan.missing(store), explain_missing(plan, store)
    cpu_seconds = _cpu_seconds(plan, store, missing)
    for key, task in plan.tasks.items():
        took = f"  {in_words(cpu_seconds[key])}" if key in cpu_seconds else ""
        yield f"{'miss' if key in missing else 'hit '} {task.stage:14} {short(key)}  {task.row}{took}"
        if key in missing:
            yield f"       {reasons[key]}"
    yield from account(drift_of(plan, store))
    yield from (f"replaced: {line}" for line in replacements())
    yield from (f"overridden: {line}" for line in plan.overridden)
    yield from (f"too little data: {line}" for line in plan.remarks)
    yield from (f"same cell: {second} is {first}" for first, second in plan.same)
    for search in plan.searches:
        yield intention(about(search, plan.name, store), len(missing.keys() & search.shared.keys()))
    yield (
        f"{len(plan.cells)} cells, {len(plan.tasks)} unique stages, "
        f"{len(plan.tasks) - len(missing)} in the store ({in_words(sum(cpu_seconds.values()))}), "
        f"{len(missing)} to run; "
        f"{plan.trainings} trainings where a sweep row by row does {plan.per_row_trainings}"
    )


def _cpu_seconds(plan: Plan, store: Path, missing: Container[str]) -> dict[str, float]:
    """Return by key what the stages that are in the store took to make."""
    there = [(task.stage, key) for key, task in plan.tasks.items() if key not in missing]
    return cpu_seconds_by_key(Manifests(store), there)
