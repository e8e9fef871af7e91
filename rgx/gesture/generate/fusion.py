"""Axis fusion: what gesture features take in of the speech."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rgx.gesture.generate.base import Fusion
from rgx.gesture.nn.attention import attend_to, remember
from rgx.registry import register


@register("fusion", "cross_attention", label="Cross-attention", source="Sec. 4.2")
class CrossAttention(Fusion):
    """Gesture features are the query, speech features key and value."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout, batch_first=True)

    def read(self, memory: Tensor) -> Tensor:
        return remember(self.attention, memory)

    def forward(self, x: Tensor, memory: Tensor, place: Tensor) -> Tensor:
        return attend_to(self.attention, self.norm(x), memory)


@register("fusion", "concat", label="Concatenation", source="Sec. 5.4, Table 3c 'concat'")
class Concatenation(Fusion):
    """Each token is joined with the speech of its own time, feature by feature."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.Linear(2 * width, width), nn.Dropout(dropout))

    def forward(self, x: Tensor, memory: Tensor, place: Tensor) -> Tensor:
        mixed: Tensor = self.mix(torch.cat([x, memory[:, place]], dim=-1))
        return mixed
