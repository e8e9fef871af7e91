"""Follows the stages a sweep makes and tells the trackers, on a thread that holds up no stage."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any

from ray.tune import Callback

from rgx.run.trackers import Point, StageRun, Tracker, parameters, scalars
from rgx.store.artifacts import artifact_folder, read_json, running_folder
from rgx.store.manifests import manifest, part
from rgx.store.records import Manifest
from rgx.translator import masked, translate

EVERY_S = 1.0
LONGEST_S = 180.0
INTERRUPTED_S = 5.0


class Followed:
    """A stage in the hands of a worker: its run once it has begun, and how much of its curve was told."""

    def __init__(self, task: Mapping[str, Any], sweep: str, store: Path) -> None:
        self.task, self.sweep, self.store = task, sweep, store
        self.running = running_folder(store, task["stage"], task["key"])
        self.run: StageRun | None = None
        self.told = 0
        self.last: Point = (0, {})

    def host(self) -> str | None:
        """Return where the stage runs, or None before it does: a lease is taken when the work begins."""
        return (read_json(self.running / "lease.json") or {}).get("host")

    def made(self) -> Manifest | None:
        """Return the manifest, or None while there is none."""
        return manifest(self.store, self.task["stage"], self.task["key"])

    def begin(self, host: str) -> StageRun:
        """Return the run that trackers are told of, named `stage-key8`."""
        task = self.task
        name = f"{task['stage']}-{task['key'][:8]}"
        asked = [text["text"] for text in task["texts"] if text["asked"] and text["text"]]
        tags = {
            "sweep": self.sweep, "row": task["row"], "stage": task["stage"], "key": task["key"],
            "seed": task["seed"], "host": host, "bindings": masked("\n".join(asked)),
        }  # fmt: skip
        self.run = StageRun(
            name, parameters(task["record"]), {n: str(v) for n, v in tags.items() if v not in (None, "")},
            self.store / "tracking" / "runs" / self.sweep / name,
        )  # fmt: skip
        return self.run

    def points(self) -> list[Point]:
        """Return the whole lines of the training curve that were not told yet."""
        text = ""
        for folder in (artifact_folder(self.store, self.task["stage"], self.task["key"]), self.running):
            with contextlib.suppress(OSError):
                text = (folder / "curve.jsonl").read_text()
                break
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")][self.told :]
        self.told += len(lines)
        values = [json.loads(line) for line in lines]
        fresh = [(int(row.pop("step")), row) for row in values]
        self.last = fresh[-1] if fresh else self.last
        return fresh

    def outputs(self) -> Point:
        """Return the numbers of the manifest that the curve's last point does not hold already."""
        step, values = self.last
        every = scalars(part(self.made(), "outputs"))
        return step, {name: value for name, value in every.items() if values.get(name) != value}


class Tracking(Callback):
    """Tells trackers of each stage that Tune's trials make; use as a context around the experiment.

    say: prints a line. A tracker that raises is told of once and left out from then on; with none left, or
    none to begin with, nothing is read or kept.
    """

    def __init__(self, trackers: list[Tracker], sweep: str, store: Path, say: Callable[[str], None]) -> None:
        self.trackers, self.sweep, self.store, self.say = list(trackers), sweep, store, say
        self.events: SimpleQueue[tuple[Callable[..., None], Mapping[str, Any], str] | None] = SimpleQueue()
        self.stages: dict[str, Followed] = {}
        self.thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Tracking:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.events.put(None)
        self.thread.join(LONGEST_S if kind is None else INTERRUPTED_S)
        if self.thread.is_alive():
            self.say(f"tracking: {', '.join(t.name for t in self.trackers)} did not take everything in time")

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks for a restore that never comes."""
        return {}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.events.put((self._started, json.loads(trial.config["task"]), ""))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        how = (trial.last_result or {}).get("made", "")
        self.events.put((self._ended, json.loads(trial.config["task"]), how))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.events.put((self._ended, json.loads(trial.config["task"]), "failed"))

    def _work(self) -> None:
        try:
            self._follow_all()
        except Exception as error:
            # Such as a curve that cannot be read: the stage it belongs to will say so itself.
            self.say(f"tracking has stopped, the sweep goes on without it: {_reason(error)}")

    def _follow_all(self) -> None:
        self._each(lambda tracker: tracker.open())
        for tracker in self.trackers:
            self.say(masked(f"tracking: {tracker.name}, {tracker.where}"))
        over = False
        while self.trackers and not over:
            with contextlib.suppress(Empty):
                event = self.events.get(timeout=EVERY_S)
                over = event is None
                if event is not None:
                    act, task, how = event
                    act(task, how)
            for followed in list(self.stages.values()):
                self._follow(followed)
        for followed in list(self.stages.values()):
            self._end(followed, failed=True)
        self._each(lambda tracker: tracker.close())

    def _started(self, task: Mapping[str, Any], how: str) -> None:
        self.stages[task["key"]] = Followed(task, self.sweep, self.store)

    def _ended(self, task: Mapping[str, Any], how: str) -> None:
        followed = self.stages.setdefault(task["key"], Followed(task, self.sweep, self.store))
        manifest_there = followed.made()
        if followed.run is None and how == "found":
            del self.stages[task["key"]]
            return
        if followed.run is None:
            self._begin(followed, manifest_there.get("host", "") if manifest_there else "")
        self._end(followed, failed=manifest_there is None)

    def _follow(self, followed: Followed) -> None:
        if followed.run is None and (host := followed.host()):
            self._begin(followed, host)
        if followed.run is not None:
            self._tell(followed.run, followed.points())

    def _begin(self, followed: Followed, host: str) -> None:
        run = followed.begin(host)
        self._each(lambda tracker: tracker.begin(run))

    def _end(self, followed: Followed, failed: bool) -> None:
        del self.stages[followed.task["key"]]
        run = followed.run
        if run is None:
            return
        self._tell(run, followed.points())
        step, values = followed.outputs()
        self._tell(run, [(step, values)] if values else [])
        self._each(lambda tracker: tracker.end(run, step, failed))

    def _tell(self, run: StageRun, points: list[Point]) -> None:
        if points:
            self._each(lambda tracker: tracker.points(run, points))

    def _each(self, act: Callable[[Tracker], None]) -> None:
        for tracker in list(self.trackers):
            try:
                act(tracker)
            except Exception as error:
                # Whatever a tracker's library raises, training matters more.
                self.trackers.remove(tracker)
                self.say(
                    f"tracking: {tracker.name} is left out from now on, the sweep goes on without it: "
                    f"{_reason(error)}"
                )


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {translate(error)[:200]}"
