"""Table 3 by rgx and by plain Ray Tune: `python benchmarks/plain_tune.py [--only PANEL] [--bind BINDING]`.

Plain Tune runs each row as one trial, as one would without rgx: a function that runs all stages of the row in
order, into a folder of its own. Both sides run the same code with the same budgets on the same Ray, one after
the other. Trainings, stage seconds and wall seconds of each are printed as it ends and kept in `--folder`;
a side that ended there is not run again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from rich.console import Console

from rgx.store.artifacts import manifest
from rgx.sweep import cluster
from rgx.sweep.graph import Graph
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.progress import Progress
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).parents[1] / "sweeps" / "ablation_table3.yaml"
WORK_BAR, WALL_BAR = 4.0, 0.35


class Side(NamedTuple):
    """What one way of running the table cost."""

    trainings: int
    stage_s: float
    wall_s: float


def rows_of(plan: Plan) -> list[list[dict[str, Any]]]:
    """Return for each cell the messages of its stages, parents first."""
    return [[plan.tasks[key].message() for key in cell["stages"].values()] for cell in plan.cells]


def cost(tasks: list[dict[str, Any]], store: Path) -> tuple[int, float]:
    """Return the trainings and the stage seconds that a store holds of these stages."""
    seconds = [(manifest(store, task["stage"], task["key"]) or {})["seconds"] for task in tasks]
    return sum(task["trains"] for task in tasks), sum(seconds)


def run_row(config: dict[str, Any]) -> None:
    """Run every stage of a row in this process, and report what it cost."""
    from rgx.sweep.worker import run_task

    tasks, store = json.loads(Path(config["row"]).read_text()), Path(config["row"]).with_suffix("")
    for task in tasks:
        run_task(task, store, "cuda" if ray.get_gpu_ids() else "cpu")
    trainings, seconds = cost(tasks, store)
    shutil.rmtree(store)
    tune.report({"trainings": trainings, "stage_s": seconds})


def plain(plan: Plan, folder: Path) -> Side:
    """Run each row as one trial of plain Tune."""
    files = []
    for number, row in enumerate(rows_of(plan)):
        files.append(folder / f"row_{number}.json")
        files[-1].write_text(json.dumps(row))
    gpus = min(1.0, ray.cluster_resources().get("GPU", 0.0))
    began = time.monotonic()
    results = tune.Tuner(
        tune.with_resources(run_row, {"cpu": 1, "gpu": gpus}),
        param_space={"row": tune.grid_search([str(file) for file in files])},
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    ).fit()
    wall = time.monotonic() - began
    if results.errors:
        raise SystemExit(f"{len(results.errors)} rows failed: {results.errors[0]}")
    told = [result.metrics or {} for result in results]
    return Side(sum(one["trainings"] for one in told), sum(one["stage_s"] for one in told), wall)


def shared(plan: Plan, folder: Path) -> Side:
    """Run the sweep's unique stages by rgx."""
    graph = Graph(plan, folder)
    began = time.monotonic()
    with Progress(graph, Console(stderr=True), int(ray.cluster_resources()["CPU"])) as progress:
        cluster.execute(graph, progress)
    wall = time.monotonic() - began
    if graph.failed:
        raise SystemExit(f"stages failed: {graph.failed}")
    return Side(*cost([task.message() for task in plan.tasks.values()], folder), wall)


SIDES: dict[str, Callable[[Plan, Path], Side]] = {"rgx": shared, "plain Tune": plain}


def side(name: str, plan: Plan, folder: Path) -> Side:
    """Return what a side cost, from the folder where it ended before; one that broke off begins anew."""
    place = folder / name.replace(" ", "_")
    ended = place / "ended.json"
    words = [sorted(plan.tasks), len(plan.cells)]
    if ended.is_file():
        kept = json.loads(ended.read_text())
        if kept["of"] != words:
            raise SystemExit(f"{place} holds another comparison: give another --folder")
        return Side(*kept["cost"])
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    found = SIDES[name](plan, place)
    ended.write_text(json.dumps({"of": words, "cost": found}))
    return found


def compared(ours: Side, theirs: Side) -> list[str]:
    """Return the lines that compare both sides with the bars."""
    wall = ours.wall_s / theirs.wall_s
    fewer = {"trainings": theirs.trainings / ours.trainings, "stage seconds": theirs.stage_s / ours.stage_s}
    return [
        *(
            f"{name}: {work:.2f} times fewer, bar {WORK_BAR:g}: {_said(work >= WORK_BAR)}"
            for name, work in fewer.items()
        ),
        f"wall: {wall:.3f} of plain Tune's, bar {WALL_BAR:g}: {_said(wall < WALL_BAR)}",
    ]


def _said(kept: bool) -> str:
    return "kept" if kept else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale")
    parser.add_argument("--only", action="append", default=[], help="a panel or a row")
    parser.add_argument("--bind", action="append", default=[], help="a gin binding, the same on both sides")
    parser.add_argument(
        "--folder", type=Path, help="where to keep both sides; removed afterwards if not given"
    )
    arguments = parser.parse_args()
    overrides = Overrides(bindings=arguments.bind, scale=arguments.scale, only=arguments.only)
    plan = make_plan(read_sweep(SWEEP, overrides))
    print(f"{len(plan.cells)} rows, {len(plan.tasks)} unique stages; each row by itself: "
          f"{sum(map(len, rows_of(plan)))} stages", flush=True)  # fmt: skip
    cluster.start_ray(None)
    with tempfile.TemporaryDirectory(prefix="rgx-plain-") as scratch:
        folder = (arguments.folder or Path(scratch)).resolve()
        found = {}
        for name in SIDES:
            found[name] = side(name, plan, folder)
            told = found[name]
            print(f"{name}: {told.trainings} trainings, {told.stage_s:.0f} s of stages, {told.wall_s:.0f} s",
                  flush=True)  # fmt: skip
    print("\n".join(compared(*found.values())))


if __name__ == "__main__":
    main()
