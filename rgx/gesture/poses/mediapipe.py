"""Axis poses: MediaPipe Holistic, in this interpreter's environment or in one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from rgx.gesture.poses.base import Extractor, same_size
from rgx.gesture.poses.isolated import Environment, run_child
from rgx.gesture.poses.mediapipe_points import SHAPES, to_wholebody
from rgx.registry import Place, register

VERSION = "0.10.21"
"""The last one whose models lie in its wheel; it needs NumPy 1."""
PACKAGE = f"mediapipe=={VERSION}"
ENVIRONMENT = Environment(
    f"mediapipe-{VERSION}",
    ((PACKAGE,),),
    f"make an environment with {PACKAGE} (Python 3.9 to 3.12) and name its python as poses.mediapipe.python",
    {"mediapipe": VERSION},
)
SMALLEST_SIDE_PX = 512
"""Smaller pictures are enlarged: hands in them would be too small to be found."""


@register("poses", "mediapipe", label="MediaPipe Holistic", source="Lugaresi 2019; Grishchenko 2020")
class MediaPipe(Extractor):
    """MediaPipe Holistic 0.10.21 on each picture by itself; its models lie in its wheel.

    It finds one person; others in view are told by their faces, of which eyes, ears and nose are given.

    python: an interpreter that has MediaPipe; without one, this one where it has it (the extra mediapipe),
    else that of an environment made once, under RGX_CACHE or ~/.cache/rgx.
    """

    alone = True

    def __init__(self, python: Place = "") -> None:
        self.python = python

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield (P, 133, 3) for each picture, its person first; points may lie outside."""
        python = Path(self.python) if self.python else ENVIRONMENT.interpreter()
        script = Path(__file__).with_name("mediapipe_child.py")
        settings = {"package": PACKAGE, "static": self.alone}
        sizes: list[tuple[int, int]] = []
        for landmarks in run_child(python, script, settings, _enlarged(frames, sizes), "poses.mediapipe"):
            people = to_wholebody(_parts(landmarks), *sizes[0])
            yield people[(people[..., 2] > 0).any(axis=-1)]


@register("poses", "mediapipe_following", label="MediaPipe Holistic, following", source="Lugaresi 2019")
class MediaPipeFollowing(MediaPipe):
    """MediaPipe Holistic 0.10.21 following one person: a calmer body, some per cent of a shoulder width off.

    What it finds depends on the pictures before, so a recording is looked at in one piece.
    """

    alone = False


def _enlarged(frames: Iterable[np.ndarray], sizes: list[tuple[int, int]]) -> Iterator[np.ndarray]:
    """Pass pictures on, their short side at least 512 px; the width and height they had go to `sizes`."""
    for frame in same_size(frames):
        height, width = frame.shape[:2]
        if not sizes:
            sizes.append((width, height))
        scale = SMALLEST_SIDE_PX / min(height, width)
        if scale > 1:
            size = (round(width * scale), round(height * scale))
            frame = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        yield frame


def _parts(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Return one answer of the child (P, 543, 3) as MediaPipe's parts, each of P people."""
    ends = np.cumsum([shape[0] for shape in SHAPES.values()])[:-1]
    parts = zip(SHAPES.items(), np.split(landmarks, ends, axis=1), strict=True)
    return {name: part[..., : shape[1]] for (name, shape), part in parts}
