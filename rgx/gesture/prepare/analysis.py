"""What a source is good for: who is in view when, and the square around each speaker."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rgx.gesture.poses.following import SURE, Follower
from rgx.gesture.prepare.crop import square_around
from rgx.gesture.prepare.recording_parts import PARTS, Part, Seen
from rgx.gesture.prepare.shots import Shots
from rgx.gesture.prepare.sightings import FACTS, Look
from rgx.gesture.prepare.speakers import Stretch, View, shoulders_seen, stretches, view_of
from rgx.gesture.prepare.streams import Facts, RefusedError
from rgx.gesture.prepare.timing import check_damage
from rgx.gesture.skeleton import POINTS
from rgx.gesture.types import FPS
from rgx.store.artifacts import read_json, write_json

ANALYSIS, TRACK = "analysis.json", "track.f32"


class Judgement(NamedTuple):
    """A look, and the parts in which its people were found."""

    look: Look
    parts: tuple[Part, ...]

    @property
    def where(self) -> str:
        """Its source's name says all."""
        return ""

    @property
    def folder(self) -> str:
        """The source's folder."""
        return self.look.folder

    @property
    def progress(self) -> Path:
        """Where it says how far it is."""
        return self.look.progress


def judge(order: Judgement) -> None:
    """Decide what of a source can be used: its track (T, 133, 3) and `analysis.json` are there afterwards.

    A source that cannot be used is a result too: `refused` says why.
    """
    look, folder = order.look, Path(order.look.folder)
    analysis: dict[str, Any] = {"identity": look.identity, "refused": "", "stretches": []}
    try:
        analysis |= _judge(look, order.parts)
    except RefusedError as reason:
        analysis["refused"] = str(reason).removeprefix(f"{look.path}: ")
        (folder / TRACK).unlink(missing_ok=True)
    write_json(folder / ANALYSIS, analysis)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def _judge(look: Look, parts: tuple[Part, ...]) -> dict[str, Any]:
    folder, facts = Path(look.folder), look.facts
    if facts is None:
        raise RefusedError(read_json(folder / FACTS)["refused"])
    about = _agreed(look, parts)
    spans = look.spans or ((0, sys.maxsize),)
    shown = (seen for part in parts for seen in part.seen())
    wanted = (seen for seen in shown if any(first <= seen.number < last for first, last in spans))
    views, cuts, jumps = list[View](), list[int](), list[int]()
    with (folder / TRACK).open("wb") as track:
        for offset, run in _runs(wanted):
            gap = offset - len(views)
            np.zeros((gap, POINTS, 3), "<f4").tofile(track)
            views += [View.UNLISTED] * gap
            shots, follower = Shots(), Follower()
            for seen in run:
                shots.see(seen.cells)
                in_view, person = follower.follow(seen.people)
                person.astype("<f4").tofile(track)
                views.append(_view(in_view, facts, len(views)))
            for first, last in shots.stills(look.poses.signal.hole_s * FPS):
                frozen = views[offset + first : offset + last]
                views[offset + first : offset + last] = [v if v != View.ONE else View.STILL for v in frozen]
            cuts += [offset + cut for cut in shots.cuts()]
            jumps += [offset + jump for jump in follower.jumps]
    edges = [edge for span in look.spans for edge in span if edge < len(views)]
    bridged = look.poses.signal.bridged_frames
    usable = stretches(np.array(views, dtype=np.int8), {*cuts, *edges}, jumps, bridged)
    return {
        "facts": facts._asdict(),
        "size_px": about["size_px"],
        "start_s": about["start_s"],
        "cuts": cuts,
        "stretches": [
            _frame(stretch, read_track(folder), about["size_px"])
            for stretch in usable
            if views[stretch.first] != View.UNLISTED
        ],
        "frames": len(views),
        "people": about["people"],
    }


def _agreed(look: Look, parts: tuple[Part, ...]) -> dict[str, Any]:
    """Return what holds for all parts; raises RefusedError where one was refused or they differ."""
    abouts, health = [part.about or {} for part in parts], Counter[str]()
    for about in abouts:
        if about["refused"]:
            raise RefusedError(about["refused"])
        health.update(about["count"])
    if look.poses.stands_alone():
        check_damage(Path(look.path), health)
    seen = [about for about in abouts if any(about["size_px"])]
    sizes = list(dict.fromkeys(tuple(about["size_px"]) for about in seen))
    if len(sizes) > 1:
        named = " to ".join(f"{width}×{height} px" for width, height in sizes)
        raise RefusedError(f"{look.path}: its pictures change from {named} midway")
    if not seen:
        raise RefusedError(f"{look.path}: it has no pictures where the table has intervals")
    return seen[0]


def _runs(shown: Iterable[Seen]) -> Iterator[tuple[int, Iterator[Seen]]]:
    """Yield each run of pictures without gaps, after the number of its first."""
    numbered = enumerate(shown)
    for _, run in groupby(numbered, key=lambda pair: pair[1].number - pair[0]):
        first = next(run)[1]
        yield first.number, (seen for group in ([(0, first)], run) for _, seen in group)


def _frame(stretch: Stretch, track: np.ndarray, size_px: tuple[int, int]) -> dict[str, Any]:
    """Return a stretch with the square around its speaker, or with the reason why it has none."""
    part = track[stretch.first : stretch.last]
    if not stretch.reason and not shoulders_seen(part[..., 2] > SURE):
        stretch = stretch._replace(reason="both shoulders are never in view")
    if stretch.reason:
        return {**stretch._asdict(), "square": None}
    return {**stretch._asdict(), "square": square_around(part, *size_px)}


def read_track(folder: Path) -> np.ndarray:
    """Return the speaker's points in every frame (T, 133, 3), mapped from disk."""
    return np.memmap(folder / TRACK, "<f4", "r").reshape(-1, POINTS, 3)


def _view(in_view: int, facts: Facts, frame: int) -> View:
    """Return what a frame with so many people in view is good for."""
    if not _is_heard(facts, frame):
        return View.MUTE
    if any(begin + 1 / FPS < frame / FPS < end - 1 / FPS for begin, end in facts.holes):
        return View.STILL
    return view_of(in_view)


def _is_heard(facts: Facts, frame: int) -> bool:
    """Return whether there is sound during all of a frame, give or take one."""
    return facts.sound_from_s - 1 / FPS <= frame / FPS <= facts.sound_to_s
