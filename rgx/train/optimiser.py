"""Axis training: how long and how fast a stage trains."""

from __future__ import annotations

from rgx.errors import InputError
from rgx.registry import Unkeyed, register


@register("training", "adamw", label="AdamW", source="ours: milestones scale with the steps")
class AdamW:
    """AdamW with linear warm-up and step decay at shares of the whole run."""

    def __init__(
        self,
        steps: int = 15_000,
        batch: int = 64,
        learning_rate: float = 2e-4,
        weight_decay: float = 1e-5,
        betas: tuple[float, float] = (0.9, 0.99),
        warmup_share: float = 0.05,
        milestones: tuple[float, ...] = (0.6, 0.85),
        gamma: float = 0.2,
        clip_norm: float = 1.0,
        checkpoint_every: Unkeyed[int] = 200,
    ) -> None:
        for name, value in (("steps", steps), ("batch", batch), ("learning_rate", learning_rate)):
            if value <= 0:
                raise InputError(f"training.adamw.{name} = {value}: expected a positive number")
        self.steps, self.batch, self.learning_rate = steps, batch, learning_rate
        self.weight_decay, self.betas = weight_decay, betas
        self.warmup_share, self.milestones, self.gamma = warmup_share, milestones, gamma
        self.clip_norm, self.checkpoint_every = clip_norm, checkpoint_every

    def remarks(self, samples: int | None) -> list[str]:
        """Return what is to be said where a batch is larger than the data, whose size may be unknown."""
        if samples is None or self.batch <= samples:
            return []
        return [
            f"a batch of {self.batch} is larger than the data: some of {samples} samples come twice in it"
        ]

    def rate(self, step: int) -> float:
        """Return the learning rate of a step counted from 0."""
        warm = min(1.0, (step + 1) / max(1.0, self.warmup_share * self.steps))
        passed = sum(step >= share * self.steps for share in self.milestones)
        return self.learning_rate * warm * self.gamma**passed
