"""Who holds a lease: whatever the clocks say, whoever got the number of a dead process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rgx.store import lease as leases
from rgx.store.artifacts import write_json
from rgx.store.lease import STALE_S, Lease, LeaseHeldError, held, release

HOURS = [-5 * 3600.0, 0.0, 5 * 3600.0]


class Clock:
    """A monotonic clock that the test winds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(leases, "time", made)
    return made


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def leave(folder: Path, skew_s: float = 0.0, **holder: object) -> Path:
    """Leave a lease as another would, its heartbeat told by another clock."""
    path = folder / "lease.json"
    write_json(path, {"host": "elsewhere", "machine": "another", "pid": 1, "token": "theirs", **holder})
    beat(path, skew_s)
    return path


def beat(path: Path, skew_s: float) -> None:
    moment = time.time() + skew_s
    os.utime(path, (moment, moment))


def is_held(lease: Lease) -> bool:
    try:
        with lease:
            return False
    except LeaseHeldError:
        return True


@pytest.mark.parametrize("skew_s", HOURS)
def test_a_heartbeat_that_moves_holds_however_wrong_its_clock_is(
    tmp_path: Path, clock: Clock, skew_s: float
) -> None:
    path, lease = leave(tmp_path, skew_s), Lease(tmp_path)
    for step in range(10):
        beat(path, skew_s + 0.01 * step)
        assert is_held(lease)
        clock.now += 0.9 * STALE_S


@pytest.mark.parametrize("skew_s", HOURS)
def test_a_heartbeat_that_stands_still_is_stale_after_as_long_as_the_waiter_counts(
    tmp_path: Path, clock: Clock, skew_s: float
) -> None:
    leave(tmp_path, skew_s)
    lease = Lease(tmp_path)
    assert is_held(lease)
    clock.now += STALE_S - 1
    assert is_held(lease)
    clock.now += 2
    assert not is_held(lease)
    assert not (tmp_path / "lease.json").exists()


def test_another_holder_is_given_its_own_time(tmp_path: Path, clock: Clock) -> None:
    leave(tmp_path, pid=1)
    lease = Lease(tmp_path)
    assert is_held(lease)
    clock.now += STALE_S - 1
    leave(tmp_path, pid=2)
    assert is_held(lease)
    clock.now += STALE_S - 1
    assert is_held(lease)


def test_a_number_given_to_another_process_does_not_hold(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    here = {"host": socket.gethostname(), "machine": leases._machine(), "pid": other.pid}
    leave(tmp_path, **here, started=leases._started(other.pid))
    assert held(tmp_path) and is_held(Lease(tmp_path))
    leave(tmp_path, **here, started="1")
    assert not held(tmp_path) and not is_held(Lease(tmp_path))


def test_a_dead_process_that_nobody_has_waited_for_does_not_hold(
    tmp_path: Path, other: subprocess.Popen[bytes]
) -> None:
    leave(tmp_path, host=socket.gethostname(), machine=leases._machine(), pid=other.pid)
    other.kill()
    for _ in range(100):
        if not held(tmp_path):
            break
        time.sleep(0.05)
    assert Path(f"/proc/{other.pid}").exists()
    assert not held(tmp_path)


def test_the_same_name_in_another_container_is_another_machine(tmp_path: Path, clock: Clock) -> None:
    leave(tmp_path, host=socket.gethostname(), machine="another", pid=2**22 + 1)
    assert is_held(Lease(tmp_path))


def test_one_process_holds_a_lease_once(tmp_path: Path) -> None:
    with Lease(tmp_path) as lease:
        assert is_held(Lease(tmp_path))
        lease.check()
    assert not is_held(Lease(tmp_path))


def test_who_lost_the_lease_is_told_and_leaves_the_new_one_alone(tmp_path: Path) -> None:
    with Lease(tmp_path, "mine") as lease:
        release(tmp_path, "of somebody else")
        lease.check()
        release(tmp_path, "mine")
        path = leave(tmp_path)
        with pytest.raises(LeaseHeldError, match="elsewhere"):
            lease.check()
    assert json.loads(path.read_text())["token"] == "theirs"


def test_what_a_faster_waiter_put_there_is_put_back(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lease = leave(tmp_path, pid=1), Lease(tmp_path)
    assert is_held(lease)
    clock.now += STALE_S + 1
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        leave(tmp_path, pid=2)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    assert is_held(lease)
    assert json.loads(path.read_text())["pid"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["lease.json"]


def test_of_many_at_once_one_holds(tmp_path: Path) -> None:
    inside, most, lock = [0], [0], threading.Lock()

    def take() -> None:
        for _ in range(30):
            try:
                with Lease(tmp_path):
                    with lock:
                        inside[0] += 1
                        most[0] = max(most[0], inside[0])
                    time.sleep(0.0005)
                    with lock:
                        inside[0] -= 1
            except LeaseHeldError:
                time.sleep(0.0005)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert not list(tmp_path.iterdir())
