"""Axis style: how the speaker's identity shapes the features after each feed-forward layer."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from rgx.gesture.generate.base import SpeakerStyle
from rgx.registry import register


class _Modulated(SpeakerStyle):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.modulation = nn.Sequential(*layers)
        # All speakers begin alike: scale 1, shift 0.
        for parameter in layers[-1].parameters():
            nn.init.zeros_(parameter)

    def _affine(self, speaker: Tensor) -> tuple[Tensor, Tensor]:
        """Return the speaker's scale and shift, each (B, D)."""
        scale, shift = self.modulation(speaker).chunk(2, dim=-1)
        return 1 + scale, shift


@register("style", "adain", label="AdaIN", source="Sec. 4.2; Huang & Belongie 2017; reading 51", version=2)
class AdaptiveInstanceNorm(_Modulated):
    """Normalise each feature over time, then scale and shift it by what an MLP makes of the speaker."""

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__(
            nn.Embedding(speakers, width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2 * width)
        )

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        # Every feature of every sample is a channel of its own: one call normalises, scales and shifts.
        channels = rearrange(x, "b n d -> 1 (b d) n")
        scale, shift = (part.flatten() for part in self._affine(speaker))
        styled = F.batch_norm(channels, None, None, scale, shift, training=True)
        return rearrange(styled, "1 (b d) n -> b n d", b=len(x))


@register("style", "conditional_layer_norm", label="Cond. LayerNorm", source="reading 26")
class ConditionalLayerNorm(_Modulated):
    """Normalise each token over its features, then scale and shift by the speaker; keeps offsets in time."""

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__(nn.Embedding(speakers, 2 * width))

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        scale, shift = self._affine(speaker)
        return scale[:, None] * F.layer_norm(x, x.shape[-1:]) + shift[:, None]


@register("style", "none", label="w/o style")
class NoStyle(SpeakerStyle):
    """The speaker's identity does not enter."""

    def __init__(self, width: int, speakers: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        return x
