"""Tokens from masked motion: what is known, what is learned three times, and slips that are not inherited."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from roster import load_roster
from test_flow import FEATURES, FRAMES, make_batch, make_tokenizer
from torch import Tensor

from rgx.errors import InputError
from rgx.gesture.generate.base import Inference
from rgx.gesture.generate.mask_ratio import FixedRatio
from rgx.gesture.generate.masked_motion import MaskedMotionGenerator
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import PREFIX_FRAMES, PREFIX_TOKENS

load_roster()
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return make_tokenizer()


def make_generator(tokenizer: Tokenizer, **changed: Any) -> MaskedMotionGenerator:
    torch.manual_seed(0)
    small = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "inner": 8} | changed
    return MaskedMotionGenerator(
        tokenizer, FEATURES, 2, (123,), **{"mask_ratio": FixedRatio(0.3), **small}
    ).eval()


def test_a_mask_hides_its_share_at_every_step_and_never_the_prefix(tokenizer: Tokenizer) -> None:
    generator, batch = make_generator(tokenizer), make_batch(8)
    batch.valid[:, 5], batch.prefix_valid[:, 2] = False, False
    for _ in range(3):
        before, some = generator._known(batch)
        assert torch.equal(before[:, :PREFIX_FRAMES], batch.prefix_valid)
        assert torch.equal(some[:, :PREFIX_FRAMES], batch.prefix_valid)
        assert not before[:, PREFIX_FRAMES:].any()
        window = some[:, PREFIX_FRAMES:]
        assert float(window[batch.valid].float().mean()) == pytest.approx(0.7, abs=0.02)
        assert not window[~batch.valid].any(), "what was not seen cannot be known"


def test_what_is_not_known_is_not_seen(tokenizer: Tokenizer) -> None:
    generator, batch = make_generator(tokenizer), make_batch()
    known = torch.rand(batch.valid.shape) < 0.5
    other = batch.motion + 9.0 * ~known[..., None]
    assert torch.equal(generator.hints(other, known), generator.hints(batch.motion, known))
    assert not torch.equal(generator.hints(batch.motion + 9.0, known), generator.hints(batch.motion, known))
    motion = generator.sample(batch, Inference(tokenizer))
    assert torch.equal(
        generator.sample(replace(batch, motion=batch.motion + 9.0), Inference(tokenizer)), motion
    )


def test_a_window_is_learned_from_its_beginning_from_a_mask_and_without_speech(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, calls = make_batch(3), []
    generator = make_generator(tokenizer)
    predict = generator.predict
    monkeypatch.setattr(generator, "predict", lambda *given: calls.append(given) or predict(*given))
    generator.losses(batch, tokenizer)
    _, known, speech, speaker = calls[0]
    before, some, unheard = known.chunk(3)
    assert not before[:, PREFIX_FRAMES:].any()
    assert torch.equal(some, unheard) and some[:, PREFIX_FRAMES:].any()
    heard, again, silent = speech.chunk(3)
    assert torch.equal(heard, again) and torch.equal(heard, generator.hearing(batch.speech))
    assert torch.equal(silent, generator.silence.expand_as(silent))
    assert torch.equal(speaker, batch.speaker.repeat(3)), "nobody is taken for the first speaker"
    generator.unheard_weight = 0.0
    generator.losses(batch, tokenizer)
    assert len(calls[1][0]) == 2 * len(batch.speaker)


def test_of_true_tokens_no_loss_is_left_and_each_path_counts(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, batch, miss = make_generator(tokenizer, unheard_weight=0.5), make_batch(2), torch.zeros(3)

    def predict(motion: Tensor, *rest: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        found = {}
        for stream, tokens in tokenizer.window_tokens(batch).items():
            true, book = tokens[:, PREFIX_TOKENS:, 0].repeat(3, 1), tokenizer.codebook(stream, 0)
            off = miss.repeat_interleave(2)[:, None, None] * book.std()
            found[stream] = book[true] + off, 50.0 * torch.nn.functional.one_hot(true, 12)
        return found

    monkeypatch.setattr(generator, "predict", predict)
    assert all(float(value) < 1e-6 for value in generator.losses(batch, tokenizer).values())
    for path, weight in enumerate((1.0, 1.0, 0.5)):
        miss.zero_()
        miss[path] = 2.0
        # Three times the squared error in units of the book's variance, in each of two streams.
        assert float(generator.losses(batch, tokenizer)["latents"]) == pytest.approx(
            2 * 3 * 4 * weight, rel=1e-3
        )


def test_everything_that_is_given_counts_and_any_length_goes(tokenizer: Tokenizer) -> None:
    generator, batch = make_generator(tokenizer), make_batch(2)
    known = torch.nn.functional.pad(batch.prefix_valid, (0, 0, 0, FRAMES))
    motion = torch.nn.functional.pad(batch.prefix, (0, 0, 0, 0, 0, FRAMES))

    def logits(motion: Tensor, speech: Tensor, speaker: Tensor) -> Tensor:
        predicted = generator.predict(motion, known, generator.hearing(speech), speaker)
        return torch.cat([scores for _, scores in predicted.values()])

    plain = logits(motion, batch.speech, batch.speaker)
    for other in (
        logits(motion.flip(0), batch.speech, batch.speaker),
        logits(motion, batch.speech.flip(0), batch.speaker),
        logits(motion, batch.speech, 1 - batch.speaker),
    ):
        assert not torch.allclose(other, plain, atol=1e-3)
    longer = replace(batch, speech=batch.speech.repeat(1, 3, 1))
    assert generator.sample(longer, Inference(tokenizer)).shape[1] == 3 * FRAMES


def test_what_does_not_go_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"generator\.masked_motion\.width = 15: expected a multiple"):
        make_generator(tokenizer, width=15)
    with pytest.raises(InputError, match=r"unheard_weight = -1"):
        make_generator(tokenizer, unheard_weight=-1.0)
    with pytest.raises(InputError, match="tokens, and there are none"):
        MaskedMotionGenerator(None, FEATURES, 2, (123,), FixedRatio(0.3))
