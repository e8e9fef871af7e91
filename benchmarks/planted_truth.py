"""What is planted in the puppets must be found: `python benchmarks/planted_truth.py [--store DIR]`.

Needs a store in which `rgx sweep sweeps/ablation_table3.yaml --only 3b/+distill --seeds 0,1,2` has run, with
`--bind 'WORLD = @world.plain()'` there as here for the world in which all of it shows within minutes.
For each seed: retrieval R@1 of the alignment against chance; the full model against itself with every
window's speech swapped for another clip's (`bas_gt_relative`), and against the same networks untrained (FGD).
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rgx.config import build_cell
from rgx.gesture.data.reading import load_windows
from rgx.gesture.generate.base import Inference
from rgx.gesture.metrics.bas import BasGtRelative
from rgx.gesture.metrics.base import Evaluation
from rgx.gesture.metrics.fgd import FGD
from rgx.gesture.stages.motion import MotionStage
from rgx.run.worker import seed_of
from rgx.store.artifacts import artifact_folder
from rgx.store.manifests import manifest
from rgx.store.workspace import Inputs, load_network
from rgx.sweep.plan import Task, make_plan
from rgx.sweep.spec import Overrides, read_sweep

SWEEP, ROW = Path("sweeps/ablation_table3.yaml"), "3b/+distill"
STAGES = ("corpus", "speech", "judge", "tokenizer", "generator", "residual")


def generate(networks: dict[str, Any], windows: Any, speech: Tensor | None, seed: int) -> Tensor:
    """Return standardised motion (W, T, K, 2) of all test windows, from their own speech or another."""
    torch.manual_seed(seed)
    made = []
    for index in windows.chunks(64):
        batch = windows.batch(index)
        if speech is not None:
            batch = replace(batch, speech=windows.batch(speech[index]).speech)
        parts = (networks[name] for name in ("tokenizer", "decode", "residual"))
        made.append(networks["generator"].sample(batch, Inference(*parts)))
    return torch.cat(made)


def other_clips(clips: Tensor, seed: int) -> Tensor:
    """Return for each window one of another clip."""
    rng = np.random.default_rng(seed)
    return torch.tensor([rng.choice(np.flatnonzero(clips.numpy() != c)) for c in clips.tolist()])


@torch.no_grad()
def measure(task: Task, keys: dict[str, str], store: Path) -> dict[str, float]:
    """Return one seed's figures; raises SystemExit where the store lacks an artifact."""
    missing = [s for s in (*STAGES, "alignment") if manifest(store, s, keys[s]) is None]
    if missing:
        raise SystemExit(f"{store} lacks {', '.join(missing)} of {ROW}: run the sweep first")
    seed = seed_of(task.message())
    torch.manual_seed(seed)
    cell = build_cell(task.texts, task.targets)
    folders = {stage: artifact_folder(store, stage, keys[stage]) for stage in STAGES}
    untrained = {s: cell.built[s] for s in ("tokenizer", "generator", "residual")}
    blank = {s: network.eval().requires_grad_(False) for s, network in untrained.items()}
    motion_stage = cell.stages["motion"]
    assert isinstance(motion_stage, MotionStage)
    blank["decode"] = motion_stage.decode
    inputs = Inputs(cell.built, folders)
    windows = load_windows(inputs, "test", "cpu")
    batch = windows.batch(torch.arange(len(windows)))
    corpus = inputs.arrays("corpus")
    judge = load_network(cell.built["judge"], folders["judge"], "cpu")

    def evaluate(motion: Tensor) -> Evaluation:
        def embed(x: np.ndarray) -> np.ndarray:
            return judge.encode(((torch.from_numpy(x) - corpus["mean"]) / corpus["std"]).flatten(2)).numpy()

        real, made = ((m * corpus["std"] + corpus["mean"]).numpy() for m in (batch.motion, motion))
        return Evaluation(real, made, batch.valid.numpy(), batch.beats.numpy(), embed)

    found = {"fgd_untrained": FGD().score(evaluate(generate(blank, windows, None, seed)))}
    trained: dict[str, Any] = {"decode": blank["decode"]}
    for stage in ("tokenizer", "generator", "residual"):
        network = cell.built[stage]
        assert isinstance(network, nn.Module)
        trained[stage] = load_network(network, folders[stage], "cpu")
    own = evaluate(generate(trained, windows, None, seed))
    swapped = evaluate(generate(trained, windows, other_clips(windows.clips, seed), seed))
    found |= {
        "fgd": FGD().score(own),
        "bas": BasGtRelative().score(own),
        "bas_swapped": BasGtRelative().score(swapped),
    }
    outputs = manifest(store, "alignment", keys["alignment"]) or {}
    said = ("recall1", "chance", "order")
    return found | {name: value for name, value in outputs["outputs"].items() if name.startswith(said)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="store", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--scale")
    parser.add_argument("--bind", action="append", default=[], help="as given to the sweep")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = [int(s) for s in arguments.seeds.split(",")]
    overrides = Overrides(bindings=arguments.bind, seeds=seeds, only=[ROW], scale=arguments.scale)
    plan = make_plan(read_sweep(SWEEP, overrides))
    every = []
    for cell in plan.cells:
        keys = cell["stages"]
        every.append(measure(plan.tasks[keys["motion"]], keys, arguments.store))
        print(f"seed {cell['seed']}: " + ", ".join(f"{k} {v:.4g}" for k, v in every[-1].items()), flush=True)
    mean = {k: statistics.fmean(found[k] for found in every) for k in every[0]}
    print(f"mean of {len(every)}: " + ", ".join(f"{k} {v:.4g}" for k, v in mean.items()))
    print(f"FGD untrained / trained: {mean['fgd_untrained'] / mean['fgd']:.1f}")
    print(f"bas_gt_relative own / swapped speech: {mean['bas'] / mean['bas_swapped']:.3f}")


if __name__ == "__main__":
    main()
