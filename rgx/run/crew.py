"""The processes that share one stage's training: started together, ended together."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import rgx
from rgx.errors import MemberError, StoppedError
from rgx.run.ending import saved_when_ended
from rgx.store.artifacts import read_json

LOOK_S = 0.05
CAUSE_S = 30.0
"""How long to wait for the cause where processes only say that another is gone."""


class Crew:
    """The processes of one stage, which end with this context; SIGTERM is passed on to the first.

    That one keeps the stage's checkpoints and saves; the others have nothing to save.
    """

    used = True

    def __init__(self, task: Mapping[str, Any], store: Path, folder: Path, device: str, count: int) -> None:
        self.task, self.store, self.folder, self.device, self.count = task, store, folder, device, count
        self.processes: list[subprocess.Popen[str]] = []
        self._stopping = False

    def __enter__(self) -> Crew:
        self.scratch = tempfile.TemporaryDirectory(prefix="rgx-crew-", ignore_cleanup_errors=True)
        try:
            for number in range(self.count):
                self.processes.append(self._start(number))
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            if process.stdin is not None:
                with contextlib.suppress(OSError):
                    process.stdin.close()
        self.scratch.cleanup()

    @property
    def stopping(self) -> bool:
        """Whether the stage shall end as soon as its state is saved; to set it tells the first process."""
        return self._stopping

    @stopping.setter
    def stopping(self, value: bool) -> None:
        self._stopping = value
        if self.processes:
            self.processes[0].terminate()

    def answer(self) -> dict[str, Any]:
        """Wait for the stage and return what it says; raises MemberError and StoppedError."""
        silent_since: float | None = None
        while (code := self.processes[0].poll()) is None or code:
            if code == -signal.SIGTERM:
                raise StoppedError("stopped by SIGTERM")
            ended = [n for n, process in enumerate(self.processes) if process.poll()]
            words = {number: self._words(number) for number in ended}
            if stopped := words.get(0, {}).get("stopped"):
                raise StoppedError(stopped)
            if causes := [self._cause(n, said) for n, said in words.items() if not said.get("consequence")]:
                raise MemberError(causes[0])
            if ended:
                silent_since = silent_since or time.monotonic()
                if len(ended) == self.count or time.monotonic() - silent_since > CAUSE_S:
                    raise MemberError(words[ended[0]]["reason"])
            time.sleep(LOOK_S)
        return self._words(0)

    def _words(self, number: int) -> dict[str, Any]:
        return read_json(self._answer_path(number)) or {}

    def _cause(self, number: int, words: Mapping[str, Any]) -> str:
        if "reason" in words:
            return str(words["reason"])
        code = self.processes[number].returncode
        how = signal.Signals(-code).name if code < 0 else f"itself with {code}"
        guess = "; probably out of memory" if code == -signal.SIGKILL else ""
        return (
            f"process {number + 1} of the {self.count} that shared it ended by {how}{guess}; the others were "
            "ended, and its checkpoint is kept"
        )

    def _answer_path(self, number: int) -> Path:
        return Path(self.scratch.name) / f"answer-{number}.json"

    def _start(self, number: int) -> subprocess.Popen[str]:
        scratch = Path(self.scratch.name)
        request = {
            "task": dict(self.task),
            "store": str(self.store),
            "folder": str(scratch / f"work-{number}" if number else self.folder),
            "log_folder": str(self.folder),
            "device": f"{self.device}:{number}" if self.device == "cuda" else self.device,
            "meeting": str(scratch / "meeting"),
            "answer": str(self._answer_path(number)),
            "number": number,
            "count": self.count,
        }
        folders = [str(Path(rgx.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        process = subprocess.Popen(
            [sys.executable, "-m", "rgx.run.member"],
            stdin=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))},
        )
        assert process.stdin is not None
        # The pipe stays open: where this process is gone, its end tells the other one.
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(request), file=process.stdin, flush=True)
        return process


def carried_out_by_all(
    task: Mapping[str, Any], store: Path, folder: Path, device: str, count: int
) -> dict[str, Any]:
    """Return what `worker.carry_out` does, of a stage that so many processes share.

    cpu_seconds: what they used; raises MemberError with the reason of the one that failed, and StoppedError.
    """
    before = _children_seconds()
    with Crew(task, store, folder, device, count) as crew, saved_when_ended(crew):
        about = crew.answer()
    return {**about, "cpu_seconds": _children_seconds() - before}


def _children_seconds() -> float:
    """Return the processor time, in s, of all processes that this one started and saw end."""
    times = os.times()
    return times.children_user + times.children_system
