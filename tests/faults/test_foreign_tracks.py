"""A planted speaker's tracks with faults at random, as a corpus: right in the end, or refused with reason.

Each is read as a person would: what a message asks is answered with what is true, until the corpus is read or
what is asked is not true. Nothing may be read that was not planted.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from planted_tracks import WRITERS, Size, exchanged, person

from rgx.bound import configure_variants
from rgx.errors import InputError
from rgx.gesture.data.videos import Videos
from rgx.gesture.poses.turns import turned_size
from rgx.gesture.skeleton import LEFT_SHOULDER, RIGHT_SHOULDER
from rgx.gesture.video.files import write_mp4
from rgx.methods import import_methods
from rgx.statements import asked_texts

COUNT = int(os.environ.get("RGX_FOREIGN", "8"))
FRAMES, SLACK_PX = 90, 2.5
"""Of each clip; how far a point may be off that moves on a line between two of its frames, where 640 wide."""
CLIPS: dict[Size, float] = {(640, 360): 1.0, (1280, 720): 2.0, (256, 256): 0.4}
"""Sizes of clips, and how large the speaker is in each."""
ASKED = re.compile(r"corpus/fit\.track\.(\w+)(?: = (\[.*?\]|True|[\d.]+\d|\d))?")


class Fault(NamedTuple):
    """How a track is off from its clip: its dialect and what was changed."""

    dialect: str
    clip: Size
    rate_hz: float
    scale: float
    parts: tuple[str, ...]
    offset_px: tuple[float, float]
    dropped: int
    turned: int
    upwards: bool

    @property
    def found_in(self) -> Size:
        """The size of the pictures that it was found in."""
        return turned_size((round(self.clip[0] * self.scale), round(self.clip[1] * self.scale)), self.turned)

    def truth(self) -> np.ndarray:
        """Return the speaker (T, 133, 3) in px of the clip at 25 Hz, moved as the whole track is."""
        return self._placed(person(FRAMES))

    def track(self) -> np.ndarray:
        """Return the speaker as the file has it, in px of the pictures that it was found in."""
        frames = round(FRAMES * self.rate_hz / 25)
        points = exchanged(self._placed(person(frames, self.rate_hz)), *self.parts)
        points = (points * np.float32([self.scale, self.scale, 1]))[: frames - self.dropped]
        if self.upwards:
            points[..., 1] = self.found_in[1] - points[..., 1]
        width, height = turned_size(self.found_in, self.turned)
        for _ in range(self.turned // 90):
            points = np.stack([height - points[..., 1], points[..., 0], points[..., 2]], axis=-1)
            width, height = height, width
        return points

    def _placed(self, points: np.ndarray) -> np.ndarray:
        size = CLIPS[self.clip]
        return points * np.float32([size, size, 1]) + np.float32([*self.offset_px, 0]) * np.float32(size)

    def answer(self, name: str, suggested: str) -> str:
        """Return what is true of what a message asks for, or nothing where what it suggests is not."""
        if name == "rate_hz" and abs(float(suggested) / self.rate_hz - 1) < 0.005:
            return f"{self.rate_hz:g}"
        if name == "size_px":
            return str(list(self.found_in))
        if name in ("turned", "upwards"):
            return suggested if suggested == str(getattr(self, name)) else ""
        return suggested if name == "exchanged" and suggested == str(sorted(self.parts)) else ""


def drawn(draw: random.Random) -> Fault:
    fault = Fault(
        draw.choice(sorted(WRITERS)),
        draw.choice(sorted(CLIPS)),
        draw.choice((25.0, 25.0, 12.5, 15.0, 29.97, 30.0, 50.0, 60.0)),
        draw.choice((1.0, 1.0, 0.2, 1 / 3, 2.0, 3.0)),
        draw.choice(((), (), ("hands",), ("body",), ("body", "hands"))),
        (draw.uniform(-30, 30), draw.uniform(-30, 30)) if draw.random() < 0.5 else (0.0, 0.0),
        draw.choice((0, 0, 0, 0, 7)),
        draw.choice((0, 0, 0, 90, 180, 270)),
        draw.choice((False, False, True)),
    )
    fault = fault._replace(upwards=fault.upwards and not fault.turned)
    # Exchanged and turned by half is the mirror of y counted upwards: those two cannot be told apart.
    return fault._replace(parts=()) if fault.upwards or fault.turned == 180 else fault


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[Size, Path]:
    """A film of each size, of nothing."""
    import_methods()
    folder, silence = tmp_path_factory.mktemp("films"), np.zeros(FRAMES * 640, np.float32)
    paths = {size: folder / f"{size[0]}.mp4" for size in CLIPS}
    for (width, height), path in paths.items():
        write_mp4(path, (np.zeros((height, width, 3), np.uint8) for _ in range(FRAMES)), silence)
    return paths


def corpus(folder: Path, fault: Fault, film: Path) -> None:
    """Write a train and a test clip, both with the faulty track."""
    (folder / "clips").mkdir(parents=True)
    (folder / "keypoints").mkdir()
    (folder / "index.csv").write_text("clip,speaker,split\na,ann,train\nb,ann,test\n")
    made = WRITERS[fault.dialect][0](folder / "keypoints", fault.track(), fault.found_in)
    other = made.with_name(made.name.replace("a", "b", 1))
    (shutil.copytree if made.is_dir() else shutil.copy)(made, other)
    for name in "ab":
        (folder / f"clips/{name}.mp4").hardlink_to(film)


def read_as_a_person_would(folder: Path, fault: Fault) -> Videos | str:
    """Return the corpus with everything bound that its messages ask for, or the message that ends it."""
    said: dict[str, str] = {}
    shared = [f"corpus.videos.folder = {str(folder)!r}", "corpus.videos.fit = @corpus/fit.track()"]
    while True:
        bindings = [f"corpus/fit.track.{name} = {value}" for name, value in said.items()]
        (videos,) = configure_variants(asked_texts([*shared, *bindings]), ["corpus.videos"])
        assert isinstance(videos, Videos)
        try:
            videos.facts()
            return videos
        except InputError as error:
            message = str(error)
        asked = ASKED.search(message)
        answer = fault.answer(asked[1], asked[2]) if asked else ""
        if asked is None or not answer or asked[1] in said:
            return message
        said[asked[1]] = answer


def wrong(found: Videos | str, fault: Fault) -> str:
    """Return what was read that was not planted, or not read that was, or nothing.

    Only a track that lacks frames may be refused in the end, by its length, and one with a shoulder outside.
    """
    if isinstance(found, str):
        shoulders = fault.truth()[:, [LEFT_SHOULDER, RIGHT_SHOULDER], :2]
        outside = ((shoulders < 0) | (shoulders > fault.clip)).any(axis=-1).all(axis=0).any()
        if outside and "shoulder always lies outside pictures" in found and "size_px" in found:
            return ""
        if fault.turned % 180 and "turned? say so with fit.track.turned = 90 or 270" in found:
            return ""
        lengths = f"{len(fault.track())} frames", str(FRAMES)
        return "" if fault.dropped and all(length in found for length in lengths) else found
    if fault.dropped:
        return "read, though it lacks frames"
    truth, absent = fault.truth(), WRITERS[fault.dialect][1]
    inside = ((truth[..., :2] > 4) & (truth[..., :2] < np.array(fault.clip) - 4)).all(axis=-1)
    inside[:, sorted(absent)] = False
    for clip in found.clips():
        if clip.valid[:, sorted(absent)].any():
            return "points are found that the dialect has not"
        if not clip.valid[:-2][inside[:-2]].all():
            return f"{(~clip.valid[:-2][inside[:-2]]).mean():.0%} of points inside are not found"
        off = np.abs(clip.keypoints - truth[..., :2])[:-2][inside[:-2]].max()
        if off > SLACK_PX * CLIPS[fault.clip]:
            return f"a point is {off:.1f} px off"
    return ""


def test_a_track_ends_right_or_with_the_reason(films: dict[Size, Path], tmp_path: Path) -> None:
    draw, faults = random.Random(22), list[str]()
    for number in range(COUNT):
        fault, folder = drawn(draw), tmp_path / str(number)
        corpus(folder, fault, films[fault.clip])
        if what := wrong(read_as_a_person_would(folder, fault), fault):
            faults.append(f"{fault}: {what}")
        shutil.rmtree(folder)
    assert not faults, "\n".join(faults)
