"""Quantizers, the tokenizer's streams and the losses on motion."""

from __future__ import annotations

import pytest
import torch
from roster import load_roster
from safetensors.torch import load_file, save_file

from rgx import registry
from rgx.gesture.nn.motion_losses import motion_losses
from rgx.gesture.skeleton import KEPT
from rgx.gesture.tokens.fsq import FiniteScalarQuantizer
from rgx.gesture.tokens.parts import JointParts, OnePart, SeparateParts
from rgx.gesture.tokens.residual_vq import Codebook, PlainVQ, ResidualVQ
from rgx.gesture.tokens.tokenizer import Tokenizer

load_roster()
torch.set_num_threads(1)


def recipe(axis, name, **overrides):
    variant = registry.find(axis, name)
    return registry.Recipe(variant, {**variant.parameters, **overrides})


def tokenizer(parts, **overrides):
    return Tokenizer(parts, recipe("quantizer", "rvq", **{"codes": 8, "layers": 3} | overrides), 8, 1)


def test_motion_without_face_and_body_is_one_stream():
    places = {"points": slice(0, 7)}
    codec = Tokenizer(OnePart("points"), recipe("quantizer", "rvq", codes=8, layers=3), 8, 1, places).eval()
    motion = torch.randn(2, 16, 7, 2)
    assert torch.equal(codec.merge(codec.split(motion)), motion)
    assert list(codec.tokens(motion)) == ["points"] and codec(motion)[0].shape == motion.shape


def test_output_equals_the_sum_of_the_looked_up_entries():
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=3).eval()
    found = rvq(torch.randn(2, 5, 4))
    assert found.codes.shape == (2, 5, 3)
    by_hand = sum(rvq.books[q].entries[found.codes[..., q]] for q in range(3))
    assert torch.allclose(found.output, by_hand, atol=1e-6)
    assert torch.equal(
        rvq.lookup(found.codes), torch.stack([rvq.codebook(q)[found.codes[..., q]] for q in range(3)]).sum(0)
    )


def test_each_layer_takes_the_entry_nearest_to_what_is_left_over():
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=3).eval()
    latents = torch.randn(2, 5, 4)
    codes = rvq(latents).codes
    for b in range(2):
        for n in range(5):
            rest = latents[b, n]
            for q in range(3):
                distances = [(rest - entry).norm() for entry in rvq.books[q].entries]
                assert int(codes[b, n, q]) == min(range(8), key=distances.__getitem__)
                rest = rest - rvq.books[q].entries[codes[b, n, q]]


@pytest.mark.parametrize("training", [True, False])
def test_straight_through_gradient_is_the_identity_once(training):
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=4, dropout=0.0).train(training)
    latents = torch.randn(2, 5, 4, requires_grad=True)
    weight = torch.randn(2, 5, 4)
    (gradient,) = torch.autograd.grad((rvq(latents).output * weight).sum(), latents)
    assert torch.equal(gradient, weight)


def test_commitment_gradient_reaches_every_layer():
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=3).eval()
    latents = torch.randn(2, 5, 4, requires_grad=True)
    found = rvq(latents)
    (gradient,) = torch.autograd.grad(found.commitment, latents)
    rest, expected = latents.detach(), torch.zeros(2, 5, 4)
    value = torch.zeros(())
    for q in range(3):
        rest = rest - rvq.books[q].entries[found.codes[..., q]]
        assert rest.norm() > 0
        expected += 2 * rest / rest.numel()
        value += (rest**2).mean()
    assert torch.allclose(gradient, expected, atol=1e-6)
    assert float(found.commitment.detach()) == pytest.approx(float(value), rel=1e-5)


def test_latents_are_not_modified_in_place():
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=3)
    latents = torch.randn(2, 5, 4)
    before = latents.clone()
    rvq(latents)
    assert torch.equal(latents, before)


def test_dead_codes_are_replaced_by_random_rows_of_the_batch():
    rows = torch.arange(64.0)[:, None].expand(64, 4).contiguous()
    picked = set()
    for seed in range(5):
        torch.manual_seed(seed)
        book = Codebook(8, 4, decay=0.99)
        book.start(rows)
        book.counts[4:] = 0.0
        book.update(rows, torch.arange(64) % 4)
        fresh = book.entries[4:]
        nearest = fresh.mean(1).round().long()
        assert (fresh - rows[nearest]).abs().max() < 0.3
        assert sorted(nearest.tolist()) != [0, 1, 2, 3]
        assert len(set(nearest.tolist())) == 4
        assert (book.counts[4:] == 1).all()
        picked |= set(nearest.tolist())
    assert max(picked) > 32
    assert len(picked) > 8


def test_used_codes_are_moved_by_the_moving_average_only():
    torch.manual_seed(0)
    book = Codebook(2, 1, decay=0.5)
    book.start(torch.tensor([[0.0], [10.0]]))
    first = book.entries.clone()
    low = int(first.argmin())
    rows = torch.tensor([[2.0], [12.0], [12.0], [2.0]])
    index = torch.tensor([low, 1 - low, 1 - low, low])
    book.update(rows, index)
    # counts: 0.5 · 1 + 0.5 · 2 = 1.5; sums: 0.5 · entry + 0.5 · (2 + 2).
    assert float(book.entries[low]) == pytest.approx((0.5 * float(first[low]) + 2) / 1.5, rel=1e-3)
    assert float(book.entries[1 - low]) == pytest.approx((0.5 * float(first[1 - low]) + 12) / 1.5, rel=1e-3)


def test_reloaded_quantizer_continues_bit_for_bit(tmp_path):
    def step(rvq, seed):
        torch.manual_seed(seed)
        return rvq(torch.randn(4, 5, 4))

    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=16, layers=3, decay=0.8, dropout=0.5)
    for seed in range(4):
        step(rvq, seed)
    save_file(rvq.state_dict(), tmp_path / "rvq.safetensors")
    again = ResidualVQ(4, codes=16, layers=3, decay=0.8, dropout=0.5)
    again.load_state_dict(load_file(tmp_path / "rvq.safetensors"))
    for seed in (10, 11):
        one, two = step(rvq, seed), step(again, seed)
        assert torch.equal(one.codes, two.codes)
        assert torch.equal(one.output, two.output)
        assert torch.equal(one.commitment, two.commitment)
    for name, value in rvq.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert not list(rvq.parameters())


def test_more_layers_reconstruct_no_worse():
    torch.manual_seed(0)
    latents = torch.randn(16, 16, 4)
    rvq = ResidualVQ(4, codes=16, layers=4, decay=0.8, dropout=0.0)
    for _ in range(40):
        rvq(latents)
    rvq.eval()
    codes = rvq(latents).codes
    errors = [float((rvq.lookup(codes[..., :q]) - latents).square().mean()) for q in range(1, 5)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 2


def test_quantizer_dropout_happens_in_training_only():
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=4, dropout=1.0)
    assert {rvq.active_layers() for _ in range(100)} == {1, 2, 3, 4}
    rvq.eval()
    assert {rvq.active_layers() for _ in range(100)} == {4}
    rvq.train()
    rvq.dropout = 0.0
    assert {rvq.active_layers() for _ in range(100)} == {4}


def test_evaluation_changes_no_state():
    torch.manual_seed(0)
    rvq = ResidualVQ(4, codes=8, layers=2).eval()
    before = {k: v.clone() for k, v in rvq.state_dict().items()}
    rvq(torch.randn(2, 5, 4))
    assert all(torch.equal(v, before[k]) for k, v in rvq.state_dict().items())


def test_plain_vq_is_a_single_layer():
    vq = PlainVQ(4, codes=8)
    assert (vq.layers, vq.dropout) == (1, 0.0)
    assert vq(torch.randn(2, 5, 4)).codes.shape == (2, 5, 1)


@pytest.mark.parametrize("levels", [(8, 8, 8), (5, 4, 3)])
def test_fsq_lookup_and_codebook_agree_with_forward(levels):
    torch.manual_seed(0)
    fsq = FiniteScalarQuantizer(6, levels=levels)
    latents = 5 * torch.randn(4, 50, 6, requires_grad=True)
    found = fsq(latents)
    assert found.codes.min() >= 0
    assert found.codes.max() < fsq.codes
    assert torch.allclose(fsq.lookup(found.codes), found.output, atol=1e-6)
    book = fsq.codebook(0)
    assert book.shape == (fsq.codes, 6)
    assert torch.allclose(book, fsq.lookup(torch.arange(fsq.codes)[:, None]), atol=1e-6)
    assert torch.allclose(book[found.codes[..., 0]], found.output, atol=1e-6)
    assert len(fsq._implicit(torch.arange(fsq.codes)).unique(dim=0)) == fsq.codes
    (gradient,) = torch.autograd.grad(found.output.sum(), latents)
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_motion_losses_by_hand():
    predicted = torch.zeros(1, 3, 1, 2)
    predicted[0, :, 0, 0] = torch.tensor([0.0, 1.0, 3.0])
    target = torch.zeros_like(predicted)
    valid = torch.ones(1, 3, 1, dtype=torch.bool)
    found = {k: float(v) for k, v in motion_losses(predicted, target, valid).items()}
    # Smooth L1 of positions 0, 1, 3; of frame differences 1, 2; of their difference 1.
    assert found == pytest.approx({"position": 3.0 / 6, "velocity": 2.0 / 4, "acceleration": 0.5 / 2})
    valid[0, 1] = False
    found = {k: float(v) for k, v in motion_losses(predicted, target, valid).items()}
    assert found == pytest.approx({"position": 2.5 / 4, "velocity": 0.0, "acceleration": 0.0})


def test_velocity_ignores_a_constant_offset_and_position_does_not():
    torch.manual_seed(0)
    target = torch.randn(2, 6, 3, 2)
    found = motion_losses(target + 1, target, torch.ones(2, 6, 3, dtype=torch.bool))
    assert float(found["position"]) == pytest.approx(0.5, rel=1e-4)
    assert float(found["velocity"]) == pytest.approx(0, abs=1e-9)
    assert float(found["acceleration"]) == pytest.approx(0, abs=1e-9)


def test_invalid_frames_contribute_nothing():
    torch.manual_seed(0)
    target, predicted = torch.randn(2, 8, 3, 2), torch.randn(2, 8, 3, 2)
    valid = torch.ones(2, 8, 3, dtype=torch.bool)
    valid[0, 3, 1] = valid[1, 7] = False
    one = motion_losses(predicted, target, valid)
    other = torch.where(valid[..., None], predicted, 1e6).requires_grad_()
    two = motion_losses(other, target, valid)
    assert {k: float(v) for k, v in one.items()} == pytest.approx(
        {k: float(v.detach()) for k, v in two.items()}
    )
    (gradient,) = torch.autograd.grad(sum(two.values()), other)
    assert (gradient[~valid] == 0).all()
    nothing = motion_losses(predicted, target, torch.zeros_like(valid))
    assert all(float(v) == 0 for v in nothing.values())


@pytest.mark.parametrize("parts", [JointParts(), SeparateParts()])
def test_split_and_merge_undo_each_other(parts):
    torch.manual_seed(0)
    codec = tokenizer(parts)
    motion = torch.randn(2, 8, len(KEPT), 2)
    assert torch.equal(codec.merge(codec.split(motion)), motion)


def test_tokenizer_shapes_and_agreement_of_its_two_decodings():
    torch.manual_seed(0)
    codec = tokenizer(SeparateParts()).eval()
    motion = torch.randn(2, 16, len(KEPT), 2)
    decoded, quantized = codec(motion)
    tokens = codec.tokens(motion)
    assert decoded.shape == motion.shape
    assert {s: t.shape for s, t in tokens.items()} == {"face": (2, 4, 3), "body": (2, 4, 3)}
    assert all(torch.equal(tokens[s], quantized[s].codes) for s in tokens)
    assert torch.allclose(codec.decode(tokens), decoded, atol=1e-5)


def test_a_still_person_is_one_code_however_long_the_picture_stands():
    torch.manual_seed(0)
    codec = tokenizer(SeparateParts()).eval()
    frame = torch.randn(2, 1, len(KEPT), 2)
    for frames in (4, 8, 80):
        tokens = codec.tokens(frame.expand(-1, frames, -1, -1))
        assert all(torch.equal(t, t[:, :1].expand_as(t)) for t in tokens.values())
        short = codec.tokens(frame.expand(-1, 4, -1, -1))
        assert all(torch.equal(tokens[s][:, :1], short[s]) for s in tokens)
        still = codec.decode(tokens)
        assert torch.allclose(still, still[:, :1].expand_as(still), atol=1e-5)


def test_fsq_refuses_levels_below_three() -> None:
    from rgx.errors import InputError
    from rgx.gesture.tokens.fsq import FiniteScalarQuantizer

    with pytest.raises(InputError, match="at least 3"):
        FiniteScalarQuantizer(4, levels=(2, 8))
