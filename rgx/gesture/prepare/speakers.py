"""Who is in view: stretches of pictures with exactly one speaker, and why the rest is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from rgx.gesture.skeleton import BODY, LEFT_SHOULDER, RIGHT_SHOULDER
from rgx.gesture.types import FPS, WINDOW_FRAMES

SURE = 0.5
"""Least score of a point that counts, as in `corpus.videos.visibility`."""
LEAST_POINTS = 5
"""Points of head, arms and hips that make a person; fewer are a passing hand or a mistake."""
HEAD = 5
"""Points of a head are the first: nose, eyes, ears."""
SMALLER = 1 / 3
"""A person whose head is less than this share of the largest is in the background."""
FARTHEST = 0.5
"""How far the middle of a person's points goes between two pictures at most, as a share of their extent."""
BRIDGED_FRAMES = 5
"""Shorter losses do not end a stretch; `corpus.videos.longest_gap_frames` interpolates as many."""
SHORTEST_FRAMES = WINDOW_FRAMES + 1
"""One condition frame and a window."""


class View(IntEnum):
    """What one picture shows and lets hear."""

    ONE = 0
    NO_ONE = 1
    SEVERAL = 2
    MUTE = 3
    UNLISTED = 4


WORDS = {
    View.ONE: "one speaker",
    View.NO_ONE: "no one in view",
    View.SEVERAL: "several people in view",
    View.MUTE: "no sound",
    View.UNLISTED: "in no interval",
}


class Stretch(NamedTuple):
    """Frames [first, last) of one shot; reason is empty where they can be used."""

    first: int
    last: int
    reason: str = ""

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.last - self.first


class Follower:
    """Keeps the one speaker of each picture; where several are in view, the one nearest to the last.

    jumps: the pictures in which who is found is elsewhere at once: another person, or none.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.jumps: list[int] = []
        self.last: np.ndarray | None = None

    def follow(self, people: np.ndarray) -> tuple[View, np.ndarray]:
        """Return what people (P, 133, 3) make of the next picture, and the speaker's points (133, 3)."""
        self.seen += 1
        persons = _persons(people)
        if not len(persons):
            return View.NO_ONE, np.zeros(people.shape[1:], np.float32)
        places = np.stack([_middle(person) for person in persons])
        distances = np.zeros(len(persons)) if self.last is None else np.hypot(*(places - self.last).T)
        nearest = int(distances.argmin())
        if distances[nearest] > FARTHEST * _size(persons[nearest]):
            self.jumps.append(self.seen - 1)
        self.last = places[nearest]
        return View.ONE if len(persons) == 1 else View.SEVERAL, persons[nearest]


def _persons(people: np.ndarray) -> np.ndarray:
    """Return those who count as persons in view, the largest first."""
    seen = people[..., 2] > SURE
    people = people[seen[:, BODY].sum(axis=1) >= LEAST_POINTS]
    if len(people) < 2:
        return people
    sizes = np.array([_size(person[:HEAD]) for person in people])
    if not sizes.all():  # a head that is not seen has no size
        sizes = np.array([_size(person) for person in people])
    order = np.argsort(-sizes, kind="stable")
    return people[order][sizes[order] >= SMALLER * sizes.max()]


def _size(person: np.ndarray) -> float:
    points = person[person[:, 2] > SURE, :2]
    return float(np.hypot(*np.ptp(points, axis=0))) if len(points) else 0.0


def _middle(person: np.ndarray) -> np.ndarray:
    return np.median(person[person[:, 2] > SURE, :2], axis=0)


def stretches(views: np.ndarray, cuts: Iterable[int], jumps: Iterable[int] = ()) -> list[Stretch]:
    """Return all stretches of views (T,) in order, the usable ones and those left out, cut at `cuts`.

    jumps: where another person is found in the same shot; none is usable across one.
    """
    pieces: list[Stretch] = []
    jumped = set(jumps)
    for first, last in pairwise(sorted({0, len(views), *cuts})):
        left_out: list[View] = []
        for begin, end in pairwise(sorted({first, last, *(at for at in jumped if first < at < last)})):
            for value, run in groupby(_bridge(views[begin:end]).tolist()):
                count, at = len(list(run)), begin
                begin += count
                if value == View.ONE and count >= SHORTEST_FRAMES:
                    pieces += [*_left_out(left_out, at), Stretch(at, at + count)]
                    left_out = []
                else:
                    left_out += [View(value)] * count
        pieces += _left_out(left_out, last)
    return pieces


def _bridge(shot: np.ndarray) -> np.ndarray:
    """Return the views of a shot with short losses of its one speaker passed over."""
    bridged, place = shot.copy(), 0
    for value, run in groupby(shot.tolist(), key=lambda view: view == View.ONE):
        count = len(list(run))
        inside = place > 0 and place + count < len(shot)
        if not value and inside and count <= BRIDGED_FRAMES:
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
