"""Keypoints in tables, a line a frame and a column a coordinate, as published tracks are."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import scored
from rgx.gesture.poses.dialect import numbers_in
from rgx.gesture.poses.point_sets import placed

NAME = "a table of MediaPipe's points"
COLUMN = re.compile(r"X_(?P<point>.+)")
SIDES = ("LEFT_", "RIGHT_")
HAND = re.compile(r"(?:LEFT|RIGHT)_(?:WRIST|THUMB|INDEX|MIDDLE|RING|PINKY).*")
NAMES = {part: f"the {part.replace('_', ' ')}" for part in ("body", "face", "left_hand", "right_hand")}


def read_csv(path: Path, width_px: int, height_px: int) -> np.ndarray:
    """Return the one person (T, 1, 133, 3) of a table, or of a folder of tables, one a part.

    Columns X_NAME, Y_NAME and, for the body, visibility_NAME; coordinates are shares of the picture, and an
    empty one is not found. Raises InputError for other columns, numbers and lengths.
    """
    parts: dict[str, np.ndarray] = {}
    for file in sorted(path.glob("*.csv")) if path.is_dir() else [path]:
        for part, points in _parts(file):
            if part in parts:
                raise InputError(f"{file}: {NAMES[part]} is in another table of {path} too")
            parts[part] = points
    lengths = {len(points) for points in parts.values()}
    if len(lengths) != 1:
        raise InputError(
            f"{path}: tables of {' and '.join(map(str, sorted(lengths)))} frames: expected as many"
        )
    points = placed(parts, str(path), NAMES)
    return scored(points[..., :2] * (width_px, height_px), points[..., 2])[:, None]


def _parts(file: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the parts of a table, each (T, K, 3): x, y and score; raises InputError."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            head, *rows = list(csv.reader(lines))
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file}: unreadable as a table: {error}") from None
    starts = [(n, match["point"]) for n, name in enumerate(head) if (match := COLUMN.fullmatch(name.strip()))]
    if not starts or not rows:
        raise InputError(f"{file}: no columns X_…, Y_…, or no lines: expected {NAME}, a line a frame")
    if wrong := next((n for n, row in enumerate(rows, 2) if len(row) != len(head)), None):
        raise InputError(f"{file}:{wrong}: {len(rows[wrong - 2])} columns, the first line has {len(head)}")
    judged = any(name.startswith("visibility_") for name in head)
    for part, columns in _grouped(starts, judged).items():
        frames = [[_point(head, row, n) for n in columns] for row in rows]
        yield part, _cells(file, frames)


def _grouped(starts: list[tuple[int, str]], judged: bool) -> dict[str, list[int]]:
    """Return the columns in which a part's points begin; a table with visibilities is of a body."""
    if judged:
        return {"body": [n for n, _ in starts]}
    if not all(HAND.fullmatch(name) for _, name in starts):
        return {"face": [n for n, _ in starts]}
    sides = {f"{side.lower()}hand": [n for n, name in starts if name.startswith(side)] for side in SIDES}
    return {part: columns for part, columns in sides.items() if columns}


def _point(head: list[str], row: list[str], start: int) -> list[str]:
    """Return the x, y and score of the point that begins in a column, as they are written."""
    point = head[start].strip()[2:]
    rest = {name.strip(): row[n] for n, name in enumerate(head[start : start + 4], start)}
    return [row[start], rest.get(f"Y_{point}", ""), rest.get(f"visibility_{point}", "1")]


def _cells(file: Path, frames: list[list[list[str]]]) -> np.ndarray:
    """Return cells as numbers (T, K, 3), an empty one as a point that was not found; raises InputError."""
    cells = np.array(frames)
    empty = (np.char.strip(cells) == "") | (np.char.lower(np.char.strip(cells)) == "nan")
    absent = empty.any(axis=-1, keepdims=True)
    return numbers_in(str(file), np.where(absent, "0", cells))
