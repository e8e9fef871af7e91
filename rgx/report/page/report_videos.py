"""The videos that stages left for the rows of a panel, and how they come into the report's folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rgx.report.page.captions import Artifact, Captions
from rgx.report.results import Results, manifest_path
from rgx.report.statistics import Table

PER_ROW = 2
"""Videos shown of each row, so that the folder stays small."""
IN_ALL = 120
"""Videos shown in a report; a browser holds no more at once without getting slow."""
FOLDER = "videos"
STAGE, KEY = re.compile(r"[A-Za-z0-9_]+"), re.compile(r"[0-9a-f]{16,}")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.mp4")
BESIDE = "_beside.mp4"
"""How a stage names a video that shows the reference beside."""


@dataclass(frozen=True)
class ReportVideo:
    """A video of the report: its file below the report's folder, where it lies, and what it shows."""

    file: str
    source: Path
    row: str
    label: str
    shows: str


def gather_videos(
    tables: Sequence[Table], results: Results, store: Path
) -> tuple[dict[str, list[ReportVideo]], int]:
    """Return each panel's videos, IN_ALL at most, and how many more there are.

    A row shows up to PER_ROW videos of its first seed, those with the reference beside if there are any. A
    stage, key or file whose name is no plain name is passed over: what a manifest says never leads out of
    the store or of the report's folder.
    """
    captions = Captions()
    shown: dict[str, list[ReportVideo]] = {}
    room, more = IN_ALL, 0
    for table in tables:
        videos = list(_of_table(table, results, store, captions))
        shown[table.name] = videos[:room]
        more += len(videos[room:])
        room -= len(videos[:room])
    return shown, more


def copy_videos(shown: Sequence[ReportVideo], folder: Path) -> list[Path]:
    """Copy videos into the report's folder where they are not there yet; raises OSError."""
    return [_copied(video.source, folder / video.file) for video in shown]


def remove_videos(former: object, names: Collection[str], folder: Path) -> None:
    """Remove the videos among a report's former files that it no longer has; other files are let be."""
    for name in former if isinstance(former, list) else ():
        head, _, tail = str(name).partition("/")
        if head == FOLDER and FILE.fullmatch(tail) and name not in names:
            (folder / FOLDER / tail).unlink(missing_ok=True)


def _of_table(table: Table, results: Results, store: Path, captions: Captions) -> Iterator[ReportVideo]:
    stage = table.panel.pictures
    if stage is None:
        return
    first: dict[str, str] = {}
    for item in results.sweep.rows:
        if item.panel == table.name and stage in item.stages:
            first.setdefault(item.row, item.stages[stage])
    for row in table.rows_of or table.rows:
        if row in first:
            for name, path, shows in _of_artifact(stage, first[row], results, store, captions):
                file = f"{FOLDER}/{stage}-{first[row][:16]}-{name}"
                yield ReportVideo(file, path, row, table.label(row), shows)


def _of_artifact(
    stage: str, key: str, results: Results, store: Path, captions: Captions
) -> Iterator[tuple[str, Path, str]]:
    """Give name, place and caption of the videos shown of an artifact."""
    manifest = results.manifests.get((stage, key))
    if manifest is None or not _is_plain(stage, key):
        return
    folder = manifest_path(store, stage, key).parent
    files, parents = manifest.get("files"), manifest.get("parents")
    names = sorted(name for name in files if FILE.fullmatch(name)) if isinstance(files, dict) else []
    nodes = parents.items() if isinstance(parents, dict) else ()
    places = [manifest_path(store, parent, of).parent for parent, of in nodes if _is_plain(parent, of)]
    artifact = Artifact(folder, tuple(places))
    chosen = [name for name in names if name.endswith(BESIDE)] or names
    for name in chosen[:PER_ROW]:
        path = folder / name
        if path.is_file() and path.resolve().is_relative_to(store.resolve()):
            yield name, path, captions.describe(name, artifact)


def _is_plain(stage: object, key: object) -> bool:
    """Return whether a stage and a key have only letters that lead to no other folder."""
    return bool(STAGE.fullmatch(str(stage)) and KEY.fullmatch(str(key)))


def _copied(source: Path, target: Path) -> Path:
    """Copy a file with its time, unless that has been done."""
    target.parent.mkdir(parents=True, exist_ok=True)
    given = source.stat()
    if target.is_file():
        there = target.stat()
        if (there.st_size, there.st_mtime_ns) == (given.st_size, given.st_mtime_ns):
            return target
    draft = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copy2(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target
