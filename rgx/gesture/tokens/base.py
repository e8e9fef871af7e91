"""The contracts of the axes parts, quantizer and distillation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from rgx.gesture.types import Batch


@dataclass
class Quantized:
    """codes (B, N, Q) long; output (B, N, D), straight-through; commitment, a scalar loss."""

    codes: Tensor
    output: Tensor
    commitment: Tensor


class Quantizer(nn.Module):
    """Latents to codes: `layers` codebooks of `codes` entries each, summed."""

    has_tokens: ClassVar[bool] = True
    layers: int
    codes: int

    @abstractmethod
    def forward(self, latents: Tensor) -> Quantized:
        """Quantize latents (B, N, D)."""

    @abstractmethod
    def lookup(self, codes: Tensor) -> Tensor:
        """Return the sum (B, N, D) of the entries of codes (B, N, q), q ≤ Q layers."""

    @abstractmethod
    def codebook(self, layer: int) -> Tensor:
        """Return the entries (V, D) of one layer."""


class Parts(ABC):
    """Which streams get a tokenizer of their own, and what of motion each of them is told.

    The coordinates of its members are all it is told, unless a variant says otherwise.
    """

    anatomical: ClassVar[bool] = True
    """Whether it divides a person; if not, any points will do, an animator's control points too."""

    @property
    @abstractmethod
    def streams(self) -> dict[str, tuple[str, ...]]:
        """Return each stream's name and the skeleton streams it holds, in order."""

    def over(self, members: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return each stream's name and what it holds of motion that has these members."""
        return self.streams

    def size(self, stream: str, coordinates: int) -> int:
        """Return how many numbers a frame has for a stream whose members have so many coordinates.

        Raises InputError for coordinates that cannot be divided so.
        """
        return coordinates

    def code(self, coordinates: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return what each stream is told (B, T, size) of its members' coordinates (B, T, C)."""
        return coordinates

    def restore(self, coded: dict[str, Tensor]) -> Tensor:
        """Return the coordinates (B, T, C) of all members, in order, that `code` gives this of."""
        return torch.cat(list(coded.values()), dim=-1)

    def anchor(self, decoded: Tensor, known: Tensor) -> Tensor:
        """Return decoded motion (B, T, K, 2) where it belongs: its first P frames are known (B, P, K, 2).

        Restored motion says where it is, unless a variant codes only how it moves.
        """
        return decoded


class Distillation(nn.Module):
    """How speech-aware content enters the codes of one stream."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Stages whose artifacts the distillation reads."""

    @abstractmethod
    def forward(self, quantized: Tensor, batch: Batch, teacher: nn.ModuleDict | None) -> Tensor:
        """Return the loss of the quantized latents (B, N, D) of a batch; teacher holds gesture encoders."""
