"""The inline engine: one stage after another in this process."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

from rgx.errors import DamagedError, InputError, NotFiniteError
from rgx.store.artifacts import running_folder
from rgx.sweep.graph import Graph
from rgx.sweep.progress import Progress
from rgx.sweep.worker import run_task


def reason_of(error: BaseException) -> str:
    """Return one line that says why a stage failed."""
    if isinstance(error, (InputError, NotFiniteError)):
        return str(error)
    return f"{type(error).__name__}: {error}"


def write_failure(store: Path, stage: str, key: str, error: BaseException) -> Path:
    """Append the traceback to the stage's log and return the log's path."""
    log = running_folder(store, stage, key) / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write("".join(traceback.format_exception(error)))
    return log


def execute(graph: Graph, progress: Progress) -> None:
    """Run every stage of the graph here; a failed stage blocks only its descendants."""
    while (task := graph.take()) is not None:
        progress.started(task)
        try:
            gpus = task.resources.wanted(task.uses_gpu, torch.cuda.is_available()).get("GPU", 0)
            run_task(task.message(), graph.store, "cuda" if gpus else "cpu")
        except DamagedError as error:
            graph.rebuild(task.key, error.stages)
            progress.ended(task, "again")
            progress.line(f"       damaged and made again: {error}")
            continue
        except Exception as error:
            log = write_failure(graph.store, task.stage, task.key, error)
            blocked = graph.fail(task.key, reason_of(error))
            progress.ended(task, "FAILED")
            progress.line(f"       {reason_of(error)}\n       log: {log}; {len(blocked)} stages blocked")
            continue
        graph.succeed(task.key)
        progress.ended(task)
