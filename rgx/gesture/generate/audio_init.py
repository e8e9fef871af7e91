"""Axis audio_init: where the generator's speech encoders start from, and how fast they learn."""

from __future__ import annotations

from torch import nn

from rgx.gesture.generate.base import AudioInit
from rgx.registry import register


@register("audio_init", "aligned", label="Aligned", source="Sec. 4.2; rate: reading 54")
class AlignedInit(AudioInit):
    """Start from the speech encoders of the alignment stage, which then learn at a share of the rate."""

    needs = ("alignment",)

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__(rate)

    def start(self, encoders: nn.ModuleDict, aligned: nn.ModuleDict | None) -> None:
        assert aligned is not None
        encoders.load_state_dict(aligned.state_dict())


@register("audio_init", "random", label="w/o align", source="Table 3c 'w/o align'; rate: reading 54")
class RandomInit(AudioInit):
    """Start from random weights, which learn like all others."""

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__(rate)

    def start(self, encoders: nn.ModuleDict, aligned: nn.ModuleDict | None) -> None:
        return None
