"""Which stage is ready, which is blocked: the order of work both engines share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rgx.run.precedents import Precedents
from rgx.run.same_code import code_of_runs
from rgx.store.manifests import intact
from rgx.sweep.plan import Plan, Task

GUESSED_S = {"trains": 60.0, "quick": 5.0}
"""What a stage is taken to take while the store knows of none like it."""


class Graph:
    """The state of a sweep's stages, to which more are added while it runs.

    Parents before children, longest remaining path first, by the seconds that stages like them took. grow:
    called before each choice, and may add stages; expected: stages it may add, one of each kind; have: what
    the machines hold, as the engine says.
    go_on: whether stages go on from checkpoints that other code has written; software: what manifests say of
    the repositories the code is from.
    """

    def __init__(
        self, plan: Plan, store: Path, go_on: bool = False, software: Mapping[str, str] | None = None
    ) -> None:
        self.plan, self.store, self.go_on, self.software = plan, store, go_on, dict(software or {})
        self.tasks: dict[str, Task] = {}
        self.code: dict[str, Mapping[str, str]] = {}
        self.waiting: dict[str, Task] = {}
        self.running: dict[str, Task] = {}
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        self.blocked: set[str] = set()
        self.died: dict[str, int] = {}
        self.given_up: set[str] = set()
        self.found = 0
        self.children: dict[str, list[str]] = {}
        self.remaining: dict[str, float] = {}
        """The longest path from each waiting stage on, in s; empty until it is worked out anew."""
        self.precedents = Precedents(store, self.tasks)
        self.grow: Callable[[], None] = lambda: None
        self.expected: Sequence[Task] = ()
        self.have: Mapping[str, float] = {"CPU": 1.0}
        self.add(plan.tasks.values())

    @property
    def finished(self) -> bool:
        return not self.waiting and not self.running

    def add(self, tasks: Iterable[Task]) -> None:
        """Add the stages that are not there yet, parents first; those in the store are done."""
        fresh = [task for task in tasks if task.key not in self.tasks]
        for task in fresh:
            self.tasks[task.key] = task
            for parent in task.parents.values():
                self.children.setdefault(parent, []).append(task.key)
            if intact(self.store, task.stage, task.key):
                self.done.add(task.key)
                self.found += 1
            else:
                self.waiting[task.key] = task
        waiting = {task.key: task.record for task in fresh if task.key in self.waiting}
        self.code |= code_of_runs(waiting) if waiting else {}
        self.remaining.clear()

    def take(self, has_place: Callable[[Task], bool] = lambda task: True) -> Task | None:
        """Return the ready stage with a place and the longest path behind it, marked running, or None."""
        self.grow()
        ready = [
            t
            for t in self.waiting.values()
            if all(p in self.done for p in t.parents.values()) and has_place(t)
        ]
        if not ready:
            return None
        if not self.remaining:
            self._weigh()
        task = max(ready, key=lambda t: self.remaining[t.key])
        self.running[task.key] = self.waiting.pop(task.key)
        return task

    def message(self, task: Task) -> dict[str, Any]:
        """Return a task as plain data, with how it is to be run, and the code it was planned with."""
        code = self.code.get(task.key, {})
        return {**task.message(), "go_on": self.go_on, "code": code, "software": self.software}

    def succeed(self, key: str) -> None:
        """Mark a running stage done."""
        self.running.pop(key, None)
        self.done.add(key)
        self.precedents.learn(self.tasks[key])
        self.remaining.clear()

    def rebuild(self, key: str, stages: Iterable[str]) -> None:
        """Put a running stage back, and before it the parents of these stages, which were damaged."""
        task = self.running.pop(key)
        self.waiting[key] = task
        for stage in stages:
            parent = task.parents[stage]
            self.done.discard(parent)
            self.waiting[parent] = self.tasks[parent]
        self.remaining.clear()

    def put_back(self, key: str) -> None:
        """Have a running stage wait again."""
        self.waiting[key] = self.running.pop(key)
        self.remaining.clear()

    def die(self, key: str) -> int:
        """Put a running stage back whose worker died, and return how often one did."""
        self.put_back(key)
        self.died[key] = self.died.get(key, 0) + 1
        return self.died[key]

    def give_up(self, key: str, reason: str) -> list[Task]:
        """Mark a stage failed whose workers died too often, through no fault that it told of."""
        self.given_up.add(key)
        return self.fail(key, reason)

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

    def _weigh(self) -> None:
        """Work out the seconds of the longest path from each waiting stage on."""
        for key, task in reversed(self.tasks.items()):
            if key not in self.waiting:
                continue
            seconds = self.precedents.seconds(task)
            if seconds is None:
                seconds = GUESSED_S["trains" if task.trains else "quick"]
            behind = [self.remaining.get(child, 0.0) for child in self.children.get(key, [])]
            self.remaining[key] = seconds + max(behind, default=0.0)
