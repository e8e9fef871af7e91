"""Edge heat-maps against slow arithmetic; refiners, discriminator and adversarial losses, small."""

from __future__ import annotations

import contextlib
import math
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rgx.config import build_cell
from rgx.errors import InputError
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppet_render import FRAME_PX, render
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.nn.grid import pixel_grid, resize
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.nn.precision import fast, laid_out
from rgx.gesture.refine import edges as edges_module
from rgx.gesture.refine.accuracy import Accuracy
from rgx.gesture.refine.adversarial import Hinge, LeastSquares, NonSaturating
from rgx.gesture.refine.base import Refined
from rgx.gesture.refine.discriminator import PatchDiscriminator, SpectralConv
from rgx.gesture.refine.edges import edge_map, squared_distance
from rgx.gesture.refine.refiners import EdgeHeatmapRefiner, NoRefiner, PlainRefiner, SkeletonRefiner
from rgx.gesture.refine.spade import PlainNorm, Spade
from rgx.gesture.refine.structure import NoStructure, ScaledEdges, WeightedEdges
from rgx.gesture.refine.unet import JoiningBlock
from rgx.gesture.skeleton import KEPT, LEFT_HAND, edges, kept_index
from rgx.gesture.types import Pairs
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps/ablation_table3.yaml"
torch.set_num_threads(1)
THICKNESS = (0.032, 0.016, 0.012)
SMALL = {"width": 8, "max_width": 16, "downs": 2}
TRAINED = {
    PlainRefiner: {},
    SkeletonRefiner: {"spade_width": 8},
    EdgeHeatmapRefiner: {"spade_width": 8, "edges": WeightedEdges},
}
TRAINED_VARIANTS = pytest.mark.parametrize("variant", list(TRAINED))
REFINERS = pytest.mark.parametrize("variant", [NoRefiner, *TRAINED])


def make(variant, size=16, seed=0, **overrides):
    torch.manual_seed(seed)
    return variant(size, **({**SMALL, **TRAINED[variant], **overrides} if variant in TRAINED else {}))


def make_drawing(cls=WeightedEdges, seed=0):
    """Return edges with weights and thicknesses that all differ, as after training."""
    drawing = cls(64, *THICKNESS)
    draw = torch.Generator().manual_seed(seed)
    for parameter in drawing.parameters():
        parameter.data += 0.5 * torch.randn(parameter.shape, generator=draw)
    return drawing


def make_poses(batch=3, seed=1, dtype=torch.float32):
    draw = torch.Generator().manual_seed(seed)
    pose = torch.rand(batch, len(KEPT), 2, generator=draw, dtype=dtype) * 2 - 1
    return pose, torch.rand(batch, len(KEPT), generator=draw) < 0.9


def make_inputs(batch=3, size=16, seed=2):
    draw = torch.Generator().manual_seed(seed)
    picture = torch.rand(batch, 3, size, size, generator=draw)
    trusted = torch.rand(batch, 1, size, size, generator=draw)
    return picture, trusted, *make_poses(batch)


def wake(refiner, seed=3):
    """Perturb the last convolution, which starts at zero and would hide everything before it."""
    draw = torch.Generator().manual_seed(seed)
    for parameter in refiner.network.last.parameters():
        parameter.data = 0.05 * torch.randn(parameter.shape, generator=draw)
    return refiner


def loop_distance(p, a, b):
    """Return eq. (6) case by case."""
    p, a, b = (np.asarray(x, dtype=float) for x in (p, a, b))
    t = (p - a) @ (b - a) / ((b - a) @ (b - a) + edges_module.EPSILON)
    if t <= 0:
        return np.linalg.norm(p - a)
    if t >= 1:
        return np.linalg.norm(p - b)
    return np.linalg.norm(p - ((1 - t) * a + t * b))


def loop_map(drawing, pose, valid, size):
    """Return eqs. (5)–(7) pixel by pixel and edge by edge."""
    height, width = size
    sigma, weight = drawing.thickness().tolist(), drawing.weight().tolist()
    found = np.zeros((len(pose), height, width))
    for b in range(len(pose)):
        for row in range(height):
            for column in range(width):
                p = ((2 * column + 1) / width - 1, (2 * row + 1) / height - 1)
                for number, (i, j) in enumerate(edges()):
                    if not (valid[b, kept_index(i)] and valid[b, kept_index(j)]):
                        continue
                    group = 0 if i < 17 else 3 if i < 91 else 1 if i < 112 else 2
                    variance = sigma[group] ** 2 + (1 / min(size)) ** 2
                    d = loop_distance(p, pose[b, kept_index(i)], pose[b, kept_index(j)])
                    found[b, row, column] = max(
                        found[b, row, column], weight[number] * math.exp(-(d**2) / variance)
                    )
    return found


@pytest.mark.parametrize("size", [(5, 5), (4, 7)])
@pytest.mark.parametrize("at_once", [1, 2**20])
def test_heat_map_equals_a_loop_over_pixels_and_edges(monkeypatch, size, at_once):
    monkeypatch.setattr(edges_module, "AT_ONCE", at_once)
    drawing = make_drawing().double()
    pose, valid = make_poses(2, dtype=torch.float64)
    pose = pose * 1.2
    pose[0, kept_index(100)] = pose[0, kept_index(101)]
    found = drawing(pose, valid, size)
    assert found.shape == (2, 1, *size)
    assert np.allclose(found[:, 0].detach().numpy(), loop_map(drawing, pose, valid, size), atol=1e-12)


def test_one_edge_by_hand_before_beside_and_beyond():
    # Pixel centres of 4 px are −0.75, −0.25, 0.25, 0.75; the edge runs from x = −0.5 to 0.5 at y = 0.
    start, end = torch.tensor([[[-0.5, 0.0]]]), torch.tensor([[[0.5, 0.0]]])
    found = edge_map(start, end, torch.tensor([0.5]), torch.tensor([[2.0]]), (4, 4))[0, 0]
    variance = 0.5**2 + 0.25**2
    before, beside, beyond = 0.25**2 + 0.75**2, 0.25**2, 0.25**2 + 0.25**2
    assert float(found[0, 0]) == pytest.approx(2 * math.exp(-before / variance))
    assert float(found[1, 2]) == pytest.approx(2 * math.exp(-beside / variance))
    assert float(found[2, 3]) == pytest.approx(2 * math.exp(-beyond / variance))


def test_the_strongest_edge_wins_not_the_sum():
    start = torch.tensor([[[-0.5, 0.0], [-0.5, 0.1]]])
    end = start + torch.tensor([1.0, 0.0])
    size, sigma = (16, 16), torch.tensor([0.2, 0.1])
    both = edge_map(start, end, sigma, torch.tensor([[1.0, 0.8]]), size)
    first = edge_map(start, end, sigma, torch.tensor([[1.0, 0.0]]), size)
    second = edge_map(start, end, sigma, torch.tensor([[0.0, 0.8]]), size)
    assert torch.allclose(both, torch.maximum(first, second))
    assert (second > first).any()
    assert (first > second).any()


@pytest.mark.parametrize("gap", [0.0, 1e-6, 1e-4])
def test_coincident_ends_and_pixels_on_the_edge_are_finite(gap):
    point = torch.tensor([[[-0.25, 0.25]]])
    start, end = point.clone().requires_grad_(), (point + gap).requires_grad_()
    sigma, weight = torch.tensor([0.1], requires_grad=True), torch.ones(1, 1, requires_grad=True)
    found = edge_map(start, end, sigma, weight, (4, 4))
    found.square().sum().backward()
    grid = pixel_grid(4, 4)
    alone = (-(grid - point[0]).square().sum(-1) / (0.1**2 + 0.25**2)).exp()
    assert torch.allclose(found[0, 0], alone, atol=2e-3)
    for leaf in (start, end, sigma, weight):
        assert leaf.grad.isfinite().all()
        assert leaf.grad.abs().max() < 100


def test_gradients_of_one_map_equal_finite_differences():
    draw = torch.Generator().manual_seed(0)
    start, end = (
        (torch.rand(2, 5, 2, generator=draw, dtype=torch.float64) * 2 - 1).requires_grad_() for _ in range(2)
    )
    sigma = (0.1 + 0.2 * torch.rand(5, generator=draw, dtype=torch.float64)).requires_grad_()
    weight = (0.5 + torch.rand(2, 5, generator=draw, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(lambda *x: edge_map(*x, (6, 5)), (start, end, sigma, weight))


@pytest.mark.slow
def test_gradients_reach_keypoints_thickness_and_weights_as_finite_differences_say():
    drawing = make_drawing().double()
    pose, _ = make_poses(1, dtype=torch.float64)
    valid = torch.ones(1, len(KEPT), dtype=torch.bool)
    pose.requires_grad_()

    def render_with(pose, thickness, weight):
        values = {"raw_thickness": thickness, "raw_weight": weight}
        return torch.func.functional_call(drawing, values, (pose, valid, (5, 5)))

    leaves = (pose, drawing.raw_thickness, drawing.raw_weight)
    assert torch.autograd.gradcheck(render_with, leaves)
    drawing(pose, valid, (64, 64)).sum().backward()
    assert (drawing.raw_thickness.grad > 0).all()
    assert (drawing.raw_weight.grad > 0).float().mean() > 0.9
    assert (pose.grad.abs().sum(-1) > 0).float().mean() > 0.8


@pytest.mark.parametrize("size", [8, 64, 256])
def test_half_a_pixel_is_the_thinnest(size):
    thin, weight = torch.tensor([1e-5]), torch.tensor([[0.7]])
    slanted = edge_map(
        torch.tensor([[[-0.9, -0.6]]]), torch.tensor([[[0.9, 0.4]]]), thin, weight, (size,) * 2
    )
    inside = pixel_grid(size, size)[0, :, 0].abs() < 0.9
    columns = slanted[0, 0].amax(0)[inside]
    assert 0.95 * 0.7 < float(columns.max()) <= 0.7
    # No column's nearest centre is more than half a pixel away, so the line has no gaps.
    assert float(columns.min()) > 0.7 * math.exp(-1)
    # Worst case: exactly between two rows of pixels.
    level = edge_map(torch.tensor([[[-2.0, 0.0]]]), torch.tensor([[[2.0, 0.0]]]), thin, weight, (size,) * 2)
    assert float(level.max()) == pytest.approx(0.7 * math.exp(-1), rel=1e-5)
    assert float(level[0, 0, 0].max()) < 1e-6


def test_every_resolution_is_rendered_afresh():
    drawing, (pose, valid) = make_drawing().requires_grad_(False), make_poses(1)
    fine, coarse = (drawing(pose, valid, (size, size)) for size in (256, 64))
    for row, column in ((5, 60), (31, 31), (50, 12)):
        p = np.array([(2 * column + 1) / 64 - 1, (2 * row + 1) / 64 - 1])
        sigma, weight = drawing.thickness().tolist(), drawing.weight().tolist()
        values = [
            weight[n]
            * math.exp(
                -(loop_distance(p, pose[0, kept_index(i)], pose[0, kept_index(j)]) ** 2)
                / (sigma[0 if i < 17 else 3 if i < 91 else 1 if i < 112 else 2] ** 2 + 1 / 64**2)
            )
            for n, (i, j) in enumerate(edges())
            if valid[0, kept_index(i)] and valid[0, kept_index(j)]
        ]
        assert float(coarse[0, 0, row, column]) == pytest.approx(max(values), abs=1e-5)
    assert (resize(fine, (64, 64)) - coarse).abs().max() > 0.1


def test_an_invalid_point_takes_exactly_its_edges_away():
    drawing, (pose, _) = make_drawing(), make_poses(1)
    everything = torch.ones(1, len(KEPT), dtype=torch.bool)
    lost = 93
    valid = everything.clone()
    valid[0, kept_index(lost)] = False
    pose[0, kept_index(lost)] = torch.nan
    found = drawing(pose, valid, (32, 32))
    kept = [n for n, bone in enumerate(edges()) if lost not in bone]
    assert len(kept) == len(edges()) - 2
    safe = pose.nan_to_num()
    start, end = safe[:, drawing.ends[kept]].unbind(2)
    sigma = drawing.thickness()[drawing.group[kept]]
    assert torch.allclose(found, edge_map(start, end, sigma, drawing.weight()[None, kept], (32, 32)))
    nothing = drawing(torch.full_like(pose, torch.nan), ~everything, (32, 32))
    assert (nothing == 0).all()


def test_invalid_points_have_no_gradient():
    drawing, (pose, valid) = make_drawing(), make_poses(2)
    valid[1] = False
    pose[~valid] = torch.inf
    pose.requires_grad_()
    drawing(pose, valid, (32, 32)).sum().backward()
    assert pose.grad.isfinite().all()
    assert (pose.grad[~valid] == 0).all()
    assert all(p.grad.isfinite().all() for p in drawing.parameters())


def test_memory_does_not_grow_with_the_edges():
    drawing, (pose, valid) = make_drawing(), make_poses(2)
    kept = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        made = drawing(pose.requires_grad_(), valid, (64, 64))
    assert sum(kept.values()) < 40 * 4 * made.numel()


def test_edges_start_as_they_are_given():
    drawing = WeightedEdges(64, *THICKNESS)
    assert drawing.weight().tolist() == pytest.approx([1.0] * len(edges()))
    assert drawing.thickness().tolist() == pytest.approx([0.032, 0.016, 0.016, 0.012])
    assert {n for n, _ in drawing.named_parameters()} == {"raw_thickness", "raw_weight"}
    facts = {name: float(value) for name, value in drawing.learned().items()}
    assert facts == pytest.approx(
        {
            "body_thickness_px": 1.024,
            "hand_thickness_px": 0.512,
            "face_thickness_px": 0.384,
            **dict.fromkeys(("mean_weight", "least_weight", "largest_weight"), 1.0),
        }
    )


def test_v_inside_the_exponent_scales_the_squared_distance():
    """Both readings of eq. (5) against their own arithmetic, one edge."""
    pose, valid = torch.zeros(1, len(KEPT), 2), torch.zeros(1, len(KEPT), dtype=torch.bool)
    left, right = kept_index(5), kept_index(6)
    pose[0, left], pose[0, right] = torch.tensor([-0.5, 0.0]), torch.tensor([0.5, 0.0])
    valid[0, [left, right]] = True
    v, sigma, beside = 2.5, 0.2, 0.25
    for cls, wanted in (
        (WeightedEdges, v * math.exp(-(beside**2) / (sigma**2 + 1 / 16))),
        (ScaledEdges, math.exp(-(beside**2) / (sigma**2 / v + 1 / 16))),
    ):
        drawing = cls(64, sigma, sigma, sigma)
        drawing.raw_weight.data[:] = math.log(math.expm1(v))
        assert float(drawing(pose, valid, (4, 4))[0, 0, 1, 2].detach()) == pytest.approx(wanted, rel=1e-5)
    assert torch.equal(
        WeightedEdges(64, *THICKNESS)(pose, valid, (8, 8)), ScaledEdges(64, *THICKNESS)(pose, valid, (8, 8))
    )


def test_v_inside_the_exponent_learns_too():
    drawing, (pose, valid) = make_drawing(ScaledEdges), make_poses(1)
    drawing(pose, valid, (64, 64)).sum().backward()
    assert (drawing.raw_thickness.grad > 0).all()
    # A larger v is a thinner edge.
    assert (drawing.raw_weight.grad <= 0).all()
    assert (drawing.raw_weight.grad < 0).float().mean() > 0.8


def test_a_hand_has_its_own_thickness():
    drawing, (pose, valid) = WeightedEdges(64, *THICKNESS), make_poses(1)
    valid[:] = False
    valid[:, [kept_index(point) for point in LEFT_HAND]] = True
    before = drawing(pose, valid, (32, 32))
    drawing.raw_thickness.data[[0, 2, 3]] += 1
    assert torch.equal(drawing(pose, valid, (32, 32)), before)
    drawing.raw_thickness.data[1] += 1
    assert drawing(pose, valid, (32, 32)).sum() > before.sum()


def test_coordinates_stay_in_float32_under_autocast():
    drawing, (pose, valid) = make_drawing(), make_poses(1)
    wanted = drawing(pose, valid, (64, 64))
    with torch.autocast("cpu", torch.bfloat16):
        found = drawing(pose, valid, (64, 64))
    assert found.dtype == torch.float32
    assert torch.equal(found, wanted)
    assert drawing(pose.bfloat16(), valid, (8, 8)).dtype == torch.float32


def test_squared_distance_has_no_root():
    x = torch.tensor(0.0, requires_grad=True)
    segment = torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 0.0])
    squared_distance(x, torch.tensor(0.0), *segment).backward()
    assert float(x.grad) == 0


@REFINERS
def test_an_untrained_refiner_changes_nothing(variant):
    picture, trusted, pose, valid = make_inputs()
    picture[0, :, 0] = 0
    picture[0, :, 1] = 1
    refiner = make(variant)
    assert torch.equal(refiner(picture, trusted, pose, valid), picture)
    channels = {SkeletonRefiner: 3, EdgeHeatmapRefiner: 1}.get(variant, 0)
    assert variant.map_channels == channels
    assert refiner.structure(pose, valid, (12, 20)).shape == (3, channels, 12, 20)
    assert refiner.present is variant.present is (variant is not NoRefiner)


@TRAINED_VARIANTS
def test_pictures_stay_in_range_and_samples_apart(variant):
    refiner, inputs = wake(make(variant)), make_inputs()
    refiner.network.last.weight.data *= 20
    found = refiner(*inputs).detach()
    assert found.shape == (3, 3, 16, 16)
    assert 0 <= float(found.min()) < float(found.max()) <= 1
    assert ((found == 0) | (found == 1)).any()
    refiner, inputs = refiner.double(), [x if x.dtype == torch.bool else x.double() for x in inputs]
    alone = refiner(*(x[1:2] for x in inputs))
    assert torch.allclose(refiner(*inputs)[1:2], alone, atol=1e-10)


@pytest.mark.parametrize(("change", "wanted"), [(-0.5, 0.8), (0.5, 0.2)])
def test_a_pixel_out_of_range_finds_its_way_back(change, wanted):
    refiner, (picture, trusted, pose, valid) = make(PlainRefiner), make_inputs()
    start = torch.full_like(picture, 0.0 if change < 0 else 1.0)
    bias = refiner.network.last.bias
    bias.data.fill_(change)
    found = refiner(start, trusted, pose, valid)
    assert torch.equal(found, start)
    (found - wanted).abs().mean().backward()
    assert (bias.grad * math.copysign(1, change) > 0).all()
    bias.grad = None
    outside = 2 * start - 1
    (-outside * refiner(start, trusted, pose, valid)).sum().backward()
    assert (bias.grad == 0).all()


@TRAINED_VARIANTS
def test_gradients_reach_every_parameter(variant):
    refiner, (picture, trusted, pose, valid) = make(variant), make_inputs()
    picture, trusted, pose = (x.requires_grad_() for x in (picture, trusted, pose))
    refiner(picture, trusted, pose, valid).square().sum().backward()
    assert refiner.network.last.weight.grad.abs().sum() > 0
    wake(refiner).zero_grad()
    refiner(picture, trusted, pose, valid).square().sum().backward()
    for name, parameter in refiner.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert picture.grad.abs().sum() > 0
    assert trusted.grad.abs().sum() > 0
    assert (pose.grad is not None) == (variant is EdgeHeatmapRefiner)


@TRAINED_VARIANTS
def test_a_seed_decides_everything_and_a_file_keeps_it(variant, tmp_path):
    inputs = make_inputs()
    one, two, other = (wake(make(variant, seed=seed), seed) for seed in (0, 0, 9))
    assert torch.equal(one(*inputs), two(*inputs))
    assert not torch.equal(one(*inputs), other(*inputs))
    if variant is EdgeHeatmapRefiner:
        one.drawing.raw_weight.data += 0.3
    save_file(one.state_dict(), tmp_path / "state.safetensors")
    other.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert torch.equal(one(*inputs), other(*inputs))
    assert torch.equal(one.structure(*inputs[2:], (16, 16)), other.structure(*inputs[2:], (16, 16)))


@pytest.mark.parametrize("variant", [SkeletonRefiner, EdgeHeatmapRefiner])
def test_every_level_is_guided_by_a_map_of_its_own(variant):
    refiner, inputs = make(variant), make_inputs()
    seen = {}

    def note(_module, given):
        seen.setdefault(tuple(given[0].shape[-2:]), []).append(given[0])

    for module in refiner.modules():
        if isinstance(module, Spade):
            module.read.register_forward_pre_hook(note)
    refiner(*inputs)
    assert {size: len(maps) for size, maps in seen.items()} == {(16, 16): 2, (8, 8): 2, (4, 4): 2}
    _, guides = refiner.drawing.guide(*inputs[2:], list(seen)[::-1])
    for wanted, maps in zip(guides, list(seen.values())[::-1], strict=True):
        assert all(torch.equal(guide, wanted) for guide in maps)
    if variant is EdgeHeatmapRefiner:
        assert all(torch.equal(refiner.structure(*inputs[2:], size), maps[0]) for size, maps in seen.items())


def test_spade_by_hand():
    torch.manual_seed(0)
    spade, x = Spade(2, 1, 3), torch.tensor([[[[1.0, 3.0]], [[1.0, 3.0]]]])
    for parameter in spade.parameters():
        nn.init.zeros_(parameter)
    # Two hidden units carry the map unchanged, one its negative; γ = map / 2 and β = −2 · map.
    spade.read.weight.data[:, 0, 1, 1] = torch.tensor([1.0, 1.0, -1.0])
    spade.modulate.weight.data[:2, 0, 1, 1] = 0.5
    spade.modulate.weight.data[2:, 1, 1, 1] = -2.0
    spade.modulate.weight.data[:, 2, 1, 1] = 9.0
    found = spade(x, torch.tensor([[[[0.0, 1.0]]]]))
    assert torch.allclose(found, torch.tensor([[[[-1.0, 1.5 - 2.0]]]]).expand(1, 2, 1, 2), atol=1e-4)


def test_a_block_joins_what_was_normalised_apart():
    """Against the arithmetic written out: the drawn half is modulated, what was seen is not."""
    torch.manual_seed(0)
    block = JoiningBlock(6, 4, lambda channels: Spade(channels, 1, 3)).double()
    x, seen, structure = (torch.rand(2, c, s, s).double() for c, s in ((6, 2), (4, 4), (1, 4)))
    drawn = torch.empty(2, 4, 4, 4).double()
    for row in range(4):
        for column in range(4):
            narrowed = block.narrow.weight[:, :, 0, 0] @ x[:, :, row // 2, column // 2].T
            drawn[:, :, row, column] = narrowed.T + block.narrow.bias

    def normalised(y):
        # Four channels are four groups of one.
        mean, variance = y.mean((2, 3), keepdim=True), y.var((2, 3), unbiased=False, keepdim=True)
        return (y - mean) / (variance + 1e-5).sqrt()

    def modulated(spade, y):
        gamma, beta = spade.modulate(spade.read(structure).clamp(min=0)).chunk(2, dim=1)
        return (1 + gamma) * normalised(y) + beta

    def leaky(y):
        return torch.where(y > 0, y, 0.2 * y)

    both = torch.cat([modulated(block.drawn_norm, drawn), normalised(seen)], dim=1)
    wanted = seen + block.conv(leaky(modulated(block.norm, block.join(leaky(both)))))
    assert torch.allclose(block(x, seen, structure), wanted)
    assert isinstance(block.seen_norm, PlainNorm)


def test_spade_is_narrow_where_the_picture_is_large():
    refiner = make(EdgeHeatmapRefiner, width=8, max_width=32, downs=3, spade_width=8, spade_share=0.25)
    hidden = [block.drawn_norm.read.out_channels for block in refiner.network.draw]
    assert hidden == [2, 4, 8] and refiner.network.lowest.norms[0].read.out_channels == 8
    with pytest.raises(InputError, match="spade_share = 0"):
        make(EdgeHeatmapRefiner, spade_share=0.0)


def test_rows_of_the_table_differ_in_the_map_only():
    plain, skeleton, learned = ({n: p.shape for n, p in make(v).named_parameters()} for v in TRAINED)
    apart = {n for n in set(learned) ^ set(skeleton) if not n.startswith("drawing.")}
    assert not apart, "what is drawn, and how it is read"
    other = {n for n in learned if n in skeleton and learned[n] != skeleton[n]}
    assert other and all(n.endswith("read.weight") for n in other)
    swapped = {n for n in set(skeleton) ^ set(plain) if not n.startswith("drawing.")}
    assert all("norm" in n and n.startswith(("network.lowest.", "network.draw.")) for n in swapped)
    assert len(swapped) == 2 * 3 * (4 + 2)


def test_skeleton_and_heat_map_cost_the_same_at_the_papers_sizes():
    """Multiplications of one frame: within a tenth of each other, and under 60 GMAC."""
    size, gmac = 256, {}
    for variant in TRAINED:
        given = {"edges": WeightedEdges} if variant is EdgeHeatmapRefiner else {}
        with torch.device("meta"):
            refiner = variant(size, **given)
            sizes = [size >> level for level in range(refiner.downs + 1)]
            guides = [torch.empty(1, refiner.drawing.guide_channels, s, s) for s in sizes]
            picture, drawn = torch.empty(1, 4, size, size), torch.empty(1, 3, size, size)
            with FlopCounterMode(display=False) as counter:
                refiner.network(picture, guides)
                if variant is SkeletonRefiner:
                    refiner.drawing.read(drawn)
        gmac[variant] = counter.get_total_flops() / 2e9
    assert gmac[PlainRefiner] < gmac[EdgeHeatmapRefiner] < 60
    assert gmac[SkeletonRefiner] == pytest.approx(gmac[EdgeHeatmapRefiner], rel=0.1)


@TRAINED_VARIANTS
def test_bfloat16_is_finite_and_close(variant):
    refiner, inputs = wake(make(variant)), make_inputs()
    exact = refiner(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        found = refiner(*inputs)
        logits = PatchDiscriminator(variant.map_channels, 8, 2)(
            found, refiner.structure(*inputs[2:], (16, 16))
        )
        loss = found.sum() + logits.sum()
    loss.backward()
    assert found.dtype == logits.dtype == torch.float32
    assert (found - exact).abs().max() < 0.05
    assert all(p.grad.isfinite().all() for p in refiner.parameters() if p.grad is not None)


@TRAINED_VARIANTS
def test_sizes_that_cannot_be_halved_are_refused(variant):
    with pytest.raises(InputError, match="downs = 3"):
        make(variant, size=36, downs=3)
    with pytest.raises(InputError, match="downs = 0"):
        make(variant, downs=0)
    make(variant, size=8, downs=3)(*make_inputs(size=8))


@pytest.mark.parametrize("made", [partial(SkeletonRefiner, 16), partial(WeightedEdges, 16)])
@pytest.mark.parametrize("name", ["body_thickness", "hand_thickness", "face_thickness"])
def test_a_thickness_must_be_positive(made, name):
    with pytest.raises(InputError, match=f"{name} = 0"):
        made(**{name: 0.0})


def test_a_rate_is_not_negative():
    with pytest.raises(InputError, match="edges: rate = -1"):
        WeightedEdges(16, rate=-1.0)


def test_edges_learn_at_a_rate_of_their_own():
    refiner = make(EdgeHeatmapRefiner, edges=partial(WeightedEdges, rate=7.0))
    assert refiner.own_rates() == [(refiner.drawing, 7.0)]
    assert make(SkeletonRefiner).own_rates()[0][1] == make(PlainRefiner).own_rates()[0][1] == 1.0
    assert make(NoRefiner).own_rates() == []


def psnr(made, real, mask):
    """Return the peak signal-to-noise ratio in dB where mask (B, 1, H, W) holds."""
    error = ((made - real).square() * mask).sum() / (3 * mask.sum())
    return -10 * math.log10(float(error.detach()))


def train(refiner, inputs, real, steps, rate, weight=1.0):
    """Train with the mean absolute error, weighted a pixel."""
    optimiser = torch.optim.Adam(refiner.parameters(), rate)
    for _ in range(steps):
        optimiser.zero_grad()
        ((refiner(*inputs) - real).abs() * weight).mean().backward()
        optimiser.step()
    return refiner.eval()


@pytest.mark.slow
@TRAINED_VARIANTS
def test_blurred_hands_are_sharpened(variant):
    clip = Puppets(PlainWorld(), speakers=1, train_clips=1, test_clips=1).clip("train", 0, 0)
    frames = slice(20, 300, 70)
    points = torch.from_numpy(clip.keypoints[frames][:, KEPT]) * 2 / FRAME_PX - 1
    valid = torch.from_numpy(clip.valid[frames][:, KEPT])
    drawn = torch.from_numpy(render(clip.keypoints[frames], 0, 32)).permute(0, 3, 1, 2) / 255
    hands = hand_mask(points, valid, (32, 32)).float()
    blurred = F.avg_pool2d(F.pad(drawn, (3, 3, 3, 3), mode="replicate"), 7, stride=1)
    picture = torch.lerp(drawn, blurred, hands)
    refiner = make(variant, size=32, width=16, max_width=32, downs=2)
    inputs = (picture, 1 - hands, points, valid)
    before = psnr(refiner(*inputs), drawn, hands)
    after = psnr(train(refiner, inputs, drawn, 80, 3e-4, 1 + 4 * hands)(*inputs), drawn, hands)
    assert after > before + 8


@pytest.mark.slow
def test_only_the_pose_can_say_what_the_picture_does_not_show():
    """Learn to draw arms and hands on an empty picture, then draw poses never seen."""
    ink = WeightedEdges(64, 0.08, 0.08, 0.08).requires_grad_(False)
    pose, _ = make_poses(16, seed=5)
    valid = torch.zeros(16, len(KEPT), dtype=torch.bool)
    valid[:, [kept_index(point) for point in (5, 7, 9, 6, 8, 10)]] = True
    real = (0.1 + 0.8 * ink(pose, valid, (16, 16))).expand(-1, 3, -1, -1)
    inputs = (torch.full_like(real, 0.1), torch.zeros(16, 1, 16, 16), pose, valid)
    everywhere = torch.ones(8, 1, 16, 16)
    found = {}
    for variant in TRAINED:
        refiner = train(make(variant), [x[:8] for x in inputs], real[:8], 60, 5e-3)
        found[variant] = psnr(refiner(*(x[8:] for x in inputs)), real[8:], everywhere)
    assert found[EdgeHeatmapRefiner] > found[PlainRefiner] + 5
    assert found[SkeletonRefiner] > found[PlainRefiner] + 5


def test_hand_boxes_by_hand():
    pose = torch.full((2, len(KEPT), 2), 0.9)
    valid = torch.zeros(2, len(KEPT), dtype=torch.bool)
    left = [kept_index(point) for point in LEFT_HAND]
    pose[0, left[:2]] = torch.tensor([[-0.6, -0.28], [-0.2, 0.12]])
    valid[0, left[:2]] = True
    pose[0, left[2]] = torch.nan
    found = hand_mask(pose, valid, (20, 40))
    # A margin of 0.05 on every side: x from −0.65 to −0.15 of 40 pixels, y from −0.33 to 0.17 of 20.
    wanted = torch.zeros(20, 40, dtype=torch.bool)
    wanted[7:12, 7:17] = True
    assert found.shape == (2, 1, 20, 40) and torch.equal(found[0, 0], wanted)
    assert not found[1].any(), "no hand, no box"


def refiner_stage(*bindings):
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=["3a/full-model"], bindings=list(bindings))).rows[0]
    return build_cell(row.texts, ("refiner",)).stages["refiner"]


@pytest.mark.parametrize("hand_weight", [1.0, 5.0])
def test_the_hands_weigh_as_much_as_is_bound_in_l1(hand_weight):
    stage = refiner_stage(f"picture_loss.l1.hand_weight = {hand_weight}", "picture_loss.l1.weight = 3.0")
    stage.perceptual.prepare("cpu")
    pose, valid = torch.zeros(1, len(KEPT), 2), torch.zeros(1, len(KEPT), dtype=torch.bool)
    left = [kept_index(point) for point in LEFT_HAND]
    valid[0, left] = True
    real = torch.zeros(1, 3, 40, 40)
    # The box of hands at the middle is 2 × 2 of 1,600 pixels: wrong by 0.5 inside, by 0.1 elsewhere.
    made = torch.full_like(real, 0.1)
    made[..., 19:21, 19:21] = 0.5
    refined = Refined(made, made, real[:, :1], real[:, :0])
    losses = stage._losses(refined, Pairs(real, real, pose, pose, valid, valid))
    wanted = 3 * (1596 * 0.1 + hand_weight * 4 * 0.5) / (1596 + hand_weight * 4)
    assert float(losses["l1"]) == pytest.approx(wanted, rel=1e-5)
    assert float(losses["perceptual"]) == pytest.approx(
        float(stage.perceptual.distance(made, real)), rel=1e-5
    )
    assert set(losses) == {"l1", "perceptual"}


def test_a_gpu_computes_in_bf16_channels_last_and_a_cpu_as_ever(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "torch.autocast", lambda *how, enabled: asked.append((*how, enabled)) or contextlib.nullcontext()
    )
    for device in ("cuda", "cuda:1", "cpu"):
        with fast(device):
            pass
    bf16 = torch.bfloat16
    assert asked == [("cuda", bf16, True), ("cuda", bf16, True), ("cuda", bf16, False)]
    layer = nn.Conv2d(4, 4, 3)
    assert not laid_out(layer, "cpu").weight.is_contiguous(memory_format=torch.channels_last)
    assert laid_out(layer, "cuda").weight.is_contiguous(memory_format=torch.channels_last)


def test_the_discriminator_reads_the_map():
    torch.manual_seed(0)
    picture, _, pose, valid = make_inputs(size=32)
    drawing, critic = make_drawing(), PatchDiscriminator(1, 8, 2)
    one, other = (drawing(p, valid, (32, 32)) for p in (pose, -pose))
    assert critic(picture, one).shape == (3, 1, 8, 8)
    critic.eval()
    assert (critic(picture, one) - critic(picture, other)).abs().max() > 1e-4
    assert PatchDiscriminator(0, 8, 3)(picture, NoStructure()(pose, valid, (32, 32))).shape == (3, 1, 4, 4)
    with pytest.raises(InputError, match="layers = 0"):
        PatchDiscriminator(1, 8, 0)


@pytest.mark.parametrize(("layers", "patch_px"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_a_patch(layers, patch_px):
    torch.manual_seed(0)
    critic = PatchDiscriminator(0, 4, layers).eval()
    picture = torch.rand(1, 3, 128, 128, requires_grad=True)
    logits = critic(picture, torch.zeros(1, 0, 128, 128))
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    touched = picture.grad.abs().sum((0, 1)) > 0
    rows = touched.any(1).nonzero()
    assert int(rows[-1] - rows[0]) + 1 == patch_px
    # The patch lies where its logit does.
    scale = 128 / logits.shape[-1]
    assert abs(float(rows[-1] + rows[0]) / 2 - scale * (middle + 0.5)) <= scale


def test_spectral_normalisation_bounds_the_layer_and_stays_where_training_left_it(tmp_path):
    torch.manual_seed(0)
    layer, x = SpectralConv(3, 6, 3, 1, 1), torch.rand(2, 3, 8, 8)
    layer.weight.data *= 7
    for _ in range(60):
        layer(x)
    largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
    assert torch.allclose(layer._largest(layer.weight.flatten(1)), largest, rtol=1e-4)
    assert torch.allclose(layer(x), F.conv2d(x, layer.weight / largest, layer.bias, padding=1), atol=1e-5)
    layer.eval()
    before = layer.direction.clone()
    found = layer(x)
    assert torch.equal(layer.direction, before)
    save_file(layer.state_dict(), tmp_path / "state.safetensors")
    again = SpectralConv(3, 6, 3, 1, 1).eval()
    again.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert torch.equal(again(x), found)


def test_gradients_through_the_spectral_norm_equal_finite_differences():
    torch.manual_seed(0)
    layer = SpectralConv(2, 3, 3, 1, 1).double()
    x = torch.rand(1, 2, 4, 4, dtype=torch.float64)
    for _ in range(300):
        layer(x)
    layer.eval()
    apply = torch.func.functional_call
    values = {"bias": layer.bias, "direction": layer.direction}
    weight = layer.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: apply(layer, {"weight": w, **values}, (x,)), (weight,))


@pytest.mark.slow
def test_a_discriminator_learns_that_the_map_does_not_fit_the_picture():
    torch.manual_seed(0)
    pose, valid = make_poses(16, seed=5)
    drawing, game = WeightedEdges(64, 0.1, 0.1, 0.1).requires_grad_(False), NonSaturating()
    structure = drawing(pose, valid, (16, 16))
    picture = structure.expand(-1, 3, -1, -1)
    critic = PatchDiscriminator(1, 16, 2)
    optimiser = torch.optim.Adam(critic.parameters(), 2e-3)

    def step():
        return game.discriminator_loss(critic(picture, structure), critic(picture, structure.roll(1, 0)))

    for _ in range(100):
        optimiser.zero_grad()
        step().backward()
        optimiser.step()
    # Neither input alone tells them apart, so 2 log 2 is all that one blind to the map could reach.
    assert float(step().detach()) < 2 * math.log(2) - 0.3


@pytest.mark.slow
def test_plans_never_import_the_compiler():
    code = (
        "import sys, torch\n"
        "from rgx.meta import shapes_only\n"
        "from rgx.gesture.refine.discriminator import PatchDiscriminator\n"
        "from rgx.gesture.refine.refiners import EdgeHeatmapRefiner, PlainRefiner, SkeletonRefiner\n"
        "from rgx.gesture.refine.structure import WeightedEdges\n"
        "with shapes_only():\n"
        "    heat_map = EdgeHeatmapRefiner(64, WeightedEdges)\n"
        "    made = [heat_map, SkeletonRefiner(64), PlainRefiner(64), PatchDiscriminator(1)]\n"
        "assert all(p.is_meta for m in made for p in m.parameters())\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("game", "refiner", "discriminator"),
    [
        (
            NonSaturating(),
            (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(2))) / 2,
            (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(0.25))) / 2
            + (math.log1p(math.exp(0.5)) + math.log1p(math.exp(-2))) / 2,
        ),
        (Hinge(), 0.75, (0 + 1.25) / 2 + (1.5 + 0) / 2),
        (LeastSquares(), (0.25 + 9) / 4, (0.25 + 1.5625) / 4 + (0.25 + 4) / 4),
    ],
)
def test_adversarial_losses_by_hand(game, refiner, discriminator):
    real, fake = torch.tensor([[1.5, -0.25]]), torch.tensor([[0.5], [-2.0]])
    for found, wanted in (
        (game.refiner_loss(fake), refiner),
        (game.discriminator_loss(real, fake), discriminator),
    ):
        assert found.shape == ()
        assert float(found) == pytest.approx(wanted, rel=1e-6)


def test_undecided_logits_are_the_minimax_value_of_eq_8():
    zero = torch.zeros(4, 1, 3, 3)
    game = NonSaturating()
    assert float(game.discriminator_loss(zero, zero)) == pytest.approx(2 * math.log(2))
    assert float(game.refiner_loss(zero)) == pytest.approx(math.log(2))
    # Where real and refined cannot be told apart, 0 is the discriminator's best constant.
    assert all(
        float(game.discriminator_loss(zero + c, zero + c)) > 2 * math.log(2) for c in (-1, -0.1, 0.1, 1)
    )
    huge = torch.tensor([1e4, -1e4])
    assert game.discriminator_loss(huge, huge).isfinite()


@pytest.mark.parametrize("game", [NonSaturating(), Hinge(), LeastSquares()], ids=lambda g: type(g).__name__)
def test_both_players_pull_their_own_way(game):
    real, fake = torch.zeros(5, requires_grad=True), torch.full((5,), 0.1, requires_grad=True)
    game.discriminator_loss(real, fake).backward()
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()
    fake.grad = None
    game.refiner_loss(fake).backward()
    assert (fake.grad < 0).all()


def test_nothing_is_normalised_over_the_batch():
    networks = [*(make(v) for v in TRAINED), PatchDiscriminator(1)]
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for n in networks for m in n.modules())


@pytest.mark.parametrize("game", [NonSaturating(), Hinge(), LeastSquares()], ids=lambda g: type(g).__name__)
def test_a_logit_on_the_boundary_is_undecided(game):
    """The discriminator's best answer to pictures that cannot be told apart."""
    boundary = torch.full((4,), game.boundary, requires_grad=True)
    game.discriminator_loss(boundary, boundary).backward()
    assert boundary.grad.abs().max() < 1e-6


def test_accuracy_by_hand():
    accuracy = Accuracy(boundary=0.5, steps=2)
    for real, refined in (([0.6, 0.6], [0.5, 0.4]), ([0.5, 0.6], [0.6, 0.4]), ([0.1, 0.2], [0.9, 0.4])):
        accuracy.see(torch.tensor(real), torch.tensor(refined))
    # A mean over two steps, then half of each step after: (1 + 1/2) / 2 and half of 0, likewise for refined.
    facts = {name: float(value) for name, value in accuracy.facts().items()}
    assert facts == pytest.approx({"real_called_real": 0.375, "refined_called_refined": 0.625})
    again = Accuracy(0.5, 2)
    again.load_state_dict(accuracy.state_dict())
    assert again.facts() == accuracy.facts()
