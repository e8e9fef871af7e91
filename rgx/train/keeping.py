"""What is held out of a training, and the axis keep: of which step the network is left."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from rgx.registry import register
from rgx.train.exchange import from_first
from rgx.train.names import DEV, KEPT
from rgx.train.random_state import random_state, restore_random_state

OF_NETWORK, OF_VALUES = "kept.network.", "kept.values."
"""What names begin with in a checkpoint: of the kept network's weights and of its held-out numbers."""


class Keep(ABC):
    """Says of which step a training leaves its network."""

    @abstractmethod
    def prefers(self, score: float, before: float) -> bool:
        """Return whether a network takes the kept one's place; of two scores the higher is better."""


@register("keep", "best", label="Best on dev")
class Best(Keep):
    """The step whose held-out score is best, of equal ones the first."""

    def prefers(self, score: float, before: float) -> bool:
        return score > before


@register("keep", "last", label="Last")
class Last(Keep):
    """The last step, whatever its score."""

    def prefers(self, score: float, before: float) -> bool:
        return True


@dataclass(frozen=True)
class Validation:
    """What is held out of a training.

    measure: numbers by name, of a network in evaluation; score: the one of them that a step is chosen by.
    """

    measure: Callable[[], Mapping[str, float]]
    score: str
    higher: bool = False


@dataclass
class Chosen:
    """The network that a training will leave, as far as it knows: its weights, step and held-out numbers."""

    validation: Validation
    keep: Keep
    step: int = 0
    values: dict[str, float] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)

    def look(self, network: nn.Module, step: int, on_gpu: bool) -> dict[str, float]:
        """Measure what is held out and keep the network if it is to be; return the numbers for the curve."""
        network.eval()
        with torch.no_grad(), fixed_random_state(on_gpu):
            numbers = from_first(lambda: {n: float(v) for n, v in self.validation.measure().items()})
        network.train()
        if not self.values or self.keep.prefers(self._score(numbers), self._score(self.values)):
            self.step, self.values = step, numbers
            self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
        return named(numbers)

    def facts(self) -> dict[str, float]:
        """Return the step of the kept network and its held-out numbers."""
        return {KEPT: self.step, **named(self.values)} if self.values else {}

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint has of it."""
        if not self.values:
            return {}
        numbers = {OF_VALUES + n: torch.tensor(v, dtype=torch.float64) for n, v in self.values.items()}
        weights = {OF_NETWORK + name: value for name, value in self.weights.items()}
        return {KEPT: torch.tensor(self.step), **numbers, **weights}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what a checkpoint has of it."""
        if KEPT in state:
            self.step = int(state[KEPT])
            self.values = {n: float(v) for n, v in _within(state, OF_VALUES).items()}
            self.weights = {n: v.clone() for n, v in _within(state, OF_NETWORK).items()}

    def leave(self, network: nn.Module) -> None:
        """Give a network the kept weights."""
        if self.weights:
            network.load_state_dict(self.weights)

    def _score(self, numbers: Mapping[str, float]) -> float:
        """Return the score such that higher is better; one that is no number is the worst."""
        score = numbers[self.validation.score] * (1 if self.validation.higher else -1)
        return score if score == score else -float("inf")


def named(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return held-out numbers under the names that they have in curves and facts."""
    return {f"{DEV}{name}": value for name, value in numbers.items()}


@contextmanager
def fixed_random_state(on_gpu: bool) -> Iterator[None]:
    """Have every stream begin at a fixed place inside, and go on afterwards as if nothing had been drawn."""
    before = random_state(on_gpu)
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    try:
        yield
    finally:
        restore_random_state(before, on_gpu)


def _within(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
