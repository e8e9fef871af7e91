"""Axis schedule: what share of its learning rate a network learns at, step by step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

from rgx.errors import InputError
from rgx.kinds import binding_of, show
from rgx.registry import register


class Schedule(ABC):
    """A share of the learning rate at each step of a training."""

    @abstractmethod
    def share(self, step: int, steps: int) -> float:
        """Return the share at a step counted from 0, of so many."""

    def check(self, steps: int) -> None:
        """Raise InputError where a training of so many steps ends before its schedule does."""

    def wrong(self, argument: str, expected: str) -> InputError:
        """Return what is to be raised for an argument, of which its line can be found."""
        return InputError(f"{binding_of(self, argument)} = {show(getattr(self, argument))}: {expected}")


@register("schedule", "constant", label="Constant")
class Constant(Schedule):
    """The same rate from the first step to the last."""

    def share(self, step: int, steps: int) -> float:
        return 1.0


@register("schedule", "multistep", label="Multistep", source="ours: all at shares of the steps")
class Multistep(Schedule):
    """Linear warm-up, then × gamma at each milestone, both at shares of the training.

    Raises InputError for shares that are not between 0 and 1, and for milestones out of order.
    """

    def __init__(
        self,
        warmup_share: float = 0.05,
        milestones: tuple[float, ...] = (0.6, 0.85),
        gamma: float = 0.2,
    ) -> None:
        self.warmup_share, self.milestones, self.gamma = warmup_share, milestones, gamma
        if not 0 <= warmup_share < 1:
            raise InputError(
                f"schedule.multistep.warmup_share = {warmup_share}: expected a share of the training, below 1"
            )
        if not _ascend((0.0, *milestones, 1.0)):
            raise InputError(
                f"schedule.multistep.milestones = {milestones}: expected shares of the training, ascending"
            )

    def share(self, step: int, steps: int) -> float:
        warm = min(1.0, (step + 1) / max(1.0, self.warmup_share * steps))
        return warm * self.gamma ** sum(step >= share * steps for share in self.milestones)


@register("schedule", "multistep_at", label="Multistep at steps", source="MoMask: all at steps")
class MultistepAt(Schedule):
    """Linear warm-up, then × gamma at each milestone, both at steps: as published code has it.

    Raises InputError for milestones that are out of order or not after the warm-up.
    """

    def __init__(
        self,
        warmup_steps: int = 2000,
        milestones: tuple[int, ...] = (50_000,),
        gamma: float = 0.1,
    ) -> None:
        self.warmup_steps, self.milestones, self.gamma = warmup_steps, milestones, gamma
        if warmup_steps < 0:
            raise InputError(f"schedule.multistep_at.warmup_steps = {warmup_steps}: expected 0 or more")
        if not _ascend((warmup_steps, *milestones)):
            raise InputError(
                f"schedule.multistep_at.milestones = {milestones}: expected ascending steps after the "
                f"{warmup_steps} of warm-up"
            )

    def share(self, step: int, steps: int) -> float:
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        return warm * self.gamma ** sum(step >= milestone for milestone in self.milestones)

    def check(self, steps: int) -> None:
        expected = f"the training has {steps} steps, and never comes so far: expected fewer"
        if self.warmup_steps >= steps:
            raise self.wrong("warmup_steps", expected)
        if self.milestones and self.milestones[-1] >= steps:
            raise self.wrong("milestones", expected)


@register("schedule", "cosine", label="Cosine", source="Loshchilov 2017, without restarts")
class Cosine(Schedule):
    """Linear warm-up at steps, then half a cosine down to a floor, which the last step would be followed by.

    floor: a share of the rate. Raises InputError for one outside 0 to 1.
    """

    def __init__(self, warmup_steps: int = 0, floor: float = 0.0) -> None:
        self.warmup_steps, self.floor = warmup_steps, floor
        if warmup_steps < 0:
            raise InputError(f"schedule.cosine.warmup_steps = {warmup_steps}: expected 0 or more")
        if not 0 <= floor <= 1:
            raise InputError(
                f"schedule.cosine.floor = {floor}: expected a share of the learning rate, 0 to 1"
            )

    def share(self, step: int, steps: int) -> float:
        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        done = (step - self.warmup_steps) / (steps - self.warmup_steps)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * done)) / 2

    def check(self, steps: int) -> None:
        if self.warmup_steps >= steps:
            raise self.wrong(
                "warmup_steps", f"the training has {steps} steps, and never comes so far: expected fewer"
            )


def _ascend(numbers: Sequence[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(numbers))
