"""A recording with spans made anew: its keypoints, and its pictures and sound."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.model.editing import EditSpan, edit, read_spans, streams_of
from rgx.gesture.model.film import film
from rgx.gesture.model.gesture_model import GestureModel
from rgx.gesture.model.listening import hear
from rgx.gesture.model.motion_file import written_whole
from rgx.gesture.model.sound_blocks import open_sound
from rgx.gesture.model.tracked_video import TrackedVideo
from rgx.gesture.poses.npz_files import write_own_npz
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import SAMPLES_PER_FRAME
from rgx.gesture.video.files import write_mp4


@dataclass(frozen=True)
class Edited:
    """motion (T, K, 2) in shoulder widths, that recorded outside of the spans; waveform: what is heard.

    parts: where the points lie that were made anew.
    """

    model: GestureModel
    recording: TrackedVideo
    spans: Sequence[EditSpan]
    motion: Tensor
    waveform: np.ndarray
    parts: Sequence[slice]

    def points(self) -> np.ndarray:
        """Return points (T, 133, 3) in px and scores: outside of the spans those recorded, to the bit."""
        points = self.recording.points.copy()
        pixels = self.recording.in_pixels(self.motion)
        for span in self.spans:
            for part in self.parts:
                own = list(KEPT[part])
                points[span.first : span.last, own, :2] = pixels[span.first : span.last, part]
                points[span.first : span.last, own, 2] = 1
        return points

    def pictures(self) -> Iterator[np.ndarray]:
        """Yield its pictures (H, H, 3) uint8: outside of the spans those of the recording.

        Raises InputError for a model without an animator that poses drive.
        """
        renderer = self.model.moving_renderer()
        size = self.recording.size_px
        rendered: Iterator[np.ndarray] = iter(())
        firsts = {span.first: span for span in self.spans}
        inside = {frame for span in self.spans for frame in range(span.first, span.last)}
        for number, picture in enumerate(self.recording.frames()):
            if number in firsts:
                portrait = self.recording.portrait(_beside(firsts[number], len(self.motion)))
                poses = portrait.place(self.motion[number : firsts[number].last])
                rendered = film(renderer, portrait.source(self.model.size_px), [poses])
            yield _as_large(next(rendered), size) if number in inside else picture

    def write(self, out: Path) -> None:
        """Write an mp4 with sound, or keypoints as an .npz; the file appears when all of it is there."""
        if out.suffix == ".mp4":
            write_mp4(out, self.pictures(), self.waveform)
            return
        with written_whole(out) as draft:
            write_own_npz(draft, self.points(), self.recording.size_px, self.recording.size_px)


def _beside(span: EditSpan, frames: int) -> int:
    """Return the frame that shows the person best as they are in a span: the one before it, or after it."""
    if span.first:
        return span.first - 1
    return span.last if span.last < frames else 0


def _as_large(picture: np.ndarray, size_px: int) -> np.ndarray:
    if len(picture) == size_px:
        return picture
    return np.array(Image.fromarray(picture).resize((size_px, size_px), Image.Resampling.LANCZOS))


def edited(
    model: GestureModel,
    recording: TrackedVideo,
    spans: Sequence[str],
    *,
    speech: Path | None = None,
    speaker: str | None = None,
    part: str | None = None,
    seed: int = 0,
    steps: int | None = None,
) -> Edited:
    """Return a recording with spans such as 2.0:4.5 made anew.

    speech: what is said in the only span, from its beginning, cut or followed by silence there; part: face or
    body alone. Raises InputError for spans, speech, a speaker, a part and steps that cannot be.
    """
    own = read_spans(spans, len(recording.points))
    streams, number, inference = (
        streams_of(model, part),
        model.speaker_number(speaker),
        model.inference(steps),
    )
    waveform = recording.waveform if speech is None else _dubbed(recording.waveform, speech, own)
    normal, frames = model.normal, len(recording.points)
    sound = open_sound(waveform)
    heard = torch.cat(list(hear(sound, model.speech, frames, normal.speech_mean, normal.speech_std)))
    motion = edit(
        model, recording.motion(), recording.valid, heard, own, streams, number, seed, inference
    )  # fmt: skip
    return Edited(model, recording, own, motion, waveform, list(streams.values()))


def _dubbed(waveform: np.ndarray, speech: Path, spans: Sequence[EditSpan]) -> np.ndarray:
    """Return what is heard with other speech in the span; raises InputError for several spans."""
    if len(spans) != 1:
        raise InputError(f"--speech {speech}: for one span, found {len(spans)}: edit them one after another")
    first, last = (frame * SAMPLES_PER_FRAME for frame in (spans[0].first, spans[0].last))
    said = np.concatenate(list(open_sound(speech).blocks()))[: last - first]
    dubbed = waveform.copy()
    dubbed[first:last] = np.pad(said, (0, last - first - len(said)))
    return dubbed
