"""How what a sweep needs is run: a graph of stages, and the engines that work it off."""

from __future__ import annotations

import os

# Ray reads this when it is imported: what became of a stage whose worker died, rgx tells itself.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "died or was killed|been marked dead|killed due to")
