"""The checkpoints of a running stage: the last two, each with the code, host and device of its steps."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rgx.errors import StoppedError
from rgx.store.artifacts import BROKEN, FRESH, LAST, OTHER_CODE, PREVIOUS

ABOUT = "rgx"
"""The entry of a file's metadata that says what it is a checkpoint of."""


@dataclass(frozen=True)
class StepOrigin:
    """Who takes a stage's steps; code: what `rgx.sweep.code.code_behind` says, empty where nobody asks."""

    code: Mapping[str, Any] = field(default_factory=dict)
    host: str = ""
    device: str = ""

    @property
    def digest(self) -> str:
        """The digest of all code behind the stage, or nothing."""
        return str(self.code.get("digest", ""))


class Checkpoints:
    """The checkpoints in one folder, saved so that a crash at any moment leaves a whole one.

    go_on: whether to go on from what other code has written; every_s: the longest time between two.
    """

    def __init__(
        self,
        folder: Path,
        say: Callable[[str], None],
        origin: StepOrigin | None = None,
        go_on: bool = False,
        every_s: float = 300.0,
    ) -> None:
        self.folder, self.say, self.origin = folder, say, origin or StepOrigin()
        self.go_on, self.every_s = go_on, every_s
        self.used = False
        """Whether the stage goes on from checkpoints of this folder."""
        self.stopping = False
        """Whether the stage shall end as soon as its state is saved."""
        self._earlier: list[dict[str, Any]] = []
        self._began = self._step = 0
        self._last_s = time.monotonic()

    def due(self) -> bool:
        """Return whether the state should be saved now: by the clock, or because the stage shall end."""
        return self.stopping or time.monotonic() - self._last_s >= self.every_s

    def load(self) -> dict[str, Tensor] | None:
        """Return the last whole checkpoint that may be gone on with, or None; says what it sets aside."""
        self.used, self._last_s = True, time.monotonic()
        for name in (LAST, PREVIOUS):
            path = self.folder / name
            if not path.exists():
                continue
            try:
                state, about = _read(path)
            except (SafetensorError, OSError, ValueError, KeyError) as error:
                path.replace(self.folder / BROKEN)
                self.say(f"{name} is broken ({error}); it is kept as {BROKEN}")
                continue
            step, code = int(state["step"]), about.get("code", {})
            if code.get("digest", "") != self.origin.digest and not self._takes(path, code, step):
                return None
            self._earlier, self._began, self._step = about.get("segments", []), step, step
            self.say(f"goes on from step {self._step} of {name}")
            return state
        return None

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Make a state the last checkpoint, and the last one the previous; raises StoppedError on SIGTERM."""
        self.used, self._step = True, int(state["step"])
        about = {"code": self.origin.code, "segments": self.segments()}
        fresh, last = self.folder / FRESH, self.folder / LAST
        tensors = {k: v.detach().cpu().contiguous().clone() for k, v in state.items()}
        save_file(tensors, fresh, {ABOUT: json.dumps(about)})
        _sync(fresh)
        if last.exists():
            last.replace(self.folder / PREVIOUS)
        fresh.replace(last)
        _sync(self.folder)
        self._last_s = time.monotonic()
        if self.stopping:
            reason = f"stopped by SIGTERM; goes on from step {self._step}"
            self.say(reason)
            raise StoppedError(reason)

    def reach(self, step: int) -> None:
        """Note that a step was taken, whether or not it was saved."""
        self._step = max(self._step, step)

    def segments(self) -> list[dict[str, Any]]:
        """Return who took which steps, in order: {'from', 'to', 'code', 'host', 'device'}, from excluded."""
        own = self.origin
        where = {"code": own.digest, "host": own.host, "device": own.device}
        new = [{"from": self._began, "to": self._step, **where}] if self._step > self._began else []
        return [*self._earlier, *new]

    def _takes(self, path: Path, code: Mapping[str, Any], step: int) -> bool:
        """Return whether a checkpoint of other code is gone on with; if not, it is set aside."""
        before, now = code.get("modules", {}), self.origin.code.get("modules", {})
        changed = sorted(m for m in before.keys() | now.keys() if before.get(m) != now.get(m))
        whose = f"the checkpoint of step {step} is of other code (changed: {', '.join(changed)})"
        if self.go_on:
            self.say(f"{whose}; gone on with as asked")
            return True
        path.replace(self.folder / OTHER_CODE)
        # The one before is older, and of that code or of code before it.
        (self.folder / PREVIOUS).unlink(missing_ok=True)
        self.say(f"{whose}; the stage begins anew, --go-on would go on; it is kept as {OTHER_CODE}")
        return False


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a checkpoint and what it says of itself; raises SafetensorError."""
    with safe_open(path, "pt") as file:
        about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if "step" not in state:
        raise ValueError("it does not say of which step it is")
    return state, about


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, outlive a power failure."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
