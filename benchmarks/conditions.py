"""What a generator makes of what it is given: `python benchmarks/conditions.py SWEEP --store STORE`.

For each generator of a sweep that a store holds, over all test windows and up to four others of the speaker
(another clip, or 80 frames apart): cross-entropy of the base tokens in nats, all of them masked, given a
window's own speech and another's; that of the first token, given the window's own frames before it and
another's; and how far frame 0 of its motion lies from the frame before it, against real motion. A generator
without tokens has its loss on motion in their place, of the whole window and of its first four frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.config import build_cell
from rgx.gesture.data.reading import load_windows
from rgx.gesture.data.windows import Windows
from rgx.gesture.generate.base import Generator, Inference
from rgx.gesture.generate.masked import MaskedGenerator
from rgx.gesture.metrics.mismatch import partners_of
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.types import FRAMES_PER_TOKEN, Batch, MotionTokenizer
from rgx.store.artifacts import artifact_folder
from rgx.store.manifests import manifest
from rgx.store.workspace import Inputs, load_network
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep

BEFORE = ("prefix", "prefix_valid")
"""What a batch knows of the frames before its windows."""
PARTNERS, BATCH = 4, 64
LOSSES = ("speech", "speech_wrong", "before", "before_wrong")
Loss = Callable[[Batch, Batch], tuple[Tensor, Tensor]]
"""Of windows, given what another batch knows: the loss of each (B,), and that of how it begins (B,)."""


@dataclass(frozen=True)
class Row:
    """A generator with what it needs, and the motion it made of the test windows, standardised."""

    generator: Generator
    networks: dict[str, Any]
    windows: Windows
    motion: Tensor | None


def read_row(plan: Plan, keys: dict[str, str], store: Path) -> Row | None:
    """Return what a store holds of one cell, or None where it has no generator of it."""
    if any(manifest(store, stage, keys[stage]) is None for stage in ("corpus", "speech", "generator")):
        return None
    task = plan.tasks[keys["generator"]]
    cell = build_cell(task.texts, task.targets)
    folders = {stage: artifact_folder(store, stage, key) for stage, key in keys.items()}
    networks = {
        stage: load_network(cell.built[stage], folders[stage], "cpu")
        for stage in ("generator", "tokenizer", "residual")
        if isinstance(cell.built.get(stage), nn.Module) and manifest(store, stage, keys.get(stage, ""))
    }
    source = cell.stages["generator"].space.source  # type: ignore[attr-defined]  # of generators only
    inputs = Inputs({}, {stage: folders[stage] for stage in {"corpus", "speech", source.stage}})
    motion, scale = None, inputs.arrays(source.stage)
    if manifest(store, "motion", keys.get("motion", "")):
        drawn = Inputs({}, folders).arrays("motion")[source.array]
        motion = (drawn - scale["mean"]) / scale["std"]
    parts = {name: getattr(cell.stages.get("motion"), name, None) for name in ("decode", "sampler")}
    generator = cast(Generator, networks["generator"])
    return Row(generator, {**networks, **parts}, load_windows(inputs, "test", "cpu", source), motion)


def of_tokens(generator: MaskedGenerator, tokenizer: MotionTokenizer) -> Loss:
    """Return the cross-entropy of a window's own base tokens, and of the first of them, all masked."""

    def loss(own: Batch, given: Batch) -> tuple[Tensor, Tensor]:
        content = generator.content(given)
        size = content.shape[1]
        targets, before = tokenizer.window_tokens(own), tokenizer.window_tokens(given)
        first = before[generator.streams[0]].shape[1] - size
        each = [torch.cat([before[s][:, :first, 0], targets[s][:, -size:, 0]], 1) for s in generator.streams]
        tokens = torch.cat(each, dim=1)
        masked = (torch.arange(first + size) >= first).repeat(len(each)).expand_as(tokens)
        logits = generator.predict(tokens, masked, generator.trunk.read(content), given.speaker)
        losses = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view_as(tokens)
        by_stream = torch.stack(losses.chunk(len(each), dim=1))[..., first:]
        return by_stream.mean(dim=(0, 2)), by_stream[..., 0].mean(dim=0)

    return loss


def of_motion(row: Row) -> Loss:
    """Return the loss on a window's motion, and on that of its first token's frames."""

    def loss(own: Batch, given: Batch) -> tuple[Tensor, Tensor]:
        known = {name: row.networks.get(name) for name in ("tokenizer", "decode", "residual", "sampler")}
        motion = row.generator.sample(given, Inference(**known))

        def each(frames: slice) -> Tensor:
            triples = zip(motion[:, frames], own.motion[:, frames], own.valid[:, frames], strict=True)
            terms = (motion_losses(*(x[None] for x in triple)) for triple in triples)
            return torch.stack([sum(term.values(), torch.zeros(())) for term in terms])

        return each(slice(None)), each(slice(FRAMES_PER_TOKEN))

    return loss


@torch.no_grad()
def measure(row: Row) -> dict[str, float]:
    """Return the losses of own and wrong speech, own and wrong frames before, and the jumps at frame 0."""
    windows, tokenizer = row.windows, row.networks.get("tokenizer")
    tokens = isinstance(row.generator, MaskedGenerator) and tokenizer is not None
    loss = of_tokens(row.generator, tokenizer) if tokens else of_motion(row)  # type: ignore[arg-type]
    places = torch.stack([windows.clips, windows.speakers, windows.starts], dim=1).numpy()
    partners = partners_of(places, np.ones(len(windows), bool), PARTNERS, seed=0)
    pairs = torch.tensor([(w, int(other)) for w, others in enumerate(partners) for other in others])
    sums = dict.fromkeys(LOSSES, 0.0)
    for part in pairs.split(BATCH):
        own, other = windows.batch(part[:, 0]), windows.batch(part[:, 1])
        right = loss(own, own)
        wrong = loss(own, replace(own, speech=other.speech))
        elsewhere = loss(own, replace(own, **{name: getattr(other, name) for name in BEFORE}))
        values = (right[0], wrong[0], right[1], elsewhere[1])
        for name, value in zip(sums, values, strict=True):
            sums[name] += float(value.sum())
    figures = {name: total / len(pairs) for name, total in sums.items()}
    if row.motion is not None:
        batch = windows.batch(torch.arange(len(windows)))
        source, seen = batch.prefix[:, -1], batch.valid[:, 0]
        jumps = ((motion[:, 0] - source).abs()[seen].mean() for motion in (row.motion, batch.motion))
        figures["jump"], figures["real_jump"] = (float(jump) for jump in jumps)
    return figures


def main() -> None:
    """Measure each generator of a sweep once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("--store", default="store", type=Path)
    parser.add_argument("--scale")
    parser.add_argument("--seeds", help="0,1,2: of the sweep's own where it is not said")
    parser.add_argument("--only", action="append", default=[], help="a row, as given to the sweep")
    parser.add_argument("--bind", action="append", default=[], help="as given to the sweep")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [int(seed) for seed in asked.seeds.split(",")] if asked.seeds else None
    overrides = Overrides(bindings=asked.bind, seeds=seeds, only=asked.only, scale=asked.scale)
    plan, measured = make_plan(read_sweep(asked.sweep, overrides)), set()
    print("| row | seed | speech | wrong | before | wrong | jump / real |\n|---|---|---|---|---|---|---|")
    for cell in plan.cells:
        keys = cell["stages"]
        if "generator" not in keys or (keys["generator"], keys.get("motion")) in measured:
            continue
        measured.add((keys["generator"], keys.get("motion")))
        row = read_row(plan, keys, asked.store)
        if row is None:
            print(f"| {cell['panel']}/{cell['row']} | {cell['seed']} | not in {asked.store} |")
            continue
        figures = measure(row)
        jump = f"{figures['jump'] / figures['real_jump']:.2f}" if "jump" in figures else "--"
        shown = " | ".join(f"{figures[name]:.3f}" for name in LOSSES)
        unit = "nats" if isinstance(row.generator, MaskedGenerator) else "motion loss"
        print(f"| {cell['panel']}/{cell['row']} ({unit}) | {cell['seed']} | {shown} | {jump} |", flush=True)


if __name__ == "__main__":
    main()
