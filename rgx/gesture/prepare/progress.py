"""How far a task is, written to a file now and then for the one who waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rgx.store.artifacts import write_json

EVERY_S = 0.5


def reporter(path: Path, total: int) -> Callable[[int], None]:
    """Return what writes how many of `total` frames are done."""
    last = 0.0

    def report(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > EVERY_S:
            last = time.monotonic()
            write_json(path, {"done": done, "total": total})

    return report
