"""Table 3 by rgx and by plain Ray Tune: `python benchmarks/plain_tune.py [--only PANEL] [--share 0.2]`.

Plain Tune runs each row as one trial, as one would without rgx: a function that runs all stages of the row in
order, into a folder of its own, in a worker of its own. Both sides run the same code with the same budgets,
processors and threads on the same Ray, one after the other, and must come to the same scores, to the last
bit. rgx's wall time has its planning in it.

All 24 rows without `--only`; with `--share` each training takes that share of its steps, so that plain Tune's
105 trainings end in an hour. With `--folder` a run that broke off goes on. What a stage or row had begun is
begun anew. rgx's wall time is then the sum of its pieces, lost work included; plain Tune's is what its rows
need at best, so many at a time as there are places, without Tune's own cost or lost work.
"""

from __future__ import annotations

import argparse
import heapq
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import ray
from ray import tune
from rich.console import Console

from rgx.run import engine_ray
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.run.ray_start import HERE, start_ray
from rgx.store.artifacts import read_json, write_json
from rgx.store.manifests import manifest
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).parents[1] / "sweeps" / "ablation_table3.yaml"
WORK_BAR, WALL_BAR = 4.0, 0.30
PREPARED = ("corpus", "speech", "frames", "judge")
"""What a careful user of plain Tune would make once by hand."""


class Side(NamedTuple):
    """What one way of running the table cost."""

    trainings: int
    stage_s: float
    wall_s: float
    cpu_s: float = 0.0

    @classmethod
    def of(cls, stages: Sequence[dict[str, Any]], wall_s: float) -> Side:
        """Sum up stages as `measured` tells them."""
        sums = (sum(stage[name] for stage in stages) for name in ("trains", "seconds", "cpu_seconds"))
        trainings, stage_s, cpu_s = sums
        return cls(trainings, stage_s, wall_s, cpu_s)


class Clock:
    """Counts the seconds of this piece of a side, in a file that is there whatever ends the piece."""

    def __init__(self, folder: Path) -> None:
        self.earlier = [json.loads(path.read_text()) for path in sorted(folder.glob("piece-*.json"))]
        self.path = folder / f"piece-{len(self.earlier)}.json"
        self.over = threading.Event()

    def __enter__(self) -> Clock:
        self.began = time.monotonic()
        threading.Thread(target=self._count, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        write_json(self.path, self.now())

    @property
    def pieces(self) -> int:
        return len(self.earlier) + 1

    def now(self) -> float:
        """Return the seconds of this piece."""
        return time.monotonic() - self.began

    def total(self) -> float:
        """Return the seconds of all pieces."""
        return sum(self.earlier) + self.now()

    def _count(self) -> None:
        while not self.over.wait(1.0):
            write_json(self.path, self.now())


def rows_of(plan: Plan) -> list[list[dict[str, Any]]]:
    """Return for each cell the messages of its stages, parents first."""
    return [[plan.tasks[key].message() for key in cell["stages"].values()] for cell in plan.cells]


def measured(tasks: Iterable[dict[str, Any]], store: Path) -> list[dict[str, Any]]:
    """Return what a store holds of these stages: whether each trains, its seconds by the wall and of the CPU,
    its scores."""
    found = []
    for task in tasks:
        made = manifest(store, task["stage"], task["key"])
        if made is None:
            raise SystemExit(f"{task['stage']}-{task['key'][:8]} is not in {store}")
        facts = {
            "trains": task["trains"],
            "seconds": made["seconds"],
            "cpu_seconds": made["cpu_seconds"],
            "scores": made["outputs"].get("scores"),
        }
        found.append({"stage": task["stage"], "key": task["key"], **facts})
    return found


def run_row(config: dict[str, Any]) -> None:
    """Run every stage of a row in this process, and keep what it cost."""
    from rgx.run.worker import run_task

    file = Path(config["row"])
    tasks, store, began = json.loads(file.read_text()), file.with_suffix(""), time.monotonic()
    for task in tasks:
        run_task(task, store, "cuda" if ray.get_gpu_ids() else "cpu")
    took = time.monotonic() - began
    write_json(file.with_suffix(".ended"), {"seconds": took, "stages": measured(tasks, store)})
    shutil.rmtree(store)
    tune.report({"seconds": took})


def needs_of(plan: Plan, have: dict[str, float]) -> dict[str, float]:
    """Return the most that any stage asks for, which a trial of plain Tune holds all the time."""
    asked: dict[str, float] = {}
    for task in plan.tasks.values():
        for name, amount in task.resources.wanted(task.uses_gpu, have.get("GPU", 0) > 0).items():
            asked[name] = max(amount, asked.get(name, 0.0))
    return asked


def at_best(seconds: Iterable[float], places: int) -> float:
    """Return when the last row ends if each begins as soon as a place is free, in order."""
    free = [0.0] * places
    for one in seconds:
        heapq.heapreplace(free, free[0] + one)
    return max(free)


def plain(plan: Plan, folder: Path) -> Side:
    """Run each row as one trial of plain Tune."""
    files = [folder / f"row_{number:03d}.json" for number in range(len(plan.cells))]
    for file, row in zip(files, rows_of(plan), strict=True):
        write_json(file, row)
    left = [file for file in files if not file.with_suffix(".ended").is_file()]
    for file in left:
        shutil.rmtree(file.with_suffix(""), ignore_errors=True)
    have = ray.cluster_resources()
    needs = needs_of(plan, have)
    with Clock(folder) as clock:
        results = tune.Tuner(
            tune.with_resources(run_row, tune.PlacementGroupFactory([needs])),
            param_space={"row": tune.grid_search([str(file) for file in left])},
            run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
        ).fit() if left else []  # fmt: skip
        wall = clock.total()
    broken = [result.error for result in results if result.error]
    if broken:
        raise SystemExit(f"{len(broken)} rows failed: {broken[0]}")
    rows = [json.loads(file.with_suffix(".ended").read_text()) for file in files]
    if clock.pieces > 1:
        places = min(int(have[name] // amount) for name, amount in needs.items() if amount)
        wall = at_best([row["seconds"] for row in rows], places)
    return Side.of([stage for row in rows for stage in row["stages"]], wall)


def shared(plan: Plan, folder: Path) -> Side:
    """Run the sweep's unique stages by rgx."""
    # A stage that went on from a checkpoint would count its last piece only.
    shutil.rmtree(folder / "running", ignore_errors=True)
    graph = Graph(plan, folder)
    with Clock(folder) as clock:
        if graph.waiting:
            with Progress(graph, Console(stderr=True), int(ray.cluster_resources()["CPU"])) as progress:
                engine_ray.execute(graph, progress)
        wall = clock.total()
    if graph.failed:
        raise SystemExit(f"stages failed: {graph.failed}")
    return Side.of(measured((task.message() for task in plan.tasks.values()), folder), wall)


SIDES: dict[str, Callable[[Plan, Path], Side]] = {"rgx": shared, "plain Tune": plain}


def place_of(name: str, folder: Path) -> Path:
    """Return where a side is kept."""
    return folder / name.replace(" ", "_")


def side(name: str, plan: Plan, folder: Path) -> Side:
    """Return what a side cost, from the folder where it ended or broke off before."""
    place = place_of(name, folder)
    words = [sorted(plan.tasks), len(plan.cells)]
    if (read_json(place / "of.json") or words) != words:
        raise SystemExit(f"{place} holds another comparison: give another --folder")
    write_json(place / "of.json", words)
    ended = place / "ended.json"
    if ended.is_file():
        return Side(*json.loads(ended.read_text()))
    found = SIDES[name](plan, place)
    write_json(ended, found)
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


def doubts(rows: Sequence[Sequence[dict[str, Any]]], ours: Side, made: dict[str, Any]) -> list[str]:
    """Return what a careful reader asks: are the scores the same, and what if plain Tune were used with care.

    rows: the stages of plain Tune's rows; made: rgx's scores by key.
    """
    ends = [stage for row in rows for stage in row if stage["scores"] is not None]
    equal = sum(stage["scores"] == made[stage["key"]] for stage in ends)
    distinct = list({tuple(stage["key"] for stage in row): row for row in rows}.values())
    careful = [stage for row in distinct for stage in row if stage["stage"] not in PREPARED]
    careful += {s["key"]: s for row in rows for s in row if s["stage"] in PREPARED}.values()
    told = {
        f"equal rows run once ({len(distinct)} of {len(rows)})": [s for row in distinct for s in row],
        f"and {', '.join(PREPARED)} made once by hand": careful,
    }
    lines = [f"scores equal to the last bit: {equal} of {len(ends)}"]
    for words, stages in told.items():
        trainings = sum(stage["trains"] for stage in stages) / ours.trainings
        seconds = sum(stage["seconds"] for stage in stages) / ours.stage_s
        lines.append(
            f"plain Tune, {words}: {trainings:.2f} times rgx's trainings, {seconds:.2f} times its seconds"
        )
    return lines


def fewer_steps(plan: Plan, share: float) -> list[str]:
    """Return the bindings by which each stage that trains takes a share of its steps, 1 at least."""
    steps = {t.stage: t.record["training"]["steps"] for t in plan.tasks.values() if t.trains}
    return [f"{stage}/training.adamw.steps = {max(1, round(share * n))}" for stage, n in steps.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale")
    parser.add_argument("--only", action="append", default=[], help="a panel or a row")
    parser.add_argument("--bind", action="append", default=[], help="a gin binding, the same on both sides")
    parser.add_argument("--share", type=float, default=1.0, help="of the steps of each training")
    parser.add_argument(
        "--folder", type=Path, help="where to keep both sides; removed afterwards if not given"
    )
    arguments = parser.parse_args()
    overrides = Overrides(bindings=arguments.bind, scale=arguments.scale, only=arguments.only)
    began = time.monotonic()
    plan = make_plan(read_sweep(SWEEP, overrides))
    if arguments.share != 1:
        began = time.monotonic()
        bindings = [*fewer_steps(plan, arguments.share), *arguments.bind]
        plan = make_plan(read_sweep(SWEEP, replace(overrides, bindings=bindings)))
    planning = time.monotonic() - began
    print(f"{len(plan.cells)} rows, {len(plan.tasks)} unique stages; each row by itself: "
          f"{sum(map(len, rows_of(plan)))} stages", flush=True)  # fmt: skip
    start_ray(HERE)
    with tempfile.TemporaryDirectory(prefix="rgx-plain-") as scratch:
        folder = (arguments.folder or Path(scratch)).resolve()
        found = {}
        for name in SIDES:
            found[name] = side(name, plan, folder)
            if name == "rgx":
                found[name] = found[name]._replace(wall_s=found[name].wall_s + planning)
            told = found[name]
            print(f"{name}: {told.trainings} trainings, {told.stage_s:.0f} s of stages, "
                  f"{told.cpu_s:.0f} CPU s, {told.wall_s:.0f} s", flush=True)  # fmt: skip
        kept = sorted(place_of("plain Tune", folder).glob("row_*.ended"))
        rows = [json.loads(path.read_text())["stages"] for path in kept]
        ours = measured((task.message() for task in plan.tasks.values()), place_of("rgx", folder))
        made = {stage["key"]: stage["scores"] for stage in ours}
        print("\n".join([*compared(*found.values()), *doubts(rows, found["rgx"], made)]))


if __name__ == "__main__":
    main()
