"""A portrait: one picture of one person with their keypoints, from a file or by an extractor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.poses.files import read_keypoints
from rgx.gesture.prepare.extractors import read_choice
from rgx.gesture.skeleton import KEPT, measure, normalise
from rgx.plugins import find_plugin

VISIBLE = 0.1
"""The score above which a point counts as seen."""


@dataclass(frozen=True)
class Portrait:
    """picture (H, H, 3) uint8; points (K, 2) in shoulder widths around the mid-shoulder; valid (K,).

    origin (2,) and scale place shoulder widths in the picture, whose edges are at −1 and 1.
    """

    picture: np.ndarray
    points: Tensor
    valid: Tensor
    origin: Tensor
    scale: float

    def place(self, motion: Tensor) -> Tensor:
        """Return motion (T, K, 2) in shoulder widths as poses in [−1, 1]."""
        return motion * self.scale + self.origin.to(motion)

    def source(self, size_px: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return what an animator begins with: picture (1, 3, H, H), pose (1, K, 2) and valid (1, K)."""
        image = Image.fromarray(self.picture).resize((size_px, size_px), Image.Resampling.LANCZOS)
        picture = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return picture[None], self.place(self.points)[None], self.valid[None]


def read_portrait(
    path: str | Path, keypoints: str | Path | None = None, *, poses: str = "mediapipe",
    imports: Sequence[str] = (),
) -> Portrait:  # fmt: skip
    """Return a square picture of one person.

    keypoints: the file with theirs; without it `poses`, a variant of that axis, finds them. Raises InputError
    for what is no picture or not square, nobody or several people in it, shoulders that are not seen, and a
    keypoint file of several pictures.
    """
    picture = _read_picture(Path(path))
    height, width = picture.shape[:2]
    if keypoints is not None:
        tracks = read_keypoints(keypoints, width, height)
        if len(tracks) != 1:
            raise InputError(f"{keypoints}: keypoints of {len(tracks)} pictures, expected one picture's")
        people, place = tracks[0], str(keypoints)
    else:
        plugins = tuple(find_plugin(name, Path.cwd()) for name in imports)
        extractor = read_choice(poses, plugins, ()).make(Path(path)).extractor
        people, place = next(iter(extractor.track([picture]))), str(path)
    people = people[(people[..., 2] > VISIBLE).any(axis=-1)]
    if len(people) != 1:
        count = f"{len(people)} people" if len(people) else "nobody"
        raise InputError(f"{place}: {count} in the portrait, expected one person: crop it to one")
    return portrait_of(picture, people[0], place)


def portrait_of(picture: np.ndarray, person: np.ndarray, place: str) -> Portrait:
    """Return a portrait of a picture (H, H, 3) and its person (133, 3): x, y in px and a score.

    Raises InputError, naming the place, where the shoulders are not seen.
    """
    keypoints, valid = person[None, :, :2], person[None, :, 2] > VISIBLE
    try:
        origin, scale = measure(keypoints, valid)
    except ValueError as error:
        raise InputError(f"{place}: {error}; expected a picture of the upper body") from None
    half = len(picture) / 2
    points = torch.from_numpy(normalise(keypoints, origin, scale)[0])
    placed = torch.tensor(origin / half - 1, dtype=torch.float32)
    return Portrait(picture, points, torch.from_numpy(valid[0, list(KEPT)]), placed, scale / half)


def _read_picture(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            picture = np.array(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: unreadable as a picture: {reason}") from None
    height, width = picture.shape[:2]
    if height != width:
        raise InputError(f"{path}: a picture of {width}×{height} px, expected a square one: crop it first")
    return picture
