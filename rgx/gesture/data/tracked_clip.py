"""One clip of a folder of recordings: a video, and the keypoints that others found in it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rgx.errors import InputError
from rgx.gesture.poses.files import content, dialect, read_keypoints
from rgx.gesture.poses.fit import MisfitError, TrackFit
from rgx.gesture.poses.gaps import bridge_gaps
from rgx.gesture.skeleton import measure
from rgx.gesture.video.files import Video, probe, read_frames
from rgx.memory import remember

SCOPE = "corpus/"
"""Of the bindings that say how a corpus' tracks are."""
LAG_PX = 64
"""As which pictures are looked at for a delay."""
PX_NOT_SHARES = 16.0
"""No pictures are so many times as large as others of the same clip."""


class Judged(NamedTuple):
    """In how many frames of a clip others are in view, in which share of them nothing moves, and how many
    points at exactly (0, 0) were taken for not found.
    """

    crowded: int
    still: float
    corners: int


class Learned(NamedTuple):
    """What one clip's files hold, small enough to remember: no pixels, points or sound."""

    video: Video
    identity: tuple[str, int, str]
    fit: Judged


def learn(path: Path, landmarks: Path, gap: int, visibility: float, fit: TrackFit) -> Learned:
    """Return what a clip's files hold, read once for as long as they stay the same."""

    def read() -> list[Any]:
        keypoints, valid, video, judged = read_tracked(path, landmarks, visibility, fit)
        if fit.lag_frames:
            points = np.concatenate([keypoints, valid[..., None]], axis=-1)
            where = f"{landmarks} ({dialect(landmarks)})"
            fit.check_lag(where, points, read_frames(path, LAG_PX), SCOPE)
        try:
            measure(keypoints, valid)
        except ValueError:  # bridging may still help; it is slow, so only where it must
            bridged(landmarks, keypoints, valid, gap)
        return [list(video), [_sha256(landmarks), path.stat().st_size, _sha256(path)], list(judged)]

    asked = repr((str(path.absolute()), str(landmarks.absolute()), gap, visibility, vars(fit)))
    files = [path, *(content(landmarks) if landmarks.exists() else [landmarks])]
    video, identity, judged = remember(f"corpus.videos {asked}", files, read)
    return Learned(Video(*video), tuple(identity), Judged(*judged))


def read_tracked(
    path: Path, landmarks: Path, visibility: float, fit: TrackFit
) -> tuple[np.ndarray, np.ndarray, Video, Judged]:
    """Return a clip's raw keypoints, validity, video and fit; raises InputError when they are no use."""
    video = probe(path)
    size = video.width_px, video.height_px
    people = read_keypoints(landmarks, *fit.pictures(*size))
    where = f"{landmarks} ({dialect(landmarks)})"
    points, crowded, still, corners = fit.fitted(where, people, video.frames, size, SCOPE)
    keypoints, scores = points[..., :2], points[..., 2]
    valid = (scores > visibility) & _inside(keypoints, video)
    if not valid.any():
        shares = keypoints[scores > 0] / (video.width_px, video.height_px)
        if not len(shares):
            raise InputError(f"{landmarks}: no point is found in any frame")
        if not _inside(keypoints, video)[scores > 0].any():
            extent = f"at {shares.min():.3g} to {shares.max():.3g} of its size, expected 0 to 1"
            outside = "every point lies outside the picture in every frame"
            binding = f"{SCOPE}fit.track.size_px"
            remedy = f"found in pictures of another size? say which with {binding}"
            if float(np.median(shares)) > PX_NOT_SHARES:
                remedy = "px where shares belong? divide x by the pictures' width and y by their height"
            raise MisfitError(f"{landmarks}: {outside}, {extent}: {remedy}", binding)
        raise InputError(f"{landmarks}: no point is more visible than {visibility} in any frame")
    fit.check_size(where, points, size, SCOPE)
    return keypoints, valid, video, Judged(crowded, still, corners)


def _inside(keypoints: np.ndarray, video: Video) -> np.ndarray:
    inside: np.ndarray = (keypoints >= 0) & (keypoints <= (video.width_px, video.height_px))
    return np.logical_and.reduce(inside, axis=-1)


def bridged(
    landmarks: Path, keypoints: np.ndarray, valid: np.ndarray, gap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return keypoints and validity with short gaps bridged; raises InputError without two shoulders."""
    keypoints, valid = bridge_gaps(keypoints, valid, gap)
    try:
        measure(keypoints, valid)
    except ValueError as error:
        raise InputError(f"{landmarks}: {error}") from None
    return keypoints, valid


def _sha256(path: Path) -> str:
    if path.is_dir():
        lines = [f"{file.name} {_sha256(file)}" for file in content(path)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
