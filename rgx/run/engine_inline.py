"""The inline engine: one stage after another in this process."""

from __future__ import annotations

import torch

from rgx.errors import DamagedError, InputError
from rgx.run.failures import reason_of, write_failure
from rgx.run.graph import Graph
from rgx.run.progress import Progress
from rgx.run.worker import run_task


def execute(graph: Graph, progress: Progress) -> None:
    """Run every stage of the graph here; a failed stage blocks only its descendants."""
    while (task := graph.take()) is not None:
        progress.started(task)
        try:
            gpus = task.resources.wanted(task.uses_gpu, torch.cuda.is_available()).get("GPU", 0)
            if gpus > torch.cuda.device_count():
                raise InputError(
                    f"stage {task.stage} asks for {gpus:g} GPU, this machine has {torch.cuda.device_count()}"
                )
            run_task(graph.message(task), graph.store, "cuda" if gpus else "cpu")
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
