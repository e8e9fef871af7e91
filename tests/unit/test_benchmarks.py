"""What the benchmarks report of something known: planted step times and figures worked by hand."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from rgx.store.workspace import Workspace
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def gpu() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_gpu", ROOT / "benchmarks" / "gpu.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_step_lasts_as_long_as_planted(gpu: ModuleType, tmp_path: Path) -> None:
    planted, clock = [50.0, 7.0, 1.0, 2.0, 4.0], [0.0]
    network = nn.Linear(1, 1)
    waiting = iter(planted)

    def losses() -> dict[str, Tensor]:
        clock[0] += next(waiting)
        return {"loss": network(torch.ones(1, 1)).sum() ** 2}

    real = Workspace.progress
    workspace = Workspace(tmp_path, "cpu", lambda _: None)
    with gpu.every_step(lambda: clock[0]) as noted:
        fit(network, losses, AdamW(steps=len(planted)), workspace)
    assert gpu.durations(noted, warmup=2) == planted[2:]
    assert gpu.durations(noted, warmup=1) == planted[1:]
    assert Workspace.progress is real
    peaks = [peak for _, peak in noted]
    assert peaks == sorted(peaks) and peaks[0] > 0


def test_the_progress_is_restored_and_said_also_when_a_stage_fails(gpu: ModuleType, tmp_path: Path) -> None:
    real, said = Workspace.progress, []
    workspace = Workspace(tmp_path, "cpu", said.append)
    with pytest.raises(ZeroDivisionError), gpu.every_step():
        workspace.progress(1, 1, loss=0.5)
        raise ZeroDivisionError
    assert Workspace.progress is real
    assert said == [{"done": 1, "total": 1, "values": {"loss": 0.5}}]


def test_peak_memory_is_this_process_s_and_sees_what_was_let_go(gpu: ModuleType) -> None:
    if torch.cuda.is_available():
        pytest.skip("the process's memory is measured only where there is no GPU")
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    before, now, size = gpu.peak_bytes(), pages * os.sysconf("SC_PAGE_SIZE"), 2**26
    # What earlier tests have given back has to be filled before the peak can rise.
    held = torch.ones(before - now + size, dtype=torch.uint8)
    del held
    assert before + size / 2 < gpu.peak_bytes() < before + 2 * size


def test_the_rows_of_both_tables_worked_by_hand(gpu: ModuleType) -> None:
    figures = gpu.Figures([0.3, 0.1, 0.2], 3 * 2**30)
    assert gpu.stage_row("refiner", 4, figures) == {
        "stage": "refiner",
        "batch": "4",
        "step, ms": "200 (100–300)",
        "throughput": "20 pictures/s",
        "peak, MiB": "3,072",
    }
    assert gpu.stage_row("judge", 1, figures)["throughput"] == "5 windows/s"
    assert gpu.part_row("warp", figures) == {
        "part": "warp",
        "frames a call": "16",
        "call, ms": "200 (100–300)",
        "frames/s": "80",
        "times real time": "3.2",
        "peak, MiB": "3,072",
    }
