"""Whether the judge of synchrony is right where it can be: `python benchmarks/claims_sync.py [--real DIR]`.

Trains it on puppets, on puppets whose speech moves nobody (`puppets_uncoupled`) and, with --real, on a corpus
of recordings, and prints for the clips of dev and test, which it never saw: the mismatch of real motion with
its 95 % interval over clips (bootstrap), and the same of real motion that changed places. Coupled puppets are
to reach 90 %, uncoupled ones 50 ± 3 %. Stages are kept in --store, so that a second call only measures.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from rich.console import Console

from rgx.config import build_cell
from rgx.gesture.data.reading import load_windows
from rgx.gesture.evaluation import synchrony
from rgx.gesture.metrics.base import Evaluation
from rgx.gesture.metrics.mismatch import Mismatch
from rgx.gesture.scoring import by_clip, intervals
from rgx.run.invocation import Execution, run_sweep
from rgx.store.artifacts import artifact_folder
from rgx.store.workspace import Inputs, load_network
from rgx.sweep.plan import make_plan
from rgx.sweep.spec import Overrides, read_sweep

CLIPS = 64
"""Test clips of each kind of puppets: the interval over 16 clips is twice as wide."""


def sweep_of(scale: str, real: Path | None, binds: list[str]) -> dict[str, object]:
    """Return a sweep that ends at the judge, with the recordings in place of puppets where they are given."""
    puppets = {"corpus.puppets.test_clips": CLIPS // 4, "corpus.puppets_uncoupled.test_clips": CLIPS // 4}
    own = dict(line.split(" = ", 1) for line in binds)
    sizes = {key.strip(): yaml.safe_load(value) for key, value in own.items()}
    rows = {"coupled": {"corpus": "puppets"}, "uncoupled": {}}
    return {
        "name": "claims_sync",
        "config": ["gin/realistic_gesture.gin", f"gin/data/{'videos' if real else 'uncoupled'}.gin"],
        "scale": scale,
        "bind": ({"corpus.videos.folder": str(real.resolve())} if real else puppets) | sizes,
        "targets": {"sync": ["sync_judge"]},
        "panels": {"sync": {"recordings": {}} if real else rows},
    }


def evaluated(inputs: Inputs, split: str) -> tuple[Evaluation, list[str]]:
    """Return real motion of a split's windows beside itself, and the clip of each."""
    windows = load_windows(inputs, split, "cpu")
    batch, corpus = windows.batch(torch.arange(len(windows))), inputs.arrays("corpus")
    motion = (batch.motion * corpus["std"] + corpus["mean"]).numpy()
    places = torch.stack([batch.clip, batch.speaker, windows.starts], dim=1).numpy()
    spans = inputs.about("corpus")["spans"]
    evaluation = Evaluation(
        motion, motion, batch.valid.numpy(), batch.beats.numpy(), lambda x: x[:, 0, 0], places,
        synchrony(inputs, split, torch.arange(len(windows))),
    )  # fmt: skip
    return evaluation, [spans[clip]["name"] for clip in batch.clip.tolist()]


def measure(inputs: Inputs, row: str) -> None:
    """Print one row's figures."""
    metric = Mismatch(partners=64)
    metric.record = {"variant": "metric/mismatch"}
    for split in ("dev", "test"):
        if not (inputs.folders["sync_judge"] / f"{split}.safetensors").is_file():
            continue
        evaluation, names = evaluated(inputs, split)
        samples = by_clip([metric], evaluation, names)
        low, high = intervals(samples).get("mismatch", (float("nan"), float("nan")))
        print(
            f"{row}, {split}: real motion {metric.reference(evaluation):.1f} % ({low:.1f} to {high:.1f}), "
            f"changed places {metric.chance(evaluation):.1f} %; n = {len(names)} windows of "
            f"{len(samples.names)} clips",
            flush=True,
        )


def main() -> None:
    """Train what is not there, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="store", type=Path)
    parser.add_argument("--scale", default="tiny")
    parser.add_argument("--real", type=Path, help="a corpus of recordings: index.csv, clips/, keypoints")
    parser.add_argument("--bind", action="append", default=[], help="as given to a sweep")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "claims_sync.yaml"
        file.write_text(yaml.safe_dump(sweep_of(arguments.scale, arguments.real, arguments.bind)))
        if not run_sweep(file, Overrides(), Execution(arguments.store, "inline"), Console(quiet=True)).well:
            raise SystemExit(1)
        plan = make_plan(read_sweep(file, Overrides()))
    for cell in plan.cells:
        keys = cell["stages"]
        task = plan.tasks[keys["sync_judge"]]
        built = build_cell(task.texts, task.targets).built
        folders = {stage: artifact_folder(arguments.store, stage, key) for stage, key in keys.items()}
        built["sync_judge"] = load_network(built["sync_judge"], folders["sync_judge"], "cpu")
        measure(Inputs(built, folders), cell["row"])


if __name__ == "__main__":
    main()
