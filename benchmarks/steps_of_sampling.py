"""What steps of sampling cost, and give: `python benchmarks/steps_of_sampling.py SWEEP --panel PANEL`.

Every row of a panel samples the same random windows, all rows in turn in this process, round after round,
one thread, with random weights of the row's sizes: a figure is the median over the rounds of the processor
time of a window, and of its ratio to that of --ours in the same round. Multiply-adds are PyTorch's. Scores
are those of a store, of each row whose motion was scored there.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tabulate import tabulate
from torch import nn

from rgx.config import build_cell
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.noise import Noise
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import PREFIX_FRAMES, WINDOW_FRAMES, Batch
from rgx.stage import count_parameters
from rgx.store.manifests import manifest, part
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep
from rgx.train.multiply_adds import count_multiply_adds

NETWORKS = ("tokenizer", "generator", "residual")
SCORES = ("fgd", "mismatch", "pcm", "diversity", "jerk")


class System(NamedTuple):
    """A row that makes windows: its parameters, and how it samples a batch of them."""

    parameters: int
    sample: Callable[[], object]


def windows(count: int, features: int) -> Batch:
    """Return random windows."""
    draw = torch.Generator().manual_seed(0)
    shape = (count, WINDOW_FRAMES, len(KEPT))
    return Batch(
        motion=torch.zeros(*shape, 2),
        valid=torch.ones(shape, dtype=torch.bool),
        speech=torch.randn(count, WINDOW_FRAMES, features, generator=draw),
        beats=torch.zeros(shape[:2], dtype=torch.bool),
        prefix=torch.randn(count, PREFIX_FRAMES, len(KEPT), 2, generator=draw),
        prefix_valid=torch.ones(count, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.zeros(count, dtype=torch.long),
        clip=torch.zeros(count, dtype=torch.long),
    )


def systems(plan: Plan, batch: int) -> dict[str, System]:
    """Return each row's system; rows of the same networks share them."""
    networks: dict[tuple[str, str], nn.Module] = {}
    rows: dict[str, System] = {}
    for cell in plan.cells:
        keys = cell["stages"]
        cell_built = build_cell(plan.tasks[keys["motion"]].texts, ["motion"])
        own: dict[str, nn.Module] = {}
        for stage in NETWORKS:
            if isinstance(network := cell_built.built.get(stage), nn.Module):
                own[stage] = networks.setdefault((stage, keys[stage]), network.eval())
        motion: Any = cell_built.stages["motion"]
        given = windows(batch, cell_built.built["speech"].width)

        def sample(own: Mapping[str, Any] = own, motion: Any = motion, given: Batch = given) -> object:
            noise = Noise([(0, window) for window in range(batch)])
            residual = own.get("residual")
            inference = Inference(own.get("tokenizer"), motion.decode, residual, motion.sampler, noise)
            return own["generator"].sample(given, inference)

        rows[cell["row"]] = System(sum(map(count_parameters, own.values())), sample)
    return rows


def times(rows: Mapping[str, System], rounds: int, batch: int) -> dict[str, list[float]]:
    """Return the processor milliseconds of a window, by row and round, after a round that does not count."""
    found: dict[str, list[float]] = {row: [] for row in rows}
    for number in range(rounds + 1):
        for row, system in rows.items():
            start = time.process_time()
            system.sample()
            if number:
                found[row].append(1e3 * (time.process_time() - start) / batch)
    return found


def scores(plan: Plan, store: Path) -> dict[str, dict[str, Any]]:
    """Return what a store has of each row's scores."""
    rows = {}
    for cell in plan.cells:
        scored = manifest(store, "motion_scores", cell["stages"]["motion_scores"])
        rows[cell["row"]] = part(scored, "outputs", "scores")
    return rows


def table(
    rows: Mapping[str, System],
    spent: Mapping[str, list[float]],
    scored: Mapping[str, Mapping[str, Any]],
    ours: str,
    batch: int,
) -> str:
    """Return a line for each row; --ours is 1.0 in the ratio of times."""
    lines = []
    for row, system in rows.items():
        ratio = statistics.median(own / ref for own, ref in zip(spent[row], spent[ours], strict=True))
        count = count_multiply_adds(system.sample) / batch / 1e9
        line = [row, f"{system.parameters / 1e6:.2f}", f"{count:.3g}", f"{statistics.median(spent[row]):.3g}"]
        numbers = (scored.get(row, {}).get(name) for name in SCORES)
        lines.append([*line, f"{ratio:.2f}", *("–" if x is None else f"{x:.3g}" for x in numbers)])
    heads = ["row", "parameters, M", "GMAC a window", "ms a window", f"over {ours}", *SCORES]
    return tabulate(lines, headers=heads, tablefmt="github", disable_numparse=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--panel", default="steps")
    parser.add_argument("--ours", default="Masked 5", help="the row whose time is 1")
    parser.add_argument("--scale", help="as given to a sweep")
    parser.add_argument("--bind", action="append", default=[], help="as given to a sweep")
    parser.add_argument("--store", default="store", type=Path, help="where scores are taken from")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1, help="windows at once")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    overrides = Overrides(bindings=asked.bind, only=[asked.panel], scale=asked.scale)
    plan = make_plan(read_sweep(asked.sweep, overrides))
    rows = systems(plan, asked.batch)
    spent = times(rows, asked.rounds, asked.batch)
    print(table(rows, spent, scores(plan, asked.store), asked.ours, asked.batch))


if __name__ == "__main__":
    main()
