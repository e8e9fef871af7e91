"""Drivers killed at random moments: nothing is done twice, nothing half stands, every bit is the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from little import LITTLE, ROOT, manifests, results, sweep

KILLS = int(os.environ.get("RGX_KILLS", "3"))
ENGINES = os.environ.get("RGX_KILL_ENGINES", "inline").split(",")
LONGEST_S = 12.0
"""A little sweep takes about this long, start-up included."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert sweep(folder, folder / "store", "--no-report") == 0
    return folder / "store"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_sweep_killed_again_and_again_ends_as_if_it_never_was(
    undisturbed: Path, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "little.yaml").write_text(LITTLE)
    store, draw, kills, rounds = tmp_path / "store", random.Random(engine), 0, 0
    command = [sys.executable, "-m", "rgx", "sweep", str(tmp_path / "little.yaml"), "--no-report"]
    command += ["--store", str(store), "--engine", engine]
    made: dict[str, float] = {}
    while kills < KILLS:
        rounds += 1
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
            try:
                run.wait(draw.uniform(1.0, LONGEST_S))
            except subprocess.TimeoutExpired:
                run.send_signal(signal.SIGKILL)
                kills += 1
            run.communicate()
        for name, manifest in manifests(store).items():
            assert made.setdefault(name, manifest["started"]) == manifest["started"], f"{name} was made twice"
        if run.returncode == 0:
            assert results(store) == results(undisturbed)
            store = tmp_path / f"store{rounds}"
            command[command.index("--store") + 1] = str(store)
            made.clear()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stdout + again.stderr
    assert results(store) == results(undisturbed)
    assert not list((store / "running").glob("*/artifact"))
