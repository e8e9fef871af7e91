"""A trained cell that gestures: speech and a speaker to motion, to tokens and to pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError, nearest
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.noise import Noise
from rgx.gesture.model import skeleton_film
from rgx.gesture.model.fading import fade_windows
from rgx.gesture.model.film import film
from rgx.gesture.model.listening import window_features
from rgx.gesture.model.portrait import Portrait
from rgx.gesture.model.retargeting import Retargeting, retarget
from rgx.gesture.model.sound_blocks import Sound, open_sound
from rgx.gesture.rendering import Renderer
from rgx.gesture.stages.motion import MotionStage
from rgx.gesture.types import FRAMES_PER_TOKEN, PREFIX_FRAMES, WINDOW_FRAMES, Batch
from rgx.gesture.video.files import write_mp4
from rgx.model.base import LoadedModel, TrainedCell
from rgx.model.rebuilding import rebuild

STEPPED = ("decode", "sampler")
"""What of a cell may take another number of steps, or another guidance, at inference."""
WORDS = {"steps": "number of steps", "guidance": "guidance"}


@dataclass(frozen=True)
class Normalisation:
    """Means and deviations of motion (K, 2) in shoulder widths and of speech (F,) in training."""

    motion_mean: Tensor
    motion_std: Tensor
    speech_mean: Tensor
    speech_std: Tensor


class GestureModel(LoadedModel):
    """Speech to motion of any length by a trained cell; rest (S, K, 2): where each speaker's motion begins.

    speakers: their names; size_px: the width of its pictures, 0 without an animator.
    """

    def __init__(self, cell: TrainedCell, motion: MotionStage, normal: Normalisation, rest: Tensor) -> None:
        super().__init__(cell)
        self.speech, self.generator = cell.built["speech"], cell.built["generator"]
        self.tokenizer, self.residual = cell.built.get("tokenizer"), cell.built.get("residual")
        self.axes: dict[str, Any] = {axis: getattr(motion, axis) for axis in STEPPED}
        self.normal, self.rest = normal, rest
        self.speakers: tuple[str, ...] = cell.built["corpus"].speakers
        animator = cell.built.get("animator")
        self.renderer = Renderer(animator, cell.built.get("refiner"), self.device) if animator else None
        self.size_px: int = cell.built["frames"].size_px if animator else 0

    def begin(
        self, speech: str | Path | np.ndarray, speaker: str | None = None, portrait: Portrait | None = None,
        seed: int = 0, steps: int | None = None, guidance: float | None = None,
    ) -> Performance:  # fmt: skip
        """Return what will be gestured to speech: a file, or a waveform (S,) mono at 16 kHz.

        speaker: whose style, the first of them unless given; portrait: whose picture moves, a drawn skeleton
        unless given; steps, guidance: of decoding or sampling, those of the cell unless given. The same seed
        is the same motion. Raises InputError for speech that cannot be read, is too short or silent, a
        speaker who is not known, and steps or a guidance that its generator does not take.
        """
        number, inference = self.speaker_number(speaker), self.inference(steps, guidance)
        return Performance(self, open_sound(speech), number, portrait, seed, inference)

    def transfer(
        self, speech: str | Path | np.ndarray, pattern: str, portrait: Portrait, seed: int = 0,
        steps: int | None = None,
    ) -> Performance:  # fmt: skip
        """Return what a portrait will gesture in the style of a speaker, with bones of their own length.

        Motion begins where the speaker rests. Raises InputError as `begin` does, and for a portrait without
        a whole arm's bone in sight.
        """
        performance = self.begin(speech, pattern, portrait, seed, steps)
        rest, person = self.rest[performance.speaker].cpu(), portrait.points
        return replace(performance, bones=retarget(rest, person, portrait.valid))

    def generate(
        self, speech: str | Path | np.ndarray, *, speaker: str | None = None,
        portrait: Portrait | None = None, seed: int = 0, steps: int | None = None,
    ) -> GeneratedMotion:  # fmt: skip
        """Return all motion of speech, in memory; `begin` gives a performance that holds a window of it."""
        performance = self.begin(speech, speaker, portrait, seed, steps)
        return GeneratedMotion(performance, torch.cat(list(performance.motion())))

    def speaker_number(self, name: str | None) -> int:
        """Return a speaker's number, the first unless named; raises InputError with the nearest name."""
        if name is not None and name not in self.speakers:
            raise InputError(f"no speaker '{name}' in this model: {nearest(name, self.speakers)}")
        return 0 if name is None else self.speakers.index(name)

    def moving_renderer(self) -> Renderer:
        """Return what moves a picture by poses; raises InputError for a model without it."""
        if self.renderer is None:
            raise InputError(
                f"{self.name}: no animator, so no picture moves: choose a row with one, or OUT.npz"
            )
        if not self.renderer.animator.driven_by_pose:
            raise InputError(f"{self.name}: its animator follows pictures, not poses: choose another row")
        return self.renderer

    def setting(self, name: str) -> float | None:
        """Return the cell's own number of `steps`, or its `guidance`; None where its generator reads none."""
        values = [self.axes[axis].record[name] for axis in self._set_by(name)]
        return values[0] if values else None

    def inference(self, steps: int | None, guidance: float | None = None) -> Inference:
        """Return how its generator decodes; raises InputError for what it does not take."""
        axes = dict(self.axes)
        for name, value in (("steps", steps), ("guidance", guidance)):
            read = self._set_by(name)
            if value is not None and not read:
                kind, what = self.generator.record["variant"], WORDS[name]
                raise InputError(f"{name} = {value}: {kind} takes no {what}")
            if value is not None:
                axes |= {axis: rebuild({**axes[axis].record, name: value}) for axis in read}
        return Inference(self.tokenizer, residual=self.residual, **axes)

    def _set_by(self, name: str) -> list[str]:
        """Return which of the axes that its generator reads have a parameter."""
        return [axis for axis in STEPPED if axis in self.generator.reads and name in self.axes[axis].record]

    def start(self, portrait: Portrait | None, speaker: int) -> tuple[Tensor, Tensor]:
        """Return the frame (K, 2) that motion goes on from, standardised, and which of it is seen (K,).

        What a portrait does not show is as the speaker rests.
        """
        rest = self.rest[speaker]
        points, valid = rest, torch.ones(len(rest), dtype=torch.bool, device=rest.device)
        if portrait is not None:
            valid = portrait.valid.to(rest.device)
            points = torch.where(valid[:, None], portrait.points.to(rest), rest)
        return (points - self.normal.motion_mean) / self.normal.motion_std, valid


@dataclass(frozen=True)
class Performance:
    """Speech about to be gestured; whatever is asked of it is computed as it is read, from the beginning.

    speaker: their number; inference: how motion is decoded; bones: whose it is given, where it is not the
    portrait that moves by itself.
    """

    model: GestureModel
    sound: Sound
    speaker: int
    portrait: Portrait | None
    seed: int
    inference: Inference
    bones: Retargeting | None = None

    @property
    def frames(self) -> int:
        """T, how many frames there will be."""
        return self.sound.frames

    @property
    def size_px(self) -> int:
        """The width of the picture that its poses are in: the portrait's, or a skeleton's."""
        return skeleton_film.SIZE_PX if self.portrait is None else len(self.portrait.picture)

    def motion(self) -> Iterator[Tensor]:
        """Yield the motion (N, K, 2) in shoulder widths, some frames at a time, T in all."""
        model, left = self.model, self.frames
        normal = model.normal
        windows = window_features(self.sound, model.speech, normal.speech_mean, normal.speech_std)
        for piece in fade_windows(windows, self._start(), self._sample):
            points = (piece[0, :left] * normal.motion_std + normal.motion_mean).cpu()
            left -= len(points)
            if len(points):
                yield points if self.bones is None else self.bones(points)

    def poses(self) -> Iterator[Tensor]:
        """Yield the poses (N, K, 2) in [−1, 1] of its pictures."""
        yield from map(self.place, self.motion())

    def place(self, motion: Tensor) -> Tensor:
        """Return motion (T, K, 2) in shoulder widths as poses in [−1, 1] of its pictures."""
        return skeleton_film.place(motion) if self.portrait is None else self.portrait.place(motion)

    def pictures(self) -> Iterator[np.ndarray]:
        """Yield its pictures (H, H, 3) uint8; raises InputError for a portrait without an animator for it."""
        yield from self.drawn(self.poses())

    def drawn(self, poses: Iterator[Tensor]) -> Iterator[np.ndarray]:
        """Yield the pictures of poses (N, K, 2) in [−1, 1]."""
        if self.portrait is None:
            for some in poses:
                yield from map(skeleton_film.draw, some)
            return
        renderer = self.model.moving_renderer()
        yield from film(renderer, self.portrait.source(self.model.size_px), poses)

    def _start(self) -> Batch:
        """Return a window without speech that begins where the portrait or the speaker at rest is."""
        start, valid = self.model.start(None if self.bones else self.portrait, self.speaker)
        blank = start.new_zeros(1, WINDOW_FRAMES, len(start), 2)
        nothing = torch.zeros(1, WINDOW_FRAMES, dtype=torch.bool, device=start.device)
        return Batch(
            motion=blank,
            valid=torch.ones_like(blank[..., 0], dtype=torch.bool),
            speech=blank.new_zeros(1, WINDOW_FRAMES, len(self.model.normal.speech_mean)),
            beats=nothing,
            prefix=start.expand(1, PREFIX_FRAMES, -1, -1),
            prefix_valid=valid.expand(1, PREFIX_FRAMES, -1),
            speaker=torch.tensor([self.speaker], device=start.device),
            clip=torch.zeros(1, dtype=torch.long, device=start.device),
            pauses=nothing,
        )

    @torch.no_grad()
    def _sample(self, batch: Batch, number: int) -> Tensor:
        """Return the motion (1, 80, K, 2) of a window, whose random numbers are its own."""
        noise = Noise([(self.seed, number)])
        motion: Tensor = self.model.generator.sample(batch, replace(self.inference, noise=noise))
        return motion


@dataclass(frozen=True)
class GeneratedMotion:
    """points (T, K, 2) in shoulder widths around the middle of the shoulders, face first, at 25 Hz."""

    performance: Performance
    points: Tensor

    def tokens(self) -> dict[str, Tensor]:
        """Return the tokens (N, Q) of each stream; raises InputError for a model without a tokenizer."""
        model = self.performance.model
        if model.tokenizer is None:
            raise InputError(f"{model.name} works on points: it has no tokens")
        normal = model.normal
        motion = (self.points.to(normal.motion_mean) - normal.motion_mean) / normal.motion_std
        whole = torch.cat([motion, motion[-1:].expand(-len(motion) % FRAMES_PER_TOKEN, -1, -1)])
        with torch.no_grad():
            return {stream: codes[0].cpu() for stream, codes in model.tokenizer.tokens(whole[None]).items()}

    def render(self, out: str | Path | None = None) -> Iterator[np.ndarray]:
        """Return its pictures (H, H, 3) uint8; out: the mp4 they are written to first, with the speech.

        Raises InputError for a file that cannot be written.
        """

        def pictures() -> Iterator[np.ndarray]:
            return self.performance.drawn(iter([self.performance.place(self.points)]))

        if out is not None:
            write_mp4(Path(out), pictures(), self.performance.sound.by_frame())
        return pictures()
