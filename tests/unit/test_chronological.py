"""Pauses, orders of phrases, and what an alignment learns of them where order is all that counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import in_processes
from scipy.signal import resample_poly

from rgx.gesture.align.chronological import ChronologicalAlignment, another_order, disorder, phrases
from rgx.gesture.align.contrastive import ContrastiveAlignment, contrastive_loss
from rgx.gesture.data.windows import Windows
from rgx.gesture.skeleton import KEPT
from rgx.gesture.speech.pats_mel import PatsMel
from rgx.gesture.speech.pauses import level_db, pauses_of
from rgx.gesture.stages.alignment import order
from rgx.gesture.types import PREFIX_FRAMES, SAMPLE_RATE_HZ, SAMPLES_PER_FRAME, Batch, ClipSpan
from rgx.run.fork_server import FORKS
from rgx.shares import step_shared
from rgx.train.exchange import average_gradients

torch.set_num_threads(1)
SPEECH = Path(__file__).resolve().parents[2].parent / "shared/data/speech"
SMALL = {"width": 16, "layers": 1, "heads": 2, "dropout": 0.0}


def marks(text: str) -> torch.Tensor:
    """Return a window (1, T) of pauses, written as underscores between what is spoken."""
    return torch.tensor([[letter == "_" for letter in text]])


def spoken(text: str) -> np.ndarray:
    """Return noise (S,) that is loud in the frames of letters and 60 dB below it in those of underscores."""
    gains = np.repeat([0.001 if letter == "_" else 1.0 for letter in text], SAMPLES_PER_FRAME)
    return (np.random.default_rng(0).normal(0, 0.1, len(gains)) * gains).astype(np.float32)


def test_pauses_are_found_where_they_were_planted():
    text = "__________" + "a" * 40 + "______" + "b" * 30 + "__" + "c" * 20 + "_______"
    level = level_db(spoken(text), len(text))
    quiet = np.array([letter == "_" for letter in text])
    # Half of the frame at the edge of a phrase is spoken.
    assert (pauses_of(level, 0.35, 5) <= quiet).all()
    lasting = [9, 52, 112]
    assert pauses_of(level, 0.35, 5)[lasting].all()
    assert pauses_of(level, 0.35, 5).sum() >= 10 + 6 + 7 - 4
    assert not pauses_of(level, 0.35, 5)[86:88].any(), "two frames are the closure of a consonant"


@pytest.mark.parametrize("gain", [0.01, 1.0, 3.0])
def test_pauses_do_not_depend_on_how_loud_a_recording_is(gain):
    text = "a" * 40 + "______" + "b" * 40
    loud, quiet = (level_db(spoken(text) * g, len(text)) for g in (1.0, gain))
    np.testing.assert_array_equal(pauses_of(loud, 0.35, 5), pauses_of(quiet, 0.35, 5))


@pytest.mark.parametrize("text", ["", "a", "_" * 50, "a" * 50])
def test_what_is_all_speech_or_all_silence_has_no_pause(text):
    assert not pauses_of(level_db(spoken(text), len(text)), 0.35, 5).any()


def test_the_published_bands_have_the_pauses_of_the_sound():
    text = "a" * 40 + "______" + "b" * 40
    bands = np.log(np.abs(spoken(text)).reshape(len(text), -1).mean(axis=1, keepdims=True) + 1e-6)
    level = PatsMel().level(np.repeat(bands, 64, axis=1).astype(np.float32), len(text))
    np.testing.assert_array_equal(np.flatnonzero(pauses_of(level, 0.35, 5)), np.arange(40, 46))


@pytest.mark.skipif(not SPEECH.is_dir(), reason="needs ../shared/data/speech")
def test_the_pauses_of_a_famous_sentence_lie_between_its_phrases():
    soundfile = pytest.importorskip("soundfile")
    track, rate_hz = soundfile.read(SPEECH / "jfk.flac", dtype="float32", always_2d=True)
    track = resample_poly(track.mean(axis=1), SAMPLE_RATE_HZ, rate_hz)
    paused = pauses_of(level_db(track, len(track) // SAMPLES_PER_FRAME), 0.35, 5)
    # And so, my fellow Americans | ask | not | what your country can do for you | ask what you can do …
    assert paused[[round(second * 25) for second in (2.7, 3.8, 4.9, 7.9)]].all()
    spoken = [round(second * 25) for second in (1.0, 3.4, 4.2, 6.5, 9.5)]
    assert phrases(torch.from_numpy(paused)[None])[0][spoken].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("window", "numbers"),
    [
        ("aaabbb", "000000"),
        ("aa__bb", "000111"),
        ("aa_bb__", "0011111"),
        ("__aa__b_c", "000001122"),
        ("______", "000000"),
    ],
)
def test_a_window_is_cut_in_the_middle_of_pauses_between_speech(window, numbers):
    # Where a pause has one frame, or an odd number, the middle frame goes to the phrase that follows.
    expected = [int(n) for n in numbers]
    assert len(expected) == len(window)
    assert phrases(marks(window))[0].tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 1000))
def test_another_order_moves_whole_phrases_and_is_never_the_own(pauses, seed):
    torch.manual_seed(seed)
    phrase = phrases(torch.tensor([pauses]))
    moved = another_order(phrase)[0]
    assert sorted(moved.tolist()) == list(range(len(pauses)))
    if int(phrase.max()) == 0:
        assert moved.tolist() == list(range(len(pauses)))
        return
    assert moved.tolist() != list(range(len(pauses)))
    numbers, sizes = torch.unique_consecutive(phrase[0][moved], return_counts=True)
    assert sorted(numbers.tolist()) == list(range(int(phrase.max()) + 1)), "a phrase stays in one piece"
    assert torch.equal(sizes[numbers.argsort()], phrase[0].bincount())
    assert (moved.diff()[phrase[0][moved].diff() == 0] == 1).all(), "within a phrase time runs forwards"


def test_every_other_order_of_three_phrases_is_drawn():
    torch.manual_seed(0)
    phrase = phrases(marks("a_b_c")).expand(300, -1)
    drawn = {tuple(torch.unique_consecutive(row).tolist()) for row in phrase.gather(1, another_order(phrase))}
    assert len(drawn) == 5


def batch_of(speech: torch.Tensor, pauses: torch.Tensor | None) -> Batch:
    rows, frames, _ = speech.shape
    return Batch(
        **{
            **dict.fromkeys(Batch.__dataclass_fields__, torch.zeros(0)),
            "motion": torch.randn(rows, frames, len(KEPT), 2),
            "valid": torch.ones(rows, frames, len(KEPT), dtype=torch.bool),
            "prefix": torch.zeros(rows, PREFIX_FRAMES, len(KEPT), 2),
            "prefix_valid": torch.ones(rows, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
            "speech": speech,
            "beats": torch.zeros(rows, frames, dtype=torch.bool),
            "tokens": {},
            "pauses": pauses,
        }
    )


def test_windows_of_one_phrase_or_of_phrases_that_are_alike_have_no_second_order():
    speech = torch.randn(3, 6, 2)
    speech[2, 3:] = speech[2, :3]
    pauses = torch.cat([marks("aaaaaa"), marks("aa__bb"), marks("aa__aa")])
    disordered, differs = disorder(batch_of(speech, pauses))
    assert differs.tolist() == [False, True, False]
    assert torch.equal(disordered.speech[0], speech[0]) and torch.equal(disordered.speech[2], speech[2])
    assert torch.equal(disordered.speech[1], torch.cat([speech[1, 3:], speech[1, :3]]))
    with pytest.raises(ValueError, match="needs the pauses"):
        disorder(batch_of(speech, None))


def test_a_disordered_negative_counts_in_the_direction_of_gestures_only():
    torch.manual_seed(0)
    z_s, z_g = (torch.nn.functional.normalize(torch.randn(4, 3), dim=1) for _ in range(2))
    like = torch.tensor([[0.5], [-torch.inf], [-0.2], [1.0]])
    logits = z_s @ z_g.T / 0.5
    gestures = torch.stack(
        [torch.logsumexp(torch.cat([logits[:, i], like[i] / 0.5]), 0) - logits[i, i] for i in range(4)]
    )
    speech = torch.logsumexp(logits, 1) - logits.diagonal()
    loss = contrastive_loss(z_s, z_g, 0.5, like)
    assert float(loss) == pytest.approx(float(gestures.mean() + speech.mean()))


def test_without_pauses_it_is_the_contrastive_alignment():
    losses = []
    for variant in (ContrastiveAlignment, ChronologicalAlignment):
        torch.manual_seed(0)
        network = variant(5, **SMALL)
        batch = batch_of(torch.randn(3, 80, 5), torch.zeros(3, 80, dtype=torch.bool))
        torch.manual_seed(1)
        losses.append(network.losses(batch))
        sum(losses[-1].values()).backward()
        losses[-1] = {k: v.detach() for k, v in losses[-1].items()}
        losses[-1] |= {k: p.grad for k, p in network.named_parameters()}
    first, second = losses
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.skipif(not FORKS, reason="only Linux forks safely with torch loaded")
def test_processes_that_share_rows_have_the_losses_and_gradients_of_one(tmp_path):
    def gradients(number: int) -> list[float]:
        torch.manual_seed(0)
        network = ChronologicalAlignment(5, **SMALL).double()
        batch = batch_of(torch.randn(3, 80, 5).double(), torch.arange(80).expand(3, 80) % 30 > 24)
        batch.motion = batch.motion.double()
        with step_shared(0):
            losses = network.losses(batch)
            sum(losses.values()).backward()
        average_gradients([*network.parameters()])
        norms = [float(p.grad.norm()) for p in network.parameters() if p.grad is not None]
        return [*(float(loss.detach()) for loss in losses.values()), *norms]

    (alone,) = in_processes(1, gradients, tmp_path)
    for shared in in_processes(2, gradients, tmp_path):
        assert shared == pytest.approx(alone, rel=1e-6)


def world(clips: int, seed: int) -> Windows:
    """Return one window a clip: two of four words, and strokes that mirror which of them comes first."""
    draw = torch.Generator().manual_seed(seed)
    words = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    pairs = torch.stack([torch.randperm(4, generator=draw)[:2] for _ in range(clips)])
    spans = [ClipSpan(f"clip{i}", 0, "test", 81 * i, 81, (0.0, 0.0), 1.0) for i in range(clips)]
    # Frame 0 is the one before the window; the phrases end and begin at any of 15 places.
    middle = torch.randint(32, 47, (clips, 1), generator=draw)
    place = torch.arange(-1, 80)
    pauses = (place - middle).abs() < 4
    spoken = words[torch.where(place < middle, pairs[:, :1], pairs[:, 1:])]
    speech = spoken.masked_fill(pauses[..., None], 0.0) + 0.1 * torch.randn(clips, 81, 6, generator=draw)
    steps = 0.6 * torch.randn(clips, 81, len(KEPT), 2, generator=draw)
    steps[..., :3, :] += spoken.unflatten(-1, (3, 2))
    steps[..., -3:, :] += spoken.unflatten(-1, (3, 2))
    flat = (x.flatten(0, 1) for x in (steps.cumsum(dim=1), torch.ones(steps.shape[:3]).bool(), speech))
    beats = torch.zeros(81 * clips, dtype=torch.bool)
    return Windows(spans, "test", *flat, beats, pauses.flatten())


def test_it_learns_the_order_that_contrastive_alignment_has_no_need_of():
    train, test = world(256, 1), world(128, 2)
    shares = {}
    for variant in (ContrastiveAlignment, ChronologicalAlignment):
        torch.manual_seed(0)
        network = variant(6, beat_weight=0.0, masked_share=0.0, **SMALL).train()
        steps = torch.optim.AdamW(network.parameters(), lr=3e-3)
        for _ in range(80):
            loss = torch.stack(list(network.losses(train.draw_apart(16)).values())).sum()
            steps.zero_grad()
            loss.backward()
            steps.step()
        shares[variant] = order(network.eval(), test)
    for stream in ("face", "body"):
        learned, other = shares[ChronologicalAlignment], shares[ContrastiveAlignment]
        assert learned["orders"] == other["orders"] == 128
        assert learned[f"order_{stream}"] > 0.9
        assert other[f"order_{stream}"] < 0.9
        # Of another window the gesture does not say in which order this one's phrases came.
        assert 0.35 < learned[f"order_{stream}_other"] < 0.65


def test_without_a_second_order_only_that_is_said():
    windows = world(4, 0)
    windows.pauses = torch.zeros_like(windows.beats)
    assert order(ContrastiveAlignment(6, **SMALL), windows) == {"orders": 0}
