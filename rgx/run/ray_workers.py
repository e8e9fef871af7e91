"""Which idle Ray workers wait for a next stage with the same needs, and which make place for others."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

import ray
from ray.tune.execution import tune_controller
from ray.tune.utils.object_cache import _ObjectCache

LONGEST_S = 60.0
"""A worker idle for longer goes, so that a shared cluster gets its CPUs back."""
LOOK_S = 0.5
PATIENCE_S = 2.0
"""How long a stage waits for what is free in all, before an idle worker goes that may hold it on one node."""

Resources = Mapping[str, float]


class IdleWorkers(_ObjectCache):
    """Tune's cache of idle workers, which keeps each until it stands in another stage's way.

    Tune's own drops the idle ones of one kind as soon as a trial of another kind queues. A stage on a CPU,
    ready while others queue for a GPU, would then wait seconds for a fresh worker although a CPU is free.
    free: says what is free now.
    """

    def __init__(self, free: Callable[[], Resources] = ray.available_resources, **tunes: Any) -> None:
        super().__init__(**tunes)
        self.free = free
        self.since: dict[int, float] = {}
        self.waiting_since: dict[Any, float] = {}
        self.looked = 0.0

    def increase_max(self, key: Any, by: int = 1) -> None:
        """Note that a stage with these needs waits for a worker."""
        super().increase_max(key, by)
        self.waiting_since.setdefault(key, time.monotonic())

    def decrease_max(self, key: Any, by: int = 1) -> None:
        """Note that a stage with these needs waits no longer; what others wait for counts from now on."""
        super().decrease_max(key, by)
        self.waiting_since.pop(key, None)
        if self._max_num_objects[key] > 0:
            self.waiting_since[key] = time.monotonic()

    def cache_object(self, key: Any, obj: Any) -> bool:
        """Keep a worker whose trial has ended."""
        self._cached_objects[key].append(obj)
        self._num_cached_objects += 1
        self.since[id(obj)] = time.monotonic()
        return True

    def flush_cached_objects(self, force_all: bool = False) -> Generator[Any, None, None]:
        """Yield the workers that have to go: those idle too long, and one that is in a stage's way."""
        now = time.monotonic()
        if not force_all and (not self._num_cached_objects or now - self.looked < LOOK_S):
            return
        self.looked = now
        for kind, workers in self._cached_objects.items():
            for worker in list(workers):
                if force_all or now - self.since[id(worker)] > LONGEST_S:
                    yield self._drop(kind, worker)
        if force_all:
            return
        free = self.free()
        for wanted in [kind for kind, count in self._max_num_objects.items() if count > 0]:
            idle = {kind: needs(kind) for kind, workers in self._cached_objects.items() if workers}
            hindering = in_the_way(needs(wanted), free, idle)
            if hindering is None and now - self.waiting_since.get(wanted, now) > PATIENCE_S:
                hindering = on_its_node(needs(wanted), free, idle)
                self.waiting_since[wanted] = now
            if hindering is not None and hindering != wanted:
                yield self._drop(hindering, self._cached_objects[hindering][0])

    def _drop(self, kind: Any, worker: Any) -> Any:
        self._cached_objects[kind].remove(worker)
        self._num_cached_objects -= 1
        del self.since[id(worker)]
        return worker


def needs(key: Any) -> Resources:
    """Return what a placement group asks for in all."""
    return key.required_resources


def in_the_way(wanted: Resources, free: Resources, idle: Mapping[Any, Resources]) -> Any:
    """Return the kind of idle worker that holds all that a stage lacks, or None: its going would help."""
    lacks = [name for name, amount in wanted.items() if amount > free.get(name, 0)]
    if not lacks:
        return None
    return next((kind for kind, holds in idle.items() if all(holds.get(name) for name in lacks)), None)


def on_its_node(wanted: Resources, free: Resources, idle: Mapping[Any, Resources]) -> Any:
    """Return the kind of idle worker that may hold on one node what a stage finds free on no single one.

    Only where all it needs is free in the cluster as a whole; Ray does not say publicly what each node has.
    """
    if any(amount > free.get(name, 0) for name, amount in wanted.items()):
        return None
    return next((kind for kind, holds in idle.items() if any(map(holds.get, wanted))), None)


@contextlib.contextmanager
def idle_workers_kept() -> Iterator[None]:
    """Have Tune keep idle workers as above for as long as the context lasts; Tune has no setting for it."""
    tunes = tune_controller._ObjectCache
    tune_controller._ObjectCache = IdleWorkers  # type: ignore[misc, assignment]  # it has the same methods
    try:
        yield
    finally:
        tune_controller._ObjectCache = tunes  # type: ignore[misc]
