"""The file for Slurm, run by bash with stand-ins for srun, scontrol, ray and the sweep."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rgx.cluster.slurm import Job, batch_file
from rgx.errors import InputError

STAND_INS = {
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "scontrol": 'echo "$@" >> requeued.txt',
    "hostname": "echo 127.0.0.1",
    "ray": 'stat -c %a "$RAY_AUTH_TOKEN_PATH" > mode.txt; while [ "$1" != -- ]; do shift; done; shift; "$@"',
    "python": f"""if [ "$1" = -c ]; then exec {sys.executable} "$@"; fi
echo "$@" > asked.txt
if [ -e at-once ]; then exit "$(cat at-once)"; fi
trap 'echo saved > checkpoint.txt; exit 143' TERM
touch runs; while :; do sleep 0.05; done""",
}
JOB = Job(nodes=1, gpus_per_node=0, cpus_per_node=2, time="10:00")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in STAND_INS.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    text = batch_file(JOB, Path("it's a sweep.yaml"), Path("store"), tmp_path, ["--set", "a=b"])
    (tmp_path / "job.sbatch").write_text(text)
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "job.sbatch"], cwd=folder, env={**os.environ, "SLURM_JOB_ID": "7"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.mark.parametrize("number, requeued", [(signal.SIGUSR1, ["requeue 7"]), (signal.SIGTERM, [])])
def test_a_preempted_job_saves_and_is_queued_once(
    folder: Path, number: signal.Signals, requeued: list[str]
) -> None:
    job = start(folder)
    until = time.monotonic() + 30
    while not (folder / "runs").exists():
        assert time.monotonic() < until and job.poll() is None, job.communicate()
        time.sleep(0.05)
    job.send_signal(number)
    time.sleep(0.05)
    job.send_signal(number)
    printed, _ = job.communicate(timeout=30)
    assert job.returncode == 143, printed
    assert (folder / "checkpoint.txt").read_text() == "saved\n"
    queued = folder / "requeued.txt"
    assert (queued.read_text().splitlines() if queued.exists() else []) == requeued
    assert (folder / "mode.txt").read_text() == "600\n"
    assert not (folder / ".rgx-slurm-7").exists() and not list((folder / "store").iterdir())


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_job_ends_with_the_code_of_its_sweep(folder: Path, code: int) -> None:
    (folder / "at-once").write_text(str(code))
    job = start(folder)
    printed, _ = job.communicate(timeout=30)
    assert job.returncode == code, printed
    assert "sweep it's a sweep.yaml --store" in (folder / "asked.txt").read_text()
    assert not (folder / "requeued.txt").exists()


def test_ray_that_did_not_start_is_no_success(folder: Path) -> None:
    (folder / "bin" / "ray").write_text("#!/bin/bash\nexit 0\n")
    job = start(folder)
    job.communicate(timeout=30)
    assert job.returncode == 1


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_shellcheck_has_nothing_to_say(folder: Path) -> None:
    subprocess.run(["shellcheck", "--severity=warning", folder / "job.sbatch"], check=True)


@pytest.mark.parametrize(
    "change, wrong",
    [
        ({"nodes": 0}, "--nodes 0: expected a whole number of at least 1"),
        ({"gpus_per_node": -1}, "--gpus-per-node -1: expected a whole number of at least 0"),
        ({"time": "a day"}, "--time a day: expected minutes or "),
        ({"partition": "a\n#SBATCH"}, "--partition a"),
    ],
)
def test_what_sbatch_would_refuse_is_refused(change: dict[str, object], wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        Job(**{**vars(JOB), **change}).check()
