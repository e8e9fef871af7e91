"""What stages of a store took, by which those that are planned like them are packed; never part of a key."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from rgx.run.gpu_memory import is_of_kinds, share_of
from rgx.store.differences import Identity, Lookup, stored
from rgx.store.drift import variants_in
from rgx.store.keys import key_of
from rgx.store.manifests import Manifests, manifest, number
from rgx.sweep.plan import Task

Label = tuple[str, ...]
Lineage = Callable[[str, str], str | None]


class Precedents:
    """The seconds and the GPU memory of the artifacts of a store; planned: the stages of a sweep, by key."""

    def __init__(self, store: Path, planned: Mapping[str, Task]) -> None:
        self.store, self.planned = store, planned
        self.manifests = Manifests(store)
        self._seen: set[str] = set()
        self._seconds: dict[Label, list[float]] = defaultdict(list)
        self._medians: dict[Label, float] = {}
        self._shares: dict[str, dict[str, float]] = defaultdict(dict)
        self._labels = cache(_labels)
        self._stored, self._planned = _lineages(stored(self.manifests)), _lineages(self._identity)

    def seconds(self, task: Task) -> float | None:
        """Return the median of what stages took that are most like a planned one, or None without any.

        Most like it are those of the same parameters, then of the same variants, then all of its name.
        """
        self._look_at(task.stage)
        for label in self._labels(task.stage, _text(task.record)):
            if label in self._seconds:
                if label not in self._medians:
                    self._medians[label] = median(self._seconds[label])
                return self._medians[label]
        return None

    def gpu_share(self, task: Task, kinds: Collection[str] = ()) -> float:
        """Return the share of a GPU that a stage needs, or 1 where nobody measured it.

        It was measured where the same stage of the same ancestors ran, whatever their seeds, on a card of the
        kinds that the machines have, if these are told.
        """
        self._look_at(task.stage)
        lineage = self._planned(task.stage, task.key)
        shares = self._shares.get(lineage, {}) if lineage else {}
        return max((share for gpu, share in shares.items() if is_of_kinds(gpu, kinds)), default=1.0)

    def learn(self, task: Task) -> None:
        """Take into account what a stage took that has just ended."""
        content = manifest(self.store, task.stage, task.key)
        if content is not None and task.stage in self._seen:
            self._take(content, self._planned)

    def _look_at(self, stage: str) -> None:
        if stage not in self._seen:
            self._seen.add(stage)
            for content in self.manifests.of(stage):
                self._take(content, self._stored)

    def _take(self, content: Mapping[str, Any], lineage_of: Lineage) -> None:
        seconds, segments = number(content.get("seconds")), content.get("segments")
        # Of a stage that went on from a checkpoint the seconds are those of its last piece.
        if seconds is not None and not (isinstance(segments, list) and len(segments) > 1):
            for label in self._labels(content["stage"], _text(content["record"])):
                self._seconds[label].append(seconds)
                self._medians.pop(label, None)
        share, gpu = share_of(content), str(content.get("gpu", ""))
        if share is not None and (lineage := lineage_of(content["stage"], content["key"])) is not None:
            shares = self._shares[lineage]
            shares[gpu] = max(share, shares.get(gpu, 0.0))

    def _identity(self, stage: str, key: str) -> Identity | None:
        task = self.planned.get(key)
        return None if task is None else Identity.of(vars(task))


def _labels(stage: str, record: str) -> tuple[Label, ...]:
    """Return what a stage is like, the nearest first; record: its parameters as text."""
    return (stage, record), (stage, "made of", *variants_in(json.loads(record))), (stage,)


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)


def _lineages(identity_of: Lookup) -> Lineage:
    """Return a function from a stage and its key to what it is whatever the seeds, or None if unknown."""

    @cache
    def lineage(stage: str, key: str) -> str | None:
        identity = identity_of(stage, key)
        parents = {} if identity is None else {p: lineage(p, k) for p, k in identity.parents.items()}
        known = {parent: digest for parent, digest in parents.items() if digest is not None}
        if identity is None or len(known) < len(parents):
            return None
        return key_of(identity.record, identity.version, known, identity.fingerprint, None)

    return lineage
