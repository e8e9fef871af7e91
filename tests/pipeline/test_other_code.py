"""Stopped by a bug, the bug fixed, the same command: no number is half of the old code unless asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import nursery
import pytest
from little import LITTLE, ROOT, copy_row, manifests

LOSS = """\
import os
import signal
import time

from rgx.gesture.tokens.base import Distillation
from rgx.registry import register


@register("distillation", "edited_for_a_test")
class Edited(Distillation):
    "A loss whose body is edited."

    def __init__(self, width: int, members: tuple[str, ...], teacher_width: int) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, quantized, batch, teacher):
        self.calls += self.training  # what is held out is looked at, too
        BODY
        return 0 * quantized.sum()
"""
BUG = "assert self.calls < 3, 'a bug'"
FIXED = "time.sleep(0.7)"
PREEMPTED = "os.kill(os.getpid(), signal.SIGTERM)"


def sweep(folder: Path, body: str, *options: str) -> tuple[int, str]:
    """Sweep the row with a plugin of this body in a process of its own; returns exit code and output."""
    (folder / "little.yaml").write_text(LITTLE)
    (folder / "edited_for_a_test.py").write_text(LOSS.replace("BODY", body))
    command = ["sweep", str(folder / "little.yaml"), "--no-report"]
    command += ["--engine", "inline", "--store", str(folder / "store"), "--only", "3b/+distill"]
    command += ["--import", str(folder / "edited_for_a_test.py"), "--set", "distillation=edited_for_a_test"]
    run = nursery.rgx([*command, *options], ROOT, os.environ, timeout=200)
    return run.returncode, " ".join((run.stdout + run.stderr).split())


def steps(store: Path) -> list[tuple[int, int]]:
    """Return which steps each part of the tokenizer's training took; each part of other code."""
    (tokenizer,) = (m for m in manifests(store).values() if m["stage"] == "tokenizer")
    segments: list[dict[str, Any]] = tokenizer["segments"]
    assert segments[-1]["code"] == tokenizer["code"]["digest"]
    assert len({segment["code"] for segment in segments}) == len(segments)
    return [(segment["from"], segment["to"]) for segment in segments]


@pytest.fixture(scope="module")
def stopped(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in whose store the tokenizer was stopped by a bug in its loss after two of three steps."""
    folder = tmp_path_factory.mktemp("stopped")
    copy_row(finished, folder / "store", "+distill", "tokenizer", "generator", "residual")
    code, shown = sweep(folder, BUG)
    assert code == 1 and "a bug" in shown, shown
    assert list((folder / "store" / "running").glob("tokenizer-*/checkpoint.safetensors"))
    return folder


@pytest.fixture
def cut(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)


@pytest.mark.slow
def test_a_fixed_loss_does_not_go_on_from_the_checkpoint_of_the_old_one(cut: Path) -> None:
    code, shown = sweep(cut, FIXED)
    assert code == 0, shown
    assert "step 2 is of other code (changed: edited_for_a_test); the stage begins anew, --go-on" in shown
    assert steps(cut / "store") == [(0, 3)]


@pytest.mark.slow
def test_as_asked_it_does_and_the_manifest_lists_both(cut: Path) -> None:
    code, shown = sweep(cut, FIXED, "--go-on")
    assert code == 0, shown
    assert "(changed: edited_for_a_test); gone on with as asked" in shown, shown
    assert steps(cut / "store") == [(0, 2), (2, 3)]


@pytest.mark.slow
def test_a_preempted_sweep_saves_its_step_and_blames_no_stage(finished: Path, tmp_path: Path) -> None:
    copy_row(finished, tmp_path / "store", "+distill", "tokenizer", "generator", "residual")
    code, shown = sweep(tmp_path, PREEMPTED)
    assert code == 130, shown
    assert "stopped by SIGTERM; goes on from step 1: " in shown
    assert "Traceback" not in shown and "failed" not in shown
    (running,) = (tmp_path / "store" / "running").glob("tokenizer-*")
    assert (running / "checkpoint.safetensors").is_file()
    assert not (running / "failure.json").exists() and not (running / "lease.json").exists()
