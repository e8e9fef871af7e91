from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from keyed import digest, manifest_of
from little import LITTLE, ROOT, command, manifests, results
from little import sweep as rgx
from roster import load_roster

from rgx import registry
from rgx.cli import main
from rgx.gesture.data.windows import Windows
from rgx.run import worker
from rgx.store.artifacts import artifact_folder, checksum, write_json
from rgx.store.lease import Lease, LeaseHeldError
from rgx.store.runs import read_run

PLUGIN = """\
import torch
from rgx.gesture.generate.base import MaskRatio
from rgx.registry import register

@register("mask_ratio", "NAME", label="Mine")
class Mine(MaskRatio):
    "A user's own ratio."

    def __init__(self, ratio: float = 0.75) -> None:
        self.ratio = ratio

    def draw(self, count):
        return torch.full((count,), self.ratio)
"""
NAN_PLUGIN = """\
import torch
from rgx.registry import register
from rgx.gesture.tokens.base import Distillation

@register("distillation", "nan_for_a_test")
class NanDistillation(Distillation):
    "Breaks at the second step."

    def __init__(self, width: int, members: tuple[str, ...], teacher_width: int) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, quantized, batch, teacher):
        self.calls += self.training  # what is held out is looked at, too
        return quantized.new_full((), float("nan") if self.calls == 2 else 0.0)
"""


@pytest.fixture(scope="module", autouse=True)
def quiet_machine() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    load_roster()
    before = dict(registry._roster)
    yield
    registry._roster.clear()
    registry._roster.update(before)
    torch.set_num_threads(threads)


def listing(store: Path) -> list[str]:
    return sorted(str(p.relative_to(store)) for p in store.rglob("*"))


def test_a_finished_sweep_has_manifests_whose_checksums_match(finished: Path) -> None:
    found = manifests(finished)
    assert len(found) == 13
    assert {m["row"] for m in found.values()} <= {"3b/baseline", "3b/+distill"}
    for name, made in found.items():
        assert name == f"{made['stage']}/{made['key'][:16]}"
        for file, facts in made["files"].items():
            assert checksum(finished / name / file) == facts["sha256"]
            assert (finished / name / file).stat().st_size == facts["bytes"]
    cells = read_run(finished, "little").model_dump()["rows"]
    assert [c["row"] for c in cells] == ["baseline", "+distill"]
    for cell in cells:
        for stage, key in cell["stages"].items():
            assert found[f"{stage}/{key[:16]}"]["key"] == key
    assert not list((finished / "running").glob("*"))


@pytest.mark.slow
def test_a_second_run_trains_nothing_and_leaves_ray_alone(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "little.yaml").write_text(LITTLE)
    store = shutil.copytree(finished, tmp_path / "store")
    before = listing(store)
    code = (
        "import sys\nfrom rgx.cli import main\n"
        f"sys.argv = ['rgx', 'sweep', {str(tmp_path / 'little.yaml')!r}, '--store', {str(store)!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "assert 'ray' not in sys.modules\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    assert "0 stages run, 13 reused" in run.stdout
    (record,) = set(listing(store)) - set(before)
    assert record.startswith("runs/little/"), "that it ran is all that is new"
    assert not set(before) - set(listing(store))


@pytest.mark.slow
def test_two_stores_hold_the_same_bits(finished: Path, tmp_path: Path) -> None:
    assert rgx(tmp_path, tmp_path / "store", "--only", "3b/+distill") == 0
    again = results(tmp_path / "store")
    assert len(again) == 10
    assert again == {name: facts for name, facts in results(finished).items() if name in again}


@pytest.mark.slow
def test_a_nan_blocks_only_its_descendants(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "nan_plugin_for_a_test.py").write_text(NAN_PLUGIN)
    bind = "DISTILLATION = @distillation.nan_for_a_test()"
    store = tmp_path / "store"
    shutil.copytree(finished, store)
    row = LITTLE + "    nan: {distillation: nan_for_a_test}\n    seven: {decode: {iterative: {steps: 7}}}\n"
    file = tmp_path / "nan.yaml"
    file.write_text(row)
    arguments = ["rgx", "sweep", str(file), "--store", str(store), "--engine", "inline"]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as stop:
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", [*arguments, "--import", "nan_plugin_for_a_test"])
        main()
    told = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 1, bind
    assert "the loss became nan at step 2" in told
    assert "2 stages run, 13 reused, 1 failed, 4 blocked" in told
    assert sum(m["row"] == "3b/seven" for m in manifests(store).values()) == 2
    assert not any(m["row"] == "3b/nan" for m in manifests(store).values())


def test_a_killed_stage_goes_on_from_its_checkpoint(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    whole = next(
        n for n, m in manifests(finished).items() if m["stage"] == "generator" and m["row"] == "3b/+distill"
    )
    shutil.copytree(finished, store)
    shutil.rmtree(store / whole)
    draw, calls = Windows.draw, []

    def stopped(windows: Windows, *asked: float) -> Any:
        calls.append(asked)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return draw(windows, *asked)

    with monkeypatch.context() as patch:
        patch.setattr(Windows, "draw", stopped)
        assert rgx(tmp_path, store) != 0
    (running,) = (store / "running").glob("generator-*")
    assert (running / "checkpoint.safetensors").is_file()
    assert not (store / whole / "manifest.json").exists()

    def counted(windows: Windows, *asked: float) -> Any:
        calls.append(asked)
        return draw(windows, *asked)

    calls.clear()
    monkeypatch.setattr(Windows, "draw", counted)
    assert rgx(tmp_path, store) == 0
    assert len(calls) == 2, "the step that was left, and one whose multiply-adds are counted"
    assert results(store)[whole] == results(finished)[whole]


@pytest.mark.slow
def test_a_users_variant_works(finished: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(finished, store)
    (tmp_path / "plugin_for_a_test.py").write_text(PLUGIN.replace("NAME", "mine_for_a_test"))
    options = ["--import", "plugin_for_a_test", "--set", "mask_ratio=mine_for_a_test"]
    assert rgx(tmp_path, store, *options, "--only", "3b/+distill") == 0
    fresh = {n: m for n, m in manifests(store).items() if not (finished / n).exists()}
    assert sorted(m["stage"] for m in fresh.values()) == ["generator", "motion", "motion_scores"]
    (record,) = [m["record"] for m in fresh.values() if m["stage"] == "generator"]
    assert record["generator"]["mask_ratio"] == {"variant": "mask_ratio/mine_for_a_test", "ratio": 0.75}


@pytest.fixture
def other_process() -> Any:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def hold(folder: Path, pid: int) -> Path:
    write_json(folder / "lease.json", {"host": socket.gethostname(), "pid": pid})
    return folder / "lease.json"


def test_a_lease_of_a_live_process_holds_and_of_a_dead_one_does_not(
    tmp_path: Path, other_process: subprocess.Popen[bytes]
) -> None:
    path = hold(tmp_path, other_process.pid)
    with pytest.raises(LeaseHeldError, match=str(other_process.pid)), Lease(tmp_path):
        pass
    assert path.exists()
    other_process.kill()
    other_process.wait()
    with Lease(tmp_path):
        assert json.loads(path.read_text())["pid"] != other_process.pid
    assert not path.exists()


def test_a_second_driver_waits_for_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_process: subprocess.Popen[bytes]
) -> None:
    key, waits = digest("corpus"), []
    hold(tmp_path / "running" / f"corpus-{key[:16]}", other_process.pid)

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            manifest = manifest_of("corpus", key, files={})
            write_json(artifact_folder(tmp_path, "corpus", key) / "manifest.json", manifest)

    monkeypatch.setattr(worker, "time", SimpleNamespace(time=time.time, sleep=sleep))
    assert worker.run_task({"stage": "corpus", "key": key}, tmp_path) == "found"
    assert len(waits) == 2


@pytest.mark.slow
@pytest.mark.xdist_group("ray in pipelines")
def test_ray_gives_the_same_results_as_inline(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "little.yaml").write_text(LITTLE)
    assert command("sweep", str(tmp_path / "little.yaml"), "--store", str(tmp_path / "store")) == 0
    assert results(tmp_path / "store") == results(finished)


def flip(path: Path) -> None:
    """Turn one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Lose the end of a file."""
    path.write_bytes(path.read_bytes()[:-7])


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("harm", "stage"),
    [
        (flip, "alignment"),
        *(pytest.param(harm, "alignment", marks=SLOW) for harm in (cut, Path.unlink)),
        *(pytest.param(harm, "corpus", marks=SLOW) for harm in (flip, cut, Path.unlink)),
    ],
)
def test_a_damaged_artifact_is_found_told_and_made_again(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Any, stage: str
) -> None:
    store = tmp_path / "store"
    shutil.copytree(finished, store)
    name = next(n for n in manifests(store) if n.startswith(f"{stage}/"))
    harm(next((store / name).glob("*.safetensors")))
    child = next(
        n for n, m in manifests(store).items() if m["stage"] == "tokenizer" and stage in m["parents"]
    )
    shutil.rmtree(store / child)
    assert rgx(tmp_path, store) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"damaged: {name[:-8]}".replace("/", "-") in told or f"made again: {stage}: " in told
    assert results(store) == results(finished)
