"""Thin-plate splines, groups of control points, the mask with dropout, and the animator on planted motion."""

from __future__ import annotations

import ast
import math
from itertools import pairwise
from pathlib import Path

import gin
import numpy as np
import pytest
import torch
from torch import nn

import rgx
from rgx import registry
from rgx.errors import InputError
from rgx.gesture.animate.dense_motion import DenseMotion, Motion, dropout_softmax, heat_maps
from rgx.gesture.animate.detector import equivariance
from rgx.gesture.animate.groups import MixedGroups, deal
from rgx.gesture.animate.inpainting import warp
from rgx.gesture.animate.keypoints import FlexibleKeypoints, PoseKeypoints, UnsupervisedKeypoints
from rgx.gesture.animate.layers import ConvBlock
from rgx.gesture.animate.losses import hand_weights, pyramid_distance, weighted_mean
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.animate.tps import agree
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.nn.grid import pixel_grid, resize, sample
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.skeleton import FACE, KEPT, LEFT_HAND, RIGHT_HAND, kept_index
from rgx.gesture.types import Pairs

torch.set_num_threads(1)

VARIANTS = ("pose2d", "unsupervised", "pose2d_flexible")
COUNT = 200


class Colours(PerceptualFeatures):
    """The picture itself and its 4 × 4 means."""

    def forward(self, picture):
        return [picture, nn.functional.avg_pool2d(picture, 4)]


def recipe(axis, name, **overrides):
    variant = registry.find(axis, name)
    return registry.Recipe(variant, {**variant.parameters, **overrides})


def points_of(name, groups="mixed"):
    """Return a variant of keypoints, little where it learns."""
    given = {} if name == "pose2d" else {"width": 8}
    if name != "unsupervised":
        given["groups"] = registry.make(registry.find("groups", groups), {})
    return recipe("keypoints", name, **given)


def animator(name="pose2d", size=64, seed=0, groups="mixed", **overrides):
    torch.manual_seed(seed)
    keypoints = points_of(name, groups)
    sizes = {"width": 8, "max_width": 32, "motion_width": 8, "motion_blocks": 3, "motion_scale": 0.5}
    return recipe("animator", "tps", keypoints=keypoints, **{**sizes, **overrides})(size)


def make_pairs(batch=3, size=64, seed=0):
    draw = torch.Generator().manual_seed(seed)
    pictures = [torch.rand(batch, 3, size, size, generator=draw) for _ in range(2)]
    pose = torch.rand(batch, len(KEPT), 2, generator=draw) * 1.6 - 0.8
    moved = pose + 0.05 * torch.randn(batch, len(KEPT), 2, generator=draw)
    valid = torch.rand(2, batch, len(KEPT), generator=draw) < 0.9
    return Pairs(*pictures, pose, moved, *valid)


def group(kind):
    """Return 200 groups (200, 1, 5, 2) of the kinds of readings 30 to 32, and two degenerate ones."""
    draw = torch.Generator().manual_seed(1)
    centre = torch.rand(COUNT, 1, 1, 2, generator=draw) * 1.2 - 0.6
    angle = torch.rand(COUNT, 1, 1, 1, generator=draw) * 2 * math.pi
    ray, along = torch.cat([angle.cos(), angle.sin()], -1), torch.linspace(0, 1, 5)[:, None]
    noise = torch.randn(COUNT, 1, 5, 2, generator=draw)
    around = torch.rand(COUNT, 1, 5, 2, generator=draw) * 2 - 1
    return {
        "spread": 0.8 * around,
        "hand": centre + 0.08 * around,
        "finger": centre + 0.12 * ray * along + 0.004 * noise,
        "arm": 0.3 * centre + ray * (along - 0.5) + 0.01 * noise,
        "collinear": centre + 0.12 * ray * along,
        "coincident": centre.expand(COUNT, 1, 5, 2).clone(),
    }[kind]


KINDS = ("spread", "hand", "finger", "arm", "collinear", "coincident")


@pytest.mark.parametrize("kind", KINDS)
def test_without_motion_every_group_is_the_identity(kind):
    points = group(kind)
    assert ThinPlate.between(points, points).moves(32, 32).abs().max() <= 1e-5


@pytest.mark.parametrize("kind", ["spread", "hand"])
def test_affine_motion_is_reproduced_all_over_the_picture(kind):
    points, draw = group(kind), torch.Generator().manual_seed(2)
    wide = torch.linalg.svdvals(points - points.mean(-2, keepdim=True))[..., 1].flatten() > 0.07
    assert wide.float().mean() > 0.25
    linear = 0.2 * torch.randn(COUNT, 1, 2, 2, generator=draw)
    shift = 0.2 * torch.randn(COUNT, 1, 1, 2, generator=draw)
    places = pixel_grid(32, 32).reshape(-1, 2)
    found = ThinPlate.between(points, points + points @ linear + shift).displacement(places)
    assert (found - (places @ linear + shift))[wide].abs().max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_affine_motion_is_reproduced_at_the_points_of_any_group(kind):
    points, draw = group(kind), torch.Generator().manual_seed(2)
    linear, shift = (0.2 * torch.randn(COUNT, 1, n, 2, generator=draw) for n in (2, 1))
    moved = points @ linear + shift
    found = ThinPlate.between(points, points + moved).displacement(points[:, 0])
    assert (found - moved).abs().max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_splines_are_finite_and_differentiable(kind):
    torch.manual_seed(0)
    driving = group(kind).requires_grad_()
    source = (driving.detach() + 0.05 * torch.randn(COUNT, 1, 5, 2)).requires_grad_()
    moved = ThinPlate.between(driving, source).moves(8, 8, limit=1.0)
    moved.square().mean().backward()
    assert moved.isfinite().all()
    assert moved.abs().max() <= 1.0
    assert driving.grad.isfinite().all()
    assert source.grad.isfinite().all()
    assert source.grad.abs().sum() > 0


def reference(driving, source, places, ridge):
    """Solve one spline as the textbook has it, in float64, point by point, the ridge on the kernel."""

    def bend(a, b):
        squared = float((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2)
        return squared * math.log(squared + 1e-9)

    count = len(driving)
    system, wanted = np.zeros((count + 3, count + 3)), np.zeros((count + 3, 2))
    for i in range(count):
        for j in range(count):
            system[i, j] = bend(driving[i], driving[j]) + (ridge if i == j else 0.0)
        system[i, count:] = system[count:, i] = (1.0, *driving[i])
        wanted[i] = source[i]
    solved = np.linalg.solve(system, wanted)
    found = np.zeros((len(places), 2))
    for n, place in enumerate(places):
        row = np.array([*(bend(place, p) for p in driving), 1.0, *place])
        found[n] = row @ solved
    return found


@pytest.mark.parametrize("ridge", [0.01, 1e-6])
@pytest.mark.parametrize("count", [4, 5, 9])
def test_splines_equal_a_slow_reference(ridge, count):
    random = np.random.default_rng(count)
    driving = random.uniform(-0.8, 0.8, (2, 3, count, 2))
    source = driving + 0.1 * random.standard_normal(driving.shape)
    places = pixel_grid(6, 6).reshape(-1, 2)
    spline = ThinPlate.between(torch.tensor(driving), torch.tensor(source), ridge)
    found = (places + spline.displacement(places)).numpy()
    for b in range(2):
        for g in range(3):
            wanted = reference(driving[b, g], source[b, g], places.double().numpy(), ridge)
            assert np.abs(found[b, g] - wanted).max() < 2e-4
    at_points = torch.stack(
        [torch.tensor(reference(driving[b, 0], source[b, 0], driving[b, 0], ridge)) for b in range(2)]
    )
    if ridge < 1e-5:
        assert (at_points - torch.tensor(source[:, 0])).abs().max() < 1e-4
        spline = ThinPlate.between(torch.tensor(driving[:, :1]), torch.tensor(source[:, :1]), ridge)
        back = torch.tensor(driving[:, 0]) + spline.displacement(torch.tensor(driving[:, 0]))[:, 0]
        assert (back - torch.tensor(source[:, 0])).abs().max() < 2e-4


def test_splines_mean_the_same_at_every_resolution():
    points = group("spread")[:4]
    torch.manual_seed(0)
    spline = ThinPlate.between(points, points + 0.1 * torch.randn_like(points))
    coarse, fine = spline.moves(32, 32), spline.moves(64, 64)
    # A coarse pixel's centre is the common corner of four fine ones.
    middle = fine.unflatten(2, (32, 2)).unflatten(4, (32, 2)).mean((3, 5))
    assert (coarse - middle).abs().max() < 2e-3
    ninth = spline.moves(96, 96)[:, :, 1::3, 1::3]
    assert torch.allclose(coarse, ninth, atol=1e-5)


def test_a_motion_of_whole_pixels_moves_whole_pixels():
    torch.manual_seed(0)
    picture, points = torch.rand(1, 3, 32, 32), group("spread")[:1]
    shift = torch.tensor([3, -2]) * 2 / 32
    spline = ThinPlate.between(points, points - shift)
    for size in (8, 16, 32, 64):
        moved = warp(picture, pixel_grid(size, size) + spline.moves(size, size)[:, 0])
        wanted = picture.roll((3, -2), dims=(3, 2))
        assert torch.allclose(moved[..., 4:-4, 4:-4], wanted[..., 4:-4, 4:-4], atol=1e-4)


def test_features_in_bfloat16_are_not_pulled_through_a_grid_in_bfloat16():
    torch.manual_seed(0)
    features = torch.rand(1, 4, 200, 200).bfloat16()
    moved = warp(features, pixel_grid(32, 32).expand(1, 32, 32, 2))
    assert torch.allclose(moved, features.float(), atol=1e-4)


def test_strided_blocks_keep_features_in_place():
    ramp = pixel_grid(16, 16).permute(2, 0, 1)[None, :1]
    layer = ConvBlock(1, 1, 4, stride=2)[0]
    nn.init.constant_(layer.weight, 1 / 16)
    wanted = pixel_grid(8, 8)[None, None, 1:-1, 1:-1, 0]
    assert torch.allclose(layer(ramp)[..., 1:-1, 1:-1], wanted, atol=1e-6)


def test_heat_maps_peak_at_their_points():
    point = pixel_grid(16, 12)[5, 7].view(1, 1, 1, 2)
    found = heat_maps(point, 16, 12)
    assert found.shape == (1, 1, 16, 12)
    assert divmod(int(found.argmax()), 12) == (5, 7)
    distance = (pixel_grid(16, 12) - point.view(2)).square().sum(-1)
    assert torch.allclose(found[0, 0], torch.exp(-0.5 * distance / 0.01), atol=1e-6)


def puppet_pose():
    clip = Puppets(PlainWorld(), speakers=2, train_clips=1, test_clips=1, clip_s=4.0).clip("train", 1, 0)
    return torch.from_numpy(clip.keypoints[::20, list(KEPT)] / 128 - 1).float()


def test_groups_of_the_pose_are_dealt_once_and_the_same_for_a_seed():
    groups = deal(24, 5, 0)
    assert groups.shape == (24, 5)
    assert len(set(groups.flatten().tolist())) == 120
    assert np.array_equal(groups, deal(24, 5, 0))
    assert not np.array_equal(groups, deal(24, 5, 1))
    keypoints = PoseKeypoints(64, MixedGroups(seed=3))
    places = [[kept_index(p) for p in group] for group in deal(24, 5, 3).tolist()]
    assert keypoints.control.index[..., 0].tolist() == places
    assert not list(keypoints.parameters())
    assert keypoints.losses(torch.rand(1, 3, 64, 64)) == {}
    with pytest.raises(InputError, match="expected 1 to 123"):
        deal(25, 5, 0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("count", "points"), [(24, 5), (20, 6), (8, 5)])
def test_every_group_of_the_pose_mixes_face_and_hands_and_spans_the_body(seed, count, points):
    groups = deal(count, points, seed)
    face, hands = set(FACE), {*LEFT_HAND, *RIGHT_HAND}
    both = 0
    for members in (set(g) for g in groups.tolist()):
        assert members & face
        assert members & hands
        assert len(members - face) >= 2
        both += len({p in LEFT_HAND for p in members & hands}) == 2
    assert both >= count // 2
    pose = puppet_pose()
    placed = PoseKeypoints(64, MixedGroups(count, points, seed))(None, pose)
    spread = torch.linalg.svdvals(placed - placed.mean(2, keepdim=True)) / points**0.5
    anatomical = pose[:, [kept_index(p) for p in (91, 96, 97, 98, 99)]]
    finger = torch.linalg.svdvals(anatomical - anatomical.mean(1, keepdim=True)) / 5**0.5
    assert spread[..., 0].min() > 0.1
    assert spread[..., 1].min() > 0.005
    assert spread[..., 1].quantile(0.05) > 2 * finger[..., 1].median()
    assert spread[..., 1].median() > 10 * finger[..., 1].median()


def test_jitter_of_the_dealt_groups_stays_small_where_fingers_throw_the_picture_away():
    torch.manual_seed(0)
    pose = puppet_pose()
    dealt = PoseKeypoints(64, MixedGroups())(None, pose)
    hand = [kept_index(p) for p in LEFT_HAND]
    fingers = torch.stack([pose[:, [hand[0], *hand[1 + 4 * f : 5 + 4 * f]]] for f in range(5)], dim=1)
    far = {}
    for name, points in (("dealt", dealt), ("fingers", fingers)):
        moved = ThinPlate.between(points, points + 0.02 * torch.randn_like(points)).moves(32, 32)
        far[name] = float(moved.abs().flatten(2).amax(2).median())
    assert far["dealt"] < 0.4
    assert far["fingers"] > 4 * far["dealt"]


def test_an_unseen_point_moves_with_the_mean_of_the_seen_ones():
    torch.manual_seed(0)
    source, driving = torch.randn(1, 1, 5, 2), torch.randn(1, 1, 5, 2)
    seen = torch.tensor([True, True, True, True, False]).view(1, 1, 5)
    gone = torch.tensor([True, True, True, False, False]).view(1, 1, 5)
    mean = (driving - source)[0, 0, :3].mean(0)
    for first, second in ((seen, gone), (gone, seen)):
        broken = [x.masked_fill(~s[..., None], torch.nan) for x, s in ((source, first), (driving, second))]
        a, b = agree(*broken, first, second)
        assert torch.equal(a[:, :, :3], source[:, :, :3])
        assert torch.equal(b[:, :, :3], driving[:, :, :3])
        assert torch.allclose((b - a)[0, 0, 3:], mean.expand(2, 2), atol=1e-6)
        known = a if bool(first[0, 0, 3]) else b
        assert torch.equal(known[0, 0, 3], (source if bool(first[0, 0, 3]) else driving)[0, 0, 3])
        assert torch.allclose(b[0, 0, 4], driving[0, 0, :3].mean(0), atol=1e-6)


def test_an_unseen_group_stays_where_it_is():
    torch.manual_seed(0)
    source, driving = torch.randn(2, 1, 3, 5, 2)
    first, second = torch.rand(2, 1, 3, 5) < 0.5
    first[:, 0], second[:, 0] = False, False
    first[:, 1], second[:, 1] = True, False
    a, b = agree(source * math.nan, driving * math.nan, first & False, second & False)
    assert torch.equal(a, b)
    a, b = agree(source, driving, first, second)
    assert torch.equal(a[:, :2], b[:, :2])
    assert ThinPlate.between(b[:, :2], a[:, :2]).moves(8, 8).abs().max() <= 1e-5


def test_unseen_points_do_not_disturb_an_affine_motion():
    torch.manual_seed(0)
    driving = torch.tensor([[-0.6, -0.5], [0.6, -0.4], [0.1, 0.7], [9.0, 9.0], [-7.0, 3.0]]).view(1, 1, 5, 2)
    linear, shift = 0.2 * torch.randn(2, 2), 0.1 * torch.randn(2)
    seen = torch.tensor([True, True, True, False, False]).view(1, 1, 5)
    source = driving + driving @ linear + shift
    source[:, :, 3:] = -50.0
    a, b = agree(source, driving, seen, seen)
    places = pixel_grid(8, 8).reshape(-1, 2)
    assert torch.allclose(
        ThinPlate.between(b, a).displacement(places)[0, 0], places @ linear + shift, atol=1e-4
    )


@pytest.mark.parametrize(
    ("name", "groups"), [*((name, "mixed") for name in VARIANTS), ("pose2d_flexible", "hybrid")]
)
@pytest.mark.parametrize("autocast", [False, True])
def test_the_pose_of_the_source_gives_the_identity_whatever_the_mask(name, groups, autocast):
    model, pairs = animator(name, groups=groups).train(), make_pairs()
    nn.init.normal_(model.motion.mask.weight, std=3.0)
    found = []
    model.motion.register_forward_hook(lambda _, __, motion: found.append(motion))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        source = model.begin(pairs.source, pairs.source_pose, pairs.source_valid)
        model.animate(source, model.control(pairs.source, pairs.source_pose, pairs.source_valid))
    # In bfloat16 two passes of the detector over one picture agree exactly as well.
    assert (found[0].grid - pixel_grid(32, 32)).abs().max() <= 1e-5
    assert found[0].mask.amax(1).mean() > 0.5
    assert torch.allclose(found[0].mask.sum(1), torch.ones(3, 32, 32), atol=1e-5)


def test_dropout_excludes_inside_the_softmax_and_renormalises():
    torch.manual_seed(0)
    logits = torch.randn(400, 9, 2, 2)
    probability = 0.4
    found = dropout_softmax(logits, probability)
    assert torch.allclose(found.sum(1), torch.ones(400, 2, 2), atol=1e-5)
    assert (found[:, 0] > 0).all()
    out = (found == 0).all((2, 3))
    assert torch.equal(out, (found == 0).any(-1).any(-1))
    assert out[:, 1:].float().mean() == pytest.approx(probability, abs=0.03)
    # Who stays weighs 1 / (1 − p) times as much against the background.
    kept = ~out
    ratio = (found / found[:, :1]) / (logits - logits[:, :1]).exp()
    assert torch.allclose(ratio[:, 1:][kept[:, 1:]], torch.tensor(1 / (1 - probability)), rtol=1e-4)
    assert torch.equal(dropout_softmax(logits, 0.0), logits.softmax(1))
    torch.manual_seed(0)
    torch.randn(400, 9, 2, 2)
    assert torch.equal(found, dropout_softmax(logits, probability))


def test_dropout_ramps_up_ends_early_and_is_off_in_eval():
    model = animator(dropout=0.5)
    rates = [model.dropout_at(step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.05)
    assert all(a < b for a, b in pairwise(rates[:10]))
    assert rates[9:35] == [0.5] * 26
    assert rates[35:] == [0.0] * 65
    pairs, seen = make_pairs(), []
    model.motion.register_forward_hook(lambda _, __, motion: seen.append((motion.mask == 0).any()))
    model.train()
    for _ in range(2):
        model.losses(pairs, Colours(), 10)
    assert bool(seen[-1])
    assert int(model.step) == 2
    source = model.begin(pairs.source, pairs.source_pose, pairs.source_valid)
    model.animate(source, model.control(None, pairs.driving_pose, pairs.driving_valid))
    assert not bool(seen[-1])
    model.step.fill_(4)
    model.losses(pairs, Colours(), 10)
    assert not bool(seen[-1])
    model.step.fill_(2)
    model.eval()
    model.losses(pairs, Colours(), 10)
    assert not bool(seen[-1])
    assert int(model.step) == 2
    assert int(model.state_dict()["step"]) == 2


def planted_detector(places, pull=1.0):
    """Return a detector of the points that show the given coordinates in a picture of its own coordinates."""

    def detect(picture):
        found = places.expand(len(picture), -1, -1).clone()
        for _ in range(40):
            shown = sample(picture[:, :2], found[:, None]).squeeze(2).mT
            found = found + pull * (places - shown)
        return found[:, None]

    return detect


def test_equivariance_is_zero_for_an_equivariant_detector_and_not_for_a_blind_one():
    torch.manual_seed(0)
    picture = pixel_grid(64, 64).permute(2, 0, 1).expand(8, 2, 64, 64)
    places = torch.rand(8, 20, 2) * 1.2 - 0.6
    transform = ThinPlate.random(8, 0.05, 0.005, 5)
    moved = transform.displacement(places)[:, 0].abs().mean()
    detect = planted_detector(places.repeat(2, 1, 1))
    blind = planted_detector(places.repeat(2, 1, 1), pull=0.0)
    assert moved > 0.02
    # Half a pixel would be 0.0156.
    assert equivariance(detect, picture, transform) < 5e-4
    assert equivariance(blind, picture, transform) == pytest.approx(float(moved), rel=1e-3)
    backwards = equivariance(lambda shown: 2 * blind(shown) - detect(shown), picture, transform)
    assert backwards > 1.8 * moved


def test_random_splines_have_the_spread_that_was_asked_for():
    torch.manual_seed(0)
    drawn = ThinPlate.random(500, 0.05, 0.005, 5)
    assert drawn.linear.std() == pytest.approx(0.05, rel=0.1)
    assert drawn.weights.std() == pytest.approx(0.005, rel=0.1)
    assert torch.allclose(drawn.points.amin((0, 1, 2)), torch.tensor([-1.0, -1.0]))
    assert torch.allclose(drawn.points.amax((0, 1, 2)), torch.tensor([1.0, 1.0]))


@pytest.mark.parametrize("name", VARIANTS)
def test_keypoints_keep_their_contract(name):
    torch.manual_seed(0)
    keypoints = points_of(name)(64)
    pairs = make_pairs(batch=2)
    picture = None if keypoints.driven_by_pose else pairs.source
    points = keypoints(picture, pairs.source_pose)
    assert points.shape == (2, keypoints.groups, keypoints.points, 2)
    assert points.abs().max() <= 1
    visible = keypoints.visible(pairs.source_valid)
    assert visible.shape == points.shape[:-1]
    assert visible.dtype == torch.bool
    assert bool(list(keypoints.parameters())) != keypoints.driven_by_pose
    if not keypoints.driven_by_pose:
        assert list(keypoints.losses(pairs.source)) == ["equivariance"]
        with pytest.raises(InputError, match="driving picture"):
            keypoints(None, pairs.source_pose)


def test_flexible_keypoints_are_those_of_the_pose_and_learned_ones():
    torch.manual_seed(0)
    keypoints, pairs = FlexibleKeypoints(64, MixedGroups(seed=2), flexible=3, width=8), make_pairs(batch=2)
    points = keypoints(pairs.source, pairs.source_pose)
    assert points.shape[1] == 27
    assert torch.equal(points[:, :24], PoseKeypoints(64, MixedGroups(seed=2))(None, pairs.source_pose))
    visible = keypoints.visible(pairs.source_valid & False)
    assert not visible[:, :24].any()
    assert visible[:, 24:].all()
    other = keypoints(pairs.driving, pairs.source_pose)
    assert torch.equal(points[:, :24], other[:, :24])
    assert not torch.equal(points[:, 24:], other[:, 24:])
    learned = UnsupervisedKeypoints(64, width=8)
    assert learned(pairs.source, pairs.source_pose).std(2).min() > 0.05


def test_the_flow_is_the_masks_mean_of_the_background_and_every_spline():
    model, pairs = animator().eval(), make_pairs()
    nn.init.normal_(model.motion.mask.weight, std=3.0)
    points, driving = (model.keypoints(None, pose) for pose in (pairs.source_pose, pairs.driving_pose))
    with torch.no_grad():
        motion = model.motion(pairs.source, points, driving, pairs.source[:, :0, ::2, ::2])
    assert motion.mask.shape == (3, 24 + 1, 32, 32)
    wanted = pixel_grid(32, 32).expand(3, 32, 32, 2) * motion.mask[:, 0, ..., None]
    for n in range(24):
        moves = ThinPlate.between(driving[:, n : n + 1], points[:, n : n + 1]).moves(32, 32, 1.0)[:, 0]
        wanted = wanted + (pixel_grid(32, 32) + moves) * motion.mask[:, n + 1, ..., None]
    assert torch.allclose(motion.grid, wanted, atol=1e-4)
    assert (motion.grid - pixel_grid(32, 32)).abs().max() > 0.02


def test_occlusion_has_a_map_of_its_own_at_every_size():
    model, pairs = animator(downs=3), make_pairs()
    points = model.keypoints(None, pairs.source_pose)
    with torch.no_grad():
        maps = model.motion(pairs.source, points, points, pairs.source[:, :0, ::2, ::2]).occlusion
    assert [m.shape for m in maps] == [(3, 1, size, size) for size in (64, 32, 16, 8)]
    assert all(m.min() > 0 and m.max() < 1 for m in maps)
    assert (resize(maps[0], (32, 32)) - maps[1]).abs().max() > 1e-3


@pytest.mark.parametrize("shown", [0.0, 0.25, 1.0])
def test_what_is_shown_is_warped_and_what_is_not_is_painted(shown):
    model, pairs = animator().inpainting, make_pairs()
    grid = pixel_grid(32, 32).expand(3, 32, 32, 2) + 0.1
    occlusion = [torch.full((3, 1, 64 // 2**n, 64 // 2**n), shown) for n in range(4)]
    with torch.no_grad():
        made = model(pairs.source, model.encode(pairs.source), Motion(grid, occlusion, torch.ones(1)))
        black, white = (
            model(p, model.encode(pairs.source), Motion(grid, occlusion, torch.ones(1)))
            for p in (torch.zeros_like(pairs.source), torch.ones_like(pairs.source))
        )
    # What is painted follows the features alone; the picture itself comes in by its share.
    assert torch.allclose(white - black, torch.full_like(made, shown), atol=1e-6)
    assert torch.allclose(made, black + shown * warp(pairs.source, grid), atol=1e-6)
    assert shown == 1.0 or black.std() > 0


def test_the_perceptual_loss_is_summed_over_four_sizes_down_to_16_px():
    seen = []

    class Sizes(Colours):
        def distance(self, made, real):
            seen.append((made.shape[-1], real.shape[-1]))
            return (made - real).abs().mean()

    made, real = torch.full((1, 3, 256, 256), 0.75), torch.full((1, 3, 256, 256), 0.5)
    assert float(pyramid_distance(Sizes(), made, real)) == pytest.approx(4 * 0.25)
    assert seen == [(256, 256), (128, 128), (64, 64), (32, 32)]
    seen.clear()
    pyramid_distance(Sizes(), made[..., :64, :64], real[..., :64, :64])
    assert [size for size, _ in seen] == [64, 32, 16]
    # A checkerboard is grey once it is halved: a coarse size does not see it.
    board = (torch.arange(64)[:, None] + torch.arange(64)) % 2 * torch.ones(1, 3, 1, 1)
    flat = torch.full_like(board, 0.5)
    assert float(pyramid_distance(Sizes(), board, flat)) == pytest.approx(0.5, abs=0.05)


def test_what_is_wrong_in_a_hand_box_weighs_more_and_every_picture_alike():
    pairs = make_pairs(batch=4)
    boxes = hand_mask(pairs.driving_pose, pairs.driving_valid, (64, 64))
    weight = hand_weights(pairs, 5.0)
    assert torch.equal(weight, 1 + 4 * boxes.float()) and hand_weights(pairs, 1.0) is None
    share = boxes.float().mean((1, 2, 3))
    expected = (5 * share / (1 + 4 * share)).mean()
    assert float(weighted_mean(boxes.float(), weight)) == pytest.approx(float(expected), rel=1e-5)
    assert float(weighted_mean(boxes.float(), None)) == pytest.approx(float(share.mean()), rel=1e-5)
    wrong = pairs.driving + 0.1 * boxes
    plain, weighed = (pyramid_distance(Colours(), wrong, pairs.driving, w) for w in (None, weight))
    assert float(weighed) > 1.1 * float(plain)
    everywhere = pyramid_distance(Colours(), pairs.driving + 0.1, pairs.driving, weight)
    assert float(everywhere) == pytest.approx(3 * 2 * 0.1, rel=1e-4)


@pytest.mark.parametrize("hand_weight", [1.0, 5.0])
def test_the_losses_of_a_batch_are_the_mean_of_those_of_its_halves(hand_weight):
    model, pairs = animator(dropout=0.0).eval(), make_pairs(batch=4)
    halves = [Pairs(*(value[part] for value in vars(pairs).values())) for part in (slice(2), slice(2, 4))]
    with torch.no_grad():
        whole, *parts = (model.losses(x, Colours(), 10, hand_weight) for x in (pairs, *halves))
    for name, value in whole.items():
        assert float(value) == pytest.approx(float(torch.stack([p[name] for p in parts]).mean()), rel=1e-5)


def test_a_picture_is_sampled_and_resized_in_one_place_and_one_way():
    """`align_corners` one way throughout: only rgx.gesture.nn.grid samples or resizes pictures bilinearly."""
    for path in sorted(Path(rgx.__file__).parent.rglob("*.py")):
        text = path.read_text()
        if not any(word in text for word in ("_sample", "_grid", "bilinear", "bicubic", "align_corners")):
            continue
        for call in (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
            given = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
            if name in ("grid_sample", "affine_grid") or given.get("mode") in ("bilinear", "bicubic"):
                assert path.name == "grid.py", f"{path} calls {name}"
                assert given["align_corners"] is False
            assert given.get("align_corners") is not True, path


@pytest.mark.parametrize(
    ("name", "groups"), [*((name, "mixed") for name in VARIANTS), ("pose2d_flexible", "anatomical")]
)
def test_gradients_are_finite_and_reach_every_parameter(name, groups):
    model = animator(name, groups=groups, dropout=0.0).train()
    losses = model.losses(make_pairs(), Colours(), 10)
    assert all(v.shape == () and v.isfinite() for v in losses.values())
    assert set(losses) == {"perceptual", "warp"} | ({"equivariance"} if name != "pose2d" else set())
    torch.stack(list(losses.values())).sum().backward()
    for parameter, p in model.named_parameters():
        assert p.grad is not None, parameter
        assert p.grad.isfinite().all(), parameter
        assert p.grad.abs().sum() > 0, parameter


def test_the_warp_loss_teaches_the_grid_alone():
    model = animator("unsupervised", dropout=0.0, perceptual_weight=0.0).train()
    losses = model.losses(make_pairs(), Colours(), 10)
    losses["warp"].backward()
    assert all(p.grad is None for p in model.inpainting.parameters())
    assert all(p.grad is None for p in model.motion.occlusion.parameters())
    assert model.motion.mask.weight.grad.abs().sum() > 0
    assert model.keypoints.detector.place.weight.grad.abs().sum() > 0
    assert "warp" not in animator(warp_weight=0.0).losses(make_pairs(), Colours(), 10)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_seed_decides_everything(name):
    found = []
    for _ in range(2):
        model = animator(name, seed=4).train()
        losses = [model.losses(make_pairs(), Colours(), 10) for _ in range(2)]
        found.append([float(v.detach()) for each in losses for v in each.values()])
    assert found[0] == found[1]


@pytest.mark.parametrize("name", VARIANTS)
def test_neither_the_batch_nor_where_a_source_is_begun_changes_a_frame(name):
    model, pairs = animator(name).eval(), make_pairs(batch=4)
    with torch.no_grad():
        one = model.begin(pairs.source[:1], pairs.source_pose[:1], pairs.source_valid[:1])
        all_four = model.animate(one, model.control(pairs.driving, pairs.driving_pose, pairs.driving_valid))
        assert all_four.picture.shape == (4, 3, 64, 64)
        assert all_four.trusted.shape == (4, 1, 64, 64)
        for made in (all_four.picture, all_four.trusted):
            assert 0 <= made.min() <= made.max() <= 1
        four = model.begin(
            *(x[:1].expand_as(x) for x in (pairs.source, pairs.source_pose, pairs.source_valid))
        )
        again = model.animate(four, model.control(pairs.driving, pairs.driving_pose, pairs.driving_valid))
        assert torch.allclose(all_four.picture, again.picture, atol=1e-4)
        for i in range(4):
            driving = (pairs.driving[i, None], pairs.driving_pose[i, None], pairs.driving_valid[i, None])
            alone = model.animate(one, model.control(*driving))
            assert torch.allclose(all_four.picture[i], alone.picture[0], atol=1e-4)
            assert torch.allclose(all_four.trusted[i], alone.trusted[0], atol=1e-4)


@pytest.mark.parametrize("groups", ["mixed", "anatomical"])
def test_unseen_points_need_no_coordinates(groups):
    model, pairs = animator(groups=groups).eval(), make_pairs()
    with torch.no_grad():
        made = []
        for rubbish in (math.nan, 7.0):
            poses = [
                p.masked_fill(~v[..., None], rubbish)
                for p, v in (
                    (pairs.source_pose, pairs.source_valid),
                    (pairs.driving_pose, pairs.driving_valid),
                )
            ]
            source = model.begin(pairs.source, poses[0], pairs.source_valid)
            made.append(model.animate(source, model.control(None, poses[1], pairs.driving_valid)).picture)
    assert made[0].isfinite().all()
    assert torch.equal(*made)


@pytest.mark.parametrize("size", [64, 128, 256])
def test_it_runs_at_every_size(size):
    model, pairs = animator(size=size, motion_blocks=5, motion_scale=0.25), make_pairs(batch=1, size=size)
    with torch.no_grad():
        source = model.begin(pairs.source, pairs.source_pose, pairs.source_valid)
        assert (
            model.animate(source, model.control(None, pairs.driving_pose, pairs.driving_valid)).picture.shape[
                -1
            ]
            == size
        )


@pytest.mark.slow
def test_bfloat16_stays_finite_and_near():
    model, pairs = animator("pose2d_flexible").train(), make_pairs()
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(pairs, Colours(), 10)
    torch.stack([v.float() for v in losses.values()]).sum().backward()
    assert all(v.isfinite() for v in losses.values())
    assert all(p.grad.isfinite().all() for p in model.parameters())
    points = group("spread")
    exact = ThinPlate.between(points, points + 0.1).moves(16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(ThinPlate.between(points, points + 0.1).moves(16, 16), exact)
    model.eval()
    made = []
    for autocast in (False, True):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            source = model.begin(pairs.source, pairs.source_pose, pairs.source_valid)
            made.append(
                model.animate(
                    source, model.control(pairs.driving, pairs.driving_pose, pairs.driving_valid)
                ).picture
            )
    assert made[1].dtype == torch.float32
    assert (made[0] - made[1]).abs().mean() < 0.01


def test_channels_last_is_the_same():
    pairs, made = make_pairs(), []
    for layout in (torch.contiguous_format, torch.channels_last):
        model = animator("pose2d_flexible").eval().to(memory_format=layout)
        with torch.no_grad():
            pictures = [p.to(memory_format=layout) for p in (pairs.source, pairs.driving)]
            source = model.begin(pictures[0], pairs.source_pose, pairs.source_valid)
            made.append(
                model.animate(
                    source, model.control(pictures[1], pairs.driving_pose, pairs.driving_valid)
                ).picture
            )
    assert torch.allclose(*made, atol=1e-4)


def test_what_cannot_work_is_refused():
    with pytest.raises(InputError, match=r"animator\.tps needs 'keypoints': bind .*NAME: pose2d"):
        gin.get_configurable("animator.tps")()
    with pytest.raises(InputError, match="motion_scale = 0.3"):
        animator(motion_scale=0.3)
    with pytest.raises(InputError, match="downs = 7"):
        animator(downs=7)
    with pytest.raises(InputError, match="dropout = 1.0"):
        animator(dropout=1.0)
    with pytest.raises(InputError, match="motion_scale"):
        DenseMotion(66, PoseKeypoints(66, MixedGroups(2)), 1, 8, 2, 0.25, 1.0)


def moving_square(batch, seed, size=32):
    """Return pairs of a coloured square on a fixed pattern; face points are on it, all others never move."""
    draw = torch.Generator().manual_seed(seed)
    centres = torch.rand(2, batch, 1, 2, generator=draw) - 0.5
    wave = pixel_grid(size, size)
    wall = 0.5 + 0.2 * torch.stack([(5 * wave[..., 0]).sin(), (4 * wave[..., 1]).cos(), wave[..., 0]])
    colour = torch.tensor([0.95, 0.15, 0.1]).view(3, 1, 1)
    around = torch.rand(len(KEPT), 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pictures, poses = [], []
    for centre in centres:
        inside = ((pixel_grid(size, size) - centre[:, :, None]).abs() < 0.3).all(-1)[:, None]
        pictures.append(torch.where(inside, colour, wall))
        corner = 0.9 * torch.where(around > 0, 1.0, -1.0)
        on_face = torch.arange(len(KEPT))[:, None] < len(FACE)
        poses.append(torch.where(on_face, centre + 0.3 * around, corner))
    valid = torch.ones(batch, len(KEPT), dtype=torch.bool)
    return Pairs(*pictures, *poses, valid, valid)


@pytest.mark.slow
def test_it_learns_to_move_a_planted_square():
    model = animator(size=32, downs=2, width=16, motion_width=16, dropout=0.1).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    values = []
    for step in range(60):
        losses = model.losses(moving_square(8, seed=step), Colours(), 60)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        values.append(float(losses["perceptual"].detach()))
    assert np.mean(values[-5:]) < 0.4 * values[0]
    held_out = moving_square(8, seed=999)
    model.eval()
    with torch.no_grad():
        source = model.begin(held_out.source, held_out.source_pose, held_out.source_valid)
        made = model.animate(source, model.control(None, held_out.driving_pose, held_out.driving_valid))
    still = (held_out.source - held_out.driving).abs().mean()
    assert (made.picture - held_out.driving).abs().mean() < 0.5 * still
