"""Decoding, masking, style and the generators on small networks."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from roster import load_roster
from torch import nn

from rgx import registry
from rgx.errors import InputError
from rgx.gesture.data.motion_space import LandmarkSpace
from rgx.gesture.generate import masked as masked_module
from rgx.gesture.generate.base import Decoding, Inference
from rgx.gesture.generate.chaining import chain_windows, go_on
from rgx.gesture.generate.decode import IterativeDecoding, OneShotDecoding, choose
from rgx.gesture.generate.mask_ratio import CosineRatio, FixedRatio, UniformRatio
from rgx.gesture.generate.masked import after_prefix, mask_some
from rgx.gesture.generate.masking import deal
from rgx.gesture.generate.noise import Noise
from rgx.gesture.generate.speaker_style import AdaptiveInstanceNorm, ConditionalLayerNorm
from rgx.gesture.nn.encoders import SequenceEncoder
from rgx.gesture.skeleton import KEPT
from rgx.gesture.tokens.parts import SeparateParts
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import FRAMES_PER_TOKEN, PREFIX_FRAMES, PREFIX_TOKENS, Batch

load_roster()
torch.set_num_threads(1)
CODES, FEATURES, FRAMES = 12, 5, 16
TOKENS = PREFIX_TOKENS + FRAMES // FRAMES_PER_TOKEN
"""Of a stream, those of the prefix included."""


def recipe(axis, name, **overrides):
    variant = registry.find(axis, name)
    return registry.Recipe(variant, {**variant.parameters, **overrides})


def trunk(name="paper", fusion="cross_attention", **sizes):
    small = {"width": 16, "layers": 1, "heads": 2, "feedforward": 16, "dropout": 0.0} | sizes
    parts = {"fusion": recipe("fusion", fusion), "style": recipe("style", "adain")}
    return recipe("trunk", name, **small, **parts)


def speech():
    return nn.ModuleDict({"face": SequenceEncoder(FEATURES, 8, 1, 2, 0.0)})


def make_batch(seed=0):
    draw = torch.Generator().manual_seed(seed)
    return Batch(
        motion=torch.randn(3, FRAMES, len(KEPT), 2, generator=draw),
        valid=torch.ones(3, FRAMES, len(KEPT), dtype=torch.bool),
        speech=torch.randn(3, FRAMES, FEATURES, generator=draw),
        beats=torch.zeros(3, FRAMES, dtype=torch.bool),
        prefix=torch.randn(3, PREFIX_FRAMES, len(KEPT), 2, generator=draw),
        prefix_valid=torch.ones(3, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.tensor([0, 1, 0]),
        clip=torch.arange(3),
    )


def make_tokenizer(layers=3):
    return Tokenizer(SeparateParts(), recipe("quantizer", "rvq", codes=CODES, layers=layers), 8, 1).eval()


def make_generator(name, tokenizer, **overrides):
    """Return a generator whose speakers differ, as they do once it is trained."""
    if name == "masked":
        overrides = {"mask_ratio": recipe("mask_ratio", "uniform")()} | overrides
    bare = recipe("generator", name, **{"trunk": trunk(), **overrides})
    made = bare.given(tokenizer=tokenizer, speech=speech(), speakers=2, levels=LandmarkSpace().levels(None))
    for block in made.trunk.blocks:
        nn.init.normal_(block.style.modulation[-1].weight)
    return made


@pytest.fixture
def parts():
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    residual = recipe("residual", "prefix_token", trunk=trunk())(tokenizer, speech(), 2)
    return make_generator("masked", tokenizer), tokenizer, residual


def decoding_case(tokens=21, codes=9, seed=0):
    """Return tokens (4, N) whose first and eleventh are given, and a model that reads them all."""
    draw = torch.Generator().manual_seed(seed)
    true = torch.randint(codes, (4, tokens), generator=draw)
    masked = torch.ones(4, tokens, dtype=torch.bool)
    masked[:, 0] = masked[:, 10] = False
    masked[1, 3:7] = False
    base = torch.randn(4, tokens, codes, generator=draw)
    table = torch.randn(codes + 1, codes, generator=draw)

    def predict(seen, hidden):
        return base + 0.5 * table[seen.masked_fill(hidden, codes)].mean(1, keepdim=True)

    return true, masked, predict


def reference_fill(true, masked, predict, steps):
    """Fill greedily, one row and one token at a time."""
    filled, left = true.clone(), masked.clone()
    for step in range(1, steps + 1):
        probability = predict(filled, left).softmax(-1)
        for row in range(len(true)):
            still = [n for n in range(true.shape[1]) if left[row, n]]
            for n in still:
                filled[row, n] = probability[row, n].argmax()
            keep = math.floor(int(masked[row].sum()) * math.cos(math.pi * step / (2 * steps)) + 1e-6)
            still.sort(key=lambda n, row=row: float(probability[row, n].max()))
            for n in still[keep:]:
                left[row, n] = False
    return filled


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_iterative_decoding_equals_a_slow_reference(steps):
    true, masked, predict = decoding_case()
    found = IterativeDecoding(steps, top_share=1e-6).fill(
        Decoding(true, masked, predict, Noise.drawn(len(true)))
    )
    assert torch.equal(found, reference_fill(true, masked, predict, steps))


def test_iterative_decoding_keeps_what_it_accepted_and_follows_the_cosine():
    true, masked, predict = decoding_case()
    before = (true.clone(), masked.clone())
    calls = []

    def noted(seen, hidden):
        calls.append((seen.clone(), hidden.clone()))
        return predict(seen, hidden)

    torch.manual_seed(0)
    steps = 5
    filled = IterativeDecoding(steps, top_share=1.0).fill(
        Decoding(true, masked, noted, Noise.drawn(len(true)))
    )
    assert torch.equal(true, before[0])
    assert torch.equal(masked, before[1])
    assert torch.equal(filled[~masked], true[~masked])
    assert len(calls) == steps
    total = masked.sum(1)
    for step, (_, hidden) in enumerate(calls):
        share = math.cos(math.pi * step / (2 * steps))
        assert hidden.sum(1).tolist() == [math.floor(int(t) * share + 1e-6) for t in total]
    for (seen, hidden), (later, still) in itertools.pairwise(calls):
        assert not (still & ~hidden).any()
        assert torch.equal(later[~hidden], seen[~hidden])
        assert torch.equal(filled[~still], later[~still])


@pytest.mark.parametrize("decode", [IterativeDecoding(4), OneShotDecoding()])
def test_every_masked_token_is_filled(decode):
    true, masked, predict = decoding_case()
    torch.manual_seed(0)
    outside = true.masked_fill(masked, -7)

    def model(seen, hidden):
        return predict(seen.clamp(min=0), hidden)

    filled = decode.fill(Decoding(outside, masked, model, Noise.drawn(len(outside))))
    assert filled.min() >= 0
    assert filled.max() < 9
    assert torch.equal(filled[~masked], true[~masked])


def test_one_shot_takes_the_likeliest_codes_at_once():
    true, masked, predict = decoding_case()
    filled = OneShotDecoding().fill(Decoding(true, masked, predict, Noise.drawn(len(true))))
    assert torch.equal(filled, torch.where(masked, predict(true, masked).argmax(-1), true))


def test_choose_draws_among_the_best_and_reports_full_probability():
    torch.manual_seed(0)
    logits = torch.randn(3, 200, 10)
    codes, confidence = choose(logits, 2.0, 0.2, Noise.drawn(len(logits)))
    rank = (logits > logits.gather(-1, codes[..., None])).sum(-1)
    assert set(rank.unique().tolist()) == {0, 1}
    assert torch.equal(confidence, logits.softmax(-1).gather(-1, codes[..., None])[..., 0])


@pytest.mark.parametrize(
    "given", [{"steps": 0}, {"temperature": 0.0}, {"top_share": 0.0}, {"top_share": 1.5}]
)
def test_iterative_decoding_refuses_settings_that_cannot_work(given):
    with pytest.raises(InputError, match=r"decode\.iterative"):
        IterativeDecoding(**given)


def test_mask_some_masks_the_share_and_at_least_one():
    torch.manual_seed(0)
    found = mask_some(torch.tensor([0.0, 0.01, 0.25, 0.5, 1.0]), 20)
    assert found.sum(1).tolist() == [1, 1, 5, 10, 20]
    many = mask_some(torch.full((500,), 0.25), 20).float().mean(0)
    assert many.min() > 0.15
    assert many.max() < 0.35


def test_mask_ratios_lie_in_their_ranges():
    torch.manual_seed(0)
    uniform = UniformRatio(0.3, 0.7).draw(4000)
    assert uniform.min() >= 0.3
    assert uniform.max() <= 0.7
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.01)
    cosine = CosineRatio().draw(4000)
    assert cosine.min() >= 0
    assert cosine.max() <= 1
    assert float(cosine.mean()) == pytest.approx(2 / math.pi, abs=0.02)
    assert FixedRatio(0.4).draw(3).tolist() == pytest.approx([0.4] * 3)


RESIDUALS = ("prefix_token", "transformer")


@pytest.fixture(params=RESIDUALS)
def residual_parts(request):
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    return tokenizer, recipe("residual", request.param, trunk=trunk())(tokenizer, speech(), 2)


def test_residual_head_is_not_added_to_itself(residual_parts):
    tokenizer, residual = residual_parts
    batch = make_batch()
    residual.eval()
    seen = []
    residual.trunk.register_forward_hook(lambda _m, _i, output: seen.append(output))
    tokens = {s: torch.randint(CODES, (3, TOKENS, 3)) for s in tokenizer.members}
    memory = residual.trunk.read(residual.content(batch))
    for layer in (1, 2):
        below = {s: t[..., :layer] for s, t in tokens.items()}
        logits = residual.predict(below, layer, memory, batch.speaker)
        # What goes before the tokens, as R_j does, is no token.
        for stream, y in zip(residual.streams, seen[-1][:, -2 * TOKENS :].chunk(2, dim=1), strict=True):
            head = residual.head[stream][layer - 1]
            assert torch.allclose(logits[stream], y @ head.weight.T + head.bias, atol=1e-6)


def test_the_residual_layer_is_one_token_before_all_others_in_place_and_time():
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    residual = recipe("residual", "prefix_token", trunk=trunk())(tokenizer, speech(), 2).eval()
    batch, seen = make_batch(), []
    residual.trunk.register_forward_pre_hook(lambda _m, inputs: seen.append(inputs))
    tokens = {s: torch.randint(CODES, (3, TOKENS, 3)) for s in tokenizer.members}
    memory = residual.trunk.read(residual.content(batch))
    for layer in (1, 2):
        residual.predict({s: t[..., :layer] for s, t in tokens.items()}, layer, memory, batch.speaker)
    for layer, (x, _, place, _) in enumerate(seen, start=1):
        assert x.shape[1] == len(place) == 1 + 2 * TOKENS
        assert torch.equal(x[:, 0], residual.layer[layer].expand(3, -1))
        assert place[0] < place[1:].min()
    # The tokens themselves know nothing of it: of the first layer both have the same embedding.
    below = [residual.embedding[s][0](tokens[s][..., 0]) for s in residual.streams]
    assert torch.equal(seen[0][0][:, 1 : 1 + TOKENS], residual.stream_type[0] + below[0])


def test_residual_codes_are_drawn_under_the_seed_among_the_best():
    torch.manual_seed(0)
    tokenizer = make_tokenizer()
    base = {"face": torch.zeros(3, 4, 1).long(), "body": torch.ones(3, 4, 1).long()}
    prefix = {s: torch.zeros(3, PREFIX_TOKENS, 3).long() for s in base}

    def extended(seed, **settings):
        torch.manual_seed(1)
        residual = recipe("residual", "prefix_token", trunk=trunk(), **settings)(
            tokenizer, speech(), 2
        ).eval()
        torch.manual_seed(seed)
        return torch.cat(list(residual.extend(base, prefix, make_batch(), Noise.drawn(3)).values()), dim=-1)

    wide = [extended(seed, top_share=1.0, temperature=3.0) for seed in (0, 0, 1)]
    assert torch.equal(wide[0], wide[1])
    assert not torch.equal(wide[0], wide[2])
    # One code may be drawn: the likeliest.
    assert torch.equal(extended(0, top_share=1e-6), extended(1, top_share=1e-6))


@pytest.mark.parametrize("given", [{"temperature": 0.0}, {"top_share": 0.0}, {"condition_dropout": 1.0}])
def test_a_residual_generator_refuses_settings_that_cannot_work(given):
    with pytest.raises(InputError, match=r"residual\.prefix_token"):
        recipe("residual", "prefix_token", trunk=trunk(), **given)(make_tokenizer(), speech(), 2)


@pytest.mark.parametrize("name", ["residual", "masked"])
def test_speech_is_silent_for_a_share_of_the_windows_in_training_only(parts, name):
    generator = parts[0] if name == "masked" else parts[2]
    generator.silence.data.fill_(7.0)
    many = replace(make_batch(), speech=make_batch().speech.repeat(400, 1, 1))
    torch.manual_seed(0)
    silent = (generator.train().content(many) == 7.0).flatten(1)
    assert torch.equal(silent.all(1), silent.any(1))
    assert float(silent.all(1).float().mean()) == pytest.approx(0.1, abs=0.03)
    assert not (generator.eval().content(many) == 7.0).any()


def test_of_the_chosen_a_tenth_are_another_code_and_of_the_rest_88_in_100_are_masked():
    torch.manual_seed(0)
    chosen = torch.rand(500, 400) < 0.7
    replaced, hidden = deal(chosen, 0.1, 0.88)
    assert not (replaced & hidden).any()
    assert not ((replaced | hidden) & ~chosen).any()
    shares = [float(x.sum() / chosen.sum()) for x in (replaced, hidden, chosen & ~replaced & ~hidden)]
    assert shares == pytest.approx([0.1, 0.792, 0.108], abs=0.003)
    assert torch.equal(deal(chosen, 0.0, 1.0)[1], chosen)
    assert torch.equal(deal(chosen, 1.0, 1.0)[0], chosen)
    assert not torch.stack(deal(chosen, 0.0, 0.0)).any()


def test_a_generator_sees_what_the_recipe_deals(parts, monkeypatch):
    _, tokenizer, _ = parts
    generator = make_generator("masked", tokenizer, replaced_share=0.5, masked_share=0.0)
    batch, seen, predict = make_batch(), [], generator.predict
    monkeypatch.setattr(generator, "predict", lambda *given: seen.append(given) or predict(*given))
    true = torch.cat([t[..., 0] for t in tokenizer.window_tokens(batch).values()], dim=1)
    generator.losses(batch, tokenizer)
    generator.replaced_share, generator.masked_share = 0.0, 1.0
    generator.losses(batch, tokenizer)
    assert not seen[0][1].any()
    assert (seen[0][0] != true).any()
    assert seen[1][1].any()
    assert torch.equal(seen[1][0], true)


@pytest.mark.parametrize("given", [{"replaced_share": 1.1}, {"masked_share": -0.1}])
def test_a_mask_recipe_that_is_none_is_refused(given):
    with pytest.raises(InputError, match=r"generator\.masked: expected 0 <= replaced_share"):
        make_generator("masked", make_tokenizer(), **given)


def test_residual_extends_each_base_token_and_keeps_it(residual_parts):
    tokenizer, residual = residual_parts
    residual.eval()
    true = {s: torch.randint(CODES, (3, TOKENS, 3)) for s in tokenizer.members}
    base = {s: t[:, PREFIX_TOKENS:, :1] for s, t in true.items()}
    prefix = {s: t[:, :PREFIX_TOKENS] for s, t in true.items()}
    full = residual.extend(base, prefix, make_batch(), Noise.drawn(3))
    for stream, tokens in full.items():
        assert tokens.shape == (3, TOKENS, 3)
        assert torch.equal(tokens[:, PREFIX_TOKENS:, :1], base[stream])
        assert torch.equal(tokens[:, :PREFIX_TOKENS], prefix[stream]), "what is known is not predicted"
        assert 0 <= int(tokens.min()) <= int(tokens.max()) < CODES


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_losses_depend_on_the_logits_of_masked_tokens_only(parts, monkeypatch, weight):
    generator, tokenizer, _ = parts
    generator.reconstruction_weight, generator.condition_dropout = weight, 0.0
    masks = []

    def noted(ratio, tokens):
        masks.append(mask_some(ratio, tokens))
        return masks[-1]

    monkeypatch.setattr(masked_module, "mask_some", noted)
    predict = generator.predict

    def losses(change):
        masks.clear()

        def changed(tokens, *rest):
            drawn = [nn.functional.pad(m, (PREFIX_TOKENS, 0)) for m in masks]
            return predict(tokens, *rest) + change(torch.cat(drawn, dim=1))

        monkeypatch.setattr(generator, "predict", changed)
        torch.manual_seed(1)
        return {k: float(v.detach()) for k, v in generator.losses(make_batch(), tokenizer).items()}

    noise = torch.randn(3, 2 * TOKENS, CODES)
    plain = losses(lambda masked: 0.0)
    assert "tokens" in plain
    assert losses(lambda masked: noise.masked_fill(masked[..., None], 0.0)) == plain
    other = losses(lambda masked: noise.masked_fill(~masked[..., None], 0.0))
    assert all(other[k] != plain[k] for k in plain)


def test_the_prefix_is_never_masked_in_training(parts, monkeypatch):
    generator, tokenizer, _ = parts
    generator.mask_ratio = FixedRatio(1.0)
    predict, batch = generator.predict, make_batch()
    seen = []
    monkeypatch.setattr(generator, "predict", lambda *given: seen.append(given) or predict(*given))
    generator.losses(batch, tokenizer)
    tokens, hidden = seen[0][:2]
    prefix = tokenizer.tokens(batch.prefix)
    for i, stream in enumerate(generator.streams):
        before = slice(TOKENS * i, TOKENS * i + PREFIX_TOKENS)
        assert not hidden[:, before].any()
        assert torch.equal(tokens[:, before], prefix[stream][..., 0])


def test_the_prefix_is_decoded_with_the_window_but_is_no_part_of_the_motion(parts):
    generator, tokenizer, _ = parts
    batch, codes = make_batch(), {}

    class Told(OneShotDecoding):
        def fill(self, decoding):
            codes["filled"] = super().fill(decoding)
            return codes["filled"]

    motion = generator.eval().sample(batch, Inference(tokenizer, Told()))
    filled = dict(zip(generator.streams, codes["filled"].chunk(2, dim=1), strict=True))
    whole = tokenizer.decode({s: t[..., None] for s, t in filled.items()})
    assert torch.allclose(motion, go_on(whole, batch), atol=1e-6)
    alone = tokenizer.decode({s: t[:, PREFIX_TOKENS:, None] for s, t in filled.items()})
    after = whole[:, PREFIX_FRAMES:]
    assert not torch.allclose(after[:, :4], alone[:, :4], atol=1e-3), "its first frames go on from the prefix"


def test_what_tokens_miss_of_the_source_frame_fades_over_eight_frames():
    batch = make_batch()
    batch.prefix_valid[1, -1, 0] = False
    decoded = torch.randn(3, PREFIX_FRAMES + FRAMES, len(KEPT), 2)
    motion, off = go_on(decoded, batch), batch.prefix[:, -1] - decoded[:, PREFIX_FRAMES - 1]
    for frame in range(FRAMES):
        by_hand = decoded[:, PREFIX_FRAMES + frame] + max(0, 8 - frame) / 8 * off
        by_hand[1, 0] = decoded[1, PREFIX_FRAMES + frame, 0]
        assert torch.allclose(motion[:, frame], by_hand, atol=1e-6)


def test_guidance_goes_on_from_what_is_said_without_speech_and_1_asks_once(parts):
    generator, tokenizer, _ = parts
    generator.eval()
    nn.init.normal_(generator.silence)
    batch, content = make_batch(), generator.content(make_batch())
    asked = []
    generator.trunk.register_forward_hook(lambda _m, inputs, _y: asked.append(len(inputs[0])))
    tokens = torch.randint(CODES, (3, 2 * TOKENS))
    masked = after_prefix([torch.ones(3, 4, dtype=torch.bool)] * 2)

    def logits(content):
        return generator.predict(tokens, masked, generator.trunk.read(content), batch.speaker)

    heard, unheard = logits(content), logits(generator.silence.expand_as(content))
    for guidance in (1.0, 0.5, 3.0):
        asked.clear()
        guided = generator._guided(content, batch.speaker, guidance)(tokens, masked)
        assert torch.allclose(guided, unheard + guidance * (heard - unheard), atol=1e-5)
        assert asked == [3 if guidance == 1 else 6], "both in one batch"
    one = generator.sample(batch, Inference(tokenizer, OneShotDecoding(guidance=1000.0)))
    assert not torch.equal(one, generator.sample(batch, Inference(tokenizer, OneShotDecoding())))
    with pytest.raises(InputError, match="guidance = 0"):
        OneShotDecoding(guidance=0)


def test_windows_are_chained_on_the_frames_in_which_the_last_one_ends():
    speech = torch.arange(200.0)[None, :, None]
    batch = replace(make_batch(), speech=speech, prefix=torch.zeros(1, PREFIX_FRAMES, 1, 1))

    prefixes, heard = [], []

    def sample(window):
        prefixes.append(window.prefix.flatten().tolist())
        heard.append(window.speech.flatten().tolist())
        # Counts on from its source frame, a step a frame of speech.
        return window.prefix[:, -1:] + torch.arange(1.0, window.speech.shape[1] + 1)[None, :, None, None]

    motion = chain_windows(batch, sample)
    assert motion.flatten().tolist() == [*range(1, 201)]
    assert heard == [[*range(80)], [*range(80, 160)], [*range(160, 200)]]
    assert prefixes == [[0] * 8, [*range(73, 81)], [*range(153, 161)]]


@pytest.mark.parametrize("with_residual", [False, True])
def test_sample_repeats_under_a_seed_and_depends_on_speech_and_speaker(parts, with_residual):
    generator, tokenizer, residual = parts
    generator.eval()
    residual.eval()

    def sample(batch, seed=0):
        torch.manual_seed(seed)
        kept = residual if with_residual else None
        return generator.sample(batch, Inference(tokenizer, IterativeDecoding(3, top_share=0.5), kept))

    batch = make_batch()
    one = sample(batch)
    assert one.shape == batch.motion.shape
    assert one.isfinite().all()
    assert torch.equal(one, sample(batch))
    assert torch.equal(one, sample(replace(batch, motion=batch.motion + 1)))
    assert not torch.equal(one, sample(batch, seed=1))
    assert not torch.equal(one, sample(replace(batch, speech=20 * make_batch(5).speech)))
    assert not torch.equal(one, sample(replace(batch, speaker=1 - batch.speaker)))


def test_regression_shapes_and_what_it_depends_on():
    torch.manual_seed(0)
    model = make_generator("regression", None).eval()
    batch = make_batch()
    motion = model.sample(batch, Inference())
    assert motion.shape == (3, FRAMES, len(KEPT), 2)
    assert set(model.losses(batch, None)) == {"position", "velocity", "acceleration"}
    others = (
        replace(batch, speech=make_batch(5).speech),
        replace(batch, speaker=1 - batch.speaker),
        replace(batch, prefix=-batch.prefix),
    )
    for other in others:
        assert not torch.equal(motion, model.sample(other, Inference()))


def test_adain_normalises_over_time_and_drops_offsets():
    torch.manual_seed(0)
    style, x, speaker = AdaptiveInstanceNorm(6, 2), 3 + 2 * torch.randn(2, 50, 6), torch.tensor([0, 1])
    y = style(x, speaker)
    assert torch.allclose(y.mean(1), torch.zeros(2, 6), atol=1e-5)
    assert torch.allclose(y.std(1, unbiased=False), torch.ones(2, 6), atol=1e-3)
    assert torch.allclose(style(x + torch.arange(6.0), speaker), y, atol=1e-4)
    nn.init.normal_(style.modulation[-1].weight)
    scale, shift = style.modulation(speaker).chunk(2, dim=-1)
    assert torch.allclose(style(x, speaker), (1 + scale)[:, None] * y + shift[:, None], atol=1e-5)


def test_conditional_layer_norm_keeps_offsets():
    torch.manual_seed(0)
    style, x, speaker = ConditionalLayerNorm(6, 2), torch.randn(2, 50, 6), torch.tensor([0, 1])
    y = style(x, speaker)
    assert torch.allclose(y.mean(-1), torch.zeros(2, 50), atol=1e-5)
    moved = style(x + 5 * torch.arange(6.0), speaker).mean(1)
    assert ((moved[:, 5] - moved[:, 0]) > 1).all()


def test_the_motion_of_some_windows_is_decoded_for_its_loss(parts):
    generator, tokenizer, _ = parts
    generator.condition_dropout = 0.0
    batch = make_batch()

    def losses(share, motion):
        generator.reconstruction_share = share
        torch.manual_seed(1)
        return generator.losses(
            replace(batch, motion=motion, tokens=tokenizer.window_tokens(batch)), tokenizer
        )

    other = batch.motion.clone()
    other[2] += 1
    # Of three windows the first two, at 0.6; the third one's motion then has no part in any loss.
    assert losses(0.6, other) == losses(0.6, batch.motion)
    assert losses(1.0, other)["position"] != losses(1.0, batch.motion)["position"]
    assert losses(0.6, batch.motion)["tokens"] == losses(1.0, batch.motion)["tokens"]
