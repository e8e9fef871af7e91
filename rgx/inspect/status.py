"""What runs in a store and how far its sweeps are, told from another shell."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rgx.errors import InputError
from rgx.inspect.running import read_running
from rgx.store.cells import row_key
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.records import Run, Running
from rgx.store.runs import read_run, run_names
from rgx.terminal import harmless

WATCH_S = 2.0


def running_table(store: Path, sweeps: list[Run]) -> Table:
    """Return the stages under way, one a line; those whose process is gone are marked."""
    rows = rows_of(sweeps)
    heads = ("stage", "key", "for", "where", "age", "heartbeat", "progress", "ETA", "state")
    table = _table("running", heads)
    for running in read_running(store):
        names = rows.get((running.stage, running.key), ["?"])
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = f"{running.host} {running.pid}" if running.pid is not None else ""
        progress = f"{running.done}/{running.total}" if running.total else ""
        table.add_row(
            *map(_text, (running.stage, running.key, names[0] + more, where, clock(running.age_s),
                        clock(running.heartbeat_age_s), progress, _eta(running), state(running)))
        )  # fmt: skip
    return table


def sweeps_table(store: Path, sweeps: list[Run]) -> Table:
    """Return how many cells and unique stages of each sweep are in the store."""
    manifests = Manifests(store)
    table = _table("sweeps", ("sweep", "cells done", "cells", "stages done", "missing"))
    for sweep in sweeps:
        stages = {(stage, key) for row in sweep.rows for stage, key in row.stages.items()}
        done = {artifact for artifact in stages if manifests.has(*artifact)}
        cells = sum(done.issuperset(row.stages.items()) for row in sweep.rows)
        counts = (cells, len(sweep.rows), len(done), len(stages) - len(done))
        table.add_row(*map(_text, (sweep.name, *map(str, counts))))
    return table


def show_status(store: Path) -> None:
    """Print what runs in a store and how far its sweeps are; raises InputError as `read_sweeps` does."""
    _console().print(_tables(store))


def watch_status(store: Path) -> None:
    """Print the same again and again until Ctrl-C, in its own place on a terminal; raises InputError."""
    tables = _tables(store)
    console = _console()
    with contextlib.suppress(KeyboardInterrupt):
        if not console.is_terminal:
            while True:
                console.print(tables)
                time.sleep(WATCH_S)
                tables = _tables(store)
        with Live(tables, console=console, auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_S)
                live.update(_tables(store), refresh=True)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=200)


def _tables(store: Path) -> Group:
    sweeps = read_sweeps(store)
    tables = (running_table(store, sweeps), sweeps_table(store, sweeps))
    return Group(*(table if table.row_count else f"{table.title}: none" for table in tables))


def read_sweeps(store: Path) -> list[Run]:
    """Return every sweep record of a store; raises InputError for no store or an unreadable record."""
    if not store.is_dir():
        raise InputError(f"there is no store at {store}")
    return [read_run(store, name) for name in run_names(store)]


def rows_of(sweeps: Iterable[Run]) -> dict[tuple[str, str], list[str]]:
    """Return the rows that need each artifact, as `sweep:panel/row`, by its stage and short key."""
    rows: dict[tuple[str, str], dict[str, None]] = {}
    for sweep in sweeps:
        for row in sweep.rows:
            for stage, key in row.stages.items():
                rows.setdefault((stage, short(key)), {})[f"{sweep.name}:{row_key(row)}"] = None
    return {artifact: list(names) for artifact, names in rows.items()}


def state(running: Running) -> str:
    """Return in a few words how a stage's folder stands."""
    if running.held:
        return "running"
    if running.failure:
        return f"failed: {running.failure}"
    word = "stale: its process is gone" if running.pid is not None else "stopped"
    return f"{word}; a checkpoint is kept" if running.resumable else word


def clock(seconds: float | None) -> str:
    """Return seconds as h:mm:ss or m:ss."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _eta(running: Running) -> str:
    if not running.held or running.eta_s is None:
        return ""
    # A resumed stage counts steps of its earlier life too, so its rate looks faster than it is.
    return f"{'≥ ' if running.resumed else ''}{clock(running.eta_s)}"


def _text(cell: str) -> Text:
    return Text(harmless(cell))


def _table(title: str, heads: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
