"""What the page can ask for: that a running stage ends, and that one is made anew."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from rgx.errors import InputError
from rgx.inspect.forget import forget
from rgx.store.artifacts import running_folder
from rgx.store.failure import write_failure
from rgx.store.lease import holder_here
from rgx.store.manifests import Manifests

CANCELLED = "cancelled from the page of the store; the next sweep goes on from its checkpoint, if any"
LOG = "live.log"
"""Where in a store what the page has started says how it went."""


def cancel(store: Path, stage: str, key: str) -> str:
    """Ask a stage that runs on this machine to end, as SIGTERM does: it saves its state first.

    Why is kept beforehand, so that a sweep does not take it for a lost worker and begin it again. Raises
    InputError for one that does not run, or runs on another machine.
    """
    folder = running_folder(store, stage, key)
    pid = holder_here(folder)
    if pid is None:
        raise InputError(f"{stage} {key} does not run on this machine")
    try:
        # The number may be another process's by now; a file descriptor stays of the one that was looked at.
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        raise InputError(f"{stage} {key} has ended meanwhile") from None
    try:
        if holder_here(folder) != pid:
            raise InputError(f"{stage} {key} has ended meanwhile")
        write_failure(folder, CANCELLED)
        signal.pidfd_send_signal(process, signal.SIGTERM)
    finally:
        os.close(process)
    return f"{stage} {key}: asked to save its state and end"


def rerun(store: Path, stage: str, key: str, sweep: Path | None, row: str) -> str:
    """Make an artifact anew: what is there of it, and what rests on it, goes to the trash first.

    sweep: the file it is of, of which a process of its own then runs one row (panel/row), stage by stage;
    without it the next sweep makes what is missing. Raises InputError for what runs, and as `forget` does.
    """
    if holder_here(running_folder(store, stage, key)) is not None:
        raise InputError(f"{stage} {key} runs: cancel it first")
    lines = forget(f"{stage}/{key}", store)[:1] if Manifests(store).has(stage, key) else []
    if sweep is None:
        return "; ".join([*lines, "the next `rgx sweep` of its file makes it"])
    where = ["--engine", "inline", "--no-report", "--store", str(store)]
    asked = ["sweep", str(sweep), "--only", row, *where]
    with (store / LOG).open("a") as log:
        log.write(f"$ {shlex.join(['rgx', *asked])}\n")
        log.flush()
        subprocess.Popen(
            [sys.executable, "-m", "rgx", *asked],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    return "; ".join([*lines, f"{row} begins; what it says is in {LOG} of the store"])
