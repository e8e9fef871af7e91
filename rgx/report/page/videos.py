"""The videos that stages left for the rows of a panel, and how they come into the report's folder."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rgx.report.frames import Results, manifest_path
from rgx.report.statistics import Table
from rgx.store.keys import short

PER_ROW = 2
"""Videos shown of each row, so that the folder stays small."""
IN_ALL = 120
"""Videos shown in a report; a browser holds no more at once without getting slow."""
FOLDER = "videos"
STAGE, KEY = re.compile(r"[A-Za-z0-9_]+"), re.compile(r"[0-9a-f]{16,}")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.mp4")
BESIDE = "_beside.mp4"
"""How a stage names a comparison with the real video."""


@dataclass(frozen=True)
class Clip:
    """A video of the report: its file below the report's folder, where it lies, and what it shows."""

    file: str
    source: Path
    row: str
    label: str
    shows: str


def clips(tables: Sequence[Table], results: Results, store: Path) -> tuple[dict[str, list[Clip]], int]:
    """Return each panel's videos, IN_ALL at most, and how many more there are.

    A row shows up to PER_ROW videos of its first seed, those beside the real one if there are any. A
    stage, key or file whose name is no plain name is passed over: what a manifest says never leads out of
    the store or of the report's folder.
    """
    abouts = _Abouts()
    found: dict[str, list[Clip]] = {}
    room, more = IN_ALL, 0
    for table in tables:
        held = list(_of_table(table, results, store, abouts))
        found[table.name] = held[:room]
        more += len(held[room:])
        room -= len(held[:room])
    return found, more


def carry(shown: Sequence[Clip], folder: Path) -> list[Path]:
    """Copy videos into the report's folder where they are not there yet; raises OSError."""
    return [_copied(clip.source, folder / clip.file) for clip in shown]


def forget(former: object, kept: Collection[str], folder: Path) -> None:
    """Remove the videos among a report's former files that it no longer has; other files are let be."""
    for name in former if isinstance(former, list) else ():
        head, _, tail = str(name).partition("/")
        if head == FOLDER and FILE.fullmatch(tail) and name not in kept:
            (folder / FOLDER / tail).unlink(missing_ok=True)


class _Abouts(dict[Path, dict[str, Any]]):
    """What artifacts say of themselves by folder, each read once; nothing for one that says nothing."""

    def __missing__(self, folder: Path) -> dict[str, Any]:
        try:
            held = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            held = None
        self[folder] = held if isinstance(held, dict) else {}
        return self[folder]


def _of_table(table: Table, results: Results, store: Path, abouts: _Abouts) -> Iterator[Clip]:
    stage = table.panel.frames
    if stage is None:
        return
    first: dict[str, str] = {}
    for item in results.sweep.rows:
        if item.panel == table.name and stage in item.stages:
            first.setdefault(item.row, item.stages[stage])
    for row in table.rows:
        if row in first:
            yield from _of(row, table.label(row), stage, first[row], results, store, abouts)


def _of(
    row: str, label: str, stage: str, key: str, results: Results, store: Path, abouts: _Abouts
) -> Iterator[Clip]:
    manifest = results.manifests.get((stage, key))
    if manifest is None or not STAGE.fullmatch(stage) or not KEY.fullmatch(key):
        return
    folder = manifest_path(store, stage, key).parent
    files = manifest.get("files")
    names = sorted(name for name in files if FILE.fullmatch(name)) if isinstance(files, dict) else []
    chosen = [name for name in names if name.endswith(BESIDE)] or names
    for name in chosen[:PER_ROW]:
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(store.resolve()):
            window = re.match(r"\d+", name)
            clip = _clip(int(window[0]), manifest, folder, store, abouts) if window else name
            shows = f"{clip}, real beside generated" if name.endswith(BESIDE) else clip
            yield Clip(f"{FOLDER}/{stage}-{short(key)}-{name}", path, row, label, shows)


def _clip(window: int, manifest: dict[str, Any], folder: Path, store: Path, abouts: _Abouts) -> str:
    """Return the clip that holds the start of a window, as the stage and its parents tell it."""
    starts: Any = abouts[folder].get("starts")
    parents = manifest.get("parents")
    for stage, key in parents.items() if isinstance(parents, dict) else ():
        if not STAGE.fullmatch(stage) or not KEY.fullmatch(str(key)):
            continue
        try:
            for span in abouts[manifest_path(store, stage, key).parent].get("spans", ()):
                within = starts[window] - span["start"]
                if 0 <= within < span["frames"]:
                    return f"clip {span['name']} from frame {within}"
        except (KeyError, TypeError, IndexError):
            break
    return f"window {window}"


def _copied(source: Path, target: Path) -> Path:
    """Copy a file with its time, unless that has been done."""
    target.parent.mkdir(parents=True, exist_ok=True)
    given = source.stat()
    if target.is_file():
        held = target.stat()
        if (held.st_size, held.st_mtime_ns) == (given.st_size, given.st_mtime_ns):
            return target
    draft = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copy2(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target
