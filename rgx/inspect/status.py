"""What runs in a store and how far its sweeps are, told from another shell."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from rgx.errors import InputError
from rgx.inspect.cells import row_key
from rgx.inspect.running import read_running
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.records import Run, Running
from rgx.store.runs import read_run, run_names
from rgx.terminal import harmless


def running_table(store: Path, sweeps: list[Run]) -> Table:
    """Return the stages under way, one a line; those whose process is gone are marked."""
    rows: dict[tuple[str, str], list[str]] = {}
    for sweep in sweeps:
        for row in sweep.rows:
            for stage, key in row.stages.items():
                names = rows.setdefault((stage, short(key)), [])
                if (name := f"{sweep.name}:{row_key(row)}") not in names:
                    names.append(name)
    heads = ("stage", "key", "for", "where", "age", "heartbeat", "progress", "ETA", "state")
    table = _table("running", heads)
    for one in read_running(store):
        names = rows.get((one.stage, one.key), ["?"])
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        where = f"{one.host} {one.pid}" if one.pid is not None else ""
        progress = f"{one.done}/{one.total}" if one.total else ""
        table.add_row(
            *map(_text, (one.stage, one.key, names[0] + more, where, clock(one.age_s),
                        clock(one.heartbeat_age_s), progress, _eta(one), state(one)))
        )  # fmt: skip
    return table


def sweeps_table(store: Path, sweeps: list[Run]) -> Table:
    """Return how many cells and unique stages of each sweep are in the store."""
    manifests = Manifests(store)
    table = _table("sweeps", ("sweep", "cells done", "cells", "stages done", "missing"))
    for sweep in sweeps:
        stages = {(stage, key) for row in sweep.rows for stage, key in row.stages.items()}
        done = {one for one in stages if manifests.has(*one)}
        cells = sum(done.issuperset(row.stages.items()) for row in sweep.rows)
        counts = (cells, len(sweep.rows), len(done), len(stages) - len(done))
        table.add_row(*map(_text, (sweep.name, *map(str, counts))))
    return table


def read_sweeps(store: Path) -> list[Run]:
    """Return every sweep record of a store; raises InputError for no store or an unreadable record."""
    if not store.is_dir():
        raise InputError(f"there is no store at {store}")
    return [read_run(store, name) for name in run_names(store)]


def state(one: Running) -> str:
    """Return in a few words how a stage's folder stands."""
    if one.held:
        return "running"
    if one.failure:
        return f"failed: {one.failure}"
    word = "stale: its process is gone" if one.pid is not None else "stopped"
    return f"{word}; a checkpoint is kept" if one.resumable else word


def clock(seconds: float | None) -> str:
    """Return seconds as h:mm:ss or m:ss."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _eta(one: Running) -> str:
    if not one.held or one.eta_s is None:
        return ""
    # A resumed stage counts steps of its earlier life too, so its rate looks faster than it is.
    return f"{'≥ ' if one.resumed else ''}{clock(one.eta_s)}"


def _text(cell: str) -> Text:
    return Text(harmless(cell))


def _table(title: str, heads: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold")
    return table
