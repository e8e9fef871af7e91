"""What the page shows first: what runs in a store, and how far each sweep is, stage by stage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rgx.inspect.running import read_running
from rgx.inspect.status import rows_of, state
from rgx.store.keys import short
from rgx.store.manifests import Manifests
from rgx.store.records import Run, Running
from rgx.store.runs import read_run, run_names, run_paths

Artifact = tuple[str, str]
"""A stage, and the first 16 hex of a key."""


class Overview:
    """Reads a store again and again; what cannot change, such as a finished artifact's parents, once."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._parents: dict[Artifact, list[str]] = {}
        self._runs: dict[str, tuple[Any, Run]] = {}

    def runs(self) -> list[Run]:
        """Return what all runs of each name come to; raises InputError for a record that cannot be read."""
        return [self._run(name) for name in run_names(self.store)]

    def now(self) -> dict[str, Any]:
        """Return all that the page shows first, as JSON holds it; times in seconds since 1970."""
        running = read_running(self.store)
        runs = self.runs()
        rows = rows_of(runs)
        by_artifact = {(each.stage, each.key): each for each in running}
        return {
            "store": self.store.resolve().name,
            "running": [self._running(each, rows.get((each.stage, each.key), [])) for each in running],
            "sweeps": [self._sweep(run, by_artifact) for run in runs],
        }

    def artifacts(self, name: str, stage: str) -> list[dict[str, Any]]:
        """Return each artifact of one stage of a sweep: its key, how it stands, and the rows that need it.

        Raises InputError for a sweep that has not run here.
        """
        manifests, rows = Manifests(self.store), rows_of([self._run(name)])
        running = {each.key: state(each) for each in read_running(self.store) if each.stage == stage}
        return [
            {
                "key": key,
                "state": "finished" if manifests.has(stage, key) else running.get(key, "missing"),
                "rows": [row.partition(":")[2] for row in own],
            }
            for (kind, key), own in rows.items()
            if kind == stage
        ]

    def _run(self, name: str) -> Run:
        paths = run_paths(self.store, name)
        seen = [(path.name, path.stat().st_mtime_ns) for path in paths]
        if name not in self._runs or self._runs[name][0] != seen:
            self._runs[name] = seen, read_run(self.store, name)
        return self._runs[name][1]

    def _running(self, running: Running, rows: list[str]) -> dict[str, Any]:
        now = time.time()
        began = None if running.age_s is None else round(now - running.age_s)
        ends = None if running.eta_s is None or not running.held else round(now + running.eta_s, -1)
        return {
            "stage": running.stage,
            "key": running.key,
            "rows": rows,
            "where": f"{running.host} {running.pid}" if running.pid is not None else "",
            "began": began,
            "ends": ends,
            "done": running.done,
            "total": running.total,
            "held": running.held,
            "state": state(running),
        }

    def _sweep(self, run: Run, running: Mapping[Artifact, Running]) -> dict[str, Any]:
        manifests = Manifests(self.store)
        wanted = {(stage, short(key)) for row in run.rows for stage, key in row.stages.items()}
        done = {artifact for artifact in wanted if manifests.has(*artifact)}
        cells = [{(stage, short(key)) for stage, key in row.stages.items()} for row in run.rows]
        names = list(dict.fromkeys(stage for row in run.rows for stage in row.stages))
        stages = []
        for name in names:
            own = {artifact for artifact in wanted if artifact[0] == name}
            under_way = [running[artifact] for artifact in own - done if artifact in running]
            stages.append(
                {
                    "stage": name,
                    "done": len(own & done),
                    "total": len(own),
                    "running": sum(each.held for each in under_way),
                    "failed": sum(bool(each.failure) and not each.held for each in under_way),
                    "after": self._after(own & done),
                }
            )
        return {
            "name": run.name,
            "cells": len(cells),
            "cells_done": sum(cell <= done for cell in cells),
            "stages": stages,
        }

    def _after(self, artifacts: Iterable[Artifact]) -> list[str] | None:
        """Return what a stage is made of, as its finished artifacts tell, or None where there is none yet."""
        after: dict[str, None] | None = None
        for artifact in sorted(artifacts):
            if artifact not in self._parents:
                manifest = Manifests(self.store).get(*artifact)
                if manifest is None:
                    continue
                self._parents[artifact] = list(manifest["parents"])
            after = (after or {}) | dict.fromkeys(self._parents[artifact])
        return None if after is None else list(after)
