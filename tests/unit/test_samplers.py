"""Samplers on data whose denoiser is known in closed form, and random numbers that belong to a window."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import Denoising, Sampler
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import DDIM, Ancestral, Euler

MEAN, DEVIATION, COUNT = 2.0, 0.5, 4000


def curved(time: float) -> tuple[float, float]:
    """A path on which the variance of unit data stays: cosine and sine, a little short of pure noise."""
    return math.cos(1.56 * time), math.sin(1.56 * time)


def straight(time: float) -> tuple[float, float]:
    return 1 - time, time


def drawn(sampler: Sampler, path=curved) -> Tensor:  # type: ignore[no-untyped-def]
    """Return samples of a normal distribution, whose posterior mean is known at every time."""

    def predict(x: Tensor, time: float, step: float) -> Tensor:
        signal, spread = path(time)
        gain = signal * DEVIATION**2 / (signal**2 * DEVIATION**2 + spread**2)
        return MEAN + gain * (x - signal * MEAN)

    noise = Noise([(5, number) for number in range(COUNT)])
    return sampler.run(Denoising((1,), predict, path, noise, torch.device("cpu")))


@pytest.mark.parametrize(
    ("sampler", "path"),
    [
        (DDIM(steps=50), curved),
        (DDIM(steps=50, eta=1.0), curved),
        (DDIM(steps=50), straight),
        (Ancestral(steps=200), curved),
        (Euler(steps=50), straight),
    ],
)
def test_a_known_distribution_is_sampled(sampler: Sampler, path) -> None:  # type: ignore[no-untyped-def]
    samples = drawn(sampler, path)
    error = DEVIATION / math.sqrt(COUNT)
    assert float(samples.mean()) == pytest.approx(MEAN, abs=5 * error)
    assert float(samples.std()) == pytest.approx(DEVIATION, rel=0.08)


def test_one_step_is_the_mean_and_ddim_is_euler_on_a_straight_path() -> None:
    assert torch.allclose(drawn(DDIM(steps=1), straight), torch.full((COUNT, 1), MEAN), atol=1e-5)
    assert torch.allclose(drawn(DDIM(steps=7), straight), drawn(Euler(steps=7), straight), atol=1e-5)
    with pytest.raises(InputError, match="straight"):
        drawn(Euler(steps=2), curved)


def test_ancestral_is_ddim_with_all_the_noise_and_its_posterior_is_that_of_ho() -> None:
    assert torch.equal(drawn(Ancestral(steps=20)), drawn(DDIM(steps=20, eta=1.0)))
    told: list[Tensor] = []

    def predict(x: Tensor, time: float, step: float) -> Tensor:
        told.append(x)
        return torch.full_like(x, 0.7)

    noise = Noise([(1, number) for number in range(COUNT)])
    Ancestral(steps=4).run(Denoising((1,), predict, curved, noise, torch.device("cpu")))
    (a, b), (a_then, b_then) = curved(0.75), curved(0.5)
    share = (a / a_then) ** 2  # alpha of this step
    mean = (a_then * (1 - share) * 0.7 + math.sqrt(share) * b_then**2 * told[1]) / b**2
    deviation = math.sqrt((1 - share) * b_then**2 / b**2)
    apart = (told[2] - mean) / deviation
    assert abs(float(apart.mean())) < 5 / math.sqrt(COUNT) and float(apart.std()) == pytest.approx(
        1, rel=0.05
    )


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: DDIM(steps=0), "steps >= 1"),
        (lambda: DDIM(eta=1.5), "eta <= 1"),
        (lambda: Ancestral(steps=0), "sampler.ancestral.steps = 0"),
        (lambda: Euler(steps=0), "sampler.euler.steps = 0"),
        (lambda: Euler(guidance=0.0), "sampler.euler.guidance = 0.0"),
    ],
)
def test_what_cannot_be_is_refused(made, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=told):
        made()


def test_a_window_s_numbers_are_its_own_and_go_on() -> None:
    many, one = Noise([(3, 0), (3, 1), (3, 2)]), Noise([(3, 1)])
    for _ in range(2):
        assert torch.equal(many.normal(4, 2)[1:2], one.normal(4, 2))
        assert torch.equal(many.uniform(5)[1], one.uniform(5)[0])
    assert not torch.equal(many.normal(3)[0], many.normal(3)[0])
    torch.manual_seed(0)
    first = Noise.drawn(2).uniform(6)
    assert not torch.equal(first[0], first[1]) and 0 <= float(first.min()) <= float(first.max()) < 1
    torch.manual_seed(0)
    assert torch.equal(Noise.drawn(2).uniform(6), first)
