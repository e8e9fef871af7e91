"""What makes two stages different, up to the ancestor where the difference began."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from rgx.store.keys import short
from rgx.store.manifests import Manifests

ABSENT = "(absent)"
UNKNOWN = "what it was made of is no longer known"
Causes = dict[str, list[str]]
"""Stage → its own changes, ancestors first; a stage that only follows its parents is not in it."""


@dataclass(frozen=True)
class Identity:
    """All that decides a stage's key, of a planned stage or of an artifact."""

    stage: str
    key: str
    record: Mapping[str, Any]
    version: int
    parents: Mapping[str, str]
    fingerprint: str
    seed: int | None
    row: str

    @cached_property
    def leaves(self) -> dict[str, Any]:
        """The record, flattened once for the many artifacts it is compared with."""
        return flatten(self.record)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Identity:
        """Take the identity out of a manifest or of the fields of a planned stage."""
        return cls(
            content.get("stage", ""), content["key"], content["record"], content.get("version", 0),
            content["parents"], str(content.get("fingerprint", "")), content.get("seed"),
            content.get("row", ""),
        )  # fmt: skip


Lookup = Callable[[str, str], Identity | None]
"""From a stage and its key to its identity, or None where it is not known."""


def stored(manifests: Manifests) -> Lookup:
    """Look identities up among the artifacts of a store."""

    @cache
    def find(stage: str, key: str) -> Identity | None:
        manifest = manifests.get(stage, key)
        return None if manifest is None else Identity.of(manifest)

    return find


def flatten(record: Any, path: str = "") -> dict[str, Any]:
    """Return a record's leaves by dotted path; a list of variants by name: metrics[metric/accuracy].top."""
    if isinstance(record, Mapping) and record:
        leaves: dict[str, Any] = {}
        for name, value in record.items():
            leaves |= flatten(value, f"{path}.{name}" if path else str(name))
        return leaves
    if isinstance(record, list) and record and all(isinstance(v, Mapping) and "variant" in v for v in record):
        names = [str(v["variant"]) for v in record]
        leaves = {path: names}
        for index, (name, value) in enumerate(zip(names, record, strict=True)):
            again = f"#{index + 1}" if names.count(name) > 1 else ""
            leaves |= flatten(value, f"{path}[{name}{again}]")
        return leaves
    return {path: record} if path else {}


def own_changes(new: Identity, old: Identity) -> list[str]:
    """Return what differs in the stages themselves, each as `path: old → new`; parents' keys left aside."""
    changes = list(_changes(old.leaves, new.leaves))
    for parent in sorted(new.parents.keys() ^ old.parents.keys()):
        changes.append(f"parent {parent}: {_short(old, parent)} → {_short(new, parent)}")
    return changes + list(_changes(_rest(old), _rest(new)))


def changed_parents(new: Identity, old: Identity) -> list[str]:
    """Return the parents both have, under other keys."""
    return sorted(p for p in new.parents.keys() & old.parents.keys() if new.parents[p] != old.parents[p])


class Walk:
    """Compares two stages and, where parents differ, their ancestors."""

    def __init__(self, new: Lookup, old: Lookup) -> None:
        self.new, self.old = new, old
        self._known: dict[tuple[str, str], Causes] = {}

    def causes(self, new: Identity, old: Identity) -> Causes:
        """Return every stage up from here whose own things differ; the first is a root cause."""
        if (new.key, old.key) in self._known:
            return self._known[new.key, old.key]
        by_stage: Causes = {}
        for parent in changed_parents(new, old):
            mine = self.new(parent, new.parents[parent])
            theirs = self.old(parent, old.parents[parent])
            if mine is None or theirs is None:
                by_stage.setdefault(parent, [UNKNOWN])
            else:
                by_stage |= self.causes(mine, theirs)
        if own := own_changes(new, old):
            by_stage[new.stage] = own
        self._known[new.key, old.key] = by_stage
        return by_stage

    def nearest(self, new: Identity, manifests: Manifests) -> tuple[Identity, Causes] | None:
        """Return the artifact of the same stage with the fewest differences, ancestors' included."""
        best: tuple[tuple[int, int, str], Identity, Causes] | None = None
        for manifest in manifests.of(new.stage):
            old = self.old(new.stage, manifest["key"])
            if old is None:
                continue
            causes = self.causes(new, old)
            distance = (sum(map(len, causes.values())), len(causes.get(new.stage, ())), old.key)
            if best is None or distance < best[0]:
                best = (distance, old, causes)
        return best and best[1:]


def explain(new: Identity, manifests: Manifests, walk: Walk) -> str:
    """Return in one line why a stage is not in the store: the nearest artifact and what differs."""
    closest = walk.nearest(new, manifests)
    if closest is None:
        return "no artifact of this stage is in the store"
    old, causes = closest
    parents = [f"parent {p}: {_short(old, p)} → {_short(new, p)}" for p in changed_parents(new, old)]
    direct = "; ".join([*own_changes(new, old), *parents]) or "nothing that is recorded differs"
    above = [f"{s}: {c}" for s, own in causes.items() if s != new.stage for c in own if c != UNKNOWN]
    return f"nearest {old.key[:8]}: {direct}" + (f"; because {'; '.join(above)}" if above else "")


def _rest(identity: Identity) -> dict[str, Any]:
    return {
        "version": identity.version,
        "fingerprint": short(identity.fingerprint),
        "seed": identity.seed,
    }


def _short(identity: Identity, parent: str) -> str:
    return identity.parents.get(parent, "(none)")[:8]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if repr(before) != repr(after):
            show = str if str(before) != str(after) else repr
            yield f"{name}: {show(before)} → {show(after)}"
