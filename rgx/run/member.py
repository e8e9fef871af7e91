"""One of the processes that share a stage's training: `python -m rgx.run.member`, started by a crew."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from threadpoolctl import threadpool_limits

from rgx.errors import PeerError, StoppedError
from rgx.run.failures import reason_of
from rgx.run.worker import carry_out, prepare
from rgx.store.artifacts import write_json
from rgx.translator import masked


def main() -> None:
    """Read a request from stdin, carry the stage out with the others, and leave an answer in a file.

    SIGTERM is for the first, which saves. All end at once where who started them is gone.
    """
    request = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if request["number"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_asker, daemon=True).start()
    try:
        answer, code = _carry_out(request), 0
    except StoppedError as error:
        answer, code = {"stopped": str(error)}, 1
    except PeerError as error:
        answer, code = {"reason": str(error), "consequence": True}, 1
    except Exception as error:
        _log(Path(request["log_folder"]), request["number"])
        answer, code = {"reason": reason_of(error)}, 1
    write_json(Path(request["answer"]), answer)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by returning: a group of processes of which one is gone would be waited for.
    os._exit(code)


def _carry_out(request: Mapping[str, Any]) -> dict[str, Any]:
    task, store, number = request["task"], Path(request["store"]), request["number"]
    if on_gpu := request["device"].startswith("cuda"):
        torch.cuda.set_device(number)
    with threadpool_limits(task["threads"]):
        prepared = prepare(task, store)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
            store=dist.FileStore(request["meeting"], request["count"]),
            rank=number,
            world_size=request["count"],
        )
        return carry_out(prepared, task, store, Path(request["folder"]), request["device"])


def _log(folder: Path, number: int) -> None:
    """Put the error being handled in the stage's log."""
    with (folder / "log.txt").open("a") as file:
        file.write(f"in process {number + 1}:\n{masked(traceback.format_exc())}")


def _end_with_asker() -> None:
    """Wait until the pipe from who started this process ends, and end."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
