"""Whether the code behind an artifact is still the code that stands here; imports none of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rgx.store.differences import flatten
from rgx.store.manifests import Manifests, part
from rgx.store.records import Manifest, Run
from rgx.store.source import Sources

Changes = Mapping[str, str]
"""Module → what became of it since an artifact was made: 'changed', 'added', 'gone' or 'out of use'."""
Artifact = tuple[str, str]
"""A stage and a key."""
MOST = 4
"""Modules that a line names before it counts the rest."""


@dataclass(frozen=True)
class Code:
    """The code as it stands: the modules behind each variant, those of its bases too, and their source."""

    variants: Mapping[str, Sequence[str]]
    sources: Sources = field(default_factory=Sources)

    def behind(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Return module → digest of a stage, its variants and all of ours that they import.

        record: a stage's resolved parameters; raises KeyError for a variant that is not known.
        """
        return self.sources.digests(m for name in variants_in(record) for m in self.variants[name])

    def changes(self, manifest: Manifest) -> dict[str, str]:
        """Return what became of the modules an artifact was made by; nothing where it does not name them.

        A module that it does not name and that no changed one imports is no change: nobody looked there then.
        """
        before = part(manifest, "code", "modules")
        names = variants_in(manifest["record"])
        own = {module for name in names for module in self.variants.get(name, ())}
        unknown = [name for name in names if name not in self.variants]
        now = self.sources.digests([*own, *(before if unknown else ())])
        here = [module for module in before if self.sources.root(module) or module in self.sources.texts]
        changes = {m: self._became(m, now) for m in here if before[m] != now.get(m)}
        changes |= dict.fromkeys(own & now.keys() - before.keys() if before else (), "added")
        if changes:
            changes |= dict.fromkeys(now.keys() - before.keys(), "added")
        return dict(sorted(changes.items()))

    def _became(self, module: str, now: Mapping[str, str]) -> str:
        if module in now:
            return "changed"
        return "out of use" if module in self.sources.texts or self.sources.file(module) else "gone"


def variants_in(record: Mapping[str, Any]) -> list[str]:
    """Return every variant that a stage's record names, each once."""
    leaves = flatten(record).items()
    return sorted({str(value) for path, value in leaves if path.rpartition(".")[2] == "variant"})


def code_of(run: Run) -> Code:
    """Return the code as it stands where a run found its variants."""
    return Code(
        run.variants, Sources(roots={top: Path(p) for top, p in run.places.items() if Path(p).is_dir()})
    )


def drifted(code: Code, manifests: Manifests, artifacts: Iterable[Artifact]) -> dict[Artifact, Changes]:
    """Return the artifacts in a store that other code made, with what has changed since."""
    changes = {(s, k): code.changes(m) for s, k in artifacts if (m := manifests.get(s, k)) is not None}
    return {artifact: own for artifact, own in changes.items() if own}


def account(drift: Mapping[Artifact, Changes]) -> list[str]:
    """Return a line for each kind of stage: how many artifacts other code made, and what changed since."""
    kinds: dict[str, list[Changes]] = {}
    for (stage, _), changes in drift.items():
        kinds.setdefault(stage, []).append(changes)
    return [
        f"{stage}: {len(own)} made by other code; changed since: {told(own)}" for stage, own in kinds.items()
    ]


def told(changes: Iterable[Changes], most: int | None = MOST) -> str:
    """Return the modules that changed, with what became of each that did not simply change.

    most: how many to name before the rest is counted, or None for all.
    """
    words = {module: word for own in changes for module, word in own.items()}
    names = [name if word == "changed" else f"{name} ({word})" for name, word in sorted(words.items())]
    shown = names[:most]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
