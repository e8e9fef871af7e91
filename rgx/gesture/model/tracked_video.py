"""A video of one person, tracked and heard, that parts of are to be made anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.model.portrait import VISIBLE, Portrait
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.poses.gaps import bridge_gaps
from rgx.gesture.prepare.extractors import read_choice
from rgx.gesture.skeleton import KEPT, POINTS, measure, normalise
from rgx.gesture.types import SAMPLES_PER_FRAME
from rgx.gesture.video.files import check_square, probe, read_frames, read_speech
from rgx.plugins import find_plugin


@dataclass(frozen=True)
class TrackedVideo:
    """points (T, 133, 3): x, y in px and a score, as tracked; waveform (640 T,), what is heard.

    origin (2,) and scale: the middle and the width of the shoulders in px; size_px: of its square pictures.
    """

    path: Path
    points: np.ndarray
    waveform: np.ndarray
    origin: np.ndarray
    scale: float
    size_px: int

    @property
    def valid(self) -> Tensor:
        """Which of the kept points are seen (T, K)."""
        return torch.from_numpy(self.points[..., 2] > VISIBLE)[:, list(KEPT)]

    def motion(self) -> Tensor:
        """Return the motion (T, K, 2) in shoulder widths, short gaps bridged and long ones filled."""
        bridged, _ = bridge_gaps(self.points[..., :2], self.points[..., 2] > VISIBLE)
        return torch.from_numpy(normalise(bridged, self.origin, self.scale))

    def in_pixels(self, motion: Tensor) -> np.ndarray:
        """Return motion (T, K, 2) in shoulder widths as points in px."""
        return (motion.numpy() * self.scale + self.origin).astype(np.float32)

    def frames(self) -> Iterator[np.ndarray]:
        """Yield its pictures (H, H, 3) uint8."""
        yield from read_frames(self.path, self.size_px)

    def portrait(self, frame: int) -> Portrait:
        """Return one of its frames as a portrait."""
        picture = next(picture for n, picture in enumerate(self.frames()) if n == frame)
        half = self.size_px / 2
        placed = torch.tensor(self.origin / half - 1, dtype=torch.float32)
        return Portrait(picture, self.motion()[frame], self.valid[frame], placed, self.scale / half)


def read_video(
    path: Path, keypoints: Path | None, *, poses: str = "mediapipe", imports: Sequence[str] = ()
) -> TrackedVideo:
    """Return a video of square pictures, 25 a second, with sound; keypoints: a file, or `poses` finds them.

    Raises InputError for another video, nobody or several people in it, keypoints of another number of
    frames, and shoulders that are never seen.
    """
    video = probe(path)
    check_square(path, video.width_px, video.height_px)
    if keypoints is not None:
        people, place = list(read_keypoints(keypoints, video.width_px, video.height_px)), str(keypoints)
    else:
        plugins = tuple(find_plugin(name, Path.cwd()) for name in imports)
        extractor = read_choice(poses, plugins, ()).make(path).extractor
        people, place = list(extractor.track(read_frames(path, video.width_px))), str(path)
    if len(people) != video.frames:
        raise InputError(f"{place}: {len(people)} frames of keypoints, the video has {video.frames}")
    points = np.stack([_only(some, f"{place}: frame {n}") for n, some in enumerate(people)])
    try:
        origin, scale = measure(points[..., :2], points[..., 2] > VISIBLE)
    except ValueError as error:
        raise InputError(f"{place}: {error}; expected a video of one upper body") from None
    waveform = read_speech(path, video.start_s, video.frames * SAMPLES_PER_FRAME)
    return TrackedVideo(path, points, waveform, origin, scale, video.width_px)


def _only(people: np.ndarray, place: str) -> np.ndarray:
    """Return the one person (133, 3) of a frame, no point of whom may be seen."""
    seen = people[(people[..., 2] > VISIBLE).any(axis=-1)]
    if len(seen) > 1:
        raise InputError(f"{place}: {len(seen)} people, expected one person: crop the video to one")
    if not len(seen):
        return np.zeros((POINTS, 3), np.float32)
    person: np.ndarray = seen[0]
    return person
