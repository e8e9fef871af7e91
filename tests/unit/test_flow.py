"""Flow on latents: what is learned of steps, known flows, and what its public relative does wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from roster import load_roster
from torch import Tensor

from rgx import registry
from rgx.errors import InputError
from rgx.gesture.generate import flow as flow_module
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.denoiser import time_codes
from rgx.gesture.generate.flow import FlowGenerator, LatentScale, draw_times, window_latents
from rgx.gesture.generate.flow_network import VelocityNetwork
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import Euler
from rgx.gesture.skeleton import KEPT
from rgx.gesture.tokens.parts import SeparateParts
from rgx.gesture.tokens.tokenizer import Tokenizer, with_prefix
from rgx.gesture.types import PREFIX_FRAMES, PREFIX_TOKENS, Batch
from rgx.meta import shapes_only
from rgx.stage import count_parameters

load_roster()
torch.set_num_threads(1)
FEATURES, FRAMES, LATENT = 5, 16, 8


def make_batch(count: int = 3) -> Batch:
    draw = torch.Generator().manual_seed(0)
    return Batch(
        motion=torch.randn(count, FRAMES, len(KEPT), 2, generator=draw),
        valid=torch.ones(count, FRAMES, len(KEPT), dtype=torch.bool),
        speech=torch.randn(count, FRAMES, FEATURES, generator=draw),
        beats=torch.zeros(count, FRAMES, dtype=torch.bool),
        prefix=torch.randn(count, PREFIX_FRAMES, len(KEPT), 2, generator=draw),
        prefix_valid=torch.ones(count, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.arange(count) % 2,
        clip=torch.arange(count),
    )


def make_tokenizer() -> Tokenizer:
    torch.manual_seed(3)
    variant = registry.find("quantizer", "rvq")
    quantizer = registry.Recipe(variant, {**variant.parameters, "codes": 12, "layers": 3})
    return Tokenizer(SeparateParts(), quantizer, LATENT, 1).eval()


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return make_tokenizer()


def make_generator(tokenizer: Tokenizer, **changed: Any) -> FlowGenerator:
    torch.manual_seed(0)
    small = {"width": 16, "listening_layers": 1, "layers": 1, "heads": 2, "speech_width": 8} | changed
    return FlowGenerator(tokenizer, FEATURES, 2, **small).eval()


def seeds(count: int) -> Noise:
    return Noise([(5, window) for window in range(count)])


class Known(torch.nn.Module):
    """The way to one latent from anywhere: the flow of a world in which there is nothing else."""

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.clean, self.steps = clean, []  # type: list[Tensor]

    def forward(self, x: Tensor, time: Tensor, step: Tensor, *rest: Tensor) -> Tensor:
        self.steps.append(step)
        return (self.clean[: len(x)] - x) / time[:, None, None, None]


def known_generator(tokenizer: Tokenizer, batch: Batch, **changed: Any) -> FlowGenerator:
    generator = make_generator(tokenizer, **changed)
    generator.network = Known(window_latents(tokenizer, batch)[:, PREFIX_TOKENS:])  # type: ignore[assignment]
    return generator


def test_the_network_has_the_published_size() -> None:
    with shapes_only():
        network = VelocityNetwork(3, 128, 1, 256, 3, 8, 4, 0.1)
    assert count_parameters(network) / 1e6 == pytest.approx(30.63, rel=0.01)


def test_of_the_true_flow_no_loss_is_left_and_one_step_does_as_well_as_many(tokenizer: Tokenizer) -> None:
    batch = make_batch(8)
    generator = known_generator(tokenizer, batch)
    losses = generator.losses(batch, tokenizer)
    assert set(losses) == {"flow", "shortcut"}
    assert all(float(value) < 1e-8 for value in losses.values())
    with torch.no_grad():
        motions = [
            generator.sample(batch, Inference(tokenizer, sampler=Euler(steps), noise=seeds(8)))
            for steps in (1, 2, 5)
        ]
    assert all(torch.allclose(motion, motions[0], atol=1e-4) for motion in motions)


def test_a_sampler_s_step_is_what_the_network_is_told(tokenizer: Tokenizer) -> None:
    batch = make_batch(2)
    generator = known_generator(tokenizer, batch)
    for steps in (1, 2, 4):
        generator.network.steps.clear()  # type: ignore[operator,union-attr]
        generator.sample(batch, Inference(tokenizer, sampler=Euler(steps), noise=seeds(2)))
        asked = [float(step[0]) for step in generator.network.steps]  # type: ignore[union-attr]
        assert asked == [1 / steps] * steps


def test_one_step_learns_what_two_of_half_its_size_come_to(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, calls = make_batch(4), []

    class Told(torch.nn.Module):
        def forward(self, x: Tensor, time: Tensor, step: Tensor, *rest: Tensor) -> Tensor:
            calls.append((x, time, step))
            return x * time[:, None, None, None] + step[:, None, None, None]

    generator = make_generator(tokenizer, shortcut_share=0.5)
    generator.network = Told()  # type: ignore[assignment]
    half = torch.tensor([0.25, 1 / 128, 0.0, 0.0])
    monkeypatch.setattr(flow_module, "draw_times", lambda *given: (torch.tensor([0.5, 0.25, 0.3, 0.9]), half))
    losses = generator.losses(batch, tokenizer)
    (x, time, first), (halfway, later, second), (whole, _, step) = calls
    assert [len(call[0]) for call in calls] == [2, 2, 4]
    # The least step is asked as the flow itself, whose step is 0.
    assert first.tolist() == second.tolist() == [0.25, 0.0]
    assert step.tolist() == [0.5, 1 / 64, 0.0, 0.0]
    assert torch.allclose(later, time - half[:2])
    wide = (slice(None), None, None, None)
    one = x * time[wide] + first[wide]
    assert torch.allclose(halfway, x + half[:2][wide] * one, atol=1e-5)
    goal = (one + halfway * later[wide] + second[wide]) / 2
    error = (whole[:2] * time[wide] + step[:2][wide] - goal).square().flatten(1).mean(dim=1)
    assert float(losses["shortcut"]) == pytest.approx(float(error.sum() / 4), rel=1e-4)


def test_no_step_goes_beyond_the_motion() -> None:
    torch.manual_seed(0)
    time, half = draw_times(4000, 1000)
    step = 2 * half[:1000]
    assert sorted(set(step.tolist())) == [0.5**n for n in range(6, -1, -1)]
    assert (time[:1000] - step).min() >= 0
    assert torch.equal((time[:1000] / step).round(), time[:1000] / step)
    assert (half[1000:] == 0).all()
    # Beta(2, 1.2) is how much motion there is, in the mean 0.625.
    assert 0 < time.min() <= time.max() <= 1
    assert float(time[1000:].mean()) == pytest.approx(0.375, abs=0.015)


def test_every_window_counts_the_same_whatever_its_time(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, batch = make_generator(tokenizer, shortcut_share=0.0), make_batch(4)
    for outward in generator.network.outward:
        torch.nn.init.zeros_(outward.weight)
        torch.nn.init.zeros_(outward.bias)
    losses = []
    for time in (0.05, 0.9):
        monkeypatch.setattr(
            flow_module, "draw_times", lambda count, _, t=time: (torch.full((count,), t), torch.zeros(count))
        )
        torch.manual_seed(1)
        losses.append(float(generator.losses(batch, tokenizer)["flow"]))
    torch.manual_seed(1)
    clean = window_latents(tokenizer, batch)[:, PREFIX_TOKENS:]
    assert losses[0] == losses[1] == pytest.approx(float((clean - torch.randn(clean.shape)).square().mean()))


def test_a_time_s_features_stay_its_own_until_attention_mixes_them() -> None:
    torch.manual_seed(0)
    network = VelocityNetwork(3, 4, 2, 8, 0, 0, 2, 0.0)
    x, time, speaker = torch.randn(2, 6, 3, 4), torch.full((2,), 0.5), torch.zeros(2, dtype=torch.long)
    rest = (time, time, torch.randn(2, PREFIX_TOKENS, 3, 4), torch.zeros(2, 6, 24), speaker)
    other = x.clone()
    other[:, 2, 1] += 1
    changed = (network(other, *rest) - network(x, *rest)).abs().sum(dim=-1) > 1e-6
    assert changed[:, 2, 1].all()
    assert int(changed.sum()) == 2


def test_codes_tell_times_apart_in_many_directions() -> None:
    codes = time_codes(torch.linspace(0, 1, 300), 64)
    strengths = torch.linalg.svdvals(codes - codes.mean(dim=0)).square()
    assert float(strengths[:2].sum() / strengths.sum()) < 0.5, "they would lie in a plane"


def test_latents_are_what_the_tokenizer_decodes_in_units_of_the_first_batch(tokenizer: Tokenizer) -> None:
    batch = make_batch(4)
    latents = window_latents(tokenizer, batch)
    both = tokenizer.latents(with_prefix(batch)[0])
    for number, stream in enumerate(tokenizer.members):
        assert torch.allclose(latents[:, PREFIX_TOKENS:, number], both[stream][:, PREFIX_TOKENS:], atol=1e-4)
    scale = LatentScale(2, LATENT)
    scale.start(latents)
    scale.start(latents + 7)
    measured = scale(latents)
    assert torch.allclose(measured.mean(dim=(0, 1)), torch.zeros(2, LATENT), atol=1e-4)
    assert torch.allclose(measured.std(dim=(0, 1)), torch.ones(2, LATENT), atol=1e-3)
    assert torch.allclose(scale.undo(measured), latents, atol=1e-4)


def test_everything_that_is_given_counts_and_any_length_goes(tokenizer: Tokenizer) -> None:
    generator, batch = make_generator(tokenizer), make_batch(2)
    inference = [Inference(tokenizer, sampler=Euler(2), noise=seeds(2)) for _ in range(5)]
    motion = generator.sample(batch, inference.pop())
    for name in ("speech", "prefix"):
        other = replace(batch, **{name: getattr(batch, name).flip(0)})
        assert not torch.allclose(generator.sample(other, inference.pop()), motion)
    assert not torch.allclose(
        generator.sample(replace(batch, speaker=1 - batch.speaker), inference.pop()), motion
    )
    longer = replace(batch, speech=batch.speech.repeat(1, 3, 1))
    assert generator.sample(longer, inference.pop()).shape[1] == 3 * FRAMES


def test_what_does_not_go_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"generator\.flow\.width = 18: .* 2 · heads = 4"):
        make_generator(tokenizer, width=18)
    with pytest.raises(InputError, match=r"generator\.flow\.shortcut_share = 1"):
        make_generator(tokenizer, shortcut_share=1.0)
    with pytest.raises(InputError, match="latents, and there are none"):
        FlowGenerator(None, FEATURES, 2)
