"""The clips of a source, their points and their sheets, written to the corpus."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.prepare.analysis import read_track
from rgx.gesture.prepare.contact_sheets import COLUMNS, Kept, draw_sheet
from rgx.gesture.prepare.decoding import Upright, cut_out
from rgx.gesture.prepare.progress import reporter
from rgx.gesture.prepare.signal import judged_by
from rgx.gesture.prepare.sound import SoundTrack, read_speech
from rgx.gesture.prepare.speakers import shoulders_seen
from rgx.gesture.prepare.splits import Piece
from rgx.gesture.prepare.timing import read_span
from rgx.gesture.prepare.tracks import seen_inside, shares, without_jumps
from rgx.gesture.prepare.voice import level_db
from rgx.gesture.video.comparison import pick
from rgx.gesture.video.files import write_mp4
from rgx.store.artifacts import read_json, write_json

SIZE_PX = 256
"""Source: Sec. 5.1."""
SILENCE = 1e-4
"""The largest sample of silence."""
VERSION = 3
"""Raised by hand when what is written changes."""
CLIPS, DRAFTS = "clips.json", "drafts"
PLACES = {".mp4": "clips", ".npz": "keypoints", ".jpg": "sheets"}


class ClipOrder(NamedTuple):
    """A clip to be written: where from, where to, its name and its piece."""

    path: str
    folder: str
    out: str
    name: str
    piece: Piece
    identity: dict[str, Any]
    start_s: float
    pixel_ratio: float
    sound_track: int = 0
    left_alone: bool = False

    @property
    def where(self) -> str:
        """Which clip of its source it is, for people."""
        return f": {self.name}"

    @property
    def file(self) -> Path:
        """Where what became of it is kept until its source is done."""
        return Path(self.folder) / DRAFTS / f"{self.name}.json"

    @property
    def progress(self) -> Path:
        """Where it says how far it is."""
        return self.file.with_suffix(".progress")

    @property
    def made(self) -> dict[str, Any] | None:
        """What became of it, if it was finished and its files are there."""
        record = read_json(self.file)
        if not isinstance(record, dict) or record.get("order") != self.record():
            return None
        files = [] if record["made"]["reason"] else [file_of(Path(self.out), self.name, s) for s in PLACES]
        clip: dict[str, Any] = record["made"]
        return clip if all(file.is_file() for file in files) else None

    def record(self) -> Any:
        """Return what the clip depends on, as JSON holds it."""
        return json.loads(json.dumps([VERSION, SIZE_PX, self.name, self.piece, self.identity]))


def write_clip(order: ClipOrder) -> None:
    """Write a clip of a source unless that was done; what became of it is written last."""
    if order.made is not None:
        return
    for place in PLACES.values():
        (Path(order.out) / place).mkdir(exist_ok=True)
    order.file.parent.mkdir(exist_ok=True)
    clip = _write(order, order.file.parent)
    for suffix in () if clip["reason"] else PLACES:
        (order.file.parent / f"{order.name}{suffix}").replace(file_of(Path(order.out), order.name, suffix))
    write_json(order.file, {"order": order.record(), "made": clip})
    order.progress.unlink(missing_ok=True)


def gather(folder: Path, orders: list[ClipOrder]) -> None:
    """Write down that all clips of a source are written; `clips.json` says what is there."""
    clips = [order.made for order in orders]
    write_json(folder / CLIPS, {"order": [order.record() for order in orders], "made": clips})
    shutil.rmtree(folder / DRAFTS, ignore_errors=True)


def file_of(out: Path, name: str, suffix: str) -> Path:
    """Return where a clip's file of that suffix lies in a corpus."""
    return out / PLACES[suffix] / f"{name}{suffix}"


def _write(order: ClipOrder, drafts: Path) -> dict[str, Any]:
    """Write the drafts of a clip and return what it is."""
    path, piece, track = Path(order.path), order.piece, read_track(Path(order.folder))
    points = piece.square.place(without_jumps(track[piece.first : piece.last]), SIZE_PX)
    seen = seen_inside(points, SIZE_PX)
    sound = SoundTrack(path, order.sound_track, order.left_alone)
    (waveform,) = read_speech(sound, [(piece.first, piece.last)], order.start_s)
    reason = _unusable(seen, waveform, judged_by(order.identity).silent_db)
    if not reason:
        upright, report = Upright(path, order.pixel_ratio), reporter(order.progress, len(seen))
        shown = read_span(path, piece.first, piece.last)
        squares = (cut_out(upright.picture(frame), *piece.square, SIZE_PX) for frame in shown)
        shown_squares = Kept(squares, pick(len(seen), COLUMNS), report)
        write_mp4(drafts / f"{order.name}.mp4", shown_squares, waveform)
        write_own_npz(drafts / f"{order.name}.npz", points, SIZE_PX, SIZE_PX)
        draw_sheet(shown_squares.pictures, points, seen).save(drafts / f"{order.name}.jpg", quality=80)
    about = {"reason": reason, "shares": shares(seen), "level_db": round(level_db(waveform), 1)}
    return {"name": order.name, **about, **piece._asdict()}


def _unusable(seen: np.ndarray, waveform: np.ndarray, silent_db: float) -> str:
    """Return why a clip would be no use, or nothing."""
    if not shoulders_seen(seen):
        return "both shoulders are never in view"
    if np.abs(waveform).max() <= SILENCE:
        return "silence throughout"
    level = level_db(waveform)
    return f"no speech: its sound is at {level:.0f} dB of full scale" if level < silent_db else ""
