"""The contracts of the axes parts, quantizer and distillation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

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
    """Which streams get a tokenizer of their own."""

    @property
    @abstractmethod
    def streams(self) -> dict[str, tuple[str, ...]]:
        """Return each stream's name and the skeleton streams it holds, in order."""


class Distillation(nn.Module):
    """How speech-aware content enters the codes of one stream."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Stages whose artifacts the distillation reads."""

    @abstractmethod
    def forward(self, quantized: Tensor, batch: Batch, teacher: nn.ModuleDict | None) -> Tensor:
        """Return the loss of the quantized latents (B, N, D) of a batch; teacher holds gesture encoders."""
