"""Takes: what a model gestured to some speech, and the same with a span of it made anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from rgx.errors import InputError
from rgx.gesture.model.editing import EditSpan, edit, streams_of
from rgx.gesture.model.gesture_model import GeneratedMotion, GestureModel, Performance
from rgx.gesture.model.listening import hear
from rgx.gesture.model.portrait import Portrait
from rgx.gesture.types import FPS
from rgx.gesture.video.files import write_mp4

LONGEST_S = 600
"""A page waits no longer; the command `generate` takes speech of any length."""
Progress = Callable[[str, int, int], None]
"""What is told of what is being made, how much of it there is, and how much there will be."""


class Wish(BaseModel):
    """What somebody asks of the page: files by the names that the server gave them, and how to decode.

    take: the one of which the span from `begin` to `end`, in s, is made anew; without it all of `speech` is.
    """

    model_config = ConfigDict(extra="forbid")
    speech: str = ""
    portrait: str = ""
    portrait_keypoints: str = ""
    take: str = ""
    begin: float = Field(0.0, allow_inf_nan=False)
    end: float = Field(0.0, allow_inf_nan=False)
    part: str | None = None
    speaker: str | None = None
    seed: int = Field(0, ge=0, lt=2**31)
    steps: int | None = Field(None, ge=1, le=10_000)
    guidance: float | None = Field(None, gt=0, le=100)


@dataclass(frozen=True)
class Take:
    """A film in a file, and the motion that it shows; label: what it is of, for who chooses among takes."""

    label: str
    film: Path
    motion: GeneratedMotion

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.motion.points) / FPS


def first_take(
    model: GestureModel, wish: Wish, speech: Path, portrait: Portrait | None, film: Path, tell: Progress
) -> Take:
    """Return what a model gestures to speech; raises InputError as `begin` does, and for too much speech."""
    performance = model.begin(speech, wish.speaker, portrait, wish.seed, wish.steps, wish.guidance)
    frames = performance.frames
    if frames > LONGEST_S * FPS:
        raise InputError(
            f"{speech}: {frames / FPS / 60:.1f} minutes of speech, this page takes {LONGEST_S // 60}: "
            "`rgx generate` takes any length"
        )
    pieces, done = [], 0
    for piece in performance.motion():
        pieces.append(piece)
        done += len(piece)
        tell("motion", done, frames)
    label = f"{model.speakers[performance.speaker]}, seed {wish.seed}"
    return _filmed(label, GeneratedMotion(performance, torch.cat(pieces)), film, tell)


def next_take(model: GestureModel, wish: Wish, take: Take, film: Path, tell: Progress) -> Take:
    """Return a take with one span made anew; all keypoints outside of it stay as they are, to the bit.

    Raises InputError for a span that is none of the take's, and for what the model cannot edit.
    """
    points = take.motion.points
    first, last = round(wish.begin * FPS), round(wish.end * FPS)
    if not 0 <= first < last <= len(points):
        raise InputError(
            f"a span from {wish.begin:g} to {wish.end:g} s: expected one that begins before it ends, "
            f"within {take.seconds:g} s"
        )
    normal, number = model.normal, model.speaker_number(wish.speaker)
    streams, inference = streams_of(model, wish.part), model.inference(wish.steps, wish.guidance)
    tell("motion", 0, last - first)
    performance: Performance = replace(take.motion.performance, speaker=number, seed=wish.seed)
    heard = hear(performance.sound, model.speech, len(points), normal.speech_mean, normal.speech_std)
    seen = torch.ones(points.shape[:2], dtype=torch.bool, device=model.device)
    edited = edit(
        model, points, seen, torch.cat(list(heard)), [EditSpan(first, last)], streams, number, wish.seed,
        inference,
    )  # fmt: skip
    what = f"{wish.part} from" if wish.part else "from"
    label = f"{take.label}; {what} {first / FPS:g} to {last / FPS:g} s anew, seed {wish.seed}"
    return _filmed(label, GeneratedMotion(performance, edited), film, tell)


def _filmed(label: str, motion: GeneratedMotion, film: Path, tell: Progress) -> Take:
    """Return a take whose film was written, as all at once: what stays the same is drawn the same."""

    def pictures() -> Iterator[np.ndarray]:
        for done, picture in enumerate(motion.render()):
            tell("pictures", done, len(motion.points))
            yield picture

    write_mp4(film, pictures(), motion.performance.sound.by_frame())
    return Take(label, film, motion)
