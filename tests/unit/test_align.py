"""Eq. (1), the span mask and recall of the alignment."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from rgx.gesture.align.contrastive import ContrastiveAlignment, contrastive_loss, recall, span_mask
from rgx.gesture.nn.encoders import gesture_steps
from rgx.gesture.skeleton import KEPT, STREAMS, stream_slice
from rgx.gesture.types import PREFIX_FRAMES, Batch

torch.set_num_threads(1)
CPU = torch.device("cpu")


def test_contrastive_loss_equals_eq_1_worked_by_hand_on_two_pairs():
    z_s = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    z_g = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # Logits at temperature 0.5 are [[2, 1.2], [0, 1.6]]; both directions are summed, without a half.
    rows = (math.log1p(math.exp(1.2 - 2.0)) + math.log1p(math.exp(0.0 - 1.6))) / 2
    columns = (math.log1p(math.exp(0.0 - 2.0)) + math.log1p(math.exp(1.2 - 1.6))) / 2
    assert float(contrastive_loss(z_s, z_g, 0.5)) == pytest.approx(rows + columns, rel=1e-6)


@pytest.mark.parametrize(("frames", "share", "span", "hidden"), [(80, 0.3, 8, 24), (80, 0.5, 4, 40)])
def test_span_mask_covers_exactly_the_share_in_whole_spans(frames, share, span, hidden):
    torch.manual_seed(0)
    mask = span_mask(16, frames, share, span, CPU)
    assert mask.shape == (16, frames)
    assert (mask.sum(1) == hidden).all()
    spans = mask.view(16, frames // span, span)
    assert (spans.all(-1) == spans.any(-1)).all()
    assert len(mask.unique(dim=0)) > 1


def test_span_mask_leaves_a_rest_shorter_than_a_span_visible():
    torch.manual_seed(0)
    mask = span_mask(4, 18, 1.0, 8, CPU)
    assert mask[:, :16].all()
    assert not mask[:, 16:].any()


def test_the_same_mask_hits_both_modalities():
    torch.manual_seed(0)
    align = ContrastiveAlignment(5, width=8, layers=1, heads=2, dropout=0.0)
    seen: dict[str, torch.Tensor] = {}
    for side in ("speech", "gesture"):
        for stream in STREAMS:

            def note(_module, inputs, name=f"{side} {stream}"):
                seen[name] = inputs[0].detach() == 0

            getattr(align, side)[stream].register_forward_pre_hook(note)
    batch = Batch(
        motion=torch.arange(1.0, 81)[None, :, None, None].repeat(3, 1, len(KEPT), 2),
        valid=torch.ones(3, 80, len(KEPT), dtype=torch.bool),
        speech=torch.ones(3, 80, 5),
        beats=torch.zeros(3, 80, dtype=torch.bool),
        prefix=torch.zeros(3, PREFIX_FRAMES, len(KEPT), 2),
        prefix_valid=torch.ones(3, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.zeros(3, dtype=torch.long),
        clip=torch.arange(3),
    )
    align.losses(batch)
    assert len(seen) == 4
    hidden = seen["speech face"].all(-1)
    assert (hidden.sum(1) == 24).all()
    for mask in seen.values():
        assert torch.equal(mask.all(-1), hidden)
        assert torch.equal(mask.any(-1), hidden)
    seen.clear()
    for stream in STREAMS:
        align.embed(batch, stream)
    assert not any(mask.any() for mask in seen.values())


def test_recall_by_hand():
    similarity = torch.tensor([[3.0, 1.0, 2.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    eye = torch.eye(3)
    assert recall(similarity, eye, 1) == pytest.approx(1 / 3)
    assert recall(similarity, eye, 2) == pytest.approx(2 / 3)
    assert recall(similarity, eye, 3) == 1.0


def test_recall_of_collapsed_embeddings_is_not_perfect() -> None:
    z = torch.ones(8, 4) / 2
    assert recall(z, z, 1) <= 1 / 8


def test_gesture_encoders_see_steps_and_none_to_or_from_what_is_not_valid():
    windows = 2
    valid = torch.ones(windows, 80, len(KEPT), dtype=torch.bool)
    valid[0, 5, 0] = False
    before = torch.ones(windows, PREFIX_FRAMES, len(KEPT), dtype=torch.bool)
    before[1, -1] = False
    places = torch.randn(windows, 81, len(KEPT), 2)
    batch = Batch(
        motion=places[:, 1:],
        valid=valid,
        speech=torch.zeros(windows, 80, 1),
        beats=torch.zeros(windows, 80, dtype=torch.bool),
        prefix=places[:, :1].expand(-1, PREFIX_FRAMES, -1, -1),
        prefix_valid=before,
        speaker=torch.zeros(windows, dtype=torch.long),
        clip=torch.arange(windows),
    )
    # The posture of a clip is no part of it.
    moved = dataclasses.replace(batch, motion=batch.motion + 3, prefix=batch.prefix + 3)
    for stream, points in STREAMS.items():
        steps = gesture_steps(batch, stream).unflatten(-1, (len(points), 2))
        assert torch.allclose(gesture_steps(moved, stream), gesture_steps(batch, stream), atol=1e-5)
        by_hand = (places[:, 1:] - places[:, :-1])[:, :, stream_slice(stream)].clone()
        by_hand[1, 0] = 0
        if stream_slice(stream).start == 0:
            by_hand[0, 5:7, 0] = 0
        assert torch.allclose(steps, by_hand)
