"""Axis generator: diffusion on motion, in the structure of S2G-Diffusion's motion model."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Denoising, Generator, Inference
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.generate.denoiser import Denoiser, SpeechReader
from rgx.gesture.generate.samplers import PosteriorSampler
from rgx.gesture.generate.speech_content import silence_some
from rgx.gesture.nn.precision import sent
from rgx.gesture.types import Batch, MotionTokenizer
from rgx.registry import register
from rgx.shares import share_rows

OFFSET = 0.008
"""How far the cosine is moved, so that the least noise is not too little to learn from."""


def cosine_path(time: float) -> tuple[float, float]:
    """Return how much of a window and of noise there is at a time in [0, 1]; their squares add up to 1.

    Source: Nichol & Dhariwal 2021, eq. (17), as a function of continuous time.
    """

    def cosine(time: float) -> float:
        return math.cos((time + OFFSET) / (1 + OFFSET) * math.pi / 2)

    signal = max(0.0, cosine(time) / cosine(0.0))
    return signal, math.sqrt(max(0.0, 1 - signal**2))


def squared_losses(clean: Tensor, batch: Batch) -> dict[str, Tensor]:
    """Return mean squared errors of a window (B, T, K, 2), of its first and of its second differences.

    Only frames count that are valid, and differences between such. The first difference is from the source
    frame, so that a window is held to go on from there. Source: S2G-Diffusion; reading 94.
    """

    def mean_square(error: Tensor, valid: Tensor) -> Tensor:
        return (error.square() * valid[..., None]).sum() / (2 * valid.sum()).clamp(min=1)

    error, valid = clean - batch.motion, batch.valid
    losses = {"position": mean_square(error, valid)}
    # The source frame is given: there is no error in it.
    error = torch.cat([torch.zeros_like(error[:, :1]), error], dim=1)
    valid = torch.cat([batch.prefix_valid[:, -1:], valid], dim=1)
    for name in ("velocity", "acceleration"):
        error, valid = error.diff(dim=1), valid[:, 1:] & valid[:, :-1]
        losses[name] = mean_square(error, valid)
    return losses


def begin_at_source(motion: Tensor, batch: Batch) -> Tensor:
    """Return a window (B, T, K, 2) as it goes on from its source frame, as ours does (`go_on`).

    The frame before it is where its first step would have come from; what that misses of the source frame is
    left over the first frames. Source: reading 94.
    """
    before = 2 * motion[:, :1] - motion[:, 1:2]
    return go_on(torch.cat([before.expand_as(batch.prefix), motion], dim=1), batch)


@register("generator", "diffusion", label="Diffusion", source="S2G-Diffusion (LMDM); readings 93 to 97")
class DiffusionGenerator(Generator):
    """Noise to motion, step by step: a network says what the clean window is, a sampler goes there.

    condition_dropout: of how many windows the speech is replaced by silence in training, which guidance
    needs. The weights are those of the differences' losses beside that of positions. Motion is standardised
    and reaches several units, so nothing is clipped. Raises InputError for a share out of range.
    """

    needs_tokenizer = False
    reads: ClassVar[Mapping[str, type]] = {"sampler": PosteriorSampler}

    def __init__(
        self,
        features: int,
        speakers: int,
        levels: tuple[int, ...],
        width: int = 512,
        layers: int = 8,
        heads: int = 8,
        feedforward: int = 1024,
        speech_layers: int = 2,
        dropout: float = 0.1,
        condition_dropout: float = 0.25,
        velocity_weight: float = 1.0,
        acceleration_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 <= condition_dropout < 1:
            raise InputError(
                f"generator.diffusion.condition_dropout = {condition_dropout}: expected 0 <= share < 1"
            )
        self.condition_dropout = condition_dropout
        self.weights = {"velocity": velocity_weight, "acceleration": acceleration_weight}
        self.points = sum(levels)
        self.denoiser = Denoiser(2 * self.points, speakers, width, layers, heads, feedforward, dropout)
        self.reader = SpeechReader(features, width, speech_layers, heads, feedforward, dropout)
        self.silence = nn.Parameter(torch.zeros(width))

    def steady(self) -> Iterator[nn.Module]:
        yield self.reader
        yield self.denoiser

    def denoise(self, x: Tensor, time: Tensor, prefix: Tensor, memory: Tensor, speaker: Tensor) -> Tensor:
        """Return the clean window (B, T, K, 2) that the network sees in a noisy one at times (B,)."""
        flat, before = (rearrange(frames, "b t k c -> b t (k c)") for frames in (x, prefix))
        clean = self.denoiser(flat, time, before, memory, speaker)
        return rearrange(clean, "b t (k c) -> b t k c", c=2)

    def losses(self, batch: Batch, tokenizer: MotionTokenizer | None) -> dict[str, Tensor]:
        device = batch.motion.device
        time = 1 - torch.rand(len(batch.motion))
        levels = torch.tensor([cosine_path(each) for each in time.tolist()])
        signal, spread = sent(levels, device)[..., None, None, None].unbind(dim=1)
        noisy = signal * batch.motion + spread * sent(torch.randn(batch.motion.shape), device)
        memory = share_rows(self.reader)(batch.speech)
        if self.training:
            memory = silence_some(memory, self.silence, self.condition_dropout)
        clean = share_rows(self.denoise)(noisy, sent(time, device), batch.prefix, memory, batch.speaker)
        losses = squared_losses(clean, batch)
        return {name: self.weights.get(name, 1.0) * value for name, value in losses.items()}

    @torch.no_grad()
    def sample(self, batch: Batch, inference: Inference) -> Tensor:
        sampler = inference.sampler
        assert isinstance(sampler, PosteriorSampler)
        shape, device = (batch.speech.shape[1], self.points, 2), batch.speech.device
        predict, noise = self._guided(batch, sampler.guidance), inference.draws(batch)
        return begin_at_source(sampler.run(Denoising(shape, predict, cosine_path, noise, device)), batch)

    def _guided(self, batch: Batch, guidance: float) -> Callable[[Tensor, float, float], Tensor]:
        """Return what a sampler asks: u + guidance · (c − u), with speech c, without it u, in one batch.

        With a guidance of 1 there is no pass without speech. Source: Ho & Salimans 2022.
        """
        memory, passes = self.reader(batch.speech), 1 if guidance == 1 else 2
        if passes == 2:
            memory = torch.cat([memory, self.silence.expand_as(memory)])
        prefix, speaker = batch.prefix.repeat(passes, 1, 1, 1), batch.speaker.repeat(passes)

        def predict(x: Tensor, time: float, step: float) -> Tensor:
            times = torch.full((len(speaker),), time, device=x.device)
            clean = self.denoise(x.repeat(passes, 1, 1, 1), times, prefix, memory, speaker)
            if passes == 1:
                return clean
            heard, unheard = clean.chunk(2)
            return unheard + guidance * (heard - unheard)

        return predict
