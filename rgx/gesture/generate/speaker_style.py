"""Axis style: how the speaker's identity shapes the features after each feed-forward layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.generate.base import SpeakerStyle
from rgx.registry import register


class _Modulated(SpeakerStyle):
    def __init__(self, width: int, speakers: int) -> None:
        super().__init__()
        self.modulation = nn.Embedding(speakers, 2 * width)
        # All speakers begin alike: scale 1, shift 0.
        nn.init.zeros_(self.modulation.weight)

    def _modulate(self, x: Tensor, speaker: Tensor) -> Tensor:
        scale, shift = self.modulation(speaker)[:, None].chunk(2, dim=-1)
        return (1 + scale) * x + shift


@register("style", "adain", label="AdaIN", source="Sec. 4.2; Huang & Belongie 2017")
class AdaptiveInstanceNorm(_Modulated):
    """Normalise each feature over time, then scale and shift it by the speaker."""

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        normal = F.instance_norm(x.transpose(1, 2)).transpose(1, 2)
        return self._modulate(normal, speaker)


@register("style", "conditional_layer_norm", label="Cond. LayerNorm", source="reading 26")
class ConditionalLayerNorm(_Modulated):
    """Normalise each token over its features, then scale and shift by the speaker; keeps offsets in time."""

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        return self._modulate(F.layer_norm(x, x.shape[-1:]), speaker)


@register("style", "none", label="w/o style")
class NoStyle(SpeakerStyle):
    """The speaker's identity does not enter."""

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        return x
