"""Axis audio_init: where the generator's speech encoders start from."""

from __future__ import annotations

from torch import nn

from rgx.gesture.generate.base import AudioInit
from rgx.registry import register


@register("audio_init", "aligned", label="Aligned", source="Sec. 4.2")
class AlignedInit(AudioInit):
    """Start from the speech encoders of the alignment stage."""

    needs = ("alignment",)

    def start(self, encoders: nn.ModuleDict, aligned: nn.ModuleDict | None) -> None:
        assert aligned is not None
        encoders.load_state_dict(aligned.state_dict())


@register("audio_init", "random", label="w/o align", source="Sec. 5.4, Table 3c 'w/o align'")
class RandomInit(AudioInit):
    """Start from random weights."""

    def start(self, encoders: nn.ModuleDict, aligned: nn.ModuleDict | None) -> None:
        return None
