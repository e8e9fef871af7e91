"""Where artifacts lie; the manifest, written last, is the only truth. Never imports torch."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from rgx.errors import InputError

MANIFEST = "manifest.json"


def artifact_folder(store: Path, stage: str, key: str) -> Path:
    """Return the folder of a finished stage."""
    return store / stage / key[:16]


def running_folder(store: Path, stage: str, key: str) -> Path:
    """Return the folder a stage works in until it is finished."""
    return store / "running" / f"{stage}-{key[:16]}"


def read_json(path: Path) -> Any:
    """Return a JSON file's content, or None where there is none or it is cut short."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError, NotADirectoryError):
        return None


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
    """Return the manifest of a finished stage, or None."""
    found = read_json(artifact_folder(store, stage, key) / MANIFEST)
    return found if isinstance(found, dict) and found.get("key") == key else None


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
