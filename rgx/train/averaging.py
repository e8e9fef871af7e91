"""A moving average of a network's weights, which a training leaves in place of the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

OF_AVERAGE = "average."
"""What names begin with in a checkpoint."""
RAMP = 10
"""After n steps the average remembers at most (1 + n) / (RAMP + n), so that it soon forgets how it began."""


class Average:
    """Weights w̄ ← d w̄ + (1 − d) w after each step, d = min(decay, (1 + n) / (10 + n)) after n of them.

    Numbers that are no weights, such as counters, are taken as they are. Source: Polyak & Juditsky 1992; the
    ramp as in TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network, self.decay = network, decay
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, done: int) -> None:
        """Take in the network as it is after so many steps."""
        share = 1 - min(self.decay, (1 + done) / (RAMP + done))
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, share)
            else:
                self.weights[name].copy_(value)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Have the network be the average inside, and what it was afterwards."""
        own = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.leave()
        try:
            yield
        finally:
            self.network.load_state_dict(own)

    def leave(self) -> None:
        """Give the network the averaged weights."""
        self.network.load_state_dict(self.weights)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint has of it."""
        return {OF_AVERAGE + name: value for name, value in self.weights.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up what a checkpoint has of it."""
        for name, value in self.weights.items():
            value.copy_(state[OF_AVERAGE + name])
