"""Normalisation of picture features, plain or modulated by a structure map; independent of the batch."""

from __future__ import annotations

import math
from abc import abstractmethod

from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8
"""Channels are normalised in this many groups, or the most below it that divides them. Source: ours."""


class Norm(nn.Module):
    """Features to normalised ones, told of the structure at their own resolution."""

    @abstractmethod
    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        """Return normalised features (B, C, H, W) of x (B, C, H, W) and structure (B, M, H, W)."""


class PlainNorm(Norm):
    """Group normalisation with a scale and shift a channel; the structure does not enter."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(math.gcd(GROUPS, channels), channels)

    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        return self.norm(x)


class Spade(Norm):
    """(1 + γ) · norm(x) + β, with γ and β of every pixel read from the structure.

    Source: Park et al. 2019, reading 41.
    """

    def __init__(self, channels: int, map_channels: int, hidden: int) -> None:
        super().__init__()
        # Without a scale of its own: γ and β are all of it.
        self.norm = nn.GroupNorm(math.gcd(GROUPS, channels), channels, affine=False)
        self.read = nn.Conv2d(map_channels, hidden, 3, padding=1)
        self.modulate = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        gamma, beta = self.modulate(F.relu(self.read(structure))).chunk(2, dim=1)
        return (1 + gamma) * self.norm(x) + beta
