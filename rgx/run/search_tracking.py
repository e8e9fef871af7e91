"""Tells the trackers of each stage that the trials of a search make."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rgx.run.tracking import Followed, Tracking
from rgx.store.manifests import manifest


class TrialTracking(Tracking):
    """Follows each stage that a trial may make and that is not there yet, once though trials share it.

    A stage of a rung that is never reached is never begun, so nobody hears of it.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.of: dict[str, list[dict[str, Any]]] = {}
        self.users: Counter[str] = Counter()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        # Looked up at once: what is there a moment later may have been made by this trial.
        fresh = {
            one["task"]["key"]: one["task"]
            for rung in json.loads(trial.config["trial"])["rungs"]
            for one in rung["tasks"]
            if manifest(self.store, one["task"]["stage"], one["task"]["key"]) is None
        }
        self.of[trial.trial_id] = list(fresh.values())
        for task in fresh.values():
            self.events.put((self._joined, task, ""))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: Mapping[str, Any], **info: Any
    ) -> None:
        for task in self.of.get(trial.trial_id, []):
            self.events.put((self._look, task, ""))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for task in self.of.pop(trial.trial_id, []):
            self.events.put((self._left, task, ""))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.on_trial_complete(iteration, trials, trial)

    def _joined(self, task: Mapping[str, Any], made: str) -> None:
        self.users[task["key"]] += 1
        self.stages.setdefault(task["key"], Followed(task, self.sweep, self.store))

    def _look(self, task: Mapping[str, Any], made: str) -> None:
        """End the run of a stage that is in the store, begun or not."""
        followed = self.stages.get(task["key"])
        found = followed.made() if followed is not None else None
        if followed is None or found is None:
            return
        if followed.run is None:
            self._begin(followed, found.get("host", ""))
        self._end(followed, failed=False)

    def _left(self, task: Mapping[str, Any], made: str) -> None:
        """Let go of a stage; with no trial left that may make it, its run ends."""
        self._look(task, made)
        self.users[task["key"]] -= 1
        followed = self.stages.get(task["key"])
        if followed is not None and not self.users[task["key"]]:
            self._end(followed, failed=True)
