"""How a sweep shows itself: a live table on a terminal, plain lines otherwise."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from rgx.run.graph import Graph
from rgx.store.artifacts import read_json, running_folder
from rgx.store.manifests import manifest
from rgx.sweep.plan import Task
from rgx.terminal import harmless

PLAIN_EVERY_S = 15.0


class Progress:
    """Watches a graph and the running stages' progress files; use as a context."""

    def __init__(self, graph: Graph, console: Console, slots: int) -> None:
        self.graph, self.console, self.slots = graph, console, slots
        self.began = time.monotonic()
        self.starts: dict[str, float] = {}
        self.notes: dict[str, str] = {}
        self.moved: dict[str, tuple[object, float]] = {}
        self.stalled: set[str] = set()
        self.over = threading.Event()
        self.telling = threading.Lock()
        self.live = (
            Live(self._table(), console=console, refresh_per_second=2) if console.is_terminal else None
        )

    def __enter__(self) -> Progress:
        graph = self.graph
        self.line(
            f"{graph.plan.name}: {len(graph.tasks)} stages, {graph.found} in the store, "
            f"{len(graph.waiting)} to run"
        )
        if self.live is not None:
            self.live.start()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.watcher.join()
        if self.live is not None:
            self.live.update(self._table())
            self.live.stop()

    def line(self, text: str) -> None:
        """Print a line above the live table."""
        self.console.print(harmless(text), highlight=False, markup=False, soft_wrap=True)

    def started(self, task: Task) -> None:
        """Note that a stage began."""
        self.starts[task.key] = time.monotonic()
        self.moved.pop(task.key, None)
        if self.live is None:
            self.line(f"{self._clock()} start  {task.title}  for {task.row}")

    def ended(self, task: Task, note: str = "done") -> None:
        """Note that a stage ended."""
        took = time.monotonic() - self.starts.get(task.key, time.monotonic())
        graph = self.graph
        # A stage shorter than the watcher's pause has said what nobody has read yet.
        finished = manifest(graph.store, task.stage, task.key)
        notes = "; ".join(finished.get("notes", [])) if finished else self._progress(task).get("note", "")
        self._tell_note(task, notes)
        count = f"{len(graph.done)}/{len(graph.tasks)}"
        self.line(f"{self._clock()} {note:6} {task.title}  {took:.1f} s  [{count}, {self._eta()}]")

    def _clock(self) -> str:
        spent = int(time.monotonic() - self.began)
        return f"{spent // 60:3d}:{spent % 60:02d}"

    def _eta(self) -> str:
        """Return when all will have ended, by what stages like those that are left took."""
        tasks = (*self.graph.waiting.values(), *self.graph.running.values())
        measured = {task.key: self.graph.precedents.seconds(task) for task in tasks}
        known = [seconds for seconds in measured.values() if seconds is not None]
        if tasks and not known:
            return "ETA unknown"
        left = 0.0
        for task in tasks:
            expected = measured[task.key]
            expected = sum(known) / len(known) if expected is None else expected
            began = self.starts.get(task.key) if task.key in self.graph.running else None
            left += max(0.0, expected - (time.monotonic() - began if began else 0.0))
        left /= self.slots
        return f"ETA {int(left) // 60}:{int(left) % 60:02d}"

    def _state(self, task: Task) -> str:
        if task.key not in self.starts:
            return "queued"
        progress = self._progress(task)
        if not progress:
            return "starting"
        values = "  ".join(f"{k} {v:.4g}" for k, v in progress["values"].items())
        return f"{progress['done']}/{progress['total']}  {values}"

    def _progress(self, task: Task) -> dict[str, Any]:
        return read_json(running_folder(self.graph.store, task.stage, task.key) / "progress.json") or {}

    def _tell_note(self, task: Task, note: str) -> None:
        with self.telling:
            if note and note != self.notes.get(task.key):
                self.notes[task.key] = note
                self.line(f"       {task.title}: {note}")

    def _tell_news(self, task: Task) -> None:
        """Print, once each, what a running stage says of its checkpoints, and that it no longer moves."""
        progress, now = self._progress(task), time.monotonic()
        self._tell_note(task, progress.get("note", ""))
        place = progress.get("done"), progress.get("total")
        if task.key not in self.moved or self.moved[task.key][0] != place:
            self.moved[task.key] = place, now
            self.stalled.discard(task.key)
        minutes = task.resources.stall_minutes
        if now - self.moved[task.key][1] > 60 * minutes and task.key not in self.stalled:
            self.stalled.add(task.key)
            self.line(f"       {task.title}: no progress for {minutes:g} min: {self._state(task)}")

    def _table(self) -> Table:
        graph = self.graph
        table = Table(
            title=f"{graph.plan.name}  {len(graph.done)}/{len(graph.tasks)} done, "
            f"{len(graph.failed)} failed, {len(graph.blocked)} blocked, {self._eta()}",
            title_justify="left",
        )
        for head in ("stage", "for", "age", "progress"):
            table.add_column(head)
        for task in list(graph.running.values()):
            age = int(time.monotonic() - self.starts.get(task.key, time.monotonic()))
            table.add_row(task.title, task.row, f"{age} s", self._state(task))
        return table

    def _watch(self) -> None:
        last = time.monotonic()
        while not self.over.wait(0.5):
            for task in list(self.graph.running.values()):
                if task.key in self.starts:
                    self._tell_news(task)
            if self.live is not None:
                self.live.update(self._table())
            elif time.monotonic() - last > PLAIN_EVERY_S:
                last = time.monotonic()
                for task in [t for t in self.graph.running.values() if t.key in self.starts]:
                    self.line(f"{self._clock()} …      {task.title}  {self._state(task)}")
