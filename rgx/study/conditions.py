"""Where a condition's videos are: rows in the store, folders, and what rows are measured against."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.methods import methods_at_hand, reference_films
from rgx.store.cells import find_cells, row_key
from rgx.store.manifests import Manifests
from rgx.store.records import SweepRow
from rgx.study.study_file import Condition, StudyFile
from rgx.yaml_source import Source

ENDINGS = (".mp4", ".webm", ".mkv", ".mov", ".avi")
SHOWN = 5
EXAMPLE = "SWEEP:panel/row, such as my_sweep:main/full"


@dataclass(frozen=True)
class Located:
    """A condition's videos by scene, and the row behind them, where one is; videos: empty for an anchor."""

    videos: Mapping[str, Path]
    sweep: str = ""
    row: str = ""
    seed: int = 0
    stages: Mapping[str, str] = field(default_factory=dict)


def locate(study: StudyFile, source: Source, store: Path, scratch: Path) -> dict[str, Located]:
    """Return where each condition's videos are; scratch: where references are filmed.

    Raises InputError with the line of a condition that has none, or that lacks a scene others have.
    """
    located = {}
    for name, condition in study.conditions.items():
        (kind,) = condition.kinds
        where = source.where(["conditions", name, kind])
        try:
            located[name] = _located(study, condition, kind, source.path.parent, store, scratch / name)
        except InputError as error:
            raise InputError(f"{where}: condition '{name}': {error}") from None
    return located


def scenes_of(study: StudyFile, source: Source, located: Mapping[str, Located]) -> list[str]:
    """Return the scenes shown of every condition, in order; raises InputError for what is missing."""
    whole = {name: own.videos for name, own in located.items() if own.videos}
    known = sorted({scene for videos in whole.values() for scene in videos})
    scenes = [scene for scene in known if fnmatch.fnmatchcase(scene, study.scenes.names)]
    if not scenes:
        some = ", ".join(known[:SHOWN])
        raise InputError(
            f"{source.where(['scenes', 'names'])}: no file fits '{study.scenes.names}'; there are {some}"
        )
    scenes = _as_many(study, source, scenes)
    problems = []
    for name, videos in whole.items():
        if absent := [scene for scene in scenes if scene not in videos]:
            more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            problems.append(
                f"{source.where(['conditions', name])}: condition '{name}' lacks {', '.join(absent[:SHOWN])}"
                f"{more} of {len(scenes)} scenes; the same scenes are shown of every condition"
            )
    if problems:
        raise InputError("\n".join(problems))
    return scenes


def _as_many(study: StudyFile, source: Source, scenes: list[str]) -> list[str]:
    """Return as many scenes as are wanted, evenly over all of them."""
    count = study.scenes.count
    if count is None or count == len(scenes):
        return scenes
    if count > len(scenes):
        raise InputError(
            f"{source.where(['scenes', 'count'])}: {count} scenes are wanted, and there are {len(scenes)}"
        )
    return [scenes[n * len(scenes) // count] for n in range(count)]


def _located(
    study: StudyFile, condition: Condition, kind: str, near: Path, store: Path, scratch: Path
) -> Located:
    if condition.base is not None:
        return Located({})
    if condition.folder is not None:
        return Located(_videos((near / Path(condition.folder).expanduser()).resolve()))
    address = condition.row or condition.reference_of or ""
    row = find_cells(address, store, condition.seed, EXAMPLE)[0]
    folders = _finished(row, condition.stage, Manifests(store))
    shown = folders[condition.stage]
    if kind != "row":
        _film(folders, condition.stage, scratch, near)
        shown = scratch
    sweep = address.partition(":")[0]
    return Located(_videos(shown), sweep=sweep, row=row_key(row), seed=row.seed, stages=row.stages)


def _finished(row: SweepRow, stage: str, manifests: Manifests) -> dict[str, Path]:
    if stage not in row.stages:
        raise InputError(f"{row_key(row)} has no stage '{stage}': {nearest(stage, row.stages)}")
    folders = {
        name: manifests.folder(name, key) for name, key in row.stages.items() if manifests.has(name, key)
    }
    if stage not in folders:
        reason = manifests.fault(stage, row.stages[stage]) or "run the sweep first"
        raise InputError(
            f"{row_key(row)} at seed {row.seed}: its stage '{stage}' is not in the store: {reason}"
        )
    return folders


def _film(folders: Mapping[str, Path], stage: str, out: Path, near: Path) -> None:
    """Write what a row's videos are measured against, by the first method that knows how."""
    for package in methods_at_hand(near):
        if (film := reference_films(package)) is not None:
            film(folders, stage, out)
            return
    raise InputError("no method at hand films what its rows are measured against; give a folder of videos")


def _videos(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(f"no folder {folder}")
    videos = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS}
    if not videos:
        raise InputError(f"{folder} has no video; expected files that end in {', '.join(ENDINGS)}")
    return videos
