"""Axis quantizer: finite scalar quantization."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rgx.errors import InputError
from rgx.gesture.tokens.base import Quantized, Quantizer
from rgx.registry import register


@register("quantizer", "fsq", label="FSQ", source="Mentzer et al. 2023, arXiv 2309.15505")
class FiniteScalarQuantizer(Quantizer):
    """Each of a few bounded coordinates is rounded to one of its levels; nothing to learn, nothing dies."""

    layers = 1
    levels: Tensor
    basis: Tensor

    def __init__(self, width: int, levels: tuple[int, ...] = (8, 8, 8)) -> None:
        super().__init__()
        if min(levels, default=0) < 3:
            raise InputError(f"quantizer.fsq.levels = {levels}: expected levels of at least 3")
        self.codes = math.prod(levels)
        self.inward, self.outward = nn.Linear(width, len(levels)), nn.Linear(len(levels), width)
        self.register_buffer("levels", torch.tensor(levels))
        self.register_buffer("basis", torch.tensor([math.prod(levels[:i]) for i in range(len(levels))]))

    def _bounded(self, x: Tensor) -> Tensor:
        # A little within the outermost levels, or rounding could name one that is not there.
        half = (self.levels - 1) * (1 - 1e-3) / 2
        # An even number of levels has none at zero; half a level of shift puts its middle between two.
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        return torch.tanh(x + torch.atanh(offset / half)) * half - offset

    def forward(self, latents: Tensor) -> Quantized:
        bounded = self._bounded(self.inward(latents))
        # Straight through: rounded forward, the bounded value's gradient backward.
        rounded = bounded + (bounded.round() - bounded).detach()
        # The coordinates are the digits of the code, each in the base of its number of levels.
        index = ((rounded.detach() + self.levels // 2) * self.basis).sum(-1).round().long()
        scaled = rounded / (self.levels // 2)
        return Quantized(index[..., None], self.outward(scaled), latents.new_zeros(()))

    def _implicit(self, index: Tensor) -> Tensor:
        digits = (index[..., None] // self.basis) % self.levels
        return (digits - self.levels // 2) / (self.levels // 2)

    def lookup(self, codes: Tensor) -> Tensor:
        return self.outward(self._implicit(codes[..., 0]))

    def codebook(self, layer: int) -> Tensor:
        return self.outward(self._implicit(torch.arange(self.codes, device=self.basis.device)))
