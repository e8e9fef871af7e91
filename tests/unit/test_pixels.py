"""Speech to pictures without a pose: the coupled U-Net, its two uses, and what public code does otherwise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from roster import load_roster
from test_train import Memory, StoppedError
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.samplers import DDIM, Ancestral, PosteriorSampler
from rgx.gesture.pixels.coupled_network import CoupledSizes, CoupledUNet
from rgx.gesture.pixels.coupled_unet import (
    Coupled,
    CoupledUNetJointPixels,
    CoupledUNetPixels,
    linear_path,
    shares_at,
)
from rgx.gesture.pixels.coupling import Coupling, shifted
from rgx.gesture.pixels.enlarging import enlarge, fill_in
from rgx.gesture.types import PixelBatch
from rgx.registry import variants
from rgx.stage import count_parameters
from rgx.train.loop import fit
from rgx.train.optimiser import AdamW

load_roster()
torch.set_num_threads(1)
PX, FRAMES, SAMPLES = 4, 4, 4 * 16
"""Less sound than 80 frames have, which is all the same to the network, and quick."""
SMALL: dict[str, Any] = {"size_px": PX, "every": 20, "width": 8, "blocks": 1, "heads": 2} | {
    "multiples": (1, 2),
    "windows": (2,),
}
BOTH = pytest.mark.parametrize("kind", [CoupledUNetPixels, CoupledUNetJointPixels])


def make(kind: type[Coupled], **changed: Any) -> Coupled:
    """Return a small one that says something, as it does once it is trained."""
    torch.manual_seed(0)
    generator = kind(32, **SMALL | {"dropout": 0.0, "head_channels": 8} | changed).eval()
    for weight in generator.parameters():
        if not weight.any():
            nn.init.normal_(weight, std=0.1)
    return generator


def make_batch(count: int = 3) -> PixelBatch:
    draw = torch.Generator().manual_seed(1)
    video = torch.rand(count, 3, FRAMES, PX, PX, generator=draw) * 2 - 1
    source = torch.rand(count, 3, PX, PX, generator=draw) * 2 - 1
    return PixelBatch(video, source, 0.3 * torch.randn(count, SAMPLES, generator=draw))


def noise(rows: range) -> Noise:
    return Noise([(5, row) for row in rows])


def sampled(generator: Coupled, batch: PixelBatch, rows: range, sampler: PosteriorSampler) -> Tensor:
    index = list(rows)
    return generator.sample(batch.source[index], batch.sound[index], sampler, noise(rows))


def test_at_the_published_size_it_has_as_many_parameters_as_the_public_network() -> None:
    with torch.device("meta"):
        base = CoupledUNet(CoupledSizes(128, (1, 2, 3, 4), 2, (1, 4, 8), 4, 64, 0.1))
        reduced = CoupledUNet(CoupledSizes(64, (1, 2, 3, 4), 1, (1, 4, 8), 4, 64, 0.1))
    assert round(count_parameters(base) / 1e6, 2) == 133.68
    assert count_parameters(reduced) / 1e6 == pytest.approx(23.34, abs=0.01)
    # In public code the middle is coupled only where the windows are these three.
    assert CoupledUNet(CoupledSizes(8, (1, 1), 1, (2,), 1, 8, 0.0)).middle[0].coupling is not None


def read_slowly(coupling: Coupling, video: Tensor, sound: Tensor, shift: int) -> tuple[Tensor, Tensor]:
    """Return what each frame of a stream reads of the other, one query at a time."""
    count, channels, frames, height, width = video.shape
    places, slots, depth = height * width, sound.shape[2] // frames, channels // coupling.heads
    window = coupling.window or frames
    flat = video.flatten(2)
    pixels = coupling.video_inward(coupling.video_norm(flat).transpose(1, 2))
    samples = coupling.sound_inward(coupling.sound_norm(sound).transpose(1, 2))

    def read(own: Tensor, other: Tensor, size: int, other_size: int) -> Tensor:
        result = torch.zeros(count, own.shape[1], channels)
        for row in range(count):
            for place in range(own.shape[1]):
                first = place // size + shift
                chosen = [
                    (first + step) % frames * other_size + slot
                    for step in range(window)
                    for slot in range(other_size)
                ]
                for head in range(coupling.heads):
                    part = slice(head * depth, (head + 1) * depth)
                    query = own[row, place, :channels][part]
                    key = other[row, chosen, channels : 2 * channels][:, part]
                    value = other[row, chosen, 2 * channels :][:, part]
                    result[row, place, part] = (key @ query / math.sqrt(depth)).softmax(0) @ value
        return result

    seen = coupling.video_outward(read(pixels, samples, places, slots)).transpose(1, 2)
    heard = coupling.sound_outward(read(samples, pixels, slots, places)).transpose(1, 2)
    return video + seen.view_as(video), sound + heard


@pytest.mark.parametrize(("window", "share"), [(1, 0.0), (2, 0.99), (3, 0.5), (5, 0.0), (None, 0.7)])
def test_the_streams_read_windows_of_one_another_as_a_slow_loop_does(
    window: int | None, share: float
) -> None:
    torch.manual_seed(0)
    coupling = Coupling(8, 2, window)
    for weight in coupling.parameters():
        nn.init.normal_(weight, std=0.5)
    video, sound = torch.randn(2, 8, 5, 2, 2), torch.randn(2, 8, 15)
    with torch.no_grad():
        streams = coupling(video, sound, share)
        slowly = read_slowly(coupling, video, sound, shifted(share, 5, window or 5))
    for stream, expected in zip(streams, slowly, strict=True):
        assert torch.allclose(stream, expected, atol=1e-5)


def test_a_window_is_moved_as_far_as_it_goes_and_no_further() -> None:
    assert {shifted(n / 100, 16, 4) for n in range(100)} == set(range(13))
    assert shifted(0.999, 16, 16) == 0


def test_noise_comes_as_over_the_thousand_published_levels() -> None:
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)
    for level in (1, 10, 100, 500, 999, 1000):
        signal, spread = linear_path(level / 1000)
        assert signal**2 + spread**2 == pytest.approx(1)
        assert signal**2 == pytest.approx(float(kept[level - 1]), rel=0.08)
    assert linear_path(0.0) == (1.0, 0.0)


def test_before_it_has_learned_anything_the_conditional_one_shows_the_source_picture() -> None:
    generator, batch = CoupledUNetPixels(32, **SMALL).eval(), make_batch()
    video = sampled(generator, batch, range(3), DDIM(3))
    assert torch.allclose(video, batch.source[:, :, None].expand_as(video), atol=1e-5)


def test_what_is_learned_is_the_clean_video_or_the_noise_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    batch, seen = make_batch(), {}
    clean, joint = make(CoupledUNetPixels), make(CoupledUNetJointPixels)
    monkeypatch.setattr(clean, "denoise", lambda *given: batch.video)
    assert clean.losses(batch)["video"] == 0

    def noise_of(noisy: tuple[Tensor, Tensor], time: Tensor) -> tuple[Tensor, Tensor]:
        levels = torch.tensor([linear_path(each) for each in time.tolist()])
        signal, spread = levels.unbind(1)
        video = (noisy[0] - signal.view(-1, 1, 1, 1, 1) * batch.video) / spread.view(-1, 1, 1, 1, 1)
        return video, (noisy[1] - signal[:, None] * batch.sound) / spread[:, None]

    def forward(video: Tensor, sound: Tensor, time: Tensor, shares: list[float]) -> tuple[Tensor, Tensor]:
        seen["shares"] = shares
        return noise_of((video, sound), time)

    monkeypatch.setattr(joint.network, "forward", forward)
    assert all(value < 1e-6 for value in joint.losses(batch).values())
    assert len(seen["shares"]) == joint.network.steps and len(set(seen["shares"])) > 1


def test_given_speech_stands_in_the_sound_s_place_with_the_video_s_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator, batch, heard = make(CoupledUNetJointPixels), make_batch(), {}

    def forward(video: Tensor, sound: Tensor, time: Tensor, shares: list[float]) -> tuple[Tensor, Tensor]:
        heard[float(time[0])] = sound
        return torch.zeros_like(video), torch.full_like(
            sound, 9.0
        )  # what it makes of sound counts for nothing

    monkeypatch.setattr(generator.network, "forward", forward)
    sampled(generator, batch, range(3), Ancestral(5))
    drawn = noise(range(3)).normal(SAMPLES)
    assert sorted(heard) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    for time, sound in heard.items():
        signal, spread = linear_path(time)
        assert torch.allclose(sound, signal * batch.sound + spread * drawn, atol=1e-4)


@BOTH
@pytest.mark.parametrize("sampler", [DDIM(3), DDIM(3, eta=1.0), Ancestral(3)])
def test_a_window_s_pixels_are_its_own_in_any_batch(kind: type[Coupled], sampler: PosteriorSampler) -> None:
    generator, batch = make(kind), make_batch()
    whole = sampled(generator, batch, range(3), sampler)
    assert whole.shape == (3, 3, FRAMES, PX, PX) and whole.abs().max() <= 1
    before = torch.get_rng_state()
    apart = torch.cat([sampled(generator, batch, rows, sampler) for rows in (range(1), range(1, 3))])
    assert (whole - apart).abs().max() < 1 / 255  # half a grey level
    # Public code moves the windows of attention at random in sampling too, by a state that all windows share.
    assert torch.equal(before, torch.get_rng_state())
    assert shares_at(0.5, 4) == shares_at(0.5, 4) != shares_at(0.25, 4)


@BOTH
def test_it_hears(kind: type[Coupled]) -> None:
    generator, batch = make(kind), make_batch()
    own = sampled(generator, batch, range(3), DDIM(2))
    others = replace(batch, sound=batch.sound.roll(1, 0))
    assert (sampled(generator, others, range(3), DDIM(2)) - own).abs().max() > 1e-3


def test_only_the_conditional_one_knows_who_is_shown() -> None:
    batch = make_batch()
    others = replace(batch, source=-batch.source)
    same = [
        torch.equal(*(sampled(make(kind), given, range(3), DDIM(2)) for given in (batch, others)))
        for kind in (CoupledUNetPixels, CoupledUNetJointPixels)
    ]
    assert same == [False, True]


@BOTH
def test_silence_is_heard_without_numbers_that_are_none(kind: type[Coupled]) -> None:
    generator, batch = make(kind).train(), replace(make_batch(), sound=torch.zeros(3, SAMPLES))
    sum(generator.losses(batch).values(), torch.zeros(())).backward()
    gradients = [weight.grad for weight in generator.parameters() if weight.grad is not None]
    assert gradients and all(gradient.isfinite().all() for gradient in gradients)
    assert sampled(generator.eval(), batch, range(3), DDIM(2)).isfinite().all()


def train(kind: type[Coupled], memory: Memory, steps: int, stop: int | None = None) -> Coupled:
    generator, batch, done = make(kind, dropout=0.1), make_batch(2), 0
    torch.manual_seed(3)

    def losses() -> dict[str, Tensor]:
        nonlocal done
        done += 1
        if done == stop:
            raise StoppedError
        return generator.losses(batch)

    training = AdamW(steps=steps, batch=2, learning_rate=3e-3, checkpoint_every=2, average=0.9)
    fit(generator, losses, training, memory)
    return generator


@BOTH
def test_broken_off_it_goes_on_to_the_same_bits(kind: type[Coupled]) -> None:
    whole, memory = train(kind, Memory(), 5), Memory()
    with pytest.raises(StoppedError):
        train(kind, memory, 5, stop=4)
    again = train(kind, memory, 5).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in whole.state_dict().items())


def test_two_windows_are_learned_by_heart() -> None:
    torch.manual_seed(0)
    generator, batch = CoupledUNetPixels(32, **SMALL | {"dropout": 0.0}), make_batch(2)
    variance = float((batch.video - batch.source[:, :, None]).square().mean())
    training = AdamW(steps=50, batch=2, learning_rate=1e-2, average=0.9)
    fit(generator, lambda: generator.losses(batch), training, Memory())
    with torch.no_grad():
        video = sampled(generator.eval(), batch, range(2), DDIM(5))
    assert float((video - batch.video).square().mean()) < 0.3 * variance


def test_frames_between_those_made_are_between_them_and_those_stay() -> None:
    made = torch.tensor([1.0, 5.0, 3.0]).view(3, 1, 1, 1).expand(3, 3, 4, 4)
    filled = fill_in(made, 4)[:, 0, 0, 0].tolist()
    assert filled == pytest.approx([1, 1, 1, 1, 2, 3, 4, 5, 4.5, 4, 3.5, 3])
    chunks = list(enlarge(made / 5, 4, 8, chunk=5))
    assert [len(chunk) for chunk in chunks] == [5, 5, 2] and chunks[0].shape[1:] == (3, 8, 8)
    assert torch.allclose(torch.cat(chunks)[:, 0, 3, 3], (torch.tensor(filled) / 5 + 1) / 2, atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"size_px": 5}, "multiple of 2"),
        ({"size_px": 64}, "at most the 32 px"),
        ({"every": 3}, "divisor of the 80 frames"),
        ({"multiples": (1,) * 6, "size_px": 32, "every": 2}, "choose fewer levels"),
        ({"windows": ()}, "expected 1, one a level"),
        ({"windows": (5,)}, "of 1 to 4 frames"),
        ({"heads": 3}, "3 heads divide"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        CoupledUNetPixels(32, **SMALL | changed)


def test_all_variants_of_the_axis_are_held_to_these_tests() -> None:
    assert {v.cls for v in variants("pixels")} == {CoupledUNetPixels, CoupledUNetJointPixels}
