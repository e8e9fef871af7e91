"""Several processes that share a training, forked from a test, and what each of them gives."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from rgx.run.worker import seed_all


def in_processes(count: int, work: Callable[[int], Any], folder: Path) -> list[Any]:
    """Return what work(number) gives in each of so many processes, an error as its class and message.

    Alone where count is 1; folder: where they meet.
    """
    meeting = Path(tempfile.mkdtemp(dir=folder)) / "meeting"
    context = multiprocessing.get_context("fork")
    pipes, members = [], []
    for number in range(count):
        ours, theirs = context.Pipe(duplex=False)
        member = context.Process(target=_be, args=(count, number, work, meeting, theirs))
        member.start()
        theirs.close()
        pipes.append(ours)
        members.append(member)
    answers = [_answer(pipe) for pipe in pipes]
    for member in members:
        member.kill()
        member.join()
    return answers


def _answer(pipe: Connection) -> Any:
    """Return what came through a pipe, or None where its process is gone or hangs."""
    with contextlib.suppress(EOFError):
        return pipe.recv() if pipe.poll(120) else None
    return None


def _be(count: int, number: int, work: Callable[[int], Any], meeting: Path, answers: Connection) -> None:
    torch.set_num_threads(1)
    seed_all(0)
    if count > 1:
        dist.init_process_group(
            "gloo", store=dist.FileStore(str(meeting), count), rank=number, world_size=count
        )
    try:
        answers.send(work(number))
    except Exception as error:
        traceback.print_exc()
        answers.send((type(error).__name__, str(error)))
    # Until it is ended: who leaves first would break what another still exchanges.
    signal.pause()
