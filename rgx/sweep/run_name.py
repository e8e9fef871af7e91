"""The name a run stands under: that of its sweep, and what the command line put over it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from rgx.translator import masked

UNSAFE = re.compile(r"[^A-Za-z0-9_.,=+-]+")
LONGEST = 100
"""The most letters of overrides in a name, so that every file system takes it."""


def run_name(sweep: str, overrides: Iterable[str]) -> str:
    """Return the sweep's name, or `sweep@axis=variant,binding=value` for a run that overrides something.

    What is too long, or holds what a file name should not, is shortened, and ends in a digest of the whole.
    """
    whole = ",".join(sorted(re.sub(r"\s*=\s*", "=", masked(text).strip(), count=1) for text in overrides))
    if not whole:
        return sweep
    plain = UNSAFE.sub("_", whole)
    if plain != whole or len(plain) > LONGEST:
        digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
        plain = f"{plain[: LONGEST - 9].rstrip('_')}-{digest}"
    return f"{sweep}@{plain}"


def sweep_of(run: str) -> str:
    """Return the name of the sweep that a run is of."""
    return run.partition("@")[0]
