"""What a dialect of keypoint files is, and what all of them need: frames, numbers, people of one shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.base import finite
from rgx.gesture.skeleton import POINTS

SHOWN_KEYS = 6


@dataclass(frozen=True)
class Frame:
    """A frame of a file, as it is read: where it stands, for messages, and what is there."""

    where: str
    content: Any


@dataclass(frozen=True)
class Dialect:
    """A way to write a frame: its name, the sign that tells it, in words and as a test, and who reads it.

    people: a frame and the pictures' width and height in px to its people (P, 133, 3) in px; raises
    InputError. A part that is absent, null or empty is not found, with score 0.
    """

    name: str
    sign: str
    tells: Callable[[Any], bool]
    people: Callable[[Frame, tuple[int, int]], np.ndarray]


def stacked(frames: Sequence[np.ndarray]) -> np.ndarray:
    """Return frames of (P, 133, 3) as (T, P, 133, 3); who is absent from a frame has score 0 there."""
    people = np.zeros((len(frames), max(map(len, frames)), POINTS, 3), np.float32)
    for n, frame in enumerate(frames):
        people[n, : len(frame)] = frame
    return people


def coordinates_in(where: str, content: Any) -> np.ndarray:
    """Return an array of points as a file lists them, null as no number, which is not found.

    Raises InputError where it is no array, and for a number that is infinite or too large.
    """
    try:
        numbers = np.array(content, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{where}: not an array of numbers") from None
    if not finite(np.nan_to_num(numbers, nan=0, posinf=np.inf, neginf=-np.inf)):
        raise InputError(f"{where}: a number that is not finite")
    return numbers


def numbers_in(where: str, content: Any) -> np.ndarray:
    """Return an array of what a file has as lists; raises InputError unless all of it are finite numbers."""
    numbers = coordinates_in(where, content)
    if not finite(numbers):
        raise InputError(f"{where}: a number that is not finite")
    return numbers


def rescaled(where: str, theirs: tuple[float, float], pictures: tuple[int, int]) -> np.ndarray:
    """Return by what x and y are multiplied to go from their pictures' size to that of the video's.

    Raises InputError where one is no enlargement of the other: a pixel's rounding is no other shape.
    """
    width, height = theirs
    scale = np.array([pictures[0] / max(width, 1), pictures[1] / max(height, 1)])
    if min(width, height) < 1 or abs(scale[0] - scale[1]) * max(width, height) > 2:
        of = f"points of pictures of {width:g}×{height:g} px"
        lies = abs(width * pictures[0] - height * pictures[1]) <= 2 * max(width, height)
        remedy = ": turned? say so with fit.track.turned = 90 or 270" if lies else ""
        raise InputError(f"{where}: {of}, the video's are {pictures[0]}×{pictures[1]} px{remedy}")
    return scale


def described(content: Any) -> str:
    """Return in a few words what a piece of JSON is."""
    if isinstance(content, dict):
        keys = list(map(str, content))
        more = f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else ""
        return f"an object with the keys {', '.join(keys[:SHOWN_KEYS])}{more}" if keys else "an empty object"
    if isinstance(content, list):
        return f"a list of {len(content)}" if content else "an empty list"
    return f"the value {str(content)[:40]!r}"
