"""What Ray tells of a worker that ended without a word of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

MOST = 3
"""A stage whose worker died so many times in one sweep has failed."""
MOST_UNSTARTED = 10
"""So often may the worker of a stage be dead before the stage began."""

GONE = ("node has died", "node died")
"""Phrases of Ray where nothing is left of a worker, nor of what it started."""
KINDS = {
    "running low on memory": "out of memory: Ray ended it before its machine ran out",
    "OUT_OF_MEMORY": "out of memory: Ray ended it before its machine ran out",
    **dict.fromkeys(GONE, "its machine died or left the cluster"),
}
ENDED = re.compile(r"its process ended by (SIG\w+|itself)")
"""What a fork server says of a stage, which is over then."""
UNTOLD = "killed without a word"


def verdict(count: int, how: str) -> str:
    """Return the reason of a stage that is given up."""
    guess = "; probably out of memory" if how == UNTOLD else ""
    return f"died {count} times, last {how}{guess}"


def may_save(trial: Any) -> bool:
    """Return whether the stage of a dead worker may still be saving its state, and its lease is not ours."""
    text = _error(trial)
    return bool(text) and not ENDED.search(text) and not any(phrase in text for phrase in GONE)


def how_it_died(trial: Any, said: str = "") -> str:
    """Return what a fork server said of a death, or else Tune's error file of a trial, in a few words."""
    text = said or _error(trial)
    ended = ENDED.search(text)
    if ended and ended[1] != "SIGKILL":
        return f"ended by {ended[1]}"
    return next((words for phrase, words in KINDS.items() if phrase in text), UNTOLD)


def _error(trial: Any) -> str:
    try:
        return Path(trial.error_file).read_text(errors="replace")
    except (OSError, TypeError, AttributeError):
        return ""
