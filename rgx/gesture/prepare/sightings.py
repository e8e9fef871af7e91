"""Sources to look at: what their streams are, and in which parts extractors look at them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rgx.gesture.prepare.extractors import Choice
from rgx.gesture.prepare.recording_parts import LEAST_FRAMES, MOST_FRAMES, Part, Span, divide
from rgx.gesture.prepare.signal import USUAL, Signal
from rgx.gesture.prepare.streams import Facts, RefusedError, examine
from rgx.gesture.prepare.voice import cancels, listen, remarks, speech_track
from rgx.gesture.types import FPS
from rgx.store.artifacts import read_json, write_json

FACTS = "facts.json"


class Look(NamedTuple):
    """A source to look at: its file, the folder for what is found, the extractor, and where it shall look.

    spans: frames [first, last) in order and apart, each to be judged by itself; none for all of it.
    """

    path: str
    folder: str
    poses: Choice
    identity: dict[str, Any]
    spans: tuple[tuple[int, int], ...]

    @property
    def where(self) -> str:
        """Its source's name says all."""
        return ""

    @property
    def progress(self) -> Path:
        """Where it says how far it is."""
        return Path(self.folder) / "looking.progress"

    @property
    def facts(self) -> Facts | None:
        """What is known of the source's streams, unless it is refused or could not be examined."""
        record = read_json(Path(self.folder) / FACTS) or {}
        return Facts(**record["facts"]) if record.get("facts") else None

    def parts(self, workers: int, frames: int) -> list[Part]:
        """Return what to look at apart, so that as many workers have something to do of `frames` in all."""
        facts = self.facts
        if facts is None:
            return []
        total = max(1, round(facts.seconds * FPS))
        spans = self.spans or ((0, total),)
        groups: list[tuple[Span, ...]] = [((0, None),) if self.poses.reads_files() else spans]
        if self.poses.stands_alone():
            most = min(MOST_FRAMES, max(LEAST_FRAMES, -(-frames // workers)))
            groups = list(divide(spans, most))
        if not self.spans:  # the last picture may come later than its packets say
            groups[-1] = (*groups[-1][:-1], (groups[-1][-1][0], None))
        about = self.path, self.folder, self.poses, self.identity, facts.pixel_ratio
        return [Part(*about, _frames(group, total), group) for group in groups]

    @property
    def frames(self) -> int:
        """About how many frames there are to look at."""
        facts = self.facts
        return _frames(self.spans or ((0, None),), round(facts.seconds * FPS)) if facts else 0


def _frames(spans: Iterable[Span], total: int) -> int:
    return sum((total if last is None else last) - first for first, last in spans)


def _examined(path: Path, signal: Signal = USUAL) -> Facts:
    """Return a source's facts, its sound that of the track which holds the speech."""
    facts = examine(path, None, signal)
    tracks = listen(path)
    if not tracks:
        return facts
    chosen = speech_track(tracks, signal)
    if chosen.track != facts.sound_track:
        facts = examine(path, chosen.track, signal)
    notes = (*facts.notes, *remarks(tracks, chosen, signal))
    return facts._replace(left_alone=cancels(chosen, signal), notes=notes)


def examine_streams(look: Look) -> None:
    """Write down a source's facts, or why it is refused."""
    (Path(look.folder) / FACTS).unlink(missing_ok=True)
    record: dict[str, Any] = {"facts": None, "refused": ""}
    try:
        record["facts"] = _examined(Path(look.path), look.poses.signal)._asdict()
    except RefusedError as reason:
        record["refused"] = str(reason).removeprefix(f"{look.path}: ")
    write_json(Path(look.folder) / FACTS, record)
