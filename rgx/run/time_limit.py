"""A stage that runs past its time limit is ended."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from rgx.store.artifacts import read_json
from rgx.store.failure import write_failure

AGAIN_S = 0.2


class TimeLimitError(Exception):
    """A stage ran past the time it was given."""


def time_limit(seconds: float | None, folder: Path) -> contextlib.AbstractContextManager[None]:
    """Return a context that ends what runs inside after so many seconds; None never does.

    In the main thread a signal interrupts the work, and TimeLimitError is raised; a library's call that never
    comes back is not reached by it. In another thread, where Ray has a stage run, no signal is either: the
    reason is left in the folder's failure record, and the process ends.
    """
    if seconds is None:
        return contextlib.nullcontext()
    in_main = threading.current_thread() is threading.main_thread()
    return (_interrupted if in_main else _ended)(seconds, folder)


@contextlib.contextmanager
def _interrupted(seconds: float, folder: Path) -> Iterator[None]:
    def late(number: int, frame: Any) -> None:
        # A module half imported would break whatever stage comes next in this process.
        if _imports(frame):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
            return
        raise TimeLimitError(_told(seconds, folder))

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _ended(seconds: float, folder: Path) -> Iterator[None]:
    def late() -> None:
        with contextlib.suppress(OSError):
            write_failure(folder, _told(seconds, folder))
        os._exit(1)

    timer = threading.Timer(seconds, late)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _told(seconds: float, folder: Path) -> str:
    progress = read_json(folder / "progress.json") or {}
    last = "was {done} of {total}".format(**progress) if progress else "is not known"
    return f"ran past its time limit of {seconds:g} s; its last step {last}"
