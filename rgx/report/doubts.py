"""What a number is doubted for: code that has changed since it was made, and what came from outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rgx.store.drift import Changes, told

DRIFTED, IMPORTED = "§", "¶"


@dataclass(frozen=True)
class Doubt:
    """What is doubtful in what a number rests on.

    drift: what has changed since in the code of each stage that other code made; bundles: the files that its
    artifacts or its row were taken in from.
    """

    drift: Mapping[str, Changes] = field(default_factory=dict)
    bundles: frozenset[str] = frozenset()

    @property
    def marks(self) -> str:
        """Return the marks that stand after the number."""
        return DRIFTED * bool(self.drift) + IMPORTED * bool(self.bundles)

    @property
    def changed(self) -> str:
        """Return each stage that other code made, with the modules that changed since."""
        return "; ".join(f"{stage} ({told([changes])})" for stage, changes in sorted(self.drift.items()))


NO_DOUBT = Doubt()


def merged(doubts: Iterable[Doubt]) -> Doubt:
    """Return all that is doubtful in several numbers."""
    drift: dict[str, dict[str, str]] = {}
    bundles: set[str] = set()
    for doubt in doubts:
        bundles |= doubt.bundles
        for stage, changes in doubt.drift.items():
            drift.setdefault(stage, {}).update(changes)
    return Doubt(drift, frozenset(bundles))


def doubt_notes(doubt: Doubt) -> list[str]:
    """Return what stands under a table of what its marks say."""
    notes = []
    if doubt.drift:
        notes.append(f"{DRIFTED} rests on code that has changed since it was made: {doubt.changed}.")
    if doubt.bundles:
        files = ", ".join(sorted(doubt.bundles))
        notes.append(f"{IMPORTED} was imported from outside, where it may have been edited: {files}.")
    return notes
