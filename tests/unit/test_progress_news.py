"""What a sweep tells of a running stage: a note on its checkpoints, and that it stands still, once each."""

from __future__ import annotations

import io
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from rgx.resources import Resources
from rgx.run.progress import Progress
from rgx.store.artifacts import running_folder, write_json


def test_notes_and_standstill_are_told_once(tmp_path: Path) -> None:
    task: Any = SimpleNamespace(
        stage="trained",
        key="0" * 64,
        title="trained-00000000",
        row="3b/x",
        resources=Resources(stall_minutes=0.02),
    )
    graph: Any = SimpleNamespace(
        store=tmp_path, running={task.key: task}, waiting={}, tasks={}, done=set(), found=0,
        plan=SimpleNamespace(name="little"),
    )  # fmt: skip
    shown = io.StringIO()
    said = {"done": 3, "total": 9, "values": {}, "note": "goes on from step 3"}
    place = running_folder(tmp_path, task.stage, task.key) / "progress.json"
    write_json(place, said)
    with Progress(graph, Console(file=shown), 1) as progress:
        progress.started(task)
        time.sleep(3)
        assert shown.getvalue().count("no progress for 0.02 min: 3/9") == 1
        write_json(place, {**said, "done": 4})
        time.sleep(2.5)
    assert shown.getvalue().count("trained-00000000: goes on from step 3") == 1
    assert shown.getvalue().count("no progress for 0.02 min: 4/9") == 1
