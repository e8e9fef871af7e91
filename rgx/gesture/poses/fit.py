"""Axis fit: whether a track of keypoints that others made fits its clip, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import numpy as np

from rgx.errors import InputError, nearest
from rgx.gesture.poses.following import Follower
from rgx.gesture.poses.lag import change_of, lag_between, moved_back, speed_of
from rgx.gesture.poses.turns import TURNS, as_found, lying, turned_size, upright
from rgx.gesture.skeleton import LEFT_HAND, LEFT_SHOULDER, POINTS, RIGHT_HAND, RIGHT_SHOULDER
from rgx.gesture.types import FPS
from rgx.registry import Since, Unkeyed, register

RATES_HZ = (10, 12, 12.5, 15, 20, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60, 90, 100, 120)
"""At which pictures are taken, or motion is made."""
SIZES_PX = ((1920, 1080), (1280, 720), (1024, 1024), (960, 540), (854, 480), (640, 480), (640, 360))
"""Sizes that pictures often have, as an example where points do not fit."""
HEAD_AND_SHOULDERS = tuple(range(7))
"""Points that a clip of a speaker shows; hips, and hands at rest, lie below many pictures."""
LEFT_WRIST, RIGHT_WRIST = 9, 10
STILL_PX = 1e-3
MOST_SHARE = 2.0
"""Larger coordinates are px: nobody is two px large."""


def _sides() -> dict[str, list[tuple[int, int]]]:
    body = [(left, left + 1) for left in range(1, 17, 2)] + [(17, 20), (18, 21), (19, 22)]
    return {"body": body, "hands": list(zip(LEFT_HAND, RIGHT_HAND, strict=True))}


SIDES = _sides()
"""The pairs of points, left and right, that `exchanged` names; a face keeps its own."""


class Fitted(NamedTuple):
    """A speaker's points (T, 133, 3) in px; how many frames show others; in which share nothing moves.

    corners: how many points were called found at exactly (0, 0), where they are taken for not found.
    """

    points: np.ndarray
    crowded: int
    still: float
    corners: int


class MisfitError(InputError):
    """A track that is not what its clip needs; binding: what says how it is, where that can be said."""

    def __init__(self, message: str, binding: str = "") -> None:
        super().__init__(message)
        self.binding = binding


@register("fit", "track", label="Fit of tracks", source="ours")
class TrackFit:
    """What is known of tracks that others made, and how far one may be off before it is refused.

    rate_hz: frames per second of the tracks, which are then brought to 25 by time; 0 where they have a frame
    for each of the clip. size_px: width and height of the pictures they were found in; none for the clip's.
    exchanged: parts ('body', 'hands') whose left and right have changed places. turned: by how many degrees
    clockwise the pictures were turned, against the clip as it is shown, when the points were found. upwards:
    whether their y counts from the bottom of the picture. delay_frames: how many frames at 25 Hz the track is
    behind its clip, negative where it is ahead. lag_frames: within how many frames a delay is looked for, by
    the motion of the pictures, which are decoded for that once; 0 looks for none. within: how near the ratio
    of lengths is to one of `RATES_HZ` to be taken for it. outside: the share of sure points of head and
    shoulders outside the picture from which it is of another size. mistaken: the share of frames with a hand
    nearer the other wrist, with a left shoulder on the right, or with a head not above the shoulders, from
    which a track is taken for exchanged or turned. sure: the least score of a point that counts. Source:
    ours; reading 108.
    """

    def __init__(
        self,
        rate_hz: float = 0.0,
        size_px: tuple[int, ...] = (),
        exchanged: tuple[str, ...] = (),
        within: float = 0.01,
        outside: float = 0.2,
        mistaken: float = 0.6,
        sure: float = 0.5,
        turned: Annotated[int, Since(0)] = 0,
        upwards: Annotated[bool, Since(False)] = False,
        delay_frames: Annotated[int, Since(0)] = 0,
        lag_frames: Unkeyed[int] = 0,
    ) -> None:
        if rate_hz < 0:
            raise InputError(f"fit.track.rate_hz = {rate_hz}: expected frames per second, 0 for the clip's")
        if len(size_px) not in (0, 2) or min(size_px, default=1) < 1:
            raise InputError(f"fit.track.size_px = {size_px}: expected width and height in px, or none")
        if unknown := [part for part in exchanged if part not in SIDES]:
            raise InputError(f"fit.track.exchanged: '{unknown[0]}': {nearest(unknown[0], SIDES)}")
        if turned not in TURNS:
            raise InputError(f"fit.track.turned = {turned}: expected one of {', '.join(map(str, TURNS))}")
        if lag_frames < 0:
            raise InputError(f"fit.track.lag_frames = {lag_frames}: expected 0 or more")
        shares = {"within": within, "outside": outside, "mistaken": mistaken, "sure": sure}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise InputError(f"fit.track.{name} = {share}: expected 0 to 1")
        self.rate_hz, self.size_px, self.exchanged = rate_hz, tuple(size_px), tuple(exchanged)
        self.within, self.outside, self.mistaken, self.sure = within, outside, mistaken, sure
        self.turned, self.upwards = turned, upwards
        self.delay_frames, self.lag_frames = delay_frames, lag_frames

    def pictures(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the size in px of the pictures that a track of a clip of this size was found in."""
        if self.size_px:
            return self.size_px[0], self.size_px[1]
        return turned_size((width_px, height_px), self.turned)

    def fitted(
        self, where: str, people: np.ndarray, frames: int | None, size_px: tuple[int, int], scope: str
    ) -> Fitted:
        """Return the speaker of people (T, P, 133, 3), at 25 Hz and in px of the clip.

        where: the file, for messages. frames: how many the clip has, None where fewer or a few more are no
        fault. scope: that of the bindings, such as 'corpus/'. Raises MisfitError for a rate, size or sides
        that are not the clip's.
        """
        people, corners = without_corners(people)
        people = self._at_25_hz(where, people, frames, scope)
        points, crowded = followed(people)
        for part in self.exchanged:
            left, right = (list(side) for side in zip(*SIDES[part], strict=True))
            points[:, left + right] = points[:, right + left]
        points[..., :2] *= np.array(turned_size(size_px, self.turned)) / self.pictures(*size_px)
        if self.turned or self.upwards:
            points = upright(points, self.turned, self.upwards, size_px)
        points = moved_back(points, self.delay_frames)
        self._check_upright(where, points, scope)
        self._check_sides(where, points, scope)
        still = float((np.abs(np.diff(points[..., :2], axis=0)) < STILL_PX).all(axis=(1, 2)).mean())
        return Fitted(points, crowded, still if len(points) > 1 else 0.0, corners)

    def check_length(self, where: str, length: int, frames: int, scope: str) -> None:
        """Raise MisfitError where a track of that length is at another rate than its clip at 25 Hz."""
        rate = FPS * length / frames
        nearest_hz = min(RATES_HZ, key=lambda other: abs(rate / other - 1))
        if abs(rate / (self.rate_hz or FPS) - 1) <= self.within or abs(rate / nearest_hz - 1) > self.within:
            return
        binding = f"{scope}fit.track.rate_hz = {nearest_hz:g}"
        lengths = f"{length} frames, the clip has {frames} ({length / frames:.3g} times)"
        remedy = f"{nearest_hz:g} frames per second? say so with {binding}"
        raise MisfitError(f"{where}: {lengths}: {remedy}", binding)

    def check_lag(self, where: str, points: np.ndarray, pictures: Iterable[np.ndarray], scope: str) -> None:
        """Raise MisfitError where points (T, 133, 3) surely run behind or ahead of their pictures."""
        lag = lag_between(speed_of(points), change_of(pictures), self.lag_frames)
        if not lag.is_sure:
            return
        binding = f"{scope}fit.track.delay_frames = {self.delay_frames + lag.frames}"
        place = f"{abs(lag.frames)} frames {'after' if lag.frames > 0 else 'before'} its pictures"
        alike = f"correlation {lag.there:.2f}, {lag.without:.2f} as they are"
        remedy = f"say so with {binding}; {scope}fit.track.lag_frames = 0 takes them as they are"
        raise MisfitError(f"{where}: moves {place} ({alike}): {remedy}", binding)

    def check_size(self, where: str, points: np.ndarray, size_px: tuple[int, int], scope: str) -> None:
        """Raise MisfitError where points (T, 133, 3) are of pictures of another width or height."""
        seen = points[:, HEAD_AND_SHOULDERS][points[:, HEAD_AND_SHOULDERS, 2] > self.sure, :2]
        if not len(seen):
            return
        outside = float(((seen < 0) | (seen > size_px)).any(axis=-1).mean())
        never = self._never_inside(points, size_px) if outside <= self.outside else ""
        everywhere = points[points[..., 2] > self.sure, :2]
        as_they_were = as_found(everywhere, self.turned, self.upwards, size_px)
        corner = bool((as_they_were.max(axis=0) < np.array(turned_size(size_px, self.turned)) / 2).all())
        if outside <= self.outside and not corner and not never:
            return
        guess = self._guess(as_they_were, size_px, corner)
        binding = f"{scope}fit.track.size_px"
        places = f"{outside:.0%} of head and shoulders lie outside pictures"
        places = "all points lie in the upper left quarter" if corner else never or places
        remedy = f"found in pictures of another size? say which with {binding}{guess}"
        raise MisfitError(f"{where}: {places} of {size_px[0]}×{size_px[1]} px: {remedy}", binding)

    def _guess(self, points: np.ndarray, size_px: tuple[int, int], corner: bool) -> str:
        """Return which size of pictures points (N, 2) may be of, in words, or nothing."""
        if corner:
            return ", [1, 1] for shares of the picture" if float(np.abs(points).max()) <= MOST_SHARE else ""
        negative = float((points < 0).any(axis=-1).mean()) > self.outside
        larger = [s for s in SIZES_PX if (points.max(axis=0) <= s).all() and (np.array(s) > size_px).any()]
        return f", such as {list(larger[-1])}" if larger and not negative else ""

    def _never_inside(self, points: np.ndarray, size_px: tuple[int, int]) -> str:
        """Return which shoulder is found but always outside the picture, in words; nothing where none is."""
        for name, shoulder in (("left", LEFT_SHOULDER), ("right", RIGHT_SHOULDER)):
            places = points[points[:, shoulder, 2] > self.sure, shoulder, :2]
            if len(places) and ((places < 0) | (places > size_px)).any(axis=-1).all():
                return f"the {name} shoulder always lies outside pictures"
        return ""

    def _at_25_hz(self, where: str, people: np.ndarray, frames: int | None, scope: str) -> np.ndarray:
        if frames is not None:
            at_25 = round(len(people) * FPS / (self.rate_hz or FPS))
            if at_25 != frames:
                self.check_length(where, len(people), frames, scope)
            if abs(at_25 - frames) > (max(1, self.within * frames) if self.rate_hz else 0):
                raise self._length_error(where, len(people), at_25, frames, scope)
        return resampled(people, self.rate_hz, frames) if self.rate_hz else people

    def _length_error(self, where: str, length: int, at_25: int, frames: int, scope: str) -> MisfitError:
        lengths = f"{length} frames, expected {frames} as the clip has"
        if self.rate_hz or abs(at_25 - frames) > max(1, self.within * frames):
            return MisfitError(f"{where}: {lengths}: a frame for each picture, empty where nobody was found")
        binding = f"{scope}fit.track.rate_hz = {FPS}"
        remedy = f"do they only end apart? say so with {binding}, which cuts or repeats the last"
        return MisfitError(f"{where}: {lengths}: {remedy}", binding)

    def _check_upright(self, where: str, points: np.ndarray, scope: str) -> None:
        share, place, argument = lying(points, self.sure)
        if share <= self.mistaken:
            return
        places = f"in {share:.0%} of frames the head lies {place} the shoulders"
        if self.turned or self.upwards:
            bound = f"turned = {self.turned}, upwards = {self.upwards}"
            raise MisfitError(f"{where}: {places}, with {scope}fit.track.{bound}: that is not how it is")
        binding = f"{scope}fit.track.{argument}"
        remedy = f"say so with {binding}; {scope}fit.track.mistaken = 1 takes them as they are"
        raise MisfitError(f"{where}: {places}: turned, or y from the bottom? {remedy}", binding)

    def _check_sides(self, where: str, points: np.ndarray, scope: str) -> None:
        crossed, turned = self._crossed(points), self._turned(points)
        if max(crossed, turned) <= self.mistaken:
            return
        wrong = {"hands"} if turned <= self.mistaken else {"body"} if crossed > self.mistaken else set(SIDES)
        binding = f"{scope}fit.track.exchanged = {sorted(set(self.exchanged) ^ wrong)}"
        places = (
            f"in {turned:.0%} of frames the left shoulder lies on the right of one who faces the camera"
            if turned > self.mistaken
            else f"in {crossed:.0%} of frames the hands lie nearer the other's wrist"
        )
        remedy = f"say so with {binding}; {scope}fit.track.mistaken = 1 takes them as they are"
        raise MisfitError(f"{where}: {places}: left and right exchanged? {remedy}", binding)

    def _crossed(self, points: np.ndarray) -> float:
        """Return the share of frames in which hands lie by far nearer the other wrist than their own."""
        roots, wrists = points[:, [LEFT_HAND[0], RIGHT_HAND[0]]], points[:, [LEFT_WRIST, RIGHT_WRIST]]
        seen = (np.concatenate([roots, wrists], axis=1)[..., 2] > self.sure).all(axis=1)
        if not seen.any():
            return 0.0
        own, other = (
            np.linalg.norm(roots[seen, :, :2] - side[seen, :, :2], axis=-1).sum(axis=1)
            for side in (wrists, wrists[:, ::-1])
        )
        return float((other < own / 2).mean())

    def _turned(self, points: np.ndarray) -> float:
        """Return the share of frames in which the left shoulder lies left of the right one."""
        both = points[:, [LEFT_SHOULDER, RIGHT_SHOULDER]]
        seen = (both[..., 2] > self.sure).all(axis=1)
        return float((both[seen, 0, 0] < both[seen, 1, 0]).mean()) if seen.any() else 0.0


def without_corners(people: np.ndarray) -> tuple[np.ndarray, int]:
    """Return people (…, 3) without points called found at exactly (0, 0), and how many those were.

    Many programs write so what they did not find, with any score.
    """
    corner = (people[..., :2] == 0).all(axis=-1) & (people[..., 2] > 0)
    return np.where(corner[..., None], np.float32(0), people), int(corner.sum())


def followed(people: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the speaker (T, 133, 3) of people (T, P, 133, 3), and how many frames show others."""
    if people.shape[1] == 1:
        return people[:, 0].copy(), 0
    follower, points, crowded = Follower(), np.zeros((len(people), POINTS, 3), people.dtype), 0
    for n, frame in enumerate(people):
        present = frame[(frame[..., 2] > 0).any(axis=-1)]
        in_view, speaker = follower.follow(present)
        points[n] = speaker if in_view else (present[0] if len(present) == 1 else 0)
        crowded += len(present) > 1
    return points, crowded


def resampled(people: np.ndarray, rate_hz: float, frames: int | None = None) -> np.ndarray:
    """Return people (T, P, 133, 3) at `rate_hz` as they are at 25 Hz, in `frames` frames.

    A point lies between its two nearest frames by time; where one of them did not find it, it is where the
    other did if that is nearer, else not found.
    """
    count = frames if frames is not None else max(1, round(len(people) * FPS / rate_hz))
    times = np.arange(count) * rate_hz / FPS
    before = np.floor(times).astype(int).clip(0, len(people) - 1)
    after = (before + 1).clip(0, len(people) - 1)
    share = (times - np.floor(times))[:, None, None, None]
    first, second = people[before], people[after]
    in_both = (first[..., 2:] > 0) & (second[..., 2:] > 0)
    closest = np.where(share < 0.5, first, second)
    return np.where(in_both, first + share * (second - first), closest).astype(people.dtype)
