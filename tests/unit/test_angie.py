"""Shift and shape of regions as streams, and patterns refined by speech, on motion that is planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_generate import FEATURES, FRAMES, make_batch, recipe, speech, trunk
from torch import Tensor, nn

from rgx.config import build_stage, configure_cell
from rgx.errors import InputError
from rgx.gesture.generate.angie import AngieGenerator
from rgx.gesture.generate.base import Generator, Inference
from rgx.gesture.generate.causal import CausalGenerator
from rgx.gesture.generate.decode import IterativeDecoding
from rgx.gesture.generate.left_to_right import LeftToRight
from rgx.gesture.generate.noise import Noise
from rgx.gesture.tokens.shift_shape import ShiftShapeParts
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import PREFIX_FRAMES, Batch
from rgx.meta import shapes_only
from rgx.stage import count_parameters
from rgx.sweep.spec import Overrides, read_sweep

REGIONS, CODES = 4, 12
SWEEP = Path(__file__).resolve().parents[2] / "sweeps/table1.yaml"
SIZES = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "dropout": 0.0}


def make_tokenizer(regions: int = REGIONS) -> Tokenizer:
    """Return a tokenizer of control points, so many regions of three."""
    torch.manual_seed(0)
    quantizer = recipe("quantizer", "vq", codes=CODES)
    return Tokenizer(ShiftShapeParts(), quantizer, 8, 1, {"points": slice(0, 3 * regions)}).eval()


def make_windows(regions: int = REGIONS) -> Batch:
    """Return windows of control points, (3, T, 3 · regions, 2)."""
    batch = make_batch()
    motion, valid, prefix, seen = (
        x[:, :, : 3 * regions] for x in (batch.motion, batch.valid, batch.prefix, batch.prefix_valid)
    )
    return replace(batch, motion=motion, valid=valid, prefix=prefix, prefix_valid=seen)


def make_generator(tokenizer: Tokenizer, name: str = "angie", **given: float) -> Generator:
    torch.manual_seed(1)
    offered = {"tokenizer": tokenizer, "speech": speech(), "features": FEATURES, "speakers": 2}
    parts = {"fusion": recipe("fusion", "cross_attention")}
    if name == "masked":
        parts = {"trunk": trunk(), "mask_ratio": recipe("mask_ratio", "uniform")()}
    sizes = {} if name == "masked" else SIZES
    return recipe("generator", name, **parts, **sizes, **given).given(**offered).eval()


def centres(motion: Tensor) -> Tensor:
    return motion[:, :, ::3]


def test_streams_are_steps_and_tips_and_give_the_motion_back() -> None:
    tokenizer, batch = make_tokenizer(), make_windows()
    told = tokenizer.split(batch.motion)
    assert {s: part.shape[-1] for s, part in told.items()} == {"shift": 2 * REGIONS, "shape": 4 * REGIONS}
    points = batch.motion.unflatten(2, (REGIONS, 3))
    steps = told["shift"].unflatten(-1, (REGIONS, 2))
    assert torch.allclose(steps[:, 5], points[:, 5, :, 0] - points[:, 4, :, 0]) and not steps[:, 0].any()
    shape = told["shape"].unflatten(-1, (REGIONS, 2, 2))
    assert torch.allclose(shape[..., 1], points[..., 2, :] - points[..., 0, :])
    again = tokenizer.anchor(tokenizer.merge(told), batch.motion[:, :PREFIX_FRAMES])
    assert torch.allclose(again, batch.motion, atol=1e-5)


def test_a_pattern_is_the_same_wherever_a_speaker_stands() -> None:
    tokenizer, batch = make_tokenizer(), make_windows()
    moved = torch.randn(3, 1, REGIONS, 2).repeat_interleave(3, dim=2)
    elsewhere = replace(batch, motion=batch.motion + moved, prefix=batch.prefix + moved)
    here, there = (tokenizer.window_tokens(b) for b in (batch, elsewhere))
    assert all(torch.equal(here[s], there[s]) for s in here)
    decoded = tokenizer.decode(here)
    apart = tokenizer.anchor(decoded, elsewhere.prefix) - tokenizer.anchor(decoded, batch.prefix)
    assert torch.allclose(centres(apart), centres(moved).expand_as(centres(apart)), atol=1e-5)


def test_points_that_are_no_threes_are_refused() -> None:
    with pytest.raises(InputError, match="found 10 points, expected regions of 3"):
        Tokenizer(ShiftShapeParts(), recipe("quantizer", "vq"), 8, 1, {"points": slice(0, 10)})


def test_drift_counts_in_what_a_tokenizer_learns_by() -> None:
    """Steps all wrong by a little leave a position wrong by their sum, which a loss of steps hides."""
    tokenizer, batch = make_tokenizer(), make_windows()
    told = tokenizer.split(torch.cat([batch.prefix, batch.motion], dim=1))
    told["shift"] = told["shift"] + 0.01
    off = tokenizer.anchor(tokenizer.merge(told), batch.prefix)[:, PREFIX_FRAMES:] - batch.motion
    wanted = 0.01 * torch.arange(1, FRAMES + 1).view(1, -1, 1, 1)
    assert torch.allclose(off, wanted.expand_as(off), atol=1e-4)


@pytest.mark.parametrize("name", ["angie", "causal", "masked"])
def test_who_stands_still_stays_where_the_source_frame_has_them(name: str) -> None:
    tokenizer, batch = make_tokenizer(), make_windows()
    for decoder in (tokenizer.codec(s).decoder for s in tokenizer.members):
        nn.init.zeros_(decoder[-1].weight)
        nn.init.zeros_(decoder[-1].bias)
    decode = IterativeDecoding() if name == "masked" else LeftToRight()
    motion = make_generator(tokenizer, name).sample(batch, Inference(tokenizer, decode))
    source = centres(batch.prefix[:, -1:])
    assert torch.allclose(centres(motion), source.expand(-1, FRAMES, -1, -1), atol=1e-5)


def sampled(generator: Generator, tokenizer: Tokenizer, seed: int = 4, **changes: Tensor) -> Tensor:
    batch, noise = replace(make_windows(), **changes), Noise([(seed, number) for number in range(3)])
    return generator.sample(batch, Inference(tokenizer, LeftToRight(top_share=0.001), noise=noise))


def test_untrained_it_is_the_causal_generator_and_refined_it_goes_on_from_the_same_frame() -> None:
    tokenizer = make_tokenizer()
    generator, causal = (make_generator(tokenizer, name) for name in ("angie", "causal"))
    assert isinstance(generator, AngieGenerator) and isinstance(causal, CausalGenerator)
    own = {name: w for name, w in generator.state_dict().items() if not name.startswith("refinement")}
    causal.load_state_dict(own)
    patterns = sampled(causal, tokenizer)
    assert torch.allclose(sampled(generator, tokenizer), patterns, atol=1e-5)
    nn.init.normal_(generator.refinement.layers[-1].weight, std=0.05)
    refined = sampled(generator, tokenizer)
    assert (refined - patterns).abs().max() > 0.01
    # What is added is a step a frame: the first lies no further from the source frame than one of them.
    assert (centres(refined)[:, 0] - centres(patterns)[:, 0]).abs().max() < (refined - patterns).abs().max()


def test_the_likeliest_code_is_taken_whatever_is_drawn() -> None:
    tokenizer = make_tokenizer()
    generator = make_generator(tokenizer)
    assert torch.equal(sampled(generator, tokenizer, seed=4), sampled(generator, tokenizer, seed=5))
    asked = generator.losses(make_windows(), tokenizer)
    assert set(asked) == {"tokens", "refined_position", "refined_velocity", "refined_acceleration"}


def test_refinement_learns_the_rhythm_that_patterns_have_not() -> None:
    """Regions that go as one number of the speech says, of which the tokens tell nothing."""
    tokenizer, batch = make_tokenizer(), make_windows()
    for decoder in (tokenizer.codec(s).decoder for s in tokenizer.members):
        nn.init.zeros_(decoder[-1].weight)
        nn.init.zeros_(decoder[-1].bias)
    tokenizer.requires_grad_(False)
    start = batch.prefix[:, -1:]
    steps = 0.2 * batch.speech[:, :, :1, None].tanh()
    moving = start + steps.cumsum(dim=1)
    batch = replace(batch, motion=moving, prefix=start.expand(-1, PREFIX_FRAMES, -1, -1))
    generator = make_generator(tokenizer, refinement_width=16)
    optimiser, errors = torch.optim.Adam(generator.refinement.parameters(), 1e-2), []
    patterns = tokenizer.decode(tokenizer.window_tokens(batch))
    for _ in range(60):
        motion = generator.finish(patterns, batch, tokenizer)[:, PREFIX_FRAMES:]
        error = (motion - batch.motion).abs().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert errors[-1] < 0.3 * errors[0]
    assert float(generator.losses(batch, tokenizer)["refined_position"].detach()) < errors[0] ** 2 / 2


@pytest.mark.parametrize("scale", ["tiny", "paper"])
def test_it_has_as_many_weights_as_ours_within_a_quarter(scale: str) -> None:
    sizes = []
    for row, choices in (("TalkSHOW-like", {"generator": "angie", "parts": "shift_shape"}), ("Ours", {})):
        overrides = Overrides(scale=scale, only=[f"table1/{row}"], choices=choices)
        with shapes_only():
            cell = configure_cell(read_sweep(SWEEP, overrides).rows[0].texts, ("generator",))
            sizes.append(count_parameters(build_stage(cell, "generator")))
    assert 0.75 < sizes[0] / sizes[1] < 1.25, sizes
