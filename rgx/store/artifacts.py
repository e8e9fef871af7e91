"""Where artifacts lie; the manifest, written last, is the only truth. Never imports torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.store.keys import short

MANIFEST = "manifest.json"
FAILURE = "failure.json"
IMPORTED = "imported.json"
"""Beside the manifest of what was taken in: the bundle it came from."""
READY = "artifact"
"""The folder in which a finished stage's files are gathered."""
LAST, PREVIOUS, FRESH = "checkpoint.safetensors", "checkpoint.previous.safetensors", "checkpoint.new"
BROKEN, OTHER_CODE = "checkpoint.broken.safetensors", "checkpoint.other-code.safetensors"
CHECKPOINTS = frozenset({LAST, PREVIOUS, FRESH, BROKEN, OTHER_CODE})
RESERVED = CHECKPOINTS | {"lease.json", "progress.json", FAILURE, MANIFEST, IMPORTED, READY}
"""Names in a running stage's folder that are the framework's own."""
PIECE = r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,199}"
"""What a file of an artifact, or a folder in it, may be called, so that any system and a bundle takes it."""
DEEPEST = 8
"""How deep in folders a file of an artifact may lie."""


def artifact_folder(store: Path, stage: str, key: str) -> Path:
    """Return the folder of a finished stage."""
    return store / stage / short(key)


def running_folder(store: Path, stage: str, key: str) -> Path:
    """Return the folder a stage works in until it is finished."""
    return store / "running" / f"{stage}-{short(key)}"


def bundle_of(store: Path, stage: str, key: str) -> str:
    """Return the file of the bundle that an artifact was taken in from, or nothing for one made here."""
    return str((read_object(artifact_folder(store, stage, key) / IMPORTED) or {}).get("bundle", ""))


def made_where(manifest: Mapping[str, Any]) -> str:
    """Return the machine a manifest names, and the GPU where it was made on one."""
    gpu = manifest.get("gpu")
    return f"{manifest.get('host') or '?'}{f' ({gpu})' if gpu else ''}"


def read_json(path: Path) -> Any:
    """Return a JSON file's content, or None where there is none or it is cut short."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError, NotADirectoryError):
        return None


def read_object(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or None where there is no file or no whole object in it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file so that a reader sees the old or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)


def set_aside(store: Path, stage: str, key: str) -> None:
    """Move a damaged artifact to `damaged/`, where nothing takes it for a finished one."""
    target = store / "damaged" / f"{stage}-{short(key)}-{time.time_ns()}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        artifact_folder(store, stage, key).rename(target)
        (target / MANIFEST).rename(target / f"damaged_{MANIFEST}")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_store(store: Path) -> Path:
    """Return the store's absolute path, made if absent; raises InputError when it cannot be written."""
    store = store.expanduser().resolve()
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=store):
            pass
    except OSError as error:
        raise InputError(f"the store {store} cannot be written: {error.strerror}") from error
    return store
