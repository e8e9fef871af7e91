"""A sweep small enough for tests, how to run it, and what of its store must never change."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from rgx.cli import main
from rgx.store.artifacts import artifact_folder
from rgx.store.runs import read_run

ROOT = Path(__file__).resolve().parents[1]
ONE_WORKER = {
    "RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": 1}),
    # Tune's trials take none of the workers that Ray starts ahead.
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
}
"""The environment of a Ray with one worker, which starts in half the time, where nothing is asked of two."""
LITTLE = """\
name: little
config: [gin/realistic_gesture.gin]
scale: tiny
bind:
  training.adamw.checkpoint_every: 2
  training.adamw.batch: 4
  judge/training.adamw.steps: 3
  sync_judge/training.adamw.steps: 3
  alignment/training.adamw.steps: 3
  tokenizer/training.adamw.steps: 3
  generator/training.adamw.steps: 3
  residual/training.adamw.steps: 3
  corpus.puppets.speakers: 2
  corpus.puppets.train_clips: 2
  corpus.puppets.test_clips: 2
  corpus.puppets.dev_clips: 1
  corpus.puppets.clip_s: 6.0
panels:
  3b:
    baseline: {quantizer: none, generator: regression}
    +distill: {}
"""

SYNC = "  sync_judge/training.adamw.steps: 3\n"
"""The line of it that only metrics taken in the judge of synchrony give an effect."""


def command(*arguments: str) -> int:
    """Run a command of rgx in this process and return its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", ["rgx", *arguments])
        main()
        raise SystemExit(0)
    return int(stop.value.code or 0)


def sweep(folder: Path, store: Path, *options: str, text: str = LITTLE) -> int:
    """Sweep in this process and return the exit code."""
    file = folder / "little.yaml"
    file.write_text(text)
    return command("sweep", str(file), "--store", str(store), "--engine", "inline", *options)


def copy_row(finished: Path, store: Path, row: str, *absent: str) -> Path:
    """Copy the artifacts of one row of the little sweep, but those of absent stages; returns the copy."""
    cells = read_run(finished, "little").rows
    (cell,) = (cell for cell in cells if cell.row == row)
    for stage, key in cell.stages.items():
        if stage not in absent:
            shutil.copytree(artifact_folder(finished, stage, key), artifact_folder(store, stage, key))
    return store


def manifests(store: Path) -> dict[str, dict[str, Any]]:
    """Return every manifest of a store by `<stage>/<key>`."""
    return {
        f"{p.parent.parent.name}/{p.parent.name}": json.loads(p.read_text())
        for p in sorted(store.glob("*/*/manifest.json"))
    }


def results(store: Path) -> dict[str, Any]:
    """Return everything that must be the same when a sweep is run again, to the last bit."""
    return {
        name: (m["outputs"], {n: f["sha256"] for n, f in m["files"].items() if n.endswith(".safetensors")})
        for name, m in manifests(store).items()
    }
