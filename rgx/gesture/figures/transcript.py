"""What is said in a clip and when: a transcript beside it, and under which of some frames a word belongs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from rgx.errors import InputError, nearest
from rgx.gesture.types import FPS, WINDOW_FRAMES

SUFFIX, COLUMNS = ".words.csv", ("word", "start_s")
Words = list[tuple[str, int]]
"""Words and the frame of a window that each begins at."""


def read_transcript(folder: Path, clip: str, first: int) -> Words:
    """Return the words of `<clip>.words.csv` (word, start_s from the clip's begin) that begin in a window.

    first: the window's first frame in the clip. Raises InputError where there is none or it is malformed.
    """
    path = folder / f"{clip}{SUFFIX}"
    words: Words = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            for column in COLUMNS:
                if column not in (names := list(reader.fieldnames or [])):
                    raise InputError(f"{path} line 1: no column {column}: {nearest(column, names)}")
            for line in reader:
                at = _frame(line["start_s"], f"{path} line {reader.line_num}") - first
                if 0 <= at < WINDOW_FRAMES:
                    words.append(((line["word"] or "").strip(), at))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: unreadable as a transcript: {error}") from None
    return words


def columns_of(words: Words, frames: Sequence[int]) -> list[list[str]]:
    """Return the words over each of some frames: each over the first that is shown once it has begun.

    What begins after the last of them stands over the last.
    """
    columns: list[list[str]] = [[] for _ in frames]
    for word, at in words:
        columns[next((n for n, frame in enumerate(frames) if frame >= at), len(frames) - 1)].append(word)
    return columns


def _frame(text: str | None, place: str) -> int:
    try:
        return round(float(text or "") * FPS)
    except (ValueError, OverflowError):
        raise InputError(f"{place}: start_s is {text!r}, expected seconds") from None
