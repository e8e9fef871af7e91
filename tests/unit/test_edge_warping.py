"""The edge map in warping: what is drawn, and that dense motion sees the maps of both poses."""

from __future__ import annotations

import math

import pytest
import torch
from roster import load_roster

from rgx import registry
from rgx.gesture.animate.drawing import EdgeDrawing, NoDrawing
from rgx.gesture.animate.edge_tps import EdgeThinPlateAnimator
from rgx.gesture.animate.tps import ThinPlateAnimator
from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.skeleton import KEPT, kept_index

load_roster()
torch.set_num_threads(1)

SIZE = 32


def animator(cls: type[ThinPlateAnimator]) -> ThinPlateAnimator:
    torch.manual_seed(0)
    groups = registry.make(registry.find("groups", "anatomical"), {})
    keypoints = registry.Recipe(registry.find("keypoints", "pose2d"), {"groups": groups})
    return cls(SIZE, keypoints, width=8, max_width=16, downs=2, motion_width=8, motion_blocks=2).eval()


def bone(*ends: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a pose of which only a fore-arm is seen, and what is valid of it."""
    pose, valid = torch.full((1, len(KEPT), 2), math.nan), torch.zeros(1, len(KEPT), dtype=torch.bool)
    for number, place in zip((7, 9), ends, strict=True):
        pose[:, kept_index(number)], valid[:, kept_index(number)] = torch.tensor(place), True
    return pose, valid


def test_a_bone_is_drawn_along_its_line_and_a_hidden_one_is_not() -> None:
    drawn = EdgeDrawing()(*bone((-0.5, 0.0), (0.5, 0.0)), (SIZE, SIZE))[0, 0]
    grid = pixel_grid(SIZE, SIZE)
    beside = grid[..., 1].abs()
    within = grid[..., 0].abs() < 0.4
    expected = torch.exp(-beside.square() / (0.032**2 + 1 / SIZE**2))
    assert torch.allclose(drawn[within], expected[within], atol=1e-5)
    assert drawn[grid[..., 0] > 0.8].max() < 1e-3
    pose, valid = bone((-0.5, 0.0), (0.5, 0.0))
    assert not EdgeDrawing()(pose, valid & False, (SIZE, SIZE)).any()
    assert NoDrawing()(pose, valid, (SIZE, SIZE)).shape == (1, 0, SIZE, SIZE)


def test_dense_motion_sees_the_maps_of_both_poses() -> None:
    plain, model = animator(ThinPlateAnimator), animator(EdgeThinPlateAnimator)
    entering, known = (m.motion.hourglass.enter[0].weight for m in (model, plain))
    assert entering.shape[1] == known.shape[1] + 2
    seen: list[torch.Tensor] = []
    model.motion.hourglass.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    source, driving = bone((-0.5, 0.0), (0.5, 0.0)), bone((0.0, -0.5), (0.0, 0.5))
    picture = torch.rand(1, 3, SIZE, SIZE)
    begun = model.begin(picture, *source)
    made = model.animate(begun, model.control(None, *driving)).picture
    assert made.isfinite().all()
    size = (SIZE // 4, SIZE // 4)
    expected = torch.cat([EdgeDrawing()(*pose, size) for pose in (source, driving)], dim=1)
    assert torch.equal(seen[0][:, -2:], expected) and (expected[:, 0] - expected[:, 1]).abs().max() > 0.3
    made.mean().backward()
    assert entering.grad is not None and (entering.grad[:, -2:].abs().amax((0, 2, 3)) > 0).all()


@pytest.mark.parametrize("cls", [ThinPlateAnimator, EdgeThinPlateAnimator])
def test_one_source_serves_a_batch_of_poses(cls: type[ThinPlateAnimator]) -> None:
    model, picture = animator(cls), torch.rand(1, 3, SIZE, SIZE)
    poses = [bone((0.0, -0.5), (0.0, y)) for y in (0.2, 0.5)]
    begun = model.begin(picture, *bone((-0.5, 0.0), (0.5, 0.0)))
    with torch.no_grad():
        together = model.control(None, *(torch.cat(x) for x in zip(*poses, strict=True)))
        both = model.animate(begun, together).picture
        apart = torch.cat([model.animate(begun, model.control(None, *pose)).picture for pose in poses])
    assert torch.allclose(both, apart, atol=1e-5)
