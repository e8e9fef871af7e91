"""Second look at a source: its clips, their points and their sheets, written to the corpus."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rgx.poses.npz_files import write_own_npz
from rgx.prepare.analysis import read_track, reporter
from rgx.prepare.pictures import Upright, cut_out
from rgx.prepare.sheets import COLUMNS, Kept, draw_sheet
from rgx.prepare.speakers import shoulders_seen
from rgx.prepare.splits import Piece
from rgx.prepare.timing import at_25_hz, decode, read_speech
from rgx.prepare.tracks import seen_inside, shares, without_jumps
from rgx.store.artifacts import write_json
from rgx.video.files import write_mp4
from rgx.video.layout import pick

SIZE_PX = 256
"""Source: Sec. 5.1."""
SILENCE = 1e-4
VERSION = 1
"""Raised by hand when what is written changes."""
CLIPS, DRAFTS = "clips.json", "drafts"
PLACES = {".mp4": "clips", ".npz": "keypoints", ".jpg": "sheets"}


class Order(NamedTuple):
    """Clips to be written: where from, where to, and each clip's name and piece."""

    path: str
    folder: str
    out: str
    pieces: dict[str, Piece]
    identity: dict[str, Any]
    start_s: float
    pixel_ratio: float

    def record(self) -> Any:
        """Return what the clips depend on, as JSON holds it."""
        return json.loads(json.dumps([VERSION, SIZE_PX, self.pieces, self.identity]))


def write_clips(order: Order) -> None:
    """Write the clips of one source; `clips.json`, written last, says what is there."""
    folder = Path(order.folder)
    drafts = folder / DRAFTS
    shutil.rmtree(drafts, ignore_errors=True)
    drafts.mkdir()
    made = list(_write(order, drafts))
    for suffix, place in PLACES.items():
        (Path(order.out) / place).mkdir(exist_ok=True)
        for clip in made:
            if not clip["reason"]:
                (drafts / f"{clip['name']}{suffix}").replace(file_of(Path(order.out), clip["name"], suffix))
    drafts.rmdir()
    write_json(folder / CLIPS, {"order": order.record(), "made": made})


def file_of(out: Path, name: str, suffix: str) -> Path:
    """Return where a clip's file of that suffix lies in a corpus."""
    return out / PLACES[suffix] / f"{name}{suffix}"


def _write(order: Order, drafts: Path) -> Iterator[dict[str, Any]]:
    """Write the drafts of all clips in one pass over pictures and sound, and yield what each is."""
    path, track = Path(order.path), read_track(Path(order.folder))
    upright, frames, at = Upright(path, order.pixel_ratio), at_25_hz(decode(path)), 0
    report = reporter(Path(order.folder), "writing", max(piece.last for piece in order.pieces.values()))
    spans = [(piece.first, piece.last) for piece in order.pieces.values()]
    speech = read_speech(path, spans, order.start_s)
    for (name, piece), waveform in zip(order.pieces.items(), speech, strict=True):
        points = piece.square.place(without_jumps(track[piece.first : piece.last]), SIZE_PX)
        seen = seen_inside(points, SIZE_PX)
        reason = _unusable(seen, waveform)
        if not reason:
            shown = islice(frames, piece.first - at, piece.last - at)
            squares = (cut_out(upright.picture(frame), *piece.square, SIZE_PX) for frame in shown)
            kept = Kept(squares, pick(piece.last - piece.first, COLUMNS))
            write_mp4(drafts / f"{name}.mp4", kept, waveform)
            write_own_npz(drafts / f"{name}.npz", points, SIZE_PX, SIZE_PX)
            draw_sheet(kept.pictures, points, seen).save(drafts / f"{name}.jpg", quality=80)
            at = piece.last
        report(piece.last)
        yield {"name": name, "reason": reason, "shares": shares(seen), **piece._asdict()}


def _unusable(seen: np.ndarray, waveform: np.ndarray) -> str:
    """Return why a clip would be no use, or nothing."""
    if not shoulders_seen(seen):
        return "both shoulders are never in view"
    return "" if np.abs(waveform).max() > SILENCE else "silence throughout"
