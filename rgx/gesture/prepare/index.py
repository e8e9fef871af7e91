"""The index of a corpus: a line for each clip, as `corpus.videos` reads it, and where it came from."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from pathlib import Path
from typing import Any

from rgx.gesture.prepare.crop import Square
from rgx.gesture.prepare.recordings import Recording, clip_stems
from rgx.gesture.prepare.splits import Piece, cut, cut_by_time, split_sources
from rgx.gesture.prepare.tracks import PARTS
from rgx.gesture.types import FPS

INDEX = "index.csv"
COLUMNS = ("clip", "speaker", "split", "source", "start_s", "end_s", "interval", "video", *PARTS)


def usable_pieces(source: Recording) -> list[Piece]:
    """Return the stretches of a source that can become clips."""
    stretches = (source.analysis or {"stretches": []})["stretches"]
    return [Piece(s["first"], s["last"], Square(*s["square"])) for s in stretches if not s["reason"]]


def named_pieces(usable: list[Recording]) -> dict[Recording, dict[str, Piece]]:
    """Return the clips to be made of each source, by names that no other clip has.

    One that a table lists is called as its interval, numbered where it has several pieces.
    """
    stems = clip_stems(usable)
    cutter = cut if len(usable) > 1 else cut_by_time
    counts = Counter(listed.name.casefold() for source in usable for listed in source.intervals)
    named: dict[Recording, dict[str, Piece]] = {}
    for source in usable:
        stretches, own = usable_pieces(source), dict[str, Piece]()
        for listed in source.intervals:
            inside = [s for s in stretches if listed.first <= s.first and s.last <= listed.last]
            pieces = [piece._replace(split=listed.split) for piece in cut(inside)]
            twice = counts[listed.name.casefold()] > 1
            stem = f"{listed.name}.{source.sha256[:8]}" if twice else listed.name
            own |= {stem: pieces[0]} if len(pieces) == 1 else _numbered(stem, pieces)
        named[source] = own if source.intervals else _numbered(stems[source.sha256], cutter(stretches))
    return named


def _numbered(stem: str, pieces: list[Piece]) -> dict[str, Piece]:
    return {f"{stem}-{n:03d}": piece for n, piece in enumerate(pieces, 1)}


def write_index(out: Path, usable: list[Recording]) -> list[dict[str, Any]]:
    """Write the index of all clips of these sources and return its rows; times from the first picture on."""
    split = split_sources({source.sha256: source.speaker for source in usable if not source.intervals})
    rows = []
    for source in usable:
        for clip in source.made:
            listed = next((i for i in source.intervals if i.first <= clip["first"] < i.last), None)
            by_time = listed or len(usable) == 1
            rows.append(
                {
                    "clip": clip["name"],
                    "speaker": listed.speaker if listed else source.speaker,
                    "split": clip["split"] if by_time else split[source.sha256],
                    "source": source.name,
                    "start_s": clip["first"] / FPS,
                    "end_s": clip["last"] / FPS,
                    "interval": listed.name if listed else "",
                    "video": listed.video if listed else source.sha256[:16],
                    **clip["shares"],
                }
            )
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: row["clip"]))
    write_text(out / INDEX, text.getvalue())
    return rows


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
