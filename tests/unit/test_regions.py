"""Regions: where planted shapes are, how they move, and that nothing of them jumps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from roster import load_roster

from rgx import registry
from rgx.config import build_cell
from rgx.errors import InputError
from rgx.gesture.animate.regions import LEAST_SPREAD, RegionKeypoints, region_equivariance
from rgx.gesture.animate.thin_plate import ThinPlate
from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.nn.perceptual import PerceptualFeatures
from rgx.gesture.nn.region_shapes import lower_factor, moments, region_points, shift_and_shape
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import Pairs
from rgx.sweep.spec import Overrides, read_sweep

load_roster()
SWEEP = Path(__file__).resolve().parents[2] / "sweeps/table1.yaml"


def covariances(count=50, seed=0):
    draw = torch.Generator().manual_seed(seed)
    root = torch.randn(count, 2, 2, generator=draw, dtype=torch.float64)
    return root @ root.mT + 0.01 * torch.eye(2)


def blobs(centre, covariance, size=64):
    """Return Gaussians (…, size, size) of centres (…, 2) and covariances (…, 2, 2), each summing to 1."""
    offsets = pixel_grid(size, size) - centre[..., None, None, :]
    inverse = torch.linalg.inv(covariance)[..., None, None, :, :]
    maps = (-0.5 * offsets[..., None, :] @ inverse @ offsets[..., None])[..., 0, 0].exp()
    return maps / maps.sum((-2, -1), keepdim=True)


class Blobs(RegionKeypoints):
    """Regions that are the moments of each channel of a picture: they follow any affine motion exactly."""

    def regions(self, picture):
        maps = picture / picture.sum((-2, -1), keepdim=True)
        shift, covariance = moments(maps, pixel_grid(picture.shape[-2], picture.shape[-1]))
        return shift, lower_factor(covariance)


class Colours(PerceptualFeatures):
    """The picture itself."""

    def forward(self, picture):
        return [picture]


@pytest.mark.parametrize("size", [32, 96])
def test_moments_are_where_and_how_large_a_region_is_at_any_resolution(size):
    # Half a pixel of 32 would be 0.03.
    planted = torch.tensor([[0.2, -0.1], [-0.3, 0.25]])
    shape = torch.tensor([[[0.02, 0.008], [0.008, 0.01]], [[0.01, -0.002], [-0.002, 0.03]]])
    centre, covariance = moments(blobs(planted, shape, size), pixel_grid(size, size))
    assert torch.allclose(centre, planted, atol=1e-3)
    assert torch.allclose(covariance, shape, atol=5e-4)


def test_the_factor_is_the_one_lower_root_of_a_covariance():
    covariance = covariances()
    factor = lower_factor(covariance)
    assert torch.allclose(factor @ factor.mT, covariance)
    assert torch.allclose(factor, torch.linalg.cholesky(covariance))
    assert (factor[:, 0, 1] == 0).all() and (factor.diagonal(dim1=-2, dim2=-1) > 0).all()


def test_the_factor_of_a_round_region_does_not_jump_where_its_singular_vectors_do():
    nearly = [torch.eye(2) + 1e-3 * torch.tensor([[0.0, s], [s, 0.0]]) for s in (1.0, -1.0)]
    factors = [lower_factor(covariance) for covariance in nearly]
    assert (factors[0] - factors[1]).abs().max() < 5e-3
    roots = [left * values.sqrt() for left, values, _ in map(torch.linalg.svd, nearly)]
    assert (roots[0] - roots[1]).abs().max() > 0.5


def test_a_heat_map_of_one_pixel_has_a_shape_and_finite_gradients():
    keypoints = RegionKeypoints(32, regions=3, width=8, blocks=1, scale=1.0)
    picture = torch.zeros(1, 3, 32, 32)
    picture[0, :, 7, 20] = 1.0
    picture.requires_grad_()
    keypoints.predictor.heat = lambda shown: (100 * shown).flatten(2).softmax(-1).unflatten(-1, (32, 32))
    shift, shape = keypoints.regions(picture)
    assert torch.allclose(shift.detach(), torch.tensor([41 / 32 - 1, 15 / 32 - 1]), atol=1e-5)
    assert torch.allclose(shape.detach(), LEAST_SPREAD * torch.eye(2), atol=1e-5)
    (shift.sum() + shape.sum()).backward()
    assert picture.grad.isfinite().all()


def test_shift_and_shape_are_the_points_written_otherwise():
    shift, shape = torch.randn(4, 10, 2), torch.randn(4, 10, 2, 2)
    points = region_points(shift, shape)
    assert points.shape == (4, 10, 3, 2)
    assert torch.allclose(points[..., 2, :] - points[..., 0, :], shape[..., :, 1], atol=1e-6)
    again = shift_and_shape(points)
    assert torch.allclose(again[0], shift) and torch.allclose(again[1], shape, atol=1e-6)


def affine(seed, lower=False):
    draw = torch.Generator().manual_seed(seed)
    matrix = torch.eye(2) + 0.2 * torch.randn(2, 2, generator=draw)
    if lower:
        matrix[0, 1] = 0.0
    return matrix, 0.2 * torch.randn(2, generator=draw)


def motion(matrix, move, places):
    """Return shapes before and after x → matrix · x + move, and where its spline sends places back to."""
    centre, covariance = torch.tensor([[0.1, -0.05]]), torch.tensor([[[0.02, 0.006], [0.006, 0.01]]])
    before = blobs(centre, covariance, 128)
    after = blobs(centre @ matrix.mT + move, matrix @ covariance @ matrix.mT, 128)
    keypoints = Blobs(128)
    source, driving = (keypoints(maps[None], None) for maps in (before, after))
    spline = ThinPlate.between(driving, source)
    sent = places + spline.displacement(places)[0, 0]
    return shift_and_shape(source[0, 0]), shift_and_shape(driving[0, 0]), sent


@pytest.mark.parametrize("seed", range(3))
def test_regions_recover_a_planted_affine_motion(seed):
    """Of stretches, the slant and shifts: what a lower factor tells without rest."""
    matrix, move = affine(seed, lower=True)
    here = torch.tensor([0.1, -0.05]) + 0.2 * torch.randn(
        30, 2, generator=torch.Generator().manual_seed(seed)
    )
    _, _, sent = motion(matrix, move, here @ matrix.mT + move)
    assert (sent - here).abs().max() < 5e-3


@pytest.mark.parametrize("seed", range(3))
def test_any_affine_motion_is_recovered_but_for_how_a_region_turns_within_its_shape(seed):
    matrix, move = affine(seed)
    (shift, shape), (moved_shift, moved_shape), sent = motion(matrix, move, torch.zeros(1, 2))
    back = shape @ torch.linalg.inv(moved_shape)
    covariance = moved_shape @ moved_shape.mT
    assert torch.allclose(back @ covariance @ back.mT, shape @ shape.mT, atol=1e-4)
    assert torch.allclose(moved_shift, matrix @ shift + move, atol=1e-3)
    assert torch.allclose(sent[0], shift - back @ moved_shift, atol=5e-3)


def test_equivariance_is_zero_for_regions_that_follow_and_not_for_blind_ones():
    torch.manual_seed(0)
    root = 0.1 * (torch.eye(2) + 0.3 * torch.randn(6, 3, 2, 2))
    picture = blobs(0.3 * torch.rand(6, 3, 2), root @ root.mT + 0.002 * torch.eye(2), 96)
    # Turns too: the root that comes back is another one, of the same shape.
    transform = ThinPlate.random(6, 0.1, 0.0, 5)
    following = region_equivariance(Blobs(96), picture, transform)

    class Blind(Blobs):
        def regions(self, shown):
            shift, shape = super().regions(shown[: len(shown) // 2])
            return torch.cat([shift, shift]), torch.cat([shape, shape])

    assert following < 1e-3
    assert region_equivariance(Blind(96), picture, transform) > 20 * following


def test_an_animator_teaches_every_weight_of_its_regions():
    torch.manual_seed(0)
    keypoints = registry.find("keypoints", "regions")
    small = {**keypoints.parameters, "regions": 3, "width": 8, "blocks": 2, "scale": 0.5}
    tps = registry.find("animator", "tps")
    sizes = {
        "width": 8,
        "max_width": 16,
        "downs": 2,
        "motion_width": 8,
        "motion_blocks": 2,
        "motion_scale": 0.5,
    }
    parts = {**tps.parameters, **sizes, "dropout": 0.0, "keypoints": registry.Recipe(keypoints, small)}
    model = registry.Recipe(tps, parts)(32).train()
    pose, valid = torch.zeros(2, len(KEPT), 2), torch.ones(2, len(KEPT), dtype=torch.bool)
    losses = model.losses(
        Pairs(torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32), pose, pose, valid, valid), Colours(), 10
    )
    assert set(losses) == {"perceptual", "warp", "equivariance"}
    torch.stack(list(losses.values())).sum().backward()
    for name, weight in model.keypoints.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name
    assert not model.driven_by_pose and model.keypoints.limbs is None


def test_a_row_has_regions_and_what_cannot_be_is_refused():
    overrides = Overrides(scale="tiny", only=["refiners/w/o refine"], choices={"keypoints": "regions"})
    animator = build_cell(read_sweep(SWEEP, overrides).rows[0].texts, ("animator",)).built["animator"]
    assert (animator.keypoints.groups, animator.keypoints.points) == (10, 3)
    with pytest.raises(InputError, match="at least one region"):
        RegionKeypoints(32, regions=0)
    with pytest.raises(InputError, match="driving picture"):
        animator.keypoints(None, torch.zeros(1, len(KEPT), 2))
