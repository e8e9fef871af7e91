"""Groups of control points: which points they have, what planted motion limbs follow, and what noise does."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from rgx.errors import InputError
from rgx.gesture.animate.anatomy import parts
from rgx.gesture.animate.dense_motion import DenseMotion
from rgx.gesture.animate.groups import AnatomicalGroups, HybridGroups, MixedGroups
from rgx.gesture.animate.keypoints import FlexibleKeypoints, PoseKeypoints
from rgx.gesture.animate.limbs import MARGIN, Limbs
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.skeleton import KEPT, LEFT_HAND, kept_index

torch.set_num_threads(1)

PX = 128
"""Pixels of a frame of 256 in half a picture's width."""


@pytest.fixture(scope="module")
def poses() -> torch.Tensor:
    """Return poses (T, K, 2) of a puppet."""
    clip = Puppets(PlainWorld(), speakers=2, train_clips=1, test_clips=1, clip_s=4.0).clip("train", 1, 0)
    return torch.from_numpy(clip.keypoints[::8, list(KEPT)] / PX - 1).float()


def numbers_of(groups) -> set[int]:
    return {number for group in groups.groups() for points in group.members for number in points}


@pytest.mark.parametrize("groups", [AnatomicalGroups(), HybridGroups()])
def test_every_point_of_a_pose_is_in_a_group(groups):
    assert numbers_of(groups) == set(KEPT)


def test_a_group_is_of_one_part_and_there_are_as_many_as_mixed_ones():
    found = AnatomicalGroups().groups()
    assert len(found) == len(MixedGroups().groups()) == 24
    hands = {*LEFT_HAND, *(p + 21 for p in LEFT_HAND)}
    for group in found:
        members = {number for points in group.members for number in points}
        assert members <= hands or not members & hands
    assert [group.limb for group in HybridGroups(mixed=3).groups()] == [True] * 24 + [False] * 3


def splines(groups, driving, source) -> ThinPlate:
    keypoints = PoseKeypoints(64, groups)
    return ThinPlate.between(keypoints(None, driving), keypoints(None, source), limbs=keypoints.limbs)


def along_bone(pose, start, end, half_width):
    """Return places (B, 15, 2) along a bone and across its width, which moves with it unchanged."""
    first, last = pose[:, kept_index(start)], pose[:, kept_index(end)]
    bone = last - first
    across = torch.stack([-bone[:, 1], bone[:, 0]], -1) / bone.norm(dim=-1, keepdim=True)
    share = torch.linspace(0, 1, 5)[:, None, None]
    side = half_width * torch.tensor([-1.0, 0.0, 1.0])[:, None]
    places = first[:, None, None] + share * bone[:, None, None] + side * across[:, None, None]
    return places.flatten(1, 2)


def worst_px(groups, driving, source, bone) -> float:
    """Return how far the best spline leaves places of a bone from where they came from, at most."""
    here, there = (along_bone(pose, *bone, 0.05) for pose in (driving, source))
    moved = splines(groups, driving, source).displacement(here)
    return float(((here[:, None] + moved) - there[:, None]).norm(dim=-1).amax((0, 2)).min()) * PX


@pytest.mark.parametrize("angle", [0.3, 1.5, 2.8])
def test_a_fore_arm_that_turns_is_followed_across_its_whole_width(poses, angle):
    source, driving = poses[:1], poses[:1].clone()
    elbow, arm = kept_index(7), [kept_index(p) for p in (9, *LEFT_HAND)]
    turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    driving[:, arm] = (source[:, arm] - source[:, elbow]) @ turn + source[:, elbow]
    bones = [(7, 9), (91, 100), (100, 101)]
    for groups in (AnatomicalGroups(), HybridGroups()):
        assert all(worst_px(groups, driving, source, bone) < 0.3 for bone in bones)
    assert worst_px(MixedGroups(), driving, source, (7, 9)) > 3


def test_an_arm_seen_shorter_keeps_its_width(poses):
    source, driving = poses[:1], poses[:1].clone()
    elbow, wrist = kept_index(7), kept_index(9)
    driving[:, wrist] = source[:, elbow] + 0.6 * (source[:, wrist] - source[:, elbow])
    assert worst_px(AnatomicalGroups(), driving, source, (7, 9)) < 0.3


def moved_by_noise(groups, poses) -> torch.Tensor:
    """Return how far 1 px of noise on the driving pose moves the furthest place, in px, (T, G)."""
    noisy = poses + torch.randn(poses.shape, generator=torch.Generator().manual_seed(0)) / PX
    moves = splines(groups, noisy, poses).moves(32, 32)
    return moves.norm(dim=-1).flatten(2).amax(2) * PX


def test_noise_of_a_pixel_hardly_moves_what_is_far(poses):
    held = moved_by_noise(AnatomicalGroups(), poses)
    assert held.median() < 5 and held.quantile(0.95) < 8
    assert held.median(0).values.max() < 8
    free = AnatomicalGroups().groups()
    keypoints = PoseKeypoints(64, AnatomicalGroups())(None, poses)
    noise = torch.randn(keypoints.shape, generator=torch.Generator().manual_seed(0)) / PX
    unheld = ThinPlate.between(keypoints + noise, keypoints).moves(32, 32).norm(dim=-1).flatten(2).amax(2)
    assert len(free) == unheld.shape[1] and unheld.median() * PX > 50


def test_beyond_its_reach_a_limb_moves_all_alike():
    driving = torch.tensor([[-0.1, 0.0], [-0.05, 0.0], [0.0, 0.0], [0.05, 0.0], [0.1, 0.0]]).view(1, 1, 5, 2)
    source = driving @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    limbs = Limbs((True,), 0.02, 2.0)
    spline = ThinPlate.between(driving, source, limbs=limbs)
    radius = 2.0 * 0.1 + MARGIN
    near, edge, far = (torch.tensor([[x, 0.0]]) for x in (0.1, radius, 0.9))
    quarter = torch.tensor([0.0, 0.1]) - near[0]
    assert torch.allclose(spline.displacement(near)[0, 0, 0], quarter, atol=1e-3)
    assert torch.allclose(spline.displacement(edge), spline.displacement(far), atol=1e-6)
    free = ThinPlate.between(driving, source, limbs=Limbs((False,), 0.02, 2.0))
    plain = ThinPlate.between(driving, source)
    grid = pixel_grid(8, 8).reshape(-1, 2)
    assert torch.allclose(free.displacement(grid), plain.displacement(grid), atol=1e-5)


def test_before_anything_is_learned_a_place_moves_with_the_part_it_is_near(poses):
    keypoints, size = PoseKeypoints(64, AnatomicalGroups()), 64
    motion = DenseMotion(size, keypoints, 1, 8, 2, 1.0, 1.0)
    nn.init.zeros_(motion.mask.weight)
    nn.init.zeros_(motion.mask.bias)
    source, driving = (keypoints(None, poses[n : n + 1]) for n in (0, 5))
    with torch.no_grad():
        mask = motion(torch.rand(1, 3, size, size), source, driving, torch.zeros(1, 0, size, size)).mask[0]
    names = ["background", *parts()]
    for point, part_names in {8: ["right fore-arm"], 12: ["torso"], 91 + 20: ["left finger 4"]}.items():
        x, y = ((poses[5, kept_index(point)] + 1) / 2 * size).long().tolist()
        share = sum(float(mask[names.index(name), y, x]) for name in part_names)
        assert share > 0.3 and share == pytest.approx(float(mask[1:, y, x].max()), rel=0.4)
        assert mask[0, y, x] < 0.02
    assert mask[0, 2, 2] > 0.9, "the wall"


@pytest.mark.parametrize("kind", ["line", "point", "spread"])
def test_limbs_stay_where_they_are_without_motion_and_have_gradients(kind):
    around = torch.randn(3, 4, 5, 2, generator=torch.Generator().manual_seed(1))
    size = torch.tensor({"line": [0.1, 0.0], "point": [0.0, 0.0], "spread": [0.2, 0.3]}[kind])
    points = (0.2 + around * size).requires_grad_()
    limbs = Limbs((True, True, False, True), 0.02, 1.25)
    assert ThinPlate.between(points, points, limbs=limbs).moves(16, 16).abs().max() < 1e-5
    source = (points.detach() + 0.05 * torch.randn_like(points)).requires_grad_()
    ThinPlate.between(points, source, limbs=limbs).moves(8, 8, 1.0).square().mean().backward()
    assert points.grad.isfinite().all() and source.grad.isfinite().all()
    assert source.grad.abs().sum() > 0


def test_a_mean_is_seen_where_each_of_its_points_is_and_others_are_never_read(poses):
    keypoints = PoseKeypoints(64, AnatomicalGroups())
    valid = torch.ones(1, len(KEPT), dtype=torch.bool)
    assert keypoints.visible(valid).all()
    valid[:, kept_index(9)] = False
    hidden = ~keypoints.visible(valid)
    pose = poses[:1].masked_fill(~valid[..., None], math.nan)
    assert torch.equal(keypoints(None, pose).isnan().any(-1), hidden)
    assert int(hidden.sum()) == 4, "three places of the bone and its end"


@pytest.mark.parametrize("groups", [AnatomicalGroups(), HybridGroups()])
def test_a_hand_that_is_not_seen_moves_with_its_fore_arm(poses, groups):
    keypoints = PoseKeypoints(64, groups)
    limbs, points = keypoints.limbs, keypoints(None, poses[:1])
    valid = torch.ones(1, len(KEPT), dtype=torch.bool)
    assert torch.equal(limbs.followed(points, keypoints.visible(valid).any(-1)), points)

    names = list(parts())
    elbow_too = (*LEFT_HAND, 7, 9)
    for hidden, instead in (
        (LEFT_HAND, "left fore-arm"),
        (elbow_too, "left upper arm"),
        ((*elbow_too, 5), "torso"),
    ):
        valid[:, [kept_index(p) for p in hidden]] = False
        followed = limbs.followed(points, keypoints.visible(valid).any(-1))
        for name in ("left palm", "left finger 0", "left finger 4"):
            assert torch.equal(followed[:, names.index(name)], points[:, names.index(instead)])
        for name in ("right palm", "nose", "torso"):
            assert torch.equal(followed[:, names.index(name)], points[:, names.index(name)])
        assert torch.equal(followed[:, 24:], points[:, 24:])


def test_where_nothing_is_seen_all_parts_are_the_trunk():
    limbs, points = PoseKeypoints(64, AnatomicalGroups()).limbs, torch.rand(2, 24, 5, 2)
    followed = limbs.followed(points, torch.zeros(2, 24, dtype=torch.bool))
    assert torch.equal(followed, points[:, :1].expand_as(points)) and next(iter(parts())) == "torso"


def test_learned_points_beside_limbs_are_no_limbs():
    keypoints = FlexibleKeypoints(64, AnatomicalGroups(), flexible=3, width=8)
    assert keypoints.limbs is not None and keypoints.groups == 27
    assert keypoints.limbs.which.flatten().tolist() == [True] * 24 + [False] * 3
    assert not list(keypoints.limbs.parameters()) and "limbs.which" not in keypoints.state_dict()


@pytest.mark.parametrize("given", [{"spread": 0.0}, {"reach": -1.0}])
def test_what_no_limb_can_have_is_refused(given):
    with pytest.raises(InputError, match="expected a positive number"):
        AnatomicalGroups(**given)
