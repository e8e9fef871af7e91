"""Augmented pairs: a mirrored pose is a mirrored puppet's, both pictures change alike, a seed decides."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from rgx.errors import InputError
from rgx.gesture.data.as_generated import AsGenerated
from rgx.gesture.data.augmentation import (
    FlipsAndColour,
    NoAugmentation,
    backwards,
    colouring,
    mirrored,
    recoloured,
)
from rgx.gesture.data.puppet_body import face_shape, fingers, puppet
from rgx.gesture.nn.grid import pixel_grid
from rgx.gesture.nn.hands import hand_mask
from rgx.gesture.skeleton import FACE, KEPT, LEFT_HAND, RIGHT_HAND, kept_index
from rgx.gesture.types import Pairs

torch.set_num_threads(1)

BATCH, SIZE = 6, 16
ALL = torch.ones(BATCH, dtype=torch.bool)


def pairs(seed: int = 0) -> Pairs:
    draw = torch.Generator().manual_seed(seed)
    pictures = torch.rand(2, BATCH, 3, SIZE, SIZE, generator=draw)
    poses = torch.rand(2, BATCH, len(KEPT), 2, generator=draw) * 2 - 1
    return Pairs(*pictures, *poses, *(torch.rand(2, BATCH, len(KEPT), generator=draw) < 0.8))


def same(left: Pairs, right: Pairs) -> bool:
    return all(torch.equal(getattr(left, f.name), getattr(right, f.name)) for f in fields(Pairs))


def planted(side: int) -> torch.Tensor:
    """Return the pose (1, K, 2) of a puppet with one raised arm, drawn by the body's own rules.

    side: 1 for its left arm, -1 for the same arm on its right; everything else is symmetric.
    """
    who, points = puppet(0), np.zeros((1, 133, 2))
    points[:, FACE] = 0.2 * face_shape(*np.array([[0.3], [0.2], [0.0], [0.1]])) - [0, 0.5]
    points[:, 0] = points[:, FACE[30]]
    for number, (x, y) in {1: (0.1, -0.5), 3: (0.2, -0.45), 5: (0.3, 0.0), 11: (0.2, 0.9)}.items():
        points[:, number], points[:, number + 1] = (x, y), (-x, y)
    raised, hanging = [(0.6, 0.1), (0.7, -0.4)], [(0.4, 0.4), (0.3, 0.8)]
    for arm, joints in ((side, raised), (-side, hanging)):
        elbow, wrist = (np.array([[arm * x, y]]) for x, y in joints)
        hand, place = (LEFT_HAND, 0) if arm == 1 else (RIGHT_HAND, 1)
        points[:, 7 + place], points[:, 9 + place] = elbow, wrist
        points[:, hand] = fingers(who, elbow, wrist, np.array([0.6 if joints is raised else 0.1]), arm)
    return torch.from_numpy(points[:, KEPT]).float()


def test_the_pose_of_a_mirrored_picture_is_that_of_a_mirrored_puppet() -> None:
    pose, valid = planted(1), torch.ones(1, len(KEPT), dtype=torch.bool)
    valid[:, [kept_index(p) for p in RIGHT_HAND]] = False
    picture = hand_mask(pose, valid, (SIZE, SIZE)).float().expand(1, 3, SIZE, SIZE)
    flipped = mirrored(Pairs(picture, picture, pose, pose, valid, valid), ALL[:1])
    # The outline's and the eyes' angles are rounded differently on either side.
    assert torch.allclose(flipped.source_pose, planted(-1), atol=1e-6)
    assert (planted(1) - planted(-1)).abs().max() > 0.3
    assert torch.equal(flipped.source, picture.flip(-1)) and picture.any()
    seen = hand_mask(flipped.source_pose, flipped.source_valid, (SIZE, SIZE))
    assert torch.equal(seen.float().expand_as(picture), flipped.source)
    assert flipped.source_valid[:, [kept_index(p) for p in RIGHT_HAND]].all()
    assert not flipped.source_valid[:, [kept_index(p) for p in LEFT_HAND]].any()


def test_a_mirror_s_mirror_and_what_runs_backwards_twice_are_as_before() -> None:
    some = torch.tensor([True, False, True, True, False, False])
    batch = pairs()
    for change in (mirrored, backwards):
        changed = change(batch, some)
        assert same(change(changed, some), batch)
        for name, value in vars(changed).items():
            assert torch.equal(value[~some], getattr(batch, name)[~some])
    turned = backwards(batch, ALL)
    assert torch.equal(turned.source, batch.driving) and torch.equal(turned.driving_pose, batch.source_pose)
    assert torch.equal(turned.source_valid, batch.driving_valid)


def test_both_pictures_of_a_pair_change_colour_alike_and_pairs_differently() -> None:
    batch = pairs()
    batch.driving = batch.source.clone()
    torch.manual_seed(0)
    changed = FlipsAndColour()(batch)
    assert torch.equal(changed.source, changed.driving)
    assert (changed.source - batch.source).abs().flatten(1).amax(1).min() > 0.01
    batch.source = batch.driving = torch.full((BATCH, 3, SIZE, SIZE), 0.5)
    shifted = FlipsAndColour(contrast=0, saturation=0, hue=0)(batch)
    assert len({round(float(picture.mean()), 4) for picture in shifted.source}) == BATCH


def test_colours_change_as_they_are_called() -> None:
    none, some = torch.zeros(1), torch.full((1,), 0.1)
    colour = torch.tensor([0.8, 0.5, 0.2]).view(1, 3, 1, 1)

    def seen(*changes: torch.Tensor) -> list[float]:
        return recoloured(colour, *colouring(*changes)).flatten().tolist()

    assert seen(none, none, none, none) == pytest.approx([0.8, 0.5, 0.2], abs=1e-6)
    assert seen(some, none, none, none) == pytest.approx([0.88, 0.55, 0.22], abs=1e-6)
    assert seen(none, some, none, none) == pytest.approx([0.83, 0.5, 0.17], abs=1e-6)
    brightness = 0.299 * 0.8 + 0.587 * 0.5 + 0.114 * 0.2
    vivid = [brightness + 1.1 * (x - brightness) for x in (0.8, 0.5, 0.2)]
    assert seen(none, none, some, none) == pytest.approx(vivid, abs=1e-6)
    # A third of a turn makes red of blue, green of red and blue of green.
    assert seen(none, none, none, torch.full((1,), 1 / 3)) == pytest.approx([0.2, 0.8, 0.5], abs=1e-6)


def test_a_seed_decides_and_none_draws_nothing() -> None:
    batch = pairs()
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(FlipsAndColour()(batch))
    assert same(*drawn) and not same(drawn[0], FlipsAndColour()(batch))
    before = torch.get_rng_state()
    assert NoAugmentation()(batch) is batch
    assert torch.equal(torch.get_rng_state(), before)
    assert all(x.min() >= 0 and x.max() <= 1 for x in (drawn[0].source, drawn[0].driving))


@pytest.mark.parametrize("given", [{"hue": 0.6}, {"contrast": -0.1}])
def test_what_no_colour_can_do_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"augmentation\.flips_and_colour\.(hue|contrast) = "):
        FlipsAndColour(**given)


def test_what_is_moved_and_sized_stands_where_its_pose_does() -> None:
    size, place = 65, torch.tensor([[[0.3, -0.2]]])
    grid = pixel_grid(size, size)
    spot = (-((grid - place[0, 0]).square().sum(-1) / 0.01)).exp().expand(BATCH, 3, size, size)
    poses, valid = place.expand(BATCH, len(KEPT), 2), torch.ones(BATCH, len(KEPT), dtype=torch.bool)
    torch.manual_seed(0)
    moved = AsGenerated(shift=0.2, zoom=0.2, noise=0.0)(Pairs(spot, spot, poses, poses, valid, valid))
    for picture, pose in ((moved.source, moved.source_pose), (moved.driving, moved.driving_pose)):
        weight = (picture.mean(1) - picture.mean(1).amin((1, 2), keepdim=True)).clamp(min=0) ** 4
        centre = (weight[..., None] * grid).sum((1, 2)) / weight.sum((1, 2))[:, None]
        assert (centre - pose[:, 0]).abs().max() < 0.02
    assert (moved.source_pose - moved.driving_pose).abs().max() > 0.1, "each picture by itself"
