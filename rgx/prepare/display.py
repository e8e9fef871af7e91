"""How far the preparation is: bars on a terminal, a line for each source elsewhere."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rgx.prepare.sources import Source

EVERY_S = 0.5


class Display:
    """Watches the progress files of sources under way; use as a context."""

    def __init__(self, console: Console, doing: str, sources: list[Source]) -> None:
        self.console, self.doing, self.waiting = console, doing, list(sources)
        self.bars: dict[Source, TaskID] = {}
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.progress = Progress(*columns, console=console, disable=not console.is_terminal or not sources)
        self.total = self.progress.add_task(doing, total=len(sources))
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

    def ended(self, source: Source, failure: str) -> None:
        """Note that a source is done, or why it failed."""
        self.waiting.remove(source)
        self.progress.advance(self.total)
        if source in self.bars:
            self.progress.update(self.bars.pop(source), visible=False)
        text = f"{source.name}: {failure or 'done'}"
        self.console.print(f"{self.doing} {text}", markup=False, highlight=False, soft_wrap=True)

    def _watch(self) -> None:
        while not self.over.wait(EVERY_S):
            for source in list(self.waiting):
                found = source.progress()
                if found.get("doing") != self.doing:
                    continue
                if source not in self.bars:
                    self.bars[source] = self.progress.add_task(f"  {source.name}", total=found["total"])
                self.progress.update(self.bars[source], completed=found["done"], total=found["total"])
