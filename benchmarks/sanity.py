"""Whether a generator can learn at all: `python benchmarks/sanity.py SWEEP --only ROW --store STORE`.

Each row's generator trains on eight windows only, and is then asked for those eight: what is left of their
variance about their mean (the bar is 10 %), and how far frame 0 lies from the source frame, against real
motion and against the 95th percentile of real steps. A store has the row's corpus and speech, and its
control points, tokenizer and residual generator where there are any. Encoders of speech begin at random.
Steps, batch and sampler are the row's, and --bind changes them.

--heard: instead, whether the row's own generator, trained and in the store, listens: its motion for test
windows is asked for with their own speech and with that of another window of the same speaker, and both are
judged by how often the windows' own speech fits better than others' (`mismatch`, 50 is chance).
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rgx.config import Cell, build_cell
from rgx.gesture.data.reading import load_windows
from rgx.gesture.evaluation import synchrony
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.noise import Noise
from rgx.gesture.metrics.mismatch import SPEAKER, partners_of, shares
from rgx.gesture.types import Batch
from rgx.store.artifacts import artifact_folder
from rgx.store.manifests import manifest
from rgx.store.workspace import Inputs, load_network
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep
from rgx.train.exchange import KeepsNothing
from rgx.train.loop import fit

WINDOWS, BAR = 8, 0.10
NETWORKS = ("tokenizer", "residual")
GIVEN = ("corpus", "speech", "latents", *NETWORKS)
"""The stages that a store has to hold, as far as a row has them."""
TRAINED = (*GIVEN, "generator", "sync_judge")
"""The same where the row's own generator is asked."""
PARTNERS = 16
"""Against so many others a window's own speech is held, as `mismatch` does."""


class Figures(NamedTuple):
    """What is left of the windows' variance, frame 0's step from the source frame, and that of real motion.

    going_on: of how many windows that step is below the 95th percentile of real steps from frame to frame.
    """

    left: float
    jump: float
    real_jump: float
    going_on: int


def figures_of(motion: Tensor, batch: Batch) -> Figures:
    """Compare motion (B, T, K, 2) with that of its windows, over what is valid."""
    seen = batch.valid[..., None].to(motion)
    mean = (batch.motion * seen).sum(dim=(0, 1)) / seen.sum(dim=(0, 1)).clamp(min=1)
    left = ((motion - batch.motion).square() * seen).sum() / ((batch.motion - mean).square() * seen).sum()
    jumps, real_jumps = (_steps(frames, batch)[:, 0] for frames in (motion, batch.motion))
    usual = _steps(batch.motion, batch)[:, 1:].quantile(0.95)
    return Figures(float(left), float(jumps.mean()), float(real_jumps.mean()), int((jumps <= usual).sum()))


def _steps(motion: Tensor, batch: Batch) -> Tensor:
    """Return how far valid points move in each frame (B, T), their mean; in the first, from the source."""
    frames = torch.cat([batch.prefix[:, -1:], motion], dim=1)
    valid = torch.cat([batch.prefix_valid[:, -1:], batch.valid], dim=1)
    both = (valid[:, 1:] & valid[:, :-1])[..., None].to(motion)
    return (frames.diff(dim=1).abs() * both).sum(dim=(2, 3)) / (2 * both.sum(dim=(2, 3))).clamp(min=1)


def overfit(cell: Cell, folders: dict[str, Path]) -> Figures:
    """Train a cell's generator on eight windows of the training split, far from one another."""
    stages: dict[str, Any] = cell.stages
    windows = load_windows(Inputs({}, folders), "train", "cpu", stages["motion"].space.source)
    index = torch.linspace(0, len(windows) - 1, WINDOWS).long()
    trained = {s: load_network(cell.built[s], folders[s], "cpu") for s in NETWORKS if s in folders}
    generator, tokenizer, training = (
        cell.built["generator"],
        trained.get("tokenizer"),
        stages["generator"].training,
    )

    def losses() -> dict[str, Tensor]:
        drawn = index[torch.randint(WINDOWS, (training.batch,))]
        return generator.losses(windows.batch(drawn), tokenizer)  # type: ignore[no-any-return]

    fit(generator, losses, training, KeepsNothing())
    motion, batch = stages["motion"], windows.batch(index)
    noise = Noise([(0, window) for window in range(WINDOWS)])
    inference = Inference(tokenizer, motion.decode, trained.get("residual"), motion.sampler, noise)
    return figures_of(generator.sample(batch, inference), batch)


def others_of(places: np.ndarray) -> np.ndarray:
    """Return for each window another of its speaker (W,), half of them all further on."""
    order = np.arange(len(places))
    for speaker in np.unique(places[:, SPEAKER]):
        own = np.flatnonzero(places[:, SPEAKER] == speaker)
        order[own] = np.roll(own, len(own) // 2)
    return order


@torch.no_grad()
def listens(cell: Cell, folders: dict[str, Path], most: int) -> tuple[float, float]:
    """Return the mismatch of motion for own speech, and of motion for another window's, in percent."""
    stages: dict[str, Any] = cell.stages
    trained = {s: load_network(cell.built[s], folders[s], "cpu") for s in TRAINED[2:] if s in folders}
    windows, motion = load_windows(Inputs({}, folders), "test", "cpu"), stages["motion"]
    index = torch.linspace(0, len(windows) - 1, min(most, len(windows))).long()
    batch = windows.batch(index)
    places = torch.stack([batch.clip, batch.speaker, windows.starts[index]], dim=1).numpy()
    sync = synchrony(Inputs({"sync_judge": trained["sync_judge"]}, folders), "test", index)
    partners, corpus = partners_of(places, sync.heard, PARTNERS, 0), Inputs({}, folders).arrays("corpus")

    def score(speech: Tensor) -> float:
        noise = Noise([(0, window) for window in index.tolist()])
        parts = (trained.get("tokenizer"), motion.decode, trained.get("residual"), motion.sampler)
        generated = trained["generator"].sample(replace(batch, speech=speech), Inference(*parts, noise))
        seen = sync.embed((generated * corpus["std"] + corpus["mean"]).numpy())
        values, weights = shares(seen, sync.speech, partners)
        return float(100 * np.average(values, weights=weights))

    return score(batch.speech), score(batch.speech[torch.from_numpy(others_of(places))])


def main() -> None:
    """Print a line for each generator of the rows that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--store", default="store", type=Path)
    parser.add_argument("--only", action="append", default=[], help="a row, as given to a sweep")
    parser.add_argument("--bind", action="append", default=[], help="as given to a sweep")
    parser.add_argument("--heard", action="store_true", help="whether trained generators listen")
    parser.add_argument("--windows", type=int, default=176, help="how many test windows are asked for then")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    plan = make_plan(read_sweep(asked.sweep, Overrides(bindings=asked.bind, only=asked.only)))
    heads = (
        ["own speech", "another's"] if asked.heard else ["steps", "variance left", "jump / real", "goes on"]
    )
    heads = ["row", *heads, "processor s"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for cell in plan.cells:
        keys, row = cell["stages"], f"{cell['panel']}/{cell['row']}"
        given = {stage: keys[stage] for stage in (TRAINED if asked.heard else GIVEN) if stage in keys}
        if absent := [stage for stage, key in given.items() if manifest(asked.store, stage, key) is None]:
            print(f"| {row} | not in {asked.store}: {', '.join(absent)} |")
            continue
        torch.manual_seed(0)
        folders = {stage: artifact_folder(asked.store, stage, key) for stage, key in given.items()}
        last, began = "motion_scores" if asked.heard else "motion", time.process_time()
        built = build_cell(plan.tasks[keys[last]].texts, [last])
        numbers = _heard(built, folders, asked.windows) if asked.heard else _overfit(built, folders)
        line = [row, *numbers, f"{time.process_time() - began:.0f}"]
        print(f"| {' | '.join(line)} |", flush=True)


def _heard(cell: Cell, folders: dict[str, Path], windows: int) -> list[str]:
    return [f"{share:.1f} %" for share in listens(cell, folders, windows)]


def _overfit(cell: Cell, folders: dict[str, Path]) -> list[str]:
    stages: dict[str, Any] = cell.stages
    figures = overfit(cell, folders)
    passed = "" if figures.left < BAR else " (too much)"
    jump, ends = figures.jump / figures.real_jump, f"{figures.going_on} of {WINDOWS}"
    return [str(stages["generator"].training.steps), f"{figures.left:.1%}{passed}", f"{jump:.2f}", ends]


if __name__ == "__main__":
    main()
