"""The contract of the poses axis: pictures to COCO-WholeBody points with scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from rgx.errors import InputError
from rgx.gesture.skeleton import POINTS


class Extractor(ABC):
    """Finds people's 133 points in the pictures of one video.

    people: how many people it can find in a picture, None when there is no limit. alone: whether what it
    finds in a picture depends on that picture only, so that stretches of a video can be looked at apart.
    """

    people: int | None = None
    alone: bool = False
    networks: ClassVar[tuple[str, ...]] = ()
    """The stages that train what it looks with; it is given their networks by `looking_with`."""

    def fingerprint(self) -> str:
        """Return the identity of the weights it is given; raises InputError for a file that is not there."""
        return ""

    def looking_with(self, networks: Mapping[str, Any], device: str) -> Extractor:
        """Return an extractor with the networks of `networks`, by stage, which looks on a device."""
        return self

    @abstractmethod
    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield, for each picture (H, W, 3) uint8 RGB, its people (P, 133, 3) float32: x px, y px, score.

        x is to the right and y down from the picture's corner; a score is in [0, 1], and 0 where the point
        was not found, whose x and y are then 0. P may be 0 and may change; people stand in no fixed order.
        The pictures are read as they are needed, by another thread where that saves time. Raises InputError
        when they change size or the extractor cannot run; what `frames` raises passes through.
        """


def same_size(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass pictures (H, W, 3) uint8 on; raises InputError when their size changes, ValueError for others."""
    first: tuple[int, ...] = ()
    for n, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ValueError(f"frame {n} is {frame.dtype} {frame.shape}: expected uint8 (H, W, 3)")
        first = first or frame.shape
        if frame.shape != first:
            size = f"{frame.shape[1]}×{frame.shape[0]} px, the first is {first[1]}×{first[0]} px"
            raise InputError(f"frame {n} of the pictures is {size}: expected one size")
        yield frame


def surest(people: np.ndarray) -> np.ndarray:
    """Return the one of people (P, 133, 3) whose points are surest, all 0 where there is none."""
    if not len(people):
        return np.zeros((POINTS, 3), np.float32)
    chosen: np.ndarray = people[people[..., 2].sum(-1).argmax()]
    return chosen


def scored(points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return points (…, K, 2) in px and scores (…, K) as (…, K, 3) float32 in the form of the contract.

    Scores are cut to [0, 1]; where a score or a coordinate is not finite the point counts as not found.
    """
    with np.errstate(over="ignore"):  # too large for float32 is not finite there
        people = np.concatenate([points, scores[..., None]], axis=-1).astype(np.float32)
    finite = np.isfinite(people).all(axis=-1, keepdims=True) & (people[..., 2:] > 0)
    people = np.where(finite, people, np.float32(0))
    people[..., 2] = np.minimum(people[..., 2], 1)
    return people


def finite(numbers: np.ndarray) -> bool:
    """Return whether all numbers are finite in single precision."""
    with np.errstate(over="ignore"):
        return bool(np.isfinite(numbers.astype(np.float32)).all())
