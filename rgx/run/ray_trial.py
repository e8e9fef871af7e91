"""A stage as a Ray trial; light, since each Ray worker imports it: torch comes with the fork server."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import ray
from ray import tune

from rgx.run.fork_server import FORKS, AllDiedError, DiedError, ForkServer, work


def run_trial(config: dict[str, Any]) -> None:
    """Run one stage and tell what became of it; a trial that ends in an error has died with its worker.

    Where only the process of the stage died, the worker is left for the next.
    """
    asked = {
        "task": json.loads(config["task"]),
        "store": config["store"],
        "folder": config["folder"],
        "device": "cuda" if ray.get_gpu_ids() else "cpu",
    }
    try:
        answer = _fork_server().run(asked) if FORKS else work(asked)
    except AllDiedError:
        raise
    except DiedError as error:
        answer = {"made": "died", "died": str(error)}
    tune.report({"made": answer["made"], "failure": json.dumps(answer)})


def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """Return what a stage asks for, as its resources were bound."""
    return tune.PlacementGroupFactory([json.loads(config["needs"])])


@cache
def _fork_server() -> ForkServer:
    """Return the one of this process, which Tune gives one stage after another with the same needs."""
    return ForkServer()
