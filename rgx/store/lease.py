"""A lease keeps two drivers from training the same stage twice."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType

from rgx.store.artifacts import read_json

HEARTBEAT_S = 5.0
STALE_S = 60.0


class LeaseHeldError(Exception):
    """Another process works on the stage; the message says which."""


class Lease:
    """Holds `lease.json` in a folder for as long as the context lasts; raises LeaseHeldError."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "lease.json"
        self.over = threading.Event()

    def __enter__(self) -> Lease:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            holder = read_json(self.path) or {}
            if self._alive(holder):
                raise LeaseHeldError(
                    f"{self.path.parent.name} is being worked on by process {holder.get('pid')} "
                    f"on {holder.get('host')}"
                ) from None
            self.path.unlink(missing_ok=True)
            return self.__enter__()
        with os.fdopen(handle, "w") as file:
            file.write(f'{{"host": "{socket.gethostname()}", "pid": {os.getpid()}}}')
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self.path.unlink(missing_ok=True)

    def _beat(self) -> None:
        while not self.over.wait(HEARTBEAT_S):
            if self.path.exists():
                os.utime(self.path)

    def _alive(self, holder: dict[str, object]) -> bool:
        if holder.get("host") == socket.gethostname() and isinstance(pid := holder.get("pid"), int):
            return pid != os.getpid() and Path(f"/proc/{pid}").exists() if Path("/proc").exists() else True
        try:
            return time.time() - self.path.stat().st_mtime < STALE_S
        except FileNotFoundError:
            return False
