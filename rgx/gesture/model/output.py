"""Where a performance goes: an mp4 with its speech, or keypoints in an .npz."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.gesture.model.gesture_model import Performance
from rgx.gesture.model.motion_file import write_motion
from rgx.gesture.video.files import write_mp4


def _film(performance: Performance, out: Path) -> None:
    write_mp4(out, performance.pictures(), performance.sound.by_frame())


def _keypoints(performance: Performance, out: Path) -> None:
    write_motion(out, performance.poses(), performance.frames, performance.size_px)


WRITERS: dict[str, Callable[[Performance, Path], None]] = {".mp4": _film, ".npz": _keypoints}


def write_performance(performance: Performance, out: Path) -> None:
    """Write a performance as it comes, by the file's suffix; the file appears when all of it is there."""
    WRITERS[out.suffix](performance, out)


def check_out(out: Path) -> None:
    """Raise InputError for a file that no performance can be written to."""
    if out.suffix not in WRITERS:
        raise InputError(f"--out {out}: files of '{out.suffix}': {nearest(out.suffix, WRITERS)}")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.absolute().parent}")
