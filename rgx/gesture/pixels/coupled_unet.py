"""Axis pixels: diffusion on pictures and sound at once, in the structure of MM-Diffusion."""

from __future__ import annotations

import math
from abc import abstractmethod
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import Denoising, Sampler
from rgx.gesture.generate.diffusion import cosine_path
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import PosteriorSampler
from rgx.gesture.nn.precision import sent
from rgx.gesture.pixels.base import PixelGenerator
from rgx.gesture.pixels.coupled_network import COLOURS, CoupledSizes, CoupledUNet
from rgx.gesture.types import SAMPLES_PER_FRAME, WINDOW_FRAMES, PixelBatch
from rgx.registry import register
from rgx.shares import share_rows

LEAST_RATE, MOST_RATE = 0.1, 20.0
"""How fast signal is lost at time 0 and at time 1: a thousand times DDPM's 1e-4 and 0.02."""


def linear_path(time: float) -> tuple[float, float]:
    """Return how much of a window and of noise there is at a time in [0, 1]; their squares add up to 1.

    Source: Ho 2020, β from 1e-4 to 0.02 over 1,000 levels, in continuous time as in Song 2021, eq. (33).
    """
    signal = math.exp(-0.5 * (LEAST_RATE * time + 0.5 * (MOST_RATE - LEAST_RATE) * time**2))
    return signal, math.sqrt(1 - signal**2)


def shares_at(time: float, steps: int) -> list[float]:
    """Return how far the windows of the couplings are moved when a sampler is at a time.

    They depend on the time alone, so that no window is made otherwise in another batch. Source: reading 120.
    """
    shares: list[float] = np.random.default_rng(round(time * 1e6)).random(steps).tolist()
    return shares


class Coupled(PixelGenerator):
    """What both uses of the network share; raises InputError for sizes that do not fit one another.

    size_px, every: how wide pictures are, and of how many frames one is made. The rest: `CoupledSizes`.
    """

    reads: ClassVar = MappingProxyType({"sampler": PosteriorSampler})
    colours: ClassVar[int]
    """How many numbers the network sees of a pixel of noisy video."""

    def __init__(
        self,
        picture_px: int,
        size_px: int = 64,
        every: int = 2,
        width: int = 128,
        multiples: tuple[int, ...] = (1, 2, 3, 4),
        blocks: int = 2,
        windows: tuple[int, ...] = (1, 4, 8),
        heads: int = 4,
        head_channels: int = 64,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.size_px, self.every = size_px, every
        sizes = CoupledSizes(width, multiples, blocks, windows, heads, head_channels, dropout)
        check(sizes, size_px, every, picture_px)
        self.network = CoupledUNet(sizes, self.colours)

    @staticmethod
    @abstractmethod
    def path(time: float) -> tuple[float, float]:
        """Return how much of a window and of noise there is at a time in [0, 1]."""

    def noisy(self, clean: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        """Return what windows (B, …) have become at times (B,)."""
        levels = torch.tensor([self.path(each) for each in time.tolist()])
        shape = (2, len(time), *[1] * (clean.dim() - 1))
        signal, spread = sent(levels.T.reshape(shape), clean.device)
        return signal * clean + spread * noise

    def shares(self) -> list[float]:
        """Draw how far the windows of each coupling are moved, the same for a whole batch."""
        drawn: list[float] = torch.rand(self.network.steps).tolist()
        return drawn

    def shape(self) -> tuple[int, int, int, int]:
        """Return the shape of a window of video."""
        return COLOURS, WINDOW_FRAMES // self.every, self.size_px, self.size_px


@register("pixels", "coupled_unet", label="MM-Diffusion-style", source="MM-Diffusion; readings 119 to 123")
class CoupledUNetPixels(Coupled):
    """The speech is heard without noise, and the source picture is seen beside each noisy frame.

    What is learned is the clean video, as it differs from the source picture.
    """

    colours = 2 * COLOURS

    @staticmethod
    def path(time: float) -> tuple[float, float]:
        return cosine_path(time)

    def denoise(
        self, noisy: Tensor, time: Tensor, source: Tensor, sound: Tensor, shares: list[float]
    ) -> Tensor:
        """Return the clean video (B, 3, F, H, H) that the network sees in a noisy one at times (B,)."""
        beside = source[:, :, None].expand_as(noisy)
        changed, _ = self.network(torch.cat([noisy, beside], dim=1), sound, time, shares)
        return beside + changed

    def losses(self, batch: PixelBatch) -> dict[str, Tensor]:
        time, device = 1 - torch.rand(len(batch.video)), batch.video.device
        noise, shares = sent(torch.randn(batch.video.shape), device), self.shares()
        noisy = self.noisy(batch.video, time, noise)
        clean = share_rows(self.denoise)(noisy, sent(time, device), batch.source, batch.sound, shares)
        return {"video": (clean - batch.video).square().mean()}

    @torch.no_grad()
    def sample(self, source: Tensor, sound: Tensor, sampler: Sampler, noise: Noise) -> Tensor:
        def predict(x: Tensor, time: float, step: float) -> Tensor:
            times = torch.full((len(x),), time, device=x.device)
            shares = shares_at(time, self.network.steps)
            return self.denoise(x, times, source, sound, shares).clamp(-1, 1)

        return sampler.run(Denoising(self.shape(), predict, self.path, noise, sound.device))


@register(
    "pixels",
    "coupled_unet_joint",
    label="MM-Diffusion-style, as published",
    source="MM-Diffusion; readings 119 to 121",
)
class CoupledUNetJointPixels(Coupled):
    """Video and sound are made together, of nobody in particular; given speech is put in the sound's place.

    What is learned is the noise of both. At each step of sampling the sound is the given one with as much
    noise as the video has, always of the same draw; what is seen of a source picture is nothing.
    """

    colours = COLOURS

    @staticmethod
    def path(time: float) -> tuple[float, float]:
        return linear_path(time)

    def losses(self, batch: PixelBatch) -> dict[str, Tensor]:
        time, device = 1 - torch.rand(len(batch.video)), batch.video.device
        seen, heard = (sent(torch.randn(x.shape), device) for x in (batch.video, batch.sound))
        shares = self.shares()
        noisy = self.noisy(batch.video, time, seen), self.noisy(batch.sound, time, heard)
        video, sound = share_rows(self.network)(*noisy, sent(time, device), shares)
        return {"video": (video - seen).square().mean(), "sound": (sound - heard).square().mean()}

    @torch.no_grad()
    def sample(self, source: Tensor, sound: Tensor, sampler: Sampler, noise: Noise) -> Tensor:
        drawn = sent(noise.normal(sound.shape[1]), sound.device)

        def predict(x: Tensor, time: float, step: float) -> Tensor:
            signal, spread = self.path(time)
            times = torch.full((len(x),), time, device=x.device)
            shares = shares_at(time, self.network.steps)
            predicted, _ = self.network(x, signal * sound + spread * drawn, times, shares)
            return ((x - spread * predicted) / signal).clamp(-1, 1)

        return sampler.run(Denoising(self.shape(), predict, self.path, noise, sound.device))


def check(sizes: CoupledSizes, size_px: int, every: int, picture_px: int) -> None:
    """Raise InputError for sizes that do not fit the pictures, a window, or one another."""
    axis, smallest = "pixels.coupled_unet", 2**sizes.halvings
    if not 1 <= size_px <= picture_px or size_px % smallest:
        raise InputError(
            f"{axis}: size_px = {size_px}: expected a multiple of {smallest} for "
            f"{sizes.halvings + 1} levels, and at most the {picture_px} px of the pictures"
        )
    if every < 1 or WINDOW_FRAMES % every:
        raise InputError(f"{axis}: every = {every}: expected a divisor of the {WINDOW_FRAMES} frames")
    frames, samples = WINDOW_FRAMES // every, WINDOW_FRAMES * SAMPLES_PER_FRAME
    if samples % sizes.samples_slot(frames):
        raise InputError(
            f"{axis}: {len(sizes.multiples)} levels and {frames} frames need a multiple of "
            f"{sizes.samples_slot(frames)} samples of sound, found {samples}: choose fewer levels"
        )
    if len(sizes.windows) < sizes.halvings or not all(1 <= w <= frames for w in sizes.windows):
        raise InputError(
            f"{axis}: windows = {sizes.windows}: expected {sizes.halvings}, one a level from the second on, "
            f"of 1 to {frames} frames"
        )
    uneven = [m for m in sizes.multiples if sizes.width * m % sizes.heads]
    if sizes.blocks < 1 or min(sizes.multiples) < 1 or sizes.width < 2 or uneven:
        raise InputError(
            f"{axis}: expected blocks, multiples and a width from 1 up whose products the "
            f"{sizes.heads} heads divide, found blocks = {sizes.blocks}, multiples = {sizes.multiples}, "
            f"width = {sizes.width}"
        )
