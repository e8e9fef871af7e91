"""What files were found to hold, asked for once for as long as the files stay the same.

What is remembered is plain JSON data, so that the store can hand it from one process to the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

SETTLED_S = 2.0
"""A file that changed less long ago may change again without a new time: that is not handed on."""

Stamp = tuple[int, ...]
_known: dict[str, Any] = {}
_lasting: dict[str, Any] = {}


def stamp(files: Iterable[Path]) -> Stamp:
    """Return what changes when one of these files does; nothing where one cannot be looked at."""
    try:
        stats = [file.stat() for file in files]
    except OSError:
        return ()
    return tuple(n for s in stats for n in (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns))


def remember(question: str, files: Iterable[Path], answer: Callable[[], Any]) -> Any:
    """Return what `answer` finds in these files, called once for as long as their stamp is the same.

    question: what is asked of which files, in words that no other question has; answer: returns plain JSON
    data. What it raises is not remembered, nor anything of files that cannot be looked at.
    """
    seen = list(stamp(files))
    known = _known.get(question)
    if seen and isinstance(known, Mapping) and known.get("stamp") == seen and "answer" in known:
        return known["answer"]
    now, value = time.time_ns(), answer()
    if seen:
        _known[question] = {"stamp": seen, "answer": value}
        if max(seen[3::5]) < now - SETTLED_S * 1e9:
            _lasting[question] = _known[question]
    return value


def lasting() -> Mapping[str, Any]:
    """Return what this process found out that another may rely on."""
    return dict(_lasting)


def take_over(known: Mapping[str, Any]) -> None:
    """Begin with what another process found out; what this one knows already stays."""
    for question, answered in known.items():
        _known.setdefault(question, answered)
