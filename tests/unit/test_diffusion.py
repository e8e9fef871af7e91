"""Diffusion on landmarks: its path, its losses on planted errors, guidance, and what its motion is of."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from roster import load_roster
from torch import Tensor, nn

from rgx.config import plan_cell
from rgx.errors import InputError
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.denoiser import Denoiser, turn, turns_of
from rgx.gesture.generate.diffusion import DiffusionGenerator, cosine_path, squared_losses
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import DDIM, Ancestral
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import PREFIX_FRAMES, Batch
from rgx.stage import count_parameters
from rgx.sweep.plan import Plan, make_plan
from rgx.sweep.spec import Overrides, read_sweep

load_roster()
torch.set_num_threads(1)
ROOT = Path(__file__).resolve().parents[2]
FEATURES, FRAMES = 5, 12


def make_batch(count: int = 3, frames: int = FRAMES) -> Batch:
    draw = torch.Generator().manual_seed(0)
    return Batch(
        motion=torch.randn(count, frames, len(KEPT), 2, generator=draw),
        valid=torch.ones(count, frames, len(KEPT), dtype=torch.bool),
        speech=torch.randn(count, frames, FEATURES, generator=draw),
        beats=torch.zeros(count, frames, dtype=torch.bool),
        prefix=torch.randn(count, PREFIX_FRAMES, len(KEPT), 2, generator=draw),
        prefix_valid=torch.ones(count, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.arange(count) % 2,
        clip=torch.arange(count),
    )


def rows(batch: Batch, some: slice) -> Batch:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return Batch(**{name: x[some] for name, x in values.items() if isinstance(x, Tensor)})


def make_generator(**changed: float) -> DiffusionGenerator:
    """Return a small one that says something, as it does once it is trained."""
    torch.manual_seed(0)
    small = {"width": 16, "layers": 2, "heads": 2, "feedforward": 32, "speech_layers": 1} | changed
    generator = DiffusionGenerator(FEATURES, 2, (len(KEPT),), **small).eval()  # type: ignore[arg-type]
    torch.nn.init.normal_(generator.denoiser.outward.weight, std=0.2)
    torch.nn.init.normal_(generator.silence)
    return generator


def seeds(count: int) -> Noise:
    return Noise([(5, window) for window in range(count)])


def test_the_path_goes_from_the_motion_to_noise_and_keeps_the_variance() -> None:
    assert cosine_path(0.0) == (1.0, 0.0)
    assert cosine_path(1.0) == pytest.approx((0.0, 1.0), abs=1e-12)
    levels = [cosine_path(n / 50) for n in range(51)]
    assert all(signal**2 + spread**2 == pytest.approx(1) for signal, spread in levels)
    assert all(a[0] > b[0] for a, b in pairwise(levels))
    # Nichol & Dhariwal's: halfway the cosine of (0.5 + s) / (1 + s) of a right angle.
    assert cosine_path(0.5)[0] == pytest.approx(0.70270, abs=1e-4)


def test_losses_of_planted_errors_by_hand() -> None:
    batch = make_batch(2, frames=4)
    error = torch.zeros_like(batch.motion)
    error[:, 1] = 3.0
    losses = squared_losses(batch.motion + error, batch)
    # Of four frames one is off by 3; of four steps, the one from the source frame among them, two are; second
    # differences are 3, −6 and 3.
    assert losses["position"].item() == pytest.approx(9 / 4, rel=1e-5)
    assert losses["velocity"].item() == pytest.approx(18 / 4, rel=1e-5)
    assert losses["acceleration"].item() == pytest.approx((9 + 36 + 9) / 3, rel=1e-5)
    assert all(value < 1e-9 for value in squared_losses(batch.motion, batch).values())


def test_a_window_that_does_not_go_on_from_its_source_frame_costs_even_if_its_steps_are_right() -> None:
    batch = make_batch(2, frames=4)
    losses = squared_losses(batch.motion + 2.0, batch)
    assert losses["velocity"].item() == pytest.approx(4 / 4, rel=1e-4)
    unknown = replace(batch, prefix_valid=torch.zeros_like(batch.prefix_valid))
    assert squared_losses(batch.motion + 2.0, unknown)["velocity"].item() < 1e-9


def test_what_is_not_valid_counts_in_no_loss() -> None:
    batch = make_batch(2, frames=6)
    error = torch.zeros_like(batch.motion)
    error[0, 2] = 7.0
    error[1, :, 5] = 7.0
    batch.valid[0, 2] = False
    batch.valid[1, :, 5] = False
    assert all(value < 1e-9 for value in squared_losses(batch.motion + error, batch).values())
    nothing = replace(batch, valid=torch.zeros_like(batch.valid))
    assert all(value == 0 for value in squared_losses(batch.motion + 1, nothing).values())


def test_what_is_learned_is_the_clean_window_of_a_noisy_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, batch, seen = make_generator(), make_batch(4), {}

    def denoise(x: Tensor, time: Tensor, *rest: Tensor) -> Tensor:
        seen["noisy"], seen["time"] = x, time
        return batch.motion

    monkeypatch.setattr(generator, "denoise", denoise)
    assert all(value < 1e-9 for value in generator.losses(batch, None).values())
    for window, time in enumerate(seen["time"].tolist()):
        signal, spread = cosine_path(time)
        noise = (seen["noisy"][window] - signal * batch.motion[window]) / spread
        assert 0 < time <= 1
        assert (noise.mean(), noise.std()) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))


def test_motion_of_several_units_is_not_clipped() -> None:
    generator, batch = make_generator(), make_batch(2)
    batch.prefix += 5.0
    torch.nn.init.zeros_(generator.denoiser.outward.weight)
    motion = generator.sample(batch, Inference(sampler=DDIM(3), noise=seeds(2)))
    assert torch.allclose(motion, batch.prefix[:, -1:].expand_as(motion), atol=1e-4)


def test_a_window_begins_with_its_own_first_step_from_the_source_frame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator, batch = make_generator(), make_batch(2)
    batch.prefix_valid[1, -1, 3] = False
    monkeypatch.setattr(generator, "denoise", lambda *given: batch.motion)
    motion = generator.sample(batch, Inference(sampler=DDIM(2), noise=seeds(2)))
    source, step = batch.prefix[:, -1], batch.motion[:, 1] - batch.motion[:, 0]
    known = batch.prefix_valid[:, -1]
    assert torch.allclose(motion[:, 0][known], (source + step)[known], atol=1e-4)
    # On the ninth frame nothing is left of what it missed; of a point that was not seen nothing is known.
    assert torch.allclose(motion[:, 8:], batch.motion[:, 8:], atol=1e-4)
    assert torch.allclose(motion[1, :, 3], batch.motion[1, :, 3], atol=1e-4)


@pytest.mark.parametrize("sampler", [DDIM(4, eta=1.0, guidance=2.0), DDIM(4), Ancestral(5)])
def test_a_windows_motion_is_the_same_in_any_batch(sampler: DDIM | Ancestral) -> None:
    generator, batch = make_generator(), make_batch(5)
    whole = generator.sample(batch, Inference(sampler=sampler, noise=seeds(5)))
    for window in range(5):
        noise = Noise([(5, window)])
        own = generator.sample(
            rows(batch, slice(window, window + 1)), Inference(sampler=sampler, noise=noise)
        )
        assert torch.allclose(own[0], whole[window], atol=1e-4)
    assert not torch.allclose(whole[0], whole[1], atol=0.1)


def test_guidance_is_one_doubled_batch_and_none_is_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, batch, sizes = make_generator(), make_batch(3), []
    forward = Denoiser.forward

    def counted(denoiser: Denoiser, x: Tensor, *rest: Tensor) -> Tensor:
        sizes.append(len(x))
        return forward(denoiser, x, *rest)

    monkeypatch.setattr(Denoiser, "forward", counted)
    for guidance, expected in ((1.0, [3, 3]), (2.0, [6, 6])):
        sizes.clear()
        generator.sample(batch, Inference(sampler=DDIM(2, guidance=guidance), noise=seeds(3)))
        assert sizes == expected
    x, time = torch.randn(batch.motion.shape), torch.full((3,), 0.5)
    memory = generator.reader(batch.speech)
    silence = generator.silence.expand_as(memory)
    heard, unheard = (generator.denoise(x, time, batch.prefix, m, batch.speaker) for m in (memory, silence))
    guided = generator._guided(batch, 3.0)(x, 0.5, 0.1)
    assert torch.allclose(guided, unheard + 3 * (heard - unheard), atol=1e-4)
    assert torch.allclose(generator._guided(batch, 1.0)(x, 0.5, 0.1), heard, atol=1e-5)
    assert not torch.allclose(heard, unheard, atol=1e-2)


def test_speech_is_left_out_by_window_in_training_only(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, batch, memories = make_generator(condition_dropout=0.5), make_batch(40), []
    denoise = generator.denoise

    def seen(x: Tensor, time: Tensor, prefix: Tensor, memory: Tensor, speaker: Tensor) -> Tensor:
        memories.append(memory)
        return denoise(x, time, prefix, memory, speaker)

    monkeypatch.setattr(generator, "denoise", seen)
    for training in (True, False):
        generator.train(training).losses(batch, None)
    silent = (memories[0] == generator.silence).flatten(1)
    assert (silent.all(dim=1) | ~silent.any(dim=1)).all(), "a window is silent as a whole or not at all"
    assert 8 <= int(silent.all(dim=1).sum()) <= 32
    assert not (memories[1] == generator.silence).any()


def test_everything_that_is_given_counts_and_any_length_goes() -> None:
    generator, batch = make_generator(), make_batch(2)
    motion = generator.sample(batch, Inference(sampler=DDIM(2), noise=seeds(2)))
    for name in ("speech", "prefix"):
        other = replace(batch, **{name: getattr(batch, name).flip(0)})
        assert not torch.allclose(generator.sample(other, Inference(sampler=DDIM(2), noise=seeds(2))), motion)
    other = replace(batch, speaker=1 - batch.speaker)
    assert not torch.allclose(generator.sample(other, Inference(sampler=DDIM(2), noise=seeds(2))), motion)
    longer = replace(batch, speech=batch.speech.repeat(1, 3, 1))
    assert generator.sample(longer, Inference(sampler=DDIM(2), noise=seeds(2))).shape[1] == 3 * FRAMES


def test_attention_sees_how_far_apart_places_are_and_not_where() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)

    def score(one: int, two: int) -> float:
        turned = (turn(x, turns_of(torch.tensor([p]), 8)) for x, p in ((query, one), (key, two)))
        return float(torch.linalg.vecdot(*turned))

    assert score(3, 7) == pytest.approx(score(60, 64), abs=1e-4)
    assert score(3, 7) != pytest.approx(score(3, 9), abs=1e-2)
    assert score(0, 0) == pytest.approx(float((query * key).sum()), abs=1e-5)


def test_sizes_and_shares_that_do_not_go_are_refused() -> None:
    with pytest.raises(InputError, match=r"generator\.diffusion\.width = 18: .* 2 · heads = 4"):
        make_generator(width=18)
    with pytest.raises(InputError, match=r"condition_dropout = 1"):
        make_generator(condition_dropout=1.0)


def table(*only: str, **choices: str) -> Plan:
    overrides = Overrides(only=list(only), choices=choices)
    return make_plan(read_sweep(ROOT / "sweeps/table1.yaml", overrides))


def test_steps_and_guidance_never_train_again_and_what_it_does_not_read_is_refused() -> None:
    plan = table("steps", "table1/S2G-Diffusion (landmarks)")
    own = [cell["stages"] for cell in plan.cells if cell["row"].startswith(("S2G", "DDIM"))]
    assert len(own) == 4
    assert len({keys["generator"] for keys in own}) == 1
    assert len({keys["motion"] for keys in own}) == 4
    assert not any("tokenizer" in keys or "residual" in keys or "alignment" in keys for keys in own)
    for axis, name in {"decode": "one_shot", "residual": "none", "audio_init": "random"}.items():
        with pytest.raises(InputError, match=f"nothing in this cell reads '{axis.upper()} = "):
            table("steps/DDIM 50", **{axis: name})


def test_a_sampler_of_another_path_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="diffusion cannot use sampler: euler; choose .*: ancestral or ddim"):
        table("steps/DDIM 50", sampler="euler")


@pytest.mark.parametrize("scale", ["tiny", "bench", "small", "paper"])
def test_whole_systems_are_as_large_as_ours_in_all(scale: str) -> None:
    sizes = {}
    rows = ("S2G-Diffusion (landmarks)", "EMAGE-like", "GestureLSM-like", "Ours")
    overrides = Overrides(only=[f"table1/{row}" for row in rows], scale=scale)
    for row in read_sweep(ROOT / "sweeps/table1.yaml", overrides).rows:
        built = plan_cell(row.texts, ["motion"]).built
        networks = [built.get(stage) for stage in ("tokenizer", "generator", "residual")]
        sizes[row.name] = sum(count_parameters(n) for n in networks if isinstance(n, nn.Module))
    assert sizes["S2G-Diffusion (landmarks)"] / sizes["Ours"] == pytest.approx(1, abs=0.05)
    for name in ("EMAGE-like", "GestureLSM-like"):
        assert sizes[name] / sizes["Ours"] == pytest.approx(1, abs=0.25), name
