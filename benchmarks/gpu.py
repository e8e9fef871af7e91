"""Speed and memory of every trained stage and of inference: `python benchmarks/gpu.py [--scale paper]`.

Runs the stages themselves, for a few steps, on a few short puppet clips in a temporary store: a step is the
time between two calls of `Workspace.progress`, so it holds drawing the batch, every loss, the optimiser and,
of the refiner, its discriminator's step. Every row is measured in a process of its own. Precision is what
the stages choose: bf16 autocast for pictures on a GPU, float32 elsewhere. Without a GPU the CPU is measured.
"""

from __future__ import annotations

import argparse
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tabulate import tabulate

from rgx.config import build_cell
from rgx.gesture.data.reading import load_pictures, load_windows
from rgx.gesture.generate.base import Inference
from rgx.gesture.nn.precision import fast
from rgx.gesture.rendering import CHUNK, Renderer, all_valid, source_of, to_bytes
from rgx.gesture.types import FPS, WINDOW_FRAMES
from rgx.methods import import_methods
from rgx.registry import import_own
from rgx.run.worker import run_task
from rgx.store.artifacts import artifact_folder
from rgx.store.workspace import Inputs, Workspace, load_network, pick_device
from rgx.sweep.plan import Task, make_plan
from rgx.sweep.spec import Overrides, read_sweep

UNTRAINED = {"motion", "animation", "video"}
SWEEP, ROW, TARGETS = Path("sweeps/ablation_table3.yaml"), "3d/+ heatmap", ("judge", "video")
TRAINED = {
    **dict.fromkeys(("judge", "alignment", "tokenizer", "generator", "residual"), "windows"),
    **dict.fromkeys(("animator", "refiner"), "pictures"),
}
"""What one member of a stage's batch makes."""
PARTS = {"motion": WINDOW_FRAMES, "warp": CHUNK, "refine": CHUNK, "together": WINDOW_FRAMES}
"""Frames that one call of each part of inference makes."""
SPEAKERS, CLIPS_PER_SPEAKER, CLIP_S = 4, 8, 3.3
"""A window and its condition frame a clip; as many clips as alignment draws, which wants different ones."""
MIB = 2**20


class Figures(NamedTuple):
    """What one process measured: seconds of each step or call, and bytes its peak rose by."""

    seconds: list[float]
    peak: int


def now() -> float:
    """Return the time in s at which all work given to the device so far is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_bytes() -> int:
    """Return the most memory held so far: the GPU's by tensors, or without one this process's (Linux)."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    # Not ru_maxrss: a process starts with its parent's.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found.group(1)) * 1024 if found else 0


@contextmanager
def every_step(clock: Callable[[], float] = now) -> Iterator[list[tuple[float, int]]]:
    """Note the time and the peak memory each time a stage says how far it is."""
    noted: list[tuple[float, int]] = []
    real = Workspace.progress

    def progress(workspace: Workspace, done: int, total: int, **values: float) -> None:
        noted.append((clock(), peak_bytes()))
        real(workspace, done, total, **values)

    Workspace.progress = progress  # type: ignore[method-assign, assignment]  # run_task makes the Workspace
    try:
        yield noted
    finally:
        Workspace.progress = real  # type: ignore[method-assign]  # as above


def durations(noted: list[tuple[float, int]], warmup: int) -> list[float]:
    """Return the seconds of every step after the first `warmup`, at least one: the first has no start."""
    times = [when for when, _ in noted]
    return [end - start for start, end in pairwise(times)][warmup - 1 :]


def train(task: Task, store: Path, threads: int, warmup: int) -> Figures:
    """Run one stage in this process."""
    import_own()
    import_methods()
    before = peak_bytes()
    device = pick_device() if task.uses_gpu else "cpu"
    with every_step() as noted:
        run_task({**task.message(), "threads": threads}, store, device)
    return Figures(durations(noted, warmup), noted[-1][1] - before)


@torch.no_grad()
def infer(part: str, task: Task, store: Path, threads: int, repeats: int) -> Figures:
    """Run one part of inference `repeats` times in this process after two calls that do not count."""
    torch.set_num_threads(threads)
    import_own()
    import_methods()
    before = peak_bytes()
    call = inference(task, store)[part]
    times = []
    for _ in range(2 + repeats):
        began = now()
        call()
        times.append(now() - began)
    return Figures(times[2:], peak_bytes() - before)


def inference(task: Task, store: Path) -> dict[str, Callable[[], Any]]:
    """Return the parts of inference on the first test window, as the stages motion and video call them."""
    device = pick_device()
    cell = build_cell(task.texts, task.targets)
    folders = {stage: artifact_folder(store, stage, key) for stage, key in task.ancestors.items()}
    networks: list[Any] = [
        load_network(cell.built[stage], folders[stage], device)
        for stage in ("tokenizer", "generator", "residual", "animator", "refiner")
    ]
    tokenizer, generator, residual, animator, refiner = networks
    decode = cell.stages["motion"].decode  # type: ignore[attr-defined]  # only this stage decodes
    inputs = Inputs(cell.built, folders)
    corpus, pictures = inputs.arrays("corpus"), load_pictures(inputs, device)
    batch = load_windows(inputs, "test", device).batch(torch.tensor([0]))
    _, span, start = pictures.windows("test", 1)[0]
    renderer = Renderer(animator, refiner, device)

    def motion() -> torch.Tensor:
        made = generator.sample(batch, Inference(tokenizer, decode, residual))[0].cpu()
        return span.place(made * corpus["std"] + corpus["mean"])

    with fast(device):
        source = animator.begin(*(x.to(device) for x in source_of(pictures, start)))
    recorded = pictures.pose[start : start + CHUNK]
    poses, seen = recorded.to(device), all_valid(recorded).to(device)

    def warp() -> Any:
        with fast(device):
            return animator.animate(source, animator.control(None, poses, seen))

    animated = warp()

    def refine() -> torch.Tensor:
        with fast(device):
            return refiner(animated.picture, animated.trusted, poses, seen)

    def together() -> list[Any]:
        pose = motion()
        chunks = renderer.render(source_of(pictures, start), pose, all_valid(pose))
        return [to_bytes(chunk) for chunk in chunks]

    return {"motion": motion, "warp": warp, "refine": refine, "together": together}


def stage_row(stage: str, batch: int, figures: Figures) -> dict[str, str]:
    """Return a line of the table of training."""
    seconds = statistics.median(figures.seconds)
    return {
        "stage": stage,
        "batch": str(batch),
        "step, ms": milliseconds(figures.seconds),
        "throughput": f"{batch / seconds:.4g} {TRAINED[stage]}/s",
        "peak, MiB": f"{figures.peak / MIB:,.0f}",
    }


def part_row(part: str, figures: Figures) -> dict[str, str]:
    """Return a line of the table of inference."""
    fps = PARTS[part] / statistics.median(figures.seconds)
    return {
        "part": part,
        "frames a call": str(PARTS[part]),
        "call, ms": milliseconds(figures.seconds),
        "frames/s": f"{fps:.4g}",
        "times real time": f"{fps / FPS:.3g}",
        "peak, MiB": f"{figures.peak / MIB:,.0f}",
    }


def milliseconds(seconds: list[float]) -> str:
    """Return the median with the fastest and the slowest."""
    fastest, middle, slowest = (1e3 * f(seconds) for f in (min, statistics.median, max))
    return f"{middle:.4g} ({fastest:.4g}–{slowest:.4g})"


def heading(scale: str, steps: int, warmup: int, threads: int) -> str:
    """Return what the figures were measured on and how."""
    if torch.cuda.is_available():
        device, memory = torch.cuda.get_device_name(), "most GPU memory held by tensors"
    else:
        device = f"{cpu()}, {threads} thread{'s' if threads > 1 else ''} (no CUDA here: the CPU is measured)"
        memory = "rise of the process's resident memory, the untrained networks of all stages included"
    return (
        f"**{device}, torch {torch.__version__}, scale {scale}**\n\n"
        f"Median (fastest–slowest) of {steps} steps after {warmup}; peak: {memory}."
    )


def cpu() -> str:
    """Return the processor's name."""
    facts = Path("/proc/cpuinfo")
    names = (
        [x for x in facts.read_text().splitlines() if x.startswith("model name")] if facts.exists() else []
    )
    return names[0].partition(": ")[2] if names else platform.processor() or platform.machine()


def overrides(options: argparse.Namespace) -> Overrides:
    """Return the cell at a scale, with few short clips and few steps; one step where only weights count."""
    bindings = [
        f"corpus.puppets.speakers = {SPEAKERS}",
        f"corpus.puppets.train_clips = {CLIPS_PER_SPEAKER}",
        "corpus.puppets.test_clips = 1",
        "corpus.puppets.dev_clips = 1",
        f"corpus.puppets.clip_s = {CLIP_S}",
    ]
    for stage in TRAINED:
        steps = options.warmup + options.steps if stage in options.stages else 1
        bindings.append(f"{stage}/training.adamw.steps = {steps}")
        if options.batch:
            bindings.append(f"{stage}/training.adamw.batch = {options.batch}")
    return Overrides(bindings=bindings, scale=options.scale, only=[ROW])


def measure(options: argparse.Namespace, store: Path) -> Iterator[dict[str, str]]:
    """Yield the lines of both tables, training first, each stage after those it needs."""
    sweep = read_sweep(SWEEP, overrides(options))
    plan = make_plan(replace(sweep, rows=tuple(replace(row, targets=TARGETS) for row in sweep.rows)))
    tasks = {task.stage: task for task in plan.tasks.values()}
    wanted = [stage for stage in options.stages if stage in TRAINED]
    parts = PARTS if "inference" in options.stages else {}
    ends = [*wanted, *(["video"] if parts else [])]
    needed = {name for end in ends for name in (end, *tasks[end].ancestors)} - UNTRAINED
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        for stage, task in tasks.items():
            if stage not in needed:
                continue
            job = fresh.submit(train, task, store, options.threads, options.warmup)
            figures = job.result()
            if stage in wanted:
                batch = task.record["training"]["batch"]
                # Alignment draws different clips only, and has no more.
                batch = min(batch, SPEAKERS * CLIPS_PER_SPEAKER) if stage == "alignment" else batch
                yield stage_row(stage, batch, figures)
        for part in parts:
            job = fresh.submit(infer, part, tasks["video"], store, options.threads, options.steps)
            yield part_row(part, job.result())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scale", default="paper", choices=("tiny", "small", "paper"))
    parser.add_argument("--steps", type=int, default=20, help="steps that count")
    parser.add_argument("--warmup", type=int, default=3, help="steps before them, at least 1")
    parser.add_argument("--batch", type=int, help="instead of the scale's, for every stage")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, as a sweep's worker has")
    choices = [*TRAINED, "inference"]
    parser.add_argument("--stages", nargs="+", default=choices, choices=choices, metavar="STAGE")
    options = parser.parse_args()
    if options.steps < 1 or options.warmup < 1 or (options.batch or 1) < 1:
        parser.error("--steps, --warmup and --batch: expected 1 or more")
    print(heading(options.scale, options.steps, options.warmup, options.threads), flush=True)
    with tempfile.TemporaryDirectory() as store:
        rows = []
        for row in measure(options, Path(store)):
            print(", ".join(row.values()), file=sys.stderr, flush=True)
            rows.append(row)
    for first in ("stage", "part"):
        if table := [row for row in rows if first in row]:
            print(
                f"\n{tabulate(table, headers='keys', tablefmt='github', disable_numparse=True)}", flush=True
            )


if __name__ == "__main__":
    main()
