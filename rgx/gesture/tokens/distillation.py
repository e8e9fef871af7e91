"""Axis distillation: speech-aware content from the frozen gesture encoders into the codes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.nn.encoders import gesture_steps
from rgx.gesture.tokens.base import Distillation
from rgx.gesture.types import Batch
from rgx.registry import register
from rgx.shares import share_rows


@register("distillation", "none", label="w/o distillation", source="Table 3b '+separate'")
class NoDistillation(Distillation):
    """Codes learn reconstruction only."""

    def __init__(self, width: int, members: tuple[str, ...], teacher_width: int) -> None:
        super().__init__()

    def forward(self, quantized: Tensor, batch: Batch, teacher: nn.ModuleDict | None) -> Tensor:
        return quantized.new_zeros(())


@register("distillation", "cosine", label="Distilled", source="Sec. 4.1, eq. (2)")
class CosineDistillation(Distillation):
    """β · mean over tokens of 1 − cos(p(Q_R), sg(E(G))), p linear, E the frozen gesture encoders.

    Source: eq. (2), reading 15; β is ours to sweep.
    """

    needs = ("alignment",)

    def __init__(self, width: int, members: tuple[str, ...], teacher_width: int, weight: float = 1.0) -> None:
        super().__init__()
        self.members, self.weight = members, weight
        self.projection = nn.Linear(width, teacher_width * len(members))

    def forward(self, quantized: Tensor, batch: Batch, teacher: nn.ModuleDict | None) -> Tensor:
        assert teacher is not None
        with torch.no_grad():
            # What eq. (2) writes as sg: the teacher is looked at, never taught.
            target = torch.cat(
                [share_rows(teacher[m])(gesture_steps(batch, m)) for m in self.members], dim=-1
            )
        similarity = F.cosine_similarity(self.projection(quantized), target, dim=-1)
        return self.weight * (1 - similarity).mean()
