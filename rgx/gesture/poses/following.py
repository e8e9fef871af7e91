"""Who is followed where several people are in view: the speaker, largest and nearest to the last."""

from __future__ import annotations

import numpy as np

from rgx.gesture.skeleton import BODY

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


class Follower:
    """Keeps the one speaker of each picture; where several are in view, the one nearest to the last.

    jumps: the pictures in which who is found is elsewhere at once: another person, or none.
    """

    def __init__(self) -> None:
        self.seen = 0
        self.jumps: list[int] = []
        self.last: np.ndarray | None = None

    def follow(self, people: np.ndarray) -> tuple[int, np.ndarray]:
        """Return how many of people (P, 133, 3) are in view in the next picture, and the speaker's points."""
        self.seen += 1
        persons = _persons(people)
        if not len(persons):
            return 0, np.zeros(people.shape[1:], np.float32)
        places = np.stack([_middle(person) for person in persons])
        distances = np.zeros(len(persons)) if self.last is None else np.hypot(*(places - self.last).T)
        nearest = int(distances.argmin())
        if distances[nearest] > FARTHEST * _size(persons[nearest]):
            self.jumps.append(self.seen - 1)
        self.last = places[nearest]
        return len(persons), persons[nearest]


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
