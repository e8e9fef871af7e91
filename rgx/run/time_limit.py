"""A stage that runs past its time limit is ended, and one that no longer moves where that is bound."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from rgx.store.artifacts import read_json
from rgx.store.failure import write_failure

AGAIN_S = 0.2
LOOKS = 4
"""How often a stage is looked at in the time that it may stand still."""


class TimeLimitError(Exception):
    """A stage ran past the time it was given, or stood still for too long."""


class Limits:
    """The time that a stage has in all, and for a step it reports, in s; None is without end."""

    def __init__(self, folder: Path, whole_s: float | None, still_s: float | None) -> None:
        self.folder, self.whole_s, self.still_s = folder, whole_s, still_s
        self.began = self.moved = time.monotonic()
        self.place = self._progress()

    def look(self) -> tuple[str, float]:
        """Return why the stage is to be ended now, or nothing, and in how many seconds to look again."""
        now, place = time.monotonic(), self._progress()
        if place != self.place:
            self.place, self.moved = place, now
        last = f"its last step {'was {} of {}'.format(*place) if place else 'is not known'}"
        left = []
        if self.whole_s is not None:
            if now - self.began >= self.whole_s:
                return f"ran past its time limit of {self.whole_s:g} s; {last}", 0.0
            left.append(self.began + self.whole_s - now)
        if self.still_s is not None:
            if now - self.moved >= self.still_s:
                return f"made no progress for {self.still_s / 60:g} min and was ended as bound; {last}", 0.0
            left.append(min(self.moved + self.still_s - now, self.still_s / LOOKS))
        return "", max(min(left), 0.001)

    def _progress(self) -> tuple[Any, Any] | None:
        progress = read_json(self.folder / "progress.json")
        return (progress.get("done"), progress.get("total")) if progress else None


def time_limit(
    seconds: float | None, folder: Path, still_s: float | None = None
) -> contextlib.AbstractContextManager[None]:
    """Return a context that ends what runs inside after so many seconds, or so many without progress.

    In the main thread a signal interrupts the work, and TimeLimitError is raised; a library's call that never
    comes back is not reached by it. In another thread, where Ray has a stage run, no signal is either: the
    reason is left in the folder's failure record, and the process ends.
    """
    if seconds is None and still_s is None:
        return contextlib.nullcontext()
    in_main = threading.current_thread() is threading.main_thread()
    return (_interrupted if in_main else _ended)(Limits(folder, seconds, still_s))


@contextlib.contextmanager
def _interrupted(limits: Limits) -> Iterator[None]:
    def look(number: int, frame: Any) -> None:
        # A module half imported would break whatever stage comes next in this process.
        reason, again = ("", AGAIN_S) if _imports(frame) else limits.look()
        if reason:
            raise TimeLimitError(reason)
        signal.setitimer(signal.ITIMER_REAL, again)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, limits.look()[1])
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _ended(limits: Limits) -> Iterator[None]:
    over = threading.Event()

    def watch() -> None:
        reason, again = limits.look()
        while not reason:
            if over.wait(again):
                return
            reason, again = limits.look()
        with contextlib.suppress(OSError):
            write_failure(limits.folder, reason)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False
