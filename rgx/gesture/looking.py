"""Poses found in pictures, as motion: what all stages share that look at videos with a tracker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from rgx.gesture.data.picture_pairs import PictureSpan
from rgx.gesture.poses.base import Extractor, surest
from rgx.gesture.poses.gaps import bridge_gaps
from rgx.gesture.skeleton import KEPT

PRINTED_PX = 256
"""The width of the pictures in whose pixels errors are printed, whatever the size of those looked at."""


class Passage(NamedTuple):
    """Pictures (H, H, 3) uint8 of one clip to be looked at in order, how many, and how they are placed."""

    span: PictureSpan
    frames: Iterable[np.ndarray]
    length: int


class Track(NamedTuple):
    """What is found of one person: motion (T, K, 2) in shoulder widths, valid (T, K) bool.

    found: the share of points that were seen, before short gaps were bridged; 0 where nobody was, whose
    motion says nothing.
    """

    motion: np.ndarray
    valid: np.ndarray
    found: float


def track_passages(
    extractor: Extractor, passages: Sequence[Passage], size_px: int, confidence: float
) -> Iterator[Track]:
    """Yield what a tracker finds in each passage, of its surest person.

    A point is seen where its score is above `confidence`; short gaps are bridged as a corpus' are. Motion is
    in the clip's own shoulder widths around its own origin, as motion is drawn: who stands elsewhere in a
    video, or is larger, moves otherwise too. Source: reading 126.
    """
    for passage, people in zip(passages, _people(extractor, passages), strict=True):
        seen = people[..., 2] > confidence
        places, valid = bridge_gaps(np.where(seen[..., None], people[..., :2], np.nan), seen)
        poses = places[:, KEPT] / (size_px / 2) - 1
        motion = (poses - np.array(passage.span.origin)) / passage.span.scale
        yield Track(motion.astype(np.float32), valid[:, KEPT], float(seen[:, KEPT].mean()))


def _people(extractor: Extractor, passages: Sequence[Passage]) -> Iterator[np.ndarray]:
    """Yield the surest person (T, 133, 3) of each passage.

    A tracker that looks at each picture by itself is started once for all of them.
    """
    if extractor.alone:
        people = extractor.track(frame for passage in passages for frame in passage.frames)
        for passage in passages:
            yield np.stack([surest(seen) for seen in islice(people, passage.length)])
    else:
        for passage in passages:
            yield np.stack([surest(seen) for seen in extractor.track(passage.frames)])


def nobody(missed: Sequence[str], of: int, what: str) -> list[str]:
    """Return a note on windows or clips in which a tracker saw nobody: which, and of how many."""
    if not missed:
        return []
    named = ", ".join(missed[:3]) + (", …" if len(missed) > 3 else "")
    return [f"nobody is found in {len(missed)} of {of} {what}, which are not scored: {named}"]
