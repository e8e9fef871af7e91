"""The videos that stages left for the rows of a panel, and how they come into the report's folder."""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rgx.report.figures.base import Material
from rgx.report.figures.panel_pictures import of_panel
from rgx.report.page.captions import Artifact, Captions
from rgx.report.page.posters import POSTER, put_poster
from rgx.report.results import Results, manifest_path
from rgx.report.statistics import Table

PER_ROW = 2
"""Videos shown of each row, so that the folder stays small."""
IN_ALL = 120
"""Videos shown in a report; a browser holds no more at once without getting slow."""
FOLDER = "videos"
STAGE, KEY = re.compile(r"[A-Za-z0-9_]+"), re.compile(r"[0-9a-f]{16,}")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.mp4")
OURS = re.compile(rf"{FILE.pattern}|[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}\{POSTER}")
"""What a report leaves among its videos, and may remove."""
BESIDE = "_beside.mp4"
"""How a stage names a video that shows the reference beside."""


ROWS, ALL_ROWS = "rows-", "All rows"
"""How the file of a film of all rows begins, and what it is called."""


@dataclass(frozen=True)
class ReportVideo:
    """A video of the report: its file below the report's folder, how it comes there, and what it shows.

    row: whose it is, or nothing where it is all rows'; poster: the file of its first picture, or nothing.
    """

    file: str
    put: Callable[[Path], None]
    row: str
    label: str
    shows: str
    poster: str = ""

    @property
    def files(self) -> list[str]:
        """Return its files below the report's folder."""
        return [self.file, *([self.poster] if self.poster else [])]


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


def film_of(table: Table, material: Material) -> list[ReportVideo]:
    """Return all rows of a panel as one video, where a kind of figure films its pictures; raises InputError.

    Its file is named after what it is made of, so that it is made once.
    """
    figure = of_panel(table.name, table.panel) if table.panel.film else None
    film = figure.film(material) if figure is not None else None
    if film is None:
        return []
    name = hashlib.sha256(film.content.encode()).hexdigest()[:16]

    def put(target: Path) -> None:
        if not target.is_file():
            print(f"filming all rows of {table.name}: once, while they stay as they are", file=sys.stderr)
            film.write(target)

    return [ReportVideo(f"{FOLDER}/{ROWS}{name}.mp4", put, "", ALL_ROWS, film.shows)]


def put_video(video: ReportVideo, folder: Path) -> ReportVideo:
    """Put a video and its poster into the report's folder where they are not yet; raises OSError."""
    target = folder / video.file
    target.parent.mkdir(parents=True, exist_ok=True)
    video.put(target)
    poster = target.with_suffix(POSTER)
    return replace(video, poster=f"{FOLDER}/{poster.name}") if put_poster(target, poster) else video


def remove_videos(former: object, names: Collection[str], folder: Path) -> None:
    """Remove those videos and posters of a report's former files that it no longer has, and no other."""
    for name in former if isinstance(former, list) else ():
        head, _, tail = str(name).partition("/")
        if head == FOLDER and OURS.fullmatch(tail) and name not in names:
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
                yield ReportVideo(file, partial(_copy, path), row, table.label(row), shows)


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


def _copy(source: Path, target: Path) -> None:
    """Copy a file with its time, unless that has been done."""
    given = source.stat()
    if target.is_file():
        there = target.stat()
        if (there.st_size, there.st_mtime_ns) == (given.st_size, given.st_mtime_ns):
            return
    draft = target.with_name(f".{target.name}.tmp")
    try:
        shutil.copy2(source, draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
