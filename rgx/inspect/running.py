"""The stages that run, or ran and were left: leases, progress, logs and failures; reads files only."""

from __future__ import annotations

import time
from pathlib import Path

from rgx.store.artifacts import read_object
from rgx.store.failure import failure_reason
from rgx.store.lease import LEASE, held
from rgx.store.records import Running

STAMP = "%Y-%m-%d %H:%M:%S"


def read_running(store: Path) -> list[Running]:
    """Return every stage folder under `running/`."""
    folders = sorted((store / "running").iterdir()) if (store / "running").is_dir() else []
    return [_read(f) for f in folders if f.is_dir() and not f.is_symlink() and "-" in f.name]


def _read(folder: Path) -> Running:
    stage, _, key = folder.name.rpartition("-")
    lease = read_object(folder / LEASE) or {}
    progress = read_object(folder / "progress.json") or {}
    done, total = _count(progress.get("done")), _count(progress.get("total"))
    starts = _starts(folder / "log.txt")
    age = time.time() - starts[-1] if starts else None
    pid = lease.get("pid")
    since = _age(folder / "progress.json")
    spent = age - since if age is not None and since is not None else None
    eta = spent / done * (total - done) if spent is not None and spent > 0 and done else None
    return Running(
        folder, stage, key, str(lease.get("host", "")), pid if isinstance(pid, int) else None, held(folder),
        age, _age(folder / LEASE), done, total, eta, len(starts) > 1, failure_reason(folder),
    )  # fmt: skip


def _age(path: Path) -> float | None:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except OSError:
        return None


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _starts(log: Path) -> list[float]:
    """Return when a stage was started, in seconds since the epoch; more than once where it was resumed."""
    times = []
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        if line[20:26] == "start ":
            try:
                times.append(time.mktime(time.strptime(line[:19], STAMP)))
            except ValueError:
                continue
    return times
