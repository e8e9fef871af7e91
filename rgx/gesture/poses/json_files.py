"""Keypoints in JSON: a folder of frames, or one file of all of them, in whichever dialect they are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses import coco_files, mediapipe_files, mmpose_files, openpose_files
from rgx.gesture.poses.dialect import Dialect, Frame, described, stacked
from rgx.gesture.skeleton import POINTS

DIALECTS: tuple[Dialect, ...] = (openpose_files.DIALECT, mediapipe_files.DIALECT, *mmpose_files.DIALECTS)
"""What a frame may be written in; the first that a frame shows signs of is taken for all."""
GZIP = b"\x1f\x8b"


def read_json(path: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) of a JSON file of all frames; raises InputError naming its frame."""
    content = load_json(path)
    if coco_files.tells(content):
        return coco_files.read(path, content, width_px, height_px)
    return _people(path, _listed(path, content), width_px, height_px)


def read_json_folder(folder: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the people (T, P, 133, 3) of a JSON file a frame; raises InputError naming file and person."""
    frames = [Frame(str(path), load_json(path)) for path in numbered(folder, ".json")]
    return _people(folder, frames, width_px, height_px)


def dialect_of(path: Path) -> str:
    """Return what a JSON file, or a folder of them, is written in; raises InputError when nothing tells."""
    if path.is_dir():
        return _spoken([Frame(str(file), load_json(file)) for file in numbered(path, ".json")]).name
    content = load_json(path)
    return coco_files.NAME if coco_files.tells(content) else _spoken(_listed(path, content)).name


def numbered(folder: Path, suffix: str) -> list[Path]:
    """Return a folder's files in order of the last number in their names; raises InputError for gaps."""
    order: dict[int, Path] = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix == suffix):
        numbers = re.findall(r"[0-9]+", path.stem)
        if not numbers:
            raise InputError(f"{path}: no frame number in its name")
        if (other := order.setdefault(int(numbers[-1]), path)) != path:
            raise InputError(f"{folder}: {other.name} and {path.name} are both frame {int(numbers[-1])}")
    if not order:
        raise InputError(f"{folder}: no {suffix} files, expected one a frame")
    first, last = min(order), max(order)
    if len(order) != last - first + 1:
        absent = next(n for n in range(first, last) if n not in order)
        raise InputError(
            f"{folder}: frame {absent} is missing between {order[first].name} and {order[last].name}"
        )
    return [order[n] for n in sorted(order)]


def load_json(path: Path) -> Any:
    """Return what a JSON file holds, as a list where it has a value a line; raises InputError for others."""
    content = b""
    try:
        content = path.read_bytes()
        return json.loads(content)
    except (OSError, ValueError, RecursionError) as error:
        lines = content.splitlines()
        if len(lines) > 1 and lines[0].strip().startswith(b"{") and b"}" in lines[0]:
            return _lines(path, lines)
        begin = content[:16].decode("ascii", "replace").strip()
        text = f"it begins with {begin!r}: {error}" if begin else "it is empty"
        text = "it is compressed, unpack it" if content.startswith(GZIP) else text
        raise InputError(f"{path}: unreadable as JSON: {text}") from None


def _lines(path: Path, lines: Sequence[bytes]) -> list[Any]:
    content = []
    for n, line in enumerate(lines, 1):
        try:
            content += [json.loads(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{n}: unreadable as JSON, a value a line: {error}") from None
    return content


def _listed(path: Path, content: Any) -> list[Frame]:
    """Return the frames of a file of all of them; raises InputError where it has none, or not in order."""
    listed = content
    if isinstance(content, dict):
        listed = next((content[key] for key in ("instance_info", "frames") if key in content), None)
    if not isinstance(listed, list) or not listed:
        expected = "a list of frames, or an object with 'instance_info' or 'frames' or a COCO annotation"
        raise InputError(f"{path}: {described(content)}: expected {expected}")
    if isinstance(listed[0], dict) and {"frame_id", "instances"} & set(listed[0]):
        return mmpose_files.in_order(path, listed)
    return [Frame(f"{path}: frame {n}", frame) for n, frame in enumerate(listed)]


def _spoken(frames: Sequence[Frame]) -> Dialect:
    """Return the dialect of the first frame that shows signs of one; raises InputError where none does."""
    for frame in frames:
        for dialect in DIALECTS:
            if dialect.tells(frame.content):
                return dialect
    signs = "; ".join(f"{dialect.name} ({dialect.sign})" for dialect in DIALECTS)
    raise InputError(f"{frames[0].where}: {described(frames[0].content)}: expected one of: {signs}")


def _people(path: Path, frames: Sequence[Frame], width_px: int, height_px: int) -> np.ndarray:
    dialect = _spoken(frames)
    pictures, nobody = (width_px, height_px), np.zeros((0, POINTS, 3), np.float32)
    people = [nobody if f.content is None else dialect.people(f, pictures) for f in frames]
    _check_pixels(path, people)
    return stacked(people)


def _check_pixels(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Raise InputError for shares of the picture where px belong: they would all fall on its first pixel."""
    coordinates = np.concatenate([frame[frame[..., 2] > 0, :2].ravel() for frame in frames])
    if coordinates.size and np.abs(coordinates).max() <= 1:
        raise InputError(f"{path}: coordinates of at most 1, expected px: write them unscaled")
