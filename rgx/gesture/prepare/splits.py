"""Stretches to clips, and clips to train, dev and test: by source, or by time where there is one source."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from rgx.gesture.prepare.crop import Square
from rgx.gesture.types import WINDOW_FRAMES

LONGEST_FRAMES = 375
"""A longer stretch becomes several clips: a corpus reads a clip's pictures at once. Source: reading 3."""
SHORTEST_FRAMES = GAP_FRAMES = WINDOW_FRAMES + 1
TEST_SHARE = DEV_SHARE = 0.1
TIME_SHARES = (0.2, 0.3, 0.4, 0.5)
"""Shares of the frames tried, the least first, until train and test each have a clip."""
TRAIN, DEV, TEST = "train", "dev", "test"
LEAST_TRAIN = 0.5
"""The share that is left to train, without which nothing becomes dev."""


class Piece(NamedTuple):
    """Frames [first, last) of a source that become one clip, and the square cut out of them."""

    first: int
    last: int
    square: Square
    split: str = TRAIN


def split_sources(speakers: Mapping[str, str]) -> dict[str, str]:
    """Return the split of each source: test for about a tenth, for at least one of two or more; dev alike.

    speakers: each source's speaker, by the source's own hash, so that neither its name nor the machine
    decides. A speaker's last source stays in train unless no speaker has two. Dev is of four or more
    sources, and decides nothing of what tests. Source: ours, reading 5.
    """
    order = sorted(speakers, key=_share)
    left = Counter(speakers.values())
    split = dict.fromkeys(speakers, TRAIN)

    def take(name: str, before: float, to_train: float) -> None:
        for source in order:
            spare = (
                split[source] == TRAIN and left[speakers[source]] > 1 and sum(left.values()) - 1 >= to_train
            )
            if spare and (name not in split.values() or _share(source) < before):
                split[source] = name
                left[speakers[source]] -= 1

    take(TEST, TEST_SHARE, 1)
    if TEST not in split.values() and len(order) > 1:
        split[order[0]] = TEST
    else:
        take(DEV, TEST_SHARE + DEV_SHARE, LEAST_TRAIN * len(order))
    return split


def _share(source: str) -> float:
    """Return where in [0, 1) a source's hash puts it."""
    return int(hashlib.sha256(source.encode()).hexdigest()[:12], 16) / 16**12


def cut(stretches: Iterable[Piece]) -> list[Piece]:
    """Return stretches as pieces of at most 375 frames, as equal as can be, none shorter than a window."""
    pieces = []
    for stretch in stretches:
        frames = stretch.last - stretch.first
        count = -(-frames // LONGEST_FRAMES)
        ends = [stretch.first + frames * n // count for n in range(count + 1)] if count else []
        pieces += [
            stretch._replace(first=first, last=last)
            for first, last in pairwise(ends)
            if last - first >= SHORTEST_FRAMES
        ]
    return pieces


def cut_by_time(stretches: list[Piece]) -> list[Piece]:
    """Return pieces of one source: the last fifth is test, and what lies a window before it is left out.

    The share grows to a half until each has a piece; without success all is train. Before test lies dev, a
    window apart from both, where half of all is left to train. Source: ours.
    """
    total = _frames(stretches)
    for share in TIME_SHARES:
        before, after = _parted(stretches, round(total * share), TEST)
        train, test = cut(before), cut(after)
        if train and test:
            earlier, between = _parted(before, round(total * DEV_SHARE), DEV)
            least, dev = cut(earlier), cut(between)
            return [*(least + dev if dev and _frames(least) >= LEAST_TRAIN * total else train), *test]
    return cut(stretches)


def _frames(pieces: Iterable[Piece]) -> int:
    return sum(piece.last - piece.first for piece in pieces)


def _parted(stretches: list[Piece], frames: int, split: str) -> tuple[list[Piece], list[Piece]]:
    """Return what lies a window before the last `frames` usable frames, and these, of a split of theirs."""
    border = _border(stretches, frames)
    before = [s._replace(last=min(s.last, border - GAP_FRAMES)) for s in stretches]
    after = [s._replace(first=max(s.first, border), split=split) for s in stretches]
    return [s for s in before if s.first < s.last], [s for s in after if s.first < s.last]


def _border(stretches: list[Piece], frames: int) -> int:
    """Return the frame after which the last `frames` usable frames, and at least a window of them, lie."""
    frames = max(frames, SHORTEST_FRAMES)
    for stretch in reversed(stretches):
        if frames <= stretch.last - stretch.first:
            return stretch.last - frames
        frames -= stretch.last - stretch.first
    return 0
