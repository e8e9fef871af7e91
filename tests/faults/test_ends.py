"""Stages that hang, starve, die or fill the disk: that is told, the rest goes on, no half stands."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from little import LITTLE, ROOT, copy_row, manifests, results, sweep
from nodes import OURS, Run, kill, wait_for

from rgx.run import ray_failures
from rgx.run import time_limit as limits
from rgx.run.failures import reason_of, write_failure
from rgx.run.time_limit import TimeLimitError, time_limit
from rgx.store.artifacts import read_json, write_json

pytestmark = pytest.mark.xdist_group("ray")
PLUGIN = """\
import os, pathlib, signal, time
import torch
from rgx.gesture.generate.base import MaskRatio
from rgx.registry import register

@register("mask_ratio", "hangs_for_a_test")
class Hangs(MaskRatio):
    "Never comes back."

    def __init__(self, ratio: float = 0.75) -> None:
        self.ratio = ratio

    def draw(self, count):
        time.sleep(600)

@register("mask_ratio", "starves_for_a_test")
class Starves(MaskRatio):
    "Wants more memory than there is."

    def __init__(self, ratio: float = 0.75) -> None:
        self.ratio = ratio

    def draw(self, count):
        return torch.empty(10**16)

@register("mask_ratio", "dies_for_a_test")
class Dies(MaskRatio):
    "Is killed at its third step, so many times in all, or hangs there."

    def __init__(self, times: int = 1, hangs: bool = False) -> None:
        self.times, self.hangs, self.calls = times, hangs, 0

    def draw(self, count):
        self.calls += torch.is_grad_enabled()  # not where what is held out is looked at
        folder = pathlib.Path("FOLDER")
        before = len(list(folder.glob(f"death-{self.times}-*")))
        if self.calls == 3 and before < self.times:
            (folder / f"death-{self.times}-{before}").write_text(str(os.getppid()))
            os.kill(os.getpid(), signal.SIGKILL)
        if self.calls == 3 and self.hangs:
            time.sleep(600)
        return torch.full((count,), 0.75)
"""
HANGS = """\
    hangs: {mask_ratio: hangs_for_a_test, bind: {generator/resources.stage.time_limit_s: 4}}
"""
STALLS = """\
    stalls:
      mask_ratio: {dies_for_a_test: {times: 0, hangs: true}}
      bind:
        generator/resources.stage.stall_minutes: 0.2
        generator/resources.stage.end_stalled: true
        generator/training.adamw.checkpoint_every: 1
"""
STARVES = """\
    starves: {mask_ratio: starves_for_a_test}
"""
DEATHS = """\
    once: {mask_ratio: {dies_for_a_test: {times: 1}}}
    always: {mask_ratio: {dies_for_a_test: {times: 99}}}
"""


def start(finished: Path, folder: Path, rows: str, *options: str) -> Run:
    """Sweep more rows over a finished store."""
    shutil.copytree(finished, folder / "store")
    (folder / "little.yaml").write_text(LITTLE + rows)
    (folder / "ends_for_a_test.py").write_text(PLUGIN.replace("FOLDER", str(folder)))
    return Run(folder / "little.yaml", folder / "store", "--import", "ends_for_a_test.py", *options)


@pytest.mark.slow
def test_a_stage_that_hangs_or_starves_fails_with_its_reason(finished: Path, tmp_path: Path) -> None:
    run = start(finished, tmp_path, HANGS + STARVES, "--engine", "inline")
    assert run.wait() == 1, run.text
    assert "ran past its time limit of 4 s; its last step is not known" in run.text
    assert "failed: generator-" in run.text and "out of memory: RuntimeError: " in run.text
    assert "2 failed" in run.text
    reasons = [read_json(path)["reason"] for path in (tmp_path / "store" / "running").glob("*/failure.json")]
    assert len(reasons) == 2
    assert results(tmp_path / "store") == results(finished)


@pytest.fixture(scope="module")
def on_ray(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """One sweep on Ray with all that can go wrong there: its folder and what it said."""
    folder = tmp_path_factory.mktemp("on_ray")
    run = start(finished, folder, HANGS + DEATHS + STALLS)
    assert run.wait(600) == 1, run.text
    return folder, run.text


@pytest.mark.slow
def test_a_worker_that_dies_is_tried_again_and_one_that_always_does_has_failed(
    on_ray: tuple[Path, str],
) -> None:
    folder, text = on_ray
    assert "ran past its time limit of 4 s" in text
    assert f"from its last checkpoint on, try 2 of {ray_failures.MOST}" in text
    assert "failed: generator-" in text and "3 failed" in text
    assert f"died {ray_failures.MOST} times, last killed without a word; probably out of memory" in text
    assert len(list(folder.glob("death-99-*"))) == ray_failures.MOST
    assert len(list(folder.glob("death-1-*"))) == 1
    assert len({path.read_text() for path in folder.glob("death-*")}) == 1, "one fork server for all"
    made = [m for m in manifests(folder / "store").values() if m["row"] == "3b/once"]
    assert sorted(m["stage"] for m in made) == ["generator", "motion", "motion_scores"]
    assert "Traceback" not in text


STALLED = "made no progress for 0.2 min and was ended as bound; its last step was "


@pytest.mark.slow
def test_a_stage_that_no_longer_moves_is_ended_where_that_is_bound(finished: Path, tmp_path: Path) -> None:
    run = start(finished, tmp_path, STALLS, "--engine", "inline", "--only", "3b/stalls")
    assert run.wait() == 1, run.text
    assert f": {STALLED}" in run.text and "1 failed" in run.text and "Traceback" not in run.text
    (folder,) = (tmp_path / "store" / "running").glob("generator-*")
    assert read_json(folder / "failure.json")["reason"].startswith(STALLED)
    assert (folder / "checkpoint.safetensors").is_file()


@pytest.mark.slow
def test_a_stage_that_no_longer_moves_is_ended_on_ray_too(on_ray: tuple[Path, str]) -> None:
    folder, text = on_ray
    assert f": {STALLED}" in text
    reasons = {path.parent: read_json(path) for path in (folder / "store/running").glob("*/failure.json")}
    (stalled,) = (path for path, told in reasons.items() if told["reason"].startswith(STALLED))
    assert (stalled / "checkpoint.safetensors").is_file()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if mount.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mount.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def resize(place: Path, size: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", str(place)], check=True)


@pytest.mark.slow
def test_a_full_disk_is_told_and_the_same_command_goes_on(
    finished: Path, tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> tuple[int, str]:
        code = sweep(tmp_path, small_disk / "store", "--no-report")
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    whole = sum(path.stat().st_size for path in finished.rglob("*") if path.is_file())
    resize(small_disk, whole // 2)
    code, text = run()
    assert code == 1, text
    assert "no space left on device" in text and "Traceback" not in text
    before = results(small_disk / "store")
    assert all(results(finished)[name] == facts for name, facts in before.items())
    with (small_disk / "filler").open("wb", buffering=0) as file:
        while room := shutil.disk_usage(small_disk).free:
            file.write(b"0" * min(room, 2**16))
    code, text = run()
    assert code in (1, 2), text
    assert "no space left on device" in text and "Traceback" not in text
    (small_disk / "filler").unlink()
    resize(small_disk, 4 * whole)
    code, text = run()
    assert code == 0, text
    assert results(small_disk / "store") == results(finished)


@pytest.mark.slow
def test_two_drivers_on_one_store_make_each_stage_once(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "little.yaml").write_text(LITTLE)
    store = copy_row(finished, tmp_path / "store", "baseline", "generator", "motion", "motion_scores")
    runs = [Run(tmp_path / "little.yaml", store, "--engine", engine) for engine in ("inline", "ray")]
    assert [run.wait() for run in runs] == [0, 0], [run.text for run in runs]
    assert results(store) == results(finished)
    for name in manifests(store):
        log = (store / name / "log.txt").read_text().splitlines()
        assert sum(line[20:26] == "start " for line in log) == 1, log
    assert not list((store / "running").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["inline", "ray"])
def test_ctrl_c_in_a_terminal_stops_soon_and_the_same_command_goes_on(
    finished: Path, tmp_path: Path, engine: str
) -> None:
    """In a training that has a checkpoint; the cursor is shown afterwards."""
    (tmp_path / "little.yaml").write_text(LITTLE)
    own = ("judge", "tokenizer", "generator", "residual", "motion", "motion_scores")
    store = copy_row(finished, tmp_path / "store", "+distill", *own)
    ours, theirs = pty.openpty()
    options = ["--engine", engine, "--only", "3b/+distill", "--no-report", "--store", str(store)]
    options += ["--bind", "judge/training.adamw.steps = 100000"]
    run = subprocess.Popen(
        [sys.executable, "-m", "rgx", "sweep", str(tmp_path / "little.yaml"), *options],
        cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, **OURS, "TERM": "xterm"},
        # A shell that runs things in the background has them ignore Ctrl-C; a user's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    os.close(theirs)
    shown: list[bytes] = []

    def read() -> None:
        while chunk := _read(ours):
            shown.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        wait_for(
            lambda: run.poll() is not None or list((store / "running").glob("judge-*/checkpoint.safetensors"))
        )
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        code = run.wait(60)
        took = time.monotonic() - began
    finally:
        kill(run.pid)
    reader.join(10)
    text = b"".join(shown)
    assert code == 130, text.decode()
    assert text.rfind(b"\x1b[?25h") > text.rfind(b"\x1b[?25l") > -1
    assert "the same command goes on" in " ".join(text.decode().split())
    assert b"Traceback" not in text
    print(f"\n{engine}: stopped {took:.1f} s after Ctrl-C")
    assert took < 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    before = results(store)
    assert before and all(facts == results(finished)[name] for name, facts in before.items())


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def test_a_limit_interrupts_the_main_thread_and_is_lifted(tmp_path: Path) -> None:
    write_json(tmp_path / "progress.json", {"done": 40, "total": 100, "values": {}})
    began = time.monotonic()
    told = r"ran past its time limit of 0\.2 s; its last step was 40 of 100"
    with pytest.raises(TimeLimitError, match=told), time_limit(0.2, tmp_path):
        time.sleep(20)
    assert time.monotonic() - began < 5
    with time_limit(0.1, tmp_path), time_limit(None, tmp_path):
        pass
    time.sleep(0.2)


def test_a_stage_that_moves_is_not_ended_and_one_that_stands_still_is(tmp_path: Path) -> None:
    def move(done: int) -> None:
        write_json(tmp_path / "progress.json", {"done": done, "total": 9, "values": {}})

    began = time.monotonic()
    with time_limit(None, tmp_path, 0.6):
        for done in range(4):
            move(done)
            time.sleep(0.4)
    assert time.monotonic() - began >= 1.6
    reason = r"made no progress for 0\.01 min and was ended as bound; its last step was 3 of 9"
    with pytest.raises(TimeLimitError, match=reason), time_limit(600, tmp_path, 0.6):
        time.sleep(20)


def test_a_limit_lets_an_import_come_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_for_a_test.py").write_text("import time\ntime.sleep(0.6)\nwhole = True\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(TimeLimitError), time_limit(0.1, tmp_path):
        import slow_for_a_test

        time.sleep(20)
    assert slow_for_a_test.whole


def test_a_limit_in_another_thread_leaves_its_reason_and_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, codes = threading.Event(), []

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr(limits.os, "_exit", end)

    def work() -> None:
        with time_limit(0.1, tmp_path):
            ended.wait(10)
        with time_limit(0.1, tmp_path):
            pass

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(20)
    time.sleep(0.3)
    assert codes == [1]
    assert read_json(tmp_path / "failure.json")["reason"].startswith("ran past its time limit of 0.1 s")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "out of memory: MemoryError"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            "out of memory",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore"), "out of GPU memory"),
        (OSError(28, "No space left on device", "x.safetensors"), "no space left on device"),
        (OSError(122, "Disk quota exceeded"), "no space left on device"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_reasons_are_plain(error: Exception, told: str) -> None:
    assert reason_of(error).startswith(told)
    assert "\n" not in reason_of(error)


def test_an_array_that_does_not_fit_and_a_full_file_are_told() -> None:
    with pytest.raises(MemoryError) as hungry:
        np.empty(2**58)
    assert reason_of(hungry.value).startswith("out of memory: ")
    with pytest.raises(OSError) as full, Path("/dev/full").open("w") as file:
        file.write("x" * 10**6)
    assert reason_of(full.value).startswith("no space left on device")


def test_a_failure_that_cannot_be_kept_is_no_second_failure(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("no folder can be made here")
    log = write_failure(tmp_path, "judge", "k" * 64, RuntimeError("why"))
    assert log.name == "log.txt" and not log.exists()


@pytest.mark.parametrize(
    ("told", "how"),
    [
        ("The actor died because its node has died. Node Id: 1", "its machine died or left the cluster"),
        ("Task was killed due to the node running low on memory.", "out of memory: Ray ended it"),
        ("Worker unexpectedly exits with a connection error code 2.", "killed without a word"),
    ],
)
def test_what_ray_says_of_a_death_is_told_shortly(tmp_path: Path, told: str, how: str) -> None:
    class Trial:
        error_file = str(tmp_path / "error.txt")

    Path(Trial.error_file).write_text(told)
    assert ray_failures.how_it_died(Trial()).startswith(how)
    assert ray_failures.how_it_died(None) == ray_failures.UNTOLD


@pytest.mark.parametrize(("name", "how"), [("SIGKILL", ray_failures.UNTOLD), ("SIGTERM", "ended by SIGTERM")])
def test_what_a_fork_server_says_of_a_death_is_told_shortly(name: str, how: str) -> None:
    assert ray_failures.how_it_died(None, f"its process ended by {name}") == how
