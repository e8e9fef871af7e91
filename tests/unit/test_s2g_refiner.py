"""S2G-Diffusion's refinement: as large as published, in range, and only where nothing is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rgx.config import build_cell
from rgx.errors import InputError
from rgx.gesture.refine.s2g import S2GDiscriminator, S2GRefiner
from rgx.gesture.skeleton import KEPT
from rgx.stage import count_parameters
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps/table1.yaml"


def inputs(size=32, batch=2):
    draw = torch.Generator().manual_seed(0)
    picture = torch.rand(batch, 3, size, size, generator=draw)
    pose, valid = torch.zeros(batch, len(KEPT), 2), torch.ones(batch, len(KEPT), dtype=torch.bool)
    return picture, torch.rand(batch, 1, size, size, generator=draw), pose, valid


def refiner(size=32):
    torch.manual_seed(0)
    return S2GRefiner(size, 8, 16)


def test_at_the_published_size_it_has_as_many_weights_and_goes_down_to_one_pixel():
    with torch.device("meta"):
        network, critic = S2GRefiner(256), S2GDiscriminator(0)
    assert 2 ** len(network.network.down) == 256
    assert f"{count_parameters(network) / 1e6:.2f}" == "54.85"
    assert f"{count_parameters(critic) / 1e6:.2f}" == "4.32"


def test_the_animated_picture_stays_where_it_is_trusted():
    picture, trusted, pose, valid = inputs()
    trusted[:, :, :16], trusted[:, :, 16:] = 1.0, 0.0
    refined = refiner().refine(picture, trusted, pose, valid)
    assert torch.equal(refined.picture[:, :, :16], picture[:, :, :16])
    assert torch.equal(refined.picture[:, :, 16:], refined.painted[:, :, 16:])


def test_what_it_paints_has_the_range_of_pictures():
    network, (picture, trusted, pose, valid) = refiner(), inputs()
    for bias in (-9.0, 9.0):
        torch.nn.init.constant_(network.network.full_size[-2].bias, bias)
        painted = network.refine(picture, trusted, pose, valid).painted
        # Its darkest is black, not −1: otherwise half of what it can paint is no colour.
        assert painted.detach().sub(float(bias > 0)).abs().max() < 1e-3


def test_a_frame_does_not_depend_on_its_neighbours():
    network, (picture, trusted, pose, valid) = refiner().train(), inputs()
    alone = network(picture[:1], trusted[:1], pose[:1], valid[:1])
    assert torch.allclose(network(picture, trusted, pose, valid)[:1], alone, atol=1e-6)


def test_sides_are_halved_as_long_as_they_are_even():
    assert len(refiner(12).network.down) == 2
    assert refiner(12)(*inputs(12)).shape == (2, 3, 12, 12)
    with pytest.raises(InputError, match="30 px: expected a side that can be halved twice"):
        S2GRefiner(30)


def test_its_discriminator_sees_the_picture_alone():
    torch.manual_seed(0)
    critic, picture = S2GDiscriminator(1, 4).eval(), inputs()[0]
    one, other = (critic(picture, torch.full((2, 1, 32, 32), value)) for value in (0.0, 1.0))
    assert one.shape == (2, 1, 4, 4) and torch.equal(one, other)


def test_a_row_has_its_network_and_its_losses():
    cell = build_cell(
        read_sweep(SWEEP, Overrides(only=["refiners/S2G refinement"])).rows[0].texts, ("refiner",)
    )
    stage = cell.stages["refiner"]
    assert isinstance(cell.built["refiner"], S2GRefiner)
    assert [loss.name for loss in stage.losses] == ["holes", "content", "style", "variation"]
    assert stage.adversarial.record["variant"] == "adversarial/lsgan"
