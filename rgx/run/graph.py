"""Which stage is ready, which is blocked: the order of work both engines share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rgx.sweep.plan import Plan, Task

WEIGHTS = {"trains": 60.0, "quick": 5.0}


@dataclass
class Graph:
    """The state of a sweep's stages; parents before children, longest remaining path first."""

    plan: Plan
    store: Path
    running: dict[str, Task] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)
    waiting: dict[str, Task] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = self.plan.missing(self.store)
        self.done = set(self.plan.tasks) - set(self.waiting)
        self.found = len(self.done)
        children: dict[str, list[str]] = {}
        for task in self.plan.tasks.values():
            for parent in task.parents.values():
                children.setdefault(parent, []).append(task.key)
        self.children = children
        self.remaining: dict[str, float] = {}
        for task in reversed(self.plan.tasks.values()):
            own = WEIGHTS["trains" if task.trains else "quick"]
            self.remaining[task.key] = own + max(
                (self.remaining[c] for c in children.get(task.key, [])), default=0.0
            )

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.running

    def take(self, has_place: Callable[[Task], bool] = lambda task: True) -> Task | None:
        """Return the ready stage with a place and the longest path behind it, marked running, or None."""
        ready = [
            t
            for t in self.waiting.values()
            if all(p in self.done for p in t.parents.values()) and has_place(t)
        ]
        if not ready:
            return None
        task = max(ready, key=lambda t: self.remaining[t.key])
        self.running[task.key] = self.waiting.pop(task.key)
        return task

    def succeed(self, key: str) -> None:
        """Mark a running stage done."""
        self.running.pop(key, None)
        self.done.add(key)

    def rebuild(self, key: str, stages: Iterable[str]) -> None:
        """Put a running stage back, and before it the parents of these stages, which were damaged."""
        task = self.running.pop(key)
        self.waiting[key] = task
        for stage in stages:
            parent = task.parents[stage]
            self.done.discard(parent)
            self.waiting[parent] = self.plan.tasks[parent]

    def put_back(self, key: str) -> None:
        """Have a running stage wait again."""
        self.waiting[key] = self.running.pop(key)

    def die(self, key: str) -> int:
        """Put a running stage back whose worker died, and return how often one did."""
        self.put_back(key)
        self.deaths[key] = self.deaths.get(key, 0) + 1
        return self.deaths[key]

    def fail(self, key: str, reason: str) -> list[Task]:
        """Mark a stage failed and return the descendants that it blocks."""
        self.running.pop(key, None)
        self.waiting.pop(key, None)
        self.failed[key] = reason
        blocked, frontier = [], list(self.children.get(key, []))
        while frontier:
            child = frontier.pop()
            if child in self.waiting:
                blocked.append(self.waiting.pop(child))
                self.blocked.add(child)
            frontier += self.children.get(child, [])
        return blocked
