"""Who is in view: stretches of pictures with exactly one speaker, and why the rest is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from rgx.gesture.prepare.signal import USUAL
from rgx.gesture.skeleton import LEFT_SHOULDER, RIGHT_SHOULDER
from rgx.gesture.types import FPS, WINDOW_FRAMES

SHORTEST_FRAMES = WINDOW_FRAMES + 1
"""One condition frame and a window."""


class View(IntEnum):
    """What one picture shows and lets hear."""

    ONE = 0
    NO_ONE = 1
    SEVERAL = 2
    MUTE = 3
    UNLISTED = 4
    STILL = 5


WORDS = {
    View.ONE: "one speaker",
    View.NO_ONE: "no one in view",
    View.SEVERAL: "several people in view",
    View.MUTE: "no sound",
    View.UNLISTED: "in no interval",
    View.STILL: "no new picture",
}


def view_of(people: int) -> View:
    """Return what a picture with so many people in view shows."""
    return (View.NO_ONE, View.ONE, View.SEVERAL)[min(people, 2)]


class Stretch(NamedTuple):
    """Frames [first, last) of one shot; reason is empty where they can be used."""

    first: int
    last: int
    reason: str = ""

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.last - self.first


def stretches(
    views: np.ndarray, cuts: Iterable[int], jumps: Iterable[int] = (), bridged: int = USUAL.bridged_frames
) -> list[Stretch]:
    """Return all stretches of views (T,) in order, the usable ones and those left out, cut at `cuts`.

    jumps: where another person is found in the same shot; none is usable across one. bridged: losses of so
    many frames do not end a stretch.
    """
    pieces: list[Stretch] = []
    jumped = set(jumps)
    for first, last in pairwise(sorted({0, len(views), *cuts})):
        left_out: list[View] = []
        for begin, end in pairwise(sorted({first, last, *(at for at in jumped if first < at < last)})):
            for value, run in groupby(_bridge(views[begin:end], bridged).tolist()):
                count, at = len(list(run)), begin
                begin += count
                if value == View.ONE and count >= SHORTEST_FRAMES:
                    pieces += [*_left_out(left_out, at), Stretch(at, at + count)]
                    left_out = []
                else:
                    left_out += [View(value)] * count
        pieces += _left_out(left_out, last)
    return pieces


def _bridge(shot: np.ndarray, most: int) -> np.ndarray:
    """Return the views of a shot with short losses of its one speaker passed over."""
    bridged, place = shot.copy(), 0
    for value, run in groupby(shot.tolist(), key=lambda view: view == View.ONE):
        count = len(list(run))
        inside = place > 0 and place + count < len(shot)
        if not value and inside and count <= most:
            mute = shot[place : place + count] == View.MUTE
            bridged[place : place + count][~mute] = View.ONE
        place += count
    return bridged


def _left_out(views: list[View], last: int) -> list[Stretch]:
    """Return the stretch of these views that ends before frame `last`, or nothing without any."""
    if not views:
        return []
    counts = Counter(views)
    parts = [f"{WORDS[view]} for {count / FPS:.2f} s" for view, count in counts.most_common()]
    if counts[View.ONE]:
        parts.append(f"a clip needs one speaker for {SHORTEST_FRAMES / FPS:.2f} s on end")
    return [Stretch(last - len(views), last, "; ".join(parts))]


def shoulders_seen(seen: np.ndarray) -> bool:
    """Return whether both shoulders are ever among the points seen (T, 133) in one frame."""
    return bool((seen[:, LEFT_SHOULDER] & seen[:, RIGHT_SHOULDER]).any())
