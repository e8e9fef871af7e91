"""The manifests of a store, each read once, and the one rule of what a finished artifact is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from rgx.store.artifacts import MANIFEST, artifact_folder, checksum, made_where, read_object
from rgx.store.keys import key_fault, short
from rgx.store.records import Manifest

KEY = re.compile(r"[0-9a-f]{64}")
SHORT_KEY = re.compile(r"[0-9a-f]{16}")
COMMITS = {"commit", "dirty", "own_repository", "own_commit", "own_dirty"}
"""The entries of a manifest's software that are said by `commits_of`."""
NOT_STAGES = {"sweeps", "runs", "searches", "running", "damaged", "tracking", "trash"}


def read_manifest(store: Path, stage: str, key: str) -> tuple[Manifest | None, str]:
    """Return the manifest in an artifact's folder, or None and why it counts for none.

    key: whole, or its first 16 hex. The reason is empty where there is no manifest at all.
    """
    path = artifact_folder(store, stage, key) / MANIFEST
    content = read_object(path)
    if content is None:
        return None, "its manifest cannot be read" if path.exists() else ""
    if reason := manifest_fault(content, stage, key):
        return None, reason
    return cast(Manifest, content), ""


def manifest_fault(content: dict[str, Any], stage: str, key: str) -> str:
    """Return why a JSON object is not the manifest of a stage's key, or nothing."""
    own = content.get("key")
    if content.get("stage") != stage or not isinstance(own, str) or not own.startswith(key):
        return f"its manifest is of {content.get('stage') or 'no stage'}, key {own or 'none'}"
    parents = content.get("parents")
    if not isinstance(content.get("record"), dict) or not isinstance(parents, dict):
        return "its manifest lacks a record or parents"
    if not all(isinstance(parent, str) for parent in parents.values()):
        return "its manifest names parents by what is no key"
    if not isinstance(content.get("outputs", {}), dict):
        return "its manifest's outputs are no mapping"
    files = content.get("files", {})
    if not isinstance(files, dict) or not all(is_file_of(*item) for item in files.items()):
        return "its manifest names what is no file of its own"
    return key_fault(content)


def is_file_of(name: str, facts: Any) -> bool:
    """Return whether a manifest names a file inside its own folder, and tells its size."""
    inside = not {"", ".", ".."} & set(name.split("/")) and "\0" not in name
    return inside and isinstance(facts, dict) and isinstance(facts.get("bytes"), int) and "sha256" in facts


def manifest(store: Path, stage: str, key: str) -> Manifest | None:
    """Return the manifest of a finished stage, or None where there is none of this key."""
    return read_manifest(store, stage, key)[0]


def intact(store: Path, stage: str, key: str) -> bool:
    """Return whether a stage is finished and each of its files is there with the size the manifest gives.

    Content is compared where it is used, by `damage`.
    """
    return not any(_wrong_sizes(store, stage, key))


def damage(store: Path, stage: str, key: str) -> str:
    """Return what is wrong with a finished stage's manifest or, by checksum, its files, or nothing."""
    for reason in _wrong_sizes(store, stage, key):
        return reason
    folder = artifact_folder(store, stage, key)
    content = manifest(store, stage, key)
    for name, facts in content.get("files", {}).items() if content else ():
        if checksum(folder / name) != facts["sha256"]:
            return f"{name} is not what its checksum says"
    return ""


def _wrong_sizes(store: Path, stage: str, key: str) -> Iterator[str]:
    content, reason = read_manifest(store, stage, key)
    if content is None:
        yield reason or "it has no manifest"
        return
    folder = artifact_folder(store, stage, key)
    for name, facts in content.get("files", {}).items():
        if (size := _size(folder / name)) != facts["bytes"]:
            yield f"{name} has {size} bytes, its manifest says {facts['bytes']}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


class Manifests:
    """The finished artifacts of a store; a folder without a whole manifest of its own key is none."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self._known: dict[tuple[str, str], tuple[Manifest | None, str]] = {}

    def get(self, stage: str, key: str) -> Manifest | None:
        """Return the manifest of an artifact, or None where it is not in the store."""
        content, _ = self._look(stage, key)
        return content if content is not None and content["key"].startswith(key) else None

    def fault(self, stage: str, key: str) -> str:
        """Return why the folder of an artifact holds none, or nothing: it is not there, or it is whole."""
        content, reason = self._look(stage, key)
        return reason if content is None or content["key"].startswith(key) else "its manifest has another key"

    def has(self, stage: str, key: str) -> bool:
        """Return whether an artifact is finished, without reading it: its manifest is written last, whole."""
        return (self.folder(stage, key) / MANIFEST).is_file()

    def of(self, stage: str) -> list[Manifest]:
        """Return the manifests of a stage's artifacts."""
        every = (self.get(stage, key) for key in self._keys(stage))
        return [content for content in every if content is not None]

    def folders(self) -> list[tuple[str, str]]:
        """Return (stage, first 16 hex of the key) of every folder that looks like an artifact's."""
        names = sorted(p.name for p in self.store.iterdir()) if self.store.is_dir() else []
        stages = [name for name in names if name not in NOT_STAGES and not name.startswith(".")]
        return [(stage, key) for stage in stages for key in self._keys(stage)]

    def folder(self, stage: str, key: str) -> Path:
        """Return where an artifact lies."""
        return artifact_folder(self.store, stage, key)

    def _keys(self, stage: str) -> list[str]:
        place = self.store / stage
        names = [path.name for path in place.iterdir()] if place.is_dir() else []
        return sorted(name for name in names if SHORT_KEY.fullmatch(name))

    def _look(self, stage: str, key: str) -> tuple[Manifest | None, str]:
        node = stage, short(key)
        if node not in self._known:
            self._known[node] = self._read(*node)
        return self._known[node]

    def _read(self, stage: str, start: str) -> tuple[Manifest | None, str]:
        return read_manifest(self.store, stage, start)


def number(value: object) -> float | None:
    """Return a number that can be printed, or None."""
    try:
        return float(value) if isinstance(value, (int, float)) else None
    except OverflowError:
        return None


def part(content: Any, *names: str) -> dict[str, Any]:
    """Return a mapping inside a manifest, or an empty one where there is none."""
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content if isinstance(content, dict) else {}


def made_when(manifest: Mapping[str, Any]) -> str:
    """Return how long an artifact took, where and when it was made."""
    return f"{seconds_of(manifest)} s on {made_where(manifest)}, {when(manifest)}"


def commits_of(software: Mapping[str, Any]) -> list[str]:
    """Return rgx's commit, perhaps empty, and the name and commit of a person's repository, if any.

    What is not as committed is said of each.
    """
    changes = [" with uncommitted changes" * (software.get(name) == "yes") for name in ("dirty", "own_dirty")]
    own = [f"{software.get('own_repository')} {software['own_commit']}"] if software.get("own_commit") else []
    said = zip([str(software.get("commit") or ""), *own], changes, strict=False)
    return [commit + (changed if commit else "") for commit, changed in said]


def seconds_of(manifest: Mapping[str, Any]) -> str:
    """Return an artifact's seconds with one decimal, or '?'."""
    seconds = number(manifest.get("seconds"))
    return "?" if seconds is None else f"{seconds:.1f}"


def when(manifest: Mapping[str, Any]) -> str:
    """Return when an artifact was begun, in local time, or '?'."""
    started = manifest.get("started")
    if not isinstance(started, (int, float)):
        return "?"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(started))
    except (OverflowError, ValueError, OSError):
        return "?"
