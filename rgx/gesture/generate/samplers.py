"""Axis sampler: how noise becomes motion at inference, and in how many steps."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import Denoising, Sampler, positive
from rgx.gesture.nn.precision import sent
from rgx.registry import find, make, register


class PosteriorSampler(Sampler):
    """Steps from x_t to what x_s may have been, t > s: its mean given x₀ and ε, and η times its spread.

    With x_t = a_t x₀ + b_t ε and r = a_t / a_s: x_s = a_s x₀ + √(b_s² − σ²) ε + σ z, where
    σ² = η² b_s² (b_t² − r² b_s²) / b_t². Source: Song 2021 (DDIM), eqs. (12) and (16), for any such path.
    """

    eta: float

    def run(self, denoising: Denoising) -> Tensor:
        x = denoising.start()
        times = [1 - step / self.steps for step in range(self.steps + 1)]
        for time, then in pairwise(times):
            clean = denoising.predict(x, time, time - then)
            (signal, spread), (signal_then, spread_then) = denoising.path(time), denoising.path(then)
            noise = (x - signal * clean) / spread
            carried = (signal / signal_then * spread_then) ** 2 if signal_then else 0.0
            deviation = self.eta * spread_then * math.sqrt(max(0.0, spread**2 - carried)) / spread
            x = signal_then * clean + math.sqrt(max(0.0, spread_then**2 - deviation**2)) * noise
            if deviation:
                x = x + deviation * sent(denoising.noise.normal(*x.shape[1:]), x.device)
        return x


@register("sampler", "ddim", label="DDIM", source="Song 2021")
class DDIM(PosteriorSampler):
    """Few steps; eta: 0 adds no noise on the way, 1 as much as ancestral sampling."""

    def __init__(self, steps: int = 50, eta: float = 0.0, guidance: float = 1.0) -> None:
        if steps < 1 or not 0 <= eta <= 1:
            raise InputError(f"sampler.ddim: expected steps >= 1 and 0 <= eta <= 1, found {steps}, {eta}")
        self.steps, self.eta, self.guidance = steps, eta, positive(guidance, "sampler.ddim")


@register("sampler", "ancestral", label="Ancestral", source="Ho 2020 (DDPM)")
class Ancestral(PosteriorSampler):
    """Each step draws from the posterior, in as many steps as the network was trained with, or fewer."""

    eta = 1.0

    def __init__(self, steps: int = 1000, guidance: float = 1.0) -> None:
        if steps < 1:
            raise InputError(f"sampler.ancestral.steps = {steps}: expected 1 or more")
        self.steps, self.guidance = steps, positive(guidance, "sampler.ancestral")


@register("sampler", "euler", label="Euler", source="Lipman 2023 (flow matching)")
class Euler(Sampler):
    """Equal steps along the straight path x_t = (1 − t) x₀ + t ε, by the velocity (x₀ − x_t) / t.

    Raises InputError for a path that is not straight.
    """

    def __init__(self, steps: int = 2, guidance: float = 1.0) -> None:
        if steps < 1:
            raise InputError(f"sampler.euler.steps = {steps}: expected 1 or more")
        self.steps, self.guidance = steps, positive(guidance, "sampler.euler")

    def run(self, denoising: Denoising) -> Tensor:
        if denoising.path(0.25) != (0.75, 0.25):
            raise InputError(
                "sampler: euler follows a straight path, which this generator's is not: choose ddim"
            )
        x, step = denoising.start(), 1 / self.steps
        for number in range(self.steps):
            time = 1 - number * step
            x = x + step * (denoising.predict(x, time, step) - x) / time
        return x


DEFAULT: Sampler = make(find("sampler", "ddim"), {})
