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
POINTS_OF_NUMBERS = {",": ".", ";": ",", "\t": "."}
"""What parts the cells of a table → what its numbers are written with."""
COUNTERS = {"frame", "frame_id", "frame_number", "time", "timestamp", "time_ms", "seconds"}
"""Columns that say which frame a line is, or when."""
LONG, SHOWN = 1.7, 3
EMPTY = ("", "nan", "na", "n/a", "null", "none")
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
    head, rows = _table(file)
    starts = [(n, match["point"]) for n, name in enumerate(head) if (match := COLUMN.fullmatch(name))]
    if not starts or not rows:
        begin = ", ".join(head[:SHOWN])
        expected = f"expected {NAME}, a line a frame; the first line begins {begin}"
        raise InputError(f"{file}: no columns X_…, Y_…, or no lines: {expected}")
    if lone := next((point for n, point in starts if head[n + 1 : n + 2] != [f"Y_{point}"]), None):
        raise InputError(f"{file}: column X_{lone} is not followed by Y_{lone}: expected {NAME}")
    _check_order(file, head, rows)
    judged = any(name.startswith("visibility_") for name in head)
    for part, columns in _grouped(starts, judged).items():
        frames = [[_point(head, row, n) for n in columns] for row in rows]
        yield part, _cells(file, frames)


def _table(file: Path) -> tuple[list[str], list[list[str]]]:
    """Return the first line and the others of a table parted by commas, semicolons or tabs, without blanks.

    Where semicolons part the cells, a comma in a number is its point.
    """
    try:
        text = file.read_text("utf-8-sig")
        mark = max(POINTS_OF_NUMBERS, key=text.partition("\n")[0].count)
        lines = [row for row in csv.reader(text.splitlines(), delimiter=mark) if row]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{file}: unreadable as a table: {error}") from None
    if not lines:
        raise InputError(f"{file}: no lines: expected {NAME}, a line a frame")
    head, rows = [name.strip() for name in lines[0]], lines[1:]
    if wrong := next((n for n, row in enumerate(rows, 2) if len(row) != len(head)), None):
        raise InputError(f"{file}:{wrong}: {len(rows[wrong - 2])} columns, the first line has {len(head)}")
    return head, [[cell.replace(POINTS_OF_NUMBERS[mark], ".") for cell in row] for row in rows]


def _check_order(file: Path, head: list[str], rows: list[list[str]]) -> None:
    """Raise InputError unless a table's frames follow each other, where a column counts or times them.

    A time that goes on by `LONG` times its usual step lacks frames; what is no number says nothing.
    """
    for column in (n for n, name in enumerate(head) if name.lower() in COUNTERS):
        try:
            values = np.array([row[column] for row in rows], np.float64)
        except ValueError:
            continue
        steps = np.diff(values)
        if not len(steps) or not np.isfinite(values).all() or not steps.any():
            continue
        longest = LONG * float(np.median(steps))
        if wrong := next((n for n, step in enumerate(steps, 3) if not 0 < step <= longest), None):
            fault = "frames are missing between" if steps[wrong - 3] > 0 else "lines are not in order"
            now, last = rows[wrong - 2][column], rows[wrong - 3][column]
            raise InputError(f"{file}:{wrong}: {head[column]} {now} after {last}: {fault}")


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
    empty = np.isin(np.char.lower(np.char.strip(cells)), EMPTY)
    absent = empty.any(axis=-1, keepdims=True)
    return numbers_in(str(file), np.where(absent, "0", cells))
