"""Starts `python -m rgx` as a fork of a process that has torch: a process of its own, a second cheaper.

Nothing of rgx or Ray is imported before the fork. As a script this is that process; a test uses `Started`.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LOOK_S = 0.05


class Started:
    """A process that runs a command of rgx, with what tests ask of `subprocess.Popen`.

    environment: all of it; out, err: files for what it prints, by default one for both.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        out: Path,
        err: Path | None = None,
    ) -> None:
        asked = {
            "arguments": list(arguments), "folder": str(folder), "environment": dict(environment),
            "out": str(out), "err": str(err or out),
        }  # fmt: skip
        self.pid: int = _nursery().ask(asked)

    @property
    def returncode(self) -> int | None:
        return _nursery().codes.get(self.pid)

    def poll(self) -> int | None:
        """Return its exit code, if it has ended."""
        _nursery().listen()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code; raises TimeoutExpired."""
        until = time.monotonic() + (timeout or float("inf"))
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("rgx", timeout or 0.0)
            time.sleep(LOOK_S)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if self.poll() is None:
            os.kill(self.pid, number)


def rgx(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of rgx and return how it ended and what it printed; raises TimeoutExpired."""
    with tempfile.TemporaryDirectory() as printed:
        out, err = (Path(printed) / name for name in ("out", "err"))
        process = Started(arguments, folder, environment, out, err)
        try:
            code = process.wait(timeout)
        finally:
            process.send_signal(signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


class Nursery:
    """The process that forks, as a test sees it; codes: how each of its children has ended."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        self.codes: dict[int, int] = {}
        self.heard = b""

    def ask(self, asked: Mapping[str, Any]) -> int:
        """Have a child forked and return its number."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()
        while (begun := self.listen(600.0)) is None:
            assert self.process.poll() is None, "the nursery has ended"
        return begun

    def listen(self, longest_s: float = 0.0) -> int | None:
        """Note who has ended, and return who has begun, if one has."""
        assert self.process.stdout is not None
        begun = None
        while begun is None and select.select([self.process.stdout], [], [], longest_s)[0]:
            if not (heard := os.read(self.process.stdout.fileno(), 1 << 16)):
                break
            *lines, self.heard = (self.heard + heard).split(b"\n")
            for line in map(json.loads, lines):
                if "code" in line:
                    self.codes[line["pid"]] = line["code"]
                else:
                    begun = line["pid"]
        return begun


@functools.cache
def _nursery() -> Nursery:
    return Nursery()


def serve() -> dict[str, Any]:
    """Fork a child for each line asked and tell how it ended; returns, in each child, what was asked."""
    children: set[int] = set()
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], LOOK_S if children else None)
        if ready:
            asked = sys.stdin.readline()
            if not asked:
                os._exit(0)
            child = os.fork()
            if child == 0:
                found: dict[str, Any] = json.loads(asked)
                return found
            children.add(child)
            print(json.dumps({"pid": child}), flush=True)
        while children and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            children.discard(ended[0])
            print(json.dumps({"pid": ended[0], "code": os.waitstatus_to_exitcode(ended[1])}), flush=True)


def become(asked: Mapping[str, Any]) -> None:
    """Be `python -m rgx` as it was asked for."""
    own = sys.path[1:]  # the first is this file's folder
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.enable()
    further = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [asked["folder"], *further, *own]
    sys.argv = ["rgx", *asked["arguments"]]
    runpy.run_module("rgx", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    gc.disable()
    import numpy
    import torch  # noqa: F401

    gc.freeze()
    asked_for = serve()
    numpy.random.seed()
    become(asked_for)
