"""The record that one run leaves in the store, beside those of all runs before it."""

from __future__ import annotations

import getpass
import hashlib
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from rgx import __version__
from rgx.store.artifacts import write_json
from rgx.store.records import Invocation, SweepRow
from rgx.store.runs import new_run_path
from rgx.sweep.code import PlannedCode, planned_code
from rgx.sweep.plan import Plan
from rgx.sweep.search.record import trial_rows
from rgx.translator import masked


@dataclass
class RunRecord:
    """The record of a run under way; plan: of all rows of the sweep; whole: whether none is left out."""

    plan: Plan
    store: Path
    whole: bool = True
    overrides: tuple[str, ...] = ()
    path: Path = field(init=False)
    code: PlannedCode = field(init=False)
    started: float = field(init=False, default_factory=time.time)

    def __post_init__(self) -> None:
        self.path = new_run_path(self.store, self.plan.name)
        tasks = [*self.plan.tasks.values(), *(task for search in self.plan.searches for task in search.own)]
        self.code = planned_code(self.plan.origin, [task.record for task in tasks])

    def write(self) -> None:
        """Write what stands behind each row and each trial so far, at once or not at all."""
        content = self.plan.sweep_record(trial_rows(self.plan.searches, self.plan.name, self.store))
        run = Invocation(
            name=self.plan.name, seeds=content["seeds"], whole=self.whole, started=self.started,
            rows=[SweepRow.model_validate(row) for row in content["rows"]],
            argv=[*map(masked, sys.argv)], overrides=[*map(masked, self.overrides)], user=_user(),
            host=socket.gethostname(), rgx=__version__, digests=self._digests() | self.code.digests,
            variants=self.code.variants, places=self.code.places, seed_scopes=content.get("seed_scopes", {}),
        )  # fmt: skip
        write_json(self.path, run.model_dump(mode="json"))

    def _digests(self) -> dict[str, str]:
        """Return the SHA-256 of every file that the rows were read from, as the rows read it."""
        texts: dict[str, set[str]] = {}
        for text in (text for task in self.plan.tasks.values() for text in task.texts):
            if not (text.asked and text.everywhere):  # what the command line says is no file
                texts.setdefault(text.where, set()).add(text.text)
        return {
            file: hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()
            for file, parts in sorted(texts.items())
        }


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""  # an account without a name, as in many containers
