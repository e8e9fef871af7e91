"""How far the preparation is: bars on a terminal, a line for each task elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rgx.store.artifacts import read_json

EVERY_S = 0.5


class Display:
    """Watches the progress files of tasks under way, by the file and each task's name; use as a context."""

    def __init__(self, console: Console, doing: str, tasks: Mapping[Path, str]) -> None:
        self.console, self.doing, self.waiting = console, doing, dict(tasks)
        self.bars: dict[Path, TaskID] = {}
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal or not tasks)
        self.total = self.progress.add_task(doing, total=len(tasks))
        self.over = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Display:
        self.progress.start()
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.watcher.join()
        self.progress.stop()

    def ended(self, task: Path, failure: str) -> None:
        """Note that a task is done, or why it failed."""
        name = self.waiting.pop(task)
        self.progress.advance(self.total)
        if task in self.bars:
            self.progress.update(self.bars.pop(task), visible=False)
        text = f"{name}: {failure or 'done'}"
        self.console.print(f"{self.doing} {text}", markup=False, highlight=False, soft_wrap=True)

    def _watch(self) -> None:
        while not self.over.wait(EVERY_S):
            for task, name in list(self.waiting.items()):
                step = read_json(task)
                if not step:
                    continue
                if task not in self.bars:
                    self.bars[task] = self.progress.add_task(f"  {name}", total=step["total"])
                self.progress.update(self.bars[task], completed=step["done"], total=step["total"])
