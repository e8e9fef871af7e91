"""A lease keeps two drivers from training the same stage twice."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from rgx.store.artifacts import read_json

HEARTBEAT_S = 5.0
STALE_S = 60.0
LEASE = "lease.json"


class LeaseHeldError(Exception):
    """Another process works on the stage; the message says which."""


class Lease:
    """Holds `lease.json` in a folder for as long as the context lasts; raises LeaseHeldError.

    To wait, enter the same lease again and again: a holder on another machine counts as dead once this one
    has seen its heartbeat stand still for STALE_S of its own monotonic clock, so that no clock is compared
    with another. token: a name by which `release` finds it.
    """

    def __init__(self, folder: Path, token: str = "") -> None:
        self.path, self.token = folder / LEASE, token or uuid.uuid4().hex
        self.over = threading.Event()
        self.seen: tuple[Any, int] | None = None
        self.since = 0.0

    def __enter__(self) -> Lease:
        if not self._claim():
            self._depose()
            if not self._claim():
                raise self._held()
        self.over = threading.Event()
        threading.Thread(target=self._beat, args=(self.over,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        release(self.path.parent, self.token)

    def check(self) -> None:
        """Raise LeaseHeldError where another has taken the lease, which happens to one taken for dead."""
        if not _is(self.path, self.token):
            raise self._held()

    def _held(self) -> LeaseHeldError:
        holder = read_json(self.path) or {}
        return LeaseHeldError(
            f"{self.path.parent.name} is being worked on by process {holder.get('pid')} "
            f"on {holder.get('host')}"
        )

    def _claim(self) -> bool:
        """Put a lease there whole, or return False where one is (or the folder was removed meanwhile)."""
        pid = os.getpid()
        own = {"pid": pid, "started": _started(pid), "token": self.token}
        holder = {"host": socket.gethostname(), "machine": _machine(), **own}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".lease.")
        except FileNotFoundError:
            return False
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(holder, file)
            self.path.hardlink_to(name)
        except (FileExistsError, FileNotFoundError):
            return False
        finally:
            Path(name).unlink(missing_ok=True)
        return True

    def _depose(self) -> None:
        """Take a dead holder's lease away; raises LeaseHeldError where the holder may live."""
        seen = _look(self.path)
        if seen is None:
            return
        lives = _lives(seen[0])
        if lives is None:
            if seen != self.seen:
                self.seen, self.since = seen, time.monotonic()
            lives = time.monotonic() - self.since < STALE_S
        if lives:
            raise self._held()
        aside = self.path.with_name(f".lease.{self.token}")
        with contextlib.suppress(FileNotFoundError):
            self.path.rename(aside)
            if read_json(aside) != seen[0]:
                # Another waiter was faster: what was moved is its new lease.
                with contextlib.suppress(FileExistsError):
                    self.path.hardlink_to(aside)
        aside.unlink(missing_ok=True)

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(HEARTBEAT_S):
            with contextlib.suppress(OSError):
                if _is(self.path, self.token):
                    os.utime(self.path)


def release(folder: Path, token: str) -> None:
    """Remove the lease of this token, where it is there still: of one's own, or of a process known dead."""
    if _is(folder / LEASE, token):
        (folder / LEASE).unlink(missing_ok=True)


def held(folder: Path) -> bool:
    """Return whether a live process seems to hold a folder's lease, at one look.

    On this machine its process tells; of another, all there is to see at once is the heartbeat's age by this
    machine's clock, and only who waits knows better.
    """
    seen = _look(folder / LEASE)
    if seen is None:
        return False
    lives = _lives(seen[0])
    return time.time() - seen[1] / 1e9 < STALE_S if lives is None else lives


def holder_here(folder: Path) -> int | None:
    """Return the number of the process of this machine that holds a folder's lease, or None."""
    seen = _look(folder / LEASE)
    return int(seen[0]["pid"]) if seen is not None and _lives(seen[0]) else None


def _look(path: Path) -> tuple[Any, int] | None:
    """Return what a lease says and its heartbeat, in nanoseconds of its file system's clock, or None."""
    try:
        # Opened first: a network file system asks its server again then, and not for a bare stat.
        with path.open() as file:
            return read_json(path), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _is(path: Path, token: str) -> bool:
    holder = read_json(path)
    return isinstance(holder, dict) and holder.get("token") == token


def _lives(holder: Any) -> bool | None:
    """Return whether a holder lives, or None where this machine cannot know."""
    if not isinstance(holder, dict) or not isinstance(pid := holder.get("pid"), int) or not _machine():
        return None
    if holder.get("host") != socket.gethostname() or holder.get("machine", _machine()) != _machine():
        return None
    started = _started(pid)
    # A number given to another process since was started at another time.
    return started is not None and started == holder.get("started", started)


@cache
def _machine() -> str:
    """Return what tells apart machines, their boots, and containers that number their own processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """Return when a process of this machine began, in ticks since its boot, or None where none runs."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]
