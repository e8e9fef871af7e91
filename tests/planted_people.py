"""People drawn as discs, the extractor that finds them, and recordings of them; `--import` reads it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from scipy import ndimage

import rgx
from rgx.gesture.poses.base import Extractor

AUDIO_HZ = 48_000
TICK = Fraction(1, 90_000)
HEAD, LEFT, RIGHT = (225, 20, 20), (20, 200, 20), (20, 20, 225)
SHORTEST_PX = 2.0


class Person(NamedTuple):
    """Where a drawn person's head and hands are, in px; None for a hand not drawn."""

    head: tuple[float, float]
    left: tuple[float, float] | None
    right: tuple[float, float] | None
    radius: float = 10.0


Scene = Callable[[float], tuple[np.ndarray, Sequence[Person]]]
"""What is to be seen at a time: a background picture (H, W, 3) and people."""


def draw(background: np.ndarray, people: Iterable[Person]) -> np.ndarray:
    """Return the background with people on it."""
    picture = background.copy()
    for person in people:
        for place, colour in ((person.head, HEAD), (person.left, LEFT), (person.right, RIGHT)):
            if place is not None:
                _disc(picture, place, person.radius, colour)
    return picture


def _disc(picture: np.ndarray, place: tuple[float, float], radius: float, colour: tuple[int, ...]) -> None:
    left, top = (max(int(centre - radius) - 1, 0) for centre in place)
    box = picture[top : int(place[1] + radius) + 2, left : int(place[0] + radius) + 2]
    rows, columns = np.mgrid[: len(box), : box.shape[1]] + 0.5
    box[(columns + left - place[0]) ** 2 + (rows + top - place[1]) ** 2 <= radius**2] = colour


@rgx.register("poses", "planted", label="Planted")
class Planted(Extractor):
    """Finds drawn people: 133 points around their discs, shoulders below the head, elbows half way."""

    people = None
    alone = True

    def track(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the people of each picture (P, 133, 3)."""
        for frame in frames:
            heads, lefts, rights = (_discs(frame, channel) for channel in range(3))
            found = [_points(head, _near(head, lefts), _near(head, rights)) for head in heads]
            yield np.stack(found) if found else np.zeros((0, 133, 3), np.float32)


Disc = tuple[float, float, float]


def _discs(frame: np.ndarray, channel: int) -> list[Disc]:
    """Return x, y and radius of every disc of one colour."""
    signed = frame.astype(np.int16)
    others = np.maximum(signed[..., channel - 1], signed[..., channel - 2])
    labels, count = ndimage.label(signed[..., channel] - others > 80)
    found = []
    for number in range(1, count + 1):
        rows, columns = np.nonzero(labels == number)
        radius = float(np.sqrt(len(rows) / np.pi))
        if radius >= SHORTEST_PX:
            found.append((float(columns.mean()) + 0.5, float(rows.mean()) + 0.5, radius))
    return found


def _near(head: Disc, hands: list[Disc]) -> Disc | None:
    near = [hand for hand in hands if np.hypot(hand[0] - head[0], hand[1] - head[1]) < 12 * head[2]]
    return min(near, key=lambda hand: abs(hand[0] - head[0]), default=None)


def _points(head: Disc, left: Disc | None, right: Disc | None) -> np.ndarray:
    x, y, radius = head
    points = np.zeros((133, 3), np.float32)
    points[:5] = (x, y, 1)
    points[5:7] = [(x + 1.5 * radius, y + 2 * radius, 1), (x - 1.5 * radius, y + 2 * radius, 1)]
    angles = np.linspace(0, 2 * np.pi, 68)
    points[23:91] = np.stack(
        [x + 0.8 * radius * np.cos(angles), y + 0.8 * radius * np.sin(angles), angles * 0 + 1], -1
    )
    for shoulder, elbow, wrist, first, hand in ((5, 7, 9, 91, left), (6, 8, 10, 112, right)):
        if hand is not None:
            middle = (points[shoulder, :2] + hand[:2]) / 2
            points[elbow], points[wrist] = (*middle, 1), (*hand[:2], 1)
            points[first : first + 21, :2] = hand[:2] + 0.5 * hand[2] * np.stack(
                [np.cos(angles[:21]), np.sin(angles[:21])], -1
            )
            points[first : first + 21, 2] = 1
    return points


def plain(width: int = 320, height: int = 180, grey: int = 90) -> np.ndarray:
    """Return a grey picture."""
    return np.full((height, width, 3), grey, np.uint8)


def waving(time: float, x: float = 150, y: float = 60, radius: float = 10) -> Person:
    """Return a person whose hands go round."""
    swing = 2 * np.pi * 0.7 * time
    left = (x + 4 * radius + radius * np.cos(swing), y + 5 * radius + 2 * radius * np.sin(swing))
    right = (x - 4 * radius - radius * np.cos(swing), y + 5 * radius - 2 * radius * np.sin(swing))
    return Person((x, y), left, right, radius)


def one(time: float) -> tuple[np.ndarray, list[Person]]:
    """The usual scene: one person waving before a grey wall."""
    return plain(), [waving(time)]


def every(rate: float | Fraction, seconds: float) -> list[float]:
    """Return the times of pictures at a steady rate."""
    return [float(n / Fraction(rate)) for n in range(round(seconds * rate))]


def record(
    path: Path,
    scene: Scene = one,
    times: Sequence[float] | None = None,
    claps_s: Sequence[float] = (),
    sound_s: tuple[float, float] | None = (0.0, 4.0),
    origin_s: float = 0.5,
    turn: int = 0,
) -> Path:
    """Record a scene: pictures at `times`, a quiet tone from and to `sound_s` with a click at each clap.

    origin_s: where time 0 lies in the file. turn: degrees its display matrix turns it.
    """
    times = every(25, 4.0) if times is None else times
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "12"})
        video.time_base = video.codec_context.time_base = TICK
        video.pix_fmt = "yuv420p"
        audio = (
            out.add_stream("pcm_s16le" if path.suffix != ".mp4" else "aac", rate=AUDIO_HZ, layout="mono")
            if sound_s
            else None
        )
        for number, time in enumerate(times):
            picture = draw(*scene(time))
            if not number:
                video.height, video.width = picture.shape[:2]
                if turn:
                    video.set_display_rotation(turn)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.time_base, frame.pts = TICK, round((time + origin_s) / TICK)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None and sound_s is not None:
            samples, first = _sound(claps_s, *sound_s), round((sound_s[0] + origin_s) * AUDIO_HZ)
            for at in range(0, len(samples), 1024):
                piece = samples[None, at : at + 1024]
                sound = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                sound.sample_rate, sound.pts = AUDIO_HZ, first + at
                out.mux(audio.encode(sound))
            out.mux(audio.encode(None))
    return path


def _sound(claps_s: Sequence[float], start_s: float, end_s: float) -> np.ndarray:
    time = start_s + np.arange(round((end_s - start_s) * AUDIO_HZ)) / AUDIO_HZ
    wave = 300 * np.sin(2 * np.pi * 200 * time)
    for clap in claps_s:
        near = np.abs(time - clap) < 0.002
        wave[near] += 30_000 * np.cos(2 * np.pi * 1000 * (time[near] - clap)) * np.hanning(near.sum())
    return wave.astype(np.int16)
