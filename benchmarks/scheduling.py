"""What the Ray engine adds to the work: `python benchmarks/scheduling.py [--seconds 20]`.

The stages of Table 3's motion half are planned, built, leased and recorded as ever, but instead of working
each sleeps. Three figures, each with its bar: what a stage costs beyond its sleep, on a chain; how long a
ready stage waits while others queue for the one GPU there is; how busy two slots are kept.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import ray
from rich.console import Console

from rgx.run import engine_ray
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.run.ray_start import HERE, start_ray
from rgx.store.manifests import manifest
from rgx.sweep.plan import Plan, Task, make_plan
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).parents[1] / "sweeps" / "ablation_table3.yaml"
MOTION_HALF = ["3b", "3c", "3e", "3f"]
SLOTS = 2
OVERHEAD_BAR_S, DELAY_BAR_S, BUSY_BAR = 3.0, 1.0, 0.9
CHAIN = """\
name: chain
config: [gin/realistic_gesture.gin]
scale: tiny
targets: {3b: [motion]}
panels: {3b: {+distill: {}}}
"""
ASLEEP = '''\
"""Every stage sleeps instead of working, and no network needs the GPU that Ray was told of."""
import os, time
from torch import nn
from rgx.registry import variants

def sleep(self, inputs, workspace, built):
    if isinstance(built, nn.Module):
        workspace.save_network(built)
    time.sleep({seconds})
    return {{"process": os.getpid()}}

for variant in variants("stage"):
    variant.cls.run = sleep
nn.Module.to = lambda self, *_: self
'''


@dataclass
class Times:
    """When each stage was ready, started and ended, in seconds; by key."""

    ready: dict[str, float] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)


class Noting(Progress):
    """A progress that shows nothing and keeps when stages were ready and when they ended."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, Console(quiet=True), 1)
        self.times = Times()
        self._ready()

    def ended(self, task: Task, note: str = "done") -> None:
        super().ended(task, note)
        self.times.ended[task.key] = time.time()
        self._ready()

    def _ready(self) -> None:
        for key, task in self.graph.waiting.items():
            if self.graph.done.issuperset(task.parents.values()):
                self.times.ready.setdefault(key, time.time())


@dataclass
class Ran:
    """A graph that has run: its plan, the times, the wall seconds and the workers' processes."""

    plan: Plan
    times: Times
    wall: float
    processes: int


def run(file: Path, only: list[str], seconds: float, cpus: int, gpus: int, folder: Path) -> Ran:
    """Run a sweep whose stages sleep, in a Ray of its own."""
    plugin = folder / f"asleep_{cpus}_{gpus}_{file.stem}.py"
    plugin.write_text(ASLEEP.format(seconds=seconds))
    plan = make_plan(read_sweep(file, Overrides(only=only, imports=[str(plugin)])))
    store = folder / plugin.stem
    graph = Graph(plan, store)
    ray.init(num_cpus=cpus, num_gpus=gpus, include_dashboard=False, log_to_driver=False)
    try:
        start_ray(HERE)
        with Noting(graph) as progress:
            began = time.monotonic()
            engine_ray.execute(graph, progress)
            wall = time.monotonic() - began
    finally:
        ray.shutdown()
    if graph.failed or graph.waiting:
        raise SystemExit(f"stages failed: {graph.failed or list(graph.waiting)}")
    made = {key: manifest(store, task.stage, key) or {} for key, task in plan.tasks.items()}
    # A stage has started when its own process says so, not when Ray gave it a worker.
    progress.times.started = {key: one["started"] for key, one in made.items()}
    return Ran(plan, progress.times, wall, len({one["outputs"]["process"] for one in made.values()}))


def waits(ran: Ran) -> list[float]:
    """Return how long each stage without a GPU was ready, others queueing for one, before it started."""
    times, found = ran.times, []
    for key, ready in times.ready.items():
        queued = [
            other
            for other, task in ran.plan.tasks.items()
            if task.uses_gpu and times.ready[other] <= ready < times.started[other]
        ]
        if queued and not ran.plan.tasks[key].uses_gpu:
            found.append(times.started[key] - ready)
    return found


def ideal(plan: Plan, seconds: float, slots: int, folder: Path) -> float:
    """Return the wall seconds of the same order of work if nothing but sleeping took time."""
    graph, running, now = Graph(plan, folder / "ideal"), [], 0.0
    while not graph.finished:
        while len(running) < slots and (task := graph.take()) is not None:
            running.append((now + seconds, task.key))
        now, key = running.pop(0)
        graph.succeed(key)
    return now


def told(what: str, found: float, bar: float, unit: str, kept: bool) -> str:
    """Return one line: a figure, its bar and whether it is kept."""
    return f"{what}: {found:.2f} {unit}, bar {bar:g} {unit}: {'kept' if kept else 'MISSED'}"


def chain(seconds: float, folder: Path) -> Iterable[str]:
    """Yield what each stage of a chain costs beyond its sleep."""
    file = folder / "chain.yaml"
    file.write_text(CHAIN)
    ran = run(file, [], seconds, SLOTS, 0, folder)
    count = len(ran.plan.tasks)
    cost = (ran.wall - count * seconds) / count
    yield told(f"cost of each of {count} stages", cost, OVERHEAD_BAR_S, "s", cost < OVERHEAD_BAR_S)
    starts = [ran.times.started[key] - ran.times.ready[key] for key in ran.plan.tasks]
    median = statistics.median(starts)
    yield f"  of it from ready to started, median: {median:.2f} s; {ran.processes} processes"


def queue(seconds: float, folder: Path) -> Iterable[str]:
    """Yield how long ready stages wait while others queue for the only GPU."""
    found = waits(run(SWEEP, ["3b", "3e"], seconds, SLOTS * 2, 1, folder))
    worst = max(found)
    yield told(
        f"longest wait of {len(found)} stages, a worker's start included",
        worst,
        DELAY_BAR_S,
        "s",
        worst < DELAY_BAR_S,
    )
    yield f"  median: {statistics.median(found):.2f} s"


def busy(seconds: float, folder: Path) -> Iterable[str]:
    """Yield the share of the wall time for which two slots slept, and the most the graph allows."""
    ran = run(SWEEP, MOTION_HALF, seconds, SLOTS, 0, folder)
    work = len(ran.plan.tasks) * seconds / SLOTS
    share = work / ran.wall
    name = f"busy with {len(ran.plan.tasks)} stages of {seconds:g} s"
    yield told(name, 100 * share, 100 * BUSY_BAR, "%", share > BUSY_BAR)
    most = work / ideal(ran.plan, seconds, SLOTS, folder)
    yield f"  of {100 * most:.1f} % that its shape allows; {ran.wall:.0f} s, {ran.processes} processes"


FIGURES = {"chain": chain, "queue": queue, "busy": busy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long a stage sleeps in `busy`")
    parser.add_argument("--figures", nargs="+", choices=FIGURES, default=list(FIGURES))
    arguments = parser.parse_args()
    seconds = {"chain": 2.0, "queue": 2.0, "busy": arguments.seconds}
    for name in arguments.figures:
        with tempfile.TemporaryDirectory(prefix="rgx-asleep-") as folder:
            for line in FIGURES[name](seconds[name], Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
