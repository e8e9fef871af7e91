"""A drawn skeleton pixel by pixel: whose colour is where, and what of it is learned."""

from __future__ import annotations

import colorsys

import pytest
import torch
from torch import Tensor

from rgx.gesture.refine.skeleton_picture import DrawnSkeleton
from rgx.gesture.skeleton import FACE, KEPT, LEFT_HAND, kept_index

torch.set_num_threads(1)
SIZE = 64
LEFT_SHOULDER, LEFT_ELBOW, LEFT_WRIST = 5, 7, 9
UPPER_ARM, FORE_ARM = (torch.tensor(colorsys.hsv_to_rgb(limb / 12, 1, 1)) for limb in (1, 2))


def skeleton(downs: int = 2) -> DrawnSkeleton:
    torch.manual_seed(0)
    return DrawnSkeleton(downs, body=0.08, hand=0.03, face=0.05)


def posed(places: dict[int, tuple[float, float]]) -> tuple[Tensor, Tensor]:
    """Return a pose of which only the points given are seen; of the others nothing is known."""
    pose = torch.full((1, len(KEPT), 2), torch.nan)
    for point, place in places.items():
        pose[0, kept_index(point)] = torch.tensor(place)
    return pose, torch.isfinite(pose).all(-1)


ARM = posed({LEFT_SHOULDER: (-0.5, -0.5), LEFT_ELBOW: (-0.5, 0.5), LEFT_WRIST: (0.5, 0.5)})


def at(x: float, y: float) -> tuple[slice, slice, int, int]:
    """Return the place in a picture of one row whose pixel holds a point."""
    return (slice(0, 1), slice(None), int((y + 1) / 2 * SIZE), int((x + 1) / 2 * SIZE))


def test_a_pixel_of_the_left_fore_arm_has_its_colour_and_the_background_is_black() -> None:
    drawn = skeleton()(*ARM, (SIZE, SIZE))
    assert drawn.shape == (1, 3, SIZE, SIZE) and not drawn.requires_grad
    assert torch.allclose(drawn[at(0.0, 0.5)][0], FORE_ARM)
    assert torch.allclose(drawn[at(-0.5, 0.0)][0], UPPER_ARM)
    assert not drawn[at(0.0, 0.0)].any() and not drawn[at(0.5, -0.5)].any()
    assert float(drawn.min()) >= 0 and float(drawn.max()) <= 1


def test_a_line_is_as_wide_as_is_given_with_half_a_pixel_of_rim() -> None:
    drawn = skeleton()(*ARM, (SIZE, SIZE))
    brightness = drawn.amax(1)[0, :, int(1.0 / 2 * SIZE)]
    centres = (2 * torch.arange(SIZE) + 1) / SIZE - 1
    wanted = ((0.08 - (centres - 0.5).abs()) / (2 / SIZE) + 0.5).clamp(0, 1)
    assert torch.allclose(brightness, wanted, atol=1e-4)
    thin = DrawnSkeleton(1, body=1e-4, hand=1e-4, face=1e-4)(*ARM, (SIZE, SIZE))
    # Between two rows of pixels it is half on each.
    assert thin.amax(1)[0, :, SIZE // 2].sum() == pytest.approx(1.0, abs=0.01)


def test_what_is_not_seen_is_not_drawn() -> None:
    pose, valid = (x.clone() for x in ARM)
    valid[0, kept_index(LEFT_WRIST)] = False
    drawn = skeleton()(pose, valid, (SIZE, SIZE))
    assert not drawn[at(0.0, 0.5)].any() and drawn[at(-0.5, 0.0)].any()
    nothing = skeleton()(pose, torch.zeros_like(valid), (SIZE, SIZE))
    assert not nothing.any()


def test_fingers_have_colours_and_the_face_has_white_points() -> None:
    places = {LEFT_HAND[point]: (-0.8 + 0.4 * point, 0.0) for point in range(5)}
    thumb = skeleton()(*posed(places), (SIZE, SIZE))
    colours = [thumb[at(-0.6 + 0.4 * bone, 0.0)][0] for bone in range(4)]
    hues = [colorsys.rgb_to_hsv(*(colour / colour.max()).tolist())[0] for colour in colours]
    assert hues == pytest.approx([bone / 20 for bone in range(4)], abs=1e-3)
    face = skeleton()(*posed({FACE[30]: (0.1, 0.1), FACE[31]: (0.6, 0.6)}), (SIZE, SIZE))
    assert torch.equal(face[at(0.1, 0.1)][0], torch.ones(3))
    assert not face[at(0.35, 0.35)].any(), "points, no contour"


def test_nothing_is_learned_but_the_encoder() -> None:
    drawing = skeleton()
    assert {name.split(".")[0] for name, _ in drawing.named_parameters()} == {"first", "shrink"}
    assert set(drawing.state_dict()) == {name for name, _ in drawing.named_parameters()}
    before = drawing(*ARM, (SIZE, SIZE))
    sizes = [(SIZE >> level, SIZE >> level) for level in range(3)]
    picture, guides = drawing.guide(*ARM, sizes)
    assert torch.equal(picture, before)
    assert [tuple(guide.shape[1:]) for guide in guides] == [(16, *size) for size in sizes]
    guides[-1].sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in drawing.parameters())
    for parameter in drawing.parameters():
        parameter.data += 1
    assert torch.equal(drawing(*ARM, (SIZE, SIZE)), before)
    with pytest.raises(ValueError, match="half the one before"):
        drawing.guide(*ARM, [(64, 64), (30, 30)])
