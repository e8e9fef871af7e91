"""Keypoints for systems that made videos only: each is tracked once and kept beside its videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from rgx.errors import InputError
from rgx.gesture.apps.score import Systems, test_clips
from rgx.gesture.data.submissions import Submission
from rgx.gesture.poses.base import surest
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.prepare.extractors import Choice, read_choice
from rgx.gesture.video.files import read_frames, shape_of
from rgx.plugins import find_plugin
from rgx.run.parallel import map_tasks


def track_videos(
    systems: Systems, poses: str, imports: Sequence[str], out: Path, cpus: int, console: Console
) -> Systems:
    """Return the systems with keypoints for every test clip of which they have a video, made where absent.

    poses: a variant of the poses axis. cpus: how many videos at a time. Made ones lie under
    `out/tracked/<name>/`, beside links to the system's own files, and are made again when a video changes.
    Raises InputError for a video in which nobody is found.
    """
    plugins = tuple(find_plugin(name, Path.cwd()) for name in imports)
    choice = read_choice(poses, plugins, ())
    tests = test_clips(systems.real)
    folders: dict[str, Path] = {}
    for name, path in systems.made.items():
        folders[name], orders = _tracked(path, choice, tests, out / "tracked" / name)
        outcomes = map_tasks(_track, orders, min(cpus, len(orders)))
        for outcome in track(outcomes, f"poses of {name}", len(orders), console=console, disable=not orders):
            if outcome.error is not None:
                raise outcome.error
    return replace(systems, made=folders)


class TrackOrder(NamedTuple):
    """A video to be tracked, and the file its points go to."""

    video: Path
    choice: Choice
    made: Path


def _tracked(path: Path, choice: Choice, tests: Sequence[str], folder: Path) -> tuple[Path, list[TrackOrder]]:
    """Return the folder with a system's keypoints, and what is to be tracked first."""
    submission = Submission(str(path))
    keypoints, videos = submission.keypoints(), submission.videos()
    lacking = [clip for clip in tests if clip in videos and clip not in keypoints]
    if not lacking:
        return path, []
    _link(folder / "clips", videos)
    _link(folder / "keypoints", keypoints)
    tracks = {clip: folder / "keypoints" / f"{clip}.npz" for clip in lacking}
    old = [clip for clip in lacking if not _stands(tracks[clip], videos[clip])]
    return folder, [TrackOrder(videos[clip], choice, tracks[clip]) for clip in old]


def _stands(track: Path, video: Path) -> bool:
    return track.is_file() and track.stat().st_mtime_ns >= video.stat().st_mtime_ns


def _link(folder: Path, files: dict[str, Path]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in files.values():
            link = folder / path.name
            link.unlink(missing_ok=True)
            link.symlink_to(path)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None


def _track(order: TrackOrder) -> None:
    video, track = order.video, order.made
    extractor = order.choice.make(video).extractor
    _, width, height = shape_of(video)

    def frames() -> Iterator[np.ndarray]:
        yield from read_frames(video, width)

    points = np.stack([surest(people) for people in extractor.track(frames())])
    if not points[..., 2].any():
        raise InputError(f"{video}: nobody is found in any frame")
    draft = track.with_suffix(".draft")
    write_own_npz(draft, points, width, height)
    draft.replace(track)
