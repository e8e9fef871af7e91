"""Windows of a corpus: counts, what comes before, one window a clip."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from roster import load_roster

from rgx import registry
from rgx.gesture.data.windows import Windows, window_starts
from rgx.gesture.skeleton import KEPT
from rgx.gesture.tokens.parts import SeparateParts
from rgx.gesture.tokens.tokenizer import Tokenizer
from rgx.gesture.types import PREFIX_FRAMES, PREFIX_TOKENS, WINDOW_FRAMES, ClipSpan

load_roster()


def corpus(*frames, split="train"):
    spans, start = [], 0
    for i, count in enumerate(frames):
        spans.append(ClipSpan(f"clip{i}", i % 2, split, start, count, (0.0, 0.0), 1.0))
        start += count
    return spans, start


def windows(*frames):
    spans, total = corpus(*frames)
    index = torch.arange(total)
    motion = index[:, None, None].float().expand(total, 3, 2)
    valid = torch.ones(total, 3, dtype=torch.bool)
    return spans, Windows(spans, "train", motion, valid, index[:, None].float(), index % 5 == 0)


@pytest.mark.parametrize(("frames", "count"), [(78, 0), (80, 0), (81, 1), (90, 1), (91, 2), (238, 16)])
def test_number_of_windows_by_hand(frames, count):
    starts, clips, speakers = window_starts(corpus(frames)[0], "train")
    assert len(starts) == len(clips) == len(speakers) == count
    assert starts.tolist() == [1 + 10 * n for n in range(count)]


def test_only_the_windows_of_the_split():
    assert len(window_starts(corpus(238, split="test")[0], "train")[0]) == 0
    assert len(window_starts(corpus(238, split="test")[0], "test")[0]) == 16


def test_windows_stay_in_their_clip_and_follow_the_frame_before():
    spans, found = windows(81, 78, 238, 100)
    assert len(found) == 1 + 0 + 16 + 2
    batch = found.batch(torch.arange(len(found)))
    first, last = batch.motion[:, 0, 0, 0], batch.motion[:, -1, 0, 0]
    assert torch.equal(batch.prefix[:, :, 0, 0], (first - 1)[:, None].expand(-1, PREFIX_FRAMES))
    assert torch.equal(last - first, torch.full_like(first, WINDOW_FRAMES - 1))
    for clip, speaker, before, end in zip(batch.clip, batch.speaker, first - 1, last, strict=True):
        span = spans[int(clip)]
        assert int(speaker) == span.speaker
        assert span.start <= before
        assert end < span.start + span.frames


def test_what_comes_before_is_real_or_still_and_never_of_another_clip():
    _, found = windows(238, 100)
    index = torch.tensor([0, 1, 16, 17])
    still = torch.tensor([False, True, False, False])
    batch = found.batch(index, still)
    first = batch.motion[:, 0, 0, 0].long()
    assert first.tolist() == [1, 11, 239, 249]
    # Clips begin at frames 0 and 238: before them stands their first frame.
    by_hand = [[0] * 8, [10] * 8, [238] * 8, [*range(241, 249)]]
    assert batch.prefix[..., 0, 0].tolist() == by_hand
    torch.manual_seed(0)
    drawn = found.draw(2000, still_share=0.25).prefix[..., 0, 0]
    share = float((drawn == drawn[:, -1:]).all(1).float().mean())
    # Of 18 windows two are the first of their clip, and look still in any case.
    assert share == pytest.approx(0.25 + 0.75 * 2 / 18, abs=0.03)


def test_all_arrays_of_a_batch_are_of_the_same_frames():
    _, found = windows(238)
    torch.manual_seed(0)
    batch = found.draw(4)
    assert batch.motion.shape == (4, 80, 3, 2)
    assert batch.valid.shape == (4, 80, 3)
    assert batch.prefix.shape == (4, PREFIX_FRAMES, 3, 2)
    assert batch.prefix_valid.shape == (4, PREFIX_FRAMES, 3)
    assert torch.equal(batch.motion[..., 0, 0], batch.speech[..., 0])
    assert torch.equal(batch.beats, batch.speech[..., 0] % 5 == 0)


def test_draw_apart_takes_one_window_a_clip():
    _, found = windows(238, 78, 100, 238, 81)
    torch.manual_seed(0)
    starts = set()
    for _ in range(30):
        batch = found.draw_apart(3)
        assert len(batch.clip) == len(batch.clip.unique()) == 3
        starts |= set(batch.motion[:, 0, 0, 0].long().tolist())
    assert sorted(found.draw_apart(64).clip.tolist()) == [0, 2, 3, 4]
    assert len(starts) > 10


@given(
    lengths=st.lists(st.integers(70, 700), min_size=1, max_size=5),
    size=st.integers(1, 40),
    apart=st.sampled_from([80, 120, 160]),
    seed=st.integers(0, 99),
)
def test_where_clips_are_few_more_of_theirs_are_drawn_that_lie_apart(
    lengths: list[int], size: int, apart: int, seed: int
) -> None:
    _, found = windows(*lengths, 100)
    torch.manual_seed(seed)
    one_a_clip = found.draw_apart(size)
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    batch = found.draw_apart(size, apart)
    count = len(one_a_clip.clip)
    assert torch.equal(batch.clip[:count], one_a_clip.clip), "the first are those of each clip"
    assert torch.equal(batch.prefix[:count], one_a_clip.prefix)
    if count == size:
        assert torch.equal(torch.get_rng_state(), state), "with enough clips nothing is drawn beside"
    starts = batch.motion[:, 0, 0, 0]
    for a, b in combinations(range(len(starts)), 2):
        assert batch.clip[a] != batch.clip[b] or abs(starts[a] - starts[b]) >= apart
    assert count <= len(starts) <= size
    if len(starts) < size:
        near = (found.starts[:, None] - starts.long()).abs() < apart
        assert (near & (found.clips[:, None] == batch.clip)).any(1).all(), "there was room for no other"


def test_chunks_visit_every_window_once_in_order():
    _, found = windows(238)
    assert [c.tolist() for c in found.chunks(6)] == [[*range(6)], [*range(6, 12)], [*range(12, 16)]]


def test_tokens_looked_up_once_are_those_of_each_window():
    torch.manual_seed(0)
    spans, total = corpus(238, 100)
    motion = torch.randn(total, len(KEPT), 2)
    valid, still = torch.ones(total, len(KEPT), dtype=torch.bool), torch.zeros(total, dtype=torch.bool)
    made = Windows(spans, "train", motion, valid, torch.zeros(total, 1), still)
    variant = registry.find("quantizer", "rvq")
    quantizer = registry.Recipe(variant, {**variant.parameters, "codes": 12, "layers": 3})
    tokenizer = Tokenizer(SeparateParts(), quantizer, 8, 1).eval()
    index = torch.tensor([17, 0, 5, 5])
    by_hand = tokenizer.window_tokens(made.batch(index))
    made.tokenise(tokenizer, size=7)
    looked_up = made.batch(index).tokens
    assert looked_up.keys() == tokenizer.members.keys()
    for stream, tokens in looked_up.items():
        assert tokens.shape == (4, PREFIX_TOKENS + 20, 3) and tokens.dtype == torch.long
        assert torch.equal(tokens, by_hand[stream])
    still = torch.tensor([False, True, False, True])
    tokens = made.batch(index, still).tokens
    made.tokens = {}
    by_hand = tokenizer.window_tokens(made.batch(index, still))
    assert all(torch.equal(tokens[s], by_hand[s]) for s in tokens)
