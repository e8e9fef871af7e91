"""What SIGTERM does to a stage: its state is saved after the step it is in, then it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Protocol

from rgx.errors import StoppedError

GRACE_S = 20.0
"""Clouds and batch systems kill half a minute after they ask; one that cannot save by then ends as it is."""


class Saving(Protocol):
    """What a stage's checkpoints say and are told; used: whether the stage goes on from them."""

    used: bool
    stopping: bool


class Ending:
    """Receives SIGTERM for the stage of this process."""

    def __init__(self) -> None:
        self.saving: Saving | None = None
        self.received = self.late = False
        self.again: threading.Timer | None = None

    def receive(self, number: int, frame: Any) -> None:
        """Have the stage save and end; raises StoppedError where it has no checkpoint, or did not in time.

        Asked again meanwhile it goes on saving: whoever asks a whole group of processes asks some twice.
        """
        saving, self.received = self.saving, True
        if saving is None or not saving.used or self.late:
            raise StoppedError("stopped by SIGTERM")
        if saving.stopping:
            return
        saving.stopping = True
        self.again = threading.Timer(GRACE_S, self._insist)
        self.again.daemon = True
        self.again.start()

    def forget(self) -> None:
        """Receive no more for the stage, which is over."""
        self.saving = None
        if self.again is not None:
            self.again.cancel()

    def _insist(self) -> None:
        self.late = True
        os.kill(os.getpid(), signal.SIGTERM)


ENDING = Ending()
"""Of this process, which runs one stage at a time."""


@contextlib.contextmanager
def saved_when_ended(saving: Saving) -> Iterator[None]:
    """Have SIGTERM save what runs inside; outside the main thread who runs that thread must receive it."""
    ENDING.saving = saving
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, ENDING.receive) if in_main else None
    try:
        yield
    finally:
        ENDING.forget()
        if in_main:
            signal.signal(signal.SIGTERM, before)
