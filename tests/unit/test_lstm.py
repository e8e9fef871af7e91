"""The recurrent generator: what it depends on, what it learns from, and what public code gets wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_generate import FEATURES, FRAMES, make_batch
from torch import Tensor

from rgx.gesture.data.motion_space import LandmarkSpace
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.lstm import LSTMGenerator
from rgx.gesture.skeleton import BODY, FACE, KEPT, LEFT_HAND, RIGHT_HAND
from rgx.gesture.types import PREFIX_FRAMES, Batch

LEVELS = LandmarkSpace().levels(None)
SIZES = {"width": 8, "layers": 2, "speech_width": 8, "speaker_width": 4}


@pytest.fixture
def generator() -> LSTMGenerator:
    torch.manual_seed(0)
    return LSTMGenerator(FEATURES, 2, LEVELS, **SIZES).eval()


def sample(generator: LSTMGenerator, batch: Batch) -> Tensor:
    return generator.sample(batch, Inference())


def test_motion_depends_on_speech_prefix_and_speaker_and_on_nothing_else(generator: LSTMGenerator) -> None:
    batch = make_batch()
    motion = sample(generator, batch)
    assert motion.shape == batch.motion.shape
    assert torch.equal(motion, sample(generator, replace(batch, motion=batch.motion + 1)))
    for other in (
        {"speech": make_batch(5).speech},
        {"prefix": -batch.prefix},
        {"speaker": 1 - batch.speaker},
    ):
        assert not torch.equal(motion, sample(generator, replace(batch, **other)))
    alone = replace(batch, **{n: x[1:2] for n, x in vars(batch).items() if isinstance(x, Tensor)})
    assert torch.allclose(sample(generator, alone), motion[1:2], atol=1e-6)


def test_the_frames_before_a_window_are_the_same_in_training_and_at_inference(
    generator: LSTMGenerator,
) -> None:
    """CaMN trains on real frames and generates from zeros that are marked as given."""
    seen: list[Tensor] = []
    generator.body.register_forward_hook(lambda _m, inputs, _y: seen.append(inputs[0].detach()))
    batch = make_batch()
    generator.losses(batch, None)
    sample(generator, batch)
    assert torch.equal(*seen)
    *_, seed, given = seen[0].split([SIZES["speech_width"], SIZES["speaker_width"], 2 * len(KEPT), 1], -1)
    assert torch.equal(seed[:, :PREFIX_FRAMES], batch.prefix.flatten(2))
    assert (seed[:, PREFIX_FRAMES:] == 0).all(), "of the window itself nothing is shown"
    assert given[0, :, 0].tolist() == [1.0] * PREFIX_FRAMES + [0.0] * FRAMES
    at_rest = sample(generator, replace(batch, prefix=0 * batch.prefix))
    assert not torch.equal(at_rest, sample(generator, batch))


def test_it_hears_both_ways_in_time(generator: LSTMGenerator) -> None:
    speech = make_batch().speech.requires_grad_()
    motion = generator(replace(make_batch(), speech=speech))[:, PREFIX_FRAMES:]
    for frame in (0, FRAMES // 2, FRAMES - 1):
        (gradient,) = torch.autograd.grad(motion[:, frame].square().sum(), speech, retain_graph=True)
        assert (gradient.abs().sum((0, 2)) > 0).all()


@pytest.mark.parametrize("frames", [16, 37, 400])
def test_speech_of_any_length_stays_beside_its_motion(generator: LSTMGenerator, frames: int) -> None:
    """CaMN's strides make 14.81 steps a second for poses of 15: motion ends early and slides."""
    batch = replace(make_batch(), speech=torch.randn(3, frames, FEATURES))
    assert sample(generator, batch).shape == (3, frames, len(KEPT), 2)
    struck = batch.speech.clone()
    struck[:, frames - 5] += 1
    heard = slice(0, SIZES["speech_width"])
    inputs = (generator.inputs(replace(batch, speech=s))[..., heard] for s in (batch.speech, struck))
    one, other = inputs
    moved = (one - other).abs().sum((0, 2)).nonzero().flatten() - PREFIX_FRAMES
    assert (moved - (frames - 5)).abs().max() <= 5
    assert int((one - other).abs().sum((0, 2)).argmax()) - PREFIX_FRAMES in range(frames - 7, frames - 2)


def test_hands_see_the_body_and_the_body_no_hands(generator: LSTMGenerator) -> None:
    points = len(FACE + BODY)
    assert KEPT[points:] == LEFT_HAND + RIGHT_HAND
    assert (points, len(KEPT) - points) == LEVELS
    motion = generator(make_batch())
    body = list(generator.body.parameters())
    reach = torch.autograd.grad(motion[:, :, points:].square().sum(), body, retain_graph=True)
    assert all(g.abs().sum() > 0 for g in reach)
    hands = list(generator.hands.parameters())
    unreached = torch.autograd.grad(motion[:, :, :points].square().sum(), hands)
    assert all((g == 0).all() for g in unreached)


def test_invalid_points_add_no_loss(generator: LSTMGenerator) -> None:
    batch = make_batch()
    batch.valid[:, 3, 7] = batch.prefix_valid[:, 2, 9] = False
    wild = batch.motion.clone()
    wild[:, 3, 7] = 1e6
    losses = generator.losses(batch, None)
    assert set(losses) == {"position", "velocity", "acceleration"}
    assert generator.losses(replace(batch, motion=wild), None) == losses
    seen = batch.motion.clone()
    seen[:, 3, 8] = 1e6
    assert all(v > losses[k] for k, v in generator.losses(replace(batch, motion=seen), None).items())


def test_it_overfits_a_few_windows() -> None:
    torch.manual_seed(0)
    generator, batch = (
        LSTMGenerator(FEATURES, 2, LEVELS, width=32, layers=1, dropout=0.0).train(),
        make_batch(),
    )
    # Two numbers a frame move all points, as a body's few joints do.
    moved = torch.randn(3, FRAMES, 2).cumsum(1) @ torch.randn(2, 2 * len(KEPT)) / 4
    batch = replace(batch, motion=moved.unflatten(2, (len(KEPT), 2)))
    optimiser = torch.optim.Adam(generator.parameters(), 1e-2)
    for _ in range(60):
        loss = torch.stack([*generator.losses(batch, None).values()]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        error = (generator(batch)[:, PREFIX_FRAMES:] - batch.motion).square().mean()
    assert float(error) < 0.1 * float(batch.motion.var())
