"""Where artifacts lie; the manifest, written last, is the only truth. Never imports torch."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from rgx.errors import InputError
from rgx.store.keys import short

MANIFEST = "manifest.json"


def artifact_folder(store: Path, stage: str, key: str) -> Path:
    """Return the folder of a finished stage."""
    return store / stage / short(key)


def running_folder(store: Path, stage: str, key: str) -> Path:
    """Return the folder a stage works in until it is finished."""
    return store / "running" / f"{stage}-{short(key)}"


def made_where(made: dict[str, Any]) -> str:
    """Return the machine a manifest names, and the GPU where it was made on one."""
    gpu = made.get("gpu")
    return f"{made.get('host') or '?'}{f' ({gpu})' if gpu else ''}"


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


def manifest(store: Path, stage: str, key: str) -> dict[str, Any] | None:
    """Return the manifest of a finished stage, or None where there is none of this key."""
    found = read_json(artifact_folder(store, stage, key) / MANIFEST)
    if not isinstance(found, dict) or found.get("key") != key:
        return None
    files = found.get("files", {})
    return found if isinstance(files, dict) and all(_is_file(*one) for one in files.items()) else None


def _is_file(name: str, facts: Any) -> bool:
    """Return whether a manifest names a file of its own folder, and tells its size."""
    own = name not in ("", ".", "..") and not {"/", "\0"} & set(name)
    return own and isinstance(facts, dict) and isinstance(facts.get("bytes"), int) and "sha256" in facts


def intact(store: Path, stage: str, key: str) -> bool:
    """Return whether a stage is finished and each of its files is there with the size the manifest gives.

    Content is compared where it is used, by `damage`.
    """
    found = manifest(store, stage, key)
    folder = artifact_folder(store, stage, key)
    return found is not None and all(
        _size(folder / n) == f["bytes"] for n, f in found.get("files", {}).items()
    )


def damage(store: Path, stage: str, key: str) -> str:
    """Return what is wrong with a finished stage's files by checksum, or nothing."""
    found = manifest(store, stage, key)
    if found is None:
        return "it has no manifest"
    folder = artifact_folder(store, stage, key)
    for name, facts in found["files"].items():
        if _size(folder / name) != facts["bytes"]:
            return f"{name} has {_size(folder / name)} bytes, its manifest says {facts['bytes']}"
        if checksum(folder / name) != facts["sha256"]:
            return f"{name} is not what its checksum says"
    return ""


def set_aside(store: Path, stage: str, key: str) -> None:
    """Move a damaged artifact to `damaged/`, where nothing takes it for a finished one."""
    target = store / "damaged" / f"{stage}-{short(key)}-{time.time_ns()}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        artifact_folder(store, stage, key).rename(target)
        (target / MANIFEST).rename(target / f"damaged_{MANIFEST}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


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
