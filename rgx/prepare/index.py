"""The index of a corpus: a line for each clip, as `corpus.videos` reads it, and where it came from."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from rgx.prepare.crop import Square
from rgx.prepare.sources import Source
from rgx.prepare.splits import Piece, split_sources
from rgx.prepare.tracks import PARTS
from rgx.types import FPS

INDEX = "index.csv"
COLUMNS = ("clip", "speaker", "split", "source", "start_s", "end_s", *PARTS)


def usable_pieces(source: Source) -> list[Piece]:
    """Return the stretches of a source that can become clips."""
    stretches = (source.analysis or {"stretches": []})["stretches"]
    return [Piece(s["first"], s["last"], Square(*s["square"])) for s in stretches if not s["reason"]]


def write_index(out: Path, usable: list[Source]) -> list[dict[str, Any]]:
    """Write the index of all clips of these sources and return its rows; times from the first picture on."""
    split = split_sources({source.sha256: source.speaker for source in usable})
    rows = [
        {
            "clip": clip["name"],
            "speaker": source.speaker,
            "split": split[source.sha256] if len(usable) > 1 else clip["split"],
            "source": source.name,
            "start_s": clip["first"] / FPS,
            "end_s": clip["last"] / FPS,
            **clip["shares"],
        }
        for source in usable
        for clip in source.made
    ]
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
