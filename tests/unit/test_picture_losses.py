"""Terms of a refiner's loss against slow arithmetic, in a row, and refused where two are of one name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rgx.config import build_cell
from rgx.errors import InputError
from rgx.gesture.nn.perceptual import RandomFeatures
from rgx.gesture.refine.base import Activations, Comparison
from rgx.gesture.refine.picture_content import ContentLoss
from rgx.gesture.refine.picture_holes import HolesLoss
from rgx.gesture.refine.picture_style import StyleLoss, gram
from rgx.gesture.refine.picture_variation import VariationLoss, variation
from rgx.sweep.row import row_text
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps/ablation_table3.yaml"


def comparison(batch=2, size=8, seed=0):
    draw = torch.Generator().manual_seed(seed)
    pictures = (torch.rand(batch, 3, size, size, generator=draw) for _ in range(3))
    masks = (torch.rand(batch, 1, size, size, generator=draw).round() for _ in range(2))
    return Comparison(*pictures, *masks)


def stage(choices, *bindings):
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=["3a/full-model"], bindings=list(bindings))).rows[0]
    own = row_text(choices, dict.fromkeys(choices, "row"), "row")
    return build_cell((*row.texts, own), ("refiner",)).stages["refiner"]


def test_a_gram_matrix_by_hand():
    layer = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    # Two channels of 1 × 2 pixels: products 1 + 4, 3 − 2, 9 + 1, over 2 · 1 · 2.
    assert torch.equal(gram(layer), torch.tensor([[[5.0, 1.0], [1.0, 10.0]]]) / 4)
    assert gram(layer.bfloat16()).dtype == torch.float32


def test_total_variation_by_a_slow_loop():
    picture = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(1))
    down = [abs(picture[b, c, y + 1, x] - picture[b, c, y, x])
            for b in range(2) for c in range(3) for y in range(3) for x in range(5)]  # fmt: skip
    across = [abs(picture[b, c, y, x + 1] - picture[b, c, y, x])
              for b in range(2) for c in range(3) for y in range(4) for x in range(4)]  # fmt: skip
    wanted = sum(map(float, down)) / len(down) + sum(map(float, across)) / len(across)
    assert float(variation(picture)) == pytest.approx(wanted, rel=1e-5)
    seen = comparison()
    hidden = float(variation(seen.picture * (1 - seen.trusted)))
    assert float(VariationLoss(0.5)(seen, None)) == pytest.approx(0.5 * hidden)


def test_holes_hands_and_the_rest_have_a_mean_each():
    seen = comparison()
    error = (seen.painted - seen.real).abs()
    wanted = 0.0
    for weight, mask in ((1, seen.trusted), (3, 1 - seen.trusted), (5, seen.hands)):
        chosen = error[mask.expand_as(error) > 0.5]
        wanted += weight * float(chosen.mean())
    assert float(HolesLoss()(seen, None)) == pytest.approx(wanted, rel=1e-5)


def test_a_picture_without_a_hole_and_without_a_hand_has_a_finite_loss():
    seen = comparison()
    seen.trusted, seen.hands = torch.ones_like(seen.trusted), torch.zeros_like(seen.hands)
    error = float((seen.painted - seen.real).abs().mean())
    assert float(HolesLoss()(seen, None)) == pytest.approx(error, rel=1e-5)


def test_content_and_style_are_of_what_is_painted_and_of_what_is_shown():
    seen, perceptual = comparison(size=16), RandomFeatures(width=4, layers=2)
    perceptual.prepare("cpu")
    content = ContentLoss(1.0)(seen, Activations(seen, perceptual))
    apart = [perceptual.distance(picture, seen.real) for picture in (seen.painted, seen.picture)]
    assert float(content) == pytest.approx(float(sum(apart)), rel=1e-5)
    style = 0.0
    for picture in (seen.painted, seen.picture):
        for layer, real in zip(perceptual(picture), perceptual(seen.real), strict=True):
            style += float((gram(layer) - gram(real)).abs().mean())
    assert float(StyleLoss(120.0)(seen, Activations(seen, perceptual))) == pytest.approx(
        120 * style, rel=1e-4
    )


def test_a_row_lists_its_losses():
    chosen = stage({"picture_loss": ["style", {"l1": {"weight": 2}}]})
    assert [loss.name for loss in chosen.losses] == ["style", "l1"]
    assert chosen.losses[1].weight == 2.0
    assert chosen.record["losses"][1] == {"variant": "picture_loss/l1", "weight": 2.0, "hand_weight": 5.0}


def test_a_loss_that_stands_twice_is_refused():
    with pytest.raises(InputError, match=r"row: picture_loss: 'l1' is listed twice"):
        stage({"picture_loss": ["l1", "l1"]})
    twice = "stage.refiner.losses = [@picture_loss.l1(), @refiner/picture_loss.l1()]"
    with pytest.raises(InputError, match="two terms are called 'l1'"):
        stage({}, twice)
