"""Self-reconstruction against repeating the source frame: `python benchmarks/reconstruction.py`.

Reads the scores of panel 3a from a store in which the sweep has run (give the same options as to
`rgx sweep`) and measures the trivial baseline, every frame of a window replaced by its condition frame,
on the same windows with the same metrics. Prints one row each.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from rgx.config import build_cell
from rgx.gesture.data.reading import load_pictures
from rgx.gesture.metrics.base import VideoPair
from rgx.gesture.scoring import score_windows, window_pair
from rgx.gesture.stages.reconstruction import ReconstructionStage
from rgx.gesture.stages.reconstruction_scores import ReconstructionScoresStage
from rgx.gesture.types import WINDOW_FRAMES
from rgx.store.artifacts import artifact_folder
from rgx.store.manifests import manifest
from rgx.store.workspace import Inputs, Workspace
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path("sweeps/ablation_table3.yaml")


def repeated(inputs: Inputs, per_clip: int, split: str = "test") -> tuple[list[str], Iterator[VideoPair]]:
    """Return the clip of each window, and the windows with their condition frame in place of every frame."""
    pictures = load_pictures(inputs, "cpu")
    windows = pictures.windows(split, per_clip)

    def pairs() -> Iterator[VideoPair]:
        for _, _, start in windows:
            still = pictures.pictures(torch.tensor([start - 1])).expand(WINDOW_FRAMES, -1, -1, -1)
            yield window_pair(pictures, start, still)

    return [span.name for _, span, _ in windows], pairs()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="store", type=Path)
    parser.add_argument("--scale")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--bind", action="append", default=[])
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--seeds", default="0")
    given = parser.parse_args()
    torch.set_num_threads(1)
    overrides = Overrides(
        choices=dict(choice.split("=", 1) for choice in given.set),
        bindings=given.bind,
        scale=given.scale,
        seeds=[int(seed) for seed in given.seeds.split(",")],
        only=given.only or ["3a"],
    )
    plan = make_plan(read_sweep(SWEEP, overrides))
    stage_name = "reconstruction_scores"
    first = plan.cells[0]["stages"]
    task = plan.tasks[first[stage_name]]
    stages = build_cell(task.texts, task.targets).stages
    stage, windows = stages[stage_name], stages["reconstruction"]
    assert isinstance(stage, ReconstructionScoresStage) and isinstance(windows, ReconstructionStage)
    inputs = Inputs({}, {"frames": artifact_folder(given.store, "frames", first["frames"])})
    clips, pairs = repeated(inputs, windows.windows_per_clip)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), "cpu", lambda progress: None)
        still = score_windows(stage.metrics, pairs, clips, workspace)
    names = list(still["scores"])
    print("| row | seed | " + " | ".join(names) + " |\n|" + "---|" * (len(names) + 2))
    shown = [("repeat the source frame", "", still["scores"])]
    for cell in plan.cells:
        found = manifest(given.store, stage_name, cell["stages"][stage_name])
        if found is not None:
            shown.append((f"{cell['panel']}/{cell['row']}", str(cell["seed"]), found["outputs"]["scores"]))
    for row, seed, scores in shown:
        print(f"| {row} | {seed} | " + " | ".join(f"{scores[name]:.4g}" for name in names) + " |")


if __name__ == "__main__":
    main()
