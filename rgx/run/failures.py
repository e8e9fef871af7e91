"""Why a stage failed, in one line, and where that is kept."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path

from rgx.errors import DamagedError, DisagreeError, InputError, MemberError, NotFiniteError
from rgx.run.time_limit import TimeLimitError
from rgx.store import failure
from rgx.store.artifacts import running_folder
from rgx.translator import masked, plain

OUT_OF_GPU_MEMORY = "out of GPU memory"
SHORTAGES = {
    "no space left on device": "no space left on device; free some, and the same command goes on",
    "disk quota exceeded": "no space left on device (disk quota exceeded)",
    "cuda out of memory": OUT_OF_GPU_MEMORY,
    "memoryerror": "out of memory",
    "allocate memory": "out of memory",
}
"""What is told of an error that contains a phrase, whichever library raised it."""


def reason_of(error: BaseException) -> str:
    """Return one line that says why a stage failed."""
    if isinstance(
        error, (InputError, NotFiniteError, DamagedError, DisagreeError, MemberError, TimeLimitError)
    ):
        return plain(str(error))
    reason = plain(f"{type(error).__name__}: {error}".strip())
    for phrase, words in SHORTAGES.items():
        if phrase in reason.lower():
            return f"{words}: {reason.splitlines()[0]}"
    return reason


def write_failure(store: Path, stage: str, key: str, error: BaseException) -> Path:
    """Append the traceback to the stage's log, keep the reason beside it, and return the log's path.

    On a full disk neither can be kept; the reason is told all the same.
    """
    folder = running_folder(store, stage, key)
    log = folder / "log.txt"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(masked("".join(traceback.format_exception(error))))
        failure.write_failure(folder, reason_of(error), log=str(log))
    return log
