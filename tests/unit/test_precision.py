"""What a GPU computes otherwise: how far bf16 moves a training step; what stays where it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.config import build_cell
from rgx.gesture.data.plain_world import PlainWorld
from rgx.gesture.data.puppets import Puppets
from rgx.gesture.nn.precision import laid_out, sent
from rgx.gesture.skeleton import KEPT
from rgx.gesture.types import PREFIX_FRAMES, WINDOW_FRAMES, Batch, Pairs
from rgx.sweep.spec import Overrides, read_sweep

SWEEP = Path(__file__).resolve().parents[2] / "sweeps/ablation_table3.yaml"


@pytest.fixture(scope="module")
def cell() -> Any:
    torch.manual_seed(0)
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=["3d/+ heatmap"])).rows[0]
    cell = build_cell(row.texts, ("refiner",))
    for stage in ("animator", "refiner"):
        cell.stages[stage].perceptual.prepare("cpu")
    return cell


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    puppets = Puppets(PlainWorld(), speakers=1, train_clips=1, dev_clips=0, test_clips=0, clip_s=4.0)
    clip, footage = next(iter(puppets.clips())), next(iter(puppets.footage(64)))
    pose = torch.from_numpy(clip.keypoints[:, KEPT] / 128 - 1).float()
    valid = torch.from_numpy(clip.valid[:, KEPT])
    frames = torch.from_numpy(footage.frames).permute(0, 3, 1, 2).float() / 255
    both = ([3, 20, 41, 66], [50, 90, 7, 70])
    return Pairs(*(x[index] for x in (frames, pose, valid) for index in both))


def step(losses: Callable[[], dict[str, Tensor]], network: nn.Module) -> tuple[dict[str, float], Tensor]:
    """Return a step's losses and its gradient."""
    network.zero_grad()
    terms = losses()
    torch.stack(list(terms.values())).sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
    return {name: float(loss.detach()) for name, loss in terms.items()}, gradient


def near(losses: Callable[[], dict[str, Tensor]], network: nn.Module) -> None:
    exact, gradient = step(losses, network)
    with torch.autocast("cpu", torch.bfloat16):
        fast, turned = step(losses, network)
    assert fast == pytest.approx(exact, rel=0.02) and fast != exact
    assert F.cosine_similarity(gradient, turned, dim=0) > 0.95


def test_bf16_moves_a_step_of_the_animator_little(cell: Any, pairs: Pairs) -> None:
    animator, perceptual = cell.built["animator"], cell.stages["animator"].perceptual
    # In evaluation, so that no spline is left out at random.
    near(lambda: animator.eval().losses(pairs, perceptual, 400), animator)


def test_bf16_moves_a_step_of_the_refiner_little(cell: Any, pairs: Pairs) -> None:
    stage, animator, refiner = cell.stages["refiner"], cell.built["animator"], cell.built["refiner"]
    animator.eval()

    def losses() -> dict[str, Tensor]:
        return stage._losses(stage._refine(refiner, animator, pairs), pairs)

    near(losses, refiner)


@pytest.mark.parametrize("stage", ["generator", "residual"])
def test_bf16_moves_a_step_of_what_predicts_tokens_little(stage: str) -> None:
    torch.manual_seed(0)
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=["3b/+distill"])).rows[0]
    built = build_cell(row.texts, (stage,)).built
    network, tokenizer = built[stage].eval(), built["tokenizer"].eval().requires_grad_(False)
    batch = windows(8, built["speech"].width, len(built["corpus"].speakers))

    def losses() -> dict[str, Tensor]:
        torch.manual_seed(1)  # the same tokens masked, the same layer
        terms: dict[str, Tensor] = network.losses(batch, tokenizer)
        return terms

    near(losses, network)


def windows(count: int, features: int, speakers: int) -> Batch:
    draw = torch.Generator().manual_seed(0)
    shape = (count, WINDOW_FRAMES)
    return Batch(
        motion=torch.randn(*shape, len(KEPT), 2, generator=draw).cumsum(1) / 9,
        valid=torch.ones(*shape, len(KEPT), dtype=torch.bool),
        speech=torch.randn(*shape, features, generator=draw),
        beats=torch.zeros(shape, dtype=torch.bool),
        prefix=torch.randn(count, PREFIX_FRAMES, len(KEPT), 2, generator=draw),
        prefix_valid=torch.ones(count, PREFIX_FRAMES, len(KEPT), dtype=torch.bool),
        speaker=torch.arange(count) % speakers,
        clip=torch.arange(count),
    )


def test_an_animator_s_step_stays_where_a_step_can_read_it(cell: Any) -> None:
    row = read_sweep(SWEEP, Overrides(scale="tiny", only=["3d/+ heatmap"])).rows[0]
    animator = build_cell(row.texts, ("animator",)).built["animator"]
    animator.step.fill_(7)
    animator.to("meta")
    assert animator.step.device.type == "cpu" and int(animator.step) == 7
    assert {p.device.type for p in animator.parameters()} == {"meta"}


def test_on_a_cpu_nothing_is_laid_out_or_copied() -> None:
    layer, x = nn.Conv2d(4, 4, 3), torch.ones(2, 3)
    assert laid_out(layer, "cpu").weight.is_contiguous()
    assert sent(x, "cpu") is x
