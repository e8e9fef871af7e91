"""Gives each stage a fresh process, forked from one that has imported already what stages need."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import rgx
from rgx.errors import StoppedError
from rgx.run.ending import ENDING, GRACE_S

FORKS = sys.platform == "linux"
"""Elsewhere a process that has loaded torch is not safe to fork, and Ray starts a worker for every stage."""
LOOK_S = 0.5
DIE_WITH_PARENT = 1
"""Linux's PR_SET_PDEATHSIG."""


class DiedError(Exception):
    """The process of a stage ended without a word."""


class AllDiedError(DiedError):
    """So did its fork server, which takes no other."""


class ForkServer:
    """A process that has torch and every room imported, and forks a child for each stage it is given.

    A child starts with nothing of the stages before it. It is gone as soon as its fork server is; where the
    process that asked is gone, it is given the time to save.
    """

    def __init__(self) -> None:
        ours, theirs = os.pipe()
        folders = [str(Path(rgx.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs)],
            stdin=subprocess.PIPE,
            text=True,
            pass_fds=[theirs],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, folders))},
            start_new_session=True,
        )
        os.close(theirs)
        self.answers = os.fdopen(ours)

    def run(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `work` says of a stage, done in a child; raises DiedError or AllDiedError."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(asked), file=self.process.stdin, flush=True)
        line = self.answers.readline()
        if not line:
            raise AllDiedError(f"its process ended by {_name(signal.SIGKILL)}")
        answer = json.loads(line)
        if "ended" in answer:
            raise DiedError(f"its process ended by {_name(answer['ended'])}")
        return answer


def work(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Run the stage asked for in this process and return what became of it, an error's reason included."""
    from rgx.errors import DamagedError
    from rgx.run.failures import reason_of, write_failure
    from rgx.run.worker import run_task

    task, store, folder = asked["task"], Path(asked["store"]), Path(asked["folder"])
    if folder.is_dir():
        # A joined node's workers begin elsewhere; a user's relative paths mean the driver's folder.
        os.chdir(folder)
    try:
        return {"made": run_task(task, store, asked["device"])}
    except DamagedError as error:
        return {"made": "failed", "reason": reason_of(error), "damaged": sorted(error.stages)}
    except Exception as error:
        write_failure(store, task["stage"], task["key"], error)
        return {"made": "failed", "reason": reason_of(error)}


def main() -> None:
    """Read one request a line from stdin, and write what became of each to the pipe that argv names.

    SIGTERM goes to the stage that runs, which saves and ends; where none runs, this process ends.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # what is imported here stays; a child collects what it leaves
    importlib.import_module("rgx.run.worker")
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        while asked := sys.stdin.readline():
            _warm(asked)
            print(_raise(asked), file=answers, flush=True)


def _warm(asked: str) -> None:
    """Import and read here once what each child of a stage's kind needs; what is wrong the child says."""
    import torch

    from rgx.errors import InputError
    from rgx.methods import Package, import_method
    from rgx.registry import import_own
    from rgx.run.same_code import refuse_other_code

    import_own()
    task = json.loads(asked)["task"]
    with contextlib.suppress(InputError):
        for package in task["methods"]:
            import_method(Package(**package))
        refuse_other_code(task)  # what it reads of unchanged files is remembered
    if task["trains"]:
        # The first optimiser of a process imports torch's compiler, which takes a second.
        torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    gc.freeze()  # or else the first collection of each child copies all that is here


def _raise(asked: str) -> str:
    """Return what a new child says, or how it ended without a word."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _live(asked, theirs)
    os.close(theirs)
    answer, status = b"", None
    asked_at: list[float] = []

    def pass_on(number: int, frame: Any) -> None:
        asked_at.append(time.monotonic())
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)
    while status is None:
        ready, _, _ = select.select([ours] if asked_at else [ours, sys.stdin], [], [], LOOK_S)
        if sys.stdin in ready:
            # Nothing is asked while a child lives, so whoever asked is dead: the stage saves and ends too.
            pass_on(signal.SIGTERM, None)
        if asked_at and time.monotonic() - asked_at[0] > GRACE_S + LOOK_S:
            os.killpg(child, signal.SIGKILL)
        answer += os.read(ours, 1 << 16) if ours in ready else b""
        # What a child started may outlive it and hold the pipe, so its end is looked for as well.
        ended_pid, code = os.waitpid(child, 0 if answer.endswith(b"\n") else os.WNOHANG)
        status = code if ended_pid else None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    while select.select([ours], [], [], 0)[0] and (rest := os.read(ours, 1 << 16)):
        answer += rest
    os.close(ours)
    if select.select([sys.stdin], [], [], 0)[0]:
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return answer.decode().strip() or json.dumps({"ended": ended})


def _live(asked: str, answers: int) -> NoReturn:
    """Be the child: do the stage, say what became of it, and end."""
    gc.enable()
    os.setpgid(0, 0)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGTERM, ENDING.receive)

    def tell() -> None:
        with contextlib.suppress(StoppedError):
            os.write(answers, (json.dumps(work(json.loads(asked))) + "\n").encode())
            ENDING.received = False

    # Not in the main thread, so that a time limit may end the process where a library's call never returns.
    thread = threading.Thread(target=tell)
    thread.start()
    with contextlib.suppress(StoppedError):
        thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    if ENDING.received:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    os._exit(0)


def _name(number: int) -> str:
    return signal.Signals(number).name if number else "itself"


if __name__ == "__main__":
    main()
