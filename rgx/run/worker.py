"""Run one stage: rebuild it, prove it is the planned one, work under a lease, write the manifest last."""

from __future__ import annotations

import hashlib
import os
import platform
import random
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import nn

import rgx
from rgx.config import Cell, Text, build_stage, configure_cell
from rgx.errors import DamagedError, InputError
from rgx.methods import Package, import_method
from rgx.outputs import check_files, check_outputs
from rgx.plugins import load_plugin
from rgx.registry import import_own
from rgx.resources import Resources
from rgx.run.crew import carried_out_by_all
from rgx.run.ending import saved_when_ended
from rgx.run.gpu_memory import begin_measuring, peak_of
from rgx.run.same_code import refuse_other_code
from rgx.run.time_limit import time_limit
from rgx.stage import Stage, splits_of
from rgx.store.artifacts import (
    MANIFEST,
    READY,
    artifact_folder,
    checksum,
    running_folder,
    set_aside,
    write_json,
)
from rgx.store.checkpoints import StepOrigin
from rgx.store.failure import clear_failure
from rgx.store.keys import is_part, key_of, short
from rgx.store.known_files import recall
from rgx.store.lease import Lease, LeaseHeldError
from rgx.store.manifests import damage, intact
from rgx.store.samples import check_samples
from rgx.store.trash import throw_away
from rgx.store.workspace import Inputs, Workspace, load_network
from rgx.sweep.code import code_behind
from rgx.translator import masked

Report = Callable[[dict[str, Any]], None]


def run_task(task: Mapping[str, Any], store: Path, device: str = "cpu") -> str:
    """Leave the task's artifact in the store; returns 'made' or 'found'.

    task: a `Task.message()`, with the name of the trial that runs it, if any; raises what the stage raises,
    and DamagedError for parents that are not what their manifests say, which are set aside. A finished
    artifact is never rebuilt.
    """
    stage, key = task["stage"], task["key"]
    folder = running_folder(store, stage, key)
    lease = Lease(folder, task.get("trial", ""))
    while True:
        if intact(store, stage, key):
            return "found"
        try:
            with lease:
                if intact(store, stage, key):
                    return "found"
                # The same thread count in every engine: sums in another order are other numbers.
                with threadpool_limits(task["threads"]):
                    _make(task, store, folder, device, lease)
                return "made"
        except LeaseHeldError:
            time.sleep(1.0)
        finally:
            if intact(store, stage, key) and folder.exists():
                shutil.rmtree(folder, ignore_errors=True)


def refuse_damage(task: Mapping[str, Any], store: Path) -> None:
    """Set aside every parent whose files are not what its manifest says; raises DamagedError naming them."""
    wrong = {stage: damage(store, stage, key) for stage, key in task["parents"].items()}
    wrong = {stage: reason for stage, reason in wrong.items() if reason}
    for stage in wrong:
        set_aside(store, stage, task["parents"][stage])
    if wrong:
        raise DamagedError(wrong)


def seed_of(task: Mapping[str, Any]) -> int:
    """Return a stage's own random seed, from its name and the cell's seed."""
    text = f"{task['stage']}/{task['seed']}/{task['record'].get('seed', '')}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def seed_all(seed: int) -> None:
    """Begin every stream of random numbers anew."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@dataclass(frozen=True)
class PreparedStage:
    """A stage rebuilt in this process and proven to be the planned one, with the code behind it."""

    cell: Cell
    stage: Stage
    identity: dict[str, Any]
    code: dict[str, Any]
    resources: Resources


def prepare(task: Mapping[str, Any], store: Path) -> PreparedStage:
    """Rebuild a task's stage; raises InputError where it is not the planned one, and DamagedError."""
    torch.set_num_threads(task["threads"])
    refuse_other_code(task)
    import_own()
    for package in task["methods"]:
        import_method(Package(**package))
    for plugin in task["plugins"]:
        load_plugin(*plugin)
    code = code_behind(task["record"])
    texts = [t if isinstance(t, Text) else Text(**{**t, "lines": tuple(t["lines"])}) for t in task["texts"]]
    recall(store)
    seed_all(seed_of(task))
    name = task["stage"]
    cell = configure_cell(texts, [name])
    stage = cell.stages[name]
    identity = stage.identity()
    if not is_part(identity, stage.record):
        raise InputError(f"stage {name}: its identity() holds what its record does not")
    key = key_of(identity, stage.version, task["parents"], stage.fingerprint(), task["seed"])
    if key != task["key"]:
        raise InputError(
            f"stage {name} was rebuilt with key {short(key)}, planned as {short(task['key'])}: "
            "the worker's code or data differ from the driver's"
        )
    refuse_damage(task, store)
    return PreparedStage(cell, stage, identity, code, cell.resources[name])


def carry_out(
    prepared: PreparedStage, task: Mapping[str, Any], store: Path, folder: Path, device: str
) -> dict[str, Any]:
    """Run a prepared stage in a folder; returns what of its manifest it knows, and `used`.

    used: whether it goes on from checkpoints. Raises what the stage raises.
    """
    stage_name, started = task["stage"], time.time()
    begin_measuring(device)
    cell, stage, resources = prepared.cell, prepared.stage, prepared.resources
    folders = {a: artifact_folder(store, a, k) for a, k in task["ancestors"].items()}
    parents = {}
    for name in stage.parents():
        built = build_stage(cell, name)
        parents[name] = load_network(built, folders[name], device) if isinstance(built, nn.Module) else built
    # What was built before must not decide what a stage draws.
    seed_all(seed_of(task))
    built = build_stage(cell, stage_name)
    if isinstance(built, nn.Module):
        built.to(device)
    made_on = {"host": socket.gethostname(), "gpu": _several(_gpu(device), resources.processes)}
    workspace = Workspace(
        folder,
        device,
        lambda p: write_json(folder / "progress.json", p),
        StepOrigin(prepared.code, made_on["host"], made_on["gpu"] or _several("cpu", resources.processes)),
        task.get("go_on", False),
        60 * resources.checkpoint_minutes,
        resources.compile,
    )
    workspace.log(
        f"start {stage_name} {short(task['key'])} on {made_on['host']} ({device}), seed {seed_of(task)}"
    )
    inputs = Inputs(parents, {p: folders[p] for p in stage.parents()})
    with saved_when_ended(workspace.checkpoints):
        splits = splits_of(cell.stages, stage_name)
        split = next(iter(splits)) if len(splits) == 1 else None
        outputs = check_outputs(stage_name, stage.run(inputs, workspace, built), split)
    workspace.log(f"done in {time.time() - started:.1f} s")
    more: dict[str, Any] = {
        "gpu_memory": peak_of(device),
        "segments": workspace.checkpoints.segments(),
        "notes": workspace.notes,
        "remarks": list(task.get("remarks", ())),
    }
    about = {"outputs": outputs, **made_on, "used": workspace.checkpoints.used}
    return about | {name: fact for name, fact in more.items() if fact}


def _make(task: Mapping[str, Any], store: Path, folder: Path, device: str, lease: Lease) -> None:
    started, busy = time.time(), time.process_time()
    clear_failure(folder)
    shutil.rmtree(folder / READY, ignore_errors=True)
    prepared = prepare(task, store)
    resources = prepared.resources
    with time_limit(resources.time_limit_s, folder, resources.longest_stall_s):
        if resources.processes == 1:
            about = carry_out(prepared, task, store, folder, device)
        else:
            about = carried_out_by_all(task, store, folder, device, resources.processes)
    check_samples(task["stage"], folder, about["outputs"].get("scores", {}))
    _gather(folder, check_files(task["stage"], folder, about.pop("used")))
    about = {**about, "identity": prepared.identity, "code": prepared.code}
    cpu_seconds = time.process_time() - busy + about.pop("cpu_seconds", 0.0)
    _finish(task, store, folder, about, started, cpu_seconds, lease)


def _gather(folder: Path, names: list[str]) -> None:
    """Link the files of a finished stage into one folder, as they will lie in the store."""
    ready = folder / READY
    ready.mkdir()
    for name in names:
        (ready / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / name, ready / name)


def _finish(
    task: Mapping[str, Any],
    store: Path,
    folder: Path,
    about: dict[str, Any],
    started: float,
    cpu_seconds: float,
    lease: Lease,
) -> None:
    """Write the manifest beside the gathered files and move both to their place."""
    ready = folder / READY
    files = {
        p.relative_to(ready).as_posix(): {"sha256": checksum(p), "bytes": p.stat().st_size}
        for p in sorted(ready.rglob("*"))
        if p.is_file()
    }
    gin_text = masked("\n".join(f"# {t['where']}\n{t['text']}" for t in _plain(task["texts"])))
    write_json(
        ready / MANIFEST,
        {
            "stage": task["stage"],
            "key": task["key"],
            "record": task["record"],
            "version": task["version"],
            "parents": task["parents"],
            "fingerprint": task["fingerprint"],
            "seed": task["seed"],
            "row": task["row"],
            "gin": gin_text,
            "files": files,
            "started": started,
            "seconds": time.time() - started,
            "cpu_seconds": cpu_seconds,
            **about,
            "software": {
                "rgx": rgx.__version__,
                "python": platform.python_version(),
                "torch": torch.__version__,
                **task.get("software", {}),
            },
        },
    )
    final = artifact_folder(store, task["stage"], task["key"])
    final.parent.mkdir(parents=True, exist_ok=True)
    lease.check()
    if final.exists():  # damaged, or this stage would not have run
        throw_away(store, final)
    ready.replace(final)


def _gpu(device: str) -> str:
    """Return the name of the GPU that a stage was given, or nothing."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else ""


def _several(name: str, count: int) -> str:
    return f"{count} × {name}" if name and count > 1 else name


def _plain(texts: Any) -> list[dict[str, Any]]:
    return [t if isinstance(t, dict) else {"where": t.where, "text": t.text} for t in texts]
