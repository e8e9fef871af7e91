"""Schedules against torch's own, a second implementation of each."""

from __future__ import annotations

import pytest
import torch
from torch.optim import lr_scheduler as torchs

from rgx.errors import InputError
from rgx.train.optimiser import AdamW, Optimiser
from rgx.train.schedules import Constant, Cosine, Multistep, MultistepAt, Schedule

STEPS = 200


def by_torch(build, steps: int = STEPS) -> list[float]:
    """Return the rates that a scheduler of torch sets for an optimiser of rate 1."""
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, rates = build(optimiser), []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


def warm(optimiser, steps: int):
    """Return torch's linear warm-up, which reaches the rate at the last of its steps."""
    return torchs.LinearLR(optimiser, 1 / steps, 1.0, steps - 1)


CASES = {
    "constant": (Constant(), lambda o: torchs.ConstantLR(o, 1.0, 0)),
    "multistep": (
        Multistep(0.1, (0.6, 0.85), 0.2),
        lambda o: torchs.ChainedScheduler([warm(o, 20), torchs.MultiStepLR(o, [120, 170], 0.2)]),
    ),
    "multistep_at": (
        MultistepAt(30, (50, 150), 0.05),
        lambda o: torchs.ChainedScheduler([warm(o, 30), torchs.MultiStepLR(o, [50, 150], 0.05)]),
    ),
    "cosine": (Cosine(), lambda o: torchs.CosineAnnealingLR(o, STEPS)),
    "cosine after warm-up": (
        Cosine(40, 0.1),
        lambda o: torchs.SequentialLR(o, [warm(o, 40), torchs.CosineAnnealingLR(o, STEPS - 40, 0.1)], [40]),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_schedule_is_torchs(name: str) -> None:
    schedule, build = CASES[name]
    expected = by_torch(build)
    assert [schedule.share(step, STEPS) for step in range(STEPS)] == pytest.approx(expected, rel=1e-6)
    rate = Optimiser(learning_rate=3e-4, schedule=schedule).rate
    assert rate(77, STEPS) == pytest.approx(3e-4 * expected[77], rel=1e-6)


ELSEWHERE = {
    r"warmup_steps = 60: the training has 60 steps": MultistepAt(60, ()),
    r"milestones = \(50, 60\): the training has 60 steps": MultistepAt(10, (50, 60)),
    r"warmup_steps = 99: the training has 60 steps": Cosine(99),
}


@pytest.mark.parametrize("message", ELSEWHERE)
def test_a_schedule_that_ends_elsewhere_than_its_training_is_refused(message: str) -> None:
    with pytest.raises(InputError, match=message):
        AdamW(steps=60, schedule=ELSEWHERE[message])
    AdamW(steps=100, schedule=ELSEWHERE[message])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Multistep(1.0), "warmup_share = 1.0"),
        (lambda: Multistep(milestones=(0.5, 1.0)), "milestones"),
        (lambda: Multistep(milestones=(0.5, 0.4)), "milestones"),
        (lambda: MultistepAt(100, (50,)), "after the 100 of warm-up"),
        (lambda: MultistepAt(-1), "warmup_steps = -1"),
        (lambda: Cosine(-1), "warmup_steps = -1"),
        (lambda: Cosine(floor=2.0), "floor = 2.0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(build, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()


def test_what_a_person_adds_is_asked_too() -> None:
    class Never(Schedule):
        def share(self, step: int, steps: int) -> float:
            return 0.0

        def check(self, steps: int) -> None:
            raise self.wrong("first", "expected another")

        first = 3

    with pytest.raises(InputError, match=r"Never.first = 3: expected another"):
        AdamW(schedule=Never())
