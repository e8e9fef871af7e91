"""Axes optimiser and training: how fast a network learns, and how long a stage trains."""

from __future__ import annotations

from typing import Annotated

from rgx.errors import InputError
from rgx.registry import Since, Unkeyed, find, make, register
from rgx.train.keeping import Keep
from rgx.train.schedules import Schedule

MULTISTEP: Schedule = make(find("schedule", "multistep"), {})
LAST: Keep = make(find("keep", "last"), {})


@register("optimiser", "adamw", label="AdamW")
class Optimiser:
    """How AdamW moves a network at each step; how many steps there are, the training says it is part of."""

    def __init__(
        self,
        learning_rate: float = 2e-4,
        weight_decay: float = 1e-5,
        betas: tuple[float, float] = (0.9, 0.99),
        schedule: Schedule = MULTISTEP,
        clip_norm: float = 1.0,
    ) -> None:
        if learning_rate <= 0:
            raise InputError(f"optimiser.adamw.learning_rate = {learning_rate}: expected a positive number")
        self.learning_rate, self.weight_decay, self.betas = learning_rate, weight_decay, betas
        self.schedule, self.clip_norm = schedule, clip_norm

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step counted from 0, of so many."""
        return self.learning_rate * self.schedule.share(step, steps)


@register("training", "adamw", label="AdamW")
class AdamW(Optimiser):
    """How long a stage trains with AdamW, how often it looks at what is held out, and what it keeps.

    validate_every: a share of the steps. average: how much of a moving average of the weights stays at each
    step; the average is what is looked at and left, 0 for the weights themselves. Raises InputError for a
    schedule that ends elsewhere than the steps.
    """

    def __init__(
        self,
        steps: int = 15_000,
        batch: int = 64,
        learning_rate: float = 2e-4,
        weight_decay: float = 1e-5,
        betas: tuple[float, float] = (0.9, 0.99),
        schedule: Schedule = MULTISTEP,
        clip_norm: float = 1.0,
        keep: Keep = LAST,
        validate_every: float = 0.05,
        checkpoint_every: Unkeyed[int] = 200,
        average: Annotated[float, Since(0.0)] = 0.0,
    ) -> None:
        for name, value in (("steps", steps), ("batch", batch), ("learning_rate", learning_rate)):
            if value <= 0:
                raise InputError(f"training.adamw.{name} = {value}: expected a positive number")
        if not 0 < validate_every <= 1:
            raise InputError(
                f"training.adamw.validate_every = {validate_every}: expected a share of the steps, above 0"
            )
        if not 0 <= average < 1:
            raise InputError(f"training.adamw.average = {average}: expected 0 or more and below 1")
        super().__init__(learning_rate, weight_decay, betas, schedule, clip_norm)
        self.steps, self.batch, self.keep, self.average = steps, batch, keep, average
        self.validate_every, self.checkpoint_every = validate_every, checkpoint_every
        schedule.check(steps)

    def validates(self, done: int) -> bool:
        """Return whether what is held out is looked at after so many steps; after the last one always."""
        return done == self.steps or done % max(1, round(self.validate_every * self.steps)) == 0

    def remarks(self, samples: int | None) -> list[str]:
        """Return what is to be said where a batch is larger than the data, whose size may be unknown."""
        if samples is None or self.batch <= samples:
            return []
        return [
            f"a batch of {self.batch} is larger than the data: some of {samples} samples come twice in it"
        ]
