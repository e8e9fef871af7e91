"""The causal generator and decoding left to right, on models whose answers are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from test_generate import CODES, TOKENS, make_batch, make_tokenizer, recipe, speech, trunk
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.generate.base import Decoding, Inference
from rgx.gesture.generate.causal import CausalGenerator
from rgx.gesture.generate.chaining import go_on
from rgx.gesture.generate.left_to_right import LeftToRight
from rgx.gesture.generate.noise import Noise
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import FRAMES_PER_TOKEN, PREFIX_TOKENS

Model = Callable[[Tensor, Tensor], Tensor]
SIZES = {"width": 16, "layers": 2, "heads": 2, "feedforward": 16, "dropout": 0.0}


def make_causal(tokenizer: Tokenizer, fusion: str = "cross_attention", **given: float) -> CausalGenerator:
    """Return a generator whose speakers differ, as they do once it is trained."""
    made: CausalGenerator = recipe("generator", "causal", fusion=recipe("fusion", fusion), **SIZES | given)(
        tokenizer, speech(), 2
    )
    for block in made.trunk.blocks:
        nn.init.normal_(block.attend_norm.modulation[-1].weight)
    return made.eval()


@pytest.fixture
def tokenizer() -> Tokenizer:
    torch.manual_seed(0)
    return make_tokenizer()


def logits_of(generator: CausalGenerator, tokens: Tensor) -> Tensor:
    batch = make_batch()
    return generator.predict(tokens, generator.trunk.read(generator.content(batch)), batch.speaker)


@pytest.mark.parametrize("fusion", ["cross_attention", "concat"])
def test_a_turn_is_told_of_the_turns_before_it_and_of_no_other(tokenizer: Tokenizer, fusion: str) -> None:
    generator = make_causal(tokenizer, fusion)
    tokens = torch.randint(CODES, (3, 2 * TOKENS))
    before = logits_of(generator, tokens).unflatten(1, (TOKENS, 2))
    for turn in range(TOKENS):
        for stream in range(2):
            other = tokens.clone()
            other[:, 2 * turn + stream] = (other[:, 2 * turn + stream] + 1) % CODES
            after = logits_of(generator, other).unflatten(1, (TOKENS, 2))
            assert torch.equal(after[:, : turn + 1], before[:, : turn + 1])
            changed = (after[:, turn + 1 :] - before[:, turn + 1 :]).abs().amax(dim=(0, 3))
            assert (changed > 0).all(), "both streams of every later turn know it"


def test_no_gradient_goes_back_in_time(tokenizer: Tokenizer) -> None:
    generator, seen = make_causal(tokenizer), []

    def note(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        seen.append(inputs[0].detach().requires_grad_())
        return (seen[-1], *inputs[1:])

    generator.trunk.register_forward_pre_hook(note)
    logits = logits_of(generator, torch.randint(CODES, (3, 2 * TOKENS))).unflatten(1, (TOKENS, 2))
    for turn in range(TOKENS):
        (gradient,) = torch.autograd.grad(logits[:, turn].sum(), seen[0], retain_graph=True)
        reached = gradient.abs().sum((0, 2)).unflatten(0, (TOKENS, 2))
        assert (reached[turn + 1 :] == 0).all() and (reached[: turn + 1] > 0).all()


def test_every_turn_hears_the_speech_of_the_whole_window(tokenizer: Tokenizer) -> None:
    generator, batch = make_causal(tokenizer), make_batch()
    content = generator.content(batch).detach().requires_grad_()
    tokens = torch.randint(CODES, (3, 2 * TOKENS))
    logits = generator.predict(tokens, generator.trunk.read(content), batch.speaker)
    (gradient,) = torch.autograd.grad(logits[:, 0].square().sum(), content)
    assert (gradient.abs().sum((0, 2)) > 0).all()


def planted(tokens: Tensor, masked: Tensor) -> Tensor:
    """A model that is sure: two streams side by side, each the sum of both of the turn before, and one."""
    rows = tokens.unflatten(1, (-1, 2))
    total = rows.sum(2, keepdim=True).roll(1, dims=1) + torch.tensor([1, 2])
    return 100.0 * nn.functional.one_hot((total % CODES).flatten(1), CODES).float()


@pytest.mark.parametrize("settings", [{}, {"temperature": 5.0, "top_share": 1e-6}])
def test_a_known_sequence_is_continued_turn_by_turn(settings: dict[str, float]) -> None:
    first = torch.tensor([[3, 4], [0, 0], [7, 1]])
    tokens = torch.cat([first, torch.full((3, 10), 99)], dim=1)
    masked = torch.ones(3, 12, dtype=torch.bool)
    masked[:, :2] = False
    asked: list[Tensor] = []

    def predict(tokens: Tensor, masked: Tensor) -> Tensor:
        asked.append(masked)
        return planted(tokens, masked)

    turns = torch.arange(12) // 2
    filled = LeftToRight(**settings).fill(Decoding(tokens, masked, predict, Noise.drawn(3), turns))
    for row, (face, body) in enumerate(first.tolist()):
        wanted = [face, body]
        for _ in range(5):
            face, body = (face + body + 1) % CODES, (face + body + 2) % CODES
            wanted += [face, body]
        assert filled[row].tolist() == wanted
    assert len(asked) == 5, "the turn that is known is not asked for"
    assert tokens[0, 2] == 99 and masked[0, 2], "what it was given stays as it was"


def test_turns_count_wherever_they_stand_and_what_is_fixed_stays() -> None:
    torch.manual_seed(0)
    masked = torch.rand(3, 12) < 0.6
    tokens = torch.randint(CODES, (3, 12)).masked_fill(masked, 99)
    one, other = torch.arange(12) // 2, torch.arange(6).repeat(2)
    order = one.argsort(stable=True), other.argsort(stable=True)

    def predict(seen: Tensor, hidden: Tensor) -> Tensor:
        back = torch.empty(12, dtype=torch.long)
        back[order[1]] = torch.arange(12)
        return planted(seen[:, order[1]] % CODES, hidden)[:, back]

    def fill(tokens: Tensor, masked: Tensor, ask: Model, turns: Tensor) -> Tensor:
        return LeftToRight().fill(Decoding(tokens, masked, ask, Noise([(1, n) for n in range(3)]), turns))

    filled = fill(tokens, masked, lambda seen, hidden: planted(seen % CODES, hidden), one)
    assert torch.equal(filled[~masked], tokens[~masked]) and filled[masked].max() < CODES
    apart = torch.empty_like(tokens)
    apart[:, order[1]] = tokens
    hidden = torch.empty_like(masked)
    hidden[:, order[1]] = masked
    assert torch.equal(fill(apart, hidden, predict, other)[:, order[1]], filled)


def test_codes_are_drawn_as_often_as_the_model_says() -> None:
    share = torch.tensor([0.5, 0.3, 0.2])
    masked = torch.ones(6000, 2, dtype=torch.bool)
    decoding = Decoding(
        torch.zeros(6000, 2, dtype=torch.long),
        masked,
        lambda tokens, masked: share.log().expand(6000, 2, 3),
        Noise([(2, n) for n in range(6000)]),
        torch.tensor([0, 1]),
    )
    drawn = LeftToRight().fill(decoding)
    found = torch.stack([torch.bincount(drawn[:, n], minlength=3) for n in range(2)]) / 6000
    assert torch.allclose(found, share.expand(2, 3), atol=0.03)
    assert set(LeftToRight(top_share=0.5).fill(decoding).unique().tolist()) == {0, 1}


@pytest.mark.parametrize(
    "given", [{"temperature": 0.0}, {"top_share": 0.0}, {"top_share": 1.5}, {"guidance": 0.0}]
)
def test_settings_that_cannot_work_are_refused(given: dict[str, float], tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"decode\.left_to_right"):
        LeftToRight(**given)
    with pytest.raises(InputError, match=r"generator\.causal\.condition_dropout = 1"):
        make_causal(tokenizer, condition_dropout=1.0)
    with pytest.raises(InputError, match=r"generator\.causal\.width = 15"):
        make_causal(tokenizer, width=15)


@pytest.mark.parametrize("with_residual", [False, True])
def test_motion_is_each_window_s_own_at_any_batch_size(tokenizer: Tokenizer, with_residual: bool) -> None:
    generator, batch = make_causal(tokenizer), make_batch()
    residual = recipe("residual", "prefix_token", trunk=trunk())(tokenizer, speech(), 2).eval()

    def sample(rows: slice) -> Tensor:
        some = replace(batch, **{n: x[rows] for n, x in vars(batch).items() if isinstance(x, Tensor)})
        noise = Noise([(4, number) for number in range(3)[rows]])
        own = residual if with_residual else None
        return generator.sample(some, Inference(tokenizer, LeftToRight(), own, noise=noise))

    whole = sample(slice(3))
    assert whole.shape == batch.motion.shape
    assert torch.allclose(whole[1:2], sample(slice(1, 2)), atol=1e-5)
    assert torch.equal(whole, sample(slice(3)))


def test_it_goes_on_from_the_prefix_and_depends_on_speech_and_speaker(tokenizer: Tokenizer) -> None:
    generator, batch = make_causal(tokenizer), make_batch()
    filled: list[Tensor] = []

    class Noted(LeftToRight):
        def fill(self, decoding: Decoding) -> Tensor:
            filled.append(super().fill(decoding))
            return filled[-1]

    def sample(**changes: Tensor) -> Tensor:
        noise = Noise([(4, number) for number in range(3)])
        return generator.sample(replace(batch, **changes), Inference(tokenizer, Noted(), noise=noise))

    motion = sample()
    apart = filled[0].unflatten(1, (TOKENS, 2))
    streams = {s: apart[:, :, i, None] for i, s in enumerate(tokenizer.members)}
    known = tokenizer.tokens(batch.prefix)
    assert all(torch.equal(streams[s][:, :PREFIX_TOKENS, 0], known[s][..., 0]) for s in streams)
    assert torch.equal(motion, go_on(tokenizer.decode(streams), batch))
    assert torch.equal(motion, sample(motion=batch.motion + 1)), "the recording is not looked at"
    for other in ({"speech": 20 * make_batch(5).speech}, {"speaker": 1 - batch.speaker}):
        sample(**other)
        assert not torch.equal(filled[-1], filled[0])


def test_guidance_goes_on_from_silence_and_1_asks_once(tokenizer: Tokenizer) -> None:
    generator, batch = make_causal(tokenizer), make_batch()
    nn.init.normal_(generator.silence)
    content, asked = generator.content(batch), []
    generator.trunk.register_forward_hook(lambda _m, inputs, _y: asked.append(len(inputs[0])))
    tokens = torch.randint(CODES, (3, 2 * TOKENS))

    def logits(content: Tensor) -> Tensor:
        return generator.predict(tokens, generator.trunk.read(content), batch.speaker)

    heard, unheard = logits(content), logits(generator.silence.expand_as(content))
    for guidance in (1.0, 3.0):
        asked.clear()
        guided = generator._guided(content, batch.speaker, guidance)(tokens, tokens > 0)
        assert torch.allclose(guided, unheard + guidance * (heard - unheard), atol=1e-5)
        assert asked == [3 if guidance == 1 else 6]


def test_silence_falls_on_windows_and_not_on_a_time_of_all_of_them(tokenizer: Tokenizer) -> None:
    """TalkSHOW's code drops a time step of the whole batch."""
    generator = make_causal(tokenizer, condition_dropout=0.3).train()
    generator.silence.data.fill_(7.0)
    many = replace(make_batch(), speech=make_batch().speech.repeat(200, 1, 1))
    silent = (generator.content(many) == 7.0).all(dim=2)
    assert torch.equal(silent.all(1), silent.any(1))
    assert float(silent.all(1).float().mean()) == pytest.approx(0.3, abs=0.06)


def test_it_learns_a_rule_of_the_tokens_before(tokenizer: Tokenizer) -> None:
    """Each token is the one before it in its stream, and one: after 40 steps that is nearly sure."""
    generator, batch = make_causal(tokenizer, width=32, layers=1).train(), make_batch()
    optimiser = torch.optim.Adam(generator.parameters(), 1e-2)

    def draw() -> dict[str, Tensor]:
        starts = torch.randint(CODES, (3, 2, 1))
        rows = (starts + torch.arange(TOKENS)) % CODES
        return {s: rows[:, i, :, None] for i, s in enumerate(tokenizer.members)}

    for _ in range(40):
        loss = generator.losses(replace(batch, tokens=draw()), tokenizer)["tokens"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.5 < float(torch.tensor(float(CODES)).log())


def test_only_tokens_after_the_prefix_are_learnt(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator, batch, predict = make_causal(tokenizer), make_batch(), CausalGenerator.predict
    plain = generator.losses(batch, tokenizer)["tokens"]
    for turn in range(TOKENS):
        shift = torch.zeros(1, 2 * TOKENS, CODES)
        shift[:, 2 * turn, 0] = 3.0
        monkeypatch.setattr(generator, "predict", lambda *given, s=shift: predict(generator, *given) + s)
        changed = generator.losses(batch, tokenizer)["tokens"]
        assert bool(changed != plain) == (turn >= PREFIX_TOKENS)
    assert PREFIX_TOKENS + batch.motion.shape[1] // FRAMES_PER_TOKEN == TOKENS
