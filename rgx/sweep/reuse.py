"""What a plan reuses of a store though other code made it: one account for plan, sweep and rerun."""

from __future__ import annotations

from pathlib import Path

from rgx.store.drift import Artifact, Changes, drifted
from rgx.store.manifests import Manifests, intact
from rgx.sweep.code import present
from rgx.sweep.plan import Plan
from rgx.sweep.search.record import trial_rows


def drift_of(plan: Plan, store: Path) -> dict[Artifact, Changes]:
    """Return what a plan and its trials find finished that other code made, and what changed since."""
    trials = trial_rows(plan.searches, plan.name, store)
    artifacts = [(task.stage, key) for key, task in plan.tasks.items()]
    artifacts += [artifact for trial in trials for artifact in trial["stages"].items()]
    drift = drifted(present(), Manifests(store), dict.fromkeys(artifacts))
    return {artifact: changes for artifact, changes in drift.items() if intact(store, *artifact)}
