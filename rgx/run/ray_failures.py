"""What Ray tells of a worker that ended without a word of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

MOST = 3
"""A stage whose worker died so many times in one sweep has failed."""
MOST_UNSTARTED = 10
"""So often may the worker of a stage be dead before the stage began."""

KINDS = {
    "running low on memory": "out of memory: Ray ended it before its machine ran out",
    "OUT_OF_MEMORY": "out of memory: Ray ended it before its machine ran out",
    "node has died": "its machine died or left the cluster",
    "node died": "its machine died or left the cluster",
}
UNTOLD = "killed without a word"


def verdict(count: int, how: str) -> str:
    """Return the reason of a stage that is given up."""
    guess = "; probably out of memory" if how == UNTOLD else ""
    return f"died {count} times, last {how}{guess}"


def how_it_died(trial: Any) -> str:
    """Return what Tune's error file of a trial says, in a few words."""
    try:
        text = Path(trial.error_file).read_text(errors="replace")
    except (OSError, TypeError, AttributeError):
        return UNTOLD
    ended = re.search(r"its process ended by (SIG(?!KILL)\w+|itself)", text)
    if ended:
        return f"ended by {ended[1]}"
    return next((words for phrase, words in KINDS.items() if phrase in text), UNTOLD)
