"""A stage as a Ray trial. A Ray worker imports this module, so it is light: torch comes with the nursery."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import ray
from ray import tune

from rgx.run.fork_server import FORKS, Nursery, work


def run_trial(config: dict[str, Any]) -> None:
    """Run one stage and tell what became of it; a trial that ends in an error has died."""
    asked = {
        "task": json.loads(config["task"]),
        "store": config["store"],
        "folder": config["folder"],
        "device": "cuda" if ray.get_gpu_ids() else "cpu",
    }
    told = _nursery().run(asked) if FORKS else work(asked)
    tune.report({"made": told["made"], "failure": json.dumps(told)})


def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """Return what a stage asks for, as its resources were bound."""
    return tune.PlacementGroupFactory([json.loads(config["needs"])])


@cache
def _nursery() -> Nursery:
    """Return the one of this process, which Tune gives one stage after another with the same needs."""
    return Nursery()
